//! The files of the store, through one small layer, so that tests can fill the disk or break a write at any byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
#[cfg(any(test, feature = "testing"))]
use std::sync::Arc;
#[cfg(any(test, feature = "testing"))]
use std::sync::atomic::{AtomicI64, Ordering};

/// Where files are made. In production it only passes on; in tests it may carry [`Faults`].
#[derive(Clone, Debug, Default)]
pub struct Disk {
    #[cfg(any(test, feature = "testing"))]
    faults: Option<Arc<Faults>>,
}

/// A disk that becomes full: counts down the bytes that may still be written.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct Faults {
    bytes_left: AtomicI64,
}

#[cfg(any(test, feature = "testing"))]
impl Faults {
    /// A disk with this much room.
    pub fn with_room(bytes: i64) -> Arc<Self> {
        Arc::new(Self { bytes_left: AtomicI64::new(bytes) })
    }

    /// Makes room, or takes it away.
    pub fn set_room(&self, bytes: i64) {
        self.bytes_left.store(bytes, Ordering::SeqCst);
    }

    /// How much of `wanted` bytes may be written.
    fn grant(&self, wanted: usize) -> usize {
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let before = self.bytes_left.fetch_sub(wanted, Ordering::SeqCst);
        let granted = wanted.min(before.max(0));
        if granted < wanted {
            self.bytes_left.store(0, Ordering::SeqCst);
        }
        usize::try_from(granted).unwrap_or(0)
    }
}

impl Disk {
    /// A disk that never waits for the medium: for tests that have nothing to do with a loss of power.
    #[cfg(any(test, feature = "testing"))]
    pub fn unsynced() -> Self {
        Self::with_faults(Faults::with_room(i64::MAX))
    }

    /// A disk with faults. It never waits for the medium.
    #[cfg(any(test, feature = "testing"))]
    pub fn with_faults(faults: Arc<Faults>) -> Self {
        Self { faults: Some(faults) }
    }

    /// Makes an empty file, replacing what was there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        Ok(self.wrap(file))
    }

    /// Opens a file to append after `offset`; what is beyond is cut off.
    ///
    /// # Errors
    /// What the file system says.
    pub fn resume(&self, path: &Path, offset: u64) -> io::Result<DiskFile> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
        file.set_len(offset)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(self.wrap(file))
    }

    /// False for the disks of tests.
    pub(crate) fn waits(&self) -> bool {
        #[cfg(any(test, feature = "testing"))]
        return self.faults.is_none();
        #[cfg(not(any(test, feature = "testing")))]
        true
    }

    fn wrap(&self, file: File) -> DiskFile {
        DiskFile {
            file,
            waits: self.waits(),
            #[cfg(any(test, feature = "testing"))]
            faults: self.faults.clone(),
        }
    }

    /// Gives a finished file its name, so that it appears whole or not at all, also after a loss of power.
    ///
    /// # Errors
    /// What the file system says.
    pub fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        if !self.waits() {
            return Ok(());
        }
        if let Some(directory) = to.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}

/// A file being written.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    waits: bool,
    #[cfg(any(test, feature = "testing"))]
    faults: Option<Arc<Faults>>,
}

impl DiskFile {
    /// Waits until everything written is on the medium.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sync(&self) -> io::Result<()> {
        if self.waits { self.file.sync_data() } else { Ok(()) }
    }

    /// Cuts the file back to `offset` and goes on there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn rewind_to(&mut self, offset: u64) -> io::Result<()> {
        self.file.set_len(offset)?;
        self.file.seek(SeekFrom::Start(offset))?;
        Ok(())
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            let granted = faults.grant(bytes.len());
            if granted == 0 && !bytes.is_empty() {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            return self.file.write(bytes.get(..granted).unwrap_or_default());
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
