//! `cargo xtask test`: every test of the workspace, and what was skipped.
//!
//! A test that cannot run here prints a line beginning with `skipped:` that says what is missing and how to get it; the
//! lines are gathered and shown again at the end, because a skipped test that nobody sees is a test that passed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::Outcome;

/// Runs every test and says which were skipped, and why.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these packages; all of them when none is named.
    #[arg(short, long = "package")]
    packages: Vec<String>,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Outcome {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--no-fail-fast"]);
    if arguments.packages.is_empty() {
        command.arg("--workspace");
    }
    for package in &arguments.packages {
        command.args(["-p", package]);
    }
    command.arg("--").arg("--show-output").args(&arguments.filter);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut skipped = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut shown = Shown::default();
        for line in BufReader::new(stdout).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            if let Some(what) = line.trim_start().strip_prefix("skipped:") {
                skipped.push(what.trim().to_owned());
            }
            if shown.shows(&line) {
                // To standard output, like the runner's own: whoever reads the last lines finds the result there.
                writeln!(std::io::stdout(), "{line}")?;
            }
        }
    }
    let status = child.wait()?;
    skipped.sort_unstable();
    skipped.dedup();
    if !skipped.is_empty() {
        eprintln!("\nnot run here ({}):", skipped.len());
    }
    for what in &skipped {
        eprintln!("  {what}");
    }
    if status.success() { Ok(()) } else { Err("tests failed".into()) }
}

/// Leaves out what tests that passed have printed.
#[derive(Default)]
struct Shown {
    in_successes: bool,
}

impl Shown {
    fn shows(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            line if line.starts_with("test result:") => self.in_successes = false,
            _ => {}
        }
        let passed = line.starts_with("test ") && line.ends_with(" ... ok");
        !self.in_successes && !passed && !line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_passing_tests_is_left_out_and_failures_are_not() {
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nsuccesses:\n\n---- a stdout ----\nskipped: x\n\n\
                      failures:\n---- b stdout ----\nboom\n\ntest result: FAILED. 1 passed";
        let mut shown = Shown::default();
        let kept: Vec<&str> = output.lines().filter(|line| shown.shows(line)).collect();
        let expected = [
            "running 2 tests",
            "test b ... FAILED",
            "failures:",
            "---- b stdout ----",
            "boom",
            "test result: FAILED. 1 passed",
        ];
        assert_eq!(kept, expected);
    }
}
