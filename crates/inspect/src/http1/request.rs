//! The head of a request: parsed, framed and checked.

use bytes::Bytes;
use model::head::{Fields, HttpVersion, Known, RequestHead};
use model::limits::Limits;
use model::reason::Anomaly;
use smallvec::SmallVec;

use super::fields::{field_lines, is_token, line, token_list};
use super::{Framing, Noted};

/// A request whose head every reader understands alike.
#[derive(Clone, Debug)]
pub struct ParsedRequest {
    /// The head as it came.
    pub head: RequestHead,
    /// How the end of its body is found.
    pub framing: Framing,
    /// True when the connection may serve another request after this one.
    pub keep_alive: bool,
    /// True when the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1).
    pub expects_continue: bool,
    /// True when the client asks to change the protocol and the request for it is well-formed (RFC 9110, 7.8).
    pub upgrades: bool,
    /// What is odd about it.
    pub notes: SmallVec<[Noted; 2]>,
}

/// Parses one whole head, `raw`, up to and including its empty line (see [`head_end`](super::head_end)).
///
/// # Errors
/// The anomaly that makes the message one that must not be carried; its [`status`](Anomaly::status) is the answer's.
pub fn parse_request(raw: Bytes, limits: &Limits) -> Result<ParsedRequest, Noted> {
    // RFC 9112, 2.2: one empty line before the request line is ignored.
    let start = if raw.starts_with(b"\r\n") { 2 } else { 0 };
    let (request_line, at) = match line(&raw, start) {
        Some(line) => line?,
        None => return Err(Noted::new(Anomaly::RequestLineMalformed, start)),
    };
    let mut notes = SmallVec::new();
    let (method, target, version) = split_request_line(request_line, start, limits)?;
    let spans = field_lines(&raw, at, limits.fields_max, &mut notes)?;
    let head = RequestHead {
        version,
        method: raw.slice_ref(method),
        target: raw.slice_ref(target),
        authority: Bytes::new(),
        fields: Fields::new(raw.clone(), spans),
        raw: Some(raw.clone()),
    };
    let authority = authority(&head, &mut notes)?;
    let head = RequestHead { authority, ..head };
    // Most requests have none of these, and each check walks over all fields.
    let bits = head.fields.known_bits();
    let has = |known: Known| bits & (1 << (known as u8)) != 0;
    let framed = has(Known::ContentLength) || has(Known::TransferEncoding);
    let framing = if framed { request_framing(&head, &mut notes)? } else { Framing::None };
    let connection =
        if has(Known::Connection) { connection_options(&head, &mut notes)? } else { ConnectionOptions::default() };
    let upgrades = has(Known::Upgrade) && upgrade(&head, framing, connection.upgrade)?;
    let expects_continue = has(Known::Expect) && expectation(&head, framing)?;
    let keep_alive = match version {
        HttpVersion::H10 => connection.keep_alive && !connection.close,
        _ => !connection.close,
    };
    Ok(ParsedRequest { head, framing, keep_alive, expects_continue, upgrades, notes })
}

fn split_request_line<'a>(
    text: &'a [u8],
    at: usize,
    limits: &Limits,
) -> Result<(&'a [u8], &'a [u8], HttpVersion), Noted> {
    let refuse = |anomaly| Noted::new(anomaly, at);
    let method_end = memchr::memchr(b' ', text).ok_or(refuse(Anomaly::RequestLineMalformed))?;
    let version_start = memchr::memrchr(b' ', text).ok_or(refuse(Anomaly::RequestLineMalformed))?;
    let method = text.get(..method_end).unwrap_or_default();
    let version = text.get(version_start + 1..).unwrap_or_default();
    let Some(target) = text.get(method_end + 1..version_start) else {
        return Err(refuse(Anomaly::RequestLineMalformed));
    };
    if !is_token(method) {
        return Err(refuse(Anomaly::MethodMalformed));
    }
    let version = match version {
        b"HTTP/1.1" => HttpVersion::H11,
        b"HTTP/1.0" => HttpVersion::H10,
        _ => return Err(refuse(Anomaly::VersionMalformed)),
    };
    if target.len() > limits.target_bytes_max as usize {
        return Err(refuse(Anomaly::TargetTooLong));
    }
    check_target(method, target).map_err(|anomaly| Noted::new(anomaly, at + method_end + 1))?;
    Ok((method, target, version))
}

