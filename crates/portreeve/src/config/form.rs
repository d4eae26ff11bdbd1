//! Checks the form of a document against the configuration's JSON Schema, and keeps what is right of it.
//!
//! What is wrong is reported and taken out, so that the meaning of the rest can be checked in the same run. Only what
//! `schemars` writes for our structures is understood here; this is no general validator.

use serde_json::Value as Json;

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::yaml::{Node, Value};

/// The result: what could be kept, what was wrong, where secrets stand.
#[derive(Default)]
pub struct Form {
    /// What was wrong.
    pub problems: Vec<Diagnostic>,
    /// Where secrets stand.
    pub secrets: Vec<Spot>,
}

impl Form {
    /// Checks `node` against `schema`; `None` when nothing of it can be kept.
    pub fn check(&mut self, node: &Node, schema: &Json, root: &Json) -> Option<Json> {
        let schema = resolved(schema, root, node);
        if is_secret(schema) {
            self.secrets.push(node.spot);
        }
        match &node.value {
            Value::Map(entries) if accepts(schema, "object") => self.section(node, entries, schema, root),
            Value::List(items) if accepts(schema, "array") => {
                let of = schema.get("items").unwrap_or(&Json::Null);
                Some(Json::Array(items.iter().filter_map(|item| self.check(item, of, root)).collect()))
            }
            Value::Unset => None,
            Value::Null if accepts(schema, "null") => Some(Json::Null),
            Value::Map(_) | Value::List(_) | Value::Null => self.wrong_kind(node, schema),
            _ => self.scalar(node, schema),
        }
    }

    fn section(
        &mut self,
        node: &Node,
        entries: &[(super::yaml::Key, Node)],
        schema: &Json,
        root: &Json,
    ) -> Option<Json> {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let mut kept = serde_json::Map::new();
        for (key, item) in entries {
            let Some(of) = properties.and_then(|properties| properties.get(&key.name)).or(others) else {
                let known = || properties.into_iter().flatten().map(|(name, _)| name.as_str());
                let help = match nearest(&key.name, known()) {
                    Some(name) => {
                        let meant = properties.and_then(|properties| properties.get(name));
                        if meant.is_some_and(|meant| is_secret(resolved(meant, root, item))) {
                            self.secrets.push(item.spot);
                        }
                        format!("did you mean `{name}`?")
                    }
                    None => format!(
                        "known here: {}",
                        known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                    ),
                };
                self.problem(key.spot, format!("unknown key `{}`", key.name), help);
                continue;
            };
            // A key with nothing behind it is as good as absent.
            if matches!(item.value, Value::Null) {
                continue;
            }
            if let Some(value) = self.check(item, of, root) {
                kept.insert(key.name.clone(), value);
            }
        }
        let mut whole = true;
        for name in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if kept.contains_key(name) {
                continue;
            }
            whole = false;
            let written = entries.iter().any(|(key, item)| key.name == name && !matches!(item.value, Value::Null));
            if !written {
                let what = properties.and_then(|properties| properties.get(name)).map(|of| described(of, root));
                self.problem(node.spot, format!("the key `{name}` is missing"), what.unwrap_or_default());
            }
        }
        // The document itself is kept with empty lists in place of what is missing: the rest is still worth checking.
        if !whole && std::ptr::eq(schema, root) {
            for name in ["listeners", "upstreams", "apis"] {
                kept.entry(name).or_insert_with(|| Json::Array(Vec::new()));
            }
            whole = true;
        }
        whole.then_some(Json::Object(kept))
    }

    fn scalar(&mut self, node: &Node, schema: &Json) -> Option<Json> {
        let constants = constants(schema);
        if !constants.is_empty() {
            let typed = text_of(node);
            if constants.contains(&typed.as_str()) {
                return Some(Json::String(typed));
            }
            let choices = constants.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let help = match nearest(&typed, constants.iter().copied()) {
                Some(name) => format!("did you mean `{name}`? the choices are {choices}"),
                None => format!("the choices are {choices}"),
            };
            self.problem(node.spot, format!("`{typed}` is not one of the choices"), help);
            return None;
        }
        if accepts(schema, "string") {
            // YAML reads a bare number as a number; where text is meant it is taken as it was typed.
            return Some(Json::String(text_of(node)));
        }
        let number = match &node.value {
            Value::Int(number) => Some(*number),
            Value::Text(text) if node.reference.is_some() => text.parse().ok(),
            _ => None,
        };
        let Some(number) = number.filter(|_| accepts(schema, "integer")) else {
            return self.wrong_kind(node, schema);
        };
        let bound = |name: &str| schema.get(name).and_then(Json::as_f64).map(|bound| bound as i64);
        let (low, high) = (bound("minimum"), bound("maximum"));
        if low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high) {
            let help = match (low, high) {
                (Some(low), Some(high)) => format!("it must lie between {low} and {high}"),
                (Some(low), None) => format!("it must be at least {low}"),
                _ => format!("it must be at most {}", high.unwrap_or(i64::MAX)),
            };
            self.problem(node.spot, format!("`{number}` is out of range"), help);
            return None;
        }
        Some(Json::from(number))
    }

    fn wrong_kind(&mut self, node: &Node, schema: &Json) -> Option<Json> {
        let names: Vec<&str> = [
            ("object", "a section"),
            ("array", "a list"),
            ("string", "text"),
            ("integer", "a whole number"),
            ("number", "a number"),
            ("boolean", "`true` or `false`"),
        ]
        .iter()
        .filter(|(kind, _)| accepts(schema, kind))
        .map(|&(_, name)| name)
        .collect();
        let wanted = names.join(" or ");
        self.problem(node.spot, format!("{wanted} is expected here, not {}", node.kind()), description(schema));
        None
    }

    fn problem(&mut self, spot: Spot, message: String, help: String) {
        self.problems.push(Diagnostic { spot, message, help });
    }
}

