//! The settings of single stages as they are meant.

use inspect::stages::attacks::{AttackPolicy, Introspection, ScoreUse, Sensitivity};
use inspect::stages::hygiene::{Answer, HygienePolicy, NameSet};
use inspect::stages::leakage::mask::can_mask;
use inspect::stages::leakage::{Emails, LeakAction, LeakRule, LeakagePolicy};
use model::reason::{Anomaly, LeakReason, Tier};

use super::Meaning;
use crate::config::diagnostic::nearest;
use crate::config::written::protection as written;

const fn answer(written: written::Answer) -> Answer {
    match written {
        written::Answer::Accept => Answer::Accept,
        written::Answer::Report => Answer::Report,
        written::Answer::Refuse => Answer::Refuse,
    }
}

pub(super) const fn attacks(written: &written::Attacks) -> AttackPolicy {
    AttackPolicy {
        sensitivity: match written.sensitivity {
            written::Sensitivity::Low => Sensitivity::Low,
            written::Sensitivity::Normal => Sensitivity::Normal,
            written::Sensitivity::High => Sensitivity::High,
        },
        introspection: match written.introspection {
            written::Introspection::Report => Introspection::Report,
            written::Introspection::Allow => Introspection::Allow,
        },
        score: match written.score {
            written::ScoreUse::Full => ScoreUse::Full,
            written::ScoreUse::Off => ScoreUse::Off,
        },
    }
}

impl Meaning<'_> {
    pub(super) fn hygiene(&mut self, pointer: &str, written: &written::Hygiene) -> HygienePolicy {
        let own = HygienePolicy::default();
        for (at, method) in written.methods.iter().flatten().enumerate() {
            if !inspect::http1::is_token(method.as_bytes()) {
                let help = "methods are words such as `GET`";
                self.problem(&format!("{pointer}/methods/{at}"), format!("`{method}` is no method"), help);
            }
        }
        let mut answers = Vec::new();
        for (code, written) in &written.anomalies {
            match Anomaly::ALL.iter().find(|anomaly| anomaly.code() == code) {
                Some(anomaly) => answers.push((*anomaly, answer(*written))),
                None => {
                    let help = match nearest(code, Anomaly::ALL.iter().map(|anomaly| anomaly.code())) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "anomalies look like `hygiene.target-dot-segments`; events show them".to_owned(),
                    };
                    let place = format!("{pointer}/anomalies/{code}");
                    self.problem(&place, format!("there is no anomaly `{code}`"), help);
                }
            }
        }
        let names = |list: &Option<Vec<String>>, own: NameSet| list.as_ref().map_or(own, |list| NameSet::new(list));
        HygienePolicy {
            methods: match &written.methods {
                Some(methods) => methods.iter().map(|method| method.as_str().into()).collect(),
                None => own.methods,
            },
            fields_restricted: names(&written.fields_restricted, own.fields_restricted),
            extensions_restricted: names(&written.extensions_restricted, own.extensions_restricted),
            ranges_max: written.ranges_max.map_or(own.ranges_max, |max| max as usize),
            get_body: written.get_body.map_or(own.get_body, answer),
            method_override: written.method_override.map_or(own.method_override, answer),
            refused_from: match written.refuse_from {
                written::Tier::Acceptable => Tier::Acceptable,
                written::Tier::Ambiguous => Tier::Ambiguous,
                written::Tier::Severe => Tier::Severe,
            },
            answers,
        }
    }

    pub(super) fn leakage(&mut self, pointer: &str, written: &written::Leakage) -> LeakagePolicy {
        let rules = written.rules.iter().enumerate();
        LeakagePolicy {
            emails: match written.emails {
                written::Emails::WhenMany => Emails::WhenMany,
                written::Emails::Ignore => Emails::Ignore,
            },
            rules: rules.map(|(at, rule)| self.leak_rule(&format!("{pointer}/rules/{at}"), rule)).collect(),
        }
    }

    fn leak_rule(&mut self, pointer: &str, written: &written::LeakRule) -> LeakRule {
        let name = |reason: LeakReason| reason.code().trim_start_matches("leakage.");
        let mut kinds = Vec::new();
        for (at, kind) in written.kinds.iter().enumerate() {
            let place = format!("{pointer}/kinds/{at}");
            match LeakReason::ALL.iter().copied().find(|reason| name(*reason) == kind.trim_start_matches("leakage.")) {
                Some(reason) if written.action == written::LeakAction::Mask && !can_mask(reason) => {
                    let help = "write `report` or `block`; sentences have no part that could be hidden";
                    self.problem(&place, format!("`{kind}` cannot be masked"), help);
                }
                Some(reason) => kinds.push(reason),
                None => {
                    let help = match nearest(kind, LeakReason::ALL.iter().map(|reason| name(*reason))) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "kinds look like `card-number`; events show them".to_owned(),
                    };
                    self.problem(&place, format!("there is no kind `{kind}`"), help);
                }
            }
        }
        let action = match written.action {
            written::LeakAction::Allow => LeakAction::Allow,
            written::LeakAction::Report => LeakAction::Report,
            written::LeakAction::Mask => LeakAction::Mask,
            written::LeakAction::Block => LeakAction::Block,
        };
        LeakRule { kinds, action, endpoint: None, path_prefix: written.path.clone() }
    }
}
