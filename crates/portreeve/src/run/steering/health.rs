//! How the running gateway is: counters, queues, servers, certificates, memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use console::steering::{CertificateState, CounterValue, GatewayHealth, QueueState, ServerState};
use gateway::Gateway;
use gateway::balance::{Health, ServerFacts};

use super::super::metrics::Metrics;
use super::super::{EVENT_BATCHES_MAX, OBSERVATIONS_MAX};

/// Events of one batch, at most: what a worker sends at once.
const BATCH: u64 = 64;

/// How it is now.
pub fn of(gateway: &Gateway, metrics: &Metrics, uptime: Duration) -> GatewayHealth {
    let alarming = |name: &str| matches!(name, "events_dropped" | "stages_failed" | "h2_floods");
    let counters = gateway.counters().all().into_iter();
    GatewayHealth {
        running: true,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: uptime.as_secs(),
        counters: counters
            .map(|(name, value)| CounterValue { name: name.to_owned(), value, alarming: alarming(name) })
            .collect(),
        queues: queues(gateway, metrics),
        servers: servers(gateway),
        certificates: certificates(gateway),
        memory_bytes: resident_bytes(),
    }
}

/// Lengths are differences of counters that are read one after the other, so they may be off by what came between.
fn queues(gateway: &Gateway, metrics: &Metrics) -> Vec<QueueState> {
    let taken = metrics.events_taken.load(Ordering::Relaxed);
    let observed = metrics.observations.load(Ordering::Relaxed);
    let queue = |name: &str, sent: u64, taken: u64, batches: usize, dropped: u64| QueueState {
        name: name.to_owned(),
        length: sent.saturating_sub(taken),
        length_max: batches as u64 * BATCH,
        dropped,
    };
    let counters = gateway.counters();
    let sent = metrics.observations_sent.load(Ordering::Relaxed);
    let dropped = metrics.observations_dropped.load(Ordering::Relaxed);
    vec![
        queue(
            "events to the recorder",
            counters.events_recorded.value(),
            taken,
            EVENT_BATCHES_MAX,
            counters.events_dropped.value(),
        ),
        queue("observations to the learner", sent, observed, OBSERVATIONS_MAX, dropped),
    ]
}

fn servers(gateway: &Gateway) -> Vec<ServerState> {
    let now = crate::now();
    let snapshot = gateway.snapshot();
    let of_upstream = |upstream: &std::sync::Arc<gateway::upstream::Upstream>| {
        let facts = upstream.balancer.facts(now.0);
        let server = |(server, facts): (&std::sync::Arc<gateway::upstream::Server>, &ServerFacts)| ServerState {
            upstream: upstream.config.name.clone(),
            address: format!("{}:{}", server.config.host, server.config.port),
            state: match facts {
                ServerFacts { health: Health::Down, .. } => "unhealthy",
                ServerFacts { ejected_until_us: Some(_), .. } => "ejected",
                _ => "in-service",
            }
            .to_owned(),
            outstanding: u64::from(facts.outstanding),
        };
        upstream.servers.iter().zip(&facts).map(server).collect::<Vec<_>>()
    };
    snapshot.upstreams.iter().flat_map(of_upstream).collect()
}

fn certificates(gateway: &Gateway) -> Vec<CertificateState> {
    let snapshot = gateway.snapshot();
    let facts = snapshot.tls.iter().flatten().flat_map(|tls| tls.facts());
    let mut certificates: Vec<CertificateState> = facts
        .map(|facts| CertificateState {
            names: if facts.names.is_empty() { vec![facts.subject] } else { facts.names },
            not_after_s: facts.not_after_s,
        })
        .collect();
    certificates.sort_by_key(|certificate| certificate.not_after_s);
    certificates.dedup_by(|a, b| a.names == b.names && a.not_after_s == b.not_after_s);
    certificates
}

/// Resident memory; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}
