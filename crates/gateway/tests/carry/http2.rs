//! HTTP/2 with prior knowledge, on both sides.

use bytes::Bytes;
use gateway::config::UpstreamProtocol;

use crate::rig::Rig;

/// Runs an HTTP/2 client against the gateway and an HTTP/2 server behind it.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(crate::rig::PATIENCE, future).await.expect("took too long") })
}

async fn client(addr: std::net::SocketAddr) -> h2::client::SendRequest<Bytes> {
    let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (requests, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    requests.ready().await.unwrap()
}

fn post(path: &str) -> http::Request<()> {
    http::Request::post(format!("http://api.example{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

#[test]
fn http2_is_carried_to_an_http1_upstream() {
    let mut rig = Rig::start();
    let addr = rig.addr();
    let upstream = rig.upstream.try_clone().unwrap();
    let played = std::thread::spawn(move || {
        let mut peer = crate::rig::Peer::new(upstream.accept().unwrap().0);
        let head = peer.head();
        peer.send("HTTP/1.1 201 Created\r\nContent-Length: 3\r\nX-Answer: yes\r\nConnection: keep-alive\r\n\r\nyes");
        head
    });
    let (status, body) = block_on(async {
        let mut requests = client(addr).await;
        let mut request = http::Request::get("http://api.example/a?b").body(()).unwrap();
        request.headers_mut().append("cookie", "a=1".parse().unwrap());
        request.headers_mut().append("cookie", "b=2".parse().unwrap());
        let (response, _) = requests.send_request(request, true).unwrap();
        let (parts, mut body) = response.await.unwrap().into_parts();
        assert!(parts.headers.contains_key("x-answer") && !parts.headers.contains_key("connection"));
        (parts.status, body.data().await.unwrap().unwrap())
    });
    assert_eq!((status.as_u16(), &body[..]), (201, &b"yes"[..]));
    let head = played.join().unwrap();
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\nHost: api.example\r\n"), "{head}");
    assert!(head.contains("cookie: a=1; b=2\r\n"), "{head}");
    assert_eq!(rig.event().version, model::HttpVersion::H2);
}

#[test]
fn grpc_trailers_come_through_an_http2_upstream() {
    let rig = Rig::with(|config| config.upstreams[0].protocol = UpstreamProtocol::H2);
    let addr = rig.addr();
    let upstream = rig.upstream.try_clone().unwrap();
    upstream.set_nonblocking(true).unwrap();
    block_on(async {
        let server = tokio::spawn(async move {
            let (socket, _) = tokio::net::TcpListener::from_std(upstream).unwrap().accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let (mut request, mut respond) = connection.accept().await.unwrap().unwrap();
            tokio::spawn(async move { while connection.accept().await.is_some() {} });
            assert_eq!(request.headers().get("te").unwrap(), "trailers");
            let mut body = Vec::new();
            while let Some(data) = request.body_mut().data().await {
                body.extend_from_slice(&data.unwrap());
            }
            let response = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut stream = respond.send_response(response, false).unwrap();
            stream.send_data(Bytes::from(body), false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
            std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
        });
        let mut requests = client(addr).await;
        let (response, mut stream) = requests.send_request(post("/pkg.Service/Method"), false).unwrap();
        stream.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(&body.data().await.unwrap().unwrap()[..], b"\0\0\0\0\x02hi");
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap().get("grpc-status").unwrap(), "0");
        server.abort();
    });
}

#[test]
fn a_grpc_caller_reads_our_refusals_as_grpc() {
    let rig = Rig::start();
    let addr = rig.addr();
    drop(rig.upstream);
    block_on(async {
        let mut requests = client(addr).await;
        let (response, _) = requests.send_request(post("/pkg.Service/Method"), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("grpc-status").unwrap(), "14");
    });
}

#[test]
fn a_websocket_over_http2_is_an_upgrade_for_the_upstream() {
    let mut rig = Rig::start();
    let addr = rig.addr();
    let upstream = rig.upstream.try_clone().unwrap();
    let played = std::thread::spawn(move || {
        use base64::Engine as _;
        let mut peer = crate::rig::Peer::new(upstream.accept().unwrap().0);
        let head = peer.head();
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
        let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let accept = base64::engine::general_purpose::STANDARD.encode(hash);
        peer.send(&format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\nfirst"
        ));
        assert_eq!(peer.read_to("ping"), "ping");
        peer.send("pong");
        // The client ends its side, and then we end ours.
        assert_eq!(peer.rest(), (String::new(), true));
        head
    });
    block_on(async {
        let mut requests = client(addr).await;
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut request = http::Request::connect("http://api.example/chat?room=1")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "chat")
            .body(())
            .unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, mut stream) = requests.send_request(request, false).unwrap();
        let (parts, mut body) = response.await.unwrap().into_parts();
        assert_eq!(
            (parts.status.as_u16(), parts.headers.get("sec-websocket-protocol").unwrap().as_bytes()),
            (200, &b"chat"[..])
        );
        assert!(!parts.headers.contains_key("upgrade") && !parts.headers.contains_key("sec-websocket-accept"));
        assert_eq!(&body.data().await.unwrap().unwrap()[..], b"first");
        stream.send_data(Bytes::from_static(b"ping"), false).unwrap();
        assert_eq!(&body.data().await.unwrap().unwrap()[..], b"pong");
        stream.send_data(Bytes::new(), true).unwrap();
        // The end may come as an empty piece.
        while let Some(data) = body.data().await {
            assert!(data.unwrap().is_empty());
        }
    });
    let head = played.join().unwrap();
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\nHost: api.example\r\n"), "{head}");
    assert!(head.contains("Connection: Upgrade\r\nUpgrade: websocket\r\n"), "{head}");
    let event = rig.event();
    assert_eq!((event.status, event.request_bytes, event.response_bytes), (200, 4, 9));
    assert_eq!(rig.gateway.counters().upgrades.value(), 1);
}

#[test]
fn an_extended_connect_for_another_protocol_is_refused() {
    let mut rig = Rig::start();
    let addr = rig.addr();
    block_on(async {
        let mut requests = client(addr).await;
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut request = http::Request::connect("http://api.example/").body(()).unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("connect-udp"));
        let (response, _stream) = requests.send_request(request, false).unwrap();
        assert_eq!(response.await.unwrap().status(), 400);
    });
    assert_eq!(rig.event().status, 400);
}

