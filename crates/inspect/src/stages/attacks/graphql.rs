//! GraphQL introspection: a map of the schema that a public API keeps to itself (GraphQL, October 2021, section 4).

use super::family::Weight;
use super::gate::{Marker, any};
use super::text::{Text, trim};

pub(super) const MARKERS: &[Marker] = &[any(0, "__schema"), any(0, "__type"), any(0, "introspectionquery")];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    for (name, opens) in [("__schema", b'{'), ("__type", b'(')] {
        for at in text.find_all(name).take(64) {
            let rest = text.from(at + name.len());
            let queried = trim(rest).first() == Some(&opens);
            let inside = text.low.get(..at).unwrap_or_default().contains(&b'{');
            if queried && inside {
                weight.add(if text.prose { 4 } else { 10 }, "introspection");
            }
        }
    }
    // Fields of the introspection types, in fragments sent apart from the query.
    let fragments = ["on __type", "on __inputvalue", "on __field", "on __directive"];
    if fragments.iter().any(|fragment| super::text::has(text.low, fragment)) {
        weight.add(6, "introspection fragment");
    }
}
