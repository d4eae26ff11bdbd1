//! Any body under any of a few media types is judged: no panic, and no more findings than are kept.

#![no_main]

use inspect::BodyView;
use inspect::stages::attacks::{AttackPolicy, judge_body};
use libfuzzer_sys::fuzz_target;
use model::finding::Findings;

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, bytes) = input;
    let content_types = [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/grpc",
        "text/plain",
        "",
    ];
    let content_type = content_types[usize::from(kind) % content_types.len()];
    let media = inspect::view::media_type(content_type.as_bytes());
    let body = BodyView::new(bytes, true, &media, content_type.as_bytes());
    let mut findings = Findings::new();
    judge_body(&AttackPolicy::default(), &body, &|_| false, &mut findings);
    assert!(findings.len() <= 48);
});
