//! Rules as they are written in options, made into tests.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use regex::Regex;

use super::value::{Check, Scalar, Test, TextForm};
use super::{FieldRules, Ignore};

/// The value of an extension of options, where it is set.
pub(super) fn extension(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let mut set = options.extensions().filter(|(extension, _)| extension.full_name() == name);
    set.next().and_then(|(_, value)| value.as_message().cloned())
}

/// The reading of one message's rules.
pub(super) struct Reading {
    message: String,
    pub(super) unenforced: Vec<String>,
}

/// The rules of the entries of a map: the name of their message, and the fields of it.
pub(super) type Entry = (String, Vec<FieldRules>);

impl Reading {
    pub(super) fn new(message: &str) -> Self {
        Self { message: message.to_owned(), unenforced: Vec::new() }
    }

    pub(super) fn unenforced(&mut self, place: &str, rule: &str) {
        self.unenforced.push(format!("`{}`: the rule `{rule}` of `{place}` is not enforced", self.message));
    }

    /// The rules of one field, and of the entries where it is a map.
    pub(super) fn field(
        &mut self,
        field: &FieldDescriptor,
        options: &DynamicMessage,
    ) -> Result<(FieldRules, Option<Entry>), String> {
        let mut rules = FieldRules {
            number: field.number(),
            name: field.name().into(),
            has_presence: field.supports_presence(),
            is_repeated: field.is_list() || field.is_map(),
            ..FieldRules::default()
        };
        let mut entry = None;
        for (rule, value) in options.fields() {
            match (rule.name(), value) {
                ("required", value) => rules.required = value.as_bool() == Some(true),
                ("ignore", value) => rules.ignore = ignore(value),
                ("repeated", Value::Message(list)) if field.is_list() => self.list(field, list, &mut rules)?,
                ("map", Value::Message(map)) if field.is_map() => entry = self.map(field, map, &mut rules)?,
                (name, Value::Message(own)) if !rules.is_repeated && name == rule_of(&field.kind()) => {
                    rules.checks = self.checks(field, name, own)?;
                }
                (name, _) => self.unenforced(field.name(), name),
            }
        }
        if !rules.has_presence && !rules.is_repeated {
            rules.zero_breaks = zero(&field.kind())
                .and_then(|zero| rules.checks.iter().find(|check| !check.holds(zero)))
                .map(|check| check.expected.clone());
        }
        Ok((rules, entry))
    }

    fn list(&mut self, field: &FieldDescriptor, list: &DynamicMessage, rules: &mut FieldRules) -> Result<(), String> {
        let (mut min, mut max) = (0, u64::MAX);
        for (rule, value) in list.fields() {
            match (rule.name(), value) {
                ("min_items", Value::U64(count)) => min = *count,
                ("max_items", Value::U64(count)) => max = *count,
                ("unique", value) => rules.unique = value.as_bool() == Some(true),
                ("items", Value::Message(items)) => {
                    let (checks, ignore) = self.inner(field, &field.kind(), items)?;
                    rules.checks = checks;
                    rules.items_ignore_zero = ignore == Ignore::Zero;
                    if ignore == Ignore::Always {
                        rules.checks.clear();
                    }
                }
                (name, _) => self.unenforced(field.name(), &format!("repeated.{name}")),
            }
        }
        self.extensions(field, list);
        rules.count = Some((min, max));
        Ok(())
    }

    fn map(
        &mut self,
        field: &FieldDescriptor,
        map: &DynamicMessage,
        rules: &mut FieldRules,
    ) -> Result<Option<Entry>, String> {
        let Kind::Message(entry) = field.kind() else { return Ok(None) };
        let (mut min, mut max, mut fields) = (0, u64::MAX, Vec::new());
        for (rule, value) in map.fields() {
            let part = match (rule.name(), value) {
                ("min_pairs", Value::U64(count)) => {
                    min = *count;
                    continue;
                }
                ("max_pairs", Value::U64(count)) => {
                    max = *count;
                    continue;
                }
                ("keys", Value::Message(own)) => (entry.map_entry_key_field(), own),
                ("values", Value::Message(own)) => (entry.map_entry_value_field(), own),
                (name, _) => {
                    self.unenforced(field.name(), &format!("map.{name}"));
                    continue;
                }
            };
            let (part, own) = part;
            let (checks, ignore) = self.inner(field, &part.kind(), own)?;
            let broken = zero(&part.kind()).and_then(|zero| checks.iter().find(|check| !check.holds(zero)));
            let zero_breaks = broken.map(|check| check.expected.clone());
            let (number, name) = (part.number(), part.name().into());
            fields.push(FieldRules { number, name, ignore, checks, zero_breaks, ..FieldRules::default() });
        }
        self.extensions(field, map);
        // A key that comes twice counts twice here: nobody sends it but to be read differently.
        rules.count = Some((min, max));
        Ok((!fields.is_empty()).then(|| (entry.full_name().to_owned(), fields)))
    }

