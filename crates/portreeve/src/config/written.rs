//! The configuration as it is written: the shape of the YAML file, and its JSON Schema.
//!
//! Times are text with a unit (`10s`), sizes a number of bytes or text with a unit (`64KiB`). Every key is optional unless it says so.
//! The doc comments here are the descriptions an editor shows.

pub mod contract;
pub mod protection;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

macro_rules! written_text {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        pub struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

written_text!(
    /// A length of time.
    Time,
    {"type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$", "description": "A whole number with a unit: 250ms, 10s, 5m, 2h, 30d."}
);
written_text!(
    /// A size.
    Size,
    {
        "type": ["string", "integer"],
        "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)?$",
        "minimum": 0,
        "description": "Bytes, or a whole number with a unit: 64KiB, 10MiB, 2GB."
    }
);
written_text!(
    /// A share in percent.
    Percent,
    {
        "type": ["string", "number"],
        "pattern": "^[0-9]+(\\.[0-9]+)?$",
        "minimum": 0,
        "maximum": 100,
        "description": "A share in percent: 100, 10, 0.5."
    }
);
written_text!(
    /// A secret.
    Secret,
    {
        "type": "string",
        "writeOnly": true,
        "description": "A secret: best a reference, `file:/run/secrets/name` or `${NAME}` of the environment."
    }
);

/// A Portreeve configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Portreeve configuration")]
pub struct Configuration {
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// The sets of servers requests go to.
    pub upstreams: Vec<Upstream>,
    /// The APIs: which requests belong to each, where they go, and what is judged.
    pub apis: Vec<Api>,
    /// Limits on everything an outsider controls.
    #[serde(default)]
    pub limits: Limits,
    /// How sessions are told apart.
    #[serde(default)]
    pub session: Session,
    /// Networks of the proxies in front of this one whose forwarding fields are believed.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// The field in which trusted proxies name the client.
    #[serde(default)]
    pub forwarding_field: ForwardingField,
    /// What is kept, where, and for how long.
    #[serde(default)]
    pub data: Data,
    /// Metrics, health and administration.
    #[serde(default)]
    pub admin: Admin,
    /// Who is told of what.
    #[serde(default)]
    pub alerts: Alerts,
    /// Learning beside another gateway: mirrored requests and Envoy's gRPC access logs; nothing listens when absent.
    pub observe: Option<Observe>,
    /// What the program says about itself, and the access log.
    #[serde(default)]
    pub log: Log,
    /// Spans of exchanges for OpenTelemetry, by OTLP over HTTP; none when absent, and then trace context passes as it comes.
    pub tracing: Option<Tracing>,
    /// Data-plane threads; one per core when absent.
    pub workers: Option<u16>,
    /// How long open connections may finish their work after a stop was asked for; 30s when absent.
    pub drain_timeout: Option<Time>,
    /// When answers carry a `Server-Timing` field that says what the gateway cost.
    #[serde(default)]
    pub server_timing: ServerTiming,
    /// The value of the `Portreeve-Debug` request field that asks for `Server-Timing`; needed by `on_request`.
    pub server_timing_token: Option<Secret>,
    /// How much our own answers say about why a request was refused.
    #[serde(default)]
    pub answer_detail: AnswerDetail,
    /// One of this many exchanges hands bounded copies of its bodies to the learner, in memory only; 0 for none; 16 when absent.
    pub sample_every: Option<u32>,
}

/// Spans of exchanges for OpenTelemetry.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tracing {
    /// The collector, such as `http://127.0.0.1:4318`. A change needs a restart or an upgrade.
    pub endpoint: String,
    /// The share of traces recorded where no caller that is believed has decided; 10 when absent.
    pub sample_percent: Option<Percent>,
    /// Whose word on recording a trace counts.
    #[serde(default)]
    pub believe: Believe,
    /// The name of this service in traces; `portreeve` when absent.
    pub service: Option<String>,
}

