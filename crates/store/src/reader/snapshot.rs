//! What there is to read at one moment: segments by name, and the exchanges that are in no segment yet.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use crate::columns::{Columns, query_schema, to_query_schema};
use crate::error::StoreError;
use crate::journal::read_journal;
use crate::layout::{Layout, SegmentFile};
use crate::query::Scan;
use crate::segment::looks_whole;

/// Batches of one journal beyond which they are joined.
const BATCHES_MAX: usize = 32;
/// Rows decoded into one batch.
const BATCH_ROWS: usize = 16_384;
/// How often the directory is listed again when the writer was faster.
const ATTEMPTS: usize = 5;

/// What there is to read at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Segments that may hold exchanges of the range.
    pub segments: Vec<SegmentFile>,
    /// Exchanges that are in no segment yet, of any time.
    pub tail: Vec<RecordBatch>,
    /// What an answer tells about it.
    pub scan: Scan,
}

/// Remembers what was read before: journals up to where they were read, and files that are no good.
#[derive(Debug, Default)]
pub struct Memory {
    journals: BTreeMap<u64, JournalMemory>,
    whole: HashSet<PathBuf>,
    damaged: HashSet<PathBuf>,
}

#[derive(Debug, Default)]
struct JournalMemory {
    offset: u64,
    rows: u64,
    batches: Vec<RecordBatch>,
}

impl Memory {
    /// Takes a file out of every later snapshot.
    pub fn note_damaged(&mut self, path: PathBuf) {
        self.damaged.insert(path);
    }

    /// What there is to read between two moments, in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the directory cannot be listed or a journal cannot be read.
    pub fn snapshot(&mut self, layout: &Layout, since: i64, until: i64) -> Result<Snapshot, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.attempt(layout, since, until) {
                // The writer made a segment of the journal in between.
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        self.attempt(layout, since, until)
    }

    fn attempt(&mut self, layout: &Layout, since: i64, until: i64) -> Result<Snapshot, StoreError> {
        let files = layout.list()?;
        let mut snapshot = Snapshot::default();
        snapshot.scan.newer = files.newer.len();
        self.journals.retain(|sequence, _| files.journals.iter().any(|journal| journal.sequence == *sequence));
        for journal in &files.journals {
            let memory = self.journals.entry(journal.sequence).or_default();
            memory.refresh(&journal.path)?;
            snapshot.tail.extend(memory.batches.iter().cloned());
            snapshot.scan.journal_rows += memory.rows;
        }
        let present: HashSet<&PathBuf> = files.segments.iter().map(|segment| &segment.path).collect();
        self.whole.retain(|path| present.contains(path));
        self.damaged.retain(|path| present.contains(path));
        for segment in files.segments {
            if segment.max_at < since || segment.min_at >= until {
                continue;
            }
            if !self.damaged.contains(&segment.path) && !self.whole.contains(&segment.path) {
                if looks_whole(&segment.path) {
                    self.whole.insert(segment.path.clone());
                } else if segment.path.exists() {
                    self.damaged.insert(segment.path.clone());
                }
            }
            if self.damaged.contains(&segment.path) {
                snapshot.scan.damaged.push(segment.path);
            } else {
                snapshot.segments.push(segment);
            }
        }
        snapshot.scan.segments = snapshot.segments.len();
        Ok(snapshot)
    }
}

impl JournalMemory {
    /// Reads what was appended since the last time.
    fn refresh(&mut self, path: &std::path::Path) -> Result<(), StoreError> {
        let length = std::fs::metadata(path).map_err(crate::error::io_error("read the size of", path))?.len();
        if length < self.offset {
            // The writer cut it back after a crash; what was remembered may never have been written again.
            *self = Self::default();
        }
        let mut columns = Columns::default();
        let mut batches = Vec::new();
        let read = read_journal(path, self.offset, |row| {
            columns.push(row)?;
            if columns.len() == BATCH_ROWS {
                batches.push(to_query_schema(&columns.finish()?.rows)?);
            }
            Ok(())
        })?;
        if !columns.is_empty() {
            batches.push(to_query_schema(&columns.finish()?.rows)?);
        }
        self.offset = read.good_bytes;
        self.rows += read.rows;
        self.batches.extend(batches);
        if self.batches.len() > BATCHES_MAX {
            self.batches = vec![concat_batches(&query_schema(), &self.batches)?];
        }
        Ok(())
    }
}