    /// The rules of elements, keys and values.
    fn inner(
        &mut self,
        field: &FieldDescriptor,
        kind: &Kind,
        options: &DynamicMessage,
    ) -> Result<(Vec<Check>, Ignore), String> {
        let (mut checks, mut ignored) = (Vec::new(), Ignore::Never);
        for (rule, value) in options.fields() {
            match (rule.name(), value) {
                ("ignore", value) => ignored = ignore(value),
                (name, Value::Message(own)) if name == rule_of(kind) => checks = self.checks(field, name, own)?,
                (name, _) => self.unenforced(field.name(), name),
            }
        }
        Ok((checks, ignored))
    }

    fn extensions(&mut self, field: &FieldDescriptor, rules: &DynamicMessage) {
        for (extension, _) in rules.extensions() {
            self.unenforced(field.name(), extension.full_name());
        }
    }

    /// The tests of the rules of one type.
    fn checks(&mut self, field: &FieldDescriptor, kind: &str, rules: &DynamicMessage) -> Result<Vec<Check>, String> {
        let mut checks = Vec::new();
        // What is not set reads as false, and means strict.
        let is_strict = !rules.fields().any(|(rule, value)| rule.name() == "strict" && value.as_bool() == Some(false));
        for (rule, value) in rules.fields() {
            let name = rule.name();
            if matches!(name, "example" | "strict") || value.as_bool() == Some(false) && kind != "bool" {
                continue;
            }
            let found = match kind {
                "string" | "bytes" => octets(kind, name, value, is_strict)
                    .map_err(|error| format!("`{}.{}`: {error}", self.message, field.name()))?,
                "bool" => {
                    value.as_bool().filter(|_| name == "const").map(|wanted| (Test::BoolIs(wanted), wanted.to_string()))
                }
                "enum" if name == "defined_only" => {
                    rules_enum(field).map(|values| (Test::Defined(values), "a value of the enumeration".to_owned()))
                }
                _ => listed(name, value),
            };
            match found {
                Some((test, words)) => checks.push(Check { expected: format!("{kind}.{name}: {words}").into(), test }),
                None if matches!(name, "lt" | "lte" | "gt" | "gte") => {}
                None => self.unenforced(field.name(), &format!("{kind}.{name}")),
            }
        }
        checks.extend(range(kind, rules));
        self.extensions(field, rules);
        Ok(checks)
    }
}

fn rules_enum(field: &FieldDescriptor) -> Option<prost_reflect::EnumDescriptor> {
    match field.kind() {
        Kind::Enum(values) => Some(values),
        Kind::Message(entry) if entry.is_map_entry() => match entry.map_entry_value_field().kind() {
            Kind::Enum(values) => Some(values),
            _ => None,
        },
        _ => None,
    }
}

fn ignore(value: &Value) -> Ignore {
    match value {
        // The names have changed between versions, the numbers have not.
        Value::EnumNumber(1 | 2) => Ignore::Zero,
        Value::EnumNumber(3) => Ignore::Always,
        _ => Ignore::Never,
    }
}

/// The name of the rules of a kind.
fn rule_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(_) => "enum",
        Kind::Message(_) => "",
    }
}

fn zero(kind: &Kind) -> Option<Scalar<'static>> {
    match kind {
        Kind::Double | Kind::Float => Some(Scalar::Float(0.0)),
        Kind::Bool => Some(Scalar::Bool(false)),
        Kind::String | Kind::Bytes => Some(Scalar::Octets(b"")),
        Kind::Message(_) => None,
        _ => Some(Scalar::Int(0)),
    }
}

fn int(value: &Value) -> Option<i128> {
    match value {
        Value::I32(value) | Value::EnumNumber(value) => Some(i128::from(*value)),
        Value::I64(value) => Some(i128::from(*value)),
        Value::U32(value) => Some(i128::from(*value)),
        Value::U64(value) => Some(i128::from(*value)),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::F32(value) => Some(f64::from(*value)),
        Value::F64(value) => Some(*value),
        _ => None,
    }
}

/// Rules of numbers that name values.
fn listed(name: &str, value: &Value) -> Option<(Test, String)> {
    let one = std::slice::from_ref(value);
    let (values, wanted) = match (name, value) {
        ("const", _) => (one, true),
        ("in", Value::List(list)) => (list.as_slice(), true),
        ("not_in", Value::List(list)) => (list.as_slice(), false),
        ("finite", Value::Bool(_)) => return Some((Test::Finite, "a finite number".to_owned())),
        _ => return None,
    };
    let words = if wanted { "one of the values of the rule" } else { "none of the values of the rule" }.to_owned();
    match values.iter().map(int).collect::<Option<Vec<i128>>>() {
        Some(values) => Some((Test::IntIn(values, wanted), words)),
        None => Some((Test::FloatIn(values.iter().map(float).collect::<Option<Vec<f64>>>()?, wanted), words)),
    }
}