/// Whose word on recording a trace counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Believe {
    Nobody,
    #[default]
    TrustedProxies,
    Everyone,
}

/// The field in which trusted proxies name the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardingField {
    #[default]
    XForwardedFor,
    Forwarded,
}

/// How much our own answers say about why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerDetail {
    Minimal,
    #[default]
    Reason,
}

/// When answers carry a `Server-Timing` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerTiming {
    #[default]
    Off,
    OnRequest,
    Always,
}

/// One place where clients connect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port, such as `0.0.0.0:8443` or `[::]:8443`.
    pub address: String,
    /// TLS; plain text when absent.
    pub tls: Option<ListenerTls>,
    /// Whether connections begin with a PROXY header, version 1 or 2.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
}

/// Whether connections begin with a PROXY header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyProtocol {
    #[default]
    Off,
    Required,
}

/// TLS towards clients.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// Certificates, chosen by server name; the first one when none fits.
    pub certificates: Vec<Certificate>,
    /// Certificates of clients; not asked for when absent.
    pub client_certificates: Option<ClientCertificates>,
}

/// A certificate chain and its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM file with the chain, leaf first.
    pub chain: String,
    /// PEM file with the private key.
    pub key: String,
}

/// Certificates of clients.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// PEM file with the authorities that sign them.
    pub authorities: String,
    /// Whether the handshake fails without one.
    #[serde(default)]
    pub presence: Presence,
}

/// Whether something must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    #[default]
    Required,
    Optional,
}

/// A set of servers that answer the same requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its name, used by `apis`.
    pub name: String,
    /// Its servers.
    pub servers: Vec<Server>,
    /// The protocol spoken to them.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// TLS to them; plain text when absent.
    pub tls: Option<UpstreamTls>,
    /// How a server is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// What `balance: hash` hashes: `client`, `session`, or `header:NAME`.
    pub hash_by: Option<String>,
    /// Active health checks; none when absent.
    pub health: Option<Health>,
    /// When a server that fails real requests is taken out.
    #[serde(default)]
    pub ejection: Ejection,
    /// Time to connect; 3s when absent.
    pub connect_timeout: Option<Time>,
    /// Time to the head of the answer, and between pieces of its body; 60s when absent.
    pub response_timeout: Option<Time>,
    /// Idle connections kept to each server by each worker; 256 when absent.
    pub idle_connections_max: Option<u32>,
    /// How long an idle connection is kept; 60s when absent.
    pub idle_timeout: Option<Time>,
    /// How often a request that may be tried again is.
    #[serde(default)]
    pub retries: Retries,
    /// The Host sent; the client's when absent.
    pub host: Option<String>,
}

/// One server: `host:port`, or with a weight.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Server {
    /// `host:port`.
    Address(String),
    /// With a weight.
    Weighted(WeightedServer),
}

/// A server with a weight.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedServer {
    /// `host:port`.
    pub address: String,
    /// Its share, relative to the others.
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
}

/// The protocol spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamProtocol {
    #[default]
    H1,
    H2,
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    #[default]
    RoundRobin,
    LeastOutstanding,
    Hash,
}

/// TLS to an upstream.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// The name to verify; the server's host when absent.
    pub server_name: Option<String>,
    /// PEM file with the authorities; the public ones when absent.
    pub authorities: Option<String>,
    /// Our certificate, where the upstream wants one.
    pub client_certificate: Option<Certificate>,
    /// Whether the server's certificate is verified; `insecure` is for tests only.
    #[serde(default)]
    pub verify: Verify,
}

/// Whether a server's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    #[default]
    Full,
    Insecure,
}

