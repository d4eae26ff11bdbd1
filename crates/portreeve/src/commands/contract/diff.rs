//! `portreeve contract diff`: what changed, and for whom.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use schema::diff::{Change, Impact, diff};
use schema::document::Level;
use schema::openapi::{Contract, LoadOptions, load_file};

use super::sarif::{self, Remark};
use super::{Form, counted};
use crate::commands::Outcome;

/// Lists what changed between two OpenAPI documents.
#[derive(clap::Args)]
pub struct Arguments {
    /// The document before.
    old: PathBuf,
    /// The document after.
    new: PathBuf,
    /// How changes are written.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Which changes make the exit code 1.
    #[arg(long, value_enum, default_value_t = FailOn::Breaking)]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Changes that break clients.
    Breaking,
    /// Those, and changes that let more pass than before.
    Loosened,
    /// None.
    Never,
}

/// Runs the command.
///
/// # Errors
/// When a document cannot be read, and when there are changes that were asked for.
pub fn run(arguments: &Arguments) -> Outcome {
    let (old, new) = (load(&arguments.old)?, load(&arguments.new)?);
    let changes = diff(&old, &new);
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Form::Text => write_text(&mut out, &changes)?,
        Form::Json => writeln!(out, "{:#}", serde_json::Value::from_iter(changes.iter().map(as_json)))?,
        Form::Sarif => {
            let remarks: Vec<Remark> = changes.iter().map(|change| remark(change, &arguments.new)).collect();
            writeln!(out, "{:#}", sarif::log(&remarks))?;
        }
    }
    let count = |impact| changes.iter().filter(|change| change.impact == impact).count();
    let (breaking, loosened) = (count(Impact::Breaking), count(Impact::Loosened));
    match arguments.fail_on {
        FailOn::Breaking | FailOn::Loosened if breaking > 0 => {
            Err(format!("{} may break clients", counted(breaking, "change")).into())
        }
        FailOn::Loosened if loosened > 0 => {
            Err(format!("{} let more pass than before", counted(loosened, "change")).into())
        }
        _ => Ok(()),
    }
}

fn load(path: &Path) -> Result<Contract, String> {
    let loaded = load_file(path, &LoadOptions::default());
    let error = loaded.diagnostics.iter().find(|diagnostic| diagnostic.level == Level::Error);
    match (loaded.contract, error) {
        (Some(contract), None) => Ok(contract),
        // What is not understood cannot be compared: silence about it would look like safety.
        (_, Some(error)) => Err(format!("`{}` cannot be compared: {error}", path.display())),
        (None, None) => Err(format!("`{}` is no OpenAPI document", path.display())),
    }
}

fn write_text(out: &mut impl Write, changes: &[Change]) -> std::io::Result<()> {
    for change in changes {
        let place = if change.place.is_empty() { String::new() } else { format!(" {}", change.place) };
        writeln!(out, "{:<9} {}{place}: {} [{}]", change.impact.name(), change.operation, change.message, change.rule)?;
    }
    let count = |impact| changes.iter().filter(|change| change.impact == impact).count();
    writeln!(
        out,
        "{} breaking, {} loosened, {} safe",
        count(Impact::Breaking),
        count(Impact::Loosened),
        count(Impact::Safe)
    )
}

fn as_json(change: &Change) -> serde_json::Value {
    serde_json::json!({
        "impact": change.impact.name(),
        "operation": change.operation,
        "place": change.place,
        "rule": change.rule,
        "message": change.message,
    })
}

fn remark(change: &Change, new: &Path) -> Remark {
    Remark {
        rule: change.rule.to_owned(),
        level: match change.impact {
            Impact::Breaking => "error",
            Impact::Loosened => "warning",
            Impact::Safe => "note",
        },
        message: format!("{}: {} {}: {}", change.impact.name(), change.operation, change.place, change.message),
        file: new.display().to_string(),
        position: (0, 0),
    }
}
