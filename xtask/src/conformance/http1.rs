//! What the measurements of HTTP hygiene share: cases read from JSON lines, and judging the bytes of a connection.

use std::path::{Path, PathBuf};

use base64::Engine;
use bytes::{Bytes, BytesMut};
use inspect::http1::{
    BodyDecoder, BodyPiece, Framing, Noted, ParsedRequest, canonical_target, head_end, parse_request,
};
use inspect::stage::Stage;
use inspect::stages::hygiene::Hygiene;
use inspect::view::{ConnectionFacts, media_type};
use inspect::{BodyView, Policy, RequestView};
use model::finding::{Confidence, Findings};
use model::head::Known;
use model::ids::{ApiName, Timestamp};
use model::limits::Limits;
use model::mode::Mode;
use model::reason::Anomaly;
use serde_json::Value;

/// Arguments of every measurement of HTTP hygiene.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds the collections.
    #[arg(long, value_name = "DIR")]
    pub corpus: PathBuf,
    /// Also write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print the cases that are judged otherwise than the collection says, to standard error.
    #[arg(long)]
    pub misses: bool,
}

/// The lines of a collection's file.
pub fn lines(corpus: &Path, file: &str) -> Result<Vec<Value>, String> {
    let path = corpus.join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!("`{}` could not be read: {error}; give the collections' folder as `--corpus`", path.display())
    })?;
    let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("`{}`: {error}", path.display()));
    text.lines().map(parse).collect()
}

/// A text of a case, empty where there is none.
pub fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The bytes that a case holds in base64.
pub fn bytes(case: &Value, name: &str) -> Result<Vec<u8>, String> {
    let wrapped = text(case, name).split_ascii_whitespace().collect::<String>();
    base64::engine::general_purpose::STANDARD.decode(wrapped).map_err(|error| format!("`{name}`: {error}"))
}

/// What became of the first message on a connection.
#[derive(Debug)]
pub enum Outcome {
    /// The parser refused it.
    Refused(Anomaly),
    /// It was understood; the surest findings of the stage.
    Accepted(Framing, Findings),
}

impl Outcome {
    /// Refused by the parser, or by the stage in mode `block`.
    pub fn is_refused_in_block(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Accepted(_, findings) => findings.iter().any(|finding| finding.confidence == Confidence::Sure),
        }
    }

    /// Refused, or reported as at least likely wrong.
    pub fn is_reported(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Accepted(_, findings) => findings.iter().any(|finding| finding.confidence >= Confidence::Likely),
        }
    }

    /// Codes of everything found, for people.
    pub fn codes(&self) -> String {
        match self {
            Self::Refused(anomaly) => anomaly.code().to_owned(),
            Self::Accepted(_, findings) => {
                let codes: Vec<_> = findings.iter().map(|finding| finding.reason.code()).collect();
                if codes.is_empty() { "nothing".to_owned() } else { codes.join(", ") }
            }
        }
    }
}

/// Judges every message of a connection's bytes, as far as the connection would be read.
pub fn judge(raw: &[u8]) -> Vec<Outcome> {
    let limits = Limits::default();
    let mut buf = BytesMut::from(raw);
    let mut outcomes = Vec::new();
    while !buf.is_empty() {
        let Some(end) = head_end(&buf, 0) else {
            // The rest would be waited for; judged as if the client stopped here.
            let rest = [&buf[..], b"\r\n\r\n"].concat();
            if let Err(noted) = parse_request(Bytes::from(rest), &limits) {
                outcomes.push(Outcome::Refused(noted.anomaly));
            }
            break;
        };
        let head = buf.split_to(end).freeze();
        let request = match parse_with_host(&head, &limits) {
            Ok(request) => request,
            Err(noted) => {
                outcomes.push(Outcome::Refused(noted.anomaly));
                break;
            }
        };
        let body = match read_body(request.framing, &mut buf, &limits) {
            Ok(body) => body,
            Err(anomaly) => {
                outcomes.push(Outcome::Refused(anomaly));
                break;
            }
        };
        let (framing, goes_on) = (request.framing, request.keep_alive && !request.upgrades);
        outcomes.push(Outcome::Accepted(framing, findings(&request, &body)));
        if !goes_on {
            break;
        }
    }
    outcomes
}

/// Parses a head. The collections leave out `Host`, which is another matter than the one they test, so one is put in.
fn parse_with_host(head: &Bytes, limits: &Limits) -> Result<ParsedRequest, Noted> {
    let parsed = parse_request(head.clone(), limits);
    if parsed.as_ref().err().map(|noted| noted.anomaly) != Some(Anomaly::HostMissing) {
        return parsed;
    }
    let first = head.windows(2).skip(2).position(|window| window == b"\r\n").map_or(0, |at| at + 4);
    let with_host =
        [head.slice(..first), Bytes::from_static(b"Host: api.example.com\r\n"), head.slice(first..)].concat();
    parse_request(Bytes::from(with_host), limits)
}

/// The body as far as it is there.
fn read_body(framing: Framing, buf: &mut BytesMut, limits: &Limits) -> Result<Vec<u8>, Anomaly> {
    let mut decoder = BodyDecoder::new(framing, limits);
    let mut body = Vec::new();
    loop {
        match decoder.next(buf).map_err(|error| error.0)? {
            BodyPiece::Data(data) => body.extend_from_slice(&data),
            BodyPiece::End(_) => return Ok(body),
            BodyPiece::NeedMore => {
                buf.clear();
                return Ok(body);
            }
        }
    }
}

fn findings(request: &ParsedRequest, body: &[u8]) -> Findings {
    let policy = Policy::new(ApiName::from("conformance"), Mode::Block);
    let peer = std::net::IpAddr::from([192, 0, 2, 7]);
    let connection = ConnectionFacts { peer, tls: false, sni: None, client_certificate: None };
    let head = &request.head;
    let canonical = canonical_target(head.path(), head.query());
    let mut notes = request.notes.to_vec();
    notes.extend(canonical.notes.iter().map(|&anomaly| Noted::new(anomaly, 0)));
    let view = RequestView {
        head,
        path: &canonical.path,
        query: canonical.query.as_deref(),
        framing: request.framing,
        notes: &notes,
        connection: &connection,
        client: peer,
        session: None,
        endpoint: None,
        api: &policy.api,
        now: Timestamp::default(),
    };
    let mut findings = Findings::new();
    Hygiene.judge_request(&policy, &view, &mut findings);
    if !body.is_empty() {
        let content_type = head.fields.first(Known::ContentType).unwrap_or_default();
        let media_type = media_type(content_type);
        Hygiene.judge_request_body(
            &policy,
            &view,
            &BodyView::new(body, true, &media_type, content_type),
            &mut findings,
        );
    }
    findings
}
