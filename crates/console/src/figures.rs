//! Counts of exchanges as the admin API shows them.

use model::StatusSource;
use schemars::JsonSchema;
use serde::Serialize;
use store::rollup::latency::Latency;
use store::rollup::read::Point;
use store::rollup::{Counts, Range};

/// What was asked about, as really covered: made wider to whole steps.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Covered {
    /// The first moment, in seconds since the Unix epoch.
    pub since_s: i64,
    /// The first moment after.
    pub until_s: i64,
}

impl From<Range> for Covered {
    fn from(range: Range) -> Self {
        Self { since_s: range.since.secs(), until_s: range.until.secs() }
    }
}

/// Counts of exchanges.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Figures {
    /// All exchanges.
    pub requests: u64,
    /// API traffic.
    pub api: u64,
    /// API traffic answered with 2xx.
    pub api_success: u64,
    /// Everything but static content.
    pub dynamic: u64,
    /// With a method that may change something.
    pub writes: u64,
    /// Refused.
    pub refused: u64,
    /// Carried, and refused if every stage blocked.
    pub would_refuse: u64,
    /// Answered with 4xx.
    pub errors_4xx: u64,
    /// Answered with 5xx.
    pub errors_5xx: u64,
    /// 429 that we answered.
    pub limited_by_gateway: u64,
    /// 429 that the upstream answered.
    pub limited_by_upstream: u64,
    /// Bytes of request bodies.
    pub request_bytes: u64,
    /// Bytes of response bodies.
    pub response_bytes: u64,
    /// Different sessions, about.
    pub sessions: u64,
    /// Different clients, about.
    pub clients: u64,
    /// Duration of exchanges.
    pub total: Durations,
    /// Duration until the head of the upstream's answer.
    pub upstream: Durations,
    /// Mean time of judging, in microseconds.
    pub judge_mean_us: u64,
    /// Successful requests with a session or credential.
    pub success_with_credential: u64,
    /// Successful requests without any.
    pub success_without_credential: u64,
}

/// Percentiles of a duration, in microseconds.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Durations {
    /// The mean.
    pub mean_us: Option<u64>,
    /// Half take no longer.
    pub p50_us: Option<u32>,
    /// Of 100, 95 take no longer.
    pub p95_us: Option<u32>,
    /// Of 100, 99 take no longer.
    pub p99_us: Option<u32>,
}

impl Durations {
    fn of(latency: &Latency) -> Self {
        Self {
            mean_us: latency.mean_us(),
            p50_us: latency.quantile_us(0.5),
            p95_us: latency.quantile_us(0.95),
            p99_us: latency.quantile_us(0.99),
        }
    }
}

/// A number with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// What is counted.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// How often a status was answered, and by whom.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StatusCount {
    /// The status; 0 when no answer was sent.
    pub status: u16,
    /// `upstream`, `gateway` or `none`.
    pub source: String,
    /// How often.
    pub count: u64,
}

/// One step of a series.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Step {
    /// When it starts, in seconds since the Unix epoch.
    pub at_s: i64,
    /// Exchanges.
    pub requests: u64,
    /// API traffic.
    pub api: u64,
    /// Refused.
    pub refused: u64,
    /// Carried, and refused if every stage blocked.
    pub would_refuse: u64,
    /// Answered with 4xx.
    pub errors_4xx: u64,
    /// Answered with 5xx.
    pub errors_5xx: u64,
    /// The 50th percentile of the duration, in microseconds.
    pub p50_us: Option<u32>,
    /// The 95th percentile of the duration, in microseconds.
    pub p95_us: Option<u32>,
    /// The 95th percentile of the upstream's part.
    pub upstream_p95_us: Option<u32>,
}

/// Counts over time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Series {
    /// Seconds between two steps.
    pub step_s: i64,
    /// The steps in which something happened.
    pub steps: Vec<Step>,
}

fn statuses(counts: &Counts, wanted: impl Fn(u16, StatusSource) -> bool) -> u64 {
    counts.statuses.iter().filter(|(key, _)| wanted(key.status, key.source())).map(|(_, count)| count).sum()
}

impl Figures {
    /// The figures of some counts.
    pub fn of(counts: &Counts) -> Self {
        Self {
            requests: counts.requests,
            api: counts.api,
            api_success: counts.api_success,
            dynamic: counts.dynamic,
            writes: counts.writes,
            refused: counts.refused,
            would_refuse: counts.would_refuse,
            errors_4xx: statuses(counts, |status, _| (400..500).contains(&status)),
            errors_5xx: statuses(counts, |status, _| status >= 500),
            limited_by_gateway: statuses(counts, |status, source| status == 429 && source == StatusSource::Gateway),
            limited_by_upstream: statuses(counts, |status, source| status == 429 && source == StatusSource::Upstream),
            request_bytes: counts.request_bytes,
            response_bytes: counts.response_bytes,
            sessions: counts.sessions.count(),
            clients: counts.clients.count(),
            total: Durations::of(&counts.total),
            upstream: Durations::of(&counts.upstream),
            judge_mean_us: counts.judge_us.checked_div(counts.requests).unwrap_or(0),
            success_with_credential: counts.success_with_credential,
            success_without_credential: counts.success_without_credential,
        }
    }
}

impl Step {
    /// A step of a series.
    pub fn of(point: &Point) -> Self {
        let counts = &point.counts;
        Self {
            at_s: point.at.secs(),
            requests: counts.requests,
            api: counts.api,
            refused: counts.refused,
            would_refuse: counts.would_refuse,
            errors_4xx: statuses(counts, |status, _| (400..500).contains(&status)),
            errors_5xx: statuses(counts, |status, _| status >= 500),
            p50_us: counts.total.quantile_us(0.5),
            p95_us: counts.total.quantile_us(0.95),
            upstream_p95_us: counts.upstream.quantile_us(0.95),
        }
    }
}

/// Statuses with their makers, the most frequent first.
pub fn status_counts(counts: &Counts) -> Vec<StatusCount> {
    let mut lines: Vec<StatusCount> = counts
        .statuses
        .iter()
        .map(|(key, count)| StatusCount {
            status: key.status,
            source: store::row::source_name(key.source()).to_owned(),
            count: *count,
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.count));
    lines
}

/// Names with counts, the greatest first.
pub fn named<'a>(entries: impl IntoIterator<Item = (&'a str, u64)>) -> Vec<Named> {
    let mut sums = std::collections::BTreeMap::<&str, u64>::new();
    for (name, count) in entries {
        *sums.entry(name).or_default() += count;
    }
    let mut lines: Vec<Named> = sums.into_iter().map(|(name, count)| Named { name: name.to_owned(), count }).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.count));
    lines
}
