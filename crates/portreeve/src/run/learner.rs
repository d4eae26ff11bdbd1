//! The learner's thread: observations in, endpoints into the inventory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use learn::{Learner, LearnerLimits, Models};
use model::Observation;

use super::Error;
use super::metrics::Metrics;
use crate::{learned, now};

/// How often what was learned is judged and brought to the inventory.
const REFRESH: Duration = Duration::from_secs(5);

/// Starts the learner; it ends when the recorder has ended.
///
/// # Errors
/// When the inventory cannot be opened or the thread cannot be started.
pub fn start(
    observations: Receiver<Observation>,
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
        loop {
            let ended = match observations.recv_timeout(Duration::from_millis(500)) {
                Ok(observation) => {
                    learner.observe(&observation);
                    metrics.observations.fetch_add(1, Ordering::Relaxed);
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
            } else if learner.refresh() == 0 {
                continue;
            }
            let endpoints = learned::endpoints(&learner, now());
            metrics.endpoints_learned.store(endpoints.len() as u64, Ordering::Relaxed);
            if let Err(error) = inventory.put_learned(now(), &endpoints) {
                tracing::warn!(%error, "what was learned could not be written; tried again at the next judgement");
            }
            if ended {
                return;
            }
        }
    };
    thread.spawn(run).map_err(Error::Thread)
}
