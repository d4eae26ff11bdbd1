//! Boosted regression trees over quantised features: a validated, compact file and its evaluation.
//!
//! A row of numbers is first turned into bins (how many of the feature's thresholds lie below the value); trees then
//! compare single bytes. Every node carries the mean output of the rows that reached it in training, so that the
//! difference along a path can be credited to the features it asked about (Saabas' decomposition): that is how a
//! decision names its reasons. Missing values are `NaN` and take the right branch everywhere.
//!
//! Training is not here: it is a development task and needs no place in the shipped program.

use crate::bytes::{self, ModelError, Reader};

const KIND: [u8; 4] = *b"tree";
const VERSION: u16 = 1;
/// The value of a node's output is stored in steps of this size.
pub const OUTPUT_STEP: f32 = 1.0 / 2048.0;
/// Most features a forest may have; rows are quantised into an array of this size.
pub const FEATURES_MAX: usize = 128;

/// One node: a question about one feature, or a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The feature asked about; ignored in a leaf.
    pub feature: u8,
    /// Rows whose bin is at most this go left; ignored in a leaf.
    pub bin: u8,
    /// Index of the left child in the forest's nodes, 0 for a leaf; the right child follows directly.
    pub left: u32,
    /// Mean output of the training rows here, in [`OUTPUT_STEP`]s.
    pub output: i16,
}

/// A sum of trees, read as a log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    base: f32,
    /// Ascending thresholds per feature.
    thresholds: Vec<Vec<f32>>,
    /// First node of each tree.
    roots: Vec<u32>,
    nodes: Vec<Node>,
    /// The same trees made for walking several at once.
    lanes: Vec<Lanes>,
}

/// How many trees are walked at once: their loads do not wait for each other.
const LANES: usize = 8;

/// Some trees of about the same depth.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Lanes {
    roots: [u32; LANES],
    /// How many of the lanes carry a tree; the others walk a tree that counts nothing.
    used: usize,
    depth: u32,
}

impl Forest {
    /// Puts a forest together, checking everything that evaluation relies on.
    pub fn new(base: f32, thresholds: Vec<Vec<f32>>, roots: Vec<u32>, nodes: Vec<Node>) -> Result<Self, ModelError> {
        use ModelError::Inconsistent;
        if thresholds.len() > FEATURES_MAX {
            return Err(Inconsistent("too many features"));
        }
        for list in &thresholds {
            let ascending = list.iter().zip(list.iter().skip(1)).all(|(low, high)| low < high);
            if list.len() > 254 || !ascending || list.iter().any(|value| !value.is_finite()) {
                return Err(Inconsistent("thresholds must be finite and ascending"));
            }
        }
        if roots.iter().any(|&root| root as usize >= nodes.len()) {
            return Err(Inconsistent("a tree starts outside the nodes"));
        }
        for (at, node) in nodes.iter().enumerate() {
            if node.left == 0 {
                continue;
            }
            // INVARIANT: children lie behind their parent, so every walk ends.
            if node.left as usize <= at || node.left as usize + 1 >= nodes.len() {
                return Err(Inconsistent("a child lies before its parent or outside the nodes"));
            }
            if usize::from(node.feature) >= thresholds.len() {
                return Err(Inconsistent("a node asks about an unknown feature"));
            }
        }
        if !base.is_finite() {
            return Err(Inconsistent("a number is not finite"));
        }
        let lanes = lanes(&roots, &nodes);
        Ok(Self { base, thresholds, roots, nodes, lanes })
    }

