//! Single exchanges, and questions about many of them, in the store's own language of filters.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use model::{EndpointId, RequestId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::EventQuery;
use store::json::{cell_json, event_json};
use store::query::{Direction, Field, Filter, Group, Measure, Order, Query};
use store::row::Row;

use crate::Shared;
use crate::call::{Args, Reply, blocking, names};
use crate::problem::Problem;
use crate::range::range;

/// Most exchanges in one answer.
const EVENTS_MAX: usize = 1_000;
/// Most rows of a grouped answer.
const ROWS_MAX: usize = 2_000;
/// Most groups and most measures.
const PARTS_MAX: usize = 4;

/// Which exchanges.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventArgs {
    /// The first moment: `24h`, `7d`, a time, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// Which exchanges, such as `status=429 and source=upstream`.
    filter: Option<String>,
    /// Only exchanges before this one: the `cursor` of the last answer.
    cursor: Option<String>,
    /// At most so many, up to 1,000; 100 when absent.
    limit: Option<usize>,
}

/// Exchanges, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventList {
    /// The exchanges, with the names of the columns of the stored segments.
    events: Vec<Value>,
    /// What the endpoints among them are called, by id.
    endpoints: BTreeMap<String, String>,
    /// Where the next page begins; absent on the last one.
    cursor: Option<String>,
    /// Segments that may hold exchanges of the range.
    segments: usize,
}

pub(crate) async fn list(State(console): State<Shared>, Args(args): Args<EventArgs>) -> Reply<EventList> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let filter = filter(args.filter.as_deref())?;
    let limit = args.limit.unwrap_or(100).clamp(1, EVENTS_MAX);
    let cursor = args.cursor.as_deref().map(cursor).transpose()?;
    let until = cursor.map_or(range.until, |(at, _)| Timestamp(at.0.saturating_add(1)).min(range.until));
    // Exchanges of the cursor's own microsecond that were shown already come again and are dropped.
    let query = EventQuery {
        since: range.since,
        until,
        filter,
        order: Direction::Descending,
        limit: Some(limit.saturating_add(if cursor.is_some() { EVENTS_MAX } else { 1 })),
    };
    let (mut rows, segments) = rows(&console, query).await?;
    if let Some((at, id)) = cursor {
        rows.retain(|row| row.at < at.0 || row.id < id);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = rows.last().filter(|_| more).map(|row| format!("{}-{:016x}", row.at, row.id));
    let endpoints = endpoints_of(&console, &rows).await?;
    Ok(Json(EventList { events: rows.iter().map(event_json).collect(), endpoints, cursor, segments }))
}

/// Reads exchanges; few enough to hold.
pub(crate) async fn rows(console: &Shared, query: EventQuery) -> Result<(Vec<Row<'static>>, usize), Problem> {
    let _turn = console.queries.acquire().await.map_err(|error| Problem::internal(&error))?;
    let mut stream = console.reader.events(query, names(console).await?)?;
    let mut rows = Vec::new();
    while let Some(some) = stream.next().await {
        rows.extend(some?);
    }
    Ok((rows, stream.scan.segments))
}

/// What the endpoints of some exchanges are called.
pub(crate) async fn endpoints_of(console: &Shared, rows: &[Row<'_>]) -> Result<BTreeMap<String, String>, Problem> {
    let mut ids: Vec<EndpointId> = rows.iter().filter_map(|row| row.endpoint.map(EndpointId)).collect();
    ids.sort_unstable();
    ids.dedup();
    called(console, ids).await
}

/// What endpoints are called, by id.
pub(crate) async fn called(console: &Shared, ids: Vec<EndpointId>) -> Result<BTreeMap<String, String>, Problem> {
    blocking(console, move |console| {
        let Some(inventory) = console.inventory()? else { return Ok(BTreeMap::new()) };
        let mut names = BTreeMap::new();
        for id in ids {
            if let Some(stored) = inventory.endpoint(id)? {
                names.insert(id.to_string(), stored.name());
            }
        }
        Ok(names)
    })
    .await
}

fn cursor(text: &str) -> Result<(Timestamp, u64), Problem> {
    let parts = text.split_once('-').and_then(|(at, id)| Some((at.parse().ok()?, u64::from_str_radix(id, 16).ok()?)));
    parts
        .map(|(at, id)| (Timestamp(at), id))
        .ok_or_else(|| Problem::invalid("`cursor` must be the one of an earlier answer"))
}

/// Reads a filter.
pub(crate) fn filter(text: Option<&str>) -> Result<Filter, Problem> {
    Filter::parse(text.unwrap_or_default()).map_err(|error| Problem::invalid(error.to_string()))
}

/// Near which time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NearArgs {
    /// A second since the epoch within a day of the exchange, which makes the search short.
    near_s: Option<i64>,
}

