//! Legitimate texts: what API documents of many vendors show as descriptions, examples, names and addresses, form values
//! of a shop, and agents.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use super::Sample;
use crate::conformance::corpora::{self, Kind};

type Split = (Vec<Sample>, Vec<Sample>);

/// Most texts taken from one vendor.
const TEXTS_PER_VENDOR: usize = 1500;

/// Texts to train on, and texts of other vendors to set margins on.
pub(super) fn load(corpus: &Path, documents: &Path, vendors: &Path) -> Result<Split, Box<dyn std::error::Error>> {
    let mut training = Vec::new();
    let mut held_out = Vec::new();
    let names = std::fs::read_to_string(vendors)
        .map_err(|error| format!("`{}` could not be read: {error}", vendors.display()))?;
    let mut seen = HashSet::new();
    for (index, vendor) in
        names.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).enumerate()
    {
        let mut texts = Vec::new();
        let file = documents.join(format!("{vendor}.json"));
        for path in if file.is_file() { vec![file] } else { files_below(&documents.join(vendor)) } {
            let Ok(content) = std::fs::read(&path) else { continue };
            if content.len() > 8_000_000 {
                continue;
            }
            if let Ok(document) = serde_json::from_slice::<Value>(&content) {
                collect(&document, &mut texts);
            }
            if texts.len() > 4 * TEXTS_PER_VENDOR {
                break;
            }
        }
        texts.retain(|text: &String| text.len() >= 3 && seen.insert(text.clone()));
        let step = texts.len().div_ceil(TEXTS_PER_VENDOR).max(1);
        let into = if index % 3 == 2 { &mut held_out } else { &mut training };
        into.extend(texts.into_iter().step_by(step).map(|text| sample(vendor, text)));
    }
    // The shop's values: half of the distinct ones, by their order.
    for (at, (source, kind, _, payload)) in corpora::payloads(corpus)?.into_iter().enumerate() {
        if kind == Kind::Legitimate && seen.insert(payload.clone()) {
            if at % 2 == 0 { training.push(sample(&source, payload)) } else { held_out.push(sample(&source, payload)) }
        }
    }
    let agents = corpus.join("crawler-user-agents/crawler-user-agents.json");
    if let Ok(content) = std::fs::read(&agents) {
        let list: Value = serde_json::from_slice(&content)?;
        let instances =
            list.as_array().into_iter().flatten().filter_map(|row| row.get("instances")?.as_array()).flatten();
        for (at, agent) in instances.filter_map(Value::as_str).enumerate() {
            if at % 2 == 0 {
                training.push(sample("agents", agent.to_owned()))
            } else {
                held_out.push(sample("agents", agent.to_owned()))
            }
        }
    }
    if training.is_empty() || held_out.is_empty() {
        return Err(
            format!("`{}` holds no documents of the vendors in `{}`", documents.display(), vendors.display()).into()
        );
    }
    Ok((training, held_out))
}

fn sample(source: &str, text: String) -> Sample {
    Sample { source: source.to_owned(), family: "", class: String::new(), text: text.into_bytes(), attack: false }
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Every string of a document, but keys; whole objects given as examples also as the JSON text they would be sent as.
fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => {
            for (key, member) in members {
                if (key == "example" || key == "default") && member.is_object() {
                    texts.push(member.to_string());
                }
                // A pattern is an expression of its own, and no value anybody sends.
                if key != "pattern" && key != "$ref" {
                    collect(member, texts);
                }
            }
        }
        _ => {}
    }
}
