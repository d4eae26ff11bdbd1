//! Learned against declared: shadow, orphan and zombie endpoints.

use model::EndpointId;

use crate::constraints::plain;
use crate::endpoint::LearnedEndpoint;

/// An endpoint of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Host; empty for any.
    pub host: String,
    /// Method, upper case.
    pub method: String,
    /// Template, parameters by any name.
    pub template: String,
    /// Statuses declared; empty when the contract allows any.
    pub statuses: Vec<u16>,
}

/// A difference.
#[derive(Clone, Debug, PartialEq)]
pub enum Drift {
    /// It has traffic and is declared nowhere.
    Shadow {
        /// The learned endpoint.
        endpoint: EndpointId,
        /// Its method and template.
        name: String,
    },
    /// It is declared and was never seen.
    Orphan {
        /// Index among the declared ones.
        declared: usize,
    },
    /// It is declared and was seen, but not for long.
    Zombie {
        /// Index among the declared ones.
        declared: usize,
        /// The learned endpoint.
        endpoint: EndpointId,
        /// Microseconds since it was last seen.
        idle_us: i64,
    },
}

/// Compares; `now` and `zombie_after` in microseconds. A declared parameter covers learned literals in its place, because
/// a rare value may look like a literal; a declared literal covers nothing but itself.
pub fn drift(learned: &[LearnedEndpoint], declared: &[Declared], now: i64, zombie_after: i64) -> Vec<Drift> {
    let mut last_seen: Vec<Option<(i64, EndpointId)>> = vec![None; declared.len()];
    let mut differences = Vec::new();
    for endpoint in learned {
        let best = declared
            .iter()
            .enumerate()
            .filter_map(|(at, one)| covers(one, endpoint).map(|literals| (literals, std::cmp::Reverse(at))))
            .max();
        let Some((_, std::cmp::Reverse(at))) = best else {
            let name = format!("{} {}", endpoint.method, endpoint.template);
            differences.push(Drift::Shadow { endpoint: endpoint.id, name });
            continue;
        };
        if let Some(seen) = last_seen.get_mut(at)
            && seen.is_none_or(|(last, _)| endpoint.last_seen.0 > last)
        {
            *seen = Some((endpoint.last_seen.0, endpoint.id));
        }
    }
    for (declared, seen) in last_seen.into_iter().enumerate() {
        match seen {
            None => differences.push(Drift::Orphan { declared }),
            Some((last, endpoint)) if now.saturating_sub(last) > zombie_after => {
                differences.push(Drift::Zombie { declared, endpoint, idle_us: now.saturating_sub(last) });
            }
            Some(_) => (),
        }
    }
    differences
}

/// How many literals agree when a declaration covers a learned endpoint.
fn covers(declared: &Declared, endpoint: &LearnedEndpoint) -> Option<usize> {
    let host = declared.host.is_empty() || declared.host == endpoint.host || endpoint.hosts.contains(&declared.host);
    if !host || declared.method != endpoint.method {
        return None;
    }
    let (ours, theirs) = (plain(&endpoint.template), plain(&declared.template));
    let (mut ours, mut theirs) = (ours.split('/'), theirs.split('/'));
    let mut literals = 0;
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return Some(literals),
            (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => literals += usize::from(!b.contains('{')),
            (Some(_), Some("{}")) => (),
            (Some(a), Some(b)) if b.contains("{}") && composite(a, b) => (),
            _ => return None,
        }
    }
}

/// A declared piece such as `{}.{}` covers pieces with the same fixed parts.
fn composite(ours: &str, declared: &str) -> bool {
    let mut rest = ours;
    let mut parts = declared.split("{}").peekable();
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part).filter(|_| !part.is_empty()) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::learner::Found;
    use model::{EndpointState, OriginSet, Protocol, Timestamp};

    pub(crate) fn learned(id: u64, template: &str, last_seen: i64) -> LearnedEndpoint {
        LearnedEndpoint {
            id: EndpointId(id),
            whole: EndpointId(id),
            host: "x.com".to_owned(),
            hosts: vec!["x.com".to_owned()],
            method: "GET".to_owned(),
            template: template.to_owned(),
            operation: String::new(),
            protocol: Protocol::Rest,
            parameters: Vec::new(),
            confidence: 1.0,
            origins: OriginSet::default(),
            state: EndpointState::Review,
            counts: crate::endpoint::Counts::default(),
            labels: Vec::new(),
            first_seen: Timestamp(0),
            last_seen: Timestamp(last_seen),
            schema_known: false,
            found: Found { branch: 0, method: 0, probability: 1.0 },
        }
    }

    #[test]
    fn shadows_orphans_and_zombies_are_told_apart() {
        let declared = |template: &str| Declared {
            host: String::new(),
            method: "GET".to_owned(),
            template: template.to_owned(),
            statuses: Vec::new(),
        };
        let learned = [
            learned(1, "/users/{userId}", 100),
            learned(2, "/users/admin", 95),
            learned(3, "/debug", 100),
            learned(4, "/f/a.json", 5),
        ];
        let declared = [declared("/users/{id}"), declared("/users/me"), declared("/f/{name}.{format}")];
        assert_eq!(
            drift(&learned, &declared, 100, 50),
            [
                Drift::Shadow { endpoint: EndpointId(3), name: "GET /debug".to_owned() },
                Drift::Orphan { declared: 1 },
                Drift::Zombie { declared: 2, endpoint: EndpointId(4), idle_us: 95 },
            ]
        );
    }
}
