//! Encodings inside a value, taken off one layer at a time.
//!
//! One pass undoes every escape that stands in the text, whatever its kind (`%41`, `%u0041`, `&#65;`, `\u0041`, `\x41`),
//! because an attacker mixes them; the next pass undoes what the first has uncovered. What a text says after each pass is
//! judged, so that nothing is lost where an escape was meant literally. Base64 and compression are separate layers.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The encodings that were taken off a value, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers(u16);

macro_rules! layers {
    ($($name:ident = $bit:literal, $text:literal;)*) => {
        impl Layers {
            $(#[doc = $text] pub const $name: Self = Self(1 << $bit);)*

            /// The names of the layers, joined by `+`; empty when there is none.
            pub fn text(self) -> String {
                let names = [$((Self::$name, $text)),*];
                let held: Vec<&str> = names.iter().filter(|(layer, _)| self.has(*layer)).map(|(_, name)| *name).collect();
                held.join("+")
            }
        }
    };
}

layers! {
    PERCENT = 0, "percent";
    PLUS = 1, "plus";
    ENTITY = 2, "html-entity";
    ESCAPE = 3, "escape";
    BASE64 = 4, "base64";
    GZIP = 5, "compressed";
    JSON = 6, "json";
    WIDE = 7, "wide";
    OVERLONG = 8, "overlong";
    NUL = 9, "nul";
    HEX = 10, "hex";
    TAGS = 11, "tags";
}

impl Layers {
    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when every layer of `other` is held.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when an escape was taken off, which spells out single bytes: a percent sign, an entity, a backslash.
    pub const fn has_escape(self) -> bool {
        self.0 & (Self::PERCENT.0 | Self::ENTITY.0 | Self::ESCAPE.0) != 0
    }

    /// True when nothing was taken off.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Undoes the encoding of a query or form: percent-escapes, and plus for space. Broken escapes stay as they are.
pub fn unescape_form(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => match hex_pair(after) {
                Some(value) => {
                    out.push(value);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => out.push(b'%'),
            },
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// Undoes every escape once. `None` when there was nothing to undo.
pub fn unescape(text: &[u8]) -> Option<(Vec<u8>, Layers)> {
    let plus = plus_is_space(text);
    let mut out = Vec::with_capacity(text.len());
    let mut layers = Layers::default();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (taken, layer) = match byte {
            b'%' => (percent(after, &mut out), Layers::PERCENT),
            b'&' => (entity(after, &mut out), Layers::ENTITY),
            b'\\' => (escape(after, &mut out), Layers::ESCAPE),
            b'+' if plus => {
                out.push(b' ');
                (Some(0), Layers::PLUS)
            }
            b'0' if matches!(
                after,
                [b'x' | b'X', b'2', b'e' | b'E' | b'f' | b'F', ..] | [b'x' | b'X', b'5', b'c' | b'C', ..]
            ) =>
            {
                // `0x2e0x2e0x2f`: dots and slashes spelt out, as traversal lists do; a lone number stays a number.
                (hex_run(rest, &mut out), Layers::HEX)
            }
            0 => (Some(0), Layers::NUL),
            0xc0 | 0xc1 | 0xe0 | 0xf0 | 0xf8 | 0xfc => (overlong(byte, after, &mut out), Layers::OVERLONG),
            0xef => (wide(after, &mut out), Layers::WIDE),
            _ => (None, Layers::default()),
        };
        match taken {
            Some(count) => {
                layers = layers.with(layer);
                rest = after.get(count..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    (!layers.is_empty()).then_some((out, layers))
}

/// A plus means space in a text that has none, as in `a+or+1=1`; in prose it is a plus.
fn plus_is_space(text: &[u8]) -> bool {
    memchr::memchr(b'+', text).is_some() && memchr::memchr(b' ', text).is_none()
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let [high, low, ..] = bytes else { return None };
    Some(hex_digit(*high)? << 4 | hex_digit(*low)?)
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Up to `most` hexadecimal digits as a number, and how many there were.
fn hex_number(bytes: &[u8], most: usize) -> Option<(u32, usize)> {
    let count = bytes.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let value =
        bytes.iter().take(count).fold(0u32, |value, &byte| value << 4 | u32::from(hex_digit(byte).unwrap_or(0)));
    (count > 0).then_some((value, count))
}

/// Writes a code point; fullwidth forms as what they stand for.
fn push_char(out: &mut Vec<u8>, code: u32) {
    let code = match code {
        0xff01..=0xff5e => code - 0xfee0,
        // Signs that careless conversions to one byte turn into separators.
        0x2215 | 0x2044 => u32::from(b'/'),
        0x2216 => u32::from(b'\\'),
        0 => return,
        _ => code,
    };
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.push(b'?'),
    }
}

/// Behind a percent sign: two digits, or `u` and four (IIS).
fn percent(after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    if let Some(value) = hex_pair(after) {
        out.push(value);
        return Some(2);
    }
    let digits = after.strip_prefix(b"u").or_else(|| after.strip_prefix(b"U"))?;
    let (value, 4) = hex_number(digits, 4)? else { return None };
    push_char(out, value);
    Some(5)
}

/// Named entities that attacks use; the others change nothing a detector looks at.
const ENTITIES: &[(&[u8], u8)] = &[
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"amp", b'&'),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"colon", b':'),
    (b"equals", b'='),
    (b"tab", b'\t'),
    (b"newline", b'\n'),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"semi", b';'),
    (b"period", b'.'),
    (b"comma", b','),
    (b"excl", b'!'),
    (b"grave", b'`'),
    (b"lbrace", b'{'),
    (b"lcub", b'{'),
    (b"rcub", b'}'),
    (b"lsqb", b'['),
    (b"rsqb", b']'),
    (b"dollar", b'$'),
    (b"num", b'#'),
    (b"percnt", b'%'),
    (b"plus", b'+'),
    (b"verbar", b'|'),
    (b"nbsp", b' '),
];

/// Behind an ampersand: `#65;`, `#x41;` (the semicolon may be missing) or a name and its semicolon.
fn entity(after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    if let Some(number) = after.strip_prefix(b"#") {
        let (value, count, prefix) = match number.split_first() {
            Some((b'x' | b'X', digits)) => {
                // Leading zeros are free, so they must not hide the digits behind them.
                let zeros = digits.iter().take(16).take_while(|&&byte| byte == b'0').count();
                let (value, count) = hex_number(digits.get(zeros..)?, 6).or((zeros > 0).then_some((0, 0)))?;
                (value, zeros + count, 2)
            }
            _ => {
                let zeros = number.iter().take(16).take_while(|&&byte| byte == b'0').count();
                let digits = number.get(zeros..)?.iter().take(7).take_while(|byte| byte.is_ascii_digit());
                let (value, count) =
                    digits.fold((0u32, 0), |(value, count), &byte| (value * 10 + u32::from(byte - b'0'), count + 1));
                if zeros + count == 0 {
                    return None;
                }
                (value, zeros + count, 1)
            }
        };
        push_char(out, value);
        let semicolon = usize::from(after.get(prefix + count) == Some(&b';'));
        return Some(prefix + count + semicolon);
    }
    let length = after.iter().take(9).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = after.get(..length)?;
    let closed = after.get(length) == Some(&b';');
    let found = ENTITIES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known))?;
    // Without its semicolon only `&lt` and `&gt` are read; `&num=3` is a parameter.
    if !closed && !matches!(found.0, b"lt" | b"gt") {
        return None;
    }
    out.push(found.1);
    Some(length + usize::from(closed))
}

/// Behind a backslash: `x41`, `u0041`, `u{41}`, or three octal digits.
fn escape(after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    match after {
        [b'x' | b'X', rest @ ..] => {
            out.push(hex_pair(rest)?);
            Some(3)
        }
        [b'u' | b'U', b'{', rest @ ..] => {
            let (value, count) = hex_number(rest, 6)?;
            (rest.get(count) == Some(&b'}')).then_some(())?;
            push_char(out, value);
            Some(count + 3)
        }
        [b'u' | b'U', rest @ ..] => {
            let (value, 4) = hex_number(rest, 4)? else { return None };
            push_char(out, value);
            Some(5)
        }
        [a @ b'0'..=b'1', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            Some(3)
        }
        _ => None,
    }
}

/// One or more `0x2e`-like units in a row; a single one is left alone.
fn hex_run(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let units = rest.chunks_exact(4).take(64).take_while(|unit| {
        matches!(unit, [b'0', b'x' | b'X', digits @ ..] if matches!(digits, [b'2', b'e' | b'E' | b'f' | b'F'] | [b'5', b'c' | b'C']))
    });
    let values: Vec<u8> = units.filter_map(|unit| hex_pair(unit.get(2..)?)).collect();
    (values.len() > 1).then(|| {
        out.extend_from_slice(&values);
        values.len() * 4 - 1
    })
}

/// ASCII in more bytes than it needs, which strict decoders refuse and careless ones read (RFC 3629, section 10).
fn overlong(first: u8, after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let zeros = match first {
        0xc0 | 0xc1 => 0,
        0xe0 => 1,
        0xf0 => 2,
        0xf8 => 3,
        _ => 4,
    };
    if !after.get(..zeros)?.iter().all(|&byte| byte == 0x80 || (byte == 0x81 && zeros == 1)) {
        return None;
    }
    let high = if zeros == 0 { first & 1 } else { after.get(zeros - 1).map_or(0, |byte| byte & 1) };
    // Some decoders only mask the last byte, so `%c0%2e` and `%c0%6e` count as well.
    let last = *after.get(zeros)?;
    let value = high << 6 | (last & 0x3f);
    if last < 0x80 && zeros == 0 && !matches!(last, b'.' | b'/' | b'\\') {
        return None;
    }
    out.push(if last < 0x80 { last } else { value });
    Some(zeros + 1)
}

/// Fullwidth forms U+FF01 to U+FF5E, behind their first byte 0xEF.
fn wide(after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let [second @ (0xbc | 0xbd), third @ 0x80..=0xbf, ..] = after else { return None };
    let code = 0xf000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
    (0xff01..=0xff5e).contains(&code).then(|| {
        push_char(out, code);
        2
    })
}

/// The text without the short tags inside its words (`al<x>ert`), which some filters take out. `None` when there are none.
pub fn without_inner_tags(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(open) = memchr::memchr(b'<', rest) {
        out.extend_from_slice(rest.get(..open).unwrap_or_default());
        rest = rest.get(open..).unwrap_or_default();
        let close = rest.iter().take(10).position(|&byte| byte == b'>');
        let inner = close.is_some_and(|close| {
            let name = rest.get(1..close).unwrap_or_default();
            let between = out.last().is_some_and(u8::is_ascii_alphabetic)
                && rest.get(close + 1).is_some_and(|next| next.is_ascii_alphabetic() || *next == b'(');
            between && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'/')
        });
        let skipped = if inner { close.map_or(1, |close| close + 1) } else { 1 };
        if inner {
            found = true;
        } else {
            out.push(b'<');
        }
        rest = rest.get(skipped..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    found.then_some(out)
}

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
static BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
static BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Shortest text looked at as base64: shorter ones hold no attack.
const BASE64_BYTES_MIN: usize = 8;
/// Most bytes of a compressed value that are unpacked.
const INFLATED_BYTES_MAX: usize = 64 * 1024;

/// What a base64 text holds, when that reads as text or as a compressed text.
pub fn unbase64(text: &[u8]) -> Option<(Vec<u8>, Layers)> {
    let text = match text.get(..5) {
        Some(start) if start.eq_ignore_ascii_case(b"data:") => {
            let at = memchr::memmem::find(text.get(..text.len().min(80))?, b"base64,")?;
            text.get(at + 7..)?
        }
        _ => text,
    };
    let text = text.trim_ascii();
    if text.len() < BASE64_BYTES_MIN {
        return None;
    }
    // The first bytes tell most texts apart without decoding them: ordinary words do not decode to text.
    let mut buffer = [0u8; 12];
    let length = {
        let mut start = [0u8; 12];
        let length = text.len().min(12) / 4 * 4;
        for (to, from) in start.iter_mut().zip(text.get(..length)?) {
            // A plus that was read as a space on the way.
            *to = if *from == b' ' { b'+' } else { *from };
        }
        let start = start.get(..length)?;
        engine_of(start).decode_slice(start, &mut buffer).ok()?
    };
    let start = buffer.get(..length)?;
    let packed = matches!(start, [0x1f, 0x8b, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]);
    if !packed && !reads_as_text(start) {
        return None;
    }
    let decoded = decode_some(text)?;
    if packed {
        return Some((inflate(&decoded)?, Layers::BASE64.with(Layers::GZIP)));
    }
    reads_as_text(&decoded).then_some((decoded, Layers::BASE64))
}

fn decode_some(text: &[u8]) -> Option<Vec<u8>> {
    // A plus that was read as a space on the way.
    let repaired: Cow<'_, [u8]> = if memchr::memchr(b' ', text).is_some() {
        text.iter().map(|&byte| if byte == b' ' { b'+' } else { byte }).collect::<Vec<u8>>().into()
    } else {
        text.into()
    };
    engine_of(&repaired).decode(&repaired).ok()
}

/// The two alphabets differ in two signs, and a text that has signs of both is of neither.
fn engine_of(text: &[u8]) -> &'static GeneralPurpose {
    if memchr::memchr2(b'-', b'_', text).is_some() { &BASE64_URL } else { &BASE64 }
}

/// Text in ASCII or UTF-8 with few control characters. Cut sequences at the end are forgiven.
fn reads_as_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.valid_up_to() + 4 > bytes.len() => error.valid_up_to(),
        Err(_) => return false,
    };
    let odd = bytes.iter().take(valid).filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    odd * 20 <= bytes.len() + 12
}

