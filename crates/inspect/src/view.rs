//! What a stage sees: borrowed views of an exchange and its body.

use std::cell::OnceCell;
use std::net::IpAddr;

use model::head::{Known, RequestHead, ResponseHead};
use model::ids::{ApiName, EndpointId, SessionHash, Timestamp};
use schema::json::{Error, JsonLimits, Tape};

use crate::http1::{Framing, Noted};

/// What is known of the connection a request came over.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// The peer of the socket, or the source a PROXY header named.
    pub peer: IpAddr,
    /// The connection is encrypted.
    pub tls: bool,
    /// The server name of the TLS handshake, lower case.
    pub sni: Option<Box<str>>,
    /// The client presented a certificate that verified; its subject.
    pub client_certificate: Option<Box<str>>,
}

/// A request as the stages see it.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    /// The head as it came.
    pub head: &'a RequestHead,
    /// The path in canonical form: what is matched and forwarded.
    pub path: &'a [u8],
    /// The query in canonical form.
    pub query: Option<&'a [u8]>,
    /// How the body is framed.
    pub framing: Framing,
    /// What the parser and the canonical form noted.
    pub notes: &'a [Noted],
    /// The connection.
    pub connection: &'a ConnectionFacts,
    /// The client behind trusted proxies.
    pub client: IpAddr,
    /// The session, where an identifier was found.
    pub session: Option<SessionHash>,
    /// The endpoint of the inventory, where one matched.
    pub endpoint: Option<EndpointId>,
    /// The API it was routed to.
    pub api: &'a ApiName,
    /// When the head had arrived.
    pub now: Timestamp,
}

impl RequestView<'_> {
    /// The media type of the body, lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        self.head.fields.first(Known::ContentType).map(media_type)
    }
}

/// The media type at the front of a Content-Type value, lower case, without parameters.
pub fn media_type(value: &[u8]) -> String {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default().trim_ascii()).to_ascii_lowercase()
}

/// A response as the stages see it.
#[derive(Clone, Copy)]
pub struct ResponseView<'a> {
    /// The head as the upstream sent it.
    pub head: &'a ResponseHead,
}

/// The part of a body that is held for judging, parsed once when the first stage asks.
pub struct BodyView<'a> {
    /// The bytes, content coding removed.
    pub bytes: &'a [u8],
    /// True when `bytes` is the whole body; false when it was larger than what is inspected.
    pub whole: bool,
    /// The media type, lower case, without parameters; empty when there was none.
    pub media_type: &'a str,
    /// The whole Content-Type value.
    pub content_type: &'a [u8],
    json: OnceCell<Result<Tape<'a>, Error>>,
    proven: OnceCell<Vec<u32>>,
}

impl<'a> BodyView<'a> {
    /// A view of the held bytes.
    pub fn new(bytes: &'a [u8], whole: bool, media_type: &'a str, content_type: &'a [u8]) -> Self {
        Self { bytes, whole, media_type, content_type, json: OnceCell::new(), proven: OnceCell::new() }
    }

    /// True when the media type is JSON (RFC 8259) or ends with `+json` (RFC 6839).
    pub fn is_json(&self) -> bool {
        is_json(self.media_type)
    }

    /// The body as a JSON tape, parsed at the first call; every later caller shares it.
    pub fn json(&self) -> Result<&Tape<'a>, &Error> {
        self.json.get_or_init(|| Tape::parse(self.bytes, &JsonLimits::default())).as_ref()
    }
}

impl BodyView<'_> {
    /// Notes which strings on the JSON tape the contract has proven harmless, ascending. The first to say so is believed.
    pub fn set_proven(&self, strings: Vec<u32>) {
        let _ = self.proven.set(strings);
    }

    /// True when the contract has proven this string on the JSON tape harmless: a number, an enumeration, a date.
    pub fn is_proven(&self, string: u32) -> bool {
        self.proven.get().is_some_and(|strings| strings.binary_search(&string).is_ok())
    }
}

/// True for JSON media types.
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json") || media_type == "text/json"
}

/// How much of a body a stage wants to see before the message goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyWish {
    /// None: stream it through.
    #[default]
    Stream,
    /// See a copy of its beginning once it has gone through: what only reports delays nothing.
    Copy,
    /// Hold it back, up to the limit of inspection, until it is judged.
    Hold,
}

/// True for media types that hold no values to be judged, or whose messages only end with the exchange: they are streamed
/// through, never held.
pub fn is_opaque(media_type: &str) -> bool {
    let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
    match kind {
        "image" => subtype != "svg+xml",
        "audio" | "video" | "font" => true,
        "application" => {
            matches!(subtype, "octet-stream" | "zip" | "gzip" | "pdf" | "x-tar" | "x-protobuf" | "protobuf" | "wasm")
                || subtype.starts_with("grpc")
        }
        _ => false,
    }
}
