//! Active health checks: every server of an upstream is asked for a path now and then, off the data path.
//!
//! A server that has not been checked gets requests. It is down after `unhealthy_after` bad checks in a row and up again
//! after `healthy_after` good ones; a first good check settles it at once. Each check uses a connection of its own, so that
//! it also finds a server that takes no new ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use inspect::http1::{head_end, parse_response};
use model::{Limits, Timestamp};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::balance::Health;
use crate::config::{HealthCheck, UpstreamProtocol};

/// The largest head of an answer to a check.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Interim responses that are passed over before the answer (RFC 9110, 15.2).
const INTERIM_MAX: usize = 8;

/// How one server is asked.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The protocol spoken to it.
    pub protocol: UpstreamProtocol,
    /// TLS to it.
    pub tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// What is sent as Host.
    pub authority: Box<str>,
}

/// What the last check of a server found, for the health page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFacts {
    /// When it ended.
    pub at: Timestamp,
    /// Microseconds it took.
    pub took_us: u64,
    /// What the server answered.
    pub answer: Result<u16, CheckFailure>,
    /// What follows from it and the checks before.
    pub health: Health,
}

/// Why a check got no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckFailure {
    /// The server's name has no address.
    #[error("the name has no address")]
    Unresolved,
    /// No connection, or it broke.
    #[error("{0}")]
    Broken(String),
    /// No answer in time.
    #[error("no answer in {0} ms")]
    TimedOut(u32),
    /// The answer is no HTTP.
    #[error("the answer is no HTTP")]
    Malformed,
}

impl From<std::io::Error> for CheckFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Checks one server for as long as the future is polled; dropping it ends the checks. `addresses` is asked before each
/// check, `found` is told after each.
pub async fn watch(
    check: &HealthCheck,
    probe: &Probe,
    addresses: impl Fn() -> Arc<Vec<SocketAddr>>,
    mut found: impl FnMut(CheckFacts),
) {
    let interval_ms = u64::from(check.interval_ms).max(1);
    // Spread out, so that many gateways that start together do not ask together.
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=interval_ms / 10))).await;
    let mut tally = Tally::default();
    loop {
        let started = Instant::now();
        let timeout = Duration::from_millis(u64::from(check.timeout_ms));
        let answer = match tokio::time::timeout(timeout, ask(probe, &check.path, &addresses())).await {
            Ok(answer) => answer,
            Err(_) => Err(CheckFailure::TimedOut(check.timeout_ms)),
        };
        let good = matches!(answer, Ok(status) if (check.status_min..=check.status_max).contains(&status));
        let health = tally.after(check, if good { Finding::Good } else { Finding::Bad });
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        found(CheckFacts { at: now(), took_us, answer, health });
        let jitter_ms = fastrand::u64(0..=interval_ms / 5);
        tokio::time::sleep(Duration::from_millis(interval_ms - interval_ms / 10 + jitter_ms)).await;
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Good,
    Bad,
}

/// Checks in a row, and what they amount to.
#[derive(Debug, Default)]
struct Tally {
    health: Health,
    /// Checks in a row that speak against `health`.
    against: u32,
}

impl Tally {
    fn after(&mut self, check: &HealthCheck, finding: Finding) -> Health {
        let (other, needed) = match (self.health, finding) {
            (Health::Unknown, Finding::Good) => (Health::Up, 1),
            (Health::Unknown | Health::Up, Finding::Bad) => (Health::Down, check.unhealthy_after),
            (Health::Down, Finding::Good) => (Health::Up, check.healthy_after),
            (Health::Up, Finding::Good) | (Health::Down, Finding::Bad) => {
                self.against = 0;
                return self.health;
            }
        };
        self.against = self.against.saturating_add(1);
        if self.against >= needed {
            *self = Self { health: other, against: 0 };
        }
        self.health
    }
}

/// One check: the status that the first address that can be connected answers.
async fn ask(probe: &Probe, path: &str, addresses: &[SocketAddr]) -> Result<u16, CheckFailure> {
    let mut last = CheckFailure::Unresolved;
    for &address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return ask_over(probe, path, socket).await,
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

async fn ask_over(probe: &Probe, path: &str, socket: TcpStream) -> Result<u16, CheckFailure> {
    let Some((config, name)) = &probe.tls else { return speak(probe, path, socket).await };
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
    speak(probe, path, connector.connect(name.clone(), socket).await?).await
}

async fn speak(probe: &Probe, path: &str, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<u16, CheckFailure> {
    match probe.protocol {
        UpstreamProtocol::H1 => speak_h1(&probe.authority, path, stream).await,
        UpstreamProtocol::H2 => {
            let scheme = if probe.tls.is_some() { "https" } else { "http" };
            speak_h2(scheme, &probe.authority, path, stream).await
        }
    }
}

async fn speak_h1(
    authority: &str,
    path: &str,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<u16, CheckFailure> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: portreeve-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut buf = BytesMut::with_capacity(4096);
    for _ in 0..=INTERIM_MAX {
        let status = read_status(&mut stream, &mut buf).await?;
        if status >= 200 {
            return Ok(status);
        }
    }
    Err(CheckFailure::Malformed)
}

async fn read_status(stream: &mut (impl AsyncRead + Unpin), buf: &mut BytesMut) -> Result<u16, CheckFailure> {
    let mut scanned = 0;
    loop {
        if let Some(end) = head_end(buf, scanned) {
            let raw: Bytes = buf.split_to(end).freeze();
            let response = parse_response(raw, &Limits::default()).map_err(|_| CheckFailure::Malformed)?;
            return Ok(response.head.status);
        }
        scanned = buf.len();
        if scanned > HEAD_BYTES_MAX {
            return Err(CheckFailure::Malformed);
        }
        if stream.read_buf(buf).await? == 0 {
            let why = if buf.is_empty() { "closed without an answer" } else { "closed within the head of its answer" };
            return Err(CheckFailure::Broken(why.to_owned()));
        }
    }
}

async fn speak_h2(
    scheme: &str,
    authority: &str,
    path: &str,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<u16, CheckFailure> {
    let broken = |error: h2::Error| CheckFailure::Broken(error.to_string());
    let uri = http::Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    let request = uri.and_then(|uri| {
        http::Request::builder().uri(uri).header("user-agent", "portreeve-health").header("accept", "*/*").body(())
    });
    let request = request.map_err(|error| CheckFailure::Broken(error.to_string()))?;
    let (requests, connection) = h2::client::handshake(stream).await.map_err(broken)?;
    let answer = async {
        let (response, _body) = requests.ready().await?.send_request(request, true)?;
        Ok(response.await?.status().as_u16())
    };
    tokio::select! {
        answer = answer => answer.map_err(broken),
        ended = connection => match ended {
            Ok(()) => Err(CheckFailure::Broken("closed without an answer".to_owned())),
            Err(error) => Err(broken(error)),
        },
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