/// One exchange.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventDetail {
    /// The exchange.
    event: Value,
    /// What its endpoint is called.
    endpoint: Option<String>,
}

pub(crate) async fn show(
    State(console): State<Shared>,
    Path(id): Path<String>,
    Args(args): Args<NearArgs>,
) -> Reply<EventDetail> {
    let unknown = || Problem::not_found("exchange", &crate::overrides::shortened(&id));
    let request: RequestId = id.parse().map_err(|_| unknown())?;
    let row = {
        let _turn = console.queries.acquire().await.map_err(|error| Problem::internal(&error))?;
        console.reader.event(request, args.near_s.map(Timestamp::from_secs)).await?.ok_or_else(unknown)?
    };
    let endpoint = endpoints_of(&console, std::slice::from_ref(&row)).await?.into_values().next();
    Ok(Json(EventDetail { event: event_json(&row), endpoint }))
}

/// A question about many exchanges.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryArgs {
    /// The first moment: `24h`, `7d`, a time, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// Which exchanges, such as `status=429 and source=upstream`.
    filter: Option<String>,
    /// Grouped by these, up to four: fields, `minute`, `hour`, `day`, `time(5m)`, with commas between.
    by: Option<String>,
    /// What is worked out, up to four: `count`, `errors`, `refused`, `distinct(session)`, `p95(latency)`; `count` when absent.
    measure: Option<String>,
    /// At most so many rows, up to 2,000; 50 when absent.
    limit: Option<usize>,
}

/// The answer to a question.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct QueryAnswer {
    /// Names of the columns: groups, then measures.
    pub(super) columns: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Vec<Value>>,
    /// True when there are more.
    pub(super) truncated: bool,
}

pub(crate) async fn query(State(console): State<Shared>, Args(args): Args<QueryArgs>) -> Reply<QueryAnswer> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let list = |text: Option<String>| -> Vec<String> {
        text.unwrap_or_default().split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let (by, mut measures) = (list(args.by), list(args.measure));
    if by.len() > PARTS_MAX || measures.len() > PARTS_MAX {
        return Err(Problem::invalid(format!("at most {PARTS_MAX} groups and {PARTS_MAX} measures")));
    }
    if measures.is_empty() {
        measures.push("count".to_owned());
    }
    let group_by = by.iter().map(|text| Group::parse(text)).collect::<Result<Vec<_>, _>>().map_err(Problem::invalid)?;
    let over_time = matches!(group_by.first(), Some(Group::Time { .. }));
    let measures = measures.iter().map(|text| Measure::parse(text)).collect::<Result<Vec<_>, _>>();
    let query = Query {
        since: range.since,
        until: range.until,
        filter: filter(args.filter.as_deref())?,
        order: if over_time {
            Order { column: 0, direction: Direction::Ascending }
        } else {
            Order { column: group_by.len(), direction: Direction::Descending }
        },
        group_by,
        measures: measures.map_err(Problem::invalid)?,
        limit: args.limit.unwrap_or(50).clamp(1, ROWS_MAX),
    };
    Ok(Json(answer(&console, &query).await?))
}

/// Asks the store.
pub(crate) async fn answer(console: &Shared, query: &Query) -> Result<QueryAnswer, Problem> {
    let _turn = console.queries.acquire().await.map_err(|error| Problem::internal(&error))?;
    let answer = console.reader.query(query, names(console).await?).await?;
    let rows = answer.rows.iter().map(|row| row.iter().map(cell_json).collect()).collect();
    Ok(QueryAnswer { columns: answer.columns, rows, truncated: answer.truncated })
}

/// The fields a filter may name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FieldList {
    /// Their names.
    fields: Vec<&'static str>,
}

pub(crate) async fn fields() -> Json<FieldList> {
    Json(FieldList { fields: Field::all().map(Field::name).collect() })
}
