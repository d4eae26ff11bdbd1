//! Addresses a server must not be made to call: metadata services, itself in odd spellings, out-of-band catchers.

use smallvec::SmallVec;

use super::family::{Family, Weight};
use super::gate::{Marker, any, start};
use super::text::{Text, has, is_word, window};
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
    any(8, "vcap.me"),
    any(8, ".rbndr.us"),
    any(9, "metadata.azure.internal"),
    any(8, "opc/v1/instance"),
    any(8, "opc/v2/instance"),
    start(10, "jar:http"),
    start(10, "jar:file"),
    start(10, "netdoc:"),
    start(10, "http+unix:"),
    start(10, "unix:/"),
    start(9, "ssh2."),
    any(8, "docker.sock"),
    any(0, ":@"),
    any(0, "/\\"),
    any(0, "\\\\"),
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
        let slashes = rest.iter().take(4).take_while(|byte| matches!(byte, b'/' | b'\\')).count();
        let whole = !text.prose && is_scheme(window(text.low, at)) && asks(text.spot);
        authority(text, rest.get(slashes..).unwrap_or_default(), whole, weight);
    }
    without_scheme(text, weight);
    if weight.points >= 7 && weight.points < 10 && !text.prose && text.raw.len() <= 512 {
        weight.add(3, "nothing but an address");
    }
}

/// A place whose value a server may call. Fields of a request name where it comes from, and the addresses that a login
/// goes back to are those of the user's own machine (RFC 8252, section 7.3).
fn asks(spot: Spot<'_>) -> bool {
    match spot {
        Spot::Query(name) | Spot::Form(name) => {
            let name = name.to_ascii_lowercase();
            !["redirect", "callback", "return", "origin", "logout"].iter().any(|part| has(&name, part))
        }
        Spot::Xml(_) | Spot::Part(_) | Spot::Json(..) | Spot::Body | Spot::Protobuf(_) => true,
        _ => false,
    }
}

/// True when nothing but the scheme of an address stands in front of it; `view-source:http` has two.
fn is_scheme(before: &[u8]) -> bool {
    !before.is_empty()
        && before.len() <= 24
        && before.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':' | b'='))
}