/// An active health check.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Path asked for with GET.
    pub path: String,
    /// Time between checks of one server; 5s when absent.
    pub interval: Option<Time>,
    /// Time for one check; 2s when absent.
    pub timeout: Option<Time>,
    /// Good checks in a row that bring a server back; 2 when absent.
    #[schemars(range(min = 1))]
    pub healthy_after: Option<u32>,
    /// Bad checks in a row that take it out; 3 when absent.
    #[schemars(range(min = 1))]
    pub unhealthy_after: Option<u32>,
    /// Statuses that count as good; `200-399` when absent.
    pub status: Option<String>,
}

/// When a server that fails real requests is taken out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ejection {
    /// Failures in a row; 0 for never; 5 when absent.
    pub failures_max: Option<u32>,
    /// How long it stays out, doubled with each ejection; 10s when absent.
    pub time: Option<Time>,
}

/// How often a request that may be tried again is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Tries after the first; 1 when absent.
    #[schemars(range(max = 10))]
    pub max: Option<u8>,
    /// Retries as a share of requests; 20 when absent.
    #[schemars(range(max = 100))]
    pub budget_percent: Option<u8>,
}

/// An API: which requests belong to it, where they go, and what is judged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Its name in events, metrics and the inventory.
    pub name: String,
    /// Hosts; `*.example.com` for subdomains; any when absent.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Path prefixes; `/` when absent.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Header fields that must be there with these values; an empty value asks for presence.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The upstream by name, or several with their weights.
    pub upstream: Target,
    /// Copies of a share of requests go to another upstream; its answers are thrown away.
    pub mirror: Option<Mirror>,
    /// The path is changed before forwarding.
    pub rewrite: Option<Rewrite>,
    /// The mode of every stage that `modes` does not name; `monitor` when absent.
    #[serde(default)]
    pub mode: Mode,
    /// The modes of single stages.
    #[serde(default)]
    pub modes: Modes,
    /// What happens to an exchange when our own code fails while judging it.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The status of refusals by policy in place of 403.
    #[schemars(range(min = 400, max = 599))]
    pub refusal_status: Option<u16>,
    /// What requests and responses are held against: an OpenAPI document, or contracts by format.
    pub contract: Option<contract::Contract>,
    /// Rules in SecLang, such as the OWASP Core Rule Set; none when absent.
    pub crs: Option<Crs>,
    /// Lists of client addresses.
    #[serde(default)]
    pub clients: Clients,
    /// Stage `hygiene`: which anomalies are refused, which methods and fields are allowed.
    #[serde(default)]
    pub hygiene: protection::Hygiene,
    /// Stage `attacks`: how readily it is sure.
    #[serde(default)]
    pub attacks: protection::Attacks,
    /// Stage `leakage`: what responses may give away, and what is masked.
    #[serde(default)]
    pub leakage: protection::Leakage,
    /// Findings that are let pass.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
}

/// One upstream by name, or several with their weights.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Target {
    /// By name.
    Name(String),
    /// Names and weights.
    Split(BTreeMap<String, u32>),
}

/// Copies of requests for another upstream.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// The upstream by name.
    pub upstream: String,
    /// Share of requests.
    #[schemars(range(min = 1, max = 100))]
    pub percent: u8,
}

/// A change of the path's prefix.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// Taken off the front.
    #[serde(default)]
    pub strip_prefix: String,
    /// Put in front.
    #[serde(default)]
    pub add_prefix: String,
}

/// How far a stage may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Off,
    #[default]
    Monitor,
    Block,
}

/// What happens when our own code fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    #[default]
    Open,
    Closed,
}

/// Modes of single stages.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modes {
    /// HTTP anomalies, smuggling, ambiguous framing.
    pub hygiene: Option<Mode>,
    /// Allow and deny lists by client address.
    pub clients: Option<Mode>,
    /// Positive security: the contract.
    pub contract: Option<Mode>,
    /// Negative security: attacks in values.
    pub attacks: Option<Mode>,
    /// Loaded rules.
    pub crs: Option<Mode>,
    /// What responses give away.
    pub leakage: Option<Mode>,
}

