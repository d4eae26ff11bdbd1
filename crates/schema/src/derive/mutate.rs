//! Values that break exactly one rule of a schema.

use serde_json::{Value, json};

use super::sample::{Sampler, bound, kind};

/// How deeply members are broken.
const DEPTH_MAX: usize = 4;
/// Most broken values of one body.
const BROKEN_MAX: usize = 48;

/// A broken value and what it breaks.
pub(super) type Broken = (Value, String);

impl<'d> Sampler<'d> {
    /// The value broken in one place each; `path` names the place.
    pub(super) fn broken(&self, schema: &'d Value, value: &Value, path: &str, depth: usize) -> Vec<Broken> {
        let mut list: Vec<Broken> = Vec::new();
        let Some(schema) = self.follow(schema).filter(|_| depth <= DEPTH_MAX) else { return list };
        // Where alternatives are allowed, breaking one need not break the whole.
        if ["oneOf", "anyOf", "not", "if", "$dynamicRef"].iter().any(|key| schema.get(key).is_some()) {
            return list;
        }
        if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
            for part in parts {
                if list.len() >= BROKEN_MAX {
                    break;
                }
                list.extend(self.broken(part, value, path, depth + 1));
            }
            list.truncate(BROKEN_MAX);
            return list;
        }
        let mut say = |value: Value, what: &str| list.push((value, format!("{what} at `{path}`")));
        if schema.get("enum").is_some() {
            say(json!("~none of these~"), "enum");
            return list;
        }
        self.one(schema, value, &mut say);
        match value {
            Value::Object(members) => {
                for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                    let Some(name) = name.as_str().filter(|name| members.contains_key(*name)) else { continue };
                    let mut without = members.clone();
                    without.remove(name);
                    say(Value::Object(without), &format!("required `{name}`"));
                }
                if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
                    let mut more = members.clone();
                    more.insert("x_portreeve_undeclared".to_owned(), json!(1));
                    say(Value::Object(more), "additionalProperties");
                }
                for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    let Some(inner) = members.get(name).filter(|_| list.len() < BROKEN_MAX) else { continue };
                    for (broken, what) in self.broken(member, inner, &format!("{path}/{name}"), depth + 1) {
                        let mut whole = members.clone();
                        whole.insert(name.clone(), broken);
                        list.push((Value::Object(whole), what));
                    }
                }
            }
            Value::Array(items) => {
                let (Some(first), Some(item)) = (items.first(), schema.get("items")) else { return list };
                for (broken, what) in self.broken(item, first, &format!("{path}/0"), depth + 1) {
                    let mut whole = items.clone();
                    if let Some(slot) = whole.first_mut() {
                        *slot = broken;
                    }
                    list.push((Value::Array(whole), what));
                }
            }
            _ => {}
        }
        list.truncate(BROKEN_MAX);
        list
    }

    /// Breaks the value itself.
    fn one(&self, schema: &'d Value, value: &Value, say: &mut impl FnMut(Value, &str)) {
        if schema.get("type").is_some() {
            let takes_null = schema.get("nullable") == Some(&Value::Bool(true))
                || schema.get("type").and_then(Value::as_array).is_some_and(|kinds| kinds.contains(&json!("null")));
            let several = schema.get("type").is_some_and(Value::is_array);
            if !several {
                match kind(schema) {
                    Some("string") => say(json!({"not": "a text"}), "type"),
                    Some("array" | "object") => say(json!("not of this type"), "type"),
                    Some("integer") => say(json!(1.5), "type"),
                    Some("number" | "boolean") => say(json!("nothing of this type"), "type"),
                    _ => {}
                }
            }
            if !takes_null {
                say(Value::Null, "null");
            }
        }
        match value {
            Value::String(_) => {
                if let Some(most) = bound(schema, "maxLength").filter(|most| *most < 5_000.0) {
                    say(json!("a".repeat(most as usize + 1)), "maxLength");
                }
                if bound(schema, "minLength").is_some_and(|least| least >= 1.0) {
                    say(json!(""), "minLength");
                }
                if schema.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.starts_with('^')) {
                    say(json!("\u{1F600} ~"), "pattern");
                }
                if let Some(format @ ("uuid" | "date" | "date-time" | "email" | "ipv4")) =
                    schema.get("format").and_then(Value::as_str)
                {
                    say(json!("not of this format"), &format!("format {format}"));
                }
            }
            Value::Number(_) => {
                if let Some(low) = bound(schema, "minimum").filter(|low| low.abs() < 1e15) {
                    say(json!(low as i64 - 1), "minimum");
                }
                if let Some(high) = bound(schema, "maximum").filter(|high| high.abs() < 1e15) {
                    say(json!(high as i64 + 1), "maximum");
                }
            }
            Value::Array(items) => {
                let most = bound(schema, "maxItems").filter(|most| *most < 1_000.0);
                if let (Some(most), Some(first)) = (most, items.first()) {
                    say(Value::Array(vec![first.clone(); most as usize + 1]), "maxItems");
                }
                if bound(schema, "minItems").is_some_and(|least| least >= 1.0) {
                    say(json!([]), "minItems");
                }
                if schema.get("uniqueItems") == Some(&Value::Bool(true))
                    && let Some(first) = items.first()
                {
                    say(json!([first, first]), "uniqueItems");
                }
            }
            _ => {}
        }
    }
}
