//! Addresses a server must not be made to call: metadata services, itself in odd spellings, out-of-band catchers.

use super::family::{Family, Weight};
use super::gate::{Marker, any, start};
use super::text::{Text, is_word, window};
use crate::values::Spot;

pub(super) const MARKERS: &[Marker] = &[
    start(0, "localhost"),
    any(0, ".docker.internal"),
    any(0, ".containers.internal"),
    start(0, "ip6-l"),
    start(0, "ipv6-l"),
    start(0, "127.0.0.1"),
    start(0, "0.0.0.0"),
    any(0, "://"),
    any(0, ":\\\\"),
    start(0, "//"),
    any(0, ":/"),
    any(0, "http:"),
    any(9, "169.254.169.254"),
    any(9, "metadata.google.internal"),
    any(9, "computemetadata"),
    any(9, "latest/meta-data"),
    any(9, "latest/user-data"),
    any(9, "latest/dynamic/"),
    any(9, "100.100.100.200"),
    any(9, "169.254.170.2"),
    any(9, "fd00:ec2::254"),
    any(8, "instance-data"),
    any(8, "metadata.tencentyun"),
    any(8, "metadata/instance"),
    any(8, "192.0.0.192"),
    any(7, "kubernetes.default"),
    any(7, "metadata/v1"),
    any(6, "openstack/latest"),
    any(8, "metadata.packet.net"),
    any(7, "metadata.platformequinix"),
    any(7, "rancher-metadata"),
    any(6, "/userdata"),
    start(10, "gopher://"),
    start(10, "dict://"),
    start(9, "tftp://"),
    start(8, "sftp://"),
    start(8, "ldapi://"),
    start(9, "imap://"),
    start(9, "smtp://"),
    start(7, "ldaps://"),
    start(8, "rmi://"),
    start(8, "jndi:"),
    start(7, "telnet://"),
    start(7, "vbscript://"),
    start(9, "gopher:"),
    start(9, "dict:/"),
    any(10, "burpcollaborator.net"),
    any(10, "oastify.com"),
    any(10, ".oast."),
    any(10, "interact.sh"),
    any(9, "interactsh"),
    any(8, "dnslog.cn"),
    any(8, "ceye.io"),
    any(8, "requestbin"),
    any(8, "webhook.site"),
    any(7, "canarytokens"),
    any(8, "bxss.me"),
    any(8, "xss.ht"),
    any(7, ".nip.io"),
    any(7, ".xip.io"),
    any(7, ".sslip.io"),
    any(7, "localtest.me"),
    any(7, "lvh.me"),
    any(8, "1u.ms"),
    any(7, "ngrok.io"),
    any(7, "spoofed.burp"),
    any(6, "pipedream.net"),
    any(7, "r87.me"),
    any(7, "rebind.network"),
    any(6, "vcap.me"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let first = text.hits(Family::Ssrf).filter(|hit| hit.marker.points > 0).max_by_key(|hit| hit.marker.points);
    if let Some(hit) = first {
        weight.add(
            if text.prose { u32::from(hit.marker.points) / 2 } else { u32::from(hit.marker.points) },
            hit.marker.text,
        );
    }
    for (count, at) in text.find_all("://").enumerate() {
        if count >= 64 {
            break;
        }
        let rest = window(text.from(at + 3), 256);
        let authority = rest
            .split(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\' | b' ' | b'"' | b'\'' | b'<' | b'>'))
            .next()
            .unwrap_or_default();
        host(text, authority, weight);
    }
    // Slashes that parsers add by themselves: `http:127.0.0.1`, `http:\\host`.
    for scheme in ["http:", "https:"] {
        if let Some(rest) = text.low.strip_prefix(scheme.as_bytes())
            && !rest.starts_with(b"//")
        {
            let rest = rest
                .get(rest.iter().take(4).take_while(|byte| matches!(byte, b'/' | b'\\')).count()..)
                .unwrap_or_default();
            let authority = rest.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).next().unwrap_or_default();
            if address(authority.split(|&byte| byte == b':').next().unwrap_or_default()).is_some()
                || authority == b"localhost"
            {
                weight.add(10, "an address in an odd spelling");
            }
        }
    }
    // A host of the inside without a scheme, as the value of a parameter.
    if matches!(text.spot, Spot::Query(_) | Spot::Form(_) | Spot::Xml(_) | Spot::Cookie(_)) {
        let host = text
            .low
            .get(..text.low.iter().take(64).take_while(|byte| is_word(**byte) || matches!(byte, b'.' | b'-')).count())
            .unwrap_or_default();
        let behind = text.low.get(host.len()..).unwrap_or_default();
        if INSIDE.iter().any(|name| name.as_bytes() == host)
            && matches!(behind.first(), Some(b'/' | b':'))
            && !behind.starts_with(b"://")
        {
            weight.add(10, "the machine itself");
        }
    }
    if weight.points >= 7 && weight.points < 10 && !text.prose && text.raw.len() <= 512 {
        weight.add(3, "nothing but an address");
    }
}

/// Names that only resolve inside.
const INSIDE: &[&str] = &[
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ipv6-localhost",
    "ip6-localhost",
    "ip6-loopback",
    "ipv6-loopback",
    "host.docker.internal",
    "gateway.docker.internal",
    "kubernetes.docker.internal",
    "host.containers.internal",
    "kubernetes.default.svc",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
];

/// Weighs the authority of an address.
fn host(text: &Text<'_>, authority: &[u8], weight: &mut Weight) {
    let (user, host) = match memchr::memrchr(b'@', authority) {
        Some(at) => (authority.get(..at), authority.get(at + 1..).unwrap_or_default()),
        None => (None, authority),
    };
    if user.is_some_and(|user| {
        user.contains(&b'@')
            || user.contains(&b'#')
            || memchr::memchr(b'.', user).is_some() && memchr::memchr(b':', user).is_none()
    }) {
        weight.add(5, "a host in front of the host");
    }
    let name = if let Some(six) = host.strip_prefix(b"[") {
        six.split(|&byte| byte == b']').next().unwrap_or_default()
    } else {
        host.split(|&byte| byte == b':').next().unwrap_or_default()
    };
    if name.is_empty() {
        return;
    }
    let whole = if text.prose { 3 } else { 6 };
    match address(name) {
        Some((_, true)) => weight.add(10, "an address in an odd spelling"),
        Some(([127, ..], false)) => weight.add(whole, "the machine itself"),
        Some(([0, 0, 0, 0], false)) => weight.add(8, "the machine itself"),
        Some(([169, 254, ..], false)) => weight.add(9, "a link-local address"),
        Some(([10, ..] | [192, 168, ..] | [172, 16..=31, ..], false)) => weight.add(3, "a private address"),
        Some(_) => {}
        None => {
            if matches!(name, b"localhost" | b"localhost.localdomain" | b"ip6-localhost") {
                weight.add(3, "the machine itself");
            }
            if matches!(name, b"::1" | b"::" | b"0000::1" | b"0:0:0:0:0:0:0:1") {
                weight.add(7, "the machine itself");
            }
            if name.starts_with(b"::ffff:") || name.starts_with(b"0:0:0:0:0:ffff") {
                weight.add(10, "an address in an odd spelling");
            }
            if name.starts_with(b"fe80:") || name.starts_with(b"fd00:") {
                weight.add(6, "a private address");
            }
        }
    }
    if text.raw.iter().filter(|byte| **byte == 0xe2).count() >= 3
        && name.iter().any(|byte| *byte >= 0x80)
        && enclosed(name)
    {
        weight.add(8, "a host in enclosed letters");
    }
}

/// Letters in circles (U+2460 to U+24FF), which many libraries fold to ASCII in host names.
fn enclosed(name: &[u8]) -> bool {
    name.windows(2).filter(|pair| matches!(pair, [0xe2, 0x91..=0x93])).count() >= 3
}

/// An IPv4 address as `inet_aton` reads it: one to four parts, decimal, octal or hexadecimal. True when no one would
/// write it so: fewer parts, or not decimal.
fn address(name: &[u8]) -> Option<([u8; 4], bool)> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut parts = [0u64; 4];
    let mut count = 0;
    let mut odd = false;
    for part in name.split(|&byte| byte == b'.') {
        let (value, part_is_odd) = number(part)?;
        *parts.get_mut(count)? = value;
        count += 1;
        odd |= part_is_odd;
    }
    odd |= count < 4;
    let last = *parts.get(count.checked_sub(1)?)?;
    let mut value = 0u64;
    for &part in parts.get(..count - 1)? {
        value = value << 8 | (part <= 255).then_some(part)?;
    }
    let bits = 8 * (5 - count) as u32;
    if last >= 1u64 << bits {
        return None;
    }
    let value = u32::try_from(value << bits | last).ok()?;
    Some((value.to_be_bytes(), odd))
}

fn number(part: &[u8]) -> Option<(u64, bool)> {
    let text = std::str::from_utf8(part).ok()?;
    if text.is_empty() || text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return Some((u64::from_str_radix(hex, 16).ok()?, true));
    }
    if text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return Some((u64::from_str_radix(text, 8).ok()?, true));
    }
    Some((text.parse().ok()?, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_spellings_are_read_as_the_system_reads_them() {
        let check =
            |name: &str, expected: Option<([u8; 4], bool)>| assert_eq!(address(name.as_bytes()), expected, "{name}");
        check("127.0.0.1", Some(([127, 0, 0, 1], false)));
        check("2130706433", Some(([127, 0, 0, 1], true)));
        check("0x7f.1", Some(([127, 0, 0, 1], true)));
        check("0177.0.0.01", Some(([127, 0, 0, 1], true)));
        check("0xa9fea9fe", Some(([169, 254, 169, 254], true)));
        check("256.1.1.1", None);
        check("example.com", None);
        check("1.2.3.4.5", None);
        check("", None);
    }
}
