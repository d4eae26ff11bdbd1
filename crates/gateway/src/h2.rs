//! One HTTP/2 connection of a client: each stream is an exchange of its own.

use std::cell::Cell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use inspect::ConnectionFacts;
use inspect::http1::{Framing, Noted};
use inspect::http2::{FrameTap, check_head};
use model::reason::Anomaly;

use crate::body::{RequestBody, Source};
use crate::clock::Phase;
use crate::downstream::Tapped;
use crate::exchange::{self, Incoming};
use crate::h2c;
use crate::io::Stream;
use crate::responder::{H2Responder, Responder};
use crate::websocket::{self, Asked};
use crate::worker::Worker;

/// Serves a connection to its end.
pub async fn serve(worker: &Rc<Worker>, facts: Rc<ConnectionFacts>, stream: Stream, buf: BytesMut) {
    let limits = worker.snapshot().config.limits.clone();
    let watch = worker.deadlines.watch();
    let flood = Rc::new(Cell::new(None));
    let stream = Tapped::new(buf, stream, FrameTap::new(&limits), Rc::clone(&flood));
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(limits.head_bytes_max)
        .max_concurrent_reset_streams(32)
        .max_pending_accept_reset_streams(limits.h2_resets_per_s_max as usize)
        .enable_connect_protocol()
        .initial_window_size(1 << 18)
        .initial_connection_window_size(1 << 20)
        .handshake(stream);
    let Ok(Ok(mut connection)) = watch.within(u64::from(limits.handshake_timeout_ms), handshake).await else {
        return;
    };
    let mut ending = false;
    loop {
        let accept = std::future::poll_fn(|cx| connection.poll_accept(cx));
        let idle_ms = u64::from(limits.idle_timeout_ms);
        let accepted = if ending {
            watch.within(idle_ms, accept).await
        } else {
            watch.idle_within(idle_ms, Phase::Closing, accept).await
        };
        match accepted {
            Ok(Some(Ok((request, respond)))) => {
                let worker = Rc::clone(worker);
                let facts = Rc::clone(&facts);
                tokio::task::spawn_local(async move { serve_stream(&worker, &facts, request, respond).await });
            }
            // The client or the protocol ended it.
            Ok(Some(Err(_)) | None) => {
                if let Some(anomaly) = flood.get() {
                    if !matches!(anomaly, Anomaly::H2FrameMalformed | Anomaly::H2Malformed) {
                        worker.counters.h2_floods.add_one();
                    }
                    exchange::record_refused(worker, &facts, Noted::new(anomaly, 0));
                }
                return;
            }
            Err(_) if connection.has_streams() && watch.phase() == Phase::Serving => {}
            Err(_) if !ending => {
                // GOAWAY first, so that a request already on its way is still served (RFC 9113, 6.8).
                connection.graceful_shutdown();
                ending = true;
            }
            Err(_) if connection.has_streams() => {}
            Err(_) => return,
        }
    }
}

async fn serve_stream(
    worker: &Rc<Worker>,
    facts: &ConnectionFacts,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let snapshot = worker.snapshot();
    let limits = &snapshot.config.limits;
    let (parts, stream) = request.into_parts();
    let mut head = h2c::request_head(&parts);
    let asked = websocket::asked(&parts);
    if asked == Asked::WebSocket {
        websocket::begin(&mut head);
    }
    let to_head = &*head.method == b"HEAD";
    let responder = H2Responder::new(respond, worker.deadlines.watch(), limits.write_timeout_ms, to_head);
    let mut responder = Responder::H2(responder);
    let checked = match check_head(&head, limits) {
        Ok(checked) => checked,
        Err(noted) => return exchange::refuse_head(worker, facts, noted, Some(&head), &[], &mut responder).await,
    };
    if asked == Asked::Unknown {
        let noted = Noted::new(Anomaly::H2Malformed, 0);
        return exchange::refuse_head(worker, facts, noted, Some(&head), &[], &mut responder).await;
    }
    let upgrades = asked == Asked::WebSocket;
    if upgrades {
        // Checked first: over HTTP/2 the client itself may not say what this adds.
        websocket::ask(&mut head);
    }
    let framing = match checked.content_length {
        _ if upgrades || stream.is_end_stream() => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    let source = if upgrades {
        // What the client sends is no body: it belongs to the protocol it asked for.
        responder.keep_stream(stream);
        Source::Ended(None)
    } else if framing == Framing::None {
        Source::Ended(None)
    } else {
        Source::H2 { stream, watch: worker.deadlines.watch(), in_trailers: false }
    };
    let body = RequestBody::new(source, limits);
    let notes = checked.notes;
    let mut incoming = Incoming { head, framing, notes, expects_continue: false, upgrades, body };
    exchange::carry(worker, facts, &mut incoming, &mut responder).await;
}
