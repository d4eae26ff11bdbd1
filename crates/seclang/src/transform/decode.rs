//! Transformations that undo an encoding.

use std::borrow::Cow;

/// The value of a hexadecimal digit.
const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn pair(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// Four hexadecimal digits as the one byte ModSecurity makes of them: full-width ASCII becomes ASCII, of everything else
/// the low byte stays.
fn wide(digits: [u8; 4]) -> Option<u8> {
    let [a, b, c, d] = digits;
    let (high, low) = (pair(a, b)?, pair(c, d)?);
    Some(if high == 0xff && low > 0 && low < 0x5f { low.wrapping_add(0x20) } else { low })
}

/// What `urlDecode` does with `%uHHHH`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WideEscapes {
    Stay,
    Decode,
}

/// Percent-escapes and plus signs; what is no valid escape stays as it is.
pub(super) fn percent(text: &[u8], wide_escapes: WideEscapes) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [b'u' | b'U', a, b, c, d, ..]) if wide_escapes == WideEscapes::Decode => {
                match wide([*a, *b, *c, *d]) {
                    Some(decoded) => {
                        made.push(decoded);
                        rest = after.get(5..).unwrap_or_default();
                    }
                    None => made.push(byte),
                }
            }
            (b'%', [high, low, ..]) => match pair(*high, *low) {
                Some(decoded) => {
                    made.push(decoded);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => made.push(byte),
            },
            (b'+', _) => made.push(b' '),
            _ => made.push(byte),
        }
    }
    Cow::Owned(made)
}

pub(super) fn percent_encode(text: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' => made.push(b'+'),
            b'*' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => made.push(byte),
            _ => {
                made.push(b'%');
                made.extend_from_slice(&hex_encode(&[byte]));
            }
        }
    }
    made
}

pub(super) fn hex(text: &[u8]) -> Vec<u8> {
    let pairs = text.as_chunks::<2>().0.iter();
    pairs.map(|[high, low]| digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0)).collect()
}

pub(super) fn hex_encode(text: &[u8]) -> Vec<u8> {
    let letter = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    text.iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
}

/// `0x` and an even number of hexadecimal digits become the bytes they spell.
pub(super) fn sql_hex(text: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if let [b'0', b'x' | b'X', digits @ ..] = rest {
            let count = digits.iter().take_while(|&&byte| digit(byte).is_some()).count() & !1;
            if count > 0 {
                let (digits, behind) = digits.split_at_checked(count).unwrap_or((digits, &[]));
                made.extend_from_slice(&hex(digits));
                rest = behind;
                continue;
            }
        }
        made.push(byte);
        rest = after;
    }
    made
}

/// What a sign that is no Base64 does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    Ends,
    IsLeftOut,
}

/// Base64 with the alphabet of RFC 4648, section 4; padding ends it, an incomplete last group gives what it holds.
pub(super) fn base64(text: &[u8], stray: Stray) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for &byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            b'\r' | b'\n' => continue,
            _ if stray == Stray::IsLeftOut => continue,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            made.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    made
}

/// Named references that carry attacks; HTML has two thousand more that cannot spell ASCII.
const ENTITIES: &[(&[u8], u8)] = &[
    (b"quot", b'"'),
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"nbsp", 0xa0),
    (b"apos", b'\''),
    (b"tab", b'\t'),
    (b"newline", b'\n'),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"lbrack", b'['),
    (b"lsqb", b'['),
    (b"rbrack", b']'),
    (b"rsqb", b']'),
    (b"lcub", b'{'),
    (b"rcub", b'}'),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"equals", b'='),
    (b"comma", b','),
    (b"period", b'.'),
    (b"excl", b'!'),
    (b"num", b'#'),
    (b"dollar", b'$'),
    (b"percnt", b'%'),
    (b"ast", b'*'),
    (b"plus", b'+'),
    (b"quest", b'?'),
    (b"commat", b'@'),
    (b"hat", b'^'),
    (b"lowbar", b'_'),
    (b"grave", b'`'),
    (b"vert", b'|'),
    (b"verbar", b'|'),
];

/// Character references of HTML; the semicolon may be missing. Code points beyond 255 give their low byte.
pub(super) fn html_entities(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'&', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let decoded = if byte == b'&' { reference(after) } else { None };
        match decoded {
            Some((decoded, length)) => {
                made.push(decoded);
                rest = after.get(length..).unwrap_or_default();
                rest = rest.strip_prefix(b";").unwrap_or(rest);
            }
            None => made.push(byte),
        }
    }
    Cow::Owned(made)
}

/// The reference behind an ampersand: what it stands for and its length without the semicolon.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    if let Some(number) = text.strip_prefix(b"#") {
        let (digits, radix, before) = match number {
            [b'x' | b'X', digits @ ..] => (digits, 16, 2),
            _ => (number, 10, 1),
        };
        // A hostile run of digits costs no more than its length; the low byte is all that counts.
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let count = digits.iter().take_while(is_digit).count();
        let value = digits.iter().take(count).filter_map(|&byte| char::from(byte).to_digit(radix));
        let value = value.fold(0u32, |value, digit| value.wrapping_mul(radix).wrapping_add(digit));
        return (count > 0).then_some((value as u8, before + count));
    }
    let length = text.iter().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = text.get(..length)?;
    ENTITIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, byte)| (*byte, length))
}