/// Follows references, and of alternatives takes the one that has the node's kind.
fn resolved<'a>(schema: &'a Json, root: &'a Json, node: &Node) -> &'a Json {
    let mut schema = schema;
    // Longer chains than this do not occur in what is generated from plain structures.
    for _ in 0..8 {
        if let Some(name) = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.strip_prefix("#/$defs/")) {
            schema = root.get("$defs").and_then(|defs| defs.get(name)).unwrap_or(schema);
        } else if let Some(choices) = schema.get("anyOf").and_then(Json::as_array) {
            let kind = match &node.value {
                Value::Map(_) => "object",
                Value::List(_) => "array",
                _ => "string",
            };
            let fits = |choice: &&Json| accepts(one_step(choice, root), kind);
            let other = |choice: &&Json| !accepts(one_step(choice, root), "null");
            let chosen = choices.iter().find(fits).or_else(|| choices.iter().find(other));
            schema = chosen.unwrap_or(schema);
        } else {
            return schema;
        }
    }
    schema
}

fn one_step<'a>(schema: &'a Json, root: &'a Json) -> &'a Json {
    let name = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    name.and_then(|name| root.get("$defs")?.get(name)).unwrap_or(schema)
}

fn is_secret(schema: &Json) -> bool {
    schema.get("writeOnly") == Some(&Json::Bool(true))
}

fn accepts(schema: &Json, kind: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(own)) => own == kind,
        Some(Json::Array(kinds)) => kinds.iter().any(|own| own == kind),
        _ => !constants(schema).is_empty() && kind == "string",
    }
}

/// The values of an enumeration without content.
fn constants(schema: &Json) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    let single = schema.get("oneOf").and_then(Json::as_array).into_iter().flatten();
    let single = single.filter_map(|choice| choice.get("const").and_then(Json::as_str));
    listed.chain(single).collect()
}

fn description(schema: &Json) -> String {
    let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn described(schema: &Json, root: &Json) -> String {
    let own = description(schema);
    if own.is_empty() { description(one_step(schema, root)) } else { format!("`{}`", own).replace('`', "") }
}

fn text_of(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Unset | Value::Null | Value::List(_) | Value::Map(_) => String::new(),
    }
}
