//! One message through the rules.

use std::borrow::Cow;
use std::collections::HashMap;

use super::fold::change;
use super::gate::{Gating, transformed};
use super::report::{Denial, MATCHES_MAX, Match, Report};
use super::{Compiled, Rules};
use crate::expand::{Piece, Text};
use crate::message::{Item, Request, Response, Values};
use crate::operator::{Operator, Reply};
use crate::pattern::{Captures, Pattern};
use crate::rule::{
    Allowed, Change, Condition, Control, Disruption, EngineMode, Phase, Rule, Select, SetVariable, Target, Which,
};
use crate::variable::{Kind, Variable};

/// Work that judging may do for any message, counted in bytes read by operators.
const WORK_BYTES_BASE: usize = 1 << 20;

/// Work that each byte of the message adds.
const WORK_BYTES_PER_BYTE: usize = 256;

/// What asking once costs beside the bytes read.
const ASK_BYTES: usize = 16;

/// Most variables that rules may set in one exchange.
const VARIABLES_MAX: usize = 1000;

/// Longest value that is put into a text or a variable, in bytes.
const EXPANDED_BYTES_MAX: usize = 4096;

/// Most numbers of silent rules that a report names.
const FIRED_MAX: usize = 400;

/// A value that answered the question.
#[derive(Clone, Debug)]
struct Matched {
    /// As the rule names it.
    variable: Variable,
    /// As the message has it: `ARGS_GET` where the rule says `ARGS`.
    part: Variable,
    name: Vec<u8>,
    value: Vec<u8>,
}

struct Judging<'r, 'm> {
    rules: &'r Rules,
    values: Values<'m, 'r>,
    /// Variables that differ from those every exchange begins with; `None` for one that was taken away.
    set: HashMap<(Variable, Vec<u8>), Option<Vec<u8>>>,
    matched: Vec<Matched>,
    mode: EngineMode,
    removed: Vec<&'r Which>,
    removed_targets: Vec<(&'r Which, &'r Target)>,
    force_request_body: bool,
    body_access: bool,
    work: usize,
    report: Report,
    /// Matches are not reported: the phase only restores what an earlier judgement had set.
    silent: bool,
    highest_severity: Option<u8>,
}

/// How the phases go on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    EndOfPhase,
    End,
}

pub(super) fn request(rules: &Rules, request: &Request<'_>) -> Report {
    let mut judging = Judging::new(rules);
    judging.values.request_head(request);
    if judging.phase(Phase::RequestHead) == Flow::On {
        if judging.body_access {
            let forced = judging.force_request_body;
            judging.values.request_body(request, forced);
        }
        judging.phase(Phase::RequestBody);
    }
    judging.finish()
}

pub(super) fn response(rules: &Rules, request: &Request<'_>, response: &Response<'_>) -> Report {
    let mut judging = Judging::new(rules);
    judging.values.request_head(request);
    judging.silent = true;
    judging.phase(Phase::RequestHead);
    judging.report = Report::default();
    judging.silent = false;
    judging.values.response_head(response);
    if judging.phase(Phase::ResponseHead) == Flow::On {
        judging.values.response_body(response);
        judging.phase(Phase::ResponseBody);
    }
    judging.finish()
}

