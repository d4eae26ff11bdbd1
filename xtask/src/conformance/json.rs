//! The JSON parsing suite: what must be accepted, what must be refused, and what is left open.

use std::path::Path;

use schema::json::{JsonLimits, Tape};

use super::formats::Row;

/// Runs the suite found in the folder `json-test-suite` of the corpora.
pub fn run(corpora: &Path) -> Result<Vec<Row>, String> {
    let folder = corpora.join("json-test-suite/test_parsing");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut accepted = Row::new("json", "must be accepted");
    let mut refused = Row::new("json", "must be refused");
    let mut open = Row::new("json", "left open: accepted (passed) or refused (failed)");
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        let is_accepted = Tape::parse(&bytes, &JsonLimits::default()).is_ok();
        match name.as_bytes().first() {
            Some(b'y') => accepted.count(&name, is_accepted),
            Some(b'n') => refused.count(&name, !is_accepted),
            _ => open.count(&name, is_accepted),
        }
    }
    Ok(vec![accepted, refused, open])
}
