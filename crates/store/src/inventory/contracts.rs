//! Learned contracts that were accepted: frozen copies of what was learned about saved endpoints, and the mode they hold in.
//! Kept among the settings, one entry for each endpoint; what was learned since stays in the endpoint's own row, and the
//! difference is drift.

use model::{EndpointId, EndpointState, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Inventory, StoredEndpoint};
use crate::error::StoreError;

/// Where contracts stand among the settings.
const PREFIX: &str = "contract:";

/// How far an accepted contract goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContractMode {
    /// It is kept and not looked at.
    Off,
    /// What departs from it is reported.
    #[default]
    Monitor,
    /// What departs from it is refused.
    Block,
}

impl ContractMode {
    /// The mode of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Off, Self::Monitor, Self::Block].into_iter().find(|mode| mode.name() == name)
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Monitor => "monitor",
            Self::Block => "block",
        }
    }
}

/// A contract that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcceptedContract {
    /// How far it goes.
    pub mode: ContractMode,
    /// When it was taken from what was learned, in microseconds since the epoch.
    pub taken_us: i64,
    /// Who took it.
    pub who: String,
    /// The path template it was taken with: the parameters are named by it.
    pub template: String,
    /// The OpenAPI operation.
    pub operation: Value,
}

fn key(id: EndpointId) -> String {
    format!("{PREFIX}{}", id.0)
}

impl Inventory {
    /// The accepted contract of an endpoint.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn contract(&self, id: EndpointId) -> Result<Option<AcceptedContract>, StoreError> {
        let value = self.setting(&key(id))?;
        // What an earlier program cannot have written is no contract.
        Ok(value.and_then(|value| serde_json::from_value(value).ok()))
    }

    /// All accepted contracts of endpoints that are saved and not removed, with their endpoints.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn contracts(&self) -> Result<Vec<(StoredEndpoint, AcceptedContract)>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT key, value FROM settings WHERE key GLOB ?1")?;
        let rows = statement.query_map([format!("{PREFIX}*")], |row| {
            let key: String = row.get(0)?;
            let value: String = row.get(1)?;
            Ok((key, value))
        })?;
        let mut contracts = Vec::new();
        for row in rows {
            let (key, value) = row?;
            let id = key.strip_prefix(PREFIX).and_then(|id| id.parse().ok()).map(EndpointId);
            let Some((id, contract)) = id.zip(serde_json::from_str::<AcceptedContract>(&value).ok()) else { continue };
            let stored = self.endpoint(id)?;
            contracts.extend(stored.filter(is_held).map(|stored| (stored, contract)));
        }
        Ok(contracts)
    }

    /// Takes what is learned about an endpoint now as its contract. An endpoint that has a contract already keeps its mode
    /// unless another is given. `None` when nothing was learned about its messages yet.
    ///
    /// # Errors
    /// When there is no such endpoint, or SQLite refuses.
    pub fn accept_contract(
        &mut self,
        who: &str,
        at: Timestamp,
        id: EndpointId,
        mode: Option<ContractMode>,
    ) -> Result<Option<AcceptedContract>, StoreError> {
        let stored = self.endpoint(id)?;
        let stored = stored.ok_or_else(|| StoreError::NotFound { what: "endpoint", name: id.to_string() })?;
        if !stored.schema.is_object() || !stored.endpoint.operation.is_empty() {
            return Ok(None);
        }
        let before = self.contract(id)?;
        let mode = mode.or(before.as_ref().map(|contract| contract.mode)).unwrap_or_default();
        let contract = AcceptedContract {
            mode,
            taken_us: at.0,
            who: who.to_owned(),
            template: stored.endpoint.template,
            operation: stored.schema,
        };
        self.put_contract(who, at, id, before.as_ref(), Some(&contract))?;
        Ok(Some(contract))
    }

    /// Changes how far an accepted contract goes; false when there is none.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn put_contract_mode(
        &mut self,
        who: &str,
        at: Timestamp,
        id: EndpointId,
        mode: ContractMode,
    ) -> Result<bool, StoreError> {
        let Some(before) = self.contract(id)? else { return Ok(false) };
        let after = AcceptedContract { mode, ..before.clone() };
        self.put_contract(who, at, id, Some(&before), Some(&after))?;
        Ok(true)
    }

    /// Withdraws the contract of an endpoint, where it has one.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn withdraw_contract(&mut self, who: &str, at: Timestamp, id: EndpointId) -> Result<(), StoreError> {
        let Some(before) = self.contract(id)? else { return Ok(()) };
        self.put_contract(who, at, id, Some(&before), None)
    }

    fn put_contract(
        &mut self,
        who: &str,
        at: Timestamp,
        id: EndpointId,
        before: Option<&AcceptedContract>,
        after: Option<&AcceptedContract>,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        match after {
            Some(contract) => {
                let text = serde_json::to_string(contract)?;
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)")?
                    .execute(params![key(id), text])?;
            }
            None => {
                transaction.execute("DELETE FROM settings WHERE key = ?1", [key(id)])?;
            }
        }
        super::endpoints::note_contract(&transaction, who, at, id, &summary(before), &summary(after))?;
        transaction.commit()?;
        Ok(())
    }

    /// The number of the latest change of any endpoint: what was built from the inventory is as good as it was while this stays.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn latest_change(&self) -> Result<i64, StoreError> {
        let found = self
            .connection
            .prepare_cached("SELECT max(sequence) FROM changes")?
            .query_row([], |row| row.get::<_, Option<i64>>(0));
        Ok(found.optional()?.flatten().unwrap_or(0))
    }
}

fn is_held(stored: &StoredEndpoint) -> bool {
    stored.endpoint.state == EndpointState::Saved && stored.removed_at.is_none()
}

/// A contract as the history shows it.
fn summary(contract: Option<&AcceptedContract>) -> Value {
    contract.map_or(
        Value::Null,
        |contract| json!({ "mode": contract.mode.name(), "taken_s": Timestamp(contract.taken_us).secs() }),
    )
}
