//! The shape of an answer in a few numbers: which keys its JSON has, hashed. Answers of one endpoint share it, error pages
//! of all endpoints do, and it tells the learner more than any header.

use ml::hash::{hash_bytes, mix};
use model::Observation;
use schema::json::{JsonLimits, Kind, Tape, Value};

use crate::request::Media;

/// Most keys of a shape; the smallest hashes stand for all.
const KEYS_MAX: usize = 24;
/// Most values of a body that are looked at.
const VALUES_MAX: usize = 2_000;

/// Gives an observation the shape of its sampled answer, where it has none and the answer is JSON.
pub fn add_shape(observation: &mut Observation) {
    if observation.response_shape.is_some()
        || !matches!(Media::of(observation.response_type.as_deref()), Media::Json | Media::Problem)
    {
        return;
    }
    let body = observation.sample.as_ref().filter(|sample| sample.response_whole).map(|sample| &sample.response);
    observation.response_shape = body.and_then(|body| shape(body));
}

/// The smallest hashed key paths of a JSON body; `None` for what is no JSON.
fn shape(body: &[u8]) -> Option<Box<[u64]>> {
    let tape = Tape::parse(body, &JsonLimits::default()).ok()?;
    let mut keys: Vec<u64> = Vec::new();
    let mut open: Vec<(u64, Value<'_>)> = vec![(0, tape.root())];
    let mut looked = 0;
    while let Some((path, value)) = open.pop() {
        looked += 1;
        if looked > VALUES_MAX {
            break;
        }
        match value.kind() {
            Kind::Object => {
                for (key, member) in value.members().into_iter().flatten().take(VALUES_MAX - looked) {
                    let path = mix(path, hash_bytes(3, key.as_bytes()));
                    keys.push(path);
                    open.push((path, member));
                }
            }
            Kind::Array => {
                let path = mix(path, 1);
                open.extend(value.items().into_iter().flatten().take(8).map(|item| (path, item)));
            }
            _ => {}
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(KEYS_MAX);
    Some(keys.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_do_not_matter_and_keys_do() {
        let of = |text: &str| shape(text.as_bytes()).unwrap();
        assert_eq!(of(r#"[{"a":1,"b":"x"}]"#), of(r#"[{"b":null,"a":2},{"a":7}]"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"b":1}"#));
        assert_ne!(of(r#"{"a":{"b":1}}"#), of(r#"{"a":1,"b":1}"#));
        assert!(of("[1,2]").is_empty());
        assert!(shape(b"<html>").is_none());
        let many: String = (0..500).map(|at| format!(r#""k{at}":{at},"#)).collect();
        assert_eq!(of(&format!("{{{many}\"z\":1}}")).len(), KEYS_MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_within_bounds(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(shape(&body).is_none_or(|keys| keys.len() <= KEYS_MAX));
        }
    }
}