/// Bounds of numbers, of which both together may leave out the middle.
fn range(kind: &str, rules: &DynamicMessage) -> Option<Check> {
    let set = |name: &str| {
        let rule = rules.descriptor().get_field_by_name(name)?;
        rules.has_field(&rule).then(|| rules.get_field(&rule).into_owned())
    };
    let bound = |strict: &str, loose: &str| {
        let strict = set(strict).map(|value| (value, false));
        strict.or_else(|| set(loose).map(|value| (value, true)))
    };
    let (low, high) = (bound("gt", "gte"), bound("lt", "lte"));
    if low.is_none() && high.is_none() {
        return None;
    }
    let words = |bound: &Option<(Value, bool)>, sign: &str| {
        bound.as_ref().and_then(|(value, or_equal)| {
            let text =
                int(value).map(|value| value.to_string()).or_else(|| float(value).map(|value| value.to_string()))?;
            Some(format!("{sign}{} {text}", if *or_equal { "=" } else { "" }))
        })
    };
    let said: Vec<String> = [words(&low, ">"), words(&high, "<")].into_iter().flatten().collect();
    let ints =
        |bound: &Option<(Value, bool)>| bound.as_ref().and_then(|(value, or_equal)| Some((int(value)?, *or_equal)));
    let floats =
        |bound: &Option<(Value, bool)>| bound.as_ref().and_then(|(value, or_equal)| Some((float(value)?, *or_equal)));
    let test = match (ints(&low), ints(&high)) {
        (None, None) => Test::FloatRange(floats(&low), floats(&high)),
        (low, high) => Test::IntRange(low, high),
    };
    Some(Check { expected: format!("{kind}: {}", said.join(" and ")).into(), test })
}

/// Rules of text and of bytes. The error says why a pattern cannot be enforced.
fn octets(kind: &str, name: &str, value: &Value, is_strict: bool) -> Result<Option<(Test, String)>, String> {
    let is_text = kind == "string";
    let bytes = |value: &Value| match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Bytes(bytes) => Some(bytes.to_vec()),
        _ => None,
    };
    let list = || value.as_list().and_then(|list| list.iter().map(bytes).collect::<Option<Vec<_>>>());
    let unit = if is_text { "characters" } else { "bytes" };
    let counted = |min, max| if is_text { Test::Characters(min, max) } else { Test::Length(min, max) };
    let found = match (name, value) {
        ("const", _) => bytes(value).map(|one| (Test::OctetsIn(vec![one], true), "the value of the rule".to_owned())),
        ("in", _) => list().map(|list| (Test::OctetsIn(list, true), "one of the values of the rule".to_owned())),
        ("not_in", _) => list().map(|list| (Test::OctetsIn(list, false), "none of the values of the rule".to_owned())),
        ("len", Value::U64(length)) => Some((counted(*length, *length), format!("{length} {unit}"))),
        ("min_len", Value::U64(min)) => Some((counted(*min, u64::MAX), format!("at least {min} {unit}"))),
        ("max_len", Value::U64(max)) => Some((counted(0, *max), format!("at most {max} {unit}"))),
        ("len_bytes", Value::U64(length)) => Some((Test::Length(*length, *length), format!("{length} bytes"))),
        ("min_bytes", Value::U64(min)) => Some((Test::Length(*min, u64::MAX), format!("at least {min} bytes"))),
        ("max_bytes", Value::U64(max)) => Some((Test::Length(0, *max), format!("at most {max} bytes"))),
        ("prefix", _) => bytes(value).map(|start| (Test::Prefix(start), "the beginning of the rule".to_owned())),
        ("suffix", _) => bytes(value).map(|end| (Test::Suffix(end), "the end of the rule".to_owned())),
        ("contains", _) => bytes(value).map(|part| (Test::Contains(part, true), "the part of the rule".to_owned())),
        ("not_contains", _) => {
            bytes(value).map(|part| (Test::Contains(part, false), "not the part of the rule".to_owned()))
        }
        ("pattern", Value::String(pattern)) => {
            let compiled = Regex::new(pattern).map_err(|error| format!("the pattern cannot be enforced: {error}"))?;
            Some((Test::Pattern(compiled), format!("text that matches `{pattern}`")))
        }
        ("well_known_regex", Value::EnumNumber(which)) => header(*which, is_strict),
        ("ip", _) if !is_text => Some((Test::Lengths(&[4, 16]), "an IP address".to_owned())),
        ("ipv4", _) if !is_text => Some((Test::Lengths(&[4]), "an IPv4 address".to_owned())),
        ("ipv6" | "uuid", _) if !is_text => Some((Test::Lengths(&[16]), "16 bytes".to_owned())),
        (name, _) if is_text => TextForm::named(name).map(|(form, words)| (Test::Text(form), words.to_owned())),
        _ => None,
    };
    Ok(found)
}

/// Names and values of fields of HTTP.
fn header(which: i32, is_strict: bool) -> Option<(Test, String)> {
    let (pattern, words) = match (which, is_strict) {
        (1, true) => (r"^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$", "the name of a header"),
        (1, false) => (r"^[^\x00\n\r]+$", "the name of a header"),
        (2, true) => (r"^[^\x00-\x08\n-\x1f\x7f]*$", "the value of a header"),
        (2, false) => (r"^[^\x00\n\r]*$", "the value of a header"),
        _ => return None,
    };
    Regex::new(pattern).ok().map(|pattern| (Test::Pattern(pattern), words.to_owned()))
}
