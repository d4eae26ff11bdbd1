//! Whatever stands in front of it: the address a trusted proxy appended is the client.
#![no_main]

use std::net::IpAddr;

use gateway::forwarded::{ForwardingField, Scheme, TrustedProxies};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use model::head::Fields;

fuzz_target!(|data: &[u8]| {
    if data.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return;
    }
    let peer = IpAddr::from([10, 0, 0, 1]);
    let expected = IpAddr::from([203, 0, 113, 9]);
    for (field, name, truth) in [
        (ForwardingField::XForwardedFor, &b"x-forwarded-for"[..], &b", 203.0.113.9"[..]),
        (ForwardingField::Forwarded, b"forwarded", b", for=203.0.113.9;proto=https"),
    ] {
        let value = [data, truth].concat();
        let fields = Fields::from_pairs([(name, value.as_slice())]);
        let proxies = TrustedProxies::new(&[IpNet::from(peer)], field);
        assert_eq!(proxies.client_of(peer, Scheme::Http, &fields).client, expected);
    }
});
