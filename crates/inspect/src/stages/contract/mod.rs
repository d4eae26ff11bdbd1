//! Stage `contract`: positive security; a message must be as its declared or learned contract says.
//!
//! What a well-formed message is, the crate `schema` knows; here its violations become findings. A finding names the place,
//! the rule and what was expected, never the value. An API may have several contracts at once: GraphQL, SOAP and XML at the
//! paths that are configured for them, gRPC for what says it is gRPC, OpenAPI for the rest.

mod extensions;
mod gate;
mod graphql;
mod grpc;
mod hygiene;
mod openapi;
mod soap;
mod socket;
mod xml;

use std::borrow::Cow;
use std::sync::Arc;

use model::finding::{Confidence, Finding, Findings, Place};
use model::head::{Fields, Known};
use model::mode::Mode;
use model::reason::{ContractReason, Reason, StageId};
use schema::grpc::GrpcContract;
use schema::openapi::{Contract, Match, OperationId};

pub use extensions::OperationPolicy;
pub use gate::MessageGate;
pub use graphql::{GraphqlService, WebSockets};
pub use grpc::{gate_request, gate_response};
pub use soap::SoapService;
pub use socket::{SocketGate, SocketTurn, gate_socket, judges_socket};
pub use xml::XmlService;

use crate::http1::Framing;
use crate::policy::{Policy, StageModes};
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

/// The contracts of one API and how strictly they hold.
#[derive(Clone)]
pub struct ContractPolicy {
    openapi: Option<Arc<Contract>>,
    /// What `x-portreeve-*` says of each operation, by its position; empty when it says nothing anywhere.
    operations: Vec<OperationPolicy>,
    /// GraphQL.
    pub graphql: Option<Arc<GraphqlService>>,
    /// gRPC.
    pub grpc: Option<Arc<GrpcContract>>,
    /// SOAP.
    pub soap: Option<Arc<SoapService>>,
    /// XML that is not SOAP.
    pub xml: Option<Arc<XmlService>>,
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
            .field("openapi", &self.openapi.as_ref().map(|contract| contract.operations().len()))
            .field("graphql", &self.graphql.is_some())
            .field("grpc", &self.grpc.is_some())
            .field("soap", &self.soap.is_some())
            .field("xml", &self.xml.is_some())
            .field("unknown_endpoints", &self.unknown_endpoints)
            .field("undeclared_parameters", &self.undeclared_parameters)
            .field("responses", &self.responses)
            .finish()
    }
}

impl Default for ContractPolicy {
    /// No contract yet: unknown endpoints are refused in mode `block`, undeclared parameters and responses reported.
    fn default() -> Self {
        Self {
            openapi: None,
            operations: Vec::new(),
            graphql: None,
            grpc: None,
            soap: None,
            xml: None,
            unknown_endpoints: Unmentioned::Refuse,
            undeclared_parameters: Unmentioned::Report,
            responses: Mode::Monitor,
        }
    }
}

/// What a request is held to.
enum Service<'p> {
    Openapi(&'p Contract, Match),
    Graphql(&'p GraphqlService),
    Grpc(&'p Arc<GrpcContract>),
    Soap(&'p SoapService),
    Xml(&'p XmlService),
    /// There are contracts, and none of them is for this.
    None,
}

/// The contract that a request is held to. What is declared comes first; what was learned about a saved endpoint stands
/// where nothing is declared.
fn held_to<'p>(policy: &'p Policy, request: &RequestView<'_>) -> Option<(&'p ContractPolicy, Service<'p>)> {
    let declared = policy.contract.as_deref().map(|contract| (contract, contract.service(request)));
    match declared {
        Some((_, Service::None | Service::Openapi(_, Match::UnknownMethod(_) | Match::UnknownEndpoint))) | None => {}
        Some(_) => return declared,
    }
    let known = policy.known.as_deref();
    let located = known.and_then(|known| known.find(&request.head.method, request.head.host(), request.path));
    let learned = located.and_then(|located| {
        let (learned, id, values) = located.contract?;
        Some((learned, Service::Openapi(learned.openapi.as_deref()?, Match::Operation(id, values))))
    });
    learned.or(declared)
}

impl Service<'_> {
    /// The operation of OpenAPI, where there is one.
    fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Openapi(_, Match::Operation(id, _)) => Some(*id),
            _ => None,
        }
    }
}

