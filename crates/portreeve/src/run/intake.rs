//! Where traffic that another gateway carries is shown to the learner: mirrored requests, answered 204 and never forwarded,
//! and Envoy's gRPC access logs. A thread of its own with a runtime of its own; it shares nothing with the data path but the
//! learner's bounded channel.
//!
//! A mirrored request says nothing about its answer. It is taken for an answered one, so that discovery works at all; where
//! scanners are heavy, access logs are the better source.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ingest::als;
use ingest::make::{Maker, Pieces};
use model::Observation;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use super::Error;
use super::metrics::Metrics;
use crate::config::Observe;

/// Connections at once; senders keep a few open.
const CONNECTIONS_MAX: usize = 256;
/// Streams of one connection at once.
const STREAMS_MAX: u32 = 64;
/// Bytes of fields of one request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a mirrored body that are read to keep its connection; a longer one ends it.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a sender may be silent in the middle of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How often what came is handed to the learner, and how much may wait until then.
const HAND_OVER: Duration = Duration::from_millis(50);
const WAITING_MAX: usize = 4_096;

/// The intake at work.
pub struct Intake {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

struct Shared {
    token: Option<String>,
    session_key: [u8; 32],
    waiting: Mutex<Vec<Observation>>,
    observations: SyncSender<Vec<Observation>>,
    metrics: Arc<Metrics>,
}

/// Starts listening. A successor waits for the address until its predecessor has gone.
///
/// # Errors
/// When the address cannot be had.
pub fn start(
    settings: Observe,
    session_key: [u8; 32],
    observations: SyncSender<Vec<Observation>>,
    metrics: Arc<Metrics>,
    succeeds: bool,
) -> Result<Intake, Error> {
    let addr = settings.address;
    let bound = std::net::TcpListener::bind(addr).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let listener = match bound {
        Err(error) if !(succeeds && error.kind() == std::io::ErrorKind::AddrInUse) => {
            return Err(Error::Observe { addr, error: crate::config::meant::plain(&error) });
        }
        bound => bound.ok(),
    };
    let shared =
        Arc::new(Shared { token: settings.token, session_key, waiting: Mutex::default(), observations, metrics });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let (stop, stopped) = oneshot::channel();
    let run = move || {
        runtime.block_on(async move {
            let hand_over = async {
                loop {
                    tokio::time::sleep(HAND_OVER).await;
                    shared.hand_over();
                }
            };
            tokio::select! {
                () = accept(addr, listener, Arc::clone(&shared)) => {}
                () = hand_over => {}
                _ = stopped => {}
            }
            shared.hand_over();
        });
    };
    let thread = std::thread::Builder::new().name("intake".to_owned()).spawn(run).map_err(Error::Thread)?;
    Ok(Intake { stop, thread })
}

impl Intake {
    /// Ends it; the learner can end only then.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

impl Shared {
    fn take(&self, observation: Observation) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(observation);
        } else {
            self.metrics.observations_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn hand_over(&self) {
        let batch = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let count = batch.len() as u64;
        if count == 0 {
            return;
        }
        let counter = match self.observations.try_send(batch) {
            Ok(()) => &self.metrics.observations_sent,
            Err(_) => &self.metrics.observations_dropped,
        };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    fn unreadable(&self, count: u64) {
        self.metrics.intake_unreadable.fetch_add(count, Ordering::Relaxed);
    }

    fn maker(&self) -> Maker {
        Maker::new(&ingest::Options { session_key: self.session_key, ..ingest::Options::default() })
    }

    fn allowed(&self, fields: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let given = fields.get("portreeve-token").map(HeaderValue::as_bytes).unwrap_or_default();
        // Constant time: the comparison must not tell how much of a guess was right.
        aws_lc_rs::constant_time::verify_slices_are_equal(given, token.as_bytes()).is_ok()
    }
}

async fn accept(addr: SocketAddr, listener: Option<std::net::TcpListener>, shared: Arc<Shared>) {
    let listener = match listener.map(TcpListener::from_std) {
        Some(Ok(listener)) => listener,
        Some(Err(error)) => return tracing::error!(%error, "the intake does not work"),
        None => loop {
            if let Ok(listener) = TcpListener::bind(addr).await {
                break listener;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        },
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: waiting is all that helps.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(request, &shared).await) }
            });
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(HEAD_BYTES_MAX as u32);
            // A sender that breaks off is its own business.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(request: Request<Incoming>, shared: &Shared) -> Answer {
    if request.uri().path() == als::METHOD {
        return access_logs(request, shared).await;
    }
    if !shared.allowed(request.headers()) {
        return plain(StatusCode::UNAUTHORIZED);
    }
    let (head, mut body) = request.into_parts();
    let told = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
        if length > BODY_BYTES_MAX {
            break;
        }
    }
    match mirrored(&head, told.unwrap_or(length).max(length), &mut shared.maker()) {
        Some(observation) => shared.take(observation),
        None => shared.unreadable(1),
    }
    plain(StatusCode::NO_CONTENT)
}

fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(BoxBody::new(Empty::new()));
    *answer.status_mut() = status;
    answer
}

