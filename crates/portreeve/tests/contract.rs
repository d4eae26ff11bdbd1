//! From traffic to an enforced contract: an endpoint is found, its messages are learned, somebody saves it, and from then on
//! what departs from what was learned is refused, also after a restart.

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

use serde_json::{Value, json};
use support::{Gateway, exchange, portreeve, wait_until};

/// A small API that takes whatever comes and answers with JSON.
fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                loop {
                    let mut first = String::new();
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    let (mut line, mut length) = (String::new(), 0usize);
                    while reader.read_line(&mut line).unwrap_or(0) > 2 {
                        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap();
                        }
                        line.clear();
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let (status, answer) = match first.starts_with("POST") {
                        true => ("201 Created", json!({"order": length, "state": "open"})),
                        false => ("200 OK", json!({"id": 7, "name": "Ada", "email": "ada@shop.example"})),
                    };
                    let answer = answer.to_string();
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
                        answer.len()
                    );
                    if stream.write_all(head.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// One request as an application of the shop sends it: status and body of the answer.
fn send(addr: SocketAddr, method: &str, target: &str, body: &str) -> (u16, String) {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nAccept: application/json\r\n\
         User-Agent: okhttp/4.9\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    answer(&exchange(addr, request.as_bytes()))
}

fn answer(bytes: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let status = text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// A change through the admin API.
fn change(gateway: &Gateway, id: &str, decision: &Value) -> (u16, String) {
    let body = decision.to_string();
    let request = format!(
        "PATCH /api/v1/endpoints/{id} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Portreeve: 1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        gateway.admin,
        body.len()
    );
    answer(&exchange(gateway.admin, request.as_bytes()))
}

fn endpoints(gateway: &Gateway) -> Vec<Value> {
    let output =
        portreeve().args(["endpoints", "--format", "json", "--data"]).arg(gateway.data.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn find<'e>(endpoints: &'e [Value], method: &str, template: &str) -> Option<&'e Value> {
    let is = |one: &&Value| one["endpoint"]["method"] == method && one["endpoint"]["template"] == template;
    endpoints.iter().find(is)
}

fn run(arguments: &[&str], gateway: &Gateway) -> String {
    let output = portreeve().args(arguments).arg("--data").arg(gateway.data.path()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn order(at: usize) -> String {
    json!({"sku": format!("SKU-{:05}", at * 37 % 90_000), "count": at % 5 + 1}).to_string()
}

/// What may come and what may not, once the contracts block: how many valid requests were refused.
fn judge(gateway: &Gateway) -> usize {
    let mut refused = 0;
    for at in 200..260 {
        refused += usize::from(send(gateway.addr, "POST", "/v1/orders", &order(at)).0 != 201);
        refused += usize::from(send(gateway.addr, "GET", &format!("/v1/users/{}?page={at}", at * 13), "").0 != 200);
    }
    for (method, target, body, reason) in [
        ("GET", "/v1/users/7?page=x".to_owned(), "", "contract.parameter-invalid"),
        ("GET", "/v1/users/7?page=1&debug=true".to_owned(), "", "contract.undeclared-parameter"),
        ("GET", "/V1/Users/7/?page=1&debug=true".to_owned(), "", "contract.undeclared-parameter"),
        ("GET", "/v1/users/7".to_owned(), "", "contract.parameter-missing"),
        ("POST", "/v1/orders".to_owned(), r#"{"sku":"SKU-00001","count":"many"}"#, "contract.body-invalid"),
        ("POST", "/v1/orders".to_owned(), r#"{"sku":"SKU-00001","count":1,"is_admin":true}"#, "contract.body-invalid"),
        ("POST", "/v1/orders".to_owned(), r#"{"sku":"SKU-00001"}"#, "contract.body-invalid"),
    ] {
        let (status, answer) = send(gateway.addr, method, &target, body);
        assert!((400..500).contains(&status), "{method} {target} {body}: {status} {answer}");
        wait_until("the refusal is in the events", || {
            let line = run(&["events", "--json", "--since", "1m", "--where", &format!("reason={reason}")], gateway);
            line.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).any(|event| {
                event["path"].as_str().is_some_and(|path| target.starts_with(path)) && event["status"] == status
            })
        });
    }
    refused
}

#[test]
fn an_endpoint_is_found_saved_and_held_to_what_was_learned() {
    let port = upstream();
    let gateway = Gateway::start(port, "monitor");
    // Bodies are sampled, a few each second at least: traffic flows until enough of them were seen.
    let known = |endpoints: &[Value], method: &str, template: &str, side: &str, name: &str| -> bool {
        let fields = find(endpoints, method, template).and_then(|one| one["parameters"].as_array());
        let field = fields.into_iter().flatten().find(|field| field["in"] == side && field["name"] == name);
        field.is_some_and(|field| field["of"].as_u64() >= Some(60))
    };
    let mut sent = 0;
    wait_until("both endpoints are found and learned", || {
        for at in sent..sent + 30 {
            assert_eq!(send(gateway.addr, "POST", "/v1/orders", &order(at)).0, 201);
            assert_eq!(send(gateway.addr, "GET", &format!("/v1/users/{}?page={at}", 100 + at * 7), "").0, 200);
        }
        sent += 30;
        let all = endpoints(&gateway);
        known(&all, "POST", "/v1/orders", "body", "/count") && known(&all, "GET", "/v1/users/{userId}", "query", "page")
    });
    let all = endpoints(&gateway);
    let id = |method: &str, template: &str| -> String {
        let number = find(&all, method, template).unwrap()["endpoint"]["id"].as_u64().unwrap();
        format!("e{number}")
    };
    let (orders, users) = (id("POST", "/v1/orders"), id("GET", "/v1/users/{userId}"));
    let shown = run(&["endpoints", "show", &users], &gateway);
    assert!(shown.contains("userId") && shown.contains("integer") && shown.contains("response 200"), "{shown}");

    // Saved, a contract only reports.
    assert_eq!(change(&gateway, &users, &json!({"contract": "block"})).0, 400, "it is not saved");
    let (status, text) = change(&gateway, &users, &json!({"state": "saved"}));
    assert_eq!(status, 200, "{text}");
    assert_eq!(send(gateway.addr, "GET", "/v1/users/7?page=x", "").0, 200);
    wait_until("it is reported what would be refused", || {
        run(&["events", "--json", "--since", "1m", "--where", "reason=contract.parameter-invalid"], &gateway)
            .contains("/v1/users/7")
    });
    // Told to block, it refuses; the other one is saved on the command line of another process.
    let (status, text) = change(&gateway, &users, &json!({"contract": "block"}));
    assert_eq!(status, 200, "{text}");
    run(&["endpoints", "save", &orders, "--block"], &gateway);
    wait_until("the other process's decision is in force", || {
        (400..500).contains(&send(gateway.addr, "POST", "/v1/orders", "{}").0)
    });
    assert_eq!(judge(&gateway), 0, "valid requests were refused");

    // What is not saved passes as before.
    assert_eq!(send(gateway.addr, "GET", "/v1/else?debug=1", "").0, 200);

    // The contract holds after a restart.
    gateway.signal("TERM");
    let Gateway { mut process, data, .. } = gateway;
    process.0.wait().unwrap();
    let mut command = portreeve();
    command.args(["run", "--upstream", &format!("http://127.0.0.1:{port}"), "--mode", "monitor", "--workers", "1"]);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]).arg(data.path());
    let gateway = Gateway::of(&mut command, data);
    assert_eq!(judge(&gateway), 0, "valid requests were refused after a restart");

    // The exported document is one that can be enforced.
    let folder = tempfile::tempdir().unwrap();
    for version in ["3.1", "3.0"] {
        let document =
            run(&["endpoints", "--format", "openapi", "--openapi", version, "--text", "shop.example"], &gateway);
        let path = folder.path().join(format!("{version}.json"));
        std::fs::write(&path, document).unwrap();
        let loaded = schema::openapi::load_file(&path, &Default::default());
        assert!(loaded.diagnostics.is_empty() && loaded.contract.is_some(), "{:?}", loaded.diagnostics);
    }
}
