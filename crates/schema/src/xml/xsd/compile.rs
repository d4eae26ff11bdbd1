//! Compiles schema documents to declarations: names become numbers, types know their bases, content models are built.
//!
//! Work stands in a queue rather than on the stack: only bases, groups and anonymous types nest, and those are bounded.

mod attributes;
mod complex;
mod simple;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::name::QName;
use super::model::{ElementId, Model, Occurs, Particle, Process, Spaces, Term, Wildcard};
use super::names::{NameId, Names};
use super::simple::SimpleType;
use super::sources::{Node, Sources};
use super::{XML, XSD, builtin};

pub(super) use attributes::{Attribute, AttributeSet};

/// Most mistakes that are told.
const ERRORS_MAX: usize = 20;
/// Longest chain of bases, groups in groups, or heads of substitution groups.
const CHAIN_MAX: usize = 128;
/// The namespace of SOAP's own encoding, which no schema describes whole.
const SOAP_ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";

/// Number of a type.
pub(super) type TypeId = u32;
/// `anyType`, which takes everything.
pub(super) const ANY_TYPE: TypeId = 0;

/// Ways to derive a type, as bits.
pub(super) const EXTENSION: u8 = 1;
/// See [`EXTENSION`].
pub(super) const RESTRICTION: u8 = 2;
/// Blocks substitution groups.
pub(super) const SUBSTITUTION: u8 = 4;

/// What an element of a complex type may hold.
pub(super) enum Content {
    Simple(Arc<SimpleType>),
    Elements { particle: Arc<Particle>, model: Model },
}

/// A complex type.
pub(super) struct Complex {
    pub(super) attributes: AttributeSet,
    pub(super) content: Content,
    pub(super) is_mixed: bool,
    pub(super) is_abstract: bool,
}

pub(super) enum Kind {
    Simple(Arc<SimpleType>),
    Complex(Complex),
}

/// A type with its place among the types.
pub(super) struct TypeDef {
    pub(super) kind: Kind,
    pub(super) base: TypeId,
    /// How it is derived from its base.
    pub(super) derivation: u8,
    /// Derivations that may not stand in its place.
    pub(super) block: u8,
}

/// An element declaration.
pub(super) struct ElementDecl {
    pub(super) name: NameId,
    pub(super) ty: TypeId,
    pub(super) is_nillable: bool,
    pub(super) is_abstract: bool,
    pub(super) fixed: Option<String>,
    pub(super) has_default: bool,
    pub(super) block: u8,
    /// Elements that may stand in its place.
    pub(super) substitutes: Vec<(NameId, ElementId)>,
}

#[derive(Default)]
struct Slot {
    node: Option<Node>,
    name: Option<QName>,
    def: Option<TypeDef>,
    is_busy: bool,
}

/// Top-level components by name.
#[derive(Default)]
struct Globals {
    elements: HashMap<QName, Node>,
    types: HashMap<QName, Node>,
    groups: HashMap<QName, Node>,
    attribute_groups: HashMap<QName, Node>,
    attributes: HashMap<QName, Node>,
}

pub(super) struct Builder<'s> {
    sources: &'s Sources,
    globals: Globals,
    pub(super) names: Names,
    types: Vec<Slot>,
    types_by_node: HashMap<Node, TypeId>,
    builtins: HashMap<String, TypeId>,
    elements: Vec<Option<ElementDecl>>,
    elements_by_node: HashMap<Node, ElementId>,
    pending_elements: Vec<(ElementId, Node)>,
    groups: HashMap<QName, Option<Arc<Particle>>>,
    attribute_groups: HashMap<QName, Option<Arc<AttributeSet>>>,
    depth: usize,
    errors: Vec<String>,
    unenforced: Vec<String>,
    told: HashSet<String>,
}

