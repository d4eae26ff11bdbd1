//! GraphQL over HTTP: GET, JSON, `application/graphql`, multipart uploads and batches, each operation judged by limits, by the
//! schema and by the list of persisted queries.

use std::borrow::Cow;

use model::finding::{Finding, Findings, Place};
use model::head::Known;
use model::reason::{ContractReason, Reason};
use schema::graphql::{
    GraphqlContract, GraphqlProblem, GraphqlRequest, GraphqlViolation, OperationKind, RequestError,
    operations_of_upload, requests_from_get, requests_from_json,
};
use schema::json::{JsonLimits, Kind, Tape, Value};

use super::{ContractPolicy, response_confidence, sure, text};
use crate::http1::Framing;
use crate::view::{BodyView, RequestView};

/// Most pairs of a query that are looked at.
const QUERY_PAIRS_MAX: usize = 100;

/// What becomes of connections that change to WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebSockets {
    /// Every operation sent over them is judged as one that is posted.
    #[default]
    Judge,
    /// They are refused.
    Refuse,
    /// They pass, and what is sent over them is not judged.
    Pass,
}

/// A GraphQL service and the paths it answers at.
pub struct GraphqlService {
    /// Paths in canonical form.
    pub paths: Vec<String>,
    /// What operations may be.
    pub contract: GraphqlContract,
    /// Subscriptions over WebSocket.
    pub websockets: WebSockets,
}

impl GraphqlService {
    pub(super) fn is_at(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|own| own.as_bytes() == path)
    }
}

/// Judges what a head says: the method, and an operation in the query.
pub(super) fn judge_request(
    policy: &ContractPolicy,
    service: &GraphqlService,
    request: &RequestView<'_>,
    out: &mut Findings,
) {
    match &*request.head.method {
        b"GET" | b"HEAD" if request.head.fields.first(Known::Upgrade).is_some() => {
            let place = Place::Header("upgrade".into());
            match service.websockets {
                WebSockets::Judge => super::socket::judge_upgrade(request, out),
                WebSockets::Refuse => {
                    out.push(sure(ContractReason::GraphqlInvalid, place, "operations over HTTP, not over WebSocket"));
                }
                WebSockets::Pass => {}
            }
            // A server that does not take the offer up answers the request as it stands.
            if pairs(request.query.unwrap_or_default()).iter().any(|(name, _)| is_operation_part(name)) {
                judge_query(service, request, out);
            }
        }
        b"GET" | b"HEAD" => judge_query(service, request, out),
        // A preflight request of a browser (CORS).
        b"OPTIONS" => {}
        b"POST" => {
            // A server that reads both places runs another operation than the one in the body.
            for (name, _) in pairs(request.query.unwrap_or_default()) {
                if is_operation_part(&name) {
                    let evidence = "a POST carries its operation in the body";
                    out.push(sure(ContractReason::UndeclaredParameter, Place::Query(name.into()), evidence));
                }
            }
            if request.framing == Framing::None {
                out.push(sure(ContractReason::BodyMissing, Place::Body("".into()), "an operation"));
            }
        }
        _ => policy.unknown_method("GET, POST", out),
    }
}

/// Parameters of a query that servers take an operation from.
fn is_operation_part(name: &str) -> bool {
    matches!(name, "query" | "operationName" | "variables" | "extensions" | "documentId" | "id")
}

fn judge_query(service: &GraphqlService, request: &RequestView<'_>, out: &mut Findings) {
    let pairs = pairs(request.query.unwrap_or_default());
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
        out.push(sure(ContractReason::ParameterInvalid, Place::Query((*twice).into()), "the parameter once"));
        return;
    }
    let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match requests_from_get(&borrowed) {
        Ok(requests) => judge_all(service, &requests, Carrier::Query, out),
        Err(error) => out.push(sure(ContractReason::GraphqlInvalid, Place::Query("query".into()), &error.to_string())),
    }
}

/// The pairs of a query, decoded as forms are.
fn pairs(query: &[u8]) -> Vec<(String, String)> {
    let split = query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).take(QUERY_PAIRS_MAX);
    split
        .map(|pair| {
            let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let value = pair.get(end + 1..).unwrap_or_default();
            (decoded(pair.get(..end).unwrap_or_default()), decoded(value))
        })
        .collect()
}

fn decoded(text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _, _) => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where an operation came from, which decides what it may be and how its place is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Query,
    Body,
    Batch,
    /// A message of a WebSocket.
    Message,
}

