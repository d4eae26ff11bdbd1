//! Message formats against public suites: JSON parsing, JSON Schema, GraphQL, XML.

use super::http1::Arguments;
use crate::table::{Cell, Table, publish};

/// One line of the table of results.
#[derive(Clone, Debug, Default)]
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

impl Row {
    /// An empty row.
    pub fn new(suite: &'static str, group: &str) -> Self {
        Self { suite, group: group.to_owned(), ..Self::default() }
    }

    /// Counts one test.
    pub fn count(&mut self, name: &str, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
            self.failing.push(name.to_owned());
        }
    }
}

/// Runs every suite and prints the table.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let mut table = Table::new("message formats", &["suite", "part", "passed", "failed"]);
    let mut rows = super::json::run(&arguments.corpus)?;
    rows.extend(super::json_schema::run(&arguments.corpus)?);
    rows.extend(super::graphql::run(&arguments.corpus)?);
    rows.extend(super::xml::run(&arguments.corpus)?);
    let mut failing = Vec::new();
    for row in rows {
        table.rows.push(vec![
            Cell::text(row.suite),
            Cell::text(&row.group),
            Cell::Count(row.passed as u64),
            Cell::Count(row.failed as u64),
        ]);
        failing.extend(row.failing.iter().map(|name| format!("{}: {name}", row.suite)));
    }
    if arguments.misses {
        for row in failing {
            eprintln!("{row}");
        }
    }
    publish(&[table], arguments.json.as_deref())
}
