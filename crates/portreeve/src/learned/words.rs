//! Operators' words, as the inventory keeps them, told to the learner.

use learn::Constraints;
use model::EndpointId;
use serde_json::Value;
use store::inventory::Constraint;
use store::{Inventory, StoreError};

/// Tells the learner one word. A word that it cannot understand is skipped: it was checked when it was given.
///
/// # Errors
/// When an endpoint that it names cannot be read.
pub fn tell(constraints: &mut Constraints, word: &Constraint, inventory: &Inventory) -> Result<(), StoreError> {
    let text = |name: &str| word.body.get(name).and_then(Value::as_str);
    let template = text("template").or_else(|| text("below")).unwrap_or_default();
    match word.kind.as_str() {
        "pin" => constraints.pin(template),
        "split" => {
            if let Some(literal) = text("literal") {
                constraints.split(template, literal);
            }
        }
        "rename" => {
            if let Some(name) = text("name") {
                constraints.rename(template, name);
            }
        }
        "ignore" => constraints.ignore(text("method").unwrap_or("GET"), template),
        "merge" => {
            let id = |name: &str| word.body.get(name).and_then(Value::as_u64).map(EndpointId);
            match id("from").zip(id("into")) {
                Some((from, into)) => {
                    let place = inventory
                        .endpoint(from)?
                        .zip(inventory.endpoint(into)?)
                        .and_then(|(from, into)| differing(&from.endpoint.template, &into.endpoint.template));
                    if let Some(place) = place {
                        constraints.merge(&place);
                    }
                }
                None => constraints.merge(template),
            }
        }
        _ => {}
    }
    Ok(())
}

/// The template above the first piece in which two templates of the same length differ.
fn differing(a: &str, b: &str) -> Option<String> {
    let pieces = |template: &str| -> Vec<String> {
        template.split('/').filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
    };
    let (a, b) = (pieces(a), pieces(b));
    let is_parameter = |piece: &String| piece.contains('{');
    let at = a.iter().zip(&b).position(|(a, b)| a != b && !(is_parameter(a) && is_parameter(b)))?;
    (a.len() == b.len()).then(|| a.iter().take(at).fold(String::new(), |path, piece| path + "/" + piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_two_endpoints_means_the_place_where_they_differ() {
        assert_eq!(differing("/users/17/orders", "/users/{userId}/orders").as_deref(), Some("/users"));
        assert_eq!(differing("/users/{a}/x", "/users/{b}/y").as_deref(), Some("/users/{a}"));
        assert_eq!(differing("/a/b", "/a"), None);
        assert_eq!(differing("/a/b", "/a/b"), None);
    }
}
