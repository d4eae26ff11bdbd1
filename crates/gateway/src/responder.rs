//! The answer on its way to the client, over HTTP/1 or HTTP/2.

use std::io;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::StatusCode;
use inspect::http1::Framing;
use model::head::{HttpVersion, ResponseHead};

use crate::answer::Answer;
use crate::body::Trailers;
use crate::clock::Watch;
use crate::forward::relayed_fields;
use crate::h2c;
use crate::io::{Framed, Outgoing, Wire, push_decimal};

/// Where the answer goes.
pub enum Responder<'c> {
    /// An HTTP/1 connection.
    H1(H1Responder<'c>),
    /// An HTTP/2 stream.
    H2(H2Responder),
}

/// What the client's side of the connection can and cannot do.
pub struct H1Responder<'c> {
    /// The connection.
    pub wire: &'c Wire,
    /// What is gathered for it.
    pub out: &'c mut Outgoing,
    /// The version the client spoke.
    pub version: HttpVersion,
    /// The request was HEAD: no body follows any head.
    pub to_head: bool,
    /// The connection may serve another request; cleared by what makes that impossible.
    pub keep_alive: bool,
    framed: Framed,
    /// A final head has been written.
    begun: bool,
}

/// An HTTP/2 stream that is answered.
pub struct H2Responder {
    respond: SendResponse<Bytes>,
    stream: Option<SendStream<Bytes>>,
    /// The last piece is kept back so that it can carry the end of the stream.
    pending: Option<Bytes>,
    watch: Watch,
    write_timeout_ms: u64,
    to_head: bool,
    /// What the client sends, when it asked for another protocol.
    kept: Option<RecvStream>,
}

/// Extra fields of ours on a relayed response.
pub type ExtraFields<'a> = &'a [(&'static str, &'a str)];

impl<'c> H1Responder<'c> {
    /// A responder for one exchange.
    pub fn new(wire: &'c Wire, out: &'c mut Outgoing, version: HttpVersion, to_head: bool, keep_alive: bool) -> Self {
        Self { wire, out, version, to_head, keep_alive, framed: Framed::Plain, begun: false }
    }

    fn write_head(&mut self, head: &ResponseHead, framing: Framing, extra: ExtraFields<'_>) {
        // An HTTP/1.0 client cannot read chunks: the end of the connection ends the body.
        self.framed = match framing {
            Framing::Chunked | Framing::UntilClose if self.version == HttpVersion::H11 => Framed::Chunked,
            Framing::Chunked | Framing::UntilClose => {
                self.keep_alive = false;
                Framed::Plain
            }
            _ => Framed::Plain,
        };
        let bodiless = self.to_head || head.status == 304;
        let out = self.out.gather();
        push_status_line(out, head.status);
        for field in relayed_fields(head, bodiless) {
            push_line(out, field.name, field.value);
        }
        for (name, value) in extra {
            push_line(out, name.as_bytes(), value.as_bytes());
        }
        match framing {
            _ if bodiless => {}
            Framing::Length(length) => push_length(out, length),
            Framing::None if !matches!(head.status, 100..=199 | 204) => push_length(out, 0),
            _ if self.framed == Framed::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            _ => {}
        }
        self.push_connection();
        self.out.gather().extend_from_slice(b"\r\n");
        self.begun = true;
    }

    fn push_connection(&mut self) {
        match (self.keep_alive, self.version) {
            (false, _) => self.out.gather().extend_from_slice(b"Connection: close\r\n"),
            (true, HttpVersion::H10) => self.out.gather().extend_from_slice(b"Connection: keep-alive\r\n"),
            (true, _) => {}
        }
    }

    /// Writes the head of an accepted upgrade; what follows is no longer HTTP.
    pub async fn switch_protocols(&mut self, head: &ResponseHead, protocol: &[u8]) -> io::Result<()> {
        let out = self.out.gather();
        push_status_line(out, 101);
        for field in relayed_fields(head, false) {
            push_line(out, field.name, field.value);
        }
        out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
        out.extend_from_slice(protocol);
        out.extend_from_slice(b"\r\n\r\n");
        self.begun = true;
        self.out.flush(self.wire).await
    }
}

impl H2Responder {
    /// A responder for one stream.
    pub fn new(respond: SendResponse<Bytes>, watch: Watch, write_timeout_ms: u32, to_head: bool) -> Self {
        Self {
            respond,
            stream: None,
            pending: None,
            watch,
            write_timeout_ms: u64::from(write_timeout_ms),
            to_head,
            kept: None,
        }
    }

