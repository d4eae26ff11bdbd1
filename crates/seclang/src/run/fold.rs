//! Rules that no exchange can change are carried out once, when rules are loaded.
//!
//! A third of the Core Rule Set sets defaults and skips the rules of higher paranoia levels: such rules look only at
//! variables of `TX` that nothing else writes. They are evaluated here in the order of their phases; what they set becomes
//! the state every exchange begins with, what they skip is left out, and neither costs an exchange anything.
//!
//! INVARIANT: a folded rule would have had the same outcome in every exchange. What would make it depend on one (a
//! condition on the message, a written variable that another rule may write, a place that another rule may skip) keeps it.

use std::collections::{HashMap, HashSet};

use crate::expand::{Piece, Text};
use crate::operator::{Operator, Reply, number};
use crate::rule::{Change, Disruption, Phase, Rule, Select};
use crate::variable::Variable;

/// Variables of `TX` by name in small letters.
pub type Store = HashMap<Vec<u8>, Vec<u8>>;

/// Where each rule goes on when it jumps: the index of a rule, or the number of rules.
pub type Jumps = [Option<usize>];

/// Carries out what can be and returns the variables set and the rules that remain.
pub fn fold(rules: &[Rule], jumps: &Jumps) -> (Store, Vec<bool>) {
    let mut kept = vec![true; rules.len()];
    let mut store = Store::new();
    let candidates = candidates(rules, jumps);
    let Some(settled) = settled(rules, &candidates) else { return (store, kept) };
    for phase in Phase::ALL {
        let mut at = 0;
        while let Some(rule) = rules.get(at) {
            let folds = rule.phase == phase && candidates.get(at) == Some(&true) && reads_only(rule, &settled);
            let next = at + 1;
            if folds {
                let fires = rule.conditions.iter().all(|condition| holds(condition, &mut store));
                if let Some(slot) = kept.get_mut(at) {
                    *slot = false;
                }
                if let (true, Some(to)) = (fires, jumps.get(at).copied().flatten()) {
                    for (skipped, slot) in kept.iter_mut().enumerate().take(to).skip(next) {
                        *slot &= rules.get(skipped).is_none_or(|rule| rule.phase != phase);
                    }
                    at = to.max(next);
                    continue;
                }
            }
            at = next;
        }
    }
    (store, kept)
}

/// Rules whose form allows it.
fn candidates(rules: &[Rule], jumps: &Jumps) -> Vec<bool> {
    let mut found: Vec<bool> = rules.iter().map(form_allows).collect();
    // A rule that an exchange may skip sets nothing for all of them, and must not jump further than what skips it.
    for (at, rule) in rules.iter().enumerate() {
        let Some(to) = jumps.get(at).copied().flatten() else { continue };
        if found.get(at) == Some(&true) {
            continue;
        }
        for (inside, other) in rules.iter().enumerate().take(to).skip(at + 1) {
            let sets = other.conditions.iter().any(|condition| !condition.set.is_empty());
            let jumps_beyond = jumps.get(inside).copied().flatten().is_some_and(|other| other > to);
            if other.phase == rule.phase
                && (sets || jumps_beyond)
                && let Some(slot) = found.get_mut(inside)
            {
                *slot = false;
            }
        }
    }
    found
}

fn form_allows(rule: &Rule) -> bool {
    rule.disruption == Disruption::Pass
        && (!rule.logs || rule.message.is_none())
        && rule.conditions.iter().all(|condition| {
            condition.controls.is_empty()
                && !condition.capture
                && condition.set.iter().all(|set| set.collection == Variable::Tx && set.name.plain().is_some())
                && condition.targets.unwanted.is_empty()
                && condition
                    .targets
                    .wanted
                    .iter()
                    .all(|target| target.variable == Variable::Tx && matches!(target.select, Select::Key(_)))
        })
}

