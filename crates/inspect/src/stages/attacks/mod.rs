//! Stage `attacks`: negative security over every value a client sent.
//!
//! Each value passes a cheap gate ([`gate`]); what has a fragment or signs that some attack needs is read by that
//! family's detector, which weighs structure, not words. Encodings are taken off one layer at a time and each layer is
//! judged. What the detectors are not sure of is settled by the learned score ([`score`]).
//!
//! Left out on purpose: what the contract proves harmless (an integer, a UUID, one of a list) is not looked at.

pub(crate) mod automaton;
mod calls;
mod code;
mod command;
mod commands;
mod deserialization;
mod expression;
pub mod family;
pub mod gate;
mod graphql;
mod header_injection;
mod judging;
mod ldap;
mod mail;
mod memory;
mod nosql;
mod page;
mod prototype;
mod scanner;
pub mod score;
mod script;
mod sql;
mod ssrf;
mod template;
mod text;
mod traversal;
mod xpath;
mod xxe;

use model::finding::Findings;
use model::reason::StageId;

pub use judging::{Judged, Judging, Use, use_of_score};

use crate::http1::Framing;
use crate::policy::Policy;
use crate::stage::Stage;
use crate::values::head::is_settled;
use crate::values::{Proven, walk_body, walk_field, walk_target};
use crate::view::{BodyView, BodyWish, RequestView, is_opaque};

/// How readily the stage is sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Only overwhelming evidence.
    Low,
    /// Evidence that ordinary traffic does not have.
    #[default]
    Normal,
    /// Likely is enough: for APIs that take no free text.
    High,
}

/// Whether GraphQL introspection is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Introspection {
    /// It is a finding.
    #[default]
    Report,
    /// It is allowed.
    Allow,
}

/// Whether the learned score takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScoreUse {
    /// It settles what the detectors are not sure of, and reports what they do not know: for sure where the value is bare
    /// (no sentences, no lines, no markup) and it reaches the margin that one legitimate text in five thousand reaches.
    #[default]
    Full,
    /// Detectors alone.
    Off,
}

/// What may be configured of this stage.
#[derive(Clone, Debug, Default)]
pub struct AttackPolicy {
    /// How readily it is sure.
    pub sensitivity: Sensitivity,
    /// Whether introspection is reported.
    pub introspection: Introspection,
    /// Whether the learned score takes part.
    pub score: ScoreUse,
}

/// The stage.
pub struct Attacks;

impl Stage for Attacks {
    fn id(&self) -> StageId {
        StageId::Attacks
    }

    fn judge_request(&self, policy: &Policy, request: &RequestView<'_>, out: &mut Findings) {
        let mut judging = Judging::new(&policy.attacks);
        walk_target(request, &mut |value| judging.value(value));
        for field in request.head.fields.iter().filter(|field| !is_settled(field.known)) {
            memory::unless_clean(&policy.attacks, &field, || {
                let before = judging.reported();
                walk_field(&field, &mut |value| judging.value(value));
                judging.reported() == before
            });
        }
        judging.report(out);
    }

    fn request_body_wish(&self, _policy: &Policy, request: &RequestView<'_>) -> BodyWish {
        let opaque = request.media_type().is_some_and(|media_type| is_opaque(&media_type));
        if request.framing == Framing::None || opaque { BodyWish::Stream } else { BodyWish::Hold }
    }

    fn judge_request_body(&self, policy: &Policy, _request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
        judge_body(&policy.attacks, body, &|string| body.is_proven(string), out);
    }
}

/// Judges a held body; `proven` names the values on its tape that the contract proves to be no free strings.
pub fn judge_body(policy: &AttackPolicy, body: &BodyView<'_>, proven: Proven<'_>, out: &mut Findings) {
    let mut judging = Judging::new(policy);
    walk_body(body, proven, &mut |value| judging.value(value));
    judging.report(out);
}
