//! Stage `leakage`: what responses give away.
//!
//! Held bodies are searched for stack traces, database errors, secrets, and numbers that name people or their money.
//! Whatever has a check digit is checked, so that an order number is no card number. Findings are reported once per kind
//! with their count; evidence never repeats what was found.
//!
//! One pass over the text finds everything: an automaton over the fragments of traces and secrets, and beside it the
//! classes of bytes, which say where a number or an address may begin; only there are the validators asked.
//!
//! What is masked ([`mask`]) leaves the gateway with the same length, while it streams.

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

/// What may be configured of this stage.
#[derive(Clone, Debug, Default)]
pub struct LeakagePolicy {
    /// Whether e-mail addresses are reported.
    pub emails: Emails,
    /// What is not looked for, because the API gives it out by design.
    pub allowed: Vec<LeakReason>,
    /// What is made unreadable on its way to the client, and where.
    pub masks: Vec<Masked>,
}

/// A kind of thing that is masked in responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The kind. Traces and database errors are sentences and are never masked.
    pub reason: LeakReason,
    /// Only at this endpoint; `None` for the whole API.
    pub endpoint: Option<EndpointId>,
    /// Only under this path prefix in canonical form; empty for every path.
    pub path_prefix: String,
}

impl LeakagePolicy {
    /// What is masked in the response to a request; `None` when nothing is.
    pub fn mask_at(&self, endpoint: Option<EndpointId>, path: &[u8]) -> Option<Mask> {
        let kinds = self.masks.iter().filter(|masked| {
            let Masked { reason: _, endpoint: at, path_prefix } = masked;
            (at.is_none() || *at == endpoint) && path.starts_with(path_prefix.as_bytes())
        });
        let kinds: Vec<LeakReason> = kinds.map(|masked| masked.reason).collect();
        (!kinds.is_empty()).then(|| Mask::new(kinds))
    }
}

/// The stage.
pub struct Leakage;

impl Stage for Leakage {
    fn id(&self) -> StageId {
        StageId::Leakage
    }

    fn response_body_wish(
        &self,
        _policy: &Policy,
        _request: &RequestView<'_>,
        response: &ResponseView<'_>,
    ) -> BodyWish {
        let media = response.head.fields.first(Known::ContentType).map(media_type).unwrap_or_default();
        // What is sent as it is made must not wait for its end.
        if is_opaque(&media) || media == "text/event-stream" { BodyWish::Stream } else { BodyWish::Hold }
    }

    fn judge_response_body(
        &self,
        policy: &Policy,
        _request: &RequestView<'_>,
        _response: &ResponseView<'_>,
        body: &BodyView<'_>,
        out: &mut Findings,
    ) {
        for leak in leaks(body.bytes) {
            if policy.leakage.allowed.contains(&leak.reason)
                || leak.reason == LeakReason::Email && policy.leakage.emails == Emails::Ignore
            {
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
    spans: Option<Vec<(LeakReason, Range<usize>)>>,
}

impl Found {
    fn add(&mut self, reason: LeakReason, confidence: Confidence, what: &'static str, span: Range<usize>) {
        if let Some(spans) = &mut self.spans {
            spans.push((reason, span));
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
