//! XML that declares or includes something from outside (XXE), or entities that only serve to grow.

use super::family::Weight;
use super::gate::{Marker, any};
use super::text::{Text, has, window};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "<!doctype"),
    any(0, "<!entity"),
    any(0, "xinclude"),
    any(0, "xi:include"),
    any(0, "schemalocation"),
    any(0, "xs:include"),
    any(0, "xsd:include"),
    any(0, "xs:import"),
    any(0, "<!element"),
    any(0, "<!attlist"),
    any(0, "<!notation"),
    any(0, "<?xml "),
    any(0, "xml-stylesheet"),
    any(0, "xsl:include"),
    any(0, "xsl:import"),
    any(0, "<xsl:"),
    any(0, "+adwaiq-doctype"),
    any(0, "+adwaiq-entity"),
    any(0, "<?import"),
    any(0, "exec:object"),
    any(0, "rt:exec"),
    any(0, "document("),
    any(0, "unparsed-text("),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    if has(low, "+adwaiq-") {
        weight.add(11, "declaration in UTF-7");
    }
    if let Some(at) = memchr::memmem::find(low, b"<!doctype") {
        doctype(window(low.get(at..).unwrap_or_default(), 4096), weight);
    }
    for declaration in ["<!element", "<!attlist", "<!notation"] {
        let outside = has(low, declaration);
        weight.add(if outside && !text.prose && !text.listing { 6 } else { 0 }, declaration);
    }
    encoding(text, weight);
    undeclared(text, weight);
    let mut entities = 0;
    for at in text.find_all("<!entity").take(256) {
        entities += 1;
        let declaration = window(text.from(at), 512);
        let declaration =
            declaration.get(..memchr::memchr(b'>', declaration).unwrap_or(declaration.len())).unwrap_or_default();
        let external = has(declaration, "system") || has(declaration, "public");
        weight.add(if external { 10 } else { 6 }, if external { "external entity" } else { "entity" });
        if has(declaration, "%") && declaration.get(8..16).is_some_and(|start| has(start, "%")) {
            weight.add(5, "parameter entity");
        }
        // `&a;&a;&a;` or `&a0;&a1;`: an entity made of entities.
        if declaration.iter().filter(|&&byte| byte == b'&').count() >= 2 {
            weight.add(6, "entities of entities");
        }
    }
    if entities >= 3 {
        weight.add(4, "many entities");
    }
    if (has(low, "xi:include") || has(low, "xinclude")) && has(low, "href") {
        weight.add(10, "include");
    }
    if (has(low, "xs:include")
        || has(low, "xsd:include")
        || has(low, "xs:import")
        || has(low, "xsl:include")
        || has(low, "xsl:import"))
        && has(low, "://")
    {
        let remote_only =
            low.get(..low.len().min(2048)).is_some_and(|start| has(start, "include") || has(start, "import"));
        weight.add(if remote_only { 10 } else { 4 }, "include of another document");
    }
    schema_location(text, weight);
    if has(low, "<xsl:")
        && (has(low, "document(")
            || has(low, "unparsed-text(")
            || has(low, "exec")
            || has(low, "php:function")
            || has(low, "msxsl:script")
            || has(low, "system-property"))
    {
        weight.add(10, "stylesheet that runs code");
    }
    if has(low, "xml-stylesheet") && has(low, "href") {
        weight.add(4, "stylesheet");
    }
}

/// The ordinary ones are `<!doctype html>` and the public identifiers of the W3C.
fn doctype(rest: &[u8], weight: &mut Weight) {
    let head = rest.get(..memchr::memchr2(b'>', b'[', rest).unwrap_or(rest.len())).unwrap_or_default();
    let known = has(head, "-//w3c//")
        || has(head, "-//ietf//")
        || has(head, "about:legacy-compat")
        || has(head, "w3.org/")
        || has(head, "apple.com/dtds");
    let subset = rest.get(head.len()) == Some(&b'[');
    // A public identifier that everybody knows, with an address that is not its own.
    let foreign = ["http", "ftp:", "file:", "php:", "jar:", "//"].iter().any(|scheme| {
        memchr::memmem::find(head, [b"\"", scheme.as_bytes()].concat().as_slice())
            .or_else(|| memchr::memmem::find(head, [b"'", scheme.as_bytes()].concat().as_slice()))
            .is_some_and(|at| {
                let address = head.get(at..).unwrap_or_default();
                !has(address, "w3.org/") && !has(address, "apple.com/")
            })
    });
    if known && foreign {
        weight.add(10, "document type from outside");
    }
    if !known && (has(head, "system") || has(head, "public")) {
        weight.add(10, "document type from outside");
    }
    if subset && (has(rest, "<!entity") || has(rest, "%")) {
        weight.add(6, "declarations");
    } else if subset {
        weight.add(3, "declarations");
    }
}

