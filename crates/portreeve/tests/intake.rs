//! Learning beside another gateway: mirrored requests and Envoy's gRPC access logs become endpoints, and nothing is forwarded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod support;

use std::net::SocketAddr;
use std::process::Command;

use bytes::Bytes;
use support::{Gateway, exchange, free_port, portreeve, wait_until};

/// A gateway whose upstream does not exist: what is forwarded would fail.
fn observing() -> (Gateway, SocketAddr) {
    let data = tempfile::tempdir().unwrap();
    let observe: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let config = data.path().join("portreeve.yaml");
    let text = format!(
        "listeners: [{{address: '127.0.0.1:0'}}]\nupstreams: [{{name: none, servers: ['127.0.0.1:{}']}}]\n\
         apis: [{{name: shop, upstream: none}}]\nadmin: {{address: '127.0.0.1:0'}}\n\
         observe: {{address: '{observe}', token: 0123456789abcdef}}\n",
        free_port()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = portreeve();
    command.args(["run", "--workers", "1", "--config"]).arg(config).arg("--data").arg(data.path().join("data"));
    (Gateway::of(&mut command, data), observe)
}

fn endpoints(gateway: &Gateway) -> String {
    let mut command: Command = portreeve();
    command.arg("endpoints").arg("--data").arg(gateway.data.path().join("data"));
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

#[test]
fn mirrored_requests_are_learned_and_answered_204() {
    let (gateway, observe) = observing();
    let request = |path: &str, token: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nPortreeve-Token: {token}\r\n");
        let answer =
            exchange(observe, format!("{head}Accept: application/json\r\nConnection: close\r\n\r\n").as_bytes());
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(request("/api/orders/0", "wrong").starts_with("HTTP/1.1 401"));
    for at in 1..=40 {
        let answer = request(&format!("/api/orders/{}", at * 7), "0123456789abcdef");
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
    wait_until("the endpoint is found", || endpoints(&gateway).contains("/api/orders/{"));
    assert!(gateway.metrics().contains("observations_total 40"), "{}", gateway.metrics());
}

/// A field of a protobuf message: key, length, bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat()
}

#[test]
fn access_logs_of_envoy_are_learned() {
    let (gateway, observe) = observing();
    let mut framed = Vec::new();
    for at in 1..=40u8 {
        let path = format!("/api/users/{}", u32::from(at) * 7919);
        // HTTPRequestProperties: method GET, authority, path; HTTPResponseProperties: code 200.
        let request = [&[8, 1][..], &field(3, b"shop.example"), &field(5, path.as_bytes())].concat();
        let entry = [field(3, &request), field(4, &field(1, &[8, 200, 1]))].concat();
        let message = field(2, &field(1, &entry));
        framed.extend_from_slice(&[0, 0, 0, 0, message.len() as u8]);
        framed.extend_from_slice(&message);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(observe).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://{observe}{}", ingest::als::METHOD))
            .header("content-type", "application/grpc")
            .header("portreeve-token", "0123456789abcdef")
            .body(())
            .unwrap();
        let (answer, mut body) = sender.ready().await.unwrap().send_request(request, false).unwrap();
        // Cut where no message ends: they come as they come.
        let (first, second) = framed.split_at(framed.len() / 2 + 3);
        body.send_data(Bytes::copy_from_slice(first), false).unwrap();
        body.send_data(Bytes::copy_from_slice(second), true).unwrap();
        let mut answer = answer.await.unwrap().into_body();
        while let Some(data) = answer.data().await {
            data.unwrap();
        }
        answer.trailers().await.unwrap().unwrap().get("grpc-status").unwrap().to_str().unwrap().to_owned()
    });
    assert_eq!(status, "0");
    wait_until("the endpoint is found", || endpoints(&gateway).contains("/api/users/{"));
}