    /// Reads a model file.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        let mut reader = Reader::new(bytes::open(file, KIND, VERSION)?);
        let base = reader.f32()?;
        let feature_count = reader.u16()?;
        let mut thresholds = Vec::new();
        for _ in 0..feature_count.min(FEATURES_MAX as u16 + 1) {
            let count = reader.u8()?;
            thresholds.push((0..count).map(|_| reader.f32()).collect::<Result<Vec<f32>, _>>()?);
        }
        let tree_count = reader.u16()?;
        let (mut roots, mut nodes) = (Vec::new(), Vec::new());
        for _ in 0..tree_count {
            let first = nodes.len() as u32;
            roots.push(first);
            for _ in 0..reader.u16()? {
                let (feature, bin, left, output) = (reader.u8()?, reader.u8()?, reader.u16()?, reader.i16()?);
                let left = if left == 0 { 0 } else { first.saturating_add(u32::from(left)) };
                nodes.push(Node { feature, bin, left, output });
            }
        }
        reader.finish()?;
        Self::new(base, thresholds, roots, nodes)
    }

    /// Writes a model file.
    pub fn write(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        payload.extend_from_slice(&self.base.to_le_bytes());
        payload.extend_from_slice(&(self.thresholds.len() as u16).to_le_bytes());
        for list in &self.thresholds {
            payload.push(list.len() as u8);
            list.iter().for_each(|value| payload.extend_from_slice(&value.to_le_bytes()));
        }
        payload.extend_from_slice(&(self.roots.len() as u16).to_le_bytes());
        let ends = self.roots.iter().skip(1).copied().chain([self.nodes.len() as u32]);
        for (&root, end) in self.roots.iter().zip(ends) {
            let tree = self.nodes.get(root as usize..end as usize).unwrap_or_default();
            payload.extend_from_slice(&(tree.len() as u16).to_le_bytes());
            for node in tree {
                let left = if node.left == 0 { 0 } else { (node.left - root) as u16 };
                payload.extend_from_slice(&[node.feature, node.bin]);
                payload.extend_from_slice(&left.to_le_bytes());
                payload.extend_from_slice(&node.output.to_le_bytes());
            }
        }
        bytes::seal(KIND, VERSION, &payload)
    }

    /// How many features a row must have.
    pub const fn features(&self) -> usize {
        self.thresholds.len()
    }

    /// The bins of a row; missing features count as `NaN`.
    fn bins(&self, row: &[f32]) -> [u8; FEATURES_MAX] {
        let mut bins = [255u8; FEATURES_MAX];
        for ((bin, list), value) in bins.iter_mut().zip(&self.thresholds).zip(row) {
            // A feature without thresholds still tells what is missing from what is there.
            if !value.is_nan() {
                *bin = list.partition_point(|threshold| threshold < value) as u8;
            }
        }
        bins
    }

    /// The log-odds of a row.
    pub fn score(&self, row: &[f32]) -> f32 {
        let bins = self.bins(row);
        let sum: i32 = self.lanes.iter().map(|lanes| self.walk_lanes(lanes, &bins)).sum();
        self.base + sum as f32 * OUTPUT_STEP
    }

    /// The sum of the leaves of several trees. Every lane takes as many steps as the deepest; a lane at its leaf stays.
    fn walk_lanes(&self, lanes: &Lanes, bins: &[u8; FEATURES_MAX]) -> i32 {
        const STAY: Node = Node { feature: 0, bin: 0, left: 0, output: 0 };
        let nodes = self.nodes.as_slice();
        let mut at = lanes.roots;
        for _ in 0..lanes.depth {
            for lane in &mut at {
                let node = nodes.get(*lane as usize).copied().unwrap_or(STAY);
                let right = bins.get(usize::from(node.feature) % FEATURES_MAX).is_some_and(|&bin| bin > node.bin);
                let next = node.left + u32::from(right);
                *lane = if node.left == 0 { *lane } else { next };
            }
        }
        let output = |lane: &u32| nodes.get(*lane as usize).map_or(0, |node| i32::from(node.output));
        at.iter().take(lanes.used).map(output).sum()
    }

    /// The probability of a row.
    pub fn probability(&self, row: &[f32]) -> f32 {
        sigmoid(self.score(row))
    }

    /// What each feature added to the log-odds, largest first, at most `count` of them.
    pub fn reasons(&self, row: &[f32], count: usize) -> Vec<(usize, f32)> {
        let bins = self.bins(row);
        let mut sums = vec![0i32; self.features()];
        for &root in &self.roots {
            self.walk(root, &bins, |feature, delta| {
                if let Some(sum) = sums.get_mut(usize::from(feature)) {
                    *sum += delta;
                }
            });
        }
        let mut reasons: Vec<(usize, f32)> =
            sums.iter().enumerate().map(|(feature, &sum)| (feature, sum as f32 * OUTPUT_STEP)).collect();
        reasons.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        reasons.truncate(count);
        reasons
    }

    /// Walks one tree to its leaf, telling `credit` how the output changed at each question.
    fn walk(&self, root: u32, bins: &[u8; FEATURES_MAX], mut credit: impl FnMut(u8, i32)) -> i16 {
        let Some(mut node) = self.nodes.get(root as usize) else { return 0 };
        while node.left != 0 {
            let right = bins.get(usize::from(node.feature)).is_some_and(|&bin| bin > node.bin);
            let Some(next) = self.nodes.get(node.left as usize + usize::from(right)) else { break };
            credit(node.feature, i32::from(next.output) - i32::from(node.output));
            node = next;
        }
        node.output
    }
}

