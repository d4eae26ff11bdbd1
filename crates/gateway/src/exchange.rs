//! What is done with one exchange, from the head of the request to the record of its end.
//!
//! [`carry`] is the whole life in order: find the route, judge the head, hold and judge the body where a stage asks for
//! it, forward, judge the response, relay, record. Every way out leads through [`finish`], so that each exchange leaves
//! exactly one event. What is judged, and in which order, stands in `inspect::pipeline`.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use inspect::http1::{Framing, Noted, canonical_target};
use inspect::pipeline::{self, Step};
use inspect::stages::contract::{self, MessageGate, SocketGate};
use inspect::stages::leakage::{self, mask::Mask};
use inspect::view::media_type;
use inspect::{BodyView, BodyWish, ConnectionFacts, Policy, RequestView, ResponseView, decide};
use model::head::{Known, RequestHead, ResponseHead};
use model::reason::{Anomaly, Reason, StageId};
use model::verdict::Action;
use model::{Confidence, EndpointId, ExchangeEnd, Finding, Findings, OnFailure, Place, SessionHash, StatusSource};
use smallvec::SmallVec;

use crate::answer::{Answer, Caller};
use crate::body::{BodyFailure, RequestBody, ResponseBody, SAMPLE_BYTES_MAX};
use crate::config::Believe;
use crate::converse;
use crate::counters::Gauged;
use crate::forwarded::{ClientAddress, Forwarding};
use crate::record::Record;
use crate::responder::Responder;
use crate::router::{CompiledRoute, rewrite_path};
use crate::session;
use crate::snapshot::Snapshot;
use crate::trace::Trace;
use crate::upstream::UpstreamFailure;
use crate::worker::Worker;

/// A request that has arrived.
pub struct Incoming<'c> {
    /// The head as it came.
    pub head: RequestHead,
    /// How its body is framed.
    pub framing: Framing,
    /// What the parser noted.
    pub notes: SmallVec<[Noted; 2]>,
    /// The client waits for `100 Continue`.
    pub expects_continue: bool,
    /// The client asks to change the protocol.
    pub upgrades: bool,
    /// The body.
    pub body: RequestBody<'c>,
}

/// Why an exchange did not end with the upstream's answer.
#[derive(Debug)]
pub enum Stop {
    /// A verdict refused it.
    Refused {
        /// The status of our answer.
        status: u16,
        /// The reason that weighed most.
        reason: Reason,
    },
    /// No route fits.
    NoRoute,
    /// The client's body failed.
    Client(BodyFailure),
    /// The client is gone, or reads too slowly.
    ClientWrite(std::io::Error),
    /// The upstream failed.
    Upstream(UpstreamFailure),
    /// No server of the upstream is in service.
    Unavailable,
    /// A stage failed, and the policy says to refuse then.
    Internal(StageId),
}

/// One exchange under way: what stays the same until its end.
pub struct Exchange<'e> {
    /// The worker that carries it.
    pub worker: &'e Rc<Worker>,
    /// The configuration it runs under, whole until its end.
    pub snapshot: &'e Arc<Snapshot>,
    /// The connection it came over.
    pub facts: &'e ConnectionFacts,
    /// The request as it came.
    pub head: &'e RequestHead,
    /// How its body is framed.
    pub framing: Framing,
    /// The client asks to change the protocol.
    pub upgrades: bool,
    /// The path in canonical form.
    pub path: &'e [u8],
    /// The query in canonical form.
    pub query: Option<&'e [u8]>,
    /// What the parser and the canonical form noted.
    pub notes: &'e [Noted],
    /// The client behind trusted proxies.
    pub address: &'e ClientAddress,
    /// What the upstream is told of the client.
    pub forwarding: &'e Forwarding,
    /// The session, where an identifier was found.
    pub session: Option<SessionHash>,
    /// The route it takes.
    pub route: &'e CompiledRoute,
    /// Its name, as text.
    pub request_id: &'e str,
    /// The endpoint of the inventory, where one that was decided about matched.
    pub endpoint: Option<EndpointId>,
    /// Its trace, where tracing is configured.
    pub trace: Option<&'e Trace>,
    /// When its head had arrived.
    pub now: model::Timestamp,
}

