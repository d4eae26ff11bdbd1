//! The learner's memory as bytes, so that a restart goes on where the process ended.
//!
//! Kept are the tries, what is known of hosts and clients, and every endpoint ever found with its schema. Judgements and
//! caches are made anew. The bytes have no names in them: whoever changes a type below changes [`VERSION`] with it, which
//! a test reminds of, and bytes of another version are refused.

use model::Observation;
use serde::{Deserialize, Serialize};

use crate::context::{ClientContext, HostContext};
use crate::inventory::{Key, Known};
use crate::learner::{Learner, LearnerLimits};
use crate::models::Models;
use crate::trie::Trie;

/// The version of the bytes.
pub const VERSION: u32 = 1;

/// Why bytes are no memory of a learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes are not what a learner of this version wrote")
    }
}

impl std::error::Error for Unreadable {}

/// What is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) key: u64,
    pub(crate) observed: u64,
    /// Domain and trie of each group of hosts.
    pub(crate) groups: Vec<(Box<str>, Trie)>,
    /// Name, group and context of each host, in the order of their numbers.
    pub(crate) hosts: Vec<(Box<str>, usize, HostContext)>,
    pub(crate) methods: Vec<Box<str>>,
    pub(crate) clients: Vec<(u64, ClientContext)>,
    pub(crate) known: Vec<(Key, Known)>,
    pub(crate) next: u64,
}

impl Learner {
    /// The memory as bytes.
    ///
    /// # Errors
    /// When it cannot be written, which only a lack of memory brings about.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unreadable> {
        postcard::to_stdvec(&self.memory()).map_err(|_| Unreadable)
    }

    /// A learner with this memory, judged.
    ///
    /// # Errors
    /// When the bytes are no memory.
    pub fn from_bytes(models: Models, limits: LearnerLimits, bytes: &[u8]) -> Result<Self, Unreadable> {
        let memory: Memory = postcard::from_bytes(bytes).map_err(|_| Unreadable)?;
        let fits = memory.groups.len() <= limits.groups_max
            && memory.hosts.len() <= limits.hosts_max
            && memory.methods.len() <= limits.methods_max
            && memory.hosts.iter().all(|(_, group, _)| *group < memory.groups.len())
            && memory.groups.iter().all(|(_, trie)| trie.is_sound());
        if !fits {
            return Err(Unreadable);
        }
        Ok(Self::remembering(models, limits, memory))
    }
}

/// An observation that says as much as one can: for the test that watches the layout.
#[doc(hidden)]
pub fn example(at: i64) -> Observation {
    Observation {
        at: model::Timestamp(at),
        client: Some([81, 2, 3, 4].into()),
        host: "api.example.com".into(),
        method: "GET".into(),
        target: format!("/v1/users/{at}?page={at}").into(),
        status: 200,
        response_type: Some("application/json".into()),
        request_bytes: Some(0),
        response_bytes: Some(640),
        agent: Some("okhttp/4.12.0".into()),
        accept: Some("application/json".into()),
        credential: Some(true),
        response_shape: Some([11, 22, 33].into()),
        ..Observation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learner(count: i64) -> Learner {
        let mut learner = Learner::new(Models::shipped().unwrap(), LearnerLimits::default(), 7);
        (1..=count).for_each(|at| learner.observe(&example(at * 1_000)));
        learner.refresh_all();
        learner
    }

    #[test]
    fn a_learner_goes_on_where_it_ended() {
        let mut before = learner(60);
        let bytes = before.to_bytes().unwrap();
        let mut after = Learner::from_bytes(Models::shipped().unwrap(), LearnerLimits::default(), &bytes).unwrap();
        assert_eq!(before.endpoints(), after.endpoints());
        assert!(!after.endpoints().is_empty());
        for learner in [&mut before, &mut after] {
            (61..=120).for_each(|at| learner.observe(&example(at * 1_000)));
            learner.refresh_all();
        }
        assert_eq!(before.endpoints(), after.endpoints());
        let schema =
            |learner: &Learner| learner.inventory().all().map(|(_, known)| known.schema.clone()).collect::<Vec<_>>();
        assert_eq!(schema(&before), schema(&after));
    }

    #[test]
    fn bytes_that_are_none_are_refused() {
        let bytes = learner(20).to_bytes().unwrap();
        let read = |bytes: &[u8]| Learner::from_bytes(Models::shipped().unwrap(), LearnerLimits::default(), bytes);
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(read(bytes.get(..cut).unwrap()).is_err(), "{cut}");
        }
        // A flipped byte gives another memory or none, and never a panic.
        for at in (0..bytes.len()).step_by(7) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0xff;
            let _ = read(&wrong);
        }
    }

    #[test]
    fn the_layout_belongs_to_the_version() {
        // Somebody changed a type that is kept: give VERSION another number and this test the new length.
        assert_eq!((VERSION, learner(3).to_bytes().unwrap().len()), (1, 604));
    }
}
