//! Schemas of endpoints, learned from exchanges: parameters of path, query and fields, forms, bodies both ways.
//!
//! Only successful exchanges teach, and only those no stage was suspicious of; of all others the status is counted.
//! Values pass through [`schema::shape`], which keeps counts, ranges and formats and no values beyond short
//! enumerations; this module decides which part of an exchange belongs where, and stays bounded.

use std::collections::BTreeMap;

use model::{BodySample, Observation};
use schema::json::{JsonLimits, Tape};
use schema::shape::{Shape, ShapeLimits};
use serde::{Deserialize, Serialize};

use crate::path::query_of;
use crate::request::Media;

/// Most parameters of one kind that are described for one endpoint.
pub const PARAMETERS_MAX: usize = 64;
/// Most statuses told apart for one endpoint.
pub const STATUSES_MAX: usize = 24;
/// Most content types told apart for one side of an endpoint.
pub const TYPES_MAX: usize = 8;
/// Longest name of a parameter, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Longest text of a parameter that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// A named parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParameterShape {
    /// Exchanges that had it.
    pub present: u64,
    /// Exchanges that had it more than once.
    pub repeated: u64,
    /// What it held.
    pub shape: Shape,
}

/// What answers of one status looked like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerShape {
    /// How many.
    pub seen: u64,
    /// Content types and how often.
    pub types: BTreeMap<Box<str>, u64>,
    /// JSON bodies that were seen whole.
    pub body: Shape,
}

