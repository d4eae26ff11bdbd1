//! Parsing speed: our tape beside `serde_json`, on a body of about 2 KB.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic in a test or benchmark is the report"
)]

use schema::json::{JsonLimits, Tape};

fn main() {
    divan::main();
}

/// An order with nested objects, numbers, and a few escapes: about 2 KB, compact.
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

#[divan::bench]
fn tape(bencher: divan::Bencher) {
    let text = order();
    let limits = JsonLimits::default();
    bencher
        .counter(divan::counter::BytesCount::of_str(&text))
        .bench(|| Tape::parse(divan::black_box(text.as_bytes()), &limits).unwrap().len());
}

#[divan::bench]
fn tape_and_strings(bencher: divan::Bencher) {
    let text = order();
    let limits = JsonLimits::default();
    bencher.counter(divan::counter::BytesCount::of_str(&text)).bench(|| {
        let tape = Tape::parse(divan::black_box(text.as_bytes()), &limits).unwrap();
        tape.strings().map(|string| string.text.len()).sum::<usize>()
    });
}

#[divan::bench]
fn serde_json_value(bencher: divan::Bencher) {
    let text = order();
    bencher
        .counter(divan::counter::BytesCount::of_str(&text))
        .bench(|| serde_json::from_slice::<serde_json::Value>(divan::black_box(text.as_bytes())).unwrap());
}
