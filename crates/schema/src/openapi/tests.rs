use expect_test::{Expect, expect};

use super::*;
use crate::json::JsonLimits;

const SHOP: &str = r##"
openapi: 3.1.0
info: {title: Shop, version: "2"}
servers:
  - url: https://{region}.example.com/v1
    variables: {region: {enum: [eu, us], default: eu}}
x-portreeve-mode: block
paths:
  /items/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      operationId: getItem
      x-portreeve-limit: {per_minute: 5}
      parameters:
        - {name: fields, in: query, explode: false, schema: {type: array, items: {enum: [name, price]}, uniqueItems: true}}
        - {name: tag, in: query, schema: {type: array, items: {type: string}, maxItems: 2}}
        - {name: filter, in: query, style: deepObject, schema: {type: object, properties: {min: {type: integer}, max: {type: integer}}, additionalProperties: false}}
        - {name: size, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: color, in: query, schema: {type: object, properties: {r: {type: integer}, g: {type: integer}}, required: [r]}}
        - {name: where, in: query, content: {application/json: {schema: {type: object, required: [a]}}}}
        - {name: X-Trace, in: header, schema: {type: string, format: uuid}}
        - {name: session, in: cookie, required: true, schema: {type: string, minLength: 4}}
        - {name: flag, in: query, allowEmptyValue: true, schema: {type: boolean}}
      responses:
        "200":
          description: ok
          headers: {X-Count: {required: true, schema: {type: integer}}}
          content: {application/json: {schema: {$ref: "#/components/schemas/Item"}}}
        4XX: {description: no, content: {application/problem+json: {schema: {type: object}}}}
  /items:
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Item"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Item"}}
          application/xml: {schema: {$ref: "#/components/schemas/Item"}}
          multipart/form-data:
            schema: {type: object, required: [photo], properties: {photo: {type: string, format: binary}, meta: {type: object, properties: {n: {type: integer}}}}}
            encoding: {photo: {contentType: "image/*"}}
          text/csv: {schema: {type: string, maxLength: 5}}
      responses: {}
components:
  schemas:
    Item:
      type: object
      required: [id, name, price]
      properties:
        id: {type: integer, readOnly: true, xml: {attribute: true}}
        name: {type: string}
        price: {type: number, exclusiveMinimum: 0}
        tags: {type: array, items: {type: string, xml: {name: tag}}, xml: {wrapped: true}}
        secret: {type: string, writeOnly: true}
"##;

fn contract(text: &str) -> Contract {
    let loaded = load_bytes("shop.yaml", text.as_bytes(), &LoadOptions::default());
    assert_eq!(loaded.diagnostics, []);
    loaded.contract.unwrap()
}

fn matched(contract: &Contract, method: &str, path: &str) -> (OperationId, PathValues) {
    match contract.match_operation(method, "eu.example.com", path) {
        Match::Operation(id, values) => (id, values),
        other => panic!("{method} {path}: {other:?}"),
    }
}

fn lines(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}

fn head(target: &str, fields: Fields<'_>) -> String {
    let contract = contract(SHOP);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let (id, path_values) = matched(&contract, "GET", path);
    let parts = RequestParts { path, path_values: &path_values, query, fields };
    lines(&contract.judge_request_head(id, &parts, Strictness::default()).violations)
}

fn body(content_type: &str, bytes: &[u8]) -> String {
    let contract = contract(SHOP);
    let (id, _) = matched(&contract, "POST", "/v1/items");
    let limits = JsonLimits::default();
    let input = BodyInput { bytes, json: None, limits: &limits };
    let judged = contract.judge_request_body(id, Some(content_type), Some(&input), Strictness::default());
    lines(&judged.violations)
}

const COOKIE: Fields<'static> = &[("cookie", "a=b; session=abcd")];

