//! Every resource of the admin API, in one table: what it is, who may ask, what goes in and out, and what answers it. The router
//! and the OpenAPI document are both made from it, so neither can lack a line of the other.

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use axum::{Json, Router};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::Shared;
use crate::api::{
    audit, config, endpoints, events, exceptions, health, incidents, learner, overview, policy, sessions, threats,
    tokens, whatif,
};
use crate::assets;
use crate::auth::{Role, guard};
use crate::overrides::AllowedHere;
use crate::problem::Problem;
use crate::report;
use crate::steering::ConfigText;

/// The longest body: a configuration of many APIs.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A resource.
pub(crate) struct Route {
    /// The method.
    pub(crate) method: &'static str,
    /// The path with its parameters.
    pub(crate) path: &'static str,
    /// Who may ask.
    pub(crate) role: Role,
    /// What it is called in generated clients.
    pub(crate) id: &'static str,
    /// One sentence.
    pub(crate) summary: &'static str,
    /// Arguments of the query.
    pub(crate) args: Option<SchemaOf>,
    /// The body.
    pub(crate) body: Option<SchemaOf>,
    /// The answer.
    pub(crate) answer: SchemaOf,
    answered_by: fn() -> MethodRouter<Shared>,
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn route(method: &'static str, path: &'static str, role: Role, id: &'static str, summary: &'static str) -> Route {
    Route {
        method,
        path,
        role,
        id,
        summary,
        args: None,
        body: None,
        answer: of::<serde_json::Value>,
        answered_by: || get(missing),
    }
}

impl Route {
    const fn args<T: JsonSchema>(self) -> Self {
        Self { args: Some(of::<T>), ..self }
    }

    const fn body<T: JsonSchema>(self) -> Self {
        Self { body: Some(of::<T>), ..self }
    }

