//! What is to be done with an exchange.

use crate::reason::{Reason, StageId};

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// Carry the message on.
    #[default]
    Pass,
    /// Answer in the upstream's place with this status.
    Refuse {
        /// The status of our answer.
        status: u16,
        /// The reason that weighed most.
        reason: Reason,
    },
}

/// The decision over one exchange and what it rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is done.
    pub action: Action,
    /// What would have been done if every stage that monitors were in mode `block`.
    pub would_refuse: Option<Reason>,
}

impl Verdict {
    /// True when the message is not carried on.
    pub const fn refuses(&self) -> bool {
        matches!(self.action, Action::Refuse { .. })
    }

    /// The stage that refused.
    pub const fn refused_by(&self) -> Option<StageId> {
        match self.action {
            Action::Pass => None,
            Action::Refuse { reason, .. } => Some(reason.stage()),
        }
    }
}
