//! Documents that operators write, JSON or YAML, with the place of every value for diagnostics.
//!
//! YAML is read with budgets on nesting, nodes and copied text, so aliases cannot multiply; tags other than those of the
//! core schema are refused. The result is the same tape that traffic is parsed into.

mod yaml;

use std::fmt;

use crate::json::{JsonLimits, Tape, Value};

/// A parsed document.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it is called in diagnostics: a path or a URI.
    pub name: Box<str>,
    text: Box<str>,
    tape: Tape<'static>,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The document cannot be enforced as it is.
    Error,
    /// Something is not enforced, or is probably not meant so.
    Warning,
    /// A remark on style or safety.
    Hint,
}

/// Something to say about a document, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub level: Level,
    /// A stable name of the kind of problem, such as `unsupported-pattern`.
    pub rule: &'static str,
    /// The document.
    pub file: Box<str>,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 when unknown.
    pub column: u32,
    /// JSON Pointer in the document.
    pub pointer: Box<str>,
    /// What is wrong and what to do, in lower case, with what the user typed in backticks.
    pub message: Box<str>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Hint => "hint",
        };
        write!(f, "{}:{}:{}: {level}: {}", self.file, self.line, self.column, self.message)?;
        if !self.pointer.is_empty() {
            write!(f, " (at `{}`)", self.pointer)?;
        }
        Ok(())
    }
}

impl Document {
    /// Reads a document, as JSON when it begins like an object or array of JSON and is one, as YAML otherwise.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Diagnostic> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => {
                let lossy = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
                return Err(failure(name, &lossy, lossy.len(), "the document is not UTF-8; save it as UTF-8"));
            }
        };
        let json = Tape::parse(text.as_bytes(), &JsonLimits::for_documents());
        let is_json = text.trim_start().starts_with(['{', '[']);
        let tape = match (json, is_json) {
            (Ok(tape), _) => {
                let mut builder = crate::json::TapeBuilder::new();
                builder.copy(tape.root());
                builder.finish()
            }
            // Flow mappings of YAML begin like JSON too; the error of JSON is the better one when both fail.
            (Err(error), true) => match yaml::parse(text) {
                Ok(tape) => tape,
                Err(_) => {
                    return Err(failure(
                        name,
                        text,
                        error.offset as usize,
                        &format!("not JSON: {}", error.kind.text()),
                    ));
                }
            },
            (Err(_), false) => yaml::parse(text)
                .map_err(|error| failure(name, text, error.offset, &format!("not YAML: {}", error.message)))?,
        };
        Ok(Self { name: name.into(), text: text.into(), tape })
    }

    /// A document of nothing but `null`.
    pub(crate) fn empty() -> Self {
        Self { name: "".into(), text: "".into(), tape: Tape::default() }
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        self.tape.root()
    }

    /// The tape.
    pub fn tape(&self) -> &Tape<'static> {
        &self.tape
    }

    /// Line and column, from 1, of a value.
    pub fn position(&self, value: Value<'_>) -> (u32, u32) {
        position(&self.text, value.offset() as usize)
    }

    /// The line of the source a value begins on, for showing it with a caret.
    pub fn source_line(&self, line: u32) -> &str {
        self.text.lines().nth((line as usize).saturating_sub(1)).unwrap_or_default()
    }

    /// A diagnostic about a value of this document.
    pub fn diagnose(
        &self,
        level: Level,
        rule: &'static str,
        value: Value<'_>,
        message: impl Into<String>,
    ) -> Diagnostic {
        let (line, column) = self.position(value);
        Diagnostic {
            level,
            rule,
            file: self.name.clone(),
            line,
            column,
            pointer: value.pointer().into(),
            message: message.into().into(),
        }
    }
}

fn failure(name: &str, text: &str, offset: usize, message: &str) -> Diagnostic {
    let (line, column) = position(text, offset);
    Diagnostic {
        level: Level::Error,
        rule: "not-a-document",
        file: name.into(),
        line,
        column,
        pointer: "".into(),
        message: message.into(),
    }
}

fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_json(value: Value<'_>) -> serde_json::Value {
        use crate::json::Kind;
        match value.kind() {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool => value.as_bool().unwrap().into(),
            Kind::Number => serde_json::from_str(value.as_number().unwrap().text()).unwrap(),
            Kind::String => value.as_str().unwrap().into(),
            Kind::Array => value.items().unwrap().map(to_json).collect(),
            Kind::Object => {
                serde_json::Value::Object(value.members().unwrap().map(|(k, v)| (k.to_owned(), to_json(v))).collect())
            }
        }
    }

    fn check(text: &str, expected: &str) {
        let document = Document::parse("test.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(to_json(document.root()).to_string(), expected);
    }

    #[test]
    fn yaml_scalars_follow_the_core_schema() {
        check(
            "a: 1\nb: 0x1F\nc: 1e3\nd: 1.5\ne: .5\nf: 007\ng: +3\nh: 0o17",
            r#"{"a":1,"b":31,"c":1000.0,"d":1.5,"e":0.5,"f":7,"g":3,"h":15}"#,
        );
        check(
            "a: ~\nb:\nc: null\nd: yes\ne: true\nf: 'true'\ng: !!str 1",
            r#"{"a":null,"b":null,"c":null,"d":"yes","e":true,"f":"true","g":"1"}"#,
        );
        check("200: ok\ntrue: x\nnull: y\n1.5: z", r#"{"1.5":"z","200":"ok","null":"y","true":"x"}"#);
        check("- |\n  a\n  b\n- >\n  c\n  d\n", r#"["a\nb\n","c d\n"]"#);
        check("{a: [1, two], 'b': {}}", r#"{"a":[1,"two"],"b":{}}"#);
        check("a: 2020-01-01\nb: 1.0.0\nc: .inf", r#"{"a":"2020-01-01","b":"1.0.0","c":".inf"}"#);
    }

    #[test]
    fn aliases_and_merge_keys_are_copied() {
        check(
            "a: &x {n: 1, m: [2]}\nb: *x\nc: {<<: *x, n: 3}",
            r#"{"a":{"m":[2],"n":1},"b":{"m":[2],"n":1},"c":{"m":[2],"n":3}}"#,
        );
        check("s: &s text\nt: *s\nk: {*s : 1}", r#"{"k":{"text":1},"s":"text","t":"text"}"#);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(",");
            text.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        let error = Document::parse("bomb.yaml", text.as_bytes()).unwrap_err();
        assert!(error.message.contains("aliases"), "{error}");
        let mut text = String::from("a0: &a0 [x]\n");
        for n in 1..1000 {
            text.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
        }
        let error = Document::parse("chain.yaml", text.as_bytes()).unwrap_err();
        assert!(error.message.contains("aliases"), "{error}");
        let deep = "[".repeat(100_000);
        assert!(Document::parse("deep.yaml", deep.as_bytes()).is_err());
        let deep: String = (0..2_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(Document::parse("deep.yaml", deep.as_bytes()).is_err());
    }

    #[test]
    fn errors_have_a_place() {
        let error = Document::parse("x.yaml", b"a: 1\nb: [1\nc: 2\n").unwrap_err();
        assert!(error.line >= 2, "{error}");
        let error = Document::parse("x.json", b"{\"a\": 1,\n \"b\": @}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 7), "{error}");
        let document = Document::parse("x.yaml", b"a:\n  b: 1\n  c: 2\n").unwrap();
        assert_eq!(document.position(document.root().find("/a/c").unwrap()), (3, 6));
    }
}
