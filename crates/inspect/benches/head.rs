//! What it costs to read the head of a request and to judge it: `cargo bench -p inspect --bench head`.

use bytes::Bytes;
use inspect::http1::{canonical_target, head_end, parse_request};
use inspect::stage::Stage;
use inspect::stages::hygiene::Hygiene;
use inspect::view::{ConnectionFacts, RequestView};
use inspect::{Policy, http2};
use model::finding::Findings;
use model::head::HttpVersion;
use model::{ApiName, Limits, Mode, RequestHead, Timestamp};

mod fixture;
use fixture::get;

fn main() {
    divan::main();
}

#[divan::bench]
fn find_end(bencher: divan::Bencher<'_, '_>) {
    let raw = get();
    bencher.bench_local(|| head_end(divan::black_box(raw.as_bytes()), 0));
}

#[divan::bench]
fn parse(bencher: divan::Bencher<'_, '_>) {
    let (raw, limits) = (Bytes::from(get()), Limits::default());
    bencher.bench_local(|| parse_request(divan::black_box(raw.clone()), &limits).is_ok());
}

#[divan::bench]
fn parse_with_httparse(bencher: divan::Bencher<'_, '_>) {
    let raw = get();
    bencher.bench_local(|| {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        httparse::Request::new(&mut headers).parse(divan::black_box(raw.as_bytes())).is_ok()
    });
}

/// Finding the end, parsing, the canonical target and the stage: all that is done to every request.
#[divan::bench]
fn parse_and_judge(bencher: divan::Bencher<'_, '_>) {
    let raw = Bytes::from(get());
    let (limits, setting) = (Limits::default(), Setting::new());
    bencher.bench_local(|| {
        let raw = divan::black_box(raw.clone());
        let _ = divan::black_box(head_end(&raw, 0));
        let Ok(request) = parse_request(raw, &limits) else { return 0 };
        setting.judge(&request.head, request.framing, &request.notes)
    });
}

#[divan::bench]
fn judge(bencher: divan::Bencher<'_, '_>) {
    let setting = Setting::new();
    let Ok(request) = parse_request(Bytes::from(get()), &Limits::default()) else { return };
    bencher.bench_local(|| setting.judge(divan::black_box(&request.head), request.framing, &request.notes));
}

/// The same head over HTTP/2: checked for what must not become HTTP/1.
#[divan::bench]
fn check_http2(bencher: divan::Bencher<'_, '_>) {
    let Ok(request) = parse_request(Bytes::from(get()), &Limits::default()) else { return };
    let fields: Vec<_> = request.head.fields.iter().map(|f| (f.name.to_ascii_lowercase(), f.value.to_vec())).collect();
    let fields = fields.iter().filter(|(name, _)| name != b"connection" && name != b"host");
    let fields = model::head::Fields::from_pairs(fields.map(|(name, value)| (&name[..], &value[..])));
    let head = RequestHead { version: HttpVersion::H2, fields, raw: None, ..request.head };
    bencher.bench_local(|| http2::check_head(divan::black_box(&head), &Limits::default()).is_ok());
}

/// A megabyte of DATA frames of 16 KB through the frame tap.
#[divan::bench]
fn tap_frames(bencher: divan::Bencher<'_, '_>) {
    let mut bytes = http2::PREFACE.to_vec();
    for _ in 0..64 {
        bytes.extend_from_slice(&[0, 0x40, 0, 0, 0, 0, 0, 0, 1]);
        bytes.resize(bytes.len() + 16_384, 0);
    }
    let limits = Limits::default();
    bencher.bench_local(|| {
        let mut tap = http2::FrameTap::new(&limits);
        bytes.chunks(8192).all(|piece| tap.feed(piece, Timestamp(0)).is_ok())
    });
}

struct Setting {
    policy: Policy,
    connection: ConnectionFacts,
}

impl Setting {
    fn new() -> Self {
        let peer = std::net::IpAddr::from([192, 0, 2, 7]);
        Self {
            policy: Policy::new(ApiName::from("shop"), Mode::Block),
            connection: ConnectionFacts {
                peer,
                tls: true,
                sni: Some("api.example.com".into()),
                client_certificate: None,
            },
        }
    }

    fn judge(&self, head: &RequestHead, framing: inspect::http1::Framing, notes: &[inspect::http1::Noted]) -> usize {
        let target = canonical_target(head.path(), head.query());
        let request = RequestView {
            head,
            path: &target.path,
            query: target.query.as_deref(),
            framing,
            notes,
            connection: &self.connection,
            client: self.connection.peer,
            session: None,
            endpoint: None,
            api: &self.policy.api,
            now: Timestamp(0),
        };
        let mut findings = Findings::new();
        Hygiene.judge_request(&self.policy, &request, &mut findings);
        findings.len()
    }
}
