//! `cargo xtask bench learner`: what a scanner with a million paths costs the learner, in time and in memory.
//!
//! Ordinary API traffic of several hosts with a scanner's requests among it, each scanner path asked once or a few times;
//! part of the hosts answer everything with success, which is the worst case: such answers reach the trie.

use std::path::PathBuf;
use std::time::Instant;

use learn::{Learner, LearnerLimits, Models};
use model::{Observation, Timestamp};

use super::bench::seconds_run;
use crate::Outcome;
use crate::table::{Cell, Table, publish};

/// Arguments of `bench learner`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Requests in all.
    #[arg(long, default_value_t = 10_000_000)]
    requests: u64,
    /// Different paths that the scanner asks for.
    #[arg(long, default_value_t = 1_000_000)]
    paths: u64,
    /// Hosts; every second one answers whatever it is asked.
    #[arg(long, default_value_t = 8)]
    hosts: u64,
    /// Share of the scanner's requests.
    #[arg(long, default_value_t = 0.5)]
    share: f64,
    /// Write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Resources under `/v1/`, each with members and members of members.
const RESOURCES: [&str; 12] = [
    "users",
    "orders",
    "products",
    "invoices",
    "carts",
    "payments",
    "shipments",
    "reviews",
    "coupons",
    "tickets",
    "teams",
    "projects",
];

fn request(rng: &mut fastrand::Rng, arguments: &Arguments, at: u64) -> Observation {
    let host = rng.u64(..arguments.hosts.max(1));
    let mut one = Observation {
        at: Timestamp(1_795_000_000_000_000 + at as i64 * 500),
        host: format!("api.site{host}.example").into(),
        method: "GET".into(),
        agent: Some("okhttp/4.12".into()),
        accept: Some("application/json".into()),
        client: Some(std::net::IpAddr::from((0x0a80_0000u32 | rng.u32(..50_000)).to_be_bytes())),
        status: 200,
        response_type: Some("application/json".into()),
        response_bytes: Some(rng.u64(50..5_000)),
        request_bytes: Some(0),
        credential: Some(true),
        ..Observation::default()
    };
    let resource = RESOURCES.get(rng.usize(..RESOURCES.len())).copied().unwrap_or("users");
    if rng.f64() >= arguments.share {
        let shape: Box<[u64]> = (0..8).map(|key| ml::hash::hash_bytes(key, resource.as_bytes()) >> 32).collect();
        one.response_shape = Some(shape);
        one.target = match rng.u8(..4) {
            0 => format!("/v1/{resource}?page={}", rng.u32(1..40)),
            1 => format!("/v1/{resource}/{}", rng.u32(1..200_000)),
            2 => format!("/v1/{resource}/{}/items", rng.u32(1..200_000)),
            _ => format!("/v1/{resource}/{}/items/{}", rng.u32(1..200_000), rng.u32(1..30)),
        }
        .into();
        return one;
    }
    let path = rng.u64(..arguments.paths.max(1));
    let word = |salt: u64| ml::hash::mix(salt, path) >> 40;
    one.target = match path % 4 {
        0 => format!("/v1/{resource}/{:x}/{:x}", word(1), word(2)),
        1 => format!("/{:x}.php", word(3)),
        2 => format!("/{:x}/{:x}/{:x}/admin", word(4) % 1_000, word(5) % 1_000, word(6)),
        _ => format!("/backup/{:x}.zip", word(7)),
    }
    .into();
    one.agent = Some("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36".into());
    one.credential = Some(false);
    if host % 2 == 1 {
        one.status = 404;
    }
    one
}

/// Kilobytes of this process in memory: now, and at most so far.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Requests made at once, so that making them is not in the time.
const BATCH: usize = 8_192;

/// Runs `bench learner`.
pub fn run(arguments: &Arguments) -> Outcome {
    let mut learner = Learner::new(Models::shipped()?, LearnerLimits::default(), 7);
    let mut rng = fastrand::Rng::with_seed(1);
    let (empty, _) = resident();
    let mut seconds = 0.0;
    let mut done = 0u64;
    while done < arguments.requests {
        let count = (arguments.requests - done).min(BATCH as u64);
        let batch: Vec<Observation> = (0..count).map(|at| request(&mut rng, arguments, done + at)).collect();
        let started = Instant::now();
        let before = seconds_run(started);
        for one in &batch {
            learner.observe(one);
        }
        learner.refresh();
        seconds += seconds_run(started) - before;
        done += count;
    }
    learner.refresh_all();
    let (_, most) = resident();
    let hosts = arguments.hosts.max(1);
    let grown = most.saturating_sub(empty) as f64 / 1e3;
    let mut table = Table::new(
        format!("{} requests, {} scanner paths, {hosts} hosts", arguments.requests, arguments.paths),
        &["observations/s", "MB in all", "MB grown", "MB per host", "MB by own count", "endpoints"],
    );
    table.rows.push(vec![
        Cell::Count((done as f64 / seconds.max(1e-9)) as u64),
        Cell::Figure(most as f64 / 1e3),
        Cell::Figure(grown),
        Cell::Figure(grown / hosts as f64),
        Cell::Figure(learner.bytes() as f64 / 1e6),
        Cell::Count(learner.endpoints().len() as u64),
    ]);
    publish(&[table], arguments.json.as_deref())
}
