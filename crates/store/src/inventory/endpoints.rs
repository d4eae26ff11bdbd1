//! Endpoints: adding, changing, merging, removing, finding, with the history of each.

use model::{Endpoint, EndpointId, EndpointState, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::{Value, json};

use super::{
    Change, Constraint, Inventory, StoredEndpoint, origins_from, origins_text, protocol_from, state_from, state_name,
};
use crate::error::StoreError;

const COLUMNS: &str = "id, api, host, method, template, operation, protocol, origins, state, confidence, labels, first_seen, \
    last_seen, requests, owner, api_version, note, mode, evidence, parameters, schema, risk, removed_at, replaced_by";

/// What writing an endpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// It was not there.
    Added,
    /// It was there and something that has a history changed.
    Changed,
    /// It was there; at most its counters and evidence changed.
    Unchanged,
}

/// Which endpoints are listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointFilter {
    /// Only this API.
    pub api: Option<String>,
    /// Only this state.
    pub state: Option<EndpointState>,
    /// Only with this label.
    pub label: Option<String>,
    /// Only those whose name holds this text, whatever its case.
    pub text: Option<String>,
    /// Removed ones too.
    pub removed: bool,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredEndpoint> {
    // A text that is no JSON any more must not hide the endpoint.
    let json = |index: usize| -> rusqlite::Result<Value> {
        Ok(serde_json::from_str(row.get_ref(index)?.as_str().unwrap_or("null")).unwrap_or(Value::Null))
    };
    let text = |index: usize| row.get::<_, String>(index);
    let labels = json(10)?
        .as_array()
        .map(|labels| labels.iter().filter_map(|label| label.as_str().map(str::to_owned)).collect::<Vec<_>>());
    let endpoint = Endpoint {
        id: EndpointId(row.get::<_, i64>(0)?.cast_unsigned()),
        api: text(1)?,
        host: text(2)?,
        method: text(3)?,
        template: text(4)?,
        operation: text(5)?,
        protocol: protocol_from(&text(6)?),
        origins: origins_from(&text(7)?),
        state: state_from(&text(8)?),
        confidence: row.get::<_, f64>(9)? as f32,
        labels: labels.unwrap_or_default(),
        first_seen: Timestamp(row.get(11)?),
        last_seen: Timestamp(row.get(12)?),
        requests: row.get::<_, i64>(13)?.unsigned_abs(),
    };
    Ok(StoredEndpoint {
        endpoint,
        owner: text(14)?,
        api_version: text(15)?,
        note: text(16)?,
        mode: text(17)?,
        evidence: json(18)?,
        parameters: json(19)?,
        schema: json(20)?,
        risk: json(21)?,
        removed_at: row.get::<_, Option<i64>>(22)?.map(Timestamp),
        replaced_by: row.get::<_, Option<i64>>(23)?.map(|id| EndpointId(id.cast_unsigned())),
    })
}

/// What of an endpoint has a history, as pairs of field and value. Counters, evidence and learned schemas change all the time
/// and have none.
fn facts(stored: &StoredEndpoint) -> [(&'static str, Value); 13] {
    let endpoint = &stored.endpoint;
    [
        ("api", json!(endpoint.api)),
        ("host", json!(endpoint.host)),
        ("method", json!(endpoint.method)),
        ("template", json!(endpoint.template)),
        ("operation", json!(endpoint.operation)),
        ("protocol", json!(endpoint.protocol.name())),
        ("origins", json!(origins_text(endpoint.origins))),
        ("state", json!(state_name(endpoint.state))),
        ("labels", json!(endpoint.labels)),
        ("owner", json!(stored.owner)),
        ("api_version", json!(stored.api_version)),
        ("note", json!(stored.note)),
        ("mode", json!(stored.mode)),
    ]
}

fn write(transaction: &Transaction<'_>, stored: &StoredEndpoint) -> Result<(), StoreError> {
    let endpoint = &stored.endpoint;
    transaction
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO endpoints ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)"
        ))?
        .execute(params![
            endpoint.id.0.cast_signed(),
            endpoint.api,
            endpoint.host,
            endpoint.method,
            endpoint.template,
            endpoint.operation,
            endpoint.protocol.name(),
            origins_text(endpoint.origins),
            state_name(endpoint.state),
            f64::from(endpoint.confidence),
            json!(endpoint.labels).to_string(),
            endpoint.first_seen.0,
            endpoint.last_seen.0,
            i64::try_from(endpoint.requests).unwrap_or(i64::MAX),
            stored.owner,
            stored.api_version,
            stored.note,
            stored.mode,
            stored.evidence.to_string(),
            stored.parameters.to_string(),
            stored.schema.to_string(),
            stored.risk.to_string(),
            stored.removed_at.map(|at| at.0),
            stored.replaced_by.map(|id| id.0.cast_signed()),
        ])?;
    Ok(())
}

