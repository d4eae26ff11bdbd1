//! HTML and JavaScript that a page would run: tags, event handlers, script addresses, and code that leaves a string.
//!
//! Plain markup (`<b>`, `<a href="https://...">`, `<img src="a.png">`) is what editors send and weighs nothing; so does
//! code between backticks, as far as it only shows a tag.

use super::family::{Family, Weight};
use super::gate::{Classes, Marker, any, call, start, word};
use super::page;
use super::text::{Text, has, is_word, quoted_code, split_word, trim, window};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "javascript"),
    any(0, "import("),
    any(0, "importscripts("),
    any(0, "fetch("),
    any(0, "beacon("),
    any(0, "websocket("),
    any(0, "eventsource("),
    any(0, "getscript("),
    any(0, "worker("),
    any(0, "alert)"),
    any(0, "alert,"),
    any(0, "alert;"),
    any(0, "alert}"),
    any(0, "eval)"),
    any(0, "prompt)"),
    any(0, "confirm)"),
    any(0, "sessionstorage"),
    any(0, "document."),
    any(0, "window."),
    any(0, "navigator."),
    any(0, "parent."),
    any(0, "opener."),
    any(0, "localstorage."),
    any(0, "localstorage["),
    any(0, "top.location"),
    any(0, "self.location"),
    any(0, "window.open("),
    any(0, "action="),
    any(0, " ping="),
    any(0, "prompt,"),
    any(0, "prompt;"),
    any(0, "prompt}"),
    any(0, "confirm,"),
    any(0, "confirm;"),
    any(0, "eval,"),
    any(0, "eval;"),
    any(0, "worker.register("),
    any(0, "location.assign("),
    any(0, "location.replace("),
    any(0, "url("),
    any(0, "@import"),
    any(0, "script-src"),
    any(0, "default-src"),
    any(0, "object-src"),
    any(0, "base-uri"),
    any(0, "vbscript:"),
    any(0, "livescript:"),
    any(0, "jscript"),
    any(0, "data:text"),
    any(0, "data:application"),
    any(0, "data:image/svg"),
    any(0, "data:,"),
    any(0, "data:;"),
    any(0, "mocha:"),
    any(0, "j\na"),
    any(0, "script:"),
    any(0, "java\tscript"),
    any(0, "java\nscript"),
    any(0, "java script"),
    any(0, "jav"),
    any(0, "\"on"),
    any(0, "'on"),
    any(0, " on"),
    any(0, "/on"),
    any(0, "`on"),
    any(0, "\non"),
    any(0, "\ton"),
    any(8, "![]+"),
    any(8, "+[]]"),
    any(7, "!![]"),
    any(8, "[][[]]"),
    any(10, "\u{bc}script"),
    call(0, "alert"),
    call(0, "confirm"),
    call(0, "prompt"),
    call(0, "eval"),
    call(0, "print"),
    start(0, "alert"),
    start(0, "confirm"),
    start(0, "prompt"),
    start(0, "eval"),
    start(0, "settimeout"),
    start(0, "setinterval"),
    start(0, "fetch"),
    start(0, "import"),
    start(0, "atob"),
    start(0, "function"),
    start(0, "write"),
    any(9, "url(javascript"),
    any(9, "url(vbscript"),
    start(0, "execscript"),
    start(0, "open"),
    start(3, "document.cookie"),
    start(3, "document[\"cookie"),
    start(3, "document['cookie"),
    start(3, "document.domain"),
    start(3, "document.write"),
    start(3, "document.location"),
    start(3, "window.location"),
    start(3, "window.open"),
    start(3, "window["),
    start(3, "self["),
    start(3, "top["),
    start(3, "this["),
    start(3, "parent["),
    start(3, "frames["),
    start(3, "document?.cookie"),
    start(2, "location="),
    start(2, "location.href"),
    start(3, "localstorage"),
    start(3, "sessionstorage"),
    start(3, "xmlhttprequest"),
    any(4, "innerhtml"),
    any(4, "outerhtml"),
    any(4, "insertadjacenthtml"),
    any(5, "string.fromcharcode"),
    any(5, "fromcharcode"),
    any(5, "document.body"),
    any(3, ".constructor"),
    any(3, "[].filter"),
    any(3, "srcdoc"),
    any(5, "-moz-binding"),
    any(5, "expression("),
    any(5, "@import"),
    any(4, "allowscriptaccess"),
    any(5, "formaction"),
    any(4, "xlink:href"),
    any(4, "datasrc"),
    any(5, "<!--#"),
    any(8, "+adw-"),
    any(5, "onerror="),
    any(5, "onload="),
    any(5, "onclick="),
    any(5, "onfocus="),
    any(5, "onmouse"),
    any(4, "autofocus"),
    any(4, "behavior:"),
    any(4, "unescape("),
    any(4, "decodeuri"),
    any(5, "$.getscript"),
    any(6, "ng-app"),
    any(6, "ng-init"),
    any(6, "v-html"),
    any(6, "v-on:"),
    any(5, "x-on:"),
    any(5, "sourcemappingurl"),
    word(0, "onpointerrawupdate"),
    any(6, "throw/0"),
    any(6, "[].constructor"),
    any(8, "<scr"),
    any(6, "/.source"),
    any(6, "[+!+[]]"),
    any(6, "(![]+"),
    any(6, "$=~[]"),
    any(6, "_$[$"),
];

