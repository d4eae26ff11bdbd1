//! Content models: particles compiled to automata whose states count.
//!
//! Positions are those of Glushkov's construction: one for each element particle, with the positions that may follow it. A
//! repeated element is one position with a counter, so that `maxOccurs="100000"` costs nothing. Models of XML Schema are
//! deterministic (unique particle attribution), so that a run keeps one state; those that are not keep few.

use std::sync::Arc;

/// Most positions of one model.
const POSITIONS_MAX: usize = 20_000;
/// Most edges of one model.
const EDGES_MAX: usize = 2_000_000;
/// Deepest nesting of groups.
const DEPTH_MAX: usize = 400;
/// Most states of one run; only models that are not deterministic have more than one.
const STATES_MAX: usize = 64;

/// How often something may occur; `max` is `u32::MAX` when there is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Occurs {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Occurs {
    pub(super) const ONCE: Self = Self { min: 1, max: 1 };
}

/// Number of an element declaration.
pub(super) type ElementId = u32;

/// Namespaces that a wildcard takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spaces {
    Any,
    /// Any but this one and none.
    Other(String),
    List(Vec<String>),
}

impl Spaces {
    pub(super) fn has(&self, namespace: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Other(own) => !namespace.is_empty() && namespace != own,
            Self::List(list) => list.iter().any(|known| known == namespace),
        }
    }
}

/// What is done with something that a wildcard takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    Strict,
    Lax,
    Skip,
}

/// A wildcard for elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard {
    pub(super) spaces: Spaces,
    pub(super) process: Process,
}

/// What stands in a content model.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Element(ElementId),
    Any(Arc<Wildcard>),
}

/// A particle as it is declared.
#[derive(Clone, Debug)]
pub(super) enum Particle {
    One(Term, Occurs),
    Sequence(Vec<Arc<Particle>>, Occurs),
    Choice(Vec<Arc<Particle>>, Occurs),
    All(Vec<(ElementId, bool)>, Occurs),
}

impl Particle {
    /// True when nothing can ever stand in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::One(_, occurs) => occurs.max == 0,
            Self::Sequence(parts, occurs) => occurs.max == 0 || parts.iter().all(|part| part.is_empty()),
            Self::Choice(parts, occurs) => occurs.max == 0 || (!parts.is_empty() && parts.iter().all(|p| p.is_empty())),
            Self::All(members, occurs) => occurs.max == 0 || members.is_empty(),
        }
    }
}

/// A compiled model.
#[derive(Debug)]
pub(super) enum Model {
    Empty,
    Automaton(Automaton),
    /// Each member at most once, in any order.
    All {
        members: Vec<(ElementId, bool)>,
        may_be_empty: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Automaton {
    positions: Vec<(Term, Occurs)>,
    follow: Vec<Vec<u32>>,
    first: Vec<u32>,
    last: Vec<bool>,
    is_nullable: bool,
}

/// How a part of a model begins and ends.
struct Ends {
    first: Vec<u32>,
    last: Vec<u32>,
    is_nullable: bool,
}

/// Compiles a content model. The error says what is too large.
pub(super) fn compile(particle: &Particle) -> Result<Model, &'static str> {
    if particle.is_empty() {
        return Ok(Model::Empty);
    }
    if let Some((members, may_be_empty)) = as_all(particle) {
        return Ok(Model::All { members, may_be_empty });
    }
    let mut automaton = Automaton::default();
    let mut edges = 0;
    let ends = automaton.part(particle, 0, &mut edges)?;
    automaton.last = vec![false; automaton.positions.len()];
    for at in ends.last {
        if let Some(last) = automaton.last.get_mut(at as usize) {
            *last = true;
        }
    }
    automaton.first = ends.first;
    automaton.is_nullable = ends.is_nullable;
    Ok(Model::Automaton(automaton))
}

/// The group `all`, which stands alone in a model.
fn as_all(particle: &Particle) -> Option<(Vec<(ElementId, bool)>, bool)> {
    match particle {
        Particle::All(members, occurs) => {
            Some((members.clone(), occurs.min == 0 || members.iter().all(|(_, required)| !required)))
        }
        Particle::Sequence(parts, Occurs::ONCE) => {
            let mut parts = parts.iter().filter(|part| !part.is_empty());
            let only = parts.next()?;
            if parts.next().is_some() { None } else { as_all(only) }
        }
        _ => None,
    }
}

impl Automaton {
    fn part(&mut self, particle: &Particle, depth: usize, edges: &mut usize) -> Result<Ends, &'static str> {
        if depth > DEPTH_MAX {
            return Err("groups are nested too deeply");
        }
        match particle {
            _ if particle.is_empty() => Ok(Ends { first: Vec::new(), last: Vec::new(), is_nullable: true }),
            Particle::One(term, occurs) => {
                if self.positions.len() >= POSITIONS_MAX {
                    return Err("its content model is too large (counted groups are repeated in it)");
                }
                let at = u32::try_from(self.positions.len()).unwrap_or(u32::MAX);
                self.positions.push((term.clone(), *occurs));
                self.follow.push(Vec::new());
                Ok(Ends { first: vec![at], last: vec![at], is_nullable: occurs.min == 0 })
            }
            Particle::Sequence(parts, occurs) => self.repeated(*occurs, edges, &mut |own, edges| {
                let mut ends = Ends { first: Vec::new(), last: Vec::new(), is_nullable: true };
                for part in parts {
                    let next = own.part(part, depth + 1, edges)?;
                    own.join(&ends.last, &next.first, edges)?;
                    if ends.is_nullable {
                        ends.first.extend_from_slice(&next.first);
                    }
                    if !next.is_nullable {
                        ends.last.clear();
                    }
                    ends.last.extend(next.last);
                    ends.is_nullable &= next.is_nullable;
                }
                Ok(ends)
            }),
            Particle::Choice(parts, occurs) => self.repeated(*occurs, edges, &mut |own, edges| {
                let mut ends = Ends { first: Vec::new(), last: Vec::new(), is_nullable: false };
                for part in parts {
                    let next = own.part(part, depth + 1, edges)?;
                    ends.first.extend(next.first);
                    ends.last.extend(next.last);
                    ends.is_nullable |= next.is_nullable;
                }
                Ok(ends)
            }),
            Particle::All(..) => Err("`all` stands beside something else, which XML Schema 1.0 does not have"),
        }
    }

