//! What was seen, kept: events, rollups, the inventory; and the ways to ask for it.
//!
//! Three things are stored in one data directory (see [`layout`]), each as fits how it is used:
//!
//! * **Events**, one per exchange: a journal that survives kill -9, cut into sorted Parquet segments. [`Writer`] writes them,
//!   [`Reader`] queries them through DataFusion. Formats: `docs/formats/events.md`.
//! * **Rollups**, counts per minute, hour and day of every endpoint and API: SQLite. [`Writer`] writes them too,
//!   [`RollupReader`](rollup::RollupReader) reads them. Formats: `docs/formats/rollups.md`.
//! * **The inventory**, endpoints with history, settings, policies, audit log: SQLite. [`Inventory`] does both.
//!   Formats: `docs/formats/inventory.md`.
//!
//! # Writing
//!
//! One thread owns the [`Writer`] and empties the bounded channel of events into it:
//!
//! ```
//! # fn clock() -> model::Timestamp { store::testing::START }
//! # fn receive() -> Option<Vec<model::Event>> { None }
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let mut writer = store::Writer::open(directory, store::Settings::default())?;
//! while let Some(events) = receive() {
//!     writer.write(&events); // never fails, never waits for the disk
//!     writer.tick(clock()); // a few times per second, also when nothing came
//!     let health = writer.health(); // for metrics: drops, errors, bytes on disk
//! #   let _ = health;
//! }
//! writer.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A full or failing disk is counted, shown in [`Health`] and tried again; the caller never sees it. Nothing else in this crate is
//! called from the writer's thread, and nothing else may write events: the directory is locked.
//!
//! # Reading
//!
//! From the writer's process or any other, at any time:
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! use std::sync::Arc;
//! use store::query::{Field, Filter, Query};
//!
//! let names = match store::Inventory::open_reading(directory)? {
//!     Some(inventory) => inventory.endpoint_names()?,
//!     None => Default::default(),
//! };
//! let reader = store::Reader::open(directory, store::QueryLimits::default())?;
//! let filter = Filter::parse("status=429 and source=upstream")?;
//! let (since, until) = (model::Timestamp::from_secs(0), model::Timestamp::from_secs(4_000_000_000));
//! let answer = reader.query_blocking(&Query::top(since, until, filter, Field::Endpoint, 10), Arc::new(names))?;
//! for row in &answer.rows {
//!     let _ = row; // `answer.columns` names the cells
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Reader::query`] and [`Reader::events`] have asynchronous forms for the console. Everything that touches SQLite blocks for
//! milliseconds: call it from `spawn_blocking` there. [`report::Report`] works out the figures of the report.
//!
//! What this crate leaves out on purpose: it never reads a clock (except for limits of time), never talks to the network, and
//! stores no values of queries, headers or bodies: names, types, shapes and hashes only.

pub mod class;
pub mod columns;
mod database;
mod disk;
pub mod error;
pub mod health;
mod interner;
pub mod inventory;
pub mod journal;
pub mod json;
pub mod layout;
pub mod query;
pub mod reader;
mod recover;
pub mod report;
mod retention;
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
pub use report::Report;
pub use rollup::RollupReader;
pub use settings::{Cut, Settings};
pub use writer::Writer;
