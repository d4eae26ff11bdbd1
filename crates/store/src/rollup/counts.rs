//! What is known about a number of exchanges together: the content of one rollup, mergeable with any other.

use std::borrow::Cow;
use std::net::IpAddr;

use model::{Event, ExchangeEnd, StatusSource};

use super::distinct::{Distinct, mix};
use super::latency::Latency;
use crate::class::TrafficClass;
use crate::varint::{self, Input};

/// The version of the stored form.
pub const COUNTS_FORMAT: u8 = 1;
/// Most different statuses, reasons or outcomes a reader accepts in one rollup.
const ENTRIES_MAX: usize = 4_096;

/// Counts of exchanges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// All exchanges.
    pub requests: u64,
    /// Exchanges that are API traffic.
    pub api: u64,
    /// API traffic answered with 2xx.
    pub api_success: u64,
    /// Exchanges that are not static content.
    pub dynamic: u64,
    /// Dynamic exchanges answered with 2xx.
    pub dynamic_success: u64,
    /// Exchanges with a method that may change something.
    pub writes: u64,
    /// Exchanges refused.
    pub refused: u64,
    /// Exchanges that would be refused if every stage blocked.
    pub would_refuse: u64,
    /// Answered with 2xx to a request with a session or credential.
    pub success_with_credential: u64,
    /// Answered with 2xx to a request without any.
    pub success_without_credential: u64,
    /// Bytes of request bodies.
    pub request_bytes: u64,
    /// Bytes of response bodies.
    pub response_bytes: u64,
    /// Microseconds spent judging, in sum.
    pub judge_us: u64,
    /// Duration of exchanges.
    pub total: Latency,
    /// Duration until the upstream's head, of exchanges that were forwarded.
    pub upstream: Latency,
    /// Different sessions.
    pub sessions: Distinct,
    /// Different clients.
    pub clients: Distinct,
    /// Exchanges by status and by who made it, ascending.
    pub statuses: Vec<(StatusKey, u64)>,
    /// Exchanges by outcome.
    pub outcomes: Vec<(Cow<'static, str>, u64)>,
    /// Exchanges with a finding of this reason, once per exchange.
    pub reasons: Vec<(Cow<'static, str>, u64)>,
    /// Exchanges refused for this reason.
    pub refusals: Vec<(Cow<'static, str>, u64)>,
    /// `statuses` of the API traffic among them.
    pub api_statuses: Vec<(StatusKey, u64)>,
    /// `refusals` of the API traffic among them.
    pub api_refusals: Vec<(Cow<'static, str>, u64)>,
}

/// A status and who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusKey {
    /// The status; 0 when no answer was sent.
    pub status: u16,
    /// 0 none, 1 upstream, 2 gateway.
    source: u8,
}

impl StatusKey {
    /// The key of a status.
    pub const fn new(status: u16, source: StatusSource) -> Self {
        let source = match source {
            StatusSource::None => 0,
            StatusSource::Upstream => 1,
            StatusSource::Gateway => 2,
        };
        Self { status, source }
    }

    /// Who made the status.
    pub const fn source(self) -> StatusSource {
        match self.source {
            1 => StatusSource::Upstream,
            2 => StatusSource::Gateway,
            _ => StatusSource::None,
        }
    }
}

fn bump(entries: &mut Vec<(Cow<'static, str>, u64)>, key: Cow<'static, str>, count: u64) {
    match entries.iter_mut().find(|(entry, _)| *entry == key) {
        Some((_, total)) => *total = total.saturating_add(count),
        None => entries.push((key, count)),
    }
}

fn bump_status(entries: &mut Vec<(StatusKey, u64)>, key: StatusKey, count: u64) {
    match entries.binary_search_by_key(&key, |&(key, _)| key) {
        Ok(index) => {
            if let Some((_, total)) = entries.get_mut(index) {
                *total = total.saturating_add(count);
            }
        }
        Err(index) => entries.insert(index, (key, count)),
    }
}

/// A number that is different for different addresses.
pub(super) fn address_number(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            mix((bits >> 64) as u64) ^ bits as u64
        }
    }
}

impl Counts {
    /// Adds one exchange.
    pub fn add(&mut self, event: &Event) {
        let class = TrafficClass::of(event);
        let success = (200..300).contains(&event.status);
        self.requests += 1;
        self.api += u64::from(class == TrafficClass::Api);
        self.api_success += u64::from(class == TrafficClass::Api && success);
        self.dynamic += u64::from(class.is_dynamic());
        self.dynamic_success += u64::from(class.is_dynamic() && success);
        self.writes += u64::from(matches!(&event.method[..], b"POST" | b"PUT" | b"PATCH" | b"DELETE"));
        self.request_bytes = self.request_bytes.saturating_add(event.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(event.response_bytes);
        self.judge_us += u64::from(event.judge_us);
        self.total.add(event.total_us);
        if event.upstream_us > 0 {
            self.upstream.add(event.upstream_us);
        }
        let known = event.session.is_some() || event.credential;
        self.success_with_credential += u64::from(success && known);
        self.success_without_credential += u64::from(success && !known);
        if let Some(session) = event.session {
            self.sessions.add(session.0);
        }
        self.clients.add(address_number(event.client));
        let status = StatusKey::new(event.status, event.status_source);
        bump_status(&mut self.statuses, status, 1);
        if class == TrafficClass::Api {
            bump_status(&mut self.api_statuses, status, 1);
        }
        if event.end != ExchangeEnd::Complete {
            bump(&mut self.outcomes, Cow::Borrowed(event.end.name()), 1);
        }
        self.add_findings(event, class);
    }

    fn add_findings(&mut self, event: &Event, class: TrafficClass) {
        for (index, finding) in event.findings.iter().enumerate() {
            let repeated = event.findings.iter().take(index).any(|earlier| earlier.reason == finding.reason);
            if !repeated {
                bump(&mut self.reasons, Cow::Borrowed(finding.reason.code()), 1);
            }
        }
        if let model::Action::Refuse { reason, .. } = event.verdict.action {
            self.refused += 1;
            bump(&mut self.refusals, Cow::Borrowed(reason.code()), 1);
            if class == TrafficClass::Api {
                bump(&mut self.api_refusals, Cow::Borrowed(reason.code()), 1);
            }
        } else if event.verdict.would_refuse.is_some() {
            self.would_refuse += 1;
        }
    }

    /// Adds everything another rollup has.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.numbers_mut().into_iter().zip(other.numbers()) {
            *mine = mine.saturating_add(theirs);
        }
        self.total.merge(&other.total);
        self.upstream.merge(&other.upstream);
        self.sessions.merge(&other.sessions);
        self.clients.merge(&other.clients);
        for (mine, theirs) in [(&mut self.statuses, &other.statuses), (&mut self.api_statuses, &other.api_statuses)] {
            theirs.iter().for_each(|&(key, count)| bump_status(mine, key, count));
        }
        for (mine, theirs) in [
            (&mut self.outcomes, &other.outcomes),
            (&mut self.reasons, &other.reasons),
            (&mut self.refusals, &other.refusals),
            (&mut self.api_refusals, &other.api_refusals),
        ] {
            for (key, count) in theirs {
                bump(mine, key.clone(), *count);
            }
        }
    }

    /// Exchanges answered with a status of this class: 1 to 5 for 1xx to 5xx, 0 for none.
    pub fn status_class(&self, class: u16) -> u64 {
        self.statuses.iter().filter(|(key, _)| key.status / 100 == class).map(|(_, count)| count).sum()
    }

    /// Exchanges answered with this status by this side.
    pub fn status(&self, status: u16, source: StatusSource) -> u64 {
        let key = StatusKey::new(status, source);
        self.statuses.iter().filter(|(entry, _)| *entry == key).map(|(_, count)| count).sum()
    }

    /// Exchanges answered with 4xx or 5xx.
    pub fn errors(&self) -> u64 {
        self.status_class(4) + self.status_class(5)
    }

    const fn numbers(&self) -> [u64; 13] {
        [
            self.requests,
            self.api,
            self.api_success,
            self.dynamic,
            self.dynamic_success,
            self.writes,
            self.refused,
            self.would_refuse,
            self.success_with_credential,
            self.success_without_credential,
            self.request_bytes,
            self.response_bytes,
            self.judge_us,
        ]
    }

    const fn numbers_mut(&mut self) -> [&mut u64; 13] {
        [
            &mut self.requests,
            &mut self.api,
            &mut self.api_success,
            &mut self.dynamic,
            &mut self.dynamic_success,
            &mut self.writes,
            &mut self.refused,
            &mut self.would_refuse,
            &mut self.success_with_credential,
            &mut self.success_without_credential,
            &mut self.request_bytes,
            &mut self.response_bytes,
            &mut self.judge_us,
        ]
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![COUNTS_FORMAT];
        for number in self.numbers() {
            varint::put(&mut out, number);
        }
        self.total.encode(&mut out);
        self.upstream.encode(&mut out);
        self.sessions.encode(&mut out);
        self.clients.encode(&mut out);
        put_statuses(&mut out, &self.statuses);
        for entries in [&self.outcomes, &self.reasons, &self.refusals] {
            put_entries(&mut out, entries);
        }
        // Most rollups are of API traffic alone: the second lists are then the first ones again.
        for same in [self.api_statuses == self.statuses, self.api_refusals == self.refusals] {
            out.push(u8::from(same));
        }
        if self.api_statuses != self.statuses {
            put_statuses(&mut out, &self.api_statuses);
        }
        if self.api_refusals != self.refusals {
            put_entries(&mut out, &self.api_refusals);
        }
        out
    }

    /// Reads the stored form; `None` when it is none, or of a later format.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input::new(bytes);
        if input.array()? != [COUNTS_FORMAT] {
            return None;
        }
        let mut counts = Self::default();
        for number in counts.numbers_mut() {
            *number = input.number()?;
        }
        counts.total = Latency::decode(&mut input)?;
        counts.upstream = Latency::decode(&mut input)?;
        counts.sessions = Distinct::decode(&mut input)?;
        counts.clients = Distinct::decode(&mut input)?;
        counts.statuses = statuses(&mut input)?;
        counts.outcomes = entries(&mut input)?;
        counts.reasons = entries(&mut input)?;
        counts.refusals = entries(&mut input)?;
        let [same_statuses, same_refusals] = input.array()?;
        counts.api_statuses = if same_statuses == 1 { counts.statuses.clone() } else { statuses(&mut input)? };
        counts.api_refusals = if same_refusals == 1 { counts.refusals.clone() } else { entries(&mut input)? };
        Some(counts)
    }
}