/// Unpacks gzip or zlib, up to a bound.
pub fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let limit = INFLATED_BYTES_MAX as u64;
    // A stream that breaks off still gives what came before the break.
    let _ = match bytes {
        [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(bytes).take(limit).read_to_end(&mut out),
        [0x78, ..] => flate2::read::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out),
        _ => return None,
    };
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str, layers: Layers) {
        let (decoded, found) = unescape(text.as_bytes()).unwrap();
        assert_eq!((String::from_utf8_lossy(&decoded).as_ref(), found.text()), (expected, layers.text()), "{text}");
    }

    #[test]
    fn every_escape_is_undone() {
        check("%3Cb%3e", "<b>", Layers::PERCENT);
        check("%u003cb", "<b", Layers::PERCENT);
        check("a+or+1", "a or 1", Layers::PLUS);
        check("&lt;b&#62;&#x0000003c&#000040;&lpar;", "<b><((", Layers::ENTITY);
        check("\\u003cb\\x3e\\u{28}\\050", "<b>((", Layers::ESCAPE);
        check("\u{ff1c}script\u{ff1e}", "<script>", Layers::WIDE);
        check("0x2e0x2e0x2f", "../", Layers::HEX);
        check("a\0b", "ab", Layers::NUL);
        assert_eq!(unescape(b"\xc0\xaf\xe0\x80\xaf\xc1\x9c").unwrap().0, b"//\\");
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100% of", "a & b", "&num=3", "C:\\users", "caf\u{e9}", "0x2e", "AT&T;", "%zz", "1 + 1"] {
            assert_eq!(unescape(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn base64_is_read_only_where_it_holds_text() {
        assert_eq!(unbase64(b"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==").unwrap().0, b"<script>alert(1)</script>");
        assert_eq!(unbase64(b"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg").unwrap().0, b"<script>alert(1)</script>");
        for text in ["authorization", "550e8400-e29b-41d4-a716-446655440000", "hello world again", "aaaaaaaaaaaaaaaa"] {
            assert_eq!(unbase64(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_decoded(text in any::<Vec<u8>>()) {
            if let Some((decoded, _)) = unescape(&text) {
                prop_assert!(decoded.len() <= text.len());
            }
            let _ = unbase64(&text);
            prop_assert!(unescape_form(&text).len() <= text.len());
        }
    }
}