/// RFC 9112, 3.2: origin, absolute, authority or asterisk form; and no byte that splits lines or words.
pub(crate) fn check_target(method: &[u8], target: &[u8]) -> Result<(), Anomaly> {
    if target.is_empty() {
        return Err(Anomaly::RequestLineMalformed);
    }
    let (mut control, mut space, mut fragment) = (false, false, false);
    for &byte in target {
        control |= (byte < 0x20) | (byte == 0x7f);
        space |= byte == b' ';
        fragment |= byte == b'#';
    }
    if control {
        return Err(Anomaly::TargetControlByte);
    }
    if space {
        return Err(Anomaly::RequestLineMalformed);
    }
    if fragment {
        return Err(Anomaly::TargetFragment);
    }
    if method == b"CONNECT" {
        // A reverse proxy opens no tunnels; the form is refused with its own reason.
        return Err(Anomaly::TargetAuthority);
    }
    match target.first() {
        Some(b'/') => Ok(()),
        Some(b'*') if target.len() == 1 && method == b"OPTIONS" => Ok(()),
        _ if absolute_authority(target).is_some() => Ok(()),
        _ => Err(Anomaly::TargetMalformed),
    }
}

/// The authority of an absolute `http` or `https` target.
fn absolute_authority(target: &[u8]) -> Option<&[u8]> {
    if target.first() == Some(&b'/') {
        return None;
    }
    let scheme_end = target.windows(3).take(6).position(|window| window == b"://")?;
    let scheme = target.get(..scheme_end)?;
    if !(scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")) {
        return None;
    }
    let rest = target.get(scheme_end + 3..)?;
    let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    rest.get(..end)
}

/// RFC 9112, 3.2: exactly one Host, valid, and the same as the authority of an absolute target.
fn authority(head: &RequestHead, notes: &mut SmallVec<[Noted; 2]>) -> Result<Bytes, Noted> {
    let refuse = |anomaly| Noted::new(anomaly, 0);
    let mut hosts = head.fields.all(Known::Host);
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(refuse(Anomaly::HostDuplicate));
    }
    let from_target = absolute_authority(&head.target);
    if let Some(from_target) = from_target {
        check_authority(from_target).map_err(refuse)?;
        notes.push(Noted::new(Anomaly::TargetAbsolute, 0));
    }
    match (host, from_target) {
        (None, _) if head.version == HttpVersion::H11 => Err(refuse(Anomaly::HostMissing)),
        (None, None) => Ok(Bytes::new()),
        (None, Some(from_target)) => Ok(head.target.slice_ref(from_target)),
        (Some([]), _) => Err(refuse(Anomaly::HostEmpty)),
        (Some(host), from_target) => {
            check_authority(host).map_err(refuse)?;
            if from_target.is_some_and(|from_target| !same_authority(&head.target, from_target, host)) {
                return Err(refuse(Anomaly::HostMismatch));
            }
            Ok(head.fields.first_bytes(Known::Host).unwrap_or_default())
        }
    }
}

/// RFC 9110, 4.2.3: hosts compare without case, and the default port of the scheme may be written or left out.
fn same_authority(target: &[u8], from_target: &[u8], host: &[u8]) -> bool {
    let default_port = if target.get(4).is_some_and(|byte| byte | 0x20 == b's') { &b":443"[..] } else { b":80" };
    let plain = |authority: &[u8]| -> usize {
        authority.strip_suffix(default_port).or(authority.strip_suffix(b":")).unwrap_or(authority).len()
    };
    let (left, right) = (from_target.get(..plain(from_target)), host.get(..plain(host)));
    left.zip(right).is_some_and(|(left, right)| left.eq_ignore_ascii_case(right))
}

/// The longest authority: a name of the DNS, a colon and a port.
const AUTHORITY_BYTES_MAX: usize = 255 + 6;

