//! LDAP filters (RFC 4515): conditions that leave the one they were put into.

use super::family::{Family, Weight};
use super::gate::{Marker, any};
use super::text::{Text, has, window};
use crate::values::Spot;

pub(super) const MARKERS: &[Marker] = &[
    any(0, ")("),
    any(0, "(&("),
    any(0, "(|("),
    any(0, "(!("),
    any(0, "*("),
    any(0, "(&"),
    any(0, "(|"),
    any(0, "|("),
    any(0, "&("),
    any(8, "objectclass=*"),
    any(5, "objectclass="),
    any(5, "userpassword"),
    any(4, "(uid="),
    any(4, "(cn="),
    any(4, "(mail="),
    any(4, "(sn="),
    any(3, "(objectcategory"),
    any(7, ":2.5.13."),
    any(8, ":1.2.840."),
    any(5, "(samaccountname"),
    any(4, "memberof="),
    any(4, "(password="),
    any(4, "(user="),
    any(4, "*)(uid"),
    any(4, "admin*)"),
    any(0, "))"),
    any(0, "*)"),
    any(0, ")&"),
    any(0, ")|"),
    any(0, ")%00"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let mut conditions = 0usize;
    for at in memchr::memchr_iter(b'(', low).take(512) {
        if is_condition(window(low.get(at + 1..).unwrap_or_default(), 64)) {
            conditions += 1;
        }
    }
    let mut sum = 0;
    for hit in text.hits(Family::Ldap) {
        let points = u32::from(hit.marker.points).min(8u32.saturating_sub(sum));
        sum += points;
        weight.add(points, hit.marker.text);
    }
    let nested = has(low, "(&(") || has(low, "(|(") || has(low, "(!(") || has(low, "(|(&") || has(low, "(&(|");
    let unbalanced =
        low.iter().filter(|&&byte| byte == b'(').count() != low.iter().filter(|&&byte| byte == b')').count();
    if nested && conditions >= 1 {
        weight.add(8, "filter");
        weight.add(if conditions >= 2 || unbalanced { 3 } else { 0 }, "several conditions");
    }
    // Behind words only what no text has by chance: a wildcard that ends a condition, an operator that joins one.
    if conditions >= 1
        && (has(low, "*)(") || has(low, ")(|(") || has(low, ")(&(") || has(low, "))(|") || has(low, "))(&"))
    {
        weight.add(10, "leaves a filter");
    }
    leaves(text, weight);
    whole(text, weight);
    if has(low, ":=") && text.hits(Family::Ldap).any(|hit| hit.marker.text.starts_with(':')) {
        weight.add(10, "matching rule");
    }
    if has(low, "*))%00") || has(low, "*))(|(") || low.starts_with(b"*)(&") || low.starts_with(b"*(|(") {
        weight.add(8, "leaves a filter");
    }
}

/// The first parenthesis that closes what the text did not open, and what the filter would go on with behind it: another
/// condition, an operator, or the end of a string of C.
fn leaves(text: &Text<'_>, weight: &mut Weight) {
    if text.prose || text.listing {
        return;
    }
    let low = window(text.low, 512);
    let mut depth = 0i32;
    let closing = low.iter().position(|byte| {
        depth += match byte {
            b'(' => 1,
            b')' => -1,
            _ => 0,
        };
        depth < 0
    });
    let Some(closing) = closing else { return };
    // Up to the parenthesis stands a value: a name, a wildcard. Code has other signs there.
    let value = low.get(..closing).unwrap_or_default();
    if value.iter().any(|byte| matches!(byte, b';' | b'{' | b'<' | b'>' | b'"' | b'`')) {
        return;
    }
    let rest = low.get(closing..).unwrap_or_default();
    let closed = rest.iter().take_while(|&&byte| byte == b')').count();
    let rest = rest.get(closed..).unwrap_or_default().trim_ascii_start();
    let ends = matches!(rest.first(), Some(0)) || rest.starts_with(b"%00") || rest.starts_with(b"\\00");
    let points = match rest.strip_prefix(b"(") {
        Some([b'&' | b'|' | b'!', b'(' | b')', ..] | [b'&' | b'|' | b'!']) => 10,
        Some(inner) if is_condition(inner) || is_open_condition(inner) => 10,
        _ if ends => 10,
        _ if rest.starts_with(b"&)") || rest.starts_with(b"|(") || rest.starts_with(b"&(") => 8,
        None if rest.is_empty() && value == b"*" => 6,
        _ => 0,
    };
    weight.add(points, "leaves a filter");
}

/// A filter as a whole value: `(cn=*)`, `|(uid=*)`.
fn whole(text: &Text<'_>, weight: &mut Weight) {
    let asked = matches!(text.spot, Spot::Query(_) | Spot::Form(_) | Spot::Cookie(_) | Spot::Xml(_));
    let low = text.low.trim_ascii();
    if !asked || low.len() > 128 {
        return;
    }
    let bare = match low {
        [b'&' | b'|' | b'!', rest @ ..] => rest,
        _ => low,
    };
    let operated = bare.len() < low.len();
    let Some(inner) = bare.strip_prefix(b"(") else { return };
    let wild = has(inner, "=*") || has(inner, "*)");
    let filter = is_condition(inner) && inner.ends_with(b")") && !inner.iter().any(u8::is_ascii_whitespace);
    weight.add(if filter && (operated || wild) { 8 } else { 0 }, "a filter as a whole");
}

/// `name=` at the end of the value: the filter goes on with what it is compared to.
fn is_open_condition(rest: &[u8]) -> bool {
    rest.len() >= 3
        && rest.len() <= 40
        && rest.split_last().is_some_and(|(last, name)| {
            *last == b'='
                && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'~' | b'>' | b'<'))
        })
}

/// `name=value)`, `name>=`, `name:rule:=`: an attribute and a comparison.
fn is_condition(rest: &[u8]) -> bool {
    let length = rest
        .iter()
        .take(40)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b';'))
        .count();
    if length == 0 {
        return false;
    }
    match rest.get(length..) {
        Some([b'=', next, ..]) => *next != b'=' && *next != b'>',
        Some([b'>' | b'<' | b'~', b'=', ..]) => true,
        _ => false,
    }
}
