//! The documents that schemas come from, and what their identifiers point at. Nothing is ever fetched from a network:
//! what is not already here is asked of the loader the caller gave, which reads local files at most.

use std::collections::HashMap;
use std::sync::Arc;

use super::uri;
use crate::document::{Diagnostic, Document, Level};
use crate::json::{Kind, Value};

/// Reads a document by its URI. The error says in words why it cannot be had.
pub type Loader = Box<dyn Fn(&str) -> Result<Vec<u8>, String>>;

/// The most documents one contract may be spread over.
const DOCUMENTS_MAX: usize = 2_000;

/// A value in one of the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which document.
    pub document: u32,
    /// Which value on its tape.
    pub index: u32,
}

/// A schema with an identifier of its own, or the root of a document.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) uri: String,
    pub(crate) root: Place,
    /// False when its `$schema` names a vocabulary without validation keywords.
    pub(crate) validates: bool,
    /// True when its `$schema` asks for formats to be asserted.
    pub(crate) asserts_formats: bool,
}

/// Documents with their identifiers.
pub struct Library {
    documents: Vec<Arc<Document>>,
    resources: Vec<Resource>,
    by_uri: HashMap<String, u32>,
    at_place: HashMap<Place, u32>,
    /// Anchors by resource and name; true for dynamic ones.
    anchors: HashMap<(u32, String), (Place, bool)>,
    /// References already followed.
    resolved: HashMap<(u32, String), (Place, u32)>,
    loader: Loader,
}

const ONE: &[&str] = &[
    "not",
    "if",
    "then",
    "else",
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
const MANY: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
const NAMED: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];

impl Library {
    /// An empty library.
    pub fn new(loader: Loader) -> Self {
        let mut library = Self {
            documents: Vec::new(),
            resources: Vec::new(),
            by_uri: HashMap::new(),
            at_place: HashMap::new(),
            anchors: HashMap::new(),
            resolved: HashMap::new(),
            loader,
        };
        if let Ok(document) = Document::parse(super::metaschema::URI, super::metaschema::TEXT.as_bytes()) {
            library.add(super::metaschema::URI, document);
        }
        library
    }

    /// Adds a document under its URI and returns its root. Identifiers inside it are found when it is a schema.
    pub fn add(&mut self, uri: &str, document: Document) -> Place {
        let number = u32::try_from(self.documents.len()).unwrap_or(u32::MAX);
        let root = Place { document: number, index: 0 };
        let has_ids = document
            .tape()
            .strings()
            .any(|string| matches!(string.text, "$id" | "$anchor" | "$dynamicAnchor" | "$schema"));
        self.documents.push(Arc::new(document));
        let resource = self.resource(uri.to_owned(), root);
        if has_ids {
            self.index(root, resource);
        }
        root
    }

    /// The document of a place.
    pub fn document(&self, place: Place) -> Arc<Document> {
        match self.documents.get(place.document as usize) {
            Some(document) => Arc::clone(document),
            None => Arc::new(Document::empty()),
        }
    }

    /// All documents, in the order they were added.
    pub fn documents(&self) -> &[Arc<Document>] {
        &self.documents
    }

    /// A diagnostic about a place.
    pub fn diagnose(&self, level: Level, rule: &'static str, place: Place, message: impl Into<String>) -> Diagnostic {
        let document = self.document(place);
        document.diagnose(level, rule, document.tape().at(place.index), message)
    }

    pub(crate) fn resource_of_root(&self, place: Place) -> u32 {
        self.at_place.get(&Place { index: 0, ..place }).copied().unwrap_or(0)
    }

    pub(crate) fn resource_info(&self, resource: u32) -> Option<&Resource> {
        self.resources.get(resource as usize)
    }

    /// The resource that begins at a place, if one does.
    pub(crate) fn resource_at(&self, place: Place) -> Option<u32> {
        self.at_place.get(&place).copied()
    }

    /// Whether any document but the dialect's own has a dynamic anchor.
    pub(crate) fn has_dynamic_anchors(&self) -> bool {
        self.anchors.values().any(|(place, dynamic)| *dynamic && place.document != 0)
    }

    /// Every dynamic anchor of this name with its resource.
    pub(crate) fn dynamic_anchors(&self, name: &str) -> Vec<(u32, Place)> {
        let anchors = self.anchors.iter().filter(|((_, anchor), (_, dynamic))| *dynamic && anchor == name);
        anchors.map(|((resource, _), (place, _))| (*resource, *place)).collect()
    }

    /// Whether an anchor of this resource is dynamic.
    pub(crate) fn is_dynamic(&self, resource: u32, name: &str) -> bool {
        self.anchors.get(&(resource, name.to_owned())).is_some_and(|(_, dynamic)| *dynamic)
    }

    fn resource(&mut self, uri: String, root: Place) -> u32 {
        let number = u32::try_from(self.resources.len()).unwrap_or(u32::MAX);
        self.by_uri.entry(uri.clone()).or_insert(number);
        self.at_place.insert(root, number);
        self.resources.push(Resource { uri, root, validates: true, asserts_formats: false });
        number
    }

