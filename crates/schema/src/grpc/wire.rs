//! Protocol Buffers wire format, walked against a descriptor.

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor, Syntax};

use super::rules::{Broken, Rules, Scalar, Watching};
use super::{GrpcLimits, UnknownFields};

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireProblem {
    /// It ends inside a field.
    Truncated,
    /// A number that is encoded in too many bytes, or a tag that is none.
    Malformed,
    /// A field is encoded as another type than its own.
    WireType,
    /// A string is not UTF-8.
    Utf8,
    /// A field that the descriptor does not have.
    UnknownField,
    /// A required field (proto2) is missing.
    Required,
    /// A number that is none of a closed enumeration's.
    Enumeration,
    /// Nested too deeply.
    TooDeep,
    /// Too many fields.
    TooMany,
    /// A rule of `buf.validate` is broken.
    Rule,
}

/// A departure with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireViolation {
    /// What is wrong.
    pub problem: WireProblem,
    /// Names of the fields that lead there, joined by dots; unknown fields by number.
    pub path: String,
    /// The rule that is broken and what it expects, where it is one of `buf.validate`.
    pub rule: Option<Box<str>>,
}

impl WireViolation {
    /// What was expected.
    pub fn expected(&self) -> &str {
        match self.problem {
            WireProblem::Rule => self.rule.as_deref().unwrap_or("what the rules of the message say"),
            WireProblem::Truncated => "a field that ends within its message",
            WireProblem::Malformed => "a protobuf message",
            WireProblem::WireType => "the wire type of the field",
            WireProblem::Utf8 => "UTF-8 text",
            WireProblem::UnknownField => "only declared fields",
            WireProblem::Required => "the required field",
            WireProblem::Enumeration => "a value of the enumeration",
            WireProblem::TooDeep => "less nesting",
            WireProblem::TooMany => "fewer fields",
        }
    }
}

struct Walk<'l> {
    limits: &'l GrpcLimits,
    unknown: UnknownFields,
    rules: &'l Rules,
    /// How many messages around this one are not to be judged by rules.
    unruled: usize,
    fields: usize,
}

pub(super) fn judge(
    descriptor: &MessageDescriptor,
    message: &[u8],
    limits: &GrpcLimits,
    unknown: UnknownFields,
    rules: &Rules,
) -> Result<(), WireViolation> {
    Walk { limits, unknown, rules, unruled: 0, fields: 0 }.message(descriptor, message, 0)
}

fn violation<T>(problem: WireProblem) -> Result<T, WireViolation> {
    Err(WireViolation { problem, path: String::new(), rule: None })
}

fn broken(broken: Broken) -> WireViolation {
    let path = broken.field.map(String::from).unwrap_or_default();
    WireViolation { problem: WireProblem::Rule, path, rule: Some(broken.expected) }
}

/// Adds the name of the field in which a violation was found.
fn within(name: &str, mut violation: WireViolation) -> WireViolation {
    violation.path = if violation.path.is_empty() { name.to_owned() } else { format!("{name}.{}", violation.path) };
    violation
}

fn varint(bytes: &mut &[u8]) -> Result<u64, WireViolation> {
    let mut value = 0u64;
    for shift in 0..10 {
        let Some((byte, rest)) = bytes.split_first() else { return violation(WireProblem::Truncated) };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            // The tenth byte has room for one bit only.
            return if shift == 9 && *byte > 1 { violation(WireProblem::Malformed) } else { Ok(value) };
        }
    }
    violation(WireProblem::Malformed)
}

fn take<'b>(bytes: &mut &'b [u8], length: u64) -> Result<&'b [u8], WireViolation> {
    match usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length)) {
        Some((taken, rest)) => {
            *bytes = rest;
            Ok(taken)
        }
        None => violation(WireProblem::Truncated),
    }
}

/// The wire type a kind is encoded with.
fn wire_type(kind: &Kind) -> u64 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
        Kind::String | Kind::Bytes | Kind::Message(_) => 2,
        _ => 0,
    }
}

