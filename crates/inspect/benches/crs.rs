//! What loaded rules cost: `cargo bench -p inspect --bench crs`, with the OWASP Core Rule Set from `CRS_DIR` or
//! Debian's package. Every request is judged by the whole pipeline in mode `block`, with the rules and without.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use inspect::http1::{canonical_target, parse_request};
use inspect::stages::crs::CrsPolicy;
use inspect::view::{ConnectionFacts, RequestView};
use inspect::{BodyView, Policy, pipeline};
use model::finding::Findings;
use model::{ApiName, Limits, Mode, Timestamp};

const FIELDS: &str = "Host: api.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n\
    Accept: application/json, text/plain, */*\r\n\
    Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Referer: https://shop.example.com/orders/8f14e45f\r\n\
    Authorization: Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl\r\n\
    Cookie: session=2c26b46b68ffc68ff99b453c1d304134; theme=dark; consent=1\r\n\
    X-Request-Id: 5f0c1a52-9c1b-4d0e-a3a7-2f3f6b1c2d3e\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
    Connection: keep-alive\r\n\
    DNT: 1\r\n";

fn main() {
    divan::main();
}

/// A policy in mode `block`; `None` where the rules are wanted and not there.
fn policy(with_rules: bool) -> Option<Policy> {
    let mut policy = Policy::new(ApiName::from("bench"), Mode::Block);
    if with_rules {
        let folder = std::env::var_os("CRS_DIR").map_or_else(|| "/usr/share/modsecurity-crs".into(), PathBuf::from);
        if !folder.is_dir() {
            eprintln!("skipped: `{}` is not there; set CRS_DIR", folder.display());
            return None;
        }
        let rules = seclang::load_path(&folder, &seclang::Settings::default()).ok()?.rules;
        policy.crs = Some(CrsPolicy { rules: Arc::new(rules) });
    }
    Some(policy)
}

fn bench(bencher: divan::Bencher<'_, '_>, with_rules: bool, head: String, body: &str) {
    let Some(policy) = policy(with_rules) else { return };
    let Ok(parsed) = parse_request(Bytes::from(head), &Limits::default()) else { return };
    let canonical = canonical_target(parsed.head.path(), parsed.head.query());
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    let connection = ConnectionFacts { peer, tls: true, sni: None, client_certificate: None };
    let request = RequestView {
        head: &parsed.head,
        path: &canonical.path,
        query: canonical.query.as_deref(),
        framing: parsed.framing,
        notes: &parsed.notes,
        connection: &connection,
        client: peer,
        session: None,
        endpoint: None,
        api: &policy.api,
        now: Timestamp::default(),
    };
    let run = || {
        let mut findings = Findings::new();
        pipeline::judge_request(&policy, divan::black_box(&request), &mut findings);
        if !body.is_empty() {
            let view = BodyView::new(body.as_bytes(), true, "application/json", b"application/json");
            pipeline::judge_request_body(&policy, &request, &view, &mut findings);
        }
        findings
    };
    // An ordinary request must stay one: a refused one would measure something else.
    assert!(run().iter().all(|finding| finding.confidence < model::finding::Confidence::Sure), "{:?}", run());
    bencher.bench_local(|| run().len());
}

fn get() -> String {
    format!("GET /v1/orders/8f14e45f/lines?expand=product&limit=50&cursor=eyJpZCI6NDJ9 HTTP/1.1\r\n{FIELDS}\r\n")
}

/// A document of about 2 KB with 170 keys and strings, as an order of a shop has them.
fn order() -> String {
    let line = |at: usize| {
        format!(r#"{{"id":"l{at}","sku":"AB-{at}77","name":"Blue shirt","size":"M","note":"","color":"navy"}}"#)
    };
    let lines: Vec<String> = (0..14).map(line).collect();
    format!(r#"{{"customer":"Jane Doe","city":"Saint-Denis","lines":[{}]}}"#, lines.join(","))
}

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /v1/orders HTTP/1.1\r\n{FIELDS}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
}

#[divan::bench]
fn get_without_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, false, get(), "");
}

#[divan::bench]
fn get_with_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, true, get(), "");
}

#[divan::bench]
fn post_json_2_kb_without_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, false, post(&order()), &order());
}

#[divan::bench]
fn post_json_2_kb_with_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, true, post(&order()), &order());
}