/// Rules in SecLang.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crs {
    /// The folder with `crs-setup.conf` and `rules` (or Debian's `/usr/share/modsecurity-crs`), or one file that includes
    /// the rest.
    pub dir: String,
    /// Rules up to this level count; as the set-up file says when absent, which is 1.
    #[schemars(range(min = 1, max = 4))]
    pub paranoia: Option<u8>,
    /// Rules up to this level run and are reported; `paranoia` when absent.
    #[schemars(range(min = 1, max = 4))]
    pub detection_paranoia: Option<u8>,
    /// Anomaly scores from which a message is refused.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// Other variables of the collection `TX`, by name.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Rules, or single targets of rules, that are let pass.
    #[serde(default)]
    pub exclusions: Vec<RuleExclusion>,
}

/// Anomaly scores from which a message is refused.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Of requests; as the set-up file says when absent, which is 5.
    #[schemars(range(min = 1))]
    pub inbound: Option<u32>,
    /// Of responses; as the set-up file says when absent, which is 4.
    #[schemars(range(min = 1))]
    pub outbound: Option<u32>,
}

/// Rules, or a single target of them, that are let pass: exactly one of `rules` and `tag`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleExclusion {
    /// A rule number, or a range such as `942100-942199`.
    pub rules: Option<String>,
    /// A tag, such as `attack-sqli`.
    pub tag: Option<String>,
    /// Only this target, such as `ARGS:password`; the whole rule when absent.
    pub target: Option<String>,
    /// Only under this path prefix; everywhere when absent.
    pub path: Option<String>,
}

/// Lists of client addresses.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// Networks that may call; everyone else may not when this is not empty.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Networks that may not call, even when they are allowed.
    #[serde(default)]
    pub deny: Vec<String>,
}

/// A finding that is let pass.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The reason's code, as events show it.
    pub reason: String,
    /// Only under this path prefix.
    #[serde(default)]
    pub path: String,
    /// Only at this place, as events show it, such as `query:id`.
    #[serde(default)]
    pub place: String,
    /// The exception ends at this time, such as `2027-01-31T00:00:00Z`; never when absent.
    pub until: Option<String>,
}

/// Limits on everything an outsider controls.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest head of a request.
    pub head_bytes_max: Option<Size>,
    /// Longest request target.
    pub target_bytes_max: Option<Size>,
    /// Most field lines in a head.
    pub fields_max: Option<u16>,
    /// Largest trailer section.
    pub trailer_bytes_max: Option<Size>,
    /// Largest request body carried.
    pub body_bytes_max: Option<Size>,
    /// Largest part of a body that is held back for inspection.
    pub inspect_bytes_max: Option<Size>,
    /// Time from the first byte of a head to its last.
    pub head_timeout: Option<Time>,
    /// Time a connection may stay without a request.
    pub idle_timeout: Option<Time>,
    /// Time for a TLS handshake or PROXY header.
    pub handshake_timeout: Option<Time>,
    /// Slowest upload in bytes per second; 0 for none.
    pub upload_bytes_per_s_min: Option<u32>,
    /// Time a client may take to read a piece of the answer.
    pub write_timeout: Option<Time>,
    /// Most requests over one connection.
    pub requests_per_connection_max: Option<u32>,
    /// Most connections in all.
    pub connections_max: Option<u32>,
    /// Most connections of one client address.
    pub connections_per_client_max: Option<u32>,
    /// Most concurrent streams of an HTTP/2 connection.
    pub h2_streams_max: Option<u32>,
    /// Most resets by the client on an HTTP/2 connection in one second.
    pub h2_resets_per_s_max: Option<u32>,
    /// Most HTTP/2 frames without progress in one second.
    pub h2_control_frames_per_s_max: Option<u32>,
    /// Most CONTINUATION frames in one header block.
    pub h2_continuations_per_head_max: Option<u32>,
}