impl<'r, 'm> Judging<'r, 'm> {
    fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            values: Values::new(&rules.gate),
            set: HashMap::new(),
            matched: Vec::new(),
            mode: rules.mode,
            removed: Vec::new(),
            removed_targets: Vec::new(),
            force_request_body: false,
            body_access: true,
            work: 0,
            report: Report::default(),
            silent: false,
            highest_severity: None,
        }
    }

    fn finish(mut self) -> Report {
        self.report.incomplete |= self.values.truncated;
        self.report.detection_only = self.mode == EngineMode::DetectionOnly;
        self.report
    }

    fn phase(&mut self, phase: Phase) -> Flow {
        let rules = self.rules;
        let mut from = 0;
        for &at in rules.phases.get(phase as usize).map_or(&[][..], Vec::as_slice) {
            if at < from {
                continue;
            }
            let Some(compiled) = rules.compiled(at) else { continue };
            if self.mode == EngineMode::Off {
                return Flow::End;
            }
            if !self.may_match(compiled) || self.removed.iter().any(|which| which.means(&compiled.rule)) {
                continue;
            }
            if !self.fires(compiled) {
                if self.report.incomplete {
                    return Flow::End;
                }
                continue;
            }
            self.note(&compiled.rule);
            match compiled.rule.disruption {
                Disruption::Deny if !self.silent => {
                    self.deny(&compiled.rule);
                    if self.mode == EngineMode::On {
                        return Flow::End;
                    }
                }
                Disruption::Allow(Allowed::Phase) => return Flow::EndOfPhase,
                Disruption::Allow(_) => return Flow::End,
                Disruption::Pass | Disruption::Block | Disruption::Deny => {}
            }
            from = compiled.jump.unwrap_or(0);
        }
        Flow::On
    }

    /// False when the gate has shown that the first condition cannot hold.
    fn may_match(&self, compiled: &Compiled) -> bool {
        match compiled.gating.first() {
            Some(Gating { number: Some(number), whole: true, .. }) => {
                let word = self.values.any.get(usize::from(number / 64)).copied().unwrap_or(0);
                word & (1 << (number % 64)) != 0
            }
            _ => true,
        }
    }

    fn fires(&mut self, compiled: &'r Compiled) -> bool {
        for (condition, gating) in compiled.rule.conditions.iter().zip(&compiled.gating) {
            if !self.holds(&compiled.rule, condition, *gating) {
                return false;
            }
        }
        true
    }

    /// Asks a condition of each of its values; what it sets is set for each value that answers.
    fn holds(&mut self, rule: &'r Rule, condition: &'r Condition, gating: Gating) -> bool {
        let Some(operator) = &condition.operator else {
            self.act(rule, condition, None);
            return true;
        };
        let argument = operator.text().map(|text| self.expanded(text, rule)).unwrap_or_default();
        let mut found: Vec<(Matched, Captures)> = Vec::new();
        for target in &condition.targets.wanted {
            self.ask_target(rule, condition, (operator, &argument), gating, target, &mut found);
        }
        if found.is_empty() {
            return false;
        }
        self.matched = Vec::with_capacity(found.len());
        for (matched, captures) in found {
            self.matched.push(matched);
            self.act(rule, condition, condition.capture.then_some(captures));
        }
        true
    }

    fn ask_target(
        &mut self,
        rule: &'r Rule,
        condition: &'r Condition,
        question: (&Operator, &[u8]),
        gating: Gating,
        target: &'r Target,
        found: &mut Vec<(Matched, Captures)>,
    ) {
        let mut work = 0;
        let mut exhausted = false;
        let unwanted = |variable: Variable, name: &[u8]| {
            condition.targets.unwanted.iter().any(|target| target.takes(variable, name))
                || self.removed_targets.iter().any(|(which, target)| target.takes(variable, name) && which.means(rule))
        };
        let mut ask = |part: Variable, name: &[u8], text: &[u8]| {
            let variable = target.variable;
            work += text.len() + ASK_BYTES;
            match question.0.ask(text, question.1, condition.capture && !condition.negated) {
                Reply::No if condition.negated => found.push((matched(variable, part, name, text), Captures::new())),
                Reply::Yes(captures) if !condition.negated => {
                    found.push((matched(variable, part, name, text), captures))
                }
                Reply::Exhausted => exhausted = true,
                Reply::No | Reply::Yes(_) => return false,
            }
            true
        };
        if target.count {
            let count = self.names_of(target).into_iter().filter(|(variable, name)| !unwanted(*variable, name)).count();
            let text = transformed(count.to_string().as_bytes(), &condition.transforms);
            ask(target.variable, b"", &text);
        } else if matches!(target.variable.kind(), Kind::Running) {
            for (name, value) in self.running(target, rule) {
                if !unwanted(target.variable, &name) {
                    ask_texts(condition, &value, &mut |text| ask(target.variable, &name, text));
                }
            }
        } else {
            for &part in target.variable.parts() {
                for item in self.values.of(part) {
                    let missed = gating.number.is_some_and(|number| !item.hits.contains(&number));
                    if missed || !target.select.takes(&item.name) || unwanted(part, &item.name) {
                        continue;
                    }
                    match kept_text(item, condition, gating) {
                        Some(text) => {
                            ask(part, &item.name, text);
                        }
                        None => ask_texts(condition, &item.value, &mut |text| ask(part, &item.name, text)),
                    }
                }
            }
        }
        self.work += work;
        let budget = WORK_BYTES_BASE + self.values.bytes.saturating_mul(WORK_BYTES_PER_BYTE);
        self.report.incomplete |= exhausted || self.work > budget;
    }

    /// Variables and names of the values that a target means.
    fn names_of(&self, target: &Target) -> Vec<(Variable, Vec<u8>)> {
        if matches!(target.variable.kind(), Kind::Running) {
            let running = self.running_values(target.variable, &target.select);
            return running.into_iter().map(|(name, _)| (target.variable, name)).collect();
        }
        let parts = target.variable.parts().iter();
        let items = parts.flat_map(|&part| self.values.of(part).iter().map(move |item| (part, item)));
        let means = |(_, item): &(Variable, &Item<'_>)| target.select.takes(&item.name);
        items.filter(means).map(|(part, item)| (part, item.name.to_vec())).collect()
    }

    fn running(&self, target: &Target, rule: &Rule) -> Vec<(Vec<u8>, Vec<u8>)> {
        match target.variable {
            Variable::Rule => {
                let Select::Key(key) = &target.select else { return Vec::new() };
                vec![(key.clone(), rule_value(rule, key))]
            }
            variable => self.running_values(variable, &target.select),
        }
    }

    /// Values of variables that change while rules run.
    fn running_values(&self, variable: Variable, select: &Select) -> Vec<(Vec<u8>, Vec<u8>)> {
        let last = self.matched.last();
        match variable {
            Variable::MatchedVar => last.map(|one| (one.name.clone(), one.value.clone())).into_iter().collect(),
            Variable::MatchedVarName => last.map(|one| (Vec::new(), shown(one))).into_iter().collect(),
            Variable::MatchedVars => {
                let each = self.matched.iter().filter(|one| select.takes(&shown(one)));
                each.map(|one| (one.name.clone(), one.value.clone())).collect()
            }
            Variable::MatchedVarsNames => self.matched.iter().map(|one| (Vec::new(), shown(one))).collect(),
            Variable::HighestSeverity => {
                let severity = self.highest_severity.unwrap_or(255);
                vec![(Vec::new(), severity.to_string().into_bytes())]
            }
            collection => match select {
                Select::Key(key) => {
                    let value = self.variable(collection, key);
                    value.map(|value| (key.clone(), value.into_owned())).into_iter().collect()
                }
                Select::Pattern(pattern) => self.named_by(collection, Some(pattern)),
                Select::All => self.named_by(collection, None),
            },
        }
    }

    fn named_by(&self, collection: Variable, pattern: Option<&Pattern>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let means = |name: &[u8]| pattern.is_none_or(|pattern| pattern.matches(name) == crate::pattern::Answer::Yes);
        let mut names: Vec<Vec<u8>> = self
            .set
            .iter()
            .filter(|((known, name), value)| *known == collection && value.is_some() && means(name))
            .map(|((_, name), _)| name.clone())
            .collect();
        if collection == Variable::Tx {
            let initial = match pattern {
                Some(pattern) => self.rules.initial_names(pattern),
                None => self.rules.initial.keys().map(Vec::as_slice).collect(),
            };
            let untouched = |name: &&[u8]| !self.set.contains_key(&(Variable::Tx, name.to_vec()));
            names.extend(initial.into_iter().filter(untouched).map(<[u8]>::to_vec));
        }
        names.sort_unstable();
        let value = |name: Vec<u8>| {
            let value = self.variable(collection, &name)?.into_owned();
            Some((name, value))
        };
        names.into_iter().filter_map(value).collect()
    }

    fn variable(&self, collection: Variable, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self.set.get(&(collection, name.to_vec())) {
            Some(changed) => changed.as_deref().map(Cow::Borrowed),
            None if collection == Variable::Tx => self.rules.initial.get(name).map(|value| Cow::Borrowed(&value[..])),
            None => None,
        }
    }

    /// Carries out what a condition does when a value answers it.
    fn act(&mut self, rule: &'r Rule, condition: &'r Condition, captures: Option<Captures>) {
        if let Some(captures) = captures {
            for at in 0..crate::pattern::CAPTURES_MAX {
                let name = at.to_string().into_bytes();
                self.change(Variable::Tx, name, captures.get(at).cloned());
            }
        }
        for SetVariable { collection, name, change: what } in &condition.set {
            let name = self.expanded(name, rule).to_ascii_lowercase();
            let value = match what {
                Change::Set(text) | Change::Add(text) | Change::Subtract(text) => self.expanded(text, rule),
                Change::Unset => Vec::new(),
            };
            let before = self.variable(*collection, &name);
            let after = change(before.as_deref(), what, value);
            self.change(*collection, name, after);
        }
        for control in &condition.controls {
            match control {
                Control::Remove(which) => self.removed.push(which),
                Control::RemoveTarget(which, target) => self.removed_targets.push((which, target)),
                Control::Engine(mode) => self.mode = *mode,
                Control::BodyProcessor(processor) => self.values.processor = Some(*processor),
                Control::ForceRequestBody => self.force_request_body = true,
                Control::BodyAccess { response: false, on } => self.body_access = *on,
                Control::BodyAccess { .. } | Control::Nothing => {}
            }
        }
    }

    fn change(&mut self, collection: Variable, name: Vec<u8>, value: Option<Vec<u8>>) {
        let key = (collection, name);
        if self.set.len() < VARIABLES_MAX || self.set.contains_key(&key) {
            self.set.insert(key, value);
        } else {
            self.report.incomplete = true;
        }
    }

    fn expanded(&self, text: &Text, rule: &Rule) -> Vec<u8> {
        let mut made = Vec::new();
        for piece in &text.pieces {
            match piece {
                Piece::Plain(text) => made.extend_from_slice(text),
                Piece::Value(variable, key) => {
                    let value = self.first_value(*variable, key, rule);
                    made.extend_from_slice(value.get(..value.len().min(EXPANDED_BYTES_MAX)).unwrap_or(&value));
                }
            }
        }
        made
    }

    fn first_value(&self, variable: Variable, key: &[u8], rule: &Rule) -> Vec<u8> {
        if variable == Variable::Rule {
            return rule_value(rule, key);
        }
        if matches!(variable.kind(), Kind::Running) {
            let select = Select::Key(key.to_vec());
            return self
                .running_values(variable, &select)
                .into_iter()
                .next()
                .map(|(_, value)| value)
                .unwrap_or_default();
        }
        let mut items = variable.parts().iter().flat_map(|&part| self.values.of(part));
        let item = items.find(|item| key.is_empty() || key.eq_ignore_ascii_case(&item.name));
        item.map(|item| item.value.to_vec()).unwrap_or_default()
    }

    fn note(&mut self, rule: &Rule) {
        if self.report.fired.len() < FIRED_MAX {
            self.report.fired.push(rule.id);
        }
        if let Some(severity) = rule.severity {
            self.highest_severity = Some(self.highest_severity.map_or(severity.0, |known| known.min(severity.0)));
        }
        let Some(message) = rule.message.as_ref().filter(|_| rule.logs && !self.silent) else { return };
        if self.report.matches.len() >= MATCHES_MAX {
            return;
        }
        let message = self.sentence(message, rule);
        let last = self.matched.last();
        let name = last.map(|one| one.name.get(..one.name.len().min(128)).unwrap_or_default().to_vec());
        self.report.matches.push(Match {
            rule: rule.id,
            message,
            tags: rule.tags.clone(),
            severity: rule.severity,
            variable: last.map_or(Variable::Tx, |one| one.part),
            name: name.unwrap_or_default(),
        });
    }

    fn sentence(&self, message: &Text, rule: &Rule) -> String {
        let text = self.expanded(message, rule);
        String::from_utf8_lossy(&text).chars().filter(|letter| !letter.is_control()).take(160).collect()
    }

    fn deny(&mut self, rule: &Rule) {
        if self.report.denial.is_none() {
            let message = rule.message.as_ref().map(|message| self.sentence(message, rule)).unwrap_or_default();
            self.report.denial = Some(Denial { rule: rule.id, message, status: rule.status });
        }
    }
}

