//! Strings of a protobuf message whose schema is not known, by the wire format alone.

use super::{Role, Spot, Value};

/// Messages nested deeper are handed out as text.
const DEPTH_MAX: u8 = 8;

/// Hands out every length-delimited field that reads as text.
pub(super) fn walk_protobuf(message: &[u8], each: &mut dyn FnMut(&Value<'_>)) {
    walk(message, DEPTH_MAX, each);
}

fn walk(mut rest: &[u8], depth: u8, each: &mut dyn FnMut(&Value<'_>)) {
    while !rest.is_empty() {
        let Some((key, after)) = varint(rest) else { return };
        let number = u32::try_from(key >> 3).unwrap_or(u32::MAX);
        let skipped = match key & 7 {
            0 => varint(after).map(|(_, after)| after),
            1 => after.get(8..),
            5 => after.get(4..),
            2 => varint(after).and_then(|(length, after)| {
                let (field, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                if is_text(field) {
                    each(&Value { spot: Spot::Protobuf(number), role: Role::Value, bytes: field });
                } else if depth > 0 {
                    walk(field, depth - 1, each);
                }
                Some(after)
            }),
            _ => None,
        };
        let Some(next) = skipped else { return };
        rest = next;
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte < 0x80 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

fn is_text(field: &[u8]) -> bool {
    std::str::from_utf8(field).is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_in_nested_messages() {
        // Field 1: "hi"; field 2: a message with field 3 = 1 (varint) and field 4 = "deep".
        let message = b"\x0a\x02hi\x12\x08\x18\x01\x22\x04deep";
        let mut seen = Vec::new();
        walk_protobuf(message, &mut |value| seen.push(String::from_utf8_lossy(value.bytes).into_owned()));
        assert_eq!(seen, ["hi", "deep"]);
        for cut in 0..message.len() {
            walk_protobuf(&message[..cut], &mut |_| {});
        }
    }
}