/// Addresses without the scheme or without its slashes: `//host`, `/\host`, `\\host`, `http:127.0.0.1`, `localhost/x`.
fn without_scheme(text: &Text<'_>, weight: &mut Weight) {
    // Slashes that parsers add by themselves.
    for scheme in ["http:", "https:"] {
        if let Some(rest) = text.low.strip_prefix(scheme.as_bytes())
            && !rest.starts_with(b"//")
        {
            let rest = rest
                .get(rest.iter().take(4).take_while(|byte| matches!(byte, b'/' | b'\\' | b'@')).count()..)
                .unwrap_or_default();
            let authority = rest.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).next().unwrap_or_default();
            if address(authority.split(|&byte| byte == b':').next().unwrap_or_default()).is_some()
                || authority == b"localhost"
            {
                weight.add(10, "an address in an odd spelling");
            }
        }
    }
    if !matches!(text.spot, Spot::Query(_) | Spot::Form(_) | Spot::Xml(_) | Spot::Cookie(_) | Spot::Json(..))
        || text.prose
    {
        return;
    }
    // A path of the other system, or an address that takes the scheme of the page.
    if let [b'/' | b'\\', b'/' | b'\\', rest @ ..] = text.low {
        let slashes = rest.iter().take(2).take_while(|byte| matches!(byte, b'/' | b'\\')).count();
        let rest = rest.get(slashes..).unwrap_or_default();
        let end = rest.iter().take(256).position(|byte| byte.is_ascii_whitespace());
        // A comment of a program begins so, too, but not with an address.
        if end.is_none() {
            authority(text, window(rest, 256), asks(text.spot), weight);
        }
        return;
    }
    // A host of the inside as it is.
    let host = text
        .low
        .get(..text.low.iter().take(64).take_while(|byte| is_word(**byte) || matches!(byte, b'.' | b'-')).count())
        .unwrap_or_default();
    let behind = text.low.get(host.len()..).unwrap_or_default();
    if !matches!(text.spot, Spot::Json(..))
        && INSIDE.iter().any(|name| name.as_bytes() == host)
        && matches!(behind.first(), Some(b'/' | b':'))
        && !behind.starts_with(b"://")
    {
        weight.add(10, "the machine itself");
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

/// Weighs what stands behind the slashes of an address. `whole`: the value is nothing but that address, in a place whose
/// value may be called.
fn authority(text: &Text<'_>, rest: &[u8], whole: bool, weight: &mut Weight) {
    let path = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    // Where a login goes back to, whatever the parameter is called.
    let back = ["callback", "redirect", "oauth", "signin", "login"];
    let whole = whole && !back.iter().any(|word| has(rest.get(path..).unwrap_or_default(), word));
    let before_path = rest.get(..path).unwrap_or_default();
    let authority = rest
        .split(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\' | b' ' | b'"' | b'\'' | b'<' | b'>'))
        .next()
        .unwrap_or_default();
    // Two readers see two hosts: `a\@b`, `a#@b`, `a &@b`.
    let behind = before_path.get(authority.len()..).unwrap_or_default();
    if whole && matches!(behind.first(), Some(b'\\' | b'#' | b'?' | b' ')) && behind.contains(&b'@') {
        weight.add(8, "an address of two hosts");
    }
    let (user, host) = match memchr::memrchr(b'@', authority) {
        Some(at) => (authority.get(..at), authority.get(at + 1..).unwrap_or_default()),
        None => (None, authority),
    };
    if user.is_some_and(|user| {
        user.contains(&b'@')
            || user.contains(&b'#')
            || memchr::memchr(b'.', user).is_some() && memchr::memchr(b':', user).is_none()
    }) {
        weight.add(if whole { 7 } else { 5 }, "a host in front of the host");
    }
    if let Some(six) = host.strip_prefix(b"[") {
        let name = six.split(|&byte| matches!(byte, b']' | b'%')).next().unwrap_or_default();
        weight.add(six_points(name, whole), "an address of the inside");
        return;
    }
    let (name, port) = match memchr::memchr(b':', host) {
        Some(at) => (host.get(..at).unwrap_or_default(), host.get(at + 1..)),
        None => (host, None),
    };
    if name.is_empty() {
        return;
    }
    // Dots of other scripts, which a resolver takes for dots (RFC 3490, section 3.1).
    if name.iter().any(|byte| *byte >= 0x80) {
        let folded = with_plain_dots(name);
        if folded.len() != name.len() && address(&folded).is_some() {
            weight.add(10, "an address in an odd spelling");
        }
        if enclosed(name) {
            weight.add(if whole { 10 } else { 8 }, "a host in enclosed letters");
        }
        return;
    }
    let (points, what) = match address(name) {
        Some((_, true)) => (10, "an address in an odd spelling"),
        Some((four, false)) => four_points(four, whole, text.prose),
        None => name_points(name, port, whole, text.prose),
    };
    weight.add(points, what);
}

/// Points of an address of IPv4 in its ordinary spelling.
fn four_points(four: [u8; 4], whole: bool, prose: bool) -> (u32, &'static str) {
    match four {
        [127, ..] => (
            if whole {
                10
            } else if prose {
                3
            } else {
                6
            },
            "the machine itself",
        ),
        [0, ..] => (if whole { 10 } else { 8 }, "the machine itself"),
        [169, 254, ..] => (9, "a link-local address"),
        // Where the platforms of some clouds answer.
        [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => (9, "a metadata service"),
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] => (if whole { 6 } else { 3 }, "a private address"),
        // Carrier networks, benchmarks, multicast, broadcast (RFC 6890): nobody's server.
        [100, 64..=127, ..] | [198, 18..=19, ..] | [224..=255, ..] | [192, 88, 99, _] | [192, 0, 0, _] => {
            (if whole { 6 } else { 3 }, "a reserved address")
        }
        _ => (0, ""),
    }
}

/// Points of an address of IPv6: the machine itself, and those that carry an address of IPv4 (RFC 4291, 6052, 3056).
fn six_points(name: &[u8], whole: bool) -> u32 {
    let Some(six) = std::str::from_utf8(name).ok().and_then(|name| name.parse::<std::net::Ipv6Addr>().ok()) else {
        return 0;
    };
    let private = |four: [u8; 4]| four_points(four, true, false).0 > 0;
    match six.octets() {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 | 1] => {
            if whole {
                10
            } else {
                7
            }
        }
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..] => 10,
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => {
            if private([a, b, c, d]) {
                10
            } else {
                7
            }
        }
        [0, 0x64, 0xff, 0x9b, .., a, b, c, d] => {
            if private([a, b, c, d]) {
                10
            } else {
                6
            }
        }
        [0x20, 0x02, a, b, c, d, ..] if private([a, b, c, d]) => 10,
        [0xfe, 0x80..=0xbf, ..] | [0xfc..=0xfd, ..] => {
            if whole {
                7
            } else {
                6
            }
        }
        _ => 0,
    }
}

