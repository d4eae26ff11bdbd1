//! `portreeve check`: is a configuration right?

use std::io::Write;
use std::path::PathBuf;

use super::Outcome;
use crate::config;

/// Says whether a configuration file is right; every mistake at once. Exit code 64 when it is not.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file.
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The report when there are mistakes.
pub fn run(arguments: &Arguments) -> Outcome {
    let settings = config::load(&arguments.file)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "`{}` is right: {} listeners, {} upstreams, {} routes",
        arguments.file.display(),
        settings.gateway.listeners.len(),
        settings.gateway.upstreams.len(),
        settings.gateway.routes.len()
    )?;
    for told in settings.unenforced() {
        writeln!(out, "{told}")?;
    }
    for loaded in &settings.rules {
        writeln!(out, "{}", loaded.summary())?;
        for note in &loaded.notes {
            writeln!(out, "  {}: {}", note.position, note.message)?;
        }
    }
    Ok(())
}
