//! The recorder: takes events from the workers and brings them to the store, the metrics, the access log and the learner.
//! It may be slow; the workers never wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::{Event, Observation};

use super::Error;
use super::access_log::AccessLog;
use super::give_way;
use super::metrics::Metrics;
use super::placing::{ForLearner, Placing};
use super::spans::Spans;
use crate::now;

/// The recorder gives way to the workers a little; not much, because what it cannot take in time is lost.
const NICE: i32 = 2;
/// How often the store is asked to do what is due, when nothing comes.
const TICK: Duration = Duration::from_millis(100);
/// How often a store that a predecessor still holds is tried.
const RETRY: Duration = Duration::from_millis(200);
/// Observations that go to the learner together, or after a tick: each delivery wakes a thread.
const OBSERVATIONS_BATCH: usize = 64;
/// Exchanges kept in memory while a predecessor holds the store.
const WAITING_EVENTS_MAX: usize = 50_000;

/// The store, or what is needed to open it.
pub enum Store {
    /// Open.
    Open(Box<store::Writer>),
    /// Held by a predecessor that drains.
    Waiting(PathBuf, Box<store::Settings>),
}

struct Recorder {
    store: Store,
    waiting: Vec<Event>,
    tried: Instant,
    observations: SyncSender<Vec<Observation>>,
    /// What the learner is shown next.
    news: Vec<Observation>,
    /// When the learner was last shown something.
    told: Instant,
    placing: Placing,
    access_log: Option<AccessLog>,
    spans: Option<Spans>,
    metrics: Arc<Metrics>,
}

/// Starts the recorder; it ends when the last worker has ended, and answers how the store was then.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(
    events: Receiver<Vec<Event>>,
    observations: SyncSender<Vec<Observation>>,
    placing: Placing,
    store: Store,
    access_log: Option<AccessLog>,
    spans: Option<Spans>,
    metrics: Arc<Metrics>,
) -> Result<JoinHandle<store::Health>, Error> {
    let recorder = Recorder {
        store,
        waiting: Vec::new(),
        tried: Instant::now(),
        observations,
        news: Vec::new(),
        told: Instant::now(),
        placing,
        access_log,
        spans,
        metrics,
    };
    let thread = std::thread::Builder::new().name("recorder".to_owned());
    let run = move || {
        give_way(NICE);
        recorder.run(&events)
    };
    thread.spawn(run).map_err(Error::Thread)
}

impl Recorder {
    fn run(mut self, events: &Receiver<Vec<Event>>) -> store::Health {
        loop {
            match events.recv_timeout(TICK) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            self.tick();
        }
    }

    fn take(&mut self, mut batch: Vec<Event>) {
        self.placing.refresh();
        for event in &mut batch {
            if self.placing.place(event) == ForLearner::Show {
                self.news.push(event.observation());
            }
        }
        self.metrics.events_taken.fetch_add(batch.len() as u64, Ordering::Relaxed);
        if self.news.len() >= OBSERVATIONS_BATCH {
            self.tell_learner();
        }
        self.metrics.count(&batch);
        if let Some(log) = &mut self.access_log {
            let lost = log.write(&batch);
            self.metrics.access_log_lines_lost.fetch_add(lost, Ordering::Relaxed);
        }
        if let Some(spans) = &mut self.spans {
            spans.offer(&batch);
        }
        match &mut self.store {
            Store::Open(writer) => writer.write(&batch),
            Store::Waiting(..) => {
                let room = WAITING_EVENTS_MAX.saturating_sub(self.waiting.len());
                self.waiting.extend(batch.into_iter().take(room));
            }
        }
    }

    fn tell_learner(&mut self) {
        self.told = Instant::now();
        let count = self.news.len() as u64;
        if count == 0 {
            return;
        }
        let sent = self.observations.try_send(std::mem::take(&mut self.news)).is_ok();
        let counter = if sent { &self.metrics.observations_sent } else { &self.metrics.observations_dropped };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    fn tick(&mut self) {
        if self.told.elapsed() >= TICK {
            self.tell_learner();
        }
        if let Some(log) = &mut self.access_log {
            let lost = log.flush();
            self.metrics.access_log_lines_lost.fetch_add(lost, Ordering::Relaxed);
        }
        if self.tried.elapsed() >= RETRY {
            self.tried = Instant::now();
            self.try_open();
            if let Store::Open(writer) = &self.store {
                self.metrics.put_store(writer.health());
            }
        }
        if let Store::Open(writer) = &mut self.store {
            writer.tick(now());
        }
    }

    /// Opens a store that was held by a predecessor, and writes down what has come meanwhile.
    fn try_open(&mut self) {
        let Store::Waiting(directory, settings) = &self.store else { return };
        match store::Writer::open(directory, (**settings).clone()) {
            Ok(mut writer) => {
                writer.write(&std::mem::take(&mut self.waiting));
                self.store = Store::Open(Box::new(writer));
            }
            Err(error) => tracing::debug!(%error, "the store is not free yet"),
        }
    }

    fn end(mut self) -> store::Health {
        self.tell_learner();
        self.try_open();
        if let Some(log) = &mut self.access_log {
            log.flush();
        }
        if let Some(spans) = self.spans {
            spans.end();
        }
        match self.store {
            Store::Open(mut writer) => {
                writer.tick(now());
                let health = writer.close();
                self.metrics.put_store(health.clone());
                health
            }
            Store::Waiting(..) => {
                tracing::error!(
                    lost = self.waiting.len(),
                    "the predecessor never gave the store free; events are lost"
                );
                store::Health::default()
            }
        }
    }
}