/// Ports of services that are meant for their own machine or network (IANA, and the defaults of databases and daemons).
const SERVICES: &[&str] = &[
    "21", "22", "23", "25", "53", "80", "110", "111", "135", "139", "143", "389", "443", "445", "465", "587", "873",
    "1433", "1521", "2049", "2181", "2375", "2376", "2379", "3306", "3389", "4444", "5432", "5672", "5984", "6379",
    "6443", "7001", "8200", "8300", "8500", "9042", "9092", "9200", "9300", "10250", "10255", "11211", "15672",
    "27017", "27018", "50070",
];

/// Points of the name of a host: of the machine itself, of the inside, or one that carries an address of the inside.
fn name_points(name: &[u8], port: Option<&[u8]>, whole: bool, prose: bool) -> (u32, &'static str) {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending.as_bytes()));
    if INSIDE.iter().any(|known| known.as_bytes() == name) || ends(&[".localhost", ".localdomain"]) {
        // Applications under development listen on ports of their own; what listens on the others serves the machine.
        let served = port.is_none_or(|port| SERVICES.iter().any(|known| known.as_bytes() == port));
        return (if whole { if served { 10 } else { 6 } } else { 3 }, "the machine itself");
    }
    if name == b"metadata" || name.starts_with(b"metadata.") && ends(&[".internal"]) {
        return (if whole { 10 } else { 6 }, "a metadata service");
    }
    if carries_address(name) {
        return (if prose { 3 } else { 8 }, "a name that resolves to an address of the inside");
    }
    if ends(&[".internal", ".local", ".lan", ".intranet", ".corp", ".svc", ".cluster.local", ".consul", ".home.arpa"]) {
        return (if whole { 6 } else { 0 }, "a name of the inside");
    }
    let numeric = name
        .rsplit(|&byte| byte == b'.')
        .next()
        .is_some_and(|last| !last.is_empty() && last.iter().all(u8::is_ascii_digit));
    // The last label of a name is never a number: a parser that takes it for an address wraps it around.
    if numeric && name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return (if whole { 8 } else { 3 }, "an address that is none");
    }
    let single = !name.contains(&b'.') && name.len() >= 2 && name.iter().all(|byte| is_word(*byte) || *byte == b'-');
    (if single && port.is_some() && whole { 6 } else { 0 }, "a name of the inside")
}

/// `127.0.0.1.nip.io`, `169-254-169-254.x`, `7f000001.x`: services that answer with the address in the name.
fn carries_address(name: &[u8]) -> bool {
    let inside = |four: [u8; 4]| four[0] == 127 || four_points(four, true, false).0 >= 6;
    let labels: SmallVec<[&[u8]; 12]> = name.split(|byte| matches!(byte, b'.' | b'-')).take(12).collect();
    let numbers = labels.windows(4).take(labels.len().saturating_sub(4)).any(|four| {
        let mut octets = [0u8; 4];
        let read = octets.iter_mut().zip(four).all(|(octet, label)| {
            let value =
                std::str::from_utf8(label).ok().filter(|label| label.len() <= 3).and_then(|label| label.parse().ok());
            value.map(|value| *octet = value).is_some()
        });
        read && inside(octets)
    });
    let hex = labels.iter().take(labels.len().saturating_sub(1)).any(|label| {
        label.len() == 8
            && std::str::from_utf8(label).ok().and_then(|label| u32::from_str_radix(label, 16).ok()).is_some_and(
                |value| matches!(value.to_be_bytes(), [127, 0, 0, 1] | [169, 254, 169, 254] | [192, 168, ..]),
            )
    });
    numbers || hex
}

/// A host with the ideographic full stops of other scripts as dots.
fn with_plain_dots(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        match rest {
            [0xe3, 0x80, 0x82, after @ ..] | [0xef, 0xbd, 0xa1, after @ ..] | [0xef, 0xbc, 0x8e, after @ ..] => {
                out.push(b'.');
                rest = after;
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// Letters and digits in circles (U+2460 to U+24FF), which many libraries fold to ASCII in host names.
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
