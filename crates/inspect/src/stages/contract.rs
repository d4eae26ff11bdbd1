//! Stage `contract`: positive security; a message must be as its declared or learned contract says.
//!
//! What a well-formed message is, the crate `schema` knows; here its violations become findings, and what it proved becomes
//! known to the stages behind. A finding names the place, the keyword and what was expected, never the value.

use std::borrow::Cow;
use std::sync::Arc;

use model::finding::{Confidence, Finding, Findings, Place};
use model::head::{Fields, Known};
use model::mode::Mode;
use model::reason::{ContractReason, Reason, StageId};
use schema::json::JsonLimits;
use schema::openapi::{
    BodyInput, Contract, Match, MessagePlace, OperationId, RequestParts, Strictness, Violation, ViolationKind,
};

use crate::http1::Framing;
use crate::policy::Policy;
use crate::stage::Stage;
use crate::view::{BodyView, BodyWish, RequestView, ResponseView, is_opaque};

/// What is done about something the contract does not mention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmentioned {
    /// It is not looked for.
    Ignore,
    /// It is reported and passes in every mode.
    #[default]
    Report,
    /// It is refused in mode `block`.
    Refuse,
}

impl Unmentioned {
    const fn confidence(self) -> Confidence {
        match self {
            Self::Ignore | Self::Report => Confidence::Likely,
            Self::Refuse => Confidence::Sure,
        }
    }
}

/// The contract of one API and how strictly it holds.
#[derive(Clone)]
pub struct ContractPolicy {
    /// The contract.
    pub contract: Arc<Contract>,
    /// Requests that match no operation.
    pub unknown_endpoints: Unmentioned,
    /// Query parameters and members of bodies that are not declared.
    pub undeclared_parameters: Unmentioned,
    /// Responses: off, reported only, or refused when they are not as declared.
    pub responses: Mode,
}

impl std::fmt::Debug for ContractPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContractPolicy")
            .field("operations", &self.contract.operations().len())
            .field("unknown_endpoints", &self.unknown_endpoints)
            .field("undeclared_parameters", &self.undeclared_parameters)
            .field("responses", &self.responses)
            .finish()
    }
}

impl ContractPolicy {
    /// A contract whose unknown endpoints are refused in mode `block`, with undeclared parameters and responses reported.
    pub fn new(contract: Arc<Contract>) -> Self {
        Self {
            contract,
            unknown_endpoints: Unmentioned::Refuse,
            undeclared_parameters: Unmentioned::Report,
            responses: Mode::Monitor,
        }
    }

    fn strictness(&self) -> Strictness {
        match self.undeclared_parameters {
            Unmentioned::Ignore => {
                Strictness { query: schema::rules::Undeclared::Ignore, members: schema::rules::Undeclared::Ignore }
            }
            Unmentioned::Report | Unmentioned::Refuse => Strictness::default(),
        }
    }

    fn matched(&self, request: &RequestView<'_>) -> Match {
        match (text(&request.head.method), text(request.head.host()), std::str::from_utf8(request.path)) {
            (Cow::Borrowed(method), Cow::Borrowed(host), Ok(path)) => self.contract.match_operation(method, host, path),
            _ => Match::UnknownEndpoint,
        }
    }

    /// One violation as a finding of the request's side.
    fn request_finding(&self, violation: &Violation) -> Finding {
        let reason = match violation.kind {
            ViolationKind::ParameterMissing => ContractReason::ParameterMissing,
            ViolationKind::ParameterInvalid => ContractReason::ParameterInvalid,
            ViolationKind::ParameterUndeclared | ViolationKind::FieldUndeclared => ContractReason::UndeclaredParameter,
            ViolationKind::ContentTypeUndeclared => ContractReason::ContentTypeUndeclared,
            ViolationKind::BodyMissing => ContractReason::BodyMissing,
            ViolationKind::BodyMalformed => ContractReason::BodyMalformed,
            ViolationKind::BodyLimit => ContractReason::JsonLimit,
            ViolationKind::XmlForbidden => ContractReason::XmlForbidden,
            ViolationKind::BodyInvalid
            | ViolationKind::BodyUndeclared
            | ViolationKind::StatusUndeclared
            | ViolationKind::ResponseHeaderInvalid => ContractReason::BodyInvalid,
        };
        let confidence = match reason {
            ContractReason::UndeclaredParameter => self.undeclared_parameters.confidence(),
            _ => Confidence::Sure,
        };
        let place = match &violation.place {
            MessagePlace::Path(name) => Place::PathParameter(name.clone()),
            MessagePlace::Query(name) => Place::Query(name.clone()),
            MessagePlace::Header(name) => Place::Header(name.clone()),
            MessagePlace::Cookie(name) => Place::Cookie(name.clone()),
            MessagePlace::Body(pointer) => Place::Body(pointer.clone()),
            MessagePlace::Status => Place::RequestLine,
        };
        Finding::new(Reason::Contract(reason), confidence, place, &evidence(violation))
    }

