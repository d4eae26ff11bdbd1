//! The handlers of the admin API, a file for each thing it shows.

pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod exceptions;
pub(crate) mod health;
pub(crate) mod incidents;
pub(crate) mod learner;
pub(crate) mod overview;
pub(crate) mod policy;
pub(crate) mod sessions;
pub(crate) mod threats;
pub(crate) mod tokens;
pub(crate) mod whatif;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A range of time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RangeArgs {
    /// The first moment: `24h`, `7d`, a time as `2026-01-01T00:00:00Z`, or seconds since the epoch; `24h` when absent.
    pub(crate) since: Option<String>,
    /// The first moment after, in the same forms; now when absent.
    pub(crate) until: Option<String>,
}

/// It is done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Done {
    /// How many things it was done to.
    pub(crate) count: usize,
}
