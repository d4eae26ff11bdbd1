//! The request target in the form in which it is judged and forwarded.
//!
//! What was judged must be what the upstream serves. So the path is brought into one form first (RFC 3986, 6.2.2):
//! percent-escapes of unreserved characters are decoded, the others get upper-case digits, bytes that may not stand in a
//! target are escaped, a stray percent sign is escaped, and dot segments are removed, escaped ones too. Doubled slashes,
//! `%2F` and `%5C` stay: they mean different things to different upstreams, and the stage `hygiene` reports them.
//!
//! In a query only what may not stand there is escaped. Its valid escapes stay as they were sent, because signatures are
//! computed over them, and every reader decodes them alike.

use std::borrow::Cow;

use model::reason::Anomaly;
use smallvec::SmallVec;

/// A target ready to be matched and forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalTarget<'a> {
    /// The path; starts with a slash, or is `*`.
    pub path: Cow<'a, [u8]>,
    /// The query without its question mark.
    pub query: Option<Cow<'a, [u8]>>,
    /// What had to be changed and is worth reporting.
    pub notes: SmallVec<[Anomaly; 2]>,
}

/// Brings path and query into canonical form; borrows when nothing had to change.
pub fn canonical_target<'a>(path: &'a [u8], query: Option<&'a [u8]>) -> CanonicalTarget<'a> {
    let mut notes = SmallVec::new();
    let mut path = canonical_bytes(path, Escapes::Normal, &mut notes);
    if has_dot_segment(&path) {
        path = Cow::Owned(without_dot_segments(&path));
        note(&mut notes, Anomaly::TargetDotSegments);
    }
    if path.is_empty() {
        path = Cow::Borrowed(b"/");
    }
    let query = query.map(|query| canonical_bytes(query, Escapes::AsSent, &mut notes));
    CanonicalTarget { path, query, notes }
}

fn note(notes: &mut SmallVec<[Anomaly; 2]>, anomaly: Anomaly) {
    if !notes.contains(&anomaly) {
        notes.push(anomaly);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Plain,
    Percent,
    Escape,
}

/// Which bytes stand as they are. RFC 3986 forbids the rest in a target; browsers send some of them raw all the same.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const CLASS: [Class; 256] = {
    let mut table = [Class::Escape; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let letter = byte as u8;
        if letter == b'%' {
            table[byte] = Class::Percent;
        } else if letter.is_ascii_graphic()
            && !matches!(letter, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#')
        {
            table[byte] = Class::Plain;
        }
        byte += 1;
    }
    table
};

fn class(byte: u8) -> Class {
    CLASS.get(byte as usize).copied().unwrap_or(Class::Escape)
}

/// What becomes of valid percent-escapes.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    Normal,
    AsSent,
}

fn canonical_bytes<'a>(bytes: &'a [u8], escapes: Escapes, notes: &mut SmallVec<[Anomaly; 2]>) -> Cow<'a, [u8]> {
    let Some(first) = bytes.iter().position(|&byte| class(byte) != Class::Plain) else {
        return Cow::Borrowed(bytes);
    };
    if escapes == Escapes::AsSent && is_clean(bytes.get(first..).unwrap_or_default()) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend_from_slice(bytes.get(..first).unwrap_or_default());
    let mut rest = bytes.get(first..).unwrap_or_default();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match class(byte) {
            Class::Plain => out.push(byte),
            Class::Escape => {
                note(notes, Anomaly::TargetIllegalByte);
                push_escaped(&mut out, byte);
            }
            Class::Percent => match escape_value(after) {
                Some(_) if escapes == Escapes::AsSent => out.push(byte),
                Some(value) => {
                    rest = after.get(2..).unwrap_or_default();
                    if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
                        out.push(value);
                    } else {
                        push_escaped(&mut out, value);
                    }
                }
                None => {
                    note(notes, Anomaly::TargetBadEscape);
                    push_escaped(&mut out, b'%');
                }
            },
        }
    }
    Cow::Owned(out)
}

/// True when every byte may stand as it is and every percent sign begins an escape.
fn is_clean(mut rest: &[u8]) -> bool {
    while let Some(at) = rest.iter().position(|&byte| class(byte) != Class::Plain) {
        let after = rest.get(at + 1..).unwrap_or_default();
        if rest.get(at) != Some(&b'%') || escape_value(after).is_none() {
            return false;
        }
        rest = after.get(2..).unwrap_or_default();
    }
    true
}

fn escape_value(after: &[u8]) -> Option<u8> {
    let [high, low, ..] = after else { return None };
    let digit = |byte: &u8| (*byte as char).to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

fn push_escaped(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(nibble as usize).copied().unwrap_or(b'0');
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

fn has_dot_segment(path: &[u8]) -> bool {
    memchr::memmem::find(path, b"/.").is_some()
        && path.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b".."))
}

/// RFC 3986, 5.2.4. Empty segments are kept, and climbing above the root stays at the root.
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let segments: Vec<&[u8]> = path.strip_prefix(b"/").unwrap_or(path).split(|&byte| byte == b'/').collect();
    let last = segments.len().saturating_sub(1);
    for (at, segment) in segments.into_iter().enumerate() {
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                // The segment is gone but the slash before it stays, so that `/a/..` is the directory `/`.
                if at == last {
                    kept.push(b"");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(path: &str, expected: &str) {
        let canonical = canonical_target(path.as_bytes(), None);
        assert_eq!(String::from_utf8_lossy(&canonical.path), expected, "{path}");
    }

    #[test]
    fn paths_become_canonical() {
        check("/a/b", "/a/b");
        check("/%61%7e%2f%2F", "/a~%2F%2F");
        check("/a/../b/%2e%2e/c", "/c");
        check("/a/./b/.", "/a/b/");
        check("/../..", "/");
        check("/a//../b", "/a/b");
        check("//a//b", "//a//b");
        check("/caf\u{e9}", "/caf%C3%A9");
        check("/a%zz%0", "/a%25zz%250");
        check("/a\\..\\b{c}", "/a%5C..%5Cb%7Bc%7D");
        check("/...", "/...");
        check("", "/");
        check("*", "*");
    }

    #[test]
    fn queries_keep_their_escapes() {
        let check = |query: &str, expected: &str| {
            let canonical = canonical_target(b"/", Some(query.as_bytes())).query.unwrap();
            assert_eq!(String::from_utf8_lossy(&canonical), expected, "{query}");
        };
        check("a=%7e%2f&b=../c", "a=%7e%2f&b=../c");
        check("a=100%&b=\"%2f\"", "a=100%25&b=%22%2f%22");
        check("a=\u{e9}%c3%a9", "a=%C3%A9%c3%a9");
    }

    #[test]
    fn ordinary_targets_are_borrowed() {
        let canonical = canonical_target(b"/v1/orders/42", Some(b"expand=lines&a=1"));
        assert!(matches!(canonical.path, Cow::Borrowed(_)) && matches!(canonical.query, Some(Cow::Borrowed(_))));
        assert!(canonical.notes.is_empty());
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point(path in "/[ -~]{0,40}") {
            let once = canonical_target(path.as_bytes(), None).path.into_owned();
            let twice = canonical_target(&once, None);
            prop_assert_eq!(&twice.path[..], &once[..]);
            prop_assert!(once.iter().all(|&byte| class(byte) != Class::Escape));
        }
    }
}