    /// Finds identifiers and anchors in a schema, without following references.
    fn index(&mut self, root: Place, resource: u32) {
        let document = self.document(root);
        let mut stack = vec![(root.index, resource)];
        while let Some((index, mut resource)) = stack.pop() {
            let value = document.tape().at(index);
            if value.kind() != Kind::Object {
                continue;
            }
            let place = Place { index, ..root };
            if let Some(id) = value.get("$id").and_then(Value::as_str) {
                let base = self.resources.get(resource as usize).map(|r| r.uri.clone()).unwrap_or_default();
                let (uri, _) = uri::resolve(&base, id);
                resource = self.resource(uri, place);
            }
            if let Some(dialect) = value.get("$schema").and_then(Value::as_str) {
                self.apply_vocabulary(dialect, resource);
            }
            for (keyword, dynamic) in [("$anchor", false), ("$dynamicAnchor", true)] {
                if let Some(name) = value.get(keyword).and_then(Value::as_str) {
                    self.anchors.insert((resource, name.to_owned()), (place, dynamic));
                }
            }
            for (keyword, member) in value.members().into_iter().flatten() {
                if ONE.contains(&keyword) {
                    stack.push((member.index(), resource));
                } else if MANY.contains(&keyword) {
                    stack.extend(member.items().into_iter().flatten().map(|item| (item.index(), resource)));
                } else if NAMED.contains(&keyword) {
                    stack.extend(member.members().into_iter().flatten().map(|(_, item)| (item.index(), resource)));
                }
            }
        }
    }

    /// Looks which vocabularies a dialect of one's own has (2020-12 core, section 8.1.2).
    fn apply_vocabulary(&mut self, dialect: &str, resource: u32) {
        let dialect = dialect.trim_end_matches('#');
        if dialect == super::metaschema::URI || dialect.starts_with("http://json-schema.org/") {
            return;
        }
        let Ok(place) = self.load(dialect) else { return };
        let document = self.document(place);
        let Some(vocabulary) = document.tape().at(place.index).get("$vocabulary") else { return };
        let has = |name: &str| vocabulary.members().into_iter().flatten().any(|(uri, _)| uri.ends_with(name));
        let (validates, asserts_formats) = (has("/vocab/validation"), has("/vocab/format-assertion"));
        if let Some(resource) = self.resources.get_mut(resource as usize) {
            resource.validates = validates;
            resource.asserts_formats = asserts_formats;
        }
    }

    /// The root of the document or resource with this URI, loading it when needed.
    fn load(&mut self, uri: &str) -> Result<Place, String> {
        if let Some(resource) = self.by_uri.get(uri).and_then(|number| self.resources.get(*number as usize)) {
            return Ok(resource.root);
        }
        if self.documents.len() >= DOCUMENTS_MAX {
            return Err(format!("more than {DOCUMENTS_MAX} documents"));
        }
        let bytes = (self.loader)(uri)?;
        let document = Document::parse(uri, &bytes).map_err(|diagnostic| diagnostic.to_string())?;
        Ok(self.add(uri, document))
    }

    /// Follows a reference made from within `resource`. Returns the place it points at and the resource it is in.
    pub(crate) fn resolve(&mut self, resource: u32, reference: &str) -> Result<(Place, u32), String> {
        let key = (resource, reference.to_owned());
        if let Some(known) = self.resolved.get(&key) {
            return Ok(*known);
        }
        let found = self.resolve_anew(resource, reference)?;
        self.resolved.insert(key, found);
        Ok(found)
    }

    fn resolve_anew(&mut self, resource: u32, reference: &str) -> Result<(Place, u32), String> {
        let base = self.resources.get(resource as usize).map(|r| r.uri.as_str()).unwrap_or_default();
        let (uri, fragment) = uri::resolve(base, reference);
        let root = self.load(&uri)?;
        let resource = self.at_place.get(&root).copied().unwrap_or(resource);
        let fragment = uri::decode(fragment);
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return match self.anchors.get(&(resource, fragment.clone())) {
                Some((place, _)) => Ok((*place, self.at_place.get(place).copied().unwrap_or(resource))),
                None => Err(format!("there is no anchor `{fragment}`")),
            };
        }
        self.walk(root, resource, &fragment)
    }

    /// Walks a JSON Pointer, minding identifiers on the way.
    fn walk(&self, root: Place, mut resource: u32, pointer: &str) -> Result<(Place, u32), String> {
        let document = self.document(root);
        let mut value = document.tape().at(root.index);
        for token in pointer.split('/').skip(1) {
            value = value.find(&format!("/{token}")).ok_or_else(|| format!("there is nothing at `#{pointer}`"))?;
            if let Some(inner) = self.at_place.get(&Place { index: value.index(), ..root }) {
                resource = *inner;
            }
        }
        Ok((Place { index: value.index(), ..root }, resource))
    }
}
