//! The HTTP client of the demo's actors: one kept connection each, HTTP/1.1 or, for gRPC, HTTP/2 with prior knowledge.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{api, grpc};

/// How long an actor waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an actor asks.
pub struct Ask {
    method: Method,
    path: String,
    body: Bytes,
    fields: Vec<(&'static str, String)>,
    version: Version,
}

enum Version {
    H1,
    H2,
}

impl Ask {
    fn new(method: Method, path: &str, body: Bytes, fields: Vec<(&'static str, String)>) -> Self {
        Self { method, path: path.to_owned(), body, fields, version: Version::H1 }
    }

    /// A GET of an API.
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path, Bytes::new(), vec![("accept", "application/json".to_owned())])
    }

    /// A POST of JSON.
    pub fn post(path: &str, body: serde_json::Value) -> Self {
        let fields = vec![("accept", "application/json".to_owned()), ("content-type", "application/json".to_owned())];
        Self::new(Method::POST, path, Bytes::from(body.to_string()), fields)
    }

    /// A GET of a page or a file, as a browser sends it.
    pub fn page(path: &str) -> Self {
        let dest = if path.contains('.') { "empty" } else { "document" };
        let fields = vec![("accept", "text/html,*/*;q=0.8".to_owned()), ("sec-fetch-dest", dest.to_owned())];
        Self::new(Method::GET, path, Bytes::new(), fields)
    }

    /// A call of the shipping service.
    pub fn soap(operation: &str, inside: &str) -> Self {
        let fields = vec![
            ("content-type", "text/xml; charset=utf-8".to_owned()),
            ("soapaction", format!("\"urn:shipping/{operation}\"")),
        ];
        Self::new(Method::POST, "/soap/shipping", Bytes::from(api::envelope(inside)), fields)
    }

    /// A gRPC call.
    pub fn grpc(path: &str, product: u8) -> Self {
        let fields = vec![("content-type", "application/grpc".to_owned()), ("te", "trailers".to_owned())];
        let ask = Self::new(Method::POST, path, grpc::framed(product, 1), fields);
        Self { version: Version::H2, ..ask }
    }
}

enum Connection {
    None,
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

/// One client with its address, its agent and its session.
pub struct Client {
    target: SocketAddr,
    address: String,
    agent: String,
    connection: Connection,
    /// The bearer token, once logged in.
    pub token: Option<String>,
}

impl Client {
    /// A client that says it comes from `address`, as the proxy in front of a gateway would.
    pub fn new(target: SocketAddr, address: String, agent: &str) -> Self {
        Self { target, address, agent: agent.to_owned(), connection: Connection::None, token: None }
    }

    /// Its User-Agent.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Sends a request; the status is 0 when there was no answer.
    pub async fn send(&mut self, ask: Ask) -> (u16, Bytes) {
        match tokio::time::timeout(PATIENCE, self.try_send(ask)).await {
            Ok(Some(answer)) => answer,
            Ok(None) | Err(_) => {
                self.connection = Connection::None;
                // An actor whose gateway is gone must not spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
                (0, Bytes::new())
            }
        }
    }

    async fn try_send(&mut self, ask: Ask) -> Option<(u16, Bytes)> {
        let mut request = Request::builder().method(ask.method).header("user-agent", &self.agent);
        request = request.header("x-forwarded-for", &self.address);
        for (name, value) in &ask.fields {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let host = "shop.example.com";
        request = match ask.version {
            Version::H1 => request.uri(ask.path).header("host", host),
            Version::H2 => request.uri(format!("http://{host}{}", ask.path)),
        };
        let request = request.body(Full::new(ask.body)).ok()?;
        self.connect(&ask.version).await?;
        let response = match &mut self.connection {
            Connection::H1(sender) => sender.send_request(request).await.ok()?,
            Connection::H2(sender) => sender.send_request(request).await.ok()?,
            Connection::None => return None,
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, body))
    }

    async fn connect(&mut self, version: &Version) -> Option<()> {
        let open = match (&mut self.connection, version) {
            (Connection::H1(sender), Version::H1) => sender.ready().await.is_ok(),
            (Connection::H2(sender), Version::H2) => sender.ready().await.is_ok(),
            _ => false,
        };
        if open {
            return Some(());
        }
        let stream = TcpStream::connect(self.target).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let io = TokioIo::new(stream);
        self.connection = match version {
            Version::H1 => {
                let (sender, connection) = http1::handshake(io).await.ok()?;
                tokio::spawn(connection);
                Connection::H1(sender)
            }
            Version::H2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.ok()?;
                tokio::spawn(connection);
                Connection::H2(sender)
            }
        };
        Some(())
    }
}
