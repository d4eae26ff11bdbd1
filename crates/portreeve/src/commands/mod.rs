//! The command line. A command is a module with a clap `Arguments` structure and `run(&Arguments) -> Outcome`.

mod check;
mod completions;
mod contract;
mod discover;
mod endpoints;
mod events;
mod follow;
mod replay;
mod report;
mod run;
mod top;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use model::Mode;

/// What a command answers; an error is one sentence.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A version of OpenAPI as it is asked for.
pub fn openapi_version(text: &str) -> Result<schema::emit::OpenApiVersion, String> {
    match text {
        "3.1" => Ok(schema::emit::OpenApiVersion::V31),
        "3.0" => Ok(schema::emit::OpenApiVersion::V30),
        _ => Err("write `3.1` or `3.0`".to_owned()),
    }
}

/// The configuration or the command line is wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Finds every endpoint of your APIs, learns what normal looks like, lets only known-good traffic through.
#[derive(Parser)]
#[command(
    name = "portreeve",
    version,
    after_help = "Exit codes: 0 done, 1 failed (the reason is on standard error), 64 the command line or the configuration is wrong."
)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stand in front of an upstream or of everything a configuration names.
    Run(run::Arguments),
    /// Say whether a configuration file is right; every mistake at once.
    Check(check::Arguments),
    /// Start a sample API, the gateway and traffic, with nothing else installed.
    Demo(crate::demo::Arguments),
    /// List recorded exchanges.
    Events(events::Arguments),
    /// Watch what is recorded, live in the terminal.
    Top(top::Arguments),
    /// Find endpoints in access logs, HAR files and recorded events.
    Discover(discover::Arguments),
    /// List, filter, explain and export the endpoints of the inventory.
    Endpoints(endpoints::Arguments),
    /// Write the report of the state of your APIs: HTML, Markdown or JSON.
    Report(report::Arguments),
    /// Say what another configuration would have done to recorded traffic.
    Replay(replay::Arguments),
    /// Look at contracts, compare them, and try them out.
    Contract(contract::Arguments),
    /// Write completions for a shell to standard output.
    Completions(completions::CompletionArguments),
    /// Write the manual page to standard output.
    Man(completions::ManArguments),
}

/// Runs the command that was asked for.
pub fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Help and version are no mistakes.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = match &line.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Demo(arguments) => crate::demo::run(arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::Top(arguments) => top::run(arguments),
        Command::Discover(arguments) => discover::run(arguments),
        Command::Endpoints(arguments) => endpoints::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Contract(arguments) => contract::run(arguments),
        Command::Completions(arguments) => completions::completions(arguments),
        Command::Man(arguments) => completions::man(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast::<crate::config::Report>() {
            Ok(report) => {
                eprint!("{report}");
                ExitCode::from(EXIT_USAGE)
            }
            // A reader that went away, as `portreeve events | head` does, is no mistake.
            Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Reads a length of time for clap.
pub fn time(text: &str) -> Result<Duration, String> {
    let millis = crate::config::units::duration_ms(text).map_err(|(message, help)| format!("{message}; {help}"))?;
    Ok(Duration::from_millis(millis))
}

/// Reads a mode for clap.
pub fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "monitor" => Ok(Mode::Monitor),
        "block" => Ok(Mode::Block),
        "off" => Ok(Mode::Off),
        _ => Err("write `monitor`, `block` or `off`".to_owned()),
    }
}

/// Refuses to make a data directory where somebody mistyped one.
fn require_data(data: &std::path::Path) -> Result<(), String> {
    if data.is_dir() {
        Ok(())
    } else {
        Err(format!("`{}` is no data directory; name one with `--data`", data.display()))
    }
}
