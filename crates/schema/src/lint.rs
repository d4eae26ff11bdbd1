//! What could be better about an OpenAPI document, beyond what keeps it from being enforced: the weaknesses that let bad
//! traffic look good. Errors and warnings of loading come from [`crate::openapi`]; these are hints and warnings on top.

use crate::document::{Diagnostic, Document, Level};
use crate::json::{Kind, Value};

/// Most remarks on one document.
const REMARKS_MAX: usize = 500;
/// How deeply schemas are looked into.
const DEPTH_MAX: u8 = 12;

const METHODS: &[&str] = &["get", "put", "post", "delete", "patch"];

struct Linter<'d> {
    document: &'d Document,
    remarks: Vec<Diagnostic>,
}

/// Remarks on a document, in its order. References to other documents are not followed.
pub fn lint(document: &Document) -> Vec<Diagnostic> {
    let mut linter = Linter { document, remarks: Vec::new() };
    let root = document.root();
    let is_secured = root.get("security").is_some_and(|list| list.count() > 0);
    for server in root.get("servers").and_then(Value::items).into_iter().flatten() {
        let url = server.get("url").and_then(Value::as_str).unwrap_or_default();
        if url.starts_with("http://") && !url.contains("localhost") && !url.contains("127.0.0.1") {
            linter.say(Level::Warning, "plaintext-server", server, "the server is reached without TLS; use `https`");
        }
    }
    let schemes = root.find("/components/securitySchemes").or_else(|| root.get("securityDefinitions"));
    for (_, scheme) in schemes.and_then(Value::members).into_iter().flatten() {
        if scheme.get("in").and_then(Value::as_str) == Some("query") {
            linter.say(
                Level::Warning,
                "credential-in-query",
                scheme,
                "a credential in the query ends up in logs; send it in a field",
            );
        }
        if scheme.get("scheme").and_then(Value::as_str) == Some("basic")
            || scheme.get("type").and_then(Value::as_str) == Some("basic")
        {
            linter.say(
                Level::Hint,
                "basic-authentication",
                scheme,
                "passwords go over the wire with every request; use tokens",
            );
        }
    }
    for (_, item) in root.get("paths").and_then(Value::members).into_iter().flatten() {
        for (method, operation) in item.members().into_iter().flatten() {
            if METHODS.contains(&method) && operation.kind() == Kind::Object {
                linter.operation(method, operation, is_secured);
            }
        }
    }
    linter.remarks
}

impl<'d> Linter<'d> {
    fn say(&mut self, level: Level, rule: &'static str, at: Value<'_>, message: &str) {
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push(self.document.diagnose(level, rule, at, message));
        }
    }

    /// The value itself, or what it refers to within the document.
    fn follow(&self, value: Value<'d>) -> Value<'d> {
        let mut value = value;
        for _ in 0..16 {
            let reference = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
            match reference.and_then(|pointer| self.document.root().find(pointer)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }

    fn operation(&mut self, method: &str, operation: Value<'d>, is_secured: bool) {
        if operation.get("operationId").is_none() {
            self.say(
                Level::Hint,
                "no-operation-id",
                operation,
                "without `operationId` the operation is named by its path only",
            );
        }
        let own = operation.get("security").map(|list| list.count() > 0);
        if !own.unwrap_or(is_secured) {
            let level = if method == "get" { Level::Hint } else { Level::Warning };
            self.say(
                level,
                "no-security",
                operation,
                "anybody may call this; declare `security`, or `security: []` where that is meant",
            );
        }
        let responses = operation.get("responses").and_then(Value::members).into_iter().flatten();
        let declares_errors = responses.into_iter().any(|(status, _)| status.starts_with('4') || status == "default");
        if !declares_errors {
            self.say(
                Level::Hint,
                "no-error-response",
                operation,
                "no 4xx response is declared, so every refusal looks undeclared",
            );
        }
        for parameter in operation.get("parameters").and_then(Value::items).into_iter().flatten() {
            let parameter = self.follow(parameter);
            if let Some(schema) = parameter.get("schema") {
                self.schema(schema, 0);
            }
        }
        let body = operation.get("requestBody").map(|body| self.follow(body));
        let media = body.and_then(|body| body.get("content")).and_then(Value::members).into_iter().flatten();
        for (_, media) in media {
            if let Some(schema) = media.get("schema") {
                self.schema(schema, 0);
            }
        }
    }

    /// What a request may be without bound.
    fn schema(&mut self, schema: Value<'d>, depth: u8) {
        // A reference is judged where it is defined, once for each use would be noise.
        if depth > DEPTH_MAX || (depth > 0 && schema.get("$ref").is_some()) {
            return;
        }
        let schema = self.follow(schema);
        let has = |names: &[&str]| names.iter().any(|name| schema.get(name).is_some());
        match schema.get("type").and_then(Value::as_str) {
            Some("string") if !has(&["maxLength", "enum", "const", "pattern", "format"]) => {
                self.say(
                    Level::Hint,
                    "unbounded-string",
                    schema,
                    "any text of any length fits; add `maxLength`, `pattern`, `format` or `enum`",
                );
            }
            Some("array") => {
                if !has(&["maxItems"]) {
                    self.say(Level::Hint, "unbounded-array", schema, "any number of items fits; add `maxItems`");
                }
                if let Some(items) = schema.get("items") {
                    self.schema(items, depth + 1);
                }
            }
            Some("integer" | "number") if !has(&["maximum", "exclusiveMaximum", "enum", "const", "format"]) => {
                self.say(
                    Level::Hint,
                    "unbounded-number",
                    schema,
                    "any number fits; add `minimum` and `maximum`, or `format`",
                );
            }
            Some("object")
                if !has(&["properties", "additionalProperties", "patternProperties", "allOf", "oneOf", "anyOf"]) =>
            {
                self.say(Level::Hint, "free-object", schema, "any members fit; declare `properties`");
            }
            None if schema.kind() == Kind::Object && schema.count() == 0 => {
                self.say(Level::Hint, "free-value", schema, "anything fits; declare a `type`");
            }
            _ => {}
        }
        for (_, member) in schema.get("properties").and_then(Value::members).into_iter().flatten() {
            self.schema(member, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<String> {
        let document = Document::parse("t.yaml", text.as_bytes()).unwrap();
        lint(&document).iter().map(|remark| format!("{}:{} {}", remark.line, remark.column, remark.rule)).collect()
    }

    #[test]
    fn weaknesses_are_named_with_their_place() {
        let text = "openapi: 3.0.0
servers: [{url: 'http://api.example.com'}]
components: {securitySchemes: {k: {type: apiKey, in: query, name: key}}}
paths:
  /a:
    post:
      operationId: a
      requestBody: {content: {application/json: {schema: {type: object, properties: {s: {type: string}, n: {type: integer}, l: {type: array, items: {type: string, maxLength: 5}}}}}}}
      responses: {200: {description: ok}}
";
        assert_eq!(
            rules(text),
            [
                "2:11 plaintext-server",
                "3:35 credential-in-query",
                "7:7 no-security",
                "7:7 no-error-response",
                "8:89 unbounded-string",
                "8:108 unbounded-number",
                "8:128 unbounded-array",
            ]
        );
    }

    #[test]
    fn a_tight_document_is_left_alone() {
        let text = "openapi: 3.0.0
servers: [{url: 'https://api.example.com'}]
security: [{k: []}]
paths:
  /a:
    get:
      operationId: a
      parameters: [{name: q, in: query, schema: {type: string, maxLength: 5}}]
      responses: {default: {description: no}}
";
        assert_eq!(rules(text), [""; 0]);
    }
}
