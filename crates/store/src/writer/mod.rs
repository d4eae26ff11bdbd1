//! The writing side: one thread gives it exchanges, it brings them to the disk.
//!
//! Nothing that happens to the disk reaches the caller: an exchange is counted in memory first, kept in memory while the disk is
//! full, and dropped and counted only when two segments' worth wait. What was decided is in [`Health`].

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use model::{Event, Timestamp};

use crate::columns::{Batch, Columns};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::health::Health;
use crate::journal::Journal;
use crate::layout::{Layout, SegmentFile};
use crate::recover;
use crate::retention;
use crate::rollup::{Rollups, distinct::mix};
use crate::row::{Row, VerdictKind};
use crate::segment::write_segment;
use crate::settings::{Cut, Settings};

/// How often retention looks.
const HOUSEKEEPING_US: u64 = 60_000_000;
/// How long a failed cut waits before it is tried again.
const RETRY_US: u64 = 2_000_000;

/// A segment on its way to the disk.
#[derive(Debug)]
struct Pending {
    sequence: u64,
    batch: Arc<Batch>,
    /// Exchanges in it that are not in its journal either, because the disk was full.
    unflushed: u64,
    work: Option<JoinHandle<Result<SegmentFile, StoreError>>>,
    failed_at: Option<Timestamp>,
}

/// Writes exchanges to a data directory. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Writer {
    layout: Layout,
    settings: Settings,
    disk: Disk,
    /// Held as long as the writer lives: one writing process per directory.
    _lock: File,
    columns: Columns,
    journal: Journal,
    next_sequence: u64,
    pending: Option<Pending>,
    segments: Vec<SegmentFile>,
    rollups: Rollups,
    /// The latest flush of the rollups failed: the next waits for its time.
    rollups_failed: bool,
    health: Health,
    unflushed: u64,
    now: Timestamp,
    flushed_at: Timestamp,
    rollups_at: Timestamp,
    housekeeping_at: Timestamp,
}

