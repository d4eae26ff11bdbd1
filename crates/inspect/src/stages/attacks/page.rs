//! What works on a page without a script tag: code that reaches the page's objects, markup that is left open or sends its
//! fields elsewhere, styles that ask another host, directives of a content security policy that are added to one.

use super::family::Family;
use super::text::{Text, has, is_word, trim, window};

/// Calls that load or send, with what they do that to as their first argument.
const LOADS: &[&str] = &[
    "import(",
    "importscripts(",
    "fetch(",
    "beacon(",
    "websocket(",
    "eventsource(",
    "getscript(",
    "worker(",
    "window.open(",
    "location.assign(",
    "location.replace(",
    "worker.register(",
];

/// What only a page has, and what somebody would take from it.
const PROPERTIES: &[&str] = &[
    "document.cookie",
    "document.domain",
    "document.location",
    "document.body",
    "document.forms",
    "document.createelement",
    "localstorage.",
    "localstorage[",
    "sessionstorage.",
    "sessionstorage[",
    "window.location",
    "window.name",
    "navigator.clipboard",
    "navigator.mediadevices",
    "navigator.sendbeacon",
    "parent.postmessage",
    "opener.postmessage",
    "top.location",
    "parent.location",
    "self.location",
];

/// Most occurrences of one fragment that are looked at.
const FINDS_MAX: usize = 32;

/// Points and names of what was found. Only places that the gate marked are looked at.
pub(super) fn weigh(text: &Text<'_>, add: &mut dyn FnMut(u32, &'static str)) {
    if text.prose || text.listing {
        return;
    }
    let (mut styled, mut directed, mut sent) = (false, false, false);
    for hit in text.hits(Family::Script).filter(|hit| hit.marker.points == 0) {
        let (at, mark) = (hit.at as usize, hit.marker.text);
        match mark {
            "url(" | "@import" => styled = true,
            "script-src" | "default-src" | "object-src" | "base-uri" => directed = true,
            "action=" | " ping=" => sent = true,
            "document." | "window." | "navigator." | "localstorage." | "localstorage[" | "sessionstorage"
            | "parent." | "opener." | "top.location" | "self.location" => {
                add(property(text, at), "a property of the page in an expression")
            }
            _ if LOADS.contains(&mark) => add(load(text, at, mark), "code that loads from elsewhere"),
            _ if mark.ends_with([')', ',', ';', '}']) => add(passed(text, at, mark), "a sink as a value"),
            _ => {}
        }
    }
    if text.low.contains(&b'<') {
        add(left_open(text.low), "markup that is left open");
        add(if sent { sends_elsewhere(text) } else { 0 }, "a form that sends elsewhere");
    }
    add(if styled { style(text) } else { 0 }, "a style that asks another host");
    add(if directed { directive(text) } else { 0 }, "a directive added to a policy");
}

/// `fetch('//host')`, `import("https://host/x.js")`, `new Worker('data:...')`.
fn load(text: &Text<'_>, at: usize, call: &str) -> u32 {
    if text.before(at).is_some_and(is_word)
        && !matches!(call, "worker(" | "websocket(" | "eventsource(" | "beacon(" | "worker.register(")
    {
        return 0;
    }
    let argument = trim(window(text.from(at + call.len()), 40));
    let Some((b'\'' | b'"' | b'`', address)) = argument.split_first() else { return 0 };
    let elsewhere = ["//", "http:", "https:", "ws:", "wss:", "data:", "blob:", "\\\\"];
    if elsewhere.iter().any(|scheme| address.starts_with(scheme.as_bytes())) { 10 } else { 4 }
}

/// `x='//h/'+document.cookie`, `f(document.cookie)`, `document.forms[0].action=`: in an expression, not by itself.
fn property(text: &Text<'_>, at: usize) -> u32 {
    let here = text.from(at);
    let Some(property) = PROPERTIES.iter().find(|property| here.starts_with(property.as_bytes())) else { return 0 };
    let head = text.low.get(..at).unwrap_or_default().trim_ascii_end();
    let behind = text.from(at + property.len());
    let name = behind.iter().take(40).take_while(|byte| is_word(**byte) || **byte == b'.').count();
    let rest = trim(behind.get(name..).unwrap_or_default());
    let before = matches!(head.last(), Some(b'(' | b'+' | b',' | b'=' | b':' | b'{' | b';'));
    let after = matches!(rest.first(), Some(b'=' | b'(' | b'[' | b'+'));
    let closed = matches!(rest.first(), None | Some(b')' | b',' | b';' | b'}' | b'`'));
    match (before, after) {
        (true, _) if closed || after => 10,
        (_, true) => 8,
        _ => 0,
    }
}

/// `[1].map(alert)`, `onerror=alert;`, `a=alert,a(1)`: a function that only shows that code runs, handed to another.
fn passed(text: &Text<'_>, at: usize, mark: &str) -> u32 {
    let sink = mark.get(..mark.len() - 1).unwrap_or_default();
    if text.raw.len() > 200 {
        return 0;
    }
    let before = matches!(text.before(at), Some(b'(' | b',' | b'=' | b':'));
    let called = text.low.contains(&b'(') || has(text.low, "throw");
    if !matches!(sink, "alert" | "confirm" | "prompt" | "eval") || !before || !called {
        return 0;
    }
    if text.low.contains(&b' ') { 8 } else { 10 }
}

