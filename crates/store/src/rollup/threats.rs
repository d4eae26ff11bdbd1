//! What is known about the exchanges with findings of a time together: by reason, by client, by endpoint, by place. Mergeable
//! with any other.
//!
//! An exchange counts once for each reason and each place it has, however many findings say so. Clients, endpoints and places
//! come from attackers, so only the busiest have names; `rest` says how many exchanges the others have.

use std::collections::BTreeMap;

use model::Event;

use super::counts::address_number;
use super::distinct::Distinct;
use crate::row::{address_text, place_text};
use crate::text;
use crate::varint::{self, Input};

/// The version of the stored form.
pub const THREATS_FORMAT: u8 = 1;
/// Most names in memory; when there are more, the busiest [`STORED_MAX`] stay.
const NAMES_MAX: usize = 128;
/// Most names stored.
const STORED_MAX: usize = 64;
/// Most different reasons a reader accepts.
const REASONS_MAX: usize = 4_096;

/// Exchanges with findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Threats {
    /// Exchanges with findings.
    pub exchanges: u64,
    /// Of them refused.
    pub refused: u64,
    /// By reason.
    pub reasons: BTreeMap<Box<str>, ReasonTally>,
    /// By client's address.
    pub clients: Top,
    /// By endpoint's id in hexadecimal; the empty name stands for exchanges that matched no endpoint.
    pub endpoints: Top,
    /// By place in the message.
    pub places: Top,
}

/// Exchanges with one reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReasonTally {
    /// Exchanges.
    pub count: u64,
    /// Of them refused.
    pub refused: u64,
    /// Different sessions.
    pub sessions: Distinct,
    /// Different clients.
    pub clients: Distinct,
}

/// The busiest names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Top {
    /// Exchanges by name.
    pub named: BTreeMap<Box<str>, Tally>,
    /// Exchanges of names that were not kept.
    pub rest: u64,
}

/// Exchanges of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Exchanges.
    pub count: u64,
    /// Of them refused.
    pub refused: u64,
    /// The first, in microseconds since the Unix epoch.
    pub first_at: i64,
    /// The last, in microseconds since the Unix epoch.
    pub last_at: i64,
}

impl Tally {
    fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.refused = self.refused.saturating_add(other.refused);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }
}

impl Top {
    fn add(&mut self, name: &str, tally: Tally) {
        if let Some(mine) = self.named.get_mut(name) {
            mine.merge(tally);
            return;
        }
        if self.named.len() >= NAMES_MAX {
            self.keep_busiest(STORED_MAX);
        }
        self.named.insert(name.into(), tally);
    }

    fn keep_busiest(&mut self, names_max: usize) {
        if self.named.len() <= names_max {
            return;
        }
        let mut all: Vec<(Box<str>, Tally)> = std::mem::take(&mut self.named).into_iter().collect();
        // Among equals the latest stays: what is under way matters more than what was.
        all.sort_by(|(a_name, a), (b_name, b)| (b.count, b.last_at, b_name).cmp(&(a.count, a.last_at, a_name)));
        let gone = all.split_off(names_max);
        self.rest = gone.iter().fold(self.rest, |rest, (_, tally)| rest.saturating_add(tally.count));
        self.named = all.into_iter().collect();
    }

    fn merge(&mut self, other: &Self) {
        other.named.iter().for_each(|(name, tally)| self.add(name, *tally));
        self.rest = self.rest.saturating_add(other.rest);
    }

    /// The names with the most exchanges, the busiest first.
    pub fn busiest(&self, names_max: usize) -> Vec<(&str, Tally)> {
        let mut all: Vec<(&str, Tally)> = self.named.iter().map(|(name, tally)| (&**name, *tally)).collect();
        all.sort_by(|(a_name, a), (b_name, b)| b.count.cmp(&a.count).then(a_name.cmp(b_name)));
        all.truncate(names_max);
        all
    }

    fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.rest);
        varint::put(out, self.named.len() as u64);
        for (name, tally) in &self.named {
            varint::put_text(out, name);
            varint::put(out, tally.count);
            varint::put(out, tally.refused);
            out.extend_from_slice(&tally.first_at.to_le_bytes());
            varint::put(out, tally.last_at.abs_diff(tally.first_at));
        }
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        let mut top = Self { rest: input.number()?, ..Self::default() };
        for _ in 0..input.count(NAMES_MAX)? {
            let name = input.text()?;
            let (count, refused) = (input.number()?, input.number()?);
            let first_at = i64::from_le_bytes(input.array()?);
            let last_at = first_at.checked_add_unsigned(input.number()?)?;
            top.add(name, Tally { count, refused, first_at, last_at });
        }
        Some(top)
    }
}

