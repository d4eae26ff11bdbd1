//! Sketches that fit into a trie's nodes: a few bytes each, mergeable, deterministic.
//!
//! The crate `datasketches` covers the large ones (quantiles, big cardinalities); these are for places where a hundred
//! thousand of them live side by side.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::mix;

/// Counts distinct hashes up to a few hundred in 16 bytes (linear counting, Whang et al. 1990).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctSmall(u128);

impl DistinctSmall {
    /// Adds a hash.
    pub const fn add(&mut self, hash: u64) {
        self.0 |= 1u128 << (hash >> 57);
    }

    /// Adds everything the other saw.
    pub const fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The estimate; it saturates near 620.
    pub fn estimate(self) -> f32 {
        let empty = self.0.count_zeros().max(1) as f32;
        128.0 * (128.0 / empty).ln()
    }

    /// True when nothing was added.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Counts distinct hashes of any number in 64 bytes (HyperLogLog, Flajolet et al. 2007; error about 13 %).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distinct([u8; 64]);

impl Default for Distinct {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Distinct {
    /// Adds a hash.
    pub fn add(&mut self, hash: u64) {
        let rank = (hash << 6 | 1 << 5).leading_zeros() as u8 + 1;
        if let Some(register) = self.0.get_mut((hash >> 58) as usize) {
            *register = (*register).max(rank);
        }
    }

    /// Adds everything the other saw.
    pub fn merge(&mut self, other: &Self) {
        for (register, &value) in self.0.iter_mut().zip(&other.0) {
            *register = (*register).max(value);
        }
    }

    /// The estimate.
    pub fn estimate(&self) -> f32 {
        let sum: f32 = self.0.iter().map(|&rank| (-f32::from(rank)).exp2()).sum();
        let raw = 0.709 * 64.0 * 64.0 / sum;
        let zeros = self.0.iter().filter(|&&rank| rank == 0).count() as f32;
        if raw <= 160.0 && zeros > 0.0 { 64.0 * (64.0 / zeros).ln() } else { raw }
    }
}

/// The `K` smallest hashes of a set: a uniform sample of its members, and their likeness to another set's
/// (bottom-k, Cohen & Kaplan 2007).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BottomK<const K: usize> {
    hashes: [u32; K],
    length: u8,
}

impl<const K: usize> Default for BottomK<K> {
    fn default() -> Self {
        Self { hashes: [0; K], length: 0 }
    }
}

/// As the list of its hashes.
impl<const K: usize> Serialize for BottomK<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de, const K: usize> Deserialize<'de> for BottomK<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Added one by one: whatever stands in the list, the sketch keeps its order and its size.
        let mut sketch = Self::default();
        for hash in Vec::<u32>::deserialize(deserializer)? {
            sketch.add(hash);
        }
        Ok(sketch)
    }
}

impl<const K: usize> BottomK<K> {
    /// Adds a hash; true when the sketch changed.
    pub fn add(&mut self, hash: u32) -> bool {
        let length = usize::from(self.length);
        let Err(at) = self.as_slice().binary_search(&hash) else { return false };
        if at >= K {
            return false;
        }
        let end = (length + 1).min(K);
        if let Some(tail) = self.hashes.get_mut(at..end) {
            tail.rotate_right(1);
            if let Some(first) = tail.first_mut() {
                *first = hash;
            }
        }
        self.length = end as u8;
        true
    }

    /// The hashes kept, ascending.
    pub fn as_slice(&self) -> &[u32] {
        self.hashes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Adds everything the other kept.
    pub fn merge(&mut self, other: &Self) {
        for &hash in other.as_slice() {
            if !self.add(hash) && self.hashes.last().is_some_and(|&last| hash > last) && usize::from(self.length) == K {
                break;
            }
        }
    }

    /// The estimated Jaccard likeness of the two sets; `None` when both are empty.
    pub fn likeness(&self, other: &Self) -> Option<f32> {
        likeness(self.as_slice(), other.as_slice(), K)
    }
}

/// The estimated Jaccard likeness of two sets given by their smallest hashes, ascending; `None` when both are empty.
pub fn likeness(a: &[u32], b: &[u32], k: usize) -> Option<f32> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let (mut both, mut all) = (0u32, 0u32);
    while all < k as u32 {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x == y => {
                both += 1;
                a.next();
                b.next();
            }
            (Some(x), Some(y)) if x < y => {
                a.next();
            }
            (Some(_), None) => {
                a.next();
            }
            (_, Some(_)) => {
                b.next();
            }
            (None, None) => break,
        }
        all += 1;
    }
    (all > 0).then(|| both as f32 / all as f32)
}

/// The heaviest keys of a stream in bounded space (SpaceSaving, Metwally et al. 2005).
#[derive(Clone, Debug, Default)]
pub struct TopK {
    capacity: usize,
    entries: Vec<TopEntry>,
}

/// One key of a [`TopK`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopEntry {
    /// The key.
    pub key: u64,
    /// How often it was seen at most.
    pub count: u64,
    /// By how much `count` may be too high.
    pub error: u64,
}