/// Tags that run or load something by themselves.
const ACTIVE_TAGS: &[&str] = &[
    "script",
    "iframe",
    "object",
    "embed",
    "applet",
    "svg",
    "math",
    "base",
    "meta",
    "link",
    "frame",
    "frameset",
    "bgsound",
    "isindex",
    "xss",
    "foreignobject",
    "animate",
    "set",
    "use",
    "image",
    "import",
    "layer",
    "ilayer",
    "marquee",
    "keygen",
    "portal",
    "template",
    "style",
    "xml",
    "handler",
    "listener",
    "noembed",
    "plaintext",
    "xmp",
    "noscript",
    "comment",
    "title",
    "textarea",
];

/// Functions whose call is the proof every cross-site script ends in.
const SINKS: &[&str] = &[
    "alert",
    "confirm",
    "prompt",
    "eval",
    "print",
    "settimeout",
    "setinterval",
    "execscript",
    "write",
    "fetch",
    "import",
    "open",
    "atob",
    "function",
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let mut markers = 0;
    for hit in text.hits(Family::Script) {
        if hit.marker.points > 0 {
            let points = u32::from(hit.marker.points).min(9u32.saturating_sub(markers));
            markers += points;
            weight.add(if text.prose { points / 2 } else { points }, hit.marker.text);
        }
    }
    for whole in [
        "document.cookie",
        "document[\"cookie\"]",
        "document['cookie']",
        "document.domain",
        "window.location",
        "document.location",
    ] {
        if text.low.starts_with(whole.as_bytes()) && !text.prose {
            weight.add(8, "a property of the page");
        }
    }
    let quoted = quoted_code(text.low);
    if text.classes.any(Classes::ANGLE) {
        let anywhere = Anywhere::of(text.low);
        for (count, at) in memchr::memchr_iter(b'<', text.low).take(2048).enumerate() {
            let shown = quoted.iter().any(|&(from, to)| at >= from && at < to);
            // The first tags are looked at in full; of thousands each only at its front, to bound the time.
            let looked = if count < 64 { 512 } else { 64 };
            tag(text, at, looked, shown, &anywhere, weight);
        }
    }
    handler_outside_tag(text, weight);
    script_address(text, weight);
    sink(text, weight);
    page::weigh(text, &mut |points, name| weight.add(points, name));
}

/// Which fragments stand anywhere in a text, looked for once and not in every tag again.
struct Anywhere {
    address: bool,
    style: bool,
    document: bool,
}

impl Anywhere {
    fn of(low: &[u8]) -> Self {
        Self {
            address: has(low, "script:") || has(low, "data:") || has(low, "base64,"),
            style: has(low, "expression(") || has(low, "-moz-binding") || has(low, "behavior:"),
            document: has(low, "<html") || has(low, "<head") || has(low, "<!doctype html"),
        }
    }
}

