//! One direction of a TCP connection, put back in order in bounded memory.

/// Bytes that wait for earlier ones, at most.
const WAITING_BYTES_MAX: usize = 256 * 1024;
/// Segments that wait for earlier ones, at most.
const WAITING_MAX: usize = 256;

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// The capture lacks some bytes here.
    Gap,
}

/// Puts segments in order.
#[derive(Clone, Debug, Default)]
pub struct Ordering {
    next: Option<u32>,
    waiting: Vec<(u32, Vec<u8>)>,
    bytes: usize,
}

impl Ordering {
    /// The connection opens: the first byte has the number behind this one.
    pub fn open(&mut self, sequence: u32) {
        *self = Self { next: Some(sequence.wrapping_add(1)), ..Self::default() };
    }

    /// Bytes that wait.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a segment; what is in order now comes out.
    pub fn take(&mut self, sequence: u32, payload: &[u8], out: &mut dyn FnMut(Chunk<'_>)) {
        if payload.is_empty() {
            return;
        }
        // A capture that began in the middle of a connection begins here.
        let next = *self.next.get_or_insert(sequence);
        if distance(next, sequence) > 0 {
            self.bytes += payload.len();
            self.waiting.push((sequence, payload.to_vec()));
            if self.bytes > WAITING_BYTES_MAX || self.waiting.len() > WAITING_MAX {
                self.skip(out);
            }
            return;
        }
        self.deliver(sequence, payload, out);
        self.drain(out);
    }

    /// Nothing more comes: what waits comes out as it is.
    pub fn end(&mut self, out: &mut dyn FnMut(Chunk<'_>)) {
        while !self.waiting.is_empty() {
            self.skip(out);
        }
    }

    fn deliver(&mut self, sequence: u32, payload: &[u8], out: &mut dyn FnMut(Chunk<'_>)) {
        let Some(next) = self.next else { return };
        // Sent again, perhaps with new bytes behind the old ones.
        let old = usize::try_from(distance(sequence, next)).unwrap_or(0);
        let Some(new) = payload.get(old..).filter(|new| !new.is_empty()) else { return };
        self.next = Some(next.wrapping_add(new.len() as u32));
        out(Chunk::Bytes(new));
    }

    fn drain(&mut self, out: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(next) = self.next {
            let Some(at) = self.waiting.iter().position(|(sequence, _)| distance(next, *sequence) <= 0) else { return };
            let (sequence, payload) = self.waiting.swap_remove(at);
            self.bytes -= payload.len();
            self.deliver(sequence, &payload, out);
        }
    }

    /// Gives up on the bytes that lack before the first that wait.
    fn skip(&mut self, out: &mut dyn FnMut(Chunk<'_>)) {
        let Some(next) = self.next else { return };
        let first = self.waiting.iter().map(|(sequence, _)| *sequence).min_by_key(|&one| distance(next, one));
        let Some(first) = first else { return };
        self.next = Some(first);
        out(Chunk::Gap);
        self.drain(out);
    }
}

/// How far `to` lies behind `from`; numbers wrap around.
const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn late_repeated_and_lost_segments() {
        let mut ordering = Ordering::default();
        let mut text = String::new();
        let mut out = |chunk: Chunk<'_>| match chunk {
            Chunk::Bytes(bytes) => text.push_str(std::str::from_utf8(bytes).unwrap()),
            Chunk::Gap => text.push('|'),
        };
        ordering.open(u32::MAX - 1);
        ordering.take(2, b"cd", &mut out);
        ordering.take(u32::MAX, b"xab", &mut out);
        ordering.take(u32::MAX, b"xab", &mut out);
        ordering.take(3, b"def", &mut out);
        ordering.take(10, b"yz", &mut out);
        ordering.end(&mut out);
        assert_eq!(text, "xabcdef|yz");
        assert_eq!(ordering.bytes(), 0);
    }

    proptest! {
        #[test]
        fn any_order_gives_the_bytes_back(cuts in proptest::collection::vec(1usize..9, 1..30), seed in any::<u64>(), start in any::<u32>()) {
            let whole: Vec<u8> = (0..cuts.iter().sum::<usize>()).map(|at| at as u8).collect();
            let mut at = 0;
            let mut segments: Vec<(u32, &[u8])> = cuts.iter().map(|&length| {
                let one = (start.wrapping_add(1 + at as u32), &whole[at..at + length]);
                at += length;
                one
            }).collect();
            segments.sort_by_key(|(sequence, _)| (u64::from(*sequence) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut ordering = Ordering::default();
            ordering.open(start);
            let mut got = Vec::new();
            for (sequence, payload) in segments {
                ordering.take(sequence, payload, &mut |chunk| if let Chunk::Bytes(bytes) = chunk { got.extend_from_slice(bytes) });
            }
            prop_assert_eq!(got, whole);
        }
    }
}