impl TopK {
    /// Keeps at most `capacity` keys.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, entries: Vec::new() }
    }

    /// Adds one occurrence.
    pub fn add(&mut self, key: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.count += 1;
        } else if self.entries.len() < self.capacity {
            self.entries.push(TopEntry { key, count: 1, error: 0 });
        } else if let Some(entry) = self.entries.iter_mut().min_by_key(|entry| (entry.count, entry.key)) {
            *entry = TopEntry { key, count: entry.count + 1, error: entry.count };
        }
    }

    /// The keys, heaviest first.
    pub fn entries(&self) -> Vec<TopEntry> {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| (std::cmp::Reverse(entry.count), entry.key));
        entries
    }
}

/// Counts of any number of keys in fixed space, never too low (Count-Min, Cormode & Muthukrishnan 2005).
#[derive(Clone, Debug)]
pub struct CountMin {
    width: usize,
    rows: Vec<Vec<u32>>,
}

impl CountMin {
    /// `depth` rows of `width` counters; at least one of each.
    pub fn new(width: usize, depth: usize) -> Self {
        Self { width: width.max(1), rows: vec![vec![0; width.max(1)]; depth.max(1)] }
    }

    /// Adds one occurrence and gives the new count.
    pub fn add(&mut self, hash: u64) -> u32 {
        let mut least = u32::MAX;
        for (at, row) in self.rows.iter_mut().enumerate() {
            let slot = (mix(hash, at as u64) % self.width as u64) as usize;
            if let Some(counter) = row.get_mut(slot) {
                *counter = counter.saturating_add(1);
                least = least.min(*counter);
            }
        }
        least
    }

    /// The count of a key, possibly too high.
    pub fn count(&self, hash: u64) -> u32 {
        let slots = self.rows.iter().enumerate();
        slots
            .filter_map(|(at, row)| row.get((mix(hash, at as u64) % self.width as u64) as usize))
            .copied()
            .min()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash_bytes;
    use proptest::prelude::*;

    fn hashes(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|at| hash_bytes(1, &at.to_le_bytes()))
    }

    #[test]
    fn distinct_counts_are_close() {
        for count in [1u64, 10, 100, 300] {
            let mut sketch = DistinctSmall::default();
            hashes(count).for_each(|hash| sketch.add(hash));
            let error = (sketch.estimate() - count as f32).abs() / count as f32;
            assert!(error < 0.35, "{count}: {}", sketch.estimate());
        }
        for count in [1u64, 50, 1_000, 100_000] {
            let mut sketch = Distinct::default();
            hashes(count).for_each(|hash| sketch.add(hash));
            let error = (sketch.estimate() - count as f32).abs() / count as f32;
            assert!(error < 0.35, "{count}: {}", sketch.estimate());
        }
    }

    #[test]
    fn heavy_keys_survive_a_flood() {
        let mut top = TopK::new(8);
        for at in 0..10_000u64 {
            top.add(if at % 3 == 0 { 42 } else { 1_000 + at });
        }
        let first = top.entries()[0];
        assert_eq!(first.key, 42);
        assert!(first.count - first.error <= 3_334 && first.count >= 3_334);
    }

    #[test]
    fn count_min_is_never_too_low() {
        let mut sketch = CountMin::new(256, 4);
        hashes(1_000).for_each(|hash| {
            sketch.add(hash);
        });
        (0..50).for_each(|_| {
            sketch.add(7);
        });
        assert!((50..80).contains(&sketch.count(7)), "{}", sketch.count(7));
    }

    #[test]
    fn likeness_of_small_sets_is_exact() {
        let sketch = |items: &[u32]| {
            let mut sketch = BottomK::<8>::default();
            items.iter().for_each(|&item| {
                sketch.add(item);
            });
            sketch
        };
        assert_eq!(sketch(&[1, 2, 3]).likeness(&sketch(&[2, 3, 4])), Some(0.5));
        assert_eq!(sketch(&[1]).likeness(&sketch(&[2])), Some(0.0));
        assert_eq!(sketch(&[]).likeness(&sketch(&[])), None);
        assert_eq!(sketch(&[]).likeness(&sketch(&[1])), Some(0.0));
    }

    proptest! {
        #[test]
        fn bottom_k_keeps_the_smallest(items in proptest::collection::vec(any::<u32>(), 0..60), cut in 0usize..60) {
            let mut whole = BottomK::<8>::default();
            items.iter().for_each(|&item| { whole.add(item); });
            let mut expected = items.clone();
            expected.sort_unstable();
            expected.dedup();
            expected.truncate(8);
            prop_assert_eq!(whole.as_slice(), &expected[..]);
            let (left, right) = items.split_at(cut.min(items.len()));
            let (mut a, mut b) = (BottomK::<8>::default(), BottomK::<8>::default());
            left.iter().for_each(|&item| { a.add(item); });
            right.iter().for_each(|&item| { b.add(item); });
            a.merge(&b);
            prop_assert_eq!(a, whole);
        }
    }
}
