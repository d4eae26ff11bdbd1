//! Stage `hygiene`: HTTP anomalies in messages that can be framed. What cannot never gets here: the parser refuses it.
//!
//! Confidence says what block mode does: `Sure` is refused, `Likely` and `Hint` are shown. A departure that ordinary
//! clients are known to make is never `Sure`, however wrong it is by the letter.
//!
//! Left out on purpose: attacks inside values (stage `attacks`), and what a contract says of methods and types (stage
//! `contract`).

mod body;
mod charset;
mod content_type;
mod fields;
mod forwarded;
mod multipart;
mod policy;
mod range;
mod target;

pub use policy::{Answer, HygienePolicy, NameSet};

use model::finding::{Confidence, Finding, Findings, Place};
use model::head::{HttpVersion, Known};
use model::limits::Limits;
use model::reason::{Anomaly, Reason, StageId, Tier};

use crate::http1::Framing;
use crate::http2;
use crate::policy::Policy;
use crate::stage::Stage;
use crate::view::{BodyView, BodyWish, RequestView};

/// The stage.
pub struct Hygiene;

impl Stage for Hygiene {
    fn id(&self) -> StageId {
        StageId::Hygiene
    }

    fn judge_request(&self, policy: &Policy, request: &RequestView<'_>, out: &mut Findings) {
        let policy = &policy.hygiene;
        let from = out.len();
        judge_notes(request, out);
        judge_method(policy, request, out);
        target::judge(policy, request, out);
        fields::judge(policy, request, out);
        judge_host(request, out);
        if request.head.version == HttpVersion::H2 {
            // The connection refuses these; a recorded or imported exchange comes only here.
            if let Err(noted) = http2::check_head(request.head, &Limits::default()) {
                out.push(finding(noted.anomaly, Place::RequestLine, ""));
            }
        }
        policy.settle(out, from);
    }

    fn request_body_wish(&self, _policy: &Policy, request: &RequestView<'_>) -> BodyWish {
        if request.framing == Framing::None {
            return BodyWish::Stream;
        }
        match request.head.fields.first(Known::ContentType) {
            Some(value) if body::is_judged(value) => BodyWish::Hold,
            _ => BodyWish::Stream,
        }
    }

    fn judge_request_body(&self, policy: &Policy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
        let from = out.len();
        body::judge(&policy.hygiene, request, body, out);
        policy.hygiene.settle(out, from);
    }
}

/// What the parser and the canonical form noted.
fn judge_notes(request: &RequestView<'_>, out: &mut Findings) {
    for noted in request.notes {
        match noted.anomaly {
            // Judged with the method at hand, and over HTTP/2 as well.
            Anomaly::BodyUnexpected => {}
            // A single dot changes nothing but the text; two climb.
            Anomaly::TargetDotSegments if !target::climbs(request.head.path()) => {
                out.push(likely(noted.anomaly, Place::Path, &excerpt(request.head.path())));
            }
            // People and libraries write a bare percent sign into queries; in a path it confuses matching.
            Anomaly::TargetBadEscape if !target::has_bad_escape(request.head.path()) => {
                out.push(likely(noted.anomaly, Place::Query("".into()), ""));
            }
            Anomaly::TargetDotSegments | Anomaly::TargetBadEscape => {
                out.push(finding(noted.anomaly, Place::Path, &excerpt(request.head.path())));
            }
            Anomaly::ConnectionNamesField => out.push(finding(noted.anomaly, header("connection"), "")),
            anomaly => out.push(finding(anomaly, Place::RequestLine, "")),
        }
    }
}

fn judge_method(policy: &HygienePolicy, request: &RequestView<'_>, out: &mut Findings) {
    let method: &[u8] = &request.head.method;
    if !policy.allows_method(method) {
        out.push(finding(Anomaly::MethodNotAllowed, Place::RequestLine, &excerpt(method)));
    }
    let confidence = match (method, request.framing) {
        (_, Framing::None) => return,
        (b"HEAD" | b"TRACE" | b"CONNECT", _) => Confidence::Sure,
        // Nobody but smugglers frames the body of a GET in chunks; search APIs do read bodies with a length.
        (b"GET", Framing::Chunked) => Confidence::Sure,
        (b"GET", _) => match policy.get_body {
            Answer::Accept => return,
            Answer::Report => Confidence::Likely,
            Answer::Refuse => Confidence::Sure,
        },
        (b"DELETE" | b"OPTIONS", _) => Confidence::Hint,
        _ => return,
    };
    out.push(with(confidence, Anomaly::BodyUnexpected, Place::RequestLine, &excerpt(method)));
}

fn judge_host(request: &RequestView<'_>, out: &mut Findings) {
    let host = request.head.host();
    let is_address = host.first() == Some(&b'[')
        || (host.last().is_some_and(u8::is_ascii_digit)
            && host.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.'));
    if is_address {
        out.push(with(Confidence::Hint, Anomaly::HostNumeric, header("host"), &excerpt(host)));
    }
    if let Some(sni) = request.connection.sni.as_deref()
        && !is_address
        && !host.is_empty()
        && !host.strip_suffix(b".").unwrap_or(host).eq_ignore_ascii_case(sni.trim_end_matches('.').as_bytes())
    {
        // Browsers reuse an HTTP/2 connection for other names of its certificate (RFC 9113, 9.1.1).
        let confidence = if request.head.version == HttpVersion::H2 { Confidence::Hint } else { Confidence::Likely };
        out.push(with(
            confidence,
            Anomaly::HostSniMismatch,
            header("host"),
            &format!("tls name {}", excerpt(sni.as_bytes())),
        ));
    }
}

/// An anomaly as a finding: ambiguous ones are refused in mode `block`, harmless ones only reported.
fn finding(anomaly: Anomaly, place: Place, evidence: &str) -> Finding {
    let confidence = match anomaly.tier() {
        Tier::Compliant => Confidence::Hint,
        Tier::Acceptable => Confidence::Likely,
        Tier::Ambiguous | Tier::Severe => Confidence::Sure,
    };
    with(confidence, anomaly, place, evidence)
}

fn likely(anomaly: Anomaly, place: Place, evidence: &str) -> Finding {
    with(Confidence::Likely, anomaly, place, evidence)
}

fn hint(anomaly: Anomaly, place: Place, evidence: &str) -> Finding {
    with(Confidence::Hint, anomaly, place, evidence)
}

fn with(confidence: Confidence, anomaly: Anomaly, place: Place, evidence: &str) -> Finding {
    Finding::new(Reason::Hygiene(anomaly), confidence, place, evidence)
}

fn header(name: &str) -> Place {
    Place::Header(name.into())
}

/// The first bytes of something hostile, printable.
fn excerpt(bytes: &[u8]) -> String {
    const EXCERPT_BYTES_MAX: usize = 60;
    let cut = bytes.get(..EXCERPT_BYTES_MAX);
    let mut text = cut.unwrap_or(bytes).escape_ascii().to_string();
    if cut.is_some_and(|cut| cut.len() < bytes.len()) {
        text.push_str("...");
    }
    text
}