    fn send_head(&mut self, response: http::Response<()>, end: bool) -> io::Result<()> {
        let stream = self.respond.send_response(response, end).map_err(io::Error::other)?;
        if !end {
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Answers an extended CONNECT (RFC 8441, 5): what follows on the stream is the protocol that was asked for. The stream's
    /// other half is what the client sends.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn open_tunnel(&mut self, head: &ResponseHead) -> io::Result<RecvStream> {
        let kept = self.kept.take().ok_or(io::ErrorKind::InvalidInput)?;
        let mut response = http::Response::new(());
        for field in relayed_fields(head, false) {
            if !field.name.eq_ignore_ascii_case(b"sec-websocket-accept") {
                h2c::append(response.headers_mut(), field.name, field.value);
            }
        }
        self.send_head(response, false)?;
        Ok(kept)
    }

    /// Sends data as the client's window allows.
    ///
    /// # Errors
    /// When the client is gone or reads too slowly.
    pub async fn send(&mut self, mut data: Bytes, end: bool) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            let capacity = std::future::poll_fn(|cx| {
                // A stream that the client reset reports it here, and only here, while the window is shut.
                if let Poll::Ready(reset) = stream.poll_reset(cx) {
                    return Poll::Ready(Err(
                        reset.map_or_else(io::Error::other, |_| io::ErrorKind::ConnectionReset.into())
                    ));
                }
                stream.poll_capacity(cx).map(|capacity| match capacity {
                    Some(capacity) => capacity.map_err(io::Error::other),
                    None => Err(io::ErrorKind::ConnectionReset.into()),
                })
            });
            let capacity = self.watch.within(self.write_timeout_ms, capacity).await;
            let capacity = capacity.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            let now = data.split_to(capacity.min(data.len()));
            let last = end && data.is_empty();
            stream.send_data(now, last).map_err(io::Error::other)?;
            if last {
                return Ok(());
            }
        }
        if end {
            stream.send_data(Bytes::new(), true).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Resets the stream: the answer cannot be finished.
    pub fn abort(&mut self) {
        match &mut self.stream {
            Some(stream) => stream.send_reset(h2::Reason::INTERNAL_ERROR),
            None => self.respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
    }
}

impl Responder<'_> {
    /// Keeps what the client sends for the protocol that it asked for.
    pub fn keep_stream(&mut self, stream: RecvStream) {
        if let Self::H2(h2) = self {
            h2.kept = Some(stream);
        }
    }

    /// Begins a relayed response. The head may wait to leave together with the first piece.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn begin(&mut self, head: &ResponseHead, framing: Framing, extra: ExtraFields<'_>) -> io::Result<()> {
        match self {
            Self::H1(h1) => {
                h1.write_head(head, framing, extra);
                Ok(())
            }
            Self::H2(h2) => {
                let mut response = http::Response::new(());
                *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
                let map = response.headers_mut();
                for field in relayed_fields(head, h2.to_head || head.status == 304) {
                    h2c::append(map, field.name, field.value);
                }
                for (name, value) in extra {
                    h2c::append(map, name.as_bytes(), value.as_bytes());
                }
                if let Framing::Length(length) = framing
                    && !h2.to_head
                {
                    h2c::append(map, b"content-length", length.to_string().as_bytes());
                }
                let end = framing == Framing::None || h2.to_head;
                h2.send_head(response, end)
            }
        }
    }

