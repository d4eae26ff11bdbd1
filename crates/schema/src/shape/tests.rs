use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::json::{JsonLimits, Tape};

fn observe(shape: &mut Shape, text: &str) {
    let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
    shape.observe(tape.root(), &ShapeLimits::default());
}

fn learned<'a>(texts: impl IntoIterator<Item = &'a str>) -> Shape {
    let mut shape = Shape::default();
    for text in texts {
        observe(&mut shape, text);
    }
    shape
}

fn check(shape: &Shape, expected: Expect) {
    expected.assert_eq(&shape.to_json_schema(&EmitOptions::default()).to_string());
}

#[test]
fn types_formats_and_required_members_are_learned() {
    let mut shape = Shape::default();
    for n in 0..40u32 {
        let email = if n % 2 == 0 { r#","email":"a@example.org""# } else { "" };
        let text = format!(
            r#"{{"id":"0b5b2a3e-7a55-4b4e-9c1d-2f6a2a4f0c{n:02}","age":{n},"state":"{}","nick":{}{email}}}"#,
            if n % 3 == 0 { "open" } else { "closed" },
            if n == 7 { "null".to_owned() } else { format!("\"user {n}!\"") },
        );
        observe(&mut shape, &text);
    }
    check(
        &shape,
        expect![[
            r#"{"additionalProperties":false,"properties":{"age":{"minimum":0,"type":"integer"},"email":{"format":"email","type":"string"},"id":{"format":"uuid","type":"string"},"nick":{"maxLength":32,"minLength":1,"type":["string","null"]},"state":{"enum":["closed","open"],"type":"string"}},"required":["age","id","nick","state"],"type":"object"}"#
        ]],
    );
}

#[test]
fn few_observations_constrain_little() {
    check(&learned([r#"{"a":"x"}"#]), expect![[r#"{"properties":{"a":{"type":"string"}},"type":"object"}"#]]);
    check(&learned(["null"]), expect!["{}"]);
    check(
        &learned(["1", "\"x\"", "null"]),
        expect![[r#"{"anyOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]}"#]],
    );
}

#[test]
fn keys_that_are_data_become_a_map() {
    let shape = learned([r#"{"17":{"n":1},"42":{"n":2}}"#, r#"{"2024-01-01":{"n":1.5}}"#]);
    check(
        &shape,
        expect![[r#"{"additionalProperties":{"properties":{"n":{"type":"number"}},"type":"object"},"type":"object"}"#]],
    );
    let mut many = Shape::default();
    for n in 0..300 {
        observe(
            &mut many,
            &format!(r#"{{"word{}":{n}}}"#, char::from(b'a' + (n % 26) as u8).to_string().repeat(1 + n / 26)),
        );
    }
    check(&many, expect![[r#"{"additionalProperties":{"minimum":0,"type":"integer"},"type":"object"}"#]]);
}

#[test]
fn variants_are_told_apart_by_their_tag() {
    let mut shape = Shape::default();
    for _ in 0..40 {
        observe(&mut shape, r#"{"type":"card","number":"4"}"#);
        observe(&mut shape, r#"{"type":"iban","account":"D"}"#);
    }
    let schema = shape.to_json_schema(&EmitOptions::default());
    assert_eq!(
        schema["oneOf"].to_string(),
        r#"[{"properties":{"type":{"const":"card"}},"required":["number","type"]},{"properties":{"type":{"const":"iban"}},"required":["account","type"]}]"#
    );
}

#[test]
fn parameters_are_typed_by_their_text() {
    let options = EmitOptions { parameter: true, ..EmitOptions::default() };
    let check = |texts: &[&str], expected: &str| {
        let mut shape = Shape::default();
        for text in texts {
            shape.observe_text(text, &ShapeLimits::default());
        }
        assert_eq!(shape.to_json_schema(&options).to_string(), expected);
    };
    check(&["1", "-20"], r#"{"type":"integer"}"#);
    check(&["1", "2.5"], r#"{"type":"number"}"#);
    check(&["true", "false"], r#"{"type":"boolean"}"#);
    check(&["true", "1"], r#"{"type":"string"}"#);
    check(&["007"], r#"{"type":"string"}"#);
    check(&["2024-02-29"], r#"{"format":"date","type":"string"}"#);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let limits = ShapeLimits { nodes_max: 50, properties_max: 10, ..ShapeLimits::default() };
    let mut shape = Shape::default();
    for n in 0..500 {
        let deep = format!("{}1{}", r#"{"k":"#.repeat(40), "}".repeat(40));
        let text = format!(r#"{{"a{}":{{"b{}":{deep},"c":[{n}]}}}}"#, letters(n % 9), letters(n));
        let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
        shape.observe(tape.root(), &limits);
    }
    assert!(shape.nodes() <= 4 * limits.nodes_max, "{} nodes", shape.nodes());
}

fn letters(mut n: usize) -> String {
    let mut text = String::new();
    loop {
        text.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
        if n == 0 {
            return text;
        }
    }
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<f32>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        "[a-z]{0,3}".prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
        Just("2024-01-01".into()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::btree_map("(type|[a-d]|[0-9]{2})", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_observed_value_fits_what_was_learned(values in prop::collection::vec(value(), 1..12), repeat in 1usize..4) {
        let options = EmitOptions {
            seen_min: 2,
            closed_min: 2,
            enum_repeats_min: 2,
            slack: 1.0,
            ..EmitOptions::default()
        };
        let mut shape = Shape::default();
        for value in values.iter().cycle().take(values.len() * repeat) {
            observe(&mut shape, &value.to_string());
        }
        let schema = shape.to_json_schema(&options);
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        for value in &values {
            prop_assert!(validator.is_valid(value), "{value} against {schema}");
        }
    }

    #[test]
    fn merging_is_like_observing_both(a in prop::collection::vec(value(), 0..6), b in prop::collection::vec(value(), 0..6)) {
        let (mut left, mut right, mut both) = (Shape::default(), Shape::default(), Shape::default());
        for value in &a {
            observe(&mut left, &value.to_string());
            observe(&mut both, &value.to_string());
        }
        for value in &b {
            observe(&mut right, &value.to_string());
            observe(&mut both, &value.to_string());
        }
        left.merge(&right, &ShapeLimits::default());
        prop_assert_eq!(left, both);
    }
}
