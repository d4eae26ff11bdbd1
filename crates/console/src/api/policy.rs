//! Modes: as configured, as set here, and in force.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Done;
use crate::Shared;
use crate::call::{Caller, Changed, Given, Reply, blocking, changing};
use crate::overrides::{Overrides, shortened, stage};
use crate::problem::Problem;
use crate::steering::ModeName;

/// The policy.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyView {
    /// The APIs with their stages.
    apis: Vec<ApiPolicy>,
    /// The modes set at single endpoints, by id.
    endpoint_modes: BTreeMap<String, ModeName>,
    /// What is let pass, and holds now.
    exceptions: usize,
}

/// The stages of one API.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ApiPolicy {
    /// The API.
    api: String,
    /// In the order they judge.
    stages: Vec<StagePolicy>,
}

/// The mode of one stage.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StagePolicy {
    /// The stage.
    stage: String,
    /// As configured.
    configured: ModeName,
    /// As set here, over the configuration.
    set: Option<ModeName>,
    /// In force.
    mode: ModeName,
}

pub(crate) async fn show(State(console): State<Shared>) -> Reply<PolicyView> {
    let view = blocking(&console, |console| {
        let overrides = match console.inventory()? {
            Some(inventory) => Overrides::load(&inventory)?,
            None => Overrides::default(),
        };
        let now = console.now();
        let apis = console.steering.modes().into_iter().map(|api| ApiPolicy {
            stages: api
                .stages
                .into_iter()
                .map(|line| {
                    let set = stage(&line.stage).and_then(|stage| overrides.mode(&api.api, stage));
                    StagePolicy { stage: line.stage, configured: line.mode, set, mode: set.unwrap_or(line.mode) }
                })
                .collect(),
            api: api.api,
        });
        Ok(PolicyView {
            apis: apis.collect(),
            endpoint_modes: overrides.endpoint_modes.iter().map(|(id, mode)| (format!("e{id}"), *mode)).collect(),
            exceptions: overrides.exceptions.iter().filter(|exception| exception.holds_at(now)).count(),
        })
    });
    Ok(Json(view.await?))
}

/// A mode to be set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeToSet {
    /// The API.
    api: String,
    /// The stage.
    stage: String,
    /// The mode; absent for the configured one.
    mode: Option<ModeName>,
}

pub(crate) async fn set_mode(
    State(console): State<Shared>,
    caller: Caller,
    Given(given): Given<ModeToSet>,
) -> Reply<Done> {
    let stage = stage(&given.stage).ok_or_else(|| Problem::not_found("stage", &shortened(&given.stage)))?;
    let work = changing(&console, move |console, inventory| {
        let configured = console.steering.modes().into_iter().find(|api| api.api == given.api);
        let configured = configured.ok_or_else(|| Problem::not_found("API", &shortened(&given.api)))?;
        if !configured.stages.iter().any(|line| line.stage == stage.name()) {
            return Err(Problem::not_found("stage", stage.name()));
        }
        let mut overrides = Overrides::load(inventory)?;
        let before = overrides.mode(&given.api, stage);
        let modes = overrides.modes.entry(given.api.clone()).or_default();
        match given.mode {
            Some(mode) => modes.insert(stage.name().to_owned(), mode),
            None => modes.remove(stage.name()),
        };
        overrides.modes.retain(|_, modes| !modes.is_empty());
        console.steering.put_overrides(&overrides).map_err(Problem::conflict)?;
        overrides.save(inventory)?;
        let changed = Changed {
            action: "policy.mode",
            subject: format!("{} {}", given.api, stage.name()),
            before: json!(before),
            after: json!(given.mode),
        };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}
