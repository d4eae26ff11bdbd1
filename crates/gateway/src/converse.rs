//! One request to the upstream and its answer back: choosing a server, trying again where that is safe, and talking to
//! both sides at once.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use inspect::BodyWish;
use inspect::http1::Framing;
use inspect::stages::contract;
use inspect::stages::leakage::mask_response;
use model::StatusSource;
use model::head::{Known, ResponseHead};

use crate::balance::Pick;
use crate::body::{BodyFailure, Piece, RequestBody, ResponseBody, SAMPLE_BYTES_MAX, Source, keep_sample};
use crate::config::{Balance, HashKey, ServerTiming};
use crate::conversation::{self, Heard, Told};
use crate::exchange::{Exchange, Stop, sample_decoded};
use crate::forward::OutgoingRequest;
use crate::h2c;
use crate::io::{Outgoing, Wire};
use crate::record::Record;
use crate::responder::Responder;
use crate::tunnel;
use crate::upstream::h1::{self, Sent};
use crate::upstream::h2;
use crate::upstream::pool::Wanted;
use crate::upstream::{H1Connection, H2Connection, Lease, Server, Upstream, UpstreamFailure};
use crate::websocket;

/// How many bytes of a body are held so that an idempotent request can be tried again.
const REPLAY_BYTES_MAX: u64 = 16 * 1024;

/// Sends the request to a server of the route's upstream and relays the answer; tries again where that is safe.
///
/// # Errors
/// What stopped it; the caller answers when nothing was relayed yet.
pub async fn forward(
    exchange: &Exchange<'_>,
    body: &mut RequestBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let key = balance_key(exchange, &Balance::Hash(HashKey::Session));
    let target = exchange.route.target(key);
    let Some(upstream) = target.and_then(|index| exchange.snapshot.upstreams.get(index)) else {
        return Err(Stop::Unavailable);
    };
    let idempotent = matches!(&*exchange.head.method, b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE" | b"TRACE");
    if idempotent
        && upstream.config.retries.max > 0
        && matches!(exchange.framing, Framing::Length(1..=REPLAY_BYTES_MAX))
    {
        body.hold(REPLAY_BYTES_MAX as usize).await.map_err(Stop::Client)?;
    }
    upstream.retry_budget.deposit(exchange.worker.deadlines.now_ms());
    let key = balance_key(exchange, &upstream.config.balance);
    let mut tried: u64 = 0;
    let mut wanted = Wanted::Any;
    let mut last = Stop::Unavailable;
    loop {
        let now = exchange.now.0;
        let Some(index) = upstream.balancer.pick(Pick { key, now_us: now, tried }) else { return Err(last) };
        let Some(server) = upstream.servers.get(index) else { return Err(Stop::Unavailable) };
        record.event.server = u16::try_from(index).unwrap_or(u16::MAX);
        let held = body.is_replayable().then(|| body.held());
        let outcome = {
            let _outstanding = upstream.balancer.outstanding(index);
            attempt(exchange, upstream, server, wanted, body, responder, record).await
        };
        let Err(Stop::Upstream(failure)) = outcome else {
            if record.event.status_source == StatusSource::Upstream {
                upstream.balancer.succeeded(index);
            }
            return outcome;
        };
        // A kept connection that turns out to be closed says nothing about the server.
        let stale = wanted == Wanted::Any && matches!(failure, UpstreamFailure::Broken { sent_nothing_back: true });
        if !stale {
            upstream.balancer.failed(index, now);
        }
        let again = match failure {
            // Nothing was sent: any request may go elsewhere, as long as its body is still there.
            UpstreamFailure::Connect => body.received == 0 || held.is_some(),
            UpstreamFailure::Broken { sent_nothing_back: true } => idempotent && held.is_some(),
            _ => false,
        };
        let allowed = record.event.retries < upstream.config.retries.max.saturating_add(u8::from(stale))
            && (stale || upstream.retry_budget.withdraw(exchange.worker.deadlines.now_ms()));
        if !again || !allowed || responder.has_begun() {
            return outcome;
        }
        if let Some(held) = held {
            body.hold_again(held);
        }
        if !stale {
            tried |= 1u64.checked_shl(index as u32).unwrap_or(0);
        }
        wanted = Wanted::Fresh;
        last = Stop::Upstream(failure);
        record.event.retries = record.event.retries.saturating_add(1);
        exchange.worker.counters.retries.add_one();
    }
}

/// What the choice of a server rests on, hashed.
fn balance_key(exchange: &Exchange<'_>, balance: &Balance) -> u64 {
    let client = || hash(&ip_bytes(exchange.address.client));
    match balance {
        Balance::RoundRobin | Balance::LeastOutstanding => 0,
        Balance::Hash(HashKey::Client) => client(),
        Balance::Hash(HashKey::Session) => exchange.session.map_or_else(client, |session| session.0),
        Balance::Hash(HashKey::Header(name)) => exchange.head.fields.named(name.as_bytes()).map_or_else(client, hash),
    }
}

fn ip_bytes(address: std::net::IpAddr) -> [u8; 16] {
    match address {
        std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(v6) => v6.octets(),
    }
}

/// FNV-1a: short keys, no attacker to fear beyond the choice of a server.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// One try over one connection.
async fn attempt(
    exchange: &Exchange<'_>,
    upstream: &Upstream,
    server: &Server,
    wanted: Wanted,
    body: &mut RequestBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let lease = exchange.worker.pool.lease(upstream, server, wanted).await.map_err(Stop::Upstream)?;
    record.forwarded();
    match lease {
        Lease::H1(connection) => over_h1(exchange, upstream, server, *connection, body, responder, record).await,
        Lease::H2(connection) => over_h2(exchange, upstream, server, connection, body, responder, record).await,
    }
}

/// The request as it is sent to this server.
fn outgoing<'a>(
    exchange: &'a Exchange<'_>,
    upstream: &'a Upstream,
    server: &'a Server,
    path: &'a [u8],
    framing: Framing,
) -> OutgoingRequest<'a> {
    let host = match &upstream.config.host {
        Some(host) => host.as_bytes(),
        None if exchange.head.authority.is_empty() => server.authority.as_bytes(),
        None => &exchange.head.authority,
    };
    let upgrade = if exchange.upgrades { exchange.head.fields.first(Known::Upgrade) } else { None };
    OutgoingRequest {
        head: exchange.head,
        path,
        query: exchange.query,
        host,
        framing,
        upgrade,
        forwarding: exchange.forwarding,
        request_id: exchange.request_id.as_bytes(),
        trace: exchange.trace,
        plain_answer: mask_response(&exchange.route.policy, &exchange.view()).is_some(),
        plain_frames: upgrade.is_some() && contract::judges_socket(&exchange.route.policy, &exchange.view()),
    }
}

