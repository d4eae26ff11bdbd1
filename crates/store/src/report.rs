//! The figures of the state-of-your-APIs report, worked out from rollups and inventory alone, so it costs milliseconds and
//! reaches back for years.
//!
//! Definitions are those of the public reports this one is compared with; each figure carries what it was divided by, and
//! the query that shows the exchanges behind it.

use std::collections::BTreeMap;

use model::{Category, EndpointState, Reason, StatusSource};

use crate::error::StoreError;
use crate::inventory::StoredEndpoint;
use crate::rollup::read::Table;
use crate::rollup::{Counts, Range, RollupReader, Scope, StatusKey};

/// A share, with what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
    /// The filter that means the part, for the list of exchanges behind the figure; empty where the inventory is behind it.
    pub filter: String,
}

impl Share {
    fn new(part: u64, whole: u64, filter: &str) -> Self {
        Self { part, whole, filter: filter.to_owned() }
    }

    /// The share in percent; `None` of nothing.
    pub fn percent(&self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 * 100.0 / self.whole as f64)
    }
}

/// One line of a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// What is ranked: a status, a category, an API.
    pub name: String,
    /// Its share of the whole ranking.
    pub share: Share,
}

/// The state of the APIs over a range of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The range really covered: the one asked for, made wider to whole steps.
    pub covered: Range,
    /// Everything that was counted.
    pub total: Counts,
    /// The same over the range of the same length before.
    pub previous: Counts,
    /// API requests of all dynamic requests.
    pub api_of_dynamic: Share,
    /// Successful (2xx) API requests of all dynamic requests: the published 57 %.
    pub api_success_of_dynamic: Share,
    /// API requests by API, the busiest first.
    pub by_api: Vec<Ranked>,
    /// Requests by label of their endpoint, the busiest first. An endpoint with several labels counts for each.
    pub by_label: Vec<Ranked>,
    /// Errors (4xx and 5xx) that API upstreams answered with, by status: the published 51.6 % of 429.
    pub upstream_errors: Vec<Ranked>,
    /// API requests answered with 429 by the upstream, of all 429.
    pub limited_by_upstream: Share,
    /// API requests refused, by the stage that refused.
    pub mitigations: Vec<Ranked>,
    /// Exchanges with findings, by kind of threat. An exchange with several findings counts for each reason.
    pub threats: Vec<Ranked>,
    /// Endpoints found by learning and by no session identifier, over those found by a session identifier: the published 30.7 %
    /// more. The whole is what session identifiers found.
    pub found_only_by_learning: Share,
    /// Endpoints that no contract declares, of all that are seen.
    pub shadow: Share,
    /// Declared endpoints without any exchange.
    pub orphan: Share,
    /// Endpoints that may change something, of all.
    pub write_endpoints: Share,
    /// APIs of whose endpoints at least half may change something, of all: the published 59.2 %.
    pub write_apis: Share,
    /// Endpoints waiting for review.
    pub waiting_for_review: u64,
}

impl Report {
    /// Works out the report of a range. `endpoints` are those of the inventory that are not removed.
    ///
    /// # Errors
    /// When the rollups cannot be read.
    pub fn of(rollups: &RollupReader, endpoints: &[StoredEndpoint], range: Range) -> Result<Self, StoreError> {
        let Table { covered, rows: total } = rollups.total(&Scope::All, range)?;
        let previous = rollups.total(&Scope::All, covered.before())?.rows;
        let per_endpoint = rollups.per_endpoint(range)?.rows;
        let per_api = rollups.per_api(range)?.rows;
        let limited = |source| count_of(&total.api_statuses, |key| key.status == 429 && key.source() == source);
        let (by_upstream, by_gateway) = (limited(StatusSource::Upstream), limited(StatusSource::Gateway));
        let known = |stored: &&StoredEndpoint| stored.endpoint.state != EndpointState::Ignored;
        let known: Vec<&StoredEndpoint> = endpoints.iter().filter(known).collect();
        let count = |test: &dyn Fn(&StoredEndpoint) -> bool| known.iter().filter(|stored| test(stored)).count() as u64;
        let seen = count(&|stored| stored.endpoint.requests > 0);
        let declared = count(&|stored| stored.endpoint.origins.contract);
        Ok(Self {
            covered,
            api_of_dynamic: Share::new(total.api, total.dynamic, "class=api"),
            api_success_of_dynamic: Share::new(total.api_success, total.dynamic, "class=api and status=2xx"),
            by_api: ranked(per_api.iter().filter_map(|(scope, counts)| match scope {
                Scope::Api(api) => Some((api.to_string(), counts.api, format!("class=api and api={}", quoted(&api.0)))),
                _ => None,
            })),
            by_label: by_label(&known, &per_endpoint),
            upstream_errors: upstream_errors(&total),
            limited_by_upstream: Share::new(
                by_upstream,
                by_upstream + by_gateway,
                "class=api and status=429 and source=upstream",
            ),
            mitigations: mitigations(&total),
            threats: threats(&total),
            found_only_by_learning: Share::new(
                count(&|stored| stored.endpoint.origins.only_learning()),
                count(&|stored| stored.endpoint.origins.session_identifier),
                "",
            ),
            shadow: Share::new(
                count(&|stored| stored.endpoint.requests > 0 && !stored.endpoint.origins.contract),
                seen,
                "",
            ),
            orphan: Share::new(
                count(&|stored| stored.endpoint.requests == 0 && stored.endpoint.origins.contract),
                declared,
                "",
            ),
            write_endpoints: Share::new(
                count(&|stored| stored.endpoint.writes()),
                known.len() as u64,
                // Endpoints are counted, not exchanges: no filter over exchanges stands behind it.
                "",
            ),
            write_apis: write_apis(&known),
            waiting_for_review: count(&|stored| stored.endpoint.state == EndpointState::Review),
            total,
            previous,
        })
    }
}

