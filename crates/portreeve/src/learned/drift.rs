//! Where traffic and contract differ: endpoints that no declared contract knows, declared ones that nobody calls, and what
//! was learned about messages against what is declared or was accepted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use inspect::stages::contract::ContractPolicy;
use learn::{EndpointSchema, LearnedEndpoint};
use model::{Endpoint, EndpointId, EndpointState, OriginSet, Protocol, Timestamp};
use schema::diff::{Change, Impact, diff};
use schema::emit::{OpenApiVersion, document};
use schema::openapi::{Contract, Match, OperationId, load_bytes};
use serde_json::{Value, json};
use store::StoredEndpoint;
use store::inventory::AcceptedContract;

use super::documents::rename;
use super::saved::path_sample;
use super::{id_of, shape};

/// Most differences kept for one endpoint.
const DIFFERENCES_MAX: usize = 50;

/// What is declared for one API, and which requests it is declared for.
#[derive(Clone)]
pub struct DeclaredApi {
    /// The API.
    pub api: String,
    /// Hosts of its routes, exact or as `*.example.com`; empty for any.
    pub hosts: Vec<String>,
    /// The path its route begins with.
    pub path_prefix: String,
    /// The contract.
    pub contract: Arc<Contract>,
    /// What else its document says of operations, such as their labels.
    pub policy: Arc<ContractPolicy>,
}

/// What is declared for all APIs that have a contract.
pub type Declared = Vec<DeclaredApi>;

/// What the routes of a configuration declare.
pub fn declared(config: &gateway::config::Config) -> Declared {
    let routes = config.routes.iter();
    routes
        .filter_map(|route| {
            let policy = Arc::clone(route.policy.contract.as_ref()?);
            let contract = Arc::clone(policy.openapi()?);
            Some(DeclaredApi {
                api: route.policy.api.to_string(),
                hosts: route.hosts.clone(),
                path_prefix: route.path_prefix.clone(),
                contract,
                policy,
            })
        })
        .collect()
}

impl DeclaredApi {
    /// The labels that the document gives an operation (`x-portreeve-labels`).
    fn labels(&self, id: OperationId) -> &[String] {
        self.policy.operation_policy(id).map_or(&[], |own| &own.labels)
    }

