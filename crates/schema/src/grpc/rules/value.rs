//! Tests of single values by the standard rules of `buf.validate`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use prost_reflect::EnumDescriptor;
use regex::Regex;

use crate::format::Format;

/// A value as it came off the wire; text is bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::grpc) enum Scalar<'b> {
    Int(i128),
    Float(f64),
    Bool(bool),
    Octets(&'b [u8]),
    /// A message, which its own rules judge.
    Message,
}

/// A value by which two elements of a list are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::grpc) enum Key<'b> {
    Number(i128),
    Octets(&'b [u8]),
}

impl<'b> Scalar<'b> {
    pub(in crate::grpc) fn is_zero(self) -> bool {
        match self {
            Self::Int(value) => value == 0,
            Self::Float(value) => value.to_bits() == 0,
            Self::Bool(value) => !value,
            Self::Octets(value) => value.is_empty(),
            Self::Message => false,
        }
    }

    pub(in crate::grpc) fn key(self) -> Option<Key<'b>> {
        match self {
            Self::Int(value) => Some(Key::Number(value)),
            // Zero is zero, with either sign.
            Self::Float(value) => Some(Key::Number(i128::from((value + 0.0).to_bits()))),
            Self::Bool(value) => Some(Key::Number(i128::from(value))),
            Self::Octets(value) => Some(Key::Octets(value)),
            Self::Message => None,
        }
    }
}

/// A bound, and whether the value may be the bound itself.
pub(super) type Bound<T> = Option<(T, bool)>;

/// One test of a value, and what it expects in words.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) expected: Box<str>,
    pub(super) test: Test,
}

/// What is tested.
#[derive(Debug)]
pub(super) enum Test {
    IntRange(Bound<i128>, Bound<i128>),
    FloatRange(Bound<f64>, Bound<f64>),
    IntIn(Vec<i128>, bool),
    FloatIn(Vec<f64>, bool),
    BoolIs(bool),
    Finite,
    Defined(EnumDescriptor),
    Characters(u64, u64),
    Length(u64, u64),
    OctetsIn(Vec<Vec<u8>>, bool),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Vec<u8>, bool),
    Pattern(Regex),
    Text(TextForm),
    Lengths(&'static [usize]),
}

/// Forms of text that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextForm {
    Email,
    Hostname,
    Ip,
    Ipv4,
    Ipv6,
    Uri,
    UriRef,
    Address,
    Uuid,
    Tuuid,
    Ulid,
    Prefixed(IpVersions, bool),
    HostAndPort,
}

/// Versions of addresses that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IpVersions {
    Both,
    V4,
    V6,
}

fn within<T: PartialOrd + Copy>(value: T, low: Bound<T>, high: Bound<T>) -> bool {
    let over = low.is_none_or(|(bound, or_equal)| value > bound || or_equal && value == bound);
    let under = high.is_none_or(|(bound, or_equal)| value < bound || or_equal && value == bound);
    match (low, high) {
        // A lower bound above the upper one leaves out what is between them.
        (Some((low, _)), Some((high, _))) if high < low => over || under,
        _ => over && under,
    }
}

