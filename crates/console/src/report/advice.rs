//! What to do next, from the figures: rules in plain sight, each with why.

use model::EndpointState;
use store::StoredEndpoint;

use super::{Advice, Report, grouped, percent};

/// A count with its words: `1 endpoint waits`, `2 endpoints wait`.
fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { several })
}

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
            format!(
                "{} carried that would have been refused",
                counted(figures.would_refuse, "request was", "requests were")
            ),
            "/policy",
        );
    }
    if let Some(threat) = stored.threats.first() {
        add(
            "high",
            format!("Look at the most frequent threat: {}", threat.name),
            format!(
                "{}, {} of all findings",
                counted(threat.share.part, "exchange", "exchanges"),
                percent(threat.share.percent())
            ),
            "/threats",
        );
    }
    if stored.waiting_for_review > 0 {
        add(
            "medium",
            "Review the discovery inbox".to_owned(),
            format!("{} for a decision", counted(stored.waiting_for_review, "endpoint waits", "endpoints wait")),
            "/inbox",
        );
    }
    if stored.shadow.part > 0 {
        add(
            "medium",
            "Declare or close shadow endpoints".to_owned(),
            format!(
                "{} of {} in no contract",
                grouped(stored.shadow.part),
                counted(stored.shadow.whole, "endpoint with traffic is", "endpoints with traffic are")
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
            format!("{} none", counted(unowned, "saved endpoint has", "saved endpoints have")),
            "/endpoints?state=saved",
        );
    }
    if figures.limited_by_upstream > figures.limited_by_gateway && figures.limited_by_upstream > 0 {
        add(
            "low",
            "Limit at the gateway what upstreams limit today".to_owned(),
            format!(
                "{} from upstreams, after their work was done",
                counted(figures.limited_by_upstream, "answer 429 came", "answers 429 came")
            ),
            "/events?filter=status%3D429%20and%20source%3Dupstream",
        );
    }
    if stored.orphan.part > 0 {
        add(
            "low",
            "Remove declared endpoints that nobody calls".to_owned(),
            format!(
                "{} of {} had no traffic",
                grouped(stored.orphan.part),
                counted(stored.orphan.whole, "declared endpoint", "declared endpoints")
            ),
            "/endpoints?signal=orphan",
        );
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_thing() {
        assert_eq!(counted(1, "endpoint waits", "endpoints wait"), "1 endpoint waits");
        assert_eq!(counted(0, "endpoint waits", "endpoints wait"), "0 endpoints wait");
        assert_eq!(counted(2_000, "endpoint waits", "endpoints wait"), format!("{} endpoints wait", grouped(2_000)));
    }
}
