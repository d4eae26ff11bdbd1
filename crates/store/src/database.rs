//! How the SQLite files are opened: one version number, migrations that only go forward, readers beside the writer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{StoreError, io_error};

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a database for writing, making or migrating it as needed. `migrations` holds the statements that lead from each
/// version to the next, the first from nothing to version 1.
///
/// # Errors
/// When SQLite refuses, or the file is of a later version.
pub fn open_writing(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Only takes effect before the first table is made: deleted rows then give their room back step by step.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A loss of power may cost the latest transactions, never consistency.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    migrate(&mut connection, path, migrations)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    // Immediate, so that two processes cannot both see the old version and migrate.
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (migration, version) in migrations.iter().zip(1u32..).skip(found as usize) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()?;
    Ok(())
}

/// True when the file is no database, or one that is broken.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Renames a damaged database to the first free `*.damaged-N` and removes what belongs to it.
///
/// # Errors
/// When the file system refuses.
pub fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let with_suffix = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let free = (1u32..).map(|number| with_suffix(&format!(".damaged-{number}"))).find(|aside| !aside.exists());
    let aside = free.unwrap_or_else(|| with_suffix(".damaged"));
    fs::rename(path, &aside).map_err(io_error("set aside", path))?;
    for suffix in ["-wal", "-shm"] {
        // They would be taken for the new database's.
        match fs::remove_file(with_suffix(suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove the rest of", path)(error));
            }
            _ => {}
        }
    }
    Ok(aside)
}

/// Opens a database for reading, with its version, from version `accepted` to version `known`; `None` when there is none yet, or
/// an earlier one that the writer has not migrated yet.
///
/// # Errors
/// When SQLite refuses, or the file is of a later version.
pub fn open_reading(path: &Path, accepted: u32, known: u32) -> Result<Option<(Connection, u32)>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    // Version 0 is a file whose writer has not committed its first migration.
    Ok((found >= accepted.max(1)).then_some((connection, found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_run_once_and_a_newer_file_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.sqlite");
        assert!(open_reading(&path, 1, 1).expect("no file").is_none());
        let steps = ["CREATE TABLE a (x INTEGER)", "ALTER TABLE a ADD COLUMN y INTEGER"];
        drop(open_writing(&path, steps.get(..1).expect("one")).expect("version 1"));
        assert!(open_reading(&path, 2, 2).expect("readable").is_none());
        assert_eq!(open_reading(&path, 1, 2).expect("readable").expect("a file").1, 1);
        let connection = open_writing(&path, &steps).expect("version 2");
        connection.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).expect("both columns");
        drop(open_writing(&path, &steps).expect("again"));
        let error = open_writing(&path, steps.get(..1).expect("one")).expect_err("a newer file");
        assert!(
            error.to_string().ends_with("has format 2 and this program knows formats up to 1; use a newer portreeve")
        );
        assert!(open_reading(&path, 1, 1).is_err());
        assert!(open_reading(&path, 2, 2).expect("readable").is_some());
    }
}
