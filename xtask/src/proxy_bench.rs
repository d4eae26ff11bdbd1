//! `cargo xtask bench proxy`: Portreeve beside whatever of nginx and haproxy is installed, in one run.
//!
//! nginx answers 1 KB of JSON on the load generator's core; each proxy runs on a core of its own with one worker. Rounds are
//! interleaved and rotated, every figure is the median over rounds, every ratio the median of ratios within a round, so that
//! what else the machine does weighs on all alike. CPU per request is the scheduler's run time of the proxy's process tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::Outcome;
use crate::processes::{cpu_ns, installed, median, memory_mib, release_binary, start, stop, wait_for};
use crate::table::{Cell, Table, publish};

/// Measures Portreeve beside nginx and haproxy.
#[derive(clap::Args)]
pub struct Arguments {
    /// The binary; built for release when absent.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load in each round.
    #[arg(long, default_value_t = 4)]
    secs: u32,
    /// The core of the proxies.
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core of the load generator and of the upstream.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Which scenarios: `get1k`, `post2k`, `h2-get1k`, `h2-post2k`.
    #[arg(long, value_delimiter = ',', default_value = "get1k,post2k,h2-get1k,h2-post2k")]
    scenarios: Vec<String>,
    /// Also write the tables here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Where the upstream of the benchmarks listens.
pub const UPSTREAM_PORT: u16 = 19_700;
const CONNECTIONS: u32 = 64;

/// What the traffic of the benchmark is held against when every stage is on.
const CONTRACT: &str = "openapi: 3.1.0
info: { title: bench, version: '1' }
paths:
  /v1/orders/{id}:
    get:
      parameters:
        - { name: id, in: path, required: true, schema: { type: integer, minimum: 1 } }
        - { name: expand, in: query, schema: { type: string, enum: [lines, customer] } }
      responses:
        '200': { description: an order, content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } } }
  /v1/orders:
    post:
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: '#/components/schemas/NewOrder' } } }
      responses:
        '200': { description: an order, content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } } }
components:
  schemas:
    Item:
      type: object
      required: [sku, quantity, price]
      additionalProperties: false
      properties:
        sku: { type: string, pattern: '^SKU-[0-9]{4}$' }
        quantity: { type: integer, minimum: 0, maximum: 1000 }
        price: { type: number, minimum: 0 }
    NewOrder:
      type: object
      required: [customer, items]
      additionalProperties: false
      properties:
        customer: { type: integer, minimum: 1 }
        items: { type: array, maxItems: 100, items: { $ref: '#/components/schemas/Item' } }
    Order:
      type: object
      required: [id, items]
      properties:
        id: { type: string, maxLength: 64 }
        items: { type: array, items: { $ref: '#/components/schemas/Item' } }
        pad: { type: string }
";

