//! The program as a user runs it: flags and files, signals, metrics, events. Real sockets, an upstream of a few lines.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{Gateway, PATIENCE, echo_upstream, exchange, free_port, get, portreeve, wait_until};

#[test]
fn one_command_carries_records_and_counts() {
    let gateway = Gateway::start(echo_upstream(), "monitor");
    for number in 0..20 {
        let (status, body) = get(gateway.addr, &format!("/users/{number}?secret=value"));
        assert_eq!((status, body.as_str()), (200, format!("GET /users/{number}?secret=value HTTP/1.1").as_str()));
    }
    wait_until("the events are counted", || {
        gateway.metrics().contains("portreeve_exchanges_total{api=\"default\",status=\"200\",source=\"upstream\"} 20")
    });
    assert_eq!(get(gateway.admin, "/healthz").0, 200);
    let events = || {
        let mut command = portreeve();
        command.args(["events", "--since", "5m", "--where", "status=200 path~/users", "--json", "--data"]);
        String::from_utf8(command.arg(gateway.data.path()).output().unwrap().stdout).unwrap()
    };
    wait_until("the events are stored", || events().lines().count() == 20);
    assert!(!events().contains("secret=value"), "values of the query must not be stored");
}

#[test]
fn what_two_readers_could_frame_differently_is_never_forwarded() {
    let gateway = Gateway::start(echo_upstream(), "monitor");
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    ] {
        let answer = exchange(gateway.addr, request.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{request:?}: {}", String::from_utf8_lossy(&answer));
        assert!(!String::from_utf8_lossy(&answer).contains("200 OK"), "{request:?}");
    }
}

#[test]
fn sigterm_lets_an_exchange_finish() {
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = Gateway::start(upstream.local_addr().unwrap().port(), "monitor");
    let mut client = TcpStream::connect(gateway.addr).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let (mut served, _) = upstream.accept().unwrap();
    let mut head = [0u8; 1024];
    assert!(served.read(&mut head).unwrap() > 0);
    gateway.signal("TERM");
    // New connections are refused before the answer is given, so the drain has begun.
    wait_until("the gateway stops accepting", || TcpStream::connect(gateway.addr).is_err());
    served.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = gateway.process.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "the gateway does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
}

fn configuration(upstream: u16, port: u16, deny: &str) -> String {
    format!(
        "listeners: [{{ address: \"127.0.0.1:{port}\" }}]\nupstreams: [{{ name: up, servers: [\"127.0.0.1:{upstream}\"] }}]\n\
         apis: [{{ name: shop, upstream: up, mode: block, clients: {{ deny: [{deny}] }} }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 1\ndata: {{ dir: data }}\n"
    )
}

#[test]
fn a_changed_file_is_in_force_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portreeve.yaml");
    let (upstream, port) = (echo_upstream(), free_port());
    std::fs::write(&file, configuration(upstream, port, "192.0.2.1")).unwrap();
    let mut command = portreeve();
    command.arg("run").arg("--config").arg(&file);
    let gateway = Gateway::of(&mut command, folder);
    assert_eq!(get(gateway.addr, "/").0, 200);
    std::fs::write(&file, configuration(upstream, port, "127.0.0.1")).unwrap();
    wait_until("the change is in force", || get(gateway.addr, "/").0 == 403);
    std::fs::write(&file, "listeners: [\n").unwrap();
    gateway.signal("HUP");
    // Both ways of reloading have seen the broken file when this one is refused once more.
    std::fs::write(&file, "apis: 1\n").unwrap();
    gateway.signal("HUP");
    assert_eq!(get(gateway.addr, "/").0, 403);
    std::fs::write(&file, configuration(upstream, port, "192.0.2.1")).unwrap();
    wait_until("the mended file is in force", || get(gateway.addr, "/").0 == 200);
}