async fn over_h1(
    exchange: &Exchange<'_>,
    upstream: &Upstream,
    server: &Server,
    connection: H1Connection,
    body: &mut RequestBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let H1Connection { wire, mut buf, mut out, .. } = connection;
    let limits = &exchange.snapshot.config.limits;
    let timeout_ms = u64::from(upstream.config.response_timeout_ms);
    let to_head = &*exchange.head.method == b"HEAD";
    let after = {
        let path = exchange.forwarded_path();
        outgoing(exchange, upstream, server, &path, exchange.framing).write_h1(out.gather());
        let sent = Cell::new(false);
        let mut background = pin!(async {
            match h1::send_request(&wire, &mut out, exchange.framing, body).await {
                Sent::ClientFailed(failure) => failure,
                Sent::UpstreamStopped => std::future::pending().await,
                Sent::Whole => {
                    sent.set(true);
                    if exchange.upgrades {
                        // What the client sends next belongs to the protocol it asked for.
                        return std::future::pending().await;
                    }
                    body.client_gone().await;
                    BodyFailure::Gone
                }
            }
        });
        let response = loop {
            let head = h1::read_head(&wire, &mut buf, limits, timeout_ms);
            let response = match alongside(background.as_mut(), until_reset(responder, head)).await {
                // An upload may take longer than an answer: the limit counts from its end.
                Ok(Ok(Err(UpstreamFailure::TimedOut))) if !sent.get() => continue,
                outcome => flatten(outcome)?.map_err(Stop::Upstream)?,
            };
            match response.head.status {
                101 => break response,
                100 => {}
                102..=199 => responder.interim(&response.head).await.map_err(Stop::ClientWrite)?,
                _ => break response,
            }
        };
        record.answered();
        if response.head.status == 101 {
            After::Upgraded(Box::new(response.head))
        } else {
            let (decoder, framing) = h1::body_decoder(&response, to_head, limits).map_err(Stop::Upstream)?;
            let source = Source::H1 { wire: &wire, buf: &mut buf, decoder };
            let mut response_body = ResponseBody::new(source, timeout_ms);
            relay(exchange, background.as_mut(), &response.head, framing, &mut response_body, responder, record)
                .await?;
            if !sent.get() {
                // The upstream answered before the body had ended; the rest of it has nowhere to go.
                responder.close_after();
            }
            if response.keep_alive && framing != Framing::UntilClose && sent.get() {
                After::Reusable
            } else {
                After::Spent
            }
        }
    };
    match after {
        After::Reusable => {
            exchange.worker.pool.give_back(upstream, server, H1Connection { wire, buf, out, reused: true });
            Ok(())
        }
        After::Spent => Ok(()),
        After::Upgraded(head) => upgraded(exchange, &head, (&wire, &mut buf), body, responder, record).await,
    }
}

