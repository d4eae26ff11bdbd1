//! Stage `crs`: rules in SecLang that the operator loaded, such as the OWASP Core Rule Set.
//!
//! How rules are read and carried out, the crate `seclang` knows; here exchanges are handed to it, and what it reports
//! becomes findings: one for each rule that matched (the number, the message, a tag, the variable; never the value), and
//! one that is sure when the rules refuse. A request with a body is judged once, when its body is there, so that both
//! phases of the rules see one set of variables.

use std::sync::Arc;

use model::finding::{Confidence, Finding, Findings, Place};
use model::head::{Fields, HttpVersion};
use model::reason::{Reason, RuleReason, StageId};
use seclang::variable::Variable;
use seclang::{Body, Match, Report, Request, Response, Rules};

use crate::http1::Framing;
use crate::policy::Policy;
use crate::stage::Stage;
use crate::view::{BodyView, BodyWish, RequestView, ResponseView, is_opaque, media_type};

/// Loaded rules.
#[derive(Clone, Debug)]
pub struct CrsPolicy {
    /// The rules, compiled; APIs with the same settings share them.
    pub rules: Arc<Rules>,
}

/// The stage.
pub struct Crs;

impl Stage for Crs {
    fn id(&self) -> StageId {
        StageId::Crs
    }

    fn judge_request(&self, policy: &Policy, request: &RequestView<'_>, out: &mut Findings) {
        let Some(crs) = &policy.crs else { return };
        if !holds_body(request) {
            judge(crs, request, None, out);
        }
    }

    fn request_body_wish(&self, policy: &Policy, request: &RequestView<'_>) -> BodyWish {
        if policy.crs.is_some() && holds_body(request) { BodyWish::Hold } else { BodyWish::Stream }
    }

    fn judge_request_body(&self, policy: &Policy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
        let Some(crs) = &policy.crs else { return };
        if holds_body(request) {
            judge(crs, request, Some(body), out);
        }
    }

    fn judge_response(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        out: &mut Findings,
    ) {
        let Some(crs) = &policy.crs else { return };
        if crs.rules.judges_responses() && !reads_body(crs, response) {
            judge_answer(crs, request, response, None, out);
        }
    }

    fn response_body_wish(&self, policy: &Policy, _request: &RequestView<'_>, response: &ResponseView<'_>) -> BodyWish {
        match &policy.crs {
            Some(crs) if reads_body(crs, response) => BodyWish::Hold,
            _ => BodyWish::Stream,
        }
    }

    fn judge_response_body(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        body: &BodyView<'_>,
        out: &mut Findings,
    ) {
        let Some(crs) = &policy.crs else { return };
        if reads_body(crs, response) {
            judge_answer(crs, request, response, Some(body), out);
        }
    }
}

/// The request has a body that rules can read.
fn holds_body(request: &RequestView<'_>) -> bool {
    request.framing != Framing::None && !request.media_type().is_some_and(|media_type| is_opaque(&media_type))
}

fn reads_body(crs: &CrsPolicy, response: &ResponseView<'_>) -> bool {
    let media_type = response.head.fields.first(model::head::Known::ContentType).map(media_type);
    media_type.is_some_and(|media_type| crs.rules.reads_response(&media_type))
}

/// The version as rules compare it.
const fn protocol(version: HttpVersion) -> &'static str {
    match version {
        HttpVersion::H10 => "HTTP/1.0",
        HttpVersion::H11 => "HTTP/1.1",
        HttpVersion::H2 => "HTTP/2.0",
    }
}

fn pairs(fields: &Fields) -> Vec<(&[u8], &[u8])> {
    fields.iter().map(|field| (field.name, field.value)).collect()
}

