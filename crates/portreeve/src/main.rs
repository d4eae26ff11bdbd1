//! The binary: configuration, wiring, command line.

mod config;

fn main() {}
