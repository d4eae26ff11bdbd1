//! Logs of one JSON object a line: Portreeve's events, Envoy, Caddy, Traefik, API Gateway, Cloudflare Logpush, and others whose
//! field names say what they are.

use serde_json::Value;

use crate::make::{Maker, Pieces};
use crate::{Options, Sink, Summary};

/// Whose objects they are. It decides units; the names of all are looked for in every object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the products")]
pub enum Shape {
    Portreeve,
    Envoy,
    Caddy,
    Traefik,
    ApiGateway,
    Cloudflare,
    Other,
}

impl Shape {
    /// The name in messages and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portreeve => "portreeve",
            Self::Envoy => "envoy-json",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik-json",
            Self::ApiGateway => "api-gateway-json",
            Self::Cloudflare => "cloudflare",
            Self::Other => "json",
        }
    }

    /// Every shape.
    pub const ALL: [Self; 7] =
        [Self::Portreeve, Self::Envoy, Self::Caddy, Self::Traefik, Self::ApiGateway, Self::Cloudflare, Self::Other];

    /// Tells whose object it is, by keys that only that product writes.
    pub fn of(object: &Value) -> Option<Self> {
        let has = |path: &str| find(object, path).is_some();
        Some(if has("judge_us") && has("verdict") {
            Self::Portreeve
        } else if has("EdgeStartTimestamp") || has("ClientRequestURI") {
            Self::Cloudflare
        } else if has("RequestMethod") && has("DownstreamStatus") {
            Self::Traefik
        } else if has("request.method") && has("request.uri") && has("logger") {
            Self::Caddy
        } else if has("response_code") && has("response_flags") {
            Self::Envoy
        } else if has("requestId") && has("httpMethod") {
            Self::ApiGateway
        } else if first(object, METHOD).is_some() && first(object, TARGET).is_some() {
            Self::Other
        } else {
            return None;
        })
    }

    /// The unit of latencies, in microseconds.
    const fn latency_unit_us(self) -> f64 {
        match self {
            Self::Portreeve => 1.0,
            Self::Caddy => 1e6,
            // Traefik writes nanoseconds.
            Self::Traefik => 1e-3,
            Self::Envoy | Self::ApiGateway | Self::Cloudflare | Self::Other => 1e3,
        }
    }
}

const TIME: &[&str] = &[
    "time",
    "ts",
    "timestamp",
    "@timestamp",
    "start_time",
    "StartUTC",
    "EdgeStartTimestamp",
    "requestTimeEpoch",
    "requestTime",
    "time_iso8601",
    "time_local",
    "msec",
];
const CLIENT: &[&str] = &[
    "client_ip",
    "client",
    "ClientIP",
    "ClientHost",
    "request.client_ip",
    "request.remote_ip",
    "downstream_remote_address",
    "ip",
    "sourceIp",
    "remote_addr",
    "remote_ip",
    "identity.sourceIp",
];
const FORWARDED_FOR: &[&str] = &["x_forwarded_for", "http_x_forwarded_for", "request.headers.X-Forwarded-For"];
const HOST: &[&str] = &[
    "host",
    "ClientRequestHost",
    "RequestHost",
    "request.host",
    "authority",
    ":authority",
    "domainName",
    "http_host",
    "server_name",
];
const REQUEST: &[&str] = &["request_line", "request"];
const METHOD: &[&str] = &[
    "method",
    "ClientRequestMethod",
    "RequestMethod",
    "request.method",
    "httpMethod",
    "request_method",
    ":method",
    "http_method",
];
const TARGET: &[&str] = &[
    "target",
    "path",
    "ClientRequestURI",
    "RequestPath",
    "request.uri",
    "request_uri",
    "uri",
    "url",
    "resourcePath",
    ":path",
    "x_envoy_original_path",
    "http_path",
];
const QUERY: &[&str] = &["query", "args", "query_string"];
const STATUS: &[&str] =
    &["status", "EdgeResponseStatus", "DownstreamStatus", "response_code", "status_code", "statusCode", "http_status"];
const REQUEST_TYPE: &[&str] = &[
    "request_type",
    "req_ct",
    "request.headers.Content-Type",
    "request_content_type",
    "request_Content-Type",
    "content_type",
];
const RESPONSE_TYPE: &[&str] = &[
    "response_type",
    "resp_ct",
    "resp_headers.Content-Type",
    "EdgeResponseContentType",
    "downstream_Content-Type",
    "sent_http_content_type",
    "response_content_type",
];
const REQUEST_BYTES: &[&str] = &[
    "request_bytes",
    "req_bytes",
    "ClientRequestBytes",
    "RequestContentSize",
    "bytes_received",
    "bytes_read",
    "request_length",
];
const RESPONSE_BYTES: &[&str] = &[
    "response_bytes",
    "resp_bytes",
    "EdgeResponseBytes",
    "DownstreamContentSize",
    "bytes_sent",
    "size",
    "responseLength",
    "body_bytes_sent",
];
const AGENT: &[&str] = &[
    "agent",
    "ua",
    "user_agent",
    "ClientRequestUserAgent",
    "request_User-Agent",
    "request.headers.User-Agent",
    "userAgent",
    "http_user_agent",
];
const REFERER: &[&str] =
    &["referer", "ClientRequestReferer", "request_Referer", "request.headers.Referer", "http_referer"];