/// `host [ ":" port ]` with a registered name, an IPv4 address or an IPv6 address in brackets; no user information. Of
/// the characters RFC 3986 allows in a registered name, the sub-delimiters and percent-encoding are refused: no real host
/// has them, and readers split at them. So are empty labels, which readers that make paths of hosts climb with.
pub(crate) fn check_authority(authority: &[u8]) -> Result<(), Anomaly> {
    const MALFORMED: Anomaly = Anomaly::HostMalformed;
    let (host, port) = if authority.first() == Some(&b'[') {
        let end = memchr::memchr(b']', authority).ok_or(MALFORMED)?;
        let inside = std::str::from_utf8(authority.get(1..end).unwrap_or_default()).unwrap_or_default();
        inside.parse::<std::net::Ipv6Addr>().map_err(|_| MALFORMED)?;
        (&b"x"[..], authority.get(end + 1..).unwrap_or_default())
    } else {
        let end = memchr::memchr(b':', authority).unwrap_or(authority.len());
        (authority.get(..end).unwrap_or_default(), authority.get(end..).unwrap_or_default())
    };
    let mut before = b'.';
    for &byte in host {
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && before != b'.')) {
            return Err(MALFORMED);
        }
        before = byte;
    }
    if host.is_empty() || authority.len() > AUTHORITY_BYTES_MAX {
        return Err(MALFORMED);
    }
    match port.split_first() {
        None => Ok(()),
        Some((b':', digits)) if is_port(digits) => Ok(()),
        Some(_) => Err(MALFORMED),
    }
}

/// An empty port stands for the default one (RFC 3986, 3.2.3).
fn is_port(digits: &[u8]) -> bool {
    digits.len() <= 5
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0u32, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65_535
}

/// RFC 9112, 6.3, without its tolerance: one length or one `chunked`, never both, never several.
fn request_framing(head: &RequestHead, notes: &mut SmallVec<[Noted; 2]>) -> Result<Framing, Noted> {
    let refuse = |anomaly| Noted::new(anomaly, 0);
    let mut lengths = head.fields.all(Known::ContentLength);
    let mut codings = head.fields.all(Known::TransferEncoding);
    let framing = match (lengths.next(), codings.next()) {
        (Some(_), Some(_)) => return Err(refuse(Anomaly::LengthAndEncoding)),
        (None, None) => Framing::None,
        (Some(length), None) => Framing::Length(content_length(length).ok_or(refuse(Anomaly::LengthMalformed))?),
        (None, Some(_)) if head.version == HttpVersion::H10 => return Err(refuse(Anomaly::EncodingOldVersion)),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        (None, Some(_)) => return Err(refuse(Anomaly::EncodingMalformed)),
    };
    if lengths.next().is_some() {
        return Err(refuse(Anomaly::LengthDuplicate));
    }
    if codings.next().is_some() {
        return Err(refuse(Anomaly::EncodingDuplicate));
    }
    let framing = if framing == Framing::Length(0) { Framing::None } else { framing };
    if framing != Framing::None && matches!(&*head.method, b"GET" | b"HEAD" | b"DELETE" | b"OPTIONS" | b"TRACE") {
        notes.push(Noted::new(Anomaly::BodyUnexpected, 0));
    }
    Ok(framing)
}

/// RFC 9110, 8.6: digits only, and small enough to count with.
pub(crate) fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut length: u64 = 0;
    for &digit in value {
        length = length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    // Above this, readers that count in signed numbers disagree with readers that do not.
    (length <= i64::MAX as u64).then_some(length)
}

#[derive(Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

/// RFC 9110, 7.6.1. A `Connection` that names a field the upstream relies on would make us drop it: refused.
fn connection_options(head: &RequestHead, notes: &mut SmallVec<[Noted; 2]>) -> Result<ConnectionOptions, Noted> {
    let mut options = ConnectionOptions::default();
    for value in head.fields.all(Known::Connection) {
        for option in token_list(value) {
            if option.eq_ignore_ascii_case(b"close") {
                options.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                options.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                options.upgrade = true;
            } else if !is_hop_by_hop(Known::of(option)) {
                if Known::of(option) != Known::Other {
                    return Err(Noted::new(Anomaly::ConnectionNamesField, 0));
                }
                note(notes, Anomaly::ConnectionNamesField);
            }
        }
    }
    if options.close && options.keep_alive {
        notes.push(Noted::new(Anomaly::ConnectionConflict, 0));
    }
    Ok(options)
}

/// Notes an anomaly once, however often a hostile head repeats it.
fn note(notes: &mut SmallVec<[Noted; 2]>, anomaly: Anomaly) {
    if !notes.iter().any(|noted| noted.anomaly == anomaly) {
        notes.push(Noted::new(anomaly, 0));
    }
}

