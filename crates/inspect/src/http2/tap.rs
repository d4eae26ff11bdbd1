//! Counts the frames that a client sends over one HTTP/2 connection and says when they become a flood.
//!
//! The tap is fed with the bytes as they are read, before the HTTP/2 library sees them. It keeps nine bytes of a frame's
//! head and never a payload, and its cost is that of looking at each frame's head. It also reads the client's fingerprint:
//! the settings, window, priorities and order of pseudo-header fields in the form of Shuster, Segal and Ben Hagai,
//! "Passive fingerprinting of HTTP/2 clients" (2017).

use std::fmt::Write;

use model::ids::Timestamp;
use model::limits::Limits;
use model::reason::Anomaly;
use smallvec::SmallVec;

use super::PREFACE;
use super::order::PseudoOrder;
use super::trailer::TrailerWalk;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const PRIORITY_UPDATE: u8 = 16;

/// `END_STREAM` of DATA, `ACK` of SETTINGS and PING.
const FLAG_1: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 32;

/// Frames of each kind in the current second, and what the connection has sent in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Frames of any kind since the connection began.
    pub frames: u64,
    /// HEADERS frames since the connection began.
    pub heads: u64,
    /// RST_STREAM, and frames that make the server reset a stream.
    pub resets: u32,
    /// SETTINGS without ACK.
    pub settings: u32,
    /// PING without ACK.
    pub pings: u32,
    /// PRIORITY and PRIORITY_UPDATE.
    pub priorities: u32,
    /// WINDOW_UPDATE.
    pub window_updates: u32,
    /// DATA, HEADERS and CONTINUATION without content that end nothing, and frames of unknown kinds.
    pub empties: u32,
}

/// Watches the bytes of the client's side of one HTTP/2 connection.
#[derive(Debug)]
pub struct FrameTap {
    resets_max: u32,
    control_max: u32,
    continuations_max: u32,
    head_bytes_max: u32,
    state: State,
    /// The head of the current frame, and behind it small payloads while they are collected.
    held: [u8; 9],
    frame: Frame,
    counts: FrameCounts,
    second_began: Timestamp,
    /// The stream whose header block is open, with its frames and bytes so far.
    open_block: Option<u32>,
    continuations: u32,
    block_bytes: u32,
    /// The highest stream that had a head: a later header block of one up to it is a trailer section.
    stream_max: u32,
    /// The walk through the trailer section that passes.
    trailer: Option<TrailerWalk>,
    broken: Option<Anomaly>,
    print: Print,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Preface(usize),
    Head(usize),
    Payload(u32),
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    len: u32,
}

/// What the fingerprint is made of. Frozen when the first header block has told its order.
#[derive(Debug)]
struct Print {
    settings: SmallVec<[(u16, u32); 8]>,
    window: u32,
    priorities: SmallVec<[(u32, [u8; 5]); 4]>,
    order: PseudoOrder,
    heads_seen: bool,
}

/// The most settings and priorities that a fingerprint keeps; real clients send fewer.
const PRINT_ITEMS_MAX: usize = 16;

impl FrameTap {
    /// A tap at the beginning of a connection.
    pub fn new(limits: &Limits) -> Self {
        Self {
            resets_max: limits.h2_resets_per_s_max,
            control_max: limits.h2_control_frames_per_s_max,
            continuations_max: limits.h2_continuations_per_head_max,
            head_bytes_max: limits.head_bytes_max,
            state: State::Preface(0),
            held: [0; 9],
            frame: Frame::default(),
            counts: FrameCounts::default(),
            second_began: Timestamp::default(),
            open_block: None,
            continuations: 0,
            block_bytes: 0,
            stream_max: 0,
            trailer: None,
            broken: None,
            print: Print {
                settings: SmallVec::new(),
                window: 0,
                priorities: SmallVec::new(),
                order: PseudoOrder::new(),
                heads_seen: false,
            },
        }
    }

    /// Watches the next bytes that the client sent, in order and without gaps.
    ///
    /// # Errors
    /// The limit that is broken or the rule of framing; the connection should be closed. Every later call says the same.
    pub fn feed(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Anomaly> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let outcome = self.walk(bytes, now);
        self.broken = outcome.err();
        outcome
    }

    /// The counts so far; those per second are of the second that the last frame fell into.
    pub fn counts(&self) -> &FrameCounts {
        &self.counts
    }

