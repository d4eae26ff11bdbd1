//! What to do next, from the figures: rules in plain sight, each with why.

use model::EndpointState;
use store::StoredEndpoint;

use super::{Advice, Report, grouped, percent};

/// The advice, the most pressing first.
pub(super) fn advice(report: &Report, stored: &store::Report, endpoints: &[StoredEndpoint]) -> Vec<Advice> {
    let mut list = Vec::new();
    let mut add = |urgency, text: String, because: String, link: &str| {
        list.push(Advice { urgency, text, because, link: link.to_owned() });
    };
    let figures = &report.figures;
    if figures.would_refuse > 0 {
        add(
            "high",
            "Preview blocking for the stages that found something, then switch it on".to_owned(),
            format!("{} requests were carried that would have been refused", grouped(figures.would_refuse)),
            "/policy",
        );
    }
    if let Some(threat) = stored.threats.first() {
        add(
            "high",
            format!("Look at the most frequent threat: {}", threat.name),
            format!("{} exchanges, {} of all findings", grouped(threat.share.part), percent(threat.share.percent())),
            "/threats",
        );
    }
    if stored.waiting_for_review > 0 {
        add(
            "medium",
            "Review the discovery inbox".to_owned(),
            format!("{} endpoints wait for a decision", grouped(stored.waiting_for_review)),
            "/inbox",
        );
    }
    if stored.shadow.part > 0 {
        add(
            "medium",
            "Declare or close shadow endpoints".to_owned(),
            format!(
                "{} of {} endpoints with traffic are in no contract",
                grouped(stored.shadow.part),
                grouped(stored.shadow.whole)
            ),
            "/endpoints?signal=shadow",
        );
    }
    let unowned =
        endpoints.iter().filter(|stored| stored.endpoint.state == EndpointState::Saved && stored.owner.is_empty());
    let unowned = unowned.count() as u64;
    if unowned > 0 {
        add(
            "low",
            "Name an owner for every saved endpoint".to_owned(),
            format!("{} saved endpoints have none", grouped(unowned)),
            "/endpoints?state=saved",
        );
    }
    if figures.limited_by_upstream > figures.limited_by_gateway && figures.limited_by_upstream > 0 {
        add(
            "low",
            "Limit at the gateway what upstreams limit today".to_owned(),
            format!(
                "{} answers 429 came from upstreams, after their work was done",
                grouped(figures.limited_by_upstream)
            ),
            "/events?filter=status%3D429%20and%20source%3Dupstream",
        );
    }
    if stored.orphan.part > 0 {
        add(
            "low",
            "Remove declared endpoints that nobody calls".to_owned(),
            format!(
                "{} of {} declared endpoints had no traffic",
                grouped(stored.orphan.part),
                grouped(stored.orphan.whole)
            ),
            "/endpoints?signal=orphan",
        );
    }
    list
}
