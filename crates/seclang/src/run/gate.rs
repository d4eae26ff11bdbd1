//! The gate: which conditions some value of the message may answer.
//!
//! Every pattern, phrase and plain text that a condition looks for has literals without which it cannot match
//! ([`literals`](crate::pattern::literals)). All of them stand in one automaton. A value passes through it once as it is,
//! and once more for each different text that the transformations of its conditions make of it; a condition is asked only
//! where one of its literals stood. Most transformations change nothing in most values, which their kinds of bytes tell
//! without running them.
//!
//! INVARIANT: a condition that would match a value has a hit there, or it is not gated.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use smallvec::SmallVec;

use crate::load::GateUse;
use crate::message::Item;
use crate::operator::Operator;
use crate::pattern::literals;
use crate::rule::{Condition, Select};
use crate::transform::{Transform, kinds};
use crate::variable::{Kind, Variable};

/// Gated conditions that hit a value, each once.
pub type Hits = SmallVec<[u16; 4]>;

/// The number of a chain of transformations.
pub type ChainId = u8;

/// Chains of transformations that can be told apart; conditions with others are not gated.
const CHAINS_MAX: usize = 128;

/// Longest part of a phrase that the automaton holds, in bytes.
const PHRASE_BYTES_MAX: usize = 24;

/// One chain of transformations.
#[derive(Debug)]
struct Chain {
    transforms: Vec<Transform>,
    /// The kinds of bytes without which it changes nothing.
    touches: u16,
}

/// Which chains a variable's values go through.
#[derive(Debug, Default, Clone)]
struct Wanted {
    used: bool,
    always: u128,
    /// By name in small letters.
    keyed: Vec<(Vec<u8>, u128)>,
}

/// What is being put together.
#[derive(Default)]
pub struct Building {
    chains: Vec<Chain>,
    literals: std::collections::HashMap<Vec<u8>, Vec<u16>>,
    chains_of: Vec<u128>,
    variables: Vec<Wanted>,
    gate_use: GateUse,
}

/// The gate, compiled.
#[derive(Debug)]
pub struct Gate {
    chains: Vec<Chain>,
    automaton: Option<AhoCorasick>,
    /// By number of the literal: the conditions that need it.
    conditions: Vec<Vec<u16>>,
    /// By number of the condition: its chains.
    chains_of: Vec<u128>,
    variables: Vec<Wanted>,
}

/// How a condition stands to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gating {
    /// Its number, when it is gated.
    pub number: Option<u16>,
    /// Every value it looks at passes the gate, so that the whole message tells whether it need be asked at all.
    pub whole: bool,
    /// Its chain, when the gate keeps what the chain makes of values.
    pub chain: Option<ChainId>,
}

impl Building {
    /// Nothing yet.
    pub fn new(gate_use: GateUse) -> Self {
        Self { gate_use, variables: vec![Wanted::default(); Variable::ALL.len()], ..Self::default() }
    }

    /// Notes that a variable is looked at.
    pub fn mark_used(&mut self, variable: Variable) {
        for &part in variable.parts() {
            if let Some(wanted) = self.variables.get_mut(part as usize) {
                wanted.used = true;
            }
        }
    }

    fn chain(&mut self, transforms: &[Transform]) -> Option<ChainId> {
        if let Some(at) = self.chains.iter().position(|chain| chain.transforms == transforms) {
            return u8::try_from(at).ok();
        }
        if self.chains.len() >= CHAINS_MAX {
            return None;
        }
        let touches = transforms.iter().fold(0, |touches, transform| touches | transform.touches());
        self.chains.push(Chain { transforms: transforms.to_vec(), touches });
        u8::try_from(self.chains.len() - 1).ok()
    }

    /// Adds a condition.
    pub fn add(&mut self, condition: &Condition) -> Gating {
        for target in condition.targets.wanted.iter().chain(&condition.targets.unwanted) {
            self.mark_used(target.variable);
        }
        let ungated = Gating { number: None, whole: false, chain: None };
        let literals = if condition.negated || self.gate_use == GateUse::Off {
            None
        } else {
            condition.operator.as_ref().and_then(required)
        };
        let Some(literals) = literals else { return ungated };
        let Ok(number) = u16::try_from(self.chains_of.len()) else { return ungated };
        let mut mask = 0u128;
        // Asked after each transformation, the question sees every beginning of the chain.
        let shortest = if condition.multi_match { 0 } else { condition.transforms.len() };
        let mut last = None;
        for length in shortest..=condition.transforms.len() {
            let Some(chain) = self.chain(condition.transforms.get(..length).unwrap_or_default()) else {
                return ungated;
            };
            mask |= 1 << chain;
            last = Some(chain);
        }
        self.chains_of.push(mask);
        for literal in literals {
            let conditions = self.literals.entry(literal).or_default();
            conditions.push(number);
        }
        let mut whole = true;
        for target in &condition.targets.wanted {
            whole &= !target.count && !matches!(target.variable.kind(), Kind::Running);
            for &part in target.variable.parts() {
                let Some(wanted) = self.variables.get_mut(part as usize) else { continue };
                match &target.select {
                    Select::Key(key) => match wanted.keyed.iter_mut().find(|(known, _)| known == key) {
                        Some((_, chains)) => *chains |= mask,
                        None => wanted.keyed.push((key.clone(), mask)),
                    },
                    _ => wanted.always |= mask,
                }
            }
        }
        Gating { number: Some(number), whole, chain: if condition.multi_match { None } else { last } }
    }

