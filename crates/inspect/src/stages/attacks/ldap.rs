//! LDAP filters (RFC 4515): conditions that leave the one they were put into.

use super::family::{Family, Weight};
use super::gate::{Marker, any};
use super::text::{Text, has, window};

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
    let leaves = [")(", "*)(", "))(", ")(|", ")(&", ")(!", ")%00"].iter().any(|needle| has(low, needle));
    if leaves
        && conditions >= 1
        && (unbalanced
            || low.starts_with(b"*")
            || low.starts_with(b")")
            || has(low, "*)(")
            || has(low, ")(|")
            || has(low, ")(&"))
    {
        weight.add(10, "leaves a filter");
    }
    if has(low, ":=") && text.hits(Family::Ldap).any(|hit| hit.marker.text.starts_with(':')) {
        weight.add(10, "matching rule");
    }
    if has(low, "*))%00") || has(low, "*))(|(") || low.starts_with(b"*)(&") || low.starts_with(b"*(|(") {
        weight.add(8, "leaves a filter");
    }
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
