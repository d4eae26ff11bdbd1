//! The answer to an introspection query as schema definition language.

use std::fmt::Write;

use crate::json::{JsonLimits, Tape, Value};

/// Deepest wrapping of a type in lists and non-nulls.
const WRAPPING_MAX: usize = 16;

/// Writes the schema of an introspection answer (`{"data": {"__schema": ...}}`, with or without `data`) as SDL.
pub fn sdl_from_introspection(json: &[u8]) -> Result<String, String> {
    let tape = Tape::parse(json, &JsonLimits::for_documents()).map_err(|error| format!("not JSON: {error}"))?;
    let schema = tape.find("/data/__schema").or_else(|| tape.find("/__schema"));
    let schema = schema.ok_or("the answer has no `__schema`; send the full introspection query")?;
    let mut out = String::new();
    let root = |name: &str| schema.find(&format!("/{name}/name")).and_then(Value::as_str);
    out.push_str("schema {");
    for (kind, name) in [("query", "queryType"), ("mutation", "mutationType"), ("subscription", "subscriptionType")] {
        if let Some(name) = root(name) {
            put(&mut out, format_args!(" {kind}: {}", checked(name)?));
        }
    }
    out.push_str(" }\n");
    for ty in schema.get("types").and_then(Value::items).into_iter().flatten() {
        write_type(&mut out, ty)?;
    }
    for directive in schema.get("directives").and_then(Value::items).into_iter().flatten() {
        let name = checked(text(directive, "name"))?;
        if matches!(name, "skip" | "include" | "deprecated" | "specifiedBy" | "oneOf") {
            continue;
        }
        put(&mut out, format_args!("directive @{name}"));
        write_arguments(&mut out, directive.get("args"))?;
        let repeatable = directive.get("isRepeatable").and_then(Value::as_bool) == Some(true);
        out.push_str(if repeatable { " repeatable on " } else { " on " });
        let places: Vec<&str> =
            directive.get("locations").and_then(Value::items).into_iter().flatten().filter_map(Value::as_str).collect();
        for place in &places {
            checked(place)?;
        }
        out.push_str(&places.join(" | "));
        out.push('\n');
    }
    Ok(out)
}

/// Writing to a string cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn text<'v>(value: Value<'v>, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A name must be one, so that nothing else gets into the document.
fn checked(name: &str) -> Result<&str, String> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_name { Ok(name) } else { Err(format!("`{name}` is not a name")) }
}

fn items<'v>(value: Value<'v>, name: &str) -> impl Iterator<Item = Value<'v>> {
    value.get(name).and_then(Value::items).into_iter().flatten()
}

fn write_type(out: &mut String, ty: Value<'_>) -> Result<(), String> {
    let name = checked(text(ty, "name"))?;
    let is_builtin = name.starts_with("__") || matches!(name, "Int" | "Float" | "String" | "Boolean" | "ID");
    if is_builtin {
        return Ok(());
    }
    match text(ty, "kind") {
        "SCALAR" => put(out, format_args!("scalar {name}\n")),
        "ENUM" => {
            put(out, format_args!("enum {name} {{"));
            for value in items(ty, "enumValues") {
                put(out, format_args!(" {}", checked(text(value, "name"))?));
            }
            out.push_str(" }\n");
        }
        "UNION" => {
            let members: Result<Vec<&str>, String> =
                items(ty, "possibleTypes").map(|member| checked(text(member, "name"))).collect();
            put(out, format_args!("union {name} = {}\n", members?.join(" | ")));
        }
        "INPUT_OBJECT" => {
            put(out, format_args!("input {name} {{"));
            for field in items(ty, "inputFields") {
                write_input(out, field)?;
            }
            out.push_str(" }\n");
        }
        kind @ ("OBJECT" | "INTERFACE") => {
            put(out, format_args!("{} {name}", if kind == "OBJECT" { "type" } else { "interface" }));
            let interfaces: Result<Vec<&str>, String> =
                items(ty, "interfaces").map(|one| checked(text(one, "name"))).collect();
            let interfaces = interfaces?;
            if !interfaces.is_empty() {
                put(out, format_args!(" implements {}", interfaces.join(" & ")));
            }
            out.push_str(" {\n");
            for field in items(ty, "fields") {
                put(out, format_args!("  {}", checked(text(field, "name"))?));
                write_arguments(out, field.get("args"))?;
                put(out, format_args!(": {}\n", type_text(field.get("type"))?));
            }
            out.push_str("}\n");
        }
        kind => return Err(format!("`{kind}` is not a kind of type")),
    }
    Ok(())
}

fn write_arguments(out: &mut String, arguments: Option<Value<'_>>) -> Result<(), String> {
    let mut arguments = arguments.and_then(Value::items).into_iter().flatten().peekable();
    if arguments.peek().is_none() {
        return Ok(());
    }
    out.push('(');
    for argument in arguments {
        write_input(out, argument)?;
    }
    out.push(')');
    Ok(())
}

fn write_input(out: &mut String, input: Value<'_>) -> Result<(), String> {
    put(out, format_args!(" {}: {}", checked(text(input, "name"))?, type_text(input.get("type"))?));
    if let Some(default) = input.get("defaultValue").and_then(Value::as_str) {
        put(out, format_args!(" = {default}"));
    }
    Ok(())
}

fn type_text(ty: Option<Value<'_>>) -> Result<String, String> {
    let mut suffixes: Vec<&str> = Vec::new();
    let mut prefix = String::new();
    let mut ty = ty.ok_or("a field has no type")?;
    for _ in 0..WRAPPING_MAX {
        match text(ty, "kind") {
            "NON_NULL" => suffixes.push("!"),
            "LIST" => {
                prefix.push('[');
                suffixes.push("]");
            }
            _ => {
                suffixes.reverse();
                return Ok(format!("{prefix}{}{}", checked(text(ty, "name"))?, suffixes.concat()));
            }
        }
        ty = ty.get("ofType").ok_or("a wrapping type has no inner type; ask for more levels of `ofType`")?;
    }
    Err("a type is wrapped too deeply".to_owned())
}
