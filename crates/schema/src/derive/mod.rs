//! Requests derived from an OpenAPI document: valid ones, and ones that break exactly one rule of it.
//!
//! Derivation is separate from judging on purpose: it reads the document, never the compiled contract, so that the two can
//! be held against each other. It is deterministic and bounded. What cannot be derived (a pattern nothing in the stock of
//! texts fits, a body that is neither JSON nor a form, a reference to another document) is left out and counted.

mod mutate;
mod request;
mod sample;

pub use request::{Derived, DerivedRequest, Expectation, derive};

#[cfg(test)]
mod tests;
