//! Real applications nobody here wrote behind the gateway, driven by real clients. `.ci/run` installs them; what is not there
//! is skipped with a line that says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod support;

use std::process::{Command, Stdio};

use support::{Gateway, Process, free_port, get, have, portreeve, python_with, tools, wait_for_port, wait_until};

/// curl with its output; fails the test when curl fails.
fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl").args(["-sS", "--max-time", "20"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn quiet(command: &mut Command) -> Process {
    Process(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn httpbin_behind_the_gateway() {
    let test = "httpbin_behind_the_gateway";
    let Some(python) = python_with("httpbin", test) else { return };
    if python_with("gunicorn", test).is_none() || !have("curl", "curl", test) {
        return;
    }
    let port = free_port();
    let bind = format!("127.0.0.1:{port}");
    let _app = quiet(Command::new(python).args(["-m", "gunicorn", "--threads", "8", "-b", &bind, "httpbin:app"]));
    wait_for_port(port);
    let gateway = Gateway::start(port, "monitor");
    let at = |path: &str| format!("http://{}{path}", gateway.addr);
    let answer =
        curl(&["-X", "POST", "-H", "content-type: application/json", "-d", "{\"a\": [1, 2]}", &at("/post?x=y")]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((answer["json"]["a"][1].as_i64(), answer["args"]["x"].as_str()), (Some(2), Some("y")));
    for (path, status) in [
        ("/status/418", "418"),
        ("/gzip", "200"),
        ("/stream/5", "200"),
        ("/redirect/1", "302"),
        ("/bytes/70000", "200"),
    ] {
        assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &at(path)]), status, "{path}");
    }
    assert_eq!(
        curl(&["-o", "/dev/null", "-w", "%{size_download}", &at("/stream-bytes/100000?chunk_size=999")]),
        "100000"
    );
    // An upload in pieces without a length, and the same over HTTP/2 without TLS.
    let pieces = ["-H", "transfer-encoding: chunked", "-d", "hello=world"];
    assert!(curl(&[&pieces[..], &[&at("/post")]].concat()).contains("\"hello\": \"world\""));
    let over_h2 = curl(&["--http2-prior-knowledge", "-w", " %{http_version}", &at("/get?over=h2")]);
    assert!(over_h2.contains("\"over\": \"h2\"") && over_h2.ends_with(" 2"), "{over_h2}");
    if have("wrk", "wrk", test) {
        let output = Command::new("wrk").args(["-t1", "-c16", "-d2s", &at("/get")]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("Requests/sec") && !text.contains("Non-2xx"), "{text}");
    }
    wait_until("the exchanges are counted", || gateway.metrics().contains("status=\"418\""));
}

const FASTAPI: &str = r#"
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()
items = {}

class Item(BaseModel):
    name: str
    price: float

@app.get("/items/{item_id}")
def read(item_id: int):
    if item_id not in items:
        raise HTTPException(404)
    return items[item_id]

@app.put("/items/{item_id}")
def write(item_id: int, item: Item):
    items[item_id] = item
    return item

@app.get("/users/{user_id}/orders")
def orders(user_id: int, limit: int = 10):
    return [{"order": n, "user": user_id} for n in range(limit)]
"#;

#[test]
fn endpoints_of_a_fastapi_application_are_found_as_its_own_document_says() {
    let test = "endpoints_of_a_fastapi_application_are_found_as_its_own_document_says";
    let Some(python) = python_with("fastapi", test) else { return };
    if python_with("uvicorn", test).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.py"), FASTAPI).unwrap();
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-m", "uvicorn", "--port", &port.to_string(), "shop:app"]).current_dir(folder.path());
    let _app = quiet(&mut command);
    wait_for_port(port);
    let gateway = Gateway::start(port, "monitor");
    let send = |method: &str, path: &str, body: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nAccept: application/json\r\nUser-Agent: okhttp/4.9\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = support::exchange(gateway.addr, request.as_bytes());
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{method} {path}: {}", String::from_utf8_lossy(&answer));
    };
    for number in 0..60 {
        let id = 100 + number * 37;
        send("PUT", &format!("/items/{id}"), "{\"name\": \"lamp\", \"price\": 4.5}");
        send("GET", &format!("/items/{id}"), "");
        send("GET", &format!("/users/{}/orders?limit=3", 7 + number * 11), "");
    }
    let (_, document) = get(gateway.addr, "/openapi.json");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let declared = document["paths"].as_object().unwrap();
    let found = || {
        let output =
            portreeve().args(["endpoints", "--form", "json", "--data"]).arg(gateway.data.path()).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let named = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut found: Vec<String> = named
            .map(|stored| {
                let template = stored["endpoint"]["template"].as_str().unwrap_or_default();
                // Names of parameters are the application's own affair.
                let shape: Vec<&str> =
                    template.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
                format!("{} {}", stored["endpoint"]["method"].as_str().unwrap_or_default(), shape.join("/"))
            })
            .collect();
        found.sort();
        found.dedup();
        found
    };
    let expected = ["GET /items/{}", "GET /users/{}/orders", "PUT /items/{}"];
    assert_eq!(declared.len(), 2);
    wait_until("the declared endpoints are found", || {
        let found = found();
        expected.iter().all(|declared| found.iter().any(|own| own == declared))
    });
    let raw = found().into_iter().filter(|own| own.chars().any(|c| c.is_ascii_digit())).count();
    assert_eq!(raw, 0, "an identifier was taken for a literal: {:?}", found());
}

