//! XPath: axes, node tests and functions that only a query has, and conditions that leave a predicate.

use super::family::{Family, Weight};
use super::gate::{Marker, any, call};
use super::text::{Text, has};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "//*"),
    any(0, "/*["),
    any(7, "child::"),
    any(7, "parent::"),
    any(7, "ancestor::"),
    any(7, "descendant::"),
    any(7, "following-sibling::"),
    any(7, "preceding-sibling::"),
    any(7, "attribute::"),
    any(7, "self::node"),
    any(7, "::node()"),
    any(6, "/node()"),
    any(6, "text()="),
    any(6, "/text()"),
    any(7, "name()="),
    any(5, "[position()"),
    any(5, "position()="),
    any(4, "last()"),
    any(5, "doc-available("),
    any(7, "']|//"),
    any(7, "\"]|//"),
    any(7, "]|//"),
    any(6, "'] | //"),
    any(7, "//user["),
    any(6, "//user/"),
    any(5, "/user["),
    any(7, "or ''='"),
    any(5, "count(/"),
    any(6, "count(//"),
    any(6, "string-length("),
    any(5, "substring(//"),
    any(6, "substring(name("),
    any(7, "name(/"),
    any(7, "namespace-uri("),
    any(5, "normalize-space("),
    any(5, "codepoints-to-string("),
    any(5, "unparsed-text"),
    any(5, "starts-with(name"),
    any(4, "@*"),
    any(6, "//*["),
    any(7, "doc(concat("),
    call(3, "contains"),
    call(3, "starts-with"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let mut sum = 0;
    for hit in text.hits(Family::Xpath) {
        let points = u32::from(hit.marker.points).min(9u32.saturating_sub(sum));
        sum += points;
        weight.add(if text.prose { points / 2 } else { points }, hit.marker.text);
    }
    let low = text.low;
    let leaves = low.iter().take(64).any(|byte| matches!(byte, b'\'' | b'"'))
        && (has(low, " or ") || has(low, "|") || has(low, " and "));
    if sum >= 5 && leaves {
        weight.add(5, "leaves a predicate");
    }
    if sum >= 5
        && low.len() <= 80
        && !text.prose
        && (low.starts_with(b"/")
            || low.starts_with(b"count(")
            || low.starts_with(b"string-length(")
            || low.starts_with(b"name("))
    {
        weight.add(4, "nothing but a path");
    }
}
