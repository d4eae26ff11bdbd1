//! The OpenAPI 3.1 document of the admin API, made from the table of resources. A copy is kept in `schema/admin-api.json`, from
//! which the dashboard's client is generated; a test holds it to this.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::routes::{ROUTES, Route};

/// The document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut generator, &problem);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_lowercase(), operation);
        }
    }
    let mut schemas = generator.take_definitions(true);
    // The arguments of queries are spelled out where they are used.
    schemas.retain(|name, _| !name.ends_with("Args"));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portreeve admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Shows and steers a Portreeve gateway. Every change needs the field `X-Portreeve: 1` and is in the audit log.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let mut parameters = path_parameters(route.path);
    if let Some(args) = route.args {
        parameters.extend(query_parameters(args(generator), generator));
    }
    if route.method != "GET" {
        parameters.push(json!({
            "name": "X-Portreeve", "in": "header", "required": true, "schema": {"const": "1"},
            "description": "Shows that the request was not made by another site.",
        }));
    }
    let mut content = json!({"application/json": {"schema": (route.answer)(generator)}});
    if route.id == "report"
        && let Some(content) = content.as_object_mut()
    {
        content.insert("text/html".to_owned(), json!({"schema": {"type": "string"}}));
        content.insert("text/markdown".to_owned(), json!({"schema": {"type": "string"}}));
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "description": format!("Needs the role `{}`.", route.role.name()),
        "parameters": parameters,
        "responses": {
            "200": {"description": "The answer", "content": content},
            "default": {"description": "A problem", "content": {"application/problem+json": {"schema": problem}}},
        },
    });
    if let (Some(body), Some(operation)) = (route.body, operation.as_object_mut()) {
        let schema = body(generator);
        operation.insert(
            "requestBody".to_owned(),
            json!({"required": true, "content": {"application/json": {"schema": schema}}}),
        );
    }
    operation
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect()
}

/// The properties of a struct of arguments as parameters.
fn query_parameters(reference: Schema, generator: &SchemaGenerator) -> Vec<Value> {
    let name =
        reference.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let schema = generator.definitions().get(name).cloned().unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let parameter = |(name, property): (&String, &Value)| {
        let mut schema = property.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        // What is absent is left out; there is no `null` in a query.
        if let Some(types) = schema.get("type").and_then(Value::as_array)
            && let Some(kind) = types.iter().find(|kind| kind.as_str() != Some("null")).cloned()
            && let Some(schema) = schema.as_object_mut()
        {
            schema.insert("type".to_owned(), kind);
        }
        json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
    };
    properties.iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_this_one() {
        let made = serde_json::to_string_pretty(&document()).expect("JSON") + "\n";
        expect_test::expect_file!["../../../schema/admin-api.json"].assert_eq(&made);
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut ids: Vec<_> = ROUTES.iter().map(|route| route.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ROUTES.len());
    }

    #[test]
    fn only_looking_is_for_viewers() {
        for route in ROUTES.iter().filter(|route| route.method != "GET" && route.id != "whatIf") {
            assert!(route.role > crate::Role::Viewer, "{} {}", route.method, route.path);
        }
    }
}
