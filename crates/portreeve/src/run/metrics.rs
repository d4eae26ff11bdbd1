//! What is counted from events, as Prometheus text. Labels come from closed sets or from the inventory, never from traffic,
//! so that no client can make the number of series grow.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Action, ApiName, Event, ExchangeEnd, StatusSource};

/// Endpoints of the inventory that have series of their own; the rest share `other`.
const ENDPOINT_SERIES_MAX: usize = 500;
/// Upper bounds of the latency histogram, in microseconds.
const BOUNDS_US: [u32; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000];

/// The counters of one process.
#[derive(Default)]
pub struct Metrics {
    traffic: Mutex<Traffic>,
    /// Observations dropped because the learner was behind.
    pub observations_dropped: AtomicU64,
    /// Observations given to the learner's queue.
    pub observations_sent: AtomicU64,
    /// Events that the recorder has taken.
    pub events_taken: AtomicU64,
    /// Mirrored requests and access log entries that could not be read.
    pub intake_unreadable: AtomicU64,
    /// Observations learned from.
    pub observations: AtomicU64,
    /// Endpoints in the learner's last judgement.
    pub endpoints_learned: AtomicU64,
    /// Access log lines that could not be written.
    pub access_log_lines_lost: AtomicU64,
    /// Spans that the collector took.
    pub spans_exported: AtomicU64,
    /// Spans dropped because the collector was slow, away, or did not want them.
    pub spans_dropped: AtomicU64,
    /// What became of alerts.
    pub alerts: Arc<crate::alerts::Counters>,
    store: Mutex<store::Health>,
}

#[derive(Default)]
struct Traffic {
    exchanges: HashMap<Option<ApiName>, BTreeMap<(u16, &'static str), u64>>,
    endpoints: BTreeMap<(u64, u16), u64>,
    ends: BTreeMap<&'static str, u64>,
    findings: BTreeMap<&'static str, u64>,
    verdicts: BTreeMap<(&'static str, &'static str), u64>,
    duration: Histogram,
    judging: Histogram,
    request_bytes: u64,
    response_bytes: u64,
}

#[derive(Default)]
struct Histogram {
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
}

impl Histogram {
    fn add(&mut self, micros: u32) {
        let at = BOUNDS_US.iter().position(|&bound| micros <= bound).unwrap_or(BOUNDS_US.len());
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1;
        }
        self.sum_us += u64::from(micros);
    }

    fn write(&self, out: &mut String, name: &str, help: &str) {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        let mut below = 0;
        for (bound, count) in BOUNDS_US.iter().zip(&self.buckets) {
            below += count;
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {below}", f64::from(*bound) / 1e6);
        }
        let all: u64 = self.buckets.iter().sum();
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {all}");
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {all}", self.sum_us as f64 / 1e6);
    }
}

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a batch of exchanges.
    pub fn count(&self, events: &[Event]) {
        let mut traffic = self.lock();
        for event in events {
            traffic.count(event);
        }
    }

    /// Remembers how the store is doing.
    pub fn put_store(&self, health: store::Health) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    /// How the store was doing a moment ago.
    pub fn store(&self) -> store::Health {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything as Prometheus text (exposition format 0.0.4).
    pub fn text(&self, counters: &gateway::Counters) -> String {
        let mut out = String::with_capacity(8 * 1024);
        self.lock().write(&mut out);
        for (name, value) in counters.all() {
            let gauge = name.ends_with("_open");
            let (suffix, kind) = if gauge { ("", "gauge") } else { ("_total", "counter") };
            let _ = writeln!(out, "# TYPE portreeve_{name}{suffix} {kind}\nportreeve_{name}{suffix} {value}");
        }
        let own = [
            ("observations_dropped_total", "counter", self.observations_dropped.load(Ordering::Relaxed)),
            ("intake_unreadable_total", "counter", self.intake_unreadable.load(Ordering::Relaxed)),
            ("observations_total", "counter", self.observations.load(Ordering::Relaxed)),
            ("endpoints_learned", "gauge", self.endpoints_learned.load(Ordering::Relaxed)),
            ("alerts_sent_total", "counter", self.alerts.sent.load(Ordering::Relaxed)),
            ("alerts_retried_total", "counter", self.alerts.retried.load(Ordering::Relaxed)),
            ("alerts_lost_total", "counter", self.alerts.lost.load(Ordering::Relaxed)),
            ("access_log_lines_lost_total", "counter", self.access_log_lines_lost.load(Ordering::Relaxed)),
            ("spans_exported_total", "counter", self.spans_exported.load(Ordering::Relaxed)),
            ("spans_dropped_total", "counter", self.spans_dropped.load(Ordering::Relaxed)),
        ];
        let health = self.store();
        let store = [
            ("store_events_total", "counter", health.events),
            ("store_events_dropped_total", "counter", health.events_dropped),
            ("store_errors_total", "counter", health.errors),
            ("store_writable", "gauge", u64::from(health.writable)),
            ("store_bytes_on_disk", "gauge", health.bytes_on_disk),
            ("store_segments", "gauge", health.segments),
        ];
        for (name, kind, value) in own.into_iter().chain(store) {
            let _ = writeln!(out, "# TYPE portreeve_{name} {kind}\nportreeve_{name} {value}");
        }
        out
    }
}

