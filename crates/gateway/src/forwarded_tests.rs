//! Tests of the client's address and of the forwarding fields.

use proptest::prelude::*;

use super::*;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    Fields::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

fn proxies(field: ForwardingField) -> TrustedProxies {
    let networks = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"].map(|network| network.parse().unwrap());
    TrustedProxies::new(&networks, field)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The client and the scheme of a request from `peer`, as text.
fn client(field: ForwardingField, peer: &str, pairs: &[(&str, &str)]) -> String {
    let address = proxies(field).client_of(ip(peer), Scheme::Http, &fields(pairs));
    format!("{} {}", address.client, address.proto.name())
}

#[test]
fn an_untrusted_peer_is_the_client_whatever_it_says() {
    for field in [ForwardingField::XForwardedFor, ForwardingField::Forwarded] {
        let lies = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=1.1.1.1")];
        assert_eq!(client(field, "203.0.113.9", &lies), "203.0.113.9 http");
    }
}

#[test]
fn x_forwarded_for_is_walked_from_the_right() {
    let check = |peer: &str, lines: &[&str], expected: &str| {
        let pairs: Vec<_> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
        assert_eq!(client(ForwardingField::XForwardedFor, peer, &pairs), format!("{expected} http"), "{lines:?}");
    };
    check("10.0.0.1", &[], "10.0.0.1");
    check("10.0.0.1", &["203.0.113.9"], "203.0.113.9");
    check("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9");
    check("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9");
    check("10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.2.3.4,, 192.0.2.7 "], "203.0.113.9");
    check("10.0.0.1", &["10.0.0.9, 10.0.0.8"], "10.0.0.9");
    check("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1");
    check("10.0.0.1", &["1.1.1.1, 1.2.3"], "10.0.0.1");
    check("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
    check("2001:db8::1", &["[2001:4::2]:80"], "2001:4::2");
    check("2001:db8::1", &["[2001:4::2]"], "2001:4::2");
}

#[test]
fn forwarded_is_walked_from_the_right() {
    let check = |line: &str, expected: &str| {
        let pairs = [("Forwarded", line), ("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-Proto", "https")];
        assert_eq!(client(ForwardingField::Forwarded, "10.0.0.1", &pairs), expected, "{line}");
    };
    check("", "10.0.0.1 http");
    check("for=203.0.113.9", "203.0.113.9 http");
    check("for=1.1.1.1, FOR=203.0.113.9;Proto=HTTPS;by=10.0.0.1", "203.0.113.9 https");
    check("for=203.0.113.9;proto=https, for=\"10.9.9.9:80\";proto=http", "203.0.113.9 https");
    check("for=\"[2001:4::2]:4711\"", "2001:4::2 http");
    check("for=_hidden", "10.0.0.1 http");
    check("for=1.1.1.1;for=2.2.2.2", "10.0.0.1 http");
    check("for=\"1.1.1.1", "10.0.0.1 http");
    // A client's open quotation mark does not swallow what the proxy appended.
    check("for=\"1.1.1.1, for=203.0.113.9", "203.0.113.9 http");
    check("for=1.1.1.1;x=\"a\\\", for=203.0.113.9", "203.0.113.9 http");
    check("for=203.0.113.9;x=\"a, for=1.1.1.1\"", "203.0.113.9 http");
}

#[test]
fn only_the_configured_field_is_believed() {
    let both = [("Forwarded", "for=1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")];
    assert_eq!(client(ForwardingField::XForwardedFor, "10.0.0.1", &both), "203.0.113.9 http");
    assert_eq!(client(ForwardingField::XForwardedFor, "10.0.0.1", &both[..1]), "10.0.0.1 http");
    assert_eq!(client(ForwardingField::Forwarded, "10.0.0.1", &both), "1.1.1.1 http");
}

#[test]
fn the_scheme_is_the_nearest_proxys() {
    let pairs = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "http, https")];
    assert_eq!(client(ForwardingField::XForwardedFor, "10.0.0.1", &pairs), "203.0.113.9 https");
    let pairs = [("X-Forwarded-Proto", "gopher")];
    assert_eq!(client(ForwardingField::XForwardedFor, "10.0.0.1", &pairs), "10.0.0.1 http");
}

fn forwarding(peer: &str, pairs: &[(&str, &str)], authority: &str) -> (Forwarding, RequestHead) {
    let head = RequestHead {
        version: model::HttpVersion::H11,
        method: Bytes::from_static(b"GET"),
        target: Bytes::from_static(b"/"),
        authority: Bytes::copy_from_slice(authority.as_bytes()),
        fields: fields(pairs),
        raw: None,
    };
    let address = proxies(ForwardingField::XForwardedFor).client_of(ip(peer), Scheme::Https, &head.fields);
    (Forwarding::new(&address, &head), head)
}

