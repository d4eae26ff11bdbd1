//! Field lines (RFC 9112, 5): names, values, and lists of tokens inside values.

use model::head::{FieldSpan, Known, Span};
use model::reason::Anomaly;
use smallvec::SmallVec;

use super::Noted;

/// RFC 9110, 5.6.2: `tchar`.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = letter.is_ascii_alphanumeric()
            || matches!(
                letter,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        byte += 1;
    }
    table
};

pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(byte as usize).copied().unwrap_or(false)
}

/// True when `bytes` is one token: at least one character, all of them `tchar` (RFC 9110, 5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// The elements of a comma-separated list, white space trimmed, empty elements left out (RFC 9110, 5.6.1).
pub fn token_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The next line of `buf` from `at`: its content without the line end, and the offset behind it. `Err` for a line that
/// ends with LF alone; `None` when no line ends.
pub(super) fn line(buf: &[u8], at: usize) -> Option<Result<(&[u8], usize), Noted>> {
    let rest = buf.get(at..)?;
    let line_feed = memchr::memchr(b'\n', rest)?;
    let content = rest.get(..line_feed)?;
    Some(match content.split_last() {
        Some((b'\r', line)) => Ok((line, at + line_feed + 1)),
        _ => Err(Noted::new(Anomaly::LineBareLf, at + line_feed)),
    })
}

/// Parses field lines from `at` up to and including the empty line. Every name is a token, every value free of control
/// bytes; anything else refuses the message.
pub fn field_lines(
    buf: &[u8],
    mut at: usize,
    fields_max: u16,
    notes: &mut SmallVec<[Noted; 2]>,
) -> Result<SmallVec<[FieldSpan; 16]>, Noted> {
    let mut spans: SmallVec<[FieldSpan; 16]> = SmallVec::new();
    let values = survey(buf.get(at..).unwrap_or_default());
    loop {
        let (text, next) = match line(buf, at) {
            Some(line) => line?,
            None => return Err(Noted::new(Anomaly::FieldColonMissing, at)),
        };
        if text.is_empty() {
            return Ok(spans);
        }
        if spans.len() >= usize::from(fields_max) {
            return Err(Noted::new(Anomaly::HeadTooManyFields, at));
        }
        spans.push(field_line(text, at, spans.is_empty(), values, notes)?);
        at = next;
    }
}

/// What one look over all lines tells of their bytes.
#[derive(Clone, Copy, PartialEq)]
enum Survey {
    /// Visible ASCII, spaces, tabs, and whole line ends: no value needs a look of its own.
    Plain,
    Look,
}

/// One pass without branches, which the compiler turns into vector instructions, in place of one over each short value.
fn survey(lines: &[u8]) -> Survey {
    let mut odd = false;
    for &byte in lines {
        odd |= (byte < 0x20) & (byte != b'\t') & (byte != b'\r') & (byte != b'\n') | (byte >= 0x7f);
    }
    // The last line end is judged by whoever splits the lines.
    for (&byte, &next) in lines.iter().zip(lines.get(1..).unwrap_or_default()) {
        odd |= (byte == b'\r') & (next != b'\n');
    }
    if odd { Survey::Look } else { Survey::Plain }
}

fn field_line(
    text: &[u8],
    at: usize,
    first: bool,
    values: Survey,
    notes: &mut SmallVec<[Noted; 2]>,
) -> Result<FieldSpan, Noted> {
    let colon = token_length(text);
    if colon == 0 || text.get(colon) != Some(&b':') {
        return Err(Noted::new(malformed_name(text, first), at));
    }
    let (name, value) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    let known = Known::of(name);
    if known == Known::Other && is_lookalike(name) {
        return Err(Noted::new(Anomaly::FieldNameLookalike, at));
    }
    if values == Survey::Look {
        check_value(value, at + colon + 1, notes)?;
    }
    let value_start = at + colon + 1 + leading_space(value);
    let value_end = at + colon + 1 + value.len() - trailing_space(value);
    Ok(FieldSpan { name: Span::new(at, at + colon), value: Span::new(value_start, value_end.max(value_start)), known })
}

/// The length of the token at the front.
#[inline(never)]
fn token_length(text: &[u8]) -> usize {
    for (at, &byte) in text.iter().enumerate() {
        if !is_token_byte(byte) {
            return at;
        }
    }
    text.len()
}

/// What is wrong with a line whose front is no name and colon.
fn malformed_name(text: &[u8], first: bool) -> Anomaly {
    if matches!(text.first(), Some(b' ' | b'\t')) {
        // A folded line continues the one before; white space before the first field hides it from some readers.
        return if first { Anomaly::FieldNameSpace } else { Anomaly::FieldLineFolded };
    }
    let Some(colon) = memchr::memchr(b':', text) else {
        return name_anomaly(text).unwrap_or(Anomaly::FieldColonMissing);
    };
    let name = text.get(..colon).unwrap_or_default();
    if name.trim_ascii_end().len() < name.len() && is_token(name.trim_ascii_end()) && !name.contains(&b'\r') {
        return Anomaly::FieldNameSpace;
    }
    name_anomaly(name).unwrap_or(Anomaly::FieldNameMalformed)
}

