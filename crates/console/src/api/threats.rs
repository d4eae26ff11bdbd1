//! Findings by kind over time, by source, by endpoint; and the list of all reasons there are.

use axum::Json;
use axum::extract::State;
use model::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::StoreError;
use store::json::{cell_json, time_text};
use store::query::plan::EndpointNames;
use store::query::{Cell, Direction, Field, Filter, Group, Measure, Operator, Order, Query, Value as Wanted};
use store::rollup::threats::{Tally, Top};
use store::rollup::{Range, Scope};

use super::events::{QueryAnswer, answer, filter};
use crate::call::{Args, Reply, blocking, names};
use crate::figures::{Covered, Named, named};
use crate::problem::Problem;
use crate::range::range;
use crate::{Console, Shared};

/// Which threats.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThreatArgs {
    /// The first moment: `24h`, `7d`, a time, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// Which exchanges, such as `category=injection`. A kind of threat, an API, or both are answered from sums made while
    /// recording; any other filter reads the recorded exchanges, which takes longer.
    filter: Option<String>,
}

/// Threats.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Threats {
    /// The range.
    covered: Covered,
    /// `rollups` or `events`: what the figures were worked out from. Rollups count an exchange once per reason and place, and
    /// name the busiest clients, endpoints and places; events count findings.
    source: &'static str,
    /// Seconds between two steps of `over_time`.
    step_s: u32,
    /// Exchanges with findings by `time` and `category`.
    over_time: QueryAnswer,
    /// By reason: exchanges, refused ones, sessions, clients.
    by_reason: QueryAnswer,
    /// By client: exchanges with findings, refused ones, first, last.
    by_client: QueryAnswer,
    /// By endpoint: exchanges with findings, refused ones.
    by_endpoint: QueryAnswer,
    /// By place in the message.
    by_place: QueryAnswer,
    /// Exchanges with findings by kind of threat, from the rollups, without the filter.
    categories: Vec<Named>,
}

/// Lines of each list.
const LINES_MAX: usize = 15;
/// Most points of the chart, over all its lines.
const POINTS_MAX: usize = 2_000;

pub(crate) async fn show(State(console): State<Shared>, Args(args): Args<ThreatArgs>) -> Reply<Threats> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let wanted = filter(args.filter.as_deref())?;
    let (drawn, categories) = blocking(&console, move |console| {
        let Some(rollups) = console.rollups()? else { return Ok((range, Vec::new())) };
        let total = rollups.total(&Scope::All, range)?.rows;
        let category = |code: &str| store::query::category_of(code).map_or("unknown", |category| category.name());
        let categories = named(total.reasons.iter().map(|(code, count)| (category(code), *count)));
        Ok((drawn(console, range)?, categories))
    })
    .await?;
    let step_s = step_s(drawn);
    let mut part = Part::default();
    if part.narrow(&wanted) {
        let endpoints = names(&console).await?;
        let summed = blocking(&console, move |console| Ok(summed(console, range, step_s, &part, &endpoints)?)).await?;
        if let Some(threats) = summed {
            return Ok(Json(Threats { categories, ..threats }));
        }
    }
    Ok(Json(Threats { categories, ..searched(&console, range, step_s, wanted).await? }))
}

/// The filters that rollups can answer.
#[derive(Debug, Default, PartialEq)]
struct Part {
    category: Option<String>,
    api: Option<String>,
}

impl Part {
    /// Takes a filter in; false when rollups cannot answer it.
    fn narrow(&mut self, filter: &Filter) -> bool {
        match filter {
            Filter::All(all) => all.iter().all(|one| self.narrow(one)),
            Filter::Test(test) => {
                let slot = match test.field {
                    Field::Category => &mut self.category,
                    Field::Api => &mut self.api,
                    _ => return false,
                };
                match (&test.value, test.operator) {
                    (Wanted::Text(text), Operator::Is) if !text.is_empty() && !text.contains('*') && slot.is_none() => {
                        *slot = Some(text.clone());
                        true
                    }
                    _ => false,
                }
            }
            Filter::Any(_) | Filter::Not(_) => false,
        }
    }
}

/// Threats from rollups; `None` when they do not reach back over the whole range.
fn summed(
    console: &Console,
    range: Range,
    step_s: u32,
    part: &Part,
    endpoints: &EndpointNames,
) -> Result<Option<Threats>, StoreError> {
    let (category, api) = (part.category.as_deref().unwrap_or_default(), part.api.as_deref());
    let Some(rollups) = console.rollups()? else { return Ok(None) };
    let Some(table) = rollups.threats(range, category, api)? else { return Ok(None) };
    let mut steps = rollups.threats_over_time(table.covered, step_s, category, api)?;
    let cut = steps.len() > POINTS_MAX;
    steps.truncate(POINTS_MAX);
    let over_time = QueryAnswer {
        columns: vec![format!("time({step_s}s)"), "category".to_owned(), "count".to_owned()],
        rows: steps
            .into_iter()
            .map(|(at, name, count)| vec![json!(time_text(at)), json!(name), json!(count)])
            .collect(),
        truncated: cut,
    };
    let total = table.rows;
    let mut reasons: Vec<_> = total.reasons.iter().collect();
    reasons.sort_by(|(a_code, a), (b_code, b)| b.count.cmp(&a.count).then(a_code.cmp(b_code)));
    let by_reason = reasons.iter().take(LINES_MAX).map(|(code, tally)| {
        vec![
            json!(code),
            json!(tally.count),
            json!(tally.refused),
            json!(tally.sessions.count()),
            json!(tally.clients.count()),
        ]
    });
    let columns = ["reason", "count", "refused", "distinct(session)", "distinct(client)"];
    let by_reason = QueryAnswer {
        rows: by_reason.collect(),
        columns: columns.map(str::to_owned).to_vec(),
        truncated: reasons.len() > LINES_MAX,
    };
    let mut by_client = ranked("client", &total.clients, |name| json!(name));
    for (row, (_, tally)) in by_client.rows.iter_mut().zip(total.clients.busiest(LINES_MAX)) {
        row.extend([tally.first_at, tally.last_at].map(|at| cell_json(&Cell::Time(model::Timestamp(at)))));
    }
    by_client.columns.extend(["first", "last"].map(str::to_owned));
    let endpoint = |id: &str| match u64::from_str_radix(id, 16) {
        Ok(id) => json!(endpoints.name(id).map_or_else(|| format!("e{id}"), str::to_owned)),
        Err(_) => Value::Null,
    };
    Ok(Some(Threats {
        covered: table.covered.into(),
        source: "rollups",
        step_s,
        over_time,
        by_reason,
        by_client,
        by_endpoint: ranked("endpoint", &total.endpoints, endpoint),
        by_place: ranked("place", &total.places, |place| json!(place)),
        categories: Vec::new(),
    }))
}

