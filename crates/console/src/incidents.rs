//! Incidents: the exchanges with findings of one attacker, as one thing to look at.
//!
//! Two exchanges belong together when they share the session or the client's address and no more than [`QUIET_US`] lies between.
//! Pure: recorded exchanges in, incidents out, in time and memory bounded by what is given. Two people behind one address become
//! one incident; what only the response showed (leakage) is no attempt and is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Reason, Severity, StageId};
use schemars::JsonSchema;
use serde::Serialize;
use store::row::Row;

use crate::figures::{Named, named};

/// After so much quiet, what comes next is another incident.
pub const QUIET_US: i64 = 30 * 60 * 1_000_000;
/// Fewer exchanges are no incident yet.
pub const EXCHANGES_MIN: u64 = 3;
/// Clients, sessions and endpoints of one incident that are told apart; more are counted as this many.
const TOLD_APART_MAX: usize = 1_000;
/// Clients and sessions named.
const NAMED_MAX: usize = 8;

/// What one attacker did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Incident {
    /// The request id of its first exchange: the same as long as that is kept.
    pub id: String,
    /// When it began, in seconds since the epoch.
    pub first_s: i64,
    /// Its latest exchange.
    pub last_s: i64,
    /// `info`, `low`, `medium`, `high` or `critical`: of its gravest finding.
    pub severity: String,
    /// Exchanges with findings.
    pub exchanges: u64,
    /// Of them refused.
    pub refused: u64,
    /// Of them answered with 2xx: what may have worked.
    pub succeeded: u64,
    /// Different clients.
    pub clients: u64,
    /// The first clients by address.
    pub client_names: Vec<String>,
    /// Different sessions.
    pub sessions: u64,
    /// Different endpoints.
    pub endpoints: u64,
    /// Exchanges by reason, the most frequent first.
    pub reasons: Vec<Named>,
    /// The filter that means its exchanges, together with the range of time.
    pub filter: String,
}

#[derive(Default)]
struct Open {
    id: u64,
    first: i64,
    last: i64,
    severity: Option<Severity>,
    exchanges: u64,
    refused: u64,
    succeeded: u64,
    clients: BTreeSet<String>,
    sessions: BTreeSet<u64>,
    endpoints: BTreeSet<u64>,
    reasons: BTreeMap<String, u64>,
}

fn insert<T: Ord>(set: &mut BTreeSet<T>, one: T) {
    if set.len() < TOLD_APART_MAX {
        set.insert(one);
    }
}

impl Open {
    fn take(&mut self, row: &Row<'_>, found: &BTreeMap<&str, Severity>) {
        self.last = self.last.max(row.at);
        self.severity = found.values().copied().max().max(self.severity);
        self.exchanges += 1;
        self.refused += u64::from(row.verdict == "refuse");
        self.succeeded += u64::from((200..300).contains(&row.status));
        insert(&mut self.clients, row.client.to_string());
        row.session.into_iter().for_each(|session| insert(&mut self.sessions, session));
        row.endpoint.into_iter().for_each(|endpoint| insert(&mut self.endpoints, endpoint));
        for reason in found.keys() {
            *self.reasons.entry((*reason).to_owned()).or_default() += 1;
        }
    }

