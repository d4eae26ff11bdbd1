//! Sessions by their hashes, and what one of them did.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use model::SessionHash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::EventQuery;
use store::json::event_json;
use store::query::{Direction, Field, Filter, Group, Measure, Operator, Order, Query, Value as Compared};

use super::RangeArgs;
use super::events::{QueryAnswer, answer, endpoints_of, filter, rows};
use crate::Shared;
use crate::call::{Args, Reply};
use crate::figures::Covered;
use crate::problem::Problem;
use crate::range::range;

/// Most exchanges of a timeline.
const TIMELINE_MAX: usize = 500;

/// Which sessions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionArgs {
    /// The first moment: `24h`, `7d`, a time, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// Which exchanges, such as `reason=*`.
    filter: Option<String>,
    /// What stands first: `count`, `errors` or `refused`; `count` when absent.
    order: Option<String>,
}

/// Sessions and clients.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionList {
    /// The range.
    covered: Covered,
    /// By session: exchanges, errors, refused ones, endpoints, and the last one.
    sessions: QueryAnswer,
    /// By client: exchanges, errors, refused ones, sessions.
    clients: QueryAnswer,
}

pub(crate) async fn list(State(console): State<Shared>, Args(args): Args<SessionArgs>) -> Reply<SessionList> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let column = match args.order.as_deref().unwrap_or("count") {
        "count" => 1,
        "errors" => 2,
        "refused" => 3,
        _ => return Err(Problem::invalid("`order` is `count`, `errors` or `refused`")),
    };
    let meant = filter(args.filter.as_deref())?;
    let ask = |field: Field, filter: Filter, last: Measure| Query {
        since: range.since,
        until: range.until,
        filter,
        group_by: vec![Group::Field(field)],
        measures: vec![Measure::Count, Measure::Errors, Measure::Refused, last],
        order: Order { column, direction: Direction::Descending },
        limit: 100,
    };
    let with_session = Filter::All(vec![filter(Some("session!=none"))?, meant.clone()]);
    let sessions = answer(&console, &ask(Field::Session, with_session, Measure::Distinct(Field::Endpoint))).await?;
    let clients = answer(&console, &ask(Field::Client, meant, Measure::Distinct(Field::Session))).await?;
    Ok(Json(SessionList { covered: range.into(), sessions, clients }))
}

/// What one session did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Timeline {
    /// The range.
    covered: Covered,
    /// The session's hash.
    session: String,
    /// Its exchanges, the latest first.
    events: Vec<Value>,
    /// What the endpoints among them are called, by id.
    endpoints: BTreeMap<String, String>,
    /// True when there are more.
    truncated: bool,
    /// Its exchanges, errors and refused ones by endpoint.
    by_endpoint: QueryAnswer,
}

pub(crate) async fn show(
    State(console): State<Shared>,
    Path(hash): Path<String>,
    Args(args): Args<RangeArgs>,
) -> Reply<Timeline> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let number = u64::from_str_radix(&hash, 16)
        .map_err(|_| Problem::invalid("a session is named by its hash of up to 16 hexadecimal digits"))?;
    let only = Filter::test(Field::Session, Operator::Is, Compared::Hash(number));
    let query = EventQuery {
        since: range.since,
        until: range.until,
        filter: only.clone(),
        order: Direction::Descending,
        limit: Some(TIMELINE_MAX + 1),
    };
    let (mut rows, _) = rows(&console, query).await?;
    let truncated = rows.len() > TIMELINE_MAX;
    rows.truncate(TIMELINE_MAX);
    let by_endpoint = Query {
        group_by: vec![Group::Field(Field::Endpoint)],
        measures: vec![Measure::Count, Measure::Errors, Measure::Refused],
        ..Query::top(range.since, range.until, only, Field::Endpoint, 100)
    };
    Ok(Json(Timeline {
        covered: range.into(),
        session: SessionHash(number).to_string(),
        endpoints: endpoints_of(&console, &rows).await?,
        events: rows.iter().map(event_json).collect(),
        truncated,
        by_endpoint: answer(&console, &by_endpoint).await?,
    }))
}