    /// The client's fingerprint: settings, window, priorities, order of pseudo-header fields, such as
    /// `1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p`. `None` until the first request's head began.
    pub fn fingerprint(&self) -> Option<String> {
        if !self.print.heads_seen {
            return None;
        }
        let mut text = String::with_capacity(96);
        for (at, (id, value)) in self.print.settings.iter().enumerate() {
            let _ = write!(text, "{}{id}:{value}", if at == 0 { "" } else { ";" });
        }
        let _ = write!(text, "|{:02}|", self.print.window);
        for (at, (stream, [a, b, c, d, weight])) in self.print.priorities.iter().enumerate() {
            let depends = u32::from_be_bytes([*a, *b, *c, *d]);
            let (exclusive, on, weight) = (depends >> 31, depends & 0x7fff_ffff, u32::from(*weight) + 1);
            let _ = write!(text, "{}{stream}:{exclusive}:{on}:{weight}", if at == 0 { "" } else { "," });
        }
        if self.print.priorities.is_empty() {
            text.push('0');
        }
        for (at, letter) in self.print.order.letters().iter().enumerate() {
            text.push(if at == 0 { '|' } else { ',' });
            text.push(char::from(*letter));
        }
        Some(text)
    }

    fn walk(&mut self, mut bytes: &[u8], now: Timestamp) -> Result<(), Anomaly> {
        while !bytes.is_empty() {
            match self.state {
                State::Preface(seen) => {
                    let expected = PREFACE.get(seen..).unwrap_or_default();
                    let len = expected.len().min(bytes.len());
                    if bytes.get(..len) != expected.get(..len) {
                        return Err(Anomaly::H2FrameMalformed);
                    }
                    bytes = bytes.get(len..).unwrap_or_default();
                    self.state = if len == expected.len() { State::Head(0) } else { State::Preface(seen + len) };
                }
                State::Head(have) => {
                    let len = (9 - have).min(bytes.len());
                    self.hold(have, bytes.get(..len).unwrap_or_default());
                    bytes = bytes.get(len..).unwrap_or_default();
                    if have + len < 9 {
                        self.state = State::Head(have + len);
                    } else {
                        self.begin_frame(now)?;
                        self.state = if self.frame.len == 0 { State::Head(0) } else { State::Payload(0) };
                    }
                }
                State::Payload(seen) => {
                    let len = ((self.frame.len - seen) as usize).min(bytes.len());
                    self.payload(seen, bytes.get(..len).unwrap_or_default())?;
                    bytes = bytes.get(len..).unwrap_or_default();
                    let seen = seen + len as u32;
                    self.state = if seen == self.frame.len { State::Head(0) } else { State::Payload(seen) };
                }
            }
        }
        Ok(())
    }

    fn hold(&mut self, at: usize, bytes: &[u8]) {
        for (slot, &byte) in self.held.iter_mut().skip(at).zip(bytes) {
            *slot = byte;
        }
    }

