//! The first page: traffic, the share of APIs, verdicts, threats, errors, what needs review. From rollups and inventory alone.

use axum::Json;
use axum::extract::State;
use model::ApiName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::inventory::EndpointFilter;
use store::rollup::{self, Counts, Range, Scope};
use store::{RollupReader, StoreError};

use crate::call::{Args, Reply, blocking};
use crate::figures::{Covered, Figures, Named, Series, StatusCount, Step, named, status_counts};
use crate::range::range;
use crate::{Console, Shared};

/// A chart with no more points than this is drawn in shorter steps where it can be.
const POINTS_FEW: usize = 12;
/// The longest time that is drawn in minutes, in seconds.
const MINUTES_AT_MOST_S: i64 = 12 * 3_600;

/// Which traffic.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverviewArgs {
    /// The first moment: `24h`, `7d`, a time as `2026-01-01T00:00:00Z`, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after, in the same forms; now when absent.
    until: Option<String>,
    /// Only this API.
    api: Option<String>,
}

/// What one sees first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Overview {
    /// The range covered.
    covered: Covered,
    /// The figures of the range.
    figures: Figures,
    /// The figures of the range of the same length before.
    previous: Figures,
    /// The traffic over time.
    series: Series,
    /// Exchanges by status and who made it.
    statuses: Vec<StatusCount>,
    /// How exchanges ended.
    outcomes: Vec<Named>,
    /// Exchanges with findings, by kind of threat.
    categories: Vec<Named>,
    /// Exchanges with findings, by reason, the most frequent.
    reasons: Vec<Named>,
    /// Refused exchanges by the stage that refused.
    mitigations: Vec<Named>,
    /// The APIs with their exchanges.
    apis: Vec<ApiLine>,
    /// Endpoints by state.
    inventory: InventoryCounts,
}

/// An API with its exchanges.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ApiLine {
    /// Its name.
    name: String,
    /// Exchanges.
    requests: u64,
    /// Refused.
    refused: u64,
    /// Answered with 4xx or 5xx.
    errors: u64,
}

/// Endpoints by state.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct InventoryCounts {
    /// All of them.
    all: usize,
    /// With too little evidence yet.
    provisional: usize,
    /// Waiting for a decision.
    review: usize,
    /// Accepted.
    saved: usize,
    /// Declined.
    ignored: usize,
    /// Seen, and declared by no contract.
    shadow: usize,
    /// Found by learning and by no session identifier.
    only_learning: usize,
}

pub(crate) async fn show(State(console): State<Shared>, Args(args): Args<OverviewArgs>) -> Reply<Overview> {
    let range = range(args.since.as_deref(), args.until.as_deref(), console.now())?;
    let overview = blocking(&console, move |console| Ok(overview(console, range, args.api.as_deref())?)).await?;
    Ok(Json(overview))
}

fn overview(console: &Console, range: Range, api: Option<&str>) -> Result<Overview, StoreError> {
    let scope = api.map_or(Scope::All, |api| Scope::Api(ApiName::from(api)));
    let inventory = inventory_counts(console, api)?;
    let rollups = console.rollups()?;
    let Some(rollups) = rollups else { return Ok(assembled(range, &Counts::default(), &Counts::default(), inventory)) };
    let total = rollups.total(&scope, range)?;
    let previous = rollups.total(&scope, total.covered.before())?.rows;
    let mut overview = assembled(total.covered, &total.rows, &previous, inventory);
    overview.series = series(&rollups, &scope, range)?;
    for (scope, counts) in rollups.per_api(range)?.rows {
        if let Scope::Api(name) = scope {
            let figures = Figures::of(&counts);
            let errors = figures.errors_4xx + figures.errors_5xx;
            overview.apis.push(ApiLine {
                name: name.to_string(),
                requests: counts.requests,
                refused: counts.refused,
                errors,
            });
        }
    }
    overview.apis.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.name.cmp(&b.name)));
    Ok(overview)
}

fn assembled(covered: Range, total: &Counts, previous: &Counts, inventory: InventoryCounts) -> Overview {
    let category = |code: &str| store::query::category_of(code).map_or("unknown", |category| category.name());
    let stage = |code: &str| code.split('.').next().unwrap_or_default().to_owned();
    let stages: Vec<(String, u64)> = total.refusals.iter().map(|(code, count)| (stage(code), *count)).collect();
    let mut reasons = named(total.reasons.iter().map(|(code, count)| (code.as_ref(), *count)));
    reasons.truncate(12);
    Overview {
        covered: covered.into(),
        figures: Figures::of(total),
        previous: Figures::of(previous),
        series: Series { step_s: 60, steps: Vec::new() },
        statuses: status_counts(total),
        outcomes: named(total.outcomes.iter().map(|(name, count)| (name.as_ref(), *count))),
        categories: named(total.reasons.iter().map(|(code, count)| (category(code), *count))),
        reasons,
        mitigations: named(stages.iter().map(|(stage, count)| (stage.as_str(), *count))),
        apis: Vec::new(),
        inventory,
    }
}

/// Counts over time in steps that make a readable chart.
pub(crate) fn series(rollups: &RollupReader, scope: &Scope, range: Range) -> Result<Series, StoreError> {
    let step = match range.until.secs().saturating_sub(range.since.secs()) {
        ..=43_200 => rollup::Step::Minute,
        43_201..=1_814_400 => rollup::Step::Hour,
        _ => rollup::Step::Day,
    };
    let (step, points) = young(rollups, scope, range, rollups.series(scope, range, step)?)?;
    Ok(Series { step_s: step.seconds(), steps: points.iter().map(Step::of).collect() })
}

/// A chart of a day of which ten minutes have traffic shows those ten minutes: with few points, shorter steps are taken for the
/// part of the range that has any.
fn young(
    rollups: &RollupReader,
    scope: &Scope,
    range: Range,
    found: (rollup::Step, Vec<rollup::read::Point>),
) -> Result<(rollup::Step, Vec<rollup::read::Point>), StoreError> {
    let (step, points) = found;
    let Some(first) = points.first().filter(|_| step != rollup::Step::Minute && points.len() <= POINTS_FEW) else {
        return Ok((step, points));
    };
    let part = Range { since: first.at.max(range.since), until: range.until };
    if part.until.secs().saturating_sub(part.since.secs()) > MINUTES_AT_MOST_S {
        return Ok((step, points));
    }
    let finer = rollups.series(scope, part, rollup::Step::Minute)?;
    Ok(if finer.1.len() > points.len() { finer } else { (step, points) })
}

fn inventory_counts(console: &Console, api: Option<&str>) -> Result<InventoryCounts, StoreError> {
    use model::EndpointState::{Ignored, Provisional, Review, Saved};
    let Some(inventory) = console.inventory()? else { return Ok(InventoryCounts::default()) };
    let filter = EndpointFilter { api: api.map(str::to_owned), ..EndpointFilter::default() };
    let endpoints = inventory.endpoints(&filter)?;
    let mut counts = InventoryCounts { all: endpoints.len(), ..InventoryCounts::default() };
    for stored in &endpoints {
        let endpoint = &stored.endpoint;
        match endpoint.state {
            Provisional => counts.provisional += 1,
            Review => counts.review += 1,
            Saved => counts.saved += 1,
            Ignored => counts.ignored += 1,
        }
        if endpoint.state != Ignored {
            counts.shadow += usize::from(endpoint.requests > 0 && !endpoint.origins.contract);
            counts.only_learning += usize::from(endpoint.origins.only_learning());
        }
    }
    Ok(counts)
}
