//! The learner's thread: observations in, endpoints into the inventory; and back from the inventory what people decided.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use learn::{Change, Constraints, Learner, Models};
use model::{EndpointId, Observation};
use store::{Inventory, StoreError};

use super::keeping;
use super::metrics::Metrics;
use super::steering::Helm;
use super::{Error, give_way};
use crate::learned::drift::{self, Declared, Seen};
use crate::learned::{self, Identities, Places, words};
use crate::now;

/// Learning can wait: when it falls behind, it is shown less.
const NICE: i32 = 12;
/// How often what was learned is judged and brought to the inventory.
const REFRESH: Duration = Duration::from_secs(5);
/// How often it is brought there although no template changed: counts and schemas grow on.
const PUBLISH: Duration = Duration::from_secs(15);
/// How often the memory is written down.
const KEEP: Duration = Duration::from_secs(60);
/// How often the inventory is asked whether somebody decided something, in this process or in another.
const DECISIONS: Duration = Duration::from_millis(500);

/// What the learner's thread talks to.
pub struct Surroundings {
    /// Where events belong, for the recorder.
    pub places: Arc<ArcSwap<Places>>,
    /// What is declared.
    pub declared: Arc<ArcSwap<Declared>>,
    /// Takes decisions to the data path; it ends before the learner does.
    pub helm: Weak<Helm>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The data directory.
    pub data: PathBuf,
}

struct Learning {
    learner: Learner,
    identities: Identities,
    inventory: Inventory,
    surroundings: Surroundings,
    /// What the last judgement had.
    present: HashSet<EndpointId>,
    /// The words of operators that the learner obeys, as they were last read.
    words: Vec<store::inventory::Constraint>,
    latest_change: i64,
    written: Written,
    /// When the inventory was last told, and how many observations there were then.
    published: (Instant, u64),
    /// The same for the memory on disk.
    kept: (Instant, u64),
}

/// Starts the learner; it ends when the recorder has ended.
///
/// # Errors
/// When the inventory cannot be opened or the thread cannot be started.
pub fn start(
    observations: Receiver<Vec<Observation>>,
    models: Models,
    surroundings: Surroundings,
) -> Result<JoinHandle<()>, Error> {
    let inventory = Inventory::open(&surroundings.data)?;
    // Tables of the learner are keyed, so that nobody can choose paths that collide.
    let (learner, identities) = keeping::load(&surroundings.data, models, fastrand::u64(..));
    let present = identities.all().collect();
    let learning = Learning {
        published: (Instant::now(), learner.observed),
        kept: (Instant::now(), learner.observed),
        learner,
        identities,
        inventory,
        surroundings,
        present,
        words: Vec::new(),
        latest_change: -1,
        // Told once at the start: what is remembered and what is declared and never seen.
        written: Written::No,
    };
    let thread = std::thread::Builder::new().name("learner".to_owned());
    thread.spawn(move || learning.run(&observations)).map_err(Error::Thread)
}

/// Whether the inventory has the last judgement: one that it refused is brought again, even when nothing new was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    No,
}

