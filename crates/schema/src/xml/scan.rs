//! The parser: one pass, an explicit stack, every production of XML 1.0 (fifth edition) that a document without a DTD can
//! have.

use super::{Element, XmlDocument, XmlError, XmlErrorKind, XmlLimits};

/// Nothing is nested deeper than this, whatever is configured: consumers walk documents recursively.
const DEPTH_CAP: usize = 512;

/// Parses a document.
pub fn parse(bytes: &[u8], limits: &XmlLimits) -> Result<XmlDocument, XmlError> {
    if bytes.len() > limits.bytes_max {
        return Err(XmlError { kind: XmlErrorKind::TooLarge, offset: limits.bytes_max });
    }
    if matches!(bytes, [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, ..] | [_, 0, ..]) {
        return Err(XmlError { kind: XmlErrorKind::Encoding, offset: 0 });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| XmlError { kind: XmlErrorKind::Encoding, offset: error.valid_up_to() })?;
    let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let scanner = Scanner { text, at, limits, document: XmlDocument::default(), open: Vec::new() };
    scanner.document()
}

struct Scanner<'x, 'l> {
    text: &'x str,
    at: usize,
    limits: &'l XmlLimits,
    document: XmlDocument,
    open: Vec<u32>,
}

impl<'x> Scanner<'x, '_> {
    fn rest(&self) -> &'x str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, kind: XmlErrorKind) -> XmlError {
        XmlError { kind, offset: self.at }
    }

    fn malformed<T>(&self) -> Result<T, XmlError> {
        Err(self.error(XmlErrorKind::Malformed))
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn space(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.at += length;
        length > 0
    }

    fn document(mut self) -> Result<XmlDocument, XmlError> {
        if self.rest().starts_with("<?xml") && self.rest().get(5..6).is_some_and(|c| c.trim().is_empty()) {
            self.declaration()?;
        }
        loop {
            if self.open.is_empty() {
                self.space();
            }
            let rest = self.rest();
            if rest.is_empty() {
                break;
            }
            if self.skip("<!--") {
                self.comment()?;
            } else if self.skip("<?") {
                self.instruction()?;
            } else if rest.starts_with("<!DOCTYPE") {
                return Err(self.error(XmlErrorKind::Doctype));
            } else if self.skip("<![CDATA[") {
                self.cdata()?;
            } else if self.skip("</") {
                self.end_tag()?;
            } else if self.skip("<") {
                self.start_tag()?;
            } else {
                self.character_data()?;
            }
        }
        if self.open.is_empty() && !self.document.elements.is_empty() { Ok(self.document) } else { self.malformed() }
    }

    /// `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
    fn declaration(&mut self) -> Result<(), XmlError> {
        self.at += 5;
        let Some((inside, _)) = self.rest().split_once("?>") else { return self.malformed() };
        let end = self.at + inside.len() + 2;
        let mut expected = ["version", "encoding", "standalone"].iter();
        let mut is_first = true;
        loop {
            let had_space = self.space();
            if self.skip("?>") {
                return if is_first || self.at != end { self.malformed() } else { Ok(()) };
            }
            let name = self.name()?;
            if !had_space || !expected.any(|known| *known == name) || (is_first && name != "version") {
                return self.malformed();
            }
            is_first = false;
            self.space();
            if !self.skip("=") {
                return self.malformed();
            }
            self.space();
            let value = self.quoted()?;
            let is_right = match name {
                "version" => value
                    .strip_prefix("1.")
                    .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit())),
                "encoding" => {
                    let is_name = value.starts_with(|c: char| c.is_ascii_alphabetic())
                        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
                    let is_read =
                        ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| value.eq_ignore_ascii_case(known));
                    if is_name && !is_read {
                        return Err(self.error(XmlErrorKind::Encoding));
                    }
                    is_name
                }
                _ => matches!(value, "yes" | "no"),
            };
            if !is_right {
                return self.malformed();
            }
        }
    }

    fn quoted(&mut self) -> Result<&'x str, XmlError> {
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return self.malformed();
        };
        self.at += 1;
        let Some((value, _)) = self.rest().split_once(quote) else { return self.malformed() };
        self.at += value.len() + 1;
        Ok(value)
    }

    /// A name (XML 1.0 section 2.3); whether prefixes are declared is not looked at.
    fn name(&mut self) -> Result<&'x str, XmlError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if !name.starts_with(is_name_start) {
            return self.malformed();
        }
        if name.len() > self.limits.name_bytes_max {
            return Err(self.error(XmlErrorKind::NameTooLong));
        }
        self.at += end;
        Ok(name)
    }

    fn check_characters(&self, text: &str) -> Result<(), XmlError> {
        match text.chars().all(is_char) {
            true => Ok(()),
            false => self.malformed(),
        }
    }

    fn comment(&mut self) -> Result<(), XmlError> {
        let Some((inside, _)) = self.rest().split_once("--") else { return self.malformed() };
        self.check_characters(inside)?;
        self.at += inside.len() + 2;
        if self.skip(">") { Ok(()) } else { self.malformed() }
    }

    fn instruction(&mut self) -> Result<(), XmlError> {
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") {
            return self.malformed();
        }
        if self.skip("?>") {
            return Ok(());
        }
        if !self.space() {
            return self.malformed();
        }
        let Some((inside, _)) = self.rest().split_once("?>") else { return self.malformed() };
        self.check_characters(inside)?;
        self.at += inside.len() + 2;
        Ok(())
    }

    fn cdata(&mut self) -> Result<(), XmlError> {
        let Some((inside, _)) = self.rest().split_once("]]>") else { return self.malformed() };
        self.check_characters(inside)?;
        self.at += inside.len() + 3;
        match self.current() {
            Some(element) => element.text.push_str(inside),
            None => return self.malformed(),
        }
        Ok(())
    }

    fn current(&mut self) -> Option<&mut Element> {
        let position = *self.open.last()?;
        self.document.elements.get_mut(position as usize)
    }

    fn character_data(&mut self) -> Result<(), XmlError> {
        let rest = self.rest();
        let inside = rest.get(..rest.find('<').unwrap_or(rest.len())).unwrap_or_default();
        if inside.contains("]]>") || self.open.is_empty() {
            return self.malformed();
        }
        let text = self.expand(inside)?;
        self.at += inside.len();
        if let Some(element) = self.current() {
            element.text.push_str(&text);
        }
        Ok(())
    }

    /// Replaces references; what stands for itself is checked.
    fn expand(&self, text: &str) -> Result<String, XmlError> {
        self.check_characters(text)?;
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('&') {
            out.push_str(before);
            let Some((name, tail)) = after.split_once(';') else { return self.malformed() };
            let c = match name {
                "lt" => Some('<'),
                "gt" => Some('>'),
                "amp" => Some('&'),
                "apos" => Some('\''),
                "quot" => Some('"'),
                _ => name.strip_prefix('#').and_then(character_reference),
            };
            match c {
                Some(c) => out.push(c),
                None => return self.malformed(),
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn start_tag(&mut self) -> Result<(), XmlError> {
        if self.open.is_empty() && !self.document.elements.is_empty() {
            return self.malformed();
        }
        if self.open.len() >= self.limits.depth_max.min(DEPTH_CAP) {
            return Err(self.error(XmlErrorKind::TooDeep));
        }
        if self.document.elements.len() >= self.limits.elements_max {
            return Err(self.error(XmlErrorKind::TooMany));
        }
        let mut element = Element { name: self.name()?.to_owned(), ..Element::default() };
        let is_empty = loop {
            let had_space = self.space();
            if self.skip("/>") {
                break true;
            }
            if self.skip(">") {
                break false;
            }
            if !had_space {
                return self.malformed();
            }
            self.attribute(&mut element)?;
        };
        let position = u32::try_from(self.document.elements.len()).unwrap_or(u32::MAX);
        if let Some(parent) = self.current() {
            parent.children.push(position);
        }
        self.document.elements.push(element);
        if !is_empty {
            self.open.push(position);
        }
        Ok(())
    }

    fn attribute(&mut self, element: &mut Element) -> Result<(), XmlError> {
        let name = self.name()?;
        if element.attributes.len() >= self.limits.attributes_max {
            return Err(self.error(XmlErrorKind::TooMany));
        }
        // At most `attributes_max` comparisons each.
        if element.attributes.iter().any(|(known, _)| known == name) {
            return self.malformed();
        }
        self.space();
        if !self.skip("=") {
            return self.malformed();
        }
        self.space();
        let raw = self.quoted()?;
        if raw.contains('<') {
            return self.malformed();
        }
        let value = self.expand(&raw.replace(['\t', '\r', '\n'], " "))?;
        element.attributes.push((name.to_owned(), value));
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), XmlError> {
        let name = self.name()?;
        self.space();
        let Some(position) = self.open.pop() else { return self.malformed() };
        let is_same = self.document.element(position).is_some_and(|element| element.name == name);
        if is_same && self.skip(">") { Ok(()) } else { self.malformed() }
    }
}

fn character_reference(text: &str) -> Option<char> {
    let code = match text.strip_prefix('x') {
        Some(hex) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()?
        }
        None if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
        _ => return None,
    };
    char::from_u32(code).filter(|c| is_char(*c))
}

/// XML 1.0 section 2.2.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// XML 1.0 section 2.3.
pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c, ':' | 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
