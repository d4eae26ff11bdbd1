//! Values that a schema allows.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// How deeply schemas are followed.
const DEPTH_MAX: usize = 12;
/// Longest text and list that is made.
const LENGTH_MAX: usize = 4096;
/// Texts that common patterns allow.
const STOCK: &[&str] = &[
    "a",
    "abc",
    "A",
    "ABC",
    "1",
    "12",
    "1234",
    "123456",
    "a1",
    "abc123",
    "abc-def",
    "abc_def",
    "2024-01-31",
    "2024-01-31T12:00:00Z",
    "12:00:00",
    "6f1cbb2e-7b0f-4c0e-9d2a-3a1f0c9d8e7b",
    "someone@example.com",
    "https://example.com/a",
    "example.com",
    "192.0.2.7",
    "+4915112345678",
    "USD",
    "en",
    "en-US",
    "1.0.0",
    "0123456789abcdef",
    "AAAA",
    "/a",
    "#ffffff",
    "1.5",
];

/// How much of an object is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    /// Only what is required.
    Required,
    /// Everything declared.
    Full,
}

/// The document, for references.
pub(super) struct Sampler<'d> {
    pub(super) root: &'d Value,
    /// Values that may still be made for this operation: schemas that refer to each other multiply.
    pub(super) budget: Cell<usize>,
}

/// Values made for one operation.
pub(super) const BUDGET: usize = 20_000;

impl<'d> Sampler<'d> {
    /// The value itself, or what it refers to within the document; `None` for other documents and for circles.
    pub(super) fn follow(&self, value: &'d Value) -> Option<&'d Value> {
        let mut value = value;
        for _ in 0..16 {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Some(value) };
            let pointer = reference.strip_prefix('#')?;
            value = self.root.pointer(&percent(pointer))?;
        }
        None
    }

    /// A value that the schema allows.
    pub(super) fn sample(&self, schema: &'d Value, extent: Extent, depth: usize) -> Option<Value> {
        let left = self.budget.get().checked_sub(1).filter(|_| depth <= DEPTH_MAX)?;
        self.budget.set(left);
        let schema = self.follow(schema)?;
        let Value::Object(keywords) = schema else {
            return (schema != &Value::Bool(false)).then(|| json!("abc"));
        };
        if let Some(constant) = keywords.get("const") {
            return Some(constant.clone());
        }
        if let Some(list) = keywords.get("enum").and_then(Value::as_array) {
            return list.iter().find(|value| !value.is_null()).or_else(|| list.first()).cloned();
        }
        if let Some(parts) = keywords.get("allOf").and_then(Value::as_array) {
            return self.all_of(schema, parts, extent, depth);
        }
        for key in ["oneOf", "anyOf"] {
            let branches = keywords.get(key).and_then(Value::as_array).filter(|branches| !branches.is_empty());
            if let Some(branches) = branches {
                let branch = branches.iter().find_map(|branch| self.sample(branch, extent, depth + 1))?;
                let own = keywords.contains_key("properties").then(|| self.object(schema, extent, depth)).flatten();
                return Some(merged(own, branch));
            }
        }
        match kind(schema)? {
            "object" => self.object(schema, extent, depth),
            "array" => self.array(schema, extent, depth),
            "string" => text(schema),
            "integer" => number(schema, true),
            "number" => number(schema, false),
            "boolean" => Some(Value::Bool(true)),
            _ => Some(Value::Null),
        }
    }

    fn all_of(&self, schema: &'d Value, parts: &'d [Value], extent: Extent, depth: usize) -> Option<Value> {
        let has_own = kind(schema) == Some("object") && schema.get("properties").is_some();
        let mut value = has_own.then(|| self.object(schema, extent, depth)).flatten();
        for part in parts {
            value = Some(merged(value, self.sample(part, extent, depth + 1)?));
        }
        value
    }

    fn object(&self, schema: &'d Value, extent: Extent, depth: usize) -> Option<Value> {
        let mut members = Map::new();
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let is_required = required.contains(&name.as_str());
            // What only responses have does not belong into a request.
            let is_answer = self.follow(member).and_then(|member| member.get("readOnly")) == Some(&Value::Bool(true));
            if is_answer || (!is_required && (extent == Extent::Required || depth > 4)) {
                continue;
            }
            match self.sample(member, extent, depth + 1) {
                Some(value) => {
                    members.insert(name.clone(), value);
                }
                None if is_required => return None,
                None => {}
            }
        }
        for name in required {
            let declared = schema.get("properties").and_then(|properties| properties.get(name)).is_some();
            if !declared {
                let others = schema.get("additionalProperties").filter(|others| others.is_object());
                let value = others.map_or(Some(json!("abc")), |others| self.sample(others, extent, depth + 1))?;
                members.insert(name.to_owned(), value);
            }
        }
        let lacking = bound(schema, "minProperties").unwrap_or(0.0) as usize;
        for number in members.len()..lacking.min(16) {
            members.insert(format!("key{number}"), json!("abc"));
        }
        Some(Value::Object(members))
    }

    fn array(&self, schema: &'d Value, extent: Extent, depth: usize) -> Option<Value> {
        let least = bound(schema, "minItems").unwrap_or(0.0) as usize;
        let most = bound(schema, "maxItems").map_or(usize::MAX, |most| most as usize);
        let wanted = if extent == Extent::Full { least.max(1).min(most) } else { least };
        if wanted > 64 {
            return None;
        }
        let prefix: Vec<&Value> = schema.get("prefixItems").and_then(Value::as_array).into_iter().flatten().collect();
        let any = Value::Bool(true);
        let mut items = Vec::new();
        for at in 0..wanted.max(prefix.len().min(most)) {
            let item = match (prefix.get(at).copied(), schema.get("items")) {
                (Some(item), _) | (None, Some(item)) => self.sample(item, extent, depth + 1)?,
                (None, None) => json!("abc"),
            };
            items.push(if schema.get("uniqueItems") == Some(&any) { told_apart(item, at) } else { item });
        }
        Some(Value::Array(items))
    }
}

