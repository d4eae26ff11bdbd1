//! What the gateway's configuration says of the rules, put into their own language.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Settings beside the rule files; what is absent stays as the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `tx.blocking_paranoia_level`: rules up to this level count.
    pub paranoia: Option<u8>,
    /// `tx.detection_paranoia_level`: rules up to this level run and are reported.
    pub detection_paranoia: Option<u8>,
    /// `tx.inbound_anomaly_score_threshold`.
    pub inbound_threshold: Option<u32>,
    /// `tx.outbound_anomaly_score_threshold`.
    pub outbound_threshold: Option<u32>,
    /// Other variables of `TX`, by name.
    pub variables: BTreeMap<String, String>,
    /// What is let pass.
    pub exclusions: Vec<Exclusion>,
    /// Whether conditions stand behind the gate of literals.
    pub gate: GateUse,
}

/// Whether conditions stand behind the gate of literals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateUse {
    /// They do.
    #[default]
    On,
    /// Every condition is asked of every value: what the gate is compared with in tests.
    Off,
}

/// Takes rules, or one of their targets, out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// Rules by number, or a range of them.
    pub rules: Option<String>,
    /// Rules by tag.
    pub tag: Option<String>,
    /// Only this target, such as `ARGS:password`; the whole rule when absent.
    pub target: Option<String>,
    /// Only under this path prefix; everywhere when absent.
    pub path: Option<String>,
}

/// Numbers of the rules made here; the range is reserved for nobody.
const FIRST_ID: u32 = 4_000_000_000;

impl Settings {
    /// Directives that stand behind the set-up and before the rules.
    pub(super) fn before(&self) -> String {
        let mut actions = String::new();
        let mut set = |name: &str, value: &str| {
            let _ = write!(actions, ",setvar:'tx.{name}={}'", quoted(value));
        };
        if let Some(level) = self.paranoia {
            // The names of version 3 and of version 4.
            for name in ["paranoia_level", "blocking_paranoia_level"] {
                set(name, &level.to_string());
            }
        }
        if let Some(level) = self.detection_paranoia.or(self.paranoia) {
            for name in ["executing_paranoia_level", "detection_paranoia_level"] {
                set(name, &level.to_string());
            }
        }
        if let Some(threshold) = self.inbound_threshold {
            set("inbound_anomaly_score_threshold", &threshold.to_string());
        }
        if let Some(threshold) = self.outbound_threshold {
            set("outbound_anomaly_score_threshold", &threshold.to_string());
        }
        for (name, value) in &self.variables {
            set(name, value);
        }
        let mut text = String::new();
        if !actions.is_empty() {
            let _ = writeln!(text, "SecAction \"id:{FIRST_ID},phase:1,pass,nolog{}\"", escaped(&actions));
        }
        let numbered = (FIRST_ID + 1..).zip(&self.exclusions);
        for (id, exclusion) in numbered.filter(|(_, exclusion)| exclusion.path.is_some()) {
            let path = exclusion.path.as_deref().unwrap_or_default();
            let control = match (&exclusion.rules, &exclusion.tag, &exclusion.target) {
                (Some(rules), _, None) => format!("ruleRemoveById={rules}"),
                (Some(rules), _, Some(target)) => format!("ruleRemoveTargetById={rules};{target}"),
                (None, Some(tag), None) => format!("ruleRemoveByTag={tag}"),
                (None, Some(tag), Some(target)) => format!("ruleRemoveTargetByTag={tag};{target}"),
                (None, None, _) => continue,
            };
            let actions = format!("id:{id},phase:1,pass,nolog,ctl:'{}'", quoted(&control));
            let _ =
                writeln!(text, "SecRule REQUEST_FILENAME \"@beginsWith {}\" \"{}\"", escaped(path), escaped(&actions));
        }
        text
    }

    /// Directives that stand behind the rules.
    pub(super) fn after(&self) -> String {
        let mut text = String::new();
        for Exclusion { rules, tag, target, path } in &self.exclusions {
            let name = match (rules, tag) {
                (Some(rules), _) => ("Id", rules),
                (None, Some(tag)) => ("Tag", tag),
                (None, None) => continue,
            };
            let _ = match (path, target) {
                (Some(_), _) => continue,
                (None, None) => writeln!(text, "SecRuleRemoveBy{} \"{}\"", name.0, escaped(name.1)),
                (None, Some(target)) => {
                    let target = target.trim_start_matches('!');
                    writeln!(text, "SecRuleUpdateTargetBy{} \"{}\" \"!{}\"", name.0, escaped(name.1), escaped(target))
                }
            };
        }
        text
    }
}

/// Inside single quotes of an action.
fn quoted(text: &str) -> String {
    text.replace('\'', "\\'").replace(['\r', '\n'], " ")
}

/// Inside double quotes of an argument.
fn escaped(text: &str) -> String {
    text.replace('"', "\\\"").replace(['\r', '\n'], " ")
}