/// A tag begins at `at`: how dangerous it and its attributes are.
fn tag(text: &Text<'_>, at: usize, looked: usize, shown: bool, anywhere: &Anywhere, weight: &mut Weight) {
    let inner = text.from(at + 1);
    // Parsers skip these between the angle and the name, or filters do.
    let inner = inner
        .get(
            inner
                .iter()
                .take(8)
                .take_while(|byte| matches!(byte, b'/' | b'<' | b'!' | b'\\' | b':' | 1..=32))
                .count()..,
        )
        .unwrap_or_default();
    let length =
        inner.iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-')).count();
    let name = window(inner, length);
    // `<BASE_64>` stands for a value: one word with an underscore and nothing else. With attributes it is a tag that is
    // meant to be overlooked.
    let word = inner.iter().take(64).take_while(|byte| is_word(**byte)).count();
    let stands_for_a_value = word > length && inner.get(word) == Some(&b'>');
    if name.is_empty() || !name.first().is_some_and(u8::is_ascii_alphabetic) || stands_for_a_value {
        return;
    }
    let local = name.rsplit(|&byte| byte == b':').next().unwrap_or(name);
    let after = inner.get(length..).unwrap_or_default();
    let closing = text.from(at).starts_with(b"</");
    // Attributes up to the end of the tag; handlers behind a cut `>` inside quotes are still seen by their names.
    let attributes = window(after, looked);
    let end = memchr::memchr(b'>', attributes).unwrap_or(attributes.len());
    let inside = window(attributes, end);
    let active = ACTIVE_TAGS.iter().any(|tag| tag.as_bytes() == local);
    if local == b"script" {
        let points = match (closing, shown) {
            (true, false) => 6,
            (true, true) => 2,
            (false, true) => 5,
            (false, false) if text.prose && after.starts_with(b"> ") => 4,
            (false, false) => 10,
        };
        weight.add(points, if closing { "</script>" } else { "<script>" });
    } else if matches!(
        local,
        b"iframe"
            | b"object"
            | b"embed"
            | b"applet"
            | b"base"
            | b"frameset"
            | b"meta"
            | b"isindex"
            | b"bgsound"
            | b"import"
            | b"xss"
            | b"vmlframe"
            | b"layer"
            | b"link"
            | b"keygen"
            | b"frame"
            | b"style"
            | b"xml"
    ) && !closing
    {
        let loads =
            ["src", "data", "href", "code", "http-equiv", "on", "style", "action", "@im", "namespace", "rel", ">"]
                .iter()
                .any(|name| has(attributes, name));
        let embed = local == b"iframe" && has(inside, "src=\"https://") && handler(attributes).is_none();
        // `<Link to the file>` stands for one: without an attribute it loads nothing.
        let words = !inside.contains(&b'=') && inside.iter().any(u8::is_ascii_alphabetic);
        let loads = loads && !(words && matches!(local, b"link" | b"meta" | b"base" | b"object" | b"import"));
        let of_document = anywhere.document && matches!(local, b"meta" | b"link" | b"style" | b"base" | b"xml");
        weight.add(
            match (shown, loads) {
                (true, _) => 2,
                (false, _) if of_document => 1,
                (false, true) if embed => 5,
                (false, true) => 10,
                (false, false) => 4,
            },
            "active tag",
        );
    }
    if anywhere.address
        && (has(inside, "script:")
            || has(inside, "data:text/html")
            || has(inside, "data:application")
            || has(inside, "data:image/svg")
            || has(inside, "base64,") && active)
    {
        weight.add(if shown { 6 } else { 9 }, "script address in a tag");
    }
    if anywhere.style && (has(inside, "expression(") || has(inside, "-moz-binding") || has(inside, "behavior:")) {
        weight.add(7, "active style");
    }
    if let Some(known) = handler(attributes) {
        weight.add(
            if shown {
                6
            } else if known {
                11
            } else {
                8
            },
            "event handler",
        );
    }
}

/// An attribute whose name begins with `on`, followed by an equals sign; true when it is one that browsers know.
fn handler(attributes: &[u8]) -> Option<bool> {
    let mut found = None;
    for at in memchr::memmem::find_iter(attributes, b"on").take(64) {
        let before = at.checked_sub(1).and_then(|at| attributes.get(at)).copied();
        if before.is_some_and(|byte| is_word(byte) && byte != b'_' || byte == b'-' || byte == b'.') {
            continue;
        }
        // Longer names are no events.
        let (name, after) = split_word(window(attributes.get(at..).unwrap_or_default(), 48));
        if !(4..=28).contains(&name.len()) || !name.iter().all(u8::is_ascii_alphabetic) {
            continue;
        }
        let gap = after.iter().take(16).take_while(|byte| **byte <= 32 || **byte >= 127 || **byte == b'/').count();
        if after.get(gap) != Some(&b'=') {
            continue;
        }
        let known = EVENTS.iter().any(|event| name.get(2..).is_some_and(|name| name.starts_with(event.as_bytes())));
        found = Some(found.unwrap_or(false) || known);
        if known {
            break;
        }
    }
    found
}

