//! One HTTP/1 connection of a client: heads in, exchanges carried, until it ends.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use inspect::ConnectionFacts;
use inspect::http1::{BodyDecoder, Noted, ParsedRequest, head_end, hopeless, parse_request};
use model::HttpVersion;
use model::Limits;
use model::reason::Anomaly;

use crate::body::{RequestBody, Source};
use crate::clock::Phase;
use crate::exchange::{self, Incoming};
use crate::io::{Outgoing, Stream, Wire};
use crate::responder::{H1Responder, Responder};
use crate::worker::Worker;

/// How much of a refused message is read and thrown away so that the client reads our answer, not a reset.
const LINGER_BYTES_MAX: usize = 256 * 1024;
/// How long that may take.
const LINGER_MS: u64 = 2_000;

/// Serves a connection to its end. `buf` holds what was read of it already.
pub async fn serve(worker: &Rc<Worker>, facts: &ConnectionFacts, stream: Stream, mut buf: BytesMut) {
    let limits = worker.snapshot().config.limits.clone();
    let wire = Wire::new(stream, &worker.deadlines, limits.write_timeout_ms);
    let mut out = Outgoing::default();
    let mut served = 0u32;
    loop {
        let next = match next_head(&wire, &mut buf, &limits, served).await {
            Ok(next) => next,
            Err(HeadEnd::Quiet) => return,
            Err(HeadEnd::Refused(noted)) => {
                let mut responder = Responder::H1(H1Responder::new(&wire, &mut out, HttpVersion::H11, false, false));
                exchange::refuse_head(worker, facts, noted, None, &buf, &mut responder).await;
                return linger(&wire, &mut buf).await;
            }
        };
        served = served.saturating_add(1);
        let may_stay = next.keep_alive
            && served < limits.requests_per_connection_max
            && worker.deadlines.phase() == Phase::Serving;
        if !serve_one(worker, facts, &wire, &mut buf, &mut out, next, may_stay, &limits).await {
            return linger(&wire, &mut buf).await;
        }
    }
}

/// Carries one request. True when the connection may serve another.
#[expect(clippy::too_many_arguments, reason = "the parts of one connection, borrowed one by one")]
async fn serve_one(
    worker: &Rc<Worker>,
    facts: &ConnectionFacts,
    wire: &Wire,
    buf: &mut BytesMut,
    out: &mut Outgoing,
    request: ParsedRequest,
    may_stay: bool,
    limits: &Limits,
) -> bool {
    let to_head = &*request.head.method == b"HEAD";
    let responder = H1Responder::new(wire, out, request.head.version, to_head, may_stay);
    let mut responder = Responder::H1(responder);
    let decoder = BodyDecoder::new(request.framing, limits);
    let body = RequestBody::new(Source::H1 { wire, buf, decoder }, limits);
    let mut incoming = Incoming {
        head: request.head,
        framing: request.framing,
        notes: request.notes,
        expects_continue: request.expects_continue,
        upgrades: request.upgrades,
        body,
    };
    exchange::carry(worker, facts, &mut incoming, &mut responder).await;
    let Responder::H1(responder) = responder else { return false };
    // A body that was not read to its end stands between us and the next head.
    responder.keep_alive && incoming.body.is_ended()
}

enum HeadEnd {
    /// The connection ended between requests, or was idle for too long.
    Quiet,
    /// What came is no request.
    Refused(Noted),
}

async fn next_head(wire: &Wire, buf: &mut BytesMut, limits: &Limits, served: u32) -> Result<ParsedRequest, HeadEnd> {
    let mut scanned = 0;
    let mut begun_ms = None;
    loop {
        if let Some(end) = head_end(buf, scanned) {
            if end > limits.head_bytes_max as usize {
                return Err(HeadEnd::Refused(Noted::new(Anomaly::HeadTooLarge, end)));
            }
            // The head is copied out so that the buffer can be used again while the event still holds the head.
            let raw = Bytes::copy_from_slice(buf.get(..end).unwrap_or_default());
            let parsed = parse_request(raw, limits).map_err(HeadEnd::Refused)?;
            buf.advance(end);
            return Ok(parsed);
        }
        if let Some(anomaly) = hopeless(buf) {
            return Err(HeadEnd::Refused(Noted::new(anomaly, 0)));
        }
        if buf.len() > limits.head_bytes_max as usize {
            return Err(HeadEnd::Refused(Noted::new(Anomaly::HeadTooLarge, buf.len())));
        }
        scanned = buf.len();
        let read = if buf.is_empty() {
            let idle_ms = if served == 0 { limits.head_timeout_ms } else { limits.idle_timeout_ms };
            wire.read_idle(buf, u64::from(idle_ms)).await
        } else {
            let begun = *begun_ms.get_or_insert_with(|| wire.now_ms());
            wire.read_until(buf, begun + u64::from(limits.head_timeout_ms)).await
        };
        match read {
            Ok(0) if buf.is_empty() => return Err(HeadEnd::Quiet),
            Ok(0) => return Err(HeadEnd::Refused(Noted::new(Anomaly::HeadTruncated, buf.len()))),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !buf.is_empty() => {
                return Err(HeadEnd::Refused(Noted::new(Anomaly::HeadTimeout, buf.len())));
            }
            Err(_) => return Err(HeadEnd::Quiet),
        }
    }
}

/// Ends our side and reads on for a moment: a connection closed with unread bytes is reset by the kernel, and the reset
/// may overtake our answer (RFC 9112, 9.6).
async fn linger(wire: &Wire, buf: &mut BytesMut) {
    if wire.shutdown().await.is_err() {
        return;
    }
    let until = wire.now_ms() + LINGER_MS;
    let mut discarded = 0;
    while discarded < LINGER_BYTES_MAX {
        buf.clear();
        match wire.read_until(buf, until).await {
            Ok(read @ 1..) => discarded += read,
            _ => return,
        }
    }
}
