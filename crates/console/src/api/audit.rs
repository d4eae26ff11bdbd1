//! Who changed what.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::inventory::AuditFilter;

use crate::Shared;
use crate::call::{Args, Reply, blocking};

/// Which entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditArgs {
    /// Only by this one.
    who: Option<String>,
    /// Only this action, such as `policy.mode`.
    action: Option<String>,
    /// Only entries before this one: the next page.
    before: Option<i64>,
    /// At most so many, up to 1,000; 100 when absent.
    limit: Option<usize>,
}

/// Entries, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditList {
    /// The entries.
    entries: Vec<AuditLine>,
}

/// A change somebody made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AuditLine {
    /// Ascending.
    sequence: i64,
    /// When, in seconds since the epoch.
    at_s: i64,
    /// Who.
    who: String,
    /// What was done.
    action: String,
    /// To what.
    subject: String,
    /// What was there before.
    before: Value,
    /// What is there now.
    after: Value,
}

pub(crate) async fn list(State(console): State<Shared>, Args(args): Args<AuditArgs>) -> Reply<AuditList> {
    let limit = args.limit.unwrap_or(100).clamp(1, 1_000);
    let filter = AuditFilter { who: args.who, action: args.action, before: args.before };
    let entries = blocking(&console, move |console| {
        let Some(inventory) = console.inventory()? else { return Ok(Vec::new()) };
        Ok(inventory.audit_entries(&filter, limit)?)
    });
    let line = |entry: store::inventory::AuditEntry| AuditLine {
        sequence: entry.sequence,
        at_s: entry.at.secs(),
        who: entry.who,
        action: entry.action,
        subject: entry.subject,
        before: entry.before,
        after: entry.after,
    };
    Ok(Json(AuditList { entries: entries.await?.into_iter().map(line).collect() }))
}
