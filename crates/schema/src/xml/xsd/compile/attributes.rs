//! Attributes: declared ones, groups of them, and wildcards.

use std::sync::Arc;

use super::super::model::{Process, Spaces};
use super::super::names::NameId;
use super::super::simple::SimpleType;
use super::super::sources::Node;
use super::{ANY_TYPE, Builder, CHAIN_MAX, Kind, QName, SOAP_ENCODING, builtin, process, spaces, xml_attribute};

/// An attribute that an element may have.
#[derive(Clone)]
pub(in super::super) struct Attribute {
    pub(in super::super) name: NameId,
    pub(in super::super) is_required: bool,
    pub(in super::super) is_prohibited: bool,
    pub(in super::super) ty: Arc<SimpleType>,
    pub(in super::super) fixed: Option<String>,
}

/// Attributes that no declaration names: all of the sets of namespaces must have them.
#[derive(Clone)]
pub(in super::super) struct AttributeWildcard {
    pub(in super::super) spaces: Vec<Spaces>,
    pub(in super::super) process: Process,
}

impl AttributeWildcard {
    pub(in super::super) fn has(&self, namespace: &str) -> bool {
        self.spaces.iter().all(|spaces| spaces.has(namespace))
    }
}

/// The attributes of a type or a group.
#[derive(Clone, Default)]
pub(in super::super) struct AttributeSet {
    /// Sorted by name.
    pub(in super::super) list: Vec<Attribute>,
    /// One of them must take what is not declared.
    pub(in super::super) wildcards: Vec<AttributeWildcard>,
}

impl AttributeSet {
    /// Every attribute there is.
    pub(super) fn everything() -> Self {
        let all = AttributeWildcard { spaces: vec![Spaces::Any], process: Process::Lax };
        Self { list: Vec::new(), wildcards: vec![all] }
    }

    pub(in super::super) fn find(&self, name: NameId) -> Option<&Attribute> {
        let at = self.list.binary_search_by_key(&name, |attribute| attribute.name).ok()?;
        self.list.get(at)
    }

    fn set(&mut self, attribute: Attribute) {
        match self.list.binary_search_by_key(&attribute.name, |known| known.name) {
            Ok(at) => {
                if let Some(known) = self.list.get_mut(at) {
                    *known = attribute;
                }
            }
            Err(at) => self.list.insert(at, attribute),
        }
    }

    /// What a type has whose base has these.
    pub(super) fn derived(&self, own: &Self, is_extension: bool) -> Self {
        let mut all = self.clone();
        for attribute in &own.list {
            all.set(attribute.clone());
        }
        if is_extension {
            all.wildcards.extend(own.wildcards.iter().cloned());
        } else {
            all.wildcards.clone_from(&own.wildcards);
        }
        all
    }

    pub(super) fn without_prohibited(mut self) -> Self {
        self.list.retain(|attribute| !attribute.is_prohibited);
        self
    }
}

