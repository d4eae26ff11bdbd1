//! Identity over time: endpoints keep their ids while templates change, and nothing vanishes without a word.
//!
//! Every endpoint remembers a *witness*, the path that most of its requests had. When a judgement no longer has its
//! template, the witness is looked up in the new templates: an endpoint found there that is new takes the old id (its
//! template changed), one that already has an id takes the old one in (they were merged).

use std::collections::BTreeMap;

use model::EndpointId;
use schema::shape::ShapeLimits;
use serde::{Deserialize, Serialize};

use crate::learner::Learner;
use crate::path::pieces;
use crate::schemas::EndpointSchema;

/// What names an endpoint within a learner: the domain of its hosts, its method, its plain template.
pub type Key = (String, String, String);

/// A change of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It was found.
    Found,
    /// Its template changed.
    Template {
        /// The template before.
        from: String,
    },
    /// Another endpoint turned out to be the same.
    Absorbed {
        /// The other's id.
        other: EndpointId,
        /// The other's template.
        template: String,
    },
    /// It turned out to be a part of another endpoint.
    AbsorbedBy {
        /// The other's id.
        other: EndpointId,
    },
    /// The last judgement does not have it.
    Gone,
    /// It came back.
    Returned,
}

/// What is remembered of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Its id.
    pub id: EndpointId,
    /// A path of its requests.
    pub witness: String,
    /// The last judgement has it.
    pub present: bool,
    /// Its changes, oldest first, each with the number of observations at the time; bounded.
    pub history: Vec<(u64, Change)>,
    /// What was learned about its messages.
    pub schema: EndpointSchema,
}

const HISTORY_MAX: usize = 32;

impl Known {
    fn note(&mut self, at: u64, change: Change) {
        if self.history.len() >= HISTORY_MAX {
            // The beginning stays: when it was found matters more than the tenth change.
            self.history.remove(1);
        }
        self.history.push((at, change));
    }
}

/// All endpoints ever found.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    known: BTreeMap<Key, Known>,
    next: u64,
}

/// Most endpoints remembered; beyond, those long gone make room first, then new ones are not remembered.
const KNOWN_MAX: usize = 20_000;

impl Inventory {
    /// Everything in it, to be kept.
    pub(crate) fn parts(&self) -> (Vec<(Key, Known)>, u64) {
        (self.known.iter().map(|(key, known)| (key.clone(), known.clone())).collect(), self.next)
    }

    /// An inventory of what was kept.
    pub(crate) fn of_parts(known: Vec<(Key, Known)>, next: u64) -> Self {
        let next = known.iter().map(|(_, known)| known.id.0).max().unwrap_or(0).max(next);
        Self { known: known.into_iter().collect(), next }
    }

    /// What is remembered under a key.
    pub fn find(&self, key: &Key) -> Option<&Known> {
        self.known.get(key)
    }

    /// The same, to learn from an exchange.
    pub fn find_mut(&mut self, key: &Key) -> Option<&mut Known> {
        self.known.get_mut(key)
    }

