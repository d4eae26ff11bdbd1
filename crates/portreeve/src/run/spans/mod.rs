//! Spans of exchanges on their way to a collector: OTLP over HTTP, protobuf, in batches.
//!
//! The recorder makes spans of events and puts them into a bounded channel; a thread of its own sends them. A collector that
//! is slow or away costs spans, never traffic, and what is lost is counted. `docs/decisions/0005` says why the protocol is
//! spoken here and not by the SDK.

mod otlp;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use model::{Action, Event, ExchangeEnd};
use otlp::{Kind, STATUS_ERROR, number, text};
use prost::Message;

use super::Error;
use super::metrics::Metrics;
use crate::config::Tracing;

/// Batches that may wait for the collector; each is what the recorder got at once, at most a few dozen spans.
const BATCHES_MAX: usize = 256;
/// Spans sent in one request.
const SPANS_PER_REQUEST: usize = 512;
/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take over one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tries of one request. The collector says by its status whether another makes sense.
const TRIES_MAX: u32 = 3;
/// How long spans that wait are still sent when the program ends.
const END: Duration = Duration::from_secs(2);
/// How much of an answer is read; it says nothing that we need.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The way from the recorder to the thread that sends.
pub struct Spans {
    sender: SyncSender<Vec<otlp::Span>>,
    metrics: Arc<Metrics>,
    thread: JoinHandle<()>,
}

