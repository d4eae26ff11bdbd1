//! The head of a message as it came: order, case and duplicates are kept.
//!
//! A head is one buffer plus spans into it, so that reading, judging and forwarding never copy a field. HTTP/2 heads
//! are written into the same form (lower-case names, pseudo-headers taken out), so that everything behind the
//! connection sees one type.

use bytes::Bytes;
use smallvec::SmallVec;

/// The version of the message as the downstream or upstream spoke it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0 (RFC 1945).
    H10,
    /// HTTP/1.1 (RFC 9112).
    H11,
    /// HTTP/2 (RFC 9113).
    H2,
}

impl HttpVersion {
    /// `1.0`, `1.1` or `2`, as an event shows it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::H10 => "1.0",
            Self::H11 => "1.1",
            Self::H2 => "2",
        }
    }
}

macro_rules! known_fields {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// The field names the gateway or a stage asks for on every exchange, recognised once while parsing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the field name it spells")]
        pub enum Known { Other, $($variant),* }

        impl Known {
            /// The field's name in lower case; empty for `Other`.
            pub const fn name(self) -> &'static str {
                match self { Self::Other => "", $(Self::$variant => $name),* }
            }

            #[cfg(test)]
            fn from_lower(name: &[u8]) -> Self {
                $(if name == $name.as_bytes() { return Self::$variant; })*
                Self::Other
            }

            /// Every known field, for tests and tables.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
    };
}

known_fields! {
    Accept = "accept", AcceptEncoding = "accept-encoding", AcceptLanguage = "accept-language",
    Authorization = "authorization", CacheControl = "cache-control", Connection = "connection",
    ContentEncoding = "content-encoding", ContentLength = "content-length", ContentType = "content-type",
    Cookie = "cookie", Date = "date", Expect = "expect", Forwarded = "forwarded", GrpcStatus = "grpc-status",
    Host = "host", Http2Settings = "http2-settings", KeepAlive = "keep-alive", Location = "location",
    Origin = "origin", ProxyAuthorization = "proxy-authorization", ProxyConnection = "proxy-connection",
    Range = "range", Referer = "referer", RetryAfter = "retry-after", SecFetchDest = "sec-fetch-dest",
    SecFetchMode = "sec-fetch-mode", SecFetchSite = "sec-fetch-site",
    SecWebSocketKey = "sec-websocket-key", SecWebSocketVersion = "sec-websocket-version",
    Server = "server", ServerTiming = "server-timing", SetCookie = "set-cookie", SoapAction = "soapaction",
    Te = "te", Traceparent = "traceparent", Trailer = "trailer", TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade", UserAgent = "user-agent", Via = "via",
    XForwardedFor = "x-forwarded-for", XForwardedHost = "x-forwarded-host", XForwardedProto = "x-forwarded-proto",
    XRealIp = "x-real-ip", XRequestId = "x-request-id",
}

impl Known {
    /// Recognises a field name in any case.
    pub fn of(name: &[u8]) -> Self {
        let Some(&known) = BY_HASH.get(name_hash(name)) else { return Self::Other };
        if known.name().as_bytes().eq_ignore_ascii_case(name) { known } else { Self::Other }
    }
}

/// A place in [`BY_HASH`] by length, first, middle and last but one letter; the multipliers give every known name a place of
/// its own, which a test asserts.
const fn name_hash(name: &[u8]) -> usize {
    let len = name.len();
    let (Some((first, _)), (_, [middle, ..]), (_, [late, _])) =
        (name.split_first(), name.split_at(len / 2), name.split_at(len.saturating_sub(2)))
    else {
        return 256;
    };
    (len + (*first | 0x20) as usize * 3 + (*middle | 0x20) as usize * 60 + (*late | 0x20) as usize) & 255
}

/// The known name that a hash may stand for.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const BY_HASH: [Known; 256] = {
    let mut table = [Known::Other; 256];
    let mut rest: &[Known] = Known::ALL;
    while let [known, after @ ..] = rest {
        table[name_hash(known.name().as_bytes())] = *known;
        rest = after;
    }
    table
};

/// Where a piece of the head stands in the head's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte, counted from the start of the buffer.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Span {
    /// A span from byte offsets; offsets beyond 4 GiB cannot occur because a head is limited to far less.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: end.saturating_sub(start) as u32 }
    }

    /// The bytes of this span; empty when it does not lie inside `buf`.
    pub fn of(self, buf: &[u8]) -> &[u8] {
        let start = self.start as usize;
        buf.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// One field line: where its name and its value (without surrounding white space) stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpan {
    /// The name as sent.
    pub name: Span,
    /// The value without leading and trailing white space.
    pub value: Span,
    /// The name, recognised.
    pub known: Known,
}

/// One field line, borrowed from its head.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The name as sent.
    pub name: &'a [u8],
    /// The value without leading and trailing white space.
    pub value: &'a [u8],
    /// The name, recognised.
    pub known: Known,
}

/// The field lines of a head or of a trailer section.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    buf: Bytes,
    spans: SmallVec<[FieldSpan; 16]>,
}

impl Fields {
    /// Fields over `buf`, which holds everything the spans point at.
    pub fn new(buf: Bytes, spans: SmallVec<[FieldSpan; 16]>) -> Self {
        Self { buf, spans }
    }

