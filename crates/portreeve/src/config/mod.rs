//! Configuration: as written (YAML, [`written`]) to as meant ([`Settings`]).
//!
//! The form is checked against the JSON Schema of the written structures ([`form`]); what is right of it is read and its
//! meaning checked ([`meant`]). Mistakes of both kinds are reported together.

pub mod diagnostic;
pub mod form;
pub mod meant;
pub mod units;
pub mod written;
pub mod yaml;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use diagnostic::Report;
use meant::Meaning;

/// Everything the program needs to know, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data path.
    pub gateway: gateway::config::Config,
    /// False when the key of session hashes is kept in the data directory.
    pub session_key_configured: bool,
    /// What is kept, and for how long.
    pub store: store::Settings,
    /// The data directory.
    pub data: PathBuf,
    /// Where metrics and administration are.
    pub admin: SocketAddr,
    /// What administrators must present.
    pub admin_token: Option<String>,
    /// The access log.
    pub access_log: Option<AccessLog>,
    /// Where spans go.
    pub tracing: Option<Tracing>,
    /// Least severe message shown.
    pub level: written::Level,
    /// The file all this came from; `None` when it came from flags.
    pub file: Option<PathBuf>,
    /// Contract files, watched for changes along with the configuration.
    pub contracts: Vec<PathBuf>,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// Host and port of the collector, as the Host field says them.
    pub authority: String,
    /// Where it takes spans.
    pub path: String,
    /// How this service is named there.
    pub service: String,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

/// One of this many exchanges is looked into by the learner unless the configuration says otherwise.
pub const SAMPLE_EVERY: u32 = 16;

/// Larger files than any configuration are refused before they are read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Reads and checks a file.
pub fn load(path: &Path) -> Result<Settings, Report> {
    let refuse = |error: std::io::Error| {
        Report::of_file(path, format!("`{}` cannot be read: {}", path.display(), meant::plain(&error)))
    };
    let metadata = std::fs::metadata(path).map_err(refuse)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Report::of_file(path, format!("`{}` is larger than any configuration", path.display())));
    }
    let bytes = std::fs::read(path).map_err(refuse)?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Report::of_file(path, format!("`{}` is not UTF-8 text", path.display())));
    };
    parse(path, &base_of(path), &text, &|name| std::env::var(name).ok())
}

/// Where relative paths of a file start.
pub fn base_of(file: &Path) -> PathBuf {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The text of a configuration with its secrets masked.
pub fn masked(text: &str) -> String {
    // References are what was written; nothing is looked up to show a file.
    let nothing = |_: &str| Some(String::new());
    let Ok(document) = yaml::read(text, &nothing, &mut Vec::new()) else { return String::new() };
    let schema = written::json_schema();
    let mut form = form::Form::default();
    form.check(&document, &schema, &schema);
    let mut shown = Report::new(Path::new(""), text, &form.secrets, Vec::new()).lines.join("\n");
    shown.push('\n');
    shown
}

/// Checks a text; relative paths in it start at `base`.
pub fn parse(
    file: &Path,
    base: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, Report> {
    let mut problems = Vec::new();
    let document = match yaml::read(text, environment, &mut problems) {
        Ok(document) => document,
        Err(error) => {
            problems.push(error);
            return Err(Report::new(file, text, &[], problems));
        }
    };
    if matches!(document.value, yaml::Value::Null) {
        return Err(Report::of_file(file, format!("`{}` is empty", file.display())));
    }
    let schema = written::json_schema();
    let mut form = form::Form::default();
    let kept = form.check(&document, &schema, &schema);
    problems.append(&mut form.problems);
    let mut settings = None;
    if let Some(kept) = kept {
        match serde_json::from_value::<written::Configuration>(kept) {
            Ok(written) => {
                let mut meaning =
                    Meaning { document: &document, file, base, problems: Vec::new(), contracts: Vec::new() };
                settings = Some(meaning.settings(&written));
                problems.append(&mut meaning.problems);
            }
            // The form was checked, so this says that form and structures disagree: reported, never hidden.
            Err(error) => problems.push(diagnostic::Diagnostic {
                spot: document.spot,
                message: format!("the file could not be understood: {error}"),
                help: String::new(),
            }),
        }
    }
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => {
            for problem in &mut problems {
                document.hide_references(&mut problem.message);
                document.hide_references(&mut problem.help);
            }
            Err(Report::new(file, text, &form.secrets, problems))
        }
    }
}

/// The key of the session hash from a secret of any length.
pub fn key_from(secret: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret);
    digest.as_ref().try_into().unwrap_or([0; 32])
}

/// Cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