    /// One violation as a finding of the response's side.
    fn response_finding(&self, violation: &Violation) -> Finding {
        let reason = match violation.kind {
            ViolationKind::StatusUndeclared => ContractReason::StatusUndeclared,
            ViolationKind::FieldUndeclared => ContractReason::ExcessData,
            _ => ContractReason::ResponseInvalid,
        };
        let confidence = match (self.responses, reason) {
            (Mode::Block, ContractReason::ExcessData) => self.undeclared_parameters.confidence(),
            (Mode::Block, _) => Confidence::Sure,
            _ => Confidence::Likely,
        };
        let place = match &violation.place {
            MessagePlace::Status => Place::Status,
            MessagePlace::Header(name) => Place::ResponseHeader(name.clone()),
            MessagePlace::Body(pointer) => Place::ResponseBody(pointer.clone()),
            MessagePlace::Path(name) | MessagePlace::Query(name) | MessagePlace::Cookie(name) => {
                Place::ResponseHeader(name.clone())
            }
        };
        Finding::new(Reason::Contract(reason), confidence, place, &evidence(violation))
    }
}

/// The contract that a request is held to. What is declared comes first; what was learned about a saved endpoint stands
/// where nothing is declared.
fn held_to<'p>(policy: &'p Policy, request: &RequestView<'_>) -> Option<(&'p ContractPolicy, Match)> {
    let declared = policy.contract.as_deref().map(|contract| (contract, contract.matched(request)));
    if let Some((_, Match::Operation(..))) = &declared {
        return declared;
    }
    let known = policy.known.as_deref();
    let located = known.and_then(|known| known.find(&request.head.method, request.head.host(), request.path));
    match located.and_then(|located| located.contract) {
        Some((learned, id, values)) => Some((learned, Match::Operation(id, values))),
        None => declared,
    }
}

/// The same, where there is an operation.
fn operation<'p>(policy: &'p Policy, request: &RequestView<'_>) -> Option<(&'p ContractPolicy, OperationId)> {
    match held_to(policy, request)? {
        (contract, Match::Operation(id, _)) => Some((contract, id)),
        (_, Match::UnknownMethod(_) | Match::UnknownEndpoint) => None,
    }
}

/// What failed and what was expected, in one line.
fn evidence(violation: &Violation) -> String {
    let Violation { pointer, keyword, expected, closest, .. } = violation;
    let mut line = String::with_capacity(64);
    for part in [&**pointer, *keyword, &**expected].into_iter().filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(part);
    }
    if let Some(closest) = closest {
        line.push_str("; closest: ");
        line.push_str(closest);
    }
    line
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The fields of a head as pairs of lower-case name and value; values outside UTF-8 are made readable, not judged exactly.
fn pairs(fields: &Fields) -> Vec<(String, Cow<'_, str>)> {
    fields.iter().map(|field| (text(field.name).to_ascii_lowercase(), text(field.value))).collect()
}

