//! What the gateway is told to do: configuration as meant, checked, without defaults left open.
//!
//! The binary makes this from what was written; nothing here knows YAML.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use inspect::Policy;
use ipnet::IpNet;
use model::Limits;

use crate::forwarded::ForwardingField;

/// Everything the data path needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Where requests go.
    pub upstreams: Vec<Upstream>,
    /// Which request goes where. Tried in order of specificity, not of writing; see [`crate::router`].
    pub routes: Vec<Route>,
    /// Limits on everything an outsider controls.
    pub limits: Limits,
    /// Peers whose forwarding fields are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The field in which trusted proxies name the client.
    pub forwarding_field: ForwardingField,
    /// How a session is told, in order; the first identifier that is present counts.
    pub session_identifiers: Vec<SessionIdentifier>,
    /// Key of the hash under which sessions are recorded.
    pub session_key: [u8; 32],
    /// Whether answers say what the gateway cost.
    pub server_timing: ServerTiming,
    /// How much our own answers say about why.
    pub answer_detail: AnswerDetail,
    /// One of this many exchanges hands bounded copies of its bodies to the learner; 0 for none.
    pub sample_every: u32,
    /// Data-plane threads; each has its own runtime, listeners and pools.
    pub workers: usize,
    /// How long connections may finish their work after a stop was asked for.
    pub drain_timeout_ms: u32,
    /// Spans of exchanges; `None` leaves trace context as it comes.
    pub tracing: Option<Tracing>,
}

/// Which exchanges become spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// The share of traces recorded, in millionths, where no caller that is believed has decided.
    pub sample_per_million: u32,
    /// Whose word on recording counts.
    pub believe: Believe,
}

/// Whose word on recording a trace counts: it costs whoever keeps the traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Believe {
    /// Nobody's.
    Nobody,
    /// That of peers which are trusted proxies.
    #[default]
    TrustedProxies,
    /// Every client's.
    Everyone,
}

/// When answers carry a `Server-Timing` field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerTiming {
    /// Never.
    #[default]
    Off,
    /// When the request carries `Portreeve-Debug` with this value.
    OnRequest(String),
    /// Always.
    Always,
}

/// How much our own answers say about why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerDetail {
    /// The status and the request id.
    Minimal,
    /// The code and the text of the reason as well; never a value of the request.
    #[default]
    Reason,
}

/// One place where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address.
    pub addr: SocketAddr,
    /// TLS; `None` for plain text.
    pub tls: Option<TlsListener>,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
}

/// Whether connections begin with a PROXY header (HAProxy's PROXY protocol, versions 1 and 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They do not; a PROXY header is malformed HTTP.
    #[default]
    Off,
    /// They must, and the peer must be a trusted proxy.
    Required,
}

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsListener {
    /// Certificates with their keys; chosen by server name, the first one when none fits.
    pub certificates: Vec<CertificateFiles>,
    /// Whether clients present certificates.
    pub client_certificates: ClientCertificates,
}

/// A certificate chain and its key, PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Whether clients present certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    Off,
    /// Asked, verified when presented.
    Optional {
        /// The authorities that sign them, PEM.
        authorities: PathBuf,
    },
    /// The handshake fails without one.
    Required {
        /// The authorities that sign them, PEM.
        authorities: PathBuf,
    },
}

/// A set of servers that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Its servers.
    pub servers: Vec<Server>,
    /// The protocol spoken to them.
    pub protocol: UpstreamProtocol,
    /// TLS to them; `None` for plain text.
    pub tls: Option<UpstreamTls>,
    /// How a server is chosen.
    pub balance: Balance,
    /// Active health checks.
    pub health: Option<HealthCheck>,
    /// When a server that fails real requests is taken out.
    pub ejection: Ejection,
    /// Time to connect, TLS handshake included.
    pub connect_timeout_ms: u32,
    /// Time from the end of the request to the head of the response, and between pieces of its body.
    pub response_timeout_ms: u32,
    /// Idle connections kept to each server by each worker.
    pub idle_connections_max: usize,
    /// How long an idle connection is kept.
    pub idle_timeout_ms: u32,
    /// How often a request may be tried again.
    pub retries: Retries,
    /// The Host sent: the client's, or this one.
    pub host: Option<String>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its share, relative to the others.
    pub weight: u32,
}

