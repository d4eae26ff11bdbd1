//! Fields by which proxies pass on who the client was: what an untrusted client claims in them.
//!
//! The gateway never believes these from an untrusted peer, and writes its own for the upstream. They are reported because
//! an inner address in them is an attempt to pass as somebody else.

use std::net::IpAddr;

use model::finding::Findings;
use model::head::Known;
use model::reason::Anomaly;

use super::{excerpt, header, hint, likely};
use crate::http1::{request, token_list};

/// Judges one forwarding field of a client that is no trusted proxy. `name` is in lower case.
pub(super) fn judge(known: Known, name: &str, value: &[u8], host: &[u8], out: &mut Findings) {
    match known {
        Known::XForwardedProto => {
            let is_proto = |proto: &[u8]| {
                [&b"http"[..], b"https", b"ws", b"wss"].iter().any(|own| own.eq_ignore_ascii_case(proto))
            };
            if !token_list(value).all(is_proto) {
                out.push(likely(Anomaly::ForwardedMalformed, header(name), &excerpt(value)));
            }
        }
        Known::XForwardedHost => {
            if token_list(value).any(|host| request::check_authority(host).is_err()) {
                out.push(likely(Anomaly::ForwardedMalformed, header(name), &excerpt(value)));
            } else if token_list(value).any(|claimed| !claimed.eq_ignore_ascii_case(host)) {
                out.push(hint(Anomaly::ForwardedSpoofed, header(name), &excerpt(value)));
            }
        }
        Known::Forwarded => {
            for element in token_list(value) {
                for pair in element.split(|&byte| byte == b';') {
                    if let Some(node) = pair.trim_ascii().get(..4).filter(|key| key.eq_ignore_ascii_case(b"for=")) {
                        let node = pair.trim_ascii().get(node.len()..).unwrap_or_default();
                        judge_address(name, node, out);
                    }
                }
            }
        }
        _ => token_list(value).for_each(|address| judge_address(name, address, out)),
    }
}

fn judge_address(name: &str, text: &[u8], out: &mut Findings) {
    // One finding of a kind says it; a hostile list could hold thousands.
    if out.iter().any(|finding| finding.place == header(name)) {
        return;
    }
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    // RFC 7239, 6: `unknown` and obfuscated identifiers name nobody.
    if text.eq_ignore_ascii_case(b"unknown") || text.first() == Some(&b'_') {
        return;
    }
    match address(text) {
        None => out.push(likely(Anomaly::ForwardedMalformed, header(name), &excerpt(text))),
        Some(address) if is_own_machine(address) => {
            out.push(likely(Anomaly::ForwardedSpoofed, header(name), &address.to_string()));
        }
        Some(address) if is_private(address) => {
            // Corporate proxies add these honestly.
            out.push(hint(Anomaly::ForwardedSpoofed, header(name), &address.to_string()));
        }
        Some(_) => {}
    }
}

/// An address with or without a port, IPv6 with or without brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse().ok();
    }
    text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip())
}

fn is_own_machine(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local(),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::finding::Confidence;

    fn check(known: Known, value: &str) -> Option<(&'static str, Confidence)> {
        let mut out = Findings::new();
        judge(known, known.name(), value.as_bytes(), b"a.example", &mut out);
        assert!(out.len() <= 1, "{out:?}");
        out.first().map(|finding| (finding.reason.code(), finding.confidence))
    }

    #[test]
    fn addresses() {
        let check = |value| check(Known::XForwardedFor, value);
        for fine in ["203.0.113.7", "203.0.113.7, 2001:db8::1", "203.0.113.7:4711", "[2001:db8::1]:80", "unknown", "_x"]
        {
            assert_eq!(check(fine), None, "{fine}");
        }
        assert_eq!(check("127.0.0.1"), Some(("hygiene.forwarded-spoofed", Confidence::Likely)));
        assert_eq!(check("203.0.113.7, ::ffff:127.0.0.1"), Some(("hygiene.forwarded-spoofed", Confidence::Likely)));
        assert_eq!(check("10.1.2.3"), Some(("hygiene.forwarded-spoofed", Confidence::Hint)));
        assert_eq!(check("' or 1=1--, x, y"), Some(("hygiene.forwarded-malformed", Confidence::Likely)));
    }

    #[test]
    fn hosts_and_protocols() {
        assert_eq!(check(Known::XForwardedProto, "https"), None);
        assert!(check(Known::XForwardedProto, "javascript").is_some());
        assert_eq!(check(Known::XForwardedHost, "A.example"), None);
        assert_eq!(check(Known::XForwardedHost, "evil.example").map(|found| found.1), Some(Confidence::Hint));
        assert_eq!(check(Known::XForwardedHost, "a/b").map(|found| found.1), Some(Confidence::Likely));
        assert_eq!(check(Known::Forwarded, "for=203.0.113.7;proto=https, for=\"[2001:db8::1]:80\""), None);
        assert!(check(Known::Forwarded, "proto=https;For=\"127.0.0.1\"").is_some());
    }
}