impl Writer {
    /// Opens or makes a data directory, finishes what a previous run left, and takes the lock.
    ///
    /// # Errors
    /// When another process holds the directory, when it cannot be made or read, or when it is of a later version.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, StoreError> {
        Self::open_on(Disk::default(), directory, settings)
    }

    /// Like [`open`](Self::open), on a disk that may have faults.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(disk: Disk, directory: &Path, settings: Settings) -> Result<Self, StoreError> {
        let layout = Layout::new(directory);
        layout.create()?;
        let lock = recover::take_lock(&layout)?;
        let rollups = Rollups::open(&layout.rollups(), &settings)?;
        #[cfg(any(test, feature = "testing"))]
        if !disk.waits() {
            rollups.stop_waiting();
        }
        let mut found = recover::recover(&disk, &layout, settings.segment_rows_max as usize)?;
        if let Some(path) = rollups.set_aside() {
            let detail = "it is no database any more; recording goes on in a new one".to_owned();
            found.health.fail(Timestamp(0), &StoreError::Damaged { path: path.to_owned(), detail });
        }
        Ok(Self {
            layout,
            settings,
            disk,
            _lock: lock,
            columns: found.columns,
            journal: found.journal,
            next_sequence: found.next_sequence,
            pending: None,
            segments: found.segments,
            rollups,
            rollups_failed: false,
            health: Health { writable: true, ..found.health },
            unflushed: 0,
            now: Timestamp(0),
            flushed_at: Timestamp(0),
            rollups_at: Timestamp(0),
            housekeeping_at: Timestamp(0),
        })
    }

    /// Takes exchanges. Never fails and never waits for the disk, except to cut a segment under [`Cut::Inline`].
    pub fn write(&mut self, events: &[Event]) {
        let rows_max = self.settings.segment_rows_max as usize;
        for event in events {
            self.health.exchanges += 1;
            if self.rollups.is_full() && !self.rollups_failed {
                self.flush_rollups();
            }
            self.rollups.add(event);
            let Some(weight) = self.weight(event) else {
                self.health.events_sampled_out += 1;
                continue;
            };
            if self.columns.len() >= rows_max {
                self.cut_if_free();
                if self.columns.len() >= rows_max.saturating_mul(2) {
                    self.health.events_dropped += 1;
                    continue;
                }
            }
            let row = Row::of(event, weight);
            match self.columns.push(&row) {
                Ok(()) => {
                    self.health.events += 1;
                    self.unflushed += 1;
                }
                Err(error) => {
                    self.health.events_dropped += 1;
                    self.health.fail(self.now, &error);
                    continue;
                }
            }
            if let Err(error) = self.journal.push(&row) {
                self.health.fail(self.now, &error);
            }
        }
    }

    /// The weight of an exchange that is kept: how many it stands for.
    fn weight(&self, event: &Event) -> Option<f32> {
        let share = self.settings.ordinary_share;
        let ordinary = event.findings.is_empty() && VerdictKind::of(event) == VerdictKind::Pass;
        if !ordinary || share >= 1.0 {
            return Some(1.0);
        }
        // The id decides, so that replaying the same traffic keeps the same exchanges.
        let draw = (mix(event.id.0) >> 40) as f32 / (1u32 << 24) as f32;
        (draw < share).then(|| 1.0 / share)
    }

    /// Does what is due at `now`: call it a few times per second. Waits for the disk when a flush is due.
    pub fn tick(&mut self, now: Timestamp) {
        if now < self.now {
            // The clock was set back: start counting anew rather than waiting for it to catch up.
            (self.flushed_at, self.rollups_at, self.housekeeping_at) = (now, now, now);
        }
        self.now = now;
        self.reap();
        let due = |since: Timestamp, every_ms: u32| now.micros_since(since) >= u64::from(every_ms) * 1_000;
        if due(self.flushed_at, self.settings.flush_every_ms) {
            self.flush_journal();
        }
        if due(self.rollups_at, self.settings.rollup_every_ms) {
            self.flush_rollups();
        }
        let age_us = u64::from(self.settings.segment_age_s_max) * 1_000_000;
        let old = self.columns.first_at().is_some_and(|at| now.micros_since(Timestamp(at)) >= age_us);
        if old || self.columns.len() >= self.settings.segment_rows_max as usize {
            self.cut_if_free();
        }
        if now.micros_since(self.housekeeping_at) >= HOUSEKEEPING_US {
            self.housekeeping_at = now;
            self.expire();
        }
    }

    /// Brings everything taken so far to the disk, whether or not it is due.
    pub fn flush(&mut self) {
        self.flush_journal();
        self.flush_rollups();
    }

    fn flush_journal(&mut self) {
        self.flushed_at = self.now;
        match self.journal.flush(&self.disk) {
            Ok(()) => {
                self.unflushed = 0;
                self.health.writable = self.pending.as_ref().is_none_or(|pending| pending.failed_at.is_none());
            }
            Err(error) => self.health.fail(self.now, &error),
        }
    }

    fn flush_rollups(&mut self) {
        self.rollups_at = self.now;
        let outcome = self.rollups.flush();
        self.rollups_failed = outcome.is_err();
        if let Err(error) = outcome {
            self.health.fail(self.now, &error);
        }
    }

    /// Starts cutting a segment, unless one is still on its way.
    fn cut_if_free(&mut self) {
        self.reap();
        if self.pending.is_some() || self.columns.is_empty() {
            return;
        }
        // What the segment will hold is safe in the journal until the segment is there.
        self.flush_journal();
        let sequence = self.journal.sequence();
        let next = match Journal::new(self.layout.journal(self.next_sequence), self.next_sequence, 0) {
            Ok(next) => next,
            Err(error) => return self.health.fail(self.now, &error),
        };
        let batch = match self.columns.finish() {
            Ok(batch) => Arc::new(batch),
            Err(error) => return self.health.fail(self.now, &error),
        };
        self.journal = next;
        self.next_sequence += 1;
        let unflushed = std::mem::take(&mut self.unflushed);
        self.pending = Some(Pending { sequence, batch, unflushed, work: None, failed_at: None });
        self.start_pending();
    }

    fn start_pending(&mut self) {
        let Some(pending) = &mut self.pending else { return };
        let (disk, layout, batch) = (self.disk.clone(), self.layout.clone(), pending.batch.clone());
        let sequence = pending.sequence;
        let cut = move || write_segment(&disk, &layout, sequence, &batch);
        match self.settings.cut {
            Cut::Inline => {
                let outcome = cut();
                self.finish_pending(outcome);
            }
            Cut::Aside => match std::thread::Builder::new().name("store-cut".to_owned()).spawn(cut) {
                Ok(work) => pending.work = Some(work),
                Err(source) => {
                    pending.failed_at = Some(self.now);
                    let path = self.layout.events();
                    self.health.fail(self.now, &StoreError::Io { action: "start a thread for", path, source });
                }
            },
        }
    }

    /// Collects a cut that has ended, or tries again one that failed.
    fn reap(&mut self) {
        let Some(pending) = &mut self.pending else { return };
        if let Some(work) = pending.work.take_if(|work| work.is_finished()) {
            self.finish_work(work);
        } else if pending.work.is_none()
            && pending.failed_at.is_some_and(|at| self.now.micros_since(at) >= RETRY_US || at > self.now)
        {
            self.start_pending();
        }
    }

    fn finish_work(&mut self, work: JoinHandle<Result<SegmentFile, StoreError>>) {
        let outcome = work.join().unwrap_or(Err(StoreError::Stopped));
        self.finish_pending(outcome);
    }

    fn finish_pending(&mut self, outcome: Result<SegmentFile, StoreError>) {
        let Some(mut pending) = self.pending.take() else { return };
        match outcome {
            Ok(segment) => {
                // The journal is spent; when it stays, the next opening removes it.
                let _ = fs::remove_file(self.layout.journal(pending.sequence));
                self.health.segment_bytes_written += segment.bytes;
                self.health.segment_rows_written += pending.batch.rows.num_rows() as u64;
                self.health.writable = true;
                self.segments.push(segment);
            }
            Err(error) => {
                self.health.fail(self.now, &error);
                pending.failed_at = Some(self.now);
                self.pending = Some(pending);
            }
        }
    }

    /// Waits until no cut is on its way.
    pub fn settle(&mut self) {
        if let Some(work) = self.pending.as_mut().and_then(|pending| pending.work.take()) {
            self.finish_work(work);
        }
    }

    /// Cuts a segment now and waits for it: for ingestion, and before files are handed to others.
    pub fn cut(&mut self) {
        self.settle();
        self.cut_if_free();
        self.settle();
    }

    fn expire(&mut self) {
        let expired = retention::expire(&mut self.segments, self.now, &self.settings);
        if let Some(error) = &expired.error {
            self.health.fail(self.now, error);
        }
        self.health.segments_expired += expired.segments;
        let noted = if expired.segments == 0 {
            Ok(())
        } else {
            self.rollups.note_expired(self.now, expired.segments, expired.bytes, expired.latest_at)
        };
        if let Err(error) = noted.and_then(|()| self.rollups.expire(self.now, &self.settings)) {
            self.health.fail(self.now, &error);
        }
    }

    /// How the store is doing.
    pub fn health(&self) -> Health {
        let waiting = self.pending.as_ref().map_or(0, |pending| pending.batch.rows.num_rows());
        Health {
            events_in_memory: (self.columns.len() + waiting) as u64,
            events_unflushed: self.unflushed + self.pending.as_ref().map_or(0, |pending| pending.unflushed),
            rollups_folded: self.rollups.folded(),
            threats_missed: self.rollups.threats_missed(),
            rollups_waiting: self.rollups.waiting() as u64,
            segments: self.segments.len() as u64,
            bytes_on_disk: self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.journal.bytes(),
            ..self.health.clone()
        }
    }

    /// Brings everything to the disk and gives the directory back.
    pub fn close(mut self) -> Health {
        self.settle();
        self.flush();
        self.health()
    }

    /// The rollups, for tests that fill their database.
    #[cfg(any(test, feature = "testing"))]
    pub const fn rollups(&self) -> &Rollups {
        &self.rollups
    }
}

#[cfg(test)]
mod tests;
