//! Text and attributes of an XML body, without validating it: what is broken is still handed out.

use super::{Role, Spot, Value};

/// Hands out every text, CDATA section and attribute value. Entities stay as they are: they are decoded with the layers.
pub(super) fn walk_xml(bytes: &[u8], each: &mut dyn FnMut(&Value<'_>)) {
    let mut rest = bytes;
    let mut element = &b""[..];
    while !rest.is_empty() {
        let open = memchr::memchr(b'<', rest).unwrap_or(rest.len());
        let text = rest.get(..open).unwrap_or_default().trim_ascii();
        if !text.is_empty() {
            each(&Value { spot: Spot::Xml(element), role: Role::Value, bytes: text });
        }
        rest = rest.get(open..).unwrap_or_default();
        if let Some(section) = rest.strip_prefix(b"<![CDATA[") {
            let end = memchr::memmem::find(section, b"]]>").unwrap_or(section.len());
            let content = section.get(..end).unwrap_or_default();
            each(&Value { spot: Spot::Xml(element), role: Role::Value, bytes: content });
            rest = section.get(end + 3..).unwrap_or_default();
        } else if let Some(comment) = rest.strip_prefix(b"<!--") {
            let end = memchr::memmem::find(comment, b"-->").unwrap_or(comment.len());
            rest = comment.get(end + 3..).unwrap_or_default();
        } else if !rest.is_empty() {
            let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
            let tag = rest.get(1..end).unwrap_or_default();
            if !matches!(tag.first(), Some(b'/' | b'!' | b'?')) {
                element = name_of(tag);
                walk_attributes(tag.get(element.len()..).unwrap_or_default(), each);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
}

fn name_of(tag: &[u8]) -> &[u8] {
    let end = tag.iter().position(|&byte| byte.is_ascii_whitespace() || byte == b'/').unwrap_or(tag.len());
    tag.get(..end).unwrap_or_default()
}

fn walk_attributes(mut rest: &[u8], each: &mut dyn FnMut(&Value<'_>)) {
    while let Some(equals) = memchr::memchr(b'=', rest) {
        let name = rest.get(..equals).unwrap_or_default().trim_ascii();
        let after = rest.get(equals + 1..).unwrap_or_default().trim_ascii_start();
        let Some(quote) = after.first().copied().filter(|byte| matches!(byte, b'"' | b'\'')) else { return };
        let value = after.get(1..).unwrap_or_default();
        let end = memchr::memchr(quote, value).unwrap_or(value.len());
        each(&Value { spot: Spot::Xml(name), role: Role::Value, bytes: value.get(..end).unwrap_or_default() });
        rest = value.get(end + 1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_are_found() {
        let xml = b"<?xml version='1.0'?><a x=\"1\" y='2'>t<b/><!-- no --><![CDATA[<c>]]></a>tail";
        let mut seen = Vec::new();
        walk_xml(xml, &mut |value| {
            seen.push(format!("{}={}", value.spot.place().text(), value.bytes.escape_ascii()));
        });
        assert_eq!(seen, ["body:x=1", "body:y=2", "body:a=t", "body:b=<c>", "body:b=tail"]);
    }
}
