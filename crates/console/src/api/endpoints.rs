//! The inventory: lists of endpoints with their figures, one endpoint with everything known, and decisions about them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use model::{EndpointId, EndpointState, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::inventory::{AcceptedContract, Change, ContractMode, EndpointFilter, state_name};
use store::rollup::{Counts, Range, Scope};
use store::{Inventory, StoredEndpoint};

use super::{Done, RangeArgs};
use crate::Shared;
use crate::api::overview::series;
use crate::call::{Args, Caller, Changed, Given, Reply, blocking, changing};
use crate::figures::{Covered, Figures, Named, Series, StatusCount, named, status_counts};
use crate::overrides::{Overrides, endpoint_id};
use crate::problem::Problem;
use crate::range::range;
use crate::steering::ModeName;

/// Most endpoints in one answer.
const LINES_MAX: usize = 5_000;
/// Most endpoints changed by one request.
const CHANGED_MAX: usize = 5_000;
/// Days without traffic after which an endpoint is called a zombie.
const ZOMBIE_DAYS: i64 = 32;

/// Which endpoints.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointArgs {
    /// The first moment their figures are of: `24h`, `7d`, a time, or seconds since the epoch; `24h` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// Only this API.
    api: Option<String>,
    /// Only this state: `provisional`, `review`, `saved` or `ignored`.
    state: Option<String>,
    /// Only with this label.
    label: Option<String>,
    /// Only those whose name holds this text.
    text: Option<String>,
}

/// Endpoints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndpointList {
    /// The range the figures are of.
    covered: Covered,
    /// The endpoints, by host, template and method.
    endpoints: Vec<EndpointLine>,
    /// True when there are more.
    truncated: bool,
}

/// An endpoint in a table.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndpointLine {
    /// Its id, as `e123`.
    id: String,
    /// Its API; empty when it is in none.
    api: String,
    /// Host or host template.
    host: String,
    /// The method.
    method: String,
    /// The path template.
    template: String,
    /// GraphQL operation, JSON-RPC method or SOAP operation; empty otherwise.
    operation: String,
    /// The protocol.
    protocol: String,
    /// `provisional`, `review`, `saved` or `ignored`.
    state: String,
    /// What found it: `session-identifier`, `learning`, `contract`, `manual`.
    origins: Vec<&'static str>,
    /// How sure the learner is, 0 to 1.
    confidence: f32,
    /// Labels.
    labels: Vec<String>,
    /// What stands out: `shadow`, `orphan`, `zombie`, `missing-auth`, `mixed-auth`, `open-write`, `sensitive-data`, and drift such as
    /// `undocumented-parameter`, `wrong-type`, `undeclared-status`.
    signals: Vec<&'static str>,
    /// Who is responsible.
    owner: String,
    /// The mode set for it; empty for the API's.
    mode: String,
    /// Seconds since the epoch of the first exchange.
    first_seen_s: i64,
    /// Seconds since the epoch of the last exchange.
    last_seen_s: i64,
    /// Exchanges ever.
    requests_ever: u64,
    /// The figures of the range.
    figures: Figures,
}

/// Everything about one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndpointDetail {
    /// The range the figures are of.
    covered: Covered,
    /// As in the table.
    endpoint: EndpointLine,
    /// The version of the API.
    api_version: String,
    /// An operator's remark.
    note: String,
    /// Why the learner believes in it.
    evidence: Value,
    /// Its parameters.
    parameters: Value,
    /// Its learned schema: an OpenAPI operation.
    schema: Value,
    /// The operation that a configured contract declares for it; null when none does.
    declared: Value,
    /// The learned contract it is held to.
    accepted: Option<Accepted>,
    /// Its risk, what it rests on, and where traffic and contract differ.
    risk: Value,
    /// When it was removed, in seconds since the epoch.
    removed_s: Option<i64>,
    /// The endpoint that took its place.
    replaced_by: Option<String>,
    /// Its traffic over time.
    series: Series,
    /// Exchanges by status and who made it.
    statuses: Vec<StatusCount>,
    /// Exchanges with findings, by reason.
    reasons: Vec<Named>,
    /// Its history, the latest change first.
    changes: Vec<ChangeLine>,
}