/// What was learned about one endpoint's messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointSchema {
    /// Successful exchanges looked at.
    pub exchanges: u64,
    /// Path parameters in the order of the template.
    pub path: Vec<Shape>,
    /// Query parameters by name.
    pub query: BTreeMap<Box<str>, ParameterShape>,
    /// Form fields by name.
    pub form: BTreeMap<Box<str>, ParameterShape>,
    /// Form bodies that were seen whole.
    pub forms: u64,
    /// Fields that may be parameters, by lower-case name; their values only from sampled exchanges.
    pub headers: BTreeMap<Box<str>, ParameterShape>,
    /// JSON bodies of requests, and how many.
    pub request: Shape,
    /// Requests with a JSON body that was seen whole.
    pub request_bodies: u64,
    /// Successful requests that had a body, and those whose source cannot tell.
    pub bodies: u64,
    /// See `bodies`.
    pub bodies_unknown: u64,
    /// Content types of requests with a body and how often.
    pub request_types: BTreeMap<Box<str>, u64>,
    /// Answers by status, also unsuccessful ones; bodies only of successful ones.
    pub answers: BTreeMap<u16, AnswerShape>,
    /// Names, statuses and types that were not described because there were too many.
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
    /// Learns from one exchange with an endpoint of this template.
    pub fn observe(&mut self, template: &str, observation: &Observation, limits: &ShapeLimits) {
        if observation.status < 100 || observation.suspect {
            return;
        }
        self.count_answer(observation);
        if !(200..300).contains(&observation.status) {
            return;
        }
        self.exchanges += 1;
        self.fold_path(template, &observation.target, limits);
        self.dropped += fold_pairs(&mut self.query, query_of(&observation.target), limits);
        self.fold_names(observation);
        match observation.request_bytes {
            None => self.bodies_unknown += 1,
            Some(0) => {}
            Some(_) => {
                self.bodies += 1;
                self.dropped += count_type(&mut self.request_types, observation.request_type.as_deref());
            }
        }
        if let Some(sample) = &observation.sample {
            self.fold_sample(observation, sample, limits);
        }
    }

    fn count_answer(&mut self, observation: &Observation) {
        if self.answers.len() >= STATUSES_MAX && !self.answers.contains_key(&observation.status) {
            self.dropped += 1;
            return;
        }
        let answer = self.answers.entry(observation.status).or_default();
        answer.seen += 1;
        if observation.response_bytes != Some(0) {
            self.dropped += count_type(&mut answer.types, observation.response_type.as_deref());
        }
    }

    fn fold_path(&mut self, template: &str, target: &str, limits: &ShapeLimits) {
        let Some(values) = crate::path::values(template, target) else { return };
        self.path.resize_with(values.len(), Shape::default);
        for (shape, value) in self.path.iter_mut().zip(&values) {
            shape.observe_text(cut(value), limits);
        }
    }

    fn fold_names(&mut self, observation: &Observation) {
        for name in observation.custom_headers.iter().take(PARAMETERS_MAX) {
            if self.headers.len() < PARAMETERS_MAX || self.headers.contains_key(name) {
                self.headers.entry(name.clone()).or_default().present += 1;
            } else {
                self.dropped += 1;
            }
        }
    }

    fn fold_sample(&mut self, observation: &Observation, sample: &BodySample, limits: &ShapeLimits) {
        for (name, value) in &sample.fields {
            if let Some(field) = self.headers.get_mut(name) {
                field.shape.observe_named(name, cut(value), limits);
            }
        }
        match Media::of(observation.request_type.as_deref()) {
            Media::Json if sample.request_whole && !sample.request.is_empty() => {
                self.request_bodies += u64::from(fold_json(&mut self.request, &sample.request, limits));
            }
            Media::Form if sample.request_whole && !sample.request.is_empty() => {
                if let Ok(text) = std::str::from_utf8(&sample.request) {
                    self.forms += 1;
                    self.dropped += fold_pairs(&mut self.form, text, limits);
                }
            }
            _ => (),
        }
        let response = Media::of(observation.response_type.as_deref());
        if matches!(response, Media::Json | Media::Problem)
            && sample.response_whole
            && let Some(answer) = self.answers.get_mut(&observation.status)
        {
            fold_json(&mut answer.body, &sample.response, limits);
        }
    }

    /// Adds what was learned about another endpoint that turned out to be the same. Its path is another one and teaches
    /// nothing about this endpoint's parameters.
    pub fn merge(&mut self, other: &Self, limits: &ShapeLimits) {
        self.exchanges += other.exchanges;
        self.request_bodies += other.request_bodies;
        self.bodies += other.bodies;
        self.bodies_unknown += other.bodies_unknown;
        self.forms += other.forms;
        self.dropped += other.dropped;
        self.request.merge(&other.request, limits);
        for (status, answer) in &other.answers {
            if self.answers.len() >= STATUSES_MAX && !self.answers.contains_key(status) {
                self.dropped += 1;
                continue;
            }
            let own = self.answers.entry(*status).or_default();
            own.seen += answer.seen;
            own.body.merge(&answer.body, limits);
            self.dropped += add_counts(&mut own.types, &answer.types);
        }
        let pairs =
            [(&mut self.query, &other.query), (&mut self.form, &other.form), (&mut self.headers, &other.headers)];
        for (own, others) in pairs {
            for (name, parameter) in others {
                if own.len() >= PARAMETERS_MAX && !own.contains_key(name) {
                    self.dropped += 1;
                    continue;
                }
                let merged = own.entry(name.clone()).or_default();
                merged.present += parameter.present;
                merged.repeated += parameter.repeated;
                merged.shape.merge(&parameter.shape, limits);
            }
        }
        self.dropped += add_counts(&mut self.request_types, &other.request_types);
    }

    /// Another template holds from now on: the path parameters are learned anew.
    pub fn forget_path(&mut self) {
        self.path.clear();
    }

    /// True when something about the messages is known beyond that they exist.
    pub fn is_known(&self) -> bool {
        !self.query.is_empty() || self.request_bodies > 0 || self.forms > 0 || self.has_answer_bodies()
    }

    fn has_answer_bodies(&self) -> bool {
        self.answers.values().any(|answer| answer.body.seen > 0)
    }

    /// Query parameters that every exchange had, with how sure that makes them required.
    pub fn required_query(&self) -> Vec<(&str, f64)> {
        let all = self.query.iter().map(|(name, one)| (&**name, required_confidence(one.present, self.exchanges)));
        all.filter(|(_, confidence)| *confidence > 0.0).collect()
    }
}

fn add_counts(own: &mut BTreeMap<Box<str>, u64>, others: &BTreeMap<Box<str>, u64>) -> u64 {
    let mut dropped = 0;
    for (name, count) in others {
        if own.len() < TYPES_MAX || own.contains_key(name) {
            *own.entry(name.clone()).or_default() += count;
        } else {
            dropped += 1;
        }
    }
    dropped
}