impl Check {
    pub(super) fn holds(&self, value: Scalar<'_>) -> bool {
        match (&self.test, value) {
            (Test::IntRange(low, high), Scalar::Int(value)) => within(value, *low, *high),
            (Test::FloatRange(low, high), Scalar::Float(value)) => within(value, *low, *high),
            (Test::IntIn(list, wanted), Scalar::Int(value)) => list.contains(&value) == *wanted,
            (Test::FloatIn(list, wanted), Scalar::Float(value)) => list.contains(&value) == *wanted,
            (Test::BoolIs(wanted), Scalar::Bool(value)) => value == *wanted,
            (Test::Finite, Scalar::Float(value)) => value.is_finite(),
            (Test::Defined(values), Scalar::Int(value)) => {
                i32::try_from(value).is_ok_and(|number| values.get_value(number).is_some())
            }
            (Test::Characters(min, max), Scalar::Octets(value)) => {
                // Every byte that does not go on with a character begins one.
                let characters = value.iter().filter(|byte| (**byte & 0xc0) != 0x80).count() as u64;
                (*min..=*max).contains(&characters)
            }
            (Test::Length(min, max), Scalar::Octets(value)) => (*min..=*max).contains(&(value.len() as u64)),
            (Test::Lengths(list), Scalar::Octets(value)) => list.contains(&value.len()),
            (Test::OctetsIn(list, wanted), Scalar::Octets(value)) => list.iter().any(|known| known == value) == *wanted,
            (Test::Prefix(start), Scalar::Octets(value)) => value.starts_with(start),
            (Test::Suffix(end), Scalar::Octets(value)) => value.ends_with(end),
            (Test::Contains(part, wanted), Scalar::Octets(value)) => {
                memchr::memmem::find(value, part).is_some() == *wanted
            }
            (Test::Pattern(pattern), Scalar::Octets(value)) => {
                std::str::from_utf8(value).is_ok_and(|text| pattern.is_match(text))
            }
            (Test::Text(form), Scalar::Octets(value)) => {
                std::str::from_utf8(value).is_ok_and(|text| form.holds_for(text))
            }
            _ => false,
        }
    }
}

/// The form of addresses that HTML has for its inputs (WHATWG HTML, 4.10.5.1.5), which `buf.validate` names as its own.
static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    Regex::new(&format!(r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{label}(?:\.{label})*$")).ok()
});

fn hostname(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let last_is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    !last_is_number && Format::Hostname.holds_for_text(text)
}

fn ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| !zone.is_empty() && !zone.contains('\0'))
}

fn ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// `address/length`; as a network the bits behind the length are zero.
fn prefixed(text: &str, versions: IpVersions, is_network: bool) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let has_sign_or_zeros = length.len() > 1 && length.starts_with('0');
    let Some(length) = length.parse::<u32>().ok().filter(|_| is_number && !has_sign_or_zeros) else { return false };
    let (bits, size) = match (address.parse::<Ipv4Addr>(), address.parse::<Ipv6Addr>(), versions) {
        (Ok(address), _, IpVersions::Both | IpVersions::V4) => (u128::from(address.to_bits()) << 96, 32),
        (_, Ok(address), IpVersions::Both | IpVersions::V6) => (address.to_bits(), 128),
        _ => return false,
    };
    length <= size && (!is_network || bits.checked_shl(length).unwrap_or(0) == 0)
}

fn host_and_port(text: &str) -> bool {
    let is_port = |port: &str| {
        let is_plain = port == "0" || !port.starts_with('0');
        is_plain && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
    };
    match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").is_some_and(|(host, port)| ipv6(host) && is_port(port)),
        None => text.rsplit_once(':').is_some_and(|(host, port)| (hostname(host) || ipv4(host)) && is_port(port)),
    }
}

impl TextForm {
    /// The rule of this name, and what is expected in words.
    pub(super) fn named(name: &str) -> Option<(Self, &'static str)> {
        Some(match name {
            "email" => (Self::Email, "an address of mail"),
            "hostname" => (Self::Hostname, "a host name"),
            "ip" => (Self::Ip, "an IP address"),
            "ipv4" => (Self::Ipv4, "an IPv4 address"),
            "ipv6" => (Self::Ipv6, "an IPv6 address"),
            "uri" => (Self::Uri, "a URI"),
            "uri_ref" => (Self::UriRef, "a URI or a reference"),
            "address" => (Self::Address, "a host name or an IP address"),
            "uuid" => (Self::Uuid, "a UUID"),
            "tuuid" => (Self::Tuuid, "a UUID without dashes"),
            "ulid" => (Self::Ulid, "a ULID"),
            "ip_with_prefixlen" => (Self::Prefixed(IpVersions::Both, false), "an IP address with a length of prefix"),
            "ipv4_with_prefixlen" => (Self::Prefixed(IpVersions::V4, false), "an IPv4 address with a length of prefix"),
            "ipv6_with_prefixlen" => (Self::Prefixed(IpVersions::V6, false), "an IPv6 address with a length of prefix"),
            "ip_prefix" => (Self::Prefixed(IpVersions::Both, true), "an IP network"),
            "ipv4_prefix" => (Self::Prefixed(IpVersions::V4, true), "an IPv4 network"),
            "ipv6_prefix" => (Self::Prefixed(IpVersions::V6, true), "an IPv6 network"),
            "host_and_port" => (Self::HostAndPort, "a host and a port"),
            _ => return None,
        })
    }

