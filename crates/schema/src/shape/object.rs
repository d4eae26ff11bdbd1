//! Objects at one place: which keys, how often, keys that are data, and variants told apart by a tag.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::TextFormat;
use super::{Budget, Shape};
use crate::json::Value;

/// Members that tell variants of an object apart, as APIs name them.
const TAGS: &[&str] = &[
    "type",
    "kind",
    "object",
    "event",
    "action",
    "op",
    "method",
    "__typename",
    "@type",
    "eventType",
    "event_type",
    "objectType",
];
/// Most variants of one object.
const VARIANTS_MAX: usize = 24;
/// Most keys remembered for one variant.
const VARIANT_KEYS_MAX: usize = 64;

/// Objects at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectShape {
    /// How many.
    pub seen: u64,
    /// Members with a fixed key.
    pub properties: BTreeMap<Box<str>, Property>,
    /// Members whose keys are data (identifiers, dates) or were too many.
    pub dynamic: Option<Box<Property>>,
    /// True once the keys were too many: all of them are data and go to `dynamic`.
    pub is_map: bool,
    /// True once members were seen that the bounds did not let be described: the object must stay open.
    pub is_open: bool,
    /// Keys by the value of a tag member: tag, then value, then how often and with which keys.
    pub variants: BTreeMap<Box<str>, BTreeMap<Box<str>, Variant>>,
}

/// A member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// In how many objects it was present.
    pub present: u64,
    /// What its values looked like.
    pub shape: Shape,
}

/// Objects with one value of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// How many.
    pub seen: u64,
    /// How often each key was there.
    pub keys: BTreeMap<Box<str>, u64>,
}

impl ObjectShape {
    pub(super) fn nodes(&self) -> u32 {
        let fixed = self.properties.values().map(|property| property.shape.nodes());
        let dynamic = self.dynamic.iter().map(|property| property.shape.nodes());
        fixed.chain(dynamic).fold(0, u32::saturating_add)
    }

    pub(super) fn fold(&mut self, object: Value<'_>, depth: u16, budget: &mut Budget<'_>) {
        self.seen += 1;
        if depth >= budget.limits.depth_max {
            self.is_open = true;
            return;
        }
        if !self.is_map {
            self.fold_variant(object);
        }
        let mut has_dynamic = false;
        for (key, value) in object.members().into_iter().flatten() {
            if let Some(property) = self.properties.get_mut(key) {
                property.present += 1;
                property.shape.fold(value, depth + 1, budget);
                property.shape.keep_no_secrets(key);
                continue;
            }
            if is_data(key) {
                has_dynamic = true;
                self.dynamic.get_or_insert_default().shape.fold(value, depth + 1, budget);
                continue;
            }
            if !self.is_map && self.properties.len() >= budget.limits.properties_max {
                self.collapse(depth, budget);
            }
            if self.is_map {
                has_dynamic = true;
                self.dynamic.get_or_insert_default().shape.fold(value, depth + 1, budget);
            } else if budget.nodes == 0 {
                self.is_open = true;
            } else {
                budget.nodes -= 1;
                let property = self.properties.entry(key.into()).or_default();
                property.present += 1;
                property.shape.fold(value, depth + 1, budget);
                property.shape.keep_no_secrets(key);
            }
        }
        if has_dynamic && let Some(dynamic) = &mut self.dynamic {
            dynamic.present += 1;
        }
    }

    /// Turns an object with too many different keys into a map: its keys are data.
    fn collapse(&mut self, depth: u16, budget: &mut Budget<'_>) {
        let properties = std::mem::take(&mut self.properties);
        let dynamic = self.dynamic.get_or_insert_default();
        for property in properties.values() {
            dynamic.present = dynamic.present.max(property.present);
            dynamic.shape.fold_shape(&property.shape, depth + 1, budget);
        }
        self.variants.clear();
        self.is_map = true;
    }