    /// Fields written into one buffer of their own, in order: for HTTP/2, for tests and for messages we make.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut buf = Vec::with_capacity(512);
        let mut spans = SmallVec::new();
        for (name, value) in pairs {
            let name_at = buf.len();
            buf.extend_from_slice(name);
            let value_at = buf.len();
            buf.extend_from_slice(value);
            spans.push(FieldSpan {
                name: Span::new(name_at, value_at),
                value: Span::new(value_at, buf.len()),
                known: Known::of(name),
            });
        }
        Self { buf: Bytes::from(buf), spans }
    }

    /// The number of field lines.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True when there is no field line.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A bit for each known field that is there at least once: `1 << (known as u8)`.
    pub fn known_bits(&self) -> u64 {
        self.spans.iter().fold(0, |bits, span| bits | 1 << (span.known as u8))
    }

    /// The field lines in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.spans.iter().map(|span| Field {
            name: span.name.of(&self.buf),
            value: span.value.of(&self.buf),
            known: span.known,
        })
    }

    /// The value of the first line of a known field.
    pub fn first(&self, known: Known) -> Option<&[u8]> {
        self.spans.iter().find(|span| span.known == known).map(|span| span.value.of(&self.buf))
    }

    /// The values of every line of a known field, in order.
    pub fn all(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().filter(move |span| span.known == known).map(|span| span.value.of(&self.buf))
    }

    /// The value of the first line with this name, in any case.
    pub fn named(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The value of the first line of a known field as a shared slice of the head's buffer (no copy).
    pub fn first_bytes(&self, known: Known) -> Option<Bytes> {
        let span = self.spans.iter().find(|span| span.known == known)?.value;
        let start = span.start as usize;
        let end = start + span.len as usize;
        (end <= self.buf.len()).then(|| self.buf.slice(start..end))
    }
}

/// The head of a request as it came.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The version the client spoke.
    pub version: HttpVersion,
    /// The method as sent.
    pub method: Bytes,
    /// The request target as sent: origin, absolute, authority or asterisk form (RFC 9112, 3.2); for HTTP/2 the
    /// `:path` pseudo-header, or the authority for CONNECT.
    pub target: Bytes,
    /// The authority the request is for: from an absolute target, `:authority` or `Host`. Empty when there is none.
    pub authority: Bytes,
    /// The field lines.
    pub fields: Fields,
    /// The whole head as it came over HTTP/1, up to and including the empty line; `None` over HTTP/2.
    pub raw: Option<Bytes>,
}

impl RequestHead {
    /// The path and the query of the target: what stands behind the authority of an absolute target.
    pub fn path_and_query(&self) -> &[u8] {
        let target: &[u8] = &self.target;
        if target.first() == Some(&b'/') {
            return target;
        }
        let Some(scheme_end) = target.windows(3).position(|window| window == b"://") else { return target };
        let rest = target.get(scheme_end + 3..).unwrap_or_default();
        match rest.iter().position(|&byte| byte == b'/' || byte == b'?') {
            Some(at) => rest.get(at..).unwrap_or_default(),
            None => b"/",
        }
    }

    /// The path as sent, without the query.
    pub fn path(&self) -> &[u8] {
        let whole = self.path_and_query();
        let end = whole.iter().position(|&byte| byte == b'?').unwrap_or(whole.len());
        whole.get(..end).unwrap_or_default()
    }

    /// The query as sent, without the question mark; `None` when there is no question mark.
    pub fn query(&self) -> Option<&[u8]> {
        let whole = self.path_and_query();
        let at = whole.iter().position(|&byte| byte == b'?')?;
        whole.get(at + 1..)
    }

    /// The host of the authority, without port and user information, as sent.
    pub fn host(&self) -> &[u8] {
        let authority: &[u8] = &self.authority;
        let after_user = match authority.iter().rposition(|&byte| byte == b'@') {
            Some(at) => authority.get(at + 1..).unwrap_or_default(),
            None => authority,
        };
        if after_user.first() == Some(&b'[') {
            let end = after_user.iter().position(|&byte| byte == b']').map_or(after_user.len(), |at| at + 1);
            return after_user.get(..end).unwrap_or_default();
        }
        let end = after_user.iter().position(|&byte| byte == b':').unwrap_or(after_user.len());
        after_user.get(..end).unwrap_or_default()
    }
}

/// The head of a response as the upstream sent it.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The version the upstream spoke.
    pub version: HttpVersion,
    /// The status code, 100 to 999.
    pub status: u16,
    /// The field lines.
    pub fields: Fields,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_field_is_found_in_any_case() {
        for &known in Known::ALL {
            assert_eq!(Known::of(known.name().as_bytes()), known);
            assert_eq!(Known::of(known.name().to_ascii_uppercase().as_bytes()), known, "{}", known.name());
            assert_eq!(Known::from_lower(known.name().as_bytes()), known);
        }
        assert_eq!(Known::of(b""), Known::Other);
        assert_eq!(Known::of(b"a-name-that-is-longer-than-any-known-one"), Known::Other);
    }

    fn head(target: &'static str, authority: &'static str) -> RequestHead {
        RequestHead {
            version: HttpVersion::H11,
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(target.as_bytes()),
            authority: Bytes::from_static(authority.as_bytes()),
            fields: Fields::default(),
            raw: None,
        }
    }

    #[test]
    fn targets_split() {
        let check = |target, path: &str, query: Option<&str>| {
            let head = head(target, "");
            assert_eq!(head.path(), path.as_bytes(), "{target}");
            assert_eq!(head.query(), query.map(str::as_bytes), "{target}");
        };
        check("/a/b?c=d", "/a/b", Some("c=d"));
        check("/a?", "/a", Some(""));
        check("http://h/x?y", "/x", Some("y"));
        check("http://h", "/", None);
        check("http://h?y", "", Some("y"));
        check("*", "*", None);
    }

    #[test]
    fn hosts_split() {
        for (authority, host) in
            [("a.b:80", "a.b"), ("u@a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", ""), ("[bad", "[bad")]
        {
            assert_eq!(head("/", authority).host(), host.as_bytes());
        }
    }
}
