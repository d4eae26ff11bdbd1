//! What the learner found, in the inventory's words.

use learn::Learner;
use model::{Endpoint, EndpointId, EndpointState, OriginSet, Protocol, Timestamp};
use serde_json::json;
use store::StoredEndpoint;

/// Every endpoint of the learner's last judgement.
pub fn endpoints(learner: &Learner, now: Timestamp) -> Vec<StoredEndpoint> {
    let mut endpoints = Vec::new();
    for (group_index, group) in learner.groups().iter().enumerate() {
        for (found_index, found) in group.found.iter().enumerate() {
            let method = learner.method(found.method).to_owned();
            let template = learner.template(group_index, found_index);
            let mut successes = 0u64;
            let mut failures = 0u64;
            let mut sessions = 0u64;
            let mut credentials = 0u64;
            let nodes = group.branches.get(found.branch).map(|branch| branch.nodes.as_slice()).unwrap_or_default();
            for terminal in nodes.iter().filter_map(|node| group.trie.node(*node)).flat_map(|node| &node.terminals) {
                if terminal.method == found.method {
                    successes += u64::from(terminal.successes);
                    failures += u64::from(terminal.failures);
                    sessions += u64::from(terminal.sessions);
                    credentials += u64::from(terminal.credentials);
                }
            }
            let host = group.domain.to_string();
            let requests = successes + failures;
            let mut stored = StoredEndpoint::new(Endpoint {
                id: id_of(&host, &method, &template),
                api: String::new(),
                host,
                method,
                template,
                operation: String::new(),
                protocol: Protocol::Rest,
                origins: OriginSet { learning: true, session_identifier: sessions > 0, ..OriginSet::default() },
                state: if requests < 3 { EndpointState::Provisional } else { EndpointState::Review },
                confidence: found.probability,
                labels: Vec::new(),
                first_seen: now,
                last_seen: now,
                requests,
            });
            stored.evidence = json!({
                "probability": found.probability, "successes": successes, "failures": failures,
                "sessions": sessions, "credentials": credentials, "paths": nodes.len(),
            });
            endpoints.push(stored);
        }
    }
    endpoints
}

/// The same place has the same id in every run. The top bit stays clear: SQLite's integers are signed.
pub fn id_of(host: &str, method: &str, template: &str) -> EndpointId {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{method} {host}{template}").as_bytes());
    let bytes = digest.as_ref().first_chunk::<8>().copied().unwrap_or_default();
    EndpointId(u64::from_be_bytes(bytes) >> 1)
}
