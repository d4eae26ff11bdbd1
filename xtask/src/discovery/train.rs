//! Discovery: train.

use crate::Outcome;

/// Arguments of this task.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs this task.
pub fn run(_arguments: &Arguments) -> Outcome {
    Err("not built yet".into())
}
