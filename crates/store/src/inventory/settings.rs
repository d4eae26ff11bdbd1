//! Settings that are changed while running: small JSON values by name.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::Inventory;
use crate::error::StoreError;

impl Inventory {
    /// A setting; `None` when it was never set.
    ///
    /// # Errors
    /// When SQLite refuses, or the stored text is no JSON.
    pub fn setting(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let sql = "SELECT value FROM settings WHERE key = ?1";
        let text: Option<String> =
            self.connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Sets a setting and gives what was there before. Who did it belongs into the audit log.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn put_setting(&mut self, key: &str, value: &Value) -> Result<Option<Value>, StoreError> {
        let before = self.setting(key)?;
        self.connection.execute(
            "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![key, value.to_string()],
        )?;
        Ok(before)
    }
}