    fn join(&mut self, other: Self) {
        if other.first < self.first {
            (self.first, self.id) = (other.first, other.id);
        }
        self.last = self.last.max(other.last);
        self.severity = self.severity.max(other.severity);
        self.exchanges += other.exchanges;
        self.refused += other.refused;
        self.succeeded += other.succeeded;
        other.clients.into_iter().for_each(|client| insert(&mut self.clients, client));
        other.sessions.into_iter().for_each(|session| insert(&mut self.sessions, session));
        other.endpoints.into_iter().for_each(|endpoint| insert(&mut self.endpoints, endpoint));
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    fn closed(self) -> Incident {
        let client_names: Vec<String> = self.clients.iter().take(NAMED_MAX).cloned().collect();
        let sessions: Vec<String> =
            self.sessions.iter().take(NAMED_MAX).map(|session| format!("session={session:016x}")).collect();
        let mut any: Vec<String> = client_names.iter().map(|client| format!("client={client}")).collect();
        any.extend(sessions);
        Incident {
            id: format!("{:016x}", self.id),
            first_s: self.first.div_euclid(1_000_000),
            last_s: self.last.div_euclid(1_000_000),
            severity: self.severity.map_or_else(String::new, |severity| format!("{severity:?}").to_lowercase()),
            exchanges: self.exchanges,
            refused: self.refused,
            succeeded: self.succeeded,
            clients: self.clients.len() as u64,
            client_names,
            sessions: self.sessions.len() as u64,
            endpoints: self.endpoints.len() as u64,
            reasons: named(self.reasons.iter().map(|(reason, count)| (reason.as_str(), *count))),
            filter: format!("reason=* and ({})", any.join(" or ")),
        }
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Trace {
    Client(String),
    Session(u64),
}

/// The attempts among the findings of an exchange, by reason.
fn attempts<'a>(row: &'a Row<'_>) -> BTreeMap<&'a str, Severity> {
    let known = row.findings.iter().filter_map(|finding| Some((&*finding.reason, Reason::from_code(&finding.reason)?)));
    known
        .filter(|(_, reason)| reason.stage() != StageId::Leakage)
        .map(|(code, reason)| (code, reason.severity()))
        .collect()
}

/// Groups exchanges, in any order, into incidents: the gravest first, then the latest.
pub fn group(rows: &[Row<'_>]) -> Vec<Incident> {
    let mut rows: Vec<&Row<'_>> = rows.iter().collect();
    rows.sort_by_key(|row| (row.at, row.id));
    // An incident that was joined to another leaves `None` and the traces of it are followed on.
    let mut open: Vec<Option<Open>> = Vec::new();
    let mut moved: Vec<usize> = Vec::new();
    let mut traces: HashMap<Trace, usize> = HashMap::new();
    for row in rows {
        let found = attempts(row);
        if found.is_empty() {
            continue;
        }
        let mut own = vec![Trace::Client(row.client.to_string())];
        own.extend(row.session.map(Trace::Session));
        let mut at: Option<usize> = None;
        for trace in &own {
            let Some(index) = traces.get(trace).map(|index| followed(&mut moved, *index)) else { continue };
            let recent = |one: &Open| row.at.saturating_sub(one.last) <= QUIET_US;
            if !open.get(index).and_then(Option::as_ref).is_some_and(recent) {
                continue;
            }
            match at {
                Some(first) if first != index => {
                    let other = open.get_mut(index).and_then(Option::take);
                    if let (Some(Some(one)), Some(other)) = (open.get_mut(first), other) {
                        one.join(other);
                    }
                    if let Some(to) = moved.get_mut(index) {
                        *to = first;
                    }
                }
                _ => at = Some(index),
            }
        }
        let index = at.unwrap_or_else(|| {
            open.push(Some(Open { id: row.id, first: row.at, last: row.at, ..Open::default() }));
            moved.push(open.len() - 1);
            open.len() - 1
        });
        if let Some(Some(one)) = open.get_mut(index) {
            one.take(row, &found);
        }
        own.into_iter().for_each(|trace| {
            traces.insert(trace, index);
        });
    }
    let mut kept: Vec<Open> = open.into_iter().flatten().filter(|one| one.exchanges >= EXCHANGES_MIN).collect();
    kept.sort_by_key(|one| std::cmp::Reverse((one.severity, one.last, one.id)));
    kept.into_iter().map(Open::closed).collect()
}

/// Where an incident has gone that was joined to others. The way is halved for the next who asks: an attacker with many
/// addresses and sessions can make it long.
fn followed(moved: &mut [usize], index: usize) -> usize {
    let mut at = index;
    while let Some(&to) = moved.get(at).filter(|to| **to != at) {
        let further = moved.get(to).copied().unwrap_or(to);
        if let Some(step) = moved.get_mut(at) {
            *step = further;
        }
        at = further;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::borrow::Cow;
    use store::row::FindingRow;

    fn attempt(number: u64, minute: i64, client: u8, session: Option<u64>) -> Row<'static> {
        let finding = FindingRow { reason: Cow::Borrowed("attacks.sql"), ..FindingRow::default() };
        Row {
            at: minute * 60_000_000,
            id: number,
            client: Cow::Owned(format!("198.51.100.{client}")),
            session,
            status: 200,
            findings: [finding].into_iter().collect(),
            ..Row::default()
        }
    }

    #[test]
    fn one_attacker_is_one_incident_until_it_is_quiet() {
        let at = |minutes: &[i64]| -> Vec<Row<'static>> {
            minutes.iter().zip(0..).map(|(minute, number)| attempt(number, *minute, 7, None)).collect()
        };
        assert_eq!(group(&at(&[0, 1])).len(), 0, "two are no incident yet");
        let one = group(&at(&[0, 10, 20, 40]));
        assert_eq!((one.len(), one[0].exchanges, one[0].clients, one[0].succeeded), (1, 4, 1, 4));
        assert_eq!(one[0].filter, "reason=* and (client=198.51.100.7)");
        assert_eq!(group(&at(&[0, 1, 2, 60, 61, 62])).len(), 2);
    }

    #[test]
    fn a_session_on_another_address_joins_what_both_did() {
        let rows =
            [attempt(1, 0, 1, None), attempt(2, 1, 2, Some(9)), attempt(3, 2, 1, Some(9)), attempt(4, 3, 2, None)];
        let joined = group(&rows);
        assert_eq!((joined.len(), joined[0].exchanges, joined[0].clients, joined[0].sessions), (1, 4, 2, 1));
        assert_eq!(joined[0].id, "0000000000000001");
    }

    #[test]
    fn strangers_stay_apart_and_leakage_is_no_attempt() {
        let rows: Vec<Row<'_>> = (0u8..6).map(|n| attempt(n.into(), 0, n % 2, Some(u64::from(n) % 2))).collect();
        assert_eq!(group(&rows).len(), 2);
        let leak = FindingRow { reason: Cow::Borrowed("leakage.iban"), ..FindingRow::default() };
        let leaks: Vec<Row<'_>> =
            rows.into_iter().map(|row| Row { findings: [leak.clone()].into_iter().collect(), ..row }).collect();
        assert!(group(&leaks).is_empty());
    }

    proptest! {
        #[test]
        fn the_order_does_not_matter_and_nothing_is_counted_twice(
            made in proptest::collection::vec((0i64..200, 0u8..5, proptest::option::of(0u64..5)), 0..60),
        ) {
            let mut rows: Vec<Row<'_>> = made
                .iter()
                .zip(0..)
                .map(|((minute, client, session), number)| attempt(number, *minute, *client, *session))
                .collect();
            let first = group(&rows);
            prop_assert!(first.iter().map(|incident| incident.exchanges).sum::<u64>() <= rows.len() as u64);
            rows.reverse();
            prop_assert_eq!(group(&rows), first);
        }
    }
}
