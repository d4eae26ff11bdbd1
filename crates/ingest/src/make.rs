//! From the pieces of a record to an observation: one place for what all formats share.

use std::net::IpAddr;

use model::{Observation, SessionHash};

use crate::Options;

/// The pieces of one record, as bytes of the source. What a format does not have stays `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pieces<'a> {
    /// The time, in any form.
    pub time: Option<&'a [u8]>,
    /// The client's address, with or without port.
    pub client: Option<&'a [u8]>,
    /// The client behind proxies: the first address counts.
    pub forwarded_for: Option<&'a [u8]>,
    /// The host, with or without port.
    pub host: Option<&'a [u8]>,
    /// The request line.
    pub request: Option<&'a [u8]>,
    /// The method.
    pub method: Option<&'a [u8]>,
    /// The target: path and query, or an absolute URL.
    pub target: Option<&'a [u8]>,
    /// The query, where it is apart.
    pub query: Option<&'a [u8]>,
    /// The status.
    pub status: Option<&'a [u8]>,
    /// Content type of the request.
    pub request_type: Option<&'a [u8]>,
    /// Content type of the response.
    pub response_type: Option<&'a [u8]>,
    /// Bytes of the request.
    pub request_bytes: Option<&'a [u8]>,
    /// Bytes of the response.
    pub response_bytes: Option<&'a [u8]>,
    /// User-Agent.
    pub agent: Option<&'a [u8]>,
    /// Referer.
    pub referer: Option<&'a [u8]>,
    /// Accept.
    pub accept: Option<&'a [u8]>,
    /// Sec-Fetch-Dest.
    pub fetch_dest: Option<&'a [u8]>,
    /// Authorization, or whatever names a session.
    pub authorization: Option<&'a [u8]>,
    /// The Cookie field.
    pub cookie: Option<&'a [u8]>,
    /// The session, hashed already (16 hexadecimal digits).
    pub session_hash: Option<&'a [u8]>,
    /// GraphQL operation, JSON-RPC method, SOAP action.
    pub operation: Option<&'a [u8]>,
    /// The time until the answer.
    pub latency: Option<&'a [u8]>,
    /// The unit of `latency`, in microseconds.
    pub latency_unit_us: f64,
}

/// What logs write where there is nothing.
fn there(piece: Option<&[u8]>) -> Option<&[u8]> {
    piece.filter(|piece| !piece.is_empty() && *piece != b"-")
}

/// What making observations of one source needs.
pub struct Maker {
    session_key: [u8; 32],
    host: Box<str>,
    last_time: Vec<u8>,
    last_at: i64,
}

/// A plain IPv4 address: most logs have nothing else, and looking for lists and ports costs more than reading it.
fn plain_v4(text: &[u8]) -> Option<IpAddr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|&byte| byte == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        let leading_zero = part.len() > 1 && part.first() == Some(&b'0');
        if part.is_empty() || part.len() > 3 || leading_zero || !part.iter().all(u8::is_ascii_digit) {
            return None;
        }
        *octet = u8::try_from(part.iter().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'))).ok()?;
    }
    parts.next().is_none().then(|| IpAddr::from(octets))
}

impl Maker {
    /// For a source read with these options.
    pub fn new(options: &Options) -> Self {
        Self { session_key: options.session_key, host: options.host.as_str().into(), last_time: Vec::new(), last_at: 0 }
    }

