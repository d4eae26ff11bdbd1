//! Equality of values as JSON Schema defines it: numbers by value, objects without order.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::value::{Kind, Value};

/// Whether two values are equal (JSON Schema 2020-12 core, section 4.2.2). Of duplicate keys the last counts.
pub fn equal(a: Value<'_>, b: Value<'_>) -> bool {
    if a.kind() != b.kind() {
        return false;
    }
    match a.kind() {
        Kind::Null => true,
        Kind::Bool => a.as_bool() == b.as_bool(),
        Kind::String => a.as_str() == b.as_str(),
        Kind::Number => match (a.as_number(), b.as_number()) {
            (Some(a), Some(b)) => a.compare(b).is_eq(),
            _ => false,
        },
        Kind::Array => {
            a.count() == b.count()
                && a.items().into_iter().flatten().zip(b.items().into_iter().flatten()).all(|(a, b)| equal(a, b))
        }
        Kind::Object => equal_objects(a, b),
    }
}

fn equal_objects(a: Value<'_>, b: Value<'_>) -> bool {
    if a.count().max(b.count()) <= 8 {
        let within = |a: Value<'_>, b: Value<'_>| {
            a.members().into_iter().flatten().all(|(key, _)| match (a.get(key), b.get(key)) {
                (Some(x), Some(y)) => equal(x, y),
                _ => false,
            })
        };
        let keys_of_b_in_a = b.members().into_iter().flatten().all(|(key, _)| a.get(key).is_some());
        return keys_of_b_in_a && within(a, b);
    }
    let a: HashMap<&str, Value<'_>> = a.members().into_iter().flatten().collect();
    let b: HashMap<&str, Value<'_>> = b.members().into_iter().flatten().collect();
    a.len() == b.len() && a.iter().all(|(key, x)| b.get(key).is_some_and(|y| equal(*x, *y)))
}

/// Whether an array has two equal items. Linear in the text: items are compared by a keyed hash first.
pub fn has_duplicates(array: Value<'_>) -> bool {
    let count = array.count();
    if count < 2 {
        return false;
    }
    let Some(items) = array.items() else { return false };
    if count <= 4 {
        let mut rest = items;
        while let Some(item) = rest.next() {
            if rest.clone().any(|other| equal(item, other)) {
                return true;
            }
        }
        return false;
    }
    let state = RandomState::new();
    let mut seen: HashMap<u64, Vec<Value<'_>>> = HashMap::with_capacity(count);
    for item in items {
        let bucket = seen.entry(hash(item, &state)).or_default();
        if bucket.iter().any(|other| equal(*other, item)) {
            return true;
        }
        bucket.push(item);
    }
    false
}

/// A hash that is the same for equal values. Members are added up, so their order does not matter; duplicate keys
/// make two equal objects hash differently only when nobody can rely on which of them counts.
fn hash(value: Value<'_>, state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    match value.kind() {
        Kind::Null => hasher.write_u8(0),
        Kind::Bool => hasher.write_u8(if value.as_bool() == Some(true) { 2 } else { 1 }),
        Kind::Number => {
            hasher.write_u8(3);
            if let Some(number) = value.as_number() {
                number.canonical(|bytes| hasher.write(bytes));
            }
        }
        Kind::String => {
            hasher.write_u8(4);
            hasher.write(value.as_str().unwrap_or_default().as_bytes());
        }
        Kind::Array => {
            hasher.write_u8(5);
            for item in value.items().into_iter().flatten() {
                hasher.write_u64(hash(item, state));
            }
        }
        Kind::Object => {
            hasher.write_u8(6);
            let mut sum = 0u64;
            for (key, member) in value.members().into_iter().flatten() {
                let mut pair = state.build_hasher();
                pair.write(key.as_bytes());
                pair.write_u64(hash(member, state));
                sum = sum.wrapping_add(pair.finish());
            }
            hasher.write_u64(sum);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{JsonLimits, Tape};
    use super::*;

    fn check(a: &str, b: &str, expected: bool) {
        let (a_tape, b_tape) = (
            Tape::parse(a.as_bytes(), &JsonLimits::default()).unwrap(),
            Tape::parse(b.as_bytes(), &JsonLimits::default()).unwrap(),
        );
        assert_eq!(equal(a_tape.root(), b_tape.root()), expected, "{a} and {b}");
        let many = format!("[1.5,2.5,3.5,4.5,5.5,{a},{b}]");
        let tape = Tape::parse(many.as_bytes(), &JsonLimits::default()).unwrap();
        assert_eq!(has_duplicates(tape.root()), expected, "{many}");
    }

    #[test]
    fn equality_is_by_value() {
        check("1", "1.0", true);
        check("1", "true", false);
        check("\"a\"", "\"\\u0061\"", true);
        check(r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"a":1e0}"#, true);
        check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false);
        check("[1,2]", "[2,1]", false);
        check("[0]", "[false]", false);
        check("null", "0", false);
    }
}
