//! A schema and a value, divided by a zero byte: compiling and judging always end.
#![no_main]

use schema::document::Document;
use schema::json::{JsonLimits, Tape};
use schema::rules::{CheckOptions, Dialect, Library, RuleCompiler};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.iter().position(|byte| *byte == 0) else { return };
    let Ok(schema) = Document::parse("schema.json", &bytes[..at]) else { return };
    let Ok(tape) = Tape::parse(&bytes[at + 1..], &JsonLimits::default()) else { return };
    let mut library = Library::new(Box::new(|uri| Err(format!("`{uri}` is not here"))));
    let root = library.add("file:///schema.json", schema);
    let mut compiler = RuleCompiler::new(library);
    let rule = compiler.rule(root, Dialect::Draft202012);
    let (rules, _, _) = compiler.finish();
    rules.check_and_prove(rule, tape.root(), CheckOptions::default());
});
