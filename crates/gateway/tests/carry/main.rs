//! The gateway from outside: a client and an upstream played byte by byte over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod rig;

mod failures;
mod http1;
mod http2;
mod lifecycle;