/// How the names of events begin, without `on`.
const EVENTS: &[&str] = &[
    "load",
    "error",
    "click",
    "mouse",
    "focus",
    "blur",
    "key",
    "change",
    "submit",
    "reset",
    "select",
    "abort",
    "unload",
    "before",
    "drag",
    "drop",
    "pointer",
    "touch",
    "wheel",
    "scroll",
    "resize",
    "toggle",
    "animation",
    "transition",
    "begin",
    "end",
    "repeat",
    "play",
    "pause",
    "seek",
    "time",
    "volume",
    "wait",
    "can",
    "loaded",
    "progress",
    "show",
    "hash",
    "message",
    "page",
    "popstate",
    "storage",
    "input",
    "invalid",
    "copy",
    "cut",
    "paste",
    "search",
    "start",
    "finish",
    "bounce",
    "dblclick",
    "contextmenu",
    "auxclick",
    "ready",
    "property",
    "data",
    "row",
    "cell",
    "layout",
    "help",
    "move",
    "activate",
    "deactivate",
    "filter",
    "lose",
    "stop",
    "readystate",
    "online",
    "offline",
    "webkit",
    "gesture",
    "fullscreen",
    "got",
    "lost",
    "rate",
    "stalled",
    "suspend",
    "emptied",
    "duration",
    "ended",
    "media",
    "track",
    "syncrestored",
    "undo",
    "redo",
    "control",
    "cue",
    "close",
    "cancel",
    "formdata",
    "slot",
    "security",
    "content",
    "exit",
    "enter",
    "zoom",
    "svg",
];

/// A handler behind a quote that leaves an attribute: `" onfocus=`, or one that is all there is.
fn handler_outside_tag(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let mut seen = false;
    for hit in text.hits(Family::Script) {
        if !hit.marker.text.ends_with("on") || seen {
            continue;
        }
        let at = hit.at as usize + hit.marker.text.len() - 2;
        let rest = window(low.get(at..).unwrap_or_default(), 64);
        let Some(known) = handler(rest.get(..40.min(rest.len())).unwrap_or_default()) else { continue };
        // Only a handler right here counts, not one further on.
        let (name, after) = split_word(rest);
        if !matches!(trim(after).first(), Some(b'=')) || name.len() < 4 {
            continue;
        }
        seen = true;
        let quoted = low.get(..at).unwrap_or_default().iter().any(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'>'));
        let value = trim(trim(after).get(1..).unwrap_or_default());
        let runs = value.iter().take(48).any(|byte| matches!(byte, b'(' | b'`' | b'&' | b'\\'))
            || has(window(value, 48), "location");
        weight.add(
            match (quoted, known, runs) {
                (true, true, _) => 10,
                (true, false, true) => 8,
                (false, true, true) => 10,
                (false, true, false) if !text.prose => 5,
                (true, false, false) => 4,
                _ => 0,
            },
            "event handler",
        );
    }
}

/// `javascript:` with whatever browsers overlook inside it, followed by something that runs.
fn script_address(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    for colon in memchr::memchr_iter(b':', low).take(256) {
        let before = low.get(colon.saturating_sub(24)..colon).unwrap_or_default();
        let mut squeezed = [0u8; 24];
        let mut length = 0;
        for &byte in before.iter().filter(|byte| byte.is_ascii_alphabetic()) {
            if let Some(slot) = squeezed.get_mut(length) {
                *slot = byte;
                length += 1;
            }
        }
        let word = squeezed.get(..length).unwrap_or_default();
        if !["javascript", "vbscript", "livescript", "mocha", "jscript"]
            .iter()
            .any(|scheme| word.ends_with(scheme.as_bytes()))
        {
            continue;
        }
        let code = window(low.get(colon + 1..).unwrap_or_default(), 96);
        let spaced = code.first() == Some(&b' ');
        let runs = code.iter().any(|byte| matches!(byte, b'(' | b'`' | b'=' | b'[' | b'\\' | b'&'))
            || code.starts_with(b"//")
            || has(code, "%28")
            || has(code, "%60");
        let points = match (runs, spaced, text.prose) {
            (true, false, _) => 10,
            (true, true, false) => 6,
            (false, false, false) if !code.is_empty() => 4,
            _ => 0,
        };
        weight.add(points, "script address");
    }
    if has(low, "url(javascript") || has(low, "url(vbscript") {
        weight.add(10, "script address");
    }
    for scheme in [
        "data:text/html",
        "data:text/javascript",
        "data:application/x-javascript",
        "data:image/svg+xml",
        "data:text/xml",
        "data:,",
        "data:;base64",
    ] {
        if has(low, scheme) && text.classes.any(Classes::ANGLE | Classes::PAREN) || has(low, "data:text/html;base64") {
            weight.add(7, "document in an address");
        }
    }
}

