//! GraphQL over WebSocket through a running gateway: every operation is judged on its way, over HTTP/1.1 and HTTP/2.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report"
)]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::{Gateway, portreeve, wait_until};

const PATIENCE: Duration = Duration::from_secs(10);
const GOOD: &str = r#"{"type":"subscribe","id":"1","payload":{"query":"{ users(first: 2) { id } }"}}"#;
const BAD: &str = r#"{"type":"subscribe","id":"2","payload":{"query":"{ users { password } }"}}"#;

fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = vec![first];
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        short @ 0..=125 => out.push(short as u8 | masked),
        long => {
            out.push(126 | masked);
            out.extend((long as u16).to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    out.extend(mask.iter().flatten());
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

fn sent(first: u8, payload: &str) -> Vec<u8> {
    frame(first, payload.as_bytes(), Some([1, 2, 3, 4]))
}

/// Reads one frame: its first byte and its payload, unmasked.
fn read_frame(from: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0u8; 2];
    from.read_exact(&mut head).unwrap();
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0u8; 2];
            from.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        short => usize::from(short),
    };
    let mut mask = [0u8; 4];
    if head[1] & 0x80 != 0 {
        from.read_exact(&mut mask).unwrap();
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).unwrap();
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    (head[0], payload)
}

fn read_head(from: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0u8];
        from.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// What the upstream is told to do next.
enum Do {
    /// Send these bytes.
    Send(Vec<u8>),
}

/// A server that accepts every WebSocket. Its head and what it reads go to the test, a frame each.
struct Server {
    port: u16,
    heads: Receiver<String>,
    frames: Receiver<(u8, Vec<u8>)>,
    orders: Sender<Do>,
}

fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((heads_in, heads), (frames_in, frames), (orders, orders_out)) = (channel(), channel(), channel::<Do>());
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let head = read_head(&mut stream);
        let field = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
            line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let text = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", field("sec-websocket-key"));
        let accept =
            STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
        let protocol = field("sec-websocket-protocol");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
             Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        heads_in.send(head).unwrap();
        let mut writing = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            for Do::Send(bytes) in orders_out {
                if writing.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        loop {
            let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_frame(&mut stream)));
            if !read.is_ok_and(|frame| frames_in.send(frame).is_ok()) {
                return;
            }
        }
    });
    Server { port, heads, frames, orders }
}

fn gateway(port: u16, mode: &str, more: &str) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inspect/tests/cases/contract/shop.graphql");
    std::fs::copy(from, folder.path().join("shop.graphql")).unwrap();
    let file = folder.path().join("portreeve.yaml");
    let text = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nupstreams: [{{ name: up, servers: [\"127.0.0.1:{port}\"] }}]\n\
         apis: [{{ name: shop, upstream: up, mode: monitor, modes: {{ contract: {mode} }}, \
         contract: {{ graphql: {{ schema: shop.graphql{more} }} }} }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 1\ndata: {{ dir: data }}\n"
    );
    std::fs::write(&file, text).unwrap();
    Gateway::of(portreeve().arg("run").arg("--config").arg(&file), folder)
}

/// A client over HTTP/1.1 that has asked for a conversation, and the head of the answer.
fn ask(gateway: &Gateway) -> (TcpStream, String) {
    let mut client = TcpStream::connect(gateway.addr).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "GET /graphql HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let answer = read_head(&mut client);
    (client, answer)
}

#[test]
fn operations_over_http1_are_judged_message_by_message() {
    let server = server();
    let gateway = gateway(server.port, "block", "");
    let (mut client, answer) = ask(&gateway);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let head = server.heads.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    assert!(head.contains("sec-websocket-protocol: graphql-transport-ws") && !head.contains("extensions"), "{head}");

    // An operation in fragments, with a ping between them.
    let (first, second) = GOOD.split_at(30);
    for part in [sent(0x01, first), sent(0x89, "are you there"), sent(0x80, second)] {
        client.write_all(&part).unwrap();
    }
    assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap(), (0x89, b"are you there".to_vec()));
    assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap(), (0x01, first.as_bytes().to_vec()));
    assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap(), (0x80, second.as_bytes().to_vec()));

    // While the server is within a message, a refusal waits for its end.
    server.orders.send(Do::Send(frame(0x01, b"{\"id\":\"1\",", None))).unwrap();
    assert_eq!(read_frame(&mut client).0, 0x01);
    client.write_all(&sent(0x81, BAD)).unwrap();
    client.write_all(&sent(0x81, GOOD)).unwrap();
    assert_eq!(
        server.frames.recv_timeout(PATIENCE).unwrap(),
        (0x81, GOOD.as_bytes().to_vec()),
        "the bad one was not sent on"
    );
    server.orders.send(Do::Send(frame(0x80, b"\"type\":\"complete\"}", None))).unwrap();
    assert_eq!(read_frame(&mut client), (0x80, b"\"type\":\"complete\"}".to_vec()));
    let (kind, refusal) = read_frame(&mut client);
    let refusal: serde_json::Value = serde_json::from_slice(&refusal).unwrap();
    assert_eq!((kind, &refusal["id"], &refusal["type"]), (0x81, &"2".into(), &"error".into()), "{refusal}");
    assert_eq!(refusal["payload"][0]["extensions"]["reason"], "contract.graphql-invalid");

    // What is no message of the protocol ends the conversation, and both sides are told.
    client.write_all(&sent(0x81, "nothing")).unwrap();
    let (kind, payload) = read_frame(&mut client);
    assert_eq!((kind, &payload[..2]), (0x88, &4400u16.to_be_bytes()[..]));
    assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap().0, 0x88);
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the connection ends in order");
    drop(client);
    wait_until("the refusals are counted", || {
        let metrics = gateway.metrics();
        metrics.contains("contract.graphql-invalid") && metrics.contains("contract.body-malformed")
    });
}