/// A change to an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChangeLine {
    /// Ascending over all changes.
    sequence: i64,
    /// When, in seconds since the epoch.
    at_s: i64,
    /// Who.
    who: String,
    /// Which endpoint.
    endpoint: String,
    /// What: a field, or `added`, `removed`, `restored`, `merged`.
    field: String,
    /// What was there before.
    before: Value,
    /// What is there now.
    after: Value,
}

/// Changes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChangeList {
    /// The latest first.
    changes: Vec<ChangeLine>,
}

/// What is decided about an endpoint; what is absent stays.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// `review`, `saved` or `ignored`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<DecidedState>,
    /// All its labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    /// Who is responsible.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The version of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The mode of every stage here: `off`, `monitor`, `block`; empty for the API's.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    /// How far the learned contract of a saved endpoint goes. A contract begins in `monitor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<ModeName>,
    /// Take what is learned by now as the contract, where there is one already.
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_contract: Option<bool>,
}

/// The learned contract that a saved endpoint is held to.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Accepted {
    /// How far it goes.
    mode: ModeName,
    /// When it was taken from what was learned, in seconds since the epoch.
    taken_s: i64,
    /// Who took it.
    who: String,
    /// The OpenAPI operation.
    operation: Value,
}

impl From<AcceptedContract> for Accepted {
    fn from(contract: AcceptedContract) -> Self {
        let mode = match contract.mode {
            ContractMode::Off => ModeName::Off,
            ContractMode::Monitor => ModeName::Monitor,
            ContractMode::Block => ModeName::Block,
        };
        let taken_s = Timestamp(contract.taken_us).secs();
        Self { mode, taken_s, who: contract.who, operation: contract.operation }
    }
}

/// A state that can be decided.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DecidedState {
    /// Waiting for a decision.
    Review,
    /// Accepted.
    Saved,
    /// Declined.
    Ignored,
}

impl DecidedState {
    const fn state(self) -> EndpointState {
        match self {
            Self::Review => EndpointState::Review,
            Self::Saved => EndpointState::Saved,
            Self::Ignored => EndpointState::Ignored,
        }
    }
}

/// A decision about several endpoints.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManyDecided {
    /// Their ids.
    endpoints: Vec<String>,
    /// The state of all of them.
    state: DecidedState,
}

/// The endpoint that takes another's place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeInto {
    /// Its id.
    into: String,
}

/// How many changes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitArgs {
    /// At most so many, up to 1,000; 100 when absent.
    limit: Option<usize>,
}

pub(crate) async fn list(State(console): State<Shared>, Args(args): Args<EndpointArgs>) -> Reply<EndpointList> {
    let now = console.now();
    let range = range(args.since.as_deref(), args.until.as_deref(), now)?;
    let state = args.state.as_deref().map(state).transpose()?;
    let filter = EndpointFilter { api: args.api, state, label: args.label, text: args.text, removed: false };
    let list = blocking(&console, move |console| {
        let Some(inventory) = console.inventory()? else {
            return Ok(EndpointList { covered: range.into(), endpoints: Vec::new(), truncated: false });
        };
        let mut stored = inventory.endpoints(&filter)?;
        let truncated = stored.len() > LINES_MAX;
        stored.truncate(LINES_MAX);
        let (covered, counts) = match console.rollups()? {
            Some(rollups) => {
                let table = rollups.per_endpoint(range)?;
                (table.covered, by_endpoint(table.rows))
            }
            None => (range, HashMap::new()),
        };
        let nothing = Counts::default();
        let lines = stored.iter().map(|stored| line(stored, counts.get(&stored.endpoint.id).unwrap_or(&nothing), now));
        Ok(EndpointList { covered: covered.into(), endpoints: lines.collect(), truncated })
    });
    Ok(Json(list.await?))
}

