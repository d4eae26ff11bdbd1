//! Judging a value by compiled rules.

use std::collections::HashSet;

use super::Direction;
use super::evaluated::Evaluated;
use super::node::{
    ArrayRules, Choice, Discriminator, Logic, Node, NumberRules, ObjectRules, RuleId, Rules, TextRules, types,
};
use crate::json::{Kind, Value, equal, has_duplicates};

/// Deepest recursion while judging; documents and schemas together.
const DEPTH_MAX: u16 = 800;
/// Steps that every judgement has, and how many more for each value and key.
const FUEL_BASE: u64 = 50_000;
const FUEL_PER_NODE: u64 = 500;
/// Most failures that are described.
const FAILURES_MAX: usize = 8;
/// Longest text of what was expected, in bytes.
const EXPECTED_BYTES_MAX: usize = 160;

/// What is looked for beside validity.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// Which way the message goes.
    pub direction: Direction,
    /// Whether members that no schema declares are listed.
    pub undeclared: Undeclared,
}

/// What becomes of members that no schema declares, where the schema does not forbid them itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Undeclared {
    /// They are not looked for.
    #[default]
    Ignore,
    /// They are listed in [`Checked::undeclared`].
    List,
}

/// The outcome of a judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Why the value does not fit; empty when it does. At most eight.
    pub failures: Vec<Failure>,
    /// Places on the tape of members that no schema declares; only when the value fits.
    pub undeclared: Vec<u32>,
    /// Strings that are harmless by what they were proven to be, ascending; only after [`Rules::check_and_prove`].
    pub proven: Vec<u32>,
}

/// One way in which a value does not fit. It never has the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The place of the value on its tape.
    pub index: u32,
    /// The keyword that failed.
    pub keyword: &'static str,
    /// What the schema expects.
    pub expected: Box<str>,
    /// Of several alternatives, the one that came closest.
    pub closest: Option<Box<Closest>>,
}

/// The alternative of `oneOf` or `anyOf` that came closest, and what is wrong by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closest {
    /// Its position.
    pub branch: u32,
    /// Its title or the name it is defined under.
    pub name: Option<Box<str>>,
    /// Why the value does not fit it.
    pub failure: Failure,
}

impl Rules {
    /// Judges a value. A value that fits is walked once; one that does not is walked again to say why.
    pub fn check(&self, rule: RuleId, value: Value<'_>, options: CheckOptions) -> Checked {
        self.judge(rule, value, options, None)
    }

    /// Judges a value and lists its strings that are harmless because of what they were proven to be (an identifier, a
    /// date, one of a list).
    pub fn check_and_prove(&self, rule: RuleId, value: Value<'_>, options: CheckOptions) -> Checked {
        self.judge(rule, value, options, Some(Vec::new()))
    }

    fn judge(&self, rule: RuleId, value: Value<'_>, options: CheckOptions, proven: Option<Vec<u32>>) -> Checked {
        let mut checker = Checker::new(self, value, options);
        checker.proven = proven;
        if checker.check(rule, value, None) {
            let mut proven = checker.proven.unwrap_or_default();
            proven.sort_unstable();
            proven.dedup();
            let undeclared = match checker.undeclared.is_empty() {
                true => Vec::new(),
                false => self.undeclared(rule, value, options, checker.undeclared),
            };
            return Checked { failures: Vec::new(), undeclared, proven };
        }
        if checker.is_exhausted {
            return Checked { failures: vec![exhausted(value)], ..Checked::default() };
        }
        let mut explaining = Checker::new(self, value, CheckOptions { undeclared: Undeclared::Ignore, ..options });
        explaining.report = Some(Vec::new());
        explaining.check(rule, value, None);
        let mut failures = explaining.report.unwrap_or_default();
        if failures.is_empty() || explaining.is_exhausted {
            failures.push(exhausted(value));
        }
        failures.truncate(FAILURES_MAX);
        Checked { failures, ..Checked::default() }
    }

    /// Whether a value fits.
    pub fn is_valid(&self, rule: RuleId, value: Value<'_>, direction: Direction) -> bool {
        Checker::new(self, value, CheckOptions { direction, undeclared: Undeclared::Ignore }).check(rule, value, None)
    }

