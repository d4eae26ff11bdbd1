//! Gives events their endpoint, and chooses which of them the learner needs to see.
//!
//! Most traffic repeats itself: the same path again and again. What was found for a path is remembered in a small table, so
//! that an event costs a hash and a look; and of many exchanges alike the learner sees the first ones and then a share,
//! since the hundredth tells it nothing that the others did not. What it has never seen it always gets.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{EndpointId, Event};

use crate::learned::Places;

/// Slots of the table; a collision only costs a look-up.
const SLOTS: usize = 16 * 1024;
/// Exchanges alike that the learner sees all of, before it sees a share.
const SEEN_ALL: u32 = 32;
/// The share: one in this many, and one in eight times as many after [`SEEN_OFTEN`].
const SEEN_ONE_IN: u32 = 32;
/// Exchanges alike after which the share is small.
const SEEN_OFTEN: u32 = 4_096;

/// The table of one recorder.
pub struct Placing {
    places: Arc<ArcSwap<Places>>,
    current: Arc<Places>,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    endpoint: Option<EndpointId>,
    seen: u32,
}

/// What is to be done with an event beside storing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForLearner {
    /// It may tell the learner something.
    Show,
    /// Many like it were seen.
    Skip,
}

impl Placing {
    /// A table over what the learner publishes.
    pub fn new(places: Arc<ArcSwap<Places>>) -> Self {
        let current = places.load_full();
        Self { places, current, slots: vec![Slot::default(); SLOTS] }
    }

    /// Notices what the learner has published since; once for each batch.
    pub fn refresh(&mut self) {
        let latest = self.places.load();
        if !Arc::ptr_eq(&latest, &self.current) {
            self.current = Arc::clone(&latest);
            self.slots.fill(Slot::default());
        }
    }

    /// Sets the endpoint of an event and says whether the learner should see it.
    pub fn place(&mut self, event: &mut Event) -> ForLearner {
        // The status belongs to the key: the first error of a path is news.
        let operation = event.operation.as_bytes();
        let key = hash(&[&event.method, &event.host, event.path(), operation, &event.status.to_le_bytes()]);
        let current = &self.current;
        let Some(slot) = self.slots.get_mut(key as usize % SLOTS) else { return ForLearner::Show };
        if slot.key != key {
            *slot = Slot { key, endpoint: find(current, event), seen: 0 };
        }
        slot.seen = slot.seen.saturating_add(1);
        // What the data path recognised, because somebody decided about it, stays.
        event.endpoint = event.endpoint.or(slot.endpoint);
        let one_in = if slot.seen <= SEEN_OFTEN { SEEN_ONE_IN } else { 8 * SEEN_ONE_IN };
        if slot.seen <= SEEN_ALL || slot.seen.is_multiple_of(one_in) || event.sample.is_some() {
            ForLearner::Show
        } else {
            ForLearner::Skip
        }
    }
}

fn find(places: &Places, event: &Event) -> Option<EndpointId> {
    let host = std::str::from_utf8(&event.host).ok()?.to_ascii_lowercase();
    let method = std::str::from_utf8(&event.method).ok()?;
    let target = std::str::from_utf8(&event.target).ok()?;
    places.find(&host, method, target, &event.operation)
}

/// FNV-1a, eight bytes at a time where there are eight. A client who makes two paths collide only has them looked up.
fn hash(parts: &[&[u8]]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(23);
        }
        for &byte in rest {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        hash = (hash ^ part.len() as u64).wrapping_mul(PRIME);
    }
    hash ^ hash >> 29
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"12345678"]), hash(&[b"12345679"]));
        assert_eq!(hash(&[b"12345678", b"x"]), hash(&[b"12345678", b"x"]));
    }
}