/// An endpoint's exchanges count wherever they were routed to.
fn by_endpoint(rows: HashMap<Scope, Counts>) -> HashMap<EndpointId, Counts> {
    let mut counts = HashMap::<EndpointId, Counts>::new();
    for (scope, row) in rows {
        if let Scope::Endpoint(_, id) = scope {
            counts.entry(id).or_default().merge(&row);
        }
    }
    counts
}

fn line(stored: &StoredEndpoint, counts: &Counts, now: Timestamp) -> EndpointLine {
    let endpoint = &stored.endpoint;
    let origins = [
        (endpoint.origins.session_identifier, "session-identifier"),
        (endpoint.origins.learning, "learning"),
        (endpoint.origins.contract, "contract"),
        (endpoint.origins.manual, "manual"),
    ];
    EndpointLine {
        id: endpoint.id.to_string(),
        api: endpoint.api.clone(),
        host: endpoint.host.clone(),
        method: endpoint.method.clone(),
        template: endpoint.template.clone(),
        operation: endpoint.operation.clone(),
        protocol: endpoint.protocol.name().to_owned(),
        state: state_name(endpoint.state).to_owned(),
        origins: origins.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect(),
        confidence: endpoint.confidence,
        labels: endpoint.labels.clone(),
        signals: signals(stored, counts, now),
        owner: stored.owner.clone(),
        mode: stored.mode.clone(),
        first_seen_s: endpoint.first_seen.secs(),
        last_seen_s: endpoint.last_seen.secs(),
        requests_ever: endpoint.requests,
        figures: Figures::of(counts),
    }
}

/// What stands out about an endpoint, from its traffic alone. Who may call is told from successful requests only.
pub fn signals(stored: &StoredEndpoint, counts: &Counts, now: Timestamp) -> Vec<&'static str> {
    let endpoint = &stored.endpoint;
    let seen = endpoint.requests > 0 || counts.requests > 0;
    let quiet_days = now.secs().saturating_sub(endpoint.last_seen.secs()) / 86_400;
    let (with, without) = (counts.success_with_credential, counts.success_without_credential);
    let all = [
        (seen && !endpoint.origins.contract, "shadow"),
        (!seen && endpoint.origins.contract, "orphan"),
        (seen && counts.requests == 0 && quiet_days >= ZOMBIE_DAYS, "zombie"),
        (with == 0 && without > 0, "missing-auth"),
        (with > 0 && without > 0, "mixed-auth"),
        (endpoint.writes() && without > 0, "open-write"),
    ];
    let mut signals: Vec<&'static str> = all.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    // What the learner wrote down about risks and drift, by the names that are known here.
    let labels = stored.risk.get("labels").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let drift = stored.risk.get("drift").and_then(Value::as_array).into_iter().flatten();
    let written: Vec<&str> = labels.chain(drift.filter_map(|one| one.get("kind").and_then(Value::as_str))).collect();
    for name in WRITTEN {
        if written.contains(&name) && !signals.contains(&name) {
            signals.push(name);
        }
    }
    signals
}

/// Signals that the learner writes down.
const WRITTEN: [&str; 14] = [
    "shadow",
    "orphan",
    "zombie",
    "missing-auth",
    "mixed-auth",
    "write-without-auth",
    "sensitive-data",
    "missing-schema",
    "error-anomaly",
    "undocumented-parameter",
    "wrong-type",
    "undeclared-status",
    "undeclared-type",
    "excess-data",
];

