//! A sorted table from 32-bit hashes to a few bytes each: aggregate statistics of tokens, never the tokens.

use crate::bytes::{self, ModelError, Reader};
use crate::hash::hash_bytes;

const KIND: [u8; 4] = *b"tabl";
const VERSION: u16 = 1;

/// A read-only map from hashed keys to `columns` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedTable {
    columns: usize,
    keys: Vec<u32>,
    values: Vec<u8>,
}

/// The key of a token.
pub fn key(token: &[u8]) -> u32 {
    hash_bytes(0x7461_626c, token) as u32
}

impl HashedTable {
    /// A table of rows; the first row of a key wins, rows of another width are an error.
    pub fn new(columns: usize, mut rows: Vec<(u32, Vec<u8>)>) -> Result<Self, ModelError> {
        if columns == 0 || columns > 64 || rows.iter().any(|(_, values)| values.len() != columns) {
            return Err(ModelError::Inconsistent("a row has the wrong width"));
        }
        rows.sort_by_key(|row| row.0);
        rows.dedup_by_key(|row| row.0);
        let keys = rows.iter().map(|row| row.0).collect();
        Ok(Self { columns, keys, values: rows.into_iter().flat_map(|row| row.1).collect() })
    }

    /// Reads a model file.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        let mut reader = Reader::new(bytes::open(file, KIND, VERSION)?);
        let (columns, count) = (usize::from(reader.u8()?), reader.u32()? as usize);
        if columns == 0 || columns > 64 {
            return Err(ModelError::Inconsistent("a row has the wrong width"));
        }
        let key_bytes = reader.take(count.checked_mul(4).ok_or(ModelError::Truncated)?)?;
        let mut keys = Vec::with_capacity(count);
        let mut key_reader = Reader::new(key_bytes);
        for _ in 0..count {
            keys.push(key_reader.u32()?);
        }
        if keys.iter().zip(keys.iter().skip(1)).any(|(low, high)| low >= high) {
            return Err(ModelError::Inconsistent("keys must ascend"));
        }
        let values = reader.take(count.checked_mul(columns).ok_or(ModelError::Truncated)?)?.to_vec();
        reader.finish()?;
        Ok(Self { columns, keys, values })
    }

    /// Writes a model file.
    pub fn write(&self) -> Vec<u8> {
        let mut payload = vec![self.columns as u8];
        payload.extend_from_slice(&(self.keys.len() as u32).to_le_bytes());
        self.keys.iter().for_each(|key| payload.extend_from_slice(&key.to_le_bytes()));
        payload.extend_from_slice(&self.values);
        bytes::seal(KIND, VERSION, &payload)
    }

    /// The values of a token.
    pub fn row(&self, token: &[u8]) -> Option<&[u8]> {
        let at = self.keys.binary_search(&key(token)).ok()?;
        self.values.get(at * self.columns..(at + 1) * self.columns)
    }

    /// How many tokens the table knows.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// True when the table knows no token.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_found_again() {
        let rows = vec![(key(b"users"), vec![1, 2]), (key(b"orders"), vec![3, 4])];
        let table = HashedTable::new(2, rows).unwrap();
        let table = HashedTable::read(&table.write()).unwrap();
        assert_eq!(table.row(b"orders"), Some(&[3, 4][..]));
        assert_eq!(table.row(b"users"), Some(&[1, 2][..]));
        assert_eq!((table.row(b"unknown"), table.len()), (None, 2));
    }

    proptest! {
        #[test]
        fn hostile_files_are_refused_or_harmless(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(table) = HashedTable::read(&bytes::seal(KIND, VERSION, &payload)) {
                table.row(b"users");
            }
        }
    }
}
