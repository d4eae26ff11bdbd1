//! The children of one place in the trie, gathered into candidates that can be compared with each other.
//!
//! A place may stand for many nodes: once `/users/{id}` is a parameter, everything below all of its values is judged
//! together. Candidates of one spelling but different case are one.

use std::collections::HashMap;

use ml::hash::{BuildPassHasher, hash_folded, mix};
use ml::sketch::{BottomK, DistinctSmall};
use smallvec::SmallVec;

use crate::lexical::{Form, Lexed, Lexicon, MakeUp, outline};
use crate::trie::{MethodId, NodeId, Shape, Trie};

/// A place to look at: its nodes and what is known about how we came there.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The nodes merged here.
    pub nodes: Vec<NodeId>,
    /// The last literal text on the way, lower case; empty at the root.
    pub literal: String,
    /// The place itself is a parameter.
    pub parameter: bool,
    /// The place above it is a parameter.
    pub parameter_above: bool,
    /// Pieces above.
    pub depth: usize,
    /// Requests that came here.
    pub requests: u32,
    /// The template of the place itself, parameters as `{}`.
    pub template: String,
}

/// One candidate: all children of a place that share a text.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The commonest spelling.
    pub text: Box<str>,
    /// No slash stands before it.
    pub joined: bool,
    /// It stands for values that were folded together.
    pub wildcard: bool,
    /// Its nodes.
    pub nodes: SmallVec<[NodeId; 2]>,
    /// Requests through it.
    pub count: u32,
    /// First and last seen, as the trie's sequence numbers.
    pub first: u32,
    /// See `first`.
    pub last: u32,
    /// Clients.
    pub clients: DistinctSmall,
    /// Requests that ended here.
    pub ended: u32,
    /// Bit per method that ended here.
    pub methods: u32,
    /// Hashes of the pieces below, identifiers replaced by their form; ascending.
    pub kids: Vec<u32>,
    /// The same one level deeper.
    pub grandkids: Vec<u32>,
    /// How many of its requests have a joined piece below.
    pub tailed: u32,
    /// The method whose response shape is compared, and the shape.
    pub shape: Option<(MethodId, Shape)>,
    /// Response shapes one level below, by hash of piece and method; ascending, a coherent sample.
    pub below: Vec<(u32, Shape)>,
    /// Names of query parameters.
    pub query: BottomK<12>,
    /// The form of its text.
    pub form: Form,
    /// The make-up of its text.
    pub make_up: MakeUp,
    /// What the lexicon knows.
    pub lexed: Lexed,
    /// The outline of its text.
    pub outline: u64,
    /// In how many places of the trie the text occurs, and below how many different words.
    pub spread: Spread,
}

/// Where a text occurs in the trie.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Nodes with this text.
    pub nodes: u32,
    /// Different parents that are words.
    pub words: DistinctSmall,
}

/// Where every text of a trie occurs; made once per judgement.
#[derive(Clone, Debug, Default)]
pub struct Spreads(HashMap<u64, Spread, BuildPassHasher>);

/// The hash of a text without regard to case.
pub fn fold_hash(text: &str) -> u64 {
    hash_folded(0, text.as_bytes())
}

impl Spreads {
    /// Reads a trie.
    pub fn of(trie: &Trie) -> Self {
        let mut spreads: HashMap<u64, Spread, BuildPassHasher> = HashMap::default();
        let mut open = vec![crate::trie::ROOT];
        while let Some(node) = open.pop().and_then(|id| trie.node(id)) {
            let below = fold_hash(&node.text);
            let word = !Form::of(&node.text).identifier();
            for child in node.children.iter().filter_map(|&id| trie.node(id)) {
                let spread = spreads.entry(fold_hash(&child.text)).or_default();
                spread.nodes += 1;
                if word {
                    spread.words.add(below);
                }
            }
            open.extend(node.children.iter().chain(&node.wildcard));
        }
        Self(spreads)
    }
}

const KIDS_MAX: usize = 64;
const SHAPES_BELOW_MAX: usize = 6;

fn kid_hash(text: &str) -> u32 {
    let form = Form::of(text);
    if form.identifier() { mix(77, form as u64) as u32 } else { fold_hash(text) as u32 }
}

fn insert_sorted(list: &mut Vec<u32>, hash: u32) {
    if list.len() < KIDS_MAX
        && let Err(at) = list.binary_search(&hash)
    {
        list.insert(at, hash);
    }
}

/// Most nodes of one candidate whose subtrees are read; more would not change the picture.
const NODES_READ_MAX: usize = 64;