    /// Drops what some other schema that applies to the same object does declare.
    fn undeclared(&self, rule: RuleId, value: Value<'_>, options: CheckOptions, mut found: Vec<u32>) -> Vec<u32> {
        let mut checker = Checker::new(self, value, options);
        checker.declared = Some(HashSet::new());
        checker.check(rule, value, None);
        let declared = checker.declared.unwrap_or_default();
        found.retain(|index| !declared.contains(index));
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(crate) fn node(&self, rule: RuleId) -> Option<&Node> {
        self.nodes.get(rule.0 as usize)
    }
}

fn exhausted(value: Value<'_>) -> Failure {
    Failure {
        index: value.index(),
        keyword: "budget",
        expected: "a value that can be judged within the budget".into(),
        closest: None,
    }
}

struct Checker<'r> {
    rules: &'r Rules,
    direction: Direction,
    lists_undeclared: bool,
    undeclared: Vec<u32>,
    declared: Option<HashSet<u32>>,
    proven: Option<Vec<u32>>,
    /// Failures, when they are to be described rather than only counted.
    report: Option<Vec<Failure>>,
    /// Resources entered, for dynamic references.
    scope: Vec<u32>,
    fuel: u64,
    depth: u16,
    is_exhausted: bool,
}

impl<'r> Checker<'r> {
    fn new(rules: &'r Rules, value: Value<'_>, options: CheckOptions) -> Self {
        Self {
            rules,
            direction: options.direction,
            lists_undeclared: options.undeclared == Undeclared::List,
            undeclared: Vec::new(),
            declared: None,
            proven: None,
            report: None,
            scope: Vec::new(),
            fuel: FUEL_BASE + FUEL_PER_NODE * value.tape().len() as u64,
            depth: 0,
            is_exhausted: false,
        }
    }

    /// Takes fuel; false when there is none left.
    #[inline]
    fn burn(&mut self, steps: u64) -> bool {
        match self.fuel.checked_sub(steps) {
            Some(left) => {
                self.fuel = left;
                true
            }
            None => {
                self.is_exhausted = true;
                false
            }
        }
    }

    /// Records a failure. Returns whether judging goes on to find more.
    #[cold]
    fn fail(&mut self, value: Value<'_>, keyword: &'static str, expected: impl FnOnce() -> String) -> bool {
        let Some(report) = &mut self.report else { return false };
        if report.len() < FAILURES_MAX {
            report.push(Failure { index: value.index(), keyword, expected: shorten(expected()), closest: None });
        }
        true
    }

    fn check(&mut self, rule: RuleId, value: Value<'_>, seen: Option<&mut Evaluated>) -> bool {
        let Some(node) = self.rules.node(rule) else { return true };
        if self.depth >= DEPTH_MAX || !self.burn(1) {
            self.is_exhausted = true;
            return false;
        }
        let enters = !self.rules.dynamic.is_empty() && self.scope.last() != Some(&node.resource);
        if enters {
            self.scope.push(node.resource);
        }
        self.depth += 1;
        let fits = self.check_node(node, value, seen);
        self.depth -= 1;
        if enters {
            self.scope.pop();
        }
        fits
    }

    #[inline]
    fn check_node(&mut self, node: &'r Node, value: Value<'_>, seen: Option<&mut Evaluated>) -> bool {
        let kind = value.kind();
        if node.nullable && kind == Kind::Null {
            return true;
        }
        if node.never {
            self.fail(value, "false", || "nothing is allowed here".to_owned());
            return false;
        }
        if node.types != types::ALL && !has_type(node.types, kind, value) {
            self.fail(value, "type", || types::text(node.types));
            return false;
        }
        match kind {
            Kind::Array | Kind::Object => self.check_container(node, kind, value, seen),
            _ => {
                let mut fits = match kind {
                    Kind::Number => node.number.as_ref().is_none_or(|rules| self.check_number(rules, value)),
                    Kind::String => node.text.as_ref().is_none_or(|rules| self.check_text(rules, value)),
                    _ => true,
                };
                if let Some(logic) = &node.logic
                    && (fits || self.report.is_some())
                {
                    fits &= self.check_logic(logic, value, None);
                }
                fits
            }
        }
    }