/// Hands the request to `judge` in the form that rules see.
fn with_request<T>(request: &RequestView<'_>, body: Option<&BodyView<'_>>, judge: impl FnOnce(&Request<'_>) -> T) -> T {
    let mut fields = pairs(&request.head.fields);
    let authority: &[u8] = &request.head.authority;
    // HTTP/2 has the host in a pseudo-header.
    if request.head.version == HttpVersion::H2 && request.head.fields.named(b"host").is_none() {
        fields.push((b"Host", authority));
    }
    let body = body.map(|body| {
        let json = if body.is_json() { body.json().ok() } else { None };
        Body { bytes: body.bytes, whole: body.whole, json }
    });
    judge(&Request {
        method: &request.head.method,
        target: &request.head.target,
        protocol: protocol(request.head.version),
        fields: &fields,
        client: request.client,
        unique: request.now.0.unsigned_abs(),
        body,
    })
}

fn judge(crs: &CrsPolicy, request: &RequestView<'_>, body: Option<&BodyView<'_>>, out: &mut Findings) {
    let report = with_request(request, body, |request| crs.rules.judge_request(request));
    tell(&report, RuleReason::Denied, out);
}

fn judge_answer(
    crs: &CrsPolicy,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    body: Option<&BodyView<'_>>,
    out: &mut Findings,
) {
    let fields = pairs(&response.head.fields);
    let answer = Response {
        status: response.head.status,
        protocol: protocol(response.head.version),
        fields: &fields,
        body: body.map(|body| Body { bytes: body.bytes, whole: body.whole, json: None }),
    };
    let report = with_request(request, None, |request| crs.rules.judge_response(request, &answer));
    tell(&report, RuleReason::ResponseDenied, out);
}

/// Findings of a report: each rule that matched, then the refusal.
fn tell(report: &Report, denied: RuleReason, out: &mut Findings) {
    for found in &report.matches {
        // The refusing rule tells of the score, not of a value; it is the finding below.
        if report.denial.as_ref().is_some_and(|denial| denial.rule == found.rule) {
            continue;
        }
        let tag = found.tags.iter().find(|tag| tag.starts_with("attack-")).or(found.tags.first());
        let tag = tag.map(|tag| format!(" [{tag}]")).unwrap_or_default();
        let evidence = format!("rule {}: {}{tag}", found.rule, found.message);
        out.push(Finding::new(Reason::Crs(RuleReason::Matched), Confidence::Likely, place(found), &evidence));
    }
    if let Some(denial) = &report.denial {
        let confidence = if report.detection_only { Confidence::Likely } else { Confidence::Sure };
        let place = report.matches.first().map_or(Place::RequestLine, place);
        let evidence = format!("rule {}: {}", denial.rule, denial.message);
        out.push(Finding::new(Reason::Crs(denied), confidence, place, &evidence));
    }
    if report.incomplete {
        let evidence = "more values than are looked at, or the budget of work ended";
        let place = Place::Body("".into());
        out.push(Finding::new(Reason::Crs(RuleReason::Incomplete), Confidence::Likely, place, evidence));
    }
}

/// The place of the variable that matched.
fn place(found: &Match) -> Place {
    let name: Box<str> = String::from_utf8_lossy(&found.name).into();
    let body_name = || {
        name.strip_prefix("json.").map_or_else(|| name.clone(), |rest| format!("/{}", rest.replace('.', "/")).into())
    };
    match found.variable {
        Variable::ArgsGet | Variable::ArgsGetNames => Place::Query(name),
        Variable::ArgsPost | Variable::ArgsPostNames => Place::Body(body_name()),
        Variable::QueryString => Place::Query("".into()),
        Variable::RequestHeaders | Variable::RequestHeadersNames => Place::Header(name.to_ascii_lowercase().into()),
        Variable::RequestCookies | Variable::RequestCookiesNames => Place::Cookie(name),
        Variable::RequestFilename | Variable::RequestBasename | Variable::RequestUri | Variable::RequestUriRaw => {
            Place::Path
        }
        Variable::RequestBody
        | Variable::Xml
        | Variable::Files
        | Variable::FilesNames
        | Variable::MultipartPartHeaders
        | Variable::MultipartFilename => Place::Body(name),
        Variable::ResponseStatus | Variable::Status | Variable::StatusLine => Place::Status,
        Variable::ResponseHeaders | Variable::ResponseHeadersNames => {
            Place::ResponseHeader(name.to_ascii_lowercase().into())
        }
        Variable::ResponseBody => Place::ResponseBody("".into()),
        _ => Place::RequestLine,
    }
}
