//! The parser: one pass over the text, without recursion.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::limits::{Error, ErrorKind, JsonLimits, Note, NoteKind};
use super::tape::{Node, NodeKind, Tape};

/// No container is open.
const NOTHING: u32 = u32::MAX;

/// Where a number ends and what it is.
pub(super) struct NumberEnd {
    pub(super) length: usize,
    pub(super) is_integer: bool,
    /// It may be beyond a double and has to be looked at.
    pub(super) is_large: bool,
}

pub(super) struct Parser<'a, 'l> {
    bytes: &'a [u8],
    limits: &'l JsonLimits,
    at: usize,
    tape: Tape<'a>,
    open: u32,
    depth: u16,
}

/// What follows a finished value.
enum Next {
    Value,
    End,
}

impl<'a, 'l> Parser<'a, 'l> {
    pub(super) fn new(bytes: &'a [u8], limits: &'l JsonLimits) -> Result<Self, Error> {
        if bytes.len() > (limits.bytes_max.min(u32::MAX - 1)) as usize {
            return Err(Error { kind: ErrorKind::TooLarge, offset: limits.bytes_max });
        }
        if is_wide(bytes) {
            return Err(Error { kind: ErrorKind::WideEncoding, offset: 0 });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error { kind: ErrorKind::InvalidUtf8, offset: offset(error.valid_up_to()) })?;
        // Ordinary API bodies have about one node for each ten bytes.
        let tape = Tape { text, nodes: Vec::with_capacity(bytes.len() / 8 + 4), ..Tape::default() };
        Ok(Self { bytes, limits, at: 0, tape, open: NOTHING, depth: 0 })
    }