/// Carries one request to its end and records it.
pub async fn carry(
    worker: &Rc<Worker>,
    facts: &ConnectionFacts,
    incoming: &mut Incoming<'_>,
    responder: &mut Responder<'_>,
) {
    let snapshot = worker.snapshot();
    let _open = Gauged::new(&worker.counters.exchanges_open);
    let mut record = Record::begin(worker.recorder.next_id(), facts, &incoming.head);
    let outcome = route_and_judge(worker, &snapshot, facts, incoming, responder, &mut record).await;
    finish(&snapshot, &incoming.head, outcome, responder, &mut record).await;
    record.event.request_bytes = incoming.body.received;
    let sample = incoming.body.sample.take().map(|sample| {
        record.sample_whole.0 = incoming.body.is_ended() && incoming.body.received <= SAMPLE_BYTES_MAX as u64;
        sample_decoded(sample, incoming.head.fields.first(Known::ContentEncoding), &mut record.sample_whole.0)
    });
    worker.recorder.record(record.finish(sample));
}

/// A sampled body without its content coding; `whole` stays true only when all of what was decoded is there.
pub fn sample_decoded(sample: Vec<u8>, coding: Option<&[u8]>, whole: &mut bool) -> Vec<u8> {
    const DECODED_BYTES_MAX: usize = 4 * SAMPLE_BYTES_MAX;
    match coding {
        Some(coding) if *whole => {
            let decoded = inspect::coding::decoded(&sample, coding, DECODED_BYTES_MAX).into_owned();
            *whole = decoded.len() < DECODED_BYTES_MAX;
            decoded
        }
        _ => sample,
    }
}

async fn route_and_judge(
    worker: &Rc<Worker>,
    snapshot: &Arc<Snapshot>,
    facts: &ConnectionFacts,
    incoming: &mut Incoming<'_>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let Incoming { head, framing, notes, expects_continue, upgrades, body } = incoming;
    let target = canonical_target(head.path(), head.query());
    notes.extend(target.notes.iter().map(|&anomaly| Noted::new(anomaly, 0)));
    let address = snapshot.trusted_proxies.client_of(facts.peer, facts.into(), &head.fields);
    record.event.client = address.client;
    record.event.session = session::find(
        head,
        target.query.as_deref(),
        &snapshot.config.session_identifiers,
        &snapshot.config.session_key,
    );
    record.event.credential = session::credential_present(head);
    let Some(route) = snapshot.router.route(head.host(), &target.path, &head.fields) else {
        report_notes(notes, record);
        return Err(Stop::NoRoute);
    };
    record.event.api = Some(route.policy.api.clone());
    let known = route.policy.known.as_deref();
    record.event.endpoint =
        known.and_then(|known| known.find(&head.method, head.host(), &target.path)).map(|located| located.endpoint);
    let request_id = record.event.id.text();
    let forwarding = Forwarding::new(&address, head);
    let trace = trace_of(snapshot, facts, head, record);
    let exchange = Exchange {
        worker,
        snapshot,
        facts,
        head,
        framing: *framing,
        upgrades: *upgrades,
        path: &target.path,
        query: target.query.as_deref(),
        notes,
        address: &address,
        forwarding: &forwarding,
        session: record.event.session,
        route,
        request_id: request_id.as_str(),
        endpoint: record.event.endpoint,
        trace: trace.as_ref(),
        now: record.event.at,
    };
    exchange.run(body, *expects_continue, responder, record).await
}

/// The trace of a request, where tracing is configured; its span goes into the record.
fn trace_of(snapshot: &Snapshot, facts: &ConnectionFacts, head: &RequestHead, record: &mut Record) -> Option<Trace> {
    let tracing = snapshot.config.tracing.as_ref()?;
    let believed = match tracing.believe {
        Believe::Nobody => false,
        Believe::TrustedProxies => snapshot.trusted_proxies.trusts(facts.peer),
        Believe::Everyone => true,
    };
    let trace = Trace::of(&head.fields, tracing, believed, || fastrand::u64(..));
    record.event.span = trace.span().map(Box::new);
    Some(trace)
}

