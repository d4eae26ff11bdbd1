//! Who may ask what: tokens with roles, and an open door for this machine alone until the first token is set.
//!
//! Tokens come in `Authorization: Bearer`, never in cookies, so a browser adds nothing to a request that another site makes. While
//! the door is open, requests must name this machine as their host (against DNS rebinding), and every change must carry
//! the field `X-Portreeve`, which no other site can add.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError};

use aws_lc_rs::{constant_time, digest, rand};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Inventory, StoreError};

use crate::call::{Caller, blocking};
use crate::problem::Problem;
use crate::{Shared, routes};

/// The setting that keeps the tokens.
const SETTING: &str = "console.tokens";
/// Most tokens.
pub(crate) const TOKENS_MAX: usize = 200;

/// What a caller may do; each role may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Reviews endpoints, sets modes, makes exceptions.
    Operator,
    /// Changes the configuration and the tokens.
    Admin,
}

impl Role {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A token as stored: its SHA-256, never itself. Tokens are 256 random bits, so a slow hash would add nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredToken {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) sha256: String,
    pub(crate) made_s: i64,
    pub(crate) until_s: Option<i64>,
}

/// The stored tokens.
pub(crate) fn tokens(inventory: &Inventory) -> Result<Vec<StoredToken>, StoreError> {
    let Some(value) = inventory.setting(SETTING)? else { return Ok(Vec::new()) };
    Ok(serde_json::from_value(value)?)
}

/// Stores the tokens.
pub(crate) fn put_tokens(inventory: &mut Inventory, tokens: &[StoredToken]) -> Result<(), StoreError> {
    inventory.put_setting(SETTING, &serde_json::to_value(tokens)?)?;
    Ok(())
}

/// A new token and what is stored of it; `None` when the system gives no random bits.
pub(crate) fn new_secret() -> Option<(String, String)> {
    let mut bits = [0u8; 32];
    rand::fill(&mut bits).ok()?;
    let secret = format!("ptr_{}", hex(&bits));
    let stored = hash(&secret);
    Some((secret, stored))
}

fn hash(secret: &str) -> String {
    hex(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lets a request through to its handler when its caller may make it.
pub(crate) async fn guard(State(console): State<Shared>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let client = peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let now = console.now();
    if !console.throttle.lock().unwrap_or_else(PoisonError::into_inner).admits(client, now) {
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "too many requests; wait a moment");
        return ([(header::RETRY_AFTER, "2")], problem).into_response();
    }
    // The body of a request cannot be shared, so only what is judged is taken along.
    let asked = Asked {
        path: request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default(),
        method: request.method().clone(),
        headers: request.headers().clone(),
    };
    match admit(&console, peer, &asked).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => {
            if problem.status == 401 && asked.headers.contains_key(header::AUTHORIZATION) {
                console.throttle.lock().unwrap_or_else(PoisonError::into_inner).wrong_token(client, now);
            }
            problem.into_response()
        }
    }
}

struct Asked {
    path: String,
    method: Method,
    headers: HeaderMap,
}

async fn admit(console: &Shared, peer: Option<IpAddr>, asked: &Asked) -> Result<Caller, Problem> {
    // HEAD is answered by the handler of GET.
    let method = if asked.method == Method::HEAD { "GET" } else { asked.method.as_str() };
    let needed = routes::role(method, &asked.path);
    let caller = caller(console, peer, &asked.headers).await?;
    let Some(needed) = needed else {
        if !routes::exists(&asked.path) {
            return Err(Problem::not_found("resource", "of this path"));
        }
        let detail = format!("`{}` takes no {method}", asked.path);
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail));
    };
    if caller.role < needed {
        let detail = format!("this needs the role `{}`, and the token has `{}`", needed.name(), caller.role.name());
        return Err(Problem::new(StatusCode::FORBIDDEN, "role", detail));
    }
    if method != "GET" {
        check_origin(&asked.headers)?;
    }
    Ok(caller)
}

