//! Rules, compiled: gated, folded and in the order of their phases.

mod fold;
pub mod gate;
mod judging;
pub mod report;

use std::collections::HashMap;

use crate::error::Problem;
use crate::load::{GateUse, Item};
use crate::message::{Request, Response};
use crate::operator::Operator;
use crate::pattern::Answer;
use crate::rule::{EngineMode, Jump, Phase, Rule};
use crate::variable::Variable;
use gate::{Building, Gate, Gating};
pub use report::{Denial, Match, Report};

/// Rules that judge exchanges. Judging is pure: the same exchange gets the same report.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Compiled>,
    /// By phase: indexes into `rules`, ascending.
    phases: [Vec<u32>; 5],
    gate: Gate,
    /// Where each exchange begins: variables of `TX` by name.
    initial: HashMap<Vec<u8>, Vec<u8>>,
    mode: EngineMode,
    response_types: Vec<String>,
    /// Numbers of every rule that was loaded, ascending.
    loaded: Vec<u32>,
}

#[derive(Debug)]
struct Compiled {
    rule: Rule,
    /// One for each condition.
    gating: Vec<Gating>,
    /// Where it goes on when it jumps: an index into `rules`.
    jump: Option<u32>,
}

/// Media types whose bodies are looked at unless `SecResponseBodyMimeType` says otherwise.
const RESPONSE_TYPES: &[&str] = &["text/plain", "text/html", "text/xml", "application/json", "application/xml"];