/// What becomes of a connection after its exchange.
enum After {
    /// It may carry another.
    Reusable,
    /// It may not.
    Spent,
    /// It carries another protocol now.
    Upgraded(Box<ResponseHead>),
}

async fn over_h2(
    exchange: &Exchange<'_>,
    upstream: &Upstream,
    server: &Server,
    connection: H2Connection,
    body: &mut RequestBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let timeout_ms = u64::from(upstream.config.response_timeout_ms);
    let watch = exchange.worker.deadlines.watch();
    let path = exchange.forwarded_path();
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    let request = outgoing(exchange, upstream, server, &path, exchange.framing)
        .to_h2(scheme)
        .map_err(|_| Stop::Upstream(UpstreamFailure::Malformed))?;
    let no_body = exchange.framing == Framing::None;
    let _open = connection.enter();
    let (mut response, stream) =
        connection.begin(request, no_body, &watch, timeout_ms).await.map_err(Stop::Upstream)?;
    let sent = Cell::new(no_body);
    let mut background = pin!(async {
        if !no_body {
            match h2::send_body(stream, body).await {
                Sent::ClientFailed(failure) => return failure,
                Sent::UpstreamStopped => return std::future::pending().await,
                Sent::Whole => sent.set(true),
            }
        }
        body.client_gone().await;
        BodyFailure::Gone
    });
    let (parts, stream) = loop {
        let head = h2::read_head(&mut response, &watch, timeout_ms);
        match alongside(background.as_mut(), until_reset(responder, head)).await {
            Ok(Ok(Err(UpstreamFailure::TimedOut))) if !sent.get() => {}
            outcome => break flatten(outcome)?.map_err(Stop::Upstream)?,
        }
    };
    record.answered();
    let head = h2c::response_head(&parts);
    let length =
        head.fields.first(Known::ContentLength).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let framing = match length {
        _ if &*exchange.head.method == b"HEAD" || matches!(head.status, 204 | 304) => Framing::None,
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None if stream.is_end_stream() => Framing::None,
        None => Framing::Chunked,
    };
    let mut response_body = ResponseBody::new(Source::H2 { stream, watch, in_trailers: false }, timeout_ms);
    relay(exchange, background.as_mut(), &head, framing, &mut response_body, responder, record).await
}

/// Judges the response and sends it on, piece by piece.
async fn relay(
    exchange: &Exchange<'_>,
    mut background: Pin<&mut impl Future<Output = BodyFailure>>,
    head: &ResponseHead,
    framing: Framing,
    body: &mut ResponseBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    record.event.response_type = head.fields.first_bytes(Known::ContentType).unwrap_or_default();
    let judged = exchange.judge_response(head, body, record);
    let wish = match alongside(background.as_mut(), judged).await {
        Ok(judged) => judged?,
        Err(failure) => return Err(Stop::Client(failure)),
    };
    let relayed = relay_body(exchange, background, head, framing, wish, body, responder, record).await;
    if let Some(mask) = body.mask.take() {
        exchange.mask_findings(mask, record)?;
    }
    match body.gate.take() {
        Some(gate) => exchange.gate_findings(gate, record).and(relayed),
        None => relayed,
    }
}

