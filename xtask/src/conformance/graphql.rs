//! The GraphQL compatibility scenarios (graphql-cats): parsing and validation.
//!
//! A scenario speaks of single validation rules while a document is validated as a whole here, so it passes when the
//! rules it names are reported as often as it says; other reports do not count.

use std::path::{Path, PathBuf};

use schema::document::Document;
use schema::graphql::{GraphqlContract, GraphqlLimits, Introspection, parses};
use schema::json::Value;

use super::formats::Row;

/// Runs the scenarios found in the folder `graphql-cats` of the corpora.
pub fn run(corpora: &Path) -> Result<Vec<Row>, String> {
    let root = corpora.join("graphql-cats/scenarios");
    let mut rows = Vec::new();
    let mut refused = Row::new("graphql", "validation: documents with errors are refused, by whatever rule");
    for group in ["parsing", "validation"] {
        let mut row = Row::new("graphql", group);
        let folder = root.join(group);
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
        for file in files {
            scenario(&file, &mut row, &mut refused)?;
        }
        rows.push(row);
    }
    rows.push(refused);
    Ok(rows)
}

fn scenario(file: &Path, row: &mut Row, refused: &mut Row) -> Result<(), String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    let scenario = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let document = Document::parse(&scenario, &bytes).map_err(|diagnostic| diagnostic.to_string())?;
    let root = document.root();
    let text = |value: Option<Value<'_>>| value.and_then(Value::as_str).map(str::to_owned);
    let schema_file = text(root.find("/background/schema-file"));
    let shared = match (schema_file, text(root.find("/background/schema"))) {
        (Some(name), _) => {
            let path = file.with_file_name(name);
            Some(std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?)
        }
        (None, schema) => schema,
    };
    for test in root.get("tests").and_then(Value::items).into_iter().flatten() {
        let name = format!("{scenario}: {}", text(test.get("name")).unwrap_or_default());
        let query = text(test.find("/given/query")).unwrap_or_default();
        let then = test.get("then");
        if test.find("/when/parse").is_some() {
            let should_parse = then.and_then(|then| then.get("passes")).and_then(Value::as_bool) == Some(true);
            row.count(&name, parses(&query) == should_parse);
            continue;
        }
        let Some(rules) = test.find("/when/validate") else { continue };
        let Some(sdl) = text(test.find("/given/schema")).or_else(|| shared.clone()) else { continue };
        // Some schemas of the collection do not declare the directives they use; a gateway refuses such a schema.
        match GraphqlContract::from_sdl(&scenario, &sdl, GraphqlLimits::default(), Introspection::Allow) {
            Ok(contract) => {
                let broken = contract.broken_rules(&query).unwrap_or_else(|| vec!["SyntaxError"]);
                row.count(&name, fits(rules, then, &broken));
                if error_count(then) > 0 {
                    refused.count(&name, !broken.is_empty());
                }
            }
            Err(_) => row.count(&format!("{name} (its schema is refused)"), false),
        }
    }
    Ok(())
}

/// The names under which apollo-compiler reports a rule of the specification.
fn names_of(rule: &str) -> &'static [&'static str] {
    match rule {
        "ScalarLeafs" => &["MissingSubselection", "SubselectionOnScalarType", "SubselectionOnEnumType"],
        "KnownDirectives" => &["UndefinedDirective", "UnsupportedLocation"],
        "KnownArgumentNames" => &["UndefinedArgument"],
        "FieldsOnCorrectType" => &["UndefinedField"],
        "FragmentsOnCompositeTypes" => &["InvalidFragmentTarget"],
        "ExecutableDefinitions" => &["TypeSystemDefinition", "SyntaxError"],
        _ => &[],
    }
}

fn fits(rules: Value<'_>, then: Option<Value<'_>>, broken: &[&str]) -> bool {
    let rules: Vec<&str> = rules.items().into_iter().flatten().filter_map(Value::as_str).collect();
    let reported = broken.iter().filter(|name| rules.iter().any(|rule| names_of(rule).contains(name))).count() as u64;
    reported == error_count(then)
}

fn error_count(then: Option<Value<'_>>) -> u64 {
    let assertions = then.and_then(Value::items).into_iter().flatten();
    assertions.filter_map(|one| one.get("error-count")?.as_u64()).next().unwrap_or(0)
}
