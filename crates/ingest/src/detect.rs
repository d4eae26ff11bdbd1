//! Tells a format from the beginning of a source.

use serde_json::Value;

use crate::json::Shape;
use crate::layout::{KNOWN, Layout};
use crate::make::Pieces;

/// The format of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// An HTTP Archive.
    Har,
    /// One JSON object a line.
    Json(Shape),
    /// Lines of a fixed layout.
    Layout(Layout),
    /// Columns named by a `#Fields:` line.
    W3c,
    /// A capture of packets, pcap or pcapng.
    Capture,
}

impl Format {
    /// The name in messages and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Har => "har",
            Self::Json(shape) => shape.name(),
            Self::Layout(layout) => layout.name,
            Self::W3c => "w3c",
            Self::Capture => "pcap",
        }
    }

    /// A format by its name.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "har" => Some(Self::Har),
            "w3c" | "cloudfront" => Some(Self::W3c),
            "pcap" | "pcapng" => Some(Self::Capture),
            "nginx" | "apache" | "traefik" => Layout::known("combined").map(Self::Layout),
            _ => {
                let shape = Shape::ALL.into_iter().find(|shape| shape.name() == name).map(Self::Json);
                shape.or_else(|| Layout::known(name).map(Self::Layout))
            }
        }
    }

    /// Every name.
    pub fn names() -> Vec<&'static str> {
        let mut names = vec!["har", "pcap", "pcapng", "w3c", "cloudfront", "nginx", "apache", "traefik"];
        names.extend(Shape::ALL.iter().map(|shape| shape.name()));
        names.extend(KNOWN.iter().map(|(name, _)| *name));
        names
    }
}

/// Lines looked at; a log may begin with some that are broken.
const LINES_MAX: usize = 50;

/// Tells the format from the first lines: the one that reads most of them.
pub fn detect(beginning: &[u8]) -> Option<Format> {
    if crate::pcap::is_capture(beginning) {
        return Some(Format::Capture);
    }
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    let lines: Vec<&[u8]> = text
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .take(LINES_MAX)
        .collect();
    let first = lines.first()?.trim_ascii_start();
    if first.starts_with(b"{") {
        if let Some(shape) = lines.iter().find_map(|line| Shape::of(&serde_json::from_slice::<Value>(line).ok()?)) {
            return Some(Format::Json(shape));
        }
        let head = text.get(..text.len().min(4_096)).unwrap_or_default();
        if memchr::memmem::find(head, b"\"log\"").is_some() {
            return Some(Format::Har);
        }
    }
    if lines.iter().any(|line| line.starts_with(b"#Fields:")) {
        return Some(Format::W3c);
    }
    let layouts = KNOWN.iter().filter_map(|(name, _)| Layout::known(name));
    let scored = layouts.map(|layout| (lines.iter().map(|line| likeness(&layout, line)).sum::<usize>(), layout));
    // Of equals the first wins: it is the more telling one.
    let mut best: Option<(usize, Layout)> = None;
    for (score, layout) in scored {
        if score > best.as_ref().map_or(0, |(score, _)| *score) {
            best = Some((score, layout));
        }
    }
    best.map(|(_, layout)| Format::Layout(layout))
}

/// Reading a line is not enough: its time and its status must be what they claim to be, and its client is an address in
/// all but a few logs.
fn likeness(layout: &Layout, line: &[u8]) -> usize {
    let mut pieces = Pieces::default();
    let follows = layout.read(line, &mut pieces)
        && pieces.time.and_then(crate::time::parse).is_some()
        && pieces.status.is_some_and(|status| status.len() == 3 && status.iter().all(u8::is_ascii_digit))
        && pieces.request.is_some_and(|request| request.contains(&b' '));
    usize::from(follows) * (1 + usize::from(crate::make::first_address(pieces.client).is_some()))
}
