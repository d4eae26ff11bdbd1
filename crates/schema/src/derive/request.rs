//! Whole requests: method, target, fields and body.

use std::cell::Cell;

use serde_json::{Value, json};

use super::sample::{BUDGET, Extent, Sampler, kind};
use crate::document::Document;

const METHODS: &[&str] = &["get", "put", "post", "delete", "patch", "options"];
/// Most requests of one document.
const REQUESTS_MAX: usize = 50_000;
/// Most bytes of all requests of one document.
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// What a request must meet with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It is as the document says.
    Valid,
    /// It breaks one rule: which, and where.
    Invalid(String),
}

/// A request derived from a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedRequest {
    /// Method and path template of its operation.
    pub operation: String,
    /// Method in upper case.
    pub method: String,
    /// Path and query below the base path, escaped.
    pub target: String,
    /// Fields beside those of the body.
    pub fields: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Vec<u8>)>,
    /// What it must meet with.
    pub expected: Expectation,
}

/// What could be derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// The requests, in the order of the document.
    pub requests: Vec<DerivedRequest>,
    /// Operations that nothing could be derived for.
    pub left_out: Vec<String>,
}

/// A parameter with its value as text, `None` when it is left out.
#[derive(Clone)]
struct Sent {
    name: String,
    location: String,
    pairs: Option<Vec<(String, String)>>,
    required: bool,
}

/// The body of an operation, as declared.
struct Body<'d> {
    content_type: String,
    schema: Option<&'d Value>,
    required: bool,
}

/// Derives requests from a document: for each operation one with what is required and one with everything, and from the
/// full one as many that break one rule each.
pub fn derive(document: &Document) -> Derived {
    let Ok(root) = serde_json::from_str::<Value>(&crate::json::to_text(document.root())) else {
        return Derived::default();
    };
    let sampler = Sampler { root: &root, budget: Cell::new(BUDGET) };
    let mut derived = Derived::default();
    let mut bytes = 0usize;
    for (template, item) in root.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let Some(item) = sampler.follow(item) else { continue };
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            let before = derived.requests.len();
            let name = format!("{} {template}", method.to_ascii_uppercase());
            if before >= REQUESTS_MAX || bytes >= BYTES_MAX {
                derived.left_out.push(name);
                continue;
            }
            sampler.budget.set(BUDGET);
            Deriving { sampler: &sampler, name: &name, method, template, item, operation }.run(&mut derived.requests);
            let made = derived.requests.iter().skip(before);
            bytes += made.map(|made| made.target.len() + made.body.as_ref().map_or(0, |(_, b)| b.len())).sum::<usize>();
            if derived.requests.len() == before {
                derived.left_out.push(name);
            }
        }
    }
    derived
}

struct Deriving<'s, 'd> {
    sampler: &'s Sampler<'d>,
    name: &'s str,
    method: &'s str,
    template: &'s str,
    item: &'d Value,
    operation: &'d Value,
}

