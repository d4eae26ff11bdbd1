//! A learned shape as JSON Schema 2020-12.

use serde_json::{Map, Value, json};

use super::text::TextFormat;
use super::{ArrayShape, NumberShape, ObjectShape, Shape, TextShape};

/// How much of what was learned becomes a constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct EmitOptions {
    /// Values seen before lengths, ranges, enumerations and required members are written.
    pub seen_min: u64,
    /// Objects seen before members that were not seen are refused; one that came only once among so many or a hundredth of
    /// them says that more are to come, and keeps the object open.
    pub closed_min: u64,
    /// Values seen before a format, or the type of a parameter's text, is written.
    pub format_min: u64,
    /// How often each enumerated string must have been seen on average.
    pub enum_repeats_min: u64,
    /// Factor by which lengths and counts may grow beyond what was seen.
    pub slack: f64,
    /// Whether objects refuse members that were not seen.
    pub closed: bool,
    /// Whether the shape is a parameter's: strings that are all numbers or booleans are written as such.
    pub parameter: bool,
}

impl EmitOptions {
    /// For contracts that refuse: what was learned must have been seen often enough that the next value is hardly ever new.
    pub const fn enforced() -> Self {
        Self {
            seen_min: 30,
            closed_min: 50,
            format_min: 10,
            enum_repeats_min: 8,
            slack: 2.0,
            closed: true,
            parameter: false,
        }
    }

    /// The same for the text of a parameter.
    pub const fn of_parameter(self) -> Self {
        Self { parameter: true, ..self }
    }
}

impl Default for EmitOptions {
    fn default() -> Self {
        Self {
            seen_min: 30,
            closed_min: 30,
            format_min: 1,
            enum_repeats_min: 8,
            slack: 2.0,
            closed: true,
            parameter: false,
        }
    }
}

impl Shape {
    /// What was learned, as JSON Schema 2020-12: every value that was observed within the bounds fits it.
    pub fn to_json_schema(&self, options: &EmitOptions) -> Value {
        let mut alternatives: Vec<Map<String, Value>> = Vec::new();
        if self.booleans > 0 {
            alternatives.push(typed("boolean"));
        }
        if let Some(number) = &self.number {
            alternatives.push(number_schema(number, options));
        }
        if let Some(text) = &self.text {
            alternatives.push(text_schema(text, options));
        }
        if let Some(array) = &self.array {
            alternatives.push(array_schema(array, options));
        }
        if let Some(object) = &self.object {
            alternatives.push(object_schema(object, options));
        }
        let only = if alternatives.len() == 1 { alternatives.pop() } else { None };
        match only {
            Some(mut schema) => {
                if self.nulls > 0 {
                    make_nullable(&mut schema);
                }
                Value::Object(schema)
            }
            None if alternatives.is_empty() => {
                // Only nulls say nothing about what else may come.
                json!({})
            }
            None => {
                if self.nulls > 0 {
                    alternatives.push(typed("null"));
                }
                json!({ "anyOf": alternatives })
            }
        }
    }
}

fn typed(name: &str) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), name.into());
    schema
}

fn make_nullable(schema: &mut Map<String, Value>) {
    if let Some(name) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([name, "null"]));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

fn number_schema(number: &NumberShape, options: &EmitOptions) -> Map<String, Value> {
    let mut schema = typed(if number.fractions == 0 { "integer" } else { "number" });
    if number.seen >= options.seen_min && number.min >= 0.0 {
        // The sign is a fact of the domain far more often than any bound that was seen so far.
        schema.insert("minimum".to_owned(), 0.into());
    }
    schema
}