/// Whose request this is.
async fn caller(console: &Shared, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Caller, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let stored = blocking(console, |console| {
        Ok(console.inventory()?.map(|inventory| tokens(&inventory)).transpose()?.unwrap_or_default())
    })
    .await?;
    let configured = console.settings.token.as_deref();
    if stored.is_empty() && configured.is_none() {
        return open_door(peer, headers);
    }
    let Some(given) = given else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "token", "a token is needed: `Authorization: Bearer ..`"));
    };
    holder(&given, configured, &stored, console.now()).ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "token", "the token is unknown or has ended; ask an admin for a new one")
    })
}

fn holder(given: &str, configured: Option<&str>, stored: &[StoredToken], now: Timestamp) -> Option<Caller> {
    let given = hash(given);
    // Constant time, though only hashes are compared: how much of one is right must not be told.
    let same = |other: &str| constant_time::verify_slices_are_equal(given.as_bytes(), other.as_bytes()).is_ok();
    if configured.is_some_and(|configured| same(&hash(configured))) {
        return Some(Caller { name: Arc::from("configured token"), role: Role::Admin, open: false });
    }
    let token = stored.iter().find(|token| same(&token.sha256))?;
    let holds = token.until_s.is_none_or(|until| now.secs() < until);
    holds.then(|| Caller { name: Arc::from(token.name.as_str()), role: token.role, open: false })
}

/// Without any token: only this machine, addressed as this machine.
fn open_door(peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Caller, Problem> {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if peer.is_some_and(|peer| peer.is_loopback()) && names_this_machine(host) {
        return Ok(Caller { name: Arc::from("local"), role: Role::Admin, open: true });
    }
    let detail = "without a token the console answers this machine only, under `localhost`; set `admin.token`";
    Err(Problem::new(StatusCode::FORBIDDEN, "loopback", detail))
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A change must come from the dashboard itself or from a program, never from another site.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let forbidden = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, "origin", detail));
    if text("x-portreeve").is_none() {
        return forbidden("a change needs the field `X-Portreeve: 1`, which other sites cannot send");
    }
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return forbidden("the change comes from another site");
    }
    if let Some(origin) = text("origin") {
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
        if Some(authority) != text("host") {
            return forbidden("the field `Origin` names another site");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        for (host, expected) in [
            ("localhost:9090", true),
            ("127.0.0.1", true),
            ("127.9.9.9:80", true),
            ("[::1]:9090", true),
            ("rebound.example", false),
            ("localhost.evil.example", false),
            ("", false),
            ("10.0.0.1", false),
            ("[", false),
        ] {
            assert_eq!(names_this_machine(host), expected, "{host}");
        }
    }

    #[test]
    fn tokens_end_and_roles_follow() {
        let (secret, sha256) = new_secret().expect("random bits");
        let token = StoredToken {
            id: 1,
            name: "night shift".into(),
            role: Role::Viewer,
            sha256,
            made_s: 0,
            until_s: Some(100),
        };
        let stored = [token];
        let at = |secs| holder(&secret, Some("of the configuration"), &stored, Timestamp::from_secs(secs));
        assert_eq!(at(99).map(|caller| caller.role), Some(Role::Viewer));
        assert!(at(100).is_none());
        assert!(holder("wrong", Some("of the configuration"), &stored, Timestamp(0)).is_none());
        let admin = holder("of the configuration", Some("of the configuration"), &stored, Timestamp(0));
        assert_eq!(admin.map(|caller| caller.role), Some(Role::Admin));
        assert!(!stored[0].sha256.contains(&secret));
    }

    #[test]
    fn other_sites_change_nothing() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
        };
        let with = |pairs| check_origin(&headers(pairs)).is_ok();
        assert!(with(&[("x-portreeve", "1")]));
        assert!(with(&[("x-portreeve", "1"), ("origin", "http://localhost:9090"), ("host", "localhost:9090")]));
        assert!(!with(&[]));
        assert!(!with(&[("x-portreeve", "1"), ("origin", "http://evil.example"), ("host", "localhost:9090")]));
        assert!(!with(&[("x-portreeve", "1"), ("origin", "null"), ("host", "localhost:9090")]));
        assert!(!with(&[("x-portreeve", "1"), ("sec-fetch-site", "cross-site")]));
    }
}