impl Builder<'_> {
    /// The attributes that a type or group declares itself.
    pub(super) fn attribute_set(&mut self, owner: Node) -> AttributeSet {
        let mut set = AttributeSet::default();
        let mut own: Option<AttributeWildcard> = None;
        let mut groups: Vec<AttributeWildcard> = Vec::new();
        for node in self.sources.children(owner) {
            match self.sources.local(node) {
                "attribute" => {
                    if let Some(attribute) = self.attribute(node) {
                        set.set(attribute);
                    }
                }
                "attributeGroup" => {
                    let group = self.attribute_group(node);
                    for attribute in &group.list {
                        set.set(attribute.clone());
                    }
                    groups.extend(group.wildcards.iter().cloned());
                }
                "anyAttribute" => {
                    own = Some(AttributeWildcard {
                        spaces: vec![spaces(self.sources.attr(node, "namespace"), self.sources.target(node))],
                        process: process(self.sources.attr(node, "processContents")),
                    });
                }
                _ => {}
            }
        }
        // Part 1, section 3.4.2: the wildcards of groups and the own one are taken together, the own one says how.
        let how = own.as_ref().or(groups.first()).map(|wildcard| wildcard.process);
        if let Some(process) = how {
            let spaces = own.iter().chain(&groups).flat_map(|wildcard| wildcard.spaces.iter().cloned()).collect();
            set.wildcards.push(AttributeWildcard { spaces, process });
        }
        set
    }

    fn attribute(&mut self, node: Node) -> Option<Attribute> {
        let usage = self.sources.attr(node, "use").map(str::trim);
        let (is_required, is_prohibited) = (usage == Some("required"), usage == Some("prohibited"));
        let mut fixed = self.sources.attr(node, "fixed").map(str::to_owned);
        let Some(reference) = self.sources.attr(node, "ref").map(str::to_owned) else {
            let name = self.declared_name(node, "attributeFormDefault");
            let ty = self.attribute_type(node);
            let name = self.names.id(&name);
            return Some(Attribute { name, is_required, is_prohibited, ty, fixed });
        };
        let name = self.resolve(node, &reference);
        let ty = if let Some(found) = self.globals.attributes.get(&name).copied() {
            fixed = fixed.or_else(|| self.sources.attr(found, "fixed").map(str::to_owned));
            self.attribute_type(found)
        } else if let Some(ty) = xml_attribute(&name) {
            ty
        } else if name.namespace == SOAP_ENCODING {
            self.any_simple()
        } else {
            self.not_found(node, "attribute", &name);
            return None;
        };
        let name = self.names.id(&name);
        Some(Attribute { name, is_required, is_prohibited, ty, fixed })
    }

    pub(super) fn any_simple(&self) -> Arc<SimpleType> {
        builtin::simple("anySimpleType").map_or_else(
            || Arc::new(SimpleType::of(super::super::simple::Variety::Any, super::super::simple::White::Preserve)),
            Arc::new,
        )
    }

    /// The type of an attribute that is declared here.
    pub(super) fn attribute_type(&mut self, node: Node) -> Arc<SimpleType> {
        if let Some(name) = self.sources.attr(node, "type").map(str::to_owned) {
            return self.simple_named(node, &name);
        }
        match self.sources.children(node).into_iter().find(|child| self.sources.local(*child) == "simpleType") {
            Some(inline) => self.simple_of(inline),
            None => self.any_simple(),
        }
    }

    /// A simple type by name.
    pub(super) fn simple_named(&mut self, node: Node, name: &str) -> Arc<SimpleType> {
        let id = self.named_type(node, name);
        let is_right = self.ensure(id);
        match self.def(id).map(|def| &def.kind) {
            Some(Kind::Simple(simple)) if is_right => Arc::clone(simple),
            _ => {
                if is_right && id != ANY_TYPE {
                    self.error(node, &format!("`{name}` is no simple type"));
                }
                self.any_simple()
            }
        }
    }

    /// A simple type that is declared in place.
    pub(super) fn simple_of(&mut self, node: Node) -> Arc<SimpleType> {
        let id = self.type_id(node, None);
        let is_right = self.ensure(id);
        match self.def(id).map(|def| &def.kind) {
            Some(Kind::Simple(simple)) if is_right => Arc::clone(simple),
            _ => self.any_simple(),
        }
    }

    fn attribute_group(&mut self, node: Node) -> Arc<AttributeSet> {
        let Some(name) = self.sources.attr(node, "ref").map(str::to_owned) else {
            self.error(node, "an `attributeGroup` here needs `ref`");
            return Arc::default();
        };
        let name: QName = self.resolve(node, &name);
        match self.attribute_groups.get(&name) {
            Some(Some(known)) => return Arc::clone(known),
            Some(None) => {
                self.error(node, &format!("the attribute group `{name}` is part of itself"));
                return Arc::default();
            }
            None => {}
        }
        let Some(found) = self.globals.attribute_groups.get(&name).copied() else {
            self.not_found(node, "attribute group", &name);
            return Arc::default();
        };
        self.attribute_groups.insert(name.clone(), None);
        self.depth += 1;
        let set = if self.depth > CHAIN_MAX {
            self.error(node, "attribute groups are nested too deeply");
            Arc::default()
        } else {
            Arc::new(self.attribute_set(found))
        };
        self.depth -= 1;
        self.attribute_groups.insert(name, Some(Arc::clone(&set)));
        set
    }
}