fn put_statuses(out: &mut Vec<u8>, statuses: &[(StatusKey, u64)]) {
    varint::put(out, statuses.len() as u64);
    for (key, count) in statuses {
        varint::put(out, u64::from(key.status));
        out.push(key.source);
        varint::put(out, *count);
    }
}

fn put_entries(out: &mut Vec<u8>, entries: &[(Cow<'static, str>, u64)]) {
    varint::put(out, entries.len() as u64);
    for (key, count) in entries {
        varint::put_text(out, key);
        varint::put(out, *count);
    }
}

fn statuses(input: &mut Input<'_>) -> Option<Vec<(StatusKey, u64)>> {
    let mut statuses = Vec::new();
    for _ in 0..input.count(ENTRIES_MAX)? {
        let status = input.narrow()?;
        let [source] = input.array()?;
        bump_status(&mut statuses, StatusKey { status, source: source.min(2) }, input.number()?);
    }
    Some(statuses)
}

fn entries(input: &mut Input<'_>) -> Option<Vec<(Cow<'static, str>, u64)>> {
    let count = input.count(ENTRIES_MAX)?;
    (0..count).map(|_| Some((Cow::Owned(input.text()?.to_owned()), input.number()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Traffic;
    use proptest::prelude::*;

    fn counts(seed: u64, exchanges: usize) -> Counts {
        let mut traffic = Traffic::new(seed);
        let mut counts = Counts::default();
        for _ in 0..exchanges {
            counts.add(&traffic.event());
        }
        counts
    }

    #[test]
    fn the_parts_add_up() {
        let counts = counts(6, 5_000);
        assert_eq!(counts.requests, 5_000);
        assert_eq!((0..=5).map(|class| counts.status_class(class)).sum::<u64>(), 5_000);
        assert_eq!(counts.total.count(), 5_000);
        assert_eq!(counts.refused, counts.refusals.iter().map(|(_, count)| count).sum::<u64>());
        assert!(counts.refused > 10 && counts.would_refuse > 10);
        assert_eq!(counts.upstream.count(), 5_000 - counts.refused);
        let limited = counts.status(429, StatusSource::Upstream);
        assert!(limited > 30, "{limited}");
        assert_eq!(counts.status(429, StatusSource::Gateway), 0);
    }

    #[test]
    fn merging_is_adding_and_reads_back() {
        let (first, second) = (counts(7, 800), counts(8, 900));
        let mut merged = first.clone();
        merged.merge(&second);
        assert_eq!(merged.requests, 1_700);
        assert_eq!(merged.errors(), first.errors() + second.errors());
        assert_eq!(Counts::decode(&merged.encode()), Some(merged));
    }

    proptest! {
        #[test]
        fn any_bytes_are_counts_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(first) = bytes.first_mut() {
                *first = COUNTS_FORMAT;
            }
            let _ = Counts::decode(&bytes);
        }

        #[test]
        fn cut_counts_are_none(cut in 0usize..200) {
            let bytes = counts(9, 100).encode();
            prop_assert_eq!(Counts::decode(&bytes[..cut.min(bytes.len() - 1)]), None);
        }
    }
}
