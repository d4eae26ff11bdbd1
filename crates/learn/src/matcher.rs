//! The compiled templates of a site: from a path to an endpoint, literal before parameter, for the fast path.
//!
//! Immutable once made; a lookup allocates only for capital letters and percent signs, and its work is bounded.

use std::collections::HashMap;

use ml::hash::{BuildPassHasher, hash_bytes, mix};

use crate::judge::Branches;
use crate::path::Pieces;
use crate::siblings::fold_hash;

/// Steps of one lookup at most: an ambiguous tree cannot make a lookup slow.
const STEPS_MAX: u32 = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Step {
    /// The parameter child behind a slash, 0 for none.
    parameter: u32,
    /// The parameter child behind a joint, 0 for none.
    joined_parameter: u32,
    /// A suffix behind a joint belongs to this value.
    swallows: bool,
}

/// Templates of one group of hosts.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    steps: Vec<Step>,
    literals: HashMap<u64, u32, BuildPassHasher>,
    ends: HashMap<u64, u32, BuildPassHasher>,
}

fn literal_key(at: u32, text: &str, joined: bool) -> u64 {
    mix(fold_hash(text), u64::from(at) << 1 | u64::from(joined))
}

fn end_key(at: u32, method: &str) -> u64 {
    mix(hash_bytes(11, method.as_bytes()), u64::from(at))
}

impl Matcher {
    /// Compiles branches; `ends` names branch, method and the number to give for a match.
    pub fn compile<'a>(branches: &Branches, ends: impl Iterator<Item = (usize, &'a str, u32)>) -> Self {
        let mut matcher = Self { steps: vec![Step::default(); branches.len()], ..Self::default() };
        for (at, branch) in branches.iter().enumerate() {
            if let Some(step) = matcher.steps.get_mut(at) {
                // Also where no suffix was seen yet: a value may turn out to be a file name.
                step.swallows = branch.literal.is_none();
            }
            if at == 0 {
                continue;
            }
            match (&branch.literal, matcher.steps.get_mut(branch.parent)) {
                (Some(text), _) => {
                    matcher.literals.insert(literal_key(branch.parent as u32, text, branch.joined), at as u32);
                }
                (None, Some(step)) if branch.joined => step.joined_parameter = at as u32,
                (None, Some(step)) => step.parameter = at as u32,
                (None, None) => (),
            }
        }
        for (at, method, number) in ends {
            matcher.ends.insert(end_key(at as u32, method), number);
        }
        matcher
    }

    /// The number of the endpoint a request belongs to.
    pub fn find(&self, method: &str, pieces: &Pieces<'_>) -> Option<u32> {
        if self.steps.is_empty() {
            return None;
        }
        let mut budget = STEPS_MAX;
        self.walk(0, pieces, 0, method, &mut budget)
    }

    fn walk(&self, at: u32, pieces: &Pieces<'_>, from: usize, method: &str, budget: &mut u32) -> Option<u32> {
        *budget = budget.checked_sub(1)?;
        let Some(piece) = pieces.get(from) else {
            return self.ends.get(&end_key(at, method)).copied();
        };
        if let Some(&next) = self.literals.get(&literal_key(at, &piece.text, piece.joined))
            && let Some(found) = self.walk(next, pieces, from + 1, method, budget)
        {
            return Some(found);
        }
        let step = self.steps.get(at as usize)?;
        let next = if piece.joined { step.joined_parameter } else { step.parameter };
        if next != 0 {
            return self.walk(next, pieces, from + 1, method, budget);
        }
        // A swallowed suffix is always the last piece.
        if piece.joined && step.swallows { self.walk(at, pieces, from + 1, method, budget) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Branch, Values};
    use crate::path::pieces;

    fn branch(parent: usize, literal: Option<&str>, joined: bool) -> Branch {
        let values = literal.is_none().then(Values::default);
        let literal = literal.map(Into::into);
        let (nodes, children, terminals) = (Vec::new(), Vec::new(), Vec::new());
        Branch { parent, literal, joined, confidence: 1.0, nodes, values, children, terminals, depth: 0 }
    }

    #[test]
    fn literals_come_before_parameters_and_dead_ends_are_left() {
        // /users, /users/{}, /users/me, /users/{}/orders, /feature+.{}
        let branches = vec![
            branch(0, Some(""), false),
            branch(0, Some("users"), false),
            branch(1, None, false),
            branch(1, Some("me"), false),
            branch(2, Some("orders"), false),
            branch(0, Some("feature"), false),
            branch(5, None, true),
        ];
        let ends = [(1, "GET", 10), (2, "GET", 20), (3, "GET", 30), (4, "GET", 40), (6, "GET", 60)];
        let matcher = Matcher::compile(&branches, ends.into_iter());
        let find = |path| matcher.find("GET", &pieces(path));
        assert_eq!(find("/Users/"), Some(10));
        assert_eq!(find("/users/17"), Some(20));
        assert_eq!(find("/users/ME"), Some(30));
        assert_eq!(find("/users/me/orders"), Some(40));
        assert_eq!(find("/feature.kml"), Some(60));
        assert_eq!(find("/users/17/nothing"), None);
        assert_eq!(matcher.find("POST", &pieces("/users")), None);
    }

    #[test]
    fn a_swallowed_suffix_belongs_to_the_value() {
        let mut file = branch(0, None, false);
        file.values = Some(Values { swallowed: true, ..Values::default() });
        let matcher = Matcher::compile(&vec![branch(0, Some(""), false), file], [(1, "GET", 1)].into_iter());
        assert_eq!(matcher.find("GET", &pieces("/report.pdf")), Some(1));
        assert_eq!(matcher.find("GET", &pieces("/report")), Some(1));
    }
}