    fn fold_variant(&mut self, object: Value<'_>) {
        for tag in TAGS {
            let Some(name) = object.get(tag).and_then(Value::as_str) else { continue };
            let is_name = (1..=40).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'));
            let variants = self.variants.entry((*tag).into()).or_default();
            if !is_name || (variants.len() >= VARIANTS_MAX && !variants.contains_key(name)) {
                // Too many values: not a tag. An empty map remembers that.
                variants.clear();
                variants.insert("".into(), Variant::default());
                continue;
            }
            if variants.contains_key("") {
                continue;
            }
            let variant = variants.entry(name.into()).or_default();
            variant.seen += 1;
            for (key, _) in object.members().into_iter().flatten() {
                if let Some(count) = variant.keys.get_mut(key) {
                    *count += 1;
                } else if variant.keys.len() < VARIANT_KEYS_MAX && !is_data(key) {
                    variant.keys.insert(key.into(), 1);
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self, depth: u16, budget: &mut Budget<'_>) {
        self.seen += other.seen;
        self.is_open |= other.is_open;
        if depth >= budget.limits.depth_max {
            self.is_open = true;
            return;
        }
        if other.is_map && !self.is_map {
            self.collapse(depth, budget);
        }
        for (key, property) in &other.properties {
            if !self.properties.contains_key(key)
                && !self.is_map
                && self.properties.len() >= budget.limits.properties_max
            {
                self.collapse(depth, budget);
            }
            if self.is_map {
                let own = self.dynamic.get_or_insert_default();
                own.present = own.present.max(property.present);
                own.shape.fold_shape(&property.shape, depth + 1, budget);
                continue;
            }
            if !self.properties.contains_key(key) {
                if budget.nodes == 0 {
                    self.is_open = true;
                    continue;
                }
                budget.nodes -= 1;
            }
            let own = self.properties.entry(key.clone()).or_default();
            own.present += property.present;
            own.shape.fold_shape(&property.shape, depth + 1, budget);
        }
        if let Some(dynamic) = &other.dynamic {
            let own = self.dynamic.get_or_insert_default();
            own.present += dynamic.present;
            own.shape.fold_shape(&dynamic.shape, depth + 1, budget);
        }
        if !self.is_map {
            self.merge_variants(other);
        }
    }

    fn merge_variants(&mut self, other: &Self) {
        for (tag, variants) in &other.variants {
            let own = self.variants.entry(tag.clone()).or_default();
            for (name, variant) in variants {
                let into = own.entry(name.clone()).or_default();
                into.seen += variant.seen;
                for (key, count) in &variant.keys {
                    if into.keys.len() < VARIANT_KEYS_MAX || into.keys.contains_key(key) {
                        *into.keys.entry(key.clone()).or_default() += count;
                    }
                }
            }
            if own.len() > VARIANTS_MAX || own.contains_key("") {
                own.clear();
                own.insert("".into(), Variant::default());
            }
        }
    }

    /// The tag that tells variants apart, with the variants: every object had it, there are at least two, and they
    /// differ in the keys they always have.
    pub fn tagged(&self) -> Option<(&str, &BTreeMap<Box<str>, Variant>)> {
        self.variants.iter().find_map(|(tag, variants)| {
            let total: u64 = variants.values().map(|variant| variant.seen).sum();
            if variants.len() < 2 || variants.contains_key("") || total != self.seen {
                return None;
            }
            let mut always = variants.values().map(Variant::always);
            let first = always.next()?;
            always.any(|keys| keys != first).then_some((&**tag, variants))
        })
    }
}

impl Variant {
    /// The keys every object of this variant had.
    pub fn always(&self) -> Vec<&str> {
        self.keys.iter().filter(|(_, count)| **count == self.seen).map(|(key, _)| &**key).collect()
    }
}

/// Whether a key is data rather than a name: an identifier, a number, a date, a path.
fn is_data(key: &str) -> bool {
    key.len() > 64
        || (!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()))
        || TextFormat::Uuid.holds(key)
        || TextFormat::Hex.holds(key)
        || TextFormat::Date.holds(key)
        || TextFormat::DateTime.holds(key)
        || TextFormat::Email.holds(key)
        || TextFormat::Uri.holds(key)
}
