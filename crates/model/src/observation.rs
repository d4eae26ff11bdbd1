//! What the learner sees of one exchange, from live traffic or from a log.

use std::net::IpAddr;

use bytes::Bytes;

use crate::ids::{SessionHash, Timestamp};

/// Bounded copies of the bodies of a sampled exchange, for schema learning. Never stored.
#[derive(Clone, Debug, Default)]
pub struct BodySample {
    /// The start of the request body.
    pub request: Bytes,
    /// True when `request` is the whole body.
    pub request_whole: bool,
    /// The start of the response body, content coding removed where it could be.
    pub response: Bytes,
    /// True when `response` is the whole body.
    pub response_whole: bool,
    /// Values of the request's fields that may be parameters of the API, by lower-case name. Credentials are not among them.
    pub fields: Box<[(Box<str>, Box<str>)]>,
}

/// One exchange as the learner sees it. A source that does not know a field leaves it `None`, which is not the same as
/// empty: an access log has no content types, a browser may have sent none.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// When the request's head had arrived.
    pub at: Timestamp,
    /// The client behind trusted proxies.
    pub client: Option<IpAddr>,
    /// The host, lower case, without port; empty when unknown.
    pub host: Box<str>,
    /// The method as sent.
    pub method: Box<str>,
    /// Path and query as sent, invalid UTF-8 percent-encoded.
    pub target: Box<str>,
    /// The status answered to the client; 0 when none was.
    pub status: u16,
    /// Content type of the request.
    pub request_type: Option<Box<str>>,
    /// Content type of the response.
    pub response_type: Option<Box<str>>,
    /// Bytes of the request's body.
    pub request_bytes: Option<u64>,
    /// Bytes of the response's body.
    pub response_bytes: Option<u64>,
    /// User-Agent.
    pub agent: Option<Box<str>>,
    /// Referer.
    pub referer: Option<Box<str>>,
    /// Accept.
    pub accept: Option<Box<str>>,
    /// Sec-Fetch-Dest.
    pub fetch_dest: Option<Box<str>>,
    /// The session, already hashed.
    pub session: Option<SessionHash>,
    /// A credential was present (Authorization, API key, session cookie); `None` when the source cannot tell.
    pub credential: Option<bool>,
    /// The request had a Cookie field; `None` when the source cannot tell.
    pub cookie: Option<bool>,
    /// GraphQL operation, JSON-RPC method or SOAP action, where the source knows it.
    pub operation: Option<Box<str>>,
    /// Hashed JSON key paths of the response (a bottom-k sketch), where the response was JSON and was looked at.
    pub response_shape: Option<Box<[u64]>>,
    /// Names of header fields that may be parameters of the API (`x-` and unknown ones), lower case.
    pub custom_headers: Box<[Box<str>]>,
    /// Milliseconds until the response's head; `None` when unknown.
    pub latency_us: Option<u64>,
    /// A stage noticed something about the request: it says that the endpoint exists, not what it takes.
    pub suspect: bool,
    /// Bodies, where this exchange was sampled.
    pub sample: Option<Box<BodySample>>,
}
