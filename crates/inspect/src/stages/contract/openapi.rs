//! Messages judged by an OpenAPI document: its violations become findings, and what it proved becomes known to the stages
//! behind.

use std::borrow::Cow;

use model::finding::{Finding, Findings, Place};
use model::head::Known;
use model::mode::Mode;
use model::reason::{ContractReason, Reason};
use schema::json::JsonLimits;
use schema::openapi::{
    BodyInput, Contract, Match, MessagePlace, OperationId, RequestParts, Strictness, Violation, ViolationKind,
};

use super::{ContractPolicy, Unmentioned, borrowed, pairs, text};
use crate::http1::Framing;
use crate::view::{BodyView, RequestView, ResponseView, is_opaque, media_type};

/// What a request matches.
pub(super) fn matched(contract: &Contract, request: &RequestView<'_>) -> Match {
    match (text(&request.head.method), text(request.head.host()), std::str::from_utf8(request.path)) {
        (Cow::Borrowed(method), Cow::Borrowed(host), Ok(path)) => contract.match_operation(method, host, path),
        _ => Match::UnknownEndpoint,
    }
}

fn strictness(policy: &ContractPolicy, id: OperationId) -> Strictness {
    match policy.undeclared_at(id) {
        Unmentioned::Ignore => {
            Strictness { query: schema::rules::Undeclared::Ignore, members: schema::rules::Undeclared::Ignore }
        }
        Unmentioned::Report | Unmentioned::Refuse => Strictness::default(),
    }
}

/// Judges the head of a request.
pub(super) fn judge_request(
    policy: &ContractPolicy,
    contract: &Contract,
    matched: Match,
    request: &RequestView<'_>,
    out: &mut Findings,
) {
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
            let strictness = strictness(policy, id);
            let judged = contract.judge_request_head(id, &parts, strictness);
            out.extend(judged.violations.iter().map(|violation| request_finding(policy, id, violation)));
            super::extensions::judge_limits(policy.operation_policy(id), request, out);
            let judged = match request.head.fields.first(Known::ContentType) {
                _ if request.framing == Framing::None => contract.judge_request_body(id, None, None, strictness),
                // What is not looked into is never held; its type is judged all the same.
                Some(kind) if is_opaque(&media_type(kind)) => contract.judge_request_media(id, &text(kind)),
                _ => return,
            };
            out.extend(judged.violations.iter().map(|violation| request_finding(policy, id, violation)));
        }
        Match::UnknownMethod(allowed) => policy.unknown_method(&allowed.join(", "), out),
        Match::UnknownEndpoint => policy.unknown_endpoint(out),
    }
}

/// Judges the whole body of a request.
pub(super) fn judge_request_body(
    policy: &ContractPolicy,
    contract: &Contract,
    id: OperationId,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    super::extensions::judge_body_bytes(policy.operation_policy(id), body.bytes.len() as u64, out);
    let limits = JsonLimits::default();
    let json = body.is_json().then(|| body.json().map_err(Clone::clone));
    let input = BodyInput { bytes: body.bytes, json, limits: &limits };
    let content_type = text(body.content_type);
    let sent = (!content_type.is_empty()).then_some(&*content_type);
    let judged = contract.judge_request_body(id, sent, Some(&input), strictness(policy, id));
    out.extend(judged.violations.iter().map(|violation| request_finding(policy, id, violation)));
    body.set_proven(judged.proven);
}

/// Judges the head of a response.
pub(super) fn judge_response(
    policy: &ContractPolicy,
    contract: &Contract,
    id: OperationId,
    response: &ResponseView<'_>,
    out: &mut Findings,
) {
    let fields = pairs(&response.head.fields);
    let judged = contract.judge_response_head(id, response.head.status, &borrowed(&fields));
    out.extend(judged.violations.iter().map(|violation| response_finding(policy, id, violation)));
}

/// Judges the whole body of a response.
pub(super) fn judge_response_body(
    policy: &ContractPolicy,
    contract: &Contract,
    id: OperationId,
    response: &ResponseView<'_>,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    let limits = JsonLimits::default();
    let json = body.is_json().then(|| body.json().map_err(Clone::clone));
    let input = BodyInput { bytes: body.bytes, json, limits: &limits };
    let content_type = text(body.content_type);
    let sent = (!content_type.is_empty()).then_some(&*content_type);
    let status = response.head.status;
    let judged = contract.judge_response_body(id, status, sent, Some(&input), strictness(policy, id));
    out.extend(judged.violations.iter().map(|violation| response_finding(policy, id, violation)));
}

/// One violation as a finding of the request's side.
fn request_finding(policy: &ContractPolicy, id: OperationId, violation: &Violation) -> Finding {
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
        ContractReason::UndeclaredParameter => policy.undeclared_at(id).confidence(),
        _ => model::finding::Confidence::Sure,
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
fn response_finding(policy: &ContractPolicy, id: OperationId, violation: &Violation) -> Finding {
    let reason = match violation.kind {
        ViolationKind::StatusUndeclared => ContractReason::StatusUndeclared,
        ViolationKind::FieldUndeclared => ContractReason::ExcessData,
        _ => ContractReason::ResponseInvalid,
    };
    let confidence = match (policy.responses_at(id), reason) {
        (Mode::Block, ContractReason::ExcessData) => policy.undeclared_at(id).confidence(),
        (mode, _) => super::response_confidence(mode),
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
