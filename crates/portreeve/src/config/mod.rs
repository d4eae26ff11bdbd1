//! Configuration: as written (YAML, [`written`]) to as meant ([`Settings`]).
//!
//! The form is checked against the JSON Schema of the written structures ([`form`]); what is right of it is read and its
//! meaning checked ([`meant`]). Mistakes of both kinds are reported together.

mod alerts;
pub mod diagnostic;
pub mod form;
pub mod meant;
pub mod rules;
pub mod units;
pub mod written;
pub mod yaml;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use diagnostic::Report;
use meant::Meaning;
pub use rules::LoadedRules;

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
    /// Who is told of what.
    pub alerts: crate::alerts::Settings,
    /// Where traffic that others carry is shown to the learner.
    pub observe: Option<Observe>,
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
    /// Rules in SecLang that were loaded.
    pub rules: Vec<LoadedRules>,
}

impl Settings {
    /// What the contracts say that is not enforced, one sentence each.
    pub fn unenforced(&self) -> Vec<String> {
        let mut told = Vec::new();
        for contract in self.gateway.routes.iter().filter_map(|route| route.policy.contract.as_ref()) {
            told.extend(contract.grpc.iter().flat_map(|grpc| grpc.unenforced()));
            told.extend(contract.xml.iter().flat_map(|xml| xml.contract.unenforced().iter().cloned()));
            told.extend(contract.soap.iter().flat_map(|soap| soap.contract.unenforced().iter().cloned()));
        }
        told.sort_unstable();
        told.dedup();
        told
    }
}

/// Where traffic that others carry is shown to the learner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observe {
    /// Where it listens.
    pub address: SocketAddr,
    /// What senders must present.
    pub token: Option<String>,
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
    let lines: Vec<&str> = text.lines().collect();
    form.secrets.retain(|spot| !is_reference(&lines, *spot));
    let mut shown = Report::new(Path::new(""), text, &form.secrets, Vec::new()).lines.join("\n");
    shown.push('\n');
    shown
}

/// True of `file:/path` and `${NAME}`: they say where a secret is, not what it is.
fn is_reference(lines: &[&str], spot: diagnostic::Spot) -> bool {
    let Some(line) = spot.line.checked_sub(1).and_then(|at| lines.get(at)) else { return false };
    let value: String = line.chars().skip(spot.column.saturating_sub(1)).collect();
    let value = value.trim().trim_matches(['"', '\'']);
    let name = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
    };
    name.is_some_and(plain) || value.strip_prefix("file:").is_some_and(plain)
}

/// Puts back what [`masked`] hid: every masked line of `edited` gets the secret of the same line of `kept`.
///
/// # Errors
/// The numbers of masked lines, from 1, of which it is not clear which secret they mean.
pub fn unmasked(edited: &str, kept: &str) -> Result<String, Vec<usize>> {
    let shown = masked(kept);
    let pairs: Vec<(&str, &str)> = shown.lines().zip(kept.lines()).filter(|(shown, kept)| shown != kept).collect();
    let (mut out, mut unclear) = (String::with_capacity(edited.len()), Vec::new());
    let mut seen: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for (at, line) in edited.lines().enumerate() {
        let line_end = line.trim_end();
        if line_end.ends_with(diagnostic::MASK) {
            // The same masked line may stand at several places: the n-th of them is the n-th, as long as none came or went.
            let meant: Vec<&str> =
                pairs.iter().filter(|(shown, _)| *shown == line_end).map(|(_, kept)| *kept).collect();
            let written = edited.lines().filter(|other| other.trim_end() == line_end).count();
            let number = seen.entry(line_end).or_default();
            match meant.get(*number).filter(|_| meant.len() == written) {
                Some(kept) => out.push_str(kept),
                None => unclear.push(at + 1),
            }
            *number += 1;
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    if unclear.is_empty() { Ok(out) } else { Err(unclear) }
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
                let mut meaning = Meaning {
                    document: &document,
                    file,
                    base,
                    problems: Vec::new(),
                    contracts: Vec::new(),
                    rules: Vec::new(),
                };
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
