//! Holds a document against compiled schemas: one walk, as deep as the document, whose depth the parser bounds.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::{Element, XmlDocument};
use super::compile::{ANY_TYPE, Attribute, Compiled, Complex, Content, ElementDecl, Kind, TypeDef, TypeId};
use super::model::{ElementId, Model, Process, Run, Term};
use super::names::NameId;
use super::simple::{Ids, SimpleType, Surroundings};
use super::{XML, XSI, XsdViolation};

/// Most violations that are told of one document.
const VIOLATIONS_MAX: usize = 8;
/// Most names that are told as expected.
const NAMES_SHOWN_MAX: usize = 6;

/// What the first element is judged by.
pub(super) enum Root {
    /// The global declaration of its name.
    Declared,
    Element(ElementId),
}

/// Judges one element of a document.
pub(super) fn judge(
    compiled: &Compiled,
    document: &XmlDocument,
    ancestors: &[u32],
    at: u32,
    root: Root,
) -> Vec<XsdViolation> {
    let mut check = Check {
        compiled,
        document,
        prefixes: HashMap::new(),
        path: Vec::new(),
        ids: Ids::default(),
        violations: Vec::new(),
    };
    for element in ancestors.iter().filter_map(|at| document.element(*at)) {
        check.enter(element);
    }
    let Some(element) = document.element(at) else { return check.violations };
    match root {
        Root::Declared => check.wildcard(element, Process::Strict),
        Root::Element(id) => check.scoped(element, |check| check.declared(element, id)),
    }
    let Ids { declared, referred } = std::mem::take(&mut check.ids);
    if referred.iter().any(|id| !declared.contains(id)) {
        check.say("identifiers that elements of the document have");
    }
    check.violations
}

struct Check<'d> {
    compiled: &'d Compiled,
    document: &'d XmlDocument,
    /// The namespaces of each prefix, the innermost last.
    prefixes: HashMap<&'d str, Vec<&'d str>>,
    path: Vec<&'d str>,
    ids: Ids,
    violations: Vec<XsdViolation>,
}

/// The prefix that an attribute declares.
fn declared_prefix(name: &str) -> Option<&str> {
    match name.strip_prefix("xmlns")? {
        "" => Some(""),
        rest => rest.strip_prefix(':'),
    }
}

impl<'d> Check<'d> {
    fn enter(&mut self, element: &'d Element) {
        for (name, value) in &element.attributes {
            if let Some(prefix) = declared_prefix(name) {
                self.prefixes.entry(prefix).or_default().push(value);
            }
        }
    }

    /// Does something within an element: its prefixes in force, its name in the path.
    fn scoped(&mut self, element: &'d Element, inside: impl FnOnce(&mut Self)) {
        self.enter(element);
        self.path.push(element.local_name());
        inside(self);
        self.path.pop();
        for (name, _) in &element.attributes {
            if let Some(list) = declared_prefix(name).and_then(|prefix| self.prefixes.get_mut(prefix)) {
                list.pop();
            }
        }
    }

    fn is_full(&self) -> bool {
        self.violations.len() >= VIOLATIONS_MAX
    }

    fn say(&mut self, expected: &str) {
        self.say_at("", expected);
    }

    fn say_at(&mut self, attribute: &str, expected: &str) {
        if self.is_full() {
            return;
        }
        let mut path = String::new();
        for name in &self.path {
            path.push('/');
            path.push_str(name);
        }
        if !attribute.is_empty() {
            path.push_str("/@");
            path.push_str(attribute);
        }
        self.violations.push(XsdViolation { path, expected: expected.to_owned() });
    }

