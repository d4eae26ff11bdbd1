//! `cargo xtask bench gateway`: what the gateway needs when nothing happens, and what it records when much does.
//!
//! The gateway runs on one core with one worker; nginx as upstream and the load run on another. Idle connections have each
//! carried one request, so that what a connection keeps after its first request counts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::processes::{installed, median, memory_mib, release_binary, start, stop, wait_for};
use crate::proxy_bench::{UPSTREAM_PORT, write_files};
use crate::table::{Cell, Table, publish};

/// Measures the gateway by itself.
#[derive(clap::Args)]
pub struct Arguments {
    /// The binary; built for release when absent.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Idle keep-alive connections.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Starts measured.
    #[arg(long, default_value_t = 11)]
    starts: usize,
    /// Seconds of load while events are recorded.
    #[arg(long, default_value_t = 10)]
    secs: u32,
    /// Also write the table here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

const GATEWAY_CORE: usize = 0;
const LOAD_CORE: usize = 1;
const PORT: u16 = 19_703;
const ADMIN_PORT: u16 = 19_704;
/// How long memory is given to settle before it is read.
const SETTLE: Duration = Duration::from_secs(3);

/// A process that ends with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        stop(&mut self.0);
    }
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Outcome {
    for tool in ["nginx", "wrk", "taskset"] {
        if !installed(tool) {
            return Err(format!("`{tool}` is needed; `apt-get install nginx-light wrk util-linux` provides it").into());
        }
    }
    let folder = std::env::temp_dir().join(format!("portreeve-bench-gateway-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(arguments, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    publish(&[outcome?], arguments.json.as_deref())
}

fn measure(arguments: &Arguments, folder: &Path) -> Result<Table, Box<dyn std::error::Error>> {
    let binary = match &arguments.binary {
        Some(binary) => binary.canonicalize()?,
        None => release_binary()?,
    };
    write_files(folder)?;
    let at = folder.display();
    let _upstream = Running(start(&format!("nginx -p {at} -c {at}/upstream.conf"), LOAD_CORE)?);
    wait_for(UPSTREAM_PORT)?;
    let mut table = Table::new("the gateway by itself, one worker on one core", &["what", "figure", "unit", "goal"]);
    let mut row = |what: &str, figure: f64, unit: &str, goal: &str| {
        table.rows.push(vec![Cell::text(what), Cell::Figure(figure), Cell::text(unit), Cell::text(goal)]);
    };
    let mut millis = Vec::new();
    for number in 0..arguments.starts.max(1) {
        millis.push(first_answer(&binary, folder, number)?.as_secs_f64() * 1e3);
    }
    row("start to first answer, median", median(millis), "ms", "< 100");
    let gateway = gateway(&binary, folder, "data-idle")?;
    let id = gateway.0.id();
    wait_for(PORT)?;
    std::thread::sleep(SETTLE);
    row("memory, idle", memory_mib(id), "MiB PSS", "< 40");
    let mut idle = Vec::new();
    for _ in 0..arguments.connections {
        let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
        ask(&mut stream)?;
        idle.push(stream);
    }
    std::thread::sleep(SETTLE);
    row(&format!("memory, {} idle connections", idle.len()), memory_mib(id), "MiB PSS", "< 200");
    let alive = idle.iter_mut().step_by(97).filter_map(|stream| ask(stream).ok()).count();
    row("of every 97th of them, still served", alive as f64, "connections", "all");
    drop(idle);
    drop(gateway);
    recorded(&binary, folder, arguments.secs, &mut row)?;
    Ok(table)
}

fn gateway(binary: &Path, folder: &Path, data: &str) -> Result<Running, Box<dyn std::error::Error>> {
    let at = folder.display();
    let command = format!("{} run --config {at}/portreeve.yaml --data {at}/{data}", binary.display());
    Ok(Running(start(&command, GATEWAY_CORE)?))
}

/// The time from starting the process to the first answer of the upstream through it.
fn first_answer(binary: &Path, folder: &Path, number: usize) -> Result<Duration, Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let _gateway = gateway(binary, folder, &format!("data-{number}"))?;
    loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", PORT))
            && ask(&mut stream).is_ok()
        {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > Duration::from_secs(15) {
            return Err("the gateway does not answer after 15 s".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// One request over a connection that stays; the answer must be that of the upstream.
fn ask(stream: &mut TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(
        b"GET /v1/orders/42 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n",
    )?;
    let mut answer = Vec::new();
    let mut piece = [0u8; 4096];
    loop {
        let read = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer);
        // The upstream's answer is JSON; its last bytes close a text and an object.
        if text.starts_with("HTTP/1.1 200") && text.ends_with("\"}") {
            return Ok(());
        }
        if read == 0 {
            return Err("no whole answer".into());
        }
    }
}

/// Load at full speed for some seconds; every request must be in the store afterwards.
fn recorded(
    binary: &Path,
    folder: &Path,
    secs: u32,
    row: &mut impl FnMut(&str, f64, &str, &str),
) -> Result<(), Box<dyn std::error::Error>> {
    let gateway = gateway(binary, folder, "data-recorded")?;
    wait_for(PORT)?;
    let core = LOAD_CORE.to_string();
    let (connections, duration) = ("64".to_owned(), format!("{secs}s"));
    let url = format!("http://127.0.0.1:{PORT}/v1/orders/42?expand=lines");
    let mut load = Command::new("taskset");
    load.args(["-c", &core, "wrk", "-t1", "-c", &connections, "-d", &duration, "-s", "get.lua", &url]);
    let output = load.current_dir(folder).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT ")).ok_or("wrk wrote no result")?;
    let requests: f64 = line.split(' ').next().unwrap_or_default().parse()?;
    std::thread::sleep(SETTLE);
    let metrics = metrics()?;
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).ok_or_else(|| format!("`{name}` is not in /metrics"))
    };
    row("requests beside recording", requests / f64::from(secs), "per second", "");
    row("events stored", value("portreeve_store_events_total")? / f64::from(secs), "per second", "30000");
    let dropped = value("portreeve_store_events_dropped_total")? + value("portreeve_events_dropped_total")?;
    row("events dropped", dropped, "events", "0");
    let per_event = value("portreeve_store_bytes_on_disk")? / value("portreeve_store_events_total")?.max(1.0);
    row("on disk, journal not yet cut included", per_event, "bytes per event", "< 60");
    row("memory after the load", memory_mib(gateway.0.id()), "MiB PSS", "");
    Ok(())
}

fn metrics() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", ADMIN_PORT))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
