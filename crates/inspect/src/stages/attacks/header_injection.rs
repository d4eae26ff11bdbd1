//! A value that ends a line of a head, a log or a protocol and starts another: response splitting, header and request
//! injection, forged log entries.
//!
//! Everything is looked at from what stands behind the line end, whatever the line end was spelt with: the bytes
//! themselves, escapes that were taken off, the letters `\r\n`, or a character that a conversion to one byte cuts down to
//! a line end (U+560A and U+560D, U+010A and U+010D). A line end that was hidden in an escape is evidence by itself; one
//! that a text just has is not.

use super::family::{Family, Weight};
use super::gate::{Classes, Marker, any};
use super::text::{Text, has, trim, window};
use crate::values::Role;

pub(super) const MARKERS: &[Marker] = &[
    any(0, " http/1"),
    any(0, " http/2"),
    any(0, " http/3"),
    any(0, "http/1."),
    any(0, "\\r\\n"),
    any(0, "\\nset-cookie"),
    any(0, "\\nlocation:"),
    any(0, "\\nhost:"),
    any(0, "\\nx-"),
    any(0, "\\ncontent-"),
    any(0, "\\nhttp/"),
    any(0, "\\rset-cookie"),
    any(0, "\u{2028}"),
    any(0, "\u{2029}"),
    any(0, "\u{85}"),
];

/// Fields that change what a response or a request is.
const FIELDS: &[&str] = &[
    "set-cookie",
    "location",
    "content-type",
    "content-length",
    "content-encoding",
    "content-disposition",
    "content-location",
    "content-security-policy",
    "transfer-encoding",
    "host",
    "refresh",
    "link",
    "last-modified",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "connection",
    "cookie",
    "referer",
    "user-agent",
    "cache-control",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "strict-transport-security",
    "status",
    "x-xss-protection",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-accel-redirect",
    "x-sendfile",
    "if-modified-since",
    "if-none-match",
    "accept-encoding",
    "te",
    "upgrade",
];

/// Words that letters and forms begin their lines with as well.
const ORDINARY: &[&[u8]] =
    &[b"location", b"host", b"link", b"status", b"connection", b"refresh", b"authorization", b"te", b"upgrade"];

/// Most line ends of a text that are looked behind.
const LINES_MAX: usize = 512;
/// Most colons of a text that are looked before, for characters cut down to line ends.
const COLONS_MAX: usize = 128;

/// What is known of the text that bears on every line of it.
struct Around {
    /// It stands in the head, or its line ends were hidden.
    placed: bool,
    /// It has lines like these by right.
    document: bool,
    /// It begins with a line end, as no text does that somebody wrote.
    leads: bool,
}

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let lines =
        if text.classes.any(Classes::LINE) { low.iter().take(4096).filter(|&&byte| byte == b'\n').count() } else { 0 };
    // Somebody's mail with a text to send: its line ends are escaped by right (RFC 6068, section 5).
    let addressed = low.starts_with(b"mailto:") || low.starts_with(b"sms:");
    let around = Around {
        placed: (text.spot.in_head() || text.hidden_lines) && !addressed,
        document: text.prose || text.role == Role::File || lines > 12 || is_example(text),
        leads: matches!(low.first(), Some(b'\r' | b'\n')),
    };
    if text.classes.any(Classes::LINE) {
        for at in std::iter::once(0).chain(memchr::memchr2_iter(b'\n', b'\r', low).take(LINES_MAX).map(|at| at + 1)) {
            let line = window(low.get(at..).unwrap_or_default(), 80);
            // The second of two line ends is the one looked behind.
            if !matches!(line.first(), Some(b'\n' | b'\r')) {
                weight.add(behind_line_end(text, trim(line), at, &around), "field behind a line end");
            }
        }
        bodies(text, &around, weight);
    } else if line_is_whole(text) {
        weight.add(behind_line_end(text, trim(window(low, 80)), 0, &around), "field behind a line end");
    }
    spelt_out(text, weight);
    if text.classes.any(Classes::WIDE) {
        cut_down(text, weight);
    }
    if text.spot.in_head() && low.windows(4).take(8192).any(|four| four == b"\r\n\r\n") {
        weight.add(5, "end of a head");
    }
}

/// A listing with a head in it, as documentation has: its first line is words or markup. In front of what is injected stands
/// a value, or nothing.
fn is_example(text: &Text<'_>) -> bool {
    let first = text.low.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    text.listing && !text.hidden_lines && !text.spot.in_head() && first.iter().any(|byte| matches!(byte, b' ' | b'`'))
}

