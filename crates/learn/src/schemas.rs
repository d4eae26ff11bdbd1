//! Schemas of endpoints, learned from sampled exchanges: parameters of the query, fields of forms, bodies both ways.
//!
//! Only successful exchanges teach. Values pass through [`schema::shape`], which keeps counts, ranges and formats and
//! no values beyond short enumerations; this module decides which part of an exchange belongs where, and stays bounded.

use std::collections::BTreeMap;

use model::Observation;
use schema::json::{JsonLimits, Tape};
use schema::shape::{Shape, ShapeLimits};

use crate::path::query_of;
use crate::request::Media;

/// Most parameters of one kind that are described for one endpoint.
pub const PARAMETERS_MAX: usize = 64;

/// A named parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterShape {
    /// Exchanges that had it.
    pub present: u64,
    /// Exchanges that had it more than once.
    pub repeated: u64,
    /// What it held.
    pub shape: Shape,
}

/// What was learned about one endpoint's messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSchema {
    /// Successful exchanges looked at.
    pub exchanges: u64,
    /// Query parameters by name.
    pub query: BTreeMap<Box<str>, ParameterShape>,
    /// Form fields by name.
    pub form: BTreeMap<Box<str>, ParameterShape>,
    /// Custom header fields by lower-case name: in how many exchanges.
    pub headers: BTreeMap<Box<str>, u64>,
    /// JSON bodies of requests, and how many.
    pub request: Shape,
    /// Requests with a JSON body that was seen whole.
    pub request_bodies: u64,
    /// JSON bodies of responses by status.
    pub responses: BTreeMap<u16, Shape>,
    /// Content types of requests and how often.
    pub request_types: BTreeMap<Box<str>, u64>,
    /// Content types of responses and how often.
    pub response_types: BTreeMap<Box<str>, u64>,
    /// Parameters that were not described because there were too many.
    pub dropped: u64,
}

/// How sure it is that a parameter is required: the lower end of the chance to be present (Wilson's interval, 95 %).
pub fn required_confidence(present: u64, exchanges: u64) -> f64 {
    if exchanges == 0 || present < exchanges {
        return 0.0;
    }
    let count = exchanges as f64;
    count / (count + 3.84)
}

impl EndpointSchema {
    /// Learns from one successful exchange.
    pub fn observe(&mut self, observation: &Observation, limits: &ShapeLimits) {
        self.exchanges += 1;
        let query = query_of(&observation.target);
        self.dropped += fold_pairs(&mut self.query, query, limits);
        for name in observation.custom_headers.iter().take(PARAMETERS_MAX) {
            if self.headers.len() < PARAMETERS_MAX || self.headers.contains_key(name) {
                *self.headers.entry(name.clone()).or_default() += 1;
            }
        }
        count_type(&mut self.request_types, observation.request_type.as_deref());
        count_type(&mut self.response_types, observation.response_type.as_deref());
        let Some(sample) = &observation.sample else { return };
        match Media::of(observation.request_type.as_deref()) {
            Media::Json if sample.request_whole => {
                self.request_bodies += u64::from(fold_json(&mut self.request, &sample.request, limits));
            }
            Media::Form if sample.request_whole => {
                if let Ok(text) = std::str::from_utf8(&sample.request) {
                    self.dropped += fold_pairs(&mut self.form, text, limits);
                }
            }
            _ => (),
        }
        let response = Media::of(observation.response_type.as_deref());
        if matches!(response, Media::Json | Media::Problem) && sample.response_whole && self.responses.len() < 12 {
            let shape = self.responses.entry(observation.status).or_default();
            fold_json(shape, &sample.response, limits);
        }
    }

