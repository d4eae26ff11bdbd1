//! gRPC and gRPC-Web: services and methods by path, messages by their descriptors.

use std::sync::Arc;

use model::finding::{Findings, Place};
use model::head::Known;
use model::mode::Mode;
use model::reason::{ContractReason, StageId};
use schema::grpc::{GrpcContract, GrpcMatch, GrpcMethod, GrpcSide};

use super::gate::MessageGate;
use super::{ContractPolicy, Service, sure, text};
use crate::decide::Standing;
use crate::http1::Framing;
use crate::policy::Policy;
use crate::view::{BodyView, BodyWish, RequestView, ResponseView, media_type};

/// The form of a body: `None` when it is not protobuf in gRPC's frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    /// gRPC-Web, base64 of the same.
    Text,
}

fn form(content_type: &[u8]) -> Option<Form> {
    let essence = media_type(content_type);
    let rest = essence.strip_prefix("application/grpc")?;
    let (rest, form) = match rest.strip_prefix("-web") {
        Some(rest) => rest.strip_prefix("-text").map_or((rest, Form::Binary), |rest| (rest, Form::Text)),
        None => (rest, Form::Binary),
    };
    matches!(rest, "" | "+proto").then_some(form)
}

fn method(contract: &GrpcContract, request: &RequestView<'_>) -> Option<GrpcMethod> {
    match contract.match_method(&text(request.path)) {
        GrpcMatch::Method(method) => Some(method),
        GrpcMatch::UnknownMethod | GrpcMatch::UnknownService => None,
    }
}

/// Judges what a head says: the method of the service, and the form of the messages.
pub(super) fn judge_request(
    policy: &ContractPolicy,
    contract: &GrpcContract,
    request: &RequestView<'_>,
    out: &mut Findings,
) {
    // A preflight request of a browser (CORS), for gRPC-Web.
    if &*request.head.method == b"OPTIONS" {
        return;
    }
    match contract.match_method(&text(request.path)) {
        GrpcMatch::UnknownService => return policy.unknown_endpoint(out),
        GrpcMatch::UnknownMethod => return policy.unknown_method("other methods of this service", out),
        GrpcMatch::Method(_) => {}
    }
    if &*request.head.method != b"POST" {
        return policy.unknown_method("POST", out);
    }
    if request.head.fields.first(Known::ContentType).and_then(form).is_none() {
        let place = Place::Header("content-type".into());
        out.push(sure(ContractReason::ContentTypeUndeclared, place, "application/grpc, or application/grpc-web"));
    } else if request.framing == Framing::None
        && method(contract, request).is_some_and(|method| !method.is_streaming(GrpcSide::Request))
    {
        out.push(sure(ContractReason::BodyMissing, Place::Body("".into()), "one message"));
    }
}

/// The contract, the method and the policy that a message of this exchange is judged by.
fn found<'p>(
    policy: &'p Policy,
    request: &RequestView<'_>,
) -> Option<(&'p ContractPolicy, &'p Arc<GrpcContract>, GrpcMethod)> {
    if policy.modes_for(request).of(StageId::Contract) == Mode::Off {
        return None;
    }
    let contract = policy.contract.as_deref()?;
    let Service::Grpc(grpc) = contract.service(request) else { return None };
    Some((contract, grpc, method(grpc, request)?))
}

/// The judge of the messages of a request, where it is a gRPC call that the contract knows.
pub fn gate_request(policy: &Policy, request: &RequestView<'_>) -> Option<MessageGate> {
    let (contract, grpc, method) = found(policy, request)?;
    let form = form(request.head.fields.first(Known::ContentType)?)?;
    let coding = request.head.fields.named(b"grpc-encoding").unwrap_or_default();
    let standing = Standing::of(policy, request, StageId::Contract);
    let is_text = form == Form::Text;
    Some(MessageGate::new(grpc, method, GrpcSide::Request, contract.responses, coding, is_text, standing))
}

/// The judge of the messages of a response.
pub fn gate_response(policy: &Policy, request: &RequestView<'_>, response: &ResponseView<'_>) -> Option<MessageGate> {
    let (contract, grpc, method) = found(policy, request)?;
    if contract.responses == Mode::Off {
        return None;
    }
    let form = form(response.head.fields.first(Known::ContentType)?)?;
    let coding = response.head.fields.named(b"grpc-encoding").unwrap_or_default();
    let standing = Standing::of(policy, request, StageId::Contract);
    let is_text = form == Form::Text;
    Some(MessageGate::new(grpc, method, GrpcSide::Response, contract.responses, coding, is_text, standing))
}

/// A single answer that may be refused is held, so that the refusal can still be said; streams are judged on their way.
pub(super) fn response_body_wish(contract: &ContractPolicy, request: &RequestView<'_>) -> BodyWish {
    let is_single = contract
        .grpc
        .as_ref()
        .and_then(|grpc| method(grpc, request))
        .is_some_and(|method| !method.is_streaming(GrpcSide::Response) && !method.is_streaming(GrpcSide::Request));
    if is_single && contract.responses == Mode::Block { BodyWish::Hold } else { BodyWish::Stream }
}

fn judge_whole(gate: Option<MessageGate>, body: &BodyView<'_>, out: &mut Findings) {
    let Some(mut gate) = gate else { return };
    gate.feed(body.bytes);
    gate.end();
    out.extend(gate.into_findings());
}

/// Judges a request that another stage has held whole.
pub(super) fn judge_whole_request(policy: &Policy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
    judge_whole(gate_request(policy, request), body, out);
}

/// Judges a response that was held whole.
pub(super) fn judge_whole_response(
    policy: &Policy,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    judge_whole(gate_response(policy, request, response), body, out);
}
