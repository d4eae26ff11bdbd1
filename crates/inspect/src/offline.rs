//! A request away from any connection: read from its bytes and judged, as measurements and tests need it.
//!
//! What a connection would add (TLS, a session, an endpoint of the inventory) is left out; the notes of the parser and of
//! the canonical target are there, so that the verdict is the one the gateway would give to these bytes.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use model::finding::Findings;
use model::head::Known;
use model::ids::Timestamp;
use model::limits::Limits;

use crate::http1::{Noted, ParsedRequest, canonical_target, head_end, parse_request};
use crate::policy::Policy;
use crate::view::{BodyView, ConnectionFacts, RequestView, media_type};
use crate::{http1, pipeline};

/// A request with everything a view of it borrows.
pub struct OfflineRequest {
    /// The head as it was parsed.
    pub parsed: ParsedRequest,
    /// The bytes behind the head, as they are: no framing is taken off.
    pub body: Bytes,
    /// The connection it is taken to have come over.
    pub connection: ConnectionFacts,
    path: Vec<u8>,
    query: Option<Vec<u8>>,
    notes: Vec<Noted>,
}

impl OfflineRequest {
    /// Reads a head and takes what follows it for the body. `None` where no head ends in these bytes.
    ///
    /// # Errors
    /// The inner one: what the parser refused the head for.
    pub fn read(raw: &[u8], limits: &Limits) -> Option<Result<Self, Noted>> {
        let (head, body) = raw.split_at_checked(head_end(raw, 0)?)?;
        let parsed = match parse_request(Bytes::copy_from_slice(head), limits) {
            Ok(parsed) => parsed,
            Err(noted) => return Some(Err(noted)),
        };
        let canonical = canonical_target(parsed.head.path(), parsed.head.query());
        let mut notes = parsed.notes.to_vec();
        notes.extend(canonical.notes.iter().map(|&anomaly| Noted::new(anomaly, 0)));
        let (path, query) = (canonical.path.to_vec(), canonical.query.map(|query| query.to_vec()));
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let connection = ConnectionFacts { peer, tls: false, sni: None, client_certificate: None };
        Some(Ok(Self { parsed, body: Bytes::copy_from_slice(body), connection, path, query, notes }))
    }

    /// The request as the stages see it.
    pub fn view<'a>(&'a self, policy: &'a Policy) -> RequestView<'a> {
        RequestView {
            head: &self.parsed.head,
            path: &self.path,
            query: self.query.as_deref(),
            framing: self.parsed.framing,
            notes: &self.notes,
            connection: &self.connection,
            client: self.connection.peer,
            session: None,
            endpoint: None,
            api: &policy.api,
            now: Timestamp(0),
        }
    }

    /// Head and body through the whole pipeline.
    pub fn judge(&self, policy: &Policy) -> Findings {
        let view = self.view(policy);
        let mut findings = Findings::new();
        pipeline::judge_request(policy, &view, &mut findings);
        if !self.body.is_empty() && self.parsed.framing != http1::Framing::None {
            let content_type = self.parsed.head.fields.first(Known::ContentType).unwrap_or_default();
            let media = media_type(content_type);
            let body = BodyView::new(&self.body, true, &media, content_type);
            pipeline::judge_request_body(policy, &view, &body, &mut findings);
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use model::ids::ApiName;
    use model::mode::Mode;
    use model::reason::{AttackReason, Reason};

    use super::*;

    #[test]
    fn bytes_are_judged_head_and_body() {
        let policy = Policy::new(ApiName::from("test"), Mode::Block);
        let read = |raw: &str| OfflineRequest::read(raw.as_bytes(), &Limits::default());
        assert!(read("GET / HTTP/1.1\r\n").is_none());
        assert!(read("GET / HTTP/1.1\r\nHost : a\r\n\r\n").is_some_and(|read| read.is_err()));
        let raw = "POST /a?b=1 HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n\r\n<script>alert(1)</script>";
        let request = read(raw).and_then(Result::ok).expect("a request");
        assert_eq!(request.view(&policy).query, Some(&b"b=1"[..]));
        let findings = request.judge(&policy);
        assert!(findings.iter().any(|finding| finding.reason == Reason::Attack(AttackReason::Script)));
    }
}