pub(crate) async fn show(
    State(console): State<Shared>,
    Path(id): Path<String>,
    Args(args): Args<RangeArgs>,
) -> Reply<EndpointDetail> {
    let now = console.now();
    let range = range(args.since.as_deref(), args.until.as_deref(), now)?;
    let id = parsed(&id)?;
    let detail = blocking(&console, move |console| {
        let inventory = console.inventory()?.ok_or_else(|| Problem::not_found("endpoint", &id.to_string()))?;
        let stored = inventory.endpoint(id)?.ok_or_else(|| Problem::not_found("endpoint", &id.to_string()))?;
        let changes = inventory.changes(Some(id), 100)?;
        let accepted = inventory.contract(id)?.map(Accepted::from);
        let (covered, counts, series) = match console.rollups()? {
            Some(rollups) => {
                let mut table = rollups.per_endpoint(range)?;
                table.rows.retain(|scope, _| matches!(scope, Scope::Endpoint(_, of) if *of == id));
                let scope = table.rows.keys().next().cloned();
                let scope = scope.unwrap_or_else(|| Scope::Endpoint(stored.endpoint.api.as_str().into(), id));
                let counts = by_endpoint(table.rows).remove(&id).unwrap_or_default();
                (table.covered, counts, series(&rollups, &scope, range)?)
            }
            None => (range, Counts::default(), Series { step_s: 60, steps: Vec::new() }),
        };
        let declared = console.steering.declared(&stored.endpoint.method, &stored.endpoint.template);
        Ok(EndpointDetail { declared, accepted, ..detail(&stored, covered, &counts, series, changes, now) })
    });
    Ok(Json(detail.await?))
}

fn detail(
    stored: &StoredEndpoint,
    covered: Range,
    counts: &Counts,
    series: Series,
    changes: Vec<Change>,
    now: Timestamp,
) -> EndpointDetail {
    EndpointDetail {
        covered: covered.into(),
        endpoint: line(stored, counts, now),
        api_version: stored.api_version.clone(),
        note: stored.note.clone(),
        evidence: stored.evidence.clone(),
        parameters: stored.parameters.clone(),
        schema: stored.schema.clone(),
        declared: Value::Null,
        accepted: None,
        risk: stored.risk.clone(),
        removed_s: stored.removed_at.map(Timestamp::secs),
        replaced_by: stored.replaced_by.map(|id| id.to_string()),
        series,
        statuses: status_counts(counts),
        reasons: named(counts.reasons.iter().map(|(code, count)| (code.as_ref(), *count))),
        changes: changes.into_iter().map(change_line).collect(),
    }
}

fn change_line(change: Change) -> ChangeLine {
    ChangeLine {
        sequence: change.sequence,
        at_s: change.at.secs(),
        who: change.who,
        endpoint: change.endpoint.to_string(),
        field: change.field,
        before: change.before,
        after: change.after,
    }
}

pub(crate) async fn changes(State(console): State<Shared>, Args(args): Args<LimitArgs>) -> Reply<ChangeList> {
    let limit = args.limit.unwrap_or(100).min(1_000);
    let changes = blocking(&console, move |console| {
        let Some(inventory) = console.inventory()? else { return Ok(Vec::new()) };
        Ok(inventory.changes(None, limit)?)
    });
    Ok(Json(ChangeList { changes: changes.await?.into_iter().map(change_line).collect() }))
}

pub(crate) async fn decide(
    State(console): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Given(decision): Given<Decision>,
) -> Reply<EndpointLine> {
    let id = parsed(&id)?;
    check(&decision)?;
    let line = changing(&console, move |console, inventory| {
        let now = console.now();
        let old = inventory.endpoint(id)?.ok_or_else(|| Problem::not_found("endpoint", &id.to_string()))?;
        let saved = decision.state.map_or(old.endpoint.state, DecidedState::state) == EndpointState::Saved;
        if !saved && (decision.contract.is_some() || decision.renew_contract == Some(true)) {
            return Err(Problem::invalid("only a saved endpoint has a contract; set `state` to `saved`, too"));
        }
        if let Some(mode) = &decision.mode {
            put_mode(console, inventory, id, mode)?;
        }
        let after = serde_json::to_value(&decision).unwrap_or_default();
        let before = before(&old, &after);
        let (contract, renew) = (decision.contract, decision.renew_contract == Some(true));
        let decided = decision.state.is_some() || contract.is_some() || renew || decision.mode.is_some();
        let new = inventory.change(&caller.name, now, id, |stored| apply(stored, decision))?;
        hold(inventory, &caller.name, now, &new, contract, renew)?;
        if decided {
            console.steering.endpoints_decided().map_err(Problem::conflict)?;
        }
        let subject = new.name();
        console.note(inventory, &caller, Changed { action: "endpoint.change", subject, before, after })?;
        Ok(line(&new, &Counts::default(), now))
    });
    Ok(Json(line.await?))
}

