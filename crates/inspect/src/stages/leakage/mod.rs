//! Stage `leakage`: what responses give away.
//!
//! Held bodies are searched for stack traces, database errors, secrets, and numbers that name people or their money.
//! Whatever has a check digit is checked, so that an order number is no card number. Findings are reported once per kind
//! with their count; evidence never repeats what was found.
//!
//! One pass over the text finds everything: an automaton over the fragments of traces and secrets, and beside it the
//! classes of bytes, which say where a number or an address may begin; only there are the validators asked.
//!
//! What is masked ([`mask`]) leaves the gateway with the same length, while it streams. What is done about which kind, and
//! where, is the policy's ([`LeakRule`]).

mod identities;
pub mod mask;
mod numbers;
mod secrets;
mod traces;

use std::ops::Range;
use std::sync::LazyLock;

use model::finding::{Confidence, Finding, Findings, Place};
use model::head::Known;
use model::ids::EndpointId;
use model::mode::Mode;
use model::reason::{LeakReason, Reason, StageId};

use mask::Mask;

use crate::policy::Policy;
use crate::stage::Stage;
use crate::stages::attacks::automaton::{Automaton, State};
use crate::view::{BodyView, BodyWish, RequestView, ResponseView, is_opaque, media_type};

/// Whether e-mail addresses in responses are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emails {
    /// More than a few in one response are a hint.
    #[default]
    WhenMany,
    /// Never.
    Ignore,
}

/// What is done about a kind of thing that a response gives away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakAction {
    /// It is not looked for, because the API gives it out by design.
    Allow,
    /// It is reported, and the response goes on.
    Report,
    /// It is made unreadable on its way, in mode `block`; reported in both.
    Mask,
    /// The response is refused in mode `block` where the stage is sure.
    #[default]
    Block,
}

/// What may be configured of this stage.
#[derive(Clone, Debug, Default)]
pub struct LeakagePolicy {
    /// Whether e-mail addresses are reported.
    pub emails: Emails,
    /// What is done about which kinds, and where; the first that fits counts.
    pub rules: Vec<LeakRule>,
}

/// What is done about some kinds of things, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeakRule {
    /// The kinds; every kind when empty. Traces and database errors are sentences and are never masked.
    pub kinds: Vec<LeakReason>,
    /// What is done.
    pub action: LeakAction,
    /// Only at this endpoint; `None` for the whole API.
    pub endpoint: Option<EndpointId>,
    /// Only under this path prefix in canonical form; empty for every path.
    pub path_prefix: String,
}

impl LeakagePolicy {
    /// What is done about a kind in the response to a request.
    pub fn action_at(&self, reason: LeakReason, endpoint: Option<EndpointId>, path: &[u8]) -> LeakAction {
        let fits = |rule: &&LeakRule| {
            let LeakRule { kinds, action: _, endpoint: at, path_prefix } = rule;
            (kinds.is_empty() || kinds.contains(&reason))
                && (at.is_none() || *at == endpoint)
                && path.starts_with(path_prefix.as_bytes())
        };
        match self.rules.iter().find(fits).map(|rule| rule.action).unwrap_or_default() {
            LeakAction::Mask if !mask::can_mask(reason) => LeakAction::Block,
            action => action,
        }
    }

    /// The kinds masked in the response to a request.
    fn masked_at(&self, endpoint: Option<EndpointId>, path: &[u8]) -> Vec<LeakReason> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let is_masked = |reason: &LeakReason| self.action_at(*reason, endpoint, path) == LeakAction::Mask;
        LeakReason::ALL.iter().copied().filter(is_masked).collect()
    }
}

/// The mask over the response to a request, where the stage blocks and something is masked there.
pub fn mask_response(policy: &Policy, request: &RequestView<'_>) -> Option<Mask> {
    let kinds = policy.leakage.masked_at(request.endpoint, request.path);
    (!kinds.is_empty() && policy.modes_for(request).of(StageId::Leakage) == Mode::Block).then(|| Mask::new(kinds))
}

/// As [`mask_response`], for a response whose body has values that can be read.
pub fn mask_of_response(policy: &Policy, request: &RequestView<'_>, response: &ResponseView<'_>) -> Option<Mask> {
    let media = response.head.fields.first(Known::ContentType).map(media_type).unwrap_or_default();
    mask_response(policy, request).filter(|_| !is_opaque(&media))
}

/// The stage.
pub struct Leakage;

impl Stage for Leakage {
    fn id(&self) -> StageId {
        StageId::Leakage
    }

    fn response_body_wish(&self, policy: &Policy, request: &RequestView<'_>, response: &ResponseView<'_>) -> BodyWish {
        let media = response.head.fields.first(Known::ContentType).map(media_type).unwrap_or_default();
        // What is sent as it is made must not wait for its end.
        if is_opaque(&media) || media == "text/event-stream" {
            return BodyWish::Stream;
        }
        let refuses = |reason: &LeakReason| {
            policy.leakage.action_at(*reason, request.endpoint, request.path) == LeakAction::Block
        };
        // Where nothing is refused nothing need be held: a copy is reported of, and the mask works while the body streams.
        if LeakReason::ALL.iter().any(refuses) { BodyWish::Hold } else { BodyWish::Copy }
    }

    fn judge_response(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        out: &mut Findings,
    ) {
        if policy.leakage.masked_at(request.endpoint, request.path).is_empty() || !is_encoded(response) {
            return;
        }
        // The request was sent on without Accept-Encoding; an upstream that encodes all the same would pass the mask.
        let place = Place::ResponseHeader("content-encoding".into());
        out.push(Finding::new(Reason::Leak(LeakReason::Uninspected), Confidence::Sure, place, ""));
    }

