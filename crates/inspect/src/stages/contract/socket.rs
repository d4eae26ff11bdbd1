//! GraphQL over WebSocket, judged message by message: an operation goes on only when it may, and whoever sent one that may
//! not is told so in the words of the protocol, while the conversation goes on.
//!
//! Both protocols are read at once, `graphql-transport-ws` (subscribe) and the older `graphql-ws` (start): a server that is
//! lenient about which one was agreed on runs nothing that was not judged.

use std::sync::Arc;

use bytes::Bytes;
use model::finding::{Findings, Place};
use model::head::{Fields, Known, ResponseHead};
use model::mode::Mode;
use model::reason::{ContractReason, StageId};
use schema::graphql::requests_from_json;
use schema::json::{JsonLimits, Kind, NoteKind, Tape, Value, to_text};

use super::graphql::{Carrier, GraphqlService, WebSockets, judge_all};
use super::{Service, sure};
use crate::decide::Standing;
use crate::http1::token_list;
use crate::policy::Policy;
use crate::view::RequestView;
use crate::websocket::{Broken, SocketError, SocketItem, SocketReader, client_close_frame, close_frame, text_frame};

/// Largest message of a client.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Longest identifier of an operation.
const ID_BYTES_MAX: usize = 256;
/// Most findings of one conversation; what follows is no news.
const FINDINGS_MAX: usize = 8;
/// The code of both protocols for a message that is none.
const CLOSE_BAD_REQUEST: u16 = 4400;

/// The subprotocol in whose words a refusal is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Transport,
    Legacy,
}

/// What is to be done after a piece of what a client sends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SocketTurn {
    /// Goes on to the upstream.
    pub forward: Vec<u8>,
    /// Frames for the client, each to stand between two messages of the server.
    pub answers: Vec<Bytes>,
    /// The conversation is over once both were sent.
    pub ends: bool,
}

/// The judge of one conversation.
pub struct SocketGate {
    service: Arc<GraphqlService>,
    standing: Standing,
    protocol: Protocol,
    reader: SocketReader,
    /// The bytes cannot be read, and nobody may be refused for it: they pass as they are.
    is_transparent: bool,
    is_over: bool,
    /// We have ended the conversation.
    was_ended: bool,
    findings: Findings,
}

/// Why a message does not go on.
enum Refusal {
    /// The operation is refused, named by its identifier as JSON; the conversation goes on.
    Operation(String),
    /// The message is none of the protocol.
    Message,
}

/// True when the conversation that a request asks for is judged: no extension may be agreed on for it.
pub fn judges_socket(policy: &Policy, request: &RequestView<'_>) -> bool {
    service_of(policy, request).is_some()
}

fn service_of<'p>(policy: &'p Policy, request: &RequestView<'_>) -> Option<&'p Arc<GraphqlService>> {
    if policy.modes_for(request).of(StageId::Contract) == Mode::Off {
        return None;
    }
    let contract = policy.contract.as_deref()?;
    let Service::Graphql(_) = contract.service(request) else { return None };
    contract.graphql.as_ref().filter(|service| service.websockets == WebSockets::Judge)
}

/// The judge of a conversation that the server has just agreed to.
pub fn gate_socket(policy: &Policy, request: &RequestView<'_>, response: &ResponseHead) -> Option<SocketGate> {
    let service = service_of(policy, request)?;
    let is_legacy = protocols(&response.fields).any(|name| name == b"graphql-ws");
    Some(SocketGate {
        service: Arc::clone(service),
        standing: Standing::of(policy, request, StageId::Contract),
        protocol: if is_legacy { Protocol::Legacy } else { Protocol::Transport },
        reader: SocketReader::default(),
        is_transparent: false,
        is_over: false,
        was_ended: false,
        findings: Findings::new(),
    })
}

fn protocols(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(b"sec-websocket-protocol"));
    named.flat_map(|field| token_list(field.value))
}

