use super::*;
use crate::document::Document;
use crate::openapi::{BodyInput, Contract, Match, RequestParts, Strictness};

const DOCUMENT: &str = r##"
openapi: 3.1.0
info: {title: Shop, version: "1"}
paths:
  /items/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, maximum: 100}}
    get:
      parameters:
        - {name: sort, in: query, required: true, schema: {type: string, enum: [name, price]}}
        - {name: tags, in: query, schema: {type: array, items: {type: string, maxLength: 5}}}
        - {name: X-Trace, in: header, schema: {type: string, format: uuid}}
      responses: {"200": {description: ok}}
    put:
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Item"}
      responses: {"204": {description: done}}
components:
  schemas:
    Item:
      type: object
      required: [name, price]
      additionalProperties: false
      properties:
        name: {type: string, minLength: 1, maxLength: 20, pattern: "^[a-z]+$"}
        price: {type: number, exclusiveMinimum: 0, multipleOf: 0.5}
        stock: {type: array, minItems: 1, uniqueItems: true, items: {type: integer, minimum: 0}}
        next: {$ref: "#/components/schemas/Item"}
"##;

fn fits(contract: &Contract, request: &DerivedRequest) -> bool {
    let (path, query) = request.target.split_once('?').map_or((&*request.target, None), |(p, q)| (p, Some(q)));
    let Match::Operation(id, path_values) = contract.match_operation(&request.method, "", path) else { return false };
    let lower: Vec<(String, &str)> = request.fields.iter().map(|(n, v)| (n.to_ascii_lowercase(), v.as_str())).collect();
    let fields: Vec<(&str, &str)> = lower.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let parts = RequestParts { path, path_values: &path_values, query, fields: &fields };
    let limits = Default::default();
    let body = request.body.as_ref().map(|(_, bytes)| BodyInput { bytes, json: None, limits: &limits });
    let kind = request.body.as_ref().map(|(kind, _)| kind.as_str());
    let strictness = Strictness::default();
    contract.judge_request_head(id, &parts, strictness).violations.is_empty()
        && contract.judge_request_body(id, kind, body.as_ref(), strictness).violations.is_empty()
}

#[test]
fn what_is_derived_is_judged_as_it_was_meant() {
    let document = Document::parse("shop.yaml", DOCUMENT.as_bytes()).unwrap();
    let contract = crate::openapi::load_bytes("shop.yaml", DOCUMENT.as_bytes(), &Default::default()).contract.unwrap();
    let derived = derive(&document);
    assert!(derived.left_out.is_empty(), "{:?}", derived.left_out);
    let valid = derived.requests.iter().filter(|request| request.expected == Expectation::Valid).count();
    assert_eq!(valid, 4);
    assert!(derived.requests.len() > 25, "{}", derived.requests.len());
    for request in &derived.requests {
        assert_eq!(fits(&contract, request), request.expected == Expectation::Valid, "{request:?}");
    }
}

#[test]
fn circles_and_references_elsewhere_are_left_out() {
    for schema in ["{$ref: '#/components/schemas/A'}", "{$ref: 'other.yaml#/A'}", "{type: string, pattern: '^~{90}$'}"]
    {
        let text = format!(
            "openapi: 3.0.0\npaths:\n  /a:\n    post:\n      requestBody: {{required: true, content: {{application/json: {{schema: {schema}}}}}}}\n\
             components: {{schemas: {{A: {{$ref: '#/components/schemas/A'}}}}}}\n"
        );
        let derived = derive(&Document::parse("a.yaml", text.as_bytes()).unwrap());
        assert_eq!((derived.requests.len(), derived.left_out.len()), (0, 1), "{schema}");
    }
}

#[test]
fn schemas_that_multiply_are_bounded() {
    let members: String = (0..60).map(|n| format!("        m{n}: {{$ref: '#/components/schemas/A'}}\n")).collect();
    let text = format!(
        "openapi: 3.0.0\npaths:\n  /a:\n    post:\n      requestBody: {{required: true, content: {{application/json: {{schema: {{$ref: '#/components/schemas/A'}}}}}}}}\n\
         components:\n  schemas:\n    A:\n      type: object\n      properties:\n{members}"
    );
    let derived = derive(&Document::parse("a.yaml", text.as_bytes()).unwrap());
    let bytes: usize = derived.requests.iter().filter_map(|request| Some(request.body.as_ref()?.1.len())).sum();
    assert!((1..64 << 20).contains(&bytes), "{bytes}");
}

proptest::proptest! {
    #[test]
    fn arbitrary_schemas_never_panic(schema in "(\\{|\\}|\\[|\\]|,|:|\"(type|items|properties|enum|minimum|maximum|minLength|maxLength|pattern|format|allOf|required|a)\"|\"(string|integer|array|object|null)\"|-?[0-9]{1,19}|true|null){0,30}") {
        let text = format!("{{\"openapi\": \"3.1.0\", \"paths\": {{\"/a/{{b}}\": {{\"post\": {{\"parameters\": [{{\"name\": \"b\", \"in\": \"path\", \"schema\": {schema}}}], \"requestBody\": {{\"content\": {{\"application/json\": {{\"schema\": {schema}}}}}}}}}}}}}}}");
        if let Ok(document) = Document::parse("a.json", text.as_bytes()) {
            let _ = derive(&document);
        }
    }
}
