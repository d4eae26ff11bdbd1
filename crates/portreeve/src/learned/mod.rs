//! What the learner found, in the inventory's words, as tables and as documents.

pub mod documents;
pub mod drift;
pub mod places;
pub mod saved;
pub mod show;
pub mod words;

use std::collections::HashMap;

use learn::contract::{LearnedField, Side, fields};
use learn::{EndpointSchema, LearnedEndpoint, Learner};
use model::{Endpoint, EndpointId, Timestamp};
use schema::emit::OpenApiVersion;
use serde_json::{Value, json};
use store::StoredEndpoint;

pub use documents::documents;
pub use places::Places;
pub use show::{as_json, explained, origins, printable, risks, table};

/// The inventory's ids of what a learner found. The same place has the same id in every run, and an endpoint whose
/// template changes while the learner runs keeps the id it was first given.
#[derive(Default)]
pub struct Identities {
    given: HashMap<(EndpointId, String), EndpointId>,
}

impl Identities {
    fn of(&mut self, found: &LearnedEndpoint) -> EndpointId {
        let key = (found.id, found.operation.clone());
        if let Some(id) = self.given.get(&key) {
            return *id;
        }
        let mut id = id_of(&found.host, &found.method, &found.template, &found.operation);
        // An endpoint whose template changed keeps the id that its first template had; who comes there later gets another.
        while self.given.values().any(|taken| *taken == id) {
            id = EndpointId(id.0.wrapping_add(1) >> 1);
        }
        self.given.insert(key, id);
        id
    }
}

impl Identities {
    /// All of them, to be kept: the learner's id, the operation, the inventory's id.
    pub fn list(&self) -> Vec<(u64, &str, u64)> {
        self.given.iter().map(|((own, operation), given)| (own.0, operation.as_str(), given.0)).collect()
    }

    /// As they were kept.
    pub fn from_list(list: Vec<(u64, String, u64)>) -> Self {
        let given = list.into_iter().map(|(own, operation, given)| ((EndpointId(own), operation), EndpointId(given)));
        Self { given: given.collect() }
    }

    /// Every id that was given.
    pub fn all(&self) -> impl Iterator<Item = EndpointId> {
        self.given.values().copied()
    }

    /// The learner's id of an endpoint without operations.
    pub fn learned(&self, id: EndpointId) -> Option<EndpointId> {
        self.given
            .iter()
            .find(|((_, operation), given)| operation.is_empty() && **given == id)
            .map(|((own, _), _)| *own)
    }

    /// The inventory's id of an endpoint without operations.
    pub fn given(&self, learned: EndpointId) -> Option<EndpointId> {
        self.given.get(&(learned, String::new())).copied()
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

/// Days without traffic after which an endpoint is called a zombie.
const ZOMBIE_DAYS: i64 = 32;

/// What was found, for the inventory, as of `now`.
pub fn endpoints(
    learner: &Learner,
    found: &[LearnedEndpoint],
    identities: &mut Identities,
    now: Timestamp,
) -> Vec<StoredEndpoint> {
    let schemas: HashMap<EndpointId, &EndpointSchema> =
        learner.inventory().all().map(|(_, known)| (known.id, &known.schema)).collect();
    found
        .iter()
        .map(|found| {
            let id = identities.of(found);
            stored(found, id, schemas.get(&found.whole).copied(), now)
        })
        .collect()
}

fn stored(found: &LearnedEndpoint, id: EndpointId, schema: Option<&EndpointSchema>, now: Timestamp) -> StoredEndpoint {
    let counts = &found.counts;
    let fields = schema.map(|schema| fields(found, schema)).unwrap_or_default();
    let evidence = json!({
        "text": found.evidence(), "confidence": found.confidence,
        "successes": counts.successes, "failures": counts.failures, "classes": counts.classes,
        "clients": counts.clients, "sessions": counts.sessions, "credentials": counts.credentials,
        "exchanges": schema.map_or(0, |schema| schema.exchanges),
        "labels": found.labels.iter().map(|label| json!([label.name, label.confidence])).collect::<Vec<_>>(),
    });
    let mut stored = StoredEndpoint::new(Endpoint {
        id,
        api: String::new(),
        host: found.host.clone(),
        method: found.method.clone(),
        template: found.template.clone(),
        operation: found.operation.clone(),
        protocol: found.protocol,
        origins: found.origins,
        state: found.state,
        confidence: found.confidence,
        labels: found.labels.iter().map(|label| label.name.to_owned()).collect(),
        first_seen: found.first_seen,
        last_seen: found.last_seen,
        requests: counts.successes + counts.failures,
    });
    stored.evidence = evidence;
    stored.parameters = parameters(found, &fields);
    if let Some(schema) = schema.filter(|schema| schema.exchanges > 0) {
        stored.schema = learn::contract::operation(found, schema).to_openapi(OpenApiVersion::V31);
    }
    let mut risks = learn::labels::risks(found, now.0, ZOMBIE_DAYS * 86_400_000_000);
    risks.extend(learn::labels::sensitive(&fields).then_some("sensitive-data"));
    stored.risk = json!({ "labels": risks });
    stored
}

/// Every field of an endpoint's messages with its evidence; path parameters with why they are parameters.
fn parameters(found: &LearnedEndpoint, fields: &[LearnedField]) -> Value {
    let mut out: Vec<Value> = Vec::new();
    for parameter in &found.parameters {
        let learned = fields.iter().find(|field| field.side == Side::Path && field.name == parameter.name);
        let mut value = learned.map_or_else(|| json!({"in": "path", "name": parameter.name}), field);
        let reasons = parameter.reasons.iter().map(|(name, value, weight)| json!([name, value, weight]));
        let own = json!({
            "type": parameter.kind.name(), "type_confidence": parameter.kind_confidence,
            "confidence": parameter.confidence, "distinct": parameter.distinct, "once": parameter.once,
            "reasons": reasons.collect::<Vec<_>>(), "samples": parameter.samples, "required": true,
        });
        if let (Some(value), Value::Object(own)) = (value.as_object_mut(), own) {
            value.extend(own);
        }
        out.push(value);
    }
    out.extend(fields.iter().filter(|field| field.side != Side::Path).map(field));
    Value::Array(out)
}

fn field(field: &LearnedField) -> Value {
    let required = field.required_confidence > 0.0 && field.of >= learn::contract::SETTLED_MIN;
    let mut value = json!({
        "in": field.side.name(), "name": field.name, "type": field.types.join("|"),
        "present": field.present, "of": field.of, "values": field.values,
        "required": required, "required_confidence": field.required_confidence,
    });
    let Some(members) = value.as_object_mut() else { return value };
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    if let Some(format) = &field.format {
        put("format", json!(format));
    }
    if !field.enumeration.is_empty() {
        put("enum", json!(field.enumeration));
    }
    if let Some((min, max)) = field.range {
        put("range", json!([min, max]));
    }
    if let Some((min, max)) = field.length {
        put("length", json!([min, max]));
    }
    if field.repeated > 0 {
        put("repeated", json!(field.repeated));
    }
    value
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
