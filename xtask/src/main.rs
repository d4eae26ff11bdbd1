//! Development tasks: benchmarks, training, simulation. `cargo xtask --help` lists them.
//!
//! A task is a module with a clap `Arguments` struct and `run(&Arguments) -> Outcome`, and one line in the lists below.

mod attack_score;
mod check;
mod conformance;
mod console_bench;
mod discovery;
mod gateway_bench;
mod processes;
mod proxy_bench;
mod table;
mod test;
mod worst_case;

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
    /// Run every test, and say which were skipped and why.
    Test(test::Arguments),
    /// Check form, lints, walls between the crates, dependencies.
    Check(check::Arguments),
    /// Measure something and print a table.
    #[command(subcommand)]
    Bench(Bench),
    /// Measure against a public collection and print a table.
    #[command(subcommand)]
    Conformance(conformance::Conformance),
    /// Make a model file again from its sources.
    #[command(subcommand)]
    Train(Train),
    /// Make the traffic of sites, with ground truth, from OpenAPI documents.
    Simulate(discovery::simulate::Arguments),
}

#[derive(Subcommand)]
enum Bench {
    /// Requests per second, latency, CPU and memory beside nginx and haproxy.
    Proxy(proxy_bench::Arguments),
    /// Start, memory, idle connections and recording of the gateway alone.
    Gateway(gateway_bench::Arguments),
    /// The admin API over a large store, and traffic beside heavy queries.
    Console(console_bench::Arguments),
    /// How right is endpoint discovery?
    Discovery(discovery::bench::Arguments),
    /// What a scanner with a million paths costs the learner.
    Learner(discovery::flood::Arguments),
    /// Searches for the inputs that cost most time per byte.
    WorstCase(worst_case::Arguments),
}

#[derive(Subcommand)]
enum Train {
    /// The attack score.
    AttackScore(attack_score::Arguments),
    /// The classifiers of endpoint discovery.
    Discovery(discovery::train::Arguments),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Check(arguments) => check::run(&arguments),
        Task::Bench(Bench::Proxy(arguments)) => proxy_bench::run(&arguments),
        Task::Bench(Bench::Gateway(arguments)) => gateway_bench::run(&arguments),
        Task::Bench(Bench::Console(arguments)) => console_bench::run(&arguments),
        Task::Bench(Bench::Discovery(arguments)) => discovery::bench::run(&arguments),
        Task::Bench(Bench::Learner(arguments)) => discovery::flood::run(&arguments),
        Task::Bench(Bench::WorstCase(arguments)) => worst_case::run(&arguments),
        Task::Conformance(which) => conformance::run(&which),
        Task::Train(Train::AttackScore(arguments)) => attack_score::run(&arguments),
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