    fn holds_for(self, text: &str) -> bool {
        match self {
            Self::Email => EMAIL.as_ref().is_some_and(|pattern| pattern.is_match(text)),
            Self::Hostname => hostname(text),
            Self::Ip => ipv4(text) || ipv6(text),
            Self::Ipv4 => ipv4(text),
            Self::Ipv6 => ipv6(text),
            Self::Uri => Format::Uri.holds_for_text(text),
            Self::UriRef => Format::UriReference.holds_for_text(text),
            Self::Address => hostname(text) || ipv4(text) || ipv6(text),
            Self::Uuid => Format::Uuid.holds_for_text(text),
            Self::Tuuid => text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Self::Ulid => {
                let is_digit = |byte: u8| byte.is_ascii_alphanumeric() && !b"iloulILOU".contains(&byte);
                text.len() == 26 && text.bytes().all(is_digit) && text.starts_with(|first| matches!(first, '0'..='7'))
            }
            Self::Prefixed(versions, is_network) => prefixed(text, versions, is_network),
            Self::HostAndPort => host_and_port(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_text_are_told_apart() {
        for (name, good, bad) in [
            ("email", &["a@b", "foo.bar@example.com"][..], &["", "a", "a@", "@b", "a b@c", "a@-b"][..]),
            ("hostname", &["a.example", "a.example."], &["", "-a", "1.2.3.4", "a..b", "a_b"]),
            ("ip", &["1.2.3.4", "::1", "fe80::1%en0"], &["", "1.2.3", "::g", "fe80::1%"]),
            ("ipv4", &["1.2.3.4"], &["::1", "01.2.3.4"]),
            ("ipv6", &["::1"], &["1.2.3.4", "[::1]"]),
            ("uri", &["https://a.example/b?c"], &["/b", "a b:c"]),
            ("uri_ref", &["/b", "https://a.example"], &["a b"]),
            ("address", &["a.example", "::1"], &["a b"]),
            ("uuid", &["6f3ca2b0-7f9e-4c8e-9f6b-0a1b2c3d4e5f"], &["6f3ca2b07f9e4c8e9f6b0a1b2c3d4e5f"]),
            ("tuuid", &["6f3ca2b07f9e4c8e9f6b0a1b2c3d4e5f"], &["6f3c"]),
            ("ulid", &["01ARZ3NDEKTSV4RRFFQ69G5FAV"], &["81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU"]),
            ("ip_with_prefixlen", &["1.2.3.4/24", "::1/64"], &["1.2.3.4", "1.2.3.4/33", "1.2.3.4/+1", "1.2.3.4/01"]),
            ("ip_prefix", &["1.2.3.0/24", "0.0.0.0/0", "1.2.3.4/32", "2001:db8::/32"], &["1.2.3.4/24", "::1/64"]),
            ("ipv4_prefix", &["10.0.0.0/8"], &["::/0"]),
            ("ipv6_prefix", &["::/0"], &["10.0.0.0/8"]),
            (
                "host_and_port",
                &["a.example:80", "[::1]:0", "1.2.3.4:65535"],
                &["a.example", "a:", "::1:80", "a:65536", "a:080"],
            ),
        ] {
            let (form, _) = TextForm::named(name).unwrap();
            for (texts, holds) in [(good, true), (bad, false)] {
                for text in texts {
                    assert_eq!(form.holds_for(text), holds, "{name} {text:?}");
                }
            }
        }
    }

    #[test]
    fn ranges_may_leave_out_the_middle() {
        assert!(within(5, Some((5, true)), Some((9, false))) && !within(9, Some((5, true)), Some((9, false))));
        let outside = |value| within(value, Some((10, false)), Some((5, false)));
        assert!(outside(4) && outside(11) && !outside(5) && !outside(7) && !outside(10));
        assert!(!within(f64::NAN, Some((0.0, true)), None));
    }
}
