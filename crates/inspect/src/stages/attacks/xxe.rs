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