    fn judge_response_body(
        &self,
        policy: &Policy,
        request: &RequestView<'_>,
        _response: &ResponseView<'_>,
        body: &BodyView<'_>,
        out: &mut Findings,
    ) {
        let is_blocking = policy.modes_for(request).of(StageId::Leakage) == Mode::Block;
        for mut leak in leaks(body.bytes) {
            match policy.leakage.action_at(leak.reason, request.endpoint, request.path) {
                LeakAction::Allow => continue,
                // The mask itself reports what it masks.
                LeakAction::Mask if is_blocking => continue,
                LeakAction::Mask | LeakAction::Report => leak.confidence = leak.confidence.min(Confidence::Likely),
                LeakAction::Block => {}
            }
            if leak.reason == LeakReason::Email && policy.leakage.emails == Emails::Ignore {
                continue;
            }
            let evidence =
                if leak.count > 1 { format!("{}, {} times", leak.what, leak.count) } else { leak.what.to_owned() };
            out.push(Finding::new(
                Reason::Leak(leak.reason),
                leak.confidence,
                Place::ResponseBody("".into()),
                &evidence,
            ));
        }
    }
}

/// True when the body of a response is in a content coding.
pub fn is_encoded(response: &ResponseView<'_>) -> bool {
    let mut codings = response.head.fields.all(Known::ContentEncoding);
    codings.any(|coding| !coding.trim_ascii().is_empty() && !coding.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Something a text gives away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The kind.
    pub reason: LeakReason,
    /// How sure.
    pub confidence: Confidence,
    /// What it is, in words.
    pub what: &'static str,
    /// How often it was seen.
    pub count: u32,
}

/// Everything a text gives away, each kind of thing once.
pub fn leaks(text: &[u8]) -> Vec<Leak> {
    let mut found = Found::default();
    search(text, &mut found);
    found.leaks.retain(|leak| leak.reason != LeakReason::Email || leak.count >= EMAILS_MIN);
    found.leaks
}

/// Fewer addresses are what a user's own profile holds.
const EMAILS_MIN: u32 = 5;

/// The fragments of traces, then those of secrets.
static FRAGMENTS: LazyLock<Automaton> =
    LazyLock::new(|| Automaton::new(traces::fragments().chain(secrets::fragments())));

/// A letter, digit, dot, hyphen or underscore: what goes on with a word.
const PART: u8 = 1;
/// A digit or capital letter: what a number with check digits may begin with.
const OPENS: u8 = 2;
/// `@`.
const AT: u8 = 4;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
static CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' => PART | OPENS,
            b'a'..=b'z' | b'.' | b'-' | b'_' => PART,
            b'@' => AT,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// One pass over a text.
fn search(text: &[u8], found: &mut Found) {
    let mut state = State::default();
    let mut weak = traces::Weak::default();
    let mut before = 0u8;
    // A number in groups is one number: its groups are not looked at again.
    let mut numbers_from = 0usize;
    for (at, &byte) in text.iter().enumerate() {
        state = FRAGMENTS.step(state, byte);
        if state.is_end() {
            for &index in FRAGMENTS.ends(state) {
                match usize::from(index).checked_sub(traces::COUNT) {
                    None => traces::judge(text, usize::from(index), at + 1, &mut weak, found),
                    Some(index) => secrets::judge(text, index, at + 1, found),
                }
            }
        }
        let class = CLASS.get(usize::from(byte)).copied().unwrap_or(0);
        if class & (OPENS | AT) != 0 {
            if class & AT != 0 {
                identities::judge_address(text, at, found);
            } else if before & PART == 0 {
                if at >= numbers_from {
                    numbers_from = at + numbers::judge(text, at, found);
                }
                identities::judge(text, at, found);
            }
        }
        before = class;
    }
}

/// What was found so far, and where.
#[derive(Default)]
pub(super) struct Found {
    leaks: Vec<Leak>,
    /// Where, when that is asked for.
    spans: Option<Vec<(LeakReason, &'static str, Range<usize>)>>,
}

impl Found {
    fn add(&mut self, reason: LeakReason, confidence: Confidence, what: &'static str, span: Range<usize>) {
        if let Some(spans) = &mut self.spans {
            spans.push((reason, what, span));
        }
        match self.leaks.iter_mut().find(|leak| leak.reason == reason && leak.what == what) {
            Some(leak) => {
                leak.count += 1;
                leak.confidence = leak.confidence.max(confidence);
            }
            None => self.leaks.push(Leak { reason, confidence, what, count: 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn check(text: &str, expected: &[(LeakReason, Confidence, &str)]) {
        let found: Vec<_> =
            leaks(text.as_bytes()).iter().map(|leak| (leak.reason, leak.confidence, leak.what)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn ordinary_answers_give_nothing_away() {
        for text in [
            r#"{"id":42,"name":"O'Brien","email":"a@example.com","total":19.99,"created":"2026-11-23T10:00:00Z"}"#,
            r#"{"order":"4111111111111112","iban":"DE89370400440532013001","sku":"123-45-6789-0"}"#,
            r#"{"error":"the field `name` is missing","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
            "The at sign is used in addresses; see File and line in the manual, error near the end.",
            r#"{"ids":["550e8400-e29b-41d4-a716-446655440000"],"hash":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
            r#"{"phone":"+1 555 010 9999","ts":1700000000000,"n":3782822463100051}"#,
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn many_addresses_are_a_hint_and_few_are_none() {
        let list = |count: usize| (0..count).map(|at| format!("user{at}@example.com")).collect::<Vec<_>>().join(",");
        check(&list(3), &[]);
        check(&list(6), &[(LeakReason::Email, Confidence::Hint, "e-mail addresses")]);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_searched(text in any::<Vec<u8>>()) {
            let _ = leaks(&text);
        }
    }
}
