//! The head of an upstream's response: parsed and framed.
//!
//! An upstream is not an enemy, but a response that readers could frame differently poisons the connection it came over
//! and is answered with 502 all the same.

use bytes::Bytes;
use model::head::{Fields, HttpVersion, Known, ResponseHead};
use model::limits::Limits;
use model::reason::Anomaly;
use smallvec::SmallVec;

use super::fields::{field_lines, line, token_list};
use super::request::content_length;
use super::{Framing, Noted};

/// A response whose head was understood.
#[derive(Clone, Debug)]
pub struct ParsedResponse {
    /// The head as it came.
    pub head: ResponseHead,
    /// True when the connection may carry another exchange after this one.
    pub keep_alive: bool,
}

/// Parses one whole response head, up to and including its empty line.
///
/// # Errors
/// The anomaly for which the response cannot be relayed.
pub fn parse_response(raw: Bytes, limits: &Limits) -> Result<ParsedResponse, Noted> {
    let (status_line, at) = match line(&raw, 0) {
        Some(line) => line?,
        None => return Err(Noted::new(Anomaly::RequestLineMalformed, 0)),
    };
    let version = match status_line.get(..9) {
        Some(b"HTTP/1.1 ") => HttpVersion::H11,
        Some(b"HTTP/1.0 ") => HttpVersion::H10,
        _ => return Err(Noted::new(Anomaly::VersionMalformed, 0)),
    };
    let status = match status_line.get(9..) {
        Some(&[a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ref reason @ ..])
            if matches!(reason.first(), None | Some(b' '))
                && !reason.iter().any(|&byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) =>
        {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return Err(Noted::new(Anomaly::RequestLineMalformed, 9)),
    };
    let mut notes = SmallVec::new();
    // Upstreams set more fields than clients do, and they are ours to trust with memory: four times the limit.
    let spans = field_lines(&raw, at, limits.fields_max.saturating_mul(4), &mut notes)?;
    let fields = Fields::new(raw.clone(), spans);
    let (mut close, mut keep) = (false, false);
    for option in fields.all(Known::Connection).flat_map(token_list) {
        close |= option.eq_ignore_ascii_case(b"close");
        keep |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    // RFC 9112, 6.1: these have no body, but an upstream that frames one all the same may send it, and it would be read as
    // the next response.
    let may_trail = (status < 200 || status == 204)
        && (fields.first(Known::TransferEncoding).is_some()
            || fields.first(Known::ContentLength).is_some_and(|length| length != b"0"));
    let keep_alive = !close && !may_trail && (version == HttpVersion::H11 || keep);
    Ok(ParsedResponse { head: ResponseHead { version, status, fields }, keep_alive })
}

/// How the end of a response's body is found (RFC 9112, 6.3). `to_head` is true for the answer to a HEAD request.
///
/// # Errors
/// The anomaly when length and coding contradict each other.
pub fn response_framing(head: &ResponseHead, to_head: bool) -> Result<Framing, Anomaly> {
    if to_head || head.status < 200 || matches!(head.status, 204 | 304) {
        return Ok(Framing::None);
    }
    let mut codings = head.fields.all(Known::TransferEncoding);
    let mut lengths = head.fields.all(Known::ContentLength);
    match (lengths.next(), codings.next()) {
        (Some(_), Some(_)) => Err(Anomaly::LengthAndEncoding),
        (None, None) => Ok(Framing::UntilClose),
        (None, Some(_)) if head.version == HttpVersion::H10 => Err(Anomaly::EncodingOldVersion),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() => {
            Ok(Framing::Chunked)
        }
        (None, Some(_)) => Err(Anomaly::EncodingMalformed),
        (Some(first), None) => {
            if lengths.any(|other| other != first) {
                return Err(Anomaly::LengthDuplicate);
            }
            match content_length(first) {
                Some(0) => Ok(Framing::None),
                Some(length) => Ok(Framing::Length(length)),
                None => Err(Anomaly::LengthMalformed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, to_head: bool) -> Result<(u16, Framing, bool), Anomaly> {
        let parsed = parse_response(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
            .map_err(|noted| noted.anomaly)?;
        Ok((parsed.head.status, response_framing(&parsed.head, to_head)?, parsed.keep_alive))
    }

    #[test]
    fn responses_are_framed() {
        let ok = |lines: &str| check(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), false);
        assert_eq!(ok("Content-Length: 3\r\n"), Ok((200, Framing::Length(3), true)));
        assert_eq!(ok("Content-Length: 3\r\nContent-Length: 3\r\n"), Ok((200, Framing::Length(3), true)));
        assert_eq!(ok("Transfer-Encoding: chunked\r\nConnection: close\r\n"), Ok((200, Framing::Chunked, false)));
        assert_eq!(ok(""), Ok((200, Framing::UntilClose, true)));
        assert_eq!(ok("Content-Length: 3\r\nContent-Length: 4\r\n"), Err(Anomaly::LengthDuplicate));
        assert_eq!(ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Err(Anomaly::LengthAndEncoding));
        assert_eq!(check("HTTP/1.1 204\r\nContent-Length: 3\r\n\r\n", false), Ok((204, Framing::None, false)));
        assert_eq!(check("HTTP/1.1 204 No Content\r\n\r\n", false), Ok((204, Framing::None, true)));
        assert_eq!(check("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", true), Ok((200, Framing::None, false)));
        for bad in [
            "HTTP/1.1 200 a\rb\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 20\r\n\r\n",
            "HTTP/1.1 099 x\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "junk",
        ] {
            assert!(check(bad, false).is_err(), "{bad:?}");
        }
    }
}
