//! OpenAPI documents from plain data: what was learned, written so that people can read it and [`crate::openapi`] can
//! enforce it.

use serde_json::{Map, Value, json};

use crate::openapi::{Location, StatusKey};

/// Which OpenAPI is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenApiVersion {
    /// 3.0.3, with schemas put into its dialect.
    V30,
    /// 3.1.0.
    V31,
}

/// A description of an API. Schemas are JSON Schema 2020-12, such as [`crate::shape::Shape::to_json_schema`] writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearnedApi {
    /// Title.
    pub title: String,
    /// Version of the API.
    pub version: String,
    /// URLs of servers.
    pub servers: Vec<String>,
    /// Operations.
    pub operations: Vec<LearnedOperation>,
}

/// One operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearnedOperation {
    /// Method in upper case.
    pub method: String,
    /// Path template, such as `/users/{userId}`.
    pub template: String,
    /// `operationId`, when there is one.
    pub id: Option<String>,
    /// What is known about it, for people.
    pub description: Option<String>,
    /// Marked as deprecated.
    pub deprecated: bool,
    /// Parameters. Path parameters that are not listed are added as strings.
    pub parameters: Vec<LearnedParameter>,
    /// Bodies of requests by media type.
    pub request: Vec<LearnedBody>,
    /// Whether every request had a body.
    pub request_required: bool,
    /// Responses.
    pub responses: Vec<LearnedResponse>,
    /// Extensions, named `x-...`.
    pub extensions: Vec<(String, Value)>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedParameter {
    /// Name.
    pub name: String,
    /// Location.
    pub location: Location,
    /// Always there.
    pub required: bool,
    /// Schema.
    pub schema: Value,
}

/// One kind of body.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedBody {
    /// Media type without parameters.
    pub media_type: String,
    /// Schema; `None` when nothing is known.
    pub schema: Option<Value>,
}

/// One response.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedResponse {
    /// Status or range.
    pub status: StatusKey,
    /// Bodies by media type; empty for none.
    pub bodies: Vec<LearnedBody>,
}

/// An OpenAPI document of operations that were written before, each with its path template and its method. Written as 3.1
/// by [`LearnedOperation::to_openapi`], they are put into the dialect of the version.
pub fn document<'o>(
    title: &str,
    servers: &[Value],
    operations: impl Iterator<Item = (&'o str, &'o str, &'o Value)>,
    version: OpenApiVersion,
) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (template, method, operation) in operations {
        let method = method.to_ascii_lowercase();
        // OpenAPI has no place for other methods.
        if !METHODS.contains(&method.as_str()) {
            continue;
        }
        let item = paths.entry(template.to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(method, translated(operation, version));
        }
    }
    let mut document =
        json!({ "openapi": version.number(), "info": { "title": title, "version": "0" }, "paths": paths });
    if let (false, Value::Object(document)) = (servers.is_empty(), &mut document) {
        document.insert("servers".to_owned(), servers.into());
    }
    document
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// An operation with its schemas in the dialect of a version.
fn translated(operation: &Value, version: OpenApiVersion) -> Value {
    let mut operation = operation.clone();
    if version == OpenApiVersion::V31 {
        return operation;
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        translate_schema(parameter, version);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        translate_content(body, version);
    }
    for (_, response) in operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten() {
        translate_content(response, version);
    }
    operation
}

fn translate_content(holder: &mut Value, version: OpenApiVersion) {
    for (_, media) in holder.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten() {
        translate_schema(media, version);
    }
}

fn translate_schema(holder: &mut Value, version: OpenApiVersion) {
    if let Some(schema) = holder.get_mut("schema") {
        *schema = dialect(schema, version);
    }
}

impl OpenApiVersion {
    const fn number(self) -> &'static str {
        match self {
            Self::V30 => "3.0.3",
            Self::V31 => "3.1.0",
        }
    }
}

