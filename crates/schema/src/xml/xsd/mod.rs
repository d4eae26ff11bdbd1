//! XML Schema 1.0: documents held against their declarations.
//!
//! Enforced: elements and attributes, local and global; complex types with sequence, choice, all, wildcards, groups, extension and
//! restriction; simple types with every facet; occurrence, `nillable`, `xsi:type`, substitution groups, fixed values, ID and IDREF;
//! include and import of local files. Named when a schema is loaded: identity constraints and SOAP's own encoding, which are not
//! enforced. An error when a schema is loaded: `redefine`, what version 1.1 added, and whatever is referred to and not declared.

mod builtin;
mod check;
mod compile;
mod model;
mod names;
mod pattern;
mod simple;
mod sources;
mod value;

use std::path::{Path, PathBuf};

use super::XmlDocument;
use super::name::QName;

pub(super) use compile::Wrapper;
pub(super) use sources::{Sources, Tree};

/// The namespace of XML Schema.
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XsdViolation {
    /// Local names of the elements that lead there, each after a slash; an attribute after `/@`.
    pub path: String,
    /// What was expected; never the value.
    pub expected: String,
}

/// Compiled schemas.
pub struct XsdSchema {
    compiled: compile::Compiled,
    files: Vec<PathBuf>,
}

impl XsdSchema {
    /// A schema from disk, with the local files that it includes and imports.
    ///
    /// # Errors
    /// A sentence for each thing that cannot be enforced.
    pub fn from_file(path: &Path) -> Result<Self, Vec<String>> {
        let mut sources = Sources::default();
        sources.add_file(path).map_err(|message| vec![message])?;
        Self::of(&sources, &[])
    }

    /// A schema that stands alone.
    ///
    /// # Errors
    /// A sentence for each thing that cannot be enforced.
    pub fn from_document(document: XmlDocument, label: &str) -> Result<Self, Vec<String>> {
        let mut sources = Sources::default();
        sources.add(Tree::of(document, label, None), 0, None).map_err(|message| vec![message])?;
        Self::of(&sources, &[])
    }

    pub(super) fn of(sources: &Sources, wrappers: &[Wrapper]) -> Result<Self, Vec<String>> {
        let compiled = compile::compile(sources, wrappers)?;
        Ok(Self { compiled, files: sources.files.clone() })
    }

    /// Every file that was read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Adds a file that belongs to the schemas, such as the WSDL they stand in.
    pub(super) fn add_file(&mut self, path: &Path) {
        self.files.push(path.to_path_buf());
    }

    /// What the schemas say that is not enforced, a sentence each.
    pub fn unenforced(&self) -> &[String] {
        &self.compiled.unenforced
    }

    /// Judges a document, whose root must be a declared element.
    pub fn judge(&self, document: &XmlDocument) -> Vec<XsdViolation> {
        check::judge(&self.compiled, document, &[], 0, check::Root::Declared)
    }

    /// Judges an element by its declaration. `ancestors` are the elements around it, outermost first.
    pub(super) fn judge_element(&self, document: &XmlDocument, ancestors: &[u32], at: u32) -> Vec<XsdViolation> {
        check::judge(&self.compiled, document, ancestors, at, check::Root::Declared)
    }

    /// Judges an element by the wrapper of this position.
    pub(super) fn judge_wrapper(
        &self,
        wrapper: usize,
        document: &XmlDocument,
        ancestors: &[u32],
        at: u32,
    ) -> Vec<XsdViolation> {
        match self.compiled.wrappers.get(wrapper) {
            Some(element) => check::judge(&self.compiled, document, ancestors, at, check::Root::Element(*element)),
            None => Vec::new(),
        }
    }

    /// True when an element of this name is declared.
    pub(super) fn declares(&self, name: &QName) -> bool {
        let id = self.compiled.names.find(&name.namespace, &name.local);
        id.is_some_and(|id| self.compiled.global_elements.contains_key(&id))
    }
}

#[cfg(test)]
mod tests;