/// Elements of HTML, whose documents may name many more characters than XML does.
const HTML: &[&[u8]] = &[
    b"a",
    b"abbr",
    b"address",
    b"article",
    b"aside",
    b"b",
    b"blockquote",
    b"body",
    b"br",
    b"button",
    b"caption",
    b"center",
    b"cite",
    b"code",
    b"dd",
    b"del",
    b"details",
    b"div",
    b"dl",
    b"dt",
    b"em",
    b"figcaption",
    b"figure",
    b"font",
    b"footer",
    b"form",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"head",
    b"header",
    b"hr",
    b"html",
    b"i",
    b"iframe",
    b"img",
    b"input",
    b"ins",
    b"label",
    b"li",
    b"link",
    b"main",
    b"mark",
    b"meta",
    b"nav",
    b"ol",
    b"option",
    b"p",
    b"pre",
    b"q",
    b"s",
    b"script",
    b"section",
    b"select",
    b"small",
    b"span",
    b"strong",
    b"style",
    b"sub",
    b"summary",
    b"sup",
    b"svg",
    b"table",
    b"tbody",
    b"td",
    b"textarea",
    b"tfoot",
    b"th",
    b"thead",
    b"title",
    b"tr",
    b"u",
    b"ul",
    b"var",
    b"video",
    b"text",
];

/// A document of XML that refers to an entity: five are there without a declaration (XML 1.0, section 4.6), every other one
/// somebody hopes to have declared.
fn undeclared(text: &Text<'_>, weight: &mut Weight) {
    let start = text.low.trim_ascii_start();
    let Some(first) = start.strip_prefix(b"<") else { return };
    let name = first.iter().take(40).take_while(|byte| byte.is_ascii_alphanumeric() || b"?-:._".contains(byte)).count();
    let name = first.get(..name).unwrap_or_default();
    if name.is_empty() || HTML.contains(&name) || text.prose || !text.low.trim_ascii_end().ends_with(b">") {
        return;
    }
    for at in memchr::memchr_iter(b'&', text.low).take(64) {
        let rest = window(text.from(at + 1), 40);
        let length =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')).count();
        let entity = rest.get(..length).unwrap_or_default();
        let known = matches!(entity, b"lt" | b"gt" | b"amp" | b"quot" | b"apos" | b"nbsp" | b"copy" | b"reg" | b"euro");
        let named = entity.first().is_some_and(u8::is_ascii_alphabetic) && rest.get(length) == Some(&b';');
        // Right behind a tag or in front of one: nothing but the reference is the text.
        let alone = text.before(at) == Some(b'>') && rest.get(length + 1) == Some(&b'<');
        weight.add(if named && !known { if alone { 10 } else { 6 } } else { 0 }, "an entity that is not declared");
    }
}

/// A declaration that names an encoding the text is evidently not in: a reader that believes it sees another document.
fn encoding(text: &Text<'_>, weight: &mut Weight) {
    let start = text.low.trim_ascii_start();
    let Some(rest) = start.strip_prefix(b"<?xml ") else { return };
    let declaration = window(rest, 128);
    let declaration = declaration.get(..memchr::memmem::find(declaration, b"?>").unwrap_or(declaration.len()));
    let Some(named) = declaration.and_then(|declaration| {
        let at = memchr::memmem::find(declaration, b"encoding")?;
        declaration.get(at + 8..)
    }) else {
        return;
    };
    // The text was read as ASCII, so it is in none of these.
    let other = ["utf-7", "utf7", "utf-16", "utf16", "utf-32", "ucs-", "ibm", "ebcdic", "cp037", "cp1047"];
    let odd = other.iter().any(|name| has(named, name));
    let seven = has(named, "utf-7") || has(named, "utf7");
    weight.add(
        if seven {
            10
        } else if odd {
            8
        } else {
            0
        },
        "an encoding the text is not in",
    );
}

/// `xsi:schemaLocation` holds pairs (XML Schema Part 1, 4.3.2): a single address is not for validation.
fn schema_location(text: &Text<'_>, weight: &mut Weight) {
    for at in text.find_all("nonamespaceschemalocation").take(16) {
        let rest = window(text.from(at + 25), 16);
        let value = rest.iter().position(|byte| matches!(byte, b'"' | b'\'')).and_then(|open| rest.get(open + 1..));
        let outside = value.is_some_and(|value| has(window(value, 8), ":") || value.starts_with(b"//"));
        weight.add(if outside { 7 } else { 0 }, "schema from outside");
    }
    for at in text.find_all("xsi:schemalocation").take(16) {
        let rest = window(text.from(at + 18), 512);
        let Some(open) = rest.iter().position(|byte| matches!(byte, b'"' | b'\'')) else { continue };
        let value = rest.get(open + 1..).unwrap_or_default();
        let value = value
            .get(..value.iter().position(|byte| matches!(byte, b'"' | b'\'')).unwrap_or(value.len()))
            .unwrap_or_default();
        let parts = value.split(|byte| byte.is_ascii_whitespace()).filter(|part| !part.is_empty()).count();
        if parts % 2 == 1 && has(value, "://") {
            weight.add(10, "schema location without its namespace");
        }
    }
}