    fn check_container(&mut self, node: &'r Node, kind: Kind, value: Value<'_>, seen: Option<&mut Evaluated>) -> bool {
        let unevaluated = match kind {
            Kind::Array => node.array.as_ref().and_then(|rules| rules.unevaluated),
            _ => node.object.as_ref().and_then(|rules| rules.unevaluated),
        };
        let is_outermost = seen.is_none();
        let lists = self.lists_undeclared && is_outermost && kind == Kind::Object;
        if unevaluated.is_none() && !lists {
            return self.check_keywords(node, kind, value, seen);
        }
        // `unevaluated` sees only what its own schema looked at, so it starts afresh and tells the outside later.
        let mut own = Evaluated::default();
        let mut fits = self.check_keywords(node, kind, value, Some(&mut own));
        if let Some(rule) = unevaluated
            && (fits || self.report.is_some())
        {
            fits &= self.check_unevaluated(rule, kind, value, &mut own);
        }
        if let Some(seen) = seen {
            seen.merge(&own);
        }
        if lists && fits && own.declares && !own.all {
            for (position, (_, member)) in value.members().into_iter().flatten().enumerate() {
                if !own.has(position) {
                    self.undeclared.push(member.index());
                } else if let Some(declared) = &mut self.declared {
                    declared.insert(member.index());
                }
            }
        } else if lists
            && fits
            && let Some(declared) = &mut self.declared
        {
            declared.extend(value.members().into_iter().flatten().map(|(_, member)| member.index()));
        }
        fits
    }

    fn check_keywords(
        &mut self,
        node: &'r Node,
        kind: Kind,
        value: Value<'_>,
        mut seen: Option<&mut Evaluated>,
    ) -> bool {
        let mut fits = match kind {
            Kind::Array => match &node.array {
                Some(rules) => self.check_array(rules, value, seen.as_deref_mut()),
                None => true,
            },
            _ => match &node.object {
                Some(rules) => self.check_object(rules, value, seen.as_deref_mut()),
                None => true,
            },
        };
        if let Some(logic) = &node.logic
            && (fits || self.report.is_some())
        {
            fits &= self.check_logic(logic, value, seen);
        }
        fits
    }

    fn check_unevaluated(&mut self, rule: RuleId, kind: Kind, value: Value<'_>, seen: &mut Evaluated) -> bool {
        let mut fits = true;
        if kind == Kind::Array {
            for (position, item) in value.items().into_iter().flatten().enumerate() {
                if !seen.has(position) && !self.check(rule, item, None) {
                    fits = false;
                    if self.report.is_none() {
                        return false;
                    }
                }
            }
        } else {
            for (position, (_, member)) in value.members().into_iter().flatten().enumerate() {
                if !seen.has(position) && !self.check(rule, member, None) {
                    fits = false;
                    if self.report.is_none() {
                        return false;
                    }
                }
            }
        }
        seen.all = true;
        fits
    }

    fn check_number(&mut self, rules: &NumberRules, value: Value<'_>) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let Some(number) = value.as_number() else { return true };
        let whole = if number.is_plain_integer() { number.as_i64() } else { None };
        let order = |bound: &super::node::Bound| match (whole, bound.whole) {
            (Some(a), Some(b)) => a.cmp(&b),
            // A number that is not whole and a small whole bound: a double decides unless they are close.
            (None, Some(b)) if b.unsigned_abs() < 1 << 52 => {
                let (value, bound_value) = (number.as_f64(), b as f64);
                match value.partial_cmp(&bound_value) {
                    Some(order) if (value - bound_value).abs() > bound_value.abs() * 1e-9 + 1e-9 => order,
                    _ => number.compare(bound.number()),
                }
            }
            _ => number.compare(bound.number()),
        };
        let mut fits = true;
        let bounds = [
            (&rules.min, "minimum", &[Less][..]),
            (&rules.max, "maximum", &[Greater][..]),
            (&rules.above, "exclusiveMinimum", &[Less, Equal][..]),
            (&rules.below, "exclusiveMaximum", &[Greater, Equal][..]),
        ];
        for (bound, keyword, wrong) in bounds {
            if let Some(bound) = bound
                && wrong.contains(&order(bound))
            {
                fits = false;
                if !self.fail(value, keyword, || bound.text.to_string()) {
                    return false;
                }
            }
        }
        if let Some((divisor, text)) = &rules.multiple_of
            && !divisor.divides(number)
        {
            fits = false;
            self.fail(value, "multipleOf", || text.to_string());
        }
        if let Some(format) = rules.format
            && !format.holds_for_number(number)
        {
            fits = false;
            self.fail(value, "format", || format.name().to_owned());
        }
        fits
    }

