//! Numbers in, numbers out: boosted trees, hashed n-gram models, lookup tables and sketches. Knows no HTTP.
//!
//! Everything here is deterministic: the same input gives the same output on every machine, with no clock, no random
//! source and no global state. Model files are validated as a whole when they are read, so that evaluation needs no
//! checks; a file that is not exactly what it claims to be is an error, never a panic.

pub mod bytes;
pub mod count;
pub mod forest;
pub mod hash;
pub mod ngram;
pub mod sketch;
pub mod table;

pub use bytes::ModelError;
pub use forest::Forest;
pub use ngram::NgramModel;
pub use table::HashedTable;
