//! What is judged, in which order, and why.

use std::panic::{AssertUnwindSafe, catch_unwind};

use model::finding::Findings;
use model::mode::Mode;
use model::reason::StageId;

use crate::policy::Policy;
use crate::stage::Stage;
use crate::stages::{attacks, clients, contract, crs, hygiene, leakage};
use crate::view::{BodyView, BodyWish, RequestView, ResponseView};

/// Every stage, in the order it judges.
pub static STAGES: &[&dyn Stage] = &[
    // First: a message that readers understand differently cannot be judged by anything behind.
    &hygiene::Hygiene,
    // Before anything that costs: a denied address is not worth parsing for.
    &clients::Clients,
    // Positive security before negative: what the contract proves harmless, the detectors need not scan.
    &contract::ContractStage,
    // Every free string that the contract let through.
    &attacks::Attacks,
    // Loaded rules last of what reads requests: they cost most, and what they add is their own names for what was found.
    &crs::Crs,
    // Responses only.
    &leakage::Leakage,
];

/// What one step of the pipeline brought.
#[derive(Debug, Default)]
pub struct Step {
    /// Some stage wants the body.
    pub wish: BodyWish,
    /// A stage that panicked; its findings are lost, the others' are there.
    pub failed: Option<StageId>,
}

/// Runs every stage that is not off over one step, each with the same treatment: its mode looked up, its panic caught.
fn each_stage(
    policy: &Policy,
    request: &RequestView<'_>,
    out: &mut Findings,
    mut step: impl FnMut(&dyn Stage, &mut Findings) -> BodyWish,
) -> Step {
    let modes = policy.modes_for(request);
    let mut result = Step::default();
    for stage in STAGES {
        let mode = modes.of(stage.id());
        if mode == Mode::Off {
            continue;
        }
        let kept = out.len();
        match catch_unwind(AssertUnwindSafe(|| step(*stage, out))) {
            // What only reports need not hold a message back: it is judged by a copy once it has gone through.
            Ok(BodyWish::Hold) if mode == Mode::Monitor => {
                result.wish = result.wish.max(BodyWish::Copy);
            }
            Ok(wish) => result.wish = result.wish.max(wish),
            Err(_) => {
                out.truncate(kept);
                result.failed = Some(stage.id());
            }
        }
    }
    result
}

/// Judges the head of a request; the step says whether its body must be held.
pub fn judge_request(policy: &Policy, request: &RequestView<'_>, out: &mut Findings) -> Step {
    each_stage(policy, request, out, |stage, out| {
        stage.judge_request(policy, request, out);
        stage.request_body_wish(policy, request)
    })
}

/// Judges the held body of a request.
pub fn judge_request_body(policy: &Policy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) -> Step {
    each_stage(policy, request, out, |stage, out| {
        stage.judge_request_body(policy, request, body, out);
        BodyWish::Stream
    })
}

/// Judges the head of a response; the step says whether its body must be held.
pub fn judge_response(
    policy: &Policy,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    out: &mut Findings,
) -> Step {
    each_stage(policy, request, out, |stage, out| {
        stage.judge_response(policy, request, response, out);
        stage.response_body_wish(policy, request, response)
    })
}

/// Judges the held body of a response.
pub fn judge_response_body(
    policy: &Policy,
    request: &RequestView<'_>,
    response: &ResponseView<'_>,
    body: &BodyView<'_>,
    out: &mut Findings,
) -> Step {
    each_stage(policy, request, out, |stage, out| {
        stage.judge_response_body(policy, request, response, body, out);
        BodyWish::Stream
    })
}