    fn namespace(&self, prefix: &str) -> Option<&'d str> {
        match self.prefixes.get(prefix).and_then(|list| list.last()) {
            Some(namespace) => Some(namespace),
            None if prefix.is_empty() => Some(""),
            None if prefix == "xml" => Some(XML),
            None => None,
        }
    }

    /// The namespace and local name of an element, whose own prefixes need not have been entered.
    fn name_of(&self, element: &'d Element) -> Option<(&'d str, &'d str)> {
        let (prefix, local) = element.name.split_once(':').unwrap_or(("", &element.name));
        let own = element.attributes.iter().find(|(name, _)| declared_prefix(name) == Some(prefix));
        match own {
            Some((_, namespace)) => Some((namespace, local)),
            None => self.namespace(prefix).map(|namespace| (namespace, local)),
        }
    }

    fn decl(&self, id: ElementId) -> Option<&'d ElementDecl> {
        self.compiled.elements.get(id as usize)
    }

    fn type_of(&self, id: TypeId) -> Option<&'d TypeDef> {
        self.compiled.types.get(id as usize)
    }

    /// An element that a wildcard took, or the root.
    fn wildcard(&mut self, element: &'d Element, process: Process) {
        if process == Process::Skip {
            return;
        }
        let name = self.name_of(element).and_then(|(space, local)| self.compiled.names.find(space, local));
        let found = name.and_then(|name| self.compiled.global_elements.get(&name)).copied();
        self.scoped(element, |check| match (found, process) {
            (Some(id), _) => check.declared(element, id),
            (None, Process::Strict) => check.say("an element that the schema declares"),
            (None, _) => check.typed(element, None, ANY_TYPE),
        });
    }

    /// An element by its declaration; it has been entered.
    fn declared(&mut self, element: &'d Element, id: ElementId) {
        let Some(decl) = self.decl(id) else { return };
        if decl.is_abstract {
            return self.say("an element that may stand in the place of this abstract one");
        }
        self.typed(element, Some(decl), decl.ty);
    }

    /// An attribute of XML Schema itself, such as `xsi:type`.
    fn instance_attribute(&self, element: &'d Element, local: &str) -> Option<&'d str> {
        let found = element.attributes.iter().find(|(name, _)| {
            name.split_once(':').is_some_and(|(prefix, own)| own == local && self.namespace(prefix) == Some(XSI))
        });
        found.map(|(_, value)| value.as_str())
    }

    fn typed(&mut self, element: &'d Element, decl: Option<&'d ElementDecl>, declared: TypeId) {
        if self.is_full() {
            return;
        }
        let block = decl.map_or(0, |decl| decl.block);
        let id = match self.instance_attribute(element, "type") {
            Some(name) => match self.substitute_type(name, declared, block) {
                Some(id) => id,
                None => return self.say_at("type", "a type that is derived from the declared one"),
            },
            None => declared,
        };
        let Some(def) = self.type_of(id) else { return };
        let nil = self.instance_attribute(element, "nil").map(str::trim);
        if !matches!(nil, None | Some("true" | "false" | "0" | "1")) {
            return self.say_at("nil", "`true` or `false`");
        }
        if matches!(nil, Some("true" | "1")) {
            if !decl.is_none_or(|decl| decl.is_nillable) {
                return self.say_at("nil", "a value: the element is not nillable");
            }
            if !element.children.is_empty() || !element.text.is_empty() {
                return self.say("no content, as `xsi:nil` says");
            }
            if let Kind::Complex(complex) = &def.kind {
                self.attributes(element, Some(complex));
            }
            return;
        }
        match &def.kind {
            Kind::Simple(simple) => {
                self.attributes(element, None);
                self.text(element, decl, simple);
            }
            Kind::Complex(complex) if complex.is_abstract => self.say("`xsi:type` with a type that is not abstract"),
            Kind::Complex(complex) => {
                self.attributes(element, Some(complex));
                match &complex.content {
                    Content::Simple(simple) => self.text(element, decl, simple),
                    Content::Elements { model, .. } => self.content(element, decl, complex, model),
                }
            }
        }
    }

    /// The type that `xsi:type` names, where it may stand in the place of the declared one.
    fn substitute_type(&self, name: &str, declared: TypeId, block: u8) -> Option<TypeId> {
        let name = name.trim();
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let name = self.compiled.names.find(self.namespace(prefix)?, local)?;
        let id = *self.compiled.global_types.get(&name)?;
        let block = block | self.type_of(declared)?.block;
        let mut at = id;
        // Bases never come back to themselves: the compiler refuses that.
        while at != declared {
            let def = self.type_of(at)?;
            if at == ANY_TYPE || def.derivation & block != 0 {
                return None;
            }
            at = def.base;
        }
        Some(id)
    }

    fn text(&mut self, element: &'d Element, decl: Option<&'d ElementDecl>, simple: &Arc<SimpleType>) {
        if !element.children.is_empty() {
            return self.say("text without elements");
        }
        if element.text.is_empty() && decl.is_some_and(|decl| decl.has_default || decl.fixed.is_some()) {
            return;
        }
        self.value("", simple, &element.text, decl.and_then(|decl| decl.fixed.as_deref()));
    }

    fn value(&mut self, attribute: &str, simple: &SimpleType, text: &str, fixed: Option<&str>) {
        let mut ids = std::mem::take(&mut self.ids);
        let resolve = |prefix: &str| self.namespace(prefix).map(str::to_owned);
        let mut judged = simple.check(text, &mut Surroundings { resolve: &resolve, ids: &mut ids });
        if let (Ok(()), Some(fixed)) = (&judged, fixed) {
            let mut own = Ids::default();
            let mut around = Surroundings { resolve: &resolve, ids: &mut own };
            let values = [text, fixed].map(|text| simple.value(&simple.treated(text), &mut around, 0));
            if let [Ok(a), Ok(b)] = &values
                && !a.is_same(b)
            {
                judged = Err("the fixed value".into());
            }
        }
        self.ids = ids;
        if let Err(expected) = judged {
            self.say_at(attribute, &expected);
        }
    }

    /// The attributes of an element; a simple type has none.
    fn attributes(&mut self, element: &'d Element, complex: Option<&'d Complex>) {
        let compiled = self.compiled;
        let mut seen: Vec<NameId> = Vec::new();
        for (name, value) in &element.attributes {
            if declared_prefix(name).is_some() {
                continue;
            }
            let (prefix, local) = name.split_once(':').unwrap_or(("", name));
            // A name without prefix is in no namespace (Namespaces in XML, section 6.2).
            let space = if prefix.is_empty() { Some("") } else { self.namespace(prefix) };
            let Some(space) = space else {
                self.say_at(local, "a declared prefix");
                continue;
            };
            if space == XSI && matches!(local, "type" | "nil" | "schemaLocation" | "noNamespaceSchemaLocation") {
                continue;
            }
            let id = compiled.names.find(space, local);
            let own: Option<&Attribute> = id.and_then(|id| complex?.attributes.find(id));
            if let (Some(own), Some(id)) = (own, id) {
                seen.push(id);
                self.value(local, &own.ty, value, own.fixed.as_deref());
                continue;
            }
            let wildcard = complex.and_then(|own| own.attributes.wildcards.iter().find(|wildcard| wildcard.has(space)));
            let global = id.and_then(|id| compiled.global_attributes.get(&id));
            match (wildcard.map(|wildcard| wildcard.process), global) {
                (None, _) => self.say_at(local, "only declared attributes"),
                (Some(Process::Skip), _) | (Some(Process::Lax), None) => {}
                (Some(_), Some(ty)) => self.value(local, ty, value, None),
                (Some(Process::Strict), None) => self.say_at(local, "an attribute that the schema declares"),
            }
        }
        for attribute in complex.into_iter().flat_map(|own| &own.attributes.list) {
            if attribute.is_required && !seen.contains(&attribute.name) {
                self.say_at(compiled.names.local(attribute.name), "the required attribute");
            }
        }
    }

    fn content(&mut self, element: &'d Element, decl: Option<&'d ElementDecl>, complex: &'d Complex, model: &'d Model) {
        if !complex.is_mixed && !element.text.bytes().all(|byte| byte.is_ascii_whitespace()) {
            self.say("elements without text between them");
        }
        if let (Some(fixed), true) = (decl.and_then(|decl| decl.fixed.as_deref()), complex.is_mixed)
            && (!element.children.is_empty() || (!element.text.is_empty() && element.text != fixed))
        {
            self.say("the fixed value");
        }
        match model {
            Model::Empty => {
                if !element.children.is_empty() {
                    self.say("no elements");
                }
            }
            Model::Automaton(automaton) => {
                let mut run = Run::new(automaton);
                for child in self.document.children(element) {
                    if self.is_full() {
                        return;
                    }
                    if !self.step(&mut run, child) {
                        // What follows cannot be placed any more.
                        return;
                    }
                }
                if !run.may_end() {
                    let expected = self.names(&run.expected());
                    self.say(&format!("{expected} before its end"));
                }
            }
            Model::All { members, may_be_empty } => self.all(element, members, *may_be_empty),
        }
    }

    /// The declaration that an element of this name stands for, where a particle is of this one.
    fn stands_for(&self, id: ElementId, name: Option<NameId>) -> Option<ElementId> {
        let (decl, name) = (self.decl(id)?, name?);
        if decl.name == name {
            return Some(id);
        }
        let at = decl.substitutes.binary_search_by_key(&name, |(known, _)| *known).ok()?;
        decl.substitutes.get(at).map(|(_, member)| *member)
    }

    fn step(&mut self, run: &mut Run<'d>, child: &'d Element) -> bool {
        let name = self.name_of(child);
        let Some((space, local)) = name else {
            self.scoped(child, |check| check.say("a declared prefix"));
            return false;
        };
        let id = self.compiled.names.find(space, local);
        let matches = |term: &Term| match term {
            Term::Element(element) => self.stands_for(*element, id).is_some(),
            Term::Any(wildcard) => wildcard.spaces.has(space),
        };
        match run.step(&matches) {
            Some(Term::Element(element)) => {
                if let Some(own) = self.stands_for(*element, id) {
                    self.scoped(child, |check| check.declared(child, own));
                }
                true
            }
            Some(Term::Any(wildcard)) => {
                self.wildcard(child, wildcard.process);
                true
            }
            None => {
                let expected = self.names(&run.expected());
                self.scoped(child, |check| check.say(&expected));
                false
            }
        }
    }

    fn all(&mut self, element: &'d Element, members: &'d [(ElementId, bool)], may_be_empty: bool) {
        let mut seen = vec![false; members.len()];
        for child in self.document.children(element) {
            let id = self.name_of(child).and_then(|(space, local)| self.compiled.names.find(space, local));
            let mut found = members.iter().zip(seen.iter_mut());
            let own = found.find_map(|((member, _), seen)| Some((self.stands_for(*member, id)?, seen)));
            match own {
                Some((own, seen)) if !*seen => {
                    *seen = true;
                    self.scoped(child, |check| check.declared(child, own));
                }
                Some(_) => return self.scoped(child, |check| check.say("the element only once")),
                None => return self.scoped(child, |check| check.say("one of the declared elements")),
            }
        }
        if may_be_empty && element.children.is_empty() {
            return;
        }
        let missing = members.iter().zip(&seen).find(|((_, required), seen)| *required && !**seen);
        if let Some(decl) = missing.and_then(|((member, _), _)| self.decl(*member)) {
            let expected = format!("`{}` before its end", self.compiled.names.local(decl.name));
            self.say(&expected);
        }
    }

    fn names(&self, terms: &[&Term]) -> String {
        let mut list: Vec<String> = Vec::new();
        for term in terms {
            let name = match term {
                Term::Element(id) => {
                    format!("`{}`", self.decl(*id).map_or("", |decl| self.compiled.names.local(decl.name)))
                }
                Term::Any(_) => "an element that the wildcard takes".to_owned(),
            };
            if !list.contains(&name) {
                list.push(name);
            }
            if list.len() >= NAMES_SHOWN_MAX {
                list.push("..".to_owned());
                break;
            }
        }
        match list.as_slice() {
            [] => "no further element".to_owned(),
            _ => list.join(" or "),
        }
    }
}
