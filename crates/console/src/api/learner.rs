//! The operators' words to the learner: split, pin, rename; kept until they are withdrawn.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Done;
use crate::Shared;
use crate::call::{Caller, Changed, Given, Reply, blocking, changing};
use crate::overrides::shortened;
use crate::problem::Problem;

/// What may be said.
const KINDS: [&str; 5] = ["merge", "split", "pin", "rename", "ignore"];
/// Longest body, in bytes of JSON.
const BODY_BYTES_MAX: usize = 16_384;

/// Words to the learner.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConstraintList {
    /// In the order they were given; withdrawn ones too.
    constraints: Vec<ConstraintLine>,
}

/// A word to the learner.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConstraintLine {
    /// Its number.
    id: i64,
    /// When it was given, in seconds since the epoch.
    at_s: i64,
    /// Who gave it.
    who: String,
    /// `merge`, `split`, `pin`, `rename` or `ignore`.
    kind: String,
    /// What it says.
    body: Value,
    /// When it was withdrawn, in seconds since the epoch.
    withdrawn_s: Option<i64>,
}

pub(crate) async fn list(State(console): State<Shared>) -> Reply<ConstraintList> {
    let constraints = blocking(&console, |console| {
        let Some(inventory) = console.inventory()? else { return Ok(Vec::new()) };
        Ok(inventory.constraints()?)
    });
    let line = |constraint: store::inventory::Constraint| ConstraintLine {
        id: constraint.id,
        at_s: constraint.at.secs(),
        who: constraint.who,
        kind: constraint.kind,
        body: constraint.body,
        withdrawn_s: constraint.withdrawn_at.map(model::Timestamp::secs),
    };
    Ok(Json(ConstraintList { constraints: constraints.await?.into_iter().map(line).collect() }))
}

/// A word to be given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConstraintToAdd {
    /// `merge`, `split`, `pin`, `rename` or `ignore`.
    kind: String,
    /// What it says, such as `{"template": "/users/{id}", "host": "api.example.com", "method": "GET"}`.
    body: serde_json::Map<String, Value>,
}

/// The number of what was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Made {
    /// Its number.
    id: i64,
}

pub(crate) async fn add(
    State(console): State<Shared>,
    caller: Caller,
    Given(given): Given<ConstraintToAdd>,
) -> Reply<Made> {
    if !KINDS.contains(&given.kind.as_str()) {
        return Err(Problem::invalid(format!("`kind` is one of {}", KINDS.join(", "))));
    }
    let body = Value::Object(given.body);
    if body.to_string().len() > BODY_BYTES_MAX {
        return Err(Problem::invalid(format!("`body` is longer than {BODY_BYTES_MAX} bytes")));
    }
    let id = changing(&console, move |console, inventory| {
        let id = inventory.add_constraint(&caller.name, console.now(), &given.kind, &body)?;
        let subject = format!("{} {id}", given.kind);
        console.note(
            inventory,
            &caller,
            Changed { action: "learner.tell", subject, before: Value::Null, after: body },
        )?;
        Ok(id)
    });
    Ok(Json(Made { id: id.await? }))
}

pub(crate) async fn withdraw(State(console): State<Shared>, caller: Caller, Path(id): Path<String>) -> Reply<Done> {
    let work = changing(&console, move |console, inventory| {
        let number: i64 = id.parse().map_err(|_| Problem::not_found("constraint", &shortened(&id)))?;
        inventory.withdraw_constraint(console.now(), number)?;
        let changed =
            Changed { action: "learner.withdraw", subject: id.clone(), before: json!(number), after: Value::Null };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}