#[test]
fn mistakes_at_the_start_are_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let run = |upstream: &str, listen: &str| {
        let mut command = portreeve();
        command.args(["run", "--upstream", upstream, "--listen", listen, "--admin", "127.0.0.1:0", "--data"]);
        let output = command.arg(folder.path()).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let cases = [
        ("http://127.0.0.1:1", taken.local_addr().unwrap().to_string(), "cannot listen on"),
        ("http://nowhere.invalid", "127.0.0.1:0".to_owned(), "does not resolve"),
        ("127.0.0.1:80", "127.0.0.1:0".to_owned(), "the scheme is missing"),
    ];
    for (upstream, listen, expected) in cases {
        let (code, text) = run(upstream, &listen);
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((code, errors.len()), (Some(1), 1), "{text}");
        assert!(errors[0].contains(expected), "{text}");
    }
}

#[test]
fn check_tells_every_mistake_and_exits_with_64() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/ten-mistakes.yaml");
    let output = portreeve().args(["check", file]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 10, "{text}");
    assert!(!text.contains('\u{1b}'), "no colours when it is no terminal");
}

#[test]
fn the_demo_shows_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = portreeve();
    command.args(["demo", "--for", "9s", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]);
    let output = command.arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in ["portreeve top", "shoppers", "flash crowd", "attacker", "events"] {
        assert!(text.contains(part), "{text}");
    }
    let events = |filter: &str| {
        let mut command = portreeve();
        command.args(["events", "--since", "5m", "--limit", "5", "--where", filter, "--data"]);
        String::from_utf8(command.arg(folder.path()).output().unwrap().stdout).unwrap()
    };
    assert!(events("verdict!=pass").lines().count() > 0, "the attacker was not seen");
    assert!(events("path=/graphql status=200").lines().count() > 0, "no GraphQL");
    assert!(events("path~/shop.v1.Inventory version=2").lines().count() > 0, "no gRPC");
    let top = portreeve().args(["top", "--once", "--since", "5m", "--data"]).arg(folder.path()).output().unwrap();
    let top = String::from_utf8(top.stdout).unwrap();
    assert!(top.contains("/api/v1/products"), "{top}");
    let endpoints = portreeve().args(["endpoints", "--data"]).arg(folder.path()).output().unwrap();
    let endpoints = String::from_utf8(endpoints.stdout).unwrap();
    assert!(endpoints.contains("/api/v1/products"), "{endpoints}");
}

#[test]
fn discover_reads_an_access_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let line = |number: u32, path: &str| {
        format!(
            "192.0.2.{} - - [23/Nov/2026:10:{:02}:00 +0000] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"okhttp/4.9\"\n",
            number % 50,
            number / 10 % 60
        )
    };
    let mut text: String = (0..400).map(|at| line(at, &format!("/api/v1/users/{}", 1_000 + at * 7))).collect();
    text.extend((0..200).map(|at| line(at, "/api/v1/users/me")));
    text.push_str("\u{0}garbage\n");
    std::fs::write(&log, text).unwrap();
    let mut command = portreeve();
    command
        .args(["discover", "--host", "api.example.com", "--form", "json"])
        .arg(&log)
        .arg("-o")
        .arg(folder.path().join("out"));
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("/api/v1/users/{"), "{stdout}");
    assert!(stderr.contains("access.log:601: the line does not follow the format"), "{stderr}");
    let document = std::fs::read_to_string(folder.path().join("out/api.example.com.openapi.json")).unwrap();
    assert!(document.contains("\"openapi\": \"3.1.0\""), "{document}");
}

/// An upstream that answers with this, in pieces of a few bytes, whatever is asked; tells the heads it got.
fn piecewise_upstream(answer: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heads, read) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            let mut byte = [0u8; 1];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.extend_from_slice(&byte);
            }
            let _ = heads.send(String::from_utf8_lossy(&head).into_owned());
            let _ = stream.set_nodelay(true);
            for piece in answer.as_bytes().chunks(7) {
                if stream.write_all(piece).is_err() {
                    break;
                }
            }
        }
    });
    (port, read)
}

