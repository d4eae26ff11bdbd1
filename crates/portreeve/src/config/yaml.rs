//! YAML as a tree in which every key and value knows where it stands.
//!
//! References to the environment are resolved here, after parsing, so that a value can never change the structure.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::diagnostic::{Diagnostic, Spot};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub spot: Spot,
    /// What it is.
    pub value: Value,
    /// What was written, where it refers to the environment: numbers come as text then, and messages show this.
    pub reference: Option<String>,
}

/// A YAML value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Refers to a variable that is not set: already reported.
    Unset,
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it begins.
    pub spot: Spot,
    /// The key.
    pub name: String,
}

/// Deeper nesting than any configuration needs is refused before it is walked.
const DEPTH_MAX: usize = 24;

/// Reads a document. `environment` answers what a variable holds.
pub fn read(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Diagnostic>,
) -> Result<Node, Diagnostic> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    };
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location();
        let line = location.map_or(1, |location| location.line() as usize);
        let column = location.map_or(1, |location| location.column() as usize);
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or("unreadable").trim_start_matches("error: ").to_owned();
        Diagnostic {
            spot: Spot { line, column, len: 1 },
            message: format!("this is no YAML: {message}"),
            help: "the rest of the file is checked once this line can be read".to_owned(),
        }
    })?;
    node(raw, environment, problems, 0)
}

fn node(
    raw: Spanned<Raw>,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Diagnostic>,
    depth: usize,
) -> Result<Node, Diagnostic> {
    let spot = spot_of(&raw.referenced);
    if depth > DEPTH_MAX {
        return Err(Diagnostic {
            spot,
            message: format!("nested deeper than {DEPTH_MAX} levels"),
            help: String::new(),
        });
    }
    let mut reference = None;
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Int(value) => Value::Int(value),
        Raw::Float(value) => Value::Float(value),
        Raw::Text(text) => {
            let before = problems.len();
            let expanded = expanded(&text, spot, environment, problems);
            reference = text.contains("${").then_some(text);
            if problems.len() == before { Value::Text(expanded) } else { Value::Unset }
        }
        Raw::List(items) => Value::List(
            items.into_iter().map(|item| node(item, environment, problems, depth + 1)).collect::<Result<_, _>>()?,
        ),
        Raw::Map(entries) => {
            let mut map: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
            for (key, item) in entries {
                let key = Key { spot: spot_of(&key.referenced), name: key.value };
                if let Some((first, _)) = map.iter().find(|(other, _)| other.name == key.name) {
                    problems.push(Diagnostic {
                        spot: key.spot,
                        message: format!("the key `{}` is written twice", key.name),
                        help: format!("the first one stands in line {}", first.spot.line),
                    });
                    continue;
                }
                let item = node(item, environment, problems, depth + 1)?;
                map.push((key, item));
            }
            Value::Map(map)
        }
    };
    Ok(Node { spot, value, reference })
}

fn spot_of(location: &serde_saphyr::Location) -> Spot {
    let len = location.span().len();
    Spot {
        line: location.line() as usize,
        column: location.column() as usize,
        len: usize::try_from(len).unwrap_or(1).clamp(1, 200),
    }
}

/// Replaces `${NAME}` and `${NAME:-default}`.
fn expanded(
    text: &str,
    spot: Spot,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Diagnostic>,
) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((reference, behind)) = after.split_once('}') else {
            problems.push(Diagnostic {
                spot,
                message: "`${` without a closing `}`".to_owned(),
                help: "write `${NAME}`, or `${NAME:-default}`".to_owned(),
            });
            return out;
        };
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        match environment(name).or(default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => problems.push(Diagnostic {
                spot,
                message: format!("the environment variable `{name}` is not set"),
                help: format!("set it, or give a default: `${{{name}:-default}}`"),
            }),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or_else(|_| Raw::Text(value.to_string()), Raw::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

impl Node {
    /// The node under a JSON Pointer (RFC 6901 without escapes: our keys have none), or the nearest one above it.
    pub fn nearest(&self, pointer: &str) -> &Self {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            let next = match &node.value {
                Value::List(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
                Value::Map(entries) => entries.iter().find(|(key, _)| key.name == step).map(|(_, node)| node),
                _ => None,
            };
            let Some(next) = next else { return node };
            node = next;
        }
        node
    }

    /// Puts references back where `text` shows what they stand for: the environment holds secrets.
    pub fn hide_references(&self, text: &mut String) {
        match (&self.value, &self.reference) {
            (Value::Text(value), Some(reference)) if !value.is_empty() => *text = text.replace(value, reference),
            (Value::List(items), _) => items.iter().for_each(|item| item.hide_references(text)),
            (Value::Map(entries), _) => entries.iter().for_each(|(_, item)| item.hide_references(text)),
            _ => {}
        }
    }

    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Unset | Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a section",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_references() {
        let mut problems = Vec::new();
        let environment = |name: &str| (name == "PORT").then(|| "81".to_owned());
        let node = read("a:\n  - b: x${PORT}\n    off: off\nc: ${NO:-d}\n", &environment, &mut problems).unwrap();
        let inner = node.nearest("/a/0/b");
        assert!(matches!(&inner.value, Value::Text(text) if text == "x81"));
        assert_eq!((inner.spot.line, inner.spot.column), (2, 8));
        assert!(matches!(&node.nearest("/a/0/off").value, Value::Text(text) if text == "off"));
        assert!(matches!(&node.nearest("/c").value, Value::Text(text) if text == "d"));
        assert!(problems.is_empty());
    }

    #[test]
    fn garbage_is_one_mistake_with_a_place() {
        for text in ["a: [1, 2", "a: b: c", "- a\nb: 1", "a: *nowhere", "\u{0}"] {
            let Err(error) = read(text, &|_| None, &mut Vec::new()) else { panic!("{text:?} was read") };
            assert!(error.spot.line >= 1, "{text}");
            assert!(error.message.starts_with("this is no YAML"), "{}", error.message);
        }
    }
}
