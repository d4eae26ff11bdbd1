//! Cases as text: a request as it is sent, and what the stage of the folder it lies in must find and must not.
//!
//! A file holds several cases:
//!
//! ```text
//! === name of the case
//! tls api.example.com          optional: the connection is encrypted, with this server name
//! client 203.0.113.9           optional: the client behind a trusted proxy; the peer is 192.0.2.7
//! deny 203.0.113.0/24          optional: a network on the list of denied (or `allow`)
//! persisted {"a": "{ a }"}     optional: the list of GraphQL operations that may run
//! http2                        optional: judged as if it had come over HTTP/2
//! | GET /a\x00 HTTP/1.1        the request; each line ends with CR LF, except the last of a body
//! | Host: a.example
//! |
//! finds hygiene.target-nul sure path      every finding that is at least likely, in order
//! hints hygiene.agent-missing             a hint that must be there; others may be
//! refused 400 hygiene.target-nul          or `passes`
//! ```
//!
//! Cases of the stage `contract` are judged by the contracts of the shop beside them, with narrow limits.
//!
//! In a request `\r`, `\n`, `\t`, `\\` and `\xNN` stand for those bytes. `Content-Length: auto` is filled in. A head without
//! its empty line gets one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic in a test is the report"
)]

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use inspect::http1::{BodyDecoder, BodyPiece, Framing, Noted, canonical_target, head_end, parse_request};
use inspect::stages::clients::ClientLists;
use inspect::stages::contract::{ContractPolicy, GraphqlService, SoapService, WebSockets, XmlService};
use inspect::view::{ConnectionFacts, media_type};
use inspect::{BodyView, Policy, RequestView, decide, http2, pipeline};
use model::finding::{Confidence, Findings};
use model::head::{HttpVersion, Known, RequestHead};
use model::ids::{ApiName, Timestamp};
use model::limits::Limits;
use model::mode::Mode;
use model::reason::StageId;
use model::verdict::Action;
use schema::graphql::{GraphqlContract, GraphqlLimits, Introspection, PersistedQueries, PersistedUse};
use schema::grpc::{GrpcContract, GrpcLimits, UnknownFields};
use schema::xml::soap::SoapContract;
use schema::xml::{XmlContract, XmlLimits};

#[derive(Default)]
struct Case {
    name: String,
    tls: Option<String>,
    client: Option<IpAddr>,
    http2: bool,
    allow: Vec<ipnet::IpNet>,
    deny: Vec<ipnet::IpNet>,
    persisted: Option<String>,
    request: Vec<String>,
    expected: Vec<String>,
    hints: Vec<String>,
}

#[test]
fn cases_are_judged_as_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let (mut count, mut wrong) = (0, Vec::new());
    for stage in StageId::ALL {
        let Ok(files) = std::fs::read_dir(root.join(stage.name())) else { continue };
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "txt")) {
            for case in read(&std::fs::read_to_string(path).unwrap()) {
                count += 1;
                let (found, hints) = judge(stage, &case);
                let lacking: Vec<_> = case.hints.iter().filter(|hint| !hints.contains(hint)).collect();
                if found != case.expected || !lacking.is_empty() {
                    let file = path.file_name().unwrap().to_string_lossy();
                    wrong.push(format!(
                        "{}/{file}: {}\n  expected: {:#?}\n  found: {found:#?}\n  hints lacking: {lacking:?} of {hints:?}",
                        stage.name(),
                        case.name,
                        case.expected
                    ));
                }
            }
        }
    }
    println!("{count} cases");
    assert!(count > 100, "only {count} cases were found");
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push(Case { name: name.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            assert!(line.is_empty() || line.starts_with('#'), "text before the first case: {line}");
            continue;
        };
        if let Some(request) = line.strip_prefix('|') {
            case.request.push(request.strip_prefix(' ').unwrap_or(request).to_owned());
            continue;
        }
        match line.split_once(' ').unwrap_or((line, "")) {
            ("", _) => {}
            (word, _) if word.starts_with('#') => {}
            ("tls", name) => case.tls = Some(name.to_owned()),
            ("client", address) => case.client = Some(address.parse().unwrap()),
            ("allow", network) => case.allow.push(network.parse().unwrap()),
            ("deny", network) => case.deny.push(network.parse().unwrap()),
            ("persisted", list) => case.persisted = Some(list.to_owned()),
            ("http2", "") => case.http2 = true,
            ("hints", code) => case.hints.push(code.to_owned()),
            ("finds" | "refused" | "passes", _) => case.expected.push(line.to_owned()),
            _ => panic!("`{line}` in `{}` is no line of a case", case.name),
        }
    }
    cases
}