    /// Sends an interim response (RFC 9110, 15.2) other than 100, which we answer ourselves.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn interim(&mut self, head: &ResponseHead) -> io::Result<()> {
        match self {
            Self::H1(h1) if h1.version == HttpVersion::H11 => {
                let out = h1.out.gather();
                push_status_line(out, head.status);
                for field in relayed_fields(head, false) {
                    push_line(out, field.name, field.value);
                }
                out.extend_from_slice(b"\r\n");
                h1.out.flush(h1.wire).await
            }
            Self::H1(_) => Ok(()),
            Self::H2(h2) => {
                let mut response = http::Response::new(());
                *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::PROCESSING);
                for field in relayed_fields(head, false) {
                    h2c::append(response.headers_mut(), field.name, field.value);
                }
                h2.respond.send_informational(response).map_err(io::Error::other)
            }
        }
    }

    /// Sends one piece of the body.
    ///
    /// # Errors
    /// When the client is gone or reads too slowly.
    pub async fn piece(&mut self, data: Bytes) -> io::Result<()> {
        match self {
            Self::H1(h1) => h1.out.piece(h1.wire, &data, h1.framed).await,
            Self::H2(h2) => match h2.pending.replace(data) {
                Some(before) => h2.send(before, false).await,
                None => Ok(()),
            },
        }
    }

    /// Sends what was gathered; called before waiting for the upstream.
    ///
    /// # Errors
    /// When the client is gone or reads too slowly.
    pub async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::H1(h1) => h1.out.flush(h1.wire).await,
            Self::H2(h2) => match h2.pending.take() {
                Some(data) => h2.send(data, false).await,
                None => Ok(()),
            },
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// When the client is gone or reads too slowly.
    pub async fn finish(&mut self, trailers: Trailers) -> io::Result<()> {
        match self {
            Self::H1(h1) => {
                if h1.framed == Framed::Chunked {
                    let out = h1.out.gather();
                    out.extend_from_slice(b"0\r\n");
                    for field in trailers.iter().flat_map(|trailers| trailers.iter()) {
                        push_line(out, field.name, field.value);
                    }
                    out.extend_from_slice(b"\r\n");
                }
                h1.out.flush(h1.wire).await
            }
            Self::H2(h2) => {
                let last = h2.pending.take();
                let Some(trailers) = trailers else {
                    return h2.send(last.unwrap_or_default(), true).await;
                };
                if let Some(last) = last {
                    h2.send(last, false).await?;
                }
                match &mut h2.stream {
                    Some(stream) => stream.send_trailers(h2c::trailer_map(&trailers)).map_err(io::Error::other),
                    None => Ok(()),
                }
            }
        }
    }

    /// Sends an answer of ours, whole. Returns the number of bytes of its body.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn answer(&mut self, answer: &Answer) -> io::Result<u64> {
        match self {
            Self::H1(h1) => {
                let out = h1.out.gather();
                push_status_line(out, answer.status);
                for (name, value) in &answer.headers {
                    push_line(out, name.as_bytes(), value.as_bytes());
                }
                if answer.status != 204 && answer.status != 304 {
                    push_length(out, answer.content_length);
                }
                h1.push_connection();
                h1.out.gather().extend_from_slice(b"\r\n");
                h1.begun = true;
                h1.out.piece(h1.wire, &answer.body, Framed::Plain).await?;
                h1.out.flush(h1.wire).await?;
            }
            Self::H2(h2) => {
                let mut response = http::Response::new(());
                *response.status_mut() =
                    StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                for (name, value) in &answer.headers {
                    h2c::append(response.headers_mut(), name.as_bytes(), value.as_bytes());
                }
                h2.send_head(response, answer.body.is_empty())?;
                if !answer.body.is_empty() {
                    h2.send(answer.body.clone(), true).await?;
                }
            }
        }
        Ok(answer.body.len() as u64)
    }

    /// Ready when the client has reset its stream. An HTTP/1 client can only close its connection, which its body tells.
    pub fn poll_reset(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        match self {
            Self::H1(_) => Poll::Pending,
            Self::H2(h2) => h2.respond.poll_reset(cx).map(|_| ()),
        }
    }

    /// True when a final head has been sent or gathered: no other answer is possible.
    pub fn has_begun(&self) -> bool {
        match self {
            Self::H1(h1) => h1.begun,
            Self::H2(h2) => h2.stream.is_some(),
        }
    }

    /// Makes an answer that cannot be finished visible as broken: the connection or stream is reset, so that no client
    /// takes a part for the whole.
    pub fn abort(&mut self) {
        match self {
            Self::H1(h1) => {
                h1.keep_alive = false;
                h1.wire.reset_on_close();
            }
            Self::H2(h2) => h2.abort(),
        }
    }

    /// No further request is served over this connection.
    pub fn close_after(&mut self) {
        if let Self::H1(h1) = self {
            h1.keep_alive = false;
        }
    }

    /// Tells a client that waits for it to send the body (RFC 9110, 15.2.1).
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn continue_body(&mut self) -> io::Result<()> {
        match self {
            Self::H1(h1) => {
                h1.out.gather().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                h1.out.flush(h1.wire).await
            }
            // Over HTTP/2 the window already allows the client to send.
            Self::H2(_) => Ok(()),
        }
    }
}

fn push_status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(out, u64::from(status));
    out.push(b' ');
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn push_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    push_decimal(out, length);
    out.extend_from_slice(b"\r\n");
}
