//! The admin API against its own document, by schemathesis: no 5xx, and every answer as documented.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod support;

use std::process::Command;

use support::{Gateway, echo_upstream, get, python_with};

#[test]
fn every_answer_is_as_documented() {
    let Some(python) = python_with("schemathesis", "every_answer_is_as_documented") else { return };
    let gateway = Gateway::start(echo_upstream(), "monitor");
    for number in 0..20 {
        get(gateway.addr, &format!("/users/{number}?q=%3Cscript%3E"));
    }
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "run", &format!("http://{}/api/v1/openapi.json", gateway.admin)])
        // Tokens close the open door, and the rest would be refused.
        .args(["--exclude-operation-id", "makeToken"])
        .args(["--phases=fuzzing", "--max-examples=10", "--mode=all", "--seed=1", "--rate-limit=45/s"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["-H", "X-Portreeve: 1"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}