impl<'d> Deriving<'_, 'd> {
    /// The parameters of the operation and its path; the operation's own replace those of the same name and location.
    fn parameters(&self) -> Option<Vec<&'d Value>> {
        let mut list: Vec<&Value> = Vec::new();
        let each = [self.operation, self.item].into_iter().filter_map(|at| at.get("parameters")?.as_array()).flatten();
        for parameter in each {
            let parameter = self.sampler.follow(parameter)?;
            let same = |a: &Value, b: &Value| a.get("name") == b.get("name") && a.get("in") == b.get("in");
            if !list.iter().any(|known| same(known, parameter)) {
                list.push(parameter);
            }
        }
        Some(list)
    }

    fn run(&self, out: &mut Vec<DerivedRequest>) {
        let Some(parameters) = self.parameters() else { return };
        let mut base = Vec::new();
        for parameter in &parameters {
            let text = |name: &str| parameter.get(name).and_then(Value::as_str).unwrap_or_default();
            let location = text("in");
            if matches!(location, "body" | "formData") {
                continue;
            }
            let required = location == "path" || parameter.get("required") == Some(&Value::Bool(true));
            let schema = schema_of(parameter);
            let value = schema.and_then(|schema| self.sampler.sample(schema, Extent::Full, 0));
            let pairs = value.and_then(|value| written(parameter, &value));
            if pairs.is_none() && required {
                return;
            }
            base.push(Sent { name: text("name").to_owned(), location: location.to_owned(), pairs, required });
        }
        let Some(body) = self.body(&parameters) else { return };
        let full = self.body_value(body.as_ref(), Extent::Full);
        let least = self.body_value(body.as_ref(), Extent::Required);
        let must = body.as_ref().is_some_and(|body| body.required);
        if must && full.is_none() && least.is_none() {
            return;
        }
        let small: Vec<Sent> = base.iter().filter(|sent| sent.required).cloned().collect();
        let small_body = if must { least.as_ref().or(full.as_ref()) } else { None };
        self.push(out, &small, body.as_ref(), small_body, Expectation::Valid);
        let full = full.or(least);
        self.push(out, &base, body.as_ref(), full.as_ref(), Expectation::Valid);
        self.break_parameters(out, &parameters, &base, body.as_ref(), full.as_ref());
        self.break_body(out, &base, body.as_ref(), full.as_ref());
    }

    fn break_parameters(
        &self,
        out: &mut Vec<DerivedRequest>,
        parameters: &[&'d Value],
        base: &[Sent],
        body: Option<&Body<'d>>,
        value: Option<&Value>,
    ) {
        for (at, sent) in base.iter().enumerate() {
            let place = format!("{}:{}", sent.location, sent.name);
            let mut say = |pairs: Option<Vec<(String, String)>>, what: &str| {
                let mut changed = base.to_vec();
                if let Some(slot) = changed.get_mut(at) {
                    slot.pairs = pairs;
                }
                self.push(out, &changed, body, value, Expectation::Invalid(format!("{what} at `{place}`")));
            };
            if sent.required && sent.location != "path" {
                say(None, "required");
            }
            let declared = parameters.iter().find(|parameter| {
                parameter.get("name").and_then(Value::as_str) == Some(&sent.name)
                    && parameter.get("in").and_then(Value::as_str) == Some(&sent.location)
            });
            let schema = declared.and_then(|declared| self.sampler.follow(schema_of(declared)?));
            // Without a schema of its own, or with alternatives, a text may be read as any of them.
            let Some(schema) = schema.filter(|schema| schema.get("oneOf").or(schema.get("anyOf")).is_none()) else {
                continue;
            };
            let broken = match kind(schema) {
                _ if schema.get("enum").is_some() => Some(("~none~".to_owned(), "enum")),
                Some("integer" | "number" | "boolean") => Some(("x~y".to_owned(), "type")),
                Some("string") => {
                    let most = schema.get("maxLength").and_then(Value::as_u64).filter(|most| *most < 1_000);
                    match schema.get("format").and_then(Value::as_str) {
                        Some("uuid" | "date" | "date-time") => Some(("x~y".to_owned(), "format")),
                        _ => most.map(|most| ("a".repeat(most as usize + 1), "maxLength")),
                    }
                }
                _ => None,
            };
            if let Some((text, what)) = broken {
                say(Some(vec![(sent.name.clone(), text)]), what);
            }
            let high = schema.get("maximum").and_then(Value::as_i64).filter(|high| high.unsigned_abs() < 1 << 50);
            if let (Some("integer" | "number"), Some(high)) = (kind(schema), high) {
                say(Some(vec![(sent.name.clone(), (high + 1).to_string())]), "maximum");
            }
        }
    }

    fn break_body(&self, out: &mut Vec<DerivedRequest>, base: &[Sent], body: Option<&Body<'d>>, value: Option<&Value>) {
        let Some(body) = body else { return };
        if body.required {
            self.push(out, base, None, None, Expectation::Invalid("required at `body`".to_owned()));
        }
        let Some(value) = value else { return };
        if is_json(&body.content_type) {
            self.push_raw(out, base, &body.content_type, b"{\"a\": ".to_vec(), "not well-formed at `body`");
            self.push_raw(out, base, "application/x-portreeve", b"{}".to_vec(), "content type at `body`");
            for (broken, what) in body.schema.map_or(Vec::new(), |schema| self.sampler.broken(schema, value, "body", 0))
            {
                self.push(out, base, Some(body), Some(&broken), Expectation::Invalid(what));
            }
        }
    }

    /// The body as declared: `Some(None)` when there is none, `None` when it is of a kind that is not derived.
    fn body(&self, parameters: &[&'d Value]) -> Option<Option<Body<'d>>> {
        if let Some(parameter) = parameters.iter().find(|parameter| parameter.get("in") == Some(&json!("body"))) {
            let consumes = self.operation.get("consumes").or_else(|| self.sampler.root.get("consumes"));
            let types: Vec<&str> =
                consumes.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let content_type = types
                .iter()
                .copied()
                .find(|kind| is_json(kind))
                .or_else(|| types.is_empty().then_some("application/json"))?;
            let required = parameter.get("required") == Some(&Value::Bool(true));
            return Some(Some(Body {
                content_type: content_type.to_owned(),
                schema: parameter.get("schema"),
                required,
            }));
        }
        if parameters.iter().any(|parameter| {
            parameter.get("in") == Some(&json!("formData")) && parameter.get("required") == Some(&Value::Bool(true))
        }) {
            return None;
        }
        let Some(declared) = self.operation.get("requestBody") else { return Some(None) };
        let declared = self.sampler.follow(declared)?;
        let required = declared.get("required") == Some(&Value::Bool(true));
        let content = declared.get("content").and_then(Value::as_object)?;
        let found = content.iter().find(|(kind, _)| is_json(kind));
        match found {
            Some((kind, media)) => {
                let content_type = kind.split(';').next().unwrap_or(kind).trim().to_owned();
                Some(Some(Body { content_type, schema: media.get("schema"), required }))
            }
            None if required => None,
            None => Some(None),
        }
    }

    fn body_value(&self, body: Option<&Body<'d>>, extent: Extent) -> Option<Value> {
        let body = body?;
        body.schema.map_or(Some(json!({})), |schema| self.sampler.sample(schema, extent, 0))
    }

    fn push(
        &self,
        out: &mut Vec<DerivedRequest>,
        parameters: &[Sent],
        body: Option<&Body<'d>>,
        value: Option<&Value>,
        expected: Expectation,
    ) {
        let body = body.zip(value).map(|(body, value)| (body.content_type.clone(), value.to_string().into_bytes()));
        self.finish(out, parameters, body, expected);
    }

    fn push_raw(&self, out: &mut Vec<DerivedRequest>, base: &[Sent], kind: &str, bytes: Vec<u8>, what: &str) {
        self.finish(out, base, Some((kind.to_owned(), bytes)), Expectation::Invalid(what.to_owned()));
    }

    fn finish(
        &self,
        out: &mut Vec<DerivedRequest>,
        parameters: &[Sent],
        body: Option<(String, Vec<u8>)>,
        expected: Expectation,
    ) {
        let mut path = self.template.to_owned();
        let (mut query, mut cookies, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for sent in parameters {
            let Some(pairs) = &sent.pairs else { continue };
            for (name, value) in pairs {
                match sent.location.as_str() {
                    "path" => path = path.replace(&format!("{{{name}}}"), &escaped(value)),
                    "query" => query.push(format!("{}={}", escaped(name), escaped(value))),
                    "cookie" => cookies.push(format!("{name}={value}")),
                    // OpenAPI 3.1, 4.8.12: these three are described elsewhere.
                    "header" if !["accept", "content-type", "authorization"].contains(&&*name.to_ascii_lowercase()) => {
                        fields.push((name.clone(), value.clone()));
                    }
                    _ => {}
                }
            }
        }
        if !cookies.is_empty() {
            fields.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        if path.contains('{') {
            return;
        }
        let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let method = self.method.to_ascii_uppercase();
        out.push(DerivedRequest { operation: self.name.to_owned(), method, target, fields, body, expected });
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // A range is nothing that could be sent.
    essence == "application/json" || (essence.ends_with("+json") && !essence.contains('*'))
}

/// The schema of a parameter; Swagger 2.0 writes its keywords beside the name.
fn schema_of(parameter: &Value) -> Option<&Value> {
    match (parameter.get("schema"), parameter.get("type")) {
        (Some(schema), _) => Some(schema),
        (None, Some(_)) => Some(parameter),
        (None, None) => None,
    }
}

/// The pairs that a parameter is sent as, in the default style of its location; `None` for what is not derived.
fn written(parameter: &Value, value: &Value) -> Option<Vec<(String, String)>> {
    let name = parameter.get("name").and_then(Value::as_str)?;
    let location = parameter.get("in").and_then(Value::as_str)?;
    let plain = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let style = parameter.get("style").and_then(Value::as_str).unwrap_or(match location {
        "query" | "cookie" => "form",
        _ => "simple",
    });
    let is_swagger = parameter.get("type").is_some();
    match value {
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(plain).collect::<Option<_>>()?;
            let repeats = match parameter.get("collectionFormat").and_then(Value::as_str) {
                Some("multi") => true,
                Some("csv") | None => {
                    !is_swagger && location == "query" && parameter.get("explode") != Some(&Value::Bool(false))
                }
                Some(_) => return None,
            };
            match (style, repeats) {
                _ if texts.is_empty() => None,
                ("form", true) => Some(texts.into_iter().map(|text| (name.to_owned(), text)).collect()),
                ("form" | "simple", false) => Some(vec![(name.to_owned(), texts.join(","))]),
                _ => None,
            }
        }
        Value::Object(members) if style == "deepObject" => {
            let pair = |(key, value): (&String, &Value)| Some((format!("{name}[{key}]"), plain(value)?));
            members.iter().map(pair).collect()
        }
        value if matches!(style, "form" | "simple") => Some(vec![(name.to_owned(), plain(value)?)]),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
