//! Contracts of every format on live traffic: what fits passes, what does not is refused before the upstream reads it.

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
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use support::{Gateway, Process, exchange, free_port, portreeve, python_with, wait_for_port, wait_until};

/// An upstream that answers with what the test puts in, and counts the requests it reads.
struct Upstream {
    port: u16,
    requests: Arc<AtomicUsize>,
    /// Content type and body of every answer.
    answer: Arc<Mutex<(&'static str, String)>>,
}

impl Upstream {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(Mutex::new(("application/json", String::from("{\"data\":{}}"))));
        let (counted, answers) = (Arc::clone(&requests), Arc::clone(&answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (counted, answers) = (Arc::clone(&counted), Arc::clone(&answers));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut stream = stream;
                    loop {
                        let (mut length, mut line) = (0usize, String::new());
                        loop {
                            line.clear();
                            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                                return;
                            }
                            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                                length = value.trim().parse().unwrap();
                            }
                            if line == "\r\n" {
                                break;
                            }
                        }
                        let mut body = vec![0; length];
                        reader.read_exact(&mut body).unwrap();
                        counted.fetch_add(1, Ordering::SeqCst);
                        let (kind, text) = answers.lock().unwrap().clone();
                        let head = format!(
                            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                            text.len()
                        );
                        if stream.write_all(format!("{head}{text}").as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, requests, answer }
    }
}

/// A gateway in mode `block` with the contracts that stand in `contract`, files already in the folder.
fn gateway(folder: tempfile::TempDir, upstream: &str, contract: &str) -> Gateway {
    let file = folder.path().join("portreeve.yaml");
    let text = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nupstreams: [{upstream}]\n\
         apis: [{{ name: shop, upstream: up, mode: monitor, modes: {{ contract: block }}, contract: {contract} }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 1\ndata: {{ dir: data }}\n"
    );
    std::fs::write(&file, text).unwrap();
    Gateway::of(portreeve().arg("run").arg("--config").arg(&file), folder)
}

fn post(addr: SocketAddr, path: &str, kind: &str, fields: &str, body: &str) -> u16 {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nContent-Type: {kind}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(addr, request.as_bytes());
    std::str::from_utf8(answer.get(9..12).unwrap_or(b"0")).unwrap().parse().unwrap()
}

fn copy(folder: &Path, names: &[&str]) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inspect/tests/cases/contract");
    for name in names {
        std::fs::copy(from.join(name), folder.join(name)).unwrap();
    }
}

#[test]
fn openapi_graphql_and_soap_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    copy(folder.path(), &["shop.yaml", "shop.graphql", "shop.wsdl", "shop.xsd"]);
    let upstream = Upstream::start();
    let gateway = gateway(
        folder,
        &format!("{{ name: up, servers: [\"127.0.0.1:{}\"] }}", upstream.port),
        "{ openapi: shop.yaml, responses: block, graphql: { schema: shop.graphql, limits: { depth_max: 4 } }, \
         soap: { paths: [/soap], wsdl: shop.wsdl }, xml: { paths: [/orders.xml], schema: shop.xsd } }",
    );
    let addr = gateway.addr;
    let json = "application/json";
    let soap = |inner: &str| {
        let ns = "http://schemas.xmlsoap.org/soap/envelope/";
        format!("<s:Envelope xmlns:s=\"{ns}\"><s:Body>{inner}</s:Body></s:Envelope>")
    };
    let graphql = |query: &str| post(addr, "/graphql", json, "", &format!("{{\"query\": \"{query}\"}}"));
    assert_eq!(graphql("{ users(first: 2) { id } }"), 200);
    assert_eq!(upstream.requests.load(Ordering::SeqCst), 1);
    for query in [
        "{ users { password } }",
        "{ __schema { types { name } } }",
        "{",
        "{ users { friends { friends { friends { id } } } } }",
    ] {
        assert!(graphql(query) >= 400, "{query}");
    }
    assert_eq!(post(addr, "/graphql", "application/octet-stream", "", "{ users { id } }"), 415);
    assert_eq!(post(addr, "/unknown", json, "", "{}"), 404);
    assert_eq!(post(addr, "/soap", "text/xml", "", &soap("<Drop xmlns=\"urn:shop\"/>")), 404);
    assert_eq!(
        post(addr, "/soap", "text/xml", "", &format!("<!DOCTYPE a>{}", soap("<GetPrice xmlns=\"urn:shop\"/>"))),
        400
    );
    assert_eq!(upstream.requests.load(Ordering::SeqCst), 1, "what is refused does not reach the upstream");
    *upstream.answer.lock().unwrap() = ("text/xml", soap("<Price xmlns=\"urn:shop\">4</Price>"));
    assert_eq!(
        post(
            addr,
            "/soap",
            "text/xml",
            "SOAPAction: \"urn:shop/GetPrice\"\r\n",
            &soap("<GetPrice xmlns=\"urn:shop\"/>")
        ),
        200
    );
    let order = |count: &str| format!("<order xmlns=\"urn:shop\"><sku>a</sku><count>{count}</count></order>");
    *upstream.answer.lock().unwrap() = ("application/xml", order("1"));
    assert_eq!(post(addr, "/orders.xml", "application/xml", "", &order("1")), 200);
    assert_eq!(post(addr, "/orders.xml", "application/xml", "", &order("none")), 400);
    // Responses are held to the same contracts.
    *upstream.answer.lock().unwrap() = ("application/xml", order("none"));
    assert_eq!(post(addr, "/orders.xml", "application/xml", "", &order("1")), 502);
    *upstream.answer.lock().unwrap() = ("text/xml", soap("<Secrets xmlns=\"urn:shop\"/>"));
    assert_eq!(post(addr, "/soap", "text/xml", "", &soap("<GetPrice xmlns=\"urn:shop\"/>")), 502);
    *upstream.answer.lock().unwrap() = (json, "[1, 2]".to_owned());
    assert_eq!(graphql("{ users(first: 2) { id } }"), 502);
    wait_until("the refusals are counted", || gateway.metrics().contains("contract.graphql-introspection"));
}

