//! Values back as text: for tests, for converted documents and for nothing on the data path.

use std::fmt::Write;

use super::value::{Kind, Value};

/// The value as compact JSON.
pub fn to_text(value: Value<'_>) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: Value<'_>) {
    match value.kind() {
        Kind::Null => out.push_str("null"),
        Kind::Bool => out.push_str(if value.as_bool() == Some(true) { "true" } else { "false" }),
        Kind::Number => out.push_str(value.as_number().map_or("0", |number| number.text())),
        Kind::String => quote(out, value.as_str().unwrap_or_default()),
        Kind::Array => {
            out.push('[');
            for (position, item) in value.items().into_iter().flatten().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Kind::Object => {
            out.push('{');
            for (position, (key, member)) in value.members().into_iter().flatten().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                quote(out, key);
                out.push(':');
                write(out, member);
            }
            out.push('}');
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
