//! The clients of the measurement: bytes over HTTP/1.1 as a case has them, and the same request as frames over HTTP/2.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::strict::split;
use crate::conformance::h2::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Peer, RST_STREAM, raw_field,
};

/// How long the gateway may take to its first byte. A message that is not whole gets no answer, and this long is waited for it.
const FIRST_BYTE: Duration = Duration::from_millis(700);
/// How long after an answer a further one is waited for.
const QUIET: Duration = Duration::from_millis(60);
/// Largest payload of a frame that every peer takes (RFC 9113, 4.2).
const FRAME_BYTES_MAX: usize = 16_384;
/// More is never sent on one stream: the window that the gateway gives.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// An answer, or the end of the connection.
    Answer,
    /// Nothing: the gateway waits for the rest of the message.
    Nothing,
}

/// Sends the bytes of a case over a connection of its own and waits for what comes. `is_single` when the bytes are one ordinary
/// request: then nothing is waited for behind the first answer.
///
/// # Errors
/// When the gateway cannot be reached.
pub fn over_h1(target: SocketAddr, raw: &[u8], is_single: bool) -> std::io::Result<Came> {
    let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    // A gateway that has refused what came so far may close while the rest is on its way.
    let _ = stream.write_all(raw);
    let mut came = Vec::new();
    let mut piece = [0u8; 8192];
    let mut until = Instant::now() + FIRST_BYTE;
    if is_single {
        until += Duration::from_secs(10);
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(read @ 1..) => {
                came.extend_from_slice(piece.get(..read).unwrap_or_default());
                if is_single && is_whole_answer(&came) {
                    return Ok(Came::Answer);
                }
                until = Instant::now() + QUIET;
            }
            Ok(0) => return Ok(Came::Answer),
            Err(_) => break,
        }
    }
    Ok(if came.is_empty() { Came::Nothing } else { Came::Answer })
}

/// True when the bytes hold a head and as much behind it as its length says.
fn is_whole_answer(came: &[u8]) -> bool {
    let Some(end) = came.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(came.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    came.len() >= end + 4 + length.unwrap_or(0)
}

/// A request as HTTP/2 says it: header block and body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    block: Vec<u8>,
    body: Vec<u8>,
}

/// The request of a case for HTTP/2, as a careless proxy in front would translate it: every field line goes along in lower
/// case and is otherwise left as it came. With `without_hops`, what concerns one HTTP/1.1 connection is left out. `None` when
/// the first line is not of three words: what is wrong with it cannot be said in HTTP/2.
pub fn translated(raw: &[u8], without_hops: bool) -> Option<Translated> {
    let (head, body) = match raw.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => (raw.get(..at).unwrap_or_default(), raw.get(at + 4..).unwrap_or_default()),
        None => (raw, &[][..]),
    };
    let mut lines = split(head, b"\r\n").into_iter();
    let words = split(lines.next().unwrap_or_default(), b" ");
    let [method, target, b"HTTP/1.0" | b"HTTP/1.1"] = words.as_slice() else { return None };
    let mut block =
        [raw_field(b":method", method), raw_field(b":scheme", b"http"), raw_field(b":path", target)].concat();
    let mut fields = Vec::new();
    let mut authority = None;
    for line in lines {
        let at = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let name = line.get(..at).unwrap_or_default().to_ascii_lowercase();
        let value = line.get(at + 1..).unwrap_or_default().trim_ascii();
        let is_hop = matches!(name.as_slice(), b"connection" | b"keep-alive" | b"transfer-encoding");
        if name == b"host" && authority.is_none() {
            authority = Some(value);
        } else if !(without_hops && is_hop) {
            fields.extend_from_slice(&raw_field(&name, value));
        }
    }
    block.extend_from_slice(&raw_field(b":authority", authority.unwrap_or(b"localhost")));
    block.extend_from_slice(&fields);
    Some(Translated { block, body: body.to_vec() })
}

/// A connection that carries one request after the other, made anew when the gateway ends it.
pub struct OverH2 {
    target: SocketAddr,
    peer: Option<(Peer, u32)>,
}

impl OverH2 {
    /// Connects with the first request.
    pub const fn new(target: SocketAddr) -> Self {
        Self { target, peer: None }
    }

    /// Sends a request and waits for the end of its answer, of its stream, or of the connection.
    ///
    /// # Errors
    /// When the gateway cannot be reached.
    pub fn send(&mut self, request: &Translated) -> std::io::Result<Came> {
        let (mut peer, stream) = match self.peer.take() {
            Some((peer, last)) => (peer, last + 2),
            None => {
                let mut peer = Peer::connect(self.target)?;
                peer.greet()?;
                (peer, 1)
            }
        };
        write(&mut peer, stream, request)?;
        loop {
            let frame = match peer.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(Came::Answer),
                Err(_) => return Ok(Came::Nothing),
            };
            match frame.kind {
                GOAWAY => return Ok(Came::Answer),
                RST_STREAM if frame.stream == stream => break,
                DATA | HEADERS if frame.stream == stream && frame.flags & END_STREAM != 0 => break,
                _ => {}
            }
        }
        // A connection serves a bounded number of requests; one of ours ends long before that.
        self.peer = (stream < 200).then_some((peer, stream));
        Ok(Came::Answer)
    }
}

fn write(peer: &mut Peer, stream: u32, request: &Translated) -> std::io::Result<()> {
    let body = request.body.get(..BODY_BYTES_MAX.min(request.body.len())).unwrap_or_default();
    let mut blocks = request.block.chunks(FRAME_BYTES_MAX).peekable();
    let mut kind = HEADERS;
    while let Some(block) = blocks.next() {
        let last = if blocks.peek().is_none() { END_HEADERS } else { 0 };
        let ends = if kind == HEADERS && body.is_empty() { END_STREAM } else { 0 };
        peer.frame(kind, last | ends, stream, block)?;
        kind = CONTINUATION;
    }
    let mut pieces = body.chunks(FRAME_BYTES_MAX).peekable();
    while let Some(piece) = pieces.next() {
        peer.frame(DATA, if pieces.peek().is_none() { END_STREAM } else { 0 }, stream, piece)?;
    }
    Ok(())
}
