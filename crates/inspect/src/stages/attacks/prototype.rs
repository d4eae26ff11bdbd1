//! Prototype pollution: keys that reach the prototype all objects share.

use super::family::Weight;
use super::gate::{Marker, any};
use super::text::{Text, has};
use crate::values::Role;

pub(super) const MARKERS: &[Marker] = &[
    any(0, "__proto__"),
    any(0, "constructor"),
    any(0, "prototype"),
    any(0, "__definegetter__"),
    any(0, "__lookupgetter__"),
    any(0, "__definesetter__"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let chained = [
        "constructor.prototype",
        "constructor[prototype",
        "constructor\":{\"prototype",
        "constructor\": {\"prototype",
        "constructor['prototype",
        "constructor][prototype",
        "[constructor][prototype",
    ]
    .iter()
    .any(|form| has(low, form));
    if has(low, "__proto__") {
        let reached =
            ["__proto__[", "__proto__.", "__proto__\"", "__proto__'", "[__proto__]", "__proto__=", "__proto__:"]
                .iter()
                .any(|form| has(low, form));
        weight.add(
            match (text.role, reached) {
                (Role::Name, _) => 10,
                (_, true) if !text.prose => 9,
                (_, true) => 4,
                (_, false) if low.len() < 24 => 7,
                _ => 3,
            },
            "__proto__",
        );
        if reached && text.raw.len() < 300 && !text.prose {
            weight.add(2, "nothing else");
        }
    }
    if chained {
        weight.add(if text.prose { 4 } else { 10 }, "constructor.prototype");
    }
    if has(low, "__definegetter__") || has(low, "__definesetter__") || has(low, "__lookupgetter__") {
        weight.add(7, "accessor definition");
    }
}
