//! Text from outsiders made safe to keep and to show: bounded, valid UTF-8, without control characters, without the values
//! that must not be stored.

use std::borrow::Cow;
use std::fmt::Write as _;

use smallvec::SmallVec;

/// Longest stored method, in bytes.
pub const METHOD_BYTES_MAX: usize = 32;
/// Longest stored host (RFC 1035 section 2.3.4).
pub const HOST_BYTES_MAX: usize = 255;
/// Longest stored path.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Longest stored User-Agent, Referer and Accept.
pub const FIELD_BYTES_MAX: usize = 256;
/// Longest stored media type.
pub const TYPE_BYTES_MAX: usize = 96;
/// Longest stored name: of a query parameter, a header field, an operation.
pub const NAME_BYTES_MAX: usize = 96;
/// Longest stored place of a finding.
pub const PLACE_BYTES_MAX: usize = 256;
/// Most names kept of one exchange, per list.
pub const NAMES_MAX: usize = 32;
/// Most findings kept of one exchange; the most severe ones come first from `inspect`.
pub const FINDINGS_MAX: usize = 16;

/// What a query parameter is stored as when it has no name of its own, so that a bare value is never kept.
pub const BARE_PARAMETER: &str = "{bare}";

/// Names of one exchange.
pub type Names<'a> = SmallVec<[Cow<'a, str>; 4]>;

fn plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte)
}

/// `bytes` as text of at most `bytes_max` bytes plus an ellipsis where it was cut. Control characters and invalid UTF-8 become
/// percent escapes, so that stored text can neither break a terminal nor a reader.
pub fn clean(bytes: &[u8], bytes_max: usize) -> Cow<'_, str> {
    // Without a way out in the middle, the compiler looks at many bytes at once.
    let all_plain = |bytes: &[u8]| bytes.iter().fold(true, |all, &byte| all & plain(byte));
    if bytes.len() <= bytes_max
        && all_plain(bytes)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(bytes, bytes_max))
}

fn escaped(bytes: &[u8], bytes_max: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(bytes_max) + 4);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if out.len() >= bytes_max {
                out.push('…');
                return out;
            }
            if character.is_control() || is_bidi_control(character) {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "%{byte:02X}");
                }
            } else {
                out.push(character);
            }
        }
        for byte in chunk.invalid() {
            if out.len() >= bytes_max {
                out.push('…');
                return out;
            }
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Characters that reorder the text around them on a screen (Unicode UAX #9): a way to disguise a path.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Like [`clean`], in ASCII lower case.
pub fn clean_lower(bytes: &[u8], bytes_max: usize) -> Cow<'_, str> {
    let text = clean(bytes, bytes_max);
    if text.bytes().fold(false, |any, byte| any | byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        text
    }
}

/// The media type of a content type, lower case, without parameters: they vary without saying much, and a multipart
/// boundary is different in every message.
pub fn media_type(bytes: &[u8]) -> Cow<'_, str> {
    let essence = bytes.split(|&byte| byte == b';').next().unwrap_or_default();
    clean_lower(essence.trim_ascii(), TYPE_BYTES_MAX)
}

/// A Referer without its query and fragment, which carry values.
pub fn referer(bytes: &[u8]) -> Cow<'_, str> {
    let end = bytes.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(bytes.len());
    clean(bytes.get(..end).unwrap_or_default(), FIELD_BYTES_MAX)
}

/// The names of a target's query parameters in order of first appearance, without repetition and never with a value.
pub fn query_names(target: &[u8]) -> Names<'_> {
    let mut names = Names::new();
    let Some(start) = target.iter().position(|&byte| byte == b'?') else { return names };
    let query = target.get(start + 1..).unwrap_or_default();
    let query = query.split(|&byte| byte == b'#').next().unwrap_or_default();
    for piece in query.split(|&byte| byte == b'&') {
        if piece.is_empty() {
            continue;
        }
        let name = match piece.iter().position(|&byte| byte == b'=') {
            Some(0) => Cow::Borrowed(BARE_PARAMETER),
            Some(end) => clean(piece.get(..end).unwrap_or_default(), NAME_BYTES_MAX),
            None if is_flag(piece) => clean(piece, NAME_BYTES_MAX),
            None => Cow::Borrowed(BARE_PARAMETER),
        };
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() == NAMES_MAX {
            break;
        }
    }
    names
}

/// True for a parameter without `=` that is a word, as in `?verbose`; anything else may be a value.
fn is_flag(piece: &[u8]) -> bool {
    piece.len() <= 24
        && piece.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && piece.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_bytes_become_escapes() {
        assert_eq!(clean(b"/a\x1b[31m\xff", 100), "/a%1B[31m%FF");
        assert_eq!(clean("/é\u{202e}x".as_bytes(), 100), "/é%E2%80%AEx");
        assert_eq!(clean(b"abcdef", 3), "abc…");
        assert!(matches!(clean(b"/users/1", 100), Cow::Borrowed(_)));
    }

    #[test]
    fn values_are_never_kept() {
        let names = query_names(b"/a?id=7&token=secret&id=8&verbose&eyJhbGciOi&=x&9912#id=3");
        assert_eq!(names.as_slice(), ["id", "token", "verbose", "eyJhbGciOi", "{bare}"]);
        assert_eq!(query_names(b"/a?dGVzdA").as_slice(), ["dGVzdA"]);
        assert_eq!(query_names(b"/a?5f4dcc3b5aa765d61d8327deb882cf99").as_slice(), ["{bare}"]);
        assert_eq!(referer(b"https://a.example/x?token=1"), "https://a.example/x");
        assert_eq!(media_type(b"Multipart/Form-Data; boundary=xyz"), "multipart/form-data");
    }

    proptest! {
        #[test]
        fn any_bytes_give_bounded_printable_text(bytes in proptest::collection::vec(any::<u8>(), 0..600), max in 0usize..300) {
            let text = clean(&bytes, max);
            prop_assert!(text.len() <= max + 12 + '…'.len_utf8());
            prop_assert!(!text.chars().any(char::is_control));
            for name in query_names(&bytes) {
                prop_assert!(!name.contains('='));
            }
        }
    }
}
