//! The arena trie of one group of hosts: what was seen below each path, in counts and sketches, under a budget.
//!
//! Bounds: [`TrieLimits::nodes_max`] nodes in all and [`TrieLimits::children_max`] exact children of a node. A node
//! with too many children folds those seen once or twice into one *wildcard* child that keeps their subtrees merged;
//! a full trie first drops leaves seen once. A flood of new paths therefore costs time, never memory.

use std::collections::HashMap;

use ml::hash::{BuildPassHasher, hash_bytes, mix};
use ml::sketch::{BottomK, DistinctSmall};
use serde::{Deserialize, Serialize};

use crate::path::{PIECES_MAX, Pieces};

/// Names a node of a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// The root of every trie.
pub const ROOT: NodeId = NodeId(0);

/// Names a method among those a learner has met.
pub type MethodId = u8;

/// Bounds of one trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrieLimits {
    /// Most nodes.
    pub nodes_max: usize,
    /// Most exact children of a node.
    pub children_max: usize,
}

/// Keys of a response shape kept.
pub const SHAPE_KEYS: usize = 24;

/// Hashed key paths of responses.
pub type Shape = BottomK<SHAPE_KEYS>;

/// What one method did at one path.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Terminal {
    /// The method.
    pub method: MethodId,
    /// Answers below 400.
    pub successes: u32,
    /// Answers of 400 and above.
    pub failures: u32,
    /// Answers by class: 2xx, 3xx, 401 and 403, other 4xx, 5xx.
    pub classes: [u32; 5],
    /// Sum over the successes of the probability that they are API requests.
    pub api_sum: f32,
    /// Successes with structured content.
    pub structured: u32,
    /// Successes that were pages.
    pub pages: u32,
    /// Successes without a known content type.
    pub untyped: u32,
    /// Successes that looked like the host's usual failure.
    pub disguised: u32,
    /// Successes that carried a session identifier.
    pub sessions: u32,
    /// Successes that carried a credential.
    pub credentials: u32,
    /// Successes whose source can tell whether there was a credential.
    pub credentials_known: u32,
    /// Successes by browsers, by libraries and applications, by scanners and crawlers.
    pub agents: [u32; 3],
    /// Successes with a query.
    pub queries: u32,
    /// Sum of the logarithms of response sizes, where known.
    pub size_sum: f32,
    /// Protocol hints, see [`crate::protocol`].
    pub hints: u8,
    /// Response shapes merged.
    pub shape: Shape,
    /// Successes that had a response shape.
    pub shaped: u32,
    /// Hashed names of query parameters.
    pub query: BottomK<12>,
    /// Clients.
    pub clients: DistinctSmall,
    /// Hosts by index among the learner's hosts, with counts.
    pub hosts: Vec<(u16, u32)>,
    /// First and last seen, in microseconds.
    pub seen: (i64, i64),
    /// Operations (GraphQL, JSON-RPC, SOAP) with counts; bounded.
    pub operations: Vec<(Box<str>, u32)>,
}

const HOSTS_MAX: usize = 16;
const OPERATIONS_MAX: usize = 64;

impl Terminal {
    /// Adds everything the other saw.
    pub fn merge(&mut self, other: &Self) {
        if self.seen == (0, 0) || other.seen.0 < self.seen.0 {
            self.seen.0 = other.seen.0;
        }
        self.seen.1 = self.seen.1.max(other.seen.1);
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        for (count, more) in self.classes.iter_mut().zip(other.classes) {
            *count = count.saturating_add(more);
        }
        for (count, more) in self.agents.iter_mut().zip(other.agents) {
            *count = count.saturating_add(more);
        }
        self.api_sum += other.api_sum;
        self.structured += other.structured;
        self.pages += other.pages;
        self.untyped += other.untyped;
        self.disguised += other.disguised;
        self.sessions += other.sessions;
        self.credentials += other.credentials;
        self.credentials_known += other.credentials_known;
        self.queries += other.queries;
        self.size_sum += other.size_sum;
        self.hints |= other.hints;
        self.shape.merge(&other.shape);
        self.shaped += other.shaped;
        self.query.merge(&other.query);
        self.clients.merge(other.clients);
        for &(host, count) in &other.hosts {
            self.count_host(host, count);
        }
        for (operation, count) in &other.operations {
            self.count_operation(operation, *count);
        }
    }