    /// Everything remembered.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Known)> {
        self.known.iter()
    }

    /// Takes over a judgement: `found` are the keys of one domain with their witnesses; `place` looks a witness up.
    pub fn update(
        &mut self,
        domain: &str,
        at: u64,
        found: &[(Key, String)],
        place: impl Fn(&str, &str) -> Option<usize>,
    ) {
        let gone: Vec<Key> = self
            .known
            .iter()
            .filter(|(key, known)| key.0 == domain && known.present && !found.iter().any(|(kept, _)| kept == *key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.retire(&key, at, found, &place);
        }
        for (key, witness) in found {
            if let Some(known) = self.known.get_mut(key) {
                if !known.present {
                    known.note(at, Change::Returned);
                }
                known.present = true;
                known.witness.clone_from(witness);
                continue;
            }
            if self.known.len() >= KNOWN_MAX && !self.make_room() {
                continue;
            }
            self.next += 1;
            let mut known = Known {
                id: EndpointId(self.next),
                witness: witness.clone(),
                present: true,
                history: Vec::new(),
                schema: EndpointSchema::default(),
            };
            known.note(at, Change::Found);
            self.known.insert(key.clone(), known);
        }
    }

    /// Finds out what became of an endpoint whose template is no more.
    fn retire(&mut self, key: &Key, at: u64, found: &[(Key, String)], place: impl Fn(&str, &str) -> Option<usize>) {
        let Some(known) = self.known.get(key) else { return };
        let heir = place(&key.1, &known.witness).and_then(|index| found.get(index)).map(|(heir, _)| heir.clone());
        match heir {
            Some(heir) if !self.known.contains_key(&heir) => {
                if let Some(mut known) = self.known.remove(key) {
                    known.note(at, Change::Template { from: key.2.clone() });
                    known.schema.forget_path();
                    self.known.insert(heir, known);
                }
            }
            Some(heir) => {
                let Some(old) = self.known.get(key).cloned() else { return };
                let Some(into) = self.known.get_mut(&heir) else { return };
                into.note(at, Change::Absorbed { other: old.id, template: key.2.clone() });
                into.schema.merge(&old.schema, &ShapeLimits::default());
                let other = into.id;
                if let Some(known) = self.known.get_mut(key) {
                    known.present = false;
                    known.note(at, Change::AbsorbedBy { other });
                }
            }
            None => {
                if let Some(known) = self.known.get_mut(key) {
                    known.present = false;
                    known.note(at, Change::Gone);
                }
            }
        }
    }

    fn make_room(&mut self) -> bool {
        let before = self.known.len();
        self.known.retain(|_, known| known.present);
        self.known.len() < before
    }
}

/// The keys of a group's endpoints, in the order of `found`, with their witnesses.
pub(crate) fn keys(learner: &Learner, group: usize) -> Vec<(Key, String)> {
    let Some(group) = learner.groups().get(group) else { return Vec::new() };
    let key = |one: &crate::learner::Found| {
        let template = group.spelled(one.branch, one.method);
        let key = (group.domain.to_string(), learner.method(one.method).to_owned(), template);
        (key, group.witness(one.branch, one.method))
    };
    group.found.iter().map(key).collect()
}

/// Looks a witness up in a group's matcher.
pub(crate) fn locate(learner: &Learner, group: usize, method: &str, witness: &str) -> Option<usize> {
    let found = learner.groups().get(group)?.matcher.find(method, &pieces(witness))?;
    Some(found as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(template: &str) -> (Key, String) {
        (("x.com".to_owned(), "GET".to_owned(), template.to_owned()), template.replace("{}", "7"))
    }

    #[test]
    fn ids_survive_template_changes_and_merges() {
        let mut inventory = Inventory::default();
        let first = [key("/users/7"), key("/users/8")];
        inventory.update("x.com", 10, &first, |_, _| None);
        let id = inventory.find(&first[0].0).unwrap().id;
        let second = [key("/users/{}")];
        inventory.update("x.com", 20, &second, |_, _| Some(0));
        let merged = inventory.find(&second[0].0).unwrap();
        assert_eq!(merged.id, id, "the first to arrive hands its id on");
        assert!(
            merged.history.iter().any(|(_, change)| matches!(change, Change::Absorbed { .. })),
            "{:?}",
            merged.history
        );
        let other = inventory.find(&first[1].0).unwrap();
        assert!(
            !other.present && matches!(other.history.last(), Some((20, Change::AbsorbedBy { other })) if *other == id)
        );
        inventory.update("x.com", 30, &[], |_, _| None);
        assert_eq!(inventory.find(&second[0].0).unwrap().history.last(), Some(&(30, Change::Gone)));
        inventory.update("x.com", 40, &second, |_, _| None);
        assert_eq!(inventory.find(&second[0].0).unwrap().id, id);
    }
}