impl Threats {
    /// Adds one exchange with the findings of one category, or with all of them when `category` is empty.
    pub fn add(&mut self, event: &Event, category: &str) {
        let wanted: Vec<&model::Finding> =
            own(event).filter(|finding| category.is_empty() || finding.reason.category().name() == category).collect();
        if wanted.is_empty() {
            return;
        }
        let refused = u64::from(event.verdict.refuses());
        let tally = Tally { count: 1, refused, first_at: event.at.0, last_at: event.at.0 };
        self.exchanges += 1;
        self.refused += refused;
        self.clients.add(&address_text(event.client), tally);
        let endpoint = event.endpoint.map_or_else(String::new, |endpoint| format!("{:016x}", endpoint.0));
        self.endpoints.add(&endpoint, tally);
        let mut places: Vec<String> = wanted.iter().map(|finding| place_text(finding)).collect();
        places.sort_unstable();
        places.dedup();
        places.iter().for_each(|place| self.places.add(place, tally));
        for (index, finding) in wanted.iter().enumerate() {
            if wanted.iter().take(index).any(|earlier| earlier.reason == finding.reason) {
                continue;
            }
            let reason = self.reasons.entry(finding.reason.code().into()).or_default();
            reason.count += 1;
            reason.refused += refused;
            reason.clients.add(address_number(event.client));
            if let Some(session) = event.session {
                reason.sessions.add(session.0);
            }
        }
    }

    /// Adds everything another has.
    pub fn merge(&mut self, other: &Self) {
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.refused = self.refused.saturating_add(other.refused);
        for (code, theirs) in &other.reasons {
            let mine = self.reasons.entry(code.clone()).or_default();
            mine.count = mine.count.saturating_add(theirs.count);
            mine.refused = mine.refused.saturating_add(theirs.refused);
            mine.sessions.merge(&theirs.sessions);
            mine.clients.merge(&theirs.clients);
        }
        self.clients.merge(&other.clients);
        self.endpoints.merge(&other.endpoints);
        self.places.merge(&other.places);
    }

    /// The stored form, with the busiest names only.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![THREATS_FORMAT];
        varint::put(&mut out, self.exchanges);
        varint::put(&mut out, self.refused);
        varint::put(&mut out, self.reasons.len() as u64);
        for (code, tally) in &self.reasons {
            varint::put_text(&mut out, code);
            varint::put(&mut out, tally.count);
            varint::put(&mut out, tally.refused);
            tally.sessions.encode(&mut out);
            tally.clients.encode(&mut out);
        }
        for top in [&self.clients, &self.endpoints, &self.places] {
            let mut kept = top.clone();
            kept.keep_busiest(STORED_MAX);
            kept.encode(&mut out);
        }
        out
    }

    /// Reads the stored form; `None` when it is none, or of a later format.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Input::new(bytes);
        if input.array()? != [THREATS_FORMAT] {
            return None;
        }
        let mut threats = Self { exchanges: input.number()?, refused: input.number()?, ..Self::default() };
        for _ in 0..input.count(REASONS_MAX)? {
            let code = input.text()?;
            let tally = ReasonTally {
                count: input.number()?,
                refused: input.number()?,
                sessions: Distinct::decode(&mut input)?,
                clients: Distinct::decode(&mut input)?,
            };
            threats.reasons.insert(code.into(), tally);
        }
        threats.clients = Top::decode(&mut input)?;
        threats.endpoints = Top::decode(&mut input)?;
        threats.places = Top::decode(&mut input)?;
        input.is_empty().then_some(threats)
    }
}

/// The findings that are stored with an event.
fn own(event: &Event) -> impl Iterator<Item = &model::Finding> {
    event.findings.iter().take(text::FINDINGS_MAX)
}

/// The different kinds of threat of an exchange.
pub(super) fn categories(event: &Event) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = own(event).map(|finding| finding.reason.category().name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Traffic;
    use proptest::prelude::*;

    fn threats(seed: u64, exchanges: usize) -> Threats {
        let mut traffic = Traffic::new(seed);
        let mut threats = Threats::default();
        (0..exchanges).for_each(|_| threats.add(&traffic.event(), ""));
        threats
    }

    #[test]
    fn merging_is_adding_and_reads_back() {
        let (first, second) = (threats(1, 3_000), threats(2, 3_000));
        assert!(first.exchanges > 20 && first.reasons.len() > 1, "{first:?}");
        let mut merged = first.clone();
        merged.merge(&second);
        assert_eq!(merged.exchanges, first.exchanges + second.exchanges);
        for top in [&merged.clients, &merged.endpoints] {
            let named: u64 = top.named.values().map(|tally| tally.count).sum();
            assert_eq!(named + top.rest, merged.exchanges);
        }
        let stored = Threats::decode(&merged.encode()).expect("what was stored");
        assert_eq!((stored.exchanges, &stored.reasons), (merged.exchanges, &merged.reasons));
        assert!(stored.clients.named.len() <= STORED_MAX);
    }

    #[test]
    fn a_flood_of_clients_does_not_hide_the_busiest() {
        let mut top = Top::default();
        for number in 0..10_000i64 {
            let tally = Tally { count: 1, refused: 0, first_at: number, last_at: number };
            top.add(&format!("client {number}"), tally);
            if number % 10 == 0 {
                top.add("busy", tally);
            }
        }
        assert!(top.named.len() <= NAMES_MAX);
        let (name, tally) = top.busiest(1)[0];
        assert_eq!((name, tally.count, tally.first_at, tally.last_at), ("busy", 1_000, 0, 9_990));
        assert_eq!(top.rest + top.named.values().map(|tally| tally.count).sum::<u64>(), 11_000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_threats_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(first) = bytes.first_mut() {
                *first = THREATS_FORMAT;
            }
            let _ = Threats::decode(&bytes);
        }

        #[test]
        fn cut_threats_are_none(cut in 0usize..4_000) {
            let bytes = threats(3, 500).encode();
            prop_assert_eq!(Threats::decode(&bytes[..cut.min(bytes.len() - 1)]), None);
        }
    }
}