/// The variables that only candidates write; `None` when some rule may write any of them.
fn settled(rules: &[Rule], candidates: &[bool]) -> Option<HashSet<Vec<u8>>> {
    let mut names: HashSet<Vec<u8>> = HashSet::new();
    for text in rules.iter().flat_map(|rule| &rule.conditions).flat_map(names_in) {
        names.insert(text);
    }
    // Groups of a match are written by whoever captures.
    names.retain(|name| name.iter().any(|byte| !byte.is_ascii_digit()));
    loop {
        let before = names.len();
        for (rule, candidate) in rules.iter().zip(candidates) {
            if *candidate && reads_only(rule, &names) {
                continue;
            }
            for set in rule.conditions.iter().flat_map(|condition| &condition.set) {
                match (set.name.plain(), set.name.pieces.first()) {
                    _ if set.collection != Variable::Tx => {}
                    (Some(name), _) => {
                        names.remove(name);
                    }
                    (None, Some(Piece::Plain(prefix))) => names.retain(|name| !name.starts_with(prefix)),
                    (None, _) => return None,
                }
            }
        }
        if names.len() == before {
            return Some(names);
        }
    }
}

/// Every variable of `TX` that a condition reads or writes by a plain name.
fn names_in(condition: &crate::rule::Condition) -> Vec<Vec<u8>> {
    let read = condition.targets.wanted.iter().filter(|target| target.variable == Variable::Tx);
    let keys = read.filter_map(|target| match &target.select {
        Select::Key(key) => Some(key.clone()),
        _ => None,
    });
    let written = condition.set.iter().filter_map(|set| set.name.plain().map(<[u8]>::to_vec));
    let texts = condition.operator.iter().filter_map(Operator::text).chain(condition.set.iter().filter_map(value_of));
    let inside = texts.flat_map(|text| &text.pieces).filter_map(|piece| match piece {
        Piece::Value(Variable::Tx, key) => Some(key.clone()),
        _ => None,
    });
    keys.chain(written).chain(inside).collect()
}

const fn value_of(set: &crate::rule::SetVariable) -> Option<&Text> {
    match &set.change {
        Change::Set(text) | Change::Add(text) | Change::Subtract(text) => Some(text),
        Change::Unset => None,
    }
}

/// Everything a rule reads and writes is settled.
fn reads_only(rule: &Rule, settled: &HashSet<Vec<u8>>) -> bool {
    rule.conditions.iter().all(|condition| {
        let texts =
            condition.operator.iter().filter_map(Operator::text).chain(condition.set.iter().filter_map(value_of));
        let plain = |piece: &Piece| !matches!(piece, Piece::Value(variable, _) if *variable != Variable::Tx);
        names_in(condition).iter().all(|name| settled.contains(name))
            && texts.into_iter().all(|text| text.pieces.iter().all(plain))
    })
}

fn holds(condition: &crate::rule::Condition, store: &mut Store) -> bool {
    let mut matched = condition.operator.is_none();
    if let Some(operator) = &condition.operator {
        let argument = operator.text().map(|text| expanded(text, store)).unwrap_or_default();
        for target in &condition.targets.wanted {
            let Select::Key(key) = &target.select else { continue };
            let value = store.get(key).cloned();
            let asked = if target.count { Some(usize::from(value.is_some()).to_string().into_bytes()) } else { value };
            let Some(value) = asked else { continue };
            let value = super::gate::transformed(&value, &condition.transforms);
            matched |= (operator.ask(&value, &argument, false) != Reply::No) != condition.negated;
        }
    }
    if matched {
        for set in &condition.set {
            let name = expanded(&set.name, store);
            let value = value_of(set).map(|text| expanded(text, store)).unwrap_or_default();
            match change(store.get(&name).map(Vec::as_slice), &set.change, value) {
                Some(value) => store.insert(name, value),
                None => store.remove(&name),
            };
        }
    }
    matched
}

/// The value after a change; `None` when it is gone.
pub fn change(before: Option<&[u8]>, change: &Change, value: Vec<u8>) -> Option<Vec<u8>> {
    let sum = |sum: i64| Some(sum.to_string().into_bytes());
    let before = || before.map_or(0, number);
    match change {
        Change::Set(_) => Some(value),
        Change::Add(_) => sum(before().saturating_add(number(&value))),
        Change::Subtract(_) => sum(before().saturating_sub(number(&value))),
        Change::Unset => None,
    }
}

/// A text with its variables of `TX` put in.
pub fn expanded(text: &Text, store: &Store) -> Vec<u8> {
    let mut made = Vec::new();
    for piece in &text.pieces {
        match piece {
            Piece::Plain(text) => made.extend_from_slice(text),
            Piece::Value(_, key) => made.extend_from_slice(store.get(key).map_or(&[], Vec::as_slice)),
        }
    }
    made
}