/// Judges the operations of a body.
pub(super) fn judge_request_body(
    service: &GraphqlService,
    request: &RequestView<'_>,
    body: &BodyView<'_>,
    out: &mut Findings,
) {
    if &*request.head.method != b"POST" {
        return;
    }
    let whole = || Place::Body("".into());
    let batch_max = service.contract.limits().batch_max;
    match body.media_type {
        _ if body.is_json() => match body.json() {
            Ok(tape) => judge_json(service, tape.root(), batch_max, out),
            Err(error) => out.push(sure(
                if error.kind.is_limit() { ContractReason::JsonLimit } else { ContractReason::BodyMalformed },
                whole(),
                &format!("JSON; {error}"),
            )),
        },
        "application/graphql" => match std::str::from_utf8(body.bytes) {
            Ok(document) => judge_all(service, &[GraphqlRequest::of_document(document)], Carrier::Body, out),
            Err(_) => out.push(sure(ContractReason::BodyMalformed, whole(), "UTF-8 text")),
        },
        "multipart/form-data" => {
            let json = operations_of_upload(&text(body.content_type), body.bytes);
            let limits = JsonLimits::default();
            match json.as_deref().map(|json| Tape::parse(json, &limits)) {
                Ok(Ok(tape)) => judge_json(service, tape.root(), batch_max, out),
                _ => {
                    out.push(sure(ContractReason::BodyMalformed, whole(), &RequestError::Multipart.to_string()));
                }
            }
        }
        _ => {
            let expected = "application/json, application/graphql or multipart/form-data";
            out.push(sure(ContractReason::ContentTypeUndeclared, Place::Header("content-type".into()), expected));
        }
    }
}

fn judge_json(service: &GraphqlService, root: Value<'_>, batch_max: usize, out: &mut Findings) {
    let carrier = if root.kind() == Kind::Array { Carrier::Batch } else { Carrier::Body };
    match requests_from_json(root, batch_max) {
        Ok(requests) => judge_all(service, &requests, carrier, out),
        Err(error) => {
            let reason = match error {
                RequestError::Batch => ContractReason::GraphqlLimit,
                _ => ContractReason::GraphqlInvalid,
            };
            out.push(sure(reason, Place::Body("".into()), &error.to_string()));
        }
    }
}

pub(super) fn judge_all(service: &GraphqlService, requests: &[GraphqlRequest], carrier: Carrier, out: &mut Findings) {
    let mut cost = 0u64;
    for (at, request) in requests.iter().enumerate() {
        let judged = service.contract.judge(request);
        let place = || match carrier {
            Carrier::Query => Place::Query("query".into()),
            Carrier::Body => Place::Body("/query".into()),
            Carrier::Message => Place::Body("/payload/query".into()),
            Carrier::Batch => Place::Body(format!("/{at}/query").into()),
        };
        out.extend(judged.violations.iter().map(|violation| finding(violation, place())));
        // GraphQL over HTTP, 4.3: a GET changes nothing, so links and caches must not make it.
        if carrier == Carrier::Query && judged.kind.is_some_and(|kind| kind == OperationKind::Mutation) {
            out.push(sure(ContractReason::GraphqlInvalid, place(), "mutations are sent with POST"));
        }
        cost = cost.saturating_add(judged.measures.cost);
    }
    // A batch is one request: what its operations cost together counts.
    let cost_max = service.contract.limits().cost_max;
    if requests.len() > 1 && cost > cost_max {
        let evidence = format!("cost_max: at most {cost_max} for the whole batch");
        out.push(sure(ContractReason::GraphqlLimit, Place::Body("".into()), &evidence));
    }
}

fn finding(violation: &GraphqlViolation, place: Place) -> Finding {
    let reason = match violation.problem {
        GraphqlProblem::Syntax | GraphqlProblem::Invalid | GraphqlProblem::Variables | GraphqlProblem::Operation => {
            ContractReason::GraphqlInvalid
        }
        GraphqlProblem::Limit => ContractReason::GraphqlLimit,
        GraphqlProblem::Introspection => ContractReason::GraphqlIntrospection,
        GraphqlProblem::Persisted => ContractReason::GraphqlUnlisted,
    };
    let (line, column) = violation.position;
    let at = if line == 0 { Cow::Borrowed("") } else { Cow::Owned(format!(" at line {line}, column {column}")) };
    sure(reason, place, &format!("{}{at}: {}", violation.rule, violation.expected))
}

/// Judges the form of a response: what GraphQL answers with has few members (October 2021, section 7.1).
pub(super) fn judge_response_body(policy: &ContractPolicy, body: &BodyView<'_>, out: &mut Findings) {
    if !body.is_json() {
        return;
    }
    let confidence = response_confidence(policy.responses);
    let mut say = |reason, pointer: &str, evidence: &str| {
        let place = Place::ResponseBody(pointer.into());
        out.push(Finding::new(Reason::Contract(reason), confidence, place, evidence));
    };
    let root = match body.json() {
        Ok(tape) => tape.root(),
        Err(error) => return say(ContractReason::ResponseInvalid, "", &format!("JSON; {error}")),
    };
    let answers: Vec<Value<'_>> =
        if root.kind() == Kind::Array { root.items().into_iter().flatten().collect() } else { vec![root] };
    for answer in answers.into_iter().take(100) {
        let has = |name| answer.get(name).is_some();
        if answer.kind() != Kind::Object || !(has("data") || has("errors") || has("incremental") || has("hasNext")) {
            return say(ContractReason::ResponseInvalid, "", "an object with `data` or `errors`");
        }
        for (name, _) in answer.members().into_iter().flatten() {
            if !matches!(name, "data" | "errors" | "extensions" | "hasNext" | "incremental" | "pending" | "completed") {
                let mut pointer = String::from("/");
                pointer.extend(name.chars().take(64));
                say(ContractReason::ExcessData, &pointer, "only members of a GraphQL response");
            }
        }
    }
}