/// The contracts of the shop that the cases of the stage `contract` are about.
fn shop(case: &Case) -> ContractPolicy {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/contract");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let loaded = schema::openapi::load_file(&folder.join("shop.yaml"), &Default::default());
    let (mut policy, mistakes) = ContractPolicy::of_openapi(Arc::new(loaded.contract.unwrap()));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let limits = GraphqlLimits { aliases_max: 3, depth_max: 4, batch_max: 3, cost_max: 1_000, ..Default::default() };
    let mut graphql =
        GraphqlContract::from_sdl("shop.graphql", &read("shop.graphql"), limits, Introspection::Refuse).unwrap();
    if let Some(list) = &case.persisted {
        graphql = graphql.with_persisted(PersistedQueries::parse(list.as_bytes()).unwrap(), PersistedUse::Only);
    }
    policy.graphql = Some(Arc::new(GraphqlService {
        paths: vec!["/graphql".to_owned()],
        contract: graphql,
        websockets: WebSockets::Judge,
    }));
    let (file, limits) = (folder.join("shop.proto"), GrpcLimits { message_bytes_max: 1_000, ..Default::default() });
    let grpc = GrpcContract::from_proto_files(&[&file], &[&folder], limits, UnknownFields::Refuse).unwrap();
    policy.grpc = Some(Arc::new(grpc));
    let limits = XmlLimits { depth_max: 20, ..Default::default() };
    let contract = SoapContract::from_wsdl(read("shop.wsdl").as_bytes(), limits).unwrap();
    policy.soap = Some(Arc::new(SoapService { paths: vec!["/soap".to_owned()], contract }));
    let contract = XmlContract::from_file(&folder.join("shop.xsd"), XmlLimits::default()).unwrap();
    policy.xml = Some(Arc::new(XmlService { paths: vec!["/orders.xml".to_owned()], contract }));
    policy
}

/// The request's head and body as bytes.
fn bytes_of(case: &Case) -> Vec<u8> {
    let empty = case.request.iter().position(String::is_empty).unwrap_or(case.request.len());
    let (head, body) = case.request.split_at(empty);
    let body = unescaped(&body.get(1..).unwrap_or_default().join("\r\n"));
    let mut raw = Vec::new();
    for line in head {
        let line = line.replace("Content-Length: auto", &format!("Content-Length: {}", body.len()));
        raw.extend(unescaped(&line));
        raw.extend_from_slice(b"\r\n");
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend(body);
    raw
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        match rest {
            [b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = after;
            }
            [letter, after @ ..] => {
                out.push(match letter {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'\\' => b'\\',
                    other => panic!("`\\{}` is no escape", char::from(*other)),
                });
                rest = after;
            }
            [] => panic!("a lone backslash"),
        }
    }
    out
}

