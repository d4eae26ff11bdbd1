//! A text as the detectors see it, and the small steps they read it with.

use smallvec::SmallVec;

use super::family::Family;
use super::gate::{Classes, Hit, Hits};
use crate::values::{Role, Spot};

/// A value, or what a value says once an encoding was taken off.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// The bytes.
    pub raw: &'a [u8],
    /// The same in lower case (ASCII).
    pub low: &'a [u8],
    /// Where the value stands.
    pub spot: Spot<'a>,
    /// What it is.
    pub role: Role,
    /// Which bytes it has.
    pub classes: Classes,
    /// The markers in it.
    pub hits: &'a Hits,
    /// It reads like sentences.
    pub prose: bool,
    /// It has lines: a listing, a table, a document. What is injected fits into one line or two.
    pub listing: bool,
    /// Its line ends were spelt out by an encoding; as the value came it had none.
    pub hidden_lines: bool,
}

impl<'a> Text<'a> {
    /// The markers of one family.
    pub fn hits(&self, family: Family) -> impl Iterator<Item = &'a Hit> {
        self.hits.list.iter().filter(move |hit| hit.family == family)
    }

    /// True when the marker was found.
    pub fn has(&self, family: Family, marker: &str) -> bool {
        self.hits(family).any(|hit| hit.marker.text == marker)
    }

    /// Where a fragment begins, every time. Never more than `FINDS_MAX` times.
    pub fn find_all(&self, needle: &'a str) -> impl Iterator<Item = usize> {
        memchr::memmem::find_iter(self.low, needle.as_bytes()).take(FINDS_MAX)
    }

    /// The lower-case bytes from `at` on.
    pub fn from(&self, at: usize) -> &'a [u8] {
        self.low.get(at..).unwrap_or_default()
    }

    /// The lower-case byte before `at`.
    pub fn before(&self, at: usize) -> Option<u8> {
        self.low.get(at.checked_sub(1)?).copied()
    }
}

/// Most occurrences of one fragment that are looked at closely.
const FINDS_MAX: usize = 2048;

/// Letters, digits, underscore.
pub const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Without leading white space.
pub fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_start()
}

/// The word at the front, and what follows it.
pub fn split_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().take(64).position(|&byte| !is_word(byte)).unwrap_or(bytes.len().min(64));
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// At most `count` bytes from the front.
pub fn window(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(..bytes.len().min(count)).unwrap_or_default()
}

/// True when `bytes` contain the fragment.
pub fn has(bytes: &[u8], needle: &str) -> bool {
    memchr::memmem::find(bytes, needle.as_bytes()).is_some()
}

/// True for lower-case words of the languages injected here, which do not make a sentence.
fn is_code_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"select"
            | b"union"
            | b"from"
            | b"where"
            | b"and"
            | b"or"
            | b"all"
            | b"insert"
            | b"into"
            | b"values"
            | b"update"
            | b"delete"
            | b"drop"
            | b"table"
            | b"order"
            | b"by"
            | b"group"
            | b"having"
            | b"limit"
            | b"like"
            | b"null"
            | b"exec"
            | b"declare"
            | b"set"
            | b"cast"
            | b"as"
            | b"char"
            | b"varchar"
            | b"not"
            | b"in"
            | b"case"
            | b"when"
            | b"then"
            | b"else"
            | b"end"
            | b"waitfor"
            | b"delay"
            | b"sleep"
            | b"cat"
            | b"echo"
            | b"ping"
            | b"wget"
            | b"curl"
            | b"var"
            | b"function"
            | b"return"
            | b"if"
            | b"while"
            | b"do"
            | b"new"
            | b"users"
            | b"password"
            | b"distinct"
            | b"alter"
            | b"create"
            | b"truncate"
            | b"column"
            | b"int"
            | b"integer"
            | b"add"
            | b"schema"
            | b"database"
            | b"view"
            | b"index"
            | b"trigger"
            | b"procedure"
            | b"returns"
            | b"execute"
            | b"immediate"
            | b"grant"
            | b"revoke"
            | b"primary"
            | b"references"
            | b"constraint"
    )
}

/// True when a text reads like sentences: at least six plain words, and more of them than of anything else.
pub fn reads_like_prose(low: &[u8]) -> bool {
    let mut words = 0usize;
    let mut bytes = 0usize;
    let looked = window(low, 2048);
    for piece in looked.split(|byte| byte.is_ascii_whitespace()) {
        let piece = piece.strip_prefix(b"(").or(piece.strip_prefix(b"\"")).unwrap_or(piece);
        let end = piece
            .iter()
            .rposition(|byte| !matches!(byte, b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b'"'))
            .map_or(0, |at| at + 1);
        let word = piece.get(..end).unwrap_or_default();
        let plain = word.iter().all(|&byte| byte.is_ascii_alphabetic() || byte >= 0x80 || matches!(byte, b'\'' | b'-'));
        if plain && word.len() <= 24 && !word.is_empty() && !is_code_word(word) {
            words += 1;
            bytes += piece.len() + 1;
        }
    }
    words >= 6 && bytes * 2 >= looked.len()
}

/// True for sentences and for listings: texts that share their words with attacks by right.
pub fn is_document(raw: &[u8]) -> bool {
    is_listing(raw) || reads_like_prose(&raw.to_ascii_lowercase())
}

/// True when the line ends of a text only came to be by taking off escapes.
pub fn are_lines_hidden(sent: &[u8], read: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', sent).is_none() && memchr::memchr2(b'\n', b'\r', read).is_some()
}

/// A program over several lines, as people put into documents; what is injected fits into one.
pub fn is_listing(raw: &[u8]) -> bool {
    // Empty lines are free to whoever wants to look like a listing.
    let lines = raw.split(|&byte| byte == b'\n').filter(|line| line.trim_ascii().len() >= 4);
    raw.len() >= 60 && lines.take(4).count() == 4
}

/// Where code stands in Markdown: between fences or backticks. Empty for a text without them.
pub fn quoted_code(low: &[u8]) -> SmallVec<[(usize, usize); 4]> {
    let mut spans = SmallVec::new();
    let mut at = 0usize;
    while let Some(open) = memchr::memchr(b'`', low.get(at..).unwrap_or_default()) {
        let open = at + open;
        let ticks = low.get(open..).unwrap_or_default().iter().take_while(|&&byte| byte == b'`').count();
        let fence: &[u8] = if ticks >= 3 { b"```" } else { b"`" };
        let inside = open + ticks;
        let Some(close) = memchr::memmem::find(low.get(inside..).unwrap_or_default(), fence) else { break };
        spans.push((open, inside + close + fence.len()));
        at = inside + close + fence.len();
        if spans.len() >= 64 {
            break;
        }
    }
    spans
}

/// True when `at` lies in a block of code: between fences of three backticks that end their line.
pub fn is_fenced(low: &[u8], spans: &[(usize, usize)], at: usize) -> bool {
    spans.iter().any(|&(from, to)| {
        let opening = low.get(from..to).unwrap_or_default();
        at >= from && at < to && opening.starts_with(b"```") && opening.iter().take(20).any(|&byte| byte == b'\n')
    })
}
