//! Accepted contracts, compiled for the data path: what was learned about saved endpoints is enforced there.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use inspect::known::{COMPLETE_EXTENSION, ENDPOINT_EXTENSION, ENFORCED_EXTENSION, KnownEndpoints};
use model::{EndpointId, EndpointState};
use schema::emit::{OpenApiVersion, document};
use schema::openapi::{Contract, load_bytes};
use serde_json::{Value, json};
use store::inventory::{AcceptedContract, ContractMode, EndpointFilter, state_name};
use store::{Inventory, StoreError, StoredEndpoint};

use super::documents::rename;
use super::shape;

/// What was decided about endpoints, as the data path takes it.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// The endpoints with their contracts.
    pub known: Arc<KnownEndpoints>,
    /// Endpoints with a contract in force, how far it goes, and a request that belongs there: method, host and path.
    pub contracts: Vec<(EndpointId, ContractMode, [String; 3])>,
}

/// What a reading of the decisions rests on: while this stays, nothing has to be compiled again.
///
/// # Errors
/// When the inventory cannot be read.
pub fn fingerprint(inventory: &Inventory) -> Result<u64, StoreError> {
    let mut hasher = DefaultHasher::new();
    let contracts = inventory.contracts()?;
    for (stored, contract) in &contracts {
        let endpoint = &stored.endpoint;
        (endpoint.id.0, contract.mode.name(), contract.taken_us, &endpoint.host).hash(&mut hasher);
    }
    let all = inventory.endpoints(&EndpointFilter::default())?;
    let moded = all.iter().any(|stored| !stored.mode.is_empty());
    // What else is there only matters beside what is held.
    for stored in all.iter().filter(|_| moded || !contracts.is_empty()) {
        let endpoint = &stored.endpoint;
        (endpoint.id.0, &stored.mode, &endpoint.template, state_name(endpoint.state)).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// One endpoint of a host.
struct Entry<'s> {
    stored: &'s StoredEndpoint,
    template: &'s str,
    operation: Option<&'s Value>,
}

impl Decided {
    /// Reads what was decided. Contracts that cannot be enforced are left out and named in the log.
    ///
    /// # Errors
    /// When the inventory cannot be read.
    pub fn load(inventory: &Inventory) -> Result<Self, StoreError> {
        let contracts = inventory.contracts()?;
        let saved = inventory.endpoints(&EndpointFilter::default())?;
        Ok(Self::of(&contracts, &saved))
    }

    fn of(contracts: &[(StoredEndpoint, AcceptedContract)], all: &[StoredEndpoint]) -> Self {
        let mut hosts: BTreeMap<String, Vec<Entry<'_>>> = BTreeMap::new();
        let mut held = Vec::new();
        for (stored, contract) in contracts.iter().filter(|(_, contract)| contract.mode != ContractMode::Off) {
            let endpoint = &stored.endpoint;
            let sample = [endpoint.method.clone(), host_sample(&endpoint.host), path_sample(&contract.template)];
            held.push((endpoint.id, contract.mode, sample));
            let entry = Entry { stored, template: &contract.template, operation: Some(&contract.operation) };
            hosts.entry(starred(&endpoint.host)).or_default().push(entry);
        }
        // Endpoints with a mode of their own are recognised, too; and everything else that is known of their hosts, so that
        // `/users/me` is not taken for a value of `/users/{id}`.
        let own_mode = |stored: &&StoredEndpoint| !stored.mode.is_empty();
        for stored in all.iter().filter(own_mode) {
            hosts.entry(starred(&stored.endpoint.host)).or_default();
        }
        for stored in all {
            let is_held = held.iter().any(|(id, _, _)| *id == stored.endpoint.id);
            let is_part = stored.endpoint.operation.is_empty() && stored.endpoint.state != EndpointState::Provisional;
            if let (false, true, Some(entries)) = (is_held, is_part, hosts.get_mut(&starred(&stored.endpoint.host))) {
                entries.push(Entry { stored, template: &stored.endpoint.template, operation: None });
            }
        }
        let mut known = KnownEndpoints::default();
        for (host, mut entries) in hosts {
            if let Some(contract) = compiled(&host, &mut entries) {
                known.insert(&host, Arc::new(contract));
            }
        }
        Self { known: Arc::new(known), contracts: held }
    }
}

/// The contract of one host. An endpoint that spoils it is left out.
fn compiled(host: &str, entries: &mut Vec<Entry<'_>>) -> Option<Contract> {
    let load = |entries: &[Entry<'_>]| {
        let text = written(host, entries).to_string();
        let loaded = load_bytes(host, text.as_bytes(), &Default::default());
        let sound = loaded.is_sound();
        let why = loaded.diagnostics.first().map(|diagnostic| diagnostic.message.to_string());
        (loaded.contract.filter(|_| sound), why)
    };
    if let (Some(contract), _) = load(entries) {
        return Some(contract);
    }
    entries.retain(|entry| {
        let (contract, why) = load(std::slice::from_ref(entry));
        if contract.is_none() {
            let why = why.unwrap_or_default();
            tracing::warn!(endpoint = %entry.stored.endpoint.id, %why, "the learned contract of an endpoint cannot be enforced");
        }
        contract.is_some()
    });
    load(entries).0
}

/// The document of one host: templates in lower case, as `inspect::known` matches them.
fn written(host: &str, entries: &[Entry<'_>]) -> Value {
    let mut spelled: BTreeMap<String, String> = BTreeMap::new();
    let mut operations: BTreeMap<(String, String), Value> = BTreeMap::new();
    for entry in entries {
        let lower = lower(entry.template);
        let template = spelled.entry(shape(&lower)).or_insert(lower).clone();
        let key = (template.clone(), entry.stored.endpoint.method.clone());
        if operations.contains_key(&key) {
            continue;
        }
        let mut operation =
            entry.operation.cloned().unwrap_or_else(|| json!({ "responses": { "default": { "description": "" } } }));
        rename(&mut operation, entry.template, &template);
        if let Some(members) = operation.as_object_mut() {
            members.insert(ENDPOINT_EXTENSION.to_owned(), json!(entry.stored.endpoint.id.0.to_string()));
            members.insert(ENFORCED_EXTENSION.to_owned(), json!(entry.operation.is_some()));
            members.entry(COMPLETE_EXTENSION).or_insert(json!(false));
        }
        operations.insert(key, operation);
    }
    let list = operations.iter().map(|((template, method), operation)| (&**template, &**method, operation));
    document(host, &[], list, OpenApiVersion::V31)
}

/// A template with its fixed text in lower case and the names of its parameters as they are.
fn lower(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut inside = false;
    for letter in template.chars() {
        inside = match letter {
            '{' => true,
            '}' => false,
            _ => inside,
        };
        out.push(if inside { letter } else { letter.to_ascii_lowercase() });
    }
    let trimmed = out.strip_suffix('/').filter(|rest| !rest.is_empty()).map(str::to_owned);
    trimmed.unwrap_or(out)
}

/// A host with its variable part as `*`.
fn starred(host: &str) -> String {
    match (host.split_once('{'), host.rsplit_once('}')) {
        (Some((front, _)), Some((_, back))) => format!("{front}*{back}"),
        _ => host.to_owned(),
    }
}

fn host_sample(host: &str) -> String {
    starred(host).replace('*', "x")
}

/// A path that a template matches.
pub fn path_sample(template: &str) -> String {
    shape(template).replace("{}", "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Endpoint, OriginSet, Protocol, Timestamp};

    fn stored(id: u64, template: &str) -> StoredEndpoint {
        StoredEndpoint::new(Endpoint {
            id: EndpointId(id),
            api: String::new(),
            host: "shop.example".to_owned(),
            method: "GET".to_owned(),
            template: template.to_owned(),
            operation: String::new(),
            protocol: Protocol::Rest,
            origins: OriginSet::default(),
            state: EndpointState::Saved,
            confidence: 1.0,
            labels: Vec::new(),
            first_seen: Timestamp(0),
            last_seen: Timestamp(0),
            requests: 1,
        })
    }

    fn contract(template: &str, operation: Value) -> AcceptedContract {
        AcceptedContract {
            mode: ContractMode::Block,
            taken_us: 0,
            who: "ada".to_owned(),
            template: template.to_owned(),
            operation,
        }
    }

    #[test]
    fn saved_endpoints_are_found_and_a_broken_contract_spoils_no_other() {
        let right = json!({
            "parameters": [{"name": "userId", "in": "path", "required": true, "schema": {"type": "integer"}}],
            "responses": {"200": {"description": ""}},
        });
        let wrong = json!({
            "parameters": [{"name": "x", "in": "query", "schema": {"type": "string", "pattern": "("}}],
            "responses": {"200": {"description": ""}},
        });
        let contracts = [
            (stored(1, "/Users/{userId}"), contract("/Users/{userId}", right)),
            (stored(2, "/broken"), contract("/broken", wrong)),
        ];
        let decided = Decided::of(&contracts, &[stored(3, "/users/me")]);
        let find = |path: &str| decided.known.find(b"GET", b"shop.example", path.as_bytes());
        let users = find("/users/17").unwrap();
        assert!(users.endpoint == EndpointId(1) && users.contract.is_some());
        let me = find("/users/me").unwrap();
        assert!(me.endpoint == EndpointId(3) && me.contract.is_none());
        assert!(find("/broken").is_none());
    }

    #[test]
    fn hosts_and_paths_have_samples() {
        assert_eq!(starred("{hostVar1}-api.x.com"), "*-api.x.com");
        assert_eq!(host_sample("{hostVar1}-api.x.com"), "x-api.x.com");
        assert_eq!(path_sample("/a/{b}-{c}.json"), "/a/0-0.json");
        assert_eq!(lower("/Users/{userId}/"), "/users/{userId}");
    }
}
