//! The required tests of the JSON Schema Test Suite, draft 2020-12, every one of them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a panic in a test is the report")]

#[path = "../../../xtask/src/conformance/json_schema.rs"]
mod suite;

/// One line of the table of results.
pub struct Row {
    /// The suite.
    pub suite: &'static str,
    /// The part of it.
    pub group: String,
    /// Tests passed.
    pub passed: usize,
    /// Tests failed.
    pub failed: usize,
    /// The names of the failed ones.
    pub failing: Vec<String>,
}

#[test]
fn every_required_test_passes() {
    let Ok(corpora) = std::env::var("PORTREEVE_CORPORA") else {
        println!("skipped: PORTREEVE_CORPORA is not set");
        return;
    };
    let rows = suite::run(corpora.as_ref()).unwrap();
    for row in &rows {
        println!("{} {}: {} passed, {} failed", row.suite, row.group, row.passed, row.failed);
        for name in &row.failing {
            println!("    {name}");
        }
    }
    assert_eq!(rows[0].failing, [""; 0]);
    assert!(rows[0].passed >= 1299, "only {} tests", rows[0].passed);
}
