//! What every JSON body must be, with or without a contract: readable in one way only.

use model::finding::{Confidence, Finding, Findings, Place};
use model::reason::{ContractReason, Reason};
use schema::json::NoteKind;

use crate::view::BodyView;

/// Judges a JSON body. A contract that reads JSON says itself what is malformed or beyond a limit.
pub(super) fn judge_json(body: &BodyView<'_>, knows_json: bool, out: &mut Findings) {
    if !body.is_json() || !body.whole || body.bytes.is_empty() {
        return;
    }
    let mut say = |reason, confidence, evidence: &str| {
        out.push(Finding::new(Reason::Contract(reason), confidence, Place::Body("".into()), evidence));
    };
    let tape = match body.json() {
        Ok(tape) => tape,
        Err(_) if knows_json => return,
        Err(error) if error.kind.is_limit() => {
            return say(ContractReason::JsonLimit, Confidence::Sure, &error.to_string());
        }
        // Nobody said that it must be JSON but its media type.
        Err(error) => return say(ContractReason::BodyMalformed, Confidence::Likely, &error.to_string()),
    };
    for note in tape.notes() {
        let (reason, confidence) = match note.kind {
            // Readers take the first or the last: what is judged need not be what is run.
            NoteKind::DuplicateKey => (ContractReason::JsonDuplicateKey, Confidence::Sure),
            NoteKind::LoneSurrogate | NoteKind::ByteOrderMark => (ContractReason::BodyMalformed, Confidence::Likely),
            NoteKind::NumberOverflow => (ContractReason::JsonLimit, Confidence::Likely),
        };
        say(reason, confidence, &format!("{} at byte {}", note.kind.text(), note.offset));
    }
}