/// Without a route there is no policy to judge by; what was noted is recorded all the same.
fn report_notes(notes: &[Noted], record: &mut Record) {
    for noted in notes {
        record.event.findings.push(Finding::new(
            Reason::Hygiene(noted.anomaly),
            Confidence::Hint,
            Place::RequestLine,
            "",
        ));
    }
}

impl Exchange<'_> {
    /// The request as the stages see it. Made anew for each step: no borrow of it crosses a wait.
    pub fn view(&self) -> RequestView<'_> {
        RequestView {
            head: self.head,
            path: self.path,
            query: self.query,
            framing: self.framing,
            notes: self.notes,
            connection: self.facts,
            client: self.address.client,
            session: self.session,
            endpoint: self.endpoint,
            api: &self.route.policy.api,
            now: self.now,
        }
    }

    fn policy(&self) -> &Policy {
        &self.route.policy
    }

    async fn run(
        &self,
        body: &mut RequestBody<'_>,
        expects_continue: bool,
        responder: &mut Responder<'_>,
        record: &mut Record,
    ) -> Result<(), Stop> {
        let step = self.judged(record, |out| pipeline::judge_request(self.policy(), &self.view(), out))?;
        record.event.operation = inspect::operation::of_head(&self.view()).unwrap_or_default();
        if self.worker.samples(self.snapshot, record.event.id, self.now) {
            body.sample = Some(Vec::new());
            record.response_sample = Some(Vec::new());
            record.sample_fields(self.head);
        }
        let mirrored = self.route.mirror(fastrand::u64(..));
        let has_body = !body.is_ended();
        if has_body && expects_continue {
            responder.continue_body().await.map_err(Stop::ClientWrite)?;
        }
        let held = has_body && (step.wish == BodyWish::Hold || mirrored.is_some());
        if held {
            self.hold_and_judge(body, step.wish, record).await?;
        } else if has_body && step.wish == BodyWish::Copy {
            body.copy_up_to(self.snapshot.config.limits.inspect_bytes_max as usize);
        }
        // A body that was judged whole needs no gate.
        if has_body && !(step.wish == BodyWish::Hold && body.is_replayable()) {
            body.gate = contract::gate_request(self.policy(), &self.view());
        }
        if let Some(upstream) = mirrored {
            converse::mirror(self, upstream, body.is_replayable().then(|| body.held()));
        }
        let outcome = converse::forward(self, body, responder, record).await;
        if let Some((copy, whole)) = body.take_copy() {
            self.judge_copy(&copy, whole, record);
        }
        match body.gate.take() {
            Some(gate) => self.gate_findings(gate, record).and(outcome),
            None => outcome,
        }
    }

    /// Takes over what was found while a body streamed, and decides.
    ///
    /// # Errors
    /// [`Stop::Refused`] when it was refused.
    pub fn gate_findings(&self, gate: MessageGate, record: &mut Record) -> Result<(), Stop> {
        let known = record.event.findings.len();
        record.event.findings.extend(gate.into_findings());
        self.decided(&Step::default(), known, record)
    }

    /// Takes over what was found in a conversation over WebSocket. Whoever was refused was told so there.
    pub fn socket_findings(&self, gate: SocketGate, record: &mut Record) {
        let known = record.event.findings.len();
        let was_ended = gate.was_ended();
        record.event.findings.extend(gate.into_findings());
        if self.decided(&Step::default(), known, record).is_err() && was_ended {
            record.event.end = ExchangeEnd::Refused;
        }
    }

    /// Takes over what was masked while a response streamed.
    ///
    /// # Errors
    /// [`Stop::Refused`] when it was refused.
    pub fn mask_findings(&self, mask: Mask, record: &mut Record) -> Result<(), Stop> {
        let known = record.event.findings.len();
        record.event.findings.extend(mask.into_findings());
        self.decided(&Step::default(), known, record)
    }

    /// Judges a copy of what has gone through. Only stages that do not block asked for it, so what they find is recorded
    /// and refuses nothing.
    fn judge_copy(&self, copy: &[u8], whole: bool, record: &mut Record) {
        let before = record.event.verdict.action;
        if self.judge_request_bytes(copy, whole, record).is_err() {
            record.event.verdict.action = before;
        }
    }

    async fn hold_and_judge(
        &self,
        body: &mut RequestBody<'_>,
        wish: BodyWish,
        record: &mut Record,
    ) -> Result<(), Stop> {
        let limit = self.snapshot.config.limits.inspect_bytes_max as usize;
        let whole = body.hold(limit).await.map_err(Stop::Client)?;
        if wish == BodyWish::Stream {
            return Ok(());
        }
        self.judge_request_bytes(&body.held(), whole, record)
    }

    /// Judges what was held or copied of a request's body.
    fn judge_request_bytes(&self, kept: &[u8], whole: bool, record: &mut Record) -> Result<(), Stop> {
        let limit = self.snapshot.config.limits.inspect_bytes_max as usize;
        let content_type = self.head.fields.first(Known::ContentType).unwrap_or_default();
        let media_type = media_type(content_type);
        let bytes = inspectable(kept, self.head.fields.first(Known::ContentEncoding), limit);
        let mut operation = None;
        let judged = self.judged(record, |out| {
            let body = BodyView::new(&bytes, whole, &media_type, content_type);
            let step = pipeline::judge_request_body(self.policy(), &self.view(), &body, out);
            // Asked after the stages: what they have parsed is there.
            operation = inspect::operation::of_body(&self.view(), &body);
            step
        });
        if record.event.operation.is_empty() {
            record.event.operation = operation.unwrap_or_default();
        }
        judged?;
        Ok(())
    }

    /// Judges the head of a response, and its body where a stage holds it back. The wish says whether a copy of the body is to
    /// be judged after it was relayed.
    ///
    /// # Errors
    /// [`Stop::Refused`] when the response must not be relayed.
    pub async fn judge_response(
        &self,
        head: &ResponseHead,
        body: &mut ResponseBody<'_>,
        record: &mut Record,
    ) -> Result<BodyWish, Stop> {
        let response = ResponseView { head };
        let step = self.judged(record, |out| pipeline::judge_response(self.policy(), &self.view(), &response, out))?;
        let mask = leakage::mask_of_response(self.policy(), &self.view(), &response);
        if step.wish != BodyWish::Hold {
            body.gate = contract::gate_response(self.policy(), &self.view(), &response);
            body.mask = mask;
            return Ok(step.wish);
        }
        let limit = self.snapshot.config.limits.inspect_bytes_max as usize;
        let whole =
            body.hold(limit).await.map_err(|_| Stop::Upstream(UpstreamFailure::Broken { sent_nothing_back: false }))?;
        let held = body.held();
        self.judge_response_bytes(head, &held, whole, record)?;
        if !whole {
            body.gate = contract::gate_response(self.policy(), &self.view(), &response);
        }
        // Only now: what was judged is the body as the upstream sent it.
        body.mask = mask;
        Ok(BodyWish::Stream)
    }

    /// Judges what was kept of a response's body.
    ///
    /// # Errors
    /// [`Stop::Refused`] when the response must not be relayed.
    pub fn judge_response_bytes(
        &self,
        head: &ResponseHead,
        kept: &[u8],
        whole: bool,
        record: &mut Record,
    ) -> Result<(), Stop> {
        let limit = self.snapshot.config.limits.inspect_bytes_max as usize;
        let content_type = head.fields.first(Known::ContentType).unwrap_or_default();
        let media_type = media_type(content_type);
        let bytes = inspectable(kept, head.fields.first(Known::ContentEncoding), limit);
        self.judged(record, |out| {
            let body = BodyView::new(&bytes, whole, &media_type, content_type);
            pipeline::judge_response_body(self.policy(), &self.view(), &ResponseView { head }, &body, out)
        })?;
        Ok(())
    }

    /// Runs one step of judging with its clock, and decides.
    fn judged(&self, record: &mut Record, step: impl FnOnce(&mut Findings) -> Step) -> Result<Step, Stop> {
        let started = Instant::now();
        let known = record.event.findings.len();
        let step = step(&mut record.event.findings);
        let outcome = self.decided(&step, known, record);
        record.judge_ns += u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        outcome.map(|()| step)
    }

    fn decided(&self, step: &Step, known: usize, record: &mut Record) -> Result<(), Stop> {
        if let Some(stage) = step.failed {
            self.worker.counters.stages_failed.add_one();
            if self.policy().on_failure == OnFailure::Closed {
                return Err(Stop::Internal(stage));
            }
        }
        if record.event.findings.len() == known {
            return Ok(());
        }
        record.event.verdict = decide(self.policy(), &self.view(), &record.event.findings);
        match record.event.verdict.action {
            Action::Pass => Ok(()),
            Action::Refuse { status, reason } => Err(Stop::Refused { status, reason }),
        }
    }

    /// The path to forward.
    pub fn forwarded_path(&self) -> Cow<'_, [u8]> {
        rewrite_path(self.route, self.path)
    }
}