fn read(transaction: &Transaction<'_>, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
    Ok(transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1"))?
        .query_row([id.0.cast_signed()], stored)
        .optional()?)
}

struct NewChange<'a> {
    at: Timestamp,
    who: &'a str,
    endpoint: EndpointId,
    field: &'a str,
    before: &'a Value,
    after: &'a Value,
}

fn note(transaction: &Transaction<'_>, change: &NewChange<'_>) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO changes (at, who, endpoint, field, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            change.at.0,
            change.who,
            change.endpoint.0.cast_signed(),
            change.field,
            change.before.to_string(),
            change.after.to_string()
        ])?;
    Ok(())
}

/// Leaves the change of an endpoint's contract in its history.
pub(super) fn note_contract(
    transaction: &Transaction<'_>,
    who: &str,
    at: Timestamp,
    endpoint: EndpointId,
    before: &Value,
    after: &Value,
) -> Result<(), StoreError> {
    note(transaction, &NewChange { at, who, endpoint, field: "contract", before, after })
}

/// Whether the learner itself took an endpoint out; what an operator removed stays removed.
fn removed_by_learner(transaction: &Transaction<'_>, id: EndpointId) -> Result<bool, StoreError> {
    let sql =
        "SELECT who FROM changes WHERE endpoint = ?1 AND field IN ('removed', 'merged') ORDER BY sequence DESC LIMIT 1";
    let who: Option<String> =
        transaction.prepare_cached(sql)?.query_row([id.0.cast_signed()], |row| row.get(0)).optional()?;
    Ok(who.as_deref() == Some(LEARNER))
}

/// Who changes are made by when nobody decided them.
const LEARNER: &str = "learner";

/// Writes an endpoint and what changed about it.
fn upsert(
    transaction: &Transaction<'_>,
    who: &str,
    at: Timestamp,
    new: &StoredEndpoint,
) -> Result<Upserted, StoreError> {
    let endpoint = new.endpoint.id;
    let Some(old) = read(transaction, endpoint)? else {
        write(transaction, new)?;
        let after = json!(new.name());
        note(transaction, &NewChange { at, who, endpoint, field: "added", before: &Value::Null, after: &after })?;
        return Ok(Upserted::Added);
    };
    let mut outcome = Upserted::Unchanged;
    for ((field, before), (_, after)) in facts(&old).iter().zip(facts(new).iter()) {
        if before != after {
            note(transaction, &NewChange { at, who, endpoint, field, before, after })?;
            outcome = Upserted::Changed;
        }
    }
    if old != *new {
        write(transaction, new)?;
    }
    Ok(outcome)
}

