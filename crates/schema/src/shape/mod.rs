//! A learned JSON shape: what the values seen at one place have in common, bounded, mergeable, without the values.
//!
//! [`Shape::observe`] folds a value in, [`Shape::merge`] folds another shape in (the order does not matter beyond the
//! bounds), [`Shape::to_json_schema`] writes what was learned as JSON Schema 2020-12. Strings are kept only while a
//! place has few, short, token-like ones (an enumeration); everything else is counts, ranges and formats.
//!
//! Deciding how many observations are enough, and what to do with outliers, is the learner's business.

mod emit;
mod object;
mod text;

use serde::{Deserialize, Serialize};

use crate::json::{Kind, Number, Value};

pub use emit::EmitOptions;
pub use object::{ObjectShape, Property};
pub use text::{Letters, TextFormat, TextShape};

/// Bounds on what one shape may remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeLimits {
    /// Most sub-shapes in the whole tree; beyond, new places are counted but not described.
    pub nodes_max: u32,
    /// Deepest place that is described.
    pub depth_max: u16,
    /// Most declared properties of one object; beyond, the object is a map with dynamic keys.
    pub properties_max: usize,
    /// Most distinct strings before a place is no enumeration.
    pub enum_max: usize,
    /// Longest string of an enumeration, in bytes.
    pub enum_bytes_max: usize,
    /// Most items of one array that are looked at.
    pub items_max: usize,
}

impl Default for ShapeLimits {
    fn default() -> Self {
        Self { nodes_max: 4_000, depth_max: 24, properties_max: 128, enum_max: 24, enum_bytes_max: 40, items_max: 256 }
    }
}

/// What the values at one place looked like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// How many values were seen.
    pub seen: u64,
    /// How many of them were `null`.
    pub nulls: u64,
    /// How many were booleans.
    pub booleans: u64,
    /// Numbers, if there were any.
    pub number: Option<NumberShape>,
    /// Strings, if there were any.
    pub text: Option<Box<TextShape>>,
    /// Arrays, if there were any.
    pub array: Option<Box<ArrayShape>>,
    /// Objects, if there were any.
    pub object: Option<Box<ObjectShape>>,
}

/// Numbers at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberShape {
    /// How many.
    pub seen: u64,
    /// How many were not whole.
    pub fractions: u64,
    /// The smallest, as a double.
    pub min: f64,
    /// The largest, as a double.
    pub max: f64,
}

/// Arrays at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArrayShape {
    /// How many.
    pub seen: u64,
    /// Fewest items.
    pub count_min: u64,
    /// Most items.
    pub count_max: u64,
    /// All items taken together.
    pub items: Shape,
}

/// What is left of the bounds while a value is folded in.
struct Budget<'l> {
    limits: &'l ShapeLimits,
    nodes: u32,
}

impl Shape {
    /// Folds one value in.
    pub fn observe(&mut self, value: Value<'_>, limits: &ShapeLimits) {
        let mut budget = Budget { limits, nodes: limits.nodes_max.saturating_sub(self.nodes()) };
        self.fold(value, 0, &mut budget);
    }

    /// Folds the text of a parameter or form field in, whose type is not known.
    pub fn observe_text(&mut self, text: &str, limits: &ShapeLimits) {
        self.seen += 1;
        self.text.get_or_insert_default().observe(text, limits);
    }

    /// Folds the text of a named parameter in; of a secret by its name no text is kept, however few there are.
    pub fn observe_named(&mut self, name: &str, text: &str, limits: &ShapeLimits) {
        self.observe_text(text, limits);
        self.keep_no_secrets(name);
    }

    fn keep_no_secrets(&mut self, name: &str) {
        if let Some(text) = &mut self.text
            && text.values.is_some()
            && is_secret(name)
        {
            text.values = None;
        }
    }

    /// Folds another shape in.
    pub fn merge(&mut self, other: &Self, limits: &ShapeLimits) {
        let mut budget = Budget { limits, nodes: limits.nodes_max.saturating_sub(self.nodes()) };
        self.fold_shape(other, 0, &mut budget);
    }