/// A proxy under measurement.
struct Proxy {
    name: &'static str,
    h1: u16,
    h2: u16,
    process: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

/// What one run brought.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    per_s: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    memory_mib: f64,
    failed: f64,
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Outcome {
    for tool in ["nginx", "wrk", "taskset"] {
        if !installed(tool) {
            return Err(format!("`{tool}` is needed; `apt-get install nginx-light wrk util-linux` provides it").into());
        }
    }
    let folder = std::env::temp_dir().join(format!("portreeve-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(arguments, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    publish(&outcome?, arguments.json.as_deref())
}

fn measure(arguments: &Arguments, folder: &Path) -> Result<Vec<Table>, Box<dyn std::error::Error>> {
    let binary = match &arguments.binary {
        Some(binary) => binary.canonicalize()?,
        None => release_binary()?,
    };
    write_files(folder)?;
    let nginx = format!("nginx -p {0} -c {0}/upstream.conf", folder.display());
    let mut upstream = start(&nginx, arguments.load_core)?;
    let outcome = wait_for(UPSTREAM_PORT).and_then(|()| {
        let mut proxies = proxies(arguments, folder, &binary)?;
        let mut results = BTreeMap::new();
        for scenario in &arguments.scenarios {
            results.insert(scenario.clone(), rounds(arguments, folder, scenario, &mut proxies)?);
        }
        Ok(results.iter().map(|(scenario, runs)| table(arguments, scenario, runs)).collect())
    });
    stop(&mut upstream);
    outcome
}

fn proxies(arguments: &Arguments, folder: &Path, binary: &Path) -> Result<Vec<Proxy>, Box<dyn std::error::Error>> {
    let at = folder.display();
    let mut commands = vec![("nginx", 19_701, 19_711, format!("nginx -p {at} -c {at}/nginx.conf"))];
    if installed("haproxy") {
        commands.push(("haproxy", 19_702, 19_712, format!("haproxy -f {at}/haproxy.cfg")));
    }
    let portreeve = |file: &str| format!("{} run --config {at}/{file}.yaml", binary.display());
    commands.push(("portreeve", 19_703, 19_703, portreeve("portreeve")));
    commands.push(("portreeve, all stages", 19_705, 19_705, portreeve("protected")));
    let mut proxies = Vec::new();
    for (name, h1, h2, command) in commands {
        proxies.push(Proxy { name, h1, h2, process: start(&command, arguments.proxy_core)? });
        wait_for(h1)?;
    }
    Ok(proxies)
}

type Runs = BTreeMap<&'static str, Vec<Option<Figures>>>;

fn rounds(
    arguments: &Arguments,
    folder: &Path,
    scenario: &str,
    proxies: &mut [Proxy],
) -> Result<Runs, Box<dyn std::error::Error>> {
    let mut runs = Runs::new();
    if scenario.starts_with("h2") && !installed("h2load") {
        eprintln!("skipped: {scenario}: `apt-get install nghttp2-client` provides h2load");
        return Ok(runs);
    }
    for proxy in proxies.iter() {
        // The first second of each fills pools and caches and is not counted.
        load(arguments, folder, scenario, proxy, 1)?;
    }
    for round in 0..arguments.rounds {
        let count = proxies.len();
        for step in 0..count {
            let Some(proxy) = proxies.get((round + step) % count) else { continue };
            let before = cpu_ns(proxy.process.id());
            let mut figures = load(arguments, folder, scenario, proxy, arguments.secs)?;
            let spent = cpu_ns(proxy.process.id()).saturating_sub(before) as f64 / 1e3;
            figures.cpu_us = spent / (figures.per_s * f64::from(arguments.secs)).max(1.0);
            figures.memory_mib = memory_mib(proxy.process.id());
            eprintln!("round {round} {scenario} {}: {:.0}/s, {:.1} us CPU", proxy.name, figures.per_s, figures.cpu_us);
            runs.entry(proxy.name).or_default().push(Some(figures));
        }
    }
    Ok(runs)
}

fn load(
    arguments: &Arguments,
    folder: &Path,
    scenario: &str,
    proxy: &Proxy,
    secs: u32,
) -> Result<Figures, Box<dyn std::error::Error>> {
    let core = arguments.load_core.to_string();
    let post = scenario.ends_with("post2k");
    let path = if post { "/v1/orders" } else { "/v1/orders/42?expand=lines" };
    let mut command = Command::new("taskset");
    command.args(["-c", &core]).current_dir(folder);
    if scenario.starts_with("h2") {
        let log = folder.join("h2load.log");
        let _ = std::fs::remove_file(&log);
        command.args(["h2load", "-t1", "-c8", "-m8", "-D", &secs.to_string(), "-p", "h2c"]);
        command.arg(format!("--log-file={}", log.display())).args(["-H", ":authority: api.example.com"]);
        if post {
            command.args(["-d", "post.json", "-H", "content-type: application/json"]);
        }
        let output = command.arg(format!("http://127.0.0.1:{}{path}", proxy.h2)).output()?;
        return h2load_figures(
            &String::from_utf8_lossy(&output.stdout),
            &std::fs::read_to_string(&log).unwrap_or_default(),
            secs,
        );
    }
    let script = if post { "post.lua" } else { "get.lua" };
    command.args(["wrk", "-t1", &format!("-c{CONNECTIONS}"), &format!("-d{secs}s"), "-s", script]);
    let output = command.arg(format!("http://127.0.0.1:{}{path}", proxy.h1)).output()?;
    wrk_figures(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the line that our script for wrk writes: requests, microseconds, p50, p99, failures.
fn wrk_figures(text: &str) -> Result<Figures, Box<dyn std::error::Error>> {
    let line =
        text.lines().find_map(|line| line.strip_prefix("RESULT ")).ok_or_else(|| format!("wrk failed: {text}"))?;
    let numbers: Vec<f64> = line.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [requests, micros, p50_us, p99_us, failed] = numbers.as_slice() else {
        return Err(format!("wrk wrote `{line}`").into());
    };
    Ok(Figures {
        per_s: requests / (micros / 1e6),
        p50_us: *p50_us,
        p99_us: *p99_us,
        failed: *failed,
        ..Figures::default()
    })
}

fn h2load_figures(text: &str, log: &str, secs: u32) -> Result<Figures, Box<dyn std::error::Error>> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("requests: "))
        .ok_or_else(|| format!("h2load failed: {text}"))?;
    let count = |name: &str| {
        let part = line.split(", ").find(|part| part.ends_with(name));
        part.and_then(|part| part.split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let mut micros: Vec<f64> = log.lines().filter_map(|line| line.split('\t').nth(2)?.parse().ok()).collect();
    micros.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| micros.get((micros.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    let good =
        text.lines().find_map(|line| line.strip_prefix("status codes: ")?.split(' ').next()?.parse::<f64>().ok());
    let done = count("done");
    Ok(Figures {
        per_s: done / f64::from(secs),
        p50_us: at(0.50),
        p99_us: at(0.99),
        failed: done - good.unwrap_or(0.0).min(done),
        ..Figures::default()
    })
}

fn table(arguments: &Arguments, scenario: &str, runs: &Runs) -> Table {
    let title = format!(
        "{scenario}, {CONNECTIONS} connections or streams: medians of {} rounds of {} s; x is the ratio to nginx",
        arguments.rounds, arguments.secs
    );
    let columns = ["proxy", "req/s", "x", "p50 us", "p99 us", "x", "CPU us/req", "x", "PSS MiB", "failed"];
    let mut table = Table::new(title, &columns);
    let reference = runs.get("nginx").cloned().unwrap_or_default();
    for (name, rounds) in runs {
        let of = |figure: fn(&Figures) -> f64| median(rounds.iter().flatten().map(figure).collect());
        let ratio = |figure: fn(&Figures) -> f64| {
            let pairs = rounds.iter().zip(&reference).filter_map(|(own, nginx)| Some((own.as_ref()?, nginx.as_ref()?)));
            median(pairs.map(|(own, nginx)| figure(own) / figure(nginx)).collect())
        };
        table.rows.push(vec![
            Cell::text(*name),
            Cell::Figure(of(|f| f.per_s)),
            Cell::Ratio(ratio(|f| f.per_s)),
            Cell::Figure(of(|f| f.p50_us)),
            Cell::Figure(of(|f| f.p99_us)),
            Cell::Ratio(ratio(|f| f.p99_us)),
            Cell::Figure(of(|f| f.cpu_us)),
            Cell::Ratio(ratio(|f| f.cpu_us)),
            Cell::Figure(rounds.iter().flatten().map(|f| f.memory_mib).fold(0.0, f64::max)),
            Cell::Figure(rounds.iter().flatten().map(|f| f.failed).sum()),
        ]);
    }
    table
}

/// Writes the configurations of everything that is started, and what is sent.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_files(folder: &Path) -> std::io::Result<()> {
    let at = folder.display();
    let item = |number: u32| {
        format!("{{\"sku\":\"SKU-{number:04}\",\"quantity\":{},\"price\":{}.99}}", number % 7, number + 3)
    };
    let answer: Vec<String> = (0..20).map(item).collect();
    let mut answer = format!("{{\"id\":\"a1b2c3\",\"items\":[{}],\"pad\":\"", answer.join(","));
    answer.push_str(&"x".repeat(1_022_usize.saturating_sub(answer.len())));
    answer.push_str("\"}");
    let posted: Vec<String> = (0..47).map(item).collect();
    std::fs::write(folder.join("post.json"), format!("{{\"customer\":42,\"items\":[{}]}}", posted.join(",")))?;
    let common = format!(
        "client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
         access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; tcp_nodelay on; client_body_buffer_size 64k;"
    );
    let frame = |pid: &str, inside: &str| {
        format!(
            "daemon off; worker_processes 1; pid {at}/{pid}.pid; error_log {at}/{pid}.err warn;\n\
             events {{ worker_connections 4096; }}\nhttp {{ {common}\n{inside} }}\n"
        )
    };
    let upstream = format!(
        "server {{ listen 127.0.0.1:{UPSTREAM_PORT} backlog=4096; default_type application/json; location / {{ return 200 '{answer}'; }} }}"
    );
    std::fs::write(folder.join("upstream.conf"), frame("upstream", &upstream))?;
    let proxied = format!(
        "upstream be {{ server 127.0.0.1:{UPSTREAM_PORT}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 300s; }}\n\
         server {{ listen 127.0.0.1:19701 backlog=4096; listen 127.0.0.1:19711 http2 backlog=4096;\n\
         location / {{ proxy_pass http://be; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }} }}"
    );
    std::fs::write(folder.join("nginx.conf"), frame("nginx", &proxied))?;
    let haproxy = format!(
        "global\n  nbthread 1\n  maxconn 8192\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 300s\n  timeout server 300s\n  \
         option http-keep-alive\n  option forwardfor\n  http-reuse always\nfrontend f1\n  bind 127.0.0.1:19702\n  \
         bind 127.0.0.1:19712 proto h2\n  default_backend be\nbackend be\n  server s1 127.0.0.1:{UPSTREAM_PORT} pool-max-conn 1024\n"
    );
    std::fs::write(folder.join("haproxy.cfg"), haproxy)?;
    let portreeve = |port: u16, modes: &str, data: &str| {
        format!(
            "workers: 1\nlisteners: [{{ address: \"127.0.0.1:{port}\" }}]\n\
             upstreams: [{{ name: be, servers: [\"127.0.0.1:{UPSTREAM_PORT}\"] }}]\n\
             apis: [{{ name: bench, upstream: be, {modes} }}]\n\
             data: {{ dir: {at}/{data} }}\nadmin: {{ address: \"127.0.0.1:{}\" }}\n",
            port + 1
        )
    };
    let carrying = "modes: { contract: off, attacks: off, leakage: off }";
    std::fs::write(folder.join("portreeve.yaml"), portreeve(19_703, carrying, "data"))?;
    let protecting = "mode: block, contract: bench.openapi.yaml";
    std::fs::write(folder.join("protected.yaml"), portreeve(19_705, protecting, "data-protected"))?;
    std::fs::write(folder.join("bench.openapi.yaml"), CONTRACT)?;
    let done = "function done(summary, latency)\n  local e = summary.errors\n  print(string.format('RESULT %d %d %d %d %d', summary.requests, \
                summary.duration, latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))\nend\n";
    let fields = "wrk.headers['Host'] = 'api.example.com'\nwrk.headers['Accept'] = 'application/json'\nwrk.headers['User-Agent'] = 'bench/1.0'\n";
    std::fs::write(folder.join("get.lua"), format!("{fields}{done}"))?;
    let post = "wrk.method = 'POST'\nlocal f = io.open('post.json')\nwrk.body = f:read('*a')\nf:close()\nwrk.headers['Content-Type'] = 'application/json'\n";
    std::fs::write(folder.join("post.lua"), format!("{fields}{post}{done}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_both_tools_is_read() {
        let figures = wrk_figures("Running\nRESULT 4000 2000000 900 3000 1\n").unwrap();
        assert_eq!((figures.per_s, figures.p50_us, figures.p99_us, figures.failed), (2_000.0, 900.0, 3_000.0, 1.0));
        assert!(wrk_figures("unable to connect").is_err());
        let text = "requests: 100 total, 100 started, 100 done, 99 succeeded, 1 failed, 0 errored, 0 timeout\nstatus codes: 99 2xx, 0 3xx, 1 4xx, 0 5xx\n";
        let log = "1\t200\t10\n2\t200\t30\n3\t200\t20\n";
        let figures = h2load_figures(text, log, 2).unwrap();
        assert_eq!((figures.per_s, figures.p50_us, figures.failed), (50.0, 20.0, 1.0));
    }

    #[test]
    fn medians_leave_out_what_was_not_measured() {
        assert_eq!(median(vec![3.0, f64::NAN, 1.0, 2.0]), 2.0);
    }
}
