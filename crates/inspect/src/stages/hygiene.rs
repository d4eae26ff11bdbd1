//! Stage `hygiene`: HTTP anomalies in messages that can be framed. What cannot never gets here: the parser refuses it.

use model::finding::{Confidence, Finding, Findings, Place};
use model::reason::{Anomaly, Reason, StageId, Tier};

use crate::policy::Policy;
use crate::stage::Stage;
use crate::view::RequestView;

/// What may be configured of this stage.
#[derive(Clone, Debug, Default)]
pub struct HygienePolicy {}

/// The stage.
pub struct Hygiene;

impl Stage for Hygiene {
    fn id(&self) -> StageId {
        StageId::Hygiene
    }

    fn judge_request(&self, _policy: &Policy, request: &RequestView<'_>, out: &mut Findings) {
        for noted in request.notes {
            out.push(finding(noted.anomaly, Place::RequestLine, ""));
        }
    }
}

/// An anomaly as a finding: ambiguous ones are refused in mode `block`, harmless ones only reported.
fn finding(anomaly: Anomaly, place: Place, evidence: &str) -> Finding {
    let confidence = match anomaly.tier() {
        Tier::Compliant => Confidence::Hint,
        Tier::Acceptable => Confidence::Likely,
        Tier::Ambiguous | Tier::Severe => Confidence::Sure,
    };
    Finding::new(Reason::Hygiene(anomaly), confidence, place, evidence)
}
