//! The one place that makes a verdict out of findings.

use model::finding::{Confidence, Finding};
use model::mode::Mode;
use model::reason::{Reason, StageId};
use model::verdict::{Action, Verdict};

use crate::policy::{Exception, Policy};
use crate::view::RequestView;

/// Decides over everything reported so far. A request is refused when a stage in mode `block` is sure of a finding that
/// no exception lets pass; of several, the most severe names the answer, and of equals the first reported.
pub fn decide(policy: &Policy, request: &RequestView<'_>, findings: &[Finding]) -> Verdict {
    let modes = policy.modes_for(request);
    let mut verdict = Verdict::default();
    let mut refusing = None::<&Finding>;
    let mut would = None::<&Finding>;
    for finding in findings {
        if finding.confidence < Confidence::Sure || is_excepted(policy, request, finding) {
            continue;
        }
        let heavier =
            |than: Option<&Finding>| than.is_none_or(|than| finding.reason.severity() > than.reason.severity());
        match modes.of(finding.reason.stage()) {
            Mode::Off => {}
            Mode::Monitor if heavier(would) => would = Some(finding),
            Mode::Block if heavier(refusing) => refusing = Some(finding),
            Mode::Monitor | Mode::Block => {}
        }
    }
    verdict.would_refuse = would.map(|finding| finding.reason);
    if let Some(finding) = refusing {
        let own = finding.reason.status();
        // The configured status stands in for `forbidden`; statuses that tell the client what to mend keep their meaning.
        let status = if own == 403 { policy.refusal_status.unwrap_or(own) } else { own };
        verdict.action = Action::Refuse { status, reason: finding.reason };
    }
    verdict
}

/// What would be decided about findings that come up while a body streams: the policy at a request, without its borrows.
#[derive(Clone, Debug)]
pub struct Standing {
    mode: Mode,
    excepted: Vec<(Reason, String)>,
}

impl Standing {
    /// The standing of one stage at a request.
    pub fn of(policy: &Policy, request: &RequestView<'_>, stage: StageId) -> Self {
        let excepted = policy.exceptions.iter().filter(|exception| holds(exception, request));
        Self {
            mode: policy.modes_for(request).of(stage),
            excepted: excepted.map(|exception| (exception.reason, exception.place.clone())).collect(),
        }
    }

    /// True when [`decide`] refuses for this finding.
    pub fn refuses(&self, finding: &Finding) -> bool {
        let is_excepted = || {
            let fits = |(reason, place): &(Reason, String)| {
                *reason == finding.reason && (place.is_empty() || *place == finding.place.text())
            };
            self.excepted.iter().any(fits)
        };
        self.mode == Mode::Block && finding.confidence >= Confidence::Sure && !is_excepted()
    }
}

fn is_excepted(policy: &Policy, request: &RequestView<'_>, finding: &Finding) -> bool {
    policy.exceptions.iter().any(|exception| {
        exception.reason == finding.reason
            && (exception.place.is_empty() || exception.place == finding.place.text())
            && holds(exception, request)
    })
}

/// True when an exception holds at a request, whatever its reason and place.
fn holds(exception: &Exception, request: &RequestView<'_>) -> bool {
    let Exception { endpoint, path_prefix, place: _, reason: _, until } = exception;
    endpoint.is_none_or(|endpoint| Some(endpoint) == request.endpoint)
        && request.path.starts_with(path_prefix.as_bytes())
        && until.is_none_or(|until| request.now < until)
}