/// Gathers the candidates of a place; `joined` picks the children behind a joint or those behind a slash.
pub fn gather(trie: &Trie, place: &Place, joined: bool, lexicon: &Lexicon, spreads: &Spreads) -> Vec<Candidate> {
    let mut order: Vec<u64> = Vec::new();
    let mut found: HashMap<u64, SmallVec<[NodeId; 2]>, BuildPassHasher> = HashMap::default();
    let mut wildcards: SmallVec<[NodeId; 2]> = SmallVec::new();
    for node in place.nodes.iter().filter_map(|&id| trie.node(id)) {
        for &id in &node.children {
            let Some(child) = trie.node(id).filter(|child| child.joined == joined) else { continue };
            let key = fold_hash(&child.text);
            let nodes = found.entry(key).or_default();
            if nodes.is_empty() {
                order.push(key);
            }
            nodes.push(id);
        }
        if !joined {
            wildcards.extend(node.wildcard);
        }
    }
    let mut candidates: Vec<Candidate> = order
        .iter()
        .filter_map(|key| found.remove(key))
        .filter_map(|nodes| candidate(trie, nodes, false, lexicon, spreads))
        .collect();
    candidates.extend(candidate(trie, wildcards, true, lexicon, spreads));
    candidates
}

fn candidate(
    trie: &Trie,
    nodes: SmallVec<[NodeId; 2]>,
    wildcard: bool,
    lexicon: &Lexicon,
    spreads: &Spreads,
) -> Option<Candidate> {
    let commonest = nodes.iter().filter_map(|&id| trie.node(id)).max_by_key(|node| node.count)?;
    let text = commonest.text.clone();
    let mut made = Candidate {
        joined: commonest.joined,
        wildcard,
        count: 0,
        first: u32::MAX,
        last: 0,
        clients: DistinctSmall::default(),
        ended: 0,
        methods: 0,
        kids: Vec::new(),
        grandkids: Vec::new(),
        tailed: 0,
        shape: None,
        below: Vec::new(),
        query: BottomK::default(),
        form: Form::of(&text),
        make_up: MakeUp::of(&text),
        lexed: lexicon.lex(&text),
        outline: outline(&text),
        spread: spreads.0.get(&fold_hash(&text)).copied().unwrap_or_default(),
        text,
        nodes,
    };
    let nodes = std::mem::take(&mut made.nodes);
    for (at, node) in nodes.iter().filter_map(|&id| trie.node(id)).enumerate() {
        made.count = made.count.saturating_add(node.count);
        made.first = made.first.min(node.first);
        made.last = made.last.max(node.last);
        made.clients.merge(node.clients);
        made.read_terminals(node);
        if at < NODES_READ_MAX {
            made.read_below(trie, node);
        }
    }
    made.nodes = nodes;
    Some(made)
}

impl Candidate {
    fn read_terminals(&mut self, node: &crate::trie::Node) {
        for terminal in node.terminals.iter().filter(|terminal| terminal.successes > 0) {
            self.ended = self.ended.saturating_add(terminal.successes);
            self.methods |= 1 << u32::from(terminal.method).min(31);
            self.query.merge(&terminal.query);
            if terminal.shaped == 0 {
                continue;
            }
            match &mut self.shape {
                Some((method, shape)) if *method == terminal.method => shape.merge(&terminal.shape),
                Some((method, _)) if *method < terminal.method => (),
                _ => self.shape = Some((terminal.method, terminal.shape)),
            }
        }
    }

    fn read_shape_below(&mut self, key: u32, shape: &Shape) {
        match self.below.binary_search_by_key(&key, |entry| entry.0) {
            Ok(at) => {
                if let Some(entry) = self.below.get_mut(at) {
                    entry.1.merge(shape);
                }
            }
            Err(at) if at < SHAPES_BELOW_MAX => {
                self.below.insert(at, (key, *shape));
                self.below.truncate(SHAPES_BELOW_MAX);
            }
            Err(_) => (),
        }
    }

    fn read_below(&mut self, trie: &Trie, node: &crate::trie::Node) {
        for child in node.children.iter().chain(&node.wildcard).take(KIDS_MAX).filter_map(|&id| trie.node(id)) {
            self.tailed += if child.joined { child.count } else { 0 };
            let kid = kid_hash(&child.text);
            insert_sorted(&mut self.kids, kid);
            for terminal in child.terminals.iter().filter(|terminal| terminal.shaped > 0) {
                self.read_shape_below(mix(u64::from(kid), u64::from(terminal.method)) as u32, &terminal.shape);
            }
            for below in child.children.iter().take(16).filter_map(|&id| trie.node(id)) {
                insert_sorted(&mut self.grandkids, kid_hash(&below.text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::tests::tiny_lexicon;
    use crate::path::pieces;
    use crate::trie::{ROOT, TrieLimits};

    #[test]
    fn case_variants_are_one_candidate_in_the_commonest_spelling() {
        let mut trie = Trie::new(0, TrieLimits { nodes_max: 100, children_max: 32 });
        for path in ["/Users/1", "/users/2", "/Users/3", "/orders"] {
            let id = trie.insert(&pieces(path), Some(7));
            trie.terminal(id, 0).unwrap().successes += 1;
        }
        let place = Place { nodes: vec![ROOT], ..Place::default() };
        let candidates = gather(&trie, &place, false, &tiny_lexicon(), &Spreads::of(&trie));
        let seen: Vec<_> = candidates.iter().map(|one| (&*one.text, one.count, one.ended, one.kids.len())).collect();
        assert_eq!(seen, [("Users", 3, 0, 1), ("orders", 1, 1, 0)]);
    }
}
