//! Ordinary exchanges over HTTP/1.1, and what is forwarded of them.

use std::sync::Arc;

use gateway::config::{ProxyProtocol, Rewrite, ServerTiming};
use inspect::Policy;
use inspect::stages::clients::ClientLists;
use model::{ApiName, ExchangeEnd, Mode, StatusSource};

use crate::rig::Rig;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_request_is_forwarded_canonical_and_recorded() {
    let mut rig = Rig::start();
    let mut client = rig.connect();
    client.send("GET /a/../b?x=%41 HTTP/1.1\r\nHost: API.example\r\nConnection: keep-alive, X-Own\r\nX-Own: 1\r\nX-Forwarded-For: 1.2.3.4\r\nAccept: */*\r\n\r\n");
    let mut upstream = rig.accept();
    let head = upstream.head();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("GET /b?x=%41 HTTP/1.1"));
    assert_eq!(lines.next(), Some("Host: API.example"));
    assert!(head.contains("X-Forwarded-For: 127.0.0.1\r\n"), "{head}");
    assert!(!head.contains("X-Own") && !head.contains("1.2.3.4") && !head.contains("Connection"), "{head}");
    upstream.send(OK);
    assert_eq!(client.read_to("ok"), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let event = rig.event();
    assert_eq!((event.status, event.status_source, event.end), (200, StatusSource::Upstream, ExchangeEnd::Complete));
    assert_eq!(
        (&event.host[..], &event.target[..], event.response_bytes),
        (&b"API.example"[..], &b"/a/../b?x=%41"[..], 2)
    );
}

#[test]
fn both_connections_are_kept_and_pipelined_requests_are_answered_in_order() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut upstream = rig.accept();
    for (path, body) in [("/1", "one"), ("/2", "two")] {
        assert!(upstream.head().starts_with(&format!("GET {path} ")));
        upstream.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}"));
    }
    client.read_to("one");
    client.read_to("two");
}

#[test]
fn bodies_are_streamed_both_ways_before_either_has_ended() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: application/octet-stream\r\n\r\n3;x=y\r\nabc\r\n");
    let mut upstream = rig.accept();
    assert!(upstream.head().contains("Transfer-Encoding: chunked"));
    assert_eq!(upstream.read_to("abc\r\n"), "3\r\nabc\r\n");
    // The upstream answers and streams while the request still goes on.
    upstream
        .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    assert!(client.read_to("first\r\n").ends_with("5\r\nfirst\r\n"));
    client.send("1\r\nd\r\n0\r\nX-Trailer: no\r\n\r\n");
    assert_eq!(upstream.read_to("0\r\n\r\n"), "1\r\nd\r\n0\r\n\r\n");
    upstream.send("6\r\nsecond\r\n0\r\n\r\n");
    assert_eq!(client.read_to("0\r\n\r\n"), "6\r\nsecond\r\n0\r\n\r\n");
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.send("PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    let mut upstream = rig.accept();
    assert!(!upstream.head().to_lowercase().contains("expect"));
    upstream.read_to("hi");
    upstream.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 204 No Content\r\n\r\n");
}

#[test]
fn answers_without_a_body_leave_the_connection_usable() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut upstream = rig.accept();
    upstream.head();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert!(client.head().contains("Content-Length: 5"));
    client.send("GET /b HTTP/1.1\r\nHost: a\r\nIf-None-Match: x\r\n\r\n");
    upstream.head();
    upstream.send("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 304 "));
    client.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.head();
    upstream.send(OK);
    client.read_to("ok");
}

