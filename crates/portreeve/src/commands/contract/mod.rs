//! `portreeve contract`: what a contract says, what changed between two of them, and whether it holds on the wire.

mod diff;
mod lint;
mod sarif;
mod test;

use clap::{Subcommand, ValueEnum};

use super::Outcome;

/// Look at contracts, compare them, and try them out.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what of a document cannot be enforced, and what could be better. Exit code 1 when there are errors.
    Lint(lint::Arguments),
    /// List what changed between two OpenAPI documents, and for whom. Exit code 1 when clients may break.
    Diff(diff::Arguments),
    /// Send valid and invalid requests derived from an OpenAPI document; say which of them met with the wrong answer.
    Test(test::Arguments),
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Lines for people.
    #[default]
    Text,
    /// JSON.
    Json,
    /// SARIF 2.1.0, for code review.
    Sarif,
}

/// Runs the command.
///
/// # Errors
/// When a document cannot be read, and when what was looked for was found.
pub fn run(arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::Lint(arguments) => lint::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Test(arguments) => test::run(arguments),
    }
}

/// A number with its word.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
