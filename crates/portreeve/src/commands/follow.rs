//! Files that grow: read on as they are written, over rotation and truncation; directories with the files that appear in them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingest::Options;
use model::Observation;

/// How often a file that has ended is looked at again.
const LOOK: Duration = Duration::from_millis(200);
/// Most files followed at once; each has a thread.
const FILES_MAX: usize = 256;

/// Device and number of a file: what stays when it is renamed.
type Identity = (u64, u64);

/// Device and number of the file of this name.
fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The files that were opened; a rotated file comes again under another name and is not read twice.
#[derive(Clone, Default)]
pub struct Opened(Arc<Mutex<HashSet<Identity>>>);

impl Opened {
    /// Notes a file; false when it is known.
    fn note(&self, identity: Identity) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(identity)
    }

    fn known(&self) -> Vec<Identity> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn forget(&self, identity: Identity) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&identity);
    }
}

/// Reads a file and waits at its end for more.
pub struct Tail {
    path: PathBuf,
    file: File,
    identity: Identity,
    position: u64,
    /// The last byte read: a line that rotation cut off is ended.
    last: u8,
    opened: Opened,
    stop: Arc<AtomicBool>,
}

impl Tail {
    /// Opens a file; `None` when it is followed already, under this name or another.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, opened: &Opened, stop: &Arc<AtomicBool>) -> std::io::Result<Option<Self>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        let (opened, stop) = (opened.clone(), Arc::clone(stop));
        let tail = Self { path: path.to_owned(), file, identity, position: 0, last: b'\n', opened, stop };
        Ok(tail.opened.note(identity).then_some(tail))
    }

    fn part(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.position += count as u64;
        if let Some(last) = count.checked_sub(1).and_then(|at| buffer.get(at)) {
            self.last = *last;
        }
        Ok(count)
    }

    /// Whether another file stands in this one's place, or this one was cut; reading goes on at its beginning.
    fn begins_anew(&mut self) -> std::io::Result<bool> {
        let Ok(metadata) = std::fs::metadata(&self.path) else { return Ok(false) };
        let identity = (metadata.dev(), metadata.ino());
        if identity != self.identity {
            self.file = File::open(&self.path)?;
            self.identity = identity;
            self.opened.note(identity);
        } else if metadata.len() < self.position {
            self.file.seek(SeekFrom::Start(0))?;
        } else {
            return Ok(false);
        }
        self.position = 0;
        Ok(true)
    }
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let count = self.part(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(0);
            }
            std::thread::sleep(LOOK);
            // What was written before the file was moved away is still there to be read.
            let count = self.part(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if self.begins_anew()?
                && std::mem::replace(&mut self.last, b'\n') != b'\n'
                && let Some(first) = buffer.first_mut()
            {
                *first = b'\n';
                return Ok(1);
            }
        }
    }
}

/// Follows what was named; asked again and again for directories.
pub struct Following {
    named: Vec<PathBuf>,
    paths: HashSet<PathBuf>,
    opened: Opened,
    stop: Arc<AtomicBool>,
    options: Options,
    out: SyncSender<Observation>,
    first: bool,
}

impl Following {
    /// Follows `named`; observations go to `out`.
    pub fn new(named: &[PathBuf], options: Options, out: SyncSender<Observation>) -> Self {
        Self {
            named: named.to_vec(),
            paths: HashSet::new(),
            opened: Opened::default(),
            stop: Arc::default(),
            options: Options { growing: true, ..options },
            out,
            first: true,
        }
    }

    /// Starts to read files that were not there before.
    ///
    /// # Errors
    /// When nothing that was named can be read, the first time.
    pub fn look(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        // The system gives the number of a deleted file to the next new one, which must not be taken for it. What is noted while
        // this looks may have no name yet and stays.
        let known = self.opened.known();
        let sources = super::discover::sources(&self.named)?;
        let present: HashSet<Identity> = sources.iter().filter_map(|path| identity(path)).collect();
        known.into_iter().filter(|known| !present.contains(known)).for_each(|gone| self.opened.forget(gone));
        for path in sources {
            let compressed = path.extension().is_some_and(|end| end == "gz" || end == "zst");
            // A compressed file that appears beside a followed one is what rotation made of it.
            let old = compressed && !self.first;
            if old || self.paths.len() >= FILES_MAX || !self.paths.insert(path.clone()) {
                continue;
            }
            match Tail::open(&path, &self.opened, &self.stop) {
                Ok(Some(tail)) => self.start(path, tail)?,
                Ok(None) => {}
                Err(error) => {
                    eprintln!("`{}` cannot be read: {}", path.display(), crate::config::meant::plain(&error));
                    self.paths.remove(&path);
                }
            }
        }
        self.first = false;
        if self.paths.is_empty() && !self.named.iter().any(|path| path.is_dir()) {
            return Err("none of the files can be read".into());
        }
        Ok(())
    }

    fn start(&self, path: PathBuf, tail: Tail) -> std::io::Result<()> {
        let (options, out) = (self.options.clone(), self.out.clone());
        std::thread::Builder::new().name("follow".to_owned()).spawn(move || {
            let mut sink = |observation| drop(out.send(observation));
            if let Err(error) = ingest::read(tail, &options, &mut sink) {
                eprintln!("{}: {error}", path.display());
            }
        })?;
        Ok(())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn line(path: &str) -> String {
        format!("192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] \"GET {path} HTTP/1.1\" 200 5 \"-\" \"ua\"\n")
    }

    fn next(observations: &Receiver<Observation>) -> String {
        observations.recv_timeout(Duration::from_secs(20)).unwrap().target.to_string()
    }

    #[test]
    fn growth_rotation_truncation_and_new_files() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("access.log");
        std::fs::write(&log, line("/a")).unwrap();
        let (out, observations) = sync_channel(16);
        let mut following = Following::new(&[folder.path().to_owned()], Options::default(), out);
        following.look().unwrap();
        assert_eq!(next(&observations), "/a");
        std::fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(line("/b").as_bytes()).unwrap();
        assert_eq!(next(&observations), "/b");
        // Rotation: the old file keeps its content under another name, which is not read again.
        std::fs::rename(&log, folder.path().join("access.log.1")).unwrap();
        std::fs::write(&log, line("/c")).unwrap();
        assert_eq!(next(&observations), "/c");
        following.look().unwrap();
        // Truncation: the same file is shorter than what was read of it.
        std::fs::write(&log, line("/")).unwrap();
        assert_eq!(next(&observations), "/");
        std::fs::write(folder.path().join("other.log"), line("/e")).unwrap();
        following.look().unwrap();
        assert_eq!(next(&observations), "/e");
        assert!(observations.try_recv().is_err(), "nothing is read twice");
    }

    #[test]
    fn the_number_of_a_deleted_file_may_come_again() {
        let (folder, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("a.log"), line("/a")).unwrap();
        let (out, observations) = sync_channel(16);
        let mut following = Following::new(&[folder.path().to_owned()], Options::default(), out);
        following.look().unwrap();
        assert_eq!(next(&observations), "/a");
        // A file that is gone had the number that the next one gets.
        std::fs::write(folder.path().join("b.log"), line("/b")).unwrap();
        let number = identity(&folder.path().join("b.log")).unwrap();
        std::fs::rename(folder.path().join("b.log"), aside.path().join("b.log")).unwrap();
        following.opened.note(number);
        following.look().unwrap();
        std::fs::rename(aside.path().join("b.log"), folder.path().join("b.log")).unwrap();
        following.look().unwrap();
        assert_eq!(next(&observations), "/b");
        assert!(observations.try_recv().is_err(), "nothing is read twice");
    }
}
