//! One connection as bytes: plain or encrypted, shared between the half that reads and the half that writes.
//!
//! A worker has one thread, so sharing is a `RefCell` borrowed for the length of one poll, never across one.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::{Deadlines, Phase, Watch};

/// How much is read at once into an empty buffer. Most heads and small bodies fit, so that most messages are one read.
const READ_BYTES: usize = 8 * 1024;
/// A body that keeps coming is read in larger pieces.
const READ_BYTES_LARGE: usize = 64 * 1024;

/// The transport below a connection.
pub enum Stream {
    /// Plain text.
    Plain(TcpStream),
    /// TLS, accepted from a client.
    Accepted(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    /// TLS, opened to an upstream.
    Opened(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Stream {
    /// The socket below, for addresses and options.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Accepted(tls) => tls.get_ref().0,
            Self::Opened(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Accepted(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
            Self::Opened(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Accepted(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
            Self::Opened(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Self::Accepted(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
            Self::Opened(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Accepted(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
            Self::Opened(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Accepted(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
            Self::Opened(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

/// A connection whose reading and writing may be waited for at the same time by one task, each with its own time limit.
pub struct Wire {
    stream: RefCell<Stream>,
    encrypted: bool,
    reading: Watch,
    writing: Watch,
    write_timeout_ms: u64,
}

impl Wire {
    /// A wire over a stream. A write that makes no progress for `write_timeout_ms` fails.
    pub fn new(stream: Stream, deadlines: &Deadlines, write_timeout_ms: u32) -> Self {
        let encrypted = !matches!(stream, Stream::Plain(_));
        Self {
            stream: RefCell::new(stream),
            encrypted,
            reading: deadlines.watch(),
            writing: deadlines.watch(),
            write_timeout_ms: u64::from(write_timeout_ms),
        }
    }

    /// Milliseconds since the worker began, as of the last tick.
    pub fn now_ms(&self) -> u64 {
        self.reading.now_ms()
    }

    /// Reads what is there into `buf`, for at most `limit_ms`; 0 at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when nothing came in time, and whatever the socket reports.
    pub async fn read_within(&self, buf: &mut BytesMut, limit_ms: u64) -> io::Result<usize> {
        self.reading.within(limit_ms, poll_fn(|cx| self.poll_read(cx, buf))).await.unwrap_or_else(|_| timed_out())
    }

    /// Like [`read_within`](Self::read_within), for a request that need not come: also ends when the worker drains.
    ///
    /// # Errors
    /// As there.
    pub async fn read_idle(&self, buf: &mut BytesMut, limit_ms: u64) -> io::Result<usize> {
        let read = poll_fn(|cx| self.poll_read(cx, buf));
        self.reading.idle_within(limit_ms, Phase::Draining, read).await.unwrap_or_else(|_| timed_out())
    }

    /// Like [`read_within`](Self::read_within), up to a point in time of [`now_ms`](Self::now_ms).
    ///
    /// # Errors
    /// As there.
    pub async fn read_until(&self, buf: &mut BytesMut, at_ms: u64) -> io::Result<usize> {
        self.reading.until(at_ms, poll_fn(|cx| self.poll_read(cx, buf))).await.unwrap_or_else(|_| timed_out())
    }

    /// Reads what is there into `buf` without a time limit; 0 at the end of the stream.
    ///
    /// # Errors
    /// Whatever the socket reports.
    pub async fn read(&self, buf: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// See [`read`](Self::read).
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        // What was read before filled its buffer: more is coming, so make room for more.
        let want = if buf.len() >= READ_BYTES { READ_BYTES_LARGE } else { READ_BYTES };
        if buf.capacity() - buf.len() < want / 2 {
            buf.reserve(want);
        }
        let mut stream = self.stream.borrow_mut();
        let read = ready!(tokio_read_buf(Pin::new(&mut *stream), cx, buf))?;
        Poll::Ready(Ok(read))
    }

    /// True when the peer has closed, or has sent something, while nothing was expected of it: the connection cannot be
    /// used for another request. Costs no system call while the socket is quiet.
    pub fn is_stale(&self) -> bool {
        let mut probe = [0u8; 1];
        let mut buf = ReadBuf::new(&mut probe);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut stream = self.stream.borrow_mut();
        Pin::new(&mut *stream).poll_read(&mut cx, &mut buf).is_ready()
    }

    /// Writes all of `first` and then all of `second`.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the peer takes nothing for the write timeout, and whatever the socket reports.
    pub async fn write_all(&self, first: &[u8], second: &[u8]) -> io::Result<()> {
        let (mut first, mut second) = (first, second);
        while !first.is_empty() || !second.is_empty() {
            let write = poll_fn(|cx| {
                let mut stream = self.stream.borrow_mut();
                let stream = Pin::new(&mut *stream);
                match (first.is_empty(), second.is_empty()) {
                    (_, true) => stream.poll_write(cx, first),
                    (true, _) => stream.poll_write(cx, second),
                    _ => stream.poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)]),
                }
            });
            let written = self.writing.within(self.write_timeout_ms, write).await.unwrap_or_else(|_| timed_out())?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let from_first = written.min(first.len());
            first.advance(from_first);
            second.advance(written - from_first);
        }
        if self.encrypted {
            // rustls holds records back until the socket takes them.
            let flush = poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx));
            self.writing.within(self.write_timeout_ms, flush).await.unwrap_or_else(|_| timed_out())?;
        }
        Ok(())
    }

    /// Ends our side: the peer reads the end of the stream after what was written.
    ///
    /// # Errors
    /// Whatever the socket reports, and [`io::ErrorKind::TimedOut`].
    pub async fn shutdown(&self) -> io::Result<()> {
        let shutdown = poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx));
        self.writing.within(self.write_timeout_ms, shutdown).await.unwrap_or_else(|_| timed_out())
    }

    /// Asks the kernel to reset instead of closing, so that a client that is being refused holds no state of ours.
    pub fn reset_on_close(&self) {
        let stream = self.stream.borrow();
        // Failing only means that the connection closes in the ordinary way.
        let _ = socket2::SockRef::from(stream.socket()).set_linger(Some(std::time::Duration::ZERO));
    }

    /// The stream itself, when the wire is no longer needed.
    pub fn into_stream(self) -> Stream {
        self.stream.into_inner()
    }
}

fn timed_out<T>() -> io::Result<T> {
    Err(io::ErrorKind::TimedOut.into())
}

/// Reads once into the spare capacity of `buf`.
fn tokio_read_buf(stream: Pin<&mut Stream>, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
    let mut future = std::pin::pin!(tokio::io::AsyncReadExt::read_buf(stream.get_mut(), buf));
    std::future::Future::poll(future.as_mut(), cx)
}

/// What is about to be written: small pieces are gathered, large ones are written without copying them.
#[derive(Default)]
pub struct Outgoing {
    gathered: Vec<u8>,
}

/// Pieces below this are copied together, so that a head and a small body leave in one system call and one packet.
const GATHER_BYTES: usize = 8 * 1024;

impl Outgoing {
    /// The gathered bytes, to append to.
    pub fn gather(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// True when nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.gathered.is_empty()
    }

    /// Appends one piece of a body, in a chunk when `chunked`; writes when enough is gathered.
    pub async fn piece(&mut self, wire: &Wire, data: &Bytes, framed: Framed) -> io::Result<()> {
        if framed == Framed::Chunked {
            push_hex_line(&mut self.gathered, data.len());
        }
        if self.gathered.len() + data.len() <= GATHER_BYTES {
            self.gathered.extend_from_slice(data);
        } else {
            wire.write_all(&self.gathered, data).await?;
            self.gathered.clear();
        }
        if framed == Framed::Chunked {
            self.gathered.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// Writes what is gathered.
    pub async fn flush(&mut self, wire: &Wire) -> io::Result<()> {
        if !self.gathered.is_empty() {
            wire.write_all(&self.gathered, &[]).await?;
            self.gathered.clear();
            // A connection that once gathered much must not keep that much.
            self.gathered.shrink_to(2 * GATHER_BYTES);
        }
        Ok(())
    }
}

/// How a piece is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// As it is.
    Plain,
    /// As one chunk (RFC 9112, 7.1).
    Chunked,
}

fn push_hex_line(out: &mut Vec<u8>, size: usize) {
    let mut digits = [0u8; 16];
    let mut at = digits.len();
    let mut left = size;
    loop {
        at -= 1;
        if let Some(slot) = digits.get_mut(at) {
            *slot = char::from_digit((left & 15) as u32, 16).map_or(b'0', |digit| digit as u8);
        }
        left >>= 4;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number.
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        if let Some(slot) = digits.get_mut(at) {
            *slot = b'0' + (left % 10) as u8;
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.put_slice(digits.get(at..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written() {
        for number in [0u64, 7, 10, 255, 256, 65535, u64::MAX] {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
        for size in [0usize, 1, 15, 16, 255, 4096, 1 << 40] {
            let mut out = Vec::new();
            push_hex_line(&mut out, size);
            assert_eq!(out, format!("{size:x}\r\n").into_bytes());
        }
    }
}
