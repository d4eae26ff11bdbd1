//! SARIF 2.1.0 (OASIS), as far as code review reads it.

use serde_json::{Value, json};

/// One result.
pub struct Remark {
    /// Stable name of the rule.
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub level: &'static str,
    /// What is said.
    pub message: String,
    /// The file.
    pub file: String,
    /// Line and column, from 1; 0 when unknown.
    pub position: (u32, u32),
}

/// A log of one run.
pub fn log(remarks: &[Remark]) -> Value {
    let mut rules: Vec<&str> = remarks.iter().map(|remark| remark.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<Value> = rules.into_iter().map(|rule| json!({ "id": rule })).collect();
    let results: Vec<Value> = remarks.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "portreeve", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

fn result(remark: &Remark) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": remark.file.replace('\\', "/") } });
    let (line, column) = remark.position;
    if let (Some(place), true) = (place.as_object_mut(), line > 0) {
        place.insert("region".to_owned(), json!({ "startLine": line, "startColumn": column.max(1) }));
    }
    json!({
        "ruleId": remark.rule,
        "level": remark.level,
        "message": { "text": remark.message },
        "locations": [{ "physicalLocation": place }],
    })
}
