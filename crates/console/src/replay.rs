//! Counting what a change would have done to recorded exchanges, one by one, in bounded memory.
//!
//! Judging them is not done here: the console knows no stages. Whoever steers the gateway judges ([`Replay`]), with the code that
//! judges live traffic.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{EndpointId, Reason};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use store::json::event_json;
use store::row::Row;

pub use crate::figures::Named as Line;
use crate::figures::{Covered, Named};

/// Different sessions, clients or endpoints that are told apart; beyond, the counts stand still and the answer says so.
const DIFFERENT_MAX: usize = 200_000;

/// Judges recorded exchanges as if they came now.
pub trait Replay: Send {
    /// What would be done, under what is in force and under what is thought of.
    fn judge(&mut self, row: &Row<'_>) -> Judged;

    /// What must be known about the answers; asked after the last exchange.
    fn notes(&self) -> Vec<String>;
}

/// What would be done with one exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The reason it is refused for under what is in force.
    pub before: Option<Reason>,
    /// The reason it would be refused for.
    pub after: Option<Reason>,
    /// The contract would judge its body, which was not kept.
    pub body_unknown: bool,
}

/// What would have happened.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Preview {
    /// The range looked at.
    pub covered: Option<Covered>,
    /// Exchanges that were judged again.
    pub looked_at: u64,
    /// Exchanges that would be refused and are carried under the policy in force.
    pub newly_refused: u64,
    /// Those among them that the upstream answered with 2xx: people who would notice.
    pub newly_refused_successes: u64,
    /// Different sessions among the newly refused.
    pub sessions: usize,
    /// Different clients among the newly refused.
    pub clients: usize,
    /// Exchanges that would be carried and are refused under the policy in force.
    pub newly_carried: u64,
    /// Exchanges with a body that the contract would judge; bodies are not kept, so the answer is about their heads alone.
    pub bodies_unknown: u64,
    /// The newly refused by endpoint, the most first.
    pub by_endpoint: Vec<Named>,
    /// The newly refused by reason, the most first.
    pub by_reason: Vec<Named>,
    /// Some exchanges whose verdict would change.
    pub examples: Vec<Value>,
    /// What the endpoints are called, by id.
    pub endpoints: BTreeMap<String, String>,
    /// What must be known about this answer: what did not run, what was not looked at.
    pub notes: Vec<String>,
}

/// Counts what would change.
#[derive(Debug)]
pub struct Tally {
    preview: Preview,
    sessions: HashSet<u64>,
    clients: HashSet<String>,
    endpoints: HashMap<u64, u64>,
    reasons: HashMap<&'static str, u64>,
    examples_max: usize,
    full: bool,
}

impl Tally {
    /// Counts with at most so many examples.
    pub fn new(examples_max: usize) -> Self {
        Self {
            preview: Preview::default(),
            sessions: HashSet::new(),
            clients: HashSet::new(),
            endpoints: HashMap::new(),
            reasons: HashMap::new(),
            examples_max,
            full: false,
        }
    }

    /// Counts one exchange.
    pub fn take(&mut self, row: &Row<'_>, judged: Judged) {
        self.preview.looked_at += 1;
        self.preview.bodies_unknown += u64::from(judged.body_unknown);
        let reason = match (judged.before, judged.after) {
            (None, Some(reason)) => reason,
            (Some(_), None) => {
                self.preview.newly_carried += 1;
                return;
            }
            _ => return,
        };
        self.preview.newly_refused += 1;
        self.preview.newly_refused_successes += u64::from((200..300).contains(&row.status));
        if let Some(session) = row.session {
            self.full |= self.sessions.len() >= DIFFERENT_MAX && !self.sessions.contains(&session);
            if self.sessions.len() < DIFFERENT_MAX {
                self.sessions.insert(session);
            }
        }
        if self.clients.len() < DIFFERENT_MAX {
            self.clients.insert(row.client.to_string());
        }
        let endpoint = row.endpoint.unwrap_or(0);
        if self.endpoints.len() < DIFFERENT_MAX || self.endpoints.contains_key(&endpoint) {
            *self.endpoints.entry(endpoint).or_default() += 1;
        }
        *self.reasons.entry(reason.code()).or_default() += 1;
        if self.preview.examples.len() < self.examples_max {
            let mut example = event_json(row);
            if let Some(example) = example.as_object_mut() {
                example.insert("would_refuse".to_owned(), reason.code().into());
            }
            self.preview.examples.push(example);
        }
    }

    /// Exchanges looked at so far.
    pub const fn looked_at(&self) -> u64 {
        self.preview.looked_at
    }

    /// The answer; endpoints have no names yet.
    pub fn preview(self) -> Preview {
        let mut preview = self.preview;
        (preview.sessions, preview.clients) = (self.sessions.len(), self.clients.len());
        let name = |id: u64| if id == 0 { "no endpoint".to_owned() } else { EndpointId(id).to_string() };
        preview.by_endpoint = most(self.endpoints.into_iter().map(|(id, count)| (name(id), count)));
        preview.by_reason = most(self.reasons.into_iter().map(|(code, count)| (code.to_owned(), count)));
        if self.full {
            preview.notes.push(format!("more than {DIFFERENT_MAX} different sessions; they are not counted further"));
        }
        preview
    }
}

fn most(counts: impl Iterator<Item = (String, u64)>) -> Vec<Named> {
    let mut lines: Vec<Named> = counts.map(|(name, count)| Named { name, count }).collect();
    lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    lines.truncate(100);
    lines
}