const ACCEPT: &[&str] = &["accept", "request.headers.Accept", "http_accept"];
const FETCH_DEST: &[&str] = &["fetch_dest", "request.headers.Sec-Fetch-Dest"];
const AUTHORIZATION: &[&str] = &["session_id", "authorization", "request.headers.Authorization"];
const COOKIE: &[&str] = &["http_cookie", "request.headers.Cookie"];
const SESSION: &[&str] = &["session"];
const OPERATION: &[&str] = &["operation"];
const LATENCY: &[&str] = &[
    "upstream_us",
    "latency_ms",
    "duration",
    "Duration",
    "OriginResponseDurationMs",
    "responseLatency",
    "request_time",
];

fn find<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    // A key with dots in it wins over a path of keys.
    object.get(path).or_else(|| path.split('.').try_fold(object, |value, key| value.get(key)))
}

fn first<'v>(object: &'v Value, paths: &[&str]) -> Option<&'v Value> {
    paths.iter().find_map(|path| find(object, path)).filter(|value| !value.is_null())
}

/// Reads lines of JSON.
pub struct Reader {
    shape: Shape,
    maker: Maker,
}

impl Reader {
    /// For a source read with these options.
    pub fn new(shape: Shape, options: &Options) -> Self {
        Self { shape, maker: Maker::new(options) }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &[u8], summary: &mut Summary, sink: Sink<'_>) {
        let lossy;
        let line = match std::str::from_utf8(line) {
            Ok(line) => line,
            Err(_) => {
                summary.invalid_utf8 += 1;
                lossy = String::from_utf8_lossy(line).into_owned();
                lossy.as_str()
            }
        };
        let Ok(object) = serde_json::from_str::<Value>(line) else {
            return summary.problem(summary.records, "the line is no JSON");
        };
        let mut texts: Vec<(usize, String)> = Vec::new();
        const LISTS: [&[&str]; 20] = [
            TIME,
            CLIENT,
            FORWARDED_FOR,
            HOST,
            METHOD,
            TARGET,
            QUERY,
            STATUS,
            REQUEST_TYPE,
            RESPONSE_TYPE,
            REQUEST_BYTES,
            RESPONSE_BYTES,
            AGENT,
            REFERER,
            ACCEPT,
            FETCH_DEST,
            AUTHORIZATION,
            COOKIE,
            SESSION,
            LATENCY,
        ];
        for (at, list) in LISTS.iter().enumerate() {
            texts.extend(first(&object, list).and_then(text_of).map(|text| (at, text)));
        }
        let of = |index: usize| texts.iter().find(|(at, _)| *at == index).map(|(_, text)| text.as_bytes());
        let request = first(&object, REQUEST).and_then(Value::as_str).map(str::as_bytes);
        let pieces = Pieces {
            time: of(0),
            client: of(1),
            forwarded_for: of(2),
            host: of(3),
            // Some products write the request line beside its parts; the parts win.
            request: if of(4).is_some() && of(5).is_some() { None } else { request },
            method: of(4),
            target: of(5),
            query: of(6),
            status: of(7),
            request_type: of(8),
            response_type: of(9),
            request_bytes: of(10),
            response_bytes: of(11),
            agent: of(12),
            referer: of(13),
            accept: of(14),
            fetch_dest: of(15),
            authorization: of(16),
            cookie: of(17),
            session_hash: of(18),
            operation: first(&object, OPERATION).and_then(Value::as_str).map(str::as_bytes),
            latency: of(19),
            latency_unit_us: self.shape.latency_unit_us(),
        };
        let mut invalid_utf8 = false;
        match self.maker.observation(&pieces, &mut invalid_utf8) {
            Some(mut observation) => {
                let known = find(&object, "credential").or_else(|| find(&object, "auth"));
                if let Some(credential) = known.and_then(Value::as_bool) {
                    observation.credential = Some(credential);
                }
                if let Some(shape) = find(&object, "resp_shape").and_then(Value::as_array) {
                    observation.response_shape = Some(shape.iter().filter_map(Value::as_u64).take(256).collect());
                }
                sink(observation);
            }
            None => summary.problem(summary.records, "the object has no request"),
        }
    }
}

/// A value as text; of a list, as Caddy writes header fields, the first.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64() {
            // Seconds with a fraction must not come out in scientific notation.
            Some(float) if !number.is_i64() && !number.is_u64() => format!("{float:.6}"),
            _ => number.to_string(),
        }),
        Value::Array(items) => items.first().and_then(text_of),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}