    fn check_text(&mut self, rules: &TextRules, value: Value<'_>) -> bool {
        let Some(text) = value.as_str() else { return true };
        let mut fits = true;
        if rules.min.is_some() || rules.max.is_some() {
            // Bytes bound characters from both sides, so most strings need no counting.
            let bytes = text.len() as u64;
            let is_long = rules.max.is_some_and(|max| bytes > max && text.chars().count() as u64 > max);
            let is_short =
                rules.min.is_some_and(|min| bytes < min || (bytes < 4 * min && (text.chars().count() as u64) < min));
            if is_long {
                fits = false;
                self.fail(value, "maxLength", || format!("at most {} characters", rules.max.unwrap_or(0)));
            }
            if is_short {
                fits = false;
                self.fail(value, "minLength", || format!("at least {} characters", rules.min.unwrap_or(0)));
            }
        }
        if !fits && self.report.is_none() {
            return false;
        }
        let mut is_proven = false;
        if let Some(pattern) = &rules.pattern {
            if !self.burn(1 + text.len() as u64 / 32) {
                return false;
            }
            if !pattern.is_match(text) {
                fits = false;
                if !self.fail(value, "pattern", || pattern.source().to_owned()) {
                    return false;
                }
            } else {
                is_proven = pattern.proves_text();
            }
        }
        if let Some(format) = rules.format {
            if !self.burn(1 + text.len() as u64 / 32) {
                return false;
            }
            if !format.holds_for_text(text) {
                fits = false;
                self.fail(value, "format", || format.name().to_owned());
            } else {
                is_proven |= format.proves_text();
            }
        }
        if is_proven && fits {
            self.prove(value);
        }
        fits
    }

    fn prove(&mut self, value: Value<'_>) {
        if let Some(proven) = &mut self.proven {
            proven.push(value.index());
        }
    }

    fn check_array(&mut self, rules: &ArrayRules, value: Value<'_>, mut seen: Option<&mut Evaluated>) -> bool {
        let count = value.count() as u64;
        let mut fits = true;
        if let Some(min) = rules.min
            && count < min
        {
            fits = false;
            self.fail(value, "minItems", || format!("at least {min} items"));
        }
        if let Some(max) = rules.max
            && count > max
        {
            fits = false;
            self.fail(value, "maxItems", || format!("at most {max} items"));
        }
        if !fits && self.report.is_none() {
            return false;
        }
        let Some(items) = value.items() else { return fits };
        for (position, item) in items.enumerate() {
            let Some(rule) = rules.prefix.get(position).copied().or(rules.items) else { break };
            if let Some(seen) = seen.as_deref_mut() {
                seen.mark(position);
            }
            if !self.check(rule, item, None) {
                fits = false;
                if self.report.is_none() || self.is_exhausted {
                    return false;
                }
            }
        }
        if rules.items.is_some()
            && let Some(seen) = seen.as_deref_mut()
        {
            seen.all = true;
        }
        if let Some(contains) = &rules.contains {
            let mut found = 0;
            for (position, item) in value.items().into_iter().flatten().enumerate() {
                if self.tries(contains.rule, item, None) {
                    found += 1;
                    if let Some(seen) = seen.as_deref_mut() {
                        seen.mark(position);
                    }
                }
            }
            if found < contains.min || contains.max.is_some_and(|max| found > max) {
                fits = false;
                self.fail(value, "contains", || match contains.max {
                    Some(max) => format!("{} to {max} items of a kind", contains.min),
                    None => format!("at least {} items of a kind", contains.min),
                });
            }
        }
        if rules.unique && fits {
            if !self.burn(value.tape().len() as u64) {
                return false;
            }
            if has_duplicates(value) {
                fits = false;
                self.fail(value, "uniqueItems", || "items that are all different".to_owned());
            }
        }
        fits
    }

