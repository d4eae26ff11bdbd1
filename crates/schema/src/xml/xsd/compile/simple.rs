//! Simple types: restrictions with their facets, lists and unions.

use std::sync::Arc;

use super::super::pattern;
use super::super::simple::{Bound, BoundKind, Facets, Ids, SimpleType, Surroundings, Variety, White};
use super::super::sources::Node;
use super::super::value::Value;
use super::{ANY_TYPE, Builder, TypeId};

/// Most values of one enumeration.
const ENUMERATION_MAX: usize = 100_000;

impl Builder<'_> {
    /// Compiles a simple type, and says which type it is derived from.
    pub(super) fn simple_type(&mut self, node: Node) -> (Arc<SimpleType>, TypeId) {
        let any = self.builtins.get("anySimpleType").copied().unwrap_or(ANY_TYPE);
        let Some(way) = self.sources.children(node).into_iter().next() else {
            self.error(node, "a simple type has no content");
            return (self.any_simple(), any);
        };
        let inline: Vec<Node> =
            self.sources.children(way).into_iter().filter(|child| self.sources.local(*child) == "simpleType").collect();
        match self.sources.local(way).to_owned().as_str() {
            "restriction" => {
                let (base, id) = match (self.sources.attr(way, "base").map(str::to_owned), inline.first()) {
                    (Some(name), _) => {
                        let base = self.simple_named(way, &name);
                        (base, self.named_type(way, &name))
                    }
                    (None, Some(inline)) => (self.simple_of(*inline), self.type_id(*inline, None)),
                    (None, None) => {
                        self.error(way, "a restriction has no base");
                        (self.any_simple(), any)
                    }
                };
                (self.restricted(way, &base), id)
            }
            "list" => {
                let item = match (self.sources.attr(way, "itemType").map(str::to_owned), inline.first()) {
                    (Some(name), _) => self.simple_named(way, &name),
                    (None, Some(inline)) => self.simple_of(*inline),
                    (None, None) => {
                        self.error(way, "a list has no type of its items");
                        self.any_simple()
                    }
                };
                (Arc::new(SimpleType::of(Variety::List(item), White::Collapse)), any)
            }
            "union" => {
                let names = self.sources.attr(way, "memberTypes").unwrap_or_default().to_owned();
                let mut members: Vec<Arc<SimpleType>> =
                    names.split_whitespace().map(|name| self.simple_named(way, name)).collect();
                members.extend(inline.into_iter().map(|inline| self.simple_of(inline)));
                (Arc::new(SimpleType::of(Variety::Union(members), White::Preserve)), any)
            }
            other => {
                self.error(way, &format!("`{other}` makes no simple type"));
                (self.any_simple(), any)
            }
        }
    }

    /// A type narrowed by the facets of a restriction.
    pub(super) fn restricted(&mut self, restriction: Node, base: &Arc<SimpleType>) -> Arc<SimpleType> {
        let mut own = SimpleType::clone(base);
        let mut patterns = Vec::new();
        let mut enumeration = Vec::new();
        for facet in self.sources.children(restriction) {
            let kind = self.sources.local(facet).to_owned();
            if matches!(kind.as_str(), "simpleType" | "attribute" | "attributeGroup" | "anyAttribute") {
                continue;
            }
            let Some(text) = self.sources.attr(facet, "value").map(str::to_owned) else {
                self.error(facet, &format!("`{kind}` is not supported here"));
                continue;
            };
            match kind.as_str() {
                "pattern" => match pattern::compile(&text) {
                    Ok(regex) => patterns.push(regex),
                    Err(message) => self.error(facet, &message),
                },
                "enumeration" if enumeration.len() < ENUMERATION_MAX => {
                    if let Some(value) = self.facet_value(facet, base, &text) {
                        enumeration.push((value, text));
                    }
                }
                "enumeration" => self.error(facet, "an enumeration has too many values"),
                _ => self.facet(facet, &kind, &text, base, &mut own),
            }
        }
        if !patterns.is_empty() {
            own.facets.patterns.push(patterns);
        }
        if !enumeration.is_empty() {
            own.facets.enumeration = Some(enumeration);
        }
        Arc::new(own)
    }

    fn facet(&mut self, node: Node, kind: &str, text: &str, base: &Arc<SimpleType>, own: &mut SimpleType) {
        let bound = match kind {
            "minInclusive" => Some(BoundKind::MinInclusive),
            "minExclusive" => Some(BoundKind::MinExclusive),
            "maxInclusive" => Some(BoundKind::MaxInclusive),
            "maxExclusive" => Some(BoundKind::MaxExclusive),
            _ => None,
        };
        if let Some(kind) = bound {
            // A bound need not be a value of its own base, only of the type that orders it.
            let unbounded = SimpleType { facets: Facets::default(), ..SimpleType::clone(base) };
            if let Some(value) = self.facet_value(node, &Arc::new(unbounded), text) {
                own.facets.bounds.push(Bound { value, shown: text.trim().to_owned(), kind });
            }
            return;
        }
        if kind == "whiteSpace" {
            own.white = match text.trim() {
                "preserve" => White::Preserve,
                "replace" => White::Replace,
                "collapse" => White::Collapse,
                _ => return self.error(node, &format!("`{text}` is no way to treat white space")),
            };
            return;
        }
        let Ok(number) = text.trim().parse::<usize>() else {
            return self.error(node, &format!("`{kind}` is not supported, or `{text}` is no number"));
        };
        let facets = &mut own.facets;
        let least = |known: Option<usize>| Some(known.map_or(number, |known| known.min(number)));
        let most = |known: Option<usize>| Some(known.map_or(number, |known| known.max(number)));
        match kind {
            "length" => (facets.length_min, facets.length_max) = (Some(number), Some(number)),
            "minLength" => facets.length_min = most(facets.length_min),
            "maxLength" => facets.length_max = least(facets.length_max),
            "totalDigits" => facets.digits_max = least(facets.digits_max),
            "fractionDigits" => facets.fraction_digits_max = least(facets.fraction_digits_max),
            _ => self.error(node, &format!("`{kind}` is not supported (XML Schema 1.1 has more than 1.0)")),
        }
    }

    /// The value of a facet, by the type that is narrowed.
    fn facet_value(&mut self, node: Node, base: &Arc<SimpleType>, text: &str) -> Option<Value> {
        let sources = self.sources;
        let resolve = |prefix: &str| {
            let probe = if prefix.is_empty() { "x".to_owned() } else { format!("{prefix}:x") };
            sources.resolve(node, &probe).ok().map(|name| name.namespace)
        };
        let mut ids = Ids::default();
        let found = base.value(&base.treated(text), &mut Surroundings { resolve: &resolve, ids: &mut ids }, 0);
        match found {
            Ok(value) => Some(value),
            Err(expected) => {
                self.error(node, &format!("the value `{text}` of a facet is not {expected}"));
                None
            }
        }
    }
}