impl Traffic {
    fn count(&mut self, event: &Event) {
        let source = match event.status_source {
            StatusSource::Upstream => "upstream",
            StatusSource::Gateway => "gateway",
            StatusSource::None => "none",
        };
        // API names are configured and statuses have three digits, so this map is bounded.
        *self.exchanges.entry(event.api.clone()).or_default().entry((event.status, source)).or_default() += 1;
        if let Some(endpoint) = event.endpoint {
            let known = self.endpoints.len() < ENDPOINT_SERIES_MAX * 5;
            let key = (endpoint.0, event.status / 100);
            let key = if known || self.endpoints.contains_key(&key) { key } else { (u64::MAX, key.1) };
            *self.endpoints.entry(key).or_default() += 1;
        }
        if event.end != ExchangeEnd::Complete {
            *self.ends.entry(event.end.name()).or_default() += 1;
        }
        for finding in &event.findings {
            *self.findings.entry(finding.reason.code()).or_default() += 1;
        }
        if let Action::Refuse { reason, .. } = event.verdict.action {
            *self.verdicts.entry(("refused", reason.stage().name())).or_default() += 1;
        } else if let Some(reason) = event.verdict.would_refuse {
            *self.verdicts.entry(("would_refuse", reason.stage().name())).or_default() += 1;
        }
        self.duration.add(event.total_us);
        self.judging.add(event.judge_us);
        self.request_bytes += event.request_bytes;
        self.response_bytes += event.response_bytes;
    }

    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "# HELP portreeve_exchanges_total Exchanges by API, status and who answered.");
        let _ = writeln!(out, "# TYPE portreeve_exchanges_total counter");
        let mut by_name: BTreeMap<(&str, u16, &str), u64> = BTreeMap::new();
        for (api, counts) in &self.exchanges {
            let api = api.as_ref().map_or("unmatched", |api| &api.0);
            for (&(status, source), count) in counts {
                *by_name.entry((api, status, source)).or_default() += count;
            }
        }
        for ((api, status, source), count) in by_name {
            let api = escaped(api);
            let _ = writeln!(
                out,
                "portreeve_exchanges_total{{api=\"{api}\",status=\"{status}\",source=\"{source}\"}} {count}"
            );
        }
        let _ = writeln!(out, "# TYPE portreeve_endpoint_exchanges_total counter");
        for ((endpoint, class), count) in &self.endpoints {
            let endpoint = if *endpoint == u64::MAX { "other".to_owned() } else { format!("e{endpoint}") };
            let _ = writeln!(
                out,
                "portreeve_endpoint_exchanges_total{{endpoint=\"{endpoint}\",class=\"{class}xx\"}} {count}"
            );
        }
        let _ = writeln!(out, "# TYPE portreeve_exchange_failures_total counter");
        for (end, count) in &self.ends {
            let _ = writeln!(out, "portreeve_exchange_failures_total{{end=\"{end}\"}} {count}");
        }
        let _ = writeln!(out, "# TYPE portreeve_findings_total counter");
        for (code, count) in &self.findings {
            let _ = writeln!(out, "portreeve_findings_total{{reason=\"{code}\"}} {count}");
        }
        let _ = writeln!(out, "# TYPE portreeve_verdicts_total counter");
        for ((verdict, stage), count) in &self.verdicts {
            let _ = writeln!(out, "portreeve_verdicts_total{{verdict=\"{verdict}\",stage=\"{stage}\"}} {count}");
        }
        self.duration.write(out, "portreeve_exchange_seconds", "From the request's head to the end of the answer.");
        self.judging.write(out, "portreeve_judge_seconds", "Spent judging one exchange.");
        for (name, value) in [("request_bytes", self.request_bytes), ("response_bytes", self.response_bytes)] {
            let _ = writeln!(out, "# TYPE portreeve_{name}_total counter\nportreeve_{name}_total {value}");
        }
    }
}

/// A label's value (exposition format: backslash, quote and line feed are escaped).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_upwards() {
        let mut histogram = Histogram::default();
        for micros in [400, 500, 501, 9_000_000] {
            histogram.add(micros);
        }
        let mut text = String::new();
        histogram.write(&mut text, "x", "help");
        assert!(text.contains("x_bucket{le=\"0.0005\"} 2\n"), "{text}");
        assert!(text.contains("x_bucket{le=\"0.001\"} 3\n"), "{text}");
        assert!(text.contains("x_bucket{le=\"+Inf\"} 4\n"), "{text}");
        assert!(text.contains("x_count 4"), "{text}");
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\n"), "a\\\"b\\\\c\\n");
    }
}
