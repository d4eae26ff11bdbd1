//! JSON Schema, compiled: draft 2020-12 and the dialect of OpenAPI 3.0, checked straight over the JSON tape.
//!
//! [`compile`] turns the schemas of a [`Library`] into flat [`Rules`]; [`Rules::check`] judges a value. Judging takes no
//! more steps than its fuel, does not allocate while a value fits (objects with many members aside), and never keeps a
//! value: a [`Failure`] has the place and what the schema expected.

mod check;
pub mod compile;
mod evaluated;
mod library;
mod metaschema;
pub(crate) mod node;
pub(crate) mod uri;

pub use check::{CheckOptions, Checked, Closest, Failure, Undeclared};
pub use compile::{Dialect, RuleCompiler};
pub use library::{Library, Loader, Place};
pub(crate) use node::types;
pub use node::{Direction, RuleId, Rules};

#[cfg(test)]
mod tests;
