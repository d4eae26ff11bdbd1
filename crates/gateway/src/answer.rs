//! Answers made by us, in the form the caller reads: problem details for programs (RFC 9457), a short page for browsers, a
//! gRPC status for gRPC.

use std::fmt::Write as _;

use bytes::Bytes;
use model::head::{HttpVersion, Known, RequestHead};
use model::reason::Reason;

/// What kind of program reads the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A program.
    Program,
    /// A browser that shows pages.
    Browser,
    /// A gRPC client.
    Grpc,
}

/// Who asked, as far as the form of an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    reader: Reader,
    to_head: bool,
}

impl Caller {
    /// The caller of a request.
    pub fn of(head: &RequestHead) -> Self {
        let content_type = head.fields.first(Known::ContentType).unwrap_or_default();
        let accept = head.fields.first(Known::Accept).unwrap_or_default();
        let reader = if content_type.starts_with(b"application/grpc") && head.version == HttpVersion::H2 {
            Reader::Grpc
        } else if head.fields.first(Known::SecFetchDest) == Some(b"document") || accept.starts_with(b"text/html") {
            Reader::Browser
        } else {
            Reader::Program
        };
        Self { reader, to_head: &*head.method == b"HEAD" }
    }

    /// The caller of bytes that never became a request.
    pub const fn unknown() -> Self {
        Self { reader: Reader::Program, to_head: false }
    }
}

/// An answer ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields, but for the length and the connection's own.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for HEAD.
    pub body: Bytes,
    /// The length of the body that a GET would have had.
    pub content_length: u64,
}

impl Answer {
    /// An answer with a status. `reason` is named when given; the request id always is, so that an operator finds the
    /// event.
    pub fn new(status: u16, reason: Option<Reason>, request_id: &str, caller: Caller) -> Self {
        let (status, mut headers, body) = match caller.reader {
            Reader::Program => (
                status,
                vec![("Content-Type", "application/problem+json".to_owned())],
                problem(status, reason, request_id),
            ),
            Reader::Browser => (
                status,
                vec![("Content-Type", "text/html; charset=utf-8".to_owned())],
                page(status, reason, request_id),
            ),
            // gRPC over HTTP: the status is 200 and the outcome stands in trailers, here sent in the head.
            Reader::Grpc => (200, grpc(status, reason), String::new()),
        };
        headers.push(("Cache-Control", "no-store".to_owned()));
        headers.push(("X-Request-Id", request_id.to_owned()));
        match status {
            401 => headers.push(("WWW-Authenticate", "Bearer".to_owned())),
            429 | 503 => headers.push(("Retry-After", "1".to_owned())),
            _ => {}
        }
        let content_length = body.len() as u64;
        let body = if caller.to_head { Bytes::new() } else { Bytes::from(body) };
        Self { status, headers, body, content_length }
    }
}

/// What a status means, for people.
pub fn title(status: u16) -> &'static str {
    match status {
        408 => "The request took too long",
        414 => "The request target is too long",
        502 => "The upstream gave no usable answer",
        503 => "No server is available",
        504 => "The upstream did not answer in time",
        _ => http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error"),
    }
}

/// RFC 9457. Every text in it is ours, so nothing needs escaping.
fn problem(status: u16, reason: Option<Reason>, request_id: &str) -> String {
    let mut text = String::with_capacity(256);
    let kind = reason.map_or("about:blank".to_owned(), |reason| format!("urn:portreeve:{}", reason.code()));
    let _ = write!(text, r#"{{"type":"{kind}","title":"{}","status":{status}"#, title(status));
    if let Some(reason) = reason {
        let _ = write!(text, r#","detail":{}"#, json_string(reason.text()));
    }
    let _ = write!(text, r#","instance":"urn:request:{request_id}"}}"#);
    text
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn page(status: u16, reason: Option<Reason>, request_id: &str) -> String {
    let detail = reason.map_or(String::new(), |reason| format!("<p>{}.</p>", escape(reason.text())));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{status} {title}</title>\
         <style>body{{font:1rem/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}}</style>\
         <main><h1>{title}</h1>{detail}<p>Request <code>{request_id}</code></p></main></html>",
        title = escape(title(status))
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The mapping of HTTP to gRPC statuses (gRPC's `doc/http-grpc-status-mapping.md`), with the finer ones where the cause is
/// ours to know.
fn grpc(status: u16, reason: Option<Reason>) -> Vec<(&'static str, String)> {
    let code = match status {
        400 | 413 | 414 | 415 | 422 | 431 => 3, // INVALID_ARGUMENT
        401 => 16,                              // UNAUTHENTICATED
        403 => 7,                               // PERMISSION_DENIED
        404 | 405 => 12,                        // UNIMPLEMENTED
        408 | 504 => 4,                         // DEADLINE_EXCEEDED
        429 => 8,                               // RESOURCE_EXHAUSTED
        502 | 503 => 14,                        // UNAVAILABLE
        500 => 13,                              // INTERNAL
        _ => 2,                                 // UNKNOWN
    };
    let message = reason.map_or(title(status), Reason::text);
    vec![
        ("Content-Type", "application/grpc".to_owned()),
        ("grpc-status", code.to_string()),
        // Percent-encoded by the protocol; our texts are ASCII without control characters.
        ("grpc-message", message.replace('%', "%25")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use model::head::Fields;
    use model::reason::{Anomaly, ClientReason};

    fn caller(fields: &[(&str, &str)], method: &'static str, version: HttpVersion) -> Caller {
        let fields = Fields::from_pairs(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        Caller::of(&RequestHead {
            version,
            method: Bytes::from_static(method.as_bytes()),
            target: Bytes::from_static(b"/"),
            authority: Bytes::new(),
            fields,
            raw: None,
        })
    }

    #[test]
    fn programs_read_problem_details() {
        let answer =
            Answer::new(403, Some(Reason::Client(ClientReason::Denied)), "00ff", caller(&[], "GET", HttpVersion::H11));
        expect![[r#"{"type":"urn:portreeve:clients.denied","title":"Forbidden","status":403,"detail":"the client's address is on a deny list","instance":"urn:request:00ff"}"#]]
            .assert_eq(std::str::from_utf8(&answer.body).unwrap());
    }

    #[test]
    fn every_reason_makes_valid_json_and_grpc() {
        for reason in Reason::all() {
            let answer = Answer::new(reason.status(), Some(reason), "1", Caller::unknown());
            let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(value["status"], reason.status());
            assert!(reason.text().is_ascii(), "{}", reason.code());
        }
    }

    #[test]
    fn browsers_and_grpc_callers_get_their_own_form() {
        let browser = caller(&[("Accept", "text/html,*/*")], "GET", HttpVersion::H11);
        let page = Answer::new(400, Some(Reason::Hygiene(Anomaly::HostMissing)), "1", browser);
        assert!(page.body.starts_with(b"<!doctype html>"));
        let grpc = caller(&[("content-type", "application/grpc+proto")], "POST", HttpVersion::H2);
        let answer = Answer::new(429, None, "1", grpc);
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert!(answer.headers.contains(&("grpc-status", "8".to_owned())));
    }

    #[test]
    fn head_has_the_length_but_no_body() {
        let answer = Answer::new(404, None, "1", caller(&[], "HEAD", HttpVersion::H11));
        assert!(answer.body.is_empty() && answer.content_length > 0);
    }
}