/// Fields that concern one connection only and are never forwarded (RFC 9110, 7.6.1; RFC 7540, 3.2.1).
pub(crate) const fn is_hop_by_hop(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Te
            | Known::Trailer
            | Known::Upgrade
            | Known::Http2Settings
            | Known::ProxyAuthorization
    )
}

/// RFC 9110, 7.8 and RFC 6455, 4.2.1. An upgrade to another HTTP or to TLS is not taken up, whatever else the list names:
/// it would tunnel requests past judging (RFC 9113 removed it, too), so the request is served as HTTP/1.1.
fn upgrade(head: &RequestHead, framing: Framing, announced: bool) -> Result<bool, Noted> {
    let refuse = || Noted::new(Anomaly::UpgradeMalformed, 0);
    let mut protocols = head.fields.all(Known::Upgrade).flat_map(token_list);
    let Some(protocol) = protocols.next() else { return Ok(false) };
    let is_tunnel = |protocol: &[u8]| {
        let name = protocol.split(|&byte| matches!(byte, b'/' | b';' | b' ' | b'\t')).next().unwrap_or_default();
        let starts = |with: &[u8]| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        starts(b"h2") || starts(b"h3") || starts(b"http") || starts(b"tls")
    };
    if !announced
        || head.version != HttpVersion::H11
        || head.fields.all(Known::Upgrade).flat_map(token_list).any(is_tunnel)
    {
        return Ok(false);
    }
    let well_formed =
        protocol.split(|&byte| byte == b'/').count() <= 2 && protocol.split(|&byte| byte == b'/').all(is_token);
    if protocols.next().is_some() || framing != Framing::None || !well_formed {
        return Err(refuse());
    }
    if protocol.eq_ignore_ascii_case(b"websocket") && !is_websocket(head) {
        return Err(refuse());
    }
    Ok(true)
}

/// RFC 6455, 4.2.1: GET, one key of 16 bytes in base64, one version that is 13. Smuggling through upgrades starts with
/// versions that the upstream refuses while the gateway already tunnels.
fn is_websocket(head: &RequestHead) -> bool {
    let single = |known| {
        let mut values = head.fields.all(known);
        values.next().filter(|_| values.next().is_none())
    };
    let key = single(Known::SecWebSocketKey).unwrap_or_default();
    let is_key = match key {
        [digits @ .., b'=', b'='] if digits.len() == 22 => {
            digits.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        }
        _ => false,
    };
    &*head.method == b"GET" && is_key && single(Known::SecWebSocketVersion) == Some(b"13")
}

