//! The order of the pseudo-header fields in the first header block, which tells HTTP/2 libraries apart.
//!
//! Walks HPACK (RFC 7541) only as far as the pseudo-header fields go, which stand in front and which every client sends by
//! their index in the static table. Values are skipped, nothing is kept.

/// Reads the bytes of one header block as they pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct PseudoOrder {
    state: State,
    letters: [u8; 4],
    len: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of a field.
    Field,
    /// Inside the rest of a table size update.
    Size,
    /// At the first byte of a value's length.
    Length,
    /// Inside a value's length.
    LengthMore {
        so_far: u32,
        shift: u32,
    },
    /// Inside a value.
    Value(u32),
    Done,
}

impl PseudoOrder {
    pub(super) const fn new() -> Self {
        Self { state: State::Field, letters: [0; 4], len: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The letters in order, such as `masp`: method, authority, scheme, path.
    pub(super) fn letters(&self) -> &[u8] {
        self.letters.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, after)) = bytes.split_first() {
            bytes = after;
            self.state = match self.state {
                State::Done => return,
                State::Field => self.field(byte),
                State::Size if byte & 0x80 != 0 => State::Size,
                State::Size => State::Field,
                State::Length if byte & 0x7f == 0x7f => State::LengthMore { so_far: 0x7f, shift: 0 },
                State::Length => value(u32::from(byte & 0x7f)),
                // Four bytes of length are more than any limit of a head lets pass.
                State::LengthMore { shift: 28.., .. } => State::Done,
                State::LengthMore { so_far, shift } => {
                    let so_far = so_far.saturating_add(u32::from(byte & 0x7f) << shift);
                    if byte & 0x80 == 0 { value(so_far) } else { State::LengthMore { so_far, shift: shift + 7 } }
                }
                State::Value(left) => {
                    let skipped = bytes.len().min(left.saturating_sub(1) as usize);
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    value(left.saturating_sub(1 + skipped as u32))
                }
            };
        }
    }

    fn field(&mut self, byte: u8) -> State {
        let (index, then) = match byte {
            0x80.. => (byte & 0x7f, State::Field),
            0x40..0x80 => (byte & 0x3f, State::Length),
            0x20..0x40 => return if byte & 0x1f == 0x1f { State::Size } else { State::Field },
            0x00..0x20 => (byte & 0x0f, State::Length),
        };
        let letter = match index {
            1 => b'a',
            2 | 3 => b'm',
            4 | 5 => b'p',
            6 | 7 => b's',
            _ => return State::Done,
        };
        let Some(slot) = self.letters.get_mut(usize::from(self.len)) else { return State::Done };
        *slot = letter;
        self.len += 1;
        then
    }
}

fn value(left: u32) -> State {
    if left == 0 { State::Field } else { State::Value(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_read_however_the_block_is_cut() {
        // RFC 7541, C.3.1 with an own path of 130 bytes: method, scheme, path, authority, then an ordinary field.
        let mut block = vec![0x3f, 0xe1, 0x1f, 0x82, 0x86, 0x44, 0x7f, 0x03];
        block.extend_from_slice(&[b'/'; 130]);
        block.extend_from_slice(b"\x41\x0fwww.example.com\x53\x03*/*");
        for step in 1..block.len() {
            let mut order = PseudoOrder::new();
            block.chunks(step).for_each(|piece| order.feed(piece));
            assert_eq!((order.letters(), order.is_done()), (&b"mspa"[..], true), "{step}");
        }
    }

    #[test]
    fn hostile_lengths_end_the_reading() {
        let mut order = PseudoOrder::new();
        order.feed(&[0x44, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(order.is_done());
        let mut order = PseudoOrder::new();
        order.feed(&[0x82; 9]);
        assert_eq!((order.letters(), order.is_done()), (&b"mmmm"[..], true));
    }
}
