//! NoSQL: operators where a value was expected, and JavaScript that a document store would run.

use super::family::{Family, Weight};
use super::gate::{Marker, any};
use super::text::{Text, has, is_word, trim, window};
use crate::values::{Role, Spot};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "$ne"),
    any(0, "$eq"),
    any(0, "$gt"),
    any(0, "$lt"),
    any(0, "$in"),
    any(0, "$nin"),
    any(0, "$or"),
    any(0, "$and"),
    any(0, "$nor"),
    any(0, "$not"),
    any(0, "$exists"),
    any(0, "$regex"),
    any(0, "$where"),
    any(0, "$func"),
    any(0, "$expr"),
    any(0, "$function"),
    any(0, "$accumulator"),
    any(0, "$comment"),
    any(0, "$elemmatch"),
    any(0, "$mod"),
    any(0, "$all"),
    any(0, "$size"),
    any(0, "$type"),
    any(0, "$text"),
    any(0, "$lookup"),
    any(0, "$set"),
    any(0, "$push"),
    any(0, "$jsonschema"),
    any(0, "$query"),
    any(0, "$options"),
    any(0, "$reduce"),
    any(0, "$slice"),
    any(8, "this.password"),
    any(6, "this.user"),
    any(5, "this."),
    any(8, ".injection."),
    any(7, "db.getcollection"),
    any(6, "db.collection"),
    any(6, ".insert({"),
    any(6, ".find({"),
    any(6, ".update({"),
    any(6, ".remove({"),
    any(6, ".drop()"),
    any(5, ".match(/"),
    any(5, ".tojson"),
    any(4, "tojsononeline"),
    any(7, "mapreduce"),
    any(6, "getcollectionnames"),
    any(4, "db."),
    any(3, "new date()"),
    any(6, "curdate"),
    any(6, "while(true)"),
    any(6, "while(1)"),
    any(4, "return true"),
    any(6, "isodate("),
    any(5, "objectid("),
    any(0, "|| 1==1"),
    any(0, "||1==1"),
    any(0, "&& 1==1"),
    any(0, "== 1"),
    any(0, "'=='"),
    any(0, "1==1"),
    any(0, "'a'=='a"),
    any(4, "function(){"),
    any(4, "function()"),
    any(4, "sleep("),
    any(5, "do{"),
    any(4, "\\u0024"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    if text.role == Role::Name {
        return key(text, weight);
    }
    let low = text.low;
    let mut sum = 0;
    for hit in text.hits(Family::NoSql) {
        let points = u32::from(hit.marker.points).min(9u32.saturating_sub(sum));
        sum += points;
        weight.add(if text.prose { points / 2 } else { points }, hit.marker.text);
    }
    for at in memchr::memchr_iter(b'$', low).take(256) {
        let rest = window(low.get(at + 1..).unwrap_or_default(), 64);
        let length = rest.iter().take(20).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let name = window(rest, length);
        if !is_operator(name) {
            continue;
        }
        let behind = rest.get(length..).unwrap_or_default();
        let behind = behind
            .iter()
            .position(|byte| !matches!(byte, b'"' | b'\'' | b' ' | b']' | b'\\'))
            .map_or(&[][..], |skip| behind.get(skip..).unwrap_or_default());
        if !matches!(behind.first(), Some(b':' | b'=')) {
            continue;
        }
        let value = trim(behind.get(1..).unwrap_or_default());
        let before = text.before(at);
        let opened = matches!(before, None | Some(b'{' | b'[' | b'"' | b'\'' | b',' | b' '));
        // Inside a string a query has no business; leaving it with a quote least of all.
        let points = match name {
            b"where" | b"function" | b"accumulator" | b"func" => 10,
            _ if !opened => 3,
            _ if low.starts_with(b"'") || low.starts_with(b"\"") || has(low, "', $") || has(low, "\", $") => 10,
            _ if matches!(value.first(), Some(b'[' | b'{')) && matches!(name, b"or" | b"and" | b"nor") => 8,
            b"ne" | b"gt" | b"gte" | b"lt" | b"nin" | b"regex" | b"exists" => 8,
            _ => 6,
        };
        weight.add(points, "operator");
        if trivial(value) && points >= 6 {
            weight.add(3, "always true");
        }
    }
    // `' || 1==1`, `' && this.x`: JavaScript behind a string.
    if let Some(at) = low.iter().take(64).position(|byte| matches!(byte, b'\'' | b'"')) {
        let rest = trim(low.get(at + 1..).unwrap_or_default());
        let rest = rest.strip_prefix(b";").map_or(rest, trim);
        if (rest.starts_with(b"||") || rest.starts_with(b"&&") || rest.starts_with(b"}"))
            && (has(rest, "==") || has(rest, "this.") || has(rest, "return") || has(rest, "$"))
        {
            weight.add(9, "condition behind the string");
        }
    }
    if (has(low, "||") || has(low, "&&")) && (has(low, "1==1") || has(low, "'=='") || has(low, "1 == 1")) {
        weight.add(6, "always true");
    }
    if low.len() < 400 && has(low, "date()") && (has(low, "do{") || has(low, "do {") || has(low, "while")) {
        weight.add(8, "loop that waits");
    }
    if low.strip_prefix(b"/").unwrap_or(low).starts_with(b"db.") && (has(low, "({") || has(low, "()")) {
        weight.add(5, "call on a collection");
    }
}

