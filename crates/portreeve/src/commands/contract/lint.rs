//! `portreeve contract lint`: what cannot be enforced, and what lets bad traffic look good.

use std::io::Write;
use std::path::{Path, PathBuf};

use schema::document::{Diagnostic, Document, Level};
use schema::graphql::{GraphqlContract, GraphqlLimits, Introspection};
use schema::grpc::{GrpcContract, GrpcLimits, UnknownFields};
use schema::xml::soap::SoapContract;
use schema::xml::{XmlLimits, XsdSchema};

use super::sarif::{self, Remark};
use super::{Form, counted};
use crate::commands::Outcome;

/// Largest document that is shown with its lines, in bytes.
const SHOWN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Says what of documents cannot be enforced, and what could be better. OpenAPI by default; GraphQL schemas, `.proto` files,
/// descriptor sets, WSDL documents and XML Schema by their suffix.
#[derive(clap::Args)]
pub struct Arguments {
    /// The documents.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Leave out remarks on style and safety.
    #[arg(long)]
    quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// When there are errors.
pub fn run(arguments: &Arguments) -> Outcome {
    let mut all: Vec<Diagnostic> = Vec::new();
    let mut out = std::io::stdout().lock();
    for file in &arguments.files {
        let mut list = diagnostics(file);
        list.retain(|diagnostic| !arguments.quiet || diagnostic.level != Level::Hint);
        list.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        if arguments.format == Form::Text {
            write_text(&mut out, file, &list)?;
        }
        all.append(&mut list);
    }
    let count = |level| all.iter().filter(|diagnostic| diagnostic.level == level).count();
    match arguments.format {
        Form::Text => writeln!(
            out,
            "{}, {}, {}",
            counted(count(Level::Error), "error"),
            counted(count(Level::Warning), "warning"),
            counted(count(Level::Hint), "hint")
        )?,
        Form::Json => writeln!(out, "{:#}", serde_json::Value::from_iter(all.iter().map(as_json)))?,
        Form::Sarif => {
            let remarks: Vec<Remark> = all.iter().map(remark).collect();
            writeln!(out, "{:#}", sarif::log(&remarks))?;
        }
    }
    match count(Level::Error) {
        0 => Ok(()),
        errors => Err(format!("the contract cannot be enforced: {}", counted(errors, "error")).into()),
    }
}

/// Everything that is to be said about one file.
fn diagnostics(file: &Path) -> Vec<Diagnostic> {
    let suffix = file.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = file.display().to_string();
    let read = || std::fs::read(file).map_err(|error| vec![crate::config::meant::plain(&error)]);
    let mut unenforced = Vec::new();
    let judged = match suffix.as_str() {
        "graphql" | "graphqls" | "gql" => read().and_then(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            GraphqlContract::from_sdl(&name, &text, GraphqlLimits::default(), Introspection::Refuse).map(|_| ())
        }),
        "proto" => {
            let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            GrpcContract::from_proto_files(&[file], &[&folder], GrpcLimits::default(), UnknownFields::Refuse)
                .map(|contract| unenforced = contract.unenforced())
                .map_err(|message| vec![message])
        }
        "pb" | "desc" | "protoset" => read().and_then(|bytes| {
            GrpcContract::from_descriptor_set(&bytes, GrpcLimits::default(), UnknownFields::Refuse)
                .map(|contract| unenforced = contract.unenforced())
                .map_err(|message| vec![message])
        }),
        "wsdl" => SoapContract::from_wsdl_file(file, XmlLimits::default())
            .map(|contract| unenforced = contract.unenforced().to_vec())
            .map_err(|message| vec![message]),
        "xsd" => XsdSchema::from_file(file).map(|schema| unenforced = schema.unenforced().to_vec()),
        _ => return openapi(file),
    };
    let said = |level: Level, rule: &'static str, message: String| Diagnostic {
        level,
        rule,
        file: name.as_str().into(),
        line: 0,
        column: 0,
        pointer: "".into(),
        message: message.split_whitespace().collect::<Vec<_>>().join(" ").into(),
    };
    let errors = judged.err().into_iter().flatten().map(|message| said(Level::Error, "not-enforceable", message));
    let warnings = unenforced.into_iter().map(|message| said(Level::Warning, "not-enforced", message));
    errors.chain(warnings).collect()
}

fn openapi(file: &Path) -> Vec<Diagnostic> {
    let loaded = schema::openapi::load_file(file, &schema::openapi::LoadOptions::default());
    let mut list = loaded.diagnostics;
    let Some(contract) = loaded.contract else { return list };
    let (_, mistakes) = inspect::stages::contract::ContractPolicy::of_openapi(std::sync::Arc::new(contract));
    let name = file.display().to_string();
    list.extend(mistakes.into_iter().map(|message| Diagnostic {
        level: Level::Error,
        rule: "extension",
        file: name.as_str().into(),
        line: 0,
        column: 0,
        pointer: "".into(),
        message: message.into(),
    }));
    if let Some(document) = document(file) {
        list.extend(schema::lint::lint(&document));
    }
    list
}

fn document(file: &Path) -> Option<Document> {
    let is_shown = std::fs::metadata(file).is_ok_and(|metadata| metadata.len() <= SHOWN_BYTES_MAX);
    let bytes = is_shown.then(|| std::fs::read(file).ok()).flatten()?;
    Document::parse(&file.display().to_string(), &bytes).ok()
}

/// Each diagnostic with its line and a caret, where the file has them.
fn write_text(out: &mut impl Write, file: &Path, list: &[Diagnostic]) -> std::io::Result<()> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    for diagnostic in list {
        writeln!(out, "{}: {} [{}]", level(diagnostic.level), diagnostic.message, diagnostic.rule)?;
        let own = *diagnostic.file == *file.display().to_string();
        if diagnostic.line == 0 {
            writeln!(out, "  --> {}", diagnostic.file)?;
        } else {
            writeln!(out, "  --> {}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column)?;
        }
        let source = (diagnostic.line as usize).checked_sub(1).and_then(|at| lines.get(at)).filter(|_| own);
        if let Some(source) = source {
            // A line of a minified document is as long as the document.
            let skipped = (diagnostic.column as usize).saturating_sub(60);
            let shown: String = source.chars().skip(skipped).take(100).collect();
            let number = diagnostic.line.to_string();
            let gutter = " ".repeat(number.len());
            let caret = " ".repeat((diagnostic.column as usize).saturating_sub(skipped + 1));
            writeln!(out, "{number} | {shown}\n{gutter} | {caret}^")?;
        }
    }
    Ok(())
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Hint => "hint",
    }
}

fn as_json(diagnostic: &Diagnostic) -> serde_json::Value {
    serde_json::json!({
        "level": level(diagnostic.level),
        "rule": diagnostic.rule,
        "file": &*diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "pointer": &*diagnostic.pointer,
        "message": &*diagnostic.message,
    })
}

fn remark(diagnostic: &Diagnostic) -> Remark {
    Remark {
        rule: diagnostic.rule.to_owned(),
        level: if diagnostic.level == Level::Hint { "note" } else { level(diagnostic.level) },
        message: diagnostic.message.to_string(),
        file: diagnostic.file.to_string(),
        position: (diagnostic.line, diagnostic.column),
    }
}
