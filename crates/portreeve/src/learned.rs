//! What the learner found, in the inventory's words, as tables and as documents.

use std::collections::{BTreeMap, HashMap};

use learn::matcher::Matcher;
use learn::path::pieces;
use learn::{LearnedEndpoint, Learner};
use model::{Endpoint, EndpointId};
use serde_json::{Value, json};
use store::StoredEndpoint;

/// The inventory's ids of what a learner found. The same place has the same id in every run, and an endpoint whose
/// template changes while the learner runs keeps the id it was first given.
#[derive(Default)]
pub struct Identities {
    given: HashMap<(EndpointId, String), EndpointId>,
}

impl Identities {
    fn of(&mut self, found: &LearnedEndpoint) -> EndpointId {
        let new = || id_of(&found.host, &found.method, &found.template, &found.operation);
        *self.given.entry((found.id, found.operation.clone())).or_insert_with(new)
    }
}

/// The top bit stays clear: SQLite's integers are signed.
fn id_of(host: &str, method: &str, template: &str, operation: &str) -> EndpointId {
    let text = format!("{method} {host}{} {operation}", shape(template));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let bytes = digest.as_ref().first_chunk::<8>().copied().unwrap_or_default();
    EndpointId(u64::from_be_bytes(bytes) >> 1)
}

/// A template without the names of its parameters.
pub fn shape(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str("{}");
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out
}

/// Where requests belong, as of the last judgement: what the recorder needs to give events their endpoint.
#[derive(Default)]
pub struct Places {
    /// The group of each host.
    hosts: HashMap<String, usize>,
    /// By group: compiled templates, and the endpoint of each number they give.
    groups: Vec<(Matcher, Vec<Option<EndpointId>>)>,
}

impl Places {
    /// The places of a judgement. Endpoints with operations are not told apart by path; they keep none.
    pub fn of(learner: &Learner, found: &[LearnedEndpoint], identities: &mut Identities) -> Self {
        let mut places = Self::default();
        for (at, group) in learner.groups().iter().enumerate() {
            let domain = &*group.domain;
            let inside =
                |host: &str| host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
            let mut ids: HashMap<(&str, String), EndpointId> = HashMap::new();
            for endpoint in found.iter().filter(|endpoint| endpoint.hosts.iter().any(|host| inside(host))) {
                places.hosts.extend(endpoint.hosts.iter().map(|host| (host.clone(), at)));
                if endpoint.operation.is_empty() {
                    ids.insert((&endpoint.method, shape(&endpoint.template)), identities.of(endpoint));
                }
            }
            let numbered = group.found.iter().enumerate().map(|(number, one)| {
                let key = (learner.method(one.method), shape(&learner.template(at, number)));
                ids.get(&key).copied()
            });
            places.groups.push((group.matcher.clone(), numbered.collect()));
        }
        places
    }

    /// The endpoint of a request.
    pub fn find(&self, host: &str, method: &str, target: &str) -> Option<EndpointId> {
        let (matcher, ids) = self.groups.get(*self.hosts.get(host)?)?;
        let number = matcher.find(method, &pieces(target))?;
        ids.get(number as usize).copied().flatten()
    }
}

/// What was found, for the inventory.
pub fn endpoints(found: &[LearnedEndpoint], identities: &mut Identities) -> Vec<StoredEndpoint> {
    found.iter().map(|found| stored(found.clone(), identities.of(found))).collect()
}

fn stored(found: LearnedEndpoint, id: EndpointId) -> StoredEndpoint {
    let counts = &found.counts;
    let evidence = json!({
        "text": found.evidence(), "confidence": found.confidence,
        "successes": counts.successes, "failures": counts.failures, "classes": counts.classes,
        "clients": counts.clients, "sessions": counts.sessions, "credentials": counts.credentials,
    });
    let parameters: Vec<Value> = found
        .parameters
        .iter()
        .map(|parameter| {
            let reasons = parameter.reasons.iter().map(|(name, value, weight)| json!([name, value, weight]));
            json!({
                "name": parameter.name, "type": parameter.kind.name(), "type_confidence": parameter.kind_confidence,
                "confidence": parameter.confidence, "distinct": parameter.distinct, "once": parameter.once,
                "reasons": reasons.collect::<Vec<_>>(), "samples": parameter.samples,
            })
        })
        .collect();
    let mut stored = StoredEndpoint::new(Endpoint {
        id,
        api: String::new(),
        host: found.host,
        method: found.method,
        template: found.template,
        operation: found.operation,
        protocol: found.protocol,
        origins: found.origins,
        state: found.state,
        confidence: found.confidence,
        labels: found.labels.iter().map(|label| label.name.to_owned()).collect(),
        first_seen: found.first_seen,
        last_seen: found.last_seen,
        requests: found.counts.successes + found.counts.failures,
    });
    stored.evidence = evidence;
    stored.parameters = Value::Array(parameters);
    stored
}