/// Judges the head that asks for a conversation: what is spoken must be what we read.
pub(super) fn judge_upgrade(request: &RequestView<'_>, out: &mut Findings) {
    let asked = request.head.fields.all(Known::Upgrade).flat_map(token_list);
    if asked.filter(|name| !name.eq_ignore_ascii_case(b"websocket")).count() > 0 {
        let place = Place::Header("upgrade".into());
        out.push(sure(ContractReason::GraphqlInvalid, place, "operations over HTTP or WebSocket"));
    }
    let known = |name: &[u8]| name == b"graphql-transport-ws" || name == b"graphql-ws";
    let (mut count, mut unknown) = (0usize, false);
    for name in protocols(&request.head.fields) {
        count += 1;
        unknown |= !known(name);
    }
    if count == 0 || unknown {
        let place = Place::Header("sec-websocket-protocol".into());
        out.push(sure(ContractReason::GraphqlInvalid, place, "graphql-transport-ws or graphql-ws"));
    }
}

impl SocketGate {
    /// Judges the next piece of what the client sends.
    pub fn feed(&mut self, data: &[u8]) -> SocketTurn {
        let mut turn = SocketTurn::default();
        if self.is_over {
            return turn;
        }
        if self.is_transparent {
            turn.forward.extend_from_slice(data);
            return turn;
        }
        let mut reader = std::mem::take(&mut self.reader);
        let fed = reader.feed(MESSAGE_BYTES_MAX, data, &mut |item| self.judge(item, &mut turn));
        self.reader = reader;
        match fed {
            Err(broken) if !self.is_over => self.lose(broken, data, &mut turn),
            _ => {}
        }
        turn
    }

    /// True when the gate ended the conversation.
    pub const fn was_ended(&self) -> bool {
        self.was_ended
    }

    /// What was found.
    pub fn into_findings(self) -> Findings {
        self.findings
    }

    /// What a client sends cannot be read on.
    fn lose(&mut self, broken: Broken, data: &[u8], turn: &mut SocketTurn) {
        let reason = match broken.error {
            SocketError::TooLarge => ContractReason::GraphqlLimit,
            SocketError::Malformed => ContractReason::GraphqlInvalid,
        };
        let mut out = Findings::new();
        out.push(sure(reason, Place::Body("".into()), broken.error.expected()));
        if self.take(out) {
            return self.close(broken.error.code(), broken.error.expected(), turn);
        }
        self.is_transparent = true;
        turn.forward.append(&mut self.reader.take_pending());
        turn.forward.extend_from_slice(data.get(data.len() - broken.unread..).unwrap_or_default());
    }