    /// Counts requests of one host.
    pub fn count_host(&mut self, host: u16, count: u32) {
        if let Some(entry) = self.hosts.iter_mut().find(|entry| entry.0 == host) {
            entry.1 = entry.1.saturating_add(count);
        } else if self.hosts.len() < HOSTS_MAX {
            self.hosts.push((host, count));
        }
    }

    /// Counts requests of one operation.
    pub fn count_operation(&mut self, operation: &str, count: u32) {
        if let Some(entry) = self.operations.iter_mut().find(|entry| &*entry.0 == operation) {
            entry.1 = entry.1.saturating_add(count);
        } else if self.operations.len() < OPERATIONS_MAX {
            self.operations.push((operation.into(), count));
        }
    }
}

/// One piece of a path below its parent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// The node above; the root is its own parent.
    pub parent: NodeId,
    /// The piece; `*` for a wildcard.
    pub text: Box<str>,
    /// No slash stands before this piece.
    pub joined: bool,
    /// The exact children, in the order they came.
    pub children: Vec<NodeId>,
    /// Everything that was folded together.
    pub wildcard: Option<NodeId>,
    /// How many different pieces were folded into this wildcard, and how many of them came only once.
    pub folded: u32,
    /// Successful requests that came to or through here.
    pub count: u32,
    /// When it came first and last, as the trie's own sequence numbers.
    pub first: u32,
    /// See `first`.
    pub last: u32,
    /// Clients.
    pub clients: DistinctSmall,
    /// What ended here, by method.
    pub terminals: Vec<Terminal>,
}

/// The trie of one group of hosts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trie {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    /// From the hash of parent and piece to the child.
    #[serde(skip)]
    index: HashMap<u64, NodeId, BuildPassHasher>,
    key: u64,
    limits: TrieLimits,
    /// Successful requests inserted.
    pub sequence: u32,
    /// Nodes dropped or folded to stay within the limits.
    pub evicted: u64,
}

fn empty_node(parent: NodeId, text: &str, joined: bool, sequence: u32) -> Node {
    Node {
        parent,
        text: text.into(),
        joined,
        children: Vec::new(),
        wildcard: None,
        folded: 0,
        count: 0,
        first: sequence,
        last: sequence,
        clients: DistinctSmall::default(),
        terminals: Vec::new(),
    }
}

impl Trie {
    /// An empty trie. `key` keeps outsiders from choosing colliding pieces.
    pub fn new(key: u64, limits: TrieLimits) -> Self {
        let limits = TrieLimits { nodes_max: limits.nodes_max.max(64), children_max: limits.children_max.max(8) };
        Self {
            nodes: vec![empty_node(ROOT, "", false, 0)],
            free: Vec::new(),
            index: HashMap::default(),
            key,
            limits,
            sequence: 0,
            evicted: 0,
        }
    }

