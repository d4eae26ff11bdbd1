//! Endpoints as OpenAPI documents, one for each host, which the contract stage can enforce as they are.

use std::collections::BTreeMap;

use model::Endpoint;
use schema::emit::{OpenApiVersion, document};
use serde_json::{Value, json};
use store::StoredEndpoint;

use super::shape;

/// One OpenAPI document per host.
pub fn documents(endpoints: &[StoredEndpoint], version: OpenApiVersion) -> BTreeMap<String, Value> {
    let mut hosts: BTreeMap<&str, Vec<&StoredEndpoint>> = BTreeMap::new();
    for stored in endpoints {
        hosts.entry(&stored.endpoint.host).or_default().push(stored);
    }
    let mut documents = BTreeMap::new();
    for (host, mut stored) in hosts {
        // Of two spellings of one template the busier one is written.
        stored.sort_by_key(|stored| std::cmp::Reverse(stored.endpoint.requests));
        let name = if host.is_empty() { "unknown" } else { host };
        let written = operations(&stored);
        let operations = written.iter().map(|((template, method), operation)| (&**template, &**method, operation));
        let title = format!("{name}, as found in traffic");
        documents.insert(name.to_owned(), document(&title, &[server(name)], operations, version));
    }
    documents
}

/// The server of a host; parts that vary become variables.
fn server(host: &str) -> Value {
    let url = format!("https://{host}");
    let names: Vec<&str> = host.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    if names.is_empty() {
        return json!({ "url": url });
    }
    let variables: serde_json::Map<String, Value> =
        names.into_iter().map(|name| (name.to_owned(), json!({ "default": "www" }))).collect();
    json!({ "url": url, "variables": variables })
}

/// Operations by template and method. Endpoints of protocols with operations share one path: they are listed in it.
fn operations(stored: &[&StoredEndpoint]) -> BTreeMap<(String, String), Value> {
    let mut spelled: BTreeMap<String, String> = BTreeMap::new();
    let mut written: BTreeMap<(String, String), Value> = BTreeMap::new();
    for stored in stored {
        let Endpoint { template, method, operation, .. } = &stored.endpoint;
        let template = spelled.entry(shape(template)).or_insert_with(|| template.clone());
        let key = (template.clone(), method.clone());
        let entry = written.entry(key).or_insert_with(|| {
            let mut value = written_operation(stored);
            rename(&mut value, &stored.endpoint.template, template);
            value
        });
        if !operation.is_empty()
            && let Some(entry) = entry.as_object_mut()
            && let Some(list) = entry.entry("x-portreeve-operations").or_insert_with(|| json!([])).as_array_mut()
        {
            list.push(json!(operation));
        }
    }
    written
}

fn written_operation(stored: &StoredEndpoint) -> Value {
    let mut operation = match &stored.schema {
        Value::Object(_) => stored.schema.clone(),
        _ => unknown(&stored.endpoint.template),
    };
    if let Some(members) = operation.as_object_mut() {
        members.insert("x-portreeve-endpoint".to_owned(), json!(stored.endpoint.id.0.to_string()));
        members.insert("x-portreeve-confidence".to_owned(), json!(stored.endpoint.confidence));
        members.insert("x-portreeve-requests".to_owned(), json!(stored.endpoint.requests));
    }
    operation
}

/// An operation about which nothing is known but its path: it lets everything pass.
fn unknown(template: &str) -> Value {
    let names = template.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let parameters: Vec<Value> =
        names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect();
    json!({
        "parameters": parameters,
        "requestBody": {"required": false, "content": {"*/*": {}}},
        "responses": {"default": {"description": "not observed"}},
    })
}

/// Gives path parameters the names of another spelling of the template.
pub fn rename(operation: &mut Value, from: &str, to: &str) {
    if from == to {
        return;
    }
    let names = |template: &str| -> Vec<String> {
        template.split('{').skip(1).filter_map(|rest| rest.split('}').next().map(str::to_owned)).collect()
    };
    let renamed: Vec<(String, String)> = names(from).into_iter().zip(names(to)).collect();
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_path = parameter.get("in").and_then(Value::as_str) == Some("path");
        let own = parameter.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some((_, name)) = renamed.iter().find(|(before, _)| is_path && before == own) else { continue };
        let name = json!(name);
        if let Some(members) = parameter.as_object_mut() {
            members.insert("name".to_owned(), name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{EndpointId, EndpointState, OriginSet, Protocol, Timestamp};

    fn stored(id: u64, host: &str, method: &str, template: &str, operation: &str) -> StoredEndpoint {
        StoredEndpoint::new(Endpoint {
            id: EndpointId(id),
            api: String::new(),
            host: host.to_owned(),
            method: method.to_owned(),
            template: template.to_owned(),
            operation: operation.to_owned(),
            protocol: Protocol::Rest,
            origins: OriginSet::default(),
            state: EndpointState::Review,
            confidence: 0.9,
            labels: Vec::new(),
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            requests: id,
        })
    }

    #[test]
    fn documents_load_as_contracts_in_both_versions() {
        let mut known = stored(9, "{hostVar1}-api.x.com", "GET", "/users/{userId}", "");
        known.schema = json!({
            "parameters": [{"name": "userId", "in": "path", "required": true, "schema": {"type": ["string", "null"]}}],
            "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": ["string", "null"]}}}}},
        });
        let all = [
            known,
            stored(1, "{hostVar1}-api.x.com", "DELETE", "/users/{id}", ""),
            stored(2, "x.com", "POST", "/graphql", "Products"),
            stored(3, "x.com", "POST", "/graphql", "Reviews"),
            stored(4, "x.com", "PROPFIND", "/dav", ""),
        ];
        for version in [OpenApiVersion::V31, OpenApiVersion::V30] {
            let documents = documents(&all, version);
            assert_eq!(documents.len(), 2);
            for (host, document) in &documents {
                let loaded = schema::openapi::load_bytes(host, document.to_string().as_bytes(), &Default::default());
                assert_eq!(loaded.diagnostics, [], "{document}");
            }
            let paths = &documents["x.com"]["paths"];
            assert_eq!(paths["/graphql"]["post"]["x-portreeve-operations"], json!(["Reviews", "Products"]));
            assert!(paths.get("/dav").is_none());
            let relatives = &documents["{hostVar1}-api.x.com"]["paths"]["/users/{userId}"];
            assert_eq!(relatives["delete"]["parameters"][0]["name"], "userId");
        }
    }
}
