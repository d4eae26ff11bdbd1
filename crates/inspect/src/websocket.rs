//! Frames of the WebSocket protocol (RFC 6455, section 5), without I/O: the messages of a client whole and unmasked, and where
//! the messages of a server end.
//!
//! Left out on purpose: extensions. Whoever judges messages does not let any be negotiated, so a reserved bit is a mistake.

use bytes::Bytes;

/// Longest head of a frame: two bytes, a length of eight, a mask of four.
const HEAD_BYTES_MAX: usize = 14;
/// Longest payload of a control frame (5.5).
const CONTROL_BYTES_MAX: u64 = 125;
/// How much the heads of a message's frames may take beside its text: empty fragments are free of charge for whom sends them.
const HEADS_BYTES_MAX: usize = 16 * 1024;

/// Why a client's bytes cannot be read on, with the code to close with (7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketError {
    /// A frame against the protocol.
    Malformed,
    /// A message larger than the limit.
    TooLarge,
}

impl SocketError {
    /// The code of a Close frame.
    pub const fn code(self) -> u16 {
        match self {
            Self::Malformed => 1002,
            Self::TooLarge => 1009,
        }
    }

    /// What was expected.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Malformed => "frames as RFC 6455 has them, masked and without extensions",
            Self::TooLarge => "a smaller message",
        }
    }
}

/// Where a client's bytes cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Why.
    pub error: SocketError,
    /// How many bytes of the piece were not looked at; the others were taken in.
    pub unread: usize,
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum SocketItem<'m> {
    /// A whole message: its frames as they came, its payload unmasked, and whether it is text.
    Message {
        /// The frames as they came.
        raw: &'m [u8],
        /// The payload.
        payload: &'m [u8],
        /// Text, or binary.
        is_text: bool,
    },
    /// A control frame as it came, which may stand between the frames of a message.
    Control {
        /// The frame as it came.
        raw: &'m [u8],
        /// It closes the conversation.
        closes: bool,
    },
}

/// The head of a frame, read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHead {
    is_last: bool,
    reserved: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload_bytes: u64,
    /// The length was written in the shortest form, as it must be.
    is_shortest: bool,
}

impl FrameHead {
    const fn is_control(&self) -> bool {
        self.opcode >= 8
    }

    /// How long the head is, as far as its first bytes tell.
    fn length(bytes: &[u8]) -> Option<usize> {
        let second = bytes.get(1)?;
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        Some(2 + extended + if second & 0x80 == 0 { 0 } else { 4 })
    }

    /// Reads a head that is there whole.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let short = u64::from(second & 0x7f);
        let extended = match short {
            126 => rest.get(..2)?,
            127 => rest.get(..8)?,
            _ => &[],
        };
        let payload_bytes = if extended.is_empty() {
            short
        } else {
            extended.iter().fold(0u64, |length, byte| (length << 8) | u64::from(*byte))
        };
        let is_shortest = match short {
            126 => payload_bytes > 125,
            127 => payload_bytes > u64::from(u16::MAX) && payload_bytes <= i64::MAX as u64,
            _ => true,
        };
        let mask = if second & 0x80 == 0 { None } else { rest.get(extended.len()..)?.first_chunk::<4>().copied() };
        Some(Self {
            is_last: first & 0x80 != 0,
            reserved: first & 0x70,
            opcode: first & 0x0f,
            mask,
            payload_bytes,
            is_shortest,
        })
    }
}

/// The frame whose payload is being read.
#[derive(Debug)]
struct OpenFrame {
    head: FrameHead,
    left: u64,
    /// Position in the mask.
    at: usize,
}

/// Reads what a client sends, however it is cut into pieces. Keeps one message, no larger than its limit.
#[derive(Debug, Default)]
pub struct SocketReader {
    head: Vec<u8>,
    open: Option<OpenFrame>,
    raw: Vec<u8>,
    payload: Vec<u8>,
    control: Vec<u8>,
    /// Of the message under way: whether it is text.
    message: Option<bool>,
}