/// The protocol spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    H1,
    /// HTTP/2; over plain text with prior knowledge.
    H2,
}

/// TLS to an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name to verify; the server's host when `None`.
    pub server_name: Option<String>,
    /// Authorities, PEM; the public ones when `None`.
    pub authorities: Option<PathBuf>,
    /// Our certificate, where the upstream wants one.
    pub client_certificate: Option<CertificateFiles>,
    /// Verification of the server's certificate.
    pub verify: Verify,
}

/// Whether a server's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// It is.
    #[default]
    On,
    /// It is not: for tests only, and said so at start.
    Off,
}

/// How a server is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Of two at random, the one with fewer requests outstanding.
    LeastOutstanding,
    /// The same key goes to the same server, as far as servers stay.
    Hash(HashKey),
}

/// What is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address.
    Client,
    /// The session; the client's address when there is none.
    Session,
    /// The value of a field, by lower-case name; the client's address when there is none.
    Header(String),
}

/// An active health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path asked for with GET.
    pub path: String,
    /// Time between checks of one server.
    pub interval_ms: u32,
    /// Time for one check.
    pub timeout_ms: u32,
    /// Good checks in a row that bring a server back.
    pub healthy_after: u32,
    /// Bad checks in a row that take it out.
    pub unhealthy_after: u32,
    /// Lowest status that counts as good.
    pub status_min: u16,
    /// Highest status that counts as good.
    pub status_max: u16,
}

/// When a server that fails real requests is taken out (passive health check).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row: connections refused, timeouts, broken answers; 0 for never.
    pub failures_max: u32,
    /// How long it stays out; doubles with each ejection, up to ten times.
    pub eject_ms: u32,
}

/// How often a request may be tried again. Only idempotent requests whose body can be sent again and whose answer has not
/// begun are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first; 0 for none.
    pub max: u8,
    /// Retries as a share of requests, in percent, over ten seconds: a broken upstream is not hit harder.
    pub budget_percent: u8,
}

/// Which requests belong to an API, and where they go.
#[derive(Clone, Debug)]
pub struct Route {
    /// Hosts, lower case; `*` for any, `*.example.com` for subdomains. Empty for any.
    pub hosts: Vec<String>,
    /// The path begins with this, at a segment border.
    pub path_prefix: String,
    /// Fields that must be there: lower-case name and exact value; an empty value asks for presence.
    pub headers: Vec<(String, String)>,
    /// Where it goes: index of the upstream and weight. More than one splits the traffic.
    pub targets: Vec<(usize, u32)>,
    /// A copy of this share of requests, in percent, goes to this upstream; its answers are thrown away.
    pub mirror: Option<(usize, u8)>,
    /// The path is changed before forwarding.
    pub rewrite: Option<Rewrite>,
    /// What is judged, and how.
    pub policy: Arc<Policy>,
}

/// A change of the path's prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Taken off the front.
    pub strip_prefix: String,
    /// Put in front.
    pub add_prefix: String,
}

/// Something in a request that names a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionIdentifier {
    /// The value of a field, by lower-case name; a `Bearer ` in front is left out.
    Header(String),
    /// The value of a cookie.
    Cookie(String),
    /// The value of a query parameter.
    Query(String),
    /// A claim of the bearer token, not verified here: it only tells sessions apart.
    JwtClaim(String),
}

impl Upstream {
    /// An upstream with one server and the defaults of everything else.
    pub fn single(name: &str, host: &str, port: u16) -> Self {
        Self {
            name: name.to_owned(),
            servers: vec![Server { host: host.to_owned(), port, weight: 1 }],
            protocol: UpstreamProtocol::H1,
            tls: None,
            balance: Balance::RoundRobin,
            health: None,
            ejection: Ejection { failures_max: 5, eject_ms: 10_000 },
            connect_timeout_ms: 3_000,
            response_timeout_ms: 60_000,
            idle_connections_max: 256,
            idle_timeout_ms: 60_000,
            retries: Retries { max: 1, budget_percent: 20 },
            host: None,
        }
    }
}

impl Route {
    /// A route that sends everything to the first upstream.
    pub fn everything(policy: Arc<Policy>) -> Self {
        Self {
            hosts: Vec::new(),
            path_prefix: "/".to_owned(),
            headers: Vec::new(),
            targets: vec![(0, 1)],
            mirror: None,
            rewrite: None,
            policy,
        }
    }
}
