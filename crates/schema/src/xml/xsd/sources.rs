//! Schema documents: read with everything they include and import from disk, never from the network.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::name::{QName, attribute};
use super::super::{Element, XmlDocument, XmlLimits, local, parse};
use super::XSD;

/// Most schema documents of one contract.
const DOCUMENTS_MAX: usize = 1_000;
/// Largest schema document in bytes.
const DOCUMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;
const DOCUMENT_LIMITS: XmlLimits = XmlLimits {
    bytes_max: DOCUMENT_BYTES_MAX as usize,
    depth_max: 128,
    elements_max: 1_000_000,
    attributes_max: 1_024,
    name_bytes_max: 1_024,
};

/// A document with the parent of each element, so that prefixes can be looked up from anywhere.
#[derive(Clone)]
pub(in super::super) struct Tree {
    pub(in super::super) document: Arc<XmlDocument>,
    parents: Arc<[u32]>,
    /// Name of the file, as it is told.
    label: Arc<str>,
    /// Folder that relative locations start from; without one nothing is read from disk.
    folder: Option<PathBuf>,
}

impl Tree {
    /// A document that was read. `folder` is where relative locations start from.
    pub(in super::super) fn of(document: XmlDocument, label: &str, folder: Option<&Path>) -> Self {
        let mut parents = vec![0; document.elements.len()];
        for (at, element) in (0u32..).zip(&document.elements) {
            for child in &element.children {
                if let Some(parent) = parents.get_mut(*child as usize) {
                    *parent = at;
                }
            }
        }
        Self {
            document: Arc::new(document),
            parents: parents.into(),
            label: label.into(),
            folder: folder.map(Path::to_path_buf),
        }
    }

    /// A document from disk.
    pub(in super::super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let length = std::fs::metadata(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?.len();
        if length > DOCUMENT_BYTES_MAX {
            return Err(format!("`{shown}` is larger than {DOCUMENT_BYTES_MAX} bytes"));
        }
        let bytes = std::fs::read(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
        let document = parse(&bytes, &DOCUMENT_LIMITS).map_err(|error| format!("`{shown}`: {error}"))?;
        Ok(Self::of(document, &shown.to_string(), path.parent()))
    }

    /// The namespace that a prefix stands for at an element.
    fn namespace(&self, mut at: u32, prefix: &str) -> Option<&str> {
        loop {
            let element = self.document.element(at)?;
            let declared = element.attributes.iter().find(|(name, _)| match name.strip_prefix("xmlns") {
                Some("") => prefix.is_empty(),
                Some(rest) => rest.strip_prefix(':') == Some(prefix),
                None => false,
            });
            if let Some((_, namespace)) = declared {
                return Some(namespace);
            }
            if at == 0 {
                break;
            }
            at = self.parents.get(at as usize).copied()?;
        }
        match prefix {
            "" => Some(""),
            "xml" => Some(super::XML),
            _ => None,
        }
    }

    /// A name as it is written at an element, with its namespace.
    pub(in super::super) fn resolve(&self, at: u32, name: &str) -> Result<QName, String> {
        let name = name.trim_matches([' ', '\t', '\r', '\n']);
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        let namespace = self
            .namespace(at, prefix)
            .ok_or_else(|| format!("{}: the prefix of `{name}` is not declared", self.label))?;
        Ok(QName { namespace: namespace.to_owned(), local: local(name).to_owned() })
    }

    /// The name of an element.
    pub(in super::super) fn name(&self, at: u32) -> QName {
        let written = self.document.element(at).map_or("", |element| &element.name);
        self.resolve(at, written).unwrap_or_default()
    }
}

/// One schema: the element `schema` of a document.
struct Schema {
    tree: Tree,
    root: u32,
    target: String,
    /// It has no namespace of its own and took that of the document which includes it.
    is_chameleon: bool,
}

/// An element of one of the schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    schema: u32,
    at: u32,
}

/// All schemas of a contract.
#[derive(Default)]
pub(in super::super) struct Sources {
    schemas: Vec<Schema>,
    /// Files that were read, with the namespace they were read for.
    read: HashSet<(PathBuf, String)>,
    /// Locations that are not on this disk; only of weight when something of them is referred to.
    pub(super) elsewhere: Vec<String>,
    /// Every file read.
    pub(super) files: Vec<PathBuf>,
}

impl Sources {
    /// Adds a schema from disk with everything it refers to.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let tree = Tree::read(path)?;
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        self.files.push(canonical.clone());
        let target = tree.document.root().and_then(|root| attribute(root, "targetNamespace")).unwrap_or_default();
        self.read.insert((canonical, target.to_owned()));
        self.add(tree, 0, None)
    }