/// What a varint means by its kind. Numbers of 32 bits are cut to them, as every reader does.
fn number_of(kind: &Kind, value: u64) -> Scalar<'static> {
    let zigzag = |value: u64| i64::from_ne_bytes((value >> 1).to_ne_bytes()) ^ -i64::from(value & 1 == 1);
    let low = (value & u64::from(u32::MAX)) as u32;
    match kind {
        Kind::Bool => Scalar::Bool(value != 0),
        Kind::Int32 => Scalar::Int(i128::from(i32::from_ne_bytes(low.to_ne_bytes()))),
        Kind::Int64 => Scalar::Int(i128::from(i64::from_ne_bytes(value.to_ne_bytes()))),
        Kind::Uint32 => Scalar::Int(i128::from(low)),
        Kind::Sint32 => Scalar::Int(i128::from(zigzag(u64::from(low)))),
        Kind::Sint64 => Scalar::Int(i128::from(zigzag(value))),
        _ => Scalar::Int(i128::from(value)),
    }
}

/// What four or eight bytes mean by their kind.
fn fixed<'b>(kind: &Kind, bytes: &'b [u8]) -> Scalar<'b> {
    match (kind, bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Kind::Double, Some(bytes), _) => Scalar::Float(f64::from_le_bytes(*bytes)),
        (Kind::Fixed64, Some(bytes), _) => Scalar::Int(i128::from(u64::from_le_bytes(*bytes))),
        (Kind::Sfixed64, Some(bytes), _) => Scalar::Int(i128::from(i64::from_le_bytes(*bytes))),
        (Kind::Float, _, Some(bytes)) => Scalar::Float(f64::from(f32::from_le_bytes(*bytes))),
        (Kind::Fixed32, _, Some(bytes)) => Scalar::Int(i128::from(u32::from_le_bytes(*bytes))),
        (Kind::Sfixed32, _, Some(bytes)) => Scalar::Int(i128::from(i32::from_le_bytes(*bytes))),
        _ => Scalar::Octets(bytes),
    }
}