impl ContractPolicy {
    /// A policy with an OpenAPI contract, as strict as the default; what the document sets itself does not hold.
    pub fn new(contract: Arc<Contract>) -> Self {
        Self { openapi: Some(contract), ..Self::default() }
    }

    /// A policy with an OpenAPI contract, as strict as the default and as the document says. What its `x-portreeve-*` extensions say wrongly is
    /// listed, a sentence each, and does not hold.
    pub fn of_openapi(contract: Arc<Contract>) -> (Self, Vec<String>) {
        let (operations, mistakes) = extensions::operation_policies(&contract);
        (Self { openapi: Some(contract), operations, ..Self::default() }, mistakes)
    }

    /// The OpenAPI contract.
    pub fn openapi(&self) -> Option<&Arc<Contract>> {
        self.openapi.as_ref()
    }

    /// What the document says of an operation beyond its contract.
    pub fn operation_policy(&self, id: OperationId) -> Option<&OperationPolicy> {
        self.operations.get(id.0 as usize)
    }

    /// The modes that an operation's own document sets take the place of the configured ones.
    pub fn override_modes(&self, request: &RequestView<'_>, modes: &mut StageModes) {
        if self.operations.is_empty() {
            return;
        }
        let own = self.service(request).operation().and_then(|id| self.operation_policy(id));
        for (stage, mode) in own.into_iter().flat_map(|own| &own.modes) {
            modes.set(*stage, *mode);
        }
    }

    fn responses_at(&self, id: OperationId) -> Mode {
        self.operation_policy(id).and_then(|own| own.responses).unwrap_or(self.responses)
    }

    fn undeclared_at(&self, id: OperationId) -> Unmentioned {
        self.operation_policy(id).and_then(|own| own.undeclared).unwrap_or(self.undeclared_parameters)
    }

    fn service(&self, request: &RequestView<'_>) -> Service<'_> {
        if let Some(graphql) = self.graphql.as_deref().filter(|graphql| graphql.is_at(request.path)) {
            return Service::Graphql(graphql);
        }
        if let Some(soap) = self.soap.as_deref().filter(|soap| soap.is_at(request.path)) {
            return Service::Soap(soap);
        }
        if let Some(xml) = self.xml.as_deref().filter(|xml| xml.is_at(request.path)) {
            return Service::Xml(xml);
        }
        let is_grpc = || request.media_type().is_some_and(|kind| kind.starts_with("application/grpc"));
        match (&self.grpc, &self.openapi) {
            (Some(grpc), None) => Service::Grpc(grpc),
            (Some(grpc), Some(_)) if is_grpc() => Service::Grpc(grpc),
            (_, Some(contract)) => Service::Openapi(contract, openapi::matched(contract, request)),
            (None, None) => Service::None,
        }
    }

    fn unknown_endpoint(&self, out: &mut Findings) {
        if self.unknown_endpoints != Unmentioned::Ignore {
            let reason = Reason::Contract(ContractReason::UnknownEndpoint);
            out.push(Finding::new(reason, self.unknown_endpoints.confidence(), Place::Path, ""));
        }
    }

    fn unknown_method(&self, declared: &str, out: &mut Findings) {
        if self.unknown_endpoints != Unmentioned::Ignore {
            let reason = Reason::Contract(ContractReason::UnknownMethod);
            let evidence = format!("declared: {declared}");
            out.push(Finding::new(reason, self.unknown_endpoints.confidence(), Place::RequestLine, &evidence));
        }
    }
}

/// A departure that is certain, as a finding.
fn sure(reason: ContractReason, place: Place, evidence: &str) -> Finding {
    Finding::new(Reason::Contract(reason), Confidence::Sure, place, evidence)
}

/// How sure findings of responses are: only what may be refused is.
const fn response_confidence(mode: Mode) -> Confidence {
    match mode {
        Mode::Block => Confidence::Sure,
        Mode::Off | Mode::Monitor => Confidence::Likely,
    }
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
        let Some((policy, service)) = held_to(policy, request) else { return };
        match service {
            Service::Openapi(contract, matched) => openapi::judge_request(policy, contract, matched, request, out),
            Service::Graphql(service) => graphql::judge_request(policy, service, request, out),
            Service::Grpc(contract) => grpc::judge_request(policy, contract, request, out),
            Service::Soap(_) => soap::judge_request(policy, request, out),
            Service::Xml(_) => xml::judge_request(request, out),
            Service::None => policy.unknown_endpoint(out),
        }
    }