/// A value of one line that holds a version of HTTP may be a request or a status line as a whole.
fn line_is_whole(text: &Text<'_>) -> bool {
    text.hits(Family::Header).any(|hit| hit.marker.text.contains("http/"))
}

/// How much a line weighs that begins at `at`.
fn behind_line_end(text: &Text<'_>, line: &[u8], at: usize, around: &Around) -> u32 {
    let first = at == 0;
    let (name, behind) = field_name(line);
    let field = behind.first() == Some(&b':');
    let placed = around.placed;
    let known = field && is_known(name);
    let ordinary = ORDINARY.contains(&name) && !has(line, "://");
    if line.starts_with(b"http/1.") || line.starts_with(b"http/2") {
        return if around.document { 4 } else { 10 };
    }
    if matches!(name, b"get" | b"post" | b"put" | b"head" | b"delete" | b"options" | b"patch" | b"connect" | b"trace") {
        let points = match (has(line, " http/"), matches!(name, b"get" | b"post") && behind.starts_with(b" /")) {
            (true, _) => 10,
            (false, true) => 7,
            _ => 0,
        };
        return if around.document { points / 5 } else { points };
    }
    if known {
        return match (placed, around.document) {
            (true, false) => 10,
            (true, true) if text.spot.in_head() || !ordinary => 10,
            (_, true) => 2,
            (false, false) if ordinary => 3,
            // As a browser sends a form, a line end has two bytes; in front of everything else it is no text's.
            (false, false) => 9 + u32::from(around.leads),
        };
    }
    if first && !text.spot.in_head() {
        return 0;
    }
    if is_protocol_command(line) {
        return if around.document { 2 } else { 10 };
    }
    let hyphenated = name.contains(&b'-') && name.first().is_some_and(u8::is_ascii_alphabetic);
    let address = behind.get(1) == Some(&b'/');
    match (placed, around.document) {
        (true, false) if field && hyphenated && !address => 10,
        // A head ends its lines with two bytes.
        (true, false) if field && text.hidden_lines && !address && ends_two(text.low, at) => 10,
        (true, false) if field && name.len() >= 3 && !address => 5 + 2 * u32::from(text.hidden_lines),
        (true, false) if text.hidden_lines && line.first() == Some(&b'<') => 6,
        (true, false) if text.hidden_lines && is_log_entry(line) => 10,
        (false, false) if field && hyphenated && around.leads && !address => 10,
        _ => 0,
    }
}

/// True when the line end before `at` is a carriage return and a line feed.
fn ends_two(low: &[u8], at: usize) -> bool {
    at.checked_sub(2).and_then(|from| low.get(from..at)) == Some(b"\r\n")
}

/// The name of a field at the front of a line, what is left of a broken escape before it taken off, and what follows.
fn field_name(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().take(48).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let (name, behind) = line.split_at_checked(end.count()).unwrap_or((line, &[]));
    // `%%0d0aset-cookie` leaves `0aset-cookie`.
    let name = match name {
        [b'0', b'a' | b'd', rest @ ..] => rest,
        _ => name,
    };
    (name, behind)
}

fn is_known(name: &[u8]) -> bool {
    FIELDS.iter().any(|known| known.as_bytes() == name)
        || name.starts_with(b"x-") && name.len() > 3
        || name.starts_with(b"access-control-")
        || name.starts_with(b"sec-")
}

/// Commands of line protocols that a server inside answers: Redis, Memcached.
fn is_protocol_command(line: &[u8]) -> bool {
    [
        "flushall",
        "config set ",
        "config get ",
        "slaveof ",
        "replicaof ",
        "script flush",
        "eval \"",
        "eval '",
        "stats items",
    ]
    .iter()
    .any(|command| line.starts_with(command.as_bytes()))
        || matches!(line, [b'*', b'1'..=b'9', b'\r' | b'\n', ..])
}

/// What entries of logs begin with: a date, a time, a level, an address of a client.
fn is_log_entry(line: &[u8]) -> bool {
    let level = |word: &[u8]| {
        matches!(
            word,
            b"info" | b"warn" | b"warning" | b"error" | b"debug" | b"notice" | b"critical" | b"fatal" | b"alert"
        )
    };
    let word_end = |bytes: &[u8]| bytes.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let inner = line.strip_prefix(b"[").unwrap_or(line);
    let word = inner.get(..word_end(inner)).unwrap_or_default();
    if level(word) && matches!(inner.get(word.len()), Some(b']' | b':' | b' ' | b'|')) {
        return true;
    }
    // `2024-01-31`, `31/Jan/2024`, `127.0.0.1 - - [`.
    let digits = inner.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let behind = inner.get(digits..).unwrap_or_default();
    let dated = matches!(behind, [b'-' | b'/', a, b, c, ..] if (digits == 4 || digits == 2) && a.is_ascii_alphanumeric()
        && b.is_ascii_alphanumeric() && (matches!(c, b'-' | b'/') || c.is_ascii_alphabetic()));
    dated || has(window(line, 24), " - - [")
}