    /// An observation; `None` when there is no request in the record. `invalid_utf8` is set when some piece was no UTF-8.
    pub fn observation(&mut self, pieces: &Pieces<'_>, invalid_utf8: &mut bool) -> Option<Observation> {
        let (method, target) = match there(pieces.request) {
            Some(request) => {
                let (method, rest) = split_once(request, b' ')?;
                // The version is cut off at the last space: a target may have spaces in it, as attacks have.
                let target = memchr::memrchr(b' ', rest)
                    .and_then(|at| rest.get(at + 1..)?.starts_with(b"HTTP/").then(|| rest.get(..at))?);
                (method, target.unwrap_or(rest))
            }
            None => (there(pieces.method)?, there(pieces.target)?),
        };
        if method.len() > 32 || !method.iter().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (url_host, target) = origin_form(target);
        let mut target = encoded(target, invalid_utf8);
        if let Some(query) = there(pieces.query)
            && memchr::memchr(b'?', target.as_bytes()).is_none()
        {
            target.push('?');
            target.push_str(&encoded(query.strip_prefix(b"?").unwrap_or(query), invalid_utf8));
        }
        let host = there(pieces.host).or(url_host).map(without_port);
        let mut text = |piece: Option<&[u8]>| -> Option<Box<str>> {
            let piece = there(piece)?;
            if let Ok(text) = std::str::from_utf8(piece) {
                return Some(text.into());
            }
            *invalid_utf8 = true;
            Some(String::from_utf8_lossy(piece).into())
        };
        let host = match text(host) {
            Some(mut host) => {
                host.make_ascii_lowercase();
                host
            }
            None => self.host.clone(),
        };
        let credential_known =
            pieces.authorization.is_some() || pieces.cookie.is_some() || pieces.session_hash.is_some();
        let session = there(pieces.session_hash).and_then(hex).or_else(|| {
            let named = there(pieces.authorization).or(there(pieces.cookie))?;
            Some(self.hash(named))
        });
        let latency = there(pieces.latency).and_then(number).map(|value| (value * pieces.latency_unit_us) as u64);
        Some(Observation {
            at: model::Timestamp(self.time(pieces.time)),
            client: first_address(there(pieces.forwarded_for)).or_else(|| first_address(there(pieces.client))),
            host,
            method: text(Some(method))?,
            target: target.into_boxed_str(),
            status: there(pieces.status).and_then(number).map_or(0, |status| status as u16),
            request_type: text(pieces.request_type),
            response_type: text(pieces.response_type),
            request_bytes: there(pieces.request_bytes).and_then(number).map(|bytes| bytes as u64),
            response_bytes: there(pieces.response_bytes).and_then(number).map(|bytes| bytes as u64),
            agent: text(pieces.agent),
            referer: text(pieces.referer),
            accept: text(pieces.accept),
            fetch_dest: text(pieces.fetch_dest),
            session,
            credential: credential_known.then(|| session.is_some()),
            cookie: pieces.cookie.map(|cookie| there(Some(cookie)).is_some()),
            operation: text(pieces.operation),
            latency_us: latency,
            ..Observation::default()
        })
    }

    /// Most lines of a log have the time of the line before.
    fn time(&mut self, text: Option<&[u8]>) -> i64 {
        let Some(text) = text else { return self.last_at };
        if text != self.last_time {
            if let Some(at) = crate::time::parse(text) {
                self.last_at = at.0;
            }
            self.last_time.clear();
            self.last_time.extend_from_slice(text.get(..text.len().min(64)).unwrap_or_default());
        }
        self.last_at
    }

    fn hash(&self, value: &[u8]) -> SessionHash {
        let hash = blake3::keyed_hash(&self.session_key, value);
        SessionHash(u64::from_le_bytes(hash.as_bytes().first_chunk::<8>().copied().unwrap_or_default()))
    }
}

/// Splits at the first `by`.
pub fn split_once(text: &[u8], by: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(by, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Takes scheme and authority off an absolute target.
fn origin_form(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    if target.first() == Some(&b'/') {
        return (None, target);
    }
    let Some(at) = memchr::memmem::find(target, b"://") else { return (None, target) };
    let rest = target.get(at + 3..).unwrap_or_default();
    match rest.iter().position(|&byte| byte == b'/' || byte == b'?') {
        Some(at) => (rest.get(..at), rest.get(at..).unwrap_or_default()),
        None => (Some(rest), b"/"),
    }
}

fn without_port(host: &[u8]) -> &[u8] {
    if host.first() == Some(&b'[') {
        return memchr::memchr(b']', host).and_then(|at| host.get(..=at)).unwrap_or(host);
    }
    memchr::memchr(b':', host).and_then(|at| host.get(..at)).unwrap_or(host)
}

/// The first address of a list, without its port.
pub fn first_address(text: Option<&[u8]>) -> Option<IpAddr> {
    let text = text?;
    if let Some(address) = plain_v4(text) {
        return Some(address);
    }
    let text = std::str::from_utf8(text).ok()?;
    let first = text.split(',').next()?.trim();
    let plain = || first.parse::<IpAddr>().ok();
    plain().or_else(|| first.parse::<std::net::SocketAddr>().ok().map(|addr| addr.ip()))
}

fn number(text: &[u8]) -> Option<f64> {
    // Nearly every number of a log is a plain one; up to 15 digits are exact in a double.
    if !text.is_empty() && text.len() <= 15 && text.iter().all(u8::is_ascii_digit) {
        return Some(text.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0')) as f64);
    }
    let text = std::str::from_utf8(text).ok()?.trim_end_matches("ms").trim_end_matches('s');
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn hex(text: &[u8]) -> Option<SessionHash> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok().map(SessionHash)
}

/// A target as text: escapes of logs (`\x22`) and bytes that are no UTF-8 become percent-encoded.
fn encoded(target: &[u8], invalid_utf8: &mut bool) -> String {
    let clean = memchr::memchr(b'\\', target).is_none();
    if let (true, Ok(text)) = (clean, std::str::from_utf8(target)) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escape = (byte == b'\\' && after.first() == Some(&b'x')).then(|| after.get(1..3)).flatten();
        match escape.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            Some(digits) => {
                bytes.push(b'%');
                bytes.extend_from_slice(digits);
                rest = after.get(3..).unwrap_or_default();
            }
            None => bytes.push(byte),
        }
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            *invalid_utf8 = true;
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