impl LearnedApi {
    /// The OpenAPI document.
    pub fn to_openapi(&self, version: OpenApiVersion) -> Value {
        let mut paths: Map<String, Value> = Map::new();
        for operation in &self.operations {
            let item = paths.entry(operation.template.clone()).or_insert_with(|| json!({}));
            if let Value::Object(item) = item {
                item.insert(operation.method.to_ascii_lowercase(), operation.to_openapi(version));
            }
        }
        let mut document = json!({
            "openapi": version.number(),
            "info": { "title": self.title, "version": self.version },
            "paths": paths,
        });
        if !self.servers.is_empty()
            && let Value::Object(document) = &mut document
        {
            let servers: Vec<Value> = self.servers.iter().map(|url| json!({ "url": url })).collect();
            document.insert("servers".to_owned(), servers.into());
        }
        document
    }
}

impl LearnedOperation {
    /// The OpenAPI operation object.
    pub fn to_openapi(&self, version: OpenApiVersion) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        if let Some(id) = &self.id {
            put("operationId", id.as_str().into());
        }
        if let Some(description) = &self.description {
            put("description", description.as_str().into());
        }
        if self.deprecated {
            put("deprecated", true.into());
        }
        let parameters = self.parameters_to_openapi(version);
        if !parameters.is_empty() {
            put("parameters", parameters.into());
        }
        if !self.request.is_empty() {
            put(
                "requestBody",
                json!({ "required": self.request_required, "content": content(&self.request, version) }),
            );
        }
        let mut responses = Map::new();
        for response in &self.responses {
            let mut value = json!({ "description": "as observed" });
            if !response.bodies.is_empty()
                && let Value::Object(value) = &mut value
            {
                value.insert("content".to_owned(), content(&response.bodies, version));
            }
            responses.insert(response.status.to_string(), value);
        }
        if responses.is_empty() {
            responses.insert("default".to_owned(), json!({ "description": "not observed" }));
        }
        put("responses", responses.into());
        for (name, value) in &self.extensions {
            put(name, value.clone());
        }
        Value::Object(out)
    }

    fn parameters_to_openapi(&self, version: OpenApiVersion) -> Vec<Value> {
        let mut list: Vec<Value> = Vec::new();
        let write = |name: &str, location: Location, required: bool, schema: &Value| {
            let place = match location {
                Location::Path => "path",
                Location::Query => "query",
                Location::Header => "header",
                Location::Cookie => "cookie",
            };
            json!({ "name": name, "in": place, "required": required || location == Location::Path, "schema": dialect(schema, version) })
        };
        let mut rest = self.template.as_str();
        while let Some((name, after)) = rest.split_once('{').and_then(|(_, rest)| rest.split_once('}')) {
            let is_listed = self.parameters.iter().any(|p| p.location == Location::Path && p.name == name);
            if !is_listed {
                list.push(write(name, Location::Path, true, &json!({ "type": "string" })));
            }
            rest = after;
        }
        list.extend(self.parameters.iter().map(|p| write(&p.name, p.location, p.required, &p.schema)));
        list
    }
}

fn content(bodies: &[LearnedBody], version: OpenApiVersion) -> Value {
    let mut out = Map::new();
    for body in bodies {
        let media = match &body.schema {
            Some(schema) => json!({ "schema": dialect(schema, version) }),
            None => json!({}),
        };
        out.insert(body.media_type.clone(), media);
    }
    Value::Object(out)
}