fn matched(variable: Variable, part: Variable, name: &[u8], text: &[u8]) -> Matched {
    Matched { variable, part, name: name.to_vec(), value: text.to_vec() }
}

/// Asks about the transformed value, or about every stage of it.
fn ask_texts(condition: &Condition, value: &[u8], ask: &mut dyn FnMut(&[u8]) -> bool) {
    if !condition.multi_match {
        ask(&transformed(value, &condition.transforms));
        return;
    }
    let mut text = value.to_vec();
    if ask(&text) {
        return;
    }
    for transform in &condition.transforms {
        let next = transform.apply(&text).into_owned();
        if next != text {
            text = next;
            if ask(&text) {
                return;
            }
        }
    }
}

/// What the gate kept of a value for this condition's chain; `None` when the chain must be run.
fn kept_text<'i>(item: &'i Item<'_>, condition: &Condition, gating: Gating) -> Option<&'i [u8]> {
    if condition.transforms.is_empty() {
        return Some(&item.value);
    }
    let chain = gating.chain?;
    let kept = item.texts.iter().find(|(known, _)| *known == chain).map(|(_, text)| &text[..]);
    Some(kept.unwrap_or(&item.value))
}

/// `ARGS:name`, as messages show it.
fn shown(matched: &Matched) -> Vec<u8> {
    if matched.name.is_empty() {
        return matched.variable.name().as_bytes().to_vec();
    }
    [matched.variable.name().as_bytes(), b":", &matched.name].concat()
}

fn rule_value(rule: &Rule, key: &[u8]) -> Vec<u8> {
    match key {
        b"id" => rule.id.to_string().into_bytes(),
        b"msg" => rule.message.as_ref().and_then(Text::plain).unwrap_or_default().to_vec(),
        b"severity" => rule.severity.map_or_else(Vec::new, |severity| severity.0.to_string().into_bytes()),
        _ => Vec::new(),
    }
}
