//! Judging recorded exchanges again: what another configuration would have done, with the code that judges live traffic.
//!
//! An event keeps the head of a request without the values of its query and fields, and no body. So of each stage only that is
//! judged again which still can be: `clients` and `contract` by head, `attacks` by path and the few fields that were kept. What
//! needs more is taken from the findings of that time, which are exact as long as the stage ran. Which is which is in the notes.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use console::replay::{Judged, Replay};
use gateway::config::Config;
use gateway::router::Router;
use inspect::http1::{Framing, canonical_target};
use inspect::pipeline::judge_request;
use inspect::view::{ConnectionFacts, RequestView};
use inspect::{Policy, decide};
use model::finding::{Confidence, Finding, Findings, Place};
use model::head::Fields;
use model::reason::{ContractReason, Reason, StageId};
use model::{Action, ApiName, EndpointId, HttpVersion, Mode, RequestHead, SessionHash, Timestamp};
use store::row::Row;

/// Bodies are asked for with these; the answer of such a request is about its head alone.
const METHODS_WITH_BODY: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// Judges exchanges under one configuration, or two.
pub struct Replayer {
    /// What is in force; where there is none, what was done at that time counts.
    present: Option<Router>,
    proposed: Router,
    now: Timestamp,
    /// Stages that block now and were off then: they left no findings of what cannot be judged again.
    notes: BTreeSet<String>,
}

impl Replayer {
    /// Compares `proposed` with `present`.
    ///
    /// # Errors
    /// One sentence when routes contradict each other.
    pub fn new(present: Option<&Config>, proposed: &Config, now: Timestamp) -> Result<Self, String> {
        let compile = |config: &Config| {
            Router::compile(&config.routes, config.upstreams.len()).map_err(|problems| {
                problems
                    .first()
                    .map_or_else(String::new, |first| format!("the routes contradict each other: {}", first.text))
            })
        };
        let mut notes = BTreeSet::new();
        notes.insert(
            "values of queries and fields and all bodies are not kept: attacks in them, hygiene and leakage are taken from the \
             findings of that time, so a stage that was off then is not counted"
                .to_owned(),
        );
        let present = present.map(compile).transpose()?;
        Ok(Self { present, proposed: compile(proposed)?, now, notes })
    }
}

impl Replay for Replayer {
    fn judge(&mut self, row: &Row<'_>) -> Judged {
        let request = Request::of(row);
        let after = request.judged(&self.proposed, row, self.now);
        let before = match &self.present {
            Some(present) => request.judged(present, row, self.now).refused,
            None if row.verdict == "refuse" => Reason::from_code(&row.verdict_reason),
            None => None,
        };
        // A refusal by the parser is no matter of any policy.
        if row.status_source == "gateway" && row.api.is_empty() && row.verdict == "refuse" {
            return Judged::default();
        }
        if after.unrouted {
            self.notes.insert(
                "some exchanges match no route of the new configuration; they would be answered with 404 and are not counted as refused"
                    .to_owned(),
            );
        }
        if after.body_unknown {
            self.notes.insert(
                "bodies are not kept, so what the contract says about them was not judged; set `contract: monitor` for some time and \
                 its findings will be exact"
                    .to_owned(),
            );
        }
        Judged { before, after: after.refused, body_unknown: after.body_unknown }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.iter().cloned().collect()
    }
}

#[derive(Default)]
struct Outcome {
    refused: Option<Reason>,
    body_unknown: bool,
    unrouted: bool,
}

/// The head of a recorded exchange, as far as it was kept.
struct Request {
    head: RequestHead,
    path: Vec<u8>,
    query: Option<Vec<u8>>,
    client: IpAddr,
    recorded: Vec<Finding>,
}