impl SocketReader {
    /// Reads the next piece and hands over what became whole.
    ///
    /// # Errors
    /// When the bytes cannot be read on; nothing after it is.
    pub fn feed(
        &mut self,
        message_bytes_max: usize,
        mut data: &[u8],
        found: &mut impl FnMut(SocketItem<'_>),
    ) -> Result<(), Broken> {
        loop {
            if self.open.is_none() {
                data = self.gather_head(data);
                match self.begin_frame(message_bytes_max) {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(error) => return Err(Broken { error, unread: data.len() }),
                }
            }
            let Some(open) = &mut self.open else { return Ok(()) };
            let now = usize::try_from(open.left).unwrap_or(usize::MAX).min(data.len());
            let (piece, rest) = data.split_at_checked(now).unwrap_or((data, &[]));
            data = rest;
            if open.head.is_control() {
                self.control.extend_from_slice(piece);
            } else {
                self.raw.extend_from_slice(piece);
                let mask = open.head.mask.unwrap_or_default();
                let at = open.at;
                let key = |index: usize| mask.get((at + index) % 4).copied().unwrap_or_default();
                self.payload.extend(piece.iter().enumerate().map(|(index, byte)| byte ^ key(index)));
                open.at = (at + now) % 4;
            }
            open.left -= now as u64;
            if open.left > 0 {
                return Ok(());
            }
            self.end_frame(found);
        }
    }

    /// Bytes of a message or a frame that is not whole yet, as they came: what a transparent carrier sends first.
    pub fn take_pending(&mut self) -> Vec<u8> {
        let mut pending = std::mem::take(&mut self.raw);
        pending.append(&mut self.control);
        pending.append(&mut self.head);
        *self = Self::default();
        pending
    }

    /// Takes in what belongs to the head of a frame; gives back what follows it.
    fn gather_head<'d>(&mut self, mut data: &'d [u8]) -> &'d [u8] {
        while FrameHead::length(&self.head).is_none_or(|length| self.head.len() < length) {
            let Some((byte, rest)) = data.split_first() else { return data };
            debug_assert!(self.head.len() < HEAD_BYTES_MAX, "a head has an end");
            self.head.push(*byte);
            data = rest;
        }
        data
    }

    /// Begins the frame whose head was gathered. False when the head is not whole yet.
    fn begin_frame(&mut self, message_bytes_max: usize) -> Result<bool, SocketError> {
        if FrameHead::length(&self.head).is_none_or(|length| self.head.len() < length) {
            return Ok(false);
        }
        let Some(head) = FrameHead::read(&self.head) else { return Ok(false) };
        let fits_message = match head.opcode {
            0 => self.message.is_some(),
            1 | 2 => self.message.is_none(),
            8..=10 => head.is_last && head.payload_bytes <= CONTROL_BYTES_MAX,
            _ => false,
        };
        if head.reserved != 0 || head.mask.is_none() || !head.is_shortest || !fits_message {
            return Err(SocketError::Malformed);
        }
        if !head.is_control() {
            let whole = head.payload_bytes.saturating_add(self.payload.len() as u64);
            let heads = self.raw.len() - self.payload.len();
            if whole > message_bytes_max as u64 || heads > HEADS_BYTES_MAX {
                return Err(SocketError::TooLarge);
            }
        }
        if head.is_control() {
            self.control.append(&mut self.head);
        } else {
            self.raw.append(&mut self.head);
            self.message.get_or_insert(head.opcode == 1);
        }
        self.open = Some(OpenFrame { head, left: head.payload_bytes, at: 0 });
        Ok(true)
    }

    fn end_frame(&mut self, found: &mut impl FnMut(SocketItem<'_>)) {
        let Some(open) = self.open.take() else { return };
        if open.head.is_control() {
            found(SocketItem::Control { raw: &self.control, closes: open.head.opcode == 8 });
            self.control.clear();
        } else if open.head.is_last {
            let is_text = self.message.take().unwrap_or_default();
            found(SocketItem::Message { raw: &self.raw, payload: &self.payload, is_text });
            self.raw.clear();
            self.payload.clear();
        }
    }
}

/// Follows what a server sends, only to know where its messages end: between them a message of ours may stand.
#[derive(Debug, Default)]
pub struct SocketWalk {
    head: Vec<u8>,
    left: u64,
    /// Opcode and whether it is the last of the frame under way.
    frame: Option<(u8, bool)>,
    in_message: bool,
    closed: bool,
}

impl SocketWalk {
    /// Follows the next piece. Where the last message within it ended, as a position in `data`.
    pub fn walk(&mut self, data: &[u8]) -> Option<usize> {
        let (mut at, mut boundary) = (0usize, None);
        while at < data.len() || (self.frame.is_some() && self.left == 0) {
            let Some((opcode, is_last)) = self.frame else {
                self.head.extend(data.get(at));
                at += 1;
                if FrameHead::length(&self.head).is_some_and(|length| self.head.len() >= length) {
                    let head = FrameHead::read(&self.head);
                    self.frame = head.map(|head| (head.opcode, head.is_last));
                    self.left = head.map_or(0, |head| head.payload_bytes);
                    self.head.clear();
                }
                continue;
            };
            let now = usize::try_from(self.left).unwrap_or(usize::MAX).min(data.len() - at);
            at += now;
            self.left -= now as u64;
            if self.left == 0 {
                self.frame = None;
                match opcode {
                    8 => self.closed = true,
                    9.. => {}
                    _ => self.in_message = !is_last,
                }
                if !self.in_message && !self.closed {
                    boundary = Some(at);
                }
            }
        }
        boundary
    }

    /// True when a frame of ours may be sent now.
    pub fn is_between(&self) -> bool {
        self.head.is_empty() && self.frame.is_none() && !self.in_message
    }

    /// The server has closed the conversation: nothing may follow.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }
}

/// A text message of a server, in one frame without mask.
pub fn text_frame(text: &str) -> Bytes {
    frame(0x81, text.as_bytes(), None)
}

/// A Close frame of a server (5.5.1).
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    frame(0x88, &close_payload(code, reason), None)
}

