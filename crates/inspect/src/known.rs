//! Endpoints that somebody decided about, as the data path needs them: which request belongs to which of them, and the
//! learned contract it is held to.
//!
//! Built off the path from the inventory and swapped in with the snapshot. Nothing here is looked at while no endpoint
//! was saved and none has a mode of its own.

use std::collections::HashMap;
use std::sync::Arc;

use model::ids::EndpointId;
use schema::openapi::{Contract, Match, OperationId, PathValues};

use crate::stages::contract::{ContractPolicy, Unmentioned};
use model::mode::Mode;

/// Extension of an operation that names its endpoint's number, as text.
pub const ENDPOINT_EXTENSION: &str = "x-portreeve-endpoint";
/// Extension of an operation: its contract is in force; without it, the endpoint is only recognised.
pub const ENFORCED_EXTENSION: &str = "x-portreeve-enforced";
/// Extension of an operation: every parameter is known, so that others may be refused.
pub const COMPLETE_EXTENSION: &str = "x-portreeve-complete";

/// The endpoints of all hosts.
#[derive(Clone, Debug, Default)]
pub struct KnownEndpoints {
    /// By host in lower case.
    exact: HashMap<Box<str>, Arc<KnownHost>>,
    /// Hosts with a variable part, as `front*back`.
    patterns: Vec<(Box<str>, Box<str>, Arc<KnownHost>)>,
}

/// The endpoints of one host.
#[derive(Debug)]
struct KnownHost {
    /// Refuses parameters that it does not know.
    strict: ContractPolicy,
    /// Reports them; the same contract.
    lenient: ContractPolicy,
    /// By operation.
    endpoints: Vec<KnownEndpoint>,
}

#[derive(Clone, Copy, Debug)]
struct KnownEndpoint {
    id: EndpointId,
    enforced: bool,
    complete: bool,
}

/// Where a request belongs.
#[derive(Clone, Debug)]
pub struct Located<'k> {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Its learned contract, when it is in force, with the operation and the raw values of the path parameters.
    pub contract: Option<(&'k ContractPolicy, OperationId, PathValues)>,
}

impl KnownEndpoints {
    /// Adds the endpoints of one host; a host with a variable part has one `*`. The templates of the contract are in lower case,
    /// because servers that ignore case must not offer a way round.
    pub fn insert(&mut self, host: &str, contract: Arc<Contract>) {
        let endpoints = contract.operations().iter().map(|operation| {
            let text = |name: &str| {
                let found = operation.extensions.iter().find(|(known, _)| **known == *name);
                found.map(|(_, text)| text.trim_matches('"'))
            };
            KnownEndpoint {
                id: EndpointId(text(ENDPOINT_EXTENSION).and_then(|text| text.parse().ok()).unwrap_or(0)),
                enforced: text(ENFORCED_EXTENSION) == Some("true"),
                complete: text(COMPLETE_EXTENSION) == Some("true"),
            }
        });
        let policy = |undeclared_parameters| {
            let mut policy = ContractPolicy::new(Arc::clone(&contract));
            policy.unknown_endpoints = Unmentioned::Ignore;
            policy.undeclared_parameters = undeclared_parameters;
            // What answers look like is learned on, and what changes about them is drift.
            policy.responses = Mode::Off;
            policy
        };
        let known = Arc::new(KnownHost {
            endpoints: endpoints.collect(),
            strict: policy(Unmentioned::Refuse),
            lenient: policy(Unmentioned::Report),
        });
        let host = host.to_ascii_lowercase();
        match host.split_once('*') {
            Some((front, back)) => self.patterns.push((front.into(), back.into(), known)),
            None => {
                self.exact.insert(host.into(), known);
            }
        }
    }

    /// True when there is nothing to be found.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// Where a request belongs; `path` in canonical form. A trailing slash and case make no difference.
    pub fn find(&self, method: &[u8], host: &[u8], path: &[u8]) -> Option<Located<'_>> {
        if self.is_empty() {
            return None;
        }
        let method = std::str::from_utf8(method).ok()?;
        let host = std::str::from_utf8(host).ok()?.to_ascii_lowercase();
        let path = std::str::from_utf8(path).ok()?.to_ascii_lowercase();
        let trimmed = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&path);
        let known = self.exact.get(host.as_str()).or_else(|| self.pattern(&host))?;
        // Lower case keeps every byte in its place, so that the values are where they were.
        let Match::Operation(id, values) = known.strict.openapi()?.match_operation(method, &host, trimmed) else {
            return None;
        };
        let endpoint = known.endpoints.get(id.0 as usize)?;
        let policy = if endpoint.complete { &known.strict } else { &known.lenient };
        let contract = endpoint.enforced.then_some((policy, id, values));
        Some(Located { endpoint: endpoint.id, contract })
    }

    fn pattern(&self, host: &str) -> Option<&Arc<KnownHost>> {
        let fits = |front: &str, back: &str| {
            host.len() > front.len() + back.len() && host.starts_with(front) && host.ends_with(back)
        };
        self.patterns.iter().find(|(front, back, _)| fits(front, back)).map(|(_, _, known)| known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"
openapi: 3.1.0
info: {title: learned, version: "0"}
paths:
  /users/{userId}:
    get:
      x-portreeve-endpoint: "7"
      x-portreeve-enforced: true
      x-portreeve-complete: true
      parameters: [{name: userId, in: path, required: true, schema: {type: integer}}]
      responses: {default: {description: any}}
  /users/me:
    get:
      x-portreeve-endpoint: "8"
      responses: {default: {description: any}}
"#;

    fn known(host: &str) -> KnownEndpoints {
        let loaded = schema::openapi::load_bytes("a.yaml", DOCUMENT.as_bytes(), &Default::default());
        assert!(loaded.is_sound(), "{:?}", loaded.diagnostics);
        let mut known = KnownEndpoints::default();
        known.insert(host, Arc::new(loaded.contract.unwrap()));
        known
    }

    #[test]
    fn requests_are_found_whatever_their_spelling() {
        let known = known("Api.example.com");
        let find = |host: &str, path: &str| known.find(b"GET", host.as_bytes(), path.as_bytes());
        let found = find("api.EXAMPLE.com", "/USERS/17/").unwrap();
        assert_eq!(found.endpoint, EndpointId(7));
        let (policy, _, values) = found.contract.unwrap();
        assert_eq!((policy.undeclared_parameters, values.as_slice()), (Unmentioned::Refuse, &[(7, 9)][..]));
        let found = find("api.example.com", "/users/me").unwrap();
        assert!(found.endpoint == EndpointId(8) && found.contract.is_none());
        assert!(find("other.example.com", "/users/17").is_none());
        assert!(known.find(b"POST", b"api.example.com", b"/users/17").is_none());
        assert!(known.find(b"GET", b"api.example.com", b"/users/\xff").is_none());
        assert!(find("api.example.com", "/").is_none());
    }

    #[test]
    fn hosts_may_have_a_variable_part() {
        let known = known("*-api.example.com");
        assert!(known.find(b"GET", b"uk-api.example.com", b"/users/1").is_some());
        assert!(known.find(b"GET", b"-api.example.com", b"/users/1").is_none());
    }
}