/// The busiest names as an answer.
fn ranked(column: &str, top: &Top, name: impl Fn(&str) -> Value) -> QueryAnswer {
    let line = |(text, tally): (&str, Tally)| vec![name(text), json!(tally.count), json!(tally.refused)];
    QueryAnswer {
        columns: [column, "count", "refused"].map(str::to_owned).to_vec(),
        rows: top.busiest(LINES_MAX).into_iter().map(line).collect(),
        truncated: top.named.len() > LINES_MAX || top.rest > 0,
    }
}

/// Threats from recorded exchanges.
async fn searched(console: &Shared, range: Range, step_s: u32, wanted: Filter) -> Result<Threats, Problem> {
    // A finding has a reason, so `reason=*` means every exchange with findings.
    let found = Filter::All(vec![filter(Some("reason=*"))?, wanted]);
    let ask = |group_by: Vec<Group>, measures: Vec<Measure>, limit: usize| Query {
        since: range.since,
        until: range.until,
        filter: found.clone(),
        order: Order { column: group_by.len(), direction: Direction::Descending },
        group_by,
        measures,
        limit,
    };
    let top = |field: Field| ask(vec![Group::Field(field)], vec![Measure::Count, Measure::Refused], LINES_MAX);
    let mut over_time =
        ask(vec![Group::Time { step_s }, Group::Field(Field::Category)], vec![Measure::Count], POINTS_MAX);
    over_time.order = Order { column: 0, direction: Direction::Ascending };
    let mut by_reason = top(Field::Reason);
    by_reason.measures.extend([Measure::Distinct(Field::Session), Measure::Distinct(Field::Client)]);
    let mut by_client = top(Field::Client);
    by_client.measures.extend([Measure::First, Measure::Last]);
    Ok(Threats {
        covered: range.into(),
        source: "events",
        step_s,
        over_time: answer(console, &over_time).await?,
        by_reason: answer(console, &by_reason).await?,
        by_client: answer(console, &by_client).await?,
        by_endpoint: answer(console, &top(Field::Endpoint)).await?,
        by_place: answer(console, &top(Field::Place)).await?,
        categories: Vec::new(),
    })
}

/// The part of a range that has traffic: a chart of a day of which ten minutes are recorded shows those ten minutes.
fn drawn(console: &Console, range: Range) -> Result<Range, StoreError> {
    let first = console.rollups()?.map(|rollups| rollups.first_in(range)).transpose()?.flatten();
    Ok(Range { since: first.map_or(range.since, |first| first.max(range.since)), until: range.until })
}

/// A step that gives a chart of about sixty points.
fn step_s(range: Range) -> u32 {
    const STEPS: [u32; 8] = [60, 300, 900, 3_600, 14_400, 86_400, 604_800, 2_592_000];
    let wanted = range.until.secs().saturating_sub(range.since.secs()) / 60;
    STEPS.into_iter().find(|step| i64::from(*step) >= wanted).unwrap_or(30_758_400)
}

/// All reasons.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReasonList {
    /// In the order of the stages.
    reasons: Vec<ReasonLine>,
}

/// A reason a finding can have.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReasonLine {
    /// Its stable code.
    code: &'static str,
    /// The stage that reports it.
    stage: &'static str,
    /// The kind of threat.
    category: &'static str,
    /// `info`, `low`, `medium`, `high` or `critical`.
    severity: String,
    /// One sentence.
    text: &'static str,
    /// Where the rule comes from.
    reference: &'static str,
}

pub(crate) async fn reasons() -> Json<ReasonList> {
    let line = |reason: Reason| ReasonLine {
        code: reason.code(),
        stage: reason.stage().name(),
        category: reason.category().name(),
        severity: format!("{:?}", reason.severity()).to_lowercase(),
        text: reason.text(),
        reference: reason.reference(),
    };
    Json(ReasonList { reasons: Reason::all().map(line).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_filters_are_answered_from_rollups() {
        let part = |text: &str| {
            let mut part = Part::default();
            part.narrow(&filter(Some(text)).expect("a filter")).then_some((part.category, part.api))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(part(""), Some((None, None)));
        assert_eq!(part("category=injection"), Some((some("injection"), None)));
        assert_eq!(part("category=injection and api=shop"), Some((some("injection"), some("shop"))));
        for text in ["category!=injection", "not api=shop", "api=sh*", "category=injection or api=shop", "status=403"] {
            assert_eq!(part(text), None, "{text}");
        }
        assert_eq!(part("api=shop api=desk"), None, "no exchange has two APIs");
    }
}