/// Everything compiled.
pub(super) struct Compiled {
    pub(super) names: Names,
    pub(super) types: Vec<TypeDef>,
    pub(super) elements: Vec<ElementDecl>,
    pub(super) global_elements: HashMap<NameId, ElementId>,
    pub(super) global_types: HashMap<NameId, TypeId>,
    pub(super) global_attributes: HashMap<NameId, Arc<SimpleType>>,
    pub(super) wrappers: Vec<ElementId>,
    pub(super) unenforced: Vec<String>,
}

/// An element that a WSDL describes by its parts (style `rpc`): each part is a child without namespace, of a named type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Wrapper {
    pub(in super::super) name: QName,
    pub(in super::super) parts: Vec<(String, QName)>,
}

/// Compiles all schemas. The error has a sentence for each mistake.
pub(super) fn compile(sources: &Sources, wrappers: &[Wrapper]) -> Result<Compiled, Vec<String>> {
    let mut builder = Builder::new(sources);
    builder.collect();
    let named = |map: &HashMap<QName, Node>| {
        let mut list: Vec<(QName, Node)> = map.iter().map(|(name, node)| (name.clone(), *node)).collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list
    };
    let elements = named(&builder.globals.elements);
    let types = named(&builder.globals.types);
    let attributes = named(&builder.globals.attributes);
    let global_elements: HashMap<NameId, ElementId> =
        elements.iter().map(|(name, node)| (builder.names.id(name), builder.element_id(*node))).collect();
    let mut global_types: HashMap<NameId, TypeId> = HashMap::new();
    for (name, node) in &types {
        let id = builder.type_id(*node, Some(name));
        global_types.insert(builder.names.id(name), id);
    }
    let builtins: Vec<(String, TypeId)> = builder.builtins.iter().map(|(name, id)| (name.clone(), *id)).collect();
    for (name, id) in builtins {
        global_types.insert(builder.names.id(&QName { namespace: XSD.to_owned(), local: name }), id);
    }
    let mut global_attributes = HashMap::new();
    for (name, node) in &attributes {
        let ty = builder.attribute_type(*node);
        global_attributes.insert(builder.names.id(name), ty);
    }
    let wrappers: Vec<ElementId> = wrappers.iter().map(|wrapper| builder.wrapper(wrapper)).collect();
    builder.work();
    builder.substitute(&elements);
    builder.finish(global_elements, global_types, global_attributes, wrappers)
}

impl<'s> Builder<'s> {
    fn new(sources: &'s Sources) -> Self {
        let mut own = Self {
            sources,
            globals: Globals::default(),
            names: Names::default(),
            types: Vec::new(),
            types_by_node: HashMap::new(),
            builtins: HashMap::new(),
            elements: Vec::new(),
            elements_by_node: HashMap::new(),
            pending_elements: Vec::new(),
            groups: HashMap::new(),
            attribute_groups: HashMap::new(),
            depth: 0,
            errors: Vec::new(),
            unenforced: Vec::new(),
            told: HashSet::new(),
        };
        let everything = Wildcard { spaces: Spaces::Any, process: Process::Lax };
        let any = Particle::One(Term::Any(Arc::new(everything)), Occurs { min: 0, max: u32::MAX });
        let any_type = Complex {
            attributes: AttributeSet::everything(),
            content: Content::Elements { particle: Arc::new(any), model: Model::Empty },
            is_mixed: true,
            is_abstract: false,
        };
        own.builtin("anyType", Kind::Complex(any_type), ANY_TYPE);
        for name in builtin::NAMES {
            if let Some(simple) = builtin::simple(name) {
                let base = own.builtins.get(builtin::base(name)).copied().unwrap_or(ANY_TYPE);
                own.builtin(name, Kind::Simple(Arc::new(simple)), base);
            }
        }
        own
    }

    fn builtin(&mut self, name: &str, kind: Kind, base: TypeId) {
        let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        let def = TypeDef { kind, base, derivation: RESTRICTION, block: 0 };
        self.types.push(Slot { def: Some(def), ..Slot::default() });
        self.builtins.insert(name.to_owned(), id);
    }

