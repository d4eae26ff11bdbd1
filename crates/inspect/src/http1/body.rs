//! The body behind a head: where it ends, chunk by chunk (RFC 9112, 7.1), and the trailer section after it.
//!
//! Strict where chunked bodies are smuggled with: sizes are plain hexadecimal digits, every line ends with CR LF, chunk
//! extensions are bounded and have no control bytes. Extensions are dropped; what is forwarded is re-framed.

use bytes::{Buf, Bytes, BytesMut};
use model::head::{Fields, Known};
use model::limits::Limits;
use model::reason::Anomaly;
use smallvec::SmallVec;

use super::fields::{field_lines, is_token_byte};
use super::{Framing, head_end};

/// Reads one body out of a buffer that its connection fills.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    trailer_bytes_max: usize,
    trailer_scanned: usize,
    fields_max: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

/// What the decoder found at the front of the buffer.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the end comes once per body and is moved once")]
pub enum BodyPiece {
    /// Data of the body.
    Data(Bytes),
    /// Nothing more can be said until the connection has read more.
    NeedMore,
    /// The body has ended; the trailer fields, often none.
    End(Fields),
}

/// A body that is not what its head announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyError(pub Anomaly);

/// The longest line with a chunk's size and its extensions.
const CHUNK_LINE_BYTES_MAX: usize = 256;

impl BodyDecoder {
    /// A decoder for a body framed like this.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self {
            state,
            trailer_bytes_max: limits.trailer_bytes_max as usize,
            trailer_scanned: 0,
            fields_max: limits.fields_max,
        }
    }

    /// True when the end has been reported.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes still to come when that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// True when the end of the connection here is the end of the body.
    pub fn may_end_with_connection(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    /// Takes the next piece off the front of `buf`.
    ///
    /// # Errors
    /// The anomaly when the bytes cannot be the announced body; the connection is then of no further use.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<BodyPiece, BodyError> {
        loop {
            match self.state {
                State::Done => return Ok(BodyPiece::End(Fields::default())),
                State::UntilClose if buf.is_empty() => return Ok(BodyPiece::NeedMore),
                State::UntilClose => return Ok(BodyPiece::Data(buf.split().freeze())),
                State::Length(left) => return Ok(self.data(left, buf, State::Length, State::Done)),
                State::ChunkData(left) => return Ok(self.data(left, buf, State::ChunkData, State::ChunkEnd)),
                State::ChunkSize => match chunk_size(buf)? {
                    None => return Ok(BodyPiece::NeedMore),
                    Some(0) => self.state = State::Trailers,
                    Some(size) => self.state = State::ChunkData(size),
                },
                State::ChunkEnd => match buf.get(..2) {
                    Some(b"\r\n") => {
                        buf.advance(2);
                        self.state = State::ChunkSize;
                    }
                    None if buf.is_empty() || buf.first() == Some(&b'\r') => return Ok(BodyPiece::NeedMore),
                    _ => return Err(BodyError(Anomaly::ChunkMalformed)),
                },
                State::Trailers => return self.trailers(buf),
            }
        }
    }

    fn data(&mut self, left: u64, buf: &mut BytesMut, more: fn(u64) -> State, then: State) -> BodyPiece {
        if buf.is_empty() {
            return BodyPiece::NeedMore;
        }
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let left = left - take as u64;
        self.state = if left == 0 { then } else { more(left) };
        BodyPiece::Data(buf.split_to(take).freeze())
    }

    fn trailers(&mut self, buf: &mut BytesMut) -> Result<BodyPiece, BodyError> {
        if buf.starts_with(b"\r\n") {
            buf.advance(2);
            self.state = State::Done;
            return Ok(BodyPiece::End(Fields::default()));
        }
        if buf.first().is_some_and(|&byte| byte != b'\r' && !is_token_byte(byte)) {
            return Err(BodyError(Anomaly::ChunkMalformed));
        }
        // The section has the form of a head's field lines: the same search and the same parser.
        let Some(end) = head_end(buf, self.trailer_scanned) else {
            self.trailer_scanned = buf.len();
            if buf.len() > self.trailer_bytes_max {
                return Err(BodyError(Anomaly::HeadTooLarge));
            }
            return Ok(BodyPiece::NeedMore);
        };
        if end > self.trailer_bytes_max {
            return Err(BodyError(Anomaly::HeadTooLarge));
        }
        let raw = buf.split_to(end).freeze();
        let mut notes = SmallVec::new();
        let spans = field_lines(&raw, 0, self.fields_max, &mut notes).map_err(|noted| BodyError(noted.anomaly))?;
        if spans.iter().any(|span| !may_be_trailer(span.known)) {
            return Err(BodyError(Anomaly::TrailerForbidden));
        }
        self.state = State::Done;
        Ok(BodyPiece::End(Fields::new(raw, spans)))
    }
}

/// RFC 9110, 6.5.1: fields needed for framing, routing, authentication or reading the content are no trailers.
pub(crate) const fn may_be_trailer(known: Known) -> bool {
    matches!(known, Known::Other | Known::GrpcStatus | Known::ServerTiming | Known::Date)
}

