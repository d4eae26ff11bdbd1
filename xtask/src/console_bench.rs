//! `cargo xtask bench console`: how long the admin API takes over a large store, and what heavy queries do to traffic.
//!
//! The store is made by `store-fill` through the store's own writer and kept in `--data`, so that a second run starts at once.
//! Traffic is one client on one connection, closed loop, against an upstream in this process: its p99 is compared with and
//! without a loop of heavy queries beside it, the two taking turns.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::processes::{median, release_binary, stop, wait_for};
use crate::table::{Cell, Table, publish};

/// Measures the admin API.
#[derive(clap::Args)]
pub struct Arguments {
    /// The binary; built for release when absent.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The data directory; filled when it is not there.
    #[arg(long, default_value = "/tmp/portreeve-bench-console")]
    data: PathBuf,
    /// Exchanges stored.
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Days they are spread over.
    #[arg(long, default_value_t = 7)]
    days: u64,
    /// Answers measured of each resource.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Turns of traffic with and without heavy queries.
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Also write the tables here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

const PORT: u16 = 19_713;
const ADMIN_PORT: u16 = 19_714;
/// Requests of one turn.
const TURN_REQUESTS: usize = 8_000;
/// What is asked, and the goal for its p99 where there is one.
const ASKED: [(&str, &str, &str); 14] = [
    ("overview, 24 h", "/api/v1/overview?since=24h", "< 200"),
    ("overview, 7 d", "/api/v1/overview?since=7d", "< 200"),
    ("overview, 10 years", "/api/v1/overview?since=0", "< 200"),
    ("endpoints, 24 h", "/api/v1/endpoints?since=24h", ""),
    ("threats, 24 h", "/api/v1/threats?since=24h", ""),
    ("threats, 7 d", "/api/v1/threats?since=7d", ""),
    ("threats of one kind, 7 d", "/api/v1/threats?since=7d&filter=category%3Dinjection", ""),
    ("threats by events, 24 h", "/api/v1/threats?since=24h&filter=status%3E%3D400", ""),
    ("incidents, 24 h", "/api/v1/incidents?since=24h", ""),
    ("sessions, 24 h", "/api/v1/sessions?since=24h", ""),
    ("sessions, 7 d", "/api/v1/sessions?since=7d", ""),
    ("events with findings, 7 d", "/api/v1/events?since=7d&filter=reason%3D*", ""),
    ("report, 7 d", "/api/v1/report?since=7d", ""),
    ("query by endpoint, 7 d", "/api/v1/query?since=7d&by=endpoint&measure=count,p95(latency)", ""),
];
const HEAVY: [&str; 2] = ["/api/v1/sessions?since=7d", "/api/v1/query?since=7d&by=endpoint&measure=count,p95(latency)"];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        stop(&mut self.0);
    }
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Outcome {
    let binary = match &arguments.binary {
        Some(binary) => binary.canonicalize()?,
        None => release_binary()?,
    };
    if !arguments.data.exists() {
        fill(arguments)?;
    }
    let upstream = upstream()?;
    let mut gateway = Command::new(&binary);
    gateway.args(["run", "--upstream", &format!("http://127.0.0.1:{upstream}")]);
    gateway.args(["--listen", &format!("127.0.0.1:{PORT}"), "--admin", &format!("127.0.0.1:{ADMIN_PORT}")]);
    gateway.args(["--workers", "1", "--data"]).arg(&arguments.data).stdout(Stdio::null()).stderr(Stdio::null());
    let _gateway = Running(gateway.spawn()?);
    wait_for(PORT)?;
    wait_for(ADMIN_PORT)?;
    let tables = [answers(arguments)?, beside(arguments)?];
    publish(&tables, arguments.json.as_deref())
}

fn fill(arguments: &Arguments) -> Outcome {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "-p", "store", "--features", "testing", "--bin", "store-fill", "--"])
        .arg(&arguments.data)
        .args([arguments.events.to_string(), arguments.days.to_string()])
        .status()?;
    if status.success() { Ok(()) } else { Err("`store-fill` failed".into()) }
}

fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    let at = (times.len() as f64 * share) as usize;
    times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