/// What was found, as the lines of a case, and the hints.
fn judge(stage: StageId, case: &Case) -> (Vec<String>, Vec<String>) {
    let raw = bytes_of(case);
    let limits = Limits::default();
    let Some(end) = head_end(&raw, 0) else { return (vec!["refused 400 unfinished".to_owned()], Vec::new()) };
    let refused =
        |noted: Noted| (vec![format!("refused {} {}", noted.anomaly.status(), noted.anomaly.code())], Vec::new());
    let parsed = match parse_request(Bytes::copy_from_slice(&raw[..end]), &limits) {
        Ok(parsed) => parsed,
        Err(noted) => return refused(noted),
    };
    let head = if case.http2 { as_http2(parsed.head) } else { parsed.head };
    if case.http2
        && let Err(noted) = http2::check_head(&head, &limits)
    {
        return refused(noted);
    }
    let body = match read_body(parsed.framing, &raw[end..], &limits) {
        Ok(body) => body,
        Err(noted) => return refused(noted),
    };
    let mut policy = Policy::new(ApiName::from("cases"), Mode::Off);
    policy.modes.set(stage, Mode::Block);
    policy.clients = ClientLists::new(&case.allow, &case.deny);
    if stage == StageId::Contract {
        policy.contract = Some(Arc::new(shop(case)));
    }
    let peer = IpAddr::from([192, 0, 2, 7]);
    let sni = case.tls.as_deref().filter(|name| !name.is_empty()).map(Into::into);
    let connection = ConnectionFacts { peer, tls: case.tls.is_some(), sni, client_certificate: None };
    let canonical = canonical_target(head.path(), head.query());
    let mut notes = parsed.notes.to_vec();
    notes.extend(canonical.notes.iter().map(|&anomaly| Noted::new(anomaly, 0)));
    let view = RequestView {
        head: &head,
        path: &canonical.path,
        query: canonical.query.as_deref(),
        framing: parsed.framing,
        notes: &notes,
        connection: &connection,
        client: case.client.unwrap_or(peer),
        session: None,
        endpoint: None,
        api: &policy.api,
        now: Timestamp::default(),
    };
    let mut findings = Findings::new();
    let step = pipeline::judge_request(&policy, &view, &mut findings);
    assert_eq!(step.failed, None, "{}", case.name);
    let content_type = head.fields.first(Known::ContentType).unwrap_or_default();
    let media_type = media_type(content_type);
    pipeline::judge_request_body(&policy, &view, &BodyView::new(&body, true, &media_type, content_type), &mut findings);
    lines_of(&policy, &view, &findings)
}

fn lines_of(policy: &Policy, view: &RequestView<'_>, findings: &Findings) -> (Vec<String>, Vec<String>) {
    let mut lines: Vec<String> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.confidence >= Confidence::Likely) {
        let confidence = if finding.confidence == Confidence::Sure { "sure" } else { "likely" };
        lines.push(format!("finds {} {confidence} {}", finding.reason.code(), finding.place.text()));
    }
    lines.push(match decide(policy, view, findings).action {
        Action::Pass => "passes".to_owned(),
        Action::Refuse { status, reason } => format!("refused {status} {}", reason.code()),
    });
    let hints = findings.iter().filter(|finding| finding.confidence == Confidence::Hint);
    (lines, hints.map(|finding| finding.reason.code().to_owned()).collect())
}

fn read_body(framing: Framing, rest: &[u8], limits: &Limits) -> Result<Vec<u8>, Noted> {
    let (mut buf, mut body) = (BytesMut::from(rest), Vec::new());
    let mut decoder = BodyDecoder::new(framing, limits);
    loop {
        match decoder.next(&mut buf).map_err(|error| Noted::new(error.0, 0))? {
            BodyPiece::Data(data) => body.extend_from_slice(&data),
            BodyPiece::End(_) | BodyPiece::NeedMore => return Ok(body),
        }
    }
}

/// The same head as if it had come over HTTP/2: lower-case names, no Host, no connection fields.
fn as_http2(head: RequestHead) -> RequestHead {
    let fields: Vec<_> =
        head.fields.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect();
    let kept = fields.iter().filter(|(name, _)| name != b"host" && name != b"connection");
    let fields = model::head::Fields::from_pairs(kept.map(|(name, value)| (&name[..], &value[..])));
    RequestHead { version: HttpVersion::H2, fields, raw: None, ..head }
}