    fn request_body_wish(&self, policy: &Policy, request: &RequestView<'_>) -> BodyWish {
        if request.framing == Framing::None {
            return BodyWish::Stream;
        }
        let is_held = match held_to(policy, request) {
            Some((_, service @ Service::Openapi(..))) => {
                !request.media_type().is_some_and(|kind| is_opaque(&kind)) && service.operation().is_some()
            }
            Some((_, Service::Graphql(_) | Service::Soap(_) | Service::Xml(_))) => true,
            // Messages are judged one by one on their way: see `gate_request`.
            Some((_, Service::Grpc(_) | Service::None)) | None => false,
        };
        if is_held { BodyWish::Hold } else { BodyWish::Stream }
    }

    fn judge_request_body(&self, policy: &Policy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
        let held = held_to(policy, request);
        let knows_json =
            held.as_ref().is_some_and(|(_, held)| held.operation().is_some() || !matches!(held, Service::Openapi(..)));
        hygiene::judge_json(body, knows_json, out);
        let Some((contract, service)) = held else { return };
        let operation = service.operation();
        match service {
            Service::Grpc(_) if body.whole => grpc::judge_whole_request(policy, request, body, out),
            Service::Grpc(_) | Service::None => {}
            // Judged by its type alone, with the head.
            Service::Openapi(..) if is_opaque(body.media_type) || operation.is_none() => {}
            _ if !body.whole => {
                let evidence = "the body is larger than what is inspected";
                out.push(sure(ContractReason::BodyUninspected, Place::Body("".into()), evidence));
            }
            Service::Openapi(own, _) => {
                if let Some(id) = operation {
                    openapi::judge_request_body(contract, own, id, body, out);
                }
            }
            Service::Graphql(own) => graphql::judge_request_body(own, request, body, out),
            Service::Soap(own) => soap::judge_request_body(own, request, body, out),
            Service::Xml(own) => xml::judge_request_body(own, body, out),
        }
    }

    fn judge_response(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        out: &mut Findings,
    ) {
        let Some((policy, Service::Openapi(contract, Match::Operation(id, _)))) = held_to(policy, request) else {
            return;
        };
        if policy.responses_at(id) != Mode::Off {
            openapi::judge_response(policy, contract, id, response, out);
        }
    }

    fn response_body_wish(&self, policy: &Policy, request: &RequestView<'_>, response: &ResponseView<'_>) -> BodyWish {
        let Some((contract, service)) = held_to(policy, request) else { return BodyWish::Stream };
        let mode = match &service {
            Service::Grpc(_) => return grpc::response_body_wish(contract, request),
            Service::Openapi(..) => service.operation().map_or(Mode::Off, |id| contract.responses_at(id)),
            Service::Graphql(_) | Service::Soap(_) | Service::Xml(_) => contract.responses,
            Service::None => Mode::Off,
        };
        let media_type = response.head.fields.first(Known::ContentType).map(crate::view::media_type);
        // An event stream has no end to be waited for.
        let streams = media_type.is_none_or(|kind| is_opaque(&kind) || kind == "text/event-stream");
        if streams || mode == Mode::Off { BodyWish::Stream } else { BodyWish::Hold }
    }

    fn judge_response_body(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        body: &BodyView<'_>,
        out: &mut Findings,
    ) {
        let Some((contract, service)) = held_to(policy, request).filter(|_| body.whole) else { return };
        match service {
            Service::Openapi(own, Match::Operation(id, _)) if contract.responses_at(id) != Mode::Off => {
                openapi::judge_response_body(contract, own, id, response, body, out);
            }
            Service::Graphql(_) if contract.responses != Mode::Off => {
                graphql::judge_response_body(contract, body, out);
            }
            Service::Soap(own) if contract.responses != Mode::Off => {
                soap::judge_response_body(contract, own, body, out);
            }
            Service::Xml(own) if contract.responses != Mode::Off => {
                xml::judge_response_body(contract, own, body, out);
            }
            Service::Grpc(_) => grpc::judge_whole_response(policy, request, response, body, out),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