/// A mirrored request as an observation. nginx sends the copy's target in the request line, or in `X-Original-URI` when it
/// was told to; Envoy puts `-shadow` behind the host.
fn mirrored(head: &http::request::Parts, length: usize, maker: &mut Maker) -> Option<Observation> {
    let field = |name: &str| head.headers.get(name).map(HeaderValue::as_bytes);
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let host = field("x-original-host").or_else(|| field("x-forwarded-host")).or_else(|| field("host"));
    let host = host.or_else(|| head.uri.authority().map(|authority| authority.as_str().as_bytes()));
    let host = host.map(|host| host.strip_suffix(b"-shadow").unwrap_or(host));
    let length = length.to_string();
    let nothing = Some(&b"-"[..]);
    let pieces = Pieces {
        client: field("x-real-ip"),
        forwarded_for: field("x-forwarded-for"),
        host,
        method: Some(field("x-original-method").unwrap_or(head.method.as_str().as_bytes())),
        target: Some(field("x-original-uri").unwrap_or(target.as_bytes())),
        status: Some(b"200"),
        request_type: field("content-type"),
        request_bytes: Some(length.as_bytes()),
        agent: field("user-agent"),
        referer: field("referer"),
        accept: field("accept"),
        fetch_dest: field("sec-fetch-dest"),
        // Here, unlike in a log, an absent field is known to be absent.
        authorization: field("authorization").or(nothing),
        cookie: field("cookie").or(nothing),
        ..Pieces::default()
    };
    let mut observation = maker.observation(&pieces, &mut false)?;
    observation.at = model::Timestamp(crate::now().0);
    Some(observation)
}

/// Envoy's stream of access logs: messages come as long as Envoy lives; each is learned from when it is there.
async fn access_logs(request: Request<Incoming>, shared: &Shared) -> Answer {
    let media = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !media.starts_with(b"application/grpc") {
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if !shared.allowed(request.headers()) {
        return grpc(16, "the field `portreeve-token` is missing or wrong");
    }
    let mut maker = shared.maker();
    let mut body = request.into_body();
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The sender went away; what it sent counts.
        let Ok(frame) = frame else { break };
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        loop {
            let message = match next_message(&mut buffer) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err((status, why)) => {
                    shared.unreadable(1);
                    return grpc(status, why);
                }
            };
            match als::read(&message, &mut maker, &mut |observation| shared.take(observation)) {
                Ok(told) => shared.unreadable(told.unreadable),
                Err(error) => {
                    tracing::debug!(%error, "a message of access logs cannot be read");
                    shared.unreadable(1);
                }
            }
        }
    }
    grpc(0, "")
}

/// Takes one length-prefixed message off the buffer (gRPC over HTTP/2, "Length-Prefixed-Message").
fn next_message(buffer: &mut BytesMut) -> Result<Option<Bytes>, (u8, &'static str)> {
    let Some((&[compressed, a, b, c, d], rest)) = buffer.split_first_chunk::<5>() else { return Ok(None) };
    if compressed != 0 {
        return Err((12, "compressed messages are not taken"));
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > als::MESSAGE_BYTES_MAX {
        return Err((8, "the message is longer than 4 MiB"));
    }
    if rest.len() < length {
        return Ok(None);
    }
    buffer.advance(5);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// The end of a stream: an empty `StreamAccessLogsResponse` when all went well, and the status as trailers.
fn grpc(status: u8, why: &'static str) -> Answer {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    if !why.is_empty() {
        trailers.insert("grpc-message", HeaderValue::from_static(why));
    }
    let message = if status == 0 { Bytes::from_static(&[0; 5]) } else { Bytes::new() };
    let body = Full::new(message).with_trailers(async move { Some(Ok(trailers)) });
    let mut answer = Response::new(BoxBody::new(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_off_one_by_one() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 1][..]);
        assert_eq!(next_message(&mut buffer), Ok(Some(Bytes::from_static(&[7, 8]))));
        assert_eq!(next_message(&mut buffer), Ok(None));
        buffer.extend_from_slice(&[9]);
        assert_eq!(next_message(&mut buffer), Ok(Some(Bytes::from_static(&[9]))));
        assert_eq!(next_message(&mut BytesMut::from(&[1, 0, 0, 0, 0][..])).unwrap_err().0, 12);
        assert_eq!(next_message(&mut BytesMut::from(&[0, 255, 0, 0, 0][..])).unwrap_err().0, 8);
    }

    #[test]
    fn a_mirrored_request_names_what_was_asked_for() {
        let request = Request::builder()
            .method("POST")
            .uri("/copy")
            .header("host", "api.example.com-shadow")
            .header("x-original-uri", "/orders/17?x=1")
            .header("authorization", "Bearer x")
            .header("x-forwarded-for", "203.0.113.9, 10.0.0.1")
            .body(())
            .unwrap();
        let head = request.into_parts().0;
        let made = mirrored(&head, 5, &mut Maker::new(&ingest::Options::default())).unwrap();
        assert_eq!((&*made.method, &*made.host, &*made.target), ("POST", "api.example.com", "/orders/17?x=1"));
        assert_eq!(
            (made.status, made.request_bytes, made.credential, made.cookie),
            (200, Some(5), Some(true), Some(false))
        );
        assert_eq!(made.client, Some([203, 0, 113, 9].into()));
    }
}
