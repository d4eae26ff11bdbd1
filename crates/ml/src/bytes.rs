//! The container of every model file: magic, kind, version, payload, checksum; and readers that never run past an end.

use thiserror::Error;

use crate::hash::hash_bytes;

const MAGIC: [u8; 4] = *b"PTML";

/// Why a model file was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModelError {
    /// The file ends before what it announced.
    #[error("the model file is cut short")]
    Truncated,
    /// The file is no model file.
    #[error("this is no model file")]
    Magic,
    /// The file holds another kind of model or another version of the format.
    #[error("the model file holds `{found}` in version {version}, wanted `{wanted}` in version {wanted_version}")]
    Kind {
        /// What the file says it is.
        found: String,
        /// Its format version.
        version: u16,
        /// What was asked for.
        wanted: String,
        /// The format version this program reads.
        wanted_version: u16,
    },
    /// The content is not what was written.
    #[error("the model file's checksum does not match its content")]
    Checksum,
    /// A value that cannot be right.
    #[error("the model file is inconsistent: {0}")]
    Inconsistent(&'static str),
}

/// Reads little-endian values from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ModelError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(ModelError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let mut array = [0u8; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, ModelError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// The next 16 bits.
    pub fn u16(&mut self) -> Result<u16, ModelError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next 16 bits, signed.
    pub fn i16(&mut self) -> Result<i16, ModelError> {
        Ok(i16::from_le_bytes(self.array()?))
    }

    /// The next 32 bits.
    pub fn u32(&mut self) -> Result<u32, ModelError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// The next 32 bits as a finite number.
    pub fn f32(&mut self) -> Result<f32, ModelError> {
        let value = f32::from_le_bytes(self.array()?);
        if value.is_finite() { Ok(value) } else { Err(ModelError::Inconsistent("a number is not finite")) }
    }

    /// Nothing may be left.
    pub const fn finish(self) -> Result<(), ModelError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ModelError::Inconsistent("bytes are left over")) }
    }
}

/// Wraps a payload into a model file. `kind` is four ASCII letters.
pub fn seal(kind: [u8; 4], version: u16, payload: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(payload.len() + 22);
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&kind);
    file.extend_from_slice(&version.to_le_bytes());
    file.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    file.extend_from_slice(payload);
    let checksum = hash_bytes(0, &file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

/// Opens a model file and gives its payload.
pub fn open(file: &[u8], kind: [u8; 4], version: u16) -> Result<&[u8], ModelError> {
    let mut reader = Reader::new(file);
    if reader.array::<4>()? != MAGIC {
        return Err(ModelError::Magic);
    }
    let (found, found_version) = (reader.array::<4>()?, reader.u16()?);
    if found != kind || found_version != version {
        let text = |kind: [u8; 4]| kind.escape_ascii().to_string();
        return Err(ModelError::Kind {
            found: text(found),
            version: found_version,
            wanted: text(kind),
            wanted_version: version,
        });
    }
    let length = reader.u32()? as usize;
    let payload = reader.take(length)?;
    let checksum = u64::from_le_bytes(reader.array()?);
    reader.finish()?;
    let covered = file.get(..file.len().saturating_sub(8)).unwrap_or_default();
    if hash_bytes(0, covered) == checksum { Ok(payload) } else { Err(ModelError::Checksum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens() {
        let file = seal(*b"test", 3, b"payload");
        assert_eq!(open(&file, *b"test", 3), Ok(&b"payload"[..]));
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        let file = seal(*b"test", 3, b"payload");
        assert_eq!(open(&[], *b"test", 3), Err(ModelError::Truncated));
        assert_eq!(open(b"GIF89a..........", *b"test", 3), Err(ModelError::Magic));
        let error = open(&file, *b"tree", 1).unwrap_err().to_string();
        assert_eq!(error, "the model file holds `test` in version 3, wanted `tree` in version 1");
        for cut in 0..file.len() {
            assert!(open(&file[..cut], *b"test", 3).is_err(), "cut at {cut}");
        }
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 1;
            assert!(open(&broken, *b"test", 3).is_err(), "flipped at {at}");
        }
    }
}
