//! Documents of their own, outside of SOAP, held against an XML Schema: the root is one of its declared elements.

use std::path::{Path, PathBuf};

use super::{XmlError, XmlLimits, XsdSchema, XsdViolation, parse};

/// What a document may be.
pub struct XmlContract {
    schema: XsdSchema,
    limits: XmlLimits,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XmlViolation {
    /// The XML is refused.
    Xml(XmlError),
    /// It does not fit the schema; never empty.
    Schema(Vec<XsdViolation>),
}

impl XmlContract {
    /// A contract by a schema file, with the local files that it includes and imports.
    ///
    /// # Errors
    /// A sentence for each thing that cannot be enforced.
    pub fn from_file(path: &Path, limits: XmlLimits) -> Result<Self, Vec<String>> {
        Ok(Self { schema: XsdSchema::from_file(path)?, limits })
    }

    /// What the schema says that is not enforced, a sentence each.
    pub fn unenforced(&self) -> &[String] {
        self.schema.unenforced()
    }

    /// Every file that was read.
    pub fn files(&self) -> &[PathBuf] {
        self.schema.files()
    }

    /// Judges a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, bytes: &[u8]) -> Result<(), XmlViolation> {
        let document = parse(bytes, &self.limits).map_err(XmlViolation::Xml)?;
        let violations = self.schema.judge(&document);
        if violations.is_empty() { Ok(()) } else { Err(XmlViolation::Schema(violations)) }
    }
}