    /// Everything that is judged by the frame's head alone.
    fn begin_frame(&mut self, now: Timestamp) -> Result<(), Anomaly> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = self.held;
        let len = u32::from_be_bytes([0, l0, l1, l2]);
        let stream = u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff;
        self.frame = Frame { kind, flags, stream, len };
        self.counts.frames += 1;
        if now.micros_since(self.second_began) >= 1_000_000 {
            self.second_began = now;
            self.counts =
                FrameCounts { frames: self.counts.frames, heads: self.counts.heads, ..FrameCounts::default() };
        }
        if let Some(open) = self.open_block {
            // RFC 9113, 6.10: nothing may stand between the frames of a header block.
            if kind != CONTINUATION || stream != open {
                return Err(Anomaly::H2FrameMalformed);
            }
        }
        match kind {
            DATA => {
                // Padding of one byte to 255 counts as empty, too: content as small as that is not worth a flood of frames.
                if flags & FLAG_1 == 0 && (len == 0 || (flags & PADDED != 0 && len <= 256)) {
                    return self.count_empty();
                }
                Ok(())
            }
            HEADERS | CONTINUATION => self.begin_block(),
            RST_STREAM => self.count_reset(),
            PRIORITY if len != 5 => self.count_reset(),
            SETTINGS if flags & FLAG_1 == 0 => {
                within(&mut self.counts.settings, self.control_max, Anomaly::H2SettingsFlood)
            }
            PING if flags & FLAG_1 == 0 => within(&mut self.counts.pings, self.control_max, Anomaly::H2PingFlood),
            PRIORITY | PRIORITY_UPDATE => {
                within(&mut self.counts.priorities, self.control_max, Anomaly::H2PriorityFlood)
            }
            WINDOW_UPDATE => {
                let max = self.control_max.saturating_mul(10);
                within(&mut self.counts.window_updates, max, Anomaly::H2WindowFlood)
            }
            // Acknowledgements answer what we sent.
            SETTINGS | PING => Ok(()),
            _ => self.count_empty(),
        }
    }

    fn begin_block(&mut self) -> Result<(), Anomaly> {
        let Frame { kind, flags, stream, len } = self.frame;
        if kind == HEADERS {
            self.counts.heads += 1;
            self.print.heads_seen = true;
            (self.continuations, self.block_bytes) = (0, 0);
            self.trailer = (stream <= self.stream_max).then(TrailerWalk::new);
            self.stream_max = self.stream_max.max(stream);
        } else {
            if self.open_block.is_none() {
                return Err(Anomaly::H2FrameMalformed);
            }
            self.continuations += 1;
            if self.continuations > self.continuations_max {
                return Err(Anomaly::H2ContinuationFlood);
            }
        }
        self.block_bytes = self.block_bytes.saturating_add(len);
        if self.block_bytes > self.head_bytes_max {
            return Err(Anomaly::H2HeadTooLarge);
        }
        let ends = flags & END_HEADERS != 0;
        self.open_block = if ends { None } else { Some(stream) };
        if len == 0 && !ends { self.count_empty() } else { Ok(()) }
    }

    fn count_reset(&mut self) -> Result<(), Anomaly> {
        within(&mut self.counts.resets, self.resets_max, Anomaly::H2RapidReset)
    }

    fn count_empty(&mut self) -> Result<(), Anomaly> {
        within(&mut self.counts.empties, self.control_max, Anomaly::H2EmptyDataFlood)
    }

    /// Looks into the few payloads that matter, `seen` bytes of which have passed.
    fn payload(&mut self, seen: u32, bytes: &[u8]) -> Result<(), Anomaly> {
        match self.frame.kind {
            SETTINGS if !self.print.heads_seen => self.collect(seen, bytes, 6, |tap, item| {
                if let &[i0, i1, v0, v1, v2, v3, ..] = item
                    && tap.print.settings.len() < PRINT_ITEMS_MAX
                {
                    let value = u32::from_be_bytes([v0, v1, v2, v3]);
                    tap.print.settings.push((u16::from_be_bytes([i0, i1]), value));
                }
                Ok(())
            }),
            WINDOW_UPDATE if self.frame.len == 4 => self.collect(seen, bytes, 4, |tap, item| {
                let &[a, b, c, d, ..] = item else { return Ok(()) };
                let increment = u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff;
                // RFC 9113, 6.9: an increment of zero makes the server reset the stream.
                if increment == 0 && tap.frame.stream != 0 {
                    return tap.count_reset();
                }
                if tap.frame.stream == 0 && !tap.print.heads_seen && tap.print.window == 0 {
                    tap.print.window = increment;
                }
                Ok(())
            }),
            PRIORITY if self.frame.len == 5 => self.collect(seen, bytes, 5, |tap, item| {
                let &[a, b, c, d, weight, ..] = item else { return Ok(()) };
                // RFC 9113, 5.3.1 of RFC 7540: a stream that depends on itself is reset.
                if u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff == tap.frame.stream {
                    return tap.count_reset();
                }
                if !tap.print.heads_seen && tap.print.priorities.len() < PRINT_ITEMS_MAX {
                    tap.print.priorities.push((tap.frame.stream, [a, b, c, d, weight]));
                }
                Ok(())
            }),
            HEADERS | CONTINUATION if self.trailer.is_some() => self.walk_trailer(seen, bytes),
            HEADERS | CONTINUATION if self.counts.heads == 1 && !self.print.order.is_done() => {
                self.read_order(seen, bytes);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Collects items of `size` bytes, at most nine, out of a payload that comes in pieces.
    fn collect(
        &mut self,
        seen: u32,
        bytes: &[u8],
        size: usize,
        mut each: impl FnMut(&mut Self, &[u8]) -> Result<(), Anomaly>,
    ) -> Result<(), Anomaly> {
        let mut at = seen as usize % size;
        for &byte in bytes {
            self.hold(at, &[byte]);
            at += 1;
            if at == size {
                let item = self.held;
                each(self, item.get(..size).unwrap_or_default())?;
                at = 0;
            }
        }
        Ok(())
    }

    /// Reads the order of the pseudo-header fields of the first head.
    fn read_order(&mut self, seen: u32, bytes: &[u8]) {
        let front = self.front();
        let skipped = front.saturating_sub(seen) as usize;
        self.print.order.feed(bytes.get(skipped..).unwrap_or_default());
    }

    /// What stands before the fields of a HEADERS frame: padding length and priority.
    fn front(&self) -> u32 {
        let Frame { kind, flags, .. } = self.frame;
        let flag = |bit: u8, len: u32| if kind == HEADERS && flags & bit != 0 { len } else { 0 };
        flag(PADDED, 1) + flag(HAS_PRIORITY, 5)
    }

    fn walk_trailer(&mut self, seen: u32, bytes: &[u8]) -> Result<(), Anomaly> {
        // Padding behind the fields would be read as fields. Nobody pads trailers, so padded ones are left to the library,
        // which drops pseudo-header fields.
        let end = if self.frame.kind == HEADERS && self.frame.flags & PADDED != 0 { 0 } else { bytes.len() };
        let skipped = self.front().saturating_sub(seen) as usize;
        let Some(walk) = &mut self.trailer else { return Ok(()) };
        walk.feed(bytes.get(skipped.min(end)..end).unwrap_or_default());
        if walk.has_pseudo { Err(Anomaly::H2Malformed) } else { Ok(()) }
    }
}

fn within(count: &mut u32, max: u32, anomaly: Anomaly) -> Result<(), Anomaly> {
    *count += 1;
    if *count > max { Err(anomaly) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn limits() -> Limits {
        Limits { h2_resets_per_s_max: 5, h2_control_frames_per_s_max: 10, ..Limits::default() }
    }

    /// Opens a connection and sends `what` `times` times within one second.
    fn flood(what: &[u8], times: usize) -> Result<(), Anomaly> {
        let mut tap = FrameTap::new(&limits());
        tap.feed(PREFACE, Timestamp(7))?;
        tap.feed(&frame(SETTINGS, 0, 0, &[]), Timestamp(7))?;
        (0..times).try_for_each(|_| tap.feed(what, Timestamp(7)))
    }

    #[test]
    fn floods_are_told_apart() {
        let window = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 9]);
        for (what, within, anomaly) in [
            (frame(RST_STREAM, 0, 1, &[0; 4]), 5, Anomaly::H2RapidReset),
            (frame(WINDOW_UPDATE, 0, 1, &[0; 4]), 5, Anomaly::H2RapidReset),
            (frame(PRIORITY, 0, 1, &[0; 3]), 5, Anomaly::H2RapidReset),
            (frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 9]), 5, Anomaly::H2RapidReset),
            (frame(SETTINGS, 0, 0, &[]), 9, Anomaly::H2SettingsFlood),
            (frame(PING, 0, 0, &[0; 8]), 10, Anomaly::H2PingFlood),
            (frame(PRIORITY, 0, 1, &[0; 5]), 10, Anomaly::H2PriorityFlood),
            (frame(PRIORITY_UPDATE, 0, 0, &[0; 5]), 10, Anomaly::H2PriorityFlood),
            (frame(DATA, 0, 1, &[]), 10, Anomaly::H2EmptyDataFlood),
            (frame(DATA, PADDED, 1, &[3, 0, 0, 0]), 10, Anomaly::H2EmptyDataFlood),
            (frame(0x77, 0, 1, &[1, 2]), 10, Anomaly::H2EmptyDataFlood),
            (window, 100, Anomaly::H2WindowFlood),
        ] {
            assert_eq!(flood(&what, within), Ok(()), "{anomaly:?}");
            assert_eq!(flood(&what, within + 1), Err(anomaly));
        }
        for fine in [
            frame(DATA, FLAG_1, 1, &[]),
            frame(DATA, 0, 1, &[1]),
            frame(SETTINGS, FLAG_1, 0, &[]),
            frame(PING, FLAG_1, 0, &[0; 8]),
            // Again and again on one stream: no pseudo-header field, which would be refused in trailers.
            frame(HEADERS, END_HEADERS | FLAG_1, 1, &[0x90]),
        ] {
            assert_eq!(flood(&fine, 1000), Ok(()), "{fine:?}");
        }
    }

    #[test]
    fn a_new_second_counts_anew_and_what_is_broken_stays_broken() {
        let reset = frame(RST_STREAM, 0, 1, &[0; 4]);
        let mut tap = FrameTap::new(&limits());
        tap.feed(PREFACE, Timestamp(0)).unwrap();
        for second in 0..4 {
            for _ in 0..5 {
                tap.feed(&reset, Timestamp::from_secs(second)).unwrap();
            }
        }
        assert_eq!((tap.counts().resets, tap.counts().frames), (5, 20));
        assert_eq!(tap.feed(&reset, Timestamp::from_secs(3)), Err(Anomaly::H2RapidReset));
        assert_eq!(tap.feed(b"", Timestamp::from_secs(60)), Err(Anomaly::H2RapidReset));
    }

    #[test]
    fn header_blocks_are_bounded() {
        let limits = limits();
        let block = |pieces: usize, size: usize| {
            let mut tap = FrameTap::new(&limits);
            tap.feed(PREFACE, Timestamp(0))?;
            tap.feed(&frame(HEADERS, 0, 1, &vec![0; size]), Timestamp(0))?;
            (0..pieces).try_for_each(|_| tap.feed(&frame(CONTINUATION, 0, 1, &vec![0; size]), Timestamp(0)))
        };
        assert_eq!(block(8, 100), Ok(()));
        assert_eq!(block(9, 100), Err(Anomaly::H2ContinuationFlood));
        assert_eq!(block(1, 16_384), Ok(()));
        assert_eq!(block(2, 16_384), Err(Anomaly::H2HeadTooLarge));
        assert_eq!(flood(&frame(CONTINUATION, 0, 1, &[]), 1), Err(Anomaly::H2FrameMalformed));
        let mixed = [frame(HEADERS, 0, 1, &[0x82]), frame(DATA, 0, 1, &[1])].concat();
        assert_eq!(flood(&mixed, 1), Err(Anomaly::H2FrameMalformed));
        let mut tap = FrameTap::new(&limits);
        assert_eq!(tap.feed(b"GET / HTTP/1.1\r\n", Timestamp(0)), Err(Anomaly::H2FrameMalformed));
    }

    #[test]
    fn fingerprints_however_the_bytes_are_cut() {
        let bytes = [
            PREFACE.to_vec(),
            frame(SETTINGS, 0, 0, &[0, 1, 0, 1, 0, 0, 0, 4, 0, 2, 0, 0]),
            frame(WINDOW_UPDATE, 0, 0, &12_517_377u32.to_be_bytes()),
            frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 200]),
            frame(PRIORITY, 0, 5, &[0x80, 0, 0, 3, 100]),
            frame(
                HEADERS,
                END_HEADERS | HAS_PRIORITY | PADDED,
                15,
                b"\x01\0\0\0\0\x29\x82\x84\x41\x01a\x87\x53\x01x\0",
            ),
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]),
        ]
        .concat();
        for step in 1..bytes.len() {
            let mut tap = FrameTap::new(&limits());
            assert_eq!(tap.fingerprint(), None);
            for piece in bytes.chunks(step) {
                tap.feed(piece, Timestamp(0)).unwrap();
            }
            let print = "1:65536;4:131072|12517377|3:0:0:201,5:1:3:101|m,p,a,s";
            assert_eq!(tap.fingerprint().as_deref(), Some(print), "{step}");
        }
    }

    proptest! {
        /// Whatever comes, how it is cut changes nothing.
        #[test]
        fn cuts_do_not_matter(
            frames in proptest::collection::vec((0u8..12, any::<u8>(), 0u32..4, proptest::collection::vec(any::<u8>(), 0..20)), 0..40),
            step in 1usize..40,
        ) {
            let mut bytes = PREFACE.to_vec();
            for (kind, flags, stream, payload) in frames {
                bytes.extend(frame(kind, flags, stream, &payload));
            }
            let mut whole = FrameTap::new(&limits());
            let outcome = whole.feed(&bytes, Timestamp(0));
            let mut cut = FrameTap::new(&limits());
            let mut cut_outcome = Ok(());
            for piece in bytes.chunks(step) {
                cut_outcome = cut.feed(piece, Timestamp(0));
            }
            prop_assert_eq!(outcome, cut_outcome);
            prop_assert_eq!(whole.counts(), cut.counts());
            prop_assert_eq!(whole.fingerprint(), cut.fingerprint());
        }
    }
}