/// RFC 9110, 10.1.1: the one expectation there is, once. Anything else is refused, as the section allows: proxies and
/// servers that understand `Expect` differently lose their place in the connection. Without a body nothing is awaited.
fn expectation(head: &RequestHead, framing: Framing) -> Result<bool, Noted> {
    let mut expectations = head.fields.all(Known::Expect);
    let Some(value) = expectations.next() else { return Ok(false) };
    if !value.eq_ignore_ascii_case(b"100-continue") || expectations.next().is_some() {
        return Err(Noted::new(Anomaly::ExpectUnknown, 0));
    }
    Ok(head.version == HttpVersion::H11 && framing != Framing::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<ParsedRequest, Anomaly> {
        parse_request(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).map_err(|noted| noted.anomaly)
    }

    fn with(lines: &str) -> Result<ParsedRequest, Anomaly> {
        parse(&format!("POST /t HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"))
    }

    #[test]
    fn a_plain_request() {
        let request = parse("GET /a?b=c HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\n\r\n").unwrap();
        assert_eq!(&request.head.method[..], b"GET");
        assert_eq!(&request.head.target[..], b"/a?b=c");
        assert_eq!(request.head.host(), b"a.example");
        assert_eq!(request.framing, Framing::None);
        assert!(request.keep_alive && !request.upgrades && request.notes.is_empty());
    }

    #[test]
    fn framing() {
        let framing = |lines: &str| with(lines).map(|request| request.framing);
        assert_eq!(framing("Content-Length: 5\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing("Content-Length: 005\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::None));
        assert_eq!(framing("Transfer-Encoding: chunked\r\n"), Ok(Framing::Chunked));
        assert_eq!(framing("Transfer-Encoding: CHUNKED\r\n"), Ok(Framing::Chunked));
        for (lines, anomaly) in [
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Anomaly::LengthDuplicate),
            ("Content-Length: 5, 5\r\n", Anomaly::LengthMalformed),
            ("Content-Length: +5\r\n", Anomaly::LengthMalformed),
            ("Content-Length: -1\r\n", Anomaly::LengthMalformed),
            ("Content-Length: 0x5\r\n", Anomaly::LengthMalformed),
            ("Content-Length: 18446744073709551621\r\n", Anomaly::LengthMalformed),
            ("Content-Length: 9223372036854775808\r\n", Anomaly::LengthMalformed),
            ("Content-Length:\r\n", Anomaly::LengthMalformed),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Anomaly::LengthAndEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Anomaly::EncodingDuplicate),
            ("Transfer-Encoding: xchunked\r\n", Anomaly::EncodingMalformed),
            ("Transfer-Encoding: chunked, identity\r\n", Anomaly::EncodingMalformed),
            ("Transfer-Encoding: gzip, chunked\r\n", Anomaly::EncodingMalformed),
            ("Transfer-Encoding: identity\r\n", Anomaly::EncodingMalformed),
            ("Transfer-Encoding:\r\n", Anomaly::EncodingMalformed),
        ] {
            assert_eq!(framing(lines), Err(anomaly), "{lines:?}");
        }
        let old = parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").map(|request| request.framing);
        assert_eq!(old, Err(Anomaly::EncodingOldVersion));
    }

    #[test]
    fn request_lines() {
        let line = |line: &str| parse(&format!("{line}\r\nHost: a\r\n\r\n")).map(|request| request.head.target);
        assert!(line("OPTIONS * HTTP/1.1").is_ok());
        assert!(line("FOO /t HTTP/1.1").is_ok());
        assert!(line("GET http://a/x HTTP/1.1").is_ok());
        for (text, anomaly) in [
            ("GET /t", Anomaly::RequestLineMalformed),
            ("GET  /t HTTP/1.1", Anomaly::RequestLineMalformed),
            ("GET /a b HTTP/1.1", Anomaly::RequestLineMalformed),
            ("GET\t/t HTTP/1.1", Anomaly::RequestLineMalformed),
            ("GET /t HTTP/1.2", Anomaly::VersionMalformed),
            ("GET /t HTTP/2.0", Anomaly::VersionMalformed),
            ("GET /t http/1.1", Anomaly::VersionMalformed),
            ("GET /t HTTP/1.1 ", Anomaly::VersionMalformed),
            (" GET /t HTTP/1.1", Anomaly::MethodMalformed),
            ("GET * HTTP/1.1", Anomaly::TargetMalformed),
            ("GET t HTTP/1.1", Anomaly::TargetMalformed),
            ("GET ftp://a/t HTTP/1.1", Anomaly::TargetMalformed),
            ("GET /a#b HTTP/1.1", Anomaly::TargetFragment),
            ("GET /\x07 HTTP/1.1", Anomaly::TargetControlByte),
            ("CONNECT a:443 HTTP/1.1", Anomaly::TargetAuthority),
        ] {
            assert_eq!(line(text), Err(anomaly), "{text:?}");
        }
    }

    #[test]
    fn hosts() {
        let host = |lines: &str| parse(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).map(|request| request.head.authority);
        for fine in ["a", "a.example:80", "[::1]:80", "127.0.0.1", "a_b.example", "a:"] {
            assert_eq!(host(&format!("Host: {fine}\r\n")).as_deref(), Ok(fine.as_bytes()));
        }
        for bad in [
            "a@b",
            "a/b",
            "a b",
            "a,b",
            "a:b",
            "a:123456",
            "a:65536",
            "[::1",
            "[]",
            "[x]",
            "[1.2.3.4]",
            "[::1]a",
            ":80",
            "a\\b",
            "a%00",
            "..",
            "a..b",
            ".a",
        ] {
            assert_eq!(host(&format!("Host: {bad}\r\n")), Err(Anomaly::HostMalformed), "{bad}");
        }
        assert_eq!(host(""), Err(Anomaly::HostMissing));
        assert_eq!(host("Host:\r\n"), Err(Anomaly::HostEmpty));
        assert_eq!(host("Host: a\r\nHost: a\r\n"), Err(Anomaly::HostDuplicate));
        assert_eq!(
            parse("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n").map(|request| request.head.authority),
            Err(Anomaly::HostMismatch)
        );
        assert!(parse("GET / HTTP/1.0\r\n\r\n").is_ok());
        assert!(parse("GET http://A:80/ HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
        assert!(parse("GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n").is_ok());
        assert!(parse("GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n").is_err());
        assert!(host(&format!("Host: {}\r\n", "a".repeat(300))).is_err());
    }

    #[test]
    fn expectations() {
        let expects = |lines: &str| with(lines).map(|request| request.expects_continue);
        assert_eq!(expects("Expect: 100-continue\r\nContent-Length: 5\r\n"), Ok(true));
        assert_eq!(expects("Expect: 100-Continue\r\n"), Ok(false));
        for bad in ["200-ok", "100-continue, x", "y 100-continue", "", "100-continue\r\nExpect: 100-continue"] {
            let lines = format!("Expect: {bad}\r\nContent-Length: 5\r\n");
            assert_eq!(expects(&lines), Err(Anomaly::ExpectUnknown), "{bad:?}");
        }
    }

    #[test]
    fn connection_and_upgrade() {
        assert!(!with("Connection: close\r\n").unwrap().keep_alive);
        assert!(!parse("GET / HTTP/1.0\r\n\r\n").unwrap().keep_alive);
        assert!(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").unwrap().keep_alive);
        assert_eq!(with("Connection: Host\r\n").err(), Some(Anomaly::ConnectionNamesField));
        assert_eq!(with("Connection: authorization\r\n").err(), Some(Anomaly::ConnectionNamesField));
        assert_eq!(with("Connection: X-Own\r\n").unwrap().notes[0].anomaly, Anomaly::ConnectionNamesField);
        let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let get = |lines: String| parse(&format!("GET /s HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        assert!(get(format!("{socket}Sec-WebSocket-Version: 13\r\n")).unwrap().upgrades);
        assert_eq!(get(format!("{socket}Sec-WebSocket-Version: 77\r\n")).err(), Some(Anomaly::UpgradeMalformed));
        assert!(
            !get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n".into())
                .unwrap()
                .upgrades
        );
        let twice = format!("{socket}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n");
        assert_eq!(get(twice).err(), Some(Anomaly::UpgradeMalformed));
        let upgrades = |list: &str| get(format!("Connection: upgrade\r\nUpgrade: {list}\r\n")).map(|r| r.upgrades);
        for (list, answer) in [
            ("SPDY/3.1", Ok(true)),
            ("tcp", Ok(true)),
            ("h2c", Ok(false)),
            ("tcp, h2c", Ok(false)),
            ("h2c;x", Ok(false)),
            ("HTTP/2.0", Ok(false)),
            ("TLS/1.0", Ok(false)),
            ("tcp, websocket", Err(Anomaly::UpgradeMalformed)),
            ("t(cp", Err(Anomaly::UpgradeMalformed)),
        ] {
            assert_eq!(upgrades(list), answer, "{list}");
        }
        let many = format!("Connection: {}\r\n", "x,".repeat(5000));
        assert_eq!(with(&many).unwrap().notes.len(), 1);
        assert_eq!(
            with("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n").err(),
            Some(Anomaly::UpgradeMalformed)
        );
    }

    proptest! {
        /// Whatever bytes come, there is an answer, and what is accepted httparse reads the same way.
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), Just(b'\t'), any::<u8>(), b'A'..=b'z'], 0..200))
        {
            let mut text = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
            text.extend_from_slice(&bytes);
            text.extend_from_slice(b"\r\n\r\n");
            let end = super::super::head_end(&text, 0).unwrap_or(text.len());
            let head = Bytes::copy_from_slice(&text[..end]);
            if let Ok(request) = parse_request(head.clone(), &Limits::default()) {
                let mut headers = [httparse::EMPTY_HEADER; 128];
                let mut other = httparse::Request::new(&mut headers);
                prop_assert!(other.parse(&head).is_ok_and(|status| status.is_complete()));
                let ours: Vec<_> = request.head.fields.iter().map(|f| (f.name.to_vec(), f.value.to_vec())).collect();
                let theirs: Vec<_> = other.headers.iter().map(|h| (h.name.as_bytes().to_vec(), h.value.to_vec())).collect();
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}