fn quoted(text: &str) -> String {
    crate::query::Value::Text(text.to_owned()).to_string()
}

fn count_of(statuses: &[(StatusKey, u64)], test: impl Fn(StatusKey) -> bool) -> u64 {
    statuses.iter().filter(|(key, _)| test(*key)).map(|(_, count)| count).sum()
}

/// Names with counts and filters as a ranking, the greatest first.
fn ranked(parts: impl Iterator<Item = (String, u64, String)>) -> Vec<Ranked> {
    let mut sums: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for (name, count, filter) in parts.filter(|(_, count, _)| *count > 0) {
        let entry = sums.entry(name).or_insert((0, filter));
        entry.0 += count;
    }
    let whole = sums.values().map(|(count, _)| count).sum();
    let mut lines: Vec<Ranked> =
        sums.into_iter().map(|(name, (part, filter))| Ranked { name, share: Share { part, whole, filter } }).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.share.part));
    lines
}

fn upstream_errors(total: &Counts) -> Vec<Ranked> {
    ranked(total.api_statuses.iter().filter_map(|(key, count)| {
        let wanted = key.status >= 400 && key.source() == StatusSource::Upstream;
        let filter = format!("class=api and status={} and source=upstream", key.status);
        wanted.then(|| (key.status.to_string(), *count, filter))
    }))
}

fn mitigations(total: &Counts) -> Vec<Ranked> {
    ranked(total.api_refusals.iter().map(|(code, count)| {
        let stage = code.split('.').next().unwrap_or_default();
        (stage.to_owned(), *count, format!("class=api and verdict=refuse and verdict_reason={stage}.*"))
    }))
}

fn threats(total: &Counts) -> Vec<Ranked> {
    ranked(total.reasons.iter().map(|(code, count)| {
        let category = Reason::from_code(code).map_or("unknown", |reason| Category::name(reason.category()));
        (category.to_owned(), *count, format!("category={category}"))
    }))
}

fn by_label(known: &[&StoredEndpoint], per_endpoint: &std::collections::HashMap<Scope, Counts>) -> Vec<Ranked> {
    let mut requests: BTreeMap<u64, u64> = BTreeMap::new();
    for (scope, counts) in per_endpoint {
        if let Scope::Endpoint(_, id) = scope {
            *requests.entry(id.0).or_default() += counts.requests;
        }
    }
    ranked(known.iter().flat_map(|stored| {
        let count = requests.get(&stored.endpoint.id.0).copied().unwrap_or(0);
        stored.endpoint.labels.iter().map(move |label| (label.clone(), count, String::new()))
    }))
}

fn write_apis(known: &[&StoredEndpoint]) -> Share {
    let mut apis: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for stored in known {
        // Outside any configured API, each host is taken for one.
        let endpoint = &stored.endpoint;
        let host = if endpoint.api.is_empty() { endpoint.host.as_str() } else { "" };
        let (writes, all) = apis.entry((&endpoint.api, host)).or_default();
        *writes += usize::from(endpoint.writes());
        *all += 1;
    }
    let part = apis.values().filter(|(writes, all)| writes * 2 >= *all).count();
    Share::new(part as u64, apis.len() as u64, "")
}

