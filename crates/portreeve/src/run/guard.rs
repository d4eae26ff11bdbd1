//! The admin API behind our own stage `contract`, with the OpenAPI document that the admin API is made from: what the document does
//! not allow does not reach a handler.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use console::Problem;
use inspect::http1::{Framing, canonical_target};
use inspect::pipeline::{judge_request, judge_request_body};
use inspect::stages::contract::{ContractPolicy, Unmentioned};
use inspect::view::{BodyView, ConnectionFacts, RequestView, media_type};
use inspect::{Policy, StageModes};
use model::finding::{Confidence, Finding, Findings, Place};
use model::head::Fields;
use model::{ApiName, HttpVersion, Mode, RequestHead, StageId};

use super::Error;

/// The longest body the console takes.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The policy of the admin API: its contract, and no other stage.
///
/// # Errors
/// When the document cannot be enforced, which a test rules out.
pub fn policy() -> Result<Arc<Policy>, Error> {
    let text = console::document().to_string();
    let loaded =
        schema::openapi::load_bytes("admin-api.json", text.as_bytes(), &schema::openapi::LoadOptions::default());
    let Some(contract) = loaded.contract else {
        let why = loaded.diagnostics.first().map_or_else(String::new, |first| first.message.to_string());
        return Err(Error::AdminContract(why));
    };
    let mut policy = Policy::new(ApiName::from("admin"), Mode::Off);
    policy.modes = StageModes::all(Mode::Off);
    policy.modes.set(StageId::Contract, Mode::Block);
    let mut contract = ContractPolicy::new(Arc::new(contract));
    // Pages, files and unknown resources are answered by the router, in its own words.
    contract.unknown_endpoints = Unmentioned::Ignore;
    contract.undeclared_parameters = Unmentioned::Ignore;
    policy.contract = Some(Arc::new(contract));
    Ok(Arc::new(policy))
}

/// Judges a request to the admin API before it goes on.
pub async fn judged(State(policy): State<Arc<Policy>>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        let text = format!("the body is longer than {BODY_BYTES_MAX} bytes or did not come whole");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", text).into_response();
    };
    if let Some(finding) = refused(&policy, &parts, &bytes) {
        let place = finding.place.text();
        return Problem::invalid(format!("`{place}` is not as documented: {}", finding.evidence)).into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// The first thing that is surely not as the document says.
fn refused(policy: &Policy, parts: &axum::http::request::Parts, body: &[u8]) -> Option<Finding> {
    let fields = parts.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let authority = parts.headers.get(header::HOST).map(|host| host.as_bytes().to_vec()).unwrap_or_default();
    let head = RequestHead {
        version: HttpVersion::H11,
        method: bytes::Bytes::copy_from_slice(parts.method.as_str().as_bytes()),
        target: bytes::Bytes::copy_from_slice(target.as_bytes()),
        authority: authority.into(),
        fields: Fields::from_pairs(fields),
        raw: None,
    };
    let canonical = canonical_target(head.path(), head.query());
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let connection = ConnectionFacts { peer: client, tls: false, sni: None, client_certificate: None };
    let view = RequestView {
        head: &head,
        path: &canonical.path,
        query: canonical.query.as_deref(),
        framing: if body.is_empty() { Framing::None } else { Framing::Length(body.len() as u64) },
        notes: &[],
        connection: &connection,
        client,
        session: None,
        endpoint: None,
        api: &policy.api,
        now: model::Timestamp::default(),
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let kind = media_type(content_type);
    let mut findings = Findings::new();
    judge_request(policy, &view, &mut findings);
    judge_request_body(policy, &view, &BodyView::new(body, true, &kind, content_type), &mut findings);
    // Who asks, and that no other site does, the console says itself and better.
    let ours = |finding: &Finding| matches!(finding.place, Place::Header(_));
    findings.into_iter().find(|finding| finding.confidence == Confidence::Sure && !ours(finding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, body: &str) -> Option<String> {
        let policy = policy().expect("the document can be enforced");
        let mut request = axum::http::Request::builder().method(method).uri(target).header("host", "127.0.0.1:9901");
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let (parts, ()) = request.header("x-portreeve", "1").body(()).expect("a request").into_parts();
        refused(&policy, &parts, body.as_bytes())
            .map(|finding| format!("{} {}", finding.reason.code(), finding.place.text()))
    }

    #[test]
    fn what_the_document_allows_passes_and_nothing_else() {
        assert_eq!(check("GET", "/api/v1/overview?since=7d", ""), None);
        assert_eq!(check("PATCH", "/api/v1/endpoints/e1", r#"{"state":"saved"}"#), None);
        assert_eq!(check("PUT", "/api/v1/policy/modes", r#"{"api":"shop","stage":"attacks","mode":"block"}"#), None);
        assert_eq!(check("PUT", "/api/v1/policy/modes", r#"{"api":"shop","stage":"attacks","mode":null}"#), None);
        assert_eq!(check("DELETE", "/api/v1/exceptions/1", ""), None);
        for (method, target, body) in [
            ("PATCH", "/api/v1/endpoints/e1", r#"{"state":"deleted"}"#),
            ("PATCH", "/api/v1/endpoints/e1", r#"{"state":"#),
            ("PUT", "/api/v1/policy/modes", r#"{"api":"shop"}"#),
            ("GET", "/api/v1/events?limit=many", ""),
        ] {
            assert!(check(method, target, body).is_some(), "{method} {target} {body}");
        }
    }
}
