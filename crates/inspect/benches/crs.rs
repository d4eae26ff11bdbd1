//! What loaded rules cost: `cargo bench -p inspect --bench crs`, with the OWASP Core Rule Set from `CRS_DIR` or
//! Debian's package. Every request is judged by the whole pipeline in mode `block`, with the rules and without.

use std::path::PathBuf;
use std::sync::Arc;

use inspect::stages::crs::CrsPolicy;
use inspect::{BodyView, Policy, pipeline};
use model::finding::Findings;
use model::{ApiName, Mode};

mod fixture;
use fixture::{get, order, post, read};

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

fn bench(bencher: divan::Bencher<'_, '_>, with_rules: bool, raw: &str) {
    let (Some(policy), Some(read)) = (policy(with_rules), read(raw)) else { return };
    let request = read.view(&policy);
    let run = || {
        let mut findings = Findings::new();
        pipeline::judge_request(&policy, divan::black_box(&request), &mut findings);
        if !read.body.is_empty() {
            let view = BodyView::new(&read.body, true, "application/json", b"application/json");
            pipeline::judge_request_body(&policy, &request, &view, &mut findings);
        }
        findings
    };
    // An ordinary request must stay one: a refused one would measure something else.
    assert!(run().iter().all(|finding| finding.confidence < model::finding::Confidence::Sure), "{:?}", run());
    bencher.bench_local(|| run().len());
}

#[divan::bench]
fn get_without_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, false, &get());
}

#[divan::bench]
fn get_with_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, true, &get());
}

#[divan::bench]
fn post_json_2_kb_without_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, false, &post(&order("Jane Doe")));
}

#[divan::bench]
fn post_json_2_kb_with_rules(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, true, &post(&order("Jane Doe")));
}