    fn error(&mut self, node: Node, message: &str) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(format!("{}: {message}", self.sources.place(node)));
        }
    }

    /// Names something that is not enforced, once.
    fn tell(&mut self, message: String) {
        if self.told.len() < 1_000 && self.told.insert(message.clone()) {
            self.unenforced.push(message);
        }
    }

    /// Gathers the top-level components.
    fn collect(&mut self) {
        for root in self.sources.roots() {
            let target = self.sources.target(root).to_owned();
            for node in self.sources.children(root) {
                let kind = self.sources.local(node).to_owned();
                let map = match kind.as_str() {
                    "element" => &mut self.globals.elements,
                    "complexType" | "simpleType" => &mut self.globals.types,
                    "group" => &mut self.globals.groups,
                    "attributeGroup" => &mut self.globals.attribute_groups,
                    "attribute" => &mut self.globals.attributes,
                    "include" | "import" | "notation" => continue,
                    _ => {
                        self.error(node, &format!("`{kind}` is not supported"));
                        continue;
                    }
                };
                let Some(name) = self.sources.attr(node, "name") else {
                    self.error(node, &format!("`{kind}` has no name"));
                    continue;
                };
                let name = QName { namespace: target.clone(), local: name.trim().to_owned() };
                if map.insert(name.clone(), node).is_some() {
                    self.error(node, &format!("`{name}` is declared twice"));
                }
            }
        }
    }

    fn not_found(&mut self, node: Node, kind: &str, name: &QName) {
        let elsewhere = match self.sources.elsewhere.first() {
            Some(location) => {
                format!("; schemas are not fetched from elsewhere (such as `{location}`): save them and name the file")
            }
            None => String::new(),
        };
        self.error(node, &format!("the {kind} `{name}` is not declared{elsewhere}"));
    }

    fn resolve(&mut self, node: Node, name: &str) -> QName {
        match self.sources.resolve(node, name) {
            Ok(name) => name,
            Err(message) => {
                self.error(node, &message);
                QName::default()
            }
        }
    }

    /// The number of the type that a name means.
    fn named_type(&mut self, node: Node, name: &str) -> TypeId {
        let name = self.resolve(node, name);
        self.type_named(node, &name)
    }

    fn type_named(&mut self, node: Node, name: &QName) -> TypeId {
        if name.namespace == XSD {
            if let Some(id) = self.builtins.get(&name.local) {
                return *id;
            }
        } else if let Some(found) = self.globals.types.get(name).copied() {
            return self.type_id(found, Some(name));
        } else if name.namespace == SOAP_ENCODING {
            self.tell(format!(
                "`{name}` of SOAP's own encoding is not enforced: anything may stand where it is referred to"
            ));
            return ANY_TYPE;
        }
        self.not_found(node, "type", name);
        ANY_TYPE
    }

    /// The number of the type that a node declares.
    fn type_id(&mut self, node: Node, name: Option<&QName>) -> TypeId {
        if let Some(id) = self.types_by_node.get(&node) {
            return *id;
        }
        let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.push(Slot { node: Some(node), name: name.cloned(), ..Slot::default() });
        self.types_by_node.insert(node, id);
        id
    }

    /// The number of the element that a node declares.
    fn element_id(&mut self, node: Node) -> ElementId {
        if let Some(id) = self.elements_by_node.get(&node) {
            return *id;
        }
        let id = u32::try_from(self.elements.len()).unwrap_or(u32::MAX);
        self.elements.push(None);
        self.elements_by_node.insert(node, id);
        self.pending_elements.push((id, node));
        id
    }

    /// Compiles what was asked for until nothing is left.
    fn work(&mut self) {
        let mut at = 0;
        loop {
            if let Some((id, node)) = self.pending_elements.pop() {
                let decl = self.element(node);
                if let Some(slot) = self.elements.get_mut(id as usize) {
                    *slot = Some(decl);
                }
            } else if at < self.types.len() {
                self.ensure(u32::try_from(at).unwrap_or(u32::MAX));
                at += 1;
            } else {
                break;
            }
        }
    }

    /// Compiles a type now, because another one is derived from it. False when it is part of its own bases.
    fn ensure(&mut self, id: TypeId) -> bool {
        let Some(slot) = self.types.get_mut(id as usize) else { return false };
        let Some(node) = slot.node.filter(|_| slot.def.is_none()) else { return true };
        if slot.is_busy {
            let name = slot.name.clone().unwrap_or_default();
            self.error(node, &format!("the type `{name}` is derived from itself"));
            return false;
        }
        slot.is_busy = true;
        self.depth += 1;
        let def = if self.depth > CHAIN_MAX {
            self.error(node, "types are derived from each other too often");
            None
        } else if self.sources.local(node) == "simpleType" {
            let (simple, base) = self.simple_type(node);
            Some(TypeDef { kind: Kind::Simple(simple), base, derivation: RESTRICTION, block: 0 })
        } else {
            self.complex_type(node)
        };
        self.depth -= 1;
        let def = def.unwrap_or_else(|| TypeDef {
            kind: Kind::Simple(Arc::new(SimpleType::of(super::simple::Variety::Any, super::simple::White::Preserve))),
            base: ANY_TYPE,
            derivation: RESTRICTION,
            block: 0,
        });
        if let Some(slot) = self.types.get_mut(id as usize) {
            slot.def = Some(def);
            slot.is_busy = false;
        }
        true
    }

    fn def(&self, id: TypeId) -> Option<&TypeDef> {
        self.types.get(id as usize)?.def.as_ref()
    }

    /// The name that a declaration gives: local ones are qualified where their schema says so.
    fn declared_name(&mut self, node: Node, default: &str) -> QName {
        let local = self.sources.attr(node, "name").unwrap_or_default().trim().to_owned();
        if local.is_empty() {
            self.error(node, "a declaration has neither `name` nor `ref`");
        }
        let root = self.sources.root_of(node);
        let is_global = self.is_global(node);
        let form = self.sources.attr(node, "form").or_else(|| self.sources.attr(root, default));
        let is_qualified = is_global || form == Some("qualified");
        let namespace = if is_qualified { self.sources.target(node).to_owned() } else { String::new() };
        QName { namespace, local }
    }

    fn is_global(&self, node: Node) -> bool {
        let Some(name) = self.sources.attr(node, "name") else { return false };
        let name = QName { namespace: self.sources.target(node).to_owned(), local: name.trim().to_owned() };
        self.globals.elements.get(&name) == Some(&node) || self.globals.attributes.get(&name) == Some(&node)
    }

    fn flag(&self, node: Node, name: &str) -> bool {
        matches!(self.sources.attr(node, name).map(str::trim), Some("true" | "1"))
    }

    fn block(&self, node: Node) -> u8 {
        let root = self.sources.root_of(node);
        let words =
            self.sources.attr(node, "block").or_else(|| self.sources.attr(root, "blockDefault")).unwrap_or_default();
        words.split_whitespace().fold(0, |bits, word| {
            bits | match word {
                "#all" => EXTENSION | RESTRICTION | SUBSTITUTION,
                "extension" => EXTENSION,
                "restriction" => RESTRICTION,
                "substitution" => SUBSTITUTION,
                _ => 0,
            }
        })
    }

    fn element(&mut self, node: Node) -> ElementDecl {
        let name = self.declared_name(node, "elementFormDefault");
        for child in self.sources.children(node) {
            match self.sources.local(child) {
                "simpleType" | "complexType" => {}
                "key" | "unique" | "keyref" => {
                    self.tell(format!(
                        "identity constraints (key, unique, keyref) of the element `{name}` are not enforced"
                    ));
                }
                other => {
                    let message =
                        format!("`{other}` of an element is not supported (XML Schema 1.1 has more than 1.0)");
                    self.error(child, &message);
                }
            }
        }
        let ty = self.element_type(node, 0);
        ElementDecl {
            name: self.names.id(&name),
            ty,
            is_nillable: self.flag(node, "nillable"),
            is_abstract: self.flag(node, "abstract"),
            fixed: self.sources.attr(node, "fixed").map(str::to_owned),
            has_default: self.sources.attr(node, "default").is_some(),
            block: self.block(node),
            substitutes: Vec::new(),
        }
    }

    fn element_type(&mut self, node: Node, chain: usize) -> TypeId {
        if let Some(name) = self.sources.attr(node, "type") {
            let name = name.to_owned();
            return self.named_type(node, &name);
        }
        let is_type = |child: &Node| matches!(self.sources.local(*child), "simpleType" | "complexType");
        if let Some(inline) = self.sources.children(node).into_iter().find(is_type) {
            return self.type_id(inline, None);
        }
        let Some(head) = self.sources.attr(node, "substitutionGroup").map(str::to_owned) else { return ANY_TYPE };
        let head = self.resolve(node, &head);
        match self.globals.elements.get(&head).copied() {
            Some(head) if chain < CHAIN_MAX => self.element_type(head, chain + 1),
            Some(_) => {
                self.error(node, "heads of substitution groups follow each other too often");
                ANY_TYPE
            }
            None => ANY_TYPE,
        }
    }

    /// An element of style `rpc`: its parts in any order.
    fn wrapper(&mut self, wrapper: &Wrapper) -> ElementId {
        let mut members = Vec::new();
        let root = self.sources.roots().first().copied();
        for (part, ty) in &wrapper.parts {
            let name = self.names.id(&QName { namespace: String::new(), local: part.clone() });
            let ty = match (root, self.builtins.get(&ty.local).filter(|_| ty.namespace == XSD)) {
                (_, Some(id)) => *id,
                (Some(root), None) => self.type_named(root, ty),
                (None, None) => {
                    self.errors.push(format!("the type `{ty}` of the part `{part}` is not declared"));
                    ANY_TYPE
                }
            };
            // Toolkits write absent parts as nil.
            members.push((self.push_element(name, ty, true), true));
        }
        let particle = Arc::new(Particle::All(members, Occurs::ONCE));
        let complex = Complex {
            attributes: AttributeSet::default(),
            content: Content::Elements { particle, model: Model::Empty },
            is_mixed: false,
            is_abstract: false,
        };
        let ty = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        let def = TypeDef { kind: Kind::Complex(complex), base: ANY_TYPE, derivation: RESTRICTION, block: 0 };
        self.types.push(Slot { def: Some(def), ..Slot::default() });
        let name = self.names.id(&wrapper.name);
        self.push_element(name, ty, false)
    }

    fn push_element(&mut self, name: NameId, ty: TypeId, is_nillable: bool) -> ElementId {
        let id = u32::try_from(self.elements.len()).unwrap_or(u32::MAX);
        self.elements.push(Some(ElementDecl {
            name,
            ty,
            is_nillable,
            is_abstract: false,
            fixed: None,
            has_default: false,
            block: 0,
            substitutes: Vec::new(),
        }));
        id
    }

    /// Gives each head the members of its substitution group, members of members included.
    fn substitute(&mut self, globals: &[(QName, Node)]) {
        let mut members: HashMap<ElementId, Vec<(NameId, ElementId)>> = HashMap::new();
        for (name, node) in globals {
            let Some(head) = self.sources.attr(*node, "substitutionGroup").map(str::to_owned) else { continue };
            let head = self.resolve(*node, &head);
            let Some(head_node) = self.globals.elements.get(&head).copied() else {
                self.not_found(*node, "element", &head);
                continue;
            };
            let own = (self.names.id(name), self.element_id(*node));
            let head = self.element_id(head_node);
            members.entry(head).or_default().push(own);
        }
        let heads: Vec<ElementId> = members.keys().copied().collect();
        for head in heads {
            let mut seen = HashSet::from([head]);
            let mut list = Vec::new();
            let mut pending = vec![head];
            while let Some(next) = pending.pop() {
                for (name, member) in members.get(&next).into_iter().flatten() {
                    if seen.insert(*member) {
                        list.push((*name, *member));
                        pending.push(*member);
                    }
                }
            }
            if let Some(Some(decl)) = self.elements.get_mut(head as usize)
                && decl.block & SUBSTITUTION == 0
            {
                list.sort_unstable();
                decl.substitutes = list;
            }
        }
    }

    fn finish(
        mut self,
        global_elements: HashMap<NameId, ElementId>,
        global_types: HashMap<NameId, TypeId>,
        global_attributes: HashMap<NameId, Arc<SimpleType>>,
        wrappers: Vec<ElementId>,
    ) -> Result<Compiled, Vec<String>> {
        let mut types = Vec::with_capacity(self.types.len());
        let slots = std::mem::take(&mut self.types);
        for Slot { node, def, .. } in slots {
            let Some(mut def) = def else { continue };
            if let Kind::Complex(Complex { content: Content::Elements { particle, model }, .. }) = &mut def.kind {
                match super::model::compile(particle) {
                    Ok(built) => *model = built,
                    Err(message) => match node {
                        Some(node) => self.error(node, message),
                        None => self.errors.push(message.to_owned()),
                    },
                }
            }
            types.push(def);
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let elements = self.elements.into_iter().flatten().collect();
        let (names, unenforced) = (self.names, self.unenforced);
        Ok(Compiled { names, types, elements, global_elements, global_types, global_attributes, wrappers, unenforced })
    }
}