    fn check_object(&mut self, rules: &ObjectRules, value: Value<'_>, mut seen: Option<&mut Evaluated>) -> bool {
        let mut fits = true;
        if let Some(seen) = seen.as_deref_mut() {
            seen.declares |= !rules.properties.entries.is_empty() || !rules.patterns.is_empty();
        }
        if rules.min.is_some() || rules.max.is_some() {
            fits = self.check_size(rules, value);
        }
        let mut required = Evaluated::default();
        let mut found = 0u32;
        let Some(members) = value.members() else { return fits };
        for (position, (key, member)) in members.enumerate() {
            let entry = rules.properties.find(key);
            let mut is_known = false;
            if let Some(property) = entry.and_then(|at| rules.properties.entries.get(at)) {
                if property.required {
                    // Duplicate keys count once.
                    let at = entry.unwrap_or(0);
                    found += u32::from(!required.has(at));
                    required.mark(at);
                }
                if let Some(rule) = property.rule {
                    is_known = true;
                    let is_foreign = match self.direction {
                        Direction::Request => property.read_only,
                        Direction::Response => property.write_only,
                        Direction::Neither => false,
                    };
                    if is_foreign {
                        fits = false;
                        let response = self.direction == Direction::Response;
                        self.fail(member, if response { "writeOnly" } else { "readOnly" }, || {
                            "the member does not belong in this direction".to_owned()
                        });
                    } else if !self.check(rule, member, None) {
                        fits = false;
                    }
                }
            }
            for (pattern, rule) in &rules.patterns {
                if !self.burn(1) {
                    return false;
                }
                if pattern.is_match(key) {
                    is_known = true;
                    fits &= self.check(*rule, member, None);
                }
            }
            if !is_known && let Some(rule) = rules.additional {
                is_known = true;
                if self.rules.node(rule).is_some_and(|node| node.never) {
                    fits = false;
                    self.fail(member, "additionalProperties", || "no members but the declared ones".to_owned());
                } else {
                    fits &= self.check(rule, member, None);
                }
            }
            if is_known && let Some(seen) = seen.as_deref_mut() {
                seen.mark(position);
            }
            if let Some(rule) = rules.names {
                let tape = crate::json::Tape::of_string(key);
                if !self.tries(rule, tape.root(), None) {
                    fits = false;
                    self.fail(member, "propertyNames", || "another name".to_owned());
                }
            }
            if !fits && (self.report.is_none() || self.is_exhausted) {
                return false;
            }
        }
        if found < rules.required {
            fits &= self.check_required(rules, value, &required);
        }
        if !rules.dependent_required.is_empty() || !rules.dependent_schemas.is_empty() {
            fits &= self.check_dependent(rules, value, seen);
        }
        fits
    }

    fn check_size(&mut self, rules: &ObjectRules, value: Value<'_>) -> bool {
        let count = value.count() as u64;
        let mut fits = true;
        if let Some(min) = rules.min
            && count < min
        {
            fits = false;
            self.fail(value, "minProperties", || format!("at least {min} members"));
        }
        if let Some(max) = rules.max
            && count > max
        {
            fits = false;
            self.fail(value, "maxProperties", || format!("at most {max} members"));
        }
        fits
    }

    /// Some required member is missing, unless it belongs to the other direction.
    fn check_required(&mut self, rules: &ObjectRules, value: Value<'_>, present: &Evaluated) -> bool {
        let mut fits = true;
        for (at, property) in rules.properties.entries.iter().enumerate() {
            let is_foreign = match self.direction {
                Direction::Request => property.read_only,
                Direction::Response => property.write_only,
                Direction::Neither => false,
            };
            if property.required && !is_foreign && !present.has(at) {
                fits = false;
                if !self.fail(value, "required", || format!("the member `{}`", property.name)) {
                    return false;
                }
            }
        }
        fits
    }

    fn check_dependent(&mut self, rules: &ObjectRules, value: Value<'_>, mut seen: Option<&mut Evaluated>) -> bool {
        let mut fits = true;
        for (name, needed) in &rules.dependent_required {
            if value.get(name).is_none() {
                continue;
            }
            for other in needed.iter().filter(|other| value.get(other).is_none()) {
                fits = false;
                if !self.fail(value, "dependentRequired", || format!("the member `{other}` beside `{name}`")) {
                    return false;
                }
            }
        }
        for (name, rule) in &rules.dependent_schemas {
            if value.get(name).is_some() {
                fits &= self.check(*rule, value, seen.as_deref_mut());
            }
        }
        fits
    }

