//! (crate documentation follows with its first module)
pub mod class;
pub mod columns;
mod database;
mod disk;
pub mod error;
pub mod health;
pub mod inventory;
pub mod journal;
pub mod layout;
pub mod query;
pub mod reader;
mod recover;
mod retention;
pub mod report;
pub mod rollup;
pub mod row;
pub mod segment;
pub mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod varint;
pub mod writer;

pub use error::StoreError;
pub use health::Health;
pub use inventory::{Inventory, StoredEndpoint};
pub use reader::{EventQuery, EventStream, QueryLimits, Reader};
pub use settings::{Cut, Settings};
pub use writer::Writer;