fn answers(arguments: &Arguments) -> Result<Table, Box<dyn std::error::Error>> {
    let title = format!("the admin API over {}", of(&arguments.data));
    let mut table = Table::new(title, &["resource", "p50 ms", "p99 ms", "KiB", "goal ms"]);
    for (name, path, goal) in ASKED {
        let (mut times, mut bytes) = (Vec::new(), 0);
        // The first answer counts too: nobody warms a cache before looking.
        for _ in 0..arguments.rounds.max(1) {
            let began = Instant::now();
            bytes = ask(ADMIN_PORT, path)?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let figures = [percentile(&mut times, 0.5), percentile(&mut times, 0.99), bytes as f64 / 1024.0];
        let mut row = vec![Cell::text(name)];
        row.extend(figures.map(Cell::Figure));
        row.push(Cell::text(goal));
        table.rows.push(row);
    }
    Ok(table)
}

fn of(data: &Path) -> String {
    let segments = std::fs::read_dir(data.join("events")).map_or(0, |entries| entries.count());
    format!("{} files of events in `{}`", segments, data.display())
}

/// One request on a connection of its own; bytes of the answer. Anything but 200 is an error.
fn ask(port: u16, path: &str) -> Result<usize, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        let shown = String::from_utf8_lossy(answer.get(..300.min(answer.len())).unwrap_or_default()).into_owned();
        return Err(format!("`{path}` was answered with {shown}").into());
    }
    Ok(answer.len())
}

/// An upstream that answers every request with a little JSON.
fn upstream() -> Result<u16, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(&stream));
        }
    });
    Ok(port)
}

fn serve(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
        if line.is_empty() && (&*stream).write_all(answer).is_err() {
            return;
        }
    }
}

/// The p99 of traffic alone and beside heavy queries, turn by turn, so that what the machine does otherwise hits both.
fn beside(arguments: &Arguments) -> Result<Table, Box<dyn std::error::Error>> {
    let (mut alone, mut busy, mut asked) = (Vec::new(), Vec::new(), 0);
    turn()?;
    for _ in 0..arguments.turns.max(1) {
        alone.push(turn()?);
        let over = Arc::new(AtomicBool::new(false));
        let queries = {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) {
                    asked += HEAVY.iter().filter(|path| ask(ADMIN_PORT, path).is_ok()).count();
                }
                asked
            })
        };
        let times = turn();
        over.store(true, Ordering::Relaxed);
        asked += queries.join().unwrap_or(0);
        busy.push(times?);
    }
    let title = format!("traffic beside {asked} heavy queries, one connection, median of {} turns", alone.len());
    let mut table = Table::new(title, &["what", "alone", "beside queries", "change %", "goal %"]);
    for (index, name) in ["p50 us", "p99 us"].into_iter().enumerate() {
        let of = |turns: &[[f64; 2]]| median(turns.iter().filter_map(|turn| turn.get(index).copied()).collect());
        let (alone, busy) = (of(&alone), of(&busy));
        let goal = if index == 1 { "< 5" } else { "" };
        let figures = [alone, busy, (busy / alone - 1.0) * 100.0].map(Cell::Figure);
        let mut row = vec![Cell::text(name)];
        row.extend(figures);
        row.push(Cell::text(goal));
        table.rows.push(row);
    }
    Ok(table)
}

/// p50 and p99 of one turn of traffic, in microseconds.
fn turn() -> Result<[f64; 2], Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut times = Vec::with_capacity(TURN_REQUESTS);
    let mut answer = [0; 4096];
    for number in 0..TURN_REQUESTS {
        let began = Instant::now();
        let request = format!("GET /v1/products/{} HTTP/1.1\r\nhost: api.example\r\n\r\n", number % 500);
        stream.write_all(request.as_bytes())?;
        let mut length = 0;
        // The answer ends with the body that the upstream always sends.
        while !answer.get(..length).is_some_and(|answer| answer.ends_with(b"{\"ok\":true}")) {
            let room = answer.get_mut(length..).unwrap_or_default();
            match stream.read(room)? {
                0 => return Err("the gateway closed the connection of the traffic".into()),
                read => length += read,
            }
        }
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok([percentile(&mut times, 0.5), percentile(&mut times, 0.99)])
}
