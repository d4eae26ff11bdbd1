//! From what was learned to a contract: the operation of an endpoint as OpenAPI knows it, and every field with the evidence
//! behind it.
//!
//! A contract refuses. What it says must therefore hold for the requests still to come, not only for those seen: types
//! and formats need a few values, enumerations, patterns and required parameters some tens, and a list of parameters is
//! called complete only when hardly any of them came once (the share of names seen once estimates the chance that the
//! next is new; Good 1953).

use std::collections::BTreeMap;

use schema::emit::{LearnedBody, LearnedOperation, LearnedParameter as Parameter, LearnedResponse};
use schema::json::Kind;
use schema::openapi::{Location, StatusKey};
use schema::shape::{EmitOptions, Shape};
use serde_json::{Value, json};

use crate::endpoint::LearnedEndpoint;
use crate::request::Media;
use crate::schemas::{EndpointSchema, PARAMETERS_MAX, ParameterShape, TYPES_MAX, required_confidence};

/// Exchanges before a parameter that was always there is required, and before it is believed that an endpoint takes no body.
pub const SETTLED_MIN: u64 = 30;
/// Exchanges before the list of query parameters may be called complete.
pub const COMPLETE_MIN: u64 = 50;
/// Most fields of one side's body that are explained.
const FIELDS_MAX: usize = 200;

/// Which part of a message a field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A path parameter.
    Path,
    /// A query parameter.
    Query,
    /// A field of the request's head.
    Header,
    /// A field of a form.
    Form,
    /// A member of a JSON request.
    Request,
    /// A member of a JSON answer with this status.
    Answer(u16),
}

impl Side {
    /// The side's name in exports: `path`, `query`, `header`, `form`, `body`, `response 200`.
    pub fn name(self) -> String {
        match self {
            Self::Path => "path".to_owned(),
            Self::Query => "query".to_owned(),
            Self::Header => "header".to_owned(),
            Self::Form => "form".to_owned(),
            Self::Request => "body".to_owned(),
            Self::Answer(status) => format!("response {status}"),
        }
    }
}

/// A field of an endpoint's messages with the evidence for what is said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedField {
    /// Where it is.
    pub side: Side,
    /// Its name; of members a JSON Pointer with `*` for items of arrays and keys that are data.
    pub name: String,
    /// Its types in JSON's words, the commonest first; `null` last.
    pub types: Vec<&'static str>,
    /// Its format, such as `uuid`.
    pub format: Option<String>,
    /// Messages or objects that had it.
    pub present: u64,
    /// Messages or objects that could have had it.
    pub of: u64,
    /// How sure it is that it is required, 0 to 1; 0 when it was missing once.
    pub required_confidence: f64,
    /// Values whose type is known.
    pub values: u64,
    /// It came several times in one message.
    pub repeated: u64,
    /// Its few values, where it has few.
    pub enumeration: Vec<String>,
    /// Smallest and largest number.
    pub range: Option<(f64, f64)>,
    /// Fewest and most characters of its texts.
    pub length: Option<(u64, u64)>,
}

/// Whether parameters that were never seen may be refused.
pub fn query_is_complete(schema: &EndpointSchema) -> bool {
    let once = schema.query.values().filter(|one| one.present == 1).count() as u64;
    schema.exchanges >= COMPLETE_MIN && schema.query.len() < PARAMETERS_MAX && once * 100 <= schema.exchanges
}

/// Every field that was seen, with its evidence, in the order of a message.
pub fn fields(endpoint: &LearnedEndpoint, schema: &EndpointSchema) -> Vec<LearnedField> {
    let mut fields = Vec::new();
    for (parameter, shape) in endpoint.parameters.iter().zip(&schema.path) {
        fields.push(described(Side::Path, parameter.name.clone(), shape, (shape.seen, shape.seen)));
    }
    let parameters = [(Side::Query, &schema.query, schema.exchanges), (Side::Form, &schema.form, schema.forms)];
    for (side, named, of) in parameters.into_iter().chain([(Side::Header, &schema.headers, schema.exchanges)]) {
        for (name, one) in named {
            let mut field = described(side, name.to_string(), &one.shape, (one.present, of));
            field.repeated = one.repeated;
            fields.push(field);
        }
    }
    members(Side::Request, &schema.request, &mut fields);
    for (status, answer) in &schema.answers {
        members(Side::Answer(*status), &answer.body, &mut fields);
    }
    fields
}