    /// The refusal of an operation, in the words of the protocol.
    fn error(&self, id: &str, reason: &str) -> String {
        let error =
            format!(r#"{{"message":"refused: {reason}","extensions":{{"code":"REFUSED","reason":"{reason}"}}}}"#);
        match self.protocol {
            Protocol::Transport => format!(r#"{{"id":{id},"type":"error","payload":[{error}]}}"#),
            Protocol::Legacy => format!(r#"{{"id":{id},"type":"error","payload":{error}}}"#),
        }
    }

    /// Keeps what was found. True when it refuses.
    fn take(&mut self, found: Findings) -> bool {
        let refuses = found.iter().any(|finding| self.standing.refuses(finding));
        let room = FINDINGS_MAX.saturating_sub(self.findings.len());
        // What refused is what whoever reads the event looks for.
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|finding| !self.standing.refuses(finding));
        if room == 0 && refuses && !self.findings.iter().any(|finding| self.standing.refuses(finding)) {
            self.findings.pop();
            self.findings.extend(found.into_iter().take(1));
        } else {
            self.findings.extend(found.into_iter().take(room));
        }
        refuses
    }

    fn close(&mut self, code: u16, reason: &str, turn: &mut SocketTurn) {
        self.is_over = true;
        self.was_ended = true;
        turn.ends = true;
        turn.answers.push(close_frame(code, reason));
        turn.forward.extend_from_slice(&client_close_frame(1001));
    }

    fn judge(&mut self, item: SocketItem<'_>, turn: &mut SocketTurn) {
        if self.is_over {
            return;
        }
        let (raw, payload, is_text) = match item {
            SocketItem::Control { raw, closes } => {
                turn.forward.extend_from_slice(raw);
                self.is_over |= closes;
                return;
            }
            SocketItem::Message { raw, payload, is_text } => (raw, payload, is_text),
        };
        let mut out = Findings::new();
        let refusal = judge_message(&self.service, payload, is_text, &mut out);
        let evidence = out.iter().find(|finding| self.standing.refuses(finding)).map(|found| found.reason.code());
        match (self.take(out), refusal) {
            (true, Some(Refusal::Operation(id))) => {
                let error = self.error(&id, evidence.unwrap_or("refused"));
                turn.answers.push(text_frame(&error));
            }
            (true, _) => self.close(CLOSE_BAD_REQUEST, "invalid message", turn),
            (false, _) => turn.forward.extend_from_slice(raw),
        }
    }
}

/// Judges one message, and says what its refusal would be when something in it refuses.
fn judge_message(service: &GraphqlService, payload: &[u8], is_text: bool, out: &mut Findings) -> Option<Refusal> {
    let whole = || Place::Body("".into());
    if !is_text {
        out.push(sure(ContractReason::GraphqlInvalid, whole(), "messages as text"));
        return Some(Refusal::Message);
    }
    let limits = JsonLimits::default();
    let tape = match Tape::parse(payload, &limits) {
        Ok(tape) => tape,
        Err(error) => {
            let reason = if error.kind.is_limit() { ContractReason::JsonLimit } else { ContractReason::BodyMalformed };
            out.push(sure(reason, whole(), &format!("JSON; {error}")));
            return Some(Refusal::Message);
        }
    };
    // Which of two equal keys counts is each reader's own choice: what is judged need not be what is run.
    if tape.notes().iter().any(|note| note.kind == NoteKind::DuplicateKey) {
        out.push(sure(ContractReason::JsonDuplicateKey, whole(), "each key once"));
        return Some(Refusal::Message);
    }
    let root = tape.root();
    match root.get("type").and_then(Value::as_str) {
        Some("subscribe" | "start") => Some(judge_operation(service, root, out)),
        Some("connection_init" | "connection_terminate" | "ping" | "pong" | "complete" | "stop") => None,
        _ => {
            let expected = "a `type` that a client sends";
            out.push(sure(ContractReason::GraphqlInvalid, Place::Body("/type".into()), expected));
            Some(Refusal::Message)
        }
    }
}

fn judge_operation(service: &GraphqlService, root: Value<'_>, out: &mut Findings) -> Refusal {
    let id = root.get("id").filter(|id| id.as_str().is_some_and(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
    let Some(id) = id else {
        out.push(sure(ContractReason::GraphqlInvalid, Place::Body("/id".into()), "an identifier of 1 to 256 bytes"));
        return Refusal::Message;
    };
    let place = || Place::Body("/payload".into());
    match root.get("payload").filter(|payload| payload.kind() == Kind::Object).map(|body| requests_from_json(body, 1)) {
        Some(Ok(requests)) => judge_all(service, &requests, Carrier::Message, out),
        Some(Err(error)) => out.push(sure(ContractReason::GraphqlInvalid, place(), &error.to_string())),
        None => out.push(sure(ContractReason::GraphqlInvalid, place(), "an object with `query`")),
    }
    Refusal::Operation(to_text(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::Framing;
    use crate::stages::contract::ContractPolicy;
    use crate::view::ConnectionFacts;
    use crate::websocket::SocketWalk;
    use model::head::{HttpVersion, RequestHead};
    use model::{ApiName, Timestamp};
    use proptest::prelude::*;
    use schema::graphql::{GraphqlContract, GraphqlLimits, Introspection};

    const SCHEMA: &str = "type Query { users(first: Int): [User!]! } type Subscription { joined: User }
        type User { id: ID!, friends(first: Int): [User!]! }";

    fn gate(mode: Mode, websockets: WebSockets, protocol: &str) -> Option<SocketGate> {
        let limits = GraphqlLimits { depth_max: 3, ..Default::default() };
        let contract = GraphqlContract::from_sdl("shop", SCHEMA, limits, Introspection::Refuse).unwrap();
        let service = GraphqlService { paths: vec!["/graphql".to_owned()], contract, websockets };
        let mut policy = Policy::new(ApiName::from("shop"), mode);
        policy.contract =
            Some(Arc::new(ContractPolicy { graphql: Some(Arc::new(service)), ..ContractPolicy::default() }));
        let head = RequestHead {
            version: HttpVersion::H11,
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(b"/graphql"),
            authority: Bytes::from_static(b"a"),
            fields: Fields::from_pairs([(&b"Upgrade"[..], &b"websocket"[..])]),
            raw: None,
        };
        let connection =
            ConnectionFacts { peer: [127, 0, 0, 1].into(), tls: false, sni: None, client_certificate: None };
        let api = ApiName::from("shop");
        let request = RequestView {
            head: &head,
            path: head.path(),
            query: None,
            framing: Framing::None,
            notes: &[],
            connection: &connection,
            client: connection.peer,
            session: None,
            endpoint: None,
            api: &api,
            now: Timestamp(0),
        };
        let fields = Fields::from_pairs([(&b"Sec-WebSocket-Protocol"[..], protocol.as_bytes())]);
        assert_eq!(judges_socket(&policy, &request), websockets == WebSockets::Judge && mode != Mode::Off);
        gate_socket(&policy, &request, &ResponseHead { version: HttpVersion::H11, status: 101, fields })
    }

    fn sent(first: u8, payload: &str) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend((long as u16).to_be_bytes());
            }
        }
        frame.extend([9, 8, 7, 6]);
        frame.extend(payload.bytes().zip([9, 8, 7, 6].into_iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    fn subscribe(kind: &str, query: &str) -> String {
        format!(r#"{{"type":"{kind}","id":"1","payload":{{"query":"{query}"}}}}"#)
    }

    /// What the answers of a turn say, without their heads.
    fn said(turn: &SocketTurn) -> String {
        turn.answers.iter().map(|frame| String::from_utf8_lossy(frame.get(2..).unwrap()).into_owned()).collect()
    }

    #[test]
    fn operations_go_on_when_they_may_and_are_refused_in_the_words_of_the_protocol() {
        for (protocol, kind) in [("graphql-transport-ws", "subscribe"), ("graphql-ws", "start")] {
            let mut gate = gate(Mode::Block, WebSockets::Judge, protocol).unwrap();
            let good = [
                sent(0x81, r#"{"type":"connection_init"}"#),
                sent(0x81, &subscribe(kind, "subscription { joined { id } }")),
            ];
            assert_eq!(gate.feed(&good.concat()), SocketTurn { forward: good.concat(), ..Default::default() });
            for query in [
                "{ users { password } }",
                "{ __schema { types { name } } }",
                "{ users { friends { friends { id } } } }",
                "{",
            ] {
                let turn = gate.feed(&sent(0x81, &subscribe(kind, query)));
                assert!(turn.forward.is_empty() && !turn.ends, "{query}");
                assert!(said(&turn).contains(r#""id":"1","type":"error""#), "{query}: {}", said(&turn));
            }
            // The other protocol's word for it is judged as well.
            let other = if kind == "start" { "subscribe" } else { "start" };
            assert!(gate.feed(&sent(0x81, &subscribe(other, "{ nothing }"))).forward.is_empty());
            assert_eq!(gate.feed(&good[1]).forward, good[1], "the conversation goes on");
            assert!(!gate.was_ended());
            let findings = gate.into_findings();
            assert!((5..=FINDINGS_MAX).contains(&findings.len()), "{findings:?}");
            assert_eq!(findings[0].place.text(), "body:/payload/query");
        }
    }

    #[test]
    fn what_is_no_message_of_the_protocol_ends_the_conversation() {
        for (first, payload, code) in [
            (0x81, "[1]", 4400u16),
            (0x81, r#"{"type":"next","id":"1"}"#, 4400),
            (0x81, r#"{"type":"subscribe","type":"ping"}"#, 4400),
            (0x81, r#"{"type":"subscribe","id":7,"payload":{"query":"{ users { id } }"}}"#, 4400),
            (0x82, r#"{"type":"ping"}"#, 4400),
            (0xc1, r#"{"type":"ping"}"#, 1002),
            (0x83, "", 1002),
        ] {
            let mut gate = gate(Mode::Block, WebSockets::Judge, "graphql-transport-ws").unwrap();
            let bytes = [sent(first, payload), sent(0x81, &subscribe("subscribe", "{ users { id } }"))].concat();
            let turn = gate.feed(&bytes);
            assert!(turn.ends && gate.was_ended(), "{payload}");
            assert_eq!(turn.answers.last().unwrap()[2..4], code.to_be_bytes(), "{payload}");
            assert_eq!(turn.forward, &client_close_frame(1001)[..], "{payload}");
            assert_eq!(gate.feed(&bytes), SocketTurn::default());
        }
    }

    #[test]
    fn a_long_message_is_refused_while_it_comes() {
        let mut gate = gate(Mode::Block, WebSockets::Judge, "graphql-ws").unwrap();
        let head = [&[0x81, 0xff][..], &(MESSAGE_BYTES_MAX as u64 + 1).to_be_bytes(), &[0; 4]].concat();
        let turn = gate.feed(&head);
        assert!(turn.ends && turn.answers[0][2..4] == 1009u16.to_be_bytes());
        assert_eq!(gate.into_findings()[0].reason.code(), "contract.graphql-limit");
    }

    #[test]
    fn monitoring_changes_nothing() {
        let bytes = [
            sent(0x81, &subscribe("subscribe", "{ users { password } }")),
            sent(0x81, "nothing"),
            sent(0xc1, "compressed"),
            b"\x81\x7e\0\x01".to_vec(),
        ]
        .concat();
        for piece in [1, 5, 1_000] {
            let mut gate = gate(Mode::Monitor, WebSockets::Judge, "graphql-ws").unwrap();
            let (mut forward, mut answers) = (Vec::new(), 0);
            for piece in bytes.chunks(piece) {
                let turn = gate.feed(piece);
                forward.extend(turn.forward);
                answers += turn.answers.len();
            }
            assert_eq!((forward, answers), (bytes.clone(), 0), "pieces of {piece}");
            let mut codes: Vec<_> = gate.into_findings().iter().map(|finding| finding.reason.code()).collect();
            codes.dedup();
            assert_eq!(codes, ["contract.graphql-invalid", "contract.body-malformed", "contract.graphql-invalid"]);
        }
    }

    #[test]
    fn nothing_is_judged_where_nothing_shall_be() {
        for (mode, websockets) in
            [(Mode::Off, WebSockets::Judge), (Mode::Block, WebSockets::Pass), (Mode::Block, WebSockets::Refuse)]
        {
            assert!(gate(mode, websockets, "graphql-ws").is_none());
        }
    }

    proptest! {
        /// However the bytes of a client are cut, the same goes on and the same is answered.
        #[test]
        fn the_cut_does_not_matter(
            payloads in prop::collection::vec((prop::sample::select(vec![0x81u8, 0x01, 0x80, 0x89, 0x88, 0xc1]),
                prop::sample::select(vec!["", "{", r#"{"type":"ping"}"#,
                    r#"{"type":"start","id":"a","payload":{"query":"{users{id}}"}}"#,
                    r#"{"type":"start","id":"a","payload":{"query":"{users{x}}"}}"#])), 0..8),
            piece in 1usize..40,
        ) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|(first, payload)| sent(*first, payload)).collect();
            let run = |piece: usize| {
                let mut gate = gate(Mode::Block, WebSockets::Judge, "graphql-ws").unwrap();
                let mut all = SocketTurn::default();
                for piece in bytes.chunks(piece) {
                    let turn = gate.feed(piece);
                    all.forward.extend(turn.forward);
                    all.answers.extend(turn.answers);
                    all.ends |= turn.ends;
                }
                all
            };
            let whole = run(usize::MAX);
            // What goes on is whole frames.
            let mut walk = SocketWalk::default();
            walk.walk(&whole.forward);
            prop_assert!(walk.is_between());
            prop_assert_eq!(run(piece), whole);
        }
    }
}