    pub(super) fn run(mut self) -> Result<Tape<'a>, Error> {
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            self.note(NoteKind::ByteOrderMark, 0);
            self.at = 3;
        }
        loop {
            let is_open = self.value()?;
            if is_open {
                continue;
            }
            if let Next::End = self.after_value()? {
                break;
            }
        }
        if self.at < self.bytes.len() {
            return Err(self.error(ErrorKind::TrailingBytes));
        }
        Ok(self.tape)
    }

    /// Reads the start of a value. True when it opened a container that has a first value to read.
    #[inline]
    fn value(&mut self) -> Result<bool, Error> {
        self.space();
        let Some(byte) = self.peek() else {
            let empty = self.tape.nodes.is_empty();
            return Err(self.error(if empty { ErrorKind::Empty } else { ErrorKind::UnexpectedEnd }));
        };
        if self.tape.nodes.len() >= self.limits.nodes_max as usize {
            return Err(self.error(ErrorKind::TooManyNodes));
        }
        match byte {
            b'"' => self.string(NodeKind::Text)?,
            b'{' => return self.open(NodeKind::Object),
            b'[' => return self.open(NodeKind::Array),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true", NodeKind::True)?,
            b'f' => self.literal(b"false", NodeKind::False)?,
            b'n' => self.literal(b"null", NodeKind::Null)?,
            _ => return Err(self.error(ErrorKind::UnexpectedByte)),
        }
        Ok(false)
    }

    /// Reads what stands between a finished value and the next: commas, keys, and closing brackets.
    #[inline]
    fn after_value(&mut self) -> Result<Next, Error> {
        loop {
            self.space();
            let Some(container) = self.tape.nodes.get_mut(self.open as usize) else { return Ok(Next::End) };
            let is_object = container.kind == NodeKind::Object;
            container.b += 1;
            match self.bytes.get(self.at) {
                Some(b',') => {
                    let (max, kind) = if is_object {
                        (self.limits.keys_max, ErrorKind::TooManyKeys)
                    } else {
                        (self.limits.items_max, ErrorKind::TooManyItems)
                    };
                    if container.b >= max {
                        return Err(self.error(kind));
                    }
                    self.at += 1;
                    if is_object {
                        self.space();
                        self.key()?;
                    }
                    return Ok(Next::Value);
                }
                Some(b'}') if is_object => self.close_object(),
                Some(b']') if !is_object => self.close(),
                Some(_) => return Err(self.error(ErrorKind::UnexpectedByte)),
                None => return Err(self.error(ErrorKind::UnexpectedEnd)),
            }
        }
    }

    fn open(&mut self, kind: NodeKind) -> Result<bool, Error> {
        if self.depth >= self.limits.depth_max.min(JsonLimits::DEPTH_CAP) {
            return Err(self.error(ErrorKind::TooDeep));
        }
        let index = offset(self.tape.nodes.len());
        self.push(kind, self.open, 0);
        self.open = index;
        self.depth += 1;
        self.at += 1;
        self.space();
        match (kind, self.peek()) {
            (NodeKind::Object, Some(b'}')) | (NodeKind::Array, Some(b']')) => {
                self.close();
                Ok(false)
            }
            (NodeKind::Object, _) => {
                if self.limits.keys_max == 0 {
                    return Err(self.error(ErrorKind::TooManyKeys));
                }
                self.key()?;
                Ok(true)
            }
            _ if self.limits.items_max == 0 => Err(self.error(ErrorKind::TooManyItems)),
            _ => Ok(true),
        }
    }

    fn close(&mut self) {
        let end = offset(self.tape.nodes.len());
        if let Some(container) = self.tape.nodes.get_mut(self.open as usize) {
            self.open = container.a;
            container.a = end;
        }
        self.depth = self.depth.saturating_sub(1);
        self.at += 1;
    }

    fn close_object(&mut self) {
        let object = self.open;
        self.close();
        if self.tape.node(object).b > 1 {
            self.note_duplicates(object);
        }
    }

    /// Notes keys that occur twice. A 64-bit filter over length and ends of the key answers most objects at once.
    fn note_duplicates(&mut self, object: u32) {
        let (count, end) = (self.tape.node(object).b, self.tape.node(object).a);
        let mut filter = 0u64;
        let mut is_suspicious = false;
        let mut at = object + 1;
        while at < end && !is_suspicious {
            let bit = 1u64 << filter_bit(self.tape.node_bytes(self.tape.node(at)));
            is_suspicious = filter & bit != 0;
            filter |= bit;
            at = self.after(at + 1);
        }
        if !is_suspicious {
            return;
        }
        let mut found: Vec<u32> = Vec::new();
        let mut dropped = 0u32;
        {
            let mut few: SmallVec<[&str; 16]> = SmallVec::new();
            let mut many: HashSet<&str> = HashSet::new();
            let mut at = object + 1;
            while at < end {
                let node = self.tape.node(at);
                let key = self.tape.node_text(node);
                let is_new = if count <= 16 {
                    let is_new = !few.contains(&key);
                    few.push(key);
                    is_new
                } else {
                    many.insert(key)
                };
                if !is_new {
                    if found.len() < Note::KEPT_MAX { found.push(node.offset) } else { dropped += 1 }
                }
                at = self.after(at + 1);
            }
        }
        for offset in found {
            self.note(NoteKind::DuplicateKey, offset);
        }
        self.tape.notes_dropped += dropped;
    }

    /// The index behind the value at `index`.
    fn after(&self, index: u32) -> u32 {
        let node = self.tape.node(index);
        if matches!(node.kind, NodeKind::Array | NodeKind::Object) { node.a.max(index + 1) } else { index + 1 }
    }

    /// Reads a key and its colon.
    #[inline]
    fn key(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'"') => self.string(NodeKind::Key)?,
            Some(_) => return Err(self.error(ErrorKind::UnexpectedByte)),
            None => return Err(self.error(ErrorKind::UnexpectedEnd)),
        }
        self.space();
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.error(ErrorKind::UnexpectedByte)),
            None => Err(self.error(ErrorKind::UnexpectedEnd)),
        }
    }

    #[inline]
    fn string(&mut self, kind: NodeKind) -> Result<(), Error> {
        let quote = self.at;
        let start = quote + 1;
        let length = plain_length(self.bytes.get(start..).unwrap_or_default());
        self.at = start + length;
        let (max, limit) = if kind == NodeKind::Key {
            (self.limits.key_bytes_max, ErrorKind::KeyTooLong)
        } else {
            (self.limits.string_bytes_max, ErrorKind::StringTooLong)
        };
        if length > max as usize {
            return Err(Error { kind: limit, offset: offset(quote) });
        }
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let node = Node { kind, in_arena: false, offset: offset(quote), a: offset(start), b: offset(length) };
                self.tape.nodes.push(node);
                Ok(())
            }
            Some(b'\\') => self.escaped(kind, quote, max as usize, limit),
            Some(_) => Err(self.error(ErrorKind::ControlCharacter)),
            None => Err(self.error(ErrorKind::UnexpectedEnd)),
        }
    }

    /// Reads the rest of a string from its first backslash on, into the tape's own text.
    fn escaped(&mut self, kind: NodeKind, quote: usize, max: usize, limit: ErrorKind) -> Result<(), Error> {
        let arena_start = self.tape.arena.len();
        let mut plain_start = quote + 1;
        loop {
            let plain = self.tape.text.get(plain_start..self.at).unwrap_or_default();
            self.tape.arena.push_str(plain);
            if self.at - quote - 1 > max {
                return Err(Error { kind: limit, offset: offset(quote) });
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error(ErrorKind::ControlCharacter)),
                None => return Err(self.error(ErrorKind::UnexpectedEnd)),
            }
            plain_start = self.at;
            self.at += plain_length(self.bytes.get(self.at..).unwrap_or_default());
        }
        self.at += 1;
        let length = self.tape.arena.len() - arena_start;
        let node = Node { kind, in_arena: true, offset: offset(quote), a: offset(arena_start), b: offset(length) };
        self.tape.nodes.push(node);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        let plain = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            Some(_) => return Err(self.error(ErrorKind::InvalidEscape)),
            None => return Err(self.error(ErrorKind::UnexpectedEnd)),
        };
        self.tape.arena.push(plain);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), Error> {
        let Some(unit) = self.hex_unit(self.at) else { return Err(self.error(ErrorKind::InvalidEscape)) };
        let start = self.at;
        self.at += 6;
        let mut scalar = u32::from(unit);
        if (0xD800..0xDC00).contains(&unit)
            && let Some(low) = self.hex_unit(self.at)
            && (0xDC00..0xE000).contains(&low)
        {
            scalar = 0x10000 + ((u32::from(unit) - 0xD800) << 10) + (u32::from(low) - 0xDC00);
            self.at += 6;
        }
        match char::from_u32(scalar) {
            Some(c) => self.tape.arena.push(c),
            None => {
                self.note(NoteKind::LoneSurrogate, offset(start));
                self.tape.arena.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(())
    }

    /// The value of `\uXXXX` at this place.
    fn hex_unit(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at + 6)?;
        let digits = bytes.strip_prefix(b"\\u")?;
        let mut unit = 0u16;
        for digit in digits {
            let value = (*digit as char).to_digit(16)?;
            unit = (unit << 4) | u16::try_from(value).ok()?;
        }
        Some(unit)
    }

    #[inline]
    fn number(&mut self) -> Result<(), Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = number_end(rest).map_err(|(kind, length)| Error { kind, offset: offset(self.at + length) })?;
        if end.length > self.limits.number_bytes_max as usize {
            return Err(self.error(ErrorKind::NumberTooLong));
        }
        if end.is_large {
            let text = self.tape.text.get(self.at..self.at + end.length).unwrap_or_default();
            if !text.parse::<f64>().is_ok_and(f64::is_finite) {
                self.note(NoteKind::NumberOverflow, offset(self.at));
            }
        }
        self.push(
            if end.is_integer { NodeKind::Integer } else { NodeKind::Decimal },
            offset(self.at),
            offset(end.length),
        );
        self.at += end.length;
        Ok(())
    }

    fn literal(&mut self, word: &[u8], kind: NodeKind) -> Result<(), Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.push(kind, 0, 0);
            self.at += word.len();
            return Ok(());
        }
        let same = rest.iter().zip(word).take_while(|(a, b)| a == b).count();
        self.at += same;
        Err(self.error(if self.at < self.bytes.len() { ErrorKind::UnexpectedByte } else { ErrorKind::UnexpectedEnd }))
    }

    #[inline]
    fn push(&mut self, kind: NodeKind, a: u32, b: u32) {
        self.tape.nodes.push(Node { kind, in_arena: false, offset: offset(self.at), a, b });
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn note(&mut self, kind: NoteKind, offset: u32) {
        if self.tape.notes.len() < Note::KEPT_MAX {
            self.tape.notes.push(Note { kind, offset });
        } else {
            self.tape.notes_dropped += 1;
        }
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error { kind, offset: offset(self.at) }
    }
}

