//! Tests of active checks against servers on this machine.

use std::future::Future;

use tokio::net::TcpListener;

use super::*;

fn check() -> HealthCheck {
    HealthCheck {
        path: "/healthz".to_owned(),
        interval_ms: 1,
        timeout_ms: 5_000,
        healthy_after: 2,
        unhealthy_after: 3,
        status_min: 200,
        status_max: 299,
    }
}

fn probe(protocol: UpstreamProtocol) -> Probe {
    Probe { protocol, tls: None, authority: "up.test".into() }
}

#[test]
fn health_follows_checks_in_a_row() {
    let history = |findings: &str| {
        let mut tally = Tally::default();
        findings
            .chars()
            .map(|finding| match tally.after(&check(), if finding == '+' { Finding::Good } else { Finding::Bad }) {
                Health::Unknown => '?',
                Health::Up => 'u',
                Health::Down => 'd',
            })
            .collect::<String>()
    };
    assert_eq!(history("+--+---+-++"), "uuuuuuddddu");
    assert_eq!(history("--+"), "??u");
    assert_eq!(history("---+-+-++"), "??ddddddu");
}

fn within<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await.unwrap() })
}

/// Asks a server that answers its first connection with these bytes.
fn asked(answer: &'static [u8]) -> (Result<u16, CheckFailure>, String) {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut seen = BytesMut::new();
            while !seen.ends_with(b"\r\n\r\n") {
                assert_ne!(socket.read_buf(&mut seen).await.unwrap(), 0);
            }
            // The client may have seen enough before the last byte is written.
            let _ = socket.write_all(answer).await;
            String::from_utf8(seen.to_vec()).unwrap()
        };
        let probe = probe(UpstreamProtocol::H1);
        let addresses = [address];
        tokio::join!(ask(&probe, "/healthz", &addresses), server)
    })
}

#[test]
fn http_1_is_asked_and_understood() {
    let (answer, seen) = asked(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(answer, Ok(204));
    assert!(seen.starts_with("GET /healthz HTTP/1.1\r\nHost: up.test\r\n"), "{seen}");
    assert_eq!(asked(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").0, Err(CheckFailure::Malformed));
    assert_eq!(asked(b"").0, Err(CheckFailure::Broken("closed without an answer".to_owned())));
    assert!(matches!(asked(b"HTTP/1.1 20").0, Err(CheckFailure::Broken(_))));
    let endless = Vec::leak(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20));
    assert_eq!(asked(endless).0, Err(CheckFailure::Malformed));
    let large = Vec::leak([&b"HTTP/1.1 200 OK\r\nx: "[..], &vec![b'x'; 100_000]].concat());
    assert_eq!(asked(large).0, Err(CheckFailure::Malformed));
}

#[test]
fn http_2_is_asked_and_understood() {
    let answer = within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (socket, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(socket).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            assert_eq!(request.uri().to_string(), "http://up.test/healthz");
            respond.send_response(http::Response::builder().status(200).body(()).unwrap(), true).unwrap();
            while connection.accept().await.is_some() {}
        };
        let (probe, addresses) = (probe(UpstreamProtocol::H2), [address]);
        tokio::join!(ask(&probe, "/healthz", &addresses), server).0
    });
    assert_eq!(answer, Ok(200));
}

#[test]
fn the_first_address_that_connects_is_asked() {
    let (answer, refused) = within(async {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [gone, listener.local_addr().unwrap()];
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            socket
        };
        let probe = probe(UpstreamProtocol::H1);
        let (answer, _socket) = tokio::join!(ask(&probe, "/", &addresses), server);
        (answer, ask(&probe, "/", &[gone]).await)
    });
    assert_eq!(answer, Ok(200));
    assert!(matches!(refused, Err(CheckFailure::Broken(_))), "{refused:?}");
    assert_eq!(within(ask(&probe(UpstreamProtocol::H1), "/", &[])), Err(CheckFailure::Unresolved));
}

#[test]
fn a_server_that_falls_ill_is_taken_out_and_brought_back() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = Arc::new(vec![listener.local_addr().unwrap()]);
        let server = async {
            for status in [200, 500, 503, 500, 200, 200] {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut seen = BytesMut::new();
                while !seen.ends_with(b"\r\n\r\n") {
                    socket.read_buf(&mut seen).await.unwrap();
                }
                socket.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).await.unwrap();
            }
            // Kept open, so that the watch does not see a refused connection before it is dropped.
            std::future::pending::<()>().await;
        };
        let (told, mut findings) = tokio::sync::mpsc::unbounded_channel();
        let check = check();
        let probe = probe(UpstreamProtocol::H1);
        let watching = watch(&check, &probe, || addresses.clone(), |facts| told.send(facts).unwrap());
        let reading = async {
            let mut seen = Vec::new();
            while seen.len() < 6 {
                let facts = findings.recv().await.unwrap();
                seen.push((facts.answer.unwrap(), facts.health));
            }
            seen
        };
        let seen = tokio::select! {
            seen = reading => seen,
            () = watching => unreachable!(),
            () = server => unreachable!(),
        };
        let expected = [
            (200, Health::Up),
            (500, Health::Up),
            (503, Health::Up),
            (500, Health::Down),
            (200, Health::Down),
            (200, Health::Up),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    within(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = Arc::new(vec![listener.local_addr().unwrap()]);
        let check = HealthCheck { timeout_ms: 20, unhealthy_after: 1, ..check() };
        let (told, mut findings) = tokio::sync::mpsc::unbounded_channel();
        let probe = probe(UpstreamProtocol::H1);
        let watching = watch(&check, &probe, || addresses.clone(), |facts| drop(told.send(facts)));
        let facts = tokio::select! {
            facts = findings.recv() => facts.unwrap(),
            () = watching => unreachable!(),
        };
        assert_eq!(facts.answer, Err(CheckFailure::TimedOut(20)));
        assert_eq!(facts.health, Health::Down);
        assert!(facts.took_us >= 20_000);
    });
}
