//! The first bytes of a client's connection: PROXY header, TLS, and which HTTP is spoken.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use inspect::ConnectionFacts;
use inspect::http2::{FrameTap, PREFACE};
use model::reason::Anomaly;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::forwarded::TrustedProxies;
use crate::io::Stream;
use crate::proxy_protocol::{self, Header};
use crate::record;
use crate::tls::ServerTls;

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.
    H1,
    /// HTTP/2, by ALPN or with prior knowledge.
    H2,
}

/// Reads the PROXY header that must come first. `None` when it is missing, wrong, or the peer may not send one; the inner
/// `None` when it names no source, as a proxy's own health checks do.
pub async fn proxy_header(socket: &mut TcpStream, trusted: &TrustedProxies, peer: IpAddr) -> Option<Option<IpAddr>> {
    if !trusted.trusts(peer) {
        return None;
    }
    match proxy_protocol::take(socket).await {
        Ok(Header::Done { source, .. }) => Some(source.map(|source| source.ip().to_canonical())),
        Ok(Header::Bad(_) | Header::Incomplete) | Err(_) => None,
    }
}

/// Accepts TLS; notes what the handshake told, and which HTTP was agreed on.
///
/// # Errors
/// When the handshake fails.
pub async fn tls(tls: &ServerTls, socket: TcpStream, facts: &mut ConnectionFacts) -> io::Result<(Stream, Spoken)> {
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.config());
    let stream = acceptor.accept(socket).await?;
    let (_, session) = stream.get_ref();
    facts.sni = session.server_name().map(|name| name.to_ascii_lowercase().into_boxed_str());
    facts.client_certificate =
        session.peer_certificates().and_then(|chain| chain.first()).and_then(crate::tls::subject);
    let spoken = if session.alpn_protocol() == Some(b"h2") { Spoken::H2 } else { Spoken::H1 };
    Ok((Stream::Accepted(Box::new(stream)), spoken))
}

/// Tells HTTP/2 with prior knowledge from HTTP/1 by the first bytes, which stay in `buf`.
///
/// # Errors
/// When the connection ends before anything can be told.
pub async fn spoken(stream: &mut Stream, buf: &mut BytesMut) -> io::Result<Spoken> {
    loop {
        let seen = buf.len().min(PREFACE.len());
        if buf.get(..seen) != PREFACE.get(..seen) {
            return Ok(Spoken::H1);
        }
        if seen == PREFACE.len() {
            return Ok(Spoken::H2);
        }
        buf.reserve(8 * 1024);
        if stream.read_buf(buf).await? == 0 {
            return if buf.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Spoken::H1) };
        }
    }
}

/// An HTTP/2 connection as its library reads it: bytes in front that were read already, and a tap on all of them.
pub struct Tapped {
    prefix: BytesMut,
    stream: Stream,
    tap: FrameTap,
    flood: Rc<Cell<Option<Anomaly>>>,
}

impl Tapped {
    /// Puts `prefix` in front of `stream`. Once the tap finds a flood, reading ends with an error and `flood` says why.
    pub fn new(prefix: BytesMut, stream: Stream, tap: FrameTap, flood: Rc<Cell<Option<Anomaly>>>) -> Self {
        Self { prefix, stream, tap, flood }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.prefix.is_empty() {
            std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let take = this.prefix.len().min(buf.remaining());
            buf.put_slice(&this.prefix.split_to(take));
        }
        let read = buf.filled().get(before..).unwrap_or_default();
        if let Err(anomaly) = this.tap.feed(read, record::now()) {
            this.flood.set(Some(anomaly));
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
