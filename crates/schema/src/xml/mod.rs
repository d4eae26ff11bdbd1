//! XML 1.0 without document type definitions: a strict, bounded, linear parser, and bodies of OpenAPI as values.
//!
//! A DTD is where entity expansion and external entities live, so a document with one is refused as a whole; nothing is
//! ever expanded but the five predefined entities and character references. Only UTF-8 is read.

mod name;
mod plain;
mod scan;
mod shape;
pub mod soap;
mod xsd;

use std::fmt;

pub use name::QName;
pub use plain::{XmlContract, XmlViolation};
pub use scan::parse;
pub(crate) use scan::{is_name_char, is_name_start};
pub use xsd::{XsdSchema, XsdViolation};

/// Limits on one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlLimits {
    /// Largest document in bytes.
    pub bytes_max: usize,
    /// Deepest nesting of elements; never more than 512.
    pub depth_max: usize,
    /// Most elements.
    pub elements_max: usize,
    /// Most attributes of one element.
    pub attributes_max: usize,
    /// Longest name in bytes.
    pub name_bytes_max: usize,
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            bytes_max: 16 * 1024 * 1024,
            depth_max: 64,
            elements_max: 100_000,
            attributes_max: 128,
            name_bytes_max: 512,
        }
    }
}

/// Why a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum XmlErrorKind {
    /// It is not well-formed.
    Malformed,
    /// It has a document type definition.
    Doctype,
    /// It is not UTF-8, or says so.
    Encoding,
    /// It is larger than it may be.
    TooLarge,
    /// Nested too deeply.
    TooDeep,
    /// Too many elements or attributes.
    TooMany,
    /// A name is too long.
    NameTooLong,
}

impl XmlErrorKind {
    /// What was expected instead.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Malformed => "well-formed XML",
            Self::Doctype => "XML without a document type definition",
            Self::Encoding => "XML in UTF-8",
            Self::TooLarge => "a smaller document",
            Self::TooDeep => "less nesting",
            Self::TooMany => "fewer elements or attributes",
            Self::NameTooLong => "shorter names",
        }
    }
}

/// A refusal with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlError {
    /// Why.
    pub kind: XmlErrorKind,
    /// Offset in bytes.
    pub offset: usize,
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.kind.expected(), self.offset)
    }
}

impl std::error::Error for XmlError {}

/// A parsed document: its elements in the order of their start tags; the first is the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XmlDocument {
    /// All elements.
    pub elements: Vec<Element>,
}

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Qualified name as written.
    pub name: String,
    /// Attributes in order, values normalised.
    pub attributes: Vec<(String, String)>,
    /// All character data directly inside, taken together.
    pub text: String,
    /// Positions of the child elements.
    pub children: Vec<u32>,
}

impl Element {
    /// The name without its prefix.
    pub fn local_name(&self) -> &str {
        local(&self.name)
    }
}

/// A qualified name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

impl XmlDocument {
    /// The root.
    pub fn root(&self) -> Option<&Element> {
        self.elements.first()
    }

    /// An element by position.
    pub fn element(&self, position: u32) -> Option<&Element> {
        self.elements.get(position as usize)
    }

    /// The child elements of an element.
    pub fn children<'d>(&'d self, element: &'d Element) -> impl Iterator<Item = &'d Element> {
        element.children.iter().filter_map(|position| self.element(*position))
    }
}

#[cfg(test)]
mod tests;
