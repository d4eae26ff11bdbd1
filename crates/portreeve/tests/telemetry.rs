//! What the program tells others about its traffic: spans for a collector, and the access log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use support::{Gateway, PATIENCE, echo_upstream, exchange, free_port, get, portreeve, wait_until};

/// A server that keeps what it is sent, head and body, and answers with a status.
fn keeping_server(statuses: &'static [u16]) -> (u16, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, kept) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter().chain(std::iter::repeat(&200));
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            while let Some(message) = message(&mut reader) {
                let _ = sender.send(message);
                let status = statuses.next().unwrap();
                let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
                if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, kept)
}

fn message(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn start(upstream: u16, more: &str) -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portreeve.yaml");
    let port = free_port();
    let text = format!(
        "listeners: [{{ address: \"127.0.0.1:{port}\" }}]\nupstreams: [{{ name: up, servers: [\"127.0.0.1:{upstream}\"] }}]\n\
         apis: [{{ name: shop, upstream: up, mode: monitor }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 1\ndata: {{ dir: data }}\n{more}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = portreeve();
    command.arg("run").arg("--config").arg(&file);
    Gateway::of(&mut command, folder)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn send_traced(gateway: &Gateway, path: &str, flags: &str) {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: test.example\r\nTraceparent: 00-{TRACE}-{PARENT}-{flags}\r\nTracestate: a=b\r\n\
         Connection: close\r\n\r\n"
    );
    assert!(exchange(gateway.addr, request.as_bytes()).starts_with(b"HTTP/1.1 200"));
}

fn traceparent(head: &str) -> Vec<&str> {
    let mut lines = head.lines().filter_map(|line| line.strip_prefix("traceparent: "));
    let value = lines.next().expect("the upstream was told no trace");
    assert_eq!(lines.next(), None, "one traceparent only: {head}");
    value.split('-').collect()
}

#[test]
fn a_trace_goes_on_through_the_gateway_and_its_span_reaches_the_collector() {
    let (upstream, requests) = keeping_server(&[]);
    // The first answer asks for another try.
    let (collector, spans) = keeping_server(&[503]);
    let tracing =
        format!("tracing: {{ endpoint: \"http://127.0.0.1:{collector}\", sample_percent: 100, service: edge }}");
    let gateway = start(upstream, &tracing);
    // The client's word on recording does not count, its trace does.
    send_traced(&gateway, "/traced?token=secret", "00");
    let (head, _) = requests.recv_timeout(PATIENCE).unwrap();
    let told = traceparent(&head);
    assert_eq!((told[1], told[3]), (TRACE, "01"));
    assert_ne!(told[2], PARENT, "the upstream's parent is the gateway's span");
    assert!(head.contains("Tracestate: a=b"), "{head}");
    let first = spans.recv_timeout(PATIENCE).unwrap();
    let (head, body) = spans.recv_timeout(PATIENCE).unwrap();
    assert_eq!(first.1, body, "the same spans are sent again");
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    for part in [&hex(TRACE)[..], &hex(told[2]), &hex(PARENT), b"edge", b"/traced", b"http.response.status_code"] {
        assert!(holds(&body, part), "{part:?} is not in the span");
    }
    assert!(!holds(&body, b"secret"), "values of the query do not leave");
    wait_until("the span is counted", || gateway.metrics().contains("portreeve_spans_exported_total 1"));
    // A request without a trace begins one.
    assert_eq!(get(gateway.addr, "/begun").0, 200);
    let (head, _) = requests.recv_timeout(PATIENCE).unwrap();
    let told = traceparent(&head).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (_, body) = spans.recv_timeout(PATIENCE).unwrap();
    assert!(holds(&body, &hex(&told[1])) && !holds(&body, &hex(TRACE)));
}

#[test]
fn sampling_and_whom_to_believe() {
    let (upstream, requests) = keeping_server(&[]);
    let (collector, spans) = keeping_server(&[]);
    let tracing =
        format!("tracing: {{ endpoint: \"http://127.0.0.1:{collector}\", sample_percent: 0.0, believe: everyone }}");
    let gateway = start(upstream, &tracing);
    send_traced(&gateway, "/not-recorded", "00");
    let (head, _) = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(traceparent(&head)[2..], [PARENT, "00"], "who does not record leaves the parent");
    send_traced(&gateway, "/recorded", "01");
    let (_, body) = spans.recv_timeout(PATIENCE).unwrap();
    assert!(holds(&body, b"/recorded") && !holds(&body, b"/not-recorded"));
}

#[test]
fn a_collector_that_is_away_costs_spans_and_no_traffic() {
    let tracing = format!("tracing: {{ endpoint: \"http://127.0.0.1:{}\", sample_percent: 100 }}", free_port());
    let gateway = start(echo_upstream(), &tracing);
    for _ in 0..10 {
        assert_eq!(get(gateway.addr, "/").0, 200);
    }
    wait_until("the lost spans are counted", || gateway.metrics().contains("portreeve_spans_dropped_total 10"));
}

#[test]
fn without_tracing_the_context_passes_as_it_came() {
    let (upstream, requests) = keeping_server(&[]);
    let gateway = start(upstream, "");
    send_traced(&gateway, "/", "01");
    let (head, _) = requests.recv_timeout(PATIENCE).unwrap();
    assert!(head.contains(&format!("Traceparent: 00-{TRACE}-{PARENT}-01\r\nTracestate: a=b\r\n")), "{head}");
}

#[test]
fn the_access_log_is_written_and_opened_anew_on_sigusr1() {
    let gateway = start(echo_upstream(), "log: { access: access.json }");
    let log = gateway.data.path().join("access.json");
    let rotated = gateway.data.path().join("access.json.1");
    let lines = |path: &std::path::Path| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(get(gateway.addr, "/before?token=secret").0, 200);
    wait_until("the line is written", || lines(&log).len() == 1);
    let line = &lines(&log)[0];
    assert_eq!((&line["method"], &line["path"], &line["status"]), (&"GET".into(), &"/before".into(), &200.into()));
    assert_eq!((&line["api"], &line["end"], &line["verdict"]), (&"shop".into(), &"complete".into(), &"pass".into()));
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    assert!(!line.to_string().contains("secret"));
    std::fs::rename(&log, &rotated).unwrap();
    gateway.signal("USR1");
    wait_until("the file is opened anew", || log.exists());
    assert_eq!(get(gateway.addr, "/after").0, 200);
    wait_until("the line is written", || lines(&log).len() == 1);
    assert_eq!((lines(&log)[0]["path"].as_str(), lines(&rotated).len()), (Some("/after"), 1));
}