/// The size on the chunk's first line; takes the line off `buf`. `None` when the line has not ended yet.
fn chunk_size(buf: &mut BytesMut) -> Result<Option<u64>, BodyError> {
    const MALFORMED: BodyError = BodyError(Anomaly::ChunkMalformed);
    let window = buf.get(..buf.len().min(CHUNK_LINE_BYTES_MAX)).unwrap_or_default();
    let line_feed = memchr::memchr(b'\n', window);
    // Judge what is there before waiting for more: a wrong byte will not become right.
    let text = match line_feed {
        Some(at) => window.get(..at).and_then(|text| text.strip_suffix(b"\r")).ok_or(MALFORMED)?,
        None if window.len() == CHUNK_LINE_BYTES_MAX => return Err(MALFORMED),
        None => window.strip_suffix(b"\r").unwrap_or(window),
    };
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits > 15 || (digits == 0 && (line_feed.is_some() || !text.is_empty())) {
        return Err(MALFORMED);
    }
    let extension = text.get(digits..).unwrap_or_default();
    if extension.iter().any(|&byte| (byte < 0x20 && byte != b'\t') || byte >= 0x7f)
        || !matches!(extension.first(), None | Some(b';'))
        || (line_feed.is_some() && !are_extensions(extension))
    {
        return Err(MALFORMED);
    }
    let Some(line_feed) = line_feed else { return Ok(None) };
    let size = text
        .iter()
        .take(digits)
        .fold(0u64, |size, &digit| size << 4 | u64::from((digit as char).to_digit(16).unwrap_or_default()));
    buf.advance(line_feed + 1);
    Ok(Some(size))
}

/// RFC 9112, 7.1.1: `*( ";" name [ "=" ( token / quoted-string ) ] )`, without its tolerance for white space. A quote that
/// is not closed could be closed by a later line for another reader.
fn are_extensions(mut rest: &[u8]) -> bool {
    let token_end = |bytes: &[u8]| bytes.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(bytes.len());
    while let Some(after) = rest.strip_prefix(b";") {
        let name = token_end(after);
        rest = after.get(name..).unwrap_or_default();
        if name == 0 {
            return false;
        }
        if let Some(value) = rest.strip_prefix(b"=") {
            let length = if value.first() == Some(&b'"') { quoted_length(value) } else { token_end(value) };
            rest = value.get(length..).unwrap_or_default();
            if length == 0 {
                return false;
            }
        }
    }
    rest.is_empty()
}

/// The length of the quoted string at the front (RFC 9110, 5.6.4); zero when it does not end.
fn quoted_length(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces of `step` and returns the body, the number of trailer fields and what was left over.
    fn decode(framing: Framing, bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize, Vec<u8>), Anomaly> {
        let mut decoder = BodyDecoder::new(framing, &Limits::default());
        let mut buf = BytesMut::new();
        let mut body = Vec::new();
        let mut pieces = bytes.chunks(step.max(1));
        loop {
            match decoder.next(&mut buf).map_err(|error| error.0)? {
                BodyPiece::Data(data) => body.extend_from_slice(&data),
                BodyPiece::End(trailers) => {
                    let left: Vec<u8> = buf.iter().chain(pieces.flatten()).copied().collect();
                    return Ok((body, trailers.len(), left));
                }
                BodyPiece::NeedMore => match pieces.next() {
                    Some(piece) => buf.extend_from_slice(piece),
                    None => return Err(Anomaly::BodyTruncated),
                },
            }
        }
    }

    #[test]
    fn chunked_bodies_however_they_are_cut() {
        let bytes = b"5\r\nhello\r\n1;a=\"b\\\";\";c\r\n!\r\n0\r\nX-A: b\r\n\r\nNEXT";
        for step in 1..bytes.len() {
            assert_eq!(decode(Framing::Chunked, bytes, step), Ok((b"hello!".to_vec(), 1, b"NEXT".to_vec())), "{step}");
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bad in [
            "5\nhello\n0\n\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "\r\n",
            "g\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n",
            "5;\x00\r\nhello\r\n",
            "5\r\r\nhello\r\n",
            "0000000000000005\r\nhello\r\n",
            "-1\r\n",
            "5;a\rb\r\nhello\r\n",
            "5;\r\nhello\r\n",
            "5;a=\r\nhello\r\n",
            "5;a=\"b\r\nhello\r\n",
            "5;a=\"b\"c\r\nhello\r\n",
            "5 ;a=b\r\nhello\r\n",
            "5;a b\r\nhello\r\n",
            "0\r\n\n",
            "0\r\n X: y\r\n\r\n",
        ] {
            for step in [1, 64] {
                assert_eq!(
                    decode(Framing::Chunked, bad.as_bytes(), step).err(),
                    Some(Anomaly::ChunkMalformed),
                    "{bad:?}"
                );
            }
        }
        let long = format!("5;{}\r\nhello\r\n", "a".repeat(300));
        assert_eq!(decode(Framing::Chunked, long.as_bytes(), 7).err(), Some(Anomaly::ChunkMalformed));
        assert_eq!(
            decode(Framing::Chunked, b"0\r\nContent-Length: 5\r\n\r\n", 64).err(),
            Some(Anomaly::TrailerForbidden)
        );
    }

    #[test]
    fn lengths() {
        assert_eq!(decode(Framing::Length(5), b"helloNEXT", 2), Ok((b"hello".to_vec(), 0, b"NEXT".to_vec())));
        assert_eq!(decode(Framing::Length(6), b"hello", 2).err(), Some(Anomaly::BodyTruncated));
        assert_eq!(decode(Framing::None, b"NEXT", 9), Ok((Vec::new(), 0, b"NEXT".to_vec())));
    }

    proptest! {
        #[test]
        fn what_is_chunked_comes_back(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
                                      step in 1usize..50) {
            let mut bytes = Vec::new();
            for part in &parts {
                bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            let whole: Vec<u8> = parts.into_iter().flatten().collect();
            prop_assert_eq!(decode(Framing::Chunked, &bytes, step), Ok((whole, 0, Vec::new())));
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), step in 1usize..50) {
            let _ = decode(Framing::Chunked, &bytes, step);
        }
    }
}
