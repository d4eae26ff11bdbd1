//! What would happen: how many recorded exchanges a mode would have refused, before it is switched on.
//!
//! The verdict is made from findings alone: a stage in mode `block` refuses what it is sure of and no exception lets pass. So
//! the recorded findings give the exact answer for every stage that ran, without judging anything again. What did not run then
//! (mode `off`) left no findings, and the answer says so. Compared is with the policy in force, not with the verdict of that time, so
//! that what was switched since then is not counted again.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::Json;
use axum::extract::State;
use model::{Reason, Severity, StageId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::EventQuery;
use store::json::event_json;
use store::query::{Direction, Field, Filter, Operator, Value as Compared};
use store::row::Row;

use super::events::{called, filter};
use crate::Shared;
use crate::call::{Given, Reply, blocking, names};
use crate::figures::{Covered, Named};
use crate::overrides::{Overrides, shortened, stage};
use crate::problem::Problem;
use crate::range::range;
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

/// What would have happened.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Preview {
    /// The range looked at.
    covered: Option<Covered>,
    /// Exchanges that would be refused and are carried under the policy in force.
    newly_refused: u64,
    /// Those among them that the upstream answered with 2xx: people who would notice.
    newly_refused_successes: u64,
    /// Different sessions among the newly refused.
    sessions: usize,
    /// Different clients among the newly refused.
    clients: usize,
    /// Exchanges that would be carried and are refused under the policy in force.
    newly_carried: u64,
    /// The newly refused by endpoint, the most first.
    by_endpoint: Vec<Named>,
    /// The newly refused by reason, the most first.
    by_reason: Vec<Named>,
    /// Some exchanges whose verdict would change.
    examples: Vec<Value>,
    /// What the endpoints are called, by id.
    endpoints: BTreeMap<String, String>,
    /// What must be known about this answer: what did not run, what was not looked at.
    notes: Vec<String>,
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
    let _turn = console.queries.acquire().await.map_err(|error| Problem::internal(&error))?;
    let mut stream = console.reader.events(query, names(console).await?)?;
    let mut preview = Preview::default();
    let (mut sessions, mut clients) = (HashSet::new(), HashSet::new());
    let (mut endpoints, mut reasons) = (HashMap::<u64, u64>::new(), HashMap::<&'static str, u64>::new());
    let (mut looked_at, mut examples) = (0usize, Vec::new());
    while let Some(rows) = stream.next().await {
        for row in rows? {
            looked_at += 1;
            let refusal = proposal.refusal(&row, overrides);
            let is_refused = present.refusal(&row, overrides).is_some();
            if refusal.is_some() == is_refused {
                continue;
            }
            let Some(reason) = refusal else {
                preview.newly_carried += 1;
                continue;
            };
            preview.newly_refused += 1;
            preview.newly_refused_successes += u64::from((200..300).contains(&row.status));
            sessions.extend(row.session);
            clients.insert(row.client.to_string());
            *endpoints.entry(row.endpoint.unwrap_or(0)).or_default() += 1;
            *reasons.entry(reason.code()).or_default() += 1;
            if examples.len() < EXAMPLES_MAX {
                examples.push(row);
            }
        }
    }
    if looked_at > EVENTS_MAX {
        preview
            .notes
            .push(format!("only the latest {EVENTS_MAX} exchanges with findings were looked at; take a shorter range"));
    }
    (preview.sessions, preview.clients) = (sessions.len(), clients.len());
    preview.examples = examples.iter().map(event_json).collect();
    let name = |id: u64| if id == 0 { "no endpoint".to_owned() } else { format!("e{id}") };
    preview.by_endpoint = most(endpoints.into_iter().map(|(id, count)| (name(id), count)));
    preview.endpoints = called(
        console,
        preview.by_endpoint.iter().filter_map(|line| crate::overrides::endpoint_id(&line.name)).collect(),
    )
    .await?;
    preview.by_reason = most(reasons.into_iter().map(|(code, count)| (code.to_owned(), count)));
    Ok(preview)
}

fn most(counts: impl Iterator<Item = (String, u64)>) -> Vec<Named> {
    let mut lines: Vec<Named> = counts.map(|(name, count)| Named { name, count }).collect();
    lines.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    lines.truncate(100);
    lines
}
