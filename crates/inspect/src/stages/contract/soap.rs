//! SOAP: envelopes held against the operations of a WSDL.

use model::finding::{Finding, Findings, Place};
use model::head::Known;
use model::reason::{ContractReason, Reason};
use schema::xml::soap::{SoapContract, SoapViolation};
use schema::xml::{XmlError, XmlErrorKind};

use super::{ContractPolicy, response_confidence, sure, text};
use crate::http1::Framing;
use crate::view::{BodyView, RequestView};

/// A SOAP service and the paths it answers at.
pub struct SoapService {
    /// Paths in canonical form.
    pub paths: Vec<String>,
    /// What messages may be.
    pub contract: SoapContract,
}

impl SoapService {
    pub(super) fn is_at(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|own| own.as_bytes() == path)
    }
}

/// Judges what a head says: messages are sent with POST, in one of the two media types.
pub(super) fn judge_request(policy: &ContractPolicy, request: &RequestView<'_>, out: &mut Findings) {
    if &*request.head.method != b"POST" {
        return policy.unknown_method("POST", out);
    }
    if request.framing == Framing::None {
        return out.push(sure(ContractReason::BodyMissing, Place::Body("".into()), "an envelope"));
    }
    let media_type = request.media_type().unwrap_or_default();
    if !is_soap(&media_type) {
        let place = Place::Header("content-type".into());
        out.push(sure(ContractReason::ContentTypeUndeclared, place, "text/xml or application/soap+xml"));
    }
}

fn is_soap(media_type: &str) -> bool {
    matches!(media_type, "text/xml" | "application/soap+xml" | "application/xml")
}

/// What `SOAPAction` says (1.1), or the parameter `action` of the media type (1.2), without quotes.
fn action(request: &RequestView<'_>) -> Option<String> {
    let field = request.head.fields.named(b"soapaction").map(|value| text(value).into_owned());
    let field = field.or_else(|| {
        let content_type = text(request.head.fields.first(Known::ContentType)?).into_owned();
        content_type.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("action").then(|| value.to_owned())
        })
    })?;
    Some(field.trim().trim_matches('"').to_owned())
}

/// Judges the envelope of a request.
pub(super) fn judge_request_body(
    service: &SoapService,
    request: &RequestView<'_>,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    if !is_soap(body.media_type) {
        return;
    }
    let Err(violation) = service.contract.judge_request(body.bytes, action(request).as_deref()) else { return };
    if let SoapViolation::Schema(list) = &violation {
        for one in list {
            let evidence = format!("expected {}", one.expected);
            out.push(sure(ContractReason::XmlInvalid, Place::Body(one.path.as_str().into()), &evidence));
        }
        return;
    }
    let (reason, evidence) = described(&violation);
    out.push(sure(reason, Place::Body("".into()), &evidence));
}

/// Judges the envelope of a response.
pub(super) fn judge_response_body(
    policy: &ContractPolicy,
    service: &SoapService,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    if !is_soap(body.media_type) || body.bytes.is_empty() {
        return;
    }
    let Err(violation) = service.contract.judge_response(body.bytes) else { return };
    let reason = Reason::Contract(ContractReason::ResponseInvalid);
    if let SoapViolation::Schema(list) = &violation {
        for one in list {
            let place = Place::ResponseBody(one.path.as_str().into());
            let evidence = format!("expected {}", one.expected);
            out.push(Finding::new(reason, response_confidence(policy.responses), place, &evidence));
        }
        return;
    }
    let place = Place::ResponseBody("".into());
    out.push(Finding::new(reason, response_confidence(policy.responses), place, &described(&violation).1));
}

fn described(violation: &SoapViolation) -> (ContractReason, String) {
    match violation {
        SoapViolation::Xml(error @ XmlError { kind: XmlErrorKind::Malformed, .. }) => {
            (ContractReason::BodyMalformed, error.to_string())
        }
        SoapViolation::Xml(error) => (ContractReason::XmlForbidden, error.to_string()),
        SoapViolation::Envelope(needs) => (ContractReason::SoapInvalid, format!("expected {needs}")),
        SoapViolation::UnknownOperation => {
            (ContractReason::UnknownEndpoint, "the message is that of no declared operation".to_owned())
        }
        SoapViolation::Action { operation } => {
            (ContractReason::SoapInvalid, format!("the action is not that of `{operation}`, whose message is sent"))
        }
        SoapViolation::Schema(_) => (ContractReason::XmlInvalid, "a message that fits its schema".to_owned()),
    }
}