impl Request {
    fn of(row: &Row<'_>) -> Self {
        let mut target = row.path.as_bytes().to_vec();
        for (at, name) in row.query_names.iter().enumerate() {
            target.push(if at == 0 { b'?' } else { b'&' });
            target.extend_from_slice(name.as_bytes());
            target.push(b'=');
        }
        let length = row.request_bytes.to_string();
        let fields = [
            ("host", &*row.host),
            ("user-agent", &*row.agent),
            ("referer", &*row.referer),
            ("accept", &*row.accept),
            ("sec-fetch-dest", &*row.fetch_dest),
            ("content-type", &*row.request_type),
            ("content-length", if row.request_bytes > 0 { &*length } else { "" }),
        ];
        let fields = fields.iter().filter(|(_, value)| !value.is_empty());
        let fields = Fields::from_pairs(fields.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let head = RequestHead {
            version: HttpVersion::H11,
            method: Bytes::copy_from_slice(row.method.as_bytes()),
            target: Bytes::from(target),
            authority: Bytes::copy_from_slice(row.host.as_bytes()),
            fields,
            raw: None,
        };
        let canonical = canonical_target(head.path(), head.query());
        let recorded = row.findings.iter().filter_map(|finding| {
            let confidence = match &*finding.confidence {
                "sure" => Confidence::Sure,
                "likely" => Confidence::Likely,
                _ => Confidence::Hint,
            };
            Some(Finding::new(Reason::from_code(&finding.reason)?, confidence, place(&finding.place), ""))
        });
        Self {
            path: canonical.path.to_vec(),
            query: canonical.query.as_deref().map(<[u8]>::to_vec),
            client: row.client.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            recorded: recorded.collect(),
            head,
        }
    }

    /// What a configuration does with it.
    fn judged(&self, router: &Router, row: &Row<'_>, now: Timestamp) -> Outcome {
        let Some(route) = router.route(row.host.as_bytes(), &self.path, &self.head.fields) else {
            return Outcome { unrouted: true, ..Outcome::default() };
        };
        let policy: &Arc<Policy> = &route.policy;
        let connection = ConnectionFacts { peer: self.client, tls: false, sni: None, client_certificate: None };
        let framing = if row.request_bytes > 0 { Framing::Length(row.request_bytes) } else { Framing::None };
        let api: &ApiName = &policy.api;
        let view = RequestView {
            head: &self.head,
            path: &self.path,
            query: self.query.as_deref(),
            framing,
            notes: &[],
            connection: &connection,
            client: self.client,
            session: row.session.map(SessionHash),
            endpoint: row.endpoint.map(EndpointId),
            api,
            now,
        };
        let mut again = Findings::new();
        judge_request(policy, &view, &mut again);
        let mut findings: Vec<Finding> =
            self.recorded.iter().filter(|finding| stays(finding, policy)).cloned().collect();
        for finding in again {
            if again_counts(&finding) && !findings.iter().any(|known| same(known, &finding)) {
                findings.push(finding);
            }
        }
        let refused = match decide(policy, &view, &findings).action {
            Action::Refuse { reason, .. } => Some(reason),
            _ => None,
        };
        let judges_bodies =
            policy.contract.is_some() && policy.modes_at(view.endpoint).of(StageId::Contract) != Mode::Off;
        let has_body = row.request_bytes > 0 && METHODS_WITH_BODY.contains(&&*row.method);
        Outcome { refused, body_unknown: judges_bodies && has_body && refused.is_none(), unrouted: false }
    }
}

fn same(a: &Finding, b: &Finding) -> bool {
    a.reason == b.reason && a.place == b.place
}

/// Findings of that time that still hold: what is judged again from the head is not taken twice.
fn stays(finding: &Finding, policy: &Policy) -> bool {
    match finding.reason {
        Reason::Client(_) => !again_counts(finding),
        // Another contract may say something else of the same head; what was found in values and bodies is all there is.
        Reason::Contract(_) => policy.contract.is_some() && !again_counts(finding),
        _ => true,
    }
}

/// True of what can be told from the head that was kept.
fn again_counts(finding: &Finding) -> bool {
    match finding.reason {
        Reason::Client(_) => true,
        Reason::Contract(reason) => match (reason, &finding.place) {
            // Fields and cookies were not kept, so one that seems to be missing need not be.
            (ContractReason::ParameterMissing, place) => matches!(place, Place::Query(_)),
            (ContractReason::ParameterInvalid, place) => matches!(place, Place::PathParameter(_) | Place::Path),
            (ContractReason::UndeclaredParameter, place) => matches!(place, Place::Query(_)),
            (_, Place::Body(_) | Place::ResponseBody(_) | Place::Status | Place::ResponseHeader(_)) => false,
            _ => true,
        },
        Reason::Attack(_) => matches!(&finding.place, Place::Path | Place::PathParameter(_)),
        _ => false,
    }
}

/// The place a text names; the other direction of [`Place::text`].
fn place(text: &str) -> Place {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "request-line" => Place::RequestLine,
        "path" if text.contains(':') => Place::PathParameter(rest.into()),
        "path" => Place::Path,
        "query" => Place::Query(rest.into()),
        "header" => Place::Header(rest.into()),
        "cookie" => Place::Cookie(rest.into()),
        "body" => Place::Body(rest.into()),
        "status" => Place::Status,
        "response-header" => Place::ResponseHeader(rest.into()),
        "response-body" => Place::ResponseBody(rest.into()),
        _ => Place::Connection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_come_back_from_their_texts() {
        let texts = ["connection", "request-line", "path", "path:id", "query:", "query:a:b", "body:/a/b", "status"];
        for text in texts {
            assert_eq!(place(text).text(), text);
        }
    }

    fn config(yaml: &str) -> Config {
        let read = crate::config::parse("x.yaml".as_ref(), ".".as_ref(), yaml, &|_| None);
        read.expect("a right configuration").gateway
    }

    const PLAIN: &str = "listeners: [{address: 127.0.0.1:1}]\nupstreams: [{name: u, servers: [127.0.0.1:2]}]\napis: [{name: shop, \
                         hosts: [shop.example], upstream: u, modes: {clients: block, attacks: monitor}";

    fn row() -> Row<'static> {
        Row {
            api: "shop".into(),
            method: "GET".into(),
            host: "shop.example".into(),
            path: "/orders/7".into(),
            client: "203.0.113.9".into(),
            status: 200,
            status_source: "upstream".into(),
            verdict: "pass".into(),
            ..Row::default()
        }
    }

