//! Everything that can go wrong on either side has a defined outcome and an event.

use model::{ExchangeEnd, StatusSource};

use crate::rig::Rig;

fn code(event: &model::Event) -> &'static str {
    event.findings.last().map_or("", |finding| finding.reason.code())
}

#[test]
fn what_readers_could_frame_differently_is_refused_and_recorded() {
    for (bytes, status, reason) in [
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "hygiene.length-and-encoding",
        ),
        ("\x16\x03\x01\x02\x00\x01", 400, "hygiene.not-http"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "hygiene.host-missing"),
        ("GET / HTTP/1.1\nHost: a\n\n", 400, "hygiene.line-bare-lf"),
    ] {
        let mut rig = Rig::start();
        let mut client = rig.connect();
        client.send(bytes);
        let (text, in_order) = client.rest();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")) && in_order, "{bytes:?}: {text}");
        let event = rig.event();
        assert_eq!((code(&event), event.end, event.status), (reason, ExchangeEnd::Refused, status), "{bytes:?}");
    }
}

#[test]
fn half_a_head_and_a_head_that_trickles() {
    let mut rig = Rig::with(|config| config.limits.head_timeout_ms = 300);
    let mut client = rig.connect();
    client.send("GET / HT").end();
    assert!(client.rest().0.starts_with("HTTP/1.1 400 "));
    assert_eq!(code(&rig.event()), "hygiene.head-truncated");
    let mut client = rig.connect();
    client.send("GET / HTTP/1.1\r\nHos");
    assert!(client.rest().0.starts_with("HTTP/1.1 408 "));
    assert_eq!(code(&rig.event()), "hygiene.head-timeout");
}

#[test]
fn heads_beyond_the_limits() {
    let mut rig = Rig::start();
    for (request, status, reason) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000)), 431, "hygiene.head-too-large"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(120)), 431, "hygiene.head-too-many-fields"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9_000)), 414, "hygiene.target-too-long"),
    ] {
        let mut client = rig.connect();
        client.send(&request);
        assert!(client.rest().0.starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(code(&rig.event()), reason);
    }
}

#[test]
fn bodies_that_are_too_large_malformed_or_never_end() {
    let mut rig = Rig::with(|config| {
        config.limits.body_bytes_max = 1000;
        config.limits.inspect_bytes_max = 1000;
        config.limits.idle_timeout_ms = 600;
        config.limits.head_timeout_ms = 600;
    });
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n";
    for (rest, status, end) in [
        (format!("Transfer-Encoding: chunked\r\n\r\n800\r\n{}\r\n", "x".repeat(0x800)), 413, ExchangeEnd::Refused),
        ("Transfer-Encoding: chunked\r\n\r\nxyz\r\n".into(), 400, ExchangeEnd::Refused),
        ("Content-Length: 5\r\n\r\nab".into(), 408, ExchangeEnd::ClientTimeout),
    ] {
        let mut client = rig.connect();
        client.send(&format!("{head}{rest}"));
        let (text, _) = client.rest();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{rest:.40}: {text}");
        assert_eq!(rig.event().end, end);
    }
}

#[test]
fn an_upstream_that_is_not_there() {
    let mut rig = Rig::start();
    let port = rig.upstream.local_addr().unwrap().port();
    // Nobody listens at this port any more.
    rig.upstream = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    assert_ne!(rig.upstream.local_addr().unwrap().port(), port);
    let mut client = rig.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 502 "));
    let event = rig.event();
    assert_eq!((event.end, event.status_source), (ExchangeEnd::UpstreamConnect, StatusSource::Gateway));
}

#[test]
fn an_upstream_that_is_silent_garbled_or_dies() {
    let mut rig = Rig::with(|config| config.upstreams[0].response_timeout_ms = 500);
    // Silent.
    let mut client = rig.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut silent = rig.accept();
    silent.head();
    assert!(client.head().starts_with("HTTP/1.1 504 "));
    assert_eq!(rig.event().end, ExchangeEnd::UpstreamTimeout);
    // Garbled.
    let mut client = rig.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    rig.accept().send("SSH-2.0-OpenSSH\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 502 "));
    assert_eq!(rig.event().end, ExchangeEnd::UpstreamBroken);
    // Dies in the middle of its answer: the client must not take a part for the whole.
    let mut client = rig.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut dying = rig.accept();
    dying.head();
    dying.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client.read_to("abc");
    drop(dying);
    let (text, in_order) = client.rest();
    assert!(!in_order || !text.contains("0\r\n\r\n"), "{text}");
    assert_eq!(rig.event().end, ExchangeEnd::UpstreamBroken);
}

#[test]
fn a_client_that_goes_away_ends_the_request_upstream() {
    let mut rig = Rig::start();
    let mut client = rig.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut upstream = rig.accept();
    upstream.head();
    drop(client);
    upstream.rest();
    let event = rig.event();
    assert_eq!((event.end, event.status), (ExchangeEnd::ClientGone, 0));
}

#[test]
fn only_safe_requests_are_tried_again() {
    let mut rig = Rig::start();
    let mut client = rig.connect();
    // The first server connection breaks without a byte: a GET is sent again, over a fresh connection.
    client.send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut first = rig.accept();
    first.head();
    drop(first);
    let mut second = rig.accept();
    assert!(second.head().starts_with("GET /again "));
    second.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    client.read_to("ok");
    assert_eq!(rig.event().retries, 1);
    drop(second);
    // A POST is not.
    client.send("POST /once HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut only = rig.accept();
    only.head();
    drop(only);
    assert!(client.head().starts_with("HTTP/1.1 502 "));
    assert_eq!(rig.event().retries, 0);
}

#[test]
fn another_server_answers_when_the_first_refuses() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut rig = Rig::with(|config| {
        let dead = gateway::config::Server { host: "127.0.0.1".into(), port: closed, weight: 1 };
        config.upstreams[0].servers.insert(0, dead);
        config.upstreams[0].retries.budget_percent = 100;
    });
    for _ in 0..4 {
        let mut client = rig.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut upstream = rig.accept();
        upstream.head();
        upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        assert!(client.rest().0.ends_with("ok"));
        assert_eq!(rig.event().server, 1);
    }
}

#[test]
fn connections_of_one_client_are_limited() {
    let rig = Rig::with(|config| config.limits.connections_per_client_max = 2);
    let mut kept: Vec<_> = (0..2).map(|_| rig.connect()).collect();
    for peer in &mut kept {
        peer.send("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
        rig.accept().send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        peer.read_to("ok");
    }
    assert_eq!(rig.connect().rest().0, "");
    assert_eq!(rig.gateway.counters().connections_refused.value(), 1);
}