/// The members of a JSON body, level by level.
fn members(side: Side, root: &Shape, fields: &mut Vec<LearnedField>) {
    let start = fields.len();
    let mut open: std::collections::VecDeque<(String, &Shape, (u64, u64))> =
        [(String::new(), root, (root.seen, root.seen))].into();
    while let Some((pointer, shape, counts)) = open.pop_front() {
        if shape.seen == 0 || fields.len() - start >= FIELDS_MAX {
            continue;
        }
        if let Some(array) = &shape.array {
            open.push_back((format!("{pointer}/*"), &array.items, (array.items.seen, array.items.seen)));
        }
        if let Some(object) = &shape.object {
            for (key, property) in &object.properties {
                let key = key.replace('~', "~0").replace('/', "~1");
                open.push_back((format!("{pointer}/{key}"), &property.shape, (property.present, object.seen)));
            }
            if let Some(dynamic) = &object.dynamic {
                open.push_back((format!("{pointer}/*"), &dynamic.shape, (dynamic.present, object.seen)));
            }
        }
        fields.push(described(side, pointer, shape, counts));
    }
}

fn described(side: Side, name: String, shape: &Shape, (present, of): (u64, u64)) -> LearnedField {
    let is_text = !matches!(side, Side::Request | Side::Answer(_));
    let options = if is_text { EmitOptions::enforced().of_parameter() } else { EmitOptions::enforced() };
    let text = shape.text.as_deref();
    let emitted = shape.to_json_schema(&options);
    let mut types: Vec<&'static str> = match emitted.get("type").and_then(Value::as_str).filter(|_| is_text) {
        Some("integer") => vec!["integer"],
        Some("number") => vec!["number"],
        Some("boolean") => vec!["boolean"],
        _ => shape.types().into_iter().map(|(kind, _)| type_name(kind, shape)).collect(),
    };
    if shape.nulls > 0 {
        types.push("null");
    }
    let enumeration = emitted.get("enum").and_then(Value::as_array).into_iter().flatten();
    LearnedField {
        side,
        name,
        types,
        format: emitted.get("format").and_then(Value::as_str).map(str::to_owned),
        present,
        of,
        required_confidence: if side == Side::Header { 0.0 } else { required_confidence(present, of) },
        values: shape.seen,
        repeated: 0,
        enumeration: enumeration.filter_map(Value::as_str).map(str::to_owned).collect(),
        range: shape.number.as_ref().map(|number| (number.min, number.max)),
        length: text.map(|text| (text.length_min, text.length_max)),
    }
}

fn type_name(kind: Kind, shape: &Shape) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool => "boolean",
        Kind::Number if shape.number.as_ref().is_some_and(|number| number.fractions == 0) => "integer",
        Kind::Number => "number",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    }
}

