//! The stage `hygiene` answers any request with bounded findings of bounded evidence.
#![no_main]

use bytes::Bytes;
use inspect::http1::{Noted, canonical_target, head_end, parse_request};
use inspect::stage::Stage;
use inspect::stages::hygiene::Hygiene;
use inspect::view::{ConnectionFacts, media_type};
use inspect::{BodyView, Policy, RequestView};
use libfuzzer_sys::fuzz_target;
use model::finding::{Finding, Findings};
use model::head::Known;
use model::ids::{ApiName, Timestamp};
use model::limits::Limits;
use model::mode::Mode;

fuzz_target!(|data: &[u8]| {
    let Some(end) = head_end(data, 0) else { return };
    let (head, body) = data.split_at(end);
    let Ok(parsed) = parse_request(Bytes::copy_from_slice(head), &Limits::default()) else { return };
    let policy = Policy::new(ApiName::from("fuzz"), Mode::Block);
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    let connection = ConnectionFacts { peer, tls: true, sni: Some("a".into()), client_certificate: None };
    let canonical = canonical_target(parsed.head.path(), parsed.head.query());
    let mut notes = parsed.notes.to_vec();
    notes.extend(canonical.notes.iter().map(|&anomaly| Noted::new(anomaly, 0)));
    let request = RequestView {
        head: &parsed.head,
        path: &canonical.path,
        query: canonical.query.as_deref(),
        framing: parsed.framing,
        notes: &notes,
        connection: &connection,
        client: peer,
        session: None,
        endpoint: None,
        api: &policy.api,
        now: Timestamp(0),
    };
    let mut findings = Findings::new();
    Hygiene.judge_request(&policy, &request, &mut findings);
    let content_type = parsed.head.fields.first(Known::ContentType).unwrap_or_default();
    let media_type = media_type(content_type);
    Hygiene.judge_request_body(&policy, &request, &BodyView::new(body, true, &media_type, content_type), &mut findings);
    assert!(findings.len() <= 16 + 4 * parsed.head.fields.len() + 600);
    assert!(findings.iter().all(|finding| finding.evidence.len() <= Finding::EVIDENCE_BYTES_MAX));
});