    /// Adds the schema at an element with everything it refers to.
    pub(in super::super) fn add(&mut self, tree: Tree, root: u32, includer: Option<&str>) -> Result<(), String> {
        let mut pending = vec![(tree, root, includer.map(str::to_owned))];
        while let Some((tree, root, includer)) = pending.pop() {
            if self.schemas.len() >= DOCUMENTS_MAX {
                return Err(format!("more than {DOCUMENTS_MAX} schema documents"));
            }
            let name = tree.name(root);
            if name.namespace != XSD || name.local != "schema" {
                return Err(format!("{}: expected `schema` of XML Schema, found `{name}`", tree.label));
            }
            let document = Arc::clone(&tree.document);
            let Some(element) = document.element(root) else { continue };
            let own = attribute(element, "targetNamespace").unwrap_or_default();
            let is_chameleon = own.is_empty() && includer.as_deref().is_some_and(|outer| !outer.is_empty());
            let target = match includer {
                Some(outer) if is_chameleon => outer,
                Some(outer) if outer != own => {
                    return Err(format!("{}: included for `{outer}`, but its namespace is `{own}`", tree.label));
                }
                _ => own.to_owned(),
            };
            for child in &element.children {
                let name = tree.name(*child);
                let Some(reference) = document.element(*child).filter(|_| name.namespace == XSD) else { continue };
                let includer = match name.local.as_str() {
                    "include" => Some(target.clone()),
                    "import" => None,
                    _ => continue,
                };
                if let Some((path, tree)) = self.located(&tree, reference, includer.as_deref())? {
                    self.files.push(path);
                    pending.push((tree, 0, includer));
                }
            }
            self.schemas.push(Schema { tree, root, target, is_chameleon });
        }
        Ok(())
    }

    /// The document that an `include` or `import` names; `None` when it was read already or is elsewhere.
    fn located(
        &mut self,
        tree: &Tree,
        reference: &Element,
        includer: Option<&str>,
    ) -> Result<Option<(PathBuf, Tree)>, String> {
        let Some(location) = attribute(reference, "schemaLocation") else { return Ok(None) };
        let is_remote = location.contains("://") || location.starts_with("urn:");
        let Some(folder) = tree.folder.as_ref().filter(|_| !is_remote) else {
            self.elsewhere.push(location.to_owned());
            return match includer {
                Some(_) => Err(format!("{}: `{location}` is not read; save it beside the document", tree.label)),
                None => Ok(None),
            };
        };
        let path = folder.join(location);
        let canonical = match path.canonicalize() {
            Ok(canonical) => canonical,
            Err(error) => return Err(format!("{}: `{location}` cannot be read: {error}", tree.label)),
        };
        let namespace = includer.or_else(|| attribute(reference, "namespace")).unwrap_or_default().to_owned();
        if !self.read.insert((canonical.clone(), namespace)) {
            return Ok(None);
        }
        Ok(Some((canonical.clone(), Tree::read(&canonical)?)))
    }

    /// The elements `schema`.
    pub(super) fn roots(&self) -> Vec<Node> {
        (0u32..).zip(&self.schemas).map(|(schema, source)| Node { schema, at: source.root }).collect()
    }

    fn schema(&self, node: Node) -> Option<&Schema> {
        self.schemas.get(node.schema as usize)
    }

    /// The root of the schema that a node is of.
    pub(super) fn root_of(&self, node: Node) -> Node {
        Node { schema: node.schema, at: self.schema(node).map_or(0, |schema| schema.root) }
    }

    /// The namespace that a node's declarations are in.
    pub(super) fn target(&self, node: Node) -> &str {
        self.schema(node).map_or("", |schema| &schema.target)
    }

    /// Where a node stands, for messages.
    pub(super) fn place(&self, node: Node) -> String {
        let Some(schema) = self.schema(node) else { return String::new() };
        let mut at = node.at;
        // The nearest name around it says more than a number.
        while let Some(element) = schema.tree.document.element(at) {
            if let Some(name) = attribute(element, "name") {
                return format!("{} at {} `{name}`", schema.tree.label, element.local_name());
            }
            if at == schema.root || at == 0 {
                break;
            }
            at = schema.tree.parents.get(at as usize).copied().unwrap_or(0);
        }
        schema.tree.label.to_string()
    }

    /// The local name of a node.
    pub(super) fn local(&self, node: Node) -> &str {
        self.element(node).map_or("", Element::local_name)
    }

    fn element(&self, node: Node) -> Option<&Element> {
        self.schema(node)?.tree.document.element(node.at)
    }

    /// The value of an attribute.
    pub(super) fn attr(&self, node: Node, name: &str) -> Option<&str> {
        attribute(self.element(node)?, name)
    }

    /// The child elements of XML Schema, annotations left out.
    pub(super) fn children(&self, node: Node) -> Vec<Node> {
        let Some(element) = self.element(node) else { return Vec::new() };
        let each = element.children.iter().map(|at| Node { schema: node.schema, at: *at });
        let is_own = |child: &Node| self.is_schema_element(*child) && self.local(*child) != "annotation";
        each.filter(is_own).collect()
    }

    fn is_schema_element(&self, node: Node) -> bool {
        self.schema(node).is_some_and(|schema| schema.tree.name(node.at).namespace == XSD)
    }

    /// A name as it is written at a node.
    pub(super) fn resolve(&self, node: Node, name: &str) -> Result<QName, String> {
        let Some(schema) = self.schema(node) else { return Ok(QName::default()) };
        let mut name = schema.tree.resolve(node.at, name)?;
        if name.namespace.is_empty() && schema.is_chameleon {
            name.namespace.clone_from(&schema.target);
        }
        Ok(name)
    }
}