impl Walk<'_> {
    fn message(&mut self, descriptor: &MessageDescriptor, mut bytes: &[u8], depth: usize) -> Result<(), WireViolation> {
        if depth > self.limits.depth_max {
            return violation(WireProblem::TooDeep);
        }
        let rules = if self.unruled == 0 { self.rules.message(descriptor) } else { None };
        let mut watching = rules.map(Watching::new);
        let mut seen: Vec<u32> = Vec::new();
        let required: Vec<FieldDescriptor> =
            descriptor.fields().filter(|field| field.cardinality() == Cardinality::Required).collect();
        while !bytes.is_empty() {
            self.fields += 1;
            if self.fields > self.limits.fields_max {
                return violation(WireProblem::TooMany);
            }
            let tag = varint(&mut bytes)?;
            let Some(number) = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number)) else {
                return violation(WireProblem::Malformed);
            };
            match descriptor.get_field(number) {
                Some(field) => {
                    if !required.is_empty() && !seen.contains(&number) && required.iter().any(|r| r.number() == number)
                    {
                        seen.push(number);
                    }
                    let is_unruled = watching.as_ref().is_some_and(|watching| watching.ignores(number));
                    self.unruled += usize::from(is_unruled);
                    self.field(&field, tag & 7, number, &mut bytes, depth, &mut watching)?;
                    self.unruled -= usize::from(is_unruled);
                }
                None if self.unknown == UnknownFields::Refuse => {
                    return violation(WireProblem::UnknownField).map_err(|inner| within(&number.to_string(), inner));
                }
                None => self.skip(tag & 7, number, &mut bytes, depth)?,
            }
        }
        match required.iter().find(|field| !seen.contains(&field.number())) {
            Some(field) => violation(WireProblem::Required).map_err(|inner| within(field.name(), inner)),
            None => watching.map_or(Ok(()), |watching| watching.end().map_err(broken)),
        }
    }

    /// Reads one field and shows its values to whoever watches the message.
    fn field<'b>(
        &mut self,
        field: &FieldDescriptor,
        wire: u64,
        number: u32,
        bytes: &mut &'b [u8],
        depth: usize,
        watching: &mut Option<Watching<'_, 'b>>,
    ) -> Result<(), WireViolation> {
        let kind = field.kind();
        let own = wire_type(&kind);
        let here = |inner| within(field.name(), inner);
        let mut see = |value: Scalar<'b>| match watching {
            Some(watching) => watching.see(number, value).map_err(broken),
            None => Ok(()),
        };
        if field.is_group() && wire == 3 {
            self.skip(wire, number, bytes, depth).map_err(here)?;
            return see(Scalar::Message);
        }
        if wire == own {
            let value = self.value(field, &kind, bytes, depth).map_err(here)?;
            return see(value);
        }
        // Lists of numbers may be packed, whatever is declared.
        if wire == 2 && own != 2 && field.is_list() {
            let length = varint(bytes).map_err(here)?;
            let mut packed = take(bytes, length).map_err(here)?;
            while !packed.is_empty() {
                self.fields += 1;
                if self.fields > self.limits.fields_max {
                    return violation(WireProblem::TooMany).map_err(here);
                }
                see(self.value(field, &kind, &mut packed, depth).map_err(here)?)?;
            }
            return Ok(());
        }
        violation(WireProblem::WireType).map_err(here)
    }

    fn value<'b>(
        &mut self,
        field: &FieldDescriptor,
        kind: &Kind,
        bytes: &mut &'b [u8],
        depth: usize,
    ) -> Result<Scalar<'b>, WireViolation> {
        match wire_type(kind) {
            0 => {
                let value = varint(bytes)?;
                let Kind::Enum(values) = kind else { return Ok(number_of(kind, value)) };
                // Only proto2 enumerations are closed. Negative numbers are sign-extended to 64 bits.
                let is_closed = values.parent_file().syntax() == Syntax::Proto2;
                let number = i64::from_ne_bytes(value.to_ne_bytes());
                let is_known = i32::try_from(number).is_ok_and(|number| values.get_value(number).is_some());
                if is_closed && !is_known {
                    violation(WireProblem::Enumeration)
                } else {
                    Ok(Scalar::Int(i128::from(number)))
                }
            }
            1 => take(bytes, 8).map(|value| fixed(kind, value)),
            5 => take(bytes, 4).map(|value| fixed(kind, value)),
            _ => {
                let length = varint(bytes)?;
                let inside = take(bytes, length)?;
                match kind {
                    Kind::Message(descriptor) => self.message(descriptor, inside, depth + 1).map(|()| Scalar::Message),
                    // proto2 does not promise UTF-8.
                    Kind::String if field.parent_file().syntax() == Syntax::Proto2 => Ok(Scalar::Octets(inside)),
                    Kind::String if std::str::from_utf8(inside).is_err() => violation(WireProblem::Utf8),
                    _ => Ok(Scalar::Octets(inside)),
                }
            }
        }
    }

    /// Passes over a field, groups included.
    fn skip(&mut self, wire: u64, number: u32, bytes: &mut &[u8], depth: usize) -> Result<(), WireViolation> {
        match wire {
            0 => varint(bytes).map(|_| ()),
            1 => take(bytes, 8).map(|_| ()),
            2 => {
                let length = varint(bytes)?;
                take(bytes, length).map(|_| ())
            }
            5 => take(bytes, 4).map(|_| ()),
            3 => self.skip_group(number, bytes, depth + 1),
            _ => violation(WireProblem::Malformed),
        }
    }

    fn skip_group(&mut self, number: u32, bytes: &mut &[u8], depth: usize) -> Result<(), WireViolation> {
        if depth > self.limits.depth_max {
            return violation(WireProblem::TooDeep);
        }
        loop {
            self.fields += 1;
            if self.fields > self.limits.fields_max {
                return violation(WireProblem::TooMany);
            }
            let tag = varint(bytes)?;
            let Ok(inner) = u32::try_from(tag >> 3) else { return violation(WireProblem::Malformed) };
            if tag & 7 == 4 {
                return if inner == number { Ok(()) } else { violation(WireProblem::Malformed) };
            }
            self.skip(tag & 7, inner, bytes, depth)?;
        }
    }
}