/// Two line ends end a head: what follows is a body, and markup there is a page of the attacker's.
fn bodies(text: &Text<'_>, around: &Around, weight: &mut Weight) {
    if !around.placed || around.document {
        return;
    }
    for end in ["\r\n\r\n", "\n\n"] {
        for at in text.find_all(end).take(16) {
            let body = trim(window(text.from(at + end.len()), 16));
            weight.add(if body.first() == Some(&b'<') { 10 } else { 0 }, "a body behind a head");
        }
    }
}

/// The letters `\r\n` or `\n`, for interpreters that read escapes in strings: behind them nothing but a field counts.
fn spelt_out(text: &Text<'_>, weight: &mut Weight) {
    if !text.classes.any(Classes::BACKSLASH) || text.prose || text.listing {
        return;
    }
    for at in memchr::memchr_iter(b'\\', text.low).take(LINES_MAX) {
        let rest = text.from(at + 1);
        let Some(line) = rest.strip_prefix(b"n").or_else(|| rest.strip_prefix(b"r")) else { continue };
        let (name, behind) = field_name(trim(window(line, 80)));
        let field = behind.first() == Some(&b':') && is_known(name) && name.contains(&b'-');
        let pointed = behind.first() == Some(&b':') && matches!(name, b"location" | b"refresh") && has(behind, "://");
        let status = line.starts_with(b"http/1.") || has(window(line, 64), " http/1.");
        // Both letters in front of everything: nothing but a line end was meant.
        let leads = at == 2 && text.low.starts_with(b"\\r\\n");
        let any = leads && behind.first() == Some(&b':') && (is_known(name) || name.contains(&b'-'));
        weight.add(if field || pointed || status || any { 10 } else { 0 }, "field behind an escaped line end");
    }
}

/// Characters whose last byte is a line end, and separators of lines, right in front of a field.
fn cut_down(text: &Text<'_>, weight: &mut Weight) {
    for colon in memchr::memchr_iter(b':', text.low).take(COLONS_MAX) {
        let head = text.low.get(colon.saturating_sub(64)..colon).unwrap_or_default();
        let length =
            head.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
        let (before, name) = head.split_at_checked(head.len() - length).unwrap_or_default();
        let before = before.trim_ascii_end();
        if length < 3 || !ends_in_cut_line(before) {
            continue;
        }
        let points = if is_known(name) || name.contains(&b'-') { 10 } else { 6 };
        weight.add(points, "field behind a character cut down to a line end");
    }
    for at in text.find_all("http/1.").chain(text.find_all("<")).take(64) {
        let before = text.low.get(at.saturating_sub(8)..at).unwrap_or_default();
        // Two of them in a row: the end of a line or of a head.
        let cut = cut_character(before).and_then(|length| before.get(..before.len() - length));
        let twice = cut.is_some_and(ends_in_cut_line);
        weight.add(if twice && !text.prose { 8 } else { 0 }, "a head of characters cut down to line ends");
    }
}

fn ends_in_cut_line(before: &[u8]) -> bool {
    cut_character(before).is_some()
}

/// The length of the character at the end, when its last byte as a number is a line end.
fn cut_character(before: &[u8]) -> Option<usize> {
    let tail = before.get(before.len().saturating_sub(3)..)?;
    let (code, length) = match *tail {
        [a @ 0xe0..=0xef, b @ 0x80..=0xbf, c @ 0x80..=0xbf] => {
            (u32::from(a & 0x0f) << 12 | u32::from(b & 0x3f) << 6 | u32::from(c & 0x3f), 3)
        }
        [.., a @ 0xc2..=0xdf, b @ 0x80..=0xbf] => (u32::from(a & 0x1f) << 6 | u32::from(b & 0x3f), 2),
        _ => return None,
    };
    (matches!(code & 0xff, 0x0a | 0x0d) || matches!(code, 0x85 | 0x2028 | 0x2029)).then_some(length)
}
