//! Protocol Buffers wire format, walked against a descriptor.

use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor, Syntax};

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
}

/// A departure with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireViolation {
    /// What is wrong.
    pub problem: WireProblem,
    /// Names of the fields that lead there, joined by dots; unknown fields by number.
    pub path: String,
}

impl WireViolation {
    /// What was expected.
    pub fn expected(&self) -> &'static str {
        match self.problem {
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
    fields: usize,
}

pub(super) fn judge(
    descriptor: &MessageDescriptor,
    message: &[u8],
    limits: &GrpcLimits,
    unknown: UnknownFields,
) -> Result<(), WireViolation> {
    Walk { limits, unknown, fields: 0 }.message(descriptor, message, 0)
}

fn violation<T>(problem: WireProblem) -> Result<T, WireViolation> {
    Err(WireViolation { problem, path: String::new() })
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

impl Walk<'_> {
    fn message(&mut self, descriptor: &MessageDescriptor, mut bytes: &[u8], depth: usize) -> Result<(), WireViolation> {
        if depth > self.limits.depth_max {
            return violation(WireProblem::TooDeep);
        }
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
                    self.field(&field, tag & 7, number, &mut bytes, depth)
                        .map_err(|inner| within(field.name(), inner))?;
                }
                None if self.unknown == UnknownFields::Refuse => {
                    return violation(WireProblem::UnknownField).map_err(|inner| within(&number.to_string(), inner));
                }
                None => self.skip(tag & 7, number, &mut bytes, depth)?,
            }
        }
        match required.iter().find(|field| !seen.contains(&field.number())) {
            Some(field) => violation(WireProblem::Required).map_err(|inner| within(field.name(), inner)),
            None => Ok(()),
        }
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        wire: u64,
        number: u32,
        bytes: &mut &[u8],
        depth: usize,
    ) -> Result<(), WireViolation> {
        let kind = field.kind();
        let own = wire_type(&kind);
        if field.is_group() && wire == 3 {
            return self.skip(wire, number, bytes, depth);
        }
        if wire == own {
            return self.value(field, &kind, bytes, depth);
        }
        // Lists of numbers may be packed, whatever is declared.
        if wire == 2 && own != 2 && field.is_list() {
            let length = varint(bytes)?;
            let mut packed = take(bytes, length)?;
            while !packed.is_empty() {
                self.fields += 1;
                if self.fields > self.limits.fields_max {
                    return violation(WireProblem::TooMany);
                }
                self.value(field, &kind, &mut packed, depth)?;
            }
            return Ok(());
        }
        violation(WireProblem::WireType)
    }

    fn value(
        &mut self,
        field: &FieldDescriptor,
        kind: &Kind,
        bytes: &mut &[u8],
        depth: usize,
    ) -> Result<(), WireViolation> {
        match wire_type(kind) {
            0 => {
                let value = varint(bytes)?;
                let Kind::Enum(values) = kind else { return Ok(()) };
                // Only proto2 enumerations are closed. Negative numbers are sign-extended to 64 bits.
                let is_closed = values.parent_file().syntax() == Syntax::Proto2;
                let number = i64::from_ne_bytes(value.to_ne_bytes());
                let is_known = i32::try_from(number).is_ok_and(|number| values.get_value(number).is_some());
                if is_closed && !is_known { violation(WireProblem::Enumeration) } else { Ok(()) }
            }
            1 => take(bytes, 8).map(|_| ()),
            5 => take(bytes, 4).map(|_| ()),
            _ => {
                let length = varint(bytes)?;
                let inside = take(bytes, length)?;
                match kind {
                    Kind::Message(descriptor) => self.message(descriptor, inside, depth + 1),
                    // proto2 does not promise UTF-8.
                    Kind::String if field.parent_file().syntax() == Syntax::Proto2 => Ok(()),
                    Kind::String if std::str::from_utf8(inside).is_err() => violation(WireProblem::Utf8),
                    _ => Ok(()),
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
