//! Where requests belong, as of the last judgement: what the recorder needs to give events their endpoint.

use std::collections::HashMap;

use learn::matcher::Matcher;
use learn::path::pieces;
use learn::{LearnedEndpoint, Learner};
use model::EndpointId;

use super::{Identities, shape};

/// The places of a judgement.
#[derive(Default)]
pub struct Places {
    /// The group of each host.
    hosts: HashMap<String, usize>,
    /// By group: compiled templates, and the endpoint of each number they give.
    groups: Vec<(Matcher, Vec<Place>)>,
}

/// The endpoints of one method and template.
#[derive(Clone, Default)]
struct Place {
    /// Where there are no operations.
    whole: Option<EndpointId>,
    /// By operation, where there are.
    operations: HashMap<Box<str>, EndpointId>,
}

impl Places {
    /// The places of a judgement.
    pub fn of(learner: &Learner, found: &[LearnedEndpoint], identities: &mut Identities) -> Self {
        let mut places = Self::default();
        for (at, group) in learner.groups().iter().enumerate() {
            let domain = &*group.domain;
            let inside =
                |host: &str| host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
            let mut known: HashMap<(&str, String), Place> = HashMap::new();
            for endpoint in found.iter().filter(|endpoint| endpoint.hosts.iter().any(|host| inside(host))) {
                places.hosts.extend(endpoint.hosts.iter().map(|host| (host.clone(), at)));
                let place = known.entry((&endpoint.method, shape(&endpoint.template))).or_default();
                let id = identities.of(endpoint);
                match endpoint.operation.as_str() {
                    "" => place.whole = Some(id),
                    operation => {
                        place.operations.insert(operation.into(), id);
                    }
                }
            }
            let numbered = group.found.iter().enumerate().map(|(number, one)| {
                let key = (learner.method(one.method), shape(&learner.template(at, number)));
                known.get(&key).cloned().unwrap_or_default()
            });
            places.groups.push((group.matcher.clone(), numbered.collect()));
        }
        places
    }

    /// The endpoint of a request; `operation` is empty where its protocol has none.
    pub fn find(&self, host: &str, method: &str, target: &str, operation: &str) -> Option<EndpointId> {
        let (matcher, places) = self.groups.get(*self.hosts.get(host)?)?;
        let number = matcher.find(method, &pieces(target))?;
        let place = places.get(number as usize)?;
        place.operations.get(operation).copied().or(place.whole)
    }
}