/// A saved endpoint is held to what was learned about it; any other one to nothing.
fn hold(
    inventory: &mut Inventory,
    who: &str,
    now: Timestamp,
    stored: &StoredEndpoint,
    mode: Option<ModeName>,
    renew: bool,
) -> Result<(), Problem> {
    let id = stored.endpoint.id;
    if stored.endpoint.state != EndpointState::Saved {
        return Ok(inventory.withdraw_contract(who, now, id)?);
    }
    let mode = mode.and_then(|mode| ContractMode::of_name(mode.name()));
    let held = inventory.contract(id)?.is_some();
    match mode {
        _ if !held || renew => {
            let taken = inventory.accept_contract(who, now, id, mode)?;
            if taken.is_none() && (mode.is_some() || renew) {
                let why = "nothing was learned about its messages yet, or it is an operation that shares its path";
                return Err(Problem::conflict(format!("this endpoint has no learned contract: {why}")));
            }
        }
        Some(mode) => {
            inventory.put_contract_mode(who, now, id, mode)?;
        }
        None => {}
    }
    Ok(())
}

/// The same fields as they were.
fn before(old: &StoredEndpoint, after: &Value) -> Value {
    let all = json!({
        "state": state_name(old.endpoint.state), "labels": old.endpoint.labels, "owner": old.owner,
        "api_version": old.api_version, "note": old.note, "mode": old.mode,
    });
    let fields = after.as_object().into_iter().flatten();
    fields
        .map(|(name, _)| (name.clone(), all.get(name).cloned().unwrap_or_default()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn apply(stored: &mut StoredEndpoint, decision: Decision) {
    let Decision { state, labels, owner, api_version, note, mode, contract: _, renew_contract: _ } = decision;
    if let Some(state) = state {
        stored.endpoint.state = state.state();
    }
    if let Some(mut labels) = labels {
        labels.sort_unstable();
        labels.dedup();
        stored.endpoint.labels = labels;
    }
    for (field, text) in [
        (&mut stored.owner, owner),
        (&mut stored.api_version, api_version),
        (&mut stored.note, note),
        (&mut stored.mode, mode),
    ] {
        if let Some(text) = text {
            *field = text;
        }
    }
}

fn check(decision: &Decision) -> Result<(), Problem> {
    if let Some(mode) = &decision.mode
        && !mode.is_empty()
        && mode_name(mode).is_none()
    {
        return Err(Problem::invalid("a mode is `off`, `monitor`, `block`, or empty for the API's own"));
    }
    let labels = decision.labels.as_deref().unwrap_or_default();
    if labels.len() > 50 || labels.iter().any(|label| label.is_empty() || label.len() > 100) {
        return Err(Problem::invalid("at most 50 labels of 1 to 100 bytes each"));
    }
    let texts = [&decision.owner, &decision.api_version, &decision.note];
    if texts.into_iter().flatten().any(|text| text.len() > 2_000) {
        return Err(Problem::invalid("a text is longer than 2,000 bytes; shorten it"));
    }
    Ok(())
}

fn mode_name(text: &str) -> Option<ModeName> {
    [ModeName::Off, ModeName::Monitor, ModeName::Block].into_iter().find(|mode| mode.name() == text)
}

fn put_mode(console: &crate::Console, inventory: &mut Inventory, id: EndpointId, mode: &str) -> Result<(), Problem> {
    let mut overrides = Overrides::load(inventory)?;
    match mode_name(mode) {
        Some(mode) => overrides.endpoint_modes.insert(id.0, mode),
        None => overrides.endpoint_modes.remove(&id.0),
    };
    console.steering.put_overrides(&overrides).map_err(Problem::conflict)?;
    Ok(overrides.save(inventory)?)
}

pub(crate) async fn decide_many(
    State(console): State<Shared>,
    caller: Caller,
    Given(decided): Given<ManyDecided>,
) -> Reply<Done> {
    if decided.endpoints.len() > CHANGED_MAX {
        return Err(Problem::invalid(format!("at most {CHANGED_MAX} endpoints at once")));
    }
    let ids = decided.endpoints.iter().map(|id| parsed(id)).collect::<Result<Vec<_>, _>>()?;
    let state = decided.state.state();
    let count = changing(&console, move |console, inventory| {
        let now = console.now();
        let mut changed = Vec::new();
        let mut before = serde_json::Map::new();
        for id in ids {
            let mut stored = inventory.endpoint(id)?.ok_or_else(|| Problem::not_found("endpoint", &id.to_string()))?;
            before.insert(id.to_string(), json!(state_name(stored.endpoint.state)));
            stored.endpoint.state = state;
            changed.push(stored);
        }
        inventory.put(&caller.name, now, &changed)?;
        for stored in &changed {
            hold(inventory, &caller.name, now, stored, None, false)?;
        }
        console.steering.endpoints_decided().map_err(Problem::conflict)?;
        let subject = format!("{} endpoints", changed.len());
        let after = json!(state_name(state));
        console.note(
            inventory,
            &caller,
            Changed { action: "endpoint.change-many", subject, before: before.into(), after },
        )?;
        Ok(changed.len())
    });
    Ok(Json(Done { count: count.await? }))
}

pub(crate) async fn merge(
    State(console): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Given(merge): Given<MergeInto>,
) -> Reply<Done> {
    let (from, into) = (parsed(&id)?, parsed(&merge.into)?);
    if from == into {
        return Err(Problem::invalid("an endpoint cannot take its own place"));
    }
    let work = changing(&console, move |console, inventory| {
        let now = console.now();
        inventory.merge(&caller.name, now, from, into)?;
        inventory.add_constraint(&caller.name, now, "merge", &json!({"from": from.0, "into": into.0}))?;
        let changed = Changed {
            action: "endpoint.merge",
            subject: from.to_string(),
            before: Value::Null,
            after: json!(into.to_string()),
        };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}

pub(crate) async fn remove(State(console): State<Shared>, caller: Caller, Path(id): Path<String>) -> Reply<Done> {
    let id = parsed(&id)?;
    let work = changing(&console, move |console, inventory| {
        inventory.remove(&caller.name, console.now(), id)?;
        let changed =
            Changed { action: "endpoint.remove", subject: id.to_string(), before: Value::Null, after: Value::Null };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}

pub(crate) async fn restore(State(console): State<Shared>, caller: Caller, Path(id): Path<String>) -> Reply<Done> {
    let id = parsed(&id)?;
    let work = changing(&console, move |console, inventory| {
        inventory.restore(&caller.name, console.now(), id)?;
        let changed =
            Changed { action: "endpoint.restore", subject: id.to_string(), before: Value::Null, after: Value::Null };
        Ok(console.note(inventory, &caller, changed)?)
    });
    work.await?;
    Ok(Json(Done { count: 1 }))
}

fn parsed(id: &str) -> Result<EndpointId, Problem> {
    endpoint_id(id).ok_or_else(|| Problem::not_found("endpoint", &crate::overrides::shortened(id)))
}

fn state(name: &str) -> Result<EndpointState, Problem> {
    use EndpointState::{Ignored, Provisional, Review, Saved};
    [Provisional, Review, Saved, Ignored].into_iter().find(|state| state_name(*state) == name).ok_or_else(|| {
        let shown = crate::overrides::shortened(name);
        Problem::invalid(format!("`{shown}` is no state; use `provisional`, `review`, `saved` or `ignored`"))
    })
}