/// Sends a judged response on, piece by piece; a gate judges the messages of a stream on their way.
#[allow(clippy::too_many_arguments, reason = "what one conversation holds")]
async fn relay_body(
    exchange: &Exchange<'_>,
    mut background: Pin<&mut impl Future<Output = BodyFailure>>,
    head: &ResponseHead,
    framing: Framing,
    wish: BodyWish,
    body: &mut ResponseBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let mut copy = (wish == BodyWish::Copy).then(Vec::new);
    let copy_max = exchange.snapshot.config.limits.inspect_bytes_max as usize;
    record.event.status = head.status;
    record.event.status_source = StatusSource::Upstream;
    let timing = server_timing(exchange, record);
    let extra = timing.as_deref().map(|value| ("Server-Timing", value));
    responder.begin(head, framing, extra.as_slice()).map_err(Stop::ClientWrite)?;
    if framing == Framing::None {
        return responder.finish(None).await.map_err(Stop::ClientWrite);
    }
    loop {
        let piece = match body.ready().map_err(upstream_broke)? {
            Some(piece) => piece,
            None => {
                // Nothing is here: what was gathered leaves before the upstream is waited for, so that events stream.
                responder.flush().await.map_err(Stop::ClientWrite)?;
                match alongside(background.as_mut(), body.next()).await {
                    Ok(piece) => piece.map_err(upstream_broke)?,
                    Err(failure) => return Err(Stop::Client(failure)),
                }
            }
        };
        match piece {
            Piece::Data(data) => {
                record.event.response_bytes += data.len() as u64;
                keep_sample(&mut record.response_sample, &data, SAMPLE_BYTES_MAX);
                keep_sample(&mut copy, &data, copy_max);
                let sending = responder.piece(data);
                match alongside(background.as_mut(), sending).await {
                    Ok(sent) => sent.map_err(Stop::ClientWrite)?,
                    Err(failure) => return Err(Stop::Client(failure)),
                }
            }
            Piece::End(trailers) => {
                if let Some(sample) = record.response_sample.take() {
                    record.sample_whole.1 = record.event.response_bytes <= SAMPLE_BYTES_MAX as u64;
                    let coding = head.fields.first(Known::ContentEncoding);
                    record.response_sample = Some(sample_decoded(sample, coding, &mut record.sample_whole.1));
                }
                responder.finish(trailers).await.map_err(Stop::ClientWrite)?;
                if let Some(copy) = copy {
                    let whole = record.event.response_bytes <= copy_max as u64;
                    exchange.judge_response_bytes(head, &copy, whole, record)?;
                }
                return Ok(());
            }
        }
    }
}

fn upstream_broke(failure: BodyFailure) -> Stop {
    Stop::Upstream(match failure {
        BodyFailure::TimedOut => UpstreamFailure::TimedOut,
        // Findings of the gate take its place.
        BodyFailure::Refused => UpstreamFailure::Malformed,
        BodyFailure::Gone | BodyFailure::Anomaly(_) => UpstreamFailure::Broken { sent_nothing_back: false },
    })
}

/// What the gateway and the upstream took, for those who may ask (W3C Server Timing).
fn server_timing(exchange: &Exchange<'_>, record: &Record) -> Option<String> {
    let wanted = match &exchange.snapshot.config.server_timing {
        ServerTiming::Off => false,
        ServerTiming::Always => true,
        ServerTiming::OnRequest(secret) => {
            exchange.head.fields.named(b"portreeve-debug").is_some_and(|value| value == secret.as_bytes())
        }
    };
    wanted.then(|| {
        let milliseconds = |us: u32| f64::from(us) / 1000.0;
        format!(
            "portreeve;dur={:.3}, judge;dur={:.3}, upstream;dur={:.3}",
            milliseconds(record.own_us()),
            record.judge_ns as f64 / 1e6,
            milliseconds(record.event.upstream_us)
        )
    })
}

/// Waits for `main` while `background` goes on; a background that ends is a client that failed, and ends the wait.
async fn alongside<T>(
    mut background: Pin<&mut impl Future<Output = BodyFailure>>,
    main: impl Future<Output = T>,
) -> Result<T, BodyFailure> {
    let mut main = pin!(main);
    poll_fn(|cx| {
        // The background first: it sends the request that main waits for the answer of.
        if let Poll::Ready(failure) = background.as_mut().poll(cx) {
            return Poll::Ready(Err(failure));
        }
        main.as_mut().poll(cx).map(Ok)
    })
    .await
}

/// Waits for `main` unless the client resets the stream it asked over.
async fn until_reset<T>(responder: &mut Responder<'_>, main: impl Future<Output = T>) -> Result<T, BodyFailure> {
    let mut main = pin!(main);
    poll_fn(|cx| {
        if responder.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(BodyFailure::Gone));
        }
        main.as_mut().poll(cx).map(Ok)
    })
    .await
}

fn flatten<T>(outcome: Result<Result<T, BodyFailure>, BodyFailure>) -> Result<T, Stop> {
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) | Err(failure) => Err(Stop::Client(failure)),
    }
}