/// Offsets fit 32 bits because the size of the text is checked first.
#[inline]
fn offset(at: usize) -> u32 {
    at as u32
}

/// UTF-16 and UTF-32 show by their mark or by a zero byte in the first two characters, one of which is ASCII in JSON.
fn is_wide(bytes: &[u8]) -> bool {
    match bytes {
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => true,
        [0, ..] => bytes.len() > 1,
        [_, 0, ..] => true,
        _ => false,
    }
}

#[inline]
fn filter_bit(bytes: &[u8]) -> u32 {
    let end = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or(0));
    let middle = bytes.get(bytes.len() / 2);
    let mix = end(bytes.first()).wrapping_mul(31) ^ end(bytes.last()).wrapping_mul(131) ^ end(middle).wrapping_mul(521);
    (mix ^ (mix >> 6) ^ offset(bytes.len()).wrapping_mul(7)) & 63
}

/// How many bytes come before the first quote, backslash or control character. Eight bytes at a time.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // The lowest set bit of each term is exact: borrows only spread upwards.
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGH;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

/// Reads a number by the grammar of RFC 8259 section 6. The error carries how far it got.
#[inline]
pub(super) fn number_end(bytes: &[u8]) -> Result<NumberEnd, (ErrorKind, usize)> {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let missing = |at: usize| {
        let kind = if at < bytes.len() { ErrorKind::InvalidNumber } else { ErrorKind::UnexpectedEnd };
        Err((kind, at))
    };
    let start = usize::from(bytes.first() == Some(&b'-'));
    let mut at = digits(start);
    if at == start {
        return missing(at);
    }
    if bytes.get(start) == Some(&b'0') && at > start + 1 {
        return Err((ErrorKind::InvalidNumber, start + 1));
    }
    let mut is_integer = true;
    if bytes.get(at) == Some(&b'.') {
        is_integer = false;
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return missing(at);
        }
    }
    let mut is_large = at > 300;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        is_integer = false;
        let mut exponent = at + 1;
        if matches!(bytes.get(exponent), Some(b'+' | b'-')) {
            exponent += 1;
        }
        at = digits(exponent);
        if at == exponent {
            return missing(at);
        }
        is_large |= at - exponent > 2 || at > 100;
    }
    Ok(NumberEnd { length: at, is_integer, is_large })
}
