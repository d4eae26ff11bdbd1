//! Lines of a source in bounded memory. A line that is too long is skipped and told.

use std::io::Read;

use crate::Summary;

/// The longest line that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Bytes read at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes looked at to tell the format.
pub const PEEK_BYTES: usize = 64 * 1024;

/// A source with its beginning at hand.
pub struct Source<'a> {
    inner: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    broken: Option<&'static str>,
}

impl<'a> Source<'a> {
    /// Reads the beginning of a source, at least `peek_bytes` of it where it has as many.
    ///
    /// # Errors
    /// When not even the first byte can be read.
    pub fn new(inner: Box<dyn Read + 'a>, peek_bytes: usize) -> std::io::Result<Self> {
        let mut source = Self { inner, buffer: Vec::new(), broken: None };
        let mut chunk = vec![0; PEEK_BYTES];
        while source.buffer.len() < peek_bytes {
            match source.inner.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => source.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if source.buffer.is_empty() => return Err(error),
                Err(error) => {
                    source.broken = Some(broken(&error));
                    break;
                }
            }
        }
        Ok(source)
    }

    /// The beginning.
    pub fn peek(&self) -> &[u8] {
        &self.buffer
    }

    /// Hands over every line, without its end.
    pub fn each_line(mut self, summary: &mut Summary, take: &mut dyn FnMut(&[u8], &mut Summary)) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut skipping = false;
        let mut chunk = vec![0u8; CHUNK_BYTES];
        loop {
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', &buffer) {
                let line = buffer.get(start..end).unwrap_or_default();
                start = end + 1;
                // The end of a line that was too long was told when it grew too long.
                if !std::mem::take(&mut skipping) {
                    one_line(line, summary, take);
                }
            }
            summary.bytes += start as u64;
            buffer.drain(..start);
            if buffer.len() > LINE_BYTES_MAX && !skipping {
                skipping = true;
                summary.records += 1;
                summary.problem(summary.records, "the line is longer than 10 MiB");
            }
            if skipping {
                summary.bytes += buffer.len() as u64;
                buffer.clear();
            }
            match self.read(&mut chunk) {
                0 => break,
                count => buffer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            }
        }
        if !buffer.is_empty() && !skipping {
            summary.bytes += buffer.len() as u64;
            one_line(&buffer, summary, take);
        }
        if let Some(what) = self.broken {
            summary.problem(summary.records, what);
        }
    }

    fn read(&mut self, chunk: &mut [u8]) -> usize {
        if self.broken.is_some() {
            return 0;
        }
        loop {
            match self.inner.read(chunk) {
                Ok(count) => return count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken = Some(broken(&error));
                    return 0;
                }
            }
        }
    }

    /// The whole source as a stream.
    pub fn into_read(self) -> impl Read + 'a {
        std::io::Cursor::new(self.buffer).chain(self.inner)
    }
}

fn one_line(line: &[u8], summary: &mut Summary, take: &mut dyn FnMut(&[u8], &mut Summary)) {
    summary.records += 1;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.is_empty() {
        take(line, summary);
    }
}

/// How a source that breaks off is told.
pub fn broken(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the compressed stream ends early",
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => "the compressed stream is damaged",
        _ => "the source cannot be read further",
    }
}