impl Inventory {
    /// Writes endpoints as they are now; what has a history gets one. In one transaction.
    ///
    /// # Errors
    /// When SQLite refuses; nothing is written then.
    pub fn put(&mut self, who: &str, at: Timestamp, endpoints: &[StoredEndpoint]) -> Result<Vec<Upserted>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let outcomes: Result<Vec<_>, _> =
            endpoints.iter().map(|endpoint| upsert(&transaction, who, at, endpoint)).collect();
        let outcomes = outcomes?;
        transaction.commit()?;
        Ok(outcomes)
    }

    /// Writes what the learner found: counters, times, evidence, parameters, schema, origins, confidence. What an operator
    /// decided (state beyond `provisional`, owner, version, note, mode, labels that were added by hand) stays.
    ///
    /// # Errors
    /// When SQLite refuses; nothing is written then.
    pub fn put_learned(&mut self, at: Timestamp, learned: &[StoredEndpoint]) -> Result<Vec<Upserted>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(learned.len());
        for found in learned {
            let mut new = found.clone();
            if let Some(old) = read(&transaction, found.endpoint.id)? {
                let old_id = old.endpoint.id;
                let provisional = old.endpoint.state == EndpointState::Provisional;
                if !provisional {
                    new.endpoint.state = old.endpoint.state;
                }
                let labels = old.endpoint.labels.into_iter().filter(|label| !new.endpoint.labels.contains(label));
                let labels: Vec<String> = labels.collect();
                new.endpoint.labels.extend(labels);
                new.endpoint.first_seen = new.endpoint.first_seen.min(old.endpoint.first_seen);
                new.endpoint.last_seen = new.endpoint.last_seen.max(old.endpoint.last_seen);
                new.endpoint.requests = new.endpoint.requests.max(old.endpoint.requests);
                (new.owner, new.api_version, new.note, new.mode) = (old.owner, old.api_version, old.note, old.mode);
                (new.removed_at, new.replaced_by) = (old.removed_at, old.replaced_by);
                if old.removed_at.is_some() && removed_by_learner(&transaction, old_id)? {
                    (new.removed_at, new.replaced_by) = (None, None);
                    let after = json!(new.name());
                    let (who, before) = (LEARNER, &Value::Null);
                    note(
                        &transaction,
                        &NewChange { at, who, endpoint: old_id, field: "restored", before, after: &after },
                    )?;
                }
                new.endpoint.origins.contract |= old.endpoint.origins.contract;
                new.endpoint.origins.manual |= old.endpoint.origins.manual;
                if new.risk.is_null() {
                    new.risk = old.risk;
                }
            }
            outcomes.push(upsert(&transaction, LEARNER, at, &new)?);
        }
        transaction.commit()?;
        Ok(outcomes)
    }

    /// Follows the learner where it found that endpoints are not what they seemed: each is taken out, in favour of another one
    /// where it turned out to be the same. What an operator saved or ignored stays. Gives how many were taken out.
    ///
    /// # Errors
    /// When SQLite refuses; nothing is written then.
    pub fn follow_learned(
        &mut self,
        at: Timestamp,
        gone: &[(EndpointId, Option<EndpointId>)],
    ) -> Result<usize, StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut count = 0;
        for &(id, into) in gone {
            let Some(mut stored) = read(&transaction, id)? else { continue };
            let decided = matches!(stored.endpoint.state, EndpointState::Saved | EndpointState::Ignored);
            if decided || stored.removed_at.is_some() || stored.endpoint.origins.contract {
                continue;
            }
            take_out(&transaction, LEARNER, at, &mut stored, into)?;
            count += 1;
        }
        transaction.commit()?;
        Ok(count)
    }

    /// Changes one endpoint.
    ///
    /// # Errors
    /// When there is no such endpoint, or SQLite refuses.
    pub fn change(
        &mut self,
        who: &str,
        at: Timestamp,
        id: EndpointId,
        change: impl FnOnce(&mut StoredEndpoint),
    ) -> Result<StoredEndpoint, StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut new = read(&transaction, id)?.ok_or_else(|| unknown(id))?;
        change(&mut new);
        // The identity is not the caller's to change.
        new.endpoint.id = id;
        upsert(&transaction, who, at, &new)?;
        transaction.commit()?;
        Ok(new)
    }

    /// Takes an endpoint out of the inventory. Its row, history and figures stay.
    ///
    /// # Errors
    /// When there is no such endpoint, or SQLite refuses.
    pub fn remove(&mut self, who: &str, at: Timestamp, id: EndpointId) -> Result<(), StoreError> {
        self.mark_removed(who, at, id, None)
    }

    /// Takes an endpoint out because another one has taken its place.
    ///
    /// # Errors
    /// When one of them is not there, or SQLite refuses.
    pub fn merge(&mut self, who: &str, at: Timestamp, from: EndpointId, into: EndpointId) -> Result<(), StoreError> {
        self.endpoint(into)?.ok_or_else(|| unknown(into))?;
        self.mark_removed(who, at, from, Some(into))
    }

    fn mark_removed(
        &mut self,
        who: &str,
        at: Timestamp,
        id: EndpointId,
        replaced_by: Option<EndpointId>,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut stored = read(&transaction, id)?.ok_or_else(|| unknown(id))?;
        take_out(&transaction, who, at, &mut stored, replaced_by)?;
        transaction.commit()?;
        Ok(())
    }

    /// Takes a removed endpoint back.
    ///
    /// # Errors
    /// When there is no such endpoint, or SQLite refuses.
    pub fn restore(&mut self, who: &str, at: Timestamp, id: EndpointId) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut stored = read(&transaction, id)?.ok_or_else(|| unknown(id))?;
        (stored.removed_at, stored.replaced_by) = (None, None);
        write(&transaction, &stored)?;
        let after = json!(stored.name());
        note(
            &transaction,
            &NewChange { at, who, endpoint: id, field: "restored", before: &Value::Null, after: &after },
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// One endpoint, removed or not.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn endpoint(&self, id: EndpointId) -> Result<Option<StoredEndpoint>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM endpoints WHERE id = ?1"))?
            .query_row([id.0.cast_signed()], stored)
            .optional()?)
    }

    /// The endpoints a filter means, by host, template and method.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn endpoints(&self, filter: &EndpointFilter) -> Result<Vec<StoredEndpoint>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM endpoints
             WHERE (?1 IS NULL OR api = ?1) AND (?2 IS NULL OR state = ?2) AND (?3 OR removed_at IS NULL)
             ORDER BY host, template, method, operation, id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![filter.api, filter.state.map(state_name), filter.removed], stored)?;
        let text = filter.text.as_ref().map(|text| text.to_lowercase());
        let mut endpoints = Vec::new();
        for row in rows {
            let endpoint = row?;
            let labelled = filter.label.as_ref().is_none_or(|label| endpoint.endpoint.labels.contains(label));
            let named = text.as_ref().is_none_or(|text| endpoint.name().to_lowercase().contains(text));
            if labelled && named {
                endpoints.push(endpoint);
            }
        }
        Ok(endpoints)
    }

    /// The history of one endpoint, or of all, the latest change first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn changes(&self, endpoint: Option<EndpointId>, limit: usize) -> Result<Vec<Change>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, who, endpoint, field, before, after FROM changes
             WHERE ?1 IS NULL OR endpoint = ?1 ORDER BY sequence DESC LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![endpoint.map(|id| id.0.cast_signed()), limit], |row| {
            let json = |index: usize| -> rusqlite::Result<Value> {
                Ok(serde_json::from_str(row.get_ref(index)?.as_str().unwrap_or("null")).unwrap_or(Value::Null))
            };
            Ok(Change {
                sequence: row.get(0)?,
                at: Timestamp(row.get(1)?),
                who: row.get(2)?,
                endpoint: EndpointId(row.get::<_, i64>(3)?.cast_unsigned()),
                field: row.get(4)?,
                before: json(5)?,
                after: json(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps an operator's word to the learner.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn add_constraint(&mut self, who: &str, at: Timestamp, kind: &str, body: &Value) -> Result<i64, StoreError> {
        self.connection.execute(
            "INSERT INTO constraints (at, who, kind, body) VALUES (?1, ?2, ?3, ?4)",
            params![at.0, who, kind, body.to_string()],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Withdraws an operator's word; it stays on record.
    ///
    /// # Errors
    /// When there is no such constraint in force, or SQLite refuses.
    pub fn withdraw_constraint(&mut self, at: Timestamp, id: i64) -> Result<(), StoreError> {
        let changed = self.connection.execute(
            "UPDATE constraints SET withdrawn_at = ?1 WHERE id = ?2 AND withdrawn_at IS NULL",
            params![at.0, id],
        )?;
        if changed == 0 {
            return Err(StoreError::NotFound { what: "constraint", name: id.to_string() });
        }
        Ok(())
    }

    /// The operators' words, in the order they were given; withdrawn ones too.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn constraints(&self) -> Result<Vec<Constraint>, StoreError> {
        let sql = "SELECT id, at, who, kind, body, withdrawn_at FROM constraints ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Constraint {
                id: row.get(0)?,
                at: Timestamp(row.get(1)?),
                who: row.get(2)?,
                kind: row.get(3)?,
                body: serde_json::from_str(row.get_ref(4)?.as_str().unwrap_or("null")).unwrap_or(Value::Null),
                withdrawn_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn take_out(
    transaction: &Transaction<'_>,
    who: &str,
    at: Timestamp,
    stored: &mut StoredEndpoint,
    replaced_by: Option<EndpointId>,
) -> Result<(), StoreError> {
    let before = json!(stored.name());
    stored.removed_at = Some(at);
    stored.replaced_by = replaced_by;
    write(transaction, stored)?;
    let field = if replaced_by.is_some() { "merged" } else { "removed" };
    let after = replaced_by.map_or(Value::Null, |into| json!(into.to_string()));
    note(transaction, &NewChange { at, who, endpoint: stored.endpoint.id, field, before: &before, after: &after })
}

fn unknown(id: EndpointId) -> StoreError {
    StoreError::NotFound { what: "endpoint", name: id.to_string() }
}