    /// A group that is repeated: as a loop where it has no bound, as copies where it is counted.
    fn repeated(
        &mut self,
        occurs: Occurs,
        edges: &mut usize,
        body: &mut dyn FnMut(&mut Self, &mut usize) -> Result<Ends, &'static str>,
    ) -> Result<Ends, &'static str> {
        let is_unbounded = occurs.max == u32::MAX;
        let copies = if is_unbounded { occurs.min.max(1) } else { occurs.max };
        let mut whole = body(self, edges)?;
        let is_body_nullable = whole.is_nullable;
        let (mut first, mut last) = (whole.first.clone(), whole.last.clone());
        if occurs.min > 1 && !is_body_nullable {
            whole.last.clear();
        }
        for copy in 2..=copies {
            let next = body(self, edges)?;
            self.join(&last, &next.first, edges)?;
            // Leaving copies out at the end is leaving them out anywhere: all copies are the same.
            if is_body_nullable || copy >= occurs.min {
                whole.last.extend_from_slice(&next.last);
            }
            (first, last) = (next.first, next.last);
        }
        if is_unbounded {
            self.join(&last, &first, edges)?;
        }
        whole.is_nullable = is_body_nullable || occurs.min == 0;
        Ok(whole)
    }

    fn join(&mut self, from: &[u32], to: &[u32], edges: &mut usize) -> Result<(), &'static str> {
        *edges = edges.saturating_add(from.len().saturating_mul(to.len()));
        if *edges > EDGES_MAX {
            return Err("its content model is too large");
        }
        for at in from {
            if let Some(follow) = self.follow.get_mut(*at as usize) {
                follow.extend_from_slice(to);
            }
        }
        Ok(())
    }
}

/// A run of an automaton over the children of one element.
pub(super) struct Run<'m> {
    automaton: &'m Automaton,
    /// Positions with how often each was taken in a row; empty at the start.
    states: Vec<(u32, u32)>,
    is_start: bool,
}

impl<'m> Run<'m> {
    pub(super) fn new(automaton: &'m Automaton) -> Self {
        Self { automaton, states: Vec::new(), is_start: true }
    }