    /// Whether what was read from a snapshot is a trie: every node but the root hangs below one other, and is reached.
    pub(crate) fn is_sound(&self) -> bool {
        let mut reached = vec![false; self.nodes.len()];
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let (Some(node), Some(seen)) = (self.node(id), reached.get_mut(id.0 as usize)) else { return false };
            if std::mem::replace(seen, true) {
                return false;
            }
            let below = || node.children.iter().chain(&node.wildcard);
            if below().any(|child| self.node(*child).is_none_or(|child| child.parent != id)) {
                return false;
            }
            open.extend(below());
        }
        let free_is_free = self
            .free
            .iter()
            .all(|id| reached.get_mut(id.0 as usize).is_some_and(|seen| !std::mem::replace(seen, true)));
        free_is_free && reached.iter().all(|seen| *seen) && self.nodes.first().is_some_and(|root| root.parent == ROOT)
    }

    /// Makes whole what was read from a snapshot, within limits that may have changed.
    pub(crate) fn complete(&mut self, limits: TrieLimits) {
        self.limits = TrieLimits { nodes_max: limits.nodes_max.max(64), children_max: limits.children_max.max(8) };
        let mut index = HashMap::default();
        for child in self.nodes.iter().flat_map(|node| &node.children) {
            if let Some(node) = self.node(*child) {
                index.insert(self.slot(node.parent, &node.text, node.joined), *child);
            }
        }
        self.index = index;
    }

    /// A node; `None` only for an id of another trie.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    /// Nodes in use.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// True when nothing was inserted.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    fn slot(&self, parent: NodeId, text: &str, joined: bool) -> u64 {
        let salt = u64::from(parent.0) << 1 | u64::from(joined);
        mix(hash_bytes(self.key, text.as_bytes()), salt)
    }

    /// The exact child for a piece.
    fn exact(&self, parent: NodeId, text: &str, joined: bool) -> Option<NodeId> {
        let &id = self.index.get(&self.slot(parent, text, joined))?;
        self.node(id).filter(|node| node.parent == parent && *node.text == *text).map(|_| id)
    }

    /// The child for a piece: the exact one, else the wildcard.
    pub fn child(&self, parent: NodeId, text: &str, joined: bool) -> Option<NodeId> {
        let wildcard = || if joined { None } else { self.node(parent)?.wildcard };
        self.exact(parent, text, joined).or_else(wildcard)
    }

    /// The node of a path, where every piece is known.
    pub fn find(&self, pieces: &Pieces<'_>) -> Option<NodeId> {
        pieces.iter().try_fold(ROOT, |at, piece| self.child(at, &piece.text, piece.joined))
    }

    /// Walks a path, making nodes where they lack, and counts a successful request on the way. Gives the last node.
    pub fn insert(&mut self, pieces: &Pieces<'_>, client: Option<u64>) -> NodeId {
        self.sequence = self.sequence.saturating_add(1);
        if self.len() + pieces.len() > self.limits.nodes_max {
            self.shrink();
        }
        let mut at = ROOT;
        self.touch(at, client);
        for piece in pieces {
            at = match self.exact(at, &piece.text, piece.joined) {
                Some(child) => child,
                None => self.grow(at, &piece.text, piece.joined),
            };
            self.touch(at, client);
        }
        at
    }

    /// Counts a successful request that came to a node the way it did before; the node must be one that
    /// [`Self::insert`] gave since anything was last evicted.
    pub fn visit(&mut self, id: NodeId, client: Option<u64>) {
        self.sequence = self.sequence.saturating_add(1);
        let mut at = id;
        // A path has no more pieces; the bound is for a caller that keeps a stale node.
        for _ in 0..=PIECES_MAX {
            self.touch(at, client);
            if at == ROOT {
                break;
            }
            at = self.node(at).map_or(ROOT, |node| node.parent);
        }
    }

    fn touch(&mut self, id: NodeId, client: Option<u64>) {
        let sequence = self.sequence;
        if let Some(node) = self.node_mut(id) {
            node.count = node.count.saturating_add(1);
            node.last = sequence;
            if let Some(client) = client {
                node.clients.add(client);
            }
        }
    }

    /// The terminal of a method at a node, made when it lacks.
    pub fn terminal(&mut self, id: NodeId, method: MethodId) -> Option<&mut Terminal> {
        let node = self.node_mut(id)?;
        let at = match node.terminals.iter().position(|terminal| terminal.method == method) {
            Some(at) => at,
            None => {
                node.terminals.push(Terminal { method, ..Terminal::default() });
                node.terminals.len() - 1
            }
        };
        node.terminals.get_mut(at)
    }

    fn grow(&mut self, parent: NodeId, text: &str, joined: bool) -> NodeId {
        let children = self.node(parent).map_or(0, |node| node.children.len());
        if children >= self.limits.children_max {
            self.fold(parent);
            if self.node(parent).is_some_and(|node| node.children.len() >= self.limits.children_max) {
                // Only pieces behind a joint are left: what comes now is part of the value.
                return parent;
            }
        }
        let id = self.allocate(empty_node(parent, text, joined, self.sequence));
        self.index.insert(self.slot(parent, text, joined), id);
        if let Some(node) = self.node_mut(parent) {
            node.children.push(id);
        }
        id
    }

    fn allocate(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop() {
            if let Some(slot) = self.node_mut(id) {
                *slot = node;
            }
            return id;
        }
        self.nodes.push(node);
        NodeId((self.nodes.len() - 1) as u32)
    }

    /// Folds the rarest children of a node into its wildcard until half of the room is free.
    fn fold(&mut self, parent: NodeId) {
        let Some(node) = self.node(parent) else { return };
        let mut children: Vec<(u32, u32, NodeId)> = node
            .children
            .iter()
            .filter_map(|&id| self.node(id).filter(|child| !child.joined).map(|child| (child.count, child.last, id)))
            .collect();
        children.sort_unstable();
        let keep = self.limits.children_max / 2;
        let fold: Vec<NodeId> =
            children.iter().take(children.len().saturating_sub(keep)).map(|&(_, _, id)| id).collect();
        if fold.is_empty() {
            return;
        }
        let wildcard = match node.wildcard {
            Some(wildcard) => wildcard,
            None => {
                let id = self.allocate(empty_node(parent, "*", false, self.sequence));
                if let Some(node) = self.node_mut(parent) {
                    node.wildcard = Some(id);
                }
                id
            }
        };
        if let Some(node) = self.node_mut(parent) {
            node.children.retain(|id| !fold.contains(id));
        }
        for id in fold {
            self.evicted += 1;
            self.absorb(wildcard, id);
            if let Some(node) = self.node_mut(wildcard) {
                node.folded = node.folded.saturating_add(1);
            }
        }
    }

    /// Moves everything of `from`, already detached from its parent's list, into `into`.
    fn absorb(&mut self, into: NodeId, from: NodeId) {
        // Depth is bounded by the number of pieces of a path.
        let Some(node) = self.node(from).cloned() else { return };
        self.index.remove(&self.slot(node.parent, &node.text, node.joined));
        if let Some(target) = self.node_mut(into) {
            target.count = target.count.saturating_add(node.count);
            target.first = target.first.min(node.first);
            target.last = target.last.max(node.last);
            target.folded = target.folded.saturating_add(node.folded);
            target.clients.merge(node.clients);
        }
        for terminal in &node.terminals {
            if let Some(target) = self.terminal(into, terminal.method) {
                target.merge(terminal);
            }
        }
        for child in node.children.iter().copied().chain(node.wildcard) {
            let Some((text, joined, wild)) = self
                .node(child)
                .map(|child_node| (child_node.text.clone(), child_node.joined, node.wildcard == Some(child)))
            else {
                continue;
            };
            let existing =
                if wild { self.node(into).and_then(|node| node.wildcard) } else { self.exact(into, &text, joined) };
            match existing {
                Some(existing) => self.absorb(existing, child),
                None if wild => {
                    if let Some(target) = self.node_mut(into) {
                        target.wildcard = Some(child);
                    }
                    if let Some(moved) = self.node_mut(child) {
                        moved.parent = into;
                    }
                }
                None => self.adopt(into, child, &text, joined),
            }
        }
        if let Some(freed) = self.node_mut(from) {
            *freed = empty_node(ROOT, "", false, 0);
        }
        self.free.push(from);
    }

    /// Hangs a subtree below another node.
    fn adopt(&mut self, into: NodeId, child: NodeId, text: &str, joined: bool) {
        if self.node(into).is_some_and(|node| node.children.len() >= self.limits.children_max) {
            self.fold(into);
        }
        if let Some(moved) = self.node(child) {
            self.index.remove(&self.slot(moved.parent, text, joined));
        }
        if let Some(moved) = self.node_mut(child) {
            moved.parent = into;
        }
        self.index.insert(self.slot(into, text, joined), child);
        if let Some(target) = self.node_mut(into) {
            target.children.push(child);
        }
    }

    /// Makes room: leaves seen least and longest ago go until a fifth of the budget is free.
    fn shrink(&mut self) {
        let target = self.limits.nodes_max - self.limits.nodes_max / 5;
        while self.len() > target {
            let mut leaves: Vec<(u32, u32, NodeId)> = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(at, node)| {
                    let used = *at > 0 && !node.text.is_empty();
                    used && node.children.is_empty() && node.wildcard.is_none()
                })
                .map(|(at, node)| (node.count, node.last, NodeId(at as u32)))
                .collect();
            if leaves.is_empty() {
                return;
            }
            let excess = (self.len() - target).min(leaves.len());
            if excess < leaves.len() {
                leaves.select_nth_unstable(excess);
            }
            let drop: Vec<NodeId> = leaves.iter().take(excess).map(|&(_, _, id)| id).collect();
            for id in drop {
                self.remove_leaf(id);
            }
        }
    }

    fn remove_leaf(&mut self, id: NodeId) {
        let Some(node) = self.node(id).cloned() else { return };
        self.evicted += 1;
        self.index.remove(&self.slot(node.parent, &node.text, node.joined));
        if let Some(parent) = self.node_mut(node.parent) {
            parent.children.retain(|&child| child != id);
            if parent.wildcard == Some(id) {
                parent.wildcard = None;
            }
        }
        if let Some(freed) = self.node_mut(id) {
            *freed = empty_node(ROOT, "", false, 0);
        }
        self.free.push(id);
    }

    /// About how many bytes the trie holds.
    pub fn bytes(&self) -> usize {
        let node = |node: &Node| {
            let terminals = node.terminals.iter().map(|terminal| {
                size_of::<Terminal>()
                    + terminal.hosts.capacity() * 8
                    + terminal.operations.iter().map(|operation| operation.0.len() + 24).sum::<usize>()
            });
            size_of::<Node>() + node.text.len() + node.children.capacity() * 4 + terminals.sum::<usize>()
        };
        self.nodes.iter().map(node).sum::<usize>() + self.index.capacity() * 17
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::pieces;
    use proptest::prelude::*;

    fn invariants(trie: &Trie) {
        let mut reached = 1;
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let node = trie.node(id).unwrap();
            for &child in node.children.iter().chain(&node.wildcard) {
                let below = trie.node(child).unwrap();
                assert_eq!(below.parent, id, "a child knows its parent");
                if node.wildcard != Some(child) {
                    assert_eq!(trie.child(id, &below.text, below.joined), Some(child), "{}", below.text);
                }
                assert!(below.count <= node.count);
                reached += 1;
                open.push(child);
            }
            assert!(node.children.len() <= trie.limits.children_max);
        }
        assert_eq!(reached, trie.len(), "no node is lost");
        assert!(trie.len() <= trie.limits.nodes_max);
    }

    #[test]
    fn a_flood_of_children_is_folded_with_its_subtrees() {
        let mut trie = Trie::new(1, TrieLimits { nodes_max: 1_000, children_max: 16 });
        for at in 0..5_000 {
            trie.insert(&pieces(&format!("/users/{at}/orders")), None);
            trie.insert(&pieces("/users/me/orders"), None);
        }
        invariants(&trie);
        let users = trie.find(&pieces("/users")).unwrap();
        let wildcard = trie.node(users).unwrap().wildcard.unwrap();
        assert!(trie.child(wildcard, "orders", false).is_some());
        assert_eq!(trie.node(trie.find(&pieces("/users/me/orders")).unwrap()).unwrap().count, 5_000);
        assert!(trie.node(wildcard).unwrap().count > 4_900);
    }

    #[test]
    fn a_flood_of_paths_stays_within_the_budget() {
        let mut trie = Trie::new(1, TrieLimits { nodes_max: 500, children_max: 64 });
        for at in 0..20_000u32 {
            let hash = mix(3, u64::from(at));
            trie.insert(&pieces(&format!("/{}/{}/{}", hash % 50, hash >> 40, at)), Some(hash));
            if at % 10 == 0 {
                trie.insert(&pieces("/kept/alive"), None);
            }
        }
        invariants(&trie);
        assert!(trie.find(&pieces("/kept/alive")).is_some());
        assert!(trie.bytes() < 500_000, "{}", trie.bytes());
    }

    proptest! {
        #[test]
        fn any_paths_keep_the_invariants(paths in proptest::collection::vec("(/[a-d]{1,2}(\\.x)?){0,5}", 0..200)) {
            let mut trie = Trie::new(9, TrieLimits { nodes_max: 64, children_max: 8 });
            for path in &paths {
                let pieces = pieces(path);
                let id = trie.insert(&pieces, None);
                trie.terminal(id, 0);
                prop_assert!(trie.node(id).is_some());
            }
            invariants(&trie);
        }
    }
}
