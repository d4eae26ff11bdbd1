//! The inventory: endpoints with their evidence and history, what operators decided, settings, policy versions, the audit log.
//!
//! Nothing is deleted without a word: an endpoint that is removed keeps its row and its rollups, and every change leaves
//! who made it, when, and what was there before.

mod audit;
mod contracts;
mod endpoints;
mod settings;

use std::path::Path;

use model::{Endpoint, EndpointState, OriginSet, Protocol, Timestamp};
use rusqlite::Connection;
use serde_json::Value;

use crate::database;
use crate::error::StoreError;
use crate::query::plan::EndpointNames;

pub use audit::{AuditEntry, AuditFilter, PolicyVersion};
pub use contracts::{AcceptedContract, ContractMode};
pub use endpoints::{EndpointFilter, Upserted};

/// The statements that lead from each version of `inventory.sqlite` to the next.
pub const MIGRATIONS: [&str; 1] = ["
CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY,
    api TEXT NOT NULL,
    host TEXT NOT NULL,
    method TEXT NOT NULL,
    template TEXT NOT NULL,
    operation TEXT NOT NULL,
    protocol TEXT NOT NULL,
    origins TEXT NOT NULL,
    state TEXT NOT NULL,
    confidence REAL NOT NULL,
    labels TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    api_version TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    mode TEXT NOT NULL DEFAULT '',
    evidence TEXT NOT NULL DEFAULT 'null',
    parameters TEXT NOT NULL DEFAULT 'null',
    schema TEXT NOT NULL DEFAULT 'null',
    risk TEXT NOT NULL DEFAULT 'null',
    removed_at INTEGER,
    replaced_by INTEGER
);
CREATE INDEX endpoints_by_place ON endpoints (host, template, method, operation);
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    field TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE INDEX changes_by_endpoint ON changes (endpoint, sequence);
CREATE TABLE constraints (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    withdrawn_at INTEGER
);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE TABLE policies (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    note TEXT NOT NULL,
    text TEXT NOT NULL
);
"];

/// An endpoint with everything the inventory knows about it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEndpoint {
    /// What all crates share.
    pub endpoint: Endpoint,
    /// Who is responsible, as an operator wrote it.
    pub owner: String,
    /// The version of the API, such as `v2`.
    pub api_version: String,
    /// An operator's remark.
    pub note: String,
    /// The mode set for this endpoint; empty for the API's.
    pub mode: String,
    /// Why the learner believes in it: JSON of the learner's making.
    pub evidence: Value,
    /// Its parameters, learned or declared: JSON of the learner's making.
    pub parameters: Value,
    /// Its learned request and response schemas: an OpenAPI operation object.
    pub schema: Value,
    /// Its risk score and what it rests on.
    pub risk: Value,
    /// When it was removed; its history and figures stay.
    pub removed_at: Option<Timestamp>,
    /// The endpoint it was merged into.
    pub replaced_by: Option<model::EndpointId>,
}

impl StoredEndpoint {
    /// An endpoint about which nothing else is known yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            owner: String::new(),
            api_version: String::new(),
            note: String::new(),
            mode: String::new(),
            evidence: Value::Null,
            parameters: Value::Null,
            schema: Value::Null,
            risk: Value::Null,
            removed_at: None,
            replaced_by: None,
        }
    }

    /// What it is called in queries and tables: `GET api.example.com/users/{id}`, with the operation where it has one.
    pub fn name(&self) -> String {
        let Endpoint { method, host, template, operation, .. } = &self.endpoint;
        if operation.is_empty() {
            format!("{method} {host}{template}")
        } else {
            format!("{method} {host}{template} {operation}")
        }
    }
}

/// A change to an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Ascending over all changes.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a user, or `learner`.
    pub who: String,
    /// Which endpoint.
    pub endpoint: model::EndpointId,
    /// What: a field's name, or `added`, `removed`, `restored`, `merged`.
    pub field: String,
    /// What was there before.
    pub before: Value,
    /// What is there now.
    pub after: Value,
}

/// The operator's word to the learner, kept until it is withdrawn: a merge, split, pin, rename or ignore.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub who: String,
    /// `merge`, `split`, `pin`, `rename`, `ignore`.
    pub kind: String,
    /// What it says, as the learner understands it.
    pub body: Value,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
}

/// The inventory's database. Calls block for milliseconds; several processes may have it open, and writes take turns.
#[derive(Debug)]
pub struct Inventory {
    connection: Connection,
}

impl Inventory {
    /// Opens or makes the inventory of a data directory.
    ///
    /// # Errors
    /// When the directory cannot be made, SQLite refuses, or the file is of a later version.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let layout = crate::layout::Layout::new(directory);
        layout.create()?;
        let connection = database::open_writing(&layout.inventory(), &MIGRATIONS)?;
        Ok(Self { connection })
    }

    /// Opens the inventory for reading alone; `None` when there is none yet.
    ///
    /// # Errors
    /// When SQLite refuses, or the file is of a later version.
    pub fn open_reading(directory: &Path) -> Result<Option<Self>, StoreError> {
        let layout = crate::layout::Layout::new(directory);
        let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
        Ok(database::open_reading(&layout.inventory(), known, known)?.map(|(connection, _)| Self { connection }))
    }

    /// What the endpoints are called, for queries; removed ones too, because their exchanges are still there.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn endpoint_names(&self) -> Result<EndpointNames, StoreError> {
        let sql = "SELECT id, method, host, template, operation FROM endpoints";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let id: i64 = row.get(0)?;
            let [method, host, template, operation]: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let name = format!("{method} {host}{template} {operation}");
            Ok((id.cast_unsigned(), name.trim_end().to_owned()))
        })?;
        Ok(EndpointNames::new(rows.collect::<Result<Vec<_>, _>>()?))
    }
}

/// The name of a state, as stored and in filters.
pub const fn state_name(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Provisional => "provisional",
        EndpointState::Review => "review",
        EndpointState::Saved => "saved",
        EndpointState::Ignored => "ignored",
    }
}

fn state_from(name: &str) -> EndpointState {
    match name {
        "provisional" => EndpointState::Provisional,
        "saved" => EndpointState::Saved,
        "ignored" => EndpointState::Ignored,
        _ => EndpointState::Review,
    }
}

fn protocol_from(name: &str) -> Protocol {
    const ALL: [Protocol; 8] = [
        Protocol::Rest,
        Protocol::Graphql,
        Protocol::Grpc,
        Protocol::JsonRpc,
        Protocol::Soap,
        Protocol::Websocket,
        Protocol::Sse,
        Protocol::Mcp,
    ];
    ALL.into_iter().find(|protocol| protocol.name() == name).unwrap_or_default()
}

/// Origins as stored: names with commas between.
fn origins_text(origins: OriginSet) -> String {
    let OriginSet { session_identifier, learning, contract, manual } = origins;
    let names = [
        (session_identifier, "session-identifier"),
        (learning, "learning"),
        (contract, "contract"),
        (manual, "manual"),
    ];
    names.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect::<Vec<_>>().join(",")
}

fn origins_from(text: &str) -> OriginSet {
    let has = |name: &str| text.split(',').any(|origin| origin == name);
    OriginSet {
        session_identifier: has("session-identifier"),
        learning: has("learning"),
        contract: has("contract"),
        manual: has("manual"),
    }
}

#[cfg(test)]
mod tests;
