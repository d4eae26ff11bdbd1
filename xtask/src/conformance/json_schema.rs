//! The JSON Schema Test Suite, draft 2020-12: the required tests, and the optional ones whose failures are pinned.

use std::path::{Path, PathBuf};

use schema::document::Document;
use schema::json::{TapeBuilder, Value};
use schema::rules::{Dialect, Direction, Library, RuleCompiler};

use super::formats::Row;

/// Runs the suite found in the folder `json-schema-test-suite` of the corpora.
pub fn run(corpora: &Path) -> Result<Vec<Row>, String> {
    let suite = corpora.join("json-schema-test-suite");
    let mut rows = Vec::new();
    for (group, folder, formats) in [
        ("required", "tests/draft2020-12", false),
        ("optional", "tests/draft2020-12/optional", false),
        ("optional format", "tests/draft2020-12/optional/format", true),
    ] {
        let mut row = Row::new("json-schema", group);
        let mut files: Vec<PathBuf> = std::fs::read_dir(suite.join(folder))
            .map_err(|error| format!("cannot read `{}`: {error}", suite.join(folder).display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        for file in files {
            run_file(&suite, &file, formats, &mut row)?;
        }
        rows.push(row);
    }
    Ok(rows)
}

fn run_file(suite: &Path, file: &Path, formats: bool, row: &mut Row) -> Result<(), String> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = std::fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    let document = Document::parse(&name, &bytes).map_err(|diagnostic| diagnostic.to_string())?;
    for group in document.root().items().into_iter().flatten() {
        let text = |value: Value<'_>| value.as_str().unwrap_or_default().to_owned();
        let group_name = group.get("description").map(text).unwrap_or_default();
        let Some(schema) = group.get("schema") else { continue };
        let mut compiler = RuleCompiler::new(library(suite));
        compiler.asserts_formats = formats;
        let bytes = schema::json::to_text(schema);
        let schema = Document::parse("schema.json", bytes.as_bytes()).map_err(|diagnostic| diagnostic.to_string())?;
        let root = compiler.library.add("file:///schema.json", schema);
        let rule = compiler.rule(root, Dialect::Draft202012);
        let (rules, _, _) = compiler.finish();
        for case in group.get("tests").and_then(Value::items).into_iter().flatten() {
            let (Some(data), Some(expected)) = (case.get("data"), case.get("valid").and_then(Value::as_bool)) else {
                continue;
            };
            // On a tape of its own, as a message would be.
            let mut builder = TapeBuilder::new();
            builder.copy(data);
            let tape = builder.finish();
            let passed = rules.is_valid(rule, tape.root(), Direction::Neither) == expected;
            let case_name = case.get("description").map(text).unwrap_or_default();
            row.count(&format!("{name}: {group_name}: {case_name}"), passed);
        }
    }
    Ok(())
}

/// The remote schemas of the suite, served from its folder.
fn library(suite: &Path) -> Library {
    let remotes = suite.join("remotes");
    Library::new(Box::new(move |uri| {
        let path = uri.strip_prefix("http://localhost:1234/").ok_or_else(|| format!("`{uri}` is not local"))?;
        std::fs::read(remotes.join(path)).map_err(|error| error.to_string())
    }))
}
