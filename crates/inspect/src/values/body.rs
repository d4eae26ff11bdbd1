//! Values of a body, by its media type and, where that is missing or wrong, by what it looks like.

use schema::json;

use super::head::walk_pairs;
use super::multipart::walk_multipart;
use super::protobuf::walk_protobuf;
use super::xml::walk_xml;
use super::{Proven, Role, Spot, Value};
use crate::view::BodyView;

/// Hands out every value of a held body. `proven` names the values on the tape that need no look.
pub fn walk_body(body: &BodyView<'_>, proven: Proven<'_>, each: &mut dyn FnMut(&Value<'_>)) {
    let media = body.media_type;
    if body.is_json() || (looks_like_json(body.bytes) && !media.starts_with("multipart/")) {
        match body.json() {
            Ok(tape) => return walk_tape(tape, proven, each),
            // Broken JSON is still read by lenient servers.
            Err(_) if body.is_json() => return each(&whole(body)),
            Err(_) => {}
        }
    }
    if media == "multipart/form-data" || media.starts_with("multipart/") {
        if !walk_multipart(body.content_type, body.bytes, each) {
            each(&whole(body));
        }
    } else if media.ends_with("/xml") || media.ends_with("+xml") || looks_like_xml(body.bytes) {
        // The declarations in front are judged as one text, the content value by value.
        each(&whole(body));
        walk_xml(body.bytes, each);
    } else if media.starts_with("application/grpc") {
        walk_grpc(body.bytes, each);
    } else if media.ends_with("protobuf") {
        walk_protobuf(body.bytes, each);
    } else if is_opaque(media) {
    } else if media == "application/x-www-form-urlencoded" {
        walk_pairs(body.bytes, Spot::Form, each);
    } else if looks_like_form(body.bytes) {
        // It may be a form that lost its type, or a text in which a plus is a plus.
        walk_pairs(body.bytes, Spot::Form, each);
        if memchr::memchr2(b'+', b'%', body.bytes).is_some() {
            each(&whole(body));
        }
    } else {
        each(&whole(body));
    }
}

/// Hands out every key and string of a tape.
pub fn walk_tape(tape: &json::Tape<'_>, proven: Proven<'_>, each: &mut dyn FnMut(&Value<'_>)) {
    for string in tape.strings() {
        if proven(string.index) {
            continue;
        }
        let role = if string.role == json::Role::Key { Role::Name } else { Role::Value };
        each(&Value { spot: Spot::Json(tape, string.index), role, bytes: string.text.as_bytes() });
    }
}

fn whole<'a>(body: &BodyView<'a>) -> Value<'a> {
    Value { spot: Spot::Body, role: Role::Value, bytes: body.bytes }
}

/// gRPC frames: a flag, a length, a message (gRPC over HTTP/2, "Length-Prefixed-Message").
fn walk_grpc(mut bytes: &[u8], each: &mut dyn FnMut(&Value<'_>)) {
    while let Some((&[flag, a, b, c, d], rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (message, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if flag == 0 {
            walk_protobuf(message, each);
        }
        bytes = after;
    }
}

fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn looks_like_xml(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    matches!(start, [b'<', b'?' | b'!' | b'a'..=b'z' | b'A'..=b'Z', ..]) && start.trim_ascii_end().ends_with(b">")
}

/// A short name, an equals sign, and no line end before it.
fn looks_like_form(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(64)).unwrap_or_default();
    memchr::memchr(b'=', start).is_some_and(|at| {
        start.get(..at).unwrap_or_default().iter().all(|&byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'{'))
    })
}

fn is_opaque(media: &str) -> bool {
    ["image/", "audio/", "video/", "font/"].iter().any(|prefix| media.starts_with(prefix))
        || matches!(media, "application/octet-stream" | "application/pdf" | "application/zip" | "application/gzip")
}
