//! Values of the head: path, query, fields, cookies.

use model::head::{Field, Known};

use super::decode::unescape_form;
use super::{Role, Spot, Value};
use crate::view::RequestView;

/// Hands out every value of the request target: the path, its long segments, the names and values of the query.
pub fn walk_target(request: &RequestView<'_>, each: &mut dyn FnMut(&Value<'_>)) {
    let target: &[u8] = &request.head.target;
    let raw_path = target.get(..memchr::memchr(b'?', target).unwrap_or(target.len())).unwrap_or_default();
    let path = raw_path.get(..memchr::memchr(b'#', raw_path).unwrap_or(raw_path.len())).unwrap_or_default();
    // The path as it came: climbing segments are gone from the canonical one.
    each(&Value { spot: Spot::Path, role: Role::Value, bytes: path });
    for (at, segment) in (0u32..).zip(path.split(|&byte| byte == b'/').skip(1)) {
        // Short segments were judged as part of the path; a long one may be an encoded text of its own.
        if segment.len() >= 16 && segment.len() + 1 < path.len() {
            each(&Value { spot: Spot::Segment(at), role: Role::Value, bytes: segment });
        }
    }
    if let Some(query) = request.query {
        walk_pairs(query, Spot::Query, each);
    }
}

/// True for fields whose values are no free texts: framing and connection fields, which the parser and the stage
/// `hygiene` judge.
pub const fn is_settled(known: Known) -> bool {
    matches!(
        known,
        Known::ContentLength
            | Known::TransferEncoding
            | Known::Connection
            | Known::Date
            | Known::AcceptEncoding
            | Known::SecFetchDest
            | Known::SecFetchMode
            | Known::SecFetchSite
            | Known::Traceparent
    )
}

/// Hands out the values of one field line.
pub fn walk_field(field: &Field<'_>, each: &mut dyn FnMut(&Value<'_>)) {
    match field.known {
        known if is_settled(known) => {}
        Known::Cookie => walk_cookies(field.value, each),
        known => each(&Value { spot: Spot::Header(field.name, known), role: Role::Value, bytes: field.value }),
    }
}

/// Hands out names and values of `a=b&c=d`, without their percent-escapes.
pub fn walk_pairs<'q>(query: &'q [u8], spot: fn(&'q [u8]) -> Spot<'q>, each: &mut dyn FnMut(&Value<'_>)) {
    // An ampersand that does not separate (`&&`, `&lt;`) tears a value apart: then the whole is judged as well.
    let torn = memchr::memchr_iter(b'&', query).take(1024).any(|at| {
        let rest = query.get(at + 1..).unwrap_or_default();
        let entity = |name: &[u8]| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        matches!(rest.first(), Some(b'&' | b'#' | b' ' | b'+' | b'%'))
            || [&b"lt;"[..], b"gt;", b"quot;", b"amp;", b"apos;", b"tab;", b"newline;", b"lpar;", b"colon;"]
                .into_iter()
                .any(entity)
    });
    if torn {
        each(&Value { spot: spot(b""), role: Role::Value, bytes: &unescape_form(query) });
    }
    for pair in query.split(|&byte| byte == b'&') {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
            None => (pair, &b""[..]),
        };
        // A lone text without a name is a value to the applications that read it.
        let role = if value.is_empty() { Role::Value } else { Role::Name };
        each(&Value { spot: spot(name), role, bytes: &unescape_form(name) });
        if !value.is_empty() {
            each(&Value { spot: spot(name), role: Role::Value, bytes: &unescape_form(value) });
        }
    }
}

fn walk_cookies(line: &[u8], each: &mut dyn FnMut(&Value<'_>)) {
    for pair in line.split(|&byte| byte == b';') {
        let pair = pair.trim_ascii();
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
            None => (&b""[..], pair),
        };
        each(&Value { spot: Spot::Cookie(name), role: Role::Name, bytes: name });
        each(&Value { spot: Spot::Cookie(name), role: Role::Value, bytes: value });
    }
}
