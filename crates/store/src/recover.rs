//! Opening a data directory after any kind of end: a clean one, kill -9, a loss of power.

use std::fs::{self, File, TryLockError};

use crate::columns::Columns;
use crate::disk::Disk;
use crate::error::{StoreError, io_error};
use crate::health::Health;
use crate::journal::{Journal, JournalRead, read_journal};
use crate::layout::{JournalFile, Layout, SegmentFile};
use crate::segment::{looks_whole, write_segment};

/// What a data directory holds, ready to go on.
#[derive(Debug)]
pub struct Recovered {
    /// Exchanges of the journal that goes on.
    pub columns: Columns,
    /// The journal that goes on.
    pub journal: Journal,
    /// The sequence number of the next journal.
    pub next_sequence: u64,
    /// The segments that are whole.
    pub segments: Vec<SegmentFile>,
    /// What was found.
    pub health: Health,
}

/// Takes the directory's lock, which the system gives back however the process ends.
///
/// # Errors
/// When another process has it, or the file cannot be made.
pub fn take_lock(layout: &Layout) -> Result<File, StoreError> {
    let path = layout.lock();
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(layout.root().to_owned())),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

/// Removes what is unfinished, sets aside what is damaged, and turns journals back into rows: all but the last become segments.
///
/// # Errors
/// When the directory or a journal cannot be read. A disk that is full is no error: the rows then stay in their journal.
pub fn recover(disk: &Disk, layout: &Layout, rows_max: usize) -> Result<Recovered, StoreError> {
    let files = layout.list()?;
    let mut health = Health { segments_newer: files.newer.len() as u64, ..Health::default() };
    for path in files.unfinished.iter().chain(files.replaced.iter().map(|journal| &journal.path)) {
        fs::remove_file(path).map_err(io_error("remove the unfinished", path))?;
    }
    let mut segments = Vec::with_capacity(files.segments.len());
    for segment in files.segments {
        if looks_whole(&segment.path) {
            segments.push(segment);
            continue;
        }
        let aside = segment.path.with_extension("parquet.damaged");
        fs::rename(&segment.path, &aside).map_err(io_error("set aside", &segment.path))?;
        health.segments_damaged += 1;
    }
    let mut next_sequence = segments.iter().map(|segment| segment.sequence).max().unwrap_or(0) + 1;
    let mut columns = Columns::default();
    let mut going_on = None;
    for journal in files.journals {
        next_sequence = next_sequence.max(journal.sequence + 1);
        if let Some((earlier, _)) = going_on.take() {
            cut_left_over(disk, layout, &earlier, &mut columns, &mut segments, &mut health)?;
        }
        let read = read_journal(&journal.path, 0, |row| columns.push(row))?;
        health.events_recovered += read.rows;
        health.journal_bytes_torn += read.torn_bytes;
        going_on = Some((journal, read));
    }
    if let Some((journal, _)) = going_on.take_if(|_| columns.len() >= rows_max) {
        cut_left_over(disk, layout, &journal, &mut columns, &mut segments, &mut health)?;
    }
    let journal = match going_on {
        Some((JournalFile { sequence, path }, JournalRead { good_bytes, .. })) => {
            Journal::new(path, sequence, good_bytes)?
        }
        None => {
            next_sequence += 1;
            Journal::new(layout.journal(next_sequence - 1), next_sequence - 1, 0)?
        }
    };
    Ok(Recovered { columns, journal, next_sequence, segments, health })
}

/// Makes the segment that the previous run did not come to make.
fn cut_left_over(
    disk: &Disk,
    layout: &Layout,
    journal: &JournalFile,
    columns: &mut Columns,
    segments: &mut Vec<SegmentFile>,
    health: &mut Health,
) -> Result<(), StoreError> {
    let batch = columns.finish()?;
    if batch.keys.is_empty() {
        return fs::remove_file(&journal.path).map_err(io_error("remove the empty", &journal.path));
    }
    match write_segment(disk, layout, journal.sequence, &batch) {
        Ok(segment) => {
            segments.push(segment);
            fs::remove_file(&journal.path).map_err(io_error("remove the spent", &journal.path))
        }
        Err(error) => {
            // The journal stays, readers see it, and the next opening tries again.
            health.fail(model::Timestamp(0), &error);
            Ok(())
        }
    }
}
