//! The journal: exchanges on their way into a segment, safe from kill -9 within a second.
//!
//! A journal is a sequence of frames, each whole by itself: magic, length of the compressed payload, length of the payload, number
//! of rows (four little-endian `u32`), then one zstd frame with its checksum. Reading stops at the first frame that is not whole,
//! so a torn end costs what was being written and nothing before it. Every journal becomes one segment with the same sequence
//! number; a journal whose segment exists is spent.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zstd::bulk::Compressor;

use crate::disk::{Disk, DiskFile};
use crate::error::{StoreError, io_error};
use crate::row::Row;
use crate::varint::Input;

/// The first bytes of every frame; the digit is the format's version.
pub const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"PEJ1");
const HEADER_BYTES: usize = 16;
/// The journal lives for seconds: speed counts.
const ZSTD_LEVEL: i32 = -3;
/// Payload after which a frame is sealed.
const FRAME_SEAL_BYTES: usize = 512 * 1024;
/// Largest payload a reader accepts: a sealed frame and one row of the greatest size.
const FRAME_PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A journal being written.
pub struct Journal {
    path: PathBuf,
    sequence: u64,
    file: Option<DiskFile>,
    /// Bytes of whole frames in the file.
    good_bytes: u64,
    /// Rows not yet in a frame.
    payload: Vec<u8>,
    payload_rows: u32,
    /// Frames not yet in the file.
    sealed: Vec<u8>,
    compressor: Compressor<'static>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("good_bytes", &self.good_bytes)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// A journal that goes on after the whole frames of `path`; the file is made by the first flush.
    ///
    /// # Errors
    /// When zstd cannot be set up.
    pub fn new(path: PathBuf, sequence: u64, good_bytes: u64) -> Result<Self, StoreError> {
        let mut compressor = Compressor::new(ZSTD_LEVEL).map_err(io_error("compress for", &path))?;
        compressor.include_checksum(true).map_err(io_error("compress for", &path))?;
        Ok(Self {
            path,
            sequence,
            file: None,
            good_bytes,
            payload: Vec::new(),
            payload_rows: 0,
            sealed: Vec::new(),
            compressor,
        })
    }

    /// Its sequence number.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of whole frames in the file.
    pub const fn bytes(&self) -> u64 {
        self.good_bytes
    }

    /// Adds a row to the frame being collected.
    ///
    /// # Errors
    /// When zstd refuses; the row is then only in memory.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        row.encode(&mut self.payload);
        self.payload_rows += 1;
        if self.payload.len() >= FRAME_SEAL_BYTES { self.seal() } else { Ok(()) }
    }

    fn seal(&mut self) -> Result<(), StoreError> {
        if self.payload_rows == 0 {
            return Ok(());
        }
        let compressed = self.compressor.compress(&self.payload).map_err(io_error("compress for", &self.path))?;
        let lengths = [FRAME_MAGIC, compressed.len() as u32, self.payload.len() as u32, self.payload_rows];
        for number in lengths {
            self.sealed.extend_from_slice(&number.to_le_bytes());
        }
        self.sealed.extend_from_slice(&compressed);
        self.payload.clear();
        self.payload_rows = 0;
        Ok(())
    }

    /// Brings everything to the disk and waits for it. After an error the same is tried again by the next call.
    ///
    /// # Errors
    /// When the disk is full or fails; the file is cut back to its last whole frame.
    pub fn flush(&mut self, disk: &Disk) -> Result<(), StoreError> {
        self.seal()?;
        if self.sealed.is_empty() {
            return Ok(());
        }
        let written = self.write_sealed(disk);
        if written.is_err() {
            // The next attempt opens the file again and cuts it to the last whole frame, whatever state this one left.
            self.file = None;
        }
        written.map_err(io_error("write", &self.path))
    }

    fn write_sealed(&mut self, disk: &Disk) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => disk.resume(&self.path, self.good_bytes)?,
        };
        let outcome = file.write_all(&self.sealed).and_then(|()| file.sync());
        if let Err(error) = outcome {
            // Free what was written in vain; when even that fails, reading stops at the torn frame.
            let _ = file.rewind_to(self.good_bytes);
            return Err(error);
        }
        self.good_bytes += self.sealed.len() as u64;
        self.sealed.clear();
        // One burst must not keep its memory.
        self.sealed.shrink_to(FRAME_SEAL_BYTES);
        self.file = Some(file);
        Ok(())
    }
}

/// What reading a journal found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalRead {
    /// Bytes of whole frames, counted from the start of the file.
    pub good_bytes: u64,
    /// Rows read.
    pub rows: u64,
    /// Bytes after the last whole frame: a frame being written, or torn by a crash.
    pub torn_bytes: u64,
}

