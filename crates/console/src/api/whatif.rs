//! What would happen: how many recorded exchanges a mode would have refused, before it is switched on.
//!
//! The verdict is made from findings alone: a stage in mode `block` refuses what it is sure of and no exception lets pass. So
//! the recorded findings give the exact answer for every stage that ran, without judging anything again. What did not run then
//! (mode `off`) left no findings, and the answer says so. Compared is with the policy in force, not with the verdict of that time, so
//! that what was switched since then is not counted again.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use model::{Reason, Severity, StageId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use store::EventQuery;
use store::query::{Direction, Field, Filter, Operator, Value as Compared};
use store::row::Row;

use super::events::{called, filter};
use crate::Shared;
use crate::call::{Given, Reply, blocking, names};
use crate::overrides::{Overrides, shortened, stage};
use crate::problem::Problem;
use crate::range::range;
use crate::replay::{Judged, Preview, Tally};
use crate::steering::ModeName;

/// Most exchanges looked at; beyond, the answer says that it is of the latest ones.
const EVENTS_MAX: usize = 200_000;
/// Exchanges shown as examples.
const EXAMPLES_MAX: usize = 50;

/// What is thought of being switched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhatIf {
    /// The API.
    api: String,
    /// The stage.
    stage: String,
    /// Its mode then.
    mode: ModeName,
    /// Only at this endpoint, as `e123`.
    #[serde(default)]
    endpoint: Option<String>,
    /// Over the traffic since then: `24h`, `7d`, a time; `24h` when absent.
    #[serde(default)]
    since: Option<String>,
    /// Up to then; now when absent.
    #[serde(default)]
    until: Option<String>,
}

pub(crate) async fn preview(State(console): State<Shared>, Given(given): Given<WhatIf>) -> Reply<Preview> {
    let stage = stage(&given.stage).ok_or_else(|| Problem::not_found("stage", &shortened(&given.stage)))?;
    let range = range(given.since.as_deref(), given.until.as_deref(), console.now())?;
    let api = given.api.clone();
    let (modes, overrides) = blocking(&console, move |console| {
        let overrides = match console.inventory()? {
            Some(inventory) => Overrides::load(&inventory)?,
            None => Overrides::default(),
        };
        let configured = console.steering.modes().into_iter().find(|modes| modes.api == api);
        let configured = configured.ok_or_else(|| Problem::not_found("API", &shortened(&api)))?;
        let modes: HashMap<String, ModeName> =
            configured.stages.into_iter().map(|line| (line.stage, line.mode)).collect();
        Ok((modes, overrides))
    })
    .await?;
    let now_mode = |stage: StageId| {
        overrides.mode(&given.api, stage).or_else(|| modes.get(stage.name()).copied()).unwrap_or(ModeName::Monitor)
    };
    let before: [ModeName; StageId::ALL.len()] = StageId::ALL.map(now_mode);
    let with = |mode: ModeName, at_endpoint: bool| Proposal {
        api: given.api.clone(),
        stage,
        mode,
        others: before,
        now: console.now(),
        at_endpoint,
    };
    let (present, proposal) = (with(now_mode(stage), false), with(given.mode, given.endpoint.is_some()));
    let mut parts = vec![
        Filter::test(Field::Api, Operator::Is, Compared::Text(given.api.clone())),
        // Only exchanges with a finding of some stage can change their verdict.
        filter(Some("reason=*"))?,
    ];
    if let Some(endpoint) = &given.endpoint {
        crate::overrides::endpoint_id(endpoint).ok_or_else(|| Problem::not_found("endpoint", &shortened(endpoint)))?;
        parts.push(Filter::test(Field::Endpoint, Operator::Is, Compared::Text(endpoint.clone())));
    }
    let query = EventQuery {
        since: range.since,
        until: range.until,
        filter: Filter::All(parts),
        order: Direction::Descending,
        limit: Some(EVENTS_MAX + 1),
    };
    let mut preview = tally(&console, query, [&present, &proposal], &overrides).await?;
    preview.covered = Some(range.into());
    if preview.newly_carried > 0 {
        let note = "stages after the one that refused did not judge those exchanges, so some of the newly carried might be refused by them";
        preview.notes.push(note.to_owned());
    }
    let current = now_mode(stage);
    if current == ModeName::Off && given.mode != ModeName::Off {
        let note = format!(
            "`{}` is off now, so what it would have found was not recorded; set it to `monitor` first",
            stage.name()
        );
        preview.notes.push(note);
    }
    if current == given.mode {
        preview.notes.push(format!("`{}` has the mode `{}` already", stage.name(), given.mode.name()));
    }
    Ok(Json(preview))
}

/// The modes thought of.
struct Proposal {
    api: String,
    stage: StageId,
    mode: ModeName,
    others: [ModeName; StageId::ALL.len()],
    now: Timestamp,
    /// True when it is thought of for one endpoint alone.
    at_endpoint: bool,
}

