//! Variable-length integers (LEB128) and length-prefixed text: the alphabet of the journal and of the rollups' details.

/// Appends a number, seven bits per byte, low bits first.
pub fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a text with its length.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number that may be absent: 0, or 1 and the number.
pub fn put_optional(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => {
            out.push(1);
            put(out, number);
        }
        None => out.push(0),
    }
}

/// Reads what the `put` functions wrote. Every reading returns `None` at the end of the bytes or on bytes that were not written by
/// them; it never reads beyond the slice and never allocates.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// True when everything was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    /// A number.
    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number that must fit a smaller type.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    /// A number of things, of which there may be at most `max`.
    pub fn count(&mut self, max: usize) -> Option<usize> {
        self.narrow().filter(|count| *count <= max)
    }

    /// A number that may be absent.
    pub fn optional(&mut self) -> Option<Option<u64>> {
        match self.array()? {
            [0] => Some(None),
            [1] => self.number().map(Some),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.narrow()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(numbers in proptest::collection::vec(any::<u64>(), 0..20), text in ".{0,40}") {
            let mut bytes = Vec::new();
            for &number in &numbers {
                put(&mut bytes, number);
                put_optional(&mut bytes, Some(number));
            }
            put_optional(&mut bytes, None);
            put_text(&mut bytes, &text);
            let mut input = Input::new(&bytes);
            for &number in &numbers {
                prop_assert_eq!(input.number(), Some(number));
                prop_assert_eq!(input.optional(), Some(Some(number)));
            }
            prop_assert_eq!(input.optional(), Some(None));
            prop_assert_eq!(input.text(), Some(text.as_str()));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut input = Input::new(&bytes);
            while input.number().is_some() {}
            let _ = input.text();
        }
    }
}
