//! One HTTP/2 connection played frame by frame, right or wrong as a case wants it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 32;
/// A HEADERS frame that is a whole request.
pub const WHOLE: u8 = END_STREAM | END_HEADERS;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long the other side may take over its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A frame that came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The number at a place of the payload: error codes of RST_STREAM (0) and GOAWAY (4).
    pub fn number(&self, at: usize) -> u32 {
        let bytes = self.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        u32::from_be_bytes(bytes)
    }
}

/// A connection with a gateway.
pub struct Peer {
    socket: TcpStream,
    /// Host and port, as `:authority` says it.
    authority: String,
    /// SETTINGS_MAX_CONCURRENT_STREAMS of the other side.
    pub streams_max: Option<u32>,
}

impl Peer {
    /// Connects and sends nothing yet.
    pub fn connect(target: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&target, PATIENCE)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, authority: target.to_string(), streams_max: None })
    }

    /// The preface and both sides' settings.
    pub fn greet(&mut self) -> io::Result<()> {
        self.raw(PREFACE)?;
        self.frame(SETTINGS, 0, 0, &[])?;
        let mut acknowledged = false;
        let mut told = false;
        while !(acknowledged && told) {
            let frame = self.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            match (frame.kind, frame.flags & ACK) {
                (SETTINGS, 0) => {
                    for item in frame.payload.chunks_exact(6) {
                        if let [0, 3, rest @ ..] = item {
                            self.streams_max = rest.try_into().ok().map(u32::from_be_bytes);
                        }
                    }
                    self.frame(SETTINGS, ACK, 0, &[])?;
                    told = true;
                }
                (SETTINGS, _) => acknowledged = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends bytes as they are. A connection that is closed already is what many cases want, so that is no error.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.socket.write_all(bytes) {
            Err(error) if closed(&error) => Ok(()),
            outcome => outcome,
        }
    }

    /// Sends a frame.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let [_, a, b, c] = len;
        let mut bytes = vec![a, b, c, kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.raw(&bytes)
    }

    /// The header block of an ordinary request: everything indexed or literal without indexing (RFC 7541, 6.1, 6.2.2).
    pub fn request(&self, method: &str) -> Vec<u8> {
        let mut block = match method {
            "GET" => vec![0x82],
            "POST" => vec![0x83],
            other => literal(2, other),
        };
        block.extend_from_slice(&[0x86, 0x84]);
        block.extend_from_slice(&literal(1, &self.authority));
        block
    }

    /// A GET that ends with its head.
    pub fn get(&mut self, stream: u32) -> io::Result<()> {
        let block = self.request("GET");
        self.frame(HEADERS, WHOLE, stream, &block)
    }

    /// A POST whose body follows.
    pub fn post(&mut self, stream: u32, more: &[u8]) -> io::Result<()> {
        let mut block = self.request("POST");
        block.extend_from_slice(more);
        self.frame(HEADERS, END_HEADERS, stream, &block)
    }

    /// A request with a header block of the case's own.
    pub fn block(&mut self, block: &[u8]) -> io::Result<()> {
        self.frame(HEADERS, WHOLE, 1, block)
    }

    /// Reads until a stream has ended.
    pub fn until_ended(&mut self, stream: u32) -> io::Result<()> {
        while let Some(frame) = self.next()? {
            if frame.stream == stream && matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads until a frame of one kind came on a stream.
    pub fn until(&mut self, kind: u8, stream: u32) -> io::Result<()> {
        while let Some(frame) = self.next()? {
            if frame.stream == stream && frame.kind == kind {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next frame; `None` when the other side has closed.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when nothing came in time.
    pub fn next(&mut self) -> io::Result<Option<Frame>> {
        let until = Instant::now() + PATIENCE;
        let mut head = [0u8; 9];
        if !self.fill(&mut head, until)? {
            return Ok(None);
        }
        let [a, b, c, kind, flags, s0, s1, s2, s3] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        if !self.fill(&mut payload, until)? {
            return Ok(None);
        }
        Ok(Some(Frame { kind, flags, stream: u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff, payload }))
    }

    /// Fills a buffer; false at the end of the connection.
    fn fill(&mut self, mut into: &mut [u8], until: Instant) -> io::Result<bool> {
        while !into.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.read(into) {
                Ok(0) => return Ok(false),
                Ok(read) => into = into.get_mut(read..).unwrap_or_default(),
                Err(error) if closed(&error) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
    )
}

/// A literal field without indexing whose name is in the static table. Names up to 14.
pub fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut bytes = vec![name];
    push_text(&mut bytes, value);
    bytes
}

/// A literal field without indexing with a name of its own.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    push_text(&mut bytes, name);
    push_text(&mut bytes, value);
    bytes
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_bytes(bytes, text.as_bytes());
}

/// A literal field of any bytes, without indexing, whatever HTTP thinks of them.
pub fn raw_field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    push_bytes(&mut bytes, name);
    push_bytes(&mut bytes, value);
    bytes
}

/// A string without Huffman coding, its length as an integer with a prefix of seven bits (RFC 7541, 5.1, 5.2).
fn push_bytes(bytes: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => bytes.push(length),
        _ => {
            bytes.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                bytes.push((rest & 127) as u8 | 128);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
    }
    bytes.extend_from_slice(text);
}
