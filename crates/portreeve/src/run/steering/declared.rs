//! The operation a contract file declares for an endpoint, as it is written there: to be looked at, not to be judged with.

use std::path::Path;

use serde_json::Value;

use crate::learned::shape;

/// Larger documents are not shown.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// References that are followed in one operation.
const REFERENCES_MAX: usize = 500;

/// The operation with its references filled in; `None` when the file declares none, or cannot be read.
pub fn operation(path: &Path, method: &str, template: &str) -> Option<Value> {
    if std::fs::metadata(path).ok()?.len() > BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let document: Value = serde_json::from_str(&text).ok().or_else(|| serde_saphyr::from_str(&text).ok())?;
    in_document(&document, method, template)
}

fn in_document(document: &Value, method: &str, template: &str) -> Option<Value> {
    let wanted = shape(template);
    let bases = bases(document);
    let here = |path: &str| bases.iter().any(|base| shape(&format!("{base}{path}")) == wanted);
    let (_, item) = document.get("paths")?.as_object()?.iter().find(|(path, _)| here(path))?;
    let operation = item.get(method.to_lowercase())?;
    let mut left = REFERENCES_MAX;
    Some(filled(document, operation, &mut Vec::new(), &mut left))
}

/// The paths in front of all others: of `servers`, or of `basePath`.
fn bases(document: &Value) -> Vec<String> {
    let of_url = |url: &str| -> String {
        let rest = url
            .split_once("://")
            .map_or(url, |(_, rest)| rest.find('/').map_or("", |at| rest.get(at..).unwrap_or_default()));
        rest.trim_end_matches('/').to_owned()
    };
    let servers = document.get("servers").and_then(Value::as_array).into_iter().flatten();
    let mut bases: Vec<String> =
        servers.filter_map(|server| server.get("url").and_then(Value::as_str).map(of_url)).collect();
    bases.extend(document.get("basePath").and_then(Value::as_str).map(|base| base.trim_end_matches('/').to_owned()));
    if bases.is_empty() {
        bases.push(String::new());
    }
    bases
}

/// A value with the references within the document put in their place; one that leads back to itself stays.
fn filled<'d>(document: &'d Value, value: &'d Value, inside: &mut Vec<&'d str>, left: &mut usize) -> Value {
    match value {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            if let Some(reference) = reference.filter(|reference| *left > 0 && !inside.contains(reference))
                && let Some(meant) = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer))
            {
                *left -= 1;
                inside.push(reference);
                let meant = filled(document, meant, inside, left);
                inside.pop();
                return meant;
            }
            members.iter().map(|(name, value)| (name.clone(), filled(document, value, inside, left))).collect()
        }
        Value::Array(items) => items.iter().map(|item| filled(document, item, inside, left)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_operation_is_found_under_its_server_with_references_filled_in() {
        let document = json!({
            "servers": [{"url": "https://api.example.com/v1/"}],
            "paths": {"/orders/{id}": {"get": {"responses": {"200": {"$ref": "#/components/x"}}}}},
            "components": {"x": {"self": {"$ref": "#/components/x"}, "n": 1}},
        });
        let found = in_document(&document, "GET", "/v1/orders/{orderId}");
        assert_eq!(found, Some(json!({"responses": {"200": {"self": {"$ref": "#/components/x"}, "n": 1}}})));
        assert_eq!(in_document(&document, "GET", "/orders/{orderId}"), None);
        assert_eq!(in_document(&document, "POST", "/v1/orders/{orderId}"), None);
    }
}
