//! A column of texts that repeat, built as a dictionary.
//!
//! Arrow has a builder for this; here the key of the previous row is tried first, because in most columns of an event most
//! rows repeat the one before, and the hash is one made for short texts. Together that halves the cost of an event.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, PrimitiveArray, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Texts of one column, each different text kept once.
#[derive(Debug)]
pub struct TextColumn {
    keys: Vec<i32>,
    /// Where each different text ends in `bytes`; starts with 0.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
    by_text: HashTable<i32>,
    hasher: DefaultHashBuilder,
}

impl Default for TextColumn {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            offsets: vec![0],
            bytes: Vec::new(),
            by_text: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

/// The different text with this key.
fn text_at<'a>(offsets: &[i32], bytes: &'a [u8], key: i32) -> &'a [u8] {
    let key = key as usize;
    match offsets.get(key..key.saturating_add(2)) {
        Some(&[start, end]) => bytes.get(start as usize..end as usize).unwrap_or_default(),
        _ => &[],
    }
}

/// Equality of short texts, eight bytes at a time. The library's comparison is made for long ones: measured, it took a
/// fifth of all time spent on an event.
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a_words.iter().zip(b_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b));
    words && a_rest.iter().zip(b_rest).fold(0, |odd, (a, b)| odd | (a ^ b)) == 0
}

impl TextColumn {
    /// Adds a row and gives the key of its text.
    ///
    /// # Errors
    /// When the different texts together are longer than 2 GiB, which the bounds on rows and texts rule out.
    pub fn push(&mut self, text: &str) -> Result<i32, ArrowError> {
        let Self { keys, offsets, bytes, by_text, hasher } = self;
        if let Some(&last) = keys.last()
            && same(text_at(offsets, bytes, last), text.as_bytes())
        {
            keys.push(last);
            return Ok(last);
        }
        let hash = hasher.hash_one(text);
        let key = match by_text.find(hash, |&key| text_at(offsets, bytes, key) == text.as_bytes()) {
            Some(&key) => key,
            None => {
                let end =
                    i32::try_from(bytes.len() + text.len()).map_err(|_| ArrowError::DictionaryKeyOverflowError)?;
                let key = i32::try_from(offsets.len() - 1).map_err(|_| ArrowError::DictionaryKeyOverflowError)?;
                bytes.extend_from_slice(text.as_bytes());
                offsets.push(end);
                by_text.insert_unique(hash, key, |&key| hash_of(hasher, text_at(offsets, bytes, key)));
                key
            }
        };
        keys.push(key);
        Ok(key)
    }

    /// The column; the builder is empty afterwards.
    ///
    /// # Errors
    /// When Arrow refuses the parts, which would be our mistake.
    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let Self { keys, offsets, bytes, .. } = std::mem::take(self);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let texts = StringArray::try_new(offsets, Buffer::from_vec(bytes), None)?;
        let keys = PrimitiveArray::<Int32Type>::new(ScalarBuffer::from(keys), None);
        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(texts))?))
    }
}

/// The hash of a stored text: that of the same bytes as `str`.
fn hash_of(hasher: &DefaultHashBuilder, bytes: &[u8]) -> u64 {
    // INVARIANT: the bytes were a `str` when they were added.
    hasher.hash_one(std::str::from_utf8(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equality_is_that_of_slices(a in "[ab]{0,20}", b in "[ab]{0,20}") {
            prop_assert_eq!(same(a.as_bytes(), b.as_bytes()), a == b);
            prop_assert!(same(a.as_bytes(), a.clone().as_bytes()));
        }

        #[test]
        fn texts_come_back_in_order(texts in proptest::collection::vec("[ab]{0,3}|.{0,5}", 0..200)) {
            let mut column = TextColumn::default();
            for text in &texts {
                column.push(text).expect("a row");
            }
            let array = column.finish().expect("a column");
            let dictionary = array.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            let back: Vec<&str> = dictionary.keys().values().iter().map(|&key| values.value(key as usize)).collect();
            prop_assert_eq!(back, texts.iter().map(String::as_str).collect::<Vec<_>>());
            let mut different: Vec<&str> = values.iter().flatten().collect();
            different.sort_unstable();
            different.dedup();
            prop_assert_eq!(different.len(), values.len());
            prop_assert_eq!(column.finish().expect("an empty column").len(), 0);
        }
    }
}
