//! What is let pass, as narrowly as it was written: `allow this here`, from the event that showed the false alarm.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Done;
use crate::call::{Caller, Changed, Given, Reply, blocking, changing};
use crate::overrides::{AllowedHere, EXCEPTIONS_MAX, Overrides, shortened};
use crate::problem::Problem;
use crate::{Console, Shared};

/// What is let pass.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ExceptionList {
    /// The exceptions, those that have ended too.
    exceptions: Vec<AllowedHere>,
}

pub(crate) async fn list(State(console): State<Shared>) -> Reply<ExceptionList> {
    let exceptions = blocking(&console, |console| {
        let Some(inventory) = console.inventory()? else { return Ok(Vec::new()) };
        Ok(Overrides::load(&inventory)?.exceptions)
    });
    Ok(Json(ExceptionList { exceptions: exceptions.await? }))
}

/// An exception to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExceptionToMake {
    /// The API; empty for all.
    #[serde(default)]
    api: String,
    /// Only at this endpoint, as `e123`; this or `path_prefix` is needed.
    #[serde(default)]
    endpoint: String,
    /// Only under this path.
    #[serde(default)]
    path_prefix: String,
    /// Only at this place of the message, as `query:id`; empty for every one.
    #[serde(default)]
    place: String,
    /// The code of the reason.
    reason: String,
    /// Ends at this second since the Unix epoch; absent for never.
    until_s: Option<i64>,
    /// Why.
    #[serde(default)]
    note: String,
}

pub(crate) async fn make(
    State(console): State<Shared>,
    caller: Caller,
    Given(given): Given<ExceptionToMake>,
) -> Reply<AllowedHere> {
    let made = changing(&console, move |console, inventory| {
        let mut overrides = Overrides::load(inventory)?;
        let exception = AllowedHere {
            id: overrides.next_exception(),
            api: given.api,
            endpoint: given.endpoint,
            path_prefix: given.path_prefix,
            place: given.place,
            reason: given.reason,
            until_s: given.until_s,
            note: given.note,
            who: caller.name.to_string(),
            made_s: console.now().secs(),
        };
        exception.check().map_err(Problem::invalid)?;
        if overrides.exceptions.len() >= EXCEPTIONS_MAX {
            return Err(Problem::conflict(format!("there are {EXCEPTIONS_MAX} exceptions; withdraw some first")));
        }
        overrides.exceptions.push(exception.clone());
        put(console, inventory, &overrides)?;
        let subject = format!("{} at {}{}", exception.reason, exception.endpoint, exception.path_prefix);
        let changed = Changed { action: "exception.make", subject, before: Value::Null, after: json!(exception) };
        console.note(inventory, &caller, changed)?;
        Ok(exception)
    });
    Ok(Json(made.await?))
}

pub(crate) async fn withdraw(State(console): State<Shared>, caller: Caller, Path(id): Path<String>) -> Reply<Done> {
    let work = changing(&console, move |console, inventory| {
        let unknown = || Problem::not_found("exception", &shortened(&id));
        let number: u64 = id.parse().map_err(|_| unknown())?;
        let mut overrides = Overrides::load(inventory)?;
        let index = overrides.exceptions.iter().position(|exception| exception.id == number).ok_or_else(unknown)?;
        let gone = overrides.exceptions.remove(index);
        put(console, inventory, &overrides)?;
        let changed =
            Changed { action: "exception.withdraw", subject: id.clone(), before: json!(gone), after: Value::Null };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}

/// In force first: what the gateway refuses must not be stored.
fn put(console: &Console, inventory: &mut store::Inventory, overrides: &Overrides) -> Result<(), Problem> {
    console.steering.put_overrides(overrides).map_err(Problem::conflict)?;
    Ok(overrides.save(inventory)?)
}