#[cfg(test)]
mod tests {
    use model::{ApiName, Endpoint, EndpointId, OriginSet, Protocol, Timestamp};

    use super::*;
    use crate::rollup::Rollups;
    use crate::settings::Settings;
    use crate::testing::{START, Traffic};

    fn endpoint(id: u64, method: &str, origins: OriginSet, requests: u64) -> StoredEndpoint {
        StoredEndpoint::new(Endpoint {
            id: EndpointId(id),
            api: if id < 110 { "shop" } else { "accounts" }.to_owned(),
            host: "api.shop.example".to_owned(),
            method: method.to_owned(),
            template: format!("/{id}"),
            operation: String::new(),
            protocol: Protocol::Rest,
            origins,
            state: EndpointState::Review,
            confidence: 1.0,
            labels: vec!["purchase".to_owned()],
            first_seen: START,
            last_seen: START,
            requests,
        })
    }

    #[test]
    fn the_figures_are_what_the_definitions_say() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let mut rollups = Rollups::open(&path, &Settings::default()).expect("rollups");
        let mut traffic = Traffic::new(40);
        let events: Vec<_> = (0..3_000).map(|_| traffic.event()).collect();
        events.iter().for_each(|event| rollups.add(event));
        rollups.flush().expect("a flush");
        let learned = OriginSet { learning: true, ..OriginSet::default() };
        let both = OriginSet { session_identifier: true, learning: true, contract: true, ..OriginSet::default() };
        let endpoints = [
            endpoint(100, "GET", learned, 5),
            endpoint(101, "GET", both, 5),
            endpoint(102, "POST", both, 0),
            endpoint(114, "POST", learned, 5),
        ];
        let reader = RollupReader::open(&path).expect("readable").expect("rollups");
        let report = Report::of(&reader, &endpoints, Range::last(3_600, traffic.now())).expect("a report");

        assert_eq!((report.found_only_by_learning.part, report.found_only_by_learning.whole), (2, 2));
        assert_eq!((report.shadow.part, report.shadow.whole), (2, 3));
        assert_eq!((report.orphan.part, report.orphan.whole), (1, 2));
        assert_eq!(report.write_endpoints.percent(), Some(50.0));
        assert_eq!((report.write_apis.part, report.write_apis.whole), (1, 2));
        assert_eq!(report.waiting_for_review, 4);
        assert_eq!(report.total.requests, 3_000);
        assert_eq!(report.previous.requests, 0);

        let api = |event: &&model::Event| crate::class::TrafficClass::of(event) == crate::class::TrafficClass::Api;
        let errors = events
            .iter()
            .filter(api)
            .filter(|event| event.status >= 400 && event.status_source == StatusSource::Upstream);
        let limited = errors.clone().filter(|event| event.status == 429).count() as u64;
        let line = report.upstream_errors.iter().find(|line| line.name == "429").expect("429");
        assert_eq!((line.share.part, line.share.whole), (limited, errors.count() as u64));
        assert_eq!(report.limited_by_upstream.percent(), Some(100.0));
        assert_eq!(report.mitigations.len(), 1);
        assert_eq!(report.mitigations[0].name, "attacks");
        assert!(report.threats.iter().any(|line| line.name == "schema-violation"));
        let by_label =
            events.iter().filter_map(|event| event.endpoint).filter(|id| [100, 101, 102, 114].contains(&id.0));
        assert_eq!(report.by_label[0].share.part, by_label.count() as u64);
        assert!(report.by_api.iter().any(|line| line.name == ApiName::from("shop").to_string()));
        for line in
            report.upstream_errors.iter().chain(&report.mitigations).chain(&report.threats).chain(&report.by_api)
        {
            crate::query::Filter::parse(&line.share.filter).expect("a filter that reads");
        }
    }

    #[test]
    fn a_report_of_nothing_has_no_percentages() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let _rollups = Rollups::open(&path, &Settings::default()).expect("rollups");
        let reader = RollupReader::open(&path).expect("readable").expect("rollups");
        let report = Report::of(&reader, &[], Range::last(3_600, Timestamp(START.0))).expect("a report");
        assert_eq!(report.api_of_dynamic.percent(), None);
        assert!(report.threats.is_empty());
    }
}