/// What stands behind a backslash, to what it stands for and its length.
type Escape = fn(&[u8]) -> Option<(Option<u8>, usize)>;

/// Undoes backslash escapes. `escape` gets what stands behind a backslash and says what it stands for (nothing, for a
/// continued line) and how many bytes it took.
pub(super) fn escapes(text: &[u8], escape: Escape) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            made.push(byte);
            continue;
        }
        match escape(after) {
            Some((decoded, length)) => {
                made.extend(decoded);
                rest = after.get(length..).unwrap_or_default();
            }
            None => made.push(byte),
        }
    }
    Cow::Owned(made)
}

/// Up to three octal digits that fit a byte.
fn octal(text: &[u8]) -> Option<(u8, usize)> {
    let digits: Vec<u32> = text.iter().take(3).map_while(|&byte| char::from(byte).to_digit(8)).collect();
    let count = if digits.len() == 3 && digits.first().is_some_and(|&first| first > 3) { 2 } else { digits.len() };
    let value = digits.iter().take(count).fold(0, |value, digit| value * 8 + digit);
    (count > 0).then_some((value as u8, count))
}

const fn letter(byte: u8) -> Option<u8> {
    match byte {
        b'a' => Some(7),
        b'b' => Some(8),
        b'f' => Some(12),
        b'n' => Some(10),
        b'r' => Some(13),
        b't' => Some(9),
        b'v' => Some(11),
        _ => None,
    }
}

/// Escapes of ANSI C; a backslash before anything else stays.
pub(super) fn c_escape(text: &[u8]) -> Option<(Option<u8>, usize)> {
    match text {
        [b'x' | b'X', high, low, ..] if pair(*high, *low).is_some() => Some((pair(*high, *low), 3)),
        [b'0'..=b'7', ..] => octal(text).map(|(byte, length)| (Some(byte), length)),
        [sign @ (b'\\' | b'?' | b'\'' | b'"'), ..] => Some((Some(*sign), 1)),
        [byte, ..] => letter(*byte).map(|byte| (Some(byte), 1)),
        [] => None,
    }
}

/// Escapes of JavaScript; a backslash before anything else goes.
pub(super) fn js_escape(text: &[u8]) -> Option<(Option<u8>, usize)> {
    match text {
        [b'u', a, b, c, d, ..] if wide([*a, *b, *c, *d]).is_some() => Some((wide([*a, *b, *c, *d]), 5)),
        // ECMAScript 2015: code points in braces.
        [b'u', b'{', digits @ ..] if braced(digits).is_some() => {
            braced(digits).map(|(byte, length)| (Some(byte), length + 3))
        }
        [b'x', high, low, ..] if pair(*high, *low).is_some() => Some((pair(*high, *low), 3)),
        [b'0'..=b'7', ..] => octal(text).map(|(byte, length)| (Some(byte), length)),
        [byte, ..] => Some((Some(letter(*byte).unwrap_or(*byte)), 1)),
        [] => None,
    }
}

/// Up to eight hexadecimal digits before a closing brace: the low byte, and how many digits.
fn braced(text: &[u8]) -> Option<(u8, usize)> {
    let count = text.iter().take(8).take_while(|&&byte| digit(byte).is_some()).count();
    let closed = count > 0 && text.get(count) == Some(&b'}');
    let value = text.iter().take(count).filter_map(|&byte| digit(byte));
    closed.then_some((value.fold(0u32, |value, digit| value << 4 | u32::from(digit)) as u8, count))
}

/// Escapes of CSS 2: one to six hexadecimal digits and one white space behind them; a continued line gives nothing.
pub(super) fn css_escape(text: &[u8]) -> Option<(Option<u8>, usize)> {
    let count = text.iter().take(6).take_while(|&&byte| digit(byte).is_some()).count();
    let Some(digits) = text.get(..count).filter(|digits| !digits.is_empty()) else {
        return match text {
            [b'\n', ..] => Some((None, 1)),
            [byte, ..] => Some((Some(*byte), 1)),
            [] => Some((None, 0)),
        };
    };
    let value = digits.iter().filter_map(|&byte| digit(byte)).fold(0u32, |value, digit| value << 4 | u32::from(digit));
    let low = value as u8;
    let full_width = value & 0xffff >= 0xff01 && value & 0xffff <= 0xff5e && value >> 16 == 0;
    let byte = if full_width { low.wrapping_add(0x20) } else { low };
    let blank = text.get(count).is_some_and(u8::is_ascii_whitespace);
    Some((Some(byte), count + usize::from(blank)))
}

/// Characters beyond ASCII as `%uHHHH`; bytes that are no UTF-8 stay. Beyond the basic plane the low four digits stand.
pub(super) fn utf8_to_escapes(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut made = Vec::with_capacity(text.len() * 2);
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_ascii() {
                made.push(letter as u8);
            } else {
                let code = letter as u32;
                made.extend_from_slice(b"%u");
                made.extend_from_slice(&hex_encode(&[(code >> 8) as u8, code as u8]));
            }
        }
        made.extend_from_slice(chunk.invalid());
    }
    Cow::Owned(made)
}
