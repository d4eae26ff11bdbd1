//! What is set in the console and holds over the configuration: modes of stages, modes at endpoints, exceptions.
//!
//! Kept among the inventory's settings, so that it survives restarts and a new configuration.

use std::collections::BTreeMap;

use model::{EndpointId, Reason, StageId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Inventory, StoreError};

use crate::steering::ModeName;

/// The setting that keeps the overrides.
const SETTING: &str = "console.overrides";
/// Most exceptions.
pub const EXCEPTIONS_MAX: usize = 1_000;

/// What holds over the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Overrides {
    /// Modes by API and stage.
    pub modes: BTreeMap<String, BTreeMap<String, ModeName>>,
    /// The mode of every stage at single endpoints, by number.
    pub endpoint_modes: BTreeMap<u64, ModeName>,
    /// What is let pass.
    pub exceptions: Vec<AllowedHere>,
}

/// Lets one reason pass at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AllowedHere {
    /// Its number.
    pub id: u64,
    /// The API; empty for all.
    pub api: String,
    /// Only at this endpoint, as `e123`; empty for every one.
    pub endpoint: String,
    /// Only under this path; empty for every one.
    pub path_prefix: String,
    /// Only at this place of the message, as `query:id`; empty for every one.
    pub place: String,
    /// The code of the reason.
    pub reason: String,
    /// Ends at this second since the Unix epoch; `null` for never.
    pub until_s: Option<i64>,
    /// Why, in the words of whoever made it.
    pub note: String,
    /// Who made it.
    pub who: String,
    /// When it was made, in seconds since the Unix epoch.
    pub made_s: i64,
}

impl AllowedHere {
    /// The endpoint it is for.
    pub fn endpoint_id(&self) -> Option<EndpointId> {
        endpoint_id(&self.endpoint)
    }

    /// True while it holds.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until_s.is_none_or(|until| now.secs() < until)
    }

    /// What is wrong with it, where something is.
    ///
    /// # Errors
    /// One sentence for people.
    pub fn check(&self) -> Result<(), String> {
        if Reason::from_code(&self.reason).is_none() {
            return Err(format!("there is no reason `{}`; `/api/v1/reasons` lists them", shortened(&self.reason)));
        }
        if !self.endpoint.is_empty() && self.endpoint_id().is_none() {
            return Err(format!("`{}` is no endpoint; write it as `e123`", shortened(&self.endpoint)));
        }
        if self.endpoint.is_empty() && self.path_prefix.is_empty() {
            return Err("an exception needs an endpoint or a path prefix, so that it stays narrow".to_owned());
        }
        if !self.path_prefix.is_empty() && !self.path_prefix.starts_with('/') {
            return Err(format!("the path prefix `{}` does not start with `/`", shortened(&self.path_prefix)));
        }
        let longest = [&self.api, &self.path_prefix, &self.place, &self.note].into_iter().map(String::len).max();
        if longest.is_some_and(|length| length > 1_000) {
            return Err("a text of the exception is longer than 1,000 bytes; shorten it".to_owned());
        }
        Ok(())
    }
}

impl Overrides {
    /// Reads what is stored; the default when nothing is.
    ///
    /// # Errors
    /// When the inventory cannot be read.
    pub fn load(inventory: &Inventory) -> Result<Self, StoreError> {
        let Some(value) = inventory.setting(SETTING)? else { return Ok(Self::default()) };
        Ok(serde_json::from_value(value)?)
    }

    /// Stores it.
    ///
    /// # Errors
    /// When the inventory refuses.
    pub fn save(&self, inventory: &mut Inventory) -> Result<(), StoreError> {
        inventory.put_setting(SETTING, &serde_json::to_value(self)?)?;
        Ok(())
    }

    /// The mode set for a stage of an API, where one is.
    pub fn mode(&self, api: &str, stage: StageId) -> Option<ModeName> {
        self.modes.get(api)?.get(stage.name()).copied()
    }

    /// The number of the next exception.
    pub fn next_exception(&self) -> u64 {
        self.exceptions.iter().map(|exception| exception.id).max().unwrap_or(0).saturating_add(1)
    }
}

/// The endpoint a text such as `e123` names.
pub fn endpoint_id(text: &str) -> Option<EndpointId> {
    text.strip_prefix('e')?.parse().ok().map(EndpointId)
}

/// The stage of this name.
pub fn stage(name: &str) -> Option<StageId> {
    StageId::ALL.into_iter().find(|stage| stage.name() == name)
}

/// The beginning of a text, for messages.
pub fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