impl Spans {
    /// Makes spans of the sampled exchanges of a batch. A full channel drops them and counts.
    pub fn offer(&self, events: &[Event]) {
        let spans: Vec<otlp::Span> = events.iter().filter_map(span_of).collect();
        let count = spans.len() as u64;
        if count > 0 && self.sender.try_send(spans).is_err() {
            self.metrics.spans_dropped.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Sends what waits, within a short time, and ends.
    pub fn end(self) {
        drop(self.sender);
        let until = Instant::now() + END;
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Starts the thread that sends.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(tracing: &Tracing, metrics: &Arc<Metrics>) -> Result<Spans, Error> {
    let (sender, spans) = sync_channel(BATCHES_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let exporter =
        Exporter { tracing: tracing.clone(), metrics: Arc::clone(metrics), connection: None, runtime, failing: false };
    let thread = std::thread::Builder::new().name("spans".to_owned());
    let thread = thread.spawn(move || exporter.run(&spans)).map_err(Error::Thread)?;
    Ok(Spans { sender, metrics: Arc::clone(metrics), thread })
}

struct Exporter {
    tracing: Tracing,
    metrics: Arc<Metrics>,
    connection: Option<SendRequest<Full<Bytes>>>,
    runtime: tokio::runtime::Runtime,
    /// The last request failed: said once, not at every batch.
    failing: bool,
}

/// What became of one try.
enum Sent {
    Taken,
    /// Another try makes sense (OTLP, "Retryable Response Codes").
    Again(String),
    Refused(String),
}

impl Exporter {
    fn run(mut self, spans: &Receiver<Vec<otlp::Span>>) {
        loop {
            let Ok(mut batch) = spans.recv() else { return };
            let until = Instant::now() + GATHER;
            let mut over = false;
            while batch.len() < SPANS_PER_REQUEST && !over {
                match spans.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(mut more) => batch.append(&mut more),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => over = true,
                }
            }
            self.export(batch);
        }
    }

    fn export(&mut self, spans: Vec<otlp::Span>) {
        let count = spans.len() as u64;
        let body = Bytes::from(self.request(spans).encode_to_vec());
        let mut wait = Duration::from_millis(200);
        for tried in 1..=TRIES_MAX {
            let why = match self.send(body.clone()) {
                Sent::Taken => {
                    self.failing = false;
                    self.metrics.spans_exported.fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Sent::Again(_) if tried < TRIES_MAX => {
                    std::thread::sleep(wait);
                    wait *= 4;
                    continue;
                }
                Sent::Again(why) | Sent::Refused(why) => why,
            };
            if !self.failing {
                let collector = &self.tracing.authority;
                tracing::warn!(%collector, %why, "spans are dropped");
            }
            self.failing = true;
            break;
        }
        self.metrics.spans_dropped.fetch_add(count, Ordering::Relaxed);
    }

    fn request(&self, spans: Vec<otlp::Span>) -> otlp::Request {
        let version = env!("CARGO_PKG_VERSION");
        let attributes = vec![text("service.name", self.tracing.service.clone()), text("service.version", version)];
        let scope = otlp::Scope { name: "portreeve".to_owned(), version: version.to_owned() };
        otlp::Request {
            resource_spans: vec![otlp::ResourceSpans {
                resource: Some(otlp::Resource { attributes }),
                scope_spans: vec![otlp::ScopeSpans { scope: Some(scope), spans }],
            }],
        }
    }

    fn send(&mut self, body: Bytes) -> Sent {
        let Self { tracing, connection, runtime, .. } = self;
        let outcome = runtime.block_on(async { tokio::time::timeout(PATIENCE, post(tracing, connection, body)).await });
        let status = match outcome {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => {
                self.connection = None;
                return Sent::Again(error.to_string());
            }
            Err(_) => {
                self.connection = None;
                return Sent::Again(format!("no answer within {} seconds", PATIENCE.as_secs()));
            }
        };
        match status {
            200..=299 => Sent::Taken,
            429 | 502..=504 => Sent::Again(format!("the collector answered {status}")),
            _ => Sent::Refused(format!("the collector answered {status}")),
        }
    }
}

/// Sends one request and answers the status.
async fn post(
    tracing: &Tracing,
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    body: Bytes,
) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let usable = match connection.as_mut() {
        Some(sender) => sender.ready().await.is_ok(),
        None => false,
    };
    if !usable {
        let socket = tokio::net::TcpStream::connect(&tracing.authority).await?;
        let (sender, driver) = handshake(TokioIo::new(socket)).await?;
        // How the connection ends shows in the requests.
        tokio::spawn(async move {
            let _ = driver.await;
        });
        *connection = Some(sender);
    }
    let Some(sender) = connection.as_mut() else { return Err("no connection".into()) };
    let request = http::Request::post(tracing.path.as_str())
        .header("host", &tracing.authority)
        .header("content-type", "application/x-protobuf")
        .body(Full::new(body))?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?;
    Ok(status)
}

/// The span of an exchange that is sampled. Attributes follow the semantic conventions for HTTP, 1.27. Values of the
/// query are left out, as in the store.
fn span_of(event: &Event) -> Option<otlp::Span> {
    let span = event.span.as_ref()?;
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let method = lossy(&event.method);
    let mut attributes = vec![
        text("http.request.method", method.clone()),
        text("url.path", lossy(event.path())),
        text("server.address", lossy(&event.host)),
        text("client.address", event.client.to_string()),
        text("network.peer.address", event.peer.to_string()),
        text("network.protocol.version", event.version.text().trim_start_matches("HTTP/")),
        text("user_agent.original", lossy(&event.agent)),
        text("portreeve.request_id", event.id.to_string()),
        text("portreeve.end", event.end.name()),
        number("portreeve.judge_us", i64::from(event.judge_us)),
        number("portreeve.upstream_us", i64::from(event.upstream_us)),
    ];
    if event.status > 0 {
        attributes.push(number("http.response.status_code", i64::from(event.status)));
    }
    if let Some(api) = &event.api {
        attributes.push(text("portreeve.api", api.0.to_string()));
    }
    if let Some(endpoint) = event.endpoint {
        attributes.push(text("portreeve.endpoint", endpoint.to_string()));
    }
    if let Action::Refuse { reason, .. } = event.verdict.action {
        attributes.push(text("portreeve.reason", reason.code()));
    }
    // A server's span is an error for what the server did wrong, not for what the client did.
    let failed = event.status >= 500 || !matches!(event.end, ExchangeEnd::Complete | ExchangeEnd::Refused);
    let start = u64::try_from(event.at.0).unwrap_or(0).saturating_mul(1_000);
    Some(otlp::Span {
        trace_id: span.trace.to_be_bytes().to_vec(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
        name: method,
        kind: i32::from(Kind::Server),
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(u64::from(event.total_us) * 1_000),
        attributes,
        status: failed.then(|| otlp::Status { message: event.end.name().to_owned(), code: STATUS_ERROR }),
        // Sampled, and whether the parent is remote is known: it is, when there is one.
        flags: 0x101 | if span.parent.is_some() { 0x200 } else { 0 },
    })
}