/// A call of a sink: `alert(1)`, `(alert)(1)`, `alert.call(`, ``alert`1` ``, `window['alert'](`.
fn sink(text: &Text<'_>, weight: &mut Weight) {
    for hit in text.hits(Family::Script).take(64) {
        if !SINKS.contains(&hit.marker.text) {
            continue;
        }
        let at = hit.at as usize;
        let behind = text.from(at + hit.marker.text.len());
        let gap = behind
            .iter()
            .take(12)
            .take_while(|byte| {
                matches!(byte, b')' | b']' | b'\'' | b'"' | b'?' | b'.' | b' ' | b'\t' | b'/' | b'*' | b'\n' | b'`')
            })
            .count();
        let rest = behind.get(gap..).unwrap_or_default();
        let wrapped = behind.first().is_some_and(|byte| matches!(byte, b')' | b']' | b'?' | b'\'' | b'"'));
        let templated = behind.first() == Some(&b'`');
        let invoked = rest.starts_with(b"call(") || rest.starts_with(b"apply(") || rest.starts_with(b"bind(");
        let called = rest.first() == Some(&b'(') || templated || invoked;
        if !called {
            continue;
        }
        let loud = matches!(hit.marker.text, "alert" | "confirm" | "prompt" | "eval");
        let quiet = matches!(hit.marker.text, "print" | "fetch" | "open" | "write" | "function" | "import");
        let head = text.low.get(..at).unwrap_or_default();
        let leaves = left_of_sink(head);
        let points = match (loud, leaves) {
            (true, Left::Leaves) => 11,
            (true, Left::Nothing) if !text.prose => 10,
            (true, _) if (wrapped || templated || invoked) && !text.prose => 9,
            (true, Left::Code) if !text.prose => 6,
            (true, Left::Word) if !text.prose && text.raw.len() < 60 => 4,
            (true, _) => 3,
            (false, Left::Leaves) if !quiet => 8,
            (false, Left::Nothing) if !quiet && !text.prose => 6,
            (false, Left::Leaves) => 4,
            (false, _) if !quiet && !text.prose => 3,
            _ => 0,
        };
        weight.add(points, hit.marker.text);
    }
    // Code behind a string it has left, ended by a comment: `';x=1//`, `"-x-"`.
    if text.low.ends_with(b"//")
        && text.low.iter().take(4).any(|byte| matches!(byte, b'"' | b'\'' | b'`' | b';' | b'}'))
        && !has(text.low, "://")
    {
        weight.add(4, "comment behind code");
    }
}

enum Left {
    /// Nothing but signs.
    Nothing,
    /// A quote or bracket that leaves a string or call: `'-`, `";`, `)};`.
    Leaves,
    /// Other code.
    Code,
    /// A word and a space.
    Word,
}

fn left_of_sink(head: &[u8]) -> Left {
    let trimmed = head.trim_ascii_end();
    let signs = trimmed.iter().rev().take(16).take_while(|byte| !byte.is_ascii_alphanumeric()).count();
    let tail = trimmed.get(trimmed.len() - signs..).unwrap_or_default();
    let leaves = tail.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'}' | b';' | b'>'));
    if leaves && tail.len() >= 2 {
        Left::Leaves
    } else if signs == trimmed.len() {
        Left::Nothing
    } else if tail
        .iter()
        .any(|byte| matches!(byte, b'=' | b';' | b'(' | b'{' | b'-' | b'+' | b'|' | b':' | b',' | b'\'' | b'"'))
    {
        Left::Code
    } else {
        Left::Word
    }
}