/// A name or key: `user[$ne]`, `$where`.
fn key(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let Some(at) = memchr::memrchr(b'$', low) else { return };
    let rest = low.get(at + 1..).unwrap_or_default();
    let name = rest.get(..rest.iter().take_while(|byte| is_word(**byte)).count()).unwrap_or_default();
    if !is_operator(name) {
        return;
    }
    let points = match (name, text.spot) {
        (b"where" | b"function" | b"accumulator" | b"func", _) => 10,
        // APIs with filters use the others as keys of JSON on purpose: not enough by itself.
        (_, Spot::Json(..)) => 4,
        (b"ne" | b"gt" | b"regex" | b"nin" | b"exists", _)
            if low.get(at.wrapping_sub(1)) == Some(&b'[') && login(low) =>
        {
            10
        }
        _ => 6,
    };
    weight.add(points, "operator as a key");
    if let Spot::Json(tape, index) = text.spot {
        let pointer = tape.pointer(index);
        let value = tape.find(&pointer);
        let trivially = value.is_some_and(|value| {
            value.is_null()
                || value.as_str().is_some_and(|text| trivial_text(text.as_bytes()))
                || value.as_i64() == Some(-1)
                || value.as_i64() == Some(0)
        });
        let parent = pointer.rsplit('/').nth(1).unwrap_or_default().to_ascii_lowercase();
        if trivially && matches!(name, b"ne" | b"gt" | b"gte" | b"regex" | b"nin") {
            weight.add(if login(parent.as_bytes()) { 8 } else { 4 }, "always true");
        } else if login(parent.as_bytes()) {
            weight.add(5, "in a credential");
        }
    }
}

fn login(name: &[u8]) -> bool {
    ["pass", "pwd", "user", "login", "token", "mail", "secret", "name", "key", "auth"]
        .iter()
        .any(|part| has(name, part))
}

fn trivial(value: &[u8]) -> bool {
    trivial_text(value.split(|byte| matches!(byte, b'}' | b',' | b']')).next().unwrap_or_default().trim_ascii())
}

fn trivial_text(value: &[u8]) -> bool {
    let bare = value
        .iter()
        .filter(|byte| !matches!(byte, b'"' | b'\'' | b'/' | b'^' | b'$'))
        .copied()
        .take(8)
        .collect::<Vec<u8>>();
    matches!(bare.as_slice(), b"" | b"1" | b"0" | b"-1" | b".*" | b"null" | b"true" | b"." | b"a" | b"undefin")
}

fn is_operator(name: &[u8]) -> bool {
    matches!(
        name,
        b"ne"
            | b"eq"
            | b"gt"
            | b"gte"
            | b"lt"
            | b"lte"
            | b"in"
            | b"nin"
            | b"or"
            | b"and"
            | b"nor"
            | b"not"
            | b"exists"
            | b"regex"
            | b"where"
            | b"func"
            | b"expr"
            | b"function"
            | b"accumulator"
            | b"comment"
            | b"elemmatch"
            | b"mod"
            | b"all"
            | b"size"
            | b"type"
            | b"lookup"
            | b"jsonschema"
            | b"query"
            | b"slice"
    )
}
