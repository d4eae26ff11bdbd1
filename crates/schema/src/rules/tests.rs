use expect_test::{Expect, expect};

use super::*;
use crate::document::{Diagnostic, Document};
use crate::json::{JsonLimits, Tape};

fn compiled(schema: &str, dialect: Dialect) -> (Rules, RuleId, Vec<Diagnostic>) {
    let mut library = Library::new(Box::new(|uri| Err(format!("`{uri}` is not here"))));
    let root = library.add("file:///schema.json", Document::parse("schema.json", schema.as_bytes()).unwrap());
    let mut compiler = RuleCompiler::new(library);
    let rule = compiler.rule(root, dialect);
    let (rules, _, diagnostics) = compiler.finish();
    (rules, rule, diagnostics)
}

fn explain(rules: &Rules, rule: RuleId, text: &str, options: CheckOptions) -> String {
    let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
    let checked = rules.check(rule, tape.root(), options);
    let line =
        |failure: &Failure| format!("{}: {}: {}", tape.pointer(failure.index), failure.keyword, failure.expected);
    let mut out = String::new();
    for failure in &checked.failures {
        out.push_str(&line(failure));
        if let Some(closest) = &failure.closest {
            out.push_str(&format!(" <- {} {:?} {}", closest.branch, closest.name, line(&closest.failure)));
        }
        out.push('\n');
    }
    for index in &checked.undeclared {
        out.push_str(&format!("undeclared {}\n", tape.pointer(*index)));
    }
    assert_eq!(checked.failures.is_empty(), rules.is_valid(rule, tape.root(), options.direction));
    out
}

fn check(schema: &str, text: &str, expected: Expect) {
    let (rules, rule, diagnostics) = compiled(schema, Dialect::Draft202012);
    assert_eq!(diagnostics, []);
    let options = CheckOptions { direction: Direction::Request, undeclared: Undeclared::List };
    expected.assert_eq(&explain(&rules, rule, text, options));
}

