//! Names and places of the files in a data directory.
//!
//! ```text
//! DIR/lock                      held by the one writing process
//! DIR/inventory.sqlite          endpoints, history, settings, audit
//! DIR/rollups.sqlite            counts per minute, hour and day
//! DIR/events/e1_MIN_MAX_SEQ.parquet   segments; MIN and MAX in microseconds since the Unix epoch
//! DIR/events/journal_SEQ.bin    exchanges that are in no segment yet
//! DIR/events/*.tmp              unfinished; ignored, and removed when the writer opens
//! DIR/events/*.damaged          set aside; never read, never deleted by itself
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::columns::EVENTS_FORMAT;
use crate::error::{StoreError, io_error};

/// The paths of one data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

/// One segment, as its name tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentFile {
    /// Position in the order of writing; the same as the journal's it was made from.
    pub sequence: u64,
    /// Time of the earliest exchange, in microseconds since the Unix epoch.
    pub min_at: i64,
    /// Time of the latest exchange.
    pub max_at: i64,
    /// Bytes on disk.
    pub bytes: u64,
    /// The file.
    pub path: PathBuf,
}

/// One journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalFile {
    /// Position in the order of writing.
    pub sequence: u64,
    /// The file.
    pub path: PathBuf,
}

/// What lies in the directory of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFiles {
    /// Segments by sequence.
    pub segments: Vec<SegmentFile>,
    /// Journals that no segment has replaced, by sequence.
    pub journals: Vec<JournalFile>,
    /// Journals whose segment is there: left by a crash between the two steps.
    pub replaced: Vec<JournalFile>,
    /// Unfinished files.
    pub unfinished: Vec<PathBuf>,
    /// Segments of a later format, which this program cannot read.
    pub newer: Vec<PathBuf>,
}

impl Layout {
    /// The layout under a directory, which need not exist.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The data directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The lock of the writing process.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The database of the inventory.
    pub fn inventory(&self) -> PathBuf {
        self.root.join("inventory.sqlite")
    }

    /// The database of the rollups.
    pub fn rollups(&self) -> PathBuf {
        self.root.join("rollups.sqlite")
    }

    /// The directory of segments and journals.
    pub fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    /// The journal with this sequence.
    pub fn journal(&self, sequence: u64) -> PathBuf {
        self.events().join(format!("journal_{sequence:010}.bin"))
    }

    /// The segment with this sequence and range of time.
    pub fn segment(&self, sequence: u64, min_at: i64, max_at: i64) -> PathBuf {
        self.events().join(format!("e{EVENTS_FORMAT}_{min_at}_{max_at}_{sequence:010}.parquet"))
    }

    /// Makes the directories.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<(), StoreError> {
        let events = self.events();
        fs::create_dir_all(&events).map_err(io_error("create the directory", &events))
    }

    /// What lies in the directory of events; nothing when it does not exist.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn list(&self) -> Result<EventFiles, StoreError> {
        let directory = self.events();
        let mut files = EventFiles::default();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
            Err(error) => return Err(io_error("list", &directory)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(io_error("list", &directory))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(".tmp") {
                files.unfinished.push(entry.path());
            } else if let Some(sequence) = journal_sequence(name) {
                files.journals.push(JournalFile { sequence, path: entry.path() });
            } else if let Some((format, min_at, max_at, sequence)) = segment_name(name) {
                if format > EVENTS_FORMAT {
                    files.newer.push(entry.path());
                    continue;
                }
                // A file that retention removed since the directory was read is not there any more.
                let Ok(metadata) = entry.metadata() else { continue };
                let path = entry.path();
                files.segments.push(SegmentFile { sequence, min_at, max_at, bytes: metadata.len(), path });
            }
        }
        files.segments.sort_unstable();
        files.journals.sort_unstable();
        let (replaced, journals) =
            std::mem::take(&mut files.journals).into_iter().partition(|journal: &JournalFile| {
                files.segments.binary_search_by_key(&journal.sequence, |segment| segment.sequence).is_ok()
            });
        files.replaced = replaced;
        files.journals = journals;
        Ok(files)
    }
}

fn journal_sequence(name: &str) -> Option<u64> {
    name.strip_prefix("journal_")?.strip_suffix(".bin")?.parse().ok()
}

fn segment_name(name: &str) -> Option<(u32, i64, i64, u64)> {
    let mut parts = name.strip_suffix(".parquet")?.strip_prefix('e')?.split('_');
    let format = parts.next()?.parse().ok()?;
    let min_at = parts.next()?.parse().ok()?;
    let max_at = parts.next()?.parse().ok()?;
    let sequence = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((format, min_at, max_at, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_strangers_are_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(directory.path());
        assert_eq!(layout.list().expect("an empty list"), EventFiles::default());
        layout.create().expect("directories");
        for path in [layout.segment(3, -5, 9), layout.journal(3), layout.journal(4)] {
            fs::write(path, b"x").expect("a file");
        }
        for name in ["notes.txt", "e9_1_2_3.parquet", "e1_a_b_c.parquet", "e1_1_2_5.parquet.tmp", "journal_x.bin"] {
            fs::write(layout.events().join(name), b"x").expect("a file");
        }
        let files = layout.list().expect("a list");
        assert_eq!(files.segments.iter().map(|s| (s.sequence, s.min_at, s.max_at)).collect::<Vec<_>>(), [(3, -5, 9)]);
        assert_eq!(files.journals.iter().map(|j| j.sequence).collect::<Vec<_>>(), [4]);
        assert_eq!(files.replaced.iter().map(|j| j.sequence).collect::<Vec<_>>(), [3]);
        assert_eq!((files.unfinished.len(), files.newer.len()), (1, 1));
    }
}