/// What strangers wrote must not steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Endpoints as lines of a table, the busiest first.
pub fn table(endpoints: &[StoredEndpoint]) -> String {
    let mut sorted: Vec<&StoredEndpoint> = endpoints.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |stored: &StoredEndpoint| (std::cmp::Reverse(stored.endpoint.requests), stored.name());
        key(a).cmp(&key(b))
    });
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "METHOD",
        "HOST",
        "TEMPLATE",
        "OPERATION",
        "PROTOCOL",
        "REQUESTS",
        "CONFIDENCE",
        "FOUND BY",
        "STATE",
        "LABELS",
        "ID",
    ]);
    for stored in sorted {
        let endpoint = &stored.endpoint;
        table.add_row([
            printable(&endpoint.method),
            printable(&endpoint.host),
            printable(&endpoint.template),
            printable(&endpoint.operation),
            endpoint.protocol.name().to_owned(),
            endpoint.requests.to_string(),
            format!("{:.2}", endpoint.confidence),
            origins(endpoint),
            format!("{:?}", endpoint.state).to_lowercase(),
            endpoint.labels.join(","),
            endpoint.id.to_string(),
        ]);
    }
    table.trim_fmt()
}

/// What found an endpoint, in words.
pub fn origins(endpoint: &Endpoint) -> String {
    let all = [
        (endpoint.origins.session_identifier, "session-identifier"),
        (endpoint.origins.learning, "learning"),
        (endpoint.origins.contract, "contract"),
        (endpoint.origins.manual, "manual"),
    ];
    all.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect::<Vec<_>>().join("+")
}

/// One OpenAPI 3.1 document per host.
pub fn documents(endpoints: &[StoredEndpoint]) -> BTreeMap<String, Value> {
    let mut hosts: BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>> = BTreeMap::new();
    for stored in endpoints {
        let Endpoint { host, template, method, .. } = &stored.endpoint;
        let operations = hosts.entry(host.clone()).or_default().entry(template.clone()).or_default();
        operations.insert(method.to_lowercase(), operation(stored));
    }
    let document = |(host, paths): (String, BTreeMap<String, BTreeMap<String, Value>>)| {
        let known: BTreeMap<String, BTreeMap<String, Value>> = paths
            .into_iter()
            .map(|(path, mut operations)| {
                // OpenAPI has no place for other methods.
                operations.retain(|method, _| {
                    ["get", "put", "post", "delete", "options", "head", "patch", "trace"].contains(&method.as_str())
                });
                (path, operations)
            })
            .collect();
        let name = if host.is_empty() { "unknown".to_owned() } else { host };
        let document = json!({
            "openapi": "3.1.0", "info": {"title": format!("{name}, as found in traffic"), "version": "0"},
            "servers": [{"url": format!("https://{name}")}], "paths": known,
        });
        (name, document)
    };
    hosts.into_iter().map(document).collect()
}

fn operation(stored: &StoredEndpoint) -> Value {
    let parameters: Vec<Value> = stored
        .parameters
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| {
            let schema = match parameter["type"].as_str().unwrap_or_default() {
                "int" | "integer" => json!({"type": "integer"}),
                "uuid" => json!({"type": "string", "format": "uuid"}),
                "date" => json!({"type": "string", "format": "date"}),
                "email" => json!({"type": "string", "format": "email"}),
                _ => json!({"type": "string"}),
            };
            json!({"name": parameter["name"], "in": "path", "required": true, "schema": schema})
        })
        .collect();
    let mut operation = json!({
        "parameters": parameters, "responses": {"default": {"description": "As seen."}},
        "x-portreeve": {"id": stored.endpoint.id.to_string(), "confidence": stored.endpoint.confidence, "requests": stored.endpoint.requests},
    });
    // What was learned about the messages wins over what the path alone tells.
    if let (Some(learned), Some(operation)) = (stored.schema.as_object(), operation.as_object_mut()) {
        operation.extend(learned.clone());
    }
    operation
}

/// Endpoints as JSON.
pub fn as_json(stored: &StoredEndpoint) -> Value {
    json!({
        "endpoint": stored.endpoint, "owner": stored.owner, "note": stored.note, "evidence": stored.evidence,
        "parameters": stored.parameters, "schema": stored.schema, "risk": stored.risk,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parameters_do_not_change_an_id() {
        let id = |template: &str| id_of("a.example", "GET", template, "");
        assert_eq!(id("/users/{userId}/x"), id("/users/{}/x"));
        assert_ne!(id("/users/{userId}"), id("/users/me"));
        assert_eq!(shape("/a/{b}-{c}.json"), "/a/{}-{}.json");
        assert!(id("/x").0 < 1 << 63);
    }
}
