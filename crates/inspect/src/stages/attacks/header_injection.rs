//! A value that ends a line of a head and starts another: response splitting, header and request injection.

use super::family::Weight;
use super::gate::{Marker, any};
use super::text::{Text, has, trim, window};
use crate::values::Role;

pub(super) const MARKERS: &[Marker] = &[
    any(0, " http/1"),
    any(0, " http/2"),
    any(0, " http/3"),
    any(0, "\nset-cookie"),
    any(0, "\rset-cookie"),
    any(0, "\nlocation:"),
    any(0, "\rlocation:"),
    any(0, "\ncontent-"),
    any(0, "\rcontent-"),
    any(0, "\nhttp/"),
    any(0, "\rhttp/"),
    any(0, "\ntransfer-encoding"),
    any(0, "\nhost:"),
    any(0, "\rhost:"),
    any(0, "\nx-"),
    any(0, "\rx-"),
    any(0, "\nlast-modified"),
    any(0, "\rlast-modified"),
    any(0, "\nrefresh:"),
    any(0, "\nlink:"),
    any(0, "\naccess-control"),
    any(0, "\nreferer:"),
    any(0, "\nuser-agent:"),
    any(0, "\ncookie:"),
    any(0, "\nget /"),
    any(0, "\npost /"),
    any(0, "\nput /"),
    any(0, "\ncache-control"),
    any(0, "\nconnection:"),
    any(0, "\n set-cookie"),
    any(0, "\r set-cookie"),
    any(0, "\n location"),
    any(0, "\nheader"),
    any(0, "\rheader"),
    any(0, "\ncrlf"),
    any(0, "\u{560d}"),
    any(0, "\u{560a}"),
    any(0, "\ninjected"),
    any(0, "\nauthorization:"),
    any(0, "\u{2028}"),
    any(0, "\nstatus:"),
    any(0, "\r\n\r\n"),
    any(0, "\n\r\n"),
    any(0, "\nsvg"),
    any(0, "\n\n<"),
    any(0, "\ntest:"),
    any(0, "\nflushall"),
    any(0, "\nconfig set"),
    any(0, "\nslaveof"),
];

/// Fields that change what a response or a request is.
const FIELDS: &[&str] = &[
    "set-cookie",
    "location",
    "content-type",
    "content-length",
    "content-encoding",
    "content-disposition",
    "transfer-encoding",
    "host",
    "refresh",
    "link",
    "last-modified",
    "access-control-allow-origin",
    "connection",
    "cookie",
    "referer",
    "user-agent",
    "cache-control",
    "authorization",
    "status",
    "x-xss-protection",
    "x-forwarded-for",
    "x-forwarded-host",
    "content-security-policy",
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let in_head = text.spot.in_head();
    // A document in a body has lines like these by right.
    let lines = low.iter().take(4096).filter(|&&byte| byte == b'\n').count();
    let document = text.prose || text.role == Role::File || lines > 12;
    let ends = std::iter::once(0).chain(memchr::memchr2_iter(b'\n', b'\r', low).take(512).map(|at| at + 1));
    let wide_ends = text.find_all("\u{560d}").chain(text.find_all("\u{560a}")).take(64).map(|at| at + 3);
    for at in ends.chain(wide_ends) {
        let line = trim(window(low.get(at..).unwrap_or_default(), 64));
        let name = line
            .get(..line.iter().take(40).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count())
            .unwrap_or_default();
        let behind = line.get(name.len()..).unwrap_or_default();
        let field = behind.first() == Some(&b':');
        let known = FIELDS.iter().any(|known| known.as_bytes() == name) || name.starts_with(b"x-") && name.len() > 3;
        let points = if field && known {
            match (in_head, document) {
                (true, _) => 10,
                // Words that letters and forms begin their lines with as well.
                (false, false)
                    if matches!(
                        name,
                        b"location" | b"host" | b"link" | b"status" | b"connection" | b"refresh" | b"authorization"
                    ) && !has(line, "://") =>
                {
                    3
                }
                (false, false) => 9,
                (false, true) => 2,
            }
        } else if line.starts_with(b"http/1.") || line.starts_with(b"http/2") {
            if document { 4 } else { 10 }
        } else if matches!(name, b"get" | b"post" | b"put" | b"head" | b"delete" | b"options") && has(line, " http/") {
            if document { 2 } else { 10 }
        } else if (name == b"get" || name == b"post") && behind.starts_with(b" /") {
            if document { 2 } else { 7 }
        } else if field && in_head && name.len() >= 3 && !text.prose && behind.get(1).is_some_and(|byte| *byte != b'/')
        {
            5
        } else if name == b"flushall" || line.starts_with(b"config set") || line.starts_with(b"slaveof") {
            if document { 2 } else { 10 }
        } else {
            0
        };
        weight.add(points, "field behind a line end");
    }
    if in_head && (low.windows(4).take(8192).any(|four| four == b"\r\n\r\n")) {
        weight.add(5, "end of a head");
    }
}
