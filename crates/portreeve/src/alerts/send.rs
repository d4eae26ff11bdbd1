//! Delivery: a bounded queue and a task per receiver, so that one that hangs delays no other. Tries grow apart and end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::config::UpstreamTls;
use gateway::tls::ClientTls;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::group::Message;
use super::{Counters, Format, Receiver, Settings, Way, message};

/// Messages that may wait for one receiver.
const WAITING_MAX: usize = 256;
/// Answers are read this far and forgotten.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long is waited, and how often is tried.
#[derive(Clone, Debug)]
pub struct Pace {
    /// One try may take this long.
    pub try_ms: u64,
    /// Before the second try; doubled before each further one.
    pub first_wait_ms: u64,
    /// The longest wait between two tries.
    pub wait_ms_max: u64,
    /// Tries before a message is given up.
    pub tries_max: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { try_ms: 10_000, first_wait_ms: 1_000, wait_ms_max: 300_000, tries_max: 12 }
    }
}

impl Pace {
    /// The wait before this try, from 2 on; up to a quarter more, so that receivers that came back are not met by all at once.
    fn wait(&self, tries: u32) -> Duration {
        let doubled = self.first_wait_ms.saturating_mul(1u64 << tries.saturating_sub(2).min(30)).min(self.wait_ms_max);
        Duration::from_millis(doubled + fastrand::u64(..=doubled / 4))
    }
}

/// The tasks that deliver.
pub struct Senders {
    senders: Vec<(Receiver, mpsc::Sender<Delivery>)>,
    tasks: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
    pace: Pace,
}

/// A message as it goes out; the same for every try.
#[derive(Clone)]
struct Delivery {
    id: String,
    at_s: i64,
    body: Bytes,
}

impl Senders {
    /// Starts a task per receiver, on this runtime.
    pub fn start(settings: &Settings, counters: &Arc<Counters>, pace: &Pace) -> Self {
        let (counters, pace) = (Arc::clone(counters), pace.clone());
        let mut senders = Self { senders: Vec::new(), tasks: Vec::new(), counters, pace };
        senders.change(settings);
        senders
    }

    /// Goes on with other receivers. One that is as before keeps what waits for it; one that is no more gets what waits for it,
    /// and nothing further.
    pub fn change(&mut self, settings: &Settings) {
        self.tasks.retain(|task| !task.is_finished());
        let mut before = std::mem::take(&mut self.senders);
        for receiver in &settings.receivers {
            let same = before.iter().position(|(other, _)| other == receiver);
            self.senders.push(match same {
                Some(index) => before.swap_remove(index),
                None => {
                    let (sender, waiting) = mpsc::channel(WAITING_MAX);
                    let task = deliver(receiver.clone(), waiting, Arc::clone(&self.counters), self.pace.clone());
                    self.tasks.push(tokio::spawn(task));
                    (receiver.clone(), sender)
                }
            });
        }
    }

    /// Hands a message to every receiver that wants it; one whose queue is full loses it, and that is counted.
    pub fn send(&mut self, settings: &Settings, told: &Message) {
        for (receiver, sender) in &self.senders {
            if !receiver.kinds.is_empty() && !receiver.kinds.contains(&told.kind) {
                continue;
            }
            let body = body(settings, receiver, told);
            let delivery = Delivery { id: format!("{:016x}", told.id), at_s: told.at_s, body: body.into() };
            if sender.try_send(delivery).is_err() {
                Counters::add(&self.counters.lost);
                tracing::warn!(receiver = %receiver.name, "an alert is lost: too many wait for this receiver");
            }
        }
    }

    /// Takes no more; what waits has this long.
    pub async fn end(self, within: Duration) {
        drop(self.senders);
        let all = async {
            for task in self.tasks {
                let _ = task.await;
            }
        };
        let _ = timeout(within, all).await;
    }
}

fn body(settings: &Settings, receiver: &Receiver, told: &Message) -> Vec<u8> {
    let json = match receiver.format {
        Format::Plain => message::plain(settings, told),
        Format::Slack => message::slack(settings, told),
        Format::Ocsf => message::ocsf(settings, told),
    };
    match receiver.way {
        Way::Webhook { .. } => json.to_string().into_bytes(),
        Way::Syslog { .. } => message::syslog(settings, told, (receiver.format == Format::Ocsf).then_some(&json)),
    }
}

