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
    policy.contract = Some(Arc::new(ContractPolicy::of_openapi(Arc::new(loaded.contract.unwrap())).0));
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
    let connection = ConnectionFacts { peer: [127, 0, 0, 1].into(), tls: false, sni: None, client_certificate: None };
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