fn text_schema(text: &TextShape, options: &EmitOptions) -> Map<String, Value> {
    let format = text.format().filter(|_| text.seen >= options.format_min);
    if options.parameter && text.empty == 0 {
        match format {
            Some(TextFormat::Integer) => return typed("integer"),
            Some(TextFormat::Number) => return typed("number"),
            Some(TextFormat::Boolean) => return typed("boolean"),
            _ => {}
        }
    }
    let mut schema = typed("string");
    let is_known = text.seen >= options.seen_min;
    if let Some(values) = &text.values
        && is_known
        && !matches!(format, Some(TextFormat::Integer | TextFormat::Number | TextFormat::Date | TextFormat::DateTime))
        && values.values().sum::<u64>() >= options.enum_repeats_min.saturating_mul(values.len() as u64)
        && values.values().all(|count| *count > 1)
    {
        schema.insert("enum".to_owned(), values.keys().map(|value| Value::from(&**value)).collect());
        return schema;
    }
    let named = format.and_then(format_name);
    match (named, text.empty) {
        (Some(name), 0) => {
            schema.insert("format".to_owned(), name.into());
        }
        _ if is_known => {
            if let Some(class) = text.letters.class().filter(|_| is_identifier(text)) {
                let repeat = if text.empty > 0 { "*" } else { "+" };
                schema.insert("pattern".to_owned(), format!("^[{class}]{repeat}$").into());
            } else if text.empty == 0 {
                schema.insert("minLength".to_owned(), 1.into());
            }
        }
        _ => {}
    }
    if is_known && named.is_none() {
        let max = if text.length_min == text.length_max && text.letters.class().is_some() {
            schema.insert("minLength".to_owned(), text.length_min.into());
            text.length_max
        } else {
            grown(text.length_max, 32, options)
        };
        schema.insert("maxLength".to_owned(), max.into());
    }
    schema
}

/// Strings seen before words, which have no digits and no fixed length, are held to the letters they had so far.
const WORDS_MIN: u64 = 1_000;

/// Whether the characters seen are the characters to come: identifiers repeat them soon, while the first word with a space
/// or an umlaut may be the five hundredth.
fn is_identifier(text: &TextShape) -> bool {
    let is_fixed = text.length_min == text.length_max;
    is_fixed || text.letters.0 & super::Letters::DIGIT != 0 && text.seen >= 100 || text.seen >= WORDS_MIN
}

fn format_name(format: TextFormat) -> Option<&'static str> {
    Some(match format {
        TextFormat::Uuid => "uuid",
        TextFormat::DateTime => "date-time",
        TextFormat::Date => "date",
        TextFormat::Email => "email",
        TextFormat::Ipv4 => "ipv4",
        TextFormat::Ipv6 => "ipv6",
        TextFormat::Uri => "uri",
        TextFormat::Integer | TextFormat::Number | TextFormat::Boolean | TextFormat::Hex | TextFormat::Jwt => {
            return None;
        }
    })
}

fn grown(seen: u64, least: u64, options: &EmitOptions) -> u64 {
    let grown = (seen as f64 * options.slack.max(1.0)).ceil();
    (grown as u64).max(seen).max(least)
}

fn array_schema(array: &ArrayShape, options: &EmitOptions) -> Map<String, Value> {
    let mut schema = typed("array");
    if array.items.seen > 0 {
        schema.insert("items".to_owned(), array.items.to_json_schema(options));
    }
    if array.seen >= options.seen_min {
        schema.insert("maxItems".to_owned(), grown(array.count_max, 16, options).into());
    }
    schema
}

/// Whether every member has probably been seen: the chance that the next object has a new one is about the share of
/// members that came once (Good and Turing).
fn is_complete(object: &ObjectShape, options: &EmitOptions) -> bool {
    let once = object.properties.values().filter(|property| property.present == 1).count() as u64;
    object.seen >= options.closed_min && once * 100 <= object.seen
}

fn object_schema(object: &ObjectShape, options: &EmitOptions) -> Map<String, Value> {
    let mut schema = typed("object");
    let is_known = object.seen >= options.seen_min;
    if !object.properties.is_empty() {
        let properties: Map<String, Value> = object
            .properties
            .iter()
            .map(|(key, property)| (key.to_string(), property.shape.to_json_schema(options)))
            .collect();
        schema.insert("properties".to_owned(), properties.into());
    }
    let always = |present: u64| is_known && present == object.seen;
    let required: Vec<&str> =
        object.properties.iter().filter(|(_, property)| always(property.present)).map(|(key, _)| &**key).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    match &object.dynamic {
        Some(dynamic) if !object.is_open => {
            schema.insert("additionalProperties".to_owned(), dynamic.shape.to_json_schema(options));
        }
        None if options.closed && !object.is_open && is_complete(object, options) => {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        _ => {}
    }
    if is_known && let Some((tag, variants)) = object.tagged() {
        let alternatives: Vec<Value> = variants
            .iter()
            .map(|(name, variant)| {
                let required = if variant.seen >= options.seen_min { variant.always() } else { vec![tag] };
                json!({ "properties": { tag: { "const": &**name } }, "required": required })
            })
            .collect();
        schema.insert("oneOf".to_owned(), alternatives.into());
    }
    schema
}