    #[test]
    fn a_denied_client_would_be_refused_and_others_would_not() {
        let present = config(&format!("{PLAIN}}}]\n"));
        let proposed = config(&format!("{PLAIN}, clients: {{deny: [203.0.113.0/24]}}}}]\n"));
        let mut replay = Replayer::new(Some(&present), &proposed, Timestamp::default()).expect("routes");
        let judged = replay.judge(&row());
        assert!(judged.before.is_none() && judged.after.is_some_and(|reason| reason.stage() == StageId::Clients));
        let other = Row { client: "198.51.100.1".into(), ..row() };
        assert_eq!(replay.judge(&other).after, None);
    }

    #[test]
    fn findings_of_that_time_are_judged_under_the_new_mode() {
        let present = config(&format!("{PLAIN}}}]\n"));
        let proposed = config(&format!("{}}}]\n", PLAIN.replace("attacks: monitor", "attacks: block")));
        let mut replay = Replayer::new(Some(&present), &proposed, Timestamp::default()).expect("routes");
        let mut found = row();
        found.findings.push(store::row::FindingRow {
            reason: "attacks.sql".into(),
            confidence: "sure".into(),
            place: "query:q".into(),
            evidence: "".into(),
        });
        let judged = replay.judge(&found);
        assert_eq!((judged.before, judged.after.map(Reason::code)), (None, Some("attacks.sql")));
        assert_eq!(replay.judge(&row()).after, None);
    }

    proptest! {
        #[test]
        fn nothing_recorded_makes_it_panic(
            path in ".{0,60}", host in ".{0,20}", method in ".{0,8}", place_text in ".{0,30}", names in prop::collection::vec(".{0,9}", 0..4),
        ) {
            let config = config(&format!("{PLAIN}}}]\n"));
            let mut replay = Replayer::new(None, &config, Timestamp::default()).expect("routes");
            let mut row = Row { path: path.into(), host: host.into(), method: method.into(), query_names: names.into_iter().map(Into::into).collect(), ..row() };
            row.findings.push(store::row::FindingRow { reason: "attacks.sql".into(), confidence: "sure".into(), place: place_text.into(), evidence: "".into() });
            replay.judge(&row);
        }
    }
}
