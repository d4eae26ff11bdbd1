//! Findings by kind over time, by source, by endpoint; and the list of all reasons there are.

use axum::Json;
use axum::extract::State;
use model::Reason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::query::{Direction, Field, Filter, Group, Measure, Order, Query};
use store::rollup::{Range, Scope};

use super::events::{QueryAnswer, answer, filter};
use crate::call::{Args, Reply, blocking};
use crate::figures::{Covered, Named, named};
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
    /// Which exchanges, such as `category=injection`.
    filter: Option<String>,
}

/// Threats.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Threats {
    /// The range.
    covered: Covered,
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

pub(crate) async fn show(State(console): State<Shared>, Args(args): Args<ThreatArgs>) -> Reply<Threats> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    // A finding has a reason, so `reason=*` means every exchange with findings.
    let found = Filter::All(vec![filter(Some("reason=*"))?, filter(args.filter.as_deref())?]);
    let drawn = blocking(&console, move |console| Ok(drawn(console, range)?)).await?;
    let step_s = step_s(drawn);
    let ask = |group_by: Vec<Group>, measures: Vec<Measure>, limit: usize| Query {
        since: range.since,
        until: range.until,
        filter: found.clone(),
        order: Order { column: group_by.len(), direction: Direction::Descending },
        group_by,
        measures,
        limit,
    };
    let top = |field: Field| ask(vec![Group::Field(field)], vec![Measure::Count, Measure::Refused], 15);
    let mut over_time = ask(vec![Group::Time { step_s }, Group::Field(Field::Category)], vec![Measure::Count], 2_000);
    over_time.order = Order { column: 0, direction: Direction::Ascending };
    let mut by_reason = top(Field::Reason);
    by_reason.measures.extend([Measure::Distinct(Field::Session), Measure::Distinct(Field::Client)]);
    let mut by_client = top(Field::Client);
    by_client.measures.extend([Measure::First, Measure::Last]);
    let categories = blocking(&console, move |console| {
        let Some(rollups) = console.rollups()? else { return Ok(Vec::new()) };
        let total = rollups.total(&Scope::All, range)?.rows;
        let category = |code: &str| store::query::category_of(code).map_or("unknown", |category| category.name());
        Ok(named(total.reasons.iter().map(|(code, count)| (category(code), *count))))
    });
    Ok(Json(Threats {
        covered: range.into(),
        step_s,
        categories: categories.await?,
        over_time: answer(&console, &over_time).await?,
        by_reason: answer(&console, &by_reason).await?,
        by_client: answer(&console, &by_client).await?,
        by_endpoint: answer(&console, &top(Field::Endpoint)).await?,
        by_place: answer(&console, &top(Field::Place)).await?,
    }))
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
