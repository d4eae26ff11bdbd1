//! Complex types and the particles of their content.

use std::sync::Arc;

use super::super::model::{ElementId, Model, Occurs, Particle, Term, Wildcard};
use super::super::simple::{SimpleType, Variety, White};
use super::super::sources::Node;
use super::{
    ANY_TYPE, AttributeSet, Builder, CHAIN_MAX, Complex, Content, EXTENSION, Kind, RESTRICTION, TypeDef, TypeId,
    occurs, process, spaces,
};

fn nothing() -> Arc<Particle> {
    Arc::new(Particle::Sequence(Vec::new(), Occurs::ONCE))
}

fn elements(particle: Arc<Particle>) -> Content {
    Content::Elements { particle, model: Model::Empty }
}

/// What of a base a derived type needs.
struct Base {
    attributes: AttributeSet,
    simple: Option<Arc<SimpleType>>,
    particle: Arc<Particle>,
    is_mixed: bool,
}

impl Builder<'_> {
    /// Compiles a complex type.
    pub(super) fn complex_type(&mut self, node: Node) -> Option<TypeDef> {
        let is_abstract = self.flag(node, "abstract");
        let block = self.block(node);
        let mut children = self.sources.children(node).into_iter();
        let first = children.clone().next();
        let first_kind = first.map(|child| self.sources.local(child).to_owned()).unwrap_or_default();
        if let (Some(content), "simpleContent" | "complexContent") = (first, first_kind.as_str()) {
            let derivation = self.sources.children(content).into_iter().next();
            let Some(derivation) = derivation else {
                self.error(content, "a derivation has neither `extension` nor `restriction`");
                return None;
            };
            let is_extension = match self.sources.local(derivation) {
                "extension" => true,
                "restriction" => false,
                other => {
                    let message = format!("`{other}` is neither `extension` nor `restriction`");
                    self.error(derivation, &message);
                    return None;
                }
            };
            let Some(name) = self.sources.attr(derivation, "base").map(str::to_owned) else {
                self.error(derivation, "a derivation has no base");
                return None;
            };
            let base_id = self.named_type(derivation, &name);
            let base = self.base(base_id)?;
            let own = self.attribute_set(derivation);
            let attributes = base.attributes.derived(&own, is_extension);
            let (content, is_mixed) = if first_kind == "simpleContent" {
                (self.simple_content(derivation, &base, is_extension)?, false)
            } else {
                let says = self.sources.attr(content, "mixed").is_some();
                let is_mixed = self.flag(if says { content } else { node }, "mixed")
                    || (is_extension && base.is_mixed && base_id != ANY_TYPE);
                (elements(self.derived_particle(derivation, &base, is_extension)), is_mixed)
            };
            let complex = Complex { attributes: attributes.without_prohibited(), content, is_mixed, is_abstract };
            let derivation = if is_extension { EXTENSION } else { RESTRICTION };
            return Some(TypeDef { kind: Kind::Complex(complex), base: base_id, derivation, block });
        }
        let particle = children.find_map(|child| self.particle(child)).unwrap_or_else(nothing);
        self.refuse_unknown(node);
        let complex = Complex {
            attributes: self.attribute_set(node).without_prohibited(),
            content: elements(particle),
            is_mixed: self.flag(node, "mixed"),
            is_abstract,
        };
        Some(TypeDef { kind: Kind::Complex(complex), base: ANY_TYPE, derivation: RESTRICTION, block })
    }

    /// Names what stands in a type and is no part of version 1.0.
    fn refuse_unknown(&mut self, node: Node) {
        for child in self.sources.children(node) {
            let kind = self.sources.local(child).to_owned();
            let is_known = matches!(
                kind.as_str(),
                "group" | "all" | "choice" | "sequence" | "attribute" | "attributeGroup" | "anyAttribute"
            );
            if !is_known {
                self.error(child, &format!("`{kind}` is not supported here (XML Schema 1.1 has more than 1.0)"));
            }
        }
    }

    fn base(&mut self, id: TypeId) -> Option<Base> {
        if !self.ensure(id) {
            return None;
        }
        Some(match &self.def(id)?.kind {
            Kind::Simple(simple) => Base {
                attributes: AttributeSet::default(),
                simple: Some(Arc::clone(simple)),
                particle: nothing(),
                is_mixed: false,
            },
            Kind::Complex(complex) => {
                let (simple, particle) = match &complex.content {
                    Content::Simple(simple) => (Some(Arc::clone(simple)), nothing()),
                    Content::Elements { particle, .. } => (None, Arc::clone(particle)),
                };
                Base { attributes: complex.attributes.clone(), simple, particle, is_mixed: complex.is_mixed }
            }
        })
    }

    fn simple_content(&mut self, derivation: Node, base: &Base, is_extension: bool) -> Option<Content> {
        let inline =
            self.sources.children(derivation).into_iter().find(|child| self.sources.local(*child) == "simpleType");
        let inline = inline.filter(|_| !is_extension).map(|inline| self.simple_of(inline));
        let Some(simple) = inline.or_else(|| base.simple.clone()) else {
            if base.is_mixed {
                return Some(Content::Simple(Arc::new(SimpleType::of(Variety::Any, White::Preserve))));
            }
            self.error(derivation, "simple content is derived from a type that has none");
            return None;
        };
        let simple = if is_extension { simple } else { self.restricted(derivation, &simple) };
        Some(Content::Simple(simple))
    }

    fn derived_particle(&mut self, derivation: Node, base: &Base, is_extension: bool) -> Arc<Particle> {
        if base.simple.is_some() {
            self.error(derivation, "complex content is derived from a type with simple content");
        }
        let own = self.sources.children(derivation).into_iter().find_map(|child| self.particle(child));
        self.refuse_unknown(derivation);
        let own = own.unwrap_or_else(nothing);
        match (is_extension, base.particle.is_empty(), own.is_empty()) {
            (false, ..) | (true, true, _) => own,
            (true, false, true) => Arc::clone(&base.particle),
            (true, false, false) => Arc::new(Particle::Sequence(vec![Arc::clone(&base.particle), own], Occurs::ONCE)),
        }
    }

    /// A particle; `None` when the node is something else.
    fn particle(&mut self, node: Node) -> Option<Arc<Particle>> {
        let kind = self.sources.local(node).to_owned();
        if !matches!(kind.as_str(), "element" | "group" | "any" | "all" | "choice" | "sequence") {
            return None;
        }
        let occurs = match occurs(self.sources.attr(node, "minOccurs"), self.sources.attr(node, "maxOccurs")) {
            Ok(occurs) => occurs,
            Err(message) => {
                self.error(node, &message);
                Occurs::ONCE
            }
        };
        Some(match kind.as_str() {
            "element" => {
                let id = self.element_reference(node)?;
                Arc::new(Particle::One(Term::Element(id), occurs))
            }
            "any" => {
                let wildcard = Wildcard {
                    spaces: spaces(self.sources.attr(node, "namespace"), self.sources.target(node)),
                    process: process(self.sources.attr(node, "processContents")),
                };
                Arc::new(Particle::One(Term::Any(Arc::new(wildcard)), occurs))
            }
            "group" => {
                let inner = self.group(node)?;
                match (occurs, &*inner) {
                    (Occurs::ONCE, _) => inner,
                    (_, Particle::All(members, _)) => Arc::new(Particle::All(members.clone(), occurs)),
                    _ => Arc::new(Particle::Sequence(vec![inner], occurs)),
                }
            }
            "all" => Arc::new(Particle::All(self.all(node), occurs)),
            _ => {
                let parts = self.sources.children(node);
                let parts: Vec<Arc<Particle>> = parts.into_iter().filter_map(|part| self.particle(part)).collect();
                let is_choice = kind == "choice";
                Arc::new(if is_choice { Particle::Choice(parts, occurs) } else { Particle::Sequence(parts, occurs) })
            }
        })
    }

    fn element_reference(&mut self, node: Node) -> Option<ElementId> {
        let Some(name) = self.sources.attr(node, "ref").map(str::to_owned) else { return Some(self.element_id(node)) };
        let name = self.resolve(node, &name);
        match self.globals.elements.get(&name).copied() {
            Some(found) => Some(self.element_id(found)),
            None => {
                self.not_found(node, "element", &name);
                None
            }
        }
    }

    /// The members of a group `all` with whether they must be there.
    fn all(&mut self, node: Node) -> Vec<(ElementId, bool)> {
        let mut members = Vec::new();
        for child in self.sources.children(node) {
            let counts = occurs(self.sources.attr(child, "minOccurs"), self.sources.attr(child, "maxOccurs"));
            match (self.sources.local(child), counts) {
                ("element", Ok(counts)) if counts.max <= 1 => {
                    if counts.max == 1
                        && let Some(id) = self.element_reference(child)
                    {
                        members.push((id, counts.min == 1));
                    }
                }
                _ => self.error(child, "in `all` only elements stand, each at most once (XML Schema 1.1 has more)"),
            }
        }
        members
    }

    fn group(&mut self, node: Node) -> Option<Arc<Particle>> {
        let Some(name) = self.sources.attr(node, "ref").map(str::to_owned) else {
            self.error(node, "a `group` here needs `ref`");
            return None;
        };
        let name = self.resolve(node, &name);
        match self.groups.get(&name) {
            Some(Some(known)) => return Some(Arc::clone(known)),
            Some(None) => {
                self.error(node, &format!("the group `{name}` is part of itself"));
                return None;
            }
            None => {}
        }
        let Some(found) = self.globals.groups.get(&name).copied() else {
            self.not_found(node, "group", &name);
            return None;
        };
        self.groups.insert(name.clone(), None);
        self.depth += 1;
        let particle = if self.depth > CHAIN_MAX {
            self.error(node, "groups are nested too deeply");
            None
        } else {
            self.sources.children(found).into_iter().find_map(|child| self.particle(child))
        };
        self.depth -= 1;
        let particle = particle.unwrap_or_else(nothing);
        self.groups.insert(name, Some(Arc::clone(&particle)));
        Some(particle)
    }
}