    /// Adds what was learned about another endpoint that turned out to be the same.
    pub fn merge(&mut self, other: &Self, limits: &ShapeLimits) {
        self.exchanges += other.exchanges;
        self.request_bodies += other.request_bodies;
        self.dropped += other.dropped;
        self.request.merge(&other.request, limits);
        for (status, shape) in &other.responses {
            self.responses.entry(*status).or_default().merge(shape, limits);
        }
        for (own, others) in [(&mut self.query, &other.query), (&mut self.form, &other.form)] {
            for (name, parameter) in others {
                let merged = own.entry(name.clone()).or_default();
                merged.present += parameter.present;
                merged.repeated += parameter.repeated;
                merged.shape.merge(&parameter.shape, limits);
            }
        }
        let counts = [
            (&mut self.headers, &other.headers),
            (&mut self.request_types, &other.request_types),
            (&mut self.response_types, &other.response_types),
        ];
        for (own, others) in counts {
            for (name, count) in others {
                *own.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// Query parameters that every exchange had, with how sure that makes them required.
    pub fn required_query(&self) -> Vec<(&str, f64)> {
        let all = self.query.iter().map(|(name, one)| (&**name, required_confidence(one.present, self.exchanges)));
        all.filter(|(_, confidence)| *confidence > 0.0).collect()
    }
}

fn count_type(types: &mut BTreeMap<Box<str>, u64>, value: Option<&str>) {
    let Some(essence) = value.and_then(|value| value.split(';').next()).map(str::trim).filter(|text| !text.is_empty())
    else {
        return;
    };
    if types.len() < 8 || types.contains_key(essence) {
        *types.entry(essence.to_ascii_lowercase().into()).or_default() += 1;
    }
}

fn fold_json(shape: &mut Shape, body: &[u8], limits: &ShapeLimits) -> bool {
    match Tape::parse(body, &JsonLimits::default()) {
        Ok(tape) => {
            shape.observe(tape.root(), limits);
            true
        }
        Err(_) => false,
    }
}

/// Folds `name=value` pairs in; gives how many were dropped for lack of room.
fn fold_pairs(parameters: &mut BTreeMap<Box<str>, ParameterShape>, text: &str, limits: &ShapeLimits) -> u64 {
    let mut dropped = 0;
    let mut seen: Vec<String> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX * 2) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name), decoded(value));
        if name.is_empty()
            || name.len() > 128
            || parameters.len() >= PARAMETERS_MAX && !parameters.contains_key(name.as_str())
        {
            dropped += 1;
            continue;
        }
        let parameter = parameters.entry(name.as_str().into()).or_default();
        parameter.shape.observe_text(&value, limits);
        if seen.contains(&name) {
            parameter.repeated += 1;
        } else {
            parameter.present += 1;
            seen.push(name);
        }
    }
    dropped
}

/// Form decoding (WHATWG URL, section application/x-www-form-urlencoded parsing).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match (byte, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            _ => bytes.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::BodySample;

    fn exchange(target: &str, request: &'static str, response: &'static str) -> Observation {
        Observation {
            target: target.into(),
            method: "POST".into(),
            status: 200,
            request_type: Some("application/json".into()),
            response_type: Some("application/json; charset=utf-8".into()),
            sample: Some(Box::new(BodySample {
                request: request.as_bytes().into(),
                request_whole: true,
                response: response.as_bytes().into(),
                response_whole: true,
            })),
            ..Observation::default()
        }
    }

    #[test]
    fn parameters_and_bodies_are_learned() {
        let mut schema = EndpointSchema::default();
        let limits = ShapeLimits::default();
        for _ in 0..20 {
            schema.observe(&exchange("/x?page=1&tag=a&tag=b", r#"{"n":1}"#, r#"{"id":"x","items":[1]}"#), &limits);
        }
        schema.observe(&exchange("/x?page=2", r#"{"n":2,"m":null}"#, "broken"), &limits);
        assert_eq!((schema.exchanges, schema.request_bodies), (21, 21));
        assert_eq!(schema.query["tag"].repeated, 20);
        let required = schema.required_query();
        assert_eq!(required.len(), 1);
        assert!(required[0].0 == "page" && required[0].1 > 0.8);
        assert_eq!(schema.request.object.as_ref().unwrap().properties["n"].present, 21);
        assert_eq!(schema.responses[&200].object.as_ref().unwrap().properties["items"].present, 20);
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let mut schema = EndpointSchema::default();
        for at in 0..1_000 {
            schema.observe(&exchange(&format!("/x?p{at}=1"), "{}", "{}"), &ShapeLimits::default());
        }
        assert_eq!(schema.query.len(), PARAMETERS_MAX);
        assert_eq!(schema.dropped, 1_000 - PARAMETERS_MAX as u64);
    }

    #[test]
    fn forms_are_decoded() {
        assert_eq!(decoded("a+b%20c%zz%41"), "a b c%zzA");
    }
}