/// The endpoint's contract as it stands now.
pub fn operation(endpoint: &LearnedEndpoint, schema: &EndpointSchema) -> LearnedOperation {
    let complete = query_is_complete(schema);
    let mut parameters: Vec<Parameter> = path_parameters(endpoint, schema);
    parameters.extend(schema.query.iter().filter_map(|(name, one)| {
        // What came once among many may be anybody's mistake.
        let is_noise = one.present == 1 && schema.exchanges >= COMPLETE_MIN;
        let required = one.present == schema.exchanges && schema.exchanges >= SETTLED_MIN;
        (!is_noise).then(|| parameter(name, Location::Query, required, one))
    }));
    // Fields are never required: the next client may send others, and proxies add their own.
    let headers = schema.headers.iter().filter(|(_, one)| one.shape.seen > 0);
    parameters.extend(headers.map(|(name, one)| parameter(name, Location::Header, false, one)));
    let always = schema.bodies == schema.exchanges && schema.bodies >= SETTLED_MIN;
    LearnedOperation {
        method: endpoint.method.clone(),
        template: endpoint.template.clone(),
        description: Some(format!("As seen in {} successful exchanges.", schema.exchanges)),
        parameters,
        request: request_bodies(endpoint, schema),
        request_required: always,
        responses: responses(schema),
        extensions: vec![
            ("x-portreeve-origin".to_owned(), json!("learned")),
            ("x-portreeve-exchanges".to_owned(), json!(schema.exchanges)),
            ("x-portreeve-complete".to_owned(), json!(complete)),
        ],
        ..LearnedOperation::default()
    }
}

fn path_parameters(endpoint: &LearnedEndpoint, schema: &EndpointSchema) -> Vec<Parameter> {
    let options = EmitOptions::enforced().of_parameter();
    let named = endpoint.parameters.iter().enumerate();
    named
        .map(|(at, one)| {
            let learned = schema.path.get(at).map(|shape| shape.to_json_schema(&options));
            Parameter {
                name: one.name.clone(),
                location: Location::Path,
                required: true,
                schema: learned.unwrap_or_else(|| json!({ "type": "string" })),
            }
        })
        .collect()
}

fn parameter(name: &str, location: Location, required: bool, one: &ParameterShape) -> Parameter {
    let mut schema = one.shape.to_json_schema(&EmitOptions::enforced().of_parameter());
    if one.repeated > 0 {
        schema = json!({ "type": "array", "items": schema });
    }
    Parameter { name: name.to_owned(), location, required, schema }
}