/// A Close frame of a client. Its content is no secret and nothing chosen by others, so the mask may be plain.
pub fn client_close_frame(code: u16) -> Bytes {
    frame(0x88, &close_payload(code, ""), Some([0; 4]))
}

fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(100));
    payload
}

fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + HEAD_BYTES_MAX);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => out.push(short | masked),
        (_, Ok(length)) => {
            out.push(126 | masked);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(127 | masked);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    out.extend_from_slice(mask.as_ref().map_or(&[], |key| &key[..]));
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, payload, Some([1, 2, 3, 4])).to_vec()
    }

    fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Result<(), SocketError>) {
        let (mut reader, mut items) = (SocketReader::default(), Vec::new());
        let mut fed = Ok(());
        for piece in bytes.chunks(piece.max(1)) {
            fed = reader.feed(1_000, piece, &mut |item| {
                items.push(match item {
                    SocketItem::Message { raw, payload, is_text } => {
                        format!("{is_text} {} of {}", String::from_utf8_lossy(payload), raw.len())
                    }
                    SocketItem::Control { raw, closes } => format!("control {closes} of {}", raw.len()),
                });
            });
            if fed.is_err() {
                break;
            }
        }
        (items, fed.map_err(|broken| broken.error))
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let mut bytes = sent(0x01, b"he");
        bytes.extend(sent(0x89, b"ping"));
        bytes.extend(sent(0x00, b""));
        bytes.extend(sent(0x80, b"llo"));
        bytes.extend(sent(0x82, &[b'x'; 300]));
        bytes.extend(sent(0x88, &[3, 232]));
        let expected = [
            "control false of 10",
            "true hello of 23",
            &format!("false {} of 308", "x".repeat(300)),
            "control true of 8",
        ];
        for piece in [1, 2, 3, 7, 1_000] {
            assert_eq!(read(&bytes, piece), (expected.map(str::to_owned).to_vec(), Ok(())), "pieces of {piece}");
        }
    }

    #[test]
    fn frames_against_the_protocol_are_refused() {
        let unmasked = frame(0x81, b"a", None).to_vec();
        let long_form = [&[0x81u8, 0xfe, 0, 1][..], &[0; 4], b"a"].concat();
        let huge = [&[0x82u8, 0xff, 0x80][..], &[0; 11]].concat();
        for (bytes, error) in [
            (unmasked, SocketError::Malformed),
            (sent(0xc1, b"deflated"), SocketError::Malformed),
            (sent(0x80, b"nothing before"), SocketError::Malformed),
            ([sent(0x01, b"a"), sent(0x81, b"b")].concat(), SocketError::Malformed),
            (sent(0x83, b"unknown"), SocketError::Malformed),
            (sent(0x09, b"cut control"), SocketError::Malformed),
            (sent(0x89, &[0; 126]), SocketError::Malformed),
            (long_form, SocketError::Malformed),
            (huge, SocketError::Malformed),
            (sent(0x81, &[0; 1_001]), SocketError::TooLarge),
            ([sent(0x01, &[0; 900]), sent(0x80, &[0; 101])].concat(), SocketError::TooLarge),
            (
                [sent(0x01, b"")].into_iter().chain((0..4_000).map(|_| sent(0, b""))).flatten().collect(),
                SocketError::TooLarge,
            ),
        ] {
            assert_eq!(read(&bytes, 5).1, Err(error));
        }
    }

    #[test]
    fn the_end_of_a_servers_message_is_found() {
        let mut walk = SocketWalk::default();
        let first = [frame(0x01, b"a", None), frame(0x89, b"", None)].concat();
        assert!(walk.walk(&first).is_none() && !walk.is_between());
        let second = [frame(0x80, b"b", None), frame(0x82, &[0; 70_000], None)].concat();
        assert_eq!(walk.walk(&second[..100]), Some(3));
        assert!(!walk.is_between());
        assert_eq!(walk.walk(&second[100..]), Some(second.len() - 100));
        assert!(walk.is_between());
        assert_eq!(walk.walk(&close_frame(1000, "")), None);
        assert!(walk.is_closed());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_alike_however_they_are_cut(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, usize::MAX));
            let whole = SocketWalk::default().walk(&bytes).is_some();
            let mut walk = SocketWalk::default();
            let cut = bytes.chunks(piece).filter_map(|piece| walk.walk(piece)).count() > 0;
            prop_assert_eq!(whole, cut);
        }

        #[test]
        fn nothing_is_lost_of_what_was_taken_in(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            let (mut reader, mut passed, mut taken) = (SocketReader::default(), 0, 0);
            for piece in bytes.chunks(piece) {
                let fed = reader.feed(1_000, piece, &mut |item| {
                    passed += match item {
                        SocketItem::Message { raw, .. } | SocketItem::Control { raw, .. } => raw.len(),
                    };
                });
                taken += piece.len() - fed.map_or_else(|broken| broken.unread, |()| 0);
                if fed.is_err() {
                    break;
                }
            }
            prop_assert_eq!(passed + reader.take_pending().len(), taken);
        }
    }
}