fn borrowed<'p>(pairs: &'p [(String, Cow<'_, str>)]) -> Vec<(&'p str, &'p str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), &**value)).collect()
}

/// The stage.
pub struct ContractStage;

impl Stage for ContractStage {
    fn id(&self) -> StageId {
        StageId::Contract
    }

    fn judge_request(&self, policy: &Policy, request: &RequestView<'_>, out: &mut Findings) {
        let Some((policy, matched)) = held_to(policy, request) else { return };
        let confidence = policy.unknown_endpoints.confidence();
        match matched {
            Match::Operation(id, path_values) => {
                let fields = pairs(&request.head.fields);
                let query = request.query.map(text);
                let path = text(request.path);
                let parts = RequestParts {
                    path: &path,
                    path_values: &path_values,
                    query: query.as_deref(),
                    fields: &borrowed(&fields),
                };
                let judged = policy.contract.judge_request_head(id, &parts, policy.strictness());
                out.extend(judged.violations.iter().map(|violation| policy.request_finding(violation)));
                if request.framing == Framing::None {
                    let judged = policy.contract.judge_request_body(id, None, None, policy.strictness());
                    out.extend(judged.violations.iter().map(|violation| policy.request_finding(violation)));
                }
            }
            _ if policy.unknown_endpoints == Unmentioned::Ignore => {}
            Match::UnknownMethod(allowed) => {
                let evidence = format!("declared: {}", allowed.join(", "));
                let reason = Reason::Contract(ContractReason::UnknownMethod);
                out.push(Finding::new(reason, confidence, Place::RequestLine, &evidence));
            }
            Match::UnknownEndpoint => {
                out.push(Finding::new(Reason::Contract(ContractReason::UnknownEndpoint), confidence, Place::Path, ""));
            }
        }
    }

    fn request_body_wish(&self, policy: &Policy, request: &RequestView<'_>) -> BodyWish {
        if policy.contract.is_none() && policy.known.is_none() {
            return BodyWish::Stream;
        }
        let streams = request.framing == Framing::None || request.media_type().is_some_and(|kind| is_opaque(&kind));
        if streams || operation(policy, request).is_none() { BodyWish::Stream } else { BodyWish::Hold }
    }

    fn judge_request_body(&self, policy: &Policy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
        let Some((policy, id)) = operation(policy, request) else { return };
        if !body.whole {
            let evidence = "the body is larger than what is inspected";
            let reason = Reason::Contract(ContractReason::BodyUninspected);
            out.push(Finding::new(reason, Confidence::Sure, Place::Body("".into()), evidence));
            return;
        }
        let limits = JsonLimits::default();
        let json = body.is_json().then(|| body.json().map_err(Clone::clone));
        let input = BodyInput { bytes: body.bytes, json, limits: &limits };
        let content_type = text(body.content_type);
        let sent = (!content_type.is_empty()).then_some(&*content_type);
        let judged = policy.contract.judge_request_body(id, sent, Some(&input), policy.strictness());
        out.extend(judged.violations.iter().map(|violation| policy.request_finding(violation)));
        body.set_proven(judged.proven);
    }

    fn judge_response(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        out: &mut Findings,
    ) {
        let Some((policy, id)) = operation(policy, request).filter(|(policy, _)| policy.responses != Mode::Off) else {
            return;
        };
        let fields = pairs(&response.head.fields);
        let judged = policy.contract.judge_response_head(id, response.head.status, &borrowed(&fields));
        out.extend(judged.violations.iter().map(|violation| policy.response_finding(violation)));
    }

    fn response_body_wish(&self, policy: &Policy, request: &RequestView<'_>, response: &ResponseView<'_>) -> BodyWish {
        let Some((..)) = operation(policy, request).filter(|(policy, _)| policy.responses != Mode::Off) else {
            return BodyWish::Stream;
        };
        let media_type = response.head.fields.first(Known::ContentType).map(crate::view::media_type);
        // An event stream has no end to be waited for.
        let streams = media_type.is_none_or(|kind| is_opaque(&kind) || kind == "text/event-stream");
        if streams { BodyWish::Stream } else { BodyWish::Hold }
    }

    fn judge_response_body(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        body: &BodyView<'_>,
        out: &mut Findings,
    ) {
        let found = operation(policy, request).filter(|(policy, _)| body.whole && policy.responses != Mode::Off);
        let Some((policy, id)) = found else { return };
        let limits = JsonLimits::default();
        let json = body.is_json().then(|| body.json().map_err(Clone::clone));
        let input = BodyInput { bytes: body.bytes, json, limits: &limits };
        let content_type = text(body.content_type);
        let sent = (!content_type.is_empty()).then_some(&*content_type);
        let status = response.head.status;
        let judged = policy.contract.judge_response_body(id, status, sent, Some(&input), policy.strictness());
        out.extend(judged.violations.iter().map(|violation| policy.response_finding(violation)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::ConnectionFacts;
    use bytes::Bytes;
    use model::head::{HttpVersion, RequestHead};
    use model::{ApiName, Timestamp, Verdict};

    const DOCUMENT: &str = r#"
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      parameters:
        - {name: expand, in: query, schema: {type: string, enum: [lines]}}
      responses: {"200": {description: ok}}
    put:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [state]
              properties: {state: {type: string, enum: [open, closed]}, note: {type: string}}
      responses: {"204": {description: done}}
"#;

    fn policy(mode: Mode) -> Policy {
        let loaded = schema::openapi::load_bytes("orders.yaml", DOCUMENT.as_bytes(), &Default::default());
        assert!(loaded.is_sound(), "{:?}", loaded.diagnostics);
        let mut policy = Policy::new(ApiName::from("orders"), mode);
        policy.contract = Some(Arc::new(ContractPolicy::new(Arc::new(loaded.contract.unwrap()))));
        policy
    }

    fn judge(
        policy: &Policy,
        method: &'static str,
        target: &'static str,
        body: Option<&'static str>,
    ) -> (Vec<String>, Verdict) {
        let fields = [("Host", "a"), ("Content-Type", "application/json")];
        let head = RequestHead {
            version: HttpVersion::H11,
            method: Bytes::from_static(method.as_bytes()),
            target: Bytes::from_static(target.as_bytes()),
            authority: Bytes::from_static(b"a"),
            fields: Fields::from_pairs(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))),
            raw: None,
        };
        let connection =
            ConnectionFacts { peer: [127, 0, 0, 1].into(), tls: false, sni: None, client_certificate: None };
        let api = ApiName::from("orders");
        let request = RequestView {
            head: &head,
            path: head.path(),
            query: head.query(),
            framing: body.map_or(Framing::None, |body| Framing::Length(body.len() as u64)),
            notes: &[],
            connection: &connection,
            client: connection.peer,
            session: None,
            endpoint: None,
            api: &api,
            now: Timestamp(0),
        };
        let mut findings = Findings::new();
        ContractStage.judge_request(policy, &request, &mut findings);
        if let Some(body) = body {
            let view = BodyView::new(body.as_bytes(), true, "application/json", b"application/json");
            ContractStage.judge_request_body(policy, &request, &view, &mut findings);
        }
        let verdict = crate::decide(policy, &request, &findings);
        let shown = findings.iter().map(|finding| format!("{} {}", finding.reason.code(), finding.place.text()));
        (shown.collect(), verdict)
    }

    #[test]
    fn what_the_contract_says_passes_and_everything_else_is_named() {
        let policy = policy(Mode::Block);
        for (method, target, body, expected, refused) in [
            ("GET", "/orders/42?expand=lines", None, "", false),
            ("HEAD", "/orders/42", None, "", false),
            ("PUT", "/orders/42", Some(r#"{"state":"open"}"#), "", false),
            ("GET", "/orders/x", None, "contract.parameter-invalid path:id", true),
            ("GET", "/orders/42?expand=all", None, "contract.parameter-invalid query:expand", true),
            ("GET", "/orders/42?debug=1", None, "contract.undeclared-parameter query:debug", false),
            ("DELETE", "/orders/42", None, "contract.unknown-method request-line", true),
            ("GET", "/admin", None, "contract.unknown-endpoint path", true),
            ("PUT", "/orders/42", None, "contract.body-missing body:", true),
            ("PUT", "/orders/42", Some("{"), "contract.body-malformed body:", true),
            ("PUT", "/orders/42", Some(r#"{"state":"lost"}"#), "contract.body-invalid body:/state", true),
        ] {
            let (findings, verdict) = judge(&policy, method, target, body);
            assert_eq!(findings.join(", "), expected, "{method} {target} {body:?}");
            assert_eq!(verdict.refuses(), refused, "{method} {target} {body:?}");
        }
    }

    #[test]
    fn monitoring_says_what_it_would_have_refused() {
        let (_, verdict) = judge(&policy(Mode::Monitor), "GET", "/admin", None);
        assert!(!verdict.refuses());
        assert_eq!(verdict.would_refuse.map(Reason::code), Some("contract.unknown-endpoint"));
    }
}