    fn takes(&self, host: &str, path: &str) -> bool {
        let is_host = |known: &String| {
            let known = known.to_ascii_lowercase();
            known == host || known.strip_prefix('*').is_some_and(|back| host.ends_with(back))
        };
        let prefix = self.path_prefix.trim_end_matches('/');
        (self.hosts.is_empty() || self.hosts.iter().any(is_host))
            && path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// One endpoint that was found, with what was learned about it and its row of the inventory.
pub struct Seen<'l> {
    /// As the learner has it.
    pub found: &'l LearnedEndpoint,
    /// Its messages.
    pub schema: Option<&'l EndpointSchema>,
}

/// Writes drift into the rows of what was found, and gives rows for what is declared and was never seen. `rows` and `seen`
/// belong together by position.
pub fn mark(
    declared: &Declared,
    accepted: &HashMap<EndpointId, AcceptedContract>,
    seen: &[Seen<'_>],
    rows: &mut [StoredEndpoint],
    now: Timestamp,
) -> Vec<StoredEndpoint> {
    let mut met: Vec<Vec<bool>> = declared.iter().map(|api| vec![false; api.contract.operations().len()]).collect();
    let mut covered: Vec<Vec<(usize, OperationId)>> = vec![Vec::new(); declared.len()];
    for (at, (one, row)) in seen.iter().zip(rows.iter_mut()).enumerate() {
        let mut drift = Vec::new();
        match covering(declared, one.found) {
            Some((api, id)) => {
                row.endpoint.origins.contract = true;
                if let Some(declared) = declared.get(api) {
                    row.endpoint.api.clone_from(&declared.api);
                    add_labels(&mut row.endpoint.labels, declared.labels(id));
                    statuses(&declared.contract, id, one, &mut drift);
                }
                if let Some(met) = met.get_mut(api).and_then(|met| met.get_mut(id.0 as usize)) {
                    *met = true;
                }
                if let Some(covered) = covered.get_mut(api) {
                    covered.push((at, id));
                }
            }
            None if declared.iter().any(|api| is_taken(api, one.found)) => {
                drift.push(json!({ "kind": "shadow", "place": "", "message": "it has traffic and is not declared" }));
            }
            None => {}
        }
        if let Some(contract) = accepted.get(&row.endpoint.id) {
            drift.extend(since_accepted(row, contract));
        }
        put(row, drift);
    }
    for (api, covered) in declared.iter().zip(&covered) {
        differences(api, covered, rows);
    }
    let orphans = declared.iter().zip(&met).flat_map(|(api, met)| orphans(api, met, now));
    let known: std::collections::HashSet<EndpointId> = rows.iter().map(|row| row.endpoint.id).collect();
    orphans.filter(|row| !known.contains(&row.endpoint.id)).collect()
}

fn add_labels(labels: &mut Vec<String>, declared: &[String]) {
    for label in declared {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
}

fn is_taken(api: &DeclaredApi, found: &LearnedEndpoint) -> bool {
    found.hosts.iter().any(|host| api.takes(host, &path_sample(&found.template)))
}

/// The declared operation that requests of an endpoint match.
fn covering(declared: &Declared, found: &LearnedEndpoint) -> Option<(usize, OperationId)> {
    let path = path_sample(&found.template);
    declared.iter().enumerate().filter(|(_, api)| is_taken(api, found)).find_map(|(at, api)| {
        let host = found.hosts.first()?;
        match api.contract.match_operation(&found.method, host, &path) {
            Match::Operation(id, _) => Some((at, id)),
            Match::UnknownMethod(_) | Match::UnknownEndpoint => None,
        }
    })
}

fn put(row: &mut StoredEndpoint, drift: Vec<Value>) {
    if drift.is_empty() {
        return;
    }
    if !row.risk.is_object() {
        row.risk = json!({});
    }
    if let Some(risk) = row.risk.as_object_mut() {
        let list = risk.entry("drift").or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.extend(drift);
            list.truncate(DIFFERENCES_MAX);
        }
    }
}

/// Statuses that were answered and are not declared.
fn statuses(contract: &Contract, id: OperationId, one: &Seen<'_>, drift: &mut Vec<Value>) {
    for (status, answer) in one.schema.iter().flat_map(|schema| &schema.answers) {
        let judged = contract.judge_response_head(id, *status, &[]);
        let undeclared = judged.violations.iter().find(|violation| violation.kind.name() == "status-undeclared");
        if let Some(violation) = undeclared {
            let message = format!("answered {} times; declared: {}", answer.seen, violation.expected);
            drift.push(json!({ "kind": "undeclared-status", "place": format!("status:{status}"), "message": message }));
        }
    }
}

/// What was learned about messages against the declared operations of one API.
fn differences(api: &DeclaredApi, covered: &[(usize, OperationId)], rows: &mut [StoredEndpoint]) {
    let mut operations: BTreeMap<(String, String), Value> = BTreeMap::new();
    let mut owner: HashMap<(String, String), usize> = HashMap::new();
    for &(at, id) in covered {
        let Some((row, declared)) = rows.get(at).zip(api.contract.operation(id)) else { continue };
        // Of several learned endpoints below one declared operation the busiest speaks.
        let key = (declared.template.to_string(), declared.method.to_string());
        let busier = owner
            .get(&key)
            .and_then(|other| rows.get(*other))
            .is_none_or(|other| other.endpoint.requests < row.endpoint.requests);
        if !row.schema.is_object() || !busier || !row.endpoint.operation.is_empty() {
            continue;
        }
        let mut operation = row.schema.clone();
        rename(&mut operation, &row.endpoint.template, &declared.template);
        operations.insert(key.clone(), operation);
        owner.insert(key, at);
    }
    let list = operations.iter().map(|((template, method), operation)| (&**template, &**method, operation));
    let text = document("learned", &[], list, OpenApiVersion::V31).to_string();
    let Some(learned) = load_bytes("learned", text.as_bytes(), &Default::default()).contract else { return };
    let mut by_row: HashMap<usize, Vec<Value>> = HashMap::new();
    for change in diff(&api.contract, &learned) {
        let Some((method, template)) = change.operation.split_once(' ') else { continue };
        let Some(at) = owner.get(&(template.to_owned(), method.to_owned())) else { continue };
        by_row.entry(*at).or_default().extend(drifted(&change, "is declared"));
    }
    for (at, drift) in by_row {
        if let Some(row) = rows.get_mut(at) {
            put(row, drift);
        }
    }
}

/// What was learned since a contract was accepted.
fn since_accepted(row: &StoredEndpoint, accepted: &AcceptedContract) -> Vec<Value> {
    let load = |template: &str, operation: &Value| {
        let method = row.endpoint.method.as_str();
        let text = document("", &[], [(template, method, operation)].into_iter(), OpenApiVersion::V31).to_string();
        load_bytes("accepted", text.as_bytes(), &Default::default()).contract
    };
    let mut learned = row.schema.clone();
    rename(&mut learned, &row.endpoint.template, &accepted.template);
    if shape(&row.endpoint.template) != shape(&accepted.template) {
        let message = format!("{} became {}", accepted.template, row.endpoint.template);
        return vec![json!({ "kind": "template-changed", "place": "path", "message": message })];
    }
    let Some((before, after)) = load(&accepted.template, &accepted.operation).zip(load(&accepted.template, &learned))
    else {
        return Vec::new();
    };
    diff(&before, &after).iter().filter_map(|change| drifted(change, "was accepted")).collect()
}

/// A difference that traffic shows. What was learned is often narrower than what is declared, because not everything that may
/// come has come: that is no drift.
fn drifted(change: &Change, what: &str) -> Option<Value> {
    let is_answer = change.place.starts_with("response");
    let wider = match change.impact {
        Impact::Loosened => true,
        Impact::Breaking => is_answer || change.rule == "type-changed" && !is_narrower(change),
        Impact::Safe => false,
    };
    let kind = match change.rule {
        "parameter-added" if change.place.starts_with("query") => "undocumented-parameter",
        "member-added" if is_answer => "excess-data",
        "member-added" => "undocumented-parameter",
        "type-changed" => "wrong-type",
        "media-added" => "undeclared-type",
        _ => return None,
    };
    // A new parameter that always came reads as breaking, which it is not.
    let wider = wider || kind == "undocumented-parameter";
    let message = match kind {
        "undocumented-parameter" | "excess-data" => format!("it is seen and not what {what}"),
        _ => change.message.clone(),
    };
    wider.then(|| json!({ "kind": kind, "place": change.place, "message": message }))
}

/// `number` became `integer`, or a text became a number that is written as text.
fn is_narrower(change: &Change) -> bool {
    let Some((before, after)) = change.message.split_once(" became ") else { return false };
    let in_text = ["path", "query", "header"].iter().any(|place| change.place.starts_with(place));
    let holds = |name: &str| before.split([' ', ',', '|']).any(|part| part.trim_matches('`') == name);
    let after: Vec<&str> =
        after.split([' ', ',', '|']).map(|part| part.trim_matches('`')).filter(|part| !part.is_empty()).collect();
    after
        .iter()
        .all(|part| holds(part) || *part == "integer" && holds("number") || *part == "or" || in_text && holds("string"))
}

/// Rows for declared operations that were never seen.
fn orphans(api: &DeclaredApi, met: &[bool], now: Timestamp) -> Vec<StoredEndpoint> {
    let host = api.hosts.first().cloned().or_else(|| api.contract.info().hosts.first().map(ToString::to_string));
    let host = host.unwrap_or_default();
    let base = api.contract.info().base_paths.first().map(ToString::to_string).unwrap_or_default();
    let ids = (0..).map(OperationId);
    let never = ids.zip(api.contract.operations()).zip(met).filter(|(_, met)| !**met);
    never
        .map(|((id, operation), _)| {
            let template = format!("{base}{}", operation.template);
            let mut row = StoredEndpoint::new(Endpoint {
                id: id_of(&host, &operation.method, &template, ""),
                api: api.api.clone(),
                host: host.clone(),
                method: operation.method.to_string(),
                template,
                operation: String::new(),
                protocol: Protocol::Rest,
                origins: OriginSet { contract: true, ..OriginSet::default() },
                state: EndpointState::Saved,
                confidence: 1.0,
                labels: api.labels(id).to_vec(),
                first_seen: now,
                last_seen: now,
                requests: 0,
            });
            row.risk = json!({
                "labels": [],
                "drift": [{ "kind": "orphan", "place": "", "message": "it is declared and was never seen" }],
            });
            row
        })
        .collect()
}