    /// Judges without reporting, with its own record of what was looked at, which counts only on success.
    fn tries(&mut self, rule: RuleId, value: Value<'_>, seen: Option<&mut Evaluated>) -> bool {
        let report = self.report.take();
        let undeclared = self.undeclared.len();
        let fits = match seen {
            Some(seen) => {
                let mut own = Evaluated::default();
                let fits = self.check(rule, value, Some(&mut own));
                if fits {
                    seen.merge(&own);
                }
                fits
            }
            None => self.check(rule, value, None),
        };
        if !fits {
            self.undeclared.truncate(undeclared);
        }
        self.report = report;
        fits
    }

    fn check_logic(&mut self, logic: &'r Logic, value: Value<'_>, mut seen: Option<&mut Evaluated>) -> bool {
        let mut fits = logic.choice.as_ref().is_none_or(|choice| self.check_choice(choice, value));
        let explains = self.report.is_some();
        for rule in logic.reference.iter().chain(&logic.all_of) {
            if !fits && !explains {
                return false;
            }
            fits &= self.check(*rule, value, seen.as_deref_mut());
        }
        if let Some(dynamic) = &logic.dynamic
            && (fits || explains)
        {
            let rule = self.dynamic_target(dynamic);
            fits &= self.check(rule, value, seen.as_deref_mut());
        }
        if !logic.any_of.is_empty() && (fits || explains) {
            fits &= self.check_any(logic, value, seen.as_deref_mut());
        }
        if !logic.one_of.is_empty() && (fits || explains) {
            fits &= self.check_one(logic, value, seen.as_deref_mut());
        }
        if let Some(rule) = logic.not
            && (fits || explains)
            && self.tries(rule, value, None)
        {
            fits = false;
            self.fail(value, "not", || "something else".to_owned());
        }
        if let Some(condition) = &logic.condition
            && (fits || explains)
        {
            let holds = self.tries(condition.test, value, seen.as_deref_mut());
            if let Some(rule) = if holds { condition.then } else { condition.otherwise } {
                fits &= self.check(rule, value, seen);
            }
        }
        fits && !self.is_exhausted
    }

    /// The outermost resource entered that has the anchor decides (2020-12 core, section 8.2.3.2).
    fn dynamic_target(&self, dynamic: &super::node::DynamicReference) -> RuleId {
        let Some(anchors) = dynamic.name.and_then(|name| self.rules.dynamic.get(name as usize)) else {
            return dynamic.initial;
        };
        let find = |resource: &u32| anchors.iter().find(|(known, _)| known == resource).map(|(_, rule)| *rule);
        self.scope.iter().find_map(find).unwrap_or(dynamic.initial)
    }

    fn check_choice(&mut self, choice: &Choice, value: Value<'_>) -> bool {
        let fits = match (&choice.texts, value.as_str()) {
            (Some(texts), Some(text)) => texts.find(text).is_some(),
            (Some(_), None) => false,
            (None, _) => {
                let allowed = choice.values.root();
                if !self.burn(allowed.count() as u64) {
                    return false;
                }
                allowed.items().into_iter().flatten().any(|allowed| equal(allowed, value))
            }
        };
        if fits {
            if value.kind() == Kind::String {
                self.prove(value);
            }
        } else {
            self.fail(value, choice.keyword, || choice_text(choice));
        }
        fits
    }

    fn check_any(&mut self, logic: &'r Logic, value: Value<'_>, mut seen: Option<&mut Evaluated>) -> bool {
        if logic.one_of.is_empty()
            && let Some(fits) = self.check_selected(logic, value, seen.as_deref_mut())
        {
            return fits;
        }
        let mut fits = false;
        for rule in &logic.any_of {
            fits |= self.tries(*rule, value, seen.as_deref_mut());
            // What was looked at, or proven, must come from every branch that fits.
            if fits && seen.is_none() && self.declared.is_none() {
                break;
            }
        }
        if !fits {
            self.explain_branches("anyOf", &logic.any_of, value);
        }
        fits
    }