    /// How many sub-shapes there are, this one included.
    pub fn nodes(&self) -> u32 {
        let items = self.array.as_ref().map_or(0, |array| array.items.nodes());
        let members = self.object.as_ref().map_or(0, |object| object.nodes());
        items.saturating_add(members).saturating_add(1)
    }

    /// The types seen, most frequent first, `null` excluded.
    pub fn types(&self) -> Vec<(Kind, u64)> {
        let mut types = vec![
            (Kind::Bool, self.booleans),
            (Kind::Number, self.number.as_ref().map_or(0, |number| number.seen)),
            (Kind::String, self.text.as_ref().map_or(0, |text| text.seen)),
            (Kind::Array, self.array.as_ref().map_or(0, |array| array.seen)),
            (Kind::Object, self.object.as_ref().map_or(0, |object| object.seen)),
        ];
        types.retain(|(_, count)| *count > 0);
        types.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        types
    }

    fn fold(&mut self, value: Value<'_>, depth: u16, budget: &mut Budget<'_>) {
        self.seen += 1;
        match value.kind() {
            Kind::Null => self.nulls += 1,
            Kind::Bool => self.booleans += 1,
            Kind::Number => {
                if let Some(number) = value.as_number() {
                    NumberShape::fold(&mut self.number, number);
                }
            }
            Kind::String => {
                self.text.get_or_insert_default().observe(value.as_str().unwrap_or_default(), budget.limits);
            }
            Kind::Array => self.array.get_or_insert_default().fold(value, depth, budget),
            Kind::Object => self.object.get_or_insert_default().fold(value, depth, budget),
        }
    }

    fn fold_shape(&mut self, other: &Self, depth: u16, budget: &mut Budget<'_>) {
        self.seen += other.seen;
        self.nulls += other.nulls;
        self.booleans += other.booleans;
        if let Some(number) = &other.number {
            match &mut self.number {
                Some(own) => {
                    own.seen += number.seen;
                    own.fractions += number.fractions;
                    own.min = own.min.min(number.min);
                    own.max = own.max.max(number.max);
                }
                own => *own = Some(number.clone()),
            }
        }
        if let Some(text) = &other.text {
            self.text.get_or_insert_default().merge(text, budget.limits);
        }
        if let Some(array) = &other.array {
            let own = self.array.get_or_insert_default();
            own.count_min = if own.seen == 0 { array.count_min } else { own.count_min.min(array.count_min) };
            own.count_max = own.count_max.max(array.count_max);
            own.seen += array.seen;
            if depth < budget.limits.depth_max {
                own.items.fold_shape(&array.items, depth + 1, budget);
            }
        }
        if let Some(object) = &other.object {
            self.object.get_or_insert_default().merge(object, depth, budget);
        }
    }
}

/// Names of members and parameters that hold secrets or say who somebody is.
const SECRETS: [&str; 16] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "session",
    "auth",
    "otp",
    "signature",
    "email",
    "phone",
    "ssn",
    "iban",
];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|part| name.contains(part)) || matches!(name.as_str(), "key" | "sid" | "pin" | "code" | "sig")
}

impl NumberShape {
    fn fold(shape: &mut Option<Self>, number: Number<'_>) {
        let value = number.as_f64();
        let shape = shape.get_or_insert(Self { seen: 0, fractions: 0, min: value, max: value });
        shape.seen += 1;
        shape.fractions += u64::from(!number.is_integer());
        shape.min = shape.min.min(value);
        shape.max = shape.max.max(value);
    }
}

impl ArrayShape {
    fn fold(&mut self, array: Value<'_>, depth: u16, budget: &mut Budget<'_>) {
        let count = array.count() as u64;
        self.count_min = if self.seen == 0 { count } else { self.count_min.min(count) };
        self.count_max = self.count_max.max(count);
        self.seen += 1;
        if depth >= budget.limits.depth_max {
            return;
        }
        for item in array.items().into_iter().flatten().take(budget.limits.items_max) {
            self.items.fold(item, depth + 1, budget);
        }
    }
}

#[cfg(test)]
mod tests;
