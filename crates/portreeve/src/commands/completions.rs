//! `portreeve completions` and `portreeve man`.

use clap::CommandFactory;

use super::{CommandLine, Outcome};

/// Writes completions for a shell to standard output.
#[derive(clap::Args)]
pub struct CompletionArguments {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Writes the manual page to standard output.
#[derive(clap::Args)]
pub struct ManArguments {}

/// Runs `completions`.
///
/// # Errors
/// When standard output is closed.
pub fn completions(arguments: &CompletionArguments) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut CommandLine::command(), "portreeve", &mut text);
    write(&text)
}

/// Runs `man`.
///
/// # Errors
/// When standard output is closed.
pub fn man(_arguments: &ManArguments) -> Outcome {
    let mut text = Vec::new();
    clap_mangen::Man::new(CommandLine::command()).render(&mut text)?;
    write(&text)
}

fn write(text: &[u8]) -> Outcome {
    use std::io::Write as _;
    std::io::stdout().lock().write_all(text)?;
    Ok(())
}