#[test]
fn a_node_application_behind_the_gateway() {
    let test = "a_node_application_behind_the_gateway";
    let server = tools().join("node/node_modules/.bin/json-server");
    if !server.is_file() {
        println!("skipped: {test}: `.ci/run` installs the npm package `json-server`");
        return;
    }
    if !have("curl", "curl", test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("db.json");
    std::fs::write(&database, "{\"posts\": [{\"id\": 1, \"title\": \"first\"}]}").unwrap();
    let port = free_port();
    let _app = quiet(Command::new(server).args(["--port", &port.to_string(), "--host", "127.0.0.1"]).arg(&database));
    wait_for_port(port);
    let gateway = Gateway::start(port, "monitor");
    let at = |path: &str| format!("http://{}{path}", gateway.addr);
    let json = ["-H", "content-type: application/json"];
    curl(&[&json[..], &["-d", "{\"title\": \"second\"}", &at("/posts")]].concat());
    assert!(curl(&[&at("/posts/2")]).contains("second"));
    curl(&[&json[..], &["-X", "PATCH", "-d", "{\"title\": \"changed\"}", &at("/posts/2")]].concat());
    assert!(curl(&[&at("/posts?title=changed")]).contains("\"id\": 2"));
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE", &at("/posts/2")]), "200");
    assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &at("/posts/2")]), "404");
}

const GRPC_SERVER: &str = r#"
import sys
from concurrent import futures
import grpc

def echo(request, context):
    if request == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    return b"echo:" + request

def count(request, context):
    for number in range(5):
        yield str(number).encode()

handlers = grpc.method_handlers_generic_handler("test.Echo", {
    "Say": grpc.unary_unary_rpc_method_handler(echo),
    "Count": grpc.unary_stream_rpc_method_handler(count),
})
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((handlers,))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
server.wait_for_termination()
"#;

const GRPC_CLIENT: &str = r#"
import sys
import grpc

channel = grpc.insecure_channel(sys.argv[1])
say = channel.unary_unary("/test.Echo/Say")
assert say(b"hello", timeout=10) == b"echo:hello"
assert say(b"x" * 200000, timeout=10) == b"echo:" + b"x" * 200000
assert list(channel.unary_stream("/test.Echo/Count")(b"", timeout=10)) == [b"0", b"1", b"2", b"3", b"4"]
try:
    say(b"fail", timeout=10)
    raise SystemExit("the status was lost")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error.code()
    assert error.details() == "no such thing", error.details()
print("good")
"#;

#[test]
fn a_grpc_service_and_a_real_grpc_client() {
    let Some(python) = python_with("grpc", "a_grpc_service_and_a_real_grpc_client") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.py"), GRPC_SERVER).unwrap();
    std::fs::write(folder.path().join("client.py"), GRPC_CLIENT).unwrap();
    let port = free_port();
    let _app = quiet(Command::new(&python).arg(folder.path().join("server.py")).arg(port.to_string()));
    wait_for_port(port);
    let data = tempfile::tempdir().unwrap();
    let mut command = portreeve();
    command.args([
        "run",
        "--upstream",
        &format!("h2c://127.0.0.1:{port}"),
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    command.args(["--workers", "1", "--data"]).arg(data.path());
    let gateway = Gateway::of(&mut command, data);
    let output =
        Command::new(&python).arg(folder.path().join("client.py")).arg(gateway.addr.to_string()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("good"), "{text}");
}

#[test]
fn h2load_over_one_connection() {
    let test = "h2load_over_one_connection";
    if !have("h2load", "nghttp2-client", test) {
        return;
    }
    let gateway = Gateway::start(support::echo_upstream(), "monitor");
    let url = format!("http://{}/many", gateway.addr);
    let output =
        Command::new("h2load").args(["-n", "2000", "-c", "4", "-m", "16", "-p", "h2c", &url]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("2000 succeeded, 0 failed, 0 errored"), "{text}");
}
