//! HTTP/1 as bytes: the head, its framing, and the body behind it (RFC 9112).
//!
//! One parser serves carrying and judging, so that what was judged is what is forwarded. It is strict where two readers
//! could disagree: everything of tier [`Tier::Severe`](model::reason::Tier) refuses the message. What it accepts but
//! finds odd it notes, for the stage `hygiene` to report.
//!
//! Left out on purpose: HTTP/0.9, obs-fold, bare LF, any transfer coding but `chunked`, several `Content-Length`.

mod body;
pub(crate) mod fields;
pub(crate) mod request;
mod response;
mod target;

pub use body::{BodyDecoder, BodyError, BodyPiece};
pub use fields::{field_lines, is_token, token_list};
pub use request::{ParsedRequest, parse_request};
pub use response::{ParsedResponse, parse_response, response_framing};
pub use target::{CanonicalTarget, canonical_target};

use model::reason::Anomaly;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks (RFC 9112, 7.1).
    Chunked,
    /// Everything until the connection closes: responses only.
    UntilClose,
}

/// An anomaly and where in the head it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What.
    pub anomaly: Anomaly,
    /// Offset in the head, in bytes.
    pub offset: u32,
}

impl Noted {
    /// An anomaly at an offset.
    pub const fn new(anomaly: Anomaly, offset: usize) -> Self {
        Self { anomaly, offset: offset as u32 }
    }
}

/// Finds the end of the head that starts at `buf`: the offset behind its empty line. `scanned` is how many bytes an
/// earlier call has seen without finding it, so that a head that trickles in costs linear time in all.
///
/// An empty line ended by a bare LF also ends the head, so that such a head is refused at once rather than waited for.
pub fn head_end(buf: &[u8], scanned: usize) -> Option<usize> {
    // The empty line may have begun up to three bytes before what is new.
    let mut at = scanned.saturating_sub(3);
    loop {
        let rest = buf.get(at..)?;
        let line_feed = at + memchr::memchr(b'\n', rest)?;
        match (buf.get(line_feed + 1), buf.get(line_feed + 2)) {
            (Some(b'\n'), _) => return Some(line_feed + 2),
            (Some(b'\r'), Some(b'\n')) => return Some(line_feed + 3),
            _ => at = line_feed + 1,
        }
    }
}

/// Tells from the first bytes that what follows can never become a request, so that garbage is answered at once instead
/// of at the head timeout. `None` when it still may.
pub fn hopeless(buf: &[u8]) -> Option<Anomaly> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";
    if buf.len() >= 4 && PREFACE.starts_with(buf.get(..buf.len().min(PREFACE.len())).unwrap_or_default()) {
        return Some(Anomaly::PrefaceUnexpected);
    }
    let line_end = memchr::memchr(b' ', buf).unwrap_or(buf.len()).min(64);
    let start = buf.get(..line_end).unwrap_or_default();
    let method = start.strip_prefix(b"\r\n").unwrap_or(start);
    // A method is a token; the longest registered one has 17 letters.
    if method.iter().all(|&byte| fields::is_token_byte(byte)) && method.len() < 40 {
        return None;
    }
    if matches!(method, [] | [b'\r']) {
        return None;
    }
    let first = method.first().copied().unwrap_or_default();
    Some(if first.is_ascii_graphic() { Anomaly::MethodMalformed } else { Anomaly::NotHttp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_head_is_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        let end = head.len() - 4;
        for cut in 0..head.len() {
            let mut scanned = 0;
            for stop in [cut, head.len()] {
                match head_end(&head[..stop], scanned) {
                    Some(found) => {
                        assert_eq!(found, end);
                        break;
                    }
                    None => assert!(stop < end, "cut at {cut}"),
                }
                scanned = stop;
            }
        }
        assert_eq!(head_end(b"a\n\nb", 0), Some(3));
        assert_eq!(head_end(b"a\n\r\nb", 0), Some(4));
        assert_eq!(head_end(b"a\r\n\r", 0), None);
    }

    #[test]
    fn garbage_is_hopeless_at_once() {
        assert_eq!(hopeless(b"\x16\x03\x01\x02"), Some(Anomaly::NotHttp));
        assert_eq!(hopeless(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(Anomaly::PrefaceUnexpected));
        assert_eq!(hopeless(b"G(T / HTTP/1.1"), Some(Anomaly::MethodMalformed));
        assert_eq!(hopeless(b"\r\n\x00"), Some(Anomaly::NotHttp));
        for fine in [&b""[..], b"G", b"\r", b"\r\n", b"\r\nGET", b"PROPPATCH /", b"PRI"] {
            assert_eq!(hopeless(fine), None, "{fine:?}");
        }
    }
}