/// The held bytes with their content coding removed, up to the limit of inspection.
fn inspectable<'b>(held: &'b [u8], coding: Option<&[u8]>, limit: usize) -> Cow<'b, [u8]> {
    match coding {
        None => Cow::Borrowed(held),
        Some(coding) => inspect::coding::decoded(held, coding, limit),
    }
}

/// The one way out: answers when nothing else has, and completes the record.
async fn finish(
    snapshot: &Snapshot,
    head: &RequestHead,
    outcome: Result<(), Stop>,
    responder: &mut Responder<'_>,
    record: &mut Record,
) {
    let Err(stop) = outcome else { return };
    let (status, end, reason) = said(&stop, record);
    record.event.end = end;
    if responder.has_begun() {
        // A part of the answer is out; the rest cannot be said any more.
        responder.abort();
        return;
    }
    if matches!(stop, Stop::ClientWrite(_) | Stop::Client(BodyFailure::Gone)) {
        responder.close_after();
        return;
    }
    if matches!(stop, Stop::Client(_)) {
        // What is left of the body cannot be told from a next request.
        responder.close_after();
    }
    let request_id = record.event.id.text();
    let caller = Caller::of(head);
    let answer = Answer::new(status, reason.filter(|_| snapshot.explains()), request_id.as_str(), caller);
    record.event.status = answer.status;
    record.event.status_source = StatusSource::Gateway;
    match responder.answer(&answer).await {
        Ok(bytes) => record.event.response_bytes = bytes,
        Err(_) => {
            record.event.end = ExchangeEnd::ClientGone;
            responder.close_after();
        }
    }
}

