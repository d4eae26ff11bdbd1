//! The messages we send: a request made canonical for the upstream, a response relayed to the client.
//!
//! Nothing is copied through that concerns one connection only (RFC 9110, 7.6.1): framing, connection options, upgrades
//! and forwarding fields are written anew, so both sides read what we read.

use inspect::http1::{Framing, token_list};
use model::head::{Field, Fields, HttpVersion, Known, RequestHead, ResponseHead};
use smallvec::SmallVec;

use crate::forwarded::Forwarding;
use crate::io::push_decimal;
use crate::trace::Trace;

/// A request about to be sent.
pub struct OutgoingRequest<'a> {
    /// The head as it came.
    pub head: &'a RequestHead,
    /// The path after canonical form and rewrite.
    pub path: &'a [u8],
    /// The query in canonical form.
    pub query: Option<&'a [u8]>,
    /// The Host to send.
    pub host: &'a [u8],
    /// How the body is framed towards the upstream.
    pub framing: Framing,
    /// The protocol asked for, when the request upgrades.
    pub upgrade: Option<&'a [u8]>,
    /// What the upstream is told of the client.
    pub forwarding: &'a Forwarding,
    /// Our name for the exchange.
    pub request_id: &'a [u8],
    /// Its trace, where tracing is configured.
    pub trace: Option<&'a Trace>,
    /// The answer is masked on its way: it must come whole and without a content coding.
    pub plain_answer: bool,
    /// What follows an upgrade is read message by message: no extension that changes frames is offered.
    pub plain_frames: bool,
}

/// The fields a client named in `Connection`, which end here.
fn connection_options(fields: &Fields) -> SmallVec<[&[u8]; 2]> {
    fields.all(Known::Connection).flat_map(token_list).filter(|option| Known::of(option) == Known::Other).collect()
}

/// Fields of a request that are never copied through.
const fn ends_here(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::ContentLength
            | Known::Te
            | Known::Trailer
            | Known::Upgrade
            | Known::Http2Settings
            | Known::ProxyAuthorization
            | Known::Expect
            | Known::Host
    )
}

impl OutgoingRequest<'_> {
    /// The fields to copy.
    fn copied<'s>(&'s self, options: &'s [&[u8]]) -> impl Iterator<Item = Field<'s>> {
        self.head.fields.iter().filter(move |field| {
            !ends_here(field.known)
                && !self.stays_plain(field)
                && !self.forwarding.drops(field)
                && !self.trace.is_some_and(|trace| trace.drops(field))
                && !options.iter().any(|option| option.eq_ignore_ascii_case(field.name))
        })
    }

    /// What would bring an answer that cannot be masked: one in a content coding, or a range, which shows a number in pieces
    /// that nobody recognises. And what would change the frames that are to be read (RFC 6455, 9).
    fn stays_plain(&self, field: &Field<'_>) -> bool {
        self.plain_answer && matches!(field.known, Known::AcceptEncoding | Known::Range)
            || self.plain_frames && field.name.eq_ignore_ascii_case(b"sec-websocket-extensions")
    }

    /// Writes the head for HTTP/1.1.
    pub fn write_h1(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head.method);
        out.push(b' ');
        out.extend_from_slice(self.path);
        if let Some(query) = self.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        out.extend_from_slice(self.host);
        out.extend_from_slice(b"\r\n");
        let options = connection_options(&self.head.fields);
        // HTTP/2 splits cookies into several fields; HTTP/1.1 knows one (RFC 9113, 8.2.3).
        let join_cookies = self.head.version == HttpVersion::H2;
        for field in self.copied(&options) {
            if !(join_cookies && field.known == Known::Cookie) {
                push_field(out, field.name, field.value);
            }
        }
        if join_cookies {
            push_cookies(out, &self.head.fields);
        }
        self.forwarding.write_h1(out);
        if self.head.fields.first(Known::XRequestId).is_none() {
            push_field(out, b"X-Request-Id", self.request_id);
        }
        if let Some(trace) = self.trace {
            push_field(out, b"traceparent", &trace.sent.value());
        }
        match self.upgrade {
            Some(protocol) => {
                out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
                out.extend_from_slice(protocol);
                out.extend_from_slice(b"\r\n");
            }
            None => push_framing(out, self.framing, may_have_body(&self.head.method)),
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The head for HTTP/2. `scheme` is that of the connection to the upstream.
    ///
    /// # Errors
    /// When the method, the host or the path cannot be said in HTTP/2.
    pub fn to_h2(&self, scheme: &str) -> Result<http::Request<()>, http::Error> {
        let mut target = Vec::with_capacity(self.path.len() + self.query.map_or(0, |query| query.len() + 1));
        target.extend_from_slice(self.path);
        if let Some(query) = self.query {
            target.push(b'?');
            target.extend_from_slice(query);
        }
        let uri = http::Uri::builder().scheme(scheme).authority(self.host).path_and_query(target).build()?;
        let mut request = http::Request::builder()
            .method(http::Method::from_bytes(&self.head.method)?)
            .uri(uri)
            .version(http::Version::HTTP_2)
            .body(())?;
        let map = request.headers_mut();
        let options = connection_options(&self.head.fields);
        for field in self.copied(&options) {
            crate::h2c::append(map, field.name, field.value);
        }
        // gRPC asks every hop for trailers; nothing else may be said in TE (RFC 9113, 8.2.2).
        if self.head.fields.all(Known::Te).flat_map(token_list).any(|coding| coding.eq_ignore_ascii_case(b"trailers")) {
            crate::h2c::append(map, b"te", b"trailers");
        }
        self.forwarding.each(|name, value| crate::h2c::append(map, name, value));
        if self.head.fields.first(Known::XRequestId).is_none() {
            crate::h2c::append(map, b"x-request-id", self.request_id);
        }
        if let Some(trace) = self.trace {
            crate::h2c::append(map, b"traceparent", &trace.sent.value());
        }
        if let Framing::Length(length) = self.framing {
            crate::h2c::append(map, b"content-length", length.to_string().as_bytes());
        }
        Ok(request)
    }
}

/// Methods for which an upstream expects to be told that there is no body (RFC 9110, 8.6).
fn may_have_body(method: &[u8]) -> bool {
    matches!(method, b"POST" | b"PUT" | b"PATCH")
}

fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push_cookies(out: &mut Vec<u8>, fields: &Fields) {
    let mut cookies = fields.all(Known::Cookie);
    let Some(first) = cookies.next() else { return };
    out.extend_from_slice(b"cookie: ");
    out.extend_from_slice(first);
    for cookie in cookies {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(cookie);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_framing(out: &mut Vec<u8>, framing: Framing, say_none: bool) {
    match framing {
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            push_decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::None if say_none => out.extend_from_slice(b"Content-Length: 0\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
}

/// The fields of a response that are relayed: everything but what concerns the connection to the upstream. The length is
/// written anew from the framing; only answers that have a length but no body (to HEAD, 304) keep it.
pub fn relayed_fields(head: &ResponseHead, keep_length: bool) -> impl Iterator<Item = Field<'_>> {
    let options = connection_options(&head.fields);
    head.fields.iter().filter(move |field| {
        let hop = matches!(
            field.known,
            Known::Connection
                | Known::KeepAlive
                | Known::ProxyConnection
                | Known::TransferEncoding
                | Known::Upgrade
                | Known::Trailer
        );
        !hop && (keep_length || field.known != Known::ContentLength)
            && !options.iter().any(|option| option.eq_ignore_ascii_case(field.name))
    })
}