/// Reads the whole frames of a journal from `offset` on and hands each row to `visit`.
///
/// # Errors
/// When the file cannot be read, or `visit` fails. A torn or damaged frame ends the reading and is no error.
pub fn read_journal(
    path: &Path,
    offset: u64,
    mut visit: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<JournalRead, StoreError> {
    let bytes = read_from(path, offset).map_err(io_error("read", path))?;
    let mut rest = bytes.as_slice();
    let mut read = JournalRead { good_bytes: offset, ..JournalRead::default() };
    while let Some((payload, rows, frame_bytes)) = next_frame(rest) {
        let mut input = Input::new(&payload);
        for _ in 0..rows {
            let Some(row) = Row::decode(&mut input) else { break };
            visit(&row)?;
            read.rows += 1;
        }
        read.good_bytes += frame_bytes as u64;
        rest = rest.get(frame_bytes..).unwrap_or_default();
    }
    read.torn_bytes = rest.len() as u64;
    Ok(read)
}

fn read_from(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The payload, the number of rows and the length of the first frame; `None` when it is not whole.
fn next_frame(bytes: &[u8]) -> Option<(Vec<u8>, u32, usize)> {
    let mut header = Input::new(bytes.get(..HEADER_BYTES)?);
    let mut number = || header.array().map(u32::from_le_bytes);
    let (magic, compressed_bytes, payload_bytes, rows) = (number()?, number()? as usize, number()? as usize, number()?);
    if magic != FRAME_MAGIC || payload_bytes > FRAME_PAYLOAD_BYTES_MAX {
        return None;
    }
    let end = HEADER_BYTES.checked_add(compressed_bytes)?;
    let payload = zstd::bulk::decompress(bytes.get(HEADER_BYTES..end)?, payload_bytes).ok()?;
    (payload.len() == payload_bytes).then_some((payload, rows, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Faults;
    use crate::testing::Traffic;

    fn write(path: &Path, frames: usize, rows: usize) -> Vec<u64> {
        let mut traffic = Traffic::new(3);
        let mut journal = Journal::new(path.to_owned(), 1, 0).expect("a journal");
        let mut ends = Vec::new();
        for _ in 0..frames {
            for _ in 0..rows {
                journal.push(&Row::of(&traffic.event(), 1.0)).expect("a row");
            }
            journal.flush(&Disk::unsynced()).expect("a flush");
            ends.push(journal.bytes());
        }
        ends
    }

    fn rows_of(path: &Path) -> JournalRead {
        read_journal(path, 0, |_| Ok(())).expect("a reading")
    }

    #[test]
    fn cutting_the_file_anywhere_loses_only_the_frame_that_was_cut() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal_1.bin");
        let ends = write(&path, 4, 5);
        let whole = fs::read(&path).expect("the journal");
        assert_eq!(rows_of(&path), JournalRead { good_bytes: whole.len() as u64, rows: 20, torn_bytes: 0 });
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).expect("a cut journal");
            let read = rows_of(&path);
            let frames = ends.iter().filter(|end| **end <= cut as u64).count();
            assert_eq!(read.rows, frames as u64 * 5, "cut at {cut}");
            assert_eq!(read.good_bytes + read.torn_bytes, cut as u64);
        }
    }

    #[test]
    fn a_flipped_bit_ends_the_reading_before_its_frame() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal_1.bin");
        let ends = write(&path, 3, 4);
        let whole = fs::read(&path).expect("the journal");
        let at = ends[1] as usize + HEADER_BYTES + 20;
        let mut damaged = whole;
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).expect("a damaged journal");
        assert_eq!(rows_of(&path).rows, 8);
    }

    #[test]
    fn a_full_disk_leaves_whole_frames_and_is_tried_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal_1.bin");
        let faults = Faults::with_room(2_000);
        let disk = Disk::with_faults(faults.clone());
        let mut traffic = Traffic::new(4);
        let mut journal = Journal::new(path.clone(), 1, 0).expect("a journal");
        let mut failures = 0;
        for _ in 0..40 {
            for _ in 0..20 {
                journal.push(&Row::of(&traffic.event(), 1.0)).expect("a row");
            }
            failures += usize::from(journal.flush(&disk).is_err());
            assert_eq!(rows_of(&path).torn_bytes, 0);
        }
        assert!(failures > 30, "{failures}");
        faults.set_room(1 << 30);
        journal.flush(&disk).expect("room again");
        assert_eq!(rows_of(&path).rows, 800);
    }
}