/// A tag whose last attribute is an address in a quote that nothing closes: what follows on the page becomes part of it.
fn left_open(low: &[u8]) -> u32 {
    let Some(open) = memchr::memrchr(b'<', low) else { return 0 };
    let tag = low.get(open + 1..).unwrap_or_default();
    let Some(name) = tag.first() else { return 0 };
    if !name.is_ascii_alphabetic() || tag.len() > 512 {
        return 0;
    }
    for quote in [b'"', b'\''] {
        let other = if quote == b'"' { b'\'' } else { b'"' };
        let count = memchr::memchr_iter(quote, tag).count();
        let Some(last) = memchr::memrchr(quote, tag).filter(|_| count % 2 == 1) else { continue };
        let head = tag.get(..last).unwrap_or_default().trim_ascii_end();
        let inside = tag.get(last + 1..).unwrap_or_default();
        let Some(attribute) = head.strip_suffix(b"=") else { continue };
        let name = attribute.iter().rev().take_while(|byte| is_word(**byte) || **byte == b'-').count();
        let name = attribute.get(attribute.len() - name..).unwrap_or_default();
        let named = matches!(
            name,
            b"src" | b"href" | b"action" | b"formaction" | b"target" | b"value" | b"content" | b"data" | b"background"
        );
        if named && !inside.contains(&b'>') && !inside.contains(&other) {
            return if inside.is_empty() { 7 } else { 10 };
        }
    }
    0
}

/// A form, or a button of one, with an address of its own that is another host's.
fn sends_elsewhere(text: &Text<'_>) -> u32 {
    for attribute in ["formaction=", " action=", "/action=", " ping="] {
        for at in text.find_all(attribute).take(FINDS_MAX) {
            let value = trim(window(text.from(at + attribute.len()), 16));
            let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
            let elsewhere = ["//", "http:", "https:", "\\\\", "data:"];
            let tag = window(text.low, at);
            let inside = memchr::memrchr(b'<', tag) > memchr::memrchr(b'>', tag);
            if inside && elsewhere.iter().any(|start| value.starts_with(start.as_bytes())) {
                return 10;
            }
        }
    }
    0
}

/// `@import url(//host)`, `input[value^=a]{background:url(//host/a)}`, `}*{background:url(//host)}`.
fn style(text: &Text<'_>) -> u32 {
    let outside = |rest: &[u8]| {
        let rest = trim(rest);
        let rest = rest.strip_prefix(b"\"").or(rest.strip_prefix(b"'")).unwrap_or(rest);
        rest.starts_with(b"//") || rest.starts_with(b"http") || rest.starts_with(b"data:")
    };
    let import = text.find_all("@import").take(FINDS_MAX).any(|at| {
        let rest = trim(window(text.from(at + 7), 32));
        outside(rest.strip_prefix(b"url(").unwrap_or(rest))
    });
    if import {
        return 10;
    }
    let asks = text.find_all("url(").take(FINDS_MAX).any(|at| outside(window(text.from(at + 4), 16)));
    let matches = has(text.low, "^=") || has(text.low, "$=") || has(text.low, "*=");
    if asks && matches && has(text.low, "]{") {
        return 10;
    }
    let leaves = matches!(text.low.trim_ascii_start().first(), Some(b'}' | b'"' | b'\'' | b';'));
    if asks && (leaves || has(text.low, "-moz-binding")) { 8 } else { 0 }
}

/// `x; script-src *`: behind something else that ends with a semicolon, a directive that allows scripts.
fn directive(text: &Text<'_>) -> u32 {
    let loose = ["'unsafe-", " *", " data:", "http:", "https:", "'nonce-", "//"];
    for name in
        ["script-src", "default-src", "object-src", "script-src-elem", "script-src-attr", "base-uri", "report-uri"]
    {
        for at in text.find_all(name).take(FINDS_MAX) {
            let head = text.low.get(..at).unwrap_or_default().trim_ascii_end();
            let behind = window(text.from(at + name.len()), 80);
            // A policy as a whole is somebody's setting.
            let policy = ["default-src", "script-src", "img-src", "upgrade-insecure", "frame-ancestors"]
                .iter()
                .any(|start| text.low.trim_ascii_start().starts_with(start.as_bytes()));
            let added = head.ends_with(b";") || head.ends_with(b",");
            if added && !policy && loose.iter().any(|source| has(behind, source)) {
                return 10;
            }
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_open_counts() {
        for open in ["<img src='//a.example/?", "x<form action=\"//a.example/", "<base target='"] {
            assert!(left_open(open.as_bytes()) > 0, "{open}");
        }
        for closed in ["<a href=\"https://a.example\">it's", "a < b and 'c", "<b>x</b> \"", "<img src='a.png'>"] {
            assert_eq!(left_open(closed.as_bytes()), 0, "{closed}");
        }
    }
}