/// True for a token that is not `Content-Length`, `Transfer-Encoding` or `Host` but becomes one of them for a reader that
/// drops or folds what is no letter, as gateways to CGI, WSGI and PHP do with underscores.
pub(crate) fn is_lookalike(name: &[u8]) -> bool {
    // Of the names that clients send, few begin like this and are that long.
    if !matches!(name.first().map(|byte| byte | 0x20), Some(b'c' | b't' | b'h') | Some(0x00..=0x60 | 0x7b..)) {
        return false;
    }
    let letters = || name.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
    let is = |plain: &[u8]| letters().eq(plain.iter().copied());
    (name.len() >= 13 && (is(b"contentlength") || is(b"transferencoding"))) || (name.len() < 8 && is(b"host"))
}

fn name_anomaly(name: &[u8]) -> Option<Anomaly> {
    if name.contains(&b'\r') {
        return Some(Anomaly::LineBareCr);
    }
    name.contains(&0).then_some(Anomaly::FieldValueNul)
}

fn leading_space(value: &[u8]) -> usize {
    value.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count()
}

fn trailing_space(value: &[u8]) -> usize {
    value.iter().rev().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count()
}

/// Values may hold HTAB, visible ASCII and space; bytes above 0x7F are noted; control bytes refuse (RFC 9110, 5.5).
fn check_value(value: &[u8], at: usize, notes: &mut SmallVec<[Noted; 2]>) -> Result<(), Noted> {
    // Two passes without branches, which the compiler turns into vector instructions: this runs over every byte.
    if has_control(value) {
        let offset = value.iter().position(|&byte| is_control(byte)).unwrap_or_default();
        let anomaly = match value.get(offset) {
            Some(0) => Anomaly::FieldValueNul,
            Some(b'\r') => Anomaly::LineBareCr,
            _ => Anomaly::FieldValueControl,
        };
        return Err(Noted::new(anomaly, at + offset));
    }
    if !value.is_ascii() && !notes.iter().any(|noted| noted.anomaly == Anomaly::FieldValueObsText) {
        notes.push(Noted::new(Anomaly::FieldValueObsText, at));
    }
    Ok(())
}

/// True when a byte may not stand in a field value.
pub(crate) fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |control, &byte| control | is_control(byte))
}

fn is_control(byte: u8) -> bool {
    ((byte < 0x20) & (byte != b'\t')) | (byte == 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str) -> Result<Vec<(String, String)>, Anomaly> {
        let buf = lines.as_bytes();
        let mut notes = SmallVec::new();
        field_lines(buf, 0, 4, &mut notes).map_err(|noted| noted.anomaly).map(|spans| {
            let text = |span: Span| String::from_utf8_lossy(span.of(buf)).into_owned();
            spans.iter().map(|span| (text(span.name), text(span.value))).collect()
        })
    }

    #[test]
    fn fields_are_read_and_trimmed() {
        let fields = check("A: b\r\nC:\t d e \t\r\nF:\r\nG: \t \r\n\r\n").unwrap();
        let pairs: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "b"), ("C", "d e"), ("F", ""), ("G", "")]);
    }

    #[test]
    fn what_readers_could_read_differently_is_refused() {
        for (lines, anomaly) in [
            ("A : b\r\n\r\n", Anomaly::FieldNameSpace),
            (" A: b\r\n\r\n", Anomaly::FieldNameSpace),
            ("A: b\r\n c\r\n\r\n", Anomaly::FieldLineFolded),
            ("A: b\n\r\n", Anomaly::LineBareLf),
            ("A: b\rC: d\r\n\r\n", Anomaly::LineBareCr),
            ("A\rB: d\r\n\r\n", Anomaly::LineBareCr),
            ("A: b\0\r\n\r\n", Anomaly::FieldValueNul),
            ("A: \x01\r\n\r\n", Anomaly::FieldValueControl),
            ("A: \x7f\r\n\r\n", Anomaly::FieldValueControl),
            ("A\r\n\r\n", Anomaly::FieldColonMissing),
            (": b\r\n\r\n", Anomaly::FieldNameMalformed),
            ("A(: b\r\n\r\n", Anomaly::FieldNameMalformed),
            ("Content_Length: 5\r\n\r\n", Anomaly::FieldNameLookalike),
            ("Transfer---Encoding: chunked\r\n\r\n", Anomaly::FieldNameLookalike),
            ("transferencoding: chunked\r\n\r\n", Anomaly::FieldNameLookalike),
            ("_Host: a\r\n\r\n", Anomaly::FieldNameLookalike),
            ("\u{17f}ost: a\r\n\r\n", Anomaly::FieldNameMalformed),
            ("A:1\r\nA:2\r\nA:3\r\nA:4\r\nA:5\r\n\r\n", Anomaly::HeadTooManyFields),
        ] {
            assert_eq!(check(lines), Err(anomaly), "{lines:?}");
        }
    }

    #[test]
    fn lists_leave_out_empty_elements() {
        let elements: Vec<_> = token_list(b" a,, b ,\t,c").collect();
        assert_eq!(elements, [&b"a"[..], b"b", b"c"]);
    }
}
