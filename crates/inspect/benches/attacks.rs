//! What it costs to search a request for attacks: `cargo bench -p inspect --bench attacks`.
//!
//! The promises: hygiene and attacks over a GET with twelve fields in 2.5 us, over a JSON POST of 2 KB with 170 strings in
//! 10 us; no text costs more than 60 ns a byte.

use inspect::offline::OfflineRequest;
use inspect::stage::Stage;
use inspect::stages::attacks::{AttackPolicy, Attacks, judge_body};
use inspect::stages::hygiene::Hygiene;
use inspect::{BodyView, Policy};
use model::finding::Findings;
use model::{ApiName, Mode};

mod fixture;
use fixture::{get, read};

fn main() {
    divan::main();
}

/// Judges the head with the stages given, over and over.
fn bench_head(bencher: divan::Bencher<'_, '_>, stages: &[&dyn Stage]) {
    let Some(read) = read(&get()) else { return };
    let policy = Policy::new(ApiName::from("bench"), Mode::Block);
    let request = read.view(&policy);
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
    let clients: Vec<_> = (0..4096).filter_map(request_of_client).collect();
    let policy = Policy::new(ApiName::from("bench"), Mode::Block);
    let mut next = 0usize;
    bencher.bench_local(|| {
        next += 1;
        let Some(client) = clients.get(next % clients.len()) else { return 0 };
        let request = client.view(&policy);
        let mut findings = Findings::new();
        for stage in [&Hygiene as &dyn Stage, &Attacks] {
            stage.judge_request(&policy, divan::black_box(&request), &mut findings);
        }
        findings.len()
    });
}

/// The request with another value in every field that differs between clients, and in those that mostly do not.
fn request_of_client(at: usize) -> Option<OfflineRequest> {
    let text = get()
        .replace("Safari/537.36", &format!("Safari/5{at}.36"))
        .replace("q=0.8\r\nAccept-Enc", &format!("q=0.{at}\r\nAccept-Enc"))
        .replace("*/*", &format!("*/*;q=0.{at}"))
        .replace("/orders/8f14e45f\r\n", &format!("/orders/8f14{at}\r\n"))
        .replace("c2lnbmF0dXJl", &format!("c2lnbmF0dXJl{at:08}"))
        .replace("2c26b46b", &format!("{at:08}"))
        .replace("5f0c1a52", &format!("{at:08}"))
        .replace("api.example", &format!("api{at}.example"));
    read(&text)
}

#[divan::bench]
fn get_hygiene_and_attacks(bencher: divan::Bencher<'_, '_>) {
    bench_head(bencher, &[&Hygiene, &Attacks]);
}

fn order() -> String {
    fixture::order("O'Brien")
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
#[divan::bench(args = ["' or 1=1 ", "{{7*7}}${{", "<a onx=(", ";cat /etc/passwd ", "..%2f", "&#x41;\\u0041", "select(", "||(((", "://127.1/", "document.cookie+", "\nx-a: <", "\u{560d}a-b:<", "a:1:{o:!!a.b ", ";${a:0}<<<", "://1-0-0-1.a@["])]
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