#[test]
fn an_old_client_reads_to_the_end_of_the_connection() {
    let rig = Rig::start();
    let mut client = rig.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let mut upstream = rig.accept();
    assert!(upstream.head().starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"));
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let (text, in_order) = client.rest();
    assert!(text.ends_with("\r\n\r\nok") && !text.contains("chunked") && in_order, "{text}");
}

#[test]
fn a_websocket_becomes_a_tunnel() {
    let mut rig = Rig::start();
    let mut client = rig.connect();
    client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    let mut upstream = rig.accept();
    assert!(upstream.head().contains("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    upstream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello");
    assert!(client.read_to("hello").starts_with("HTTP/1.1 101 "));
    client.send("there");
    upstream.read_to("there");
    client.end();
    assert_eq!(upstream.rest(), (String::new(), true));
    drop(upstream);
    let event = rig.event();
    assert_eq!((event.status, event.request_bytes, event.response_bytes), (101, 5, 5));
}

#[test]
fn a_denied_client_gets_problem_details_in_block_and_passes_in_monitor() {
    for (mode, status) in [(Mode::Block, 403), (Mode::Monitor, 200)] {
        let mut rig = Rig::with(|config| {
            let mut policy = Policy::new(ApiName::from("test"), mode);
            policy.clients = ClientLists::new(&[], &["127.0.0.0/8".parse().unwrap()]);
            config.routes[0].policy = Arc::new(policy);
        });
        let mut client = rig.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        if status == 200 {
            let mut upstream = rig.accept();
            upstream.head();
            upstream.send(OK);
        }
        let (text, _) = client.rest();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert_eq!(text.contains("urn:portreeve:clients.denied"), status == 403);
        let event = rig.event();
        assert!(event.findings.iter().any(|finding| finding.reason.code() == "clients.denied"));
        assert_eq!(event.status, status);
    }
}

#[test]
fn the_client_behind_a_trusted_proxy_is_the_one_it_names() {
    let mut rig = Rig::with(|config| {
        config.listeners[0].proxy_protocol = ProxyProtocol::Required;
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let mut client = rig.connect();
    client.send(
        "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
    );
    let mut upstream = rig.accept();
    assert!(upstream.head().contains("X-Forwarded-For: 192.0.2.7\r\n"));
    upstream.send(OK);
    client.read_to("ok");
    assert_eq!(rig.event().client, "192.0.2.7".parse::<std::net::IpAddr>().unwrap());
}

#[test]
fn a_route_rewrites_and_a_request_without_route_is_not_found() {
    let rig = Rig::with(|config| {
        config.routes[0].path_prefix = "/api".into();
        config.routes[0].rewrite = Some(Rewrite { strip_prefix: "/api".into(), add_prefix: "/v2".into() });
        config.server_timing = ServerTiming::Always;
    });
    let mut client = rig.connect();
    client.send("GET /api/x?y HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut upstream = rig.accept();
    assert!(upstream.head().starts_with("GET /v2/x?y HTTP/1.1"));
    upstream.send(OK);
    assert!(client.read_to("ok").contains("Server-Timing: portreeve;dur="));
    client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_mirror_gets_a_copy_and_its_answer_goes_nowhere() {
    let mirror = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mirror.local_addr().unwrap().port();
    let rig = Rig::with(|config| {
        config.upstreams.push(gateway::config::Upstream::single("mirror", "127.0.0.1", port));
        config.routes[0].mirror = Some((1, 100));
    });
    let mut client = rig.connect();
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody");
    let mut copied = crate::rig::Peer::new(mirror.accept().unwrap().0);
    assert!(copied.read_to("body").starts_with("POST /a HTTP/1.1\r\n"));
    copied.send("HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad");
    let mut upstream = rig.accept();
    upstream.read_to("body");
    upstream.send(OK);
    assert!(client.read_to("ok").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn what_only_reports_holds_no_request_back() {
    let mut rig = Rig::start();
    let mut client = rig.connect();
    let body = "q=1%27+UNION+SELECT+password+FROM+users--+";
    let (first, second) = body.split_at(10);
    client.send(&format!(
        "POST /search HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    ));
    // The beginning is there before the end was sent.
    let mut upstream = rig.accept();
    upstream.head();
    assert_eq!(upstream.read_to(first), first);
    client.send(second);
    assert_eq!(upstream.read_to(second), second);
    upstream.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 204 "));
    let event = rig.event();
    let codes: Vec<_> = event.findings.iter().map(|finding| finding.reason.code()).collect();
    assert!(codes.iter().any(|code| code.starts_with("attacks.")), "{codes:?}");
    assert_eq!(event.verdict.action, model::Action::Pass);
}
