//! The learner's thread: observations in, endpoints into the inventory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use learn::{Learner, LearnerLimits, Models};
use model::Observation;

use super::Error;
use super::metrics::Metrics;
use crate::learned::{Identities, Places};
use crate::{learned, now};

/// How often what was learned is judged and brought to the inventory.
const REFRESH: Duration = Duration::from_secs(5);

/// Starts the learner; it ends when the recorder has ended.
///
/// # Errors
/// When the inventory cannot be opened or the thread cannot be started.
pub fn start(
    observations: Receiver<Vec<Observation>>,
    places: Arc<ArcSwap<Places>>,
    models: Models,
    data: PathBuf,
    metrics: Arc<Metrics>,
) -> Result<JoinHandle<()>, Error> {
    let mut inventory = store::Inventory::open(&data)?;
    // Tables of the learner are keyed, so that nobody can choose paths that collide.
    let mut learner = Learner::new(models, LearnerLimits::default(), fastrand::u64(..));
    let thread = std::thread::Builder::new().name("learner".to_owned());
    let run = move || {
        let mut judged = Instant::now();
        let mut identities = Identities::default();
        let mut written = Written::Yes;
        loop {
            let ended = match observations.recv_timeout(Duration::from_millis(500)) {
                Ok(batch) => {
                    for observation in &batch {
                        learner.observe(observation);
                    }
                    metrics.observations.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if judged.elapsed() < REFRESH && !ended {
                continue;
            }
            judged = Instant::now();
            if ended {
                learner.refresh_all();
            } else if learner.refresh() == 0 && written == Written::Yes {
                continue;
            }
            let found = learner.endpoints();
            places.store(Arc::new(Places::of(&learner, &found, &mut identities)));
            let endpoints = learned::endpoints(&found, &mut identities);
            metrics.endpoints_learned.store(endpoints.len() as u64, Ordering::Relaxed);
            written = match inventory.put_learned(now(), &endpoints) {
                Ok(_) => Written::Yes,
                Err(error) => {
                    tracing::warn!(%error, "what was learned could not be written; tried again in a moment");
                    Written::No
                }
            };
            if ended {
                return;
            }
        }
    };
    thread.spawn(run).map_err(Error::Thread)
}

/// Whether the inventory has the last judgement: one that it refused is brought again, even when nothing new was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    No,
}
