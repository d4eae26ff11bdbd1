//! What was configured for one API, compiled: the input of every stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::ids::{ApiName, EndpointId, Timestamp};
use model::mode::{Mode, OnFailure};
use model::reason::{Reason, StageId};

use crate::known::KnownEndpoints;
use crate::stages::attacks::AttackPolicy;
use crate::stages::clients::ClientLists;
use crate::stages::contract::ContractPolicy;
use crate::stages::crs::CrsPolicy;
use crate::stages::hygiene::HygienePolicy;
use crate::stages::leakage::LeakagePolicy;
use crate::view::RequestView;

/// The modes of all stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageModes([Mode; StageId::ALL.len()]);

impl StageModes {
    /// Every stage in the same mode.
    pub const fn all(mode: Mode) -> Self {
        Self([mode; StageId::ALL.len()])
    }

    /// The mode of one stage.
    pub fn of(&self, stage: StageId) -> Mode {
        self.0.get(stage as usize).copied().unwrap_or(Mode::Monitor)
    }

    /// Sets the mode of one stage.
    pub fn set(&mut self, stage: StageId, mode: Mode) {
        if let Some(slot) = self.0.get_mut(stage as usize) {
            *slot = mode;
        }
    }
}

impl Default for StageModes {
    fn default() -> Self {
        Self::all(Mode::Monitor)
    }
}

/// Lets one reason pass, as narrowly as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Only at this endpoint; `None` for the whole API.
    pub endpoint: Option<EndpointId>,
    /// Only under this path prefix in canonical form; empty for every path.
    pub path_prefix: String,
    /// Only at this place, as [`Place::text`](model::Place::text) spells it; empty for every place.
    pub place: String,
    /// The reason let pass.
    pub reason: Reason,
    /// The exception ends then; `None` for never.
    pub until: Option<Timestamp>,
}

/// Everything configured for one API.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The API's name.
    pub api: ApiName,
    /// The modes of the stages.
    pub modes: StageModes,
    /// Modes that differ at single endpoints.
    pub endpoint_modes: BTreeMap<EndpointId, StageModes>,
    /// What is done when our own code fails.
    pub on_failure: OnFailure,
    /// The status of refusals by policy, in place of each reason's own; `None` keeps the reason's.
    pub refusal_status: Option<u16>,
    /// What is let pass.
    pub exceptions: Vec<Exception>,
    /// Stage `hygiene`.
    pub hygiene: HygienePolicy,
    /// Stage `clients`.
    pub clients: ClientLists,
    /// Stage `contract`.
    pub contract: Option<Arc<ContractPolicy>>,
    /// Endpoints of the inventory that were decided about, with their learned contracts; the same for every API.
    pub known: Option<Arc<KnownEndpoints>>,
    /// Stage `attacks`.
    pub attacks: AttackPolicy,
    /// Stage `crs`; silent when no rules are loaded.
    pub crs: Option<CrsPolicy>,
    /// Stage `leakage`.
    pub leakage: LeakagePolicy,
}

impl Policy {
    /// A policy with every stage in one mode and nothing else configured.
    pub fn new(api: ApiName, mode: Mode) -> Self {
        Self {
            api,
            modes: StageModes::all(mode),
            endpoint_modes: BTreeMap::new(),
            on_failure: OnFailure::default(),
            refusal_status: None,
            exceptions: Vec::new(),
            hygiene: HygienePolicy::default(),
            clients: ClientLists::default(),
            contract: None,
            known: None,
            attacks: AttackPolicy::default(),
            crs: None,
            leakage: LeakagePolicy::default(),
        }
    }

    /// The modes that hold for a request: those of its endpoint, and what its contract's document says beside the operation.
    pub fn modes_for(&self, request: &RequestView<'_>) -> StageModes {
        let mut modes = *self.modes_at(request.endpoint);
        if let Some(contract) = &self.contract {
            contract.override_modes(request, &mut modes);
        }
        modes
    }

    /// The modes that hold at an endpoint.
    pub fn modes_at(&self, endpoint: Option<EndpointId>) -> &StageModes {
        endpoint.and_then(|id| self.endpoint_modes.get(&id)).unwrap_or(&self.modes)
    }
}