/// How often a particle may occur. The error says what is wrong with it.
fn occurs(min: Option<&str>, max: Option<&str>) -> Result<Occurs, String> {
    let number = |text: &str| {
        let text = text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // What does not fit is as good as no bound.
        if is_number {
            Ok(text.parse::<u32>().unwrap_or(u32::MAX))
        } else {
            Err(format!("`{text}` is no number of occurrences"))
        }
    };
    let min = min.map_or(Ok(1), number)?;
    let max = match max.map(str::trim) {
        Some("unbounded") => u32::MAX,
        Some(text) => number(text)?,
        None => 1,
    };
    if min > max { Err(format!("`minOccurs` {min} is more than `maxOccurs` {max}")) } else { Ok(Occurs { min, max }) }
}

/// The namespaces that a wildcard of a schema names.
fn spaces(text: Option<&str>, target: &str) -> Spaces {
    match text.map(str::trim) {
        None | Some("##any") => Spaces::Any,
        Some("##other") => Spaces::Other(target.to_owned()),
        Some(list) => Spaces::List(
            list.split_whitespace()
                .map(|word| match word {
                    "##targetNamespace" => target.to_owned(),
                    "##local" => String::new(),
                    _ => word.to_owned(),
                })
                .collect(),
        ),
    }
}

/// What is done with what a wildcard takes.
fn process(text: Option<&str>) -> Process {
    match text.map(str::trim) {
        Some("lax") => Process::Lax,
        Some("skip") => Process::Skip,
        _ => Process::Strict,
    }
}

/// Attributes of the namespace `xml`, which every schema may refer to.
fn xml_attribute(name: &QName) -> Option<Arc<SimpleType>> {
    let of = |name: &str| builtin::simple(name).map(Arc::new);
    match (name.namespace.as_str(), name.local.as_str()) {
        // It may be empty as well as a language.
        (XML, "lang") => of("string"),
        (XML, "space") => of("NCName"),
        (XML, "base") => of("anyURI"),
        (XML, "id") => of("ID"),
        _ => None,
    }
}