async fn deliver(receiver: Receiver, mut waiting: mpsc::Receiver<Delivery>, counters: Arc<Counters>, pace: Pace) {
    while let Some(delivery) = waiting.recv().await {
        let mut tries = 0;
        loop {
            tries += 1;
            let once = timeout(Duration::from_millis(pace.try_ms), try_once(&receiver, &delivery));
            let failure = match once.await {
                Ok(Ok(())) => {
                    Counters::add(&counters.sent);
                    break;
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure { text: "no answer in time".to_owned(), lasting: false },
            };
            if failure.lasting || tries >= pace.tries_max {
                Counters::add(&counters.lost);
                tracing::warn!(receiver = %receiver.name, tries, error = %failure.text, "an alert is given up");
                break;
            }
            Counters::add(&counters.retried);
            tracing::debug!(receiver = %receiver.name, tries, error = %failure.text, "an alert is tried again");
            tokio::time::sleep(pace.wait(tries + 1)).await;
        }
    }
}

/// Why a try failed.
struct Failure {
    text: String,
    /// Trying again would bring the same.
    lasting: bool,
}

impl Failure {
    fn passing(error: impl std::fmt::Display) -> Self {
        Self { text: error.to_string(), lasting: false }
    }
}

async fn try_once(receiver: &Receiver, delivery: &Delivery) -> Result<(), Failure> {
    match &receiver.way {
        Way::Webhook { tls, host, port, path, secret } => {
            let stream = TcpStream::connect((bare(host), *port)).await.map_err(Failure::passing)?;
            let default = if *tls { 443 } else { 80 };
            let authority = if *port == default { host.clone() } else { format!("{host}:{port}") };
            let request = request(&authority, path, secret.as_deref(), delivery)?;
            if *tls {
                let client = ClientTls::load(&UpstreamTls::default(), host, &[b"http/1.1"])
                    .map_err(|error| Failure { text: error.to_string(), lasting: true })?;
                let connector = TlsConnector::from(client.config);
                let stream = connector.connect(client.server_name, stream).await.map_err(Failure::passing)?;
                exchange(stream, request).await
            } else {
                exchange(stream, request).await
            }
        }
        Way::Syslog { tcp: true, host, port } => {
            let mut stream = TcpStream::connect((bare(host), *port)).await.map_err(Failure::passing)?;
            // RFC 6587, 3.4.1: the length in octets, a space, the message.
            let mut framed = format!("{} ", delivery.body.len()).into_bytes();
            framed.extend_from_slice(&delivery.body);
            stream.write_all(&framed).await.map_err(Failure::passing)?;
            stream.shutdown().await.map_err(Failure::passing)
        }
        Way::Syslog { tcp: false, host, port } => {
            let to = tokio::net::lookup_host((bare(host), *port)).await.map_err(Failure::passing)?.next();
            let to = to.ok_or_else(|| Failure::passing("the name has no address"))?;
            let from = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
            let socket = UdpSocket::bind(from).await.map_err(Failure::passing)?;
            socket.send_to(&delivery.body, to).await.map(|_| ()).map_err(Failure::passing)
        }
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn request(
    authority: &str,
    path: &str,
    secret: Option<&str>,
    delivery: &Delivery,
) -> Result<Request<Full<Bytes>>, Failure> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", authority)
        .header("content-type", "application/json")
        .header("user-agent", concat!("portreeve/", env!("CARGO_PKG_VERSION")))
        // The same for every try, so that a receiver can tell a repetition.
        .header("portreeve-delivery", &delivery.id);
    if let Some(secret) = secret {
        request = request.header("portreeve-signature", signature(secret, delivery.at_s, &delivery.body));
    }
    request.body(Full::new(delivery.body.clone())).map_err(|error| Failure { text: error.to_string(), lasting: true })
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 (RFC 2104) over the seconds, a point and the body, so that an old message cannot be sent again
/// as a new one.
pub fn signature(secret: &str, at_s: i64, body: &[u8]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = aws_lc_rs::hmac::Context::with_key(&key);
    context.update(format!("{at_s}.").as_bytes());
    context.update(body);
    let tag = context.sign();
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={hex}")
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(), Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Failure::passing)?;
    let carrying = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(Failure::passing);
    let outcome = match answer {
        Err(failure) => Err(failure),
        Ok(answer) => {
            let status = answer.status();
            // What is said is of no interest; reading it lets the other side finish.
            let _ = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            judged(status)
        }
    };
    carrying.abort();
    outcome
}

/// Redirects are not followed: a signed message goes where it was configured to go.
fn judged(status: StatusCode) -> Result<(), Failure> {
    let passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY);
    if status.is_success() {
        return Ok(());
    }
    Err(Failure { text: format!("the receiver answered {}", status.as_u16()), lasting: !passing })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::super::{Kind, Urgency};
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn told() -> Message {
        Message {
            kind: Kind::Attack,
            urgency: Urgency::High,
            count: 1,
            lines: vec!["shop".to_owned()],
            first_s: 1,
            at_s: 2,
            id: 7,
        }
    }

    fn settings(way: Way, format: Format) -> Settings {
        let receiver = Receiver { name: "r".to_owned(), way, format, kinds: Vec::new() };
        Settings { receivers: vec![receiver], ..Settings::default() }
    }

    const PACE: Pace = Pace { try_ms: 5_000, first_wait_ms: 1, wait_ms_max: 4, tries_max: 5 };

    /// A receiver that gives these answers, one per connection, and keeps what it was sent.
    async fn receiver(answers: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let task = tokio::spawn(async move {
            let mut got = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut text = Vec::new();
                let mut buffer = [0u8; 4096];
                loop {
                    let read = stream.read(&mut buffer).await.expect("a request");
                    text.extend_from_slice(&buffer[..read]);
                    if read == 0 || text.ends_with(b"}") {
                        break;
                    }
                }
                got.push(String::from_utf8(text).expect("UTF-8"));
                if !answer.is_empty() {
                    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.expect("written");
                }
            }
            got
        });
        (port, task)
    }

    fn webhook(port: u16) -> Way {
        let (host, path, secret) = ("127.0.0.1".to_owned(), "/hook".to_owned(), Some(SECRET.to_owned()));
        Way::Webhook { tls: false, host, port, path, secret }
    }

    #[tokio::test]
    async fn a_change_of_receivers_loses_nothing_that_waits() {
        let (first, got_first) = receiver(&["204 No Content"]).await;
        let (second, got_second) = receiver(&["204 No Content", "204 No Content"]).await;
        let counters = Arc::new(Counters::default());
        let before = settings(webhook(first), Format::Plain);
        let mut senders = Senders::start(&before, &counters, &PACE);
        senders.send(&before, &told());
        let after = settings(webhook(second), Format::Plain);
        senders.change(&after);
        senders.send(&after, &told());
        senders.change(&after);
        senders.send(&after, &told());
        senders.end(Duration::from_secs(10)).await;
        assert_eq!(got_first.await.expect("what waited").len(), 1);
        assert_eq!(got_second.await.expect("the new one").len(), 2);
        assert_eq!((counters.sent.load(Relaxed), counters.lost.load(Relaxed)), (3, 0));
    }

    async fn send(settings: &Settings) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        let mut senders = Senders::start(settings, &counters, &PACE);
        senders.send(settings, &told());
        senders.end(Duration::from_secs(10)).await;
        counters
    }

    #[tokio::test]
    async fn what_failed_is_tried_again_with_the_same_signed_message() {
        let (port, got) = receiver(&["503 Unavailable", "", "200 OK"]).await;
        let counters = send(&settings(webhook(port), Format::Plain)).await;
        assert_eq!([&counters.sent, &counters.retried, &counters.lost].map(|counter| counter.load(Relaxed)), [1, 2, 0]);
        let got = got.await.expect("a receiver");
        let (head, body) = got[2].split_once("\r\n\r\n").expect("head and body");
        assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
        assert!(head.contains(&format!("portreeve-signature: {}", signature(SECRET, 2, body.as_bytes()))), "{head}");
        assert!(head.contains("portreeve-delivery: 0000000000000007"), "{head}");
        assert_eq!(got[0].split_once("\r\n\r\n").map(|(_, body)| body), Some(body));
    }

    #[tokio::test]
    async fn what_the_receiver_refuses_is_given_up() {
        let (port, _got) = receiver(&["404 Not Found"]).await;
        let counters = send(&settings(webhook(port), Format::Slack)).await;
        assert_eq!([&counters.sent, &counters.retried, &counters.lost].map(|counter| counter.load(Relaxed)), [0, 0, 1]);
    }

    #[tokio::test]
    async fn a_full_queue_loses_and_counts() {
        let settings = settings(Way::Syslog { tcp: true, host: "127.0.0.1".to_owned(), port: 1 }, Format::Plain);
        let counters = Arc::new(Counters::default());
        let mut senders = Senders::start(&settings, &counters, &PACE);
        for _ in 0..WAITING_MAX + 10 {
            senders.send(&settings, &told());
        }
        assert_eq!(counters.lost.load(Relaxed), 10);
    }

    #[tokio::test]
    async fn syslog_over_both_ways() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let port = socket.local_addr().expect("an address").port();
        send(&settings(Way::Syslog { tcp: false, host: "127.0.0.1".to_owned(), port }, Format::Ocsf)).await;
        let mut buffer = [0u8; 4096];
        let read = timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await.expect("in time").expect("read");
        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
        assert!(text.starts_with("<106>1 ") && text.contains("\"class_uid\":2004"), "{text}");

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let reading = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await.expect("read");
            String::from_utf8(text).expect("UTF-8")
        });
        send(&settings(Way::Syslog { tcp: true, host: "127.0.0.1".to_owned(), port }, Format::Plain)).await;
        let text = reading.await.expect("read");
        let (length, rest) = text.split_once(' ').expect("a length");
        assert_eq!(length.parse(), Ok(rest.len()));
    }
}
