//! Turns recorded traffic into the observations that live traffic makes: access logs of many products, HAR files, captures of
//! plain HTTP, Portreeve's own events; plain, gzip or zstd.
//!
//! A source is read once, front to back, in bounded memory. What cannot be read is counted and told with its line; the rest is
//! processed. What a format cannot know (content types, sessions) stays `None` in the observation. No network here.

pub mod als;
pub mod detect;
pub mod har;
pub mod json;
pub mod layout;
pub mod lines;
pub mod make;
pub mod pcap;
pub mod time;
pub mod w3c;

use std::io::{BufReader, Read};

use model::Observation;

pub use detect::Format;
pub use layout::Layout;
pub use lines::LINE_BYTES_MAX;

/// How a source is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The format; told from the beginning of the source when `None`.
    pub format: Option<Format>,
    /// Key of the hash under which sessions are told apart; never the value itself.
    pub session_key: [u8; 32],
    /// The host of requests whose log does not name one.
    pub host: String,
    /// The source grows while it is read: the format is told from what is there, not from as much as may come.
    pub growing: bool,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, the entry or the packet, from 1; 0 when it is about the source as a whole.
    pub line: u64,
    /// What is wrong.
    pub what: &'static str,
}

/// Most problems kept one by one; all are counted.
pub const PROBLEMS_KEPT_MAX: usize = 20;

/// What reading a source brought.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The format.
    pub format: Option<Format>,
    /// Lines, entries of a HAR file, packets of a capture.
    pub records: u64,
    /// Observations made.
    pub observations: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Records that could not be read.
    pub unreadable: u64,
    /// Records with bytes that are no UTF-8; they were read with those bytes percent-encoded or replaced.
    pub invalid_utf8: u64,
    /// Records whose time is before that of the one in front.
    pub clock_backwards: u64,
    /// The first problems.
    pub problems: Vec<Problem>,
}

impl Summary {
    fn problem(&mut self, line: u64, what: &'static str) {
        self.unreadable += 1;
        if self.problems.len() < PROBLEMS_KEPT_MAX {
            self.problems.push(Problem { line, what });
        }
    }
}

/// What can end the reading of a source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The format is none that is known.
    #[error("the format is not recognised; name it with `--format`, or describe it with `--log-format`")]
    Unrecognised,
    /// The system refuses.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Where observations go.
pub type Sink<'a> = &'a mut dyn FnMut(Observation);

/// Reads a source. A stream that breaks in the middle is a problem in the summary, not an error: what came before counts.
///
/// # Errors
/// When the format is not recognised or nothing can be read at all.
pub fn read<'a>(source: impl Read + 'a, options: &Options, sink: Sink<'_>) -> Result<Summary, Error> {
    let peek_bytes = if options.growing { 1 } else { lines::PEEK_BYTES };
    let source = lines::Source::new(decompressed(source)?, peek_bytes)?;
    let format = match &options.format {
        Some(format) => format.clone(),
        None => detect::detect(source.peek()).ok_or(Error::Unrecognised)?,
    };
    let mut summary = Summary { format: Some(format.clone()), ..Summary::default() };
    let mut last_at = i64::MIN;
    let mut backwards = 0;
    let mut observations = 0;
    let mut counted = |observation: Observation| {
        backwards += u64::from(observation.at.0 < last_at);
        last_at = observation.at.0;
        observations += 1;
        sink(observation);
    };
    match &format {
        Format::Har => har::read(source, options, &mut summary, &mut counted),
        Format::Capture => pcap::read(source, options, &mut summary, &mut counted),
        Format::Json(shape) => {
            let mut reader = json::Reader::new(*shape, options);
            source.each_line(&mut summary, &mut |line, summary| reader.line(line, summary, &mut counted));
        }
        Format::Layout(layout) => {
            let mut reader = layout::Reader::new(layout, options);
            source.each_line(&mut summary, &mut |line, summary| reader.line(line, summary, &mut counted));
        }
        Format::W3c => {
            let mut reader = w3c::Reader::new(options);
            source.each_line(&mut summary, &mut |line, summary| reader.line(line, summary, &mut counted));
        }
    }
    summary.observations = observations;
    summary.clock_backwards = backwards;
    Ok(summary)
}

/// Takes off gzip or zstd, recognised by their first bytes.
fn decompressed<'a>(source: impl Read + 'a) -> Result<Box<dyn Read + 'a>, Error> {
    use std::io::BufRead as _;
    let mut source = BufReader::with_capacity(256 * 1024, source);
    let head = source.fill_buf()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(source)));
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        // The window is bounded, so that a crafted frame cannot ask for gigabytes.
        let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
        decoder.window_log_max(27)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(source))
}

#[cfg(test)]
mod tests;
