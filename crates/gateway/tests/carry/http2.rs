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