    const fn gives<T: JsonSchema>(self, answered_by: fn() -> MethodRouter<Shared>) -> Self {
        Self { answer: of::<T>, answered_by, ..self }
    }
}

use crate::api::{Done, RangeArgs};
use Role::{Admin, Operator, Viewer};

/// The table.
pub(crate) static ROUTES: &[Route] = &[
    route("GET", "/api/v1/me", Viewer, "me", "Who asks, and what they may do").gives::<health::Me>(|| get(health::me)),
    route("GET", "/api/v1/overview", Viewer, "overview", "Traffic, verdicts, threats, errors, what needs review")
        .args::<overview::OverviewArgs>()
        .gives::<overview::Overview>(|| get(overview::show)),
    route("GET", "/api/v1/endpoints", Viewer, "endpoints", "Endpoints with their figures")
        .args::<endpoints::EndpointArgs>()
        .gives::<endpoints::EndpointList>(|| get(endpoints::list)),
    route("GET", "/api/v1/endpoints/{id}", Viewer, "endpoint", "Everything about one endpoint")
        .args::<RangeArgs>()
        .gives::<endpoints::EndpointDetail>(|| get(endpoints::show)),
    route("PATCH", "/api/v1/endpoints/{id}", Operator, "decideEndpoint", "Decide about an endpoint")
        .body::<endpoints::Decision>()
        .gives::<endpoints::EndpointLine>(|| patch(endpoints::decide)),
    route("DELETE", "/api/v1/endpoints/{id}", Operator, "removeEndpoint", "Take an endpoint out; its history stays")
        .gives::<Done>(|| delete(endpoints::remove)),
    route("POST", "/api/v1/endpoints/{id}/restore", Operator, "restoreEndpoint", "Take a removed endpoint back")
        .gives::<Done>(|| post(endpoints::restore)),
    route("POST", "/api/v1/endpoints/{id}/merge", Operator, "mergeEndpoint", "Another endpoint takes this one's place")
        .body::<endpoints::MergeInto>()
        .gives::<Done>(|| post(endpoints::merge)),
    route("POST", "/api/v1/inbox", Operator, "decideEndpoints", "Save, ignore or reopen several endpoints at once")
        .body::<endpoints::ManyDecided>()
        .gives::<Done>(|| post(endpoints::decide_many)),
    route("GET", "/api/v1/changes", Viewer, "changes", "The history of the inventory")
        .args::<endpoints::LimitArgs>()
        .gives::<endpoints::ChangeList>(|| get(endpoints::changes)),
    route("GET", "/api/v1/constraints", Viewer, "constraints", "The operators' words to the learner")
        .gives::<learner::ConstraintList>(|| get(learner::list)),
    route(
        "POST",
        "/api/v1/constraints",
        Operator,
        "addConstraint",
        "Tell the learner: merge, split, pin, rename, ignore",
    )
    .body::<learner::ConstraintToAdd>()
    .gives::<learner::Made>(|| post(learner::add)),
    route("DELETE", "/api/v1/constraints/{id}", Operator, "withdrawConstraint", "Withdraw a word to the learner")
        .gives::<Done>(|| delete(learner::withdraw)),
    route("GET", "/api/v1/events", Viewer, "events", "Exchanges, the latest first")
        .args::<events::EventArgs>()
        .gives::<events::EventList>(|| get(events::list)),
    route("GET", "/api/v1/events/{id}", Viewer, "event", "One exchange")
        .args::<events::NearArgs>()
        .gives::<events::EventDetail>(|| get(events::show)),
    route("GET", "/api/v1/query", Viewer, "query", "A question about many exchanges, grouped and measured")
        .args::<events::QueryArgs>()
        .gives::<events::QueryAnswer>(|| get(events::query)),
    route("GET", "/api/v1/fields", Viewer, "fields", "The fields a filter may name")
        .gives::<events::FieldList>(|| get(events::fields)),
    route("GET", "/api/v1/threats", Viewer, "threats", "Findings over time, by reason, client, endpoint and place")
        .args::<threats::ThreatArgs>()
        .gives::<threats::Threats>(|| get(threats::show)),
    route("GET", "/api/v1/incidents", Viewer, "incidents", "Exchanges with findings, grouped by who sent them")
        .args::<incidents::IncidentArgs>()
        .gives::<incidents::IncidentList>(|| get(incidents::list)),
    route("GET", "/api/v1/reasons", Viewer, "reasons", "Every reason a finding can have")
        .gives::<threats::ReasonList>(|| get(threats::reasons)),
    route("GET", "/api/v1/sessions", Viewer, "sessions", "Sessions and clients")
        .args::<sessions::SessionArgs>()
        .gives::<sessions::SessionList>(|| get(sessions::list)),
    route("GET", "/api/v1/sessions/{hash}", Viewer, "session", "What one session did")
        .args::<RangeArgs>()
        .gives::<sessions::Timeline>(|| get(sessions::show)),
    route("GET", "/api/v1/health", Viewer, "health", "How the gateway and the store are")
        .gives::<health::Health>(|| get(health::show)),
    route("GET", "/api/v1/policy", Viewer, "policy", "Modes: configured, set here, in force")
        .gives::<policy::PolicyView>(|| get(policy::show)),
    route("PUT", "/api/v1/policy/modes", Operator, "setMode", "Set the mode of a stage of an API")
        .body::<policy::ModeToSet>()
        .gives::<Done>(|| put(policy::set_mode)),
    route(
        "POST",
        "/api/v1/policy/what-if",
        Viewer,
        "whatIf",
        "What a mode would have done to recorded traffic; changes nothing",
    )
    .body::<whatif::WhatIf>()
    .gives::<crate::replay::Preview>(|| post(whatif::preview)),
    route("GET", "/api/v1/exceptions", Viewer, "exceptions", "What is let pass")
        .gives::<exceptions::ExceptionList>(|| get(exceptions::list)),
    route("POST", "/api/v1/exceptions", Operator, "makeException", "Let one reason pass at one place")
        .body::<exceptions::ExceptionToMake>()
        .gives::<AllowedHere>(|| post(exceptions::make)),
    route("DELETE", "/api/v1/exceptions/{id}", Operator, "withdrawException", "Withdraw an exception")
        .gives::<Done>(|| delete(exceptions::withdraw)),
    route("GET", "/api/v1/config", Admin, "config", "The configuration in force, secrets masked")
        .gives::<ConfigText>(|| get(config::show)),
    route("POST", "/api/v1/config/validate", Admin, "validateConfig", "Check a configuration; changes nothing")
        .body::<config::ConfigToCheck>()
        .gives::<config::Checked>(|| post(config::validate)),
    route(
        "POST",
        "/api/v1/config/what-if",
        Admin,
        "whatIfConfig",
        "What a configuration would have done to recorded traffic; changes nothing",
    )
    .body::<whatif::ConfigThought>()
    .gives::<crate::replay::Preview>(|| post(whatif::config)),
    route("PUT", "/api/v1/config", Admin, "applyConfig", "Put a configuration in force")
        .body::<config::ConfigToApply>()
        .gives::<Done>(|| put(config::apply)),
    route("GET", "/api/v1/config/versions", Admin, "configVersions", "Versions of the configuration")
        .gives::<config::VersionList>(|| get(config::versions)),
    route("GET", "/api/v1/config/versions/{version}", Admin, "configVersion", "One version with its text")
        .gives::<config::VersionLine>(|| get(config::version)),
    route("POST", "/api/v1/config/versions/{version}/roll-back", Admin, "rollBackConfig", "Go back to a version")
        .gives::<Done>(|| post(config::roll_back)),
    route("GET", "/api/v1/audit", Viewer, "audit", "Who changed what")
        .args::<audit::AuditArgs>()
        .gives::<audit::AuditList>(|| get(audit::list)),
    route("GET", "/api/v1/report", Viewer, "report", "The report of the state of the APIs; as JSON, HTML or Markdown")
        .args::<report::ReportArgs>()
        .gives::<report::Report>(|| get(report::show)),
    route("GET", "/api/v1/tokens", Admin, "tokens", "Tokens and their roles")
        .gives::<tokens::TokenList>(|| get(tokens::list)),
    route("POST", "/api/v1/tokens", Admin, "makeToken", "Make a token; it is shown this once")
        .body::<tokens::TokenToMake>()
        .gives::<tokens::NewToken>(|| post(tokens::make)),
    route("DELETE", "/api/v1/tokens/{id}", Admin, "deleteToken", "Delete a token")
        .gives::<Done>(|| delete(tokens::delete)),
    route("GET", "/api/v1/openapi.json", Viewer, "document", "This document")
        .gives::<serde_json::Value>(|| get(document)),
];

/// The role a request needs; `None` when there is no such resource.
pub(crate) fn role(method: &str, path: &str) -> Option<Role> {
    ROUTES.iter().find(|route| route.method == method && route.path == path).map(|route| route.role)
}

/// True when there is such a resource.
pub(crate) fn exists(path: &str) -> bool {
    ROUTES.iter().any(|route| route.path == path)
}

/// Everything that is served.
pub(crate) fn router(console: Shared) -> Router {
    let mut api = Router::new();
    for route in ROUTES {
        api = api.route(route.path, (route.answered_by)());
    }
    let api = api
        .route("/api/{*rest}", axum::routing::any(missing))
        .layer(middleware::from_fn_with_state(Shared::clone(&console), guard))
        .layer(middleware::from_fn(marked))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    api.fallback(get(assets::asset)).layer(middleware::map_response(assets::guarded)).with_state(console)
}

async fn marked(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(assets::FromApi);
    response
}

async fn document() -> Json<serde_json::Value> {
    Json(crate::document())
}

async fn missing(request: Request) -> Response {
    Problem::not_found("resource", &crate::overrides::shortened(request.uri().path())).into_response()
}
