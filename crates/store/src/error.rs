//! What can go wrong in the store, as sentences for people. Nothing here ever stops traffic.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {action} `{path}`: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process writes to the same data directory.
    #[error("another process is writing to `{0}`; stop it, or choose another data directory")]
    Locked(PathBuf),
    /// A file of a later format.
    #[error("`{path}` has format {found} and this program knows formats up to {known}; use a newer portreeve")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found in it.
        found: u32,
        /// The latest version this program reads.
        known: u32,
    },
    /// A file that is not what its name says.
    #[error("`{path}` is damaged: {detail}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// SQLite refused.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A stored JSON text does not read back.
    #[error("stored JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Arrow or Parquet refused.
    #[error("columns: {0}")]
    Columns(#[from] arrow::error::ArrowError),
    /// Parquet refused.
    #[error("segment: {0}")]
    Segment(#[from] parquet::errors::ParquetError),
    /// The query could not be run.
    #[error("query: {0}")]
    Query(String),
    /// The query needed more memory than it may have.
    #[error("the query needs more than {limit_mib} MiB; narrow the time range, or group by fewer columns")]
    MemoryLimit {
        /// The limit in mebibytes.
        limit_mib: u64,
    },
    /// The query took longer than it may.
    #[error("the query took longer than {limit_ms} ms; narrow the time range, or raise the limit")]
    TimeLimit {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// Something named by the caller is not there.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// What the caller called it.
        name: String,
    },
    /// The thread or runtime behind a reader is gone.
    #[error("the store's reader has stopped")]
    Stopped,
}

/// Attaches what was tried, and on which file, to an I/O error.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

impl From<datafusion::error::DataFusionError> for StoreError {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::Query(error.strip_backtrace())
    }
}