    /// Takes the next child, and says by which term; `None` when none of those that may stand here is it.
    pub(super) fn step(&mut self, matches: &dyn Fn(&Term) -> bool) -> Option<&'m Term> {
        let mut next: Vec<(u32, u32)> = Vec::new();
        let mut found: Option<&'m Term> = None;
        let automaton = self.automaton;
        let mut take = |at: u32, count: u32| {
            let Some((term, occurs)) = automaton.positions.get(at as usize) else { return };
            if !matches(term) || next.len() >= STATES_MAX {
                return;
            }
            // Beyond the least number the count is of no weight where there is no greatest.
            let count = if occurs.max == u32::MAX { count.min(occurs.min.max(1)) } else { count };
            if !next.contains(&(at, count)) {
                next.push((at, count));
            }
            // A declared element goes before a wildcard that takes it too.
            if found.is_none_or(|known| matches!((known, term), (Term::Any(_), Term::Element(_)))) {
                found = Some(term);
            }
        };
        if self.is_start {
            automaton.first.iter().for_each(|at| take(*at, 1));
        }
        for (at, count) in &self.states {
            let Some((_, occurs)) = automaton.positions.get(*at as usize) else { continue };
            if *count < occurs.max {
                take(*at, count.saturating_add(1));
            }
            if *count >= occurs.min {
                automaton.follow.get(*at as usize).into_iter().flatten().for_each(|at| take(*at, 1));
            }
        }
        if found.is_some() {
            self.states = next;
            self.is_start = false;
        }
        found
    }

    /// True when the children may end here.
    pub(super) fn may_end(&self) -> bool {
        let is_last = |(at, count): &(u32, u32)| {
            let occurs = self.automaton.positions.get(*at as usize);
            occurs.is_some_and(|(_, occurs)| *count >= occurs.min)
                && self.automaton.last.get(*at as usize).copied().unwrap_or(false)
        };
        (self.is_start && self.automaton.is_nullable) || self.states.iter().any(is_last)
    }

    /// The terms that may stand next.
    pub(super) fn expected(&self) -> Vec<&'m Term> {
        let automaton = self.automaton;
        let mut list: Vec<u32> = if self.is_start { automaton.first.clone() } else { Vec::new() };
        for (at, count) in &self.states {
            let Some((_, occurs)) = automaton.positions.get(*at as usize) else { continue };
            if *count < occurs.max {
                list.push(*at);
            }
            if *count >= occurs.min {
                list.extend(automaton.follow.get(*at as usize).into_iter().flatten());
            }
        }
        list.iter().filter_map(|at| automaton.positions.get(*at as usize).map(|(term, _)| term)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: ElementId, min: u32, max: u32) -> Arc<Particle> {
        Arc::new(Particle::One(Term::Element(id), Occurs { min, max }))
    }

    /// Whether a model takes these elements.
    fn takes(particle: &Particle, names: &[ElementId]) -> bool {
        match compile(particle).unwrap() {
            Model::Empty => names.is_empty(),
            Model::Automaton(automaton) => {
                let mut run = Run::new(&automaton);
                names.iter().all(|name| run.step(&|term| matches!(term, Term::Element(id) if id == name)).is_some())
                    && run.may_end()
            }
            Model::All { .. } => unreachable!("not in these tests"),
        }
    }

    /// The same by definition: every way to take the particle, tried.
    fn ends(particle: &Particle, names: &[ElementId], from: usize) -> Vec<usize> {
        let (occurs, once): (Occurs, Box<dyn Fn(usize) -> Vec<usize>>) = match particle {
            Particle::One(Term::Element(id), occurs) => {
                (*occurs, Box::new(move |at| if names.get(at) == Some(id) { vec![at + 1] } else { vec![] }))
            }
            Particle::Sequence(parts, occurs) => (
                *occurs,
                Box::new(move |at| {
                    parts.iter().fold(vec![at], |set, part| {
                        let mut next: Vec<usize> = set.iter().flat_map(|at| ends(part, names, *at)).collect();
                        next.sort_unstable();
                        next.dedup();
                        next
                    })
                }),
            ),
            Particle::Choice(parts, occurs) => {
                (*occurs, Box::new(move |at| parts.iter().flat_map(|part| ends(part, names, at)).collect()))
            }
            _ => unreachable!("not in these tests"),
        };
        let mut set = vec![from];
        let mut all: Vec<usize> = if occurs.min == 0 { vec![from] } else { vec![] };
        let max = occurs.max.min(occurs.min.max(1) + 12);
        for round in 1..=max {
            let mut next: Vec<usize> = set.iter().flat_map(|at| once(*at)).collect();
            next.sort_unstable();
            next.dedup();
            if round >= occurs.min {
                all.extend(&next);
            }
            set = next;
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn particles() -> impl proptest::strategy::Strategy<Value = Arc<Particle>> {
        use proptest::prelude::*;
        let occurs = (0u32..3, 0u32..3, any::<bool>())
            .prop_map(|(min, more, open)| Occurs { min, max: if open { u32::MAX } else { (min + more).max(1) } });
        let leaf = (0u32..3, occurs.clone()).prop_map(|(id, o)| Arc::new(Particle::One(Term::Element(id), o)));
        leaf.prop_recursive(3, 12, 3, move |inner| {
            (proptest::collection::vec(inner, 1..4), occurs.clone(), any::<bool>()).prop_map(|(parts, occurs, both)| {
                Arc::new(if both { Particle::Sequence(parts, occurs) } else { Particle::Choice(parts, occurs) })
            })
        })
    }

    proptest::proptest! {
        #[test]
        fn automata_take_what_the_definition_takes(particle in particles(), names in proptest::collection::vec(0u32..3, 0..7)) {
            let expected = ends(&particle, &names, 0).contains(&names.len());
            proptest::prop_assert_eq!(takes(&particle, &names), expected);
        }
    }

    #[test]
    fn counts_are_kept_without_copies() {
        let many = Particle::Sequence(vec![one(0, 2, 100_000), one(1, 0, 1)], Occurs::ONCE);
        assert!(!takes(&many, &[0]));
        assert!(takes(&many, &[0, 0, 1]));
        assert!(takes(&many, &vec![0; 100_000]));
        assert!(!takes(&many, &vec![0; 100_001]));
    }

    #[test]
    fn what_is_too_large_says_so() {
        let inner = Arc::new(Particle::Sequence(vec![one(0, 1, 1), one(1, 0, 1)], Occurs { min: 0, max: 5_000 }));
        let outer = Particle::Choice(vec![Arc::clone(&inner), inner], Occurs { min: 0, max: 5_000 });
        assert!(compile(&outer).unwrap_err().contains("too large"));
    }
}