fn check_told(peer: &str, pairs: &[(&str, &str)], authority: &str, expected: &[&str]) {
    let (forwarding, _) = forwarding(peer, pairs, authority);
    let mut lines = Vec::new();
    forwarding.write_h1(&mut lines);
    let names = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"];
    let expected_lines: String =
        names.iter().zip(expected).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    assert_eq!(String::from_utf8(lines).unwrap(), expected_lines);
    let mut at = 0;
    forwarding.each(|name, value| {
        assert_eq!(name, names[at].to_ascii_lowercase().as_bytes());
        assert_eq!(value, expected[at].as_bytes());
        at += 1;
    });
    assert_eq!(at, expected.len());
}

#[test]
fn the_upstream_is_told_what_is_believed_and_no_more() {
    let lies = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Host", "evil")];
    check_told("203.0.113.9", &lies, "api.test:8443", &["203.0.113.9", "https", "api.test:8443"]);
    let told = [("X-Forwarded-For", "1.1.1.1, 203.0.113.109, 2001:db8::7"), ("X-Forwarded-Host", "a.test")];
    check_told("10.0.0.1", &told, "b", &["203.0.113.109, 2001:db8::7, 10.0.0.1", "https", "a.test"]);
    check_told("1.20.100.255", &[], "a b", &["1.20.100.255", "https"]);
}

#[test]
fn claims_are_dropped() {
    let dropped = |peer: &str, name: &str| {
        let (forwarding, head) = forwarding(peer, &[(name, "1.1.1.1")], "h");
        head.fields.iter().all(|field| forwarding.drops(&field))
    };
    for name in ["X-Forwarded-For", "x-real-ip", "Forwarded", "X-Forwarded-Host"] {
        assert!(dropped("203.0.113.9", name) && dropped("10.0.0.1", name), "{name}");
    }
    for name in ["X-Forwarded-Port", "True-Client-IP", "CF-Connecting-IP", "x_forwarded_for", "X_Real_IP"] {
        assert!(dropped("203.0.113.9", name) && !dropped("10.0.0.1", name), "{name}");
    }
    for name in ["Host", "X-Forwarder", "Cookie", "X-Client-Version", "Content-Type"] {
        assert!(!dropped("203.0.113.9", name), "{name}");
    }
}

#[test]
fn networks_are_found_by_search() {
    let networks: Vec<IpNet> =
        (0..200u8).map(|third| format!("198.51.{third}.{}/30", third & 0xfc).parse().unwrap()).collect();
    let proxies = TrustedProxies::new(&networks, ForwardingField::XForwardedFor);
    for third in 0..=255u8 {
        for last in 0..=255u8 {
            let addr = IpAddr::from([198, 51, third, last]);
            assert_eq!(proxies.trusts(addr), networks.iter().any(|network| network.contains(&addr)), "{addr}");
        }
    }
}

proptest! {
    /// Whatever a client sends, in lines of its own or in front of what the proxy appends, it cannot choose its address.
    #[test]
    fn a_client_cannot_choose_its_address(junk in "[ -~]{0,60}", spoofed in any::<[u8; 4]>(), same_line in any::<bool>()) {
        let spoof = IpAddr::from(spoofed);
        for (field, name, lie, truth) in [
            (ForwardingField::XForwardedFor, "X-Forwarded-For", format!("{spoof}, {junk}"), "203.0.113.9".to_owned()),
            (ForwardingField::Forwarded, "Forwarded", format!("for={spoof}{junk}"), "for=203.0.113.9".to_owned()),
            (ForwardingField::Forwarded, "Forwarded", format!("for=\"{spoof}, {junk}\\"), "for=\"203.0.113.9:1\"".to_owned()),
        ] {
            let joined = format!("{lie}, {truth}");
            let pairs = if same_line { vec![(name, joined.as_str())] } else { vec![(name, lie.as_str()), (name, truth.as_str())] };
            let address = proxies(field).client_of(ip("10.0.0.1"), Scheme::Http, &fields(&pairs));
            prop_assert_eq!(address.client, ip("203.0.113.9"));
            let mut out = Vec::new();
            address.write_chain(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), "203.0.113.9, 10.0.0.1");
        }
    }

    #[test]
    fn addresses_are_written_as_the_library_does(bits in any::<u32>()) {
        let mut out = Vec::new();
        write_address(&mut out, IpAddr::V4(Ipv4Addr::from_bits(bits)));
        prop_assert_eq!(String::from_utf8(out).unwrap(), Ipv4Addr::from_bits(bits).to_string());
    }
}
