//! Persisted queries: the operations that may run, by the SHA-256 of their documents or by an identifier.
//!
//! Three forms are read: the manifest of Apollo (`{"operations": [{"id", "body"}]}`), the map that Relay and others write
//! (`{"hash": "document"}`), and plain lists of hashes, as JSON or one a line.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::json::{JsonLimits, Kind, Tape, Value};

/// Most entries of a list.
const ENTRIES_MAX: usize = 1_000_000;

/// What the list is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PersistedUse {
    /// Documents may be sent as well; what is sent as hash or identifier must be listed.
    #[default]
    Beside,
    /// Only what is listed runs.
    Only,
}

/// The operations that may run.
#[derive(Clone, Debug, Default)]
pub struct PersistedQueries {
    /// Documents by hash in lower-case hexadecimal or by identifier; `None` where only the hash is known.
    documents: HashMap<Box<str>, Option<Box<str>>>,
}

impl PersistedQueries {
    /// Reads a list. The error says what is expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the list is not UTF-8".to_owned())?;
        let mut list = Self::default();
        if text.trim_start().starts_with(['{', '[']) {
            let tape = Tape::parse(text.trim().as_bytes(), &JsonLimits::for_documents())
                .map_err(|error| format!("not JSON: {error}"))?;
            list.read(tape.root())?;
        } else {
            for (number, line) in text.lines().enumerate() {
                let word = line.split('#').next().unwrap_or_default().trim();
                if word.contains(char::is_whitespace) {
                    return Err(format!("line {}: expected one hash or identifier a line", number + 1));
                }
                if !word.is_empty() {
                    list.put(word, None)?;
                }
            }
        }
        if list.documents.is_empty() {
            return Err("the list is empty".to_owned());
        }
        Ok(list)
    }

    fn read(&mut self, root: Value<'_>) -> Result<(), String> {
        if let Some(operations) = root.get("operations").and_then(Value::items) {
            for operation in operations {
                let text = |name: &str| operation.get(name).and_then(Value::as_str);
                let Some(id) = text("id") else { return Err("an operation has no `id`".to_owned()) };
                self.put(id, text("body"))?;
            }
            return Ok(());
        }
        match root.kind() {
            Kind::Object => {
                for (id, document) in root.members().into_iter().flatten() {
                    let Some(document) = document.as_str() else {
                        return Err(format!("`{id}` is not the text of a document"));
                    };
                    self.put(id, Some(document))?;
                }
            }
            _ => {
                for id in root.items().into_iter().flatten() {
                    let Some(id) = id.as_str() else { return Err("a hash is not a text".to_owned()) };
                    self.put(id, None)?;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, id: &str, document: Option<&str>) -> Result<(), String> {
        if self.documents.len() >= ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} operations"));
        }
        if let Some(document) = document {
            if is_hash(id) && !id.eq_ignore_ascii_case(&sha256(document)) {
                return Err(format!("`{id}` is not the SHA-256 of its document"));
            }
            // A client may send the document itself.
            self.documents.insert(sha256(document).into(), Some(document.into()));
        }
        let id = if is_hash(id) { id.to_ascii_lowercase() } else { id.to_owned() };
        self.documents.insert(id.into(), document.map(Into::into));
        Ok(())
    }

    /// How many hashes and identifiers are listed.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// True when nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The entry of a hash or identifier: `None` when it is not listed, else its document where that is known.
    pub(super) fn entry(&self, id: &str) -> Option<Option<&str>> {
        self.documents.get(id).map(Option::as_deref)
    }

    /// True when a document is listed by its hash.
    pub(super) fn lists(&self, document: &str) -> bool {
        self.documents.contains_key(sha256(document).as_str())
    }
}

/// True for a SHA-256 in hexadecimal.
pub(super) fn is_hash(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The SHA-256 of a text in lower-case hexadecimal.
pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_are_read_and_others_are_named() {
        let hash = sha256("{ a }");
        for text in [
            format!("# mine\n{hash}\n\nname\n"),
            format!("[\"{hash}\"]"),
            format!("{{\"{hash}\": \"{{ a }}\"}}"),
            "{\"format\": \"apollo-persisted-query-manifest\", \"operations\": [{\"id\": \"x\", \"body\": \"{ a }\"}]}"
                .to_owned(),
        ] {
            assert!(PersistedQueries::parse(text.as_bytes()).unwrap().lists("{ a }"), "{text}");
        }
        for text in ["", "[1]", "a b", "{\"operations\": [{}]}", "[", &format!("{{\"{}\": \"x\"}}", "0".repeat(64))] {
            assert!(PersistedQueries::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
