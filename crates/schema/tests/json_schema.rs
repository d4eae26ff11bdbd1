//! The required tests of the JSON Schema Test Suite, draft 2020-12, every one of them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a panic in a test is the report")]

#[path = "../../../xtask/src/conformance/json_schema.rs"]
mod suite;

mod formats {
    //! What the shared module of the suite expects beside it.

    /// One line of results.
    #[derive(Default)]
    pub struct Row {
        /// The part of the suite.
        pub group: String,
        /// Tests passed.
        pub passed: usize,
        /// The names of the failed ones.
        pub failing: Vec<String>,
    }

    impl Row {
        /// An empty row.
        pub fn new(_suite: &'static str, group: &str) -> Self {
            Self { group: group.to_owned(), ..Self::default() }
        }

        /// Counts one test.
        pub fn count(&mut self, name: &str, passed: bool) {
            if passed { self.passed += 1 } else { self.failing.push(name.to_owned()) }
        }
    }
}

#[test]
fn every_required_test_passes() {
    let Ok(corpora) = std::env::var("PORTREEVE_CORPORA") else {
        println!("skipped: PORTREEVE_CORPORA is not set");
        return;
    };
    let rows = suite::run(corpora.as_ref()).unwrap();
    for row in &rows {
        println!("{}: {} passed, {} failed", row.group, row.passed, row.failing.len());
        for name in &row.failing {
            println!("    {name}");
        }
    }
    assert_eq!(rows[0].failing, [""; 0]);
    assert!(rows[0].passed >= 1299, "only {} tests", rows[0].passed);
}
