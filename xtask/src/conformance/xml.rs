//! The W3C XML conformance suite as a gateway sees it, and the XML attack files: documents with a type definition are
//! refused on purpose, so of the valid documents only those without one count.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schema::document::Document;
use schema::json::Value;
use schema::xml::{XmlErrorKind, XmlLimits, parse};

use super::formats::Row;

/// Runs the suites found in the folders `xmlconf` and `xml-attacks` of the corpora.
pub fn run(corpora: &Path) -> Result<Vec<Row>, String> {
    let mut malformed = Row::new("xml", "not well-formed, no DTD: refused");
    let mut doctype = Row::new("xml", "any document with a DTD: refused");
    let mut valid = Row::new("xml", "valid XML 1.0, no DTD: accepted");
    let path = corpora.join("xmlconf/tests.jsonl.gz");
    let bytes = std::fs::read(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let mut lines = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut lines).map_err(|error| error.to_string())?;
    for line in lines.lines() {
        let test = Document::parse("test", line.as_bytes()).map_err(|diagnostic| diagnostic.to_string())?;
        let text = |name: &str| test.root().get(name).and_then(Value::as_str).unwrap_or_default();
        let Ok(xml) = STANDARD.decode(text("xml_b64")) else { continue };
        let has_doctype = test.root().get("has_doctype").and_then(Value::as_bool) == Some(true);
        let accepted = parse(&xml, &XmlLimits::default()).is_ok();
        let is_xml_11 = text("version") == "1.1";
        // Without namespaces, which is another specification, and by the fifth edition of XML 1.0.
        let is_other = text("version").starts_with("NS") || is_xml_11 || ["1 2 3 4", "1234"].contains(&text("edition"));
        match (text("type"), has_doctype) {
            (_, true) => doctype.count(text("id"), !accepted),
            ("not-wf", false) if !is_other => malformed.count(text("id"), !accepted),
            ("valid" | "invalid", false) if !is_other => valid.count(text("id"), accepted),
            _ => {}
        }
    }
    Ok(vec![malformed, doctype, valid, attacks(corpora)?])
}

fn attacks(corpora: &Path) -> Result<Row, String> {
    let mut row = Row::new("xml", "attack files: refused for their DTD; others accepted");
    let folder = corpora.join("xml-attacks/defusedxml/xmltestdata");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(&file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let has_doctype = bytes.windows(9).any(|window| window == b"<!DOCTYPE");
        let outcome = parse(&bytes, &XmlLimits::default());
        let is_right = match outcome {
            Ok(_) => !has_doctype,
            Err(error) => has_doctype && error.kind == XmlErrorKind::Doctype,
        };
        row.count(&name, is_right);
    }
    Ok(row)
}