/// A schema in the dialect of the version: OpenAPI 3.0 has neither lists of types nor `const` nor the type `null`.
fn dialect(schema: &Value, version: OpenApiVersion) -> Value {
    if version == OpenApiVersion::V31 {
        return schema.clone();
    }
    let Value::Object(members) = schema else {
        // `true` is the empty schema, `false` its opposite.
        return if *schema == Value::Bool(false) { json!({ "not": {} }) } else { json!({}) };
    };
    let mut out = Map::new();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("type", Value::Array(names)) => {
                let mut names: Vec<&Value> = names.iter().collect();
                let before = names.len();
                names.retain(|name| *name != "null");
                if names.len() < before {
                    out.insert("nullable".to_owned(), true.into());
                }
                match names.as_slice() {
                    [name] => {
                        out.insert("type".to_owned(), (*name).clone());
                    }
                    names => {
                        let alternatives: Vec<Value> = names.iter().map(|name| json!({ "type": name })).collect();
                        out.insert("anyOf".to_owned(), alternatives.into());
                    }
                }
            }
            ("const", value) => {
                out.insert("enum".to_owned(), json!([value]));
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(list)) => {
                let null = json!({ "type": "null" });
                if list.contains(&null) {
                    out.insert("nullable".to_owned(), true.into());
                }
                let list: Vec<Value> =
                    list.iter().filter(|one| **one != null).map(|one| dialect(one, version)).collect();
                out.insert(name.clone(), list.into());
            }
            ("properties", Value::Object(properties)) => {
                let properties: Map<String, Value> =
                    properties.iter().map(|(name, value)| (name.clone(), dialect(value, version))).collect();
                out.insert(name.clone(), properties.into());
            }
            ("additionalProperties", Value::Bool(_)) => {
                out.insert(name.clone(), value.clone());
            }
            ("items" | "additionalProperties" | "not", value) => {
                out.insert(name.clone(), dialect(value, version));
            }
            _ => {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{JsonLimits, Tape};
    use crate::openapi::{BodyInput, LoadOptions, Match, RequestParts, Strictness, load_bytes};
    use crate::shape::{EmitOptions, Shape, ShapeLimits};

    #[test]
    fn what_was_learned_is_enforced() {
        let texts: Vec<String> = (0..40)
            .map(|n| {
                format!(
                    r#"{{"kind":"{}","n":{n},"note":{}}}"#,
                    if n % 2 == 0 { "a" } else { "b" },
                    if n == 3 { "null" } else { "\"x y\"" }
                )
            })
            .collect();
        let mut shape = Shape::default();
        for text in &texts {
            let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
            shape.observe(tape.root(), &ShapeLimits::default());
        }
        let body = LearnedBody {
            media_type: "application/json".into(),
            schema: Some(shape.to_json_schema(&EmitOptions::default())),
        };
        let api = LearnedApi {
            title: "learned".into(),
            version: "1".into(),
            servers: vec!["https://api.example.com/v1".into()],
            operations: vec![LearnedOperation {
                method: "POST".into(),
                template: "/things/{id}".into(),
                parameters: vec![LearnedParameter {
                    name: "page".into(),
                    location: Location::Query,
                    required: false,
                    schema: json!({ "type": "integer" }),
                }],
                request: vec![body.clone()],
                request_required: true,
                responses: vec![LearnedResponse { status: StatusKey::Exact(201), bodies: vec![body] }],
                extensions: vec![("x-portreeve-origin".into(), json!("learned"))],
                ..LearnedOperation::default()
            }],
        };
        for version in [OpenApiVersion::V30, OpenApiVersion::V31] {
            let document = api.to_openapi(version).to_string();
            let loaded = load_bytes("learned.json", document.as_bytes(), &LoadOptions::default());
            assert_eq!(loaded.diagnostics, [], "{document}");
            let contract = loaded.contract.unwrap();
            let path = "/v1/things/7";
            let Match::Operation(id, path_values) = contract.match_operation("POST", "", path) else { panic!() };
            let parts = RequestParts { path, path_values: &path_values, query: Some("page=x"), fields: &[] };
            assert_eq!(contract.judge_request_head(id, &parts, Strictness::default()).violations.len(), 1);
            let limits = JsonLimits::default();
            let judge = |text: &str| {
                let input = BodyInput { bytes: text.as_bytes(), json: None, limits: &limits };
                contract
                    .judge_request_body(id, Some("application/json"), Some(&input), Strictness::default())
                    .violations
            };
            for text in &texts {
                assert_eq!(judge(text), [], "{text}");
            }
            for text in [
                r#"{"kind":"c","n":1,"note":"x"}"#,
                r#"{"kind":"a","n":1}"#,
                r#"{"kind":"a","n":1,"note":"x","is_admin":true}"#,
            ] {
                assert_eq!(judge(text).len(), 1, "{text}");
            }
        }
    }
}
