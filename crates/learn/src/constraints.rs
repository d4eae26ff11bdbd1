//! What an operator decided about templates: hard constraints on every judgement.
//!
//! A rule speaks of one place, named by the template above it, and of one piece or of all others there. Pins are rules
//! for every piece of a template. Where a rule speaks, the models are not asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::siblings::{Candidate, fold_hash};

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Fixed text.
    Literal,
    /// A value of a parameter.
    Parameter,
}

/// An operator's decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// By place (`/users/{}`), then by piece in lower case; an empty piece stands for all others.
    rules: BTreeMap<String, BTreeMap<String, Decision>>,
    /// Declined endpoints, as `METHOD /template/{}`.
    ignored: BTreeSet<String>,
    /// Names of parameters by the template that ends in them.
    names: BTreeMap<String, String>,
}

/// The template with nameless parameters and without empty pieces.
pub fn plain(template: &str) -> String {
    let pieces = template.split('/').filter(|piece| !piece.is_empty());
    pieces.fold(String::new(), |path, piece| path + "/" + &nameless(piece))
}

fn nameless(piece: &str) -> String {
    let mut plain = String::with_capacity(piece.len());
    let mut inside = false;
    for letter in piece.chars() {
        match letter {
            '{' => {
                inside = true;
                plain.push('{');
            }
            '}' => {
                inside = false;
                plain.push('}');
            }
            _ if inside => (),
            _ => plain.push(letter),
        }
    }
    plain
}

impl Constraints {
    /// The template is right: its literals stay literals, and where it has a parameter, everything else is its value.
    pub fn pin(&mut self, template: &str) {
        let mut place = String::new();
        for piece in template.split('/').filter(|piece| !piece.is_empty()) {
            let piece = nameless(piece);
            let rules = self.rules.entry(place.clone()).or_default();
            if piece == "{}" {
                rules.insert(String::new(), Decision::Parameter);
            } else if !piece.contains('{') {
                rules.insert(piece.to_ascii_lowercase(), Decision::Literal);
            }
            place = format!("{place}/{piece}");
        }
    }

    /// Everything below this template is a value of one parameter, but for literals that are pinned or split off.
    pub fn merge(&mut self, below: &str) {
        self.rules.entry(plain(below)).or_default().insert(String::new(), Decision::Parameter);
    }

    /// This piece below this template is a literal of its own.
    pub fn split(&mut self, below: &str, literal: &str) {
        self.rules.entry(plain(below)).or_default().insert(literal.to_ascii_lowercase(), Decision::Literal);
    }

    /// Declines an endpoint; its traffic is still counted.
    pub fn ignore(&mut self, method: &str, template: &str) {
        self.ignored.insert(format!("{method} {}", plain(template)));
    }

    /// Names the parameter that a template ends in.
    pub fn rename(&mut self, template: &str, name: &str) {
        self.names.insert(plain(template), name.to_owned());
    }

    /// Takes back every decision about a place and what is pinned there.
    pub fn forget(&mut self, below: &str) {
        self.rules.remove(&plain(below));
    }

    /// True when an endpoint is declined; `template` has nameless parameters.
    pub fn ignores(&self, method: &str, template: &str) -> bool {
        !self.ignored.is_empty() && self.ignored.contains(&format!("{method} {template}"))
    }

    /// The operator's name for the parameter that a template ends in.
    pub fn name(&self, template: &str) -> Option<&str> {
        self.names.get(template).map(String::as_str)
    }

    /// True when nothing was decided about any place.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Overrides the models at a place.
    pub fn apply(&self, place: &str, candidates: &[Candidate], probabilities: &mut [f32]) {
        let place = if place == "/" { "" } else { place };
        let Some(rules) = self.rules.get(place) else { return };
        let others = rules.get("");
        for (one, probability) in candidates.iter().zip(probabilities) {
            if one.joined {
                continue;
            }
            let known = rules.iter().find(|(text, _)| fold_hash(text) == fold_hash(&one.text) && !text.is_empty());
            match known.map(|(_, decision)| decision).or(others) {
                Some(Decision::Literal) => *probability = 0.0,
                Some(Decision::Parameter) => *probability = 1.0,
                None => (),
            }
        }
    }
}
