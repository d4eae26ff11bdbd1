//! What the learner found, in the inventory's words, as tables and as documents.

use std::collections::BTreeMap;

use learn::{LearnedEndpoint, Learner};
use model::Endpoint;
use serde_json::{Value, json};
use store::StoredEndpoint;

/// Every endpoint of the learner's last judgement, for the inventory.
pub fn endpoints(learner: &Learner) -> Vec<StoredEndpoint> {
    learner.endpoints().into_iter().map(stored).collect()
}

fn stored(found: LearnedEndpoint) -> StoredEndpoint {
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
        id: found.id,
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
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["METHOD", "HOST", "TEMPLATE", "OPERATION", "PROTOCOL", "REQUESTS", "CONFIDENCE", "FOUND BY", "STATE", "LABELS", "ID"]);
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