/// Groups trees of like depth, so that few steps are taken for nothing.
fn lanes(roots: &[u32], nodes: &[Node]) -> Vec<Lanes> {
    // Children lie behind their parents, so that one pass from the end knows the depth below every node.
    let mut depths = vec![0u32; nodes.len()];
    for (at, node) in nodes.iter().enumerate().rev().filter(|(_, node)| node.left != 0) {
        let below = |child: usize| depths.get(child).copied().unwrap_or(0);
        let depth = 1 + below(node.left as usize).max(below(node.left as usize + 1));
        if let Some(slot) = depths.get_mut(at) {
            *slot = depth;
        }
    }
    let mut trees: Vec<(u32, u32)> =
        roots.iter().map(|&root| (depths.get(root as usize).copied().unwrap_or(0), root)).collect();
    trees.sort_unstable();
    let group = |group: &[(u32, u32)]| {
        let mut roots = [group.first().map_or(0, |tree| tree.1); LANES];
        for (root, tree) in roots.iter_mut().zip(group) {
            *root = tree.1;
        }
        Lanes { roots, used: group.len(), depth: group.last().map_or(0, |tree| tree.0) }
    };
    trees.chunks(LANES).map(group).collect()
}

/// The probability of a log-odds.
pub fn sigmoid(score: f32) -> f32 {
    1.0 / (1.0 + (-score).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> Forest {
        let leaf = |output| Node { feature: 0, bin: 0, left: 0, output };
        let nodes = vec![
            Node { feature: 1, bin: 0, left: 1, output: 0 },
            leaf(-2048),
            Node { feature: 0, bin: 1, left: 3, output: 1024 },
            leaf(512),
            leaf(2048),
        ];
        Forest::new(0.5, vec![vec![1.0, 2.0], vec![10.0]], vec![0], nodes).unwrap()
    }

    #[test]
    fn golden_scores() {
        let forest = small();
        for (row, score) in [
            ([0.0, 5.0], -0.5),
            ([0.0, 10.0], -0.5),
            ([0.0, 11.0], 0.75),
            ([2.0, 11.0], 0.75),
            ([2.5, 11.0], 1.5),
            ([f32::NAN, f32::NAN], 1.5),
        ] {
            assert_eq!(forest.score(&row), score, "{row:?}");
        }
        assert_eq!(forest.score(&[]), 1.5);
    }

    #[test]
    fn reasons_add_up_to_the_score() {
        assert_eq!(small().reasons(&[2.5, 11.0], 5), [(0, 0.5), (1, 0.5)]);
        assert_eq!(small().reasons(&[0.0, 0.0], 1), [(1, -1.0)]);
    }

    #[test]
    fn a_file_reads_back() {
        let forest = small();
        assert_eq!(Forest::read(&forest.write()), Ok(forest));
    }

    #[test]
    fn a_loop_is_refused() {
        let node = Node { feature: 0, bin: 0, left: 0, output: 0 };
        let nodes = vec![node, Node { left: 1, ..node }, node];
        let refused = Forest::new(0.0, vec![vec![1.0]], vec![0], nodes);
        assert_eq!(refused, Err(ModelError::Inconsistent("a child lies before its parent or outside the nodes")));
    }

    proptest! {
        /// Any payload either is refused or can be evaluated.
        #[test]
        fn hostile_files_are_refused_or_harmless(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(forest) = Forest::read(&bytes::seal(KIND, VERSION, &payload)) {
                forest.score(&[1.0; FEATURES_MAX]);
                forest.reasons(&[f32::NAN; 3], 4);
            }
        }

        /// A damaged real file never panics, even when its checksum is made right again.
        #[test]
        fn damaged_payloads_are_refused_or_harmless(at in 0usize..70, to in any::<u8>()) {
            let file = small().write();
            let mut payload = bytes::open(&file, KIND, VERSION).unwrap().to_vec();
            let at = at % payload.len();
            payload[at] = to;
            if let Ok(forest) = Forest::read(&bytes::seal(KIND, VERSION, &payload)) {
                forest.score(&[1.0, 2.0]);
            }
        }
    }
}
