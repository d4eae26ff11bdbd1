use expect_test::{Expect, expect};

use super::*;
use crate::openapi::{LoadOptions, load_bytes};

fn document(paths: &str) -> Contract {
    let text = format!("openapi: 3.1.0\ninfo: {{title: t, version: '1'}}\npaths:\n{paths}");
    let loaded = load_bytes("t.yaml", text.as_bytes(), &LoadOptions::default());
    loaded.contract.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

fn check(old: &str, new: &str, expected: Expect) {
    let changes = diff(&document(old), &document(new));
    let text: String = changes
        .iter()
        .map(|c| format!("{} {} [{}] {}: {}\n", c.impact.name(), c.operation, c.place, c.rule, c.message))
        .collect();
    expected.assert_eq(&text);
}

#[test]
fn operations_and_parameters_are_compared() {
    check(
        "  /a/{x}: {get: {responses: {}, parameters: [{name: x, in: path, required: true, schema: {type: string}}, {name: q, in: query, schema: {type: integer, maximum: 10}}, {name: r, in: query, schema: {enum: [a, b]}}]}}\n  /gone: {get: {responses: {}}}\n",
        "  /a/{y}: {get: {responses: {}, parameters: [{name: y, in: path, required: true, schema: {type: string}}, {name: q, in: query, required: true, schema: {type: integer, maximum: 20}}, {name: r, in: query, schema: {enum: [a]}}, {name: s, in: query, schema: {}}]}}\n  /new: {get: {responses: {}}}\n",
        expect![[r#"
            breaking GET /a/{y} [query:q] parameter-required: the parameter is required now
            breaking GET /a/{y} [query:r] values-changed: "a", "b" became "a"
            breaking GET /gone [] operation-removed: the operation is gone
            loosened GET /a/{y} [query:q] limit-changed: `maximum` was 10 and is 20
            loosened GET /a/{y} [query:s] parameter-added: the parameter is new
            loosened GET /new [] operation-added: the operation is new
        "#]],
    );
}

#[test]
fn requests_and_responses_are_opposites() {
    let with = |schema: &str| {
        format!(
            "  /a: {{post: {{requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}, responses: {{'200': {{description: ok, content: {{application/json: {{schema: {schema}}}}}}}}}}}}}\n"
        )
    };
    check(
        &with(
            "{type: object, required: [a], properties: {a: {type: integer}, b: {type: string}}, additionalProperties: false}",
        ),
        &with(
            "{type: object, properties: {a: {type: [integer, 'null']}, c: {type: string}}, additionalProperties: false}",
        ),
        expect![[r#"
            breaking POST /a [request:/b] member-removed: the member is not declared any more
            breaking POST /a [response 200:/a] member-optional: the member is optional now
            breaking POST /a [response 200:/a] type-changed: integer became null or integer
            breaking POST /a [response 200:/c] member-added: the member is new
            loosened POST /a [request:/a] member-optional: the member is optional now
            loosened POST /a [request:/a] type-changed: integer became null or integer
            loosened POST /a [request:/c] member-added: the member is new
            safe POST /a [response 200:/b] member-removed: the member is not declared any more
        "#]],
    );
}

#[test]
fn nothing_changed_is_nothing_said() {
    let same = "  /a: {get: {responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/T'}}}}}}}\ncomponents: {schemas: {T: {type: object, properties: {next: {$ref: '#/components/schemas/T'}}}}}\n";
    check(same, same, expect![""]);
}
