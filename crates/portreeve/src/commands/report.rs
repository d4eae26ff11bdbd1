//! `portreeve report`: the state of the APIs, for people and for programs.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use store::rollup::Range;

use super::Outcome;

/// Writes the report of a data directory: of a running gateway, or of logs that `portreeve discover --data` has read.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where traffic was recorded.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Over the last time, such as `7d`.
    #[arg(long, default_value = "7d", value_parser = super::time)]
    since: Duration,
    /// Up to this moment, such as `2026-01-31T00:00:00Z`; now when absent. For logs of some time ago.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<model::Timestamp>,
    /// In which form.
    #[arg(long, value_enum, default_value_t = Form::Md)]
    format: Form,
    /// Into this file; to standard output when absent.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    /// A page of its own, for the printer.
    Html,
    /// Markdown.
    Md,
    /// Data.
    Json,
}

fn moment(text: &str) -> Result<model::Timestamp, String> {
    let time = text.parse::<jiff::Timestamp>();
    time.map(|time| model::Timestamp(time.as_microsecond()))
        .map_err(|_| "write a moment as `2026-01-31T00:00:00Z`".to_owned())
}

/// Runs the command.
///
/// # Errors
/// When there is no data directory, or the file cannot be written.
pub fn run(arguments: &Arguments) -> Outcome {
    super::require_data(&arguments.data)?;
    let now = crate::now();
    let seconds = i64::try_from(arguments.since.as_secs().max(1))?;
    let range = Range::last(seconds, arguments.until.unwrap_or(now));
    let report = console::report::report(&arguments.data, range, now)?;
    let text = match arguments.format {
        Form::Html => report.html(),
        Form::Md => report.markdown(),
        Form::Json => report.json() + "\n",
    };
    match &arguments.out {
        Some(path) => std::fs::write(path, text).map_err(|error| {
            format!("`{}` cannot be written: {}", path.display(), crate::config::meant::plain(&error))
        })?,
        None => std::io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(())
}