fn gateway_with(upstream: u16, settings: &str) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portreeve.yaml");
    let text = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nupstreams: [{{ name: up, servers: [\"127.0.0.1:{upstream}\"] }}]\n\
         apis: [{{ name: shop, upstream: up, mode: block, {settings} }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 1\ndata: {{ dir: data }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = portreeve();
    command.arg("run").arg("--config").arg(&file);
    Gateway::of(&mut command, folder)
}

#[test]
fn what_is_configured_is_masked_while_it_streams() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
        {\"card\":\"4111 1111 1111 1111\",\"iban\":\"DE89370400440532013000\",\"note\":\"kept\"}";
    let (upstream, heads) = piecewise_upstream(ANSWER);
    let rules =
        "leakage: { rules: [{ kinds: [card-number], action: mask, path: /cards }, { action: report, path: /cards }] }";
    let gateway = gateway_with(upstream, rules);
    let ask = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: br\r\nRange: bytes=0-9\r\n");
        let answer = exchange(gateway.addr, format!("{head}Connection: close\r\n\r\n").as_bytes());
        String::from_utf8_lossy(&answer).into_owned()
    };
    let masked = ask("/cards/7");
    assert!(masked.starts_with("HTTP/1.1 200 "), "{masked}");
    assert!(masked.contains("**** **** **** 1111") && !masked.contains("4111"), "{masked}");
    assert!(masked.contains("DE89370400440532013000") && masked.contains("kept"), "{masked}");
    let head = heads.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    assert!(!head.contains("accept-encoding") && !head.contains("\r\nrange:"), "{head}");
    // Elsewhere nothing is configured: the response is refused whole.
    let refused = ask("/other");
    assert!(refused.starts_with("HTTP/1.1 502 ") && !refused.contains("4111"), "{refused}");
    let events = || {
        let mut command = portreeve();
        command.args(["events", "--since", "5m", "--json", "--data"]);
        String::from_utf8(command.arg(gateway.data.path().join("data")).output().unwrap().stdout).unwrap()
    };
    wait_until("the event says what was masked", || events().contains("masked 1 times"));
}

#[test]
fn what_cannot_be_masked_is_refused() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: br\r\n\
        Content-Length: 4\r\nConnection: close\r\n\r\nabcd";
    let (upstream, _heads) = piecewise_upstream(ANSWER);
    let gateway = gateway_with(upstream, "leakage: { rules: [{ kinds: [secret], action: mask }] }");
    assert_eq!(get(gateway.addr, "/").0, 502);
}

#[test]
fn hygiene_and_sensitivity_are_configured_per_api() {
    let gateway = gateway_with(
        echo_upstream(),
        "hygiene: { methods: [GET, PROPFIND], get_body: refuse, anomalies: { hygiene.field-restricted: report } }, \
         attacks: { sensitivity: low }, \
         exceptions: [{ reason: attacks.sql, path: /search, place: \"query:q\", until: \"2099-01-01T00:00:00Z\" }, \
         { reason: attacks.sql, path: /old, place: \"query:q\", until: \"2020-01-01T00:00:00Z\" }]",
    );
    let status = |request: &str| {
        let answer = exchange(gateway.addr, request.as_bytes());
        String::from_utf8_lossy(&answer).get(9..12).and_then(|code| code.parse::<u16>().ok()).unwrap_or(0)
    };
    let of = |line: &str, more: &str| {
        status(&format!("{line} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{more}\r\n"))
    };
    assert_eq!(of("PROPFIND /a", ""), 200);
    assert!(of("DELETE /a", "") >= 400);
    assert!(of("GET /a", "Content-Length: 2\r\n") >= 400);
    assert_eq!(of("GET /a", "Translate: f\r\n"), 200);
    let attack = "%27%20UNION%20SELECT%20a,b%20FROM%20users--%20";
    assert_eq!(of(&format!("GET /search?q={attack}"), ""), 200, "the exception lets it pass");
    assert_eq!(of(&format!("GET /search?p={attack}"), ""), 403, "at another place it does not");
    assert_eq!(of(&format!("GET /old?q={attack}"), ""), 403, "this one has ended");
}