/// How sessions are told apart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// What names a session, in order; the first that is present counts.
    #[serde(default)]
    pub identifiers: Vec<Identifier>,
    /// Key of the hash under which sessions are recorded; kept in the data directory when absent.
    pub key: Option<Secret>,
}

/// Something in a request that names a session: exactly one of the keys.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// The value of a header field.
    pub header: Option<String>,
    /// The value of a cookie.
    pub cookie: Option<String>,
    /// The value of a query parameter.
    pub query: Option<String>,
    /// A claim of the bearer token.
    pub jwt_claim: Option<String>,
}

/// What is kept, where, and for how long.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The directory; `data` when absent.
    pub dir: Option<String>,
    /// Age at which events are deleted; 30d when absent.
    pub events_age: Option<Time>,
    /// Size of all events beyond which the oldest are deleted; 20GB when absent.
    pub events_size: Option<Size>,
    /// Share of ordinary exchanges kept as events, in percent; what has findings is always kept; 100 when absent.
    #[schemars(range(max = 100))]
    pub ordinary_percent: Option<u8>,
    /// Age at which minute figures become hours; 2d when absent.
    pub minutes_age: Option<Time>,
    /// Age at which hour figures become days; 90d when absent.
    pub hours_age: Option<Time>,
}

/// Metrics, health and administration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port; `127.0.0.1:9901` when absent.
    pub address: Option<String>,
    /// What administrators must present; without it only a loopback address is allowed.
    pub token: Option<Secret>,
}

/// Who is told of what somebody should know now.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// Alerts of one kind within this time are one message; 1m when absent.
    pub group_for: Option<Time>,
    /// What was told is told again after this time at the earliest; 4h when absent.
    pub repeat_after: Option<Time>,
    /// Where people reach the dashboard, such as `https://gate.example.com`; for links in messages.
    pub dashboard: Option<String>,
    /// Who is told.
    #[serde(default)]
    pub receivers: Vec<Receiver>,
}

/// One who is told: by webhook or by syslog.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Its name, for logs; the host when absent.
    pub name: Option<String>,
    /// A webhook, such as `https://hooks.example.com/portreeve`. The address of some is a secret: write it as a reference then.
    pub webhook: Option<Secret>,
    /// A syslog server, such as `udp://10.0.0.5:514` or `tcp://10.0.0.5:601`.
    pub syslog: Option<String>,
    /// Signs messages to the webhook: HMAC-SHA256 in the field `Portreeve-Signature`.
    pub secret: Option<Secret>,
    /// The form of messages.
    #[serde(default)]
    pub format: AlertFormat,
    /// Only these kinds; all when absent.
    #[serde(default)]
    pub kinds: Vec<AlertKind>,
}

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertFormat {
    /// JSON of our own; over syslog, text.
    #[default]
    Plain,
    /// What Slack and those compatible with it take.
    Slack,
    /// A detection finding of the Open Cybersecurity Schema Framework.
    Ocsf,
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    ShadowEndpoint,
    Posture,
    Anomaly,
    Attack,
    Quota,
    Certificate,
}

/// Where traffic that others carry is shown to the learner. Mirrored requests (nginx's `mirror`, Envoy's
/// `request_mirror_policies`) are answered 204 and never forwarded; Envoy's access logs come by gRPC (`h2c`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// Address and port.
    pub address: String,
    /// What senders must present in the field `Portreeve-Token`; without it only a loopback address is allowed.
    pub token: Option<Secret>,
}

/// What the program says about itself, and the access log.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Least severe message shown.
    #[serde(default)]
    pub level: Level,
    /// Where one JSON line per exchange goes: `off`, `stdout`, or a file; `off` when absent.
    pub access: Option<String>,
}

/// Least severe message shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// The JSON Schema of the file: what editors complete and what [`form`](super::form) checks.
pub fn json_schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.into_generator().into_root_schema_for::<Configuration>().to_value()
}
