//! The audit log and the versions of the policy: only ever added to.

use model::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::Inventory;
use crate::error::StoreError;

/// One change somebody made.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Ascending.
    pub sequence: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What was done, such as `policy.apply`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What was there before; secrets masked by the caller.
    pub before: Value,
    /// What is there now; secrets masked by the caller.
    pub after: Value,
}

/// Which entries are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only by this one.
    pub who: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only before this sequence number: the next page.
    pub before: Option<i64>,
}

/// A version of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Ascending from 1.
    pub version: i64,
    /// When it was applied.
    pub at: Timestamp,
    /// Who applied it.
    pub who: String,
    /// Why, as they wrote it.
    pub note: String,
    /// The policy as text.
    pub text: String,
}

impl Inventory {
    /// Adds an entry to the audit log. `sequence` is given by the log.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn audit(&mut self, entry: &AuditEntry) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO audit (at, who, action, subject, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                entry.at.0,
                entry.who,
                entry.action,
                entry.subject,
                entry.before.to_string(),
                entry.after.to_string()
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Entries of the audit log, the latest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn audit_entries(&self, filter: &AuditFilter, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, who, action, subject, before, after FROM audit
             WHERE (?1 IS NULL OR who = ?1) AND (?2 IS NULL OR action = ?2) AND (?3 IS NULL OR sequence < ?3)
             ORDER BY sequence DESC LIMIT ?4",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![filter.who, filter.action, filter.before, limit], |row| {
            let json = |index: usize| -> rusqlite::Result<Value> {
                Ok(serde_json::from_str(row.get_ref(index)?.as_str().unwrap_or("null")).unwrap_or(Value::Null))
            };
            Ok(AuditEntry {
                sequence: row.get(0)?,
                at: Timestamp(row.get(1)?),
                who: row.get(2)?,
                action: row.get(3)?,
                subject: row.get(4)?,
                before: json(5)?,
                after: json(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a version of the policy and gives its number.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn put_policy(&mut self, who: &str, at: Timestamp, note: &str, text: &str) -> Result<i64, StoreError> {
        self.connection.execute(
            "INSERT INTO policies (at, who, note, text) VALUES (?1, ?2, ?3, ?4)",
            params![at.0, who, note, text],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// One version of the policy; `None` for the latest.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn policy(&self, version: Option<i64>) -> Result<Option<PolicyVersion>, StoreError> {
        let sql = "SELECT version, at, who, note, text FROM policies
                   WHERE ?1 IS NULL OR version = ?1 ORDER BY version DESC LIMIT 1";
        Ok(self.connection.prepare_cached(sql)?.query_row([version], policy_version).optional()?)
    }

    /// The latest versions of the policy, the latest first.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn policies(&self, limit: usize) -> Result<Vec<PolicyVersion>, StoreError> {
        let sql = "SELECT version, at, who, note, text FROM policies ORDER BY version DESC LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], policy_version)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn policy_version(row: &rusqlite::Row<'_>) -> rusqlite::Result<PolicyVersion> {
    Ok(PolicyVersion {
        version: row.get(0)?,
        at: Timestamp(row.get(1)?),
        who: row.get(2)?,
        note: row.get(3)?,
        text: row.get(4)?,
    })
}