/// Bodies of requests by type. While little was seen, anything is possible for methods that write.
fn request_bodies(endpoint: &LearnedEndpoint, schema: &EndpointSchema) -> Vec<LearnedBody> {
    let writes = matches!(endpoint.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
    let unsettled = schema.exchanges < SETTLED_MIN && writes || schema.bodies_unknown > 0;
    let mut bodies: Vec<LearnedBody> = schema
        .request_types
        .keys()
        .map(|name| {
            let learned = match Media::of(Some(name)) {
                Media::Json if schema.request.seen > 0 => Some(schema.request.to_json_schema(&EmitOptions::enforced())),
                Media::Form if schema.forms > 0 => Some(form(&schema.form, schema.forms)),
                _ => None,
            };
            LearnedBody { media_type: name.to_string(), schema: learned }
        })
        .collect();
    // A body without a type, or more types than were counted.
    let typed: u64 = schema.request_types.values().sum();
    if unsettled || typed < schema.bodies || schema.request_types.len() >= TYPES_MAX {
        bodies.push(LearnedBody { media_type: "*/*".to_owned(), schema: None });
    }
    bodies
}

/// The fields of a form as an object.
fn form(fields: &BTreeMap<Box<str>, ParameterShape>, forms: u64) -> Value {
    let once = fields.values().filter(|one| one.present == 1).count() as u64;
    let complete = forms >= COMPLETE_MIN && fields.len() < PARAMETERS_MAX && once * 100 <= forms;
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|(name, one)| (name.to_string(), parameter(name, Location::Query, false, one).schema))
        .collect();
    let required: Vec<&str> = fields
        .iter()
        .filter(|(_, one)| one.present == forms && forms >= SETTLED_MIN)
        .map(|(name, _)| &**name)
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if let Value::Object(schema) = &mut schema {
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        if complete {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }
    schema
}

fn responses(schema: &EndpointSchema) -> Vec<LearnedResponse> {
    let answers = schema.answers.iter();
    answers
        .map(|(status, answer)| {
            let body = |name: &str| {
                let is_json = matches!(Media::of(Some(name)), Media::Json | Media::Problem);
                let known = is_json && answer.body.seen > 0;
                let schema = known.then(|| answer.body.to_json_schema(&EmitOptions::enforced()));
                LearnedBody { media_type: name.to_owned(), schema }
            };
            let mut bodies: Vec<LearnedBody> = answer.types.keys().map(|name| body(name)).collect();
            if answer.types.len() >= TYPES_MAX {
                bodies.push(LearnedBody { media_type: "*/*".to_owned(), schema: None });
            }
            LearnedResponse { status: StatusKey::Exact(*status), bodies }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{BodySample, Observation};
    use schema::emit::OpenApiVersion;
    use schema::shape::ShapeLimits;

    fn orders(count: u64) -> (LearnedEndpoint, EndpointSchema) {
        let mut schema = EndpointSchema::default();
        for at in 0..count {
            let body = format!("{{\"name\":\"n{at}\",\"count\":{at}}}");
            let observation = Observation {
                target: format!("/users/{at}/orders?page={at}").into(),
                method: "POST".into(),
                status: 201,
                request_type: Some("application/json".into()),
                request_bytes: Some(body.len() as u64),
                response_type: Some("application/json".into()),
                sample: Some(Box::new(BodySample {
                    request: body.clone().into(),
                    request_whole: true,
                    response: body.into(),
                    response_whole: true,
                    fields: Box::default(),
                })),
                ..Observation::default()
            };
            schema.observe("/users/{}/orders", &observation, &ShapeLimits::default());
        }
        let mut endpoint = crate::drift::tests::learned(1, "/users/{userId}/orders", 0);
        endpoint.method = "POST".to_owned();
        endpoint.parameters = vec![crate::LearnedParameter {
            name: "userId".to_owned(),
            kind: crate::ParameterType::Int,
            kind_confidence: 1.0,
            confidence: 1.0,
            distinct: 1,
            once: 1,
            reasons: Vec::new(),
            samples: Vec::new(),
        }];
        (endpoint, schema)
    }

    #[test]
    fn much_evidence_makes_a_strict_contract() {
        let (endpoint, schema) = orders(60);
        let written = operation(&endpoint, &schema).to_openapi(OpenApiVersion::V31);
        assert_eq!(
            written["parameters"],
            json!([
                {"name": "userId", "in": "path", "required": true, "schema": {"type": "integer"}},
                {"name": "page", "in": "query", "required": true, "schema": {"type": "integer"}},
            ])
        );
        let body = &written["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["count", "name"]));
        assert_eq!(body["additionalProperties"], json!(false));
        assert_eq!(written["x-portreeve-complete"], json!(true));
        assert_eq!(written["responses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["201"]);
    }

    #[test]
    fn little_evidence_constrains_little() {
        let (endpoint, schema) = orders(5);
        let written = operation(&endpoint, &schema).to_openapi(OpenApiVersion::V31);
        assert_eq!(written["parameters"][1]["required"], json!(false));
        assert_eq!(written["parameters"][1]["schema"], json!({"type": "string"}));
        assert_eq!(written["requestBody"]["required"], json!(false));
        assert!(written["requestBody"]["content"]["*/*"].is_object());
        assert_eq!(written["x-portreeve-complete"], json!(false));
    }

    #[test]
    fn fields_show_their_evidence() {
        let (endpoint, schema) = orders(60);
        let fields = fields(&endpoint, &schema);
        let of = |side: Side, name: &str| fields.iter().find(|one| one.side == side && one.name == name).unwrap();
        assert_eq!(of(Side::Path, "userId").types, ["integer"]);
        assert_eq!((of(Side::Query, "page").present, of(Side::Query, "page").of), (60, 60));
        assert!(of(Side::Query, "page").required_confidence > 0.9);
        assert_eq!(of(Side::Request, "/count").range, Some((0.0, 59.0)));
        assert_eq!(of(Side::Request, "/name").length, Some((2, 3)));
        assert_eq!(of(Side::Answer(201), "/count").present, 60);
    }
}
