//! What rules found.

use std::sync::Arc;

use crate::rule::Severity;
use crate::variable::Variable;

/// Most matches that a report holds.
pub const MATCHES_MAX: usize = 64;

/// A rule that matched and says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The rule's number.
    pub rule: u32,
    /// What a match means, variables put in, at most 160 characters.
    pub message: String,
    /// The rule's tags.
    pub tags: Vec<Arc<str>>,
    /// How bad the rule says it is.
    pub severity: Option<Severity>,
    /// The variable that matched last.
    pub variable: Variable,
    /// The name of its value: a parameter, a field; empty where the variable has one value. At most 128 bytes.
    pub name: Vec<u8>,
}

/// A rule that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The rule's number.
    pub rule: u32,
    /// What it means.
    pub message: String,
    /// The status it asks for.
    pub status: Option<u16>,
}

/// What rules found in one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rules that matched, in order, at most [`MATCHES_MAX`].
    pub matches: Vec<Match>,
    /// The first rule that refuses.
    pub denial: Option<Denial>,
    /// A refusal is only to be reported: the rules say `DetectionOnly`.
    pub detection_only: bool,
    /// Not everything was looked at: too many values, or the budget of work ended.
    pub incomplete: bool,
    /// Every rule that matched, also those that do not say so, for tests and tables.
    pub fired: Vec<u32>,
}
