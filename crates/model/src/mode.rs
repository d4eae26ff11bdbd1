//! How far a protection may go.

use serde::{Deserialize, Serialize};

/// How far a stage may go, per API and per endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The stage does not run.
    Off,
    /// The stage runs and reports; nothing is refused because of it.
    #[default]
    Monitor,
    /// What the stage is sure of is refused.
    Block,
}

/// What happens to an exchange when our own code fails while judging it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The exchange is carried; the failure is counted and in the event.
    #[default]
    Open,
    /// The exchange is refused with 500.
    Closed,
}