/// The upstream took up the protocol the client asked for: from here on bytes are carried, not messages.
async fn upgraded(
    exchange: &Exchange<'_>,
    head: &ResponseHead,
    (wire, buf): (&Wire, &mut BytesMut),
    body: &mut RequestBody<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let protocol = head.fields.first(Known::Upgrade).unwrap_or_default();
    let asked = exchange.head.fields.first(Known::Upgrade).unwrap_or_default();
    if !exchange.upgrades || !protocol.eq_ignore_ascii_case(asked) {
        return Err(Stop::Upstream(UpstreamFailure::Malformed));
    }
    let idle_ms = u64::from(exchange.snapshot.config.limits.idle_timeout_ms);
    let mut gate = contract::gate_socket(&exchange.route.policy, &exchange.view(), head);
    let carried = match responder {
        Responder::H1(h1) => {
            exchange.worker.counters.upgrades.add_one();
            record.event.status = 101;
            record.event.status_source = StatusSource::Upstream;
            h1.keep_alive = false;
            h1.switch_protocols(head, protocol).await.map_err(Stop::ClientWrite)?;
            let Some((client, client_buf)) = body.connection() else { return Ok(()) };
            match &mut gate {
                Some(gate) => {
                    let heard = Heard::Wire(client, client_buf);
                    conversation::carry_judged(gate, heard, Told::Wire(client), (wire, buf), idle_ms).await
                }
                None => tunnel::carry(client, client_buf, wire, buf, idle_ms).await,
            }
        }
        Responder::H2(h2) => {
            if !websocket::accepts(exchange.head, head) {
                return Err(Stop::Upstream(UpstreamFailure::Malformed));
            }
            exchange.worker.counters.upgrades.add_one();
            record.event.status = 200;
            record.event.status_source = StatusSource::Upstream;
            let stream = h2.open_tunnel(head).map_err(Stop::ClientWrite)?;
            let watch = exchange.worker.deadlines.watch();
            match &mut gate {
                Some(gate) => {
                    let heard = Heard::Stream(stream, &watch);
                    conversation::carry_judged(gate, heard, Told::Stream(h2), (wire, buf), idle_ms).await
                }
                None => tunnel::carry_stream((stream, &watch), h2, wire, buf, idle_ms).await,
            }
        }
    };
    record.event.response_bytes = carried.to_client;
    body.received = carried.to_upstream;
    if let Some(gate) = gate {
        exchange.socket_findings(gate, record);
    }
    Ok(())
}

/// Sends a copy of the request to another upstream; the answer is thrown away. A body that is not held whole is not
/// copied, and neither is its request.
pub fn mirror(exchange: &Exchange<'_>, upstream: usize, body: Option<Bytes>) {
    let Some(upstream) = exchange.snapshot.upstreams.get(upstream) else { return };
    if exchange.framing != Framing::None && body.is_none() {
        return;
    }
    let Some(index) = upstream.balancer.pick(Pick { key: 0, now_us: exchange.now.0, tried: 0 }) else { return };
    let Some(server) = upstream.servers.get(index) else { return };
    let body = body.unwrap_or_default();
    let framing = if body.is_empty() { Framing::None } else { Framing::Length(body.len() as u64) };
    let path = exchange.forwarded_path();
    let request = outgoing(exchange, upstream, server, &path, framing);
    let mut out = Outgoing::default();
    request.write_h1(out.gather());
    let worker = Rc::clone(exchange.worker);
    let (upstream, server) = (Arc::clone(upstream), Arc::clone(server));
    let snapshot = Arc::clone(exchange.snapshot);
    let to_head = &*exchange.head.method == b"HEAD";
    tokio::task::spawn_local(async move {
        let Ok(Lease::H1(connection)) = worker.pool.lease(&upstream, &server, Wanted::Any).await else { return };
        let H1Connection { wire, mut buf, out: spare, .. } = *connection;
        worker.counters.mirrored.add_one();
        let limits = &snapshot.config.limits;
        let timeout_ms = u64::from(upstream.config.response_timeout_ms);
        if wire.write_all(out.gather(), &body).await.is_err() {
            return;
        }
        let Ok(response) = h1::read_head(&wire, &mut buf, limits, timeout_ms).await else { return };
        let Ok((decoder, framing)) = h1::body_decoder(&response, to_head, limits) else { return };
        let mut rest = ResponseBody::new(Source::H1 { wire: &wire, buf: &mut buf, decoder }, timeout_ms);
        while let Ok(Piece::Data(_)) = rest.next().await {}
        if response.keep_alive && framing != Framing::UntilClose {
            worker.pool.give_back(&upstream, &server, H1Connection { wire, buf, out: spare, reused: true });
        }
    });
}
