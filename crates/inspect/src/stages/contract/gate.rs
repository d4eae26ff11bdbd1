//! Messages judged one by one while a body streams: the piece that completes a message goes on only when the message fits,
//! so that nobody ever reads one that does not, and no more than one message is kept.

use std::sync::Arc;

use model::finding::{Confidence, Finding, Findings, Place};
use model::mode::Mode;
use model::reason::{ContractReason, Reason};
use schema::grpc::{Frame, FrameError, FrameReader, GrpcContract, GrpcMethod, GrpcSide, WireProblem};

use crate::coding::{Inflated, inflated};
use crate::decide::Standing;

/// Most findings of one body; what follows is no news.
const FINDINGS_MAX: usize = 8;

/// The judge of one streaming body.
pub struct MessageGate {
    contract: Arc<GrpcContract>,
    method: GrpcMethod,
    side: GrpcSide,
    /// How responses are judged; of no weight for requests.
    responses: Mode,
    /// The coding of compressed messages, as `grpc-encoding` names it.
    coding: Vec<u8>,
    standing: Standing,
    reader: FrameReader,
    /// Of gRPC-Web in text form: base64 that is not yet a whole group of four.
    text: Option<Vec<u8>>,
    messages: usize,
    /// Nothing more can be told of this body.
    is_lost: bool,
    findings: Findings,
}

impl MessageGate {
    /// A gate for one side of a call. `is_text` for the text form of gRPC-Web.
    pub(super) fn new(
        contract: &Arc<GrpcContract>,
        method: GrpcMethod,
        side: GrpcSide,
        responses: Mode,
        coding: &[u8],
        is_text: bool,
        standing: Standing,
    ) -> Self {
        Self {
            contract: Arc::clone(contract),
            method,
            side,
            responses,
            coding: coding.to_vec(),
            standing,
            reader: FrameReader::default(),
            text: is_text.then(Vec::new),
            messages: 0,
            is_lost: false,
            findings: Findings::new(),
        }
    }

    /// Judges the next piece. True when it must not go on.
    pub fn feed(&mut self, data: &[u8]) -> bool {
        let before = self.findings.len();
        let decoded = match &mut self.text {
            Some(rest) => decode_text(rest, data),
            None => Some(std::borrow::Cow::Borrowed(data)),
        };
        match decoded {
            Some(data) => self.feed_binary(&data),
            None => self.lose(FrameError::Flag, "base64 of gRPC-Web messages"),
        }
        self.refuses_since(before)
    }

    /// Judges the end of the body. True when it must not go on.
    pub fn end(&mut self) -> bool {
        let before = self.findings.len();
        if !self.is_lost {
            let is_cut = self.text.as_ref().is_some_and(|rest| !rest.is_empty());
            if let Err(error) = if is_cut { Err(FrameError::Truncated) } else { self.reader.end() } {
                self.lose(error, &error.to_string());
            } else if self.side == GrpcSide::Request && self.messages == 0 && !self.method.is_streaming(self.side) {
                self.say(self.invalid(), "", "one message");
            }
        }
        self.refuses_since(before)
    }

    /// The body is sent again from its beginning.
    pub fn restart(&mut self) {
        self.reader = FrameReader::default();
        self.text = self.text.is_some().then(Vec::new);
        self.messages = 0;
        self.is_lost = false;
        self.findings.clear();
    }

    /// What was found.
    pub fn into_findings(self) -> Findings {
        self.findings
    }

    fn refuses_since(&self, before: usize) -> bool {
        self.findings.iter().skip(before).any(|finding| self.standing.refuses(finding))
    }

    fn feed_binary(&mut self, data: &[u8]) {
        if self.is_lost {
            return;
        }
        let mut reader = std::mem::take(&mut self.reader);
        let contract = Arc::clone(&self.contract);
        let fed = reader.feed(contract.limits(), data, &mut |frame| self.judge(frame));
        self.reader = reader;
        if let Err(error) = fed {
            self.lose(error, &error.to_string());
        }
    }

    fn judge(&mut self, frame: Frame<'_>) {
        if self.is_lost {
            return;
        }
        if frame.trailers {
            if self.side == GrpcSide::Request {
                self.say(self.invalid(), "", "messages; trailers are for responses");
            }
            return;
        }
        self.messages += 1;
        if self.messages > 1 && !self.method.is_streaming(self.side) {
            self.say(self.invalid(), "", "one message");
            self.is_lost = true;
            return;
        }
        let judged = if frame.compressed {
            let bytes_max = self.contract.limits().message_bytes_max;
            match inflated(frame.message, &self.coding, bytes_max) {
                Inflated::Bytes(message) => self.contract.judge_message(&self.method, self.side, &message),
                Inflated::TooLarge => return self.lose(FrameError::TooLarge, "a smaller message once inflated"),
                Inflated::Malformed => {
                    return self.say(self.invalid(), "", "a message compressed as `grpc-encoding` says");
                }
                Inflated::Unknown => {
                    let expected = "identity, gzip or deflate as `grpc-encoding`";
                    return self.say(ContractReason::BodyUninspected, "", expected);
                }
            }
        } else {
            self.contract.judge_message(&self.method, self.side, frame.message)
        };
        if let Err(violation) = judged {
            let reason = match (violation.problem, self.side) {
                (WireProblem::TooDeep | WireProblem::TooMany, GrpcSide::Request) => ContractReason::GrpcLimit,
                (WireProblem::UnknownField, GrpcSide::Response) => ContractReason::ExcessData,
                _ => self.invalid(),
            };
            let expected = violation.expected();
            self.say(reason, &violation.path, expected);
        }
    }

    const fn invalid(&self) -> ContractReason {
        match self.side {
            GrpcSide::Request => ContractReason::GrpcInvalid,
            GrpcSide::Response => ContractReason::ResponseInvalid,
        }
    }

    fn lose(&mut self, error: FrameError, evidence: &str) {
        if self.is_lost {
            return;
        }
        let is_limit = matches!(error, FrameError::TooLarge | FrameError::TooMany);
        let is_request = self.side == GrpcSide::Request;
        self.say(if is_limit && is_request { ContractReason::GrpcLimit } else { self.invalid() }, "", evidence);
        self.is_lost = true;
    }

    fn say(&mut self, reason: ContractReason, path: &str, evidence: &str) {
        if self.findings.len() >= FINDINGS_MAX {
            return;
        }
        let (place, confidence) = match self.side {
            GrpcSide::Request => (Place::Body(path.into()), Confidence::Sure),
            GrpcSide::Response => (Place::ResponseBody(path.into()), super::response_confidence(self.responses)),
        };
        let evidence = match self.messages {
            0 | 1 => evidence.to_owned(),
            number => format!("message {number}: {evidence}"),
        };
        self.findings.push(Finding::new(Reason::Contract(reason), confidence, place, &evidence));
    }
}

/// Decodes what is whole of a text; padding may stand within it, where one message ends and the next begins. `None` when it
/// is no base64.
fn decode_text<'d>(rest: &mut Vec<u8>, data: &[u8]) -> Option<std::borrow::Cow<'d, [u8]>> {
    use base64::Engine as _;
    rest.extend_from_slice(data);
    let whole = rest.len() - rest.len() % 4;
    let mut out = Vec::with_capacity(whole / 4 * 3);
    for group in rest.get(..whole)?.chunks_exact(4) {
        base64::engine::general_purpose::STANDARD.decode_vec(group, &mut out).ok()?;
    }
    rest.drain(..whole);
    Some(std::borrow::Cow::Owned(out))
}
