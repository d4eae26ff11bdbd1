//! XML that is not SOAP: bodies held against an XML Schema.

use model::finding::{Finding, Findings, Place};
use model::reason::{ContractReason, Reason};
use schema::xml::{XmlContract, XmlErrorKind, XmlViolation};

use super::{ContractPolicy, response_confidence, sure};
use crate::http1::Framing;
use crate::view::{BodyView, RequestView};

/// A service that speaks XML, and the paths it answers at.
pub struct XmlService {
    /// Paths in canonical form.
    pub paths: Vec<String>,
    /// What documents may be.
    pub contract: XmlContract,
}

impl XmlService {
    pub(super) fn is_at(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|own| own.as_bytes() == path)
    }
}

fn is_xml(media_type: &str) -> bool {
    matches!(media_type, "text/xml" | "application/xml") || media_type.ends_with("+xml")
}

/// Judges what a head says: what is sent is XML. A request without a body has nothing to be judged.
pub(super) fn judge_request(request: &RequestView<'_>, out: &mut Findings) {
    let says_xml = request.media_type().is_some_and(|kind| is_xml(&kind));
    if request.framing != Framing::None && request.framing != Framing::Length(0) && !says_xml {
        let place = Place::Header("content-type".into());
        out.push(sure(
            ContractReason::ContentTypeUndeclared,
            place,
            "text/xml, application/xml or a type that ends in +xml",
        ));
    }
}

/// Judges the document of a request.
pub(super) fn judge_request_body(service: &XmlService, body: &BodyView<'_>, out: &mut Findings) {
    if !is_xml(body.media_type) {
        return;
    }
    for (reason, path, evidence) in violations(service, body) {
        out.push(sure(reason, Place::Body(path.into()), &evidence));
    }
}

/// Judges the document of a response.
pub(super) fn judge_response_body(
    policy: &ContractPolicy,
    service: &XmlService,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    if !is_xml(body.media_type) || body.bytes.is_empty() {
        return;
    }
    for (_, path, evidence) in violations(service, body) {
        let reason = Reason::Contract(ContractReason::ResponseInvalid);
        let confidence = response_confidence(policy.responses);
        out.push(Finding::new(reason, confidence, Place::ResponseBody(path.into()), &evidence));
    }
}

fn violations(service: &XmlService, body: &BodyView<'_>) -> Vec<(ContractReason, String, String)> {
    match service.contract.judge(body.bytes) {
        Ok(()) => Vec::new(),
        Err(XmlViolation::Xml(error)) => {
            let is_malformed = error.kind == XmlErrorKind::Malformed;
            let reason = if is_malformed { ContractReason::BodyMalformed } else { ContractReason::XmlForbidden };
            vec![(reason, String::new(), error.to_string())]
        }
        Err(XmlViolation::Schema(list)) => {
            let each = list.into_iter();
            each.map(|one| (ContractReason::XmlInvalid, one.path, format!("expected {}", one.expected))).collect()
        }
    }
}