impl Learning {
    fn run(mut self, observations: &Receiver<Vec<Observation>>) {
        give_way(NICE);
        let (mut judged, mut asked) = (Instant::now(), Instant::now());
        loop {
            let ended = match observations.recv_timeout(DECISIONS) {
                Ok(mut batch) => {
                    for observation in &mut batch {
                        learn::keys::add_shape(observation);
                        self.learner.observe(observation);
                    }
                    self.surroundings.metrics.observations.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if asked.elapsed() >= DECISIONS {
                asked = Instant::now();
                self.ask();
            }
            if judged.elapsed() < REFRESH && !ended {
                continue;
            }
            judged = Instant::now();
            if ended {
                self.learner.refresh_all();
            } else if self.learner.refresh() == 0 && self.written == Written::Yes && !self.is_due() {
                continue;
            }
            self.written = match self.publish() {
                Ok(()) => Written::Yes,
                Err(error) => {
                    tracing::warn!(%error, "what was learned could not be written; tried again in a moment");
                    Written::No
                }
            };
            self.keep(ended);
            if ended {
                return;
            }
        }
    }

    /// Writes the memory down, now and then and at the end.
    fn keep(&mut self, ended: bool) {
        let (at, observed) = self.kept;
        if observed == self.learner.observed || at.elapsed() < KEEP && !ended {
            return;
        }
        self.kept = (Instant::now(), self.learner.observed);
        if let Err(why) = keeping::save(&self.surroundings.data, &self.learner, &self.identities) {
            tracing::warn!(%why, "what was learned could not be kept for the next start");
        }
    }

    /// Whether what is known has grown without a new judgement.
    fn is_due(&self) -> bool {
        let (at, observed) = self.published;
        at.elapsed() >= PUBLISH && self.learner.observed > observed
    }

    /// Looks whether somebody decided something.
    fn ask(&mut self) {
        let found = self.inventory.latest_change().and_then(|latest| {
            if latest == self.latest_change {
                return Ok(());
            }
            self.latest_change = latest;
            let Some(helm) = self.surroundings.helm.upgrade() else { return Ok(()) };
            helm.read_decisions(&self.inventory)
        });
        if let Err(error) = found.and_then(|()| self.obey()) {
            tracing::warn!(%error, "what was decided about endpoints could not be read; tried again in a moment");
            self.latest_change = -1;
        }
    }

    /// Tells the learner what operators said about templates.
    fn obey(&mut self) -> Result<(), StoreError> {
        let said = self.inventory.constraints()?;
        if said == self.words {
            return Ok(());
        }
        let mut constraints = Constraints::default();
        for word in said.iter().filter(|word| word.withdrawn_at.is_none()) {
            words::tell(&mut constraints, word, &self.inventory)?;
        }
        self.learner.constrain(|held| *held = constraints);
        self.words = said;
        Ok(())
    }

    /// Brings what was found to the recorder and to the inventory.
    fn publish(&mut self) -> Result<(), StoreError> {
        let Surroundings { places, declared, metrics, .. } = &self.surroundings;
        let now = now();
        let found = self.learner.endpoints();
        places.store(Arc::new(Places::of(&self.learner, &found, &mut self.identities)));
        let mut rows = learned::endpoints(&self.learner, &found, &mut self.identities, now);
        metrics.endpoints_learned.store(rows.len() as u64, Ordering::Relaxed);
        let accepted = self.inventory.contracts()?;
        let accepted: HashMap<EndpointId, _> =
            accepted.into_iter().map(|(stored, contract)| (stored.endpoint.id, contract)).collect();
        let schemas: HashMap<EndpointId, _> =
            self.learner.inventory().all().map(|(_, known)| (known.id, &known.schema)).collect();
        let seen: Vec<Seen<'_>> =
            found.iter().map(|found| Seen { found, schema: schemas.get(&found.whole).copied() }).collect();
        let orphans = drift::mark(&declared.load(), &accepted, &seen, &mut rows, now);
        rows.extend(orphans);
        self.inventory.put_learned(now, &rows)?;
        let present: HashSet<EndpointId> = rows.iter().map(|row| row.endpoint.id).collect();
        let gone: Vec<(EndpointId, Option<EndpointId>)> = self
            .present
            .difference(&present)
            .map(|id| (*id, self.heir(*id).filter(|heir| present.contains(heir))))
            .collect();
        self.inventory.follow_learned(now, &gone)?;
        self.present = present;
        self.published = (Instant::now(), self.learner.observed);
        Ok(())
    }

    /// The endpoint that one which is no more turned out to be a part of.
    fn heir(&self, gone: EndpointId) -> Option<EndpointId> {
        let own = self.identities.learned(gone)?;
        let (_, known) = self.learner.inventory().all().find(|(_, known)| known.id == own)?;
        let into = known.history.iter().rev().find_map(|(_, change)| match change {
            Change::AbsorbedBy { other } => Some(*other),
            _ => None,
        })?;
        self.identities.given(into)
    }
}