#[test]
fn operations_are_matched_under_their_base_path() {
    let contract = contract(SHOP);
    assert_eq!(contract.info().hosts, ["eu.example.com".into(), "us.example.com".into()]);
    let (id, _) = matched(&contract, "HEAD", "/v1/items/7");
    assert_eq!(contract.operation(id).unwrap().id.as_deref(), Some("getItem"));
    assert_eq!(
        contract.operation(id).unwrap().extensions,
        [("x-portreeve-limit".into(), r#"{"per_minute":5}"#.into())]
    );
    assert_eq!(contract.extensions(), [("x-portreeve-mode".into(), "\"block\"".into())]);
    let find = |method, path| contract.match_operation(method, "", path);
    assert_eq!(find("PUT", "/v1/items"), Match::UnknownMethod(vec!["POST".into()]));
    assert_eq!(find("POST", "/items"), Match::UnknownEndpoint);
    assert_eq!(find("GET", "/v1/items/"), Match::UnknownEndpoint);
}

#[test]
fn parameters_of_every_location_and_style_are_judged() {
    assert_eq!(
        head(
            "/v1/items/7?fields=name,price&tag=a&tag=b&filter%5Bmin%5D=1&filter[max]=2&size=1%7C2|3&r=1&g=2&where=%7B%22a%22:1%7D&flag",
            COOKIE
        ),
        ""
    );
    assert_eq!(head("/v1/items/0", COOKIE), "parameter-invalid: path:id: minimum: 1\n");
    assert_eq!(head("/v1/items/x", COOKIE), "parameter-invalid: path:id: type: integer\n");
    assert_eq!(head("/v1/items/7", &[]), "parameter-missing: cookie:session: required: the parameter\n");
    assert_eq!(
        head("/v1/items/7?fields=name,name", COOKIE),
        "parameter-invalid: query:fields: uniqueItems: items that are all different\n"
    );
    assert_eq!(
        head("/v1/items/7?fields=name,cost", COOKIE),
        "parameter-invalid: query:fields/1: enum: one of name, price\n"
    );
    assert_eq!(
        head("/v1/items/7?tag=a&tag=b&tag=c", COOKIE),
        "parameter-invalid: query:tag: maxItems: at most 2 items\n"
    );
    assert_eq!(head("/v1/items/7?filter[min]=x", COOKIE), "parameter-invalid: query:filter/min: type: integer\n");
    assert_eq!(
        head("/v1/items/7?filter[mid]=1", COOKIE),
        "parameter-invalid: query:filter/mid: additionalProperties: no members but the declared ones\n"
    );
    assert_eq!(head("/v1/items/7?size=1|x", COOKIE), "parameter-invalid: query:size/1: type: integer\n");
    assert_eq!(head("/v1/items/7?g=2", COOKIE), "parameter-invalid: query:color: required: the member `r`\n");
    assert_eq!(head("/v1/items/7?where=x", COOKIE), "parameter-invalid: query:where: JSON text\n");
    assert_eq!(
        head("/v1/items/7?fields=name&fields=price", COOKIE),
        "parameter-invalid: query:fields: repeated: the parameter once\n"
    );
    assert_eq!(
        head("/v1/items/7?unknown=1", COOKIE),
        "parameter-undeclared: query:unknown: only declared parameters\n"
    );
    assert_eq!(
        head("/v1/items/7?tag=%zz", COOKIE),
        "parameter-invalid: query:tag: text that is encoded and delimited as declared\n"
    );
    assert_eq!(head("/v1/items/7?flag=1", COOKIE), "parameter-invalid: query:flag: type: boolean\n");
    assert_eq!(
        head("/v1/items/7", &[("cookie", "session=abc"), ("x-trace", "1")]),
        "parameter-invalid: header:x-trace: format: uuid\nparameter-invalid: cookie:session: minLength: at least 4 characters\n"
    );
}

#[test]
fn path_styles_are_taken_apart() {
    let check = |style: &str, schema: &str, value: &str, expected: &str| {
        let text = format!(
            "openapi: 3.0.0\ninfo: {{title: t, version: '1'}}\npaths: {{'/p/{{v}}': {{get: {{responses: {{}}, parameters: [{{name: v, in: path, required: true, {style}, schema: {schema}}}]}}}}}}"
        );
        let contract = contract(&text);
        let path = format!("/p/{value}");
        let (id, path_values) = matched(&contract, "GET", &path);
        let parts = RequestParts { path: &path, path_values: &path_values, query: None, fields: &[] };
        let judged = contract.judge_request_head(id, &parts, Strictness::default());
        assert_eq!(lines(&judged.violations), expected, "{style} {value}");
    };
    let list = "{type: array, items: {type: integer}, minItems: 2, maxItems: 2}";
    let object = "{type: object, properties: {a: {type: integer}, b: {type: string}}, required: [a, b], additionalProperties: false}";
    for (style, list_text, object_text) in [
        ("style: simple", "1,2", "a,1,b,x"),
        ("style: simple, explode: true", "1,2", "a=1,b=x"),
        ("style: label", ".1,2", ".a,1,b,x"),
        ("style: label, explode: true", ".1.2", ".a=1.b=x"),
        ("style: matrix", ";v=1,2", ";v=a,1,b,x"),
        ("style: matrix, explode: true", ";v=1;v=2", ";a=1;b=x"),
    ] {
        check(style, list, list_text, "");
        check(style, object, object_text, "");
    }
    check("style: label", "{type: integer}", ".5", "");
    check("style: matrix", "{type: integer}", ";v=5", "");
    check(
        "style: matrix",
        "{type: integer}",
        "5",
        "parameter-invalid: path:v: text that is encoded and prefixed as declared\n",
    );
    check("style: simple", list, "1,2,3", "parameter-invalid: path:v: maxItems: at most 2 items\n");
    check("style: simple", "{type: string, maxLength: 3}", "a%2Fb", "");
}

#[test]
fn bodies_of_every_kind_are_judged() {
    let check =
        |content_type: &str, text: &str, expected: Expect| expected.assert_eq(&body(content_type, text.as_bytes()));
    check("application/json; charset=utf-8", r#"{"name":"x","price":1,"tags":["a"]}"#, expect![""]);
    check(
        "application/json",
        r#"{"id":1,"name":"x","price":0}"#,
        expect![[r#"
        body-invalid: body:/id: readOnly: the member does not belong in this direction
        body-invalid: body:/price: exclusiveMinimum: 0
    "#]],
    );
    check(
        "application/json",
        r#"{"name":"x","price":1,"admin":true}"#,
        expect![[r#"
        field-undeclared: body:/admin: only declared members
    "#]],
    );
    check(
        "application/json",
        "{",
        expect![[r#"
        body-malformed: body:: JSON; the text ends inside a value at byte 1
    "#]],
    );
    check(
        "application/yaml",
        "a",
        expect![[r#"
        content-type-undeclared: header:content-type: one of application/json, application/x-www-form-urlencoded, application/xml, multipart/form-data, text/csv
    "#]],
    );
    check("application/x-www-form-urlencoded", "name=a+b&price=1.5&tags=x&tags=y", expect![""]);
    check(
        "application/x-www-form-urlencoded",
        "name=a&price=x",
        expect![[r#"
        body-invalid: body:/price: type: number
    "#]],
    );
    check(
        "application/xml",
        "<Item><name>x</name><price>2</price><tags><tag>a</tag><tag>b</tag></tags></Item>",
        expect![""],
    );
    check(
        "application/xml",
        "<Item id='3'><name>x</name><price>no</price></Item>",
        expect![[r#"
        body-invalid: body:/id: readOnly: the member does not belong in this direction
        body-invalid: body:/price: type: number
    "#]],
    );
    check(
        "application/xml",
        "<!DOCTYPE x><Item/>",
        expect![[r#"
        xml-forbidden: body:: XML without a document type definition
    "#]],
    );
    check(
        "text/csv",
        "a,b,c,d",
        expect![[r#"
        body-invalid: body:: maxLength: at most 5 characters
    "#]],
    );
    let form = |photo_type: &str, meta: &str| {
        format!(
            "--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p\"\r\nContent-Type: {photo_type}\r\n\r\nx\r\n--B\r\nContent-Disposition: form-data; name=\"meta\"\r\n\r\n{meta}\r\n--B--\r\n"
        )
    };
    check("multipart/form-data; boundary=B", &form("image/png", r#"{"n":1}"#), expect![""]);
    check(
        "multipart/form-data; boundary=B",
        &form("text/html", r#"{"n":1}"#),
        expect![[r#"
        body-invalid: body:/photo: contentType: image/*
    "#]],
    );
    check(
        "multipart/form-data; boundary=B",
        &form("image/png", r#"{"n":"x"}"#),
        expect![[r#"
        body-invalid: body:/meta/n: type: integer
    "#]],
    );
}

#[test]
fn responses_are_judged_by_status() {
    let contract = contract(SHOP);
    let (id, _) = matched(&contract, "GET", "/v1/items/7");
    let limits = JsonLimits::default();
    let body = |status, content_type, text: &str| {
        let input = BodyInput { bytes: text.as_bytes(), json: None, limits: &limits };
        lines(
            &contract
                .judge_response_body(id, status, Some(content_type), Some(&input), Strictness::default())
                .violations,
        )
    };
    assert_eq!(lines(&contract.judge_response_head(id, 200, &[("x-count", "1")]).violations), "");
    assert_eq!(
        lines(&contract.judge_response_head(id, 200, &[]).violations),
        "response-header-invalid: header:x-count: required: the parameter\n"
    );
    assert_eq!(
        lines(&contract.judge_response_head(id, 500, &[]).violations),
        "status-undeclared: status:: one of 200, 4XX\n"
    );
    assert_eq!(body(200, "application/json", r#"{"id":1,"name":"x","price":2}"#), "");
    assert_eq!(
        body(200, "application/json", r#"{"id":1,"name":"x","price":2,"cost":1}"#),
        "field-undeclared: body:/cost: only declared members\n"
    );
    assert_eq!(
        body(200, "application/json", r#"{"id":1,"name":"x","price":2,"secret":"s"}"#),
        "body-invalid: body:/secret: writeOnly: the member does not belong in this direction\n"
    );
    assert_eq!(body(404, "application/problem+json", "{}"), "");
    assert_eq!(
        body(404, "text/html", "x"),
        "content-type-undeclared: header:content-type: one of application/problem+json\n"
    );
}

#[test]
fn swagger_2_is_read_by_its_own_names() {
    let contract = contract(
        r##"
swagger: 2.0
info: {title: t, version: "1"}
host: api.example.com:8080
basePath: /v2/
consumes: [application/json]
produces: [application/json]
paths:
  /pets:
    get:
      parameters:
        - {name: ids, in: query, type: array, items: {type: integer}, collectionFormat: pipes, required: true}
        - {name: kinds, in: query, type: array, items: {type: string, enum: [cat, dog]}, collectionFormat: multi}
      responses: {200: {description: ok, schema: {type: array, items: {$ref: "#/definitions/Pet"}}}}
    post:
      parameters: [{name: pet, in: body, required: true, schema: {$ref: "#/definitions/Pet"}}]
      responses: {default: {description: ok}}
    put:
      consumes: [application/x-www-form-urlencoded]
      parameters: [{name: age, in: formData, type: integer, required: true}]
      responses: {default: {description: ok}}
definitions:
  Pet: {type: object, required: [name], properties: {name: {type: string}}}
"##,
    );
    let limits = JsonLimits::default();
    let judge = |method: &str, query, content_type, text: &str| {
        let (id, path_values) = matched(&contract, method, "/v2/pets");
        let parts = RequestParts { path: "/v2/pets", path_values: &path_values, query, fields: &[] };
        let input = BodyInput { bytes: text.as_bytes(), json: None, limits: &limits };
        let mut all = lines(&contract.judge_request_head(id, &parts, Strictness::default()).violations);
        all += &lines(&contract.judge_request_body(id, content_type, Some(&input), Strictness::default()).violations);
        all
    };
    assert_eq!(judge("GET", Some("ids=1|2&kinds=cat&kinds=dog"), None, ""), "");
    assert_eq!(
        judge("GET", Some("ids=1|x&kinds=cow"), None, ""),
        "parameter-invalid: query:ids/1: type: integer\nparameter-invalid: query:kinds/0: enum: one of cat, dog\n"
    );
    assert_eq!(
        judge("POST", None, Some("application/json"), "{}"),
        "body-invalid: body:: required: the member `name`\n"
    );
    assert_eq!(judge("POST", None, None, ""), "body-missing: body:: a body\n");
    assert_eq!(judge("PUT", None, Some("application/x-www-form-urlencoded"), "age=3"), "");
    assert_eq!(
        judge("PUT", None, Some("application/x-www-form-urlencoded"), "age=x"),
        "body-invalid: body:/age: type: integer\n"
    );
}

#[test]
fn what_is_broken_is_named_with_its_place() {
    let named = |text: &str| {
        let loaded = load_bytes("x.yaml", text.as_bytes(), &LoadOptions::default());
        loaded.diagnostics.iter().map(|d| format!("{}:{} {}", d.line, d.column, d.rule)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(named("a: b"), "1:1 not-openapi");
    assert_eq!(named("openapi: 4.0.0"), "1:1 unknown-version");
    assert_eq!(named("a: [b"), "1:4 not-a-document");
    assert_eq!(
        named("openapi: 3.0.0\npaths:\n  /a:\n    $ref: '#/nope'\n  b: {}\n"),
        "4:5 unresolved-reference; 5:6 malformed-path"
    );
    assert_eq!(
        named(
            "openapi: 3.0.0\npaths:\n  /a/{x}:\n    get:\n      responses: {}\n  /a/{y}:\n    get:\n      responses: {}\n"
        ),
        "5:7 path-parameter; 8:7 duplicate-operation"
    );
    assert_eq!(
        named(
            "openapi: 3.0.0\npaths:\n  /a:\n    get:\n      responses: {}\n      parameters:\n        - {name: x, in: query, schema: {type: string, pattern: '(?<=a)b'}}\n"
        ),
        "7:64 unsupported-pattern"
    );
    assert_eq!(
        named(
            "openapi: 3.0.0\npaths:\n  /a:\n    get:\n      responses: {}\n      requestBody:\n        content: {application/json: {schema: {$ref: 'http://evil.example/x'}}}\n"
        ),
        "7:46 unresolved-reference"
    );
}

#[test]
fn ten_thousand_operations_compile_and_match_quickly() {
    let mut text = String::from(
        r#"{"openapi":"3.0.0","info":{"title":"t","version":"1"},"components":{"schemas":{"A":{"type":"object","properties":{"n":{"type":"integer"}}}}},"paths":{"#,
    );
    for n in 0..10_000 {
        let comma = if n > 0 { "," } else { "" };
        text.push_str(&format!(r##"{comma}"/r{}/{{id}}/s{n}":{{"get":{{"parameters":[{{"name":"id","in":"path","required":true,"schema":{{"type":"string","pattern":"^x{n}$"}}}}],"responses":{{"200":{{"description":"","content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/A"}}}}}}}}}}}}}}"##, n % 100));
    }
    text.push_str("}}");
    let loaded = load_bytes("big.json", text.as_bytes(), &LoadOptions::default());
    assert_eq!(loaded.diagnostics, []);
    let contract = loaded.contract.unwrap();
    assert_eq!(contract.operations().len(), 10_000);
    assert!(matches!(contract.match_operation("GET", "", "/r17/abc/s9917"), Match::Operation(OperationId(9917), _)));
}

#[test]
fn compositions_that_multiply_do_not_hang() {
    let mut schemas = String::new();
    for level in 0..10 {
        let branches = vec![format!("{{$ref: '#/components/schemas/L{}'}}", level + 1); 20].join(", ");
        schemas.push_str(&format!("    L{level}: {{anyOf: [{branches}]}}\n"));
    }
    let text = format!(
        "openapi: 3.0.0\ninfo: {{title: t, version: '1'}}\npaths:\n  /a:\n    post:\n      responses: {{}}\n      parameters: [{{name: q, in: query, schema: {{$ref: '#/components/schemas/L0'}}}}]\n      requestBody: {{content: {{application/x-www-form-urlencoded: {{schema: {{$ref: '#/components/schemas/L0'}}}}}}}}\ncomponents:\n  schemas:\n{schemas}    L10: {{type: object, required: [z]}}\n"
    );
    let contract = contract(&text);
    let (id, path_values) = matched(&contract, "POST", "/a");
    let parts = RequestParts { path: "/a", path_values: &path_values, query: Some("q=1"), fields: &[] };
    assert!(!contract.judge_request_head(id, &parts, Strictness::default()).violations.is_empty());
    let limits = JsonLimits::default();
    let input = BodyInput { bytes: b"a=1&b=2", json: None, limits: &limits };
    let judged =
        contract.judge_request_body(id, Some("application/x-www-form-urlencoded"), Some(&input), Strictness::default());
    assert_eq!(judged.violations.len(), 1);
}

#[test]
fn a_contract_is_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Contract>();
    check::<crate::shape::Shape>();
    #[cfg(feature = "graphql")]
    check::<crate::graphql::GraphqlContract>();
    #[cfg(feature = "grpc")]
    check::<crate::grpc::GrpcContract>();
}

#[test]
fn the_files_that_were_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let document = "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /a:\n    post:\n      requestBody:\n        content: {application/json: {schema: {$ref: 'parts/item.yaml#/Item'}}}\n      responses: {'200': {description: ok}}\n";
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    let (main, item) = (folder.path().join("main.yaml"), folder.path().join("parts/item.yaml"));
    std::fs::write(&main, document).unwrap();
    std::fs::write(&item, "Item: {type: object, properties: {size: {$ref: 'size.yaml'}}}\n").unwrap();
    std::fs::write(folder.path().join("parts/size.yaml"), "type: integer\n").unwrap();
    let loaded = load_file(&main, &Default::default());
    assert!(loaded.is_sound(), "{:?}", loaded.diagnostics);
    let root = folder.path().canonicalize().unwrap();
    let names: Vec<_> = loaded
        .files
        .iter()
        .map(|file| file.canonicalize().unwrap().strip_prefix(&root).unwrap().to_path_buf())
        .collect();
    assert_eq!(names, ["main.yaml", "parts/item.yaml", "parts/size.yaml"].map(std::path::PathBuf::from));
}