/// Counts a content type without its parameters; gives how many were dropped for lack of room.
fn count_type(types: &mut BTreeMap<Box<str>, u64>, value: Option<&str>) -> u64 {
    let Some(essence) = value.and_then(|value| value.split(';').next()).map(str::trim).filter(|text| !text.is_empty())
    else {
        return 0;
    };
    let essence = essence.to_ascii_lowercase();
    if types.len() >= TYPES_MAX && !types.contains_key(essence.as_str()) || essence.len() > NAME_BYTES_MAX {
        return 1;
    }
    *types.entry(essence.into()).or_default() += 1;
    0
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

/// The beginning of a text, at a character boundary.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Folds `name=value` pairs in; gives how many were dropped for lack of room.
fn fold_pairs(parameters: &mut BTreeMap<Box<str>, ParameterShape>, text: &str, limits: &ShapeLimits) -> u64 {
    let mut dropped = 0;
    let mut seen: Vec<String> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX * 2) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name), decoded(value));
        if name.is_empty()
            || name.len() > NAME_BYTES_MAX
            || parameters.len() >= PARAMETERS_MAX && !parameters.contains_key(name.as_str())
        {
            dropped += 1;
            continue;
        }
        let parameter = parameters.entry(name.as_str().into()).or_default();
        parameter.shape.observe_named(&name, cut(&value), limits);
        match seen.iter().filter(|earlier| **earlier == name).count() {
            0 => parameter.present += 1,
            // Counted once, however often it comes again.
            1 => parameter.repeated += 1,
            _ => {}
        }
        seen.push(name);
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

    fn exchange(target: &str, request: &'static str, response: &'static str) -> Observation {
        Observation {
            target: target.into(),
            method: "POST".into(),
            status: 200,
            request_type: Some("application/json".into()),
            request_bytes: Some(request.len() as u64),
            response_type: Some("application/json; charset=utf-8".into()),
            sample: Some(Box::new(BodySample {
                request: request.as_bytes().into(),
                request_whole: true,
                response: response.as_bytes().into(),
                response_whole: true,
                fields: [("x-page".into(), "7".into())].into(),
            })),
            custom_headers: ["x-page".into()].into(),
            ..Observation::default()
        }
    }

    #[test]
    fn parameters_and_bodies_are_learned() {
        let mut schema = EndpointSchema::default();
        let limits = ShapeLimits::default();
        for _ in 0..20 {
            let one = exchange("/x/7?page=1&tag=a&tag=b&tag=c", r#"{"n":1}"#, r#"{"id":"x","items":[1]}"#);
            schema.observe("/x/{}", &one, &limits);
        }
        schema.observe("/x/{}", &exchange("/X/8/?page=2", r#"{"n":2,"m":null}"#, "broken"), &limits);
        schema.observe("/x/{}", &Observation { status: 404, ..exchange("/x/9?z=1", "{}", "{}") }, &limits);
        schema.observe("/x/{}", &Observation { suspect: true, ..exchange("/x/9?z=1", "{}", "{}") }, &limits);
        assert_eq!((schema.exchanges, schema.request_bodies, schema.bodies), (21, 21, 21));
        assert_eq!(schema.query["tag"].repeated, 20);
        assert!(!schema.query.contains_key("z"), "only what succeeded and was not suspicious teaches");
        let required = schema.required_query();
        assert_eq!(required.len(), 1);
        assert!(required[0].0 == "page" && required[0].1 > 0.8);
        assert_eq!(schema.request.object.as_ref().unwrap().properties["n"].present, 21);
        assert_eq!(schema.answers[&200].body.object.as_ref().unwrap().properties["items"].present, 20);
        assert_eq!((schema.answers[&404].seen, schema.answers[&404].body.seen), (1, 0));
        assert_eq!(schema.path.len(), 1);
        assert_eq!(schema.path[0].seen, 21);
        assert_eq!((schema.headers["x-page"].present, schema.headers["x-page"].shape.seen), (21, 21));
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let mut schema = EndpointSchema::default();
        for at in 0..1_000 {
            schema.observe("/x", &exchange(&format!("/x?p{at}=1"), "{}", "{}"), &ShapeLimits::default());
        }
        assert_eq!(schema.query.len(), PARAMETERS_MAX);
        assert_eq!(schema.dropped, 1_000 - PARAMETERS_MAX as u64);
    }

    #[test]
    fn secrets_leave_no_text() {
        let mut schema = EndpointSchema::default();
        for _ in 0..50 {
            let one = exchange("/x?api_key=abc&sort=up", r#"{"password":"p","kind":"k"}"#, r#"{"token":"t"}"#);
            schema.observe("/x", &one, &ShapeLimits::default());
        }
        let values = |shape: &Shape| shape.text.as_ref().unwrap().values.clone();
        assert_eq!(values(&schema.query["api_key"].shape), None);
        assert!(values(&schema.query["sort"].shape).is_some());
        let member = |shape: &Shape, name: &str| values(&shape.object.as_ref().unwrap().properties[name].shape);
        assert_eq!(member(&schema.request, "password"), None);
        assert!(member(&schema.request, "kind").is_some());
        assert_eq!(member(&schema.answers[&200].body, "token"), None);
    }

    #[test]
    fn forms_are_decoded() {
        assert_eq!(decoded("a+b%20c%zz%41"), "a b c%zzA");
    }
}