    fn check_one(&mut self, logic: &'r Logic, value: Value<'_>, mut seen: Option<&mut Evaluated>) -> bool {
        if let Some(fits) = self.check_selected(logic, value, seen.as_deref_mut()) {
            return fits;
        }
        let mut fitting: Option<usize> = None;
        for (position, rule) in logic.one_of.iter().enumerate() {
            if !self.tries(*rule, value, seen.as_deref_mut()) {
                continue;
            }
            if let Some(first) = fitting {
                self.fail(value, "oneOf", || format!("exactly one alternative, but {first} and {position} both fit"));
                return false;
            }
            fitting = Some(position);
        }
        if fitting.is_none() {
            self.explain_branches("oneOf", &logic.one_of, value);
        }
        fitting.is_some()
    }

    /// Judges by the branch that the discriminator names; `None` when there is no discriminator or no object.
    fn check_selected(&mut self, logic: &'r Logic, value: Value<'_>, seen: Option<&mut Evaluated>) -> Option<bool> {
        let discriminator = logic.discriminator.as_ref()?;
        if value.kind() != Kind::Object {
            return None;
        }
        let keyword = "discriminator";
        let Some(member) = value.get(&discriminator.property) else {
            self.fail(value, keyword, || format!("the member `{}`", discriminator.property));
            return Some(false);
        };
        let chosen = member.as_str().and_then(|name| find_branch(discriminator, name));
        match chosen {
            Some(rule) => Some(self.check(rule, value, seen)),
            None => {
                self.fail(member, keyword, || {
                    let names: Vec<&str> = discriminator.mapping.iter().map(|(name, _, _)| &**name).collect();
                    format!("one of {}", names.join(", "))
                });
                Some(false)
            }
        }
    }

    /// Finds the branch that came closest: one whose type and constants fit, with the fewest and deepest failures.
    fn explain_branches(&mut self, keyword: &'static str, branches: &[RuleId], value: Value<'_>) {
        let Some(report) = self.report.take() else { return };
        let mut best: Option<((usize, usize), Closest)> = None;
        for (branch, rule) in (0u32..).zip(branches) {
            self.report = Some(Vec::new());
            self.check(*rule, value, None);
            let failures = self.report.take().unwrap_or_default();
            let misfits = failures.iter().filter(|failure| {
                (failure.index == value.index() && matches!(failure.keyword, "type" | "false"))
                    || matches!(failure.keyword, "const" | "enum" | "discriminator")
            });
            let score = (misfits.count(), failures.len());
            let Some(failure) = failures.into_iter().next() else { continue };
            if best.as_ref().is_none_or(|(known, _)| score < *known) {
                let name = self.rules.node(*rule).and_then(|node| node.name.clone());
                best = Some((score, Closest { branch, name, failure }));
            }
        }
        self.report = Some(report);
        let closest = best.map(|(_, closest)| Box::new(closest));
        let expected = format!("one of {} alternatives", branches.len());
        if let Some(report) = &mut self.report
            && report.len() < FAILURES_MAX
        {
            report.push(Failure { index: value.index(), keyword, expected: expected.into(), closest });
        }
    }
}

fn find_branch(discriminator: &Discriminator, name: &str) -> Option<RuleId> {
    discriminator.mapping.iter().find(|(known, _, _)| **known == *name).map(|(_, _, rule)| *rule)
}

#[inline]
fn has_type(set: u8, kind: Kind, value: Value<'_>) -> bool {
    let bit = match kind {
        Kind::Null => types::NULL,
        Kind::Bool => types::BOOLEAN,
        Kind::String => types::STRING,
        Kind::Array => types::ARRAY,
        Kind::Object => types::OBJECT,
        Kind::Number => {
            return set & types::NUMBER != 0
                || (set & types::INTEGER != 0 && value.as_number().is_some_and(|number| number.is_integer()));
        }
    };
    set & bit != 0
}

fn choice_text(choice: &Choice) -> String {
    let mut text = String::new();
    for value in choice.values.root().items().into_iter().flatten() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        match value.kind() {
            Kind::String => text.push_str(value.as_str().unwrap_or_default()),
            Kind::Number => text.push_str(value.as_number().map_or("", |number| number.text())),
            Kind::Bool => text.push_str(if value.as_bool() == Some(true) { "true" } else { "false" }),
            kind => text.push_str(kind.name()),
        }
        if text.len() > EXPECTED_BYTES_MAX {
            break;
        }
    }
    if choice.keyword == "const" { text } else { format!("one of {text}") }
}

fn shorten(mut text: String) -> Box<str> {
    if text.len() > EXPECTED_BYTES_MAX {
        let mut end = EXPECTED_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text.into()
}