/// The status, the end and the reason that a stop amounts to; what the client did wrong becomes a finding.
fn said(stop: &Stop, record: &mut Record) -> (u16, ExchangeEnd, Option<Reason>) {
    match stop {
        Stop::Refused { status, reason } => (*status, ExchangeEnd::Refused, Some(*reason)),
        Stop::NoRoute => (404, ExchangeEnd::Refused, None),
        Stop::Client(BodyFailure::Anomaly(anomaly)) => {
            let reason = refused_by_parser(*anomaly, 0, record);
            (anomaly.status(), ExchangeEnd::Refused, Some(reason))
        }
        // The gate's findings have said why; without them the refusal is ours alone.
        Stop::Client(BodyFailure::Refused) => (400, ExchangeEnd::Refused, None),
        Stop::Client(BodyFailure::TimedOut) => (408, ExchangeEnd::ClientTimeout, None),
        Stop::Client(BodyFailure::Gone) => (0, ExchangeEnd::ClientGone, None),
        Stop::ClientWrite(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            (0, ExchangeEnd::ClientTimeout, None)
        }
        Stop::ClientWrite(_) => (0, ExchangeEnd::ClientGone, None),
        Stop::Upstream(UpstreamFailure::Connect) => (502, ExchangeEnd::UpstreamConnect, None),
        Stop::Upstream(UpstreamFailure::TimedOut) => (504, ExchangeEnd::UpstreamTimeout, None),
        Stop::Upstream(UpstreamFailure::Broken { .. } | UpstreamFailure::Malformed) => {
            (502, ExchangeEnd::UpstreamBroken, None)
        }
        Stop::Unavailable => (503, ExchangeEnd::UpstreamUnavailable, None),
        Stop::Internal(_) => (500, ExchangeEnd::Internal, None),
    }
}