#[test]
fn a_pseudo_field_in_trailers_ends_the_connection() {
    use std::io::{Read, Write};
    let mut rig = Rig::start();
    let mut socket = std::net::TcpStream::connect(rig.addr()).unwrap();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let mut bytes = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        bytes.extend_from_slice(payload);
        bytes
    };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 4, 1, b"\x83\x86\x84\x01\x01a"));
    bytes.extend(frame(0, 0, 1, b"test"));
    bytes.extend(frame(1, 5, 1, b"\x42\x03200"));
    socket.write_all(&bytes).unwrap();
    socket.set_read_timeout(Some(crate::rig::PATIENCE)).unwrap();
    // The end, in order or by a reset: both end it.
    let _ = socket.read_to_end(&mut Vec::new());
    let malformed = |event: &model::Event| event.findings.iter().any(|f| f.reason.code() == "hygiene.h2-malformed");
    while !malformed(&rig.event()) {}
}

#[test]
fn a_flood_of_resets_ends_the_connection_and_is_recorded() {
    let mut rig = Rig::with(|config| config.limits.h2_resets_per_s_max = 20);
    let addr = rig.addr();
    block_on(async {
        let mut requests = client(addr).await;
        for _ in 0..100_000 {
            let Ok(ready) = requests.ready().await else { return };
            requests = ready;
            match requests.send_request(post("/x"), false) {
                Ok((_, mut stream)) => stream.send_reset(h2::Reason::CANCEL),
                Err(_) => return,
            }
            tokio::task::yield_now().await;
        }
        panic!("a hundred thousand resets were endured");
    });
    let flood = |event: &model::Event| event.findings.iter().any(|f| f.reason.code() == "hygiene.h2-rapid-reset");
    while !flood(&rig.event()) {}
    assert_eq!(rig.gateway.counters().h2_floods.value(), 1);
}