impl Proposal {
    fn mode_of(&self, stage: StageId, row: &Row<'_>, overrides: &Overrides) -> ModeName {
        // What is set at an endpoint holds for every stage there, except for the one that is thought of there.
        let here = row.endpoint.and_then(|endpoint| overrides.endpoint_modes.get(&endpoint));
        if stage == self.stage && (here.is_none() || self.at_endpoint) {
            return self.mode;
        }
        if let Some(here) = here {
            *here
        } else {
            self.others.get(stage as usize).copied().unwrap_or(ModeName::Monitor)
        }
    }

    /// The reason this exchange would be refused for: as `inspect::decide` decides, from what was recorded.
    fn refusal(&self, row: &Row<'_>, overrides: &Overrides) -> Option<Reason> {
        let mut heaviest: Option<(Severity, Reason)> = None;
        for finding in row.findings.iter().filter(|finding| finding.confidence == "sure") {
            let Some(reason) = Reason::from_code(&finding.reason) else { continue };
            if self.mode_of(reason.stage(), row, overrides) != ModeName::Block
                || self.excepted(row, reason, &finding.place, overrides)
            {
                continue;
            }
            if heaviest.is_none_or(|(severity, _)| reason.severity() > severity) {
                heaviest = Some((reason.severity(), reason));
            }
        }
        heaviest.map(|(_, reason)| reason)
    }

    fn excepted(&self, row: &Row<'_>, reason: Reason, place: &str, overrides: &Overrides) -> bool {
        overrides.exceptions.iter().any(|exception| {
            exception.reason == reason.code()
                && exception.holds_at(self.now)
                && (exception.api.is_empty() || exception.api == self.api)
                && (exception.endpoint.is_empty() || exception.endpoint_id().map(|id| id.0) == row.endpoint)
                && row.path.starts_with(&exception.path_prefix)
                && (exception.place.is_empty() || exception.place == place)
        })
    }
}

/// Counts what would change, exchange by exchange, without holding them.
async fn tally(
    console: &Shared,
    query: EventQuery,
    [present, proposal]: [&Proposal; 2],
    overrides: &Overrides,
) -> Result<Preview, Problem> {
    counted(console, query, |row| Judged {
        before: present.refusal(row, overrides),
        after: proposal.refusal(row, overrides),
        body_unknown: false,
    })
    .await
}

/// Judges every exchange of the query, at most [`EVENTS_MAX`] of them.
async fn counted(
    console: &Shared,
    query: EventQuery,
    mut judge: impl FnMut(&Row<'_>) -> Judged,
) -> Result<Preview, Problem> {
    let _turn = console.queries.acquire().await.map_err(|error| Problem::internal(&error))?;
    let mut stream = console.reader.events(query, names(console).await?)?;
    let mut tally = Tally::new(EXAMPLES_MAX);
    while let Some(rows) = stream.next().await {
        for row in rows? {
            let judged = judge(&row);
            tally.take(&row, judged);
        }
        // Judging is work of the processor: others of this thread get their turn between two batches.
        tokio::task::yield_now().await;
    }
    let looked_at = tally.looked_at();
    let mut preview = tally.preview();
    if looked_at > EVENTS_MAX as u64 {
        preview.notes.push(format!("only the latest {EVENTS_MAX} exchanges were looked at; take a shorter range"));
    }
    let ids = preview.by_endpoint.iter().filter_map(|line| crate::overrides::endpoint_id(&line.name));
    preview.endpoints = called(console, ids.collect()).await?;
    Ok(preview)
}

/// A configuration that is thought of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigThought {
    /// The text.
    text: String,
    /// Over the traffic since then: `24h`, `7d`, a time; `24h` when absent.
    #[serde(default)]
    since: Option<String>,
    /// Up to then; now when absent.
    #[serde(default)]
    until: Option<String>,
    /// Only these exchanges, such as `api=shop`.
    #[serde(default)]
    filter: Option<String>,
}

pub(crate) async fn config(State(console): State<Shared>, Given(given): Given<ConfigThought>) -> Reply<Preview> {
    let range = range(given.since.as_deref(), given.until.as_deref(), console.now())?;
    let filter = filter(given.filter.as_deref())?;
    let text = given.text;
    let mut replay =
        blocking(&console, move |console| console.steering.replay(&text).map_err(Problem::diagnosed)).await?;
    let query = EventQuery {
        since: range.since,
        until: range.until,
        filter,
        order: Direction::Descending,
        limit: Some(EVENTS_MAX + 1),
    };
    let mut preview = counted(&console, query, |row| replay.judge(row)).await?;
    preview.covered = Some(range.into());
    preview.notes.extend(replay.notes());
    Ok(Json(preview))
}