/// Adds the finding for what the parser refused, and the verdict that goes with it.
pub fn refused_by_parser(anomaly: Anomaly, offset: u32, record: &mut Record) -> Reason {
    let reason = Reason::Hygiene(anomaly);
    let evidence = if offset > 0 { format!("at byte {offset}") } else { String::new() };
    record.event.findings.push(Finding::new(reason, Confidence::Sure, Place::Connection, &evidence));
    record.event.verdict.action = Action::Refuse { status: anomaly.status(), reason };
    reason
}

/// Answers and records what must not become an exchange: garbage, half a head, a head that is refused. `head` is there
/// when the head could be read, as over HTTP/2; `raw` is what came otherwise.
pub async fn refuse_head(
    worker: &Rc<Worker>,
    facts: &ConnectionFacts,
    noted: Noted,
    head: Option<&RequestHead>,
    raw: &[u8],
    responder: &mut Responder<'_>,
) {
    let mut record = match head {
        Some(head) => Record::begin(worker.recorder.next_id(), facts, head),
        None => Record::begin_refused(worker.recorder.next_id(), facts),
    };
    let reason = refused_by_parser(noted.anomaly, noted.offset, &mut record);
    record.event.end = ExchangeEnd::Refused;
    describe_refused(raw, &mut record);
    responder.close_after();
    let request_id = record.event.id.text();
    let explained = Some(reason).filter(|_| worker.snapshot().explains());
    let answer =
        Answer::new(noted.anomaly.status(), explained, request_id.as_str(), head.map_or(Caller::unknown(), Caller::of));
    record.event.status = answer.status;
    record.event.status_source = StatusSource::Gateway;
    match responder.answer(&answer).await {
        Ok(bytes) => record.event.response_bytes = bytes,
        Err(_) => record.event.end = ExchangeEnd::ClientGone,
    }
    worker.recorder.record(record.finish(None));
}

/// Records a connection that was ended for what its client did between requests.
pub fn record_refused(worker: &Rc<Worker>, facts: &ConnectionFacts, noted: Noted) {
    let mut record = Record::begin_refused(worker.recorder.next_id(), facts);
    refused_by_parser(noted.anomaly, noted.offset, &mut record);
    record.event.end = ExchangeEnd::Refused;
    worker.recorder.record(record.finish(None));
}

/// What can be told of a head that was refused: the words of its first line, where they are words.
fn describe_refused(raw: &[u8], record: &mut Record) {
    const WORD_BYTES_MAX: usize = 512;
    let line_end = memchr::memchr2(b'\r', b'\n', raw).unwrap_or(raw.len()).min(2 * WORD_BYTES_MAX);
    let mut words = raw.get(..line_end).unwrap_or_default().split(|&byte| byte == b' ');
    let mut word = |bytes_max: usize| {
        let word = words.next().unwrap_or_default();
        let word = word.get(..word.len().min(bytes_max)).unwrap_or_default();
        Bytes::copy_from_slice(word)
    };
    let method = word(32);
    if inspect::http1::is_token(&method) {
        record.event.method = method;
        record.event.target = word(WORD_BYTES_MAX);
    }
}