/// The same value made different for each position, where that is simple.
fn told_apart(item: Value, at: usize) -> Value {
    match item {
        Value::String(text) if at > 0 => json!(format!("{text}{at}")),
        Value::Number(number) if at > 0 => {
            number.as_i64().map_or(Value::Number(number), |n| json!(n.saturating_add(at as i64)))
        }
        other => other,
    }
}

fn merged(base: Option<Value>, over: Value) -> Value {
    match (base, over) {
        (Some(Value::Object(mut base)), Value::Object(over)) => {
            base.extend(over);
            Value::Object(base)
        }
        (_, over) => over,
    }
}

fn percent(pointer: &str) -> String {
    crate::rules::uri::decode(pointer)
}

pub(super) fn bound(schema: &Value, name: &str) -> Option<f64> {
    schema.get(name).and_then(Value::as_f64)
}

/// The type, where it is said or follows from the keywords.
pub(super) fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => {
            let has = |names: &[&str]| names.iter().any(|name| schema.get(name).is_some());
            match () {
                () if has(&["properties", "additionalProperties", "required"]) => Some("object"),
                () if has(&["items", "minItems", "maxItems"]) => Some("array"),
                () if has(&["minimum", "maximum", "multipleOf"]) => Some("number"),
                () => Some("string"),
            }
        }
    }
}

fn text(schema: &Value) -> Option<Value> {
    let least = bound(schema, "minLength").unwrap_or(0.0) as usize;
    let most = bound(schema, "maxLength").map_or(usize::MAX, |most| most as usize);
    if least > LENGTH_MAX {
        return None;
    }
    let fits = |text: &str| (least..=most).contains(&text.chars().count());
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        let compiled = crate::pattern::Pattern::new(pattern).ok()?;
        let padded = ["a", "A", "1", "0", "f"].into_iter().map(|letter| letter.repeat(least.max(1)));
        let stock = STOCK.iter().map(|text| (*text).to_owned()).chain(padded);
        return stock.into_iter().find(|text| fits(text) && compiled.is_match(text)).map(Value::from);
    }
    let text = match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
        "date" => "2024-01-31",
        "date-time" => "2024-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "uuid" => "6f1cbb2e-7b0f-4c0e-9d2a-3a1f0c9d8e7b",
        "email" | "idn-email" => "someone@example.com",
        "uri" | "url" | "iri" | "uri-reference" => "https://example.com/a",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" | "ip" => "192.0.2.7",
        "ipv6" => "2001:db8::1",
        "byte" | "base64" => "YWJj",
        "int32" | "int64" => "7",
        "json-pointer" => "/a",
        "regex" => "a+",
        _ => "abc",
    };
    if fits(text) {
        return Some(Value::from(text));
    }
    // A length beside a format leaves little room; the format decides.
    let is_formatted = text != "abc";
    (!is_formatted).then(|| Value::from("a".repeat(least.max(1).min(most))))
}

fn number(schema: &Value, is_whole: bool) -> Option<Value> {
    let exclusive = |name: &str, limit: &str| match schema.get(name) {
        // 3.0 has a switch beside the limit, 3.1 a limit of its own.
        Some(Value::Bool(true)) => bound(schema, limit),
        Some(Value::Number(number)) => number.as_f64(),
        _ => None,
    };
    let step = bound(schema, "multipleOf").filter(|step| *step > 0.0);
    let unit = step.unwrap_or(1.0);
    let low = bound(schema, "minimum");
    let low = match exclusive("exclusiveMinimum", "minimum") {
        Some(limit) => Some(low.map_or(limit + unit, |low| low.max(limit + unit))),
        None => low,
    };
    let high = bound(schema, "maximum");
    let high = match exclusive("exclusiveMaximum", "maximum") {
        Some(limit) => Some(high.map_or(limit - unit, |high| high.min(limit - unit))),
        None => high,
    };
    let mut value = match (low, high) {
        (Some(low), _) if low > 1.0 => low,
        (_, Some(high)) if high < 1.0 => high,
        _ => 1.0,
    };
    if let Some(step) = step {
        value = (value / step).ceil() * step;
    }
    if is_whole || value.fract() == 0.0 {
        let value = value.ceil();
        return (value.abs() < 9e15).then(|| json!(value as i64));
    }
    Some(json!(value))
}