    /// Compiles the automaton.
    ///
    /// # Errors
    /// When the literals are too many for one.
    pub fn build(self) -> Result<Gate, String> {
        let Self { chains, literals, chains_of, variables, gate_use: _ } = self;
        let mut literals: Vec<(Vec<u8>, Vec<u16>)> = literals.into_iter().collect();
        literals.sort();
        let (texts, conditions): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        let automaton = if texts.is_empty() {
            None
        } else {
            let mut builder = AhoCorasickBuilder::new();
            builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard);
            Some(builder.build(&texts).map_err(|error| error.to_string())?)
        };
        Ok(Gate { chains, automaton, conditions, chains_of, variables })
    }
}

/// The literals an operator needs, in small letters; `None` when it must always be asked.
fn required(operator: &Operator) -> Option<Vec<Vec<u8>>> {
    let small = |text: &[u8]| text.get(..text.len().min(PHRASE_BYTES_MAX)).unwrap_or_default().to_ascii_lowercase();
    match operator {
        Operator::Rx(pattern) => literals::required(pattern.linear_source()?),
        Operator::Phrases(phrases) => Some(phrases.list.iter().map(|phrase| small(phrase)).collect()),
        Operator::Contains(text)
        | Operator::ContainsWord(text)
        | Operator::BeginsWith(text)
        | Operator::EndsWith(text)
        | Operator::Equals(text) => text.plain().filter(|text| text.len() > 1).map(|text| vec![small(text)]),
        Operator::BadUrlEncoding => Some(vec![b"%".to_vec()]),
        Operator::Script => Some(vec![b"<".to_vec(), b"=".to_vec()]),
        _ => None,
    }
}

impl Gate {
    /// A set of no conditions.
    pub fn no_hits(&self) -> Vec<u64> {
        vec![0; self.chains_of.len().div_ceil(64)]
    }

    /// Some rule looks at the variable.
    pub fn is_used(&self, variable: Variable) -> bool {
        self.variables.get(variable as usize).is_some_and(|wanted| wanted.used)
    }

    /// Passes a value through the gate: keeps what its chains make of it, and which conditions may match.
    pub(crate) fn scan(&self, variable: Variable, item: &mut Item<'_>, any: &mut [u64]) {
        let Some(wanted) = self.variables.get(variable as usize) else { return };
        let mut chains = wanted.always;
        for (key, keyed) in &wanted.keyed {
            if key.eq_ignore_ascii_case(&item.name) {
                chains |= keyed;
            }
        }
        if chains == 0 {
            return;
        }
        let kinds = kinds::of(&item.value);
        let mut unchanged = 0u128;
        let mut changed: SmallVec<[(u128, usize); 4]> = SmallVec::new();
        while chains != 0 {
            let number = chains.trailing_zeros();
            let bit = 1u128 << number;
            chains &= !bit;
            let Some(chain) = self.chains.get(number as usize) else { continue };
            if chain.touches & kinds == 0 {
                unchanged |= bit;
                continue;
            }
            let text = transformed(&item.value, &chain.transforms);
            if text[..] == item.value[..] {
                unchanged |= bit;
                continue;
            }
            let same =
                changed.iter_mut().find(|(_, at)| item.texts.get(*at).is_some_and(|(_, known)| known[..] == text[..]));
            match same {
                Some((mask, _)) => *mask |= bit,
                None => changed.push((bit, item.texts.len())),
            }
            item.texts.push((number as u8, text.into()));
        }
        self.find(&item.value, unchanged, &mut item.hits, any);
        for (mask, at) in changed {
            if let Some((_, text)) = item.texts.get(at) {
                self.find(text, mask, &mut item.hits, any);
            }
        }
    }

    fn find(&self, text: &[u8], chains: u128, hits: &mut Hits, any: &mut [u64]) {
        if chains == 0 || text.is_empty() {
            return;
        }
        let Some(automaton) = &self.automaton else { return };
        let mut state = aho_corasick::automaton::OverlappingState::start();
        let input = aho_corasick::Input::new(text);
        loop {
            automaton.find_overlapping(input.clone(), &mut state);
            let Some(found) = state.get_match() else { return };
            let Some(conditions) = self.conditions.get(found.pattern().as_usize()) else { continue };
            for &condition in conditions {
                let of = self.chains_of.get(usize::from(condition)).copied().unwrap_or(0);
                let (word, bit) = (usize::from(condition / 64), 1u64 << (condition % 64));
                if of & chains != 0 && !hits.contains(&condition) {
                    hits.push(condition);
                    if let Some(slot) = any.get_mut(word) {
                        *slot |= bit;
                    }
                }
            }
        }
    }
}

/// What transformations make of a text.
pub fn transformed(text: &[u8], transforms: &[Transform]) -> Vec<u8> {
    let mut made = std::borrow::Cow::Borrowed(text);
    for transform in transforms {
        if let std::borrow::Cow::Owned(next) = transform.apply(&made) {
            made = std::borrow::Cow::Owned(next);
        } else if matches!(transform, Transform::Trim | Transform::TrimLeft | Transform::TrimRight) {
            made = std::borrow::Cow::Owned(transform.apply(&made).into_owned());
        }
    }
    made.into_owned()
}
