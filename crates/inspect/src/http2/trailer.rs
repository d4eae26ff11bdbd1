//! Whether a trailer section holds a pseudo-header field, which makes it malformed (RFC 9113, 8.1) and which the HTTP/2
//! library drops without a word.
//!
//! Walks the fields of HPACK (RFC 7541) without decoding them: names are told by their index in the static table or by their
//! first byte. A name in the dynamic table is not looked up; one that got there did so by a name that was seen here or in
//! a head, and the library drops it.

/// The static table begins with the pseudo-header fields: `:authority` to `:status`.
const PSEUDO_INDEX_MAX: u32 = 14;

/// Reads the bytes of one trailer section as they pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrailerWalk {
    state: State,
    /// A pseudo-header field was there.
    pub(super) has_pseudo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of a field.
    Field,
    /// Inside an index, a size or a length that goes on.
    More(What, u32, u32),
    /// At the first byte of a string's length.
    Length(What),
    /// At the first byte of a name of so many, Huffman-coded or not.
    NameFirst(u32, bool),
    /// Inside a name; its value follows.
    Name(u32),
    /// Inside a value.
    Value(u32),
    /// Too long for any limit of a head.
    Done,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    IndexedField,
    IndexedName,
    Size,
    NameLength { huffman: bool },
    ValueLength,
}

impl TrailerWalk {
    pub(super) const fn new() -> Self {
        Self { state: State::Field, has_pseudo: false }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, after)) = bytes.split_first() {
            bytes = after;
            self.state = match self.state {
                State::Done => return,
                State::Field => self.field(byte),
                State::Length(What::NameLength { .. }) => {
                    self.number(What::NameLength { huffman: byte & 0x80 != 0 }, byte, 0x7f)
                }
                State::Length(what) => self.number(what, byte, 0x7f),
                State::More(_, _, 28..) => State::Done,
                State::More(what, so_far, shift) => {
                    let so_far = so_far.saturating_add(u32::from(byte & 0x7f) << shift);
                    if byte & 0x80 == 0 { self.known(what, so_far) } else { State::More(what, so_far, shift + 7) }
                }
                State::NameFirst(len, huffman) => {
                    // A colon is seven bits in the code of RFC 7541, appendix B.
                    self.has_pseudo |= if huffman { byte & 0xfe == 0xb8 } else { byte == b':' };
                    name(len - 1)
                }
                State::Name(left) | State::Value(left) => {
                    let skipped = bytes.len().min(left.saturating_sub(1) as usize);
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    let left = left.saturating_sub(1 + skipped as u32);
                    if matches!(self.state, State::Name(_)) { name(left) } else { value(left) }
                }
            };
        }
    }

    fn field(&mut self, byte: u8) -> State {
        match byte {
            0x80.. => self.number(What::IndexedField, byte, 0x7f),
            0x40..0x80 => self.number(What::IndexedName, byte, 0x3f),
            0x20..0x40 => self.number(What::Size, byte, 0x1f),
            0x00..0x20 => self.number(What::IndexedName, byte, 0x0f),
        }
    }

    /// A number whose first byte has the bits of `mask` for it (RFC 7541, 5.1).
    fn number(&mut self, what: What, byte: u8, mask: u8) -> State {
        let first = byte & mask;
        if first == mask { State::More(what, u32::from(mask), 0) } else { self.known(what, u32::from(first)) }
    }

    fn known(&mut self, what: What, number: u32) -> State {
        match what {
            What::IndexedField | What::IndexedName => {
                self.has_pseudo |= (1..=PSEUDO_INDEX_MAX).contains(&number);
                match (what, number) {
                    (What::IndexedField, _) => State::Field,
                    (_, 0) => State::Length(What::NameLength { huffman: false }),
                    _ => State::Length(What::ValueLength),
                }
            }
            What::Size => State::Field,
            What::NameLength { huffman } if number > 0 => State::NameFirst(number, huffman),
            What::NameLength { .. } => State::Length(What::ValueLength),
            What::ValueLength => value(number),
        }
    }
}

fn name(left: u32) -> State {
    if left == 0 { State::Length(What::ValueLength) } else { State::Name(left) }
}

fn value(left: u32) -> State {
    if left == 0 { State::Field } else { State::Value(left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pseudo_fields_are_seen_however_the_block_is_cut() {
        let ordinary: &[u8] = b"\x00\x0bgrpc-status\x010\x53\x03*/*\x40\x81\xbb\x00";
        for (tail, expected) in [
            (&b""[..], false),
            (b"\x82", true),
            (b"\x42\x03200", true),
            (b"\x08\x03200", true),
            (b"\x00\x07:method\x03GET", true),
            (b"\x40\x82\xb8\x00\x01a", true),
            (b"\x90\xbe", false),
            (b"\x20\x3f\xe1\x1f\x90", false),
            (b"\x00\x01x\x01:", false),
        ] {
            let block = [ordinary, tail].concat();
            for step in 1..block.len() {
                let mut walk = TrailerWalk::new();
                block.chunks(step).for_each(|piece| walk.feed(piece));
                assert_eq!((walk.has_pseudo, walk.state), (expected, State::Field), "{tail:?} in steps of {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_the_same_in_any_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..200), step in 1usize..9) {
            let (mut whole, mut pieces) = (TrailerWalk::new(), TrailerWalk::new());
            whole.feed(&bytes);
            bytes.chunks(step).for_each(|piece| pieces.feed(piece));
            prop_assert_eq!((whole.has_pseudo, whole.state), (pieces.has_pseudo, pieces.state));
        }
    }
}