impl Rules {
    /// Compiles what was loaded.
    pub(crate) fn compile(
        items: Vec<Item>,
        mode: EngineMode,
        response_types: Option<Vec<String>>,
        gate_use: GateUse,
    ) -> Result<Self, Vec<Problem>> {
        let (rules, jumps) = resolve(items)?;
        let mut loaded: Vec<u32> = rules.iter().map(|rule| rule.id).collect();
        loaded.sort_unstable();
        let (initial, kept) = fold::fold(&rules, &jumps);
        // Indexes move when folded rules go.
        let mut moved = Vec::with_capacity(rules.len() + 1);
        let mut count = 0u32;
        for kept in &kept {
            moved.push(count);
            count += u32::from(*kept);
        }
        moved.push(count);
        let mut building = Building::new(gate_use);
        for variable in expanded_variables(&rules) {
            building.mark_used(variable);
        }
        let mut compiled = Vec::new();
        let mut phases: [Vec<u32>; 5] = Default::default();
        let mut problems = Vec::new();
        for ((mut rule, jump), _) in rules.into_iter().zip(jumps).zip(kept).filter(|(_, kept)| *kept) {
            if let Err(error) = put_in_patterns(&mut rule, &initial) {
                let help = "write the pattern out, or compare with `@within` or `@streq`";
                let mut problem = Problem::of_file(&rule.position.file, error, help);
                problem.position = rule.position.clone();
                problems.push(problem);
            }
            let gating = rule.conditions.iter().map(|condition| building.add(condition)).collect();
            if let Some(phase) = phases.get_mut(rule.phase as usize) {
                phase.push(compiled.len() as u32);
            }
            let jump = jump.and_then(|to| moved.get(to).copied());
            compiled.push(Compiled { rule, gating, jump });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let gate = building.build().map_err(|error| vec![Problem::of_file("rules", error, "")])?;
        let default_types = || RESPONSE_TYPES.iter().map(|&name| name.to_owned()).collect();
        let response_types = response_types.unwrap_or_else(default_types);
        Ok(Self { rules: compiled, phases, gate, initial, mode, response_types, loaded })
    }

    /// How many rules were loaded, and how many of them an exchange meets.
    pub fn counts(&self) -> (usize, usize) {
        (self.loaded.len(), self.rules.len())
    }

    /// Whether a rule with this number was loaded.
    pub fn has_rule(&self, id: u32) -> bool {
        self.loaded.binary_search(&id).is_ok()
    }

    /// Whether bodies of responses of this media type are looked at.
    pub fn reads_response(&self, media_type: &str) -> bool {
        let phase = self.phases.get(Phase::ResponseBody as usize);
        phase.is_some_and(|phase| !phase.is_empty()) && self.response_types.iter().any(|known| known == media_type)
    }

    /// Whether there are rules for responses.
    pub fn judges_responses(&self) -> bool {
        let of = |phase: Phase| self.phases.get(phase as usize).is_some_and(|phase| !phase.is_empty());
        of(Phase::ResponseHead) || of(Phase::ResponseBody)
    }

    /// Judges a request: its head and what was held of its body.
    pub fn judge_request(&self, request: &Request<'_>) -> Report {
        judging::request(self, request)
    }

    /// Judges a response. The request tells which rules are switched off for it.
    pub fn judge_response(&self, request: &Request<'_>, response: &Response<'_>) -> Report {
        judging::response(self, request, response)
    }

    fn compiled(&self, at: u32) -> Option<&Compiled> {
        self.rules.get(at as usize)
    }

    /// The names of `TX` that a pattern means, among those that every exchange begins with.
    fn initial_names(&self, pattern: &crate::pattern::Pattern) -> Vec<&[u8]> {
        let means = |name: &&[u8]| pattern.matches(name) == Answer::Yes;
        self.initial.keys().map(Vec::as_slice).filter(means).collect()
    }
}

/// Patterns with variables become plain ones: only those can be compiled, and only what no exchange changes can be known.
fn put_in_patterns(rule: &mut Rule, initial: &fold::Store) -> Result<(), String> {
    use crate::expand::Piece;
    for condition in &mut rule.conditions {
        let Some(Operator::RxOf(text)) = &condition.operator else { continue };
        let unknown = text.pieces.iter().find_map(|piece| match piece {
            Piece::Value(Variable::Tx, key) if initial.contains_key(key) => None,
            Piece::Value(variable, key) => Some(format!("{}.{}", variable.name(), String::from_utf8_lossy(key))),
            Piece::Plain(_) => None,
        });
        if let Some(name) = unknown {
            return Err(format!("the pattern of rule {} holds `{name}`, which differs between exchanges", rule.id));
        }
        let source = String::from_utf8_lossy(&fold::expanded(text, initial)).into_owned();
        let pattern = crate::pattern::Pattern::new(&source);
        let wrong = |(_, error)| format!("the pattern of rule {} is wrong once variables are put in: {error}", rule.id);
        condition.operator = Some(Operator::Rx(pattern.map_err(wrong)?));
    }
    Ok(())
}

/// Where every rule goes on, as indexes into the rules.
type Resolved = (Vec<Rule>, Vec<Option<usize>>);

fn resolve(items: Vec<Item>) -> Result<Resolved, Vec<Problem>> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut markers: Vec<(String, usize)> = Vec::new();
    for item in items {
        match item {
            Item::Rule(rule) => rules.push(*rule),
            Item::Marker(name) => markers.push((name, rules.len())),
        }
    }
    let mut jumps = Vec::with_capacity(rules.len());
    let mut problems = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let to = match &rule.jump {
            None => None,
            Some(Jump::Over(count)) => {
                let same = rules.iter().enumerate().skip(at + 1).filter(|(_, other)| other.phase == rule.phase);
                Some(same.map(|(at, _)| at).nth(*count as usize).unwrap_or(rules.len()))
            }
            Some(Jump::After(name)) => {
                let marker = markers.iter().find(|(marker, to)| marker == name && *to > at).map(|(_, to)| *to);
                let numbered = || {
                    let id: u32 = name.parse().ok()?;
                    rules.iter().skip(at + 1).position(|rule| rule.id == id).map(|behind| at + behind + 2)
                };
                let to = marker.or_else(numbered);
                if to.is_none() {
                    let message = format!("there is no marker `{name}` behind the rule {}", rule.id);
                    let help = "write `SecMarker` with this name behind it";
                    let mut problem = Problem::of_file(&rule.position.file, message, help);
                    problem.position = rule.position.clone();
                    problems.push(problem);
                }
                to
            }
        };
        jumps.push(to);
    }
    if problems.is_empty() { Ok((rules, jumps)) } else { Err(problems) }
}

/// Variables that texts of rules show.
fn expanded_variables(rules: &[Rule]) -> Vec<Variable> {
    use crate::expand::Piece;
    use crate::rule::Change;
    let mut found = Vec::new();
    for rule in rules {
        let mut texts: Vec<&crate::expand::Text> = rule.message.iter().collect();
        for condition in &rule.conditions {
            texts.extend(condition.operator.iter().filter_map(crate::operator::Operator::text));
            for set in &condition.set {
                texts.push(&set.name);
                if let Change::Set(text) | Change::Add(text) | Change::Subtract(text) = &set.change {
                    texts.push(text);
                }
            }
        }
        for piece in texts.into_iter().flat_map(|text| &text.pieces) {
            if let Piece::Value(variable, _) = piece {
                found.push(*variable);
            }
        }
    }
    found
}
