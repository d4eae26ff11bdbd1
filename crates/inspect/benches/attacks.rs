//! What it costs to search a request for attacks: `cargo bench -p inspect --bench attacks`.
//!
//! The promises: hygiene and attacks over a GET with twelve fields in 2.5 us, over a JSON POST of 2 KB with 170 strings in
//! 10 us; no text costs more than 60 ns a byte.

use bytes::Bytes;
use inspect::http1::{ParsedRequest, canonical_target, parse_request};
use inspect::stage::Stage;
use inspect::stages::attacks::{AttackPolicy, Attacks, judge_body};
use inspect::stages::hygiene::Hygiene;
use inspect::view::{ConnectionFacts, RequestView};
use inspect::{BodyView, Policy};
use model::finding::Findings;
use model::{ApiName, Limits, Mode, Timestamp};

const GET: &str = "GET /v1/orders/8f14e45f/lines?expand=product&limit=50&cursor=eyJpZCI6NDJ9 HTTP/1.1\r\n\
    Host: api.example.com\r\n\
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
    DNT: 1\r\n\r\n";

fn main() {
    divan::main();
}

/// Judges the head with the stages given, over and over.
fn bench_head(bencher: divan::Bencher<'_, '_>, stages: &[&dyn Stage]) {
    let Ok(parsed) = parse_request(Bytes::from_static(GET.as_bytes()), &Limits::default()) else { return };
    let canonical = canonical_target(parsed.head.path(), parsed.head.query());
    let policy = Policy::new(ApiName::from("bench"), Mode::Block);
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
    bencher.bench_local(|| {
        let mut findings = Findings::new();
        for stage in stages {
            stage.judge_request(&policy, divan::black_box(&request), &mut findings);
        }
        findings.len()
    });
}

#[divan::bench]
fn get_attacks(bencher: divan::Bencher<'_, '_>) {
    bench_head(bencher, &[&Attacks]);
}

/// The same request from clients that were never seen: nothing of it is remembered.
#[divan::bench]
fn get_of_new_clients_hygiene_and_attacks(bencher: divan::Bencher<'_, '_>) {
    let clients: Vec<_> = (0..4096).filter_map(parse_of_client).collect();
    let policy = Policy::new(ApiName::from("bench"), Mode::Block);
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    let connection = ConnectionFacts { peer, tls: true, sni: None, client_certificate: None };
    let mut next = 0usize;
    bencher.bench_local(|| {
        next += 1;
        let Some((parsed, path, query)) = clients.get(next % clients.len()) else { return 0 };
        let request = RequestView {
            head: &parsed.head,
            path,
            query: query.as_deref(),
            framing: parsed.framing,
            notes: &parsed.notes,
            connection: &connection,
            client: peer,
            session: None,
            endpoint: None,
            api: &policy.api,
            now: Timestamp::default(),
        };
        let mut findings = Findings::new();
        for stage in [&Hygiene as &dyn Stage, &Attacks] {
            stage.judge_request(&policy, divan::black_box(&request), &mut findings);
        }
        findings.len()
    });
}

/// The request with another value in every field that differs between clients, and in those that mostly do not.
fn parse_of_client(at: usize) -> Option<(ParsedRequest, Vec<u8>, Option<Vec<u8>>)> {
    let text = GET
        .replace("Safari/537.36", &format!("Safari/5{at}.36"))
        .replace("q=0.8\r\nAccept-Enc", &format!("q=0.{at}\r\nAccept-Enc"))
        .replace("*/*", &format!("*/*;q=0.{at}"))
        .replace("/orders/8f14e45f\r\n", &format!("/orders/8f14{at}\r\n"))
        .replace("c2lnbmF0dXJl", &format!("c2lnbmF0dXJl{at:08}"))
        .replace("2c26b46b", &format!("{at:08}"))
        .replace("5f0c1a52", &format!("{at:08}"))
        .replace("api.example", &format!("api{at}.example"));
    let parsed = parse_request(Bytes::from(text), &Limits::default()).ok()?;
    let canonical = canonical_target(parsed.head.path(), parsed.head.query());
    let (path, query) = (canonical.path.to_vec(), canonical.query.map(|query| query.to_vec()));
    Some((parsed, path, query))
}

#[divan::bench]
fn get_hygiene_and_attacks(bencher: divan::Bencher<'_, '_>) {
    bench_head(bencher, &[&Hygiene, &Attacks]);
}

/// A document of about 2 KB with 170 keys and strings, as an order of a shop has them.
fn order() -> String {
    let line = |at: usize| {
        format!(r#"{{"id":"l{at}","sku":"AB-{at}77","name":"Blue shirt","size":"M","note":"","color":"navy"}}"#)
    };
    let lines: Vec<String> = (0..14).map(line).collect();
    format!(r#"{{"customer":"O'Brien","city":"Saint-Denis","lines":[{}]}}"#, lines.join(","))
}

#[divan::bench]
fn post_json_2_kb(bencher: divan::Bencher<'_, '_>) {
    let (text, policy) = (order(), AttackPolicy::default());
    let body = BodyView::new(text.as_bytes(), true, "application/json", b"application/json");
    // Parsing is counted elsewhere: every stage shares the tape.
    let _ = body.json();
    bencher.bench_local(|| {
        let mut findings = Findings::new();
        judge_body(&policy, divan::black_box(&body), &|_| false, &mut findings);
        findings.len()
    });
}

#[divan::bench]
fn post_json_2_kb_two_thirds_proven(bencher: divan::Bencher<'_, '_>) {
    let (text, policy) = (order(), AttackPolicy::default());
    let body = BodyView::new(text.as_bytes(), true, "application/json", b"application/json");
    let _ = body.json();
    bencher.bench_local(|| {
        let mut findings = Findings::new();
        judge_body(&policy, divan::black_box(&body), &|string| string % 3 != 0, &mut findings);
        findings.len()
    });
}

/// Texts of 16 KB that call as many detectors as one text can; see also the search in the tests.
#[divan::bench(args = ["' or 1=1 ", "{{7*7}}${{", "<a onx=(", ";cat /etc/passwd ", "..%2f", "&#x41;\\u0041", "select(", "||(((", "://127.1/"])]
fn worst_of(bencher: divan::Bencher<'_, '_>, unit: &str) {
    let text = unit.repeat(16 * 1024 / unit.len());
    let policy = AttackPolicy::default();
    let body = BodyView::new(text.as_bytes(), true, "text/plain", b"text/plain");
    bencher.counter(divan::counter::BytesCount::new(text.len())).bench_local(|| {
        let mut findings = Findings::new();
        judge_body(&policy, divan::black_box(&body), &|_| false, &mut findings);
        findings.len()
    });
}

/// A response of 2 KB that gives nothing away.
#[divan::bench]
fn leakage_2_kb(bencher: divan::Bencher<'_, '_>) {
    let text = order();
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench_local(|| inspect::stages::leakage::leaks(divan::black_box(text.as_bytes())).len());
}
