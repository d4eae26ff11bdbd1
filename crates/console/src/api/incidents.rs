//! Exchanges with findings, grouped by who sent them.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::EventQuery;
use store::query::{Direction, Filter};

use super::events::{filter, rows};
use crate::Shared;
use crate::call::{Args, Reply};
use crate::figures::Covered;
use crate::incidents::{Incident, group};
use crate::range::range;

/// Exchanges with findings that are grouped, the latest: what is held in memory for one answer.
const EXCHANGES_MAX: usize = 20_000;
/// Most incidents in one answer.
const INCIDENTS_MAX: usize = 200;

/// Which exchanges.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncidentArgs {
    /// The first moment: `24h`, `7d`, a time, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// Which exchanges, such as `category=injection`.
    filter: Option<String>,
}

/// Incidents.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct IncidentList {
    /// The range.
    covered: Covered,
    /// The gravest first, then the latest.
    incidents: Vec<Incident>,
    /// Exchanges with findings that were grouped.
    exchanges: usize,
    /// True when only the latest exchanges or the gravest incidents are here.
    truncated: bool,
}

pub(crate) async fn list(State(console): State<Shared>, Args(args): Args<IncidentArgs>) -> Reply<IncidentList> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let query = EventQuery {
        since: range.since,
        until: range.until,
        filter: Filter::All(vec![filter(Some("reason=*"))?, filter(args.filter.as_deref())?]),
        order: Direction::Descending,
        limit: Some(EXCHANGES_MAX + 1),
    };
    let (mut rows, _) = rows(&console, query).await?;
    let more = rows.len() > EXCHANGES_MAX;
    rows.truncate(EXCHANGES_MAX);
    let mut incidents = group(&rows);
    let truncated = more || incidents.len() > INCIDENTS_MAX;
    incidents.truncate(INCIDENTS_MAX);
    Ok(Json(IncidentList { covered: range.into(), incidents, exchanges: rows.len(), truncated }))
}
