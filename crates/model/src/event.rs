//! The record of one exchange, made once on the data path and read by the store, the learner and the metrics.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::finding::{Confidence, Finding, Findings};
use crate::head::HttpVersion;
use crate::ids::{ApiName, EndpointId, RequestId, SessionHash, Timestamp};
use crate::observation::{BodySample, Observation};
use crate::reason::Reason;
use crate::verdict::Verdict;

/// Who made the answer's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusSource {
    /// No answer was sent.
    #[default]
    None,
    /// The upstream answered.
    Upstream,
    /// We answered in its place.
    Gateway,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeEnd {
    /// The answer reached the client's socket whole.
    #[default]
    Complete,
    /// The request was malformed or broke a limit; see the findings.
    Refused,
    /// The client went away before the end.
    ClientGone,
    /// The client was too slow.
    ClientTimeout,
    /// No connection to the upstream could be made.
    UpstreamConnect,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The upstream's answer was no HTTP, or it died in the middle.
    UpstreamBroken,
    /// Every server of the upstream is out of service.
    UpstreamUnavailable,
    /// Our own code failed.
    Internal,
}

impl ExchangeEnd {
    /// Every way an exchange can end.
    pub const ALL: [Self; 9] = [
        Self::Complete,
        Self::Refused,
        Self::ClientGone,
        Self::ClientTimeout,
        Self::UpstreamConnect,
        Self::UpstreamTimeout,
        Self::UpstreamBroken,
        Self::UpstreamUnavailable,
        Self::Internal,
    ];

    /// The name in events, metrics and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::ClientGone => "client-gone",
            Self::ClientTimeout => "client-timeout",
            Self::UpstreamConnect => "upstream-connect",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::UpstreamBroken => "upstream-broken",
            Self::UpstreamUnavailable => "upstream-unavailable",
            Self::Internal => "internal",
        }
    }
}

/// The span of an exchange that is exported as part of a trace (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// The span of this exchange, which the upstream sees as its parent.
    pub id: u64,
    /// The span of whoever sent the request; `None` when the trace begins here.
    pub parent: Option<u64>,
}

/// One exchange. Byte fields are shared slices of the head's buffer, so making an event copies nothing; whoever keeps an
/// event longer than a moment must copy out what it needs.
#[derive(Clone, Debug)]
pub struct Event {
    /// When the request's head had arrived.
    pub at: Timestamp,
    /// The exchange's name, also in our answers.
    pub id: RequestId,
    /// The API it was routed to; `None` when none matched or the head was refused.
    pub api: Option<ApiName>,
    /// The endpoint of the inventory, where one matched.
    pub endpoint: Option<EndpointId>,
    /// The version the client spoke.
    pub version: HttpVersion,
    /// The peer of the connection.
    pub peer: IpAddr,
    /// The client behind trusted proxies.
    pub client: IpAddr,
    /// The method as sent.
    pub method: Bytes,
    /// The host of the authority as sent, without port.
    pub host: Bytes,
    /// Path and query as sent. The store keeps the path and the names of the query's parameters, never their values.
    pub target: Bytes,
    /// User-Agent.
    pub agent: Bytes,
    /// Referer.
    pub referer: Bytes,
    /// Accept.
    pub accept: Bytes,
    /// Sec-Fetch-Dest.
    pub fetch_dest: Bytes,
    /// Content type of the request.
    pub request_type: Bytes,
    /// Content type of the response.
    pub response_type: Bytes,
    /// Names of fields that may be parameters of the API, lower case.
    pub custom_headers: Box<[Box<str>]>,
    /// The status answered; 0 when none was.
    pub status: u16,
    /// Who made the status.
    pub status_source: StatusSource,
    /// How it ended.
    pub end: ExchangeEnd,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// Microseconds from the request's head to the last byte of the answer.
    pub total_us: u32,
    /// Microseconds from forwarding to the head of the upstream's answer; 0 when nothing was forwarded.
    pub upstream_us: u32,
    /// Microseconds spent judging.
    pub judge_us: u32,
    /// Which server of the upstream answered, as its index; `u16::MAX` when none.
    pub server: u16,
    /// How many times the request was tried again.
    pub retries: u8,
    /// The session, hashed.
    pub session: Option<SessionHash>,
    /// A credential was present.
    pub credential: bool,
    /// A Cookie field was present.
    pub cookie: bool,
    /// GraphQL operation, JSON-RPC method, SOAP action; empty otherwise.
    pub operation: Box<str>,
    /// What the stages reported.
    pub findings: Findings,
    /// What was decided.
    pub verdict: Verdict,
    /// Bodies, where this exchange was sampled for learning.
    pub sample: Option<Box<BodySample>>,
    /// Its span, where it is exported.
    pub span: Option<Box<Span>>,
}

/// Findings that make a request no example of how an endpoint is used. What differs from a contract may be the contract's
/// fault, and what a response gives away is not the request's.
fn teaches_not(finding: &Finding) -> bool {
    match finding.reason {
        Reason::Attack(_) => finding.confidence >= Confidence::Likely,
        Reason::Hygiene(_) | Reason::Client(_) | Reason::Crs(_) => finding.confidence >= Confidence::Sure,
        Reason::Access(_) | Reason::Contract(_) | Reason::Leak(_) => false,
    }
}

impl Event {
    /// The path of the target, without the query.
    pub fn path(&self) -> &[u8] {
        let end = self.target.iter().position(|&byte| byte == b'?').unwrap_or(self.target.len());
        self.target.get(..end).unwrap_or_default()
    }

    /// The learner's view of this exchange.
    pub fn observation(&self) -> Observation {
        let text = |bytes: &[u8]| -> Option<Box<str>> {
            (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned().into_boxed_str())
        };
        Observation {
            at: self.at,
            client: Some(self.client),
            host: String::from_utf8_lossy(&self.host).to_ascii_lowercase().into_boxed_str(),
            method: String::from_utf8_lossy(&self.method).into_owned().into_boxed_str(),
            target: String::from_utf8_lossy(&self.target).into_owned().into_boxed_str(),
            status: self.status,
            request_type: text(&self.request_type),
            response_type: text(&self.response_type),
            request_bytes: Some(self.request_bytes),
            response_bytes: Some(self.response_bytes),
            agent: text(&self.agent),
            referer: text(&self.referer),
            accept: text(&self.accept),
            fetch_dest: text(&self.fetch_dest),
            session: self.session,
            credential: Some(self.credential),
            cookie: Some(self.cookie),
            operation: text(self.operation.as_bytes()),
            response_shape: None,
            custom_headers: self.custom_headers.clone(),
            latency_us: (self.upstream_us > 0).then_some(u64::from(self.upstream_us)),
            suspect: self.findings.iter().any(teaches_not),
            sample: self.sample.clone(),
        }
    }
}
