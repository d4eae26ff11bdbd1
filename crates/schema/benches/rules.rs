//! Schema validation of a 2 KB order: our rules over the tape beside the crate `jsonschema` over `serde_json`.

#![allow(clippy::unwrap_used, reason = "a panic in a benchmark is the report")]

use schema::document::Document;
use schema::json::{JsonLimits, Tape};
use schema::rules::{CheckOptions, Dialect, Direction, Library, RuleCompiler, RuleId, Rules, Undeclared};

fn main() {
    divan::main();
}

const SCHEMA: &str = r##"{"type":"object","required":["id","customer","items","total"],"properties":{
  "id":{"type":"string","format":"uuid"},
  "customer":{"$ref":"#/$defs/Customer"},
  "created":{"type":"string","format":"date-time"},
  "currency":{"type":"string","enum":["EUR","USD","GBP"]},
  "note":{"type":"string","maxLength":500},
  "items":{"type":"array","minItems":1,"maxItems":100,"items":{"$ref":"#/$defs/Item"}},
  "total":{"type":"number","minimum":0},"paid":{"type":"boolean"},"coupon":{"type":["string","null"]}},
  "$defs":{
  "Customer":{"type":"object","required":["name","email"],"properties":{"name":{"type":"string","minLength":1,"maxLength":100},
    "email":{"type":"string","format":"email"},"phones":{"type":"array","items":{"type":"string","pattern":"^\\+[0-9 ]{5,20}$"}},
    "address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"},"zip":{"type":"string"},"country":{"type":"string","pattern":"^[A-Z]{2}$"}}}}},
  "Item":{"type":"object","required":["sku","quantity","price"],"additionalProperties":false,"properties":{"sku":{"type":"string","pattern":"^[A-Z]{2}-[0-9]{4}-[A-Z]{2}$"},
    "title":{"type":"string","maxLength":200},"quantity":{"type":"integer","minimum":0,"maximum":1000},"price":{"type":"number","minimum":0},
    "tags":{"type":"array","items":{"type":"string"},"uniqueItems":true},"gift":{"type":"boolean"}}}}}"##;

fn order() -> String {
    let mut text = String::from(
        r#"{"id":"0b5b2a3e-7a55-4b4e-9c1d-2f6a2a4f0c11","customer":{"name":"Ada Lovelace","email":"ada@example.org","phones":["+44 20 7946 0000"],"address":{"street":"12 St James's Square","city":"London","zip":"SW1Y 4JH","country":"GB"}},"created":"2026-03-01T12:30:00Z","currency":"EUR","note":"leave at the \"back\" door\n","items":["#,
    );
    for item in 0..12 {
        if item > 0 {
            text.push(',');
        }
        text.push_str(&format!(
            r#"{{"sku":"AB-{item:04}-XY","title":"A thing of some kind, number {item}","quantity":{item},"price":1{item}.95,"tags":["red","large"],"gift":false}}"#
        ));
    }
    text.push_str(r#"],"total":1234.5,"paid":true,"coupon":null}"#);
    text
}

fn compiled() -> (Rules, RuleId) {
    let mut library = Library::new(Box::new(|_| Err("not here".to_owned())));
    let root = library.add("file:///order.json", Document::parse("order.json", SCHEMA.as_bytes()).unwrap());
    let mut compiler = RuleCompiler::new(library);
    let rule = compiler.rule(root, Dialect::Draft202012);
    (compiler.finish().0, rule)
}

#[divan::bench]
fn rules_only(bencher: divan::Bencher) {
    let (rules, rule) = compiled();
    let text = order();
    let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
    bencher.bench(|| assert!(rules.is_valid(rule, divan::black_box(tape.root()), Direction::Request)));
}

#[divan::bench]
fn rules_with_undeclared(bencher: divan::Bencher) {
    let (rules, rule) = compiled();
    let text = order();
    let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
    let options = CheckOptions { direction: Direction::Request, undeclared: Undeclared::List };
    bencher.bench(|| assert!(rules.check(rule, divan::black_box(tape.root()), options).failures.is_empty()));
}

#[divan::bench]
fn parse_and_rules(bencher: divan::Bencher) {
    let (rules, rule) = compiled();
    let text = order();
    bencher.bench(|| {
        let tape = Tape::parse(divan::black_box(text.as_bytes()), &JsonLimits::default()).unwrap();
        assert!(rules.is_valid(rule, tape.root(), Direction::Request));
    });
}

#[divan::bench]
fn jsonschema_only(bencher: divan::Bencher) {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let value: serde_json::Value = serde_json::from_str(&order()).unwrap();
    bencher.bench(|| assert!(validator.is_valid(divan::black_box(&value))));
}

#[divan::bench]
fn serde_json_and_jsonschema(bencher: divan::Bencher) {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let text = order();
    bencher.bench(|| {
        let value: serde_json::Value = serde_json::from_str(divan::black_box(&text)).unwrap();
        assert!(validator.is_valid(&value));
    });
}