#[test]
fn failures_have_place_keyword_and_expectation() {
    check(
        r#"{"type":"object","properties":{"age":{"type":"integer","minimum":0},"tags":{"items":{"enum":["a","b"]},"uniqueItems":true}},"required":["age","name"]}"#,
        r#"{"age":-1,"tags":["a","c"]}"#,
        expect![[r#"
            /age: minimum: 0
            /tags/1: enum: one of a, b
            : required: the member `name`
        "#]],
    );
}

#[test]
fn the_closest_alternative_is_named() {
    check(
        r##"{"oneOf":[{"$ref":"#/$defs/Card"},{"$ref":"#/$defs/Iban"}],"$defs":{
            "Card":{"properties":{"kind":{"const":"card"},"number":{"type":"string"}},"required":["kind","number"]},
            "Iban":{"properties":{"kind":{"const":"iban"},"account":{"type":"string","pattern":"^[A-Z0-9]+$"}},"required":["kind","account"]}}}"##,
        r#"{"kind":"iban","account":"de 12"}"#,
        expect![[r#"
            : oneOf: one of 2 alternatives <- 1 Some("Iban") /account: pattern: ^[A-Z0-9]+$
        "#]],
    );
}

#[test]
fn undeclared_members_are_listed_across_compositions() {
    let schema = r#"{"allOf":[{"properties":{"a":{"properties":{"x":{}}}}},{"properties":{"a":{"properties":{"y":{}}},"b":{}}}],
        "anyOf":[{"properties":{"c":{"type":"string"}}},{"properties":{"c":{"type":"integer"},"d":{}},"required":["d"]}]}"#;
    check(schema, r#"{"a":{"x":1,"y":2},"b":1,"c":1,"d":2}"#, expect![""]);
    check(
        schema,
        r#"{"a":{"x":1,"z":2},"e":1,"c":"s","d":2}"#,
        expect![[r#"
        undeclared /a/z
        undeclared /e
        undeclared /d
    "#]],
    );
    check(r#"{"type":"object"}"#, r#"{"free":1}"#, expect![""]);
    check(r#"{"properties":{"a":{}},"additionalProperties":true}"#, r#"{"free":1}"#, expect![""]);
}

#[test]
fn direction_decides_over_read_only_and_write_only() {
    let schema =
        r#"{"properties":{"id":{"readOnly":true},"password":{"writeOnly":true}},"required":["id","password"]}"#;
    let (rules, rule, _) = compiled(schema, Dialect::OpenApi30);
    let judge = |direction, text| explain(&rules, rule, text, CheckOptions { direction, ..CheckOptions::default() });
    assert_eq!(judge(Direction::Request, r#"{"password":"x"}"#), "");
    assert_eq!(judge(Direction::Response, r#"{"id":1}"#), "");
    assert!(judge(Direction::Request, r#"{"id":1,"password":"x"}"#).starts_with("/id: readOnly"));
    assert!(judge(Direction::Response, r#"{"id":1,"password":"x"}"#).starts_with("/password: writeOnly"));
    assert!(judge(Direction::Neither, "{}").contains("`id`"));
}

#[test]
fn the_dialect_of_openapi_3_0_is_understood() {
    let judge = |schema: &str, text: &str| {
        let (rules, rule, _) = compiled(schema, Dialect::OpenApi30);
        explain(&rules, rule, text, CheckOptions::default())
    };
    assert_eq!(judge(r#"{"type":"string","nullable":true}"#, "null"), "");
    assert_eq!(judge(r#"{"type":"integer","minimum":1,"exclusiveMinimum":true}"#, "1"), ": exclusiveMinimum: 1\n");
    assert_eq!(judge(r#"{"type":"integer","format":"int32"}"#, "2147483648"), ": format: int32\n");
    let discriminated = r##"{"oneOf":[{"$ref":"#/d/Cat"},{"$ref":"#/d/Dog"}],"discriminator":{"propertyName":"t","mapping":{"dog":"#/d/Dog"}},
        "d":{"Cat":{"required":["t"]},"Dog":{"required":["t","bark"]}}}"##;
    assert_eq!(judge(discriminated, r#"{"t":"Cat"}"#), "");
    assert_eq!(judge(discriminated, r#"{"t":"dog"}"#), ": required: the member `bark`\n");
    assert_eq!(judge(discriminated, r#"{"t":"cow"}"#), "/t: discriminator: one of Cat, Dog, dog\n");
    assert_eq!(judge(discriminated, "{}"), ": discriminator: the member `t`\n");
}

#[test]
fn broken_schemas_are_named_and_do_not_hang() {
    let rule_names = |schema: &str| {
        let (_, _, diagnostics) = compiled(schema, Dialect::Draft202012);
        diagnostics.iter().map(|diagnostic| diagnostic.rule).collect::<Vec<_>>()
    };
    assert_eq!(rule_names(r##"{"$ref":"#"}"##), ["reference-loop"]);
    assert_eq!(
        rule_names(r##"{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}"##),
        ["reference-loop"]
    );
    assert_eq!(rule_names(r##"{"$ref":"#/nothing"}"##), ["unresolved-reference"]);
    assert_eq!(rule_names(r#"{"$ref":"http://example.org/x"}"#), ["unresolved-reference"]);
    assert_eq!(rule_names(r#"{"pattern":"(a)\\1"}"#), ["unsupported-pattern"]);
    assert_eq!(rule_names(r#"{"type":"strnig"}"#), ["malformed-schema"]);
    assert_eq!(rule_names(r#"{"minLength":-1,"multipleOf":0}"#), ["malformed-schema", "malformed-schema"]);
    let chain: String =
        (0..5000).map(|n| format!(r##""d{n}":{{"items":{{"$ref":"#/$defs/d{}"}}}},"##, n + 1)).collect();
    assert_eq!(rule_names(&format!(r##"{{"$ref":"#/$defs/d0","$defs":{{{chain}"d5000":{{}}}}}}"##)), [""; 0]);
}

#[test]
fn an_exponential_schema_runs_out_of_fuel() {
    let schema = r##"{"$defs":{"n":{"anyOf":[{"properties":{"a":{"$ref":"#/$defs/n"}},"required":["z"]},{"properties":{"a":{"$ref":"#/$defs/n"}},"required":["y"]}]}},"$ref":"#/$defs/n"}"##;
    let (rules, rule, _) = compiled(schema, Dialect::Draft202012);
    let text = format!("{}1{}", r#"{"y":1,"a":"#.repeat(60), "}".repeat(60));
    assert!(explain(&rules, rule, &text, CheckOptions::default()).contains("budget"));
}

#[test]
fn proven_strings_are_known() {
    let schema = r#"{"properties":{"id":{"format":"uuid"},"state":{"enum":["open"]},"name":{"type":"string"},"code":{"pattern":"^[A-Z]{3}$"}}}"#;
    let (rules, rule, _) = compiled(schema, Dialect::Draft202012);
    let text = r#"{"id":"0b5b2a3e-7a55-4b4e-9c1d-2f6a2a4f0c11","state":"open","name":"x","code":"EUR"}"#;
    let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
    let proven = rules.check_and_prove(rule, tape.root(), CheckOptions::default()).proven;
    let pointers: Vec<String> = proven.iter().map(|index| tape.pointer(*index)).collect();
    assert_eq!(pointers, ["/id", "/state", "/code"]);
}
