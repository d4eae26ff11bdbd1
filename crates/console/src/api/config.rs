//! The configuration: read, check, put in force, go back.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Done;
use crate::Shared;
use crate::call::{Caller, Changed, Given, Reply, blocking, changing};
use crate::problem::Problem;
use crate::steering::{ConfigText, Diagnostic};

/// Versions that are listed.
const VERSIONS_MAX: usize = 100;
/// The longest word about a change.
const NOTE_BYTES_MAX: usize = 1_000;

pub(crate) async fn show(State(console): State<Shared>) -> Reply<ConfigText> {
    Ok(Json(blocking(&console, |console| Ok(console.steering.config())).await?))
}

/// A configuration to be checked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigToCheck {
    /// The text.
    text: String,
}

/// What is wrong with a configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// True when it may be put in force.
    valid: bool,
    /// The mistakes.
    diagnostics: Vec<Diagnostic>,
}

pub(crate) async fn validate(State(console): State<Shared>, Given(given): Given<ConfigToCheck>) -> Reply<Checked> {
    let diagnostics = blocking(&console, move |console| Ok(console.steering.validate(&given.text))).await?;
    Ok(Json(Checked { valid: diagnostics.is_empty(), diagnostics }))
}

/// A configuration to be put in force.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigToApply {
    /// The text.
    text: String,
    /// Why.
    #[serde(default)]
    note: String,
    /// The revision that was edited: when another is in force by now, nothing is changed.
    #[serde(default)]
    revision: Option<String>,
}

pub(crate) async fn apply(
    State(console): State<Shared>,
    caller: Caller,
    Given(given): Given<ConfigToApply>,
) -> Reply<Done> {
    put(&console, caller, given, "config.apply").await
}

async fn put(console: &Shared, caller: Caller, given: ConfigToApply, action: &'static str) -> Reply<Done> {
    let ConfigToApply { text, note, revision } = given;
    if note.len() > NOTE_BYTES_MAX {
        return Err(Problem::invalid(format!("`note` is longer than {NOTE_BYTES_MAX} bytes; shorten it")));
    }
    let work = changing(console, move |console, inventory| {
        let before = console.steering.config();
        if !before.writable {
            return Err(Problem::conflict(before.reason));
        }
        if revision.is_some_and(|revision| revision != before.revision) {
            return Err(Problem::conflict(
                "the configuration was changed by somebody else meanwhile; load it again and repeat your change",
            ));
        }
        if inventory.policy(None)?.is_none() {
            // The first version is what the gateway was started with, so that there is a way back to it.
            inventory.put_policy("start", console.now(), "the configuration at the start", &before.text)?;
        }
        console.steering.apply(&text).map_err(Problem::diagnosed)?;
        // What is in force now, with its secrets masked: they are kept nowhere else.
        let after = console.steering.config();
        let version = inventory.put_policy(&caller.name, console.now(), &note, &after.text)?;
        let changed = Changed {
            action,
            subject: format!("version {version}"),
            before: json!(before.text),
            after: json!(after.text),
        };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}

/// Versions, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VersionList {
    /// The versions.
    versions: Vec<VersionLine>,
}

/// A version of the configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VersionLine {
    /// Ascending from one.
    version: i64,
    /// When it was put in force, in seconds since the epoch.
    at_s: i64,
    /// Who put it in force.
    who: String,
    /// Why.
    note: String,
    /// The text; empty in lists.
    text: String,
}

fn line(version: store::inventory::PolicyVersion) -> VersionLine {
    let store::inventory::PolicyVersion { version, at, who, note, text } = version;
    VersionLine { version, at_s: at.secs(), who, note, text }
}

pub(crate) async fn versions(State(console): State<Shared>) -> Reply<VersionList> {
    let versions = blocking(&console, |console| {
        let Some(inventory) = console.inventory()? else { return Ok(Vec::new()) };
        Ok(inventory.policies(VERSIONS_MAX)?)
    });
    let without_text = |version| VersionLine { text: String::new(), ..line(version) };
    Ok(Json(VersionList { versions: versions.await?.into_iter().map(without_text).collect() }))
}

pub(crate) async fn version(State(console): State<Shared>, Path(number): Path<String>) -> Reply<VersionLine> {
    Ok(Json(line(stored(&console, number).await?)))
}

async fn stored(console: &Shared, number: String) -> Result<store::inventory::PolicyVersion, Problem> {
    blocking(console, move |console| {
        let unknown = || Problem::not_found("version", &crate::overrides::shortened(&number));
        let wanted: i64 = number.parse().map_err(|_| unknown())?;
        let inventory = console.inventory()?.ok_or_else(unknown)?;
        inventory.policy(Some(wanted))?.ok_or_else(unknown)
    })
    .await
}

pub(crate) async fn roll_back(
    State(console): State<Shared>,
    caller: Caller,
    Path(number): Path<String>,
) -> Reply<Done> {
    let version = stored(&console, number).await?;
    let note = format!("back to version {}", version.version);
    let given = ConfigToApply { text: version.text, note, revision: None };
    put(&console, caller, given, "config.roll-back").await
}
