//! One HTTP/1.1 connection to a server.

use std::io;

use bytes::{Bytes, BytesMut};
use inspect::http1::{BodyDecoder, Framing, ParsedResponse, head_end, parse_response, response_framing};
use model::Limits;

use super::UpstreamFailure;
use crate::body::{BodyFailure, Piece, RequestBody};
use crate::io::{Framed, Outgoing, Wire};

/// A connection that carries one exchange at a time.
pub struct H1Connection {
    /// The bytes.
    pub wire: Wire,
    /// What was read and not used.
    pub buf: BytesMut,
    /// What is gathered to be written.
    pub out: Outgoing,
    /// True when it has carried an exchange before: it may have been closed by the server meanwhile.
    pub reused: bool,
}

/// How sending the request ended, seen from the exchange.
#[derive(Debug)]
pub enum Sent {
    /// All of it was written.
    Whole,
    /// The upstream takes no more; it may have answered already.
    UpstreamStopped,
    /// The client's body failed.
    ClientFailed(BodyFailure),
}

/// Writes a request: the head in `out`, then the body as it comes.
pub async fn send_request(wire: &Wire, out: &mut Outgoing, framing: Framing, body: &mut RequestBody<'_>) -> Sent {
    match send(wire, out, framing, body).await {
        Ok(()) => Sent::Whole,
        Err(SendError::Upstream(_)) => Sent::UpstreamStopped,
        Err(SendError::Client(failure)) => Sent::ClientFailed(failure),
    }
}

enum SendError {
    Upstream(#[expect(dead_code, reason = "kept for the debugger: every upstream error ends alike")] io::Error),
    Client(BodyFailure),
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        Self::Upstream(error)
    }
}

async fn send(wire: &Wire, out: &mut Outgoing, framing: Framing, body: &mut RequestBody<'_>) -> Result<(), SendError> {
    let framed = if framing == Framing::Chunked { Framed::Chunked } else { Framed::Plain };
    if framing != Framing::None {
        loop {
            // What is already here leaves together with the head; only then is the client waited for.
            let piece = match body.ready().map_err(SendError::Client)? {
                Some(piece) => piece,
                None => {
                    out.flush(wire).await?;
                    body.next().await.map_err(SendError::Client)?
                }
            };
            match piece {
                Piece::Data(data) => out.piece(wire, &data, framed).await?,
                // Trailers of requests are dropped: RFC 9110, 6.5.1 allows it, and no upstream over HTTP/1.1 needs them.
                Piece::End(_) => break,
            }
        }
    }
    if framed == Framed::Chunked {
        out.gather().extend_from_slice(b"0\r\n\r\n");
    }
    out.flush(wire).await?;
    Ok(())
}

/// Reads the head of the response; interim responses come out as they are.
pub async fn read_head(
    wire: &Wire,
    buf: &mut BytesMut,
    limits: &Limits,
    timeout_ms: u64,
) -> Result<ParsedResponse, UpstreamFailure> {
    // Heads of responses are ours to trust with memory: four times what a client may send.
    let bytes_max = limits.head_bytes_max as usize * 4;
    let mut scanned = 0;
    loop {
        if let Some(end) = head_end(buf, scanned) {
            let raw = Bytes::copy_from_slice(buf.get(..end).unwrap_or_default());
            bytes::Buf::advance(buf, end);
            return parse_response(raw, limits).map_err(|_| UpstreamFailure::Malformed);
        }
        scanned = buf.len();
        if scanned > bytes_max {
            return Err(UpstreamFailure::Malformed);
        }
        let broken = UpstreamFailure::Broken { sent_nothing_back: buf.is_empty() };
        match wire.read_within(buf, timeout_ms).await {
            Ok(0) => return Err(broken),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(UpstreamFailure::TimedOut),
            Err(_) => return Err(broken),
        }
    }
}

/// The decoder for a response's body, and how it is framed.
///
/// # Errors
/// [`UpstreamFailure::Malformed`] when length and coding contradict each other.
pub fn body_decoder(
    response: &ParsedResponse,
    to_head: bool,
    limits: &Limits,
) -> Result<(BodyDecoder, Framing), UpstreamFailure> {
    let framing = response_framing(&response.head, to_head).map_err(|_| UpstreamFailure::Malformed)?;
    Ok((BodyDecoder::new(framing, limits), framing))
}
