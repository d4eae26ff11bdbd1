//! Text and attributes of an XML body, without validating it.

use std::borrow::Cow;

use super::Values;
use crate::variable::Variable;

impl<'m> Values<'m, '_> {
    /// `XML:/*` is all text put together, `XML://@*` is each attribute.
    pub(super) fn xml(&mut self, bytes: &'m [u8]) {
        let mut all = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let open = memchr::memchr(b'<', rest).unwrap_or(rest.len());
            let (text, tag) = rest.split_at_checked(open).unwrap_or((rest, &[]));
            text_with_references(text, &mut all);
            rest = if let Some(section) = tag.strip_prefix(b"<![CDATA[") {
                let (content, behind) = until(section, b"]]>");
                all.extend_from_slice(content);
                behind
            } else if let Some(comment) = tag.strip_prefix(b"<!--") {
                until(comment, b"-->").1
            } else if let Some(inside) = tag.strip_prefix(b"<") {
                let (content, behind) = until(inside, b">");
                if !matches!(content.first(), Some(b'/' | b'!' | b'?')) {
                    self.attributes(content);
                }
                behind
            } else {
                &[]
            };
        }
        self.add(Variable::Xml, Cow::Borrowed(b"/*"), Cow::Owned(all));
        if !bytes.trim_ascii_start().starts_with(b"<") {
            self.unreadable(bytes, "XML parsing error");
        }
    }

    fn attributes(&mut self, tag: &'m [u8]) {
        let mut rest = tag;
        while let Some(equals) = memchr::memchr(b'=', rest) {
            let after = rest.get(equals + 1..).unwrap_or_default().trim_ascii_start();
            let Some((&quote, value)) = after.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\'')) else {
                return;
            };
            let (value, behind) = until(value, &[quote]);
            let mut text = Vec::new();
            text_with_references(value, &mut text);
            self.add(Variable::Xml, Cow::Borrowed(b"//@*"), Cow::Owned(text));
            rest = behind;
        }
    }
}

/// What stands before `end`, and what behind it.
fn until<'b>(bytes: &'b [u8], end: &[u8]) -> (&'b [u8], &'b [u8]) {
    match memchr::memmem::find(bytes, end) {
        Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + end.len()..).unwrap_or_default()),
        None => (bytes, &[]),
    }
}

/// Text with the character references a parser would have put in.
fn text_with_references(text: &[u8], made: &mut Vec<u8>) {
    made.extend_from_slice(&crate::transform::Transform::HtmlEntityDecode.apply(text));
}
