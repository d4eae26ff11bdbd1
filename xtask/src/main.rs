//! Development tasks: benchmarks, training, simulation. `cargo xtask --help` lists them.
//!
//! A task is a module with a clap `Arguments` struct and `run(&Arguments) -> Outcome`, and one line in the lists below.

mod discovery;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every task returns; the error is printed as it is.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Development tasks of Portreeve.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure something and print a table.
    #[command(subcommand)]
    Bench(Bench),
    /// Make a model file again from its sources.
    #[command(subcommand)]
    Train(Train),
    /// Make the traffic of sites, with ground truth, from OpenAPI documents.
    Simulate(discovery::simulate::Arguments),
}

#[derive(Subcommand)]
enum Bench {
    /// How right is endpoint discovery?
    Discovery(discovery::bench::Arguments),
}

#[derive(Subcommand)]
enum Train {
    /// The classifiers of endpoint discovery.
    Discovery(discovery::train::Arguments),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().task {
        Task::Bench(Bench::Discovery(arguments)) => discovery::bench::run(&arguments),
        Task::Train(Train::Discovery(arguments)) => discovery::train::run(&arguments),
        Task::Simulate(arguments) => discovery::simulate::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