#[test]
fn operations_over_http2_are_judged_message_by_message() {
    let server = server();
    let gateway = gateway(server.port, "block", "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(gateway.addr).await.unwrap();
        let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut request = http::Request::connect("http://a.example/graphql")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "graphql-transport-ws")
            .header("sec-websocket-extensions", "permessage-deflate")
            .body(())
            .unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, mut stream) = requests.send_request(request, false).unwrap();
        let (parts, mut body) = response.await.unwrap().into_parts();
        assert_eq!(parts.status, 200);
        assert!(!server.heads.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase().contains("extensions"));
        stream.send_data([sent(0x81, BAD), sent(0x81, GOOD)].concat().into(), false).unwrap();
        let refusal = body.data().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&refusal).contains("\"id\":\"2\",\"type\":\"error\""), "{refusal:?}");
        assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap(), (0x81, GOOD.as_bytes().to_vec()));
        // A frame without a mask cannot be read by any server.
        stream.send_data(frame(0x81, b"{}", None).into(), false).unwrap();
        let close = body.data().await.unwrap().unwrap();
        assert_eq!((close[0], &close[2..4]), (0x88, &1002u16.to_be_bytes()[..]));
        while let Some(rest) = body.data().await {
            assert!(rest.unwrap().is_empty());
        }
        assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap().0, 0x88);
    });
}

#[test]
fn monitoring_refuses_nothing_and_is_told_in_the_event() {
    let server = server();
    let gateway = gateway(server.port, "monitor", "");
    let (mut client, answer) = ask(&gateway);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    client.write_all(&sent(0x81, BAD)).unwrap();
    assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap(), (0x81, BAD.as_bytes().to_vec()));
    client.shutdown(Shutdown::Both).unwrap();
    drop(server.orders);
    wait_until("the finding is counted", || gateway.metrics().contains("contract.graphql-invalid"));
}

#[test]
fn conversations_are_refused_or_pass_unjudged_where_that_is_asked_for() {
    let server = server();
    let refusing = gateway(server.port, "block", ", websockets: refuse");
    assert!(ask(&refusing).1.starts_with("HTTP/1.1 400 "));
    let passing = gateway(server.port, "block", ", websockets: pass");
    let (mut client, answer) = ask(&passing);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(server.heads.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase().contains("permessage-deflate"));
    client.write_all(&sent(0x81, BAD)).unwrap();
    assert_eq!(server.frames.recv_timeout(PATIENCE).unwrap(), (0x81, BAD.as_bytes().to_vec()));
}