#[test]
fn a_file_that_a_contract_refers_to_is_watched_and_labels_are_in_the_inventory() {
    let folder = tempfile::tempdir().unwrap();
    let document = "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /a:\n    post:\n      x-portreeve-labels: [pci, team-a]\n      \
                    requestBody:\n        content: {application/json: {schema: {$ref: 'parts/item.json'}}}\n      \
                    responses: {'200': {description: ok}}\n";
    std::fs::write(folder.path().join("shop.yaml"), document).unwrap();
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    let part = folder.path().join("parts/item.json");
    std::fs::write(&part, r#"{"type": "integer"}"#).unwrap();
    let upstream = Upstream::start();
    let gateway = gateway(
        folder,
        &format!("{{ name: up, servers: [\"127.0.0.1:{}\"] }}", upstream.port),
        "{ openapi: shop.yaml }",
    );
    let send = |body: &str| post(gateway.addr, "/a", "application/json", "", body);
    assert_eq!((send("1"), send("\"one\"")), (200, 400));
    // Broken, the contract before stays in force; mended, the new one is.
    std::fs::write(&part, r#"{"type": "strin"#).unwrap();
    std::fs::write(&part, r#"{"type": "string"}"#).unwrap();
    wait_until("the part of the contract is read again", || send("\"one\"") == 200);
    assert_eq!(send("1"), 400);
    // A second change, after the reload watches anew.
    std::fs::write(&part, r#"{"type": "boolean"}"#).unwrap();
    wait_until("the part of the contract is read once more", || send("true") == 200);
    let data = gateway.data.path().join("data");
    wait_until("the labels are in the inventory", || {
        let list = portreeve().args(["endpoints", "--format", "json", "--data"]).arg(&data).output().unwrap();
        let text = String::from_utf8_lossy(&list.stdout).into_owned();
        text.contains("pci") && text.contains("team-a")
    });
}

const GRPC_SERVER: &str = r#"
import sys
from concurrent import futures
import grpc

def put(request, context):
    return b"\x1a\x02\x7a\x00" if request == b"\x0a\x04leak" else request

def load(requests, context):
    seen = 0
    for request in requests:
        assert request != b"\x08\x01", "a message that does not fit was forwarded"
        seen += 1
    return b"\x10" + bytes([seen])

def chat(requests, context):
    for request in requests:
        assert request != b"\x08\x01", "a message that does not fit was forwarded"
        yield request

handlers = grpc.method_handlers_generic_handler("shop.Shop", {
    "Put": grpc.unary_unary_rpc_method_handler(put),
    "Load": grpc.stream_unary_rpc_method_handler(load),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
})
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((handlers,))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
server.wait_for_termination()
"#;

const GRPC_CLIENT: &str = r#"
import queue
import sys
import grpc

channel = grpc.insecure_channel(sys.argv[1])
put = channel.unary_unary("/shop.Shop/Put")
load = channel.stream_unary("/shop.Shop/Load")
chat = channel.stream_stream("/shop.Shop/Chat")
good, bad = b"\x0a\x02hi", b"\x08\x01"

def refused(call, code):
    try:
        answer = call()
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        return
    raise SystemExit("it was let through: %r" % answer)

assert put(good, timeout=10) == good
zipped = channel.unary_unary("/shop.Shop/Put")
assert zipped(b"\x0a\xc8\x01" + b"x" * 200, timeout=10, compression=grpc.Compression.Gzip) == b"\x0a\xc8\x01" + b"x" * 200
refused(lambda: put(bad, timeout=10), grpc.StatusCode.INVALID_ARGUMENT)
refused(lambda: zipped(b"\x0a\xc8\x01" + b"\xff" * 200, timeout=10, compression=grpc.Compression.Gzip), grpc.StatusCode.INVALID_ARGUMENT)
refused(lambda: put(b"\x0a\x04leak", timeout=10), grpc.StatusCode.UNAVAILABLE)
refused(lambda: put(b"\x0a\xe8\x07" + b"x" * 1000, timeout=10), grpc.StatusCode.INVALID_ARGUMENT)
refused(lambda: channel.unary_unary("/shop.Shop/Drop")(good, timeout=10), grpc.StatusCode.UNIMPLEMENTED)
refused(lambda: channel.unary_unary("/shop.Other/Put")(good, timeout=10), grpc.StatusCode.UNIMPLEMENTED)
assert load(iter([good] * 5), timeout=10) == b"\x10\x05"
refused(lambda: load(iter([good, good, bad]), timeout=10), grpc.StatusCode.INVALID_ARGUMENT)

# A conversation: answers come while the stream is open, and it ends at the message that does not fit.
sent = queue.Queue()
answers = chat(iter(sent.get, None), timeout=10)
for number in range(3):
    sent.put(good)
    assert next(answers) == good
sent.put(bad)
try:
    raise SystemExit("it was let through: %r" % next(answers))
except grpc.RpcError as error:
    sent.put(None)
assert put(good, timeout=10) == good
print("good")
"#;

#[test]
fn grpc_messages_are_judged_one_by_one() {
    let Some(python) = python_with("grpc", "grpc_messages_are_judged_one_by_one") else { return };
    let folder = tempfile::tempdir().unwrap();
    copy(folder.path(), &["shop.proto"]);
    std::fs::write(folder.path().join("server.py"), GRPC_SERVER).unwrap();
    std::fs::write(folder.path().join("client.py"), GRPC_CLIENT).unwrap();
    let client = folder.path().join("client.py");
    let port = free_port();
    let mut server = Command::new(&python);
    server.arg(folder.path().join("server.py")).arg(port.to_string()).stdin(Stdio::null());
    let _server = Process(server.spawn().unwrap());
    wait_for_port(port);
    let gateway = gateway(
        folder,
        &format!("{{ name: up, servers: [\"127.0.0.1:{port}\"], protocol: h2 }}"),
        "{ grpc: { files: [shop.proto], message_bytes_max: 500 }, responses: block }",
    );
    let output = Command::new(&python).arg(client).arg(gateway.addr.to_string()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("good"), "{text}");
}

const TRIED: &str = r##"
openapi: 3.0.3
info: {title: Tried, version: "1"}
paths:
  /items/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer, minimum: 1}}]
    get:
      parameters: [{name: sort, in: query, required: true, schema: {type: string, enum: [name, price]}}]
      responses: {"200": {description: ok}}
    put:
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Item"}}}}
      responses: {"200": {description: ok}}
components:
  schemas:
    Item:
      type: object
      required: [name]
      properties: {name: {type: string, maxLength: 10}, price: {type: number, minimum: 0}}
"##;

/// The output of `portreeve contract` and whether it ended well.
fn contract_command(arguments: &[&str]) -> (bool, String) {
    let output = portreeve().arg("contract").args(arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[test]
fn a_contract_is_tried_out_through_the_gateway() {
    for (mode, holds) in [("block", true), ("monitor", false)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tried.yaml");
        std::fs::write(&file, TRIED).unwrap();
        let upstream = Upstream::start();
        let up = format!("{{ name: up, servers: [\"127.0.0.1:{}\"] }}", upstream.port);
        let mode_line = format!(
            "{{ openapi: tried.yaml, responses: off }}, on_failure: closed, refusal_status: 403, modes: {{ contract: {mode} }}"
        );
        let text = format!(
            "listeners: [{{ address: \"127.0.0.1:0\" }}]\nupstreams: [{up}]\n\
             apis: [{{ name: shop, upstream: up, mode: monitor, contract: {mode_line} }}]\n\
             admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 1\ndata: {{ dir: data }}\n"
        );
        let configuration = folder.path().join("portreeve.yaml");
        std::fs::write(&configuration, text).unwrap();
        let gateway = Gateway::of(portreeve().arg("run").arg("--config").arg(&configuration), folder);
        let url = format!("http://{}", gateway.addr);
        let (good, text) = contract_command(&["test", file.to_str().unwrap(), "--url", &url]);
        assert_eq!(good, holds, "{text}");
        assert!(text.contains("4 valid: 0 refused"), "{text}");
        assert_eq!(text.contains(" 0 let through"), holds, "{text}");
    }
}

#[test]
fn contracts_are_looked_at_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (old, new) =
        (write("old.yaml", TRIED), write("new.yaml", &TRIED.replace("required: [name]", "required: [name, price]")));
    let (good, text) = contract_command(&["lint", &old]);
    assert!(good && text.contains("0 errors"), "{text}");
    let (good, text) = contract_command(&["diff", &old, &new]);
    assert!(!good && text.contains("breaking  PUT /items/{id}"), "{text}");
    assert!(contract_command(&["diff", &old, &new, "--fail-on", "never"]).0);
    assert!(contract_command(&["diff", &old, &old, "--fail-on", "loosened"]).0);
    let (_, text) = contract_command(&["diff", &old, &new, "--format", "sarif", "--fail-on", "never"]);
    let log: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["level"], "error", "{text}");
    // Broken and hostile documents: one clear sentence with a place, at once.
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    let deep = format!("{{\"openapi\": {}", "[".repeat(100_000));
    let regex = "openapi: 3.0.0\ninfo: {title: a, version: b}\npaths: {/a: {get: {parameters: [{name: q, in: query, schema: {type: string, pattern: '((a{1,1000}){1,1000}){1,1000}'}}], responses: {}}}}\n";
    let circle = "openapi: 3.0.0\ninfo: {title: a, version: b}\npaths: {/a: {$ref: '#/paths/~1a'}}\n";
    let extension = TRIED.replace("    get:\n", "    get:\n      x-portreeve-mode: blok\n");
    for (name, text, wanted) in [
        ("bomb.yaml", format!("a0: &a0 [x, x]\n{bomb}"), "aliases"),
        ("deep.json", deep, "deep"),
        ("regex.yaml", regex.to_owned(), "pattern"),
        ("circle.yaml", circle.to_owned(), "circle"),
        ("broken.yaml", "openapi: [\n".to_owned(), "broken.yaml:"),
        ("extension.yaml", extension, "x-portreeve-mode"),
        ("broken.graphql", "type Query { a: Missing }".to_owned(), "Missing"),
        ("broken.proto", "syntax = \"proto3\"; message A { B b = 1; }".to_owned(), "B"),
        ("broken.wsdl", "<a/>".to_owned(), "definitions"),
    ] {
        let path = write(name, &text);
        let (good, shown) = contract_command(&["lint", "--quiet", &path]);
        assert!(!good && shown.contains(wanted) && shown.len() < 4_000, "{name}: {shown}");
        assert!(!contract_command(&["diff", &path, &path]).0 || name == "extension.yaml", "{name}");
    }
}

const APPLICATION: &str = r#"
from enum import Enum
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field

app = FastAPI()

class Kind(str, Enum):
    lamp = "lamp"
    chair = "chair"

class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sku: Annotated[str, Field(min_length=2, max_length=12, pattern="^[A-Z0-9]+$")]
    count: Annotated[int, Field(ge=1, le=100)]

class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Kind
    lines: Annotated[list[Line], Field(min_length=1, max_length=5)]
    note: Annotated[str | None, Field(max_length=50)] = None
    paid: bool = False

@app.get("/items/{item_id}")
def read(item_id: Annotated[int, Path(ge=1)], kind: Kind | None = None, limit: Annotated[int, Query(ge=1, le=50)] = 10):
    return {"item": item_id, "kind": kind, "limit": limit}

@app.post("/orders", status_code=201)
def place(order: Order, x_shop: Annotated[str | None, Header(max_length=20)] = None):
    return order

@app.put("/orders/{order_id}")
def change(order_id: UUID, order: Order):
    return order

@app.delete("/orders/{order_id}", status_code=204)
def cancel(order_id: UUID, reason: Annotated[str, Query(min_length=3)]):
    return None
"#;

#[test]
fn schemathesis_finds_no_valid_request_refused_and_no_invalid_one_let_through() {
    let test = "schemathesis_finds_no_valid_request_refused_and_no_invalid_one_let_through";
    let Some(python) = python_with("schemathesis", test) else { return };
    if python_with("fastapi", test).is_none() || python_with("uvicorn", test).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.py"), APPLICATION).unwrap();
    let port = free_port();
    let mut command = Command::new(&python);
    command.args(["-m", "uvicorn", "--port", &port.to_string(), "shop:app"]).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _app = Process(command.spawn().unwrap());
    wait_for_port(port);
    let (_, document) = support::get(SocketAddr::from(([127, 0, 0, 1], port)), "/openapi.json");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, &document).unwrap();
    let gateway = gateway(
        folder,
        &format!("{{ name: up, servers: [\"127.0.0.1:{port}\"] }}"),
        "{ openapi: openapi.json, undeclared_parameters: refuse, responses: block }",
    );
    let run = |mode: &str| -> usize {
        let mut command = Command::new(&python);
        command.args(["-m", "schemathesis.cli", "run"]).arg(&file).args(["--url", &format!("http://{}", gateway.addr)]);
        command.args(["--mode", mode, "--phases", "fuzzing", "--checks", "not_a_server_error"]);
        command.args(["--max-examples", "40", "--seed", "7", "--no-color", "--generation-database", "none"]);
        let output = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        let generated = text.lines().find_map(|line| line.trim().split_once(" generated").map(|(count, _)| count));
        generated.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {text}"))
    };
    let answered_by = |source: &str| -> usize {
        let wanted = "api=\"shop\"";
        let metrics = gateway.metrics();
        let lines =
            metrics.lines().filter(|line| line.starts_with("portreeve_exchanges_total{") && line.contains(wanted));
        let lines = lines.filter(|line| line.contains(&format!("source=\"{source}\"")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
    };
    let valid = run("positive");
    assert!(valid > 50, "{valid}");
    wait_until("every valid request was answered by the application", || answered_by("upstream") == valid);
    // Schemathesis asks a few things of its own, to see what the server can do.
    assert!(answered_by("gateway") < 5, "{}", gateway.metrics());
    let invalid = run("negative");
    wait_until("every invalid request was refused by the gateway", || answered_by("gateway") >= invalid);
    assert_eq!(answered_by("upstream"), valid, "an invalid request reached the application");
    println!("{valid} valid requests passed, {invalid} invalid ones were refused");
}
