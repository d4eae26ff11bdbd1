//! Tokens: who has which role. A token is shown once, when it is made.

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Done;
use crate::Shared;
use crate::auth::{Role, StoredToken, TOKENS_MAX, new_secret, put_tokens, tokens};
use crate::call::{Caller, Changed, Given, Reply, blocking, changing};
use crate::overrides::shortened;
use crate::problem::Problem;

/// Tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenList {
    /// Without the tokens themselves, which are kept nowhere.
    tokens: Vec<TokenLine>,
}

/// A token.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TokenLine {
    /// Its number.
    id: u64,
    /// Its name, as in the audit log.
    name: String,
    /// What its holder may do.
    role: Role,
    /// When it was made, in seconds since the epoch.
    made_s: i64,
    /// When it ends, in seconds since the epoch.
    until_s: Option<i64>,
}

fn line(token: &StoredToken) -> TokenLine {
    TokenLine { id: token.id, name: token.name.clone(), role: token.role, made_s: token.made_s, until_s: token.until_s }
}

pub(crate) async fn list(State(console): State<Shared>) -> Reply<TokenList> {
    let stored = blocking(&console, |console| {
        Ok(console.inventory()?.map(|inventory| tokens(&inventory)).transpose()?.unwrap_or_default())
    });
    Ok(Json(TokenList { tokens: stored.await?.iter().map(line).collect() }))
}

/// A token to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenToMake {
    /// Its name, as the audit log will show it.
    name: String,
    /// What its holder may do.
    role: Role,
    /// When it ends, in seconds since the epoch; absent for never.
    until_s: Option<i64>,
}

/// A new token.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NewToken {
    /// The token, shown this once.
    secret: String,
    /// What is kept of it.
    token: TokenLine,
}

pub(crate) async fn make(
    State(console): State<Shared>,
    caller: Caller,
    Given(given): Given<TokenToMake>,
) -> Reply<NewToken> {
    let name = given.name.trim().to_owned();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("a token needs a name of 1 to 100 bytes without control characters"));
    }
    let made = changing(&console, move |console, inventory| {
        let mut stored = tokens(inventory)?;
        if stored.len() >= TOKENS_MAX {
            return Err(Problem::conflict(format!("there are {TOKENS_MAX} tokens; delete some first")));
        }
        if stored.iter().any(|token| token.name == name) {
            return Err(Problem::conflict(format!("there is a token `{name}` already; names tell the holders apart")));
        }
        // The first token closes the open door: unless it is an admin's, nobody could make another.
        if stored.is_empty() && console.settings.token.is_none() && given.role != Role::Admin {
            return Err(Problem::conflict(
                "the first token must have the role `admin`, or nobody could make the next one",
            ));
        }
        let (secret, sha256) = new_secret().ok_or_else(|| Problem::internal(&"the system gives no random bits"))?;
        let id = stored.iter().map(|token| token.id).max().unwrap_or(0).saturating_add(1);
        let made_s = console.now().secs();
        let token = StoredToken { id, name, role: given.role, sha256, made_s, until_s: given.until_s };
        let shown = line(&token);
        stored.push(token);
        put_tokens(inventory, &stored)?;
        let subject = shown.name.clone();
        console.note(
            inventory,
            &caller,
            Changed { action: "token.make", subject, before: Value::Null, after: json!(shown) },
        )?;
        Ok(NewToken { secret, token: shown })
    });
    Ok(Json(made.await?))
}

pub(crate) async fn delete(State(console): State<Shared>, caller: Caller, Path(id): Path<String>) -> Reply<Done> {
    let work = changing(&console, move |console, inventory| {
        let unknown = || Problem::not_found("token", &shortened(&id));
        let number: u64 = id.parse().map_err(|_| unknown())?;
        let mut stored = tokens(inventory)?;
        let index = stored.iter().position(|token| token.id == number).ok_or_else(unknown)?;
        let gone = stored.remove(index);
        let admin_left = stored.iter().any(|token| token.role == Role::Admin && token.until_s.is_none());
        if !admin_left && !stored.is_empty() && console.settings.token.is_none() {
            return Err(Problem::conflict("the last lasting token of an admin cannot go while others are there"));
        }
        put_tokens(inventory, &stored)?;
        let (subject, before) = (gone.name.clone(), json!(line(&gone)));
        Ok(console.note(inventory, &caller, Changed { action: "token.delete", subject, before, after: Value::Null })?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}
