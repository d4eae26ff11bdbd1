//! The one place that makes a verdict out of findings.

use model::finding::{Confidence, Finding};
use model::mode::Mode;
use model::verdict::{Action, Verdict};

use crate::policy::{Exception, Policy};
use crate::view::RequestView;

/// Decides over everything reported so far. A request is refused when a stage in mode `block` is sure of a finding that
/// no exception lets pass; of several, the most severe names the answer, and of equals the first reported.
pub fn decide(policy: &Policy, request: &RequestView<'_>, findings: &[Finding]) -> Verdict {
    let modes = policy.modes_at(request.endpoint);
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

fn is_excepted(policy: &Policy, request: &RequestView<'_>, finding: &Finding) -> bool {
    policy.exceptions.iter().any(|exception| {
        let Exception { endpoint, path_prefix, place, reason, until } = exception;
        *reason == finding.reason
            && endpoint.is_none_or(|endpoint| Some(endpoint) == request.endpoint)
            && request.path.starts_with(path_prefix.as_bytes())
            && (place.is_empty() || *place == finding.place.text())
            && until.is_none_or(|until| request.now < until)
    })
}
