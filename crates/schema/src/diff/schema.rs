//! What changed between two schemas: whether fewer or more values fit.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use crate::json::to_text;
use crate::rules::node::{Bound, Logic, Node, ObjectRules};
use crate::rules::{RuleId, Rules, types};

/// Most differences listed for one pair of schemas.
const DIFFERENCES_MAX: usize = 200;

/// Which way a constraint moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    /// The same values fit.
    Same,
    /// Fewer values fit.
    Narrowed,
    /// More values fit.
    Widened,
    /// Other values fit.
    Changed,
}

/// One difference.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) shift: Shift,
    pub(super) pointer: String,
    pub(super) rule: &'static str,
    pub(super) message: String,
}

struct Comparison<'r> {
    old: &'r Rules,
    new: &'r Rules,
    seen: HashSet<(RuleId, RuleId)>,
    list: Vec<Difference>,
}

/// Compares two schemas and everything below them.
pub(super) fn compare(old: (&Rules, RuleId), new: (&Rules, RuleId)) -> Vec<Difference> {
    let mut comparison = Comparison { old: old.0, new: new.0, seen: HashSet::new(), list: Vec::new() };
    let mut queue = vec![(old.1, new.1, String::new())];
    while let Some((before, after, pointer)) = queue.pop() {
        if comparison.list.len() < DIFFERENCES_MAX && comparison.seen.insert((before, after)) {
            comparison.nodes(before, after, &pointer, &mut queue);
        }
    }
    comparison.list
}

type Queue = Vec<(RuleId, RuleId, String)>;

impl<'r> Comparison<'r> {
    fn add(&mut self, shift: Shift, pointer: &str, rule: &'static str, message: String) {
        self.list.push(Difference { shift, pointer: pointer.to_owned(), rule, message });
    }

    fn nodes(&mut self, before: RuleId, after: RuleId, pointer: &str, queue: &mut Queue) {
        let (rules_old, rules_new) = (self.old, self.new);
        let (Some(old), Some(new)) = (rules_old.node(before), rules_new.node(after)) else { return };
        if old.never != new.never {
            let shift = if new.never { Shift::Narrowed } else { Shift::Widened };
            return self.add(shift, pointer, "schema-changed", "whether anything may stand here".to_owned());
        }
        self.types(old, new, pointer);
        self.numbers(old, new, pointer);
        self.texts(old, new, pointer);
        self.arrays(old, new, pointer, queue);
        let empty = ObjectRules::default();
        if old.object.is_some() || new.object.is_some() {
            let of = |node: &'r Node| node.object.as_deref();
            self.objects(of(old).unwrap_or(&empty), of(new).unwrap_or(&empty), pointer, queue);
        }
        let nothing = Logic::default();
        if old.logic.is_some() || new.logic.is_some() {
            let of = |node: &'r Node| node.logic.as_deref();
            self.logic(of(old).unwrap_or(&nothing), of(new).unwrap_or(&nothing), pointer, queue);
        }
    }

    fn types(&mut self, old: &Node, new: &Node, pointer: &str) {
        let set = |node: &Node| if node.nullable { node.types | types::NULL } else { node.types };
        let (before, after) = (set(old), set(new));
        if before == after {
            return;
        }
        let shift = match (before & !after, after & !before) {
            (0, _) => Shift::Widened,
            (_, 0) => Shift::Narrowed,
            _ => Shift::Changed,
        };
        self.add(shift, pointer, "type-changed", format!("{} became {}", types::text(before), types::text(after)));
    }

    /// A lower bound, or with `Ordering::Less` as `tighter` an upper one.
    fn bound(
        &mut self,
        old: Option<&Bound>,
        new: Option<&Bound>,
        tighter: Ordering,
        pointer: &str,
        name: &'static str,
    ) {
        let shift = match (old, new) {
            (None, None) => return,
            (None, Some(_)) => Shift::Narrowed,
            (Some(_), None) => Shift::Widened,
            (Some(a), Some(b)) => match b.number().compare(a.number()) {
                Ordering::Equal => return,
                order if order == tighter => Shift::Narrowed,
                _ => Shift::Widened,
            },
        };
        let text = |bound: Option<&Bound>| bound.map_or("nothing".to_owned(), |bound| bound.text.to_string());
        self.add(shift, pointer, "limit-changed", format!("`{name}` was {} and is {}", text(old), text(new)));
    }

    fn count(&mut self, old: Option<u64>, new: Option<u64>, tighter: Ordering, pointer: &str, name: &'static str) {
        let bound = |count: Option<u64>| count.map(|count| Bound { text: count.to_string().into(), whole: None });
        self.bound(bound(old).as_ref(), bound(new).as_ref(), tighter, pointer, name);
    }

    /// A constraint that can only be there, be gone, or be another one.
    fn presence(&mut self, old: Option<String>, new: Option<String>, pointer: &str, name: &'static str) {
        let shift = match (&old, &new) {
            (a, b) if a == b => return,
            (None, _) => Shift::Narrowed,
            (_, None) => Shift::Widened,
            _ => Shift::Changed,
        };
        let text = |text: Option<String>| text.unwrap_or_else(|| "nothing".to_owned());
        self.add(shift, pointer, "constraint-changed", format!("`{name}` was {} and is {}", text(old), text(new)));
    }

    fn numbers(&mut self, old: &Node, new: &Node, pointer: &str) {
        let (a, b) = (old.number.as_deref(), new.number.as_deref());
        macro_rules! pair {
            ($field:ident) => {
                (a.and_then(|rules| rules.$field.as_ref()), b.and_then(|rules| rules.$field.as_ref()))
            };
        }
        for ((before, after), tighter, name) in [
            (pair!(min), Ordering::Greater, "minimum"),
            (pair!(above), Ordering::Greater, "exclusiveMinimum"),
            (pair!(max), Ordering::Less, "maximum"),
            (pair!(below), Ordering::Less, "exclusiveMaximum"),
        ] {
            self.bound(before, after, tighter, pointer, name);
        }
        let (before, after) = pair!(multiple_of);
        let text = |pair: Option<&(crate::json::Divisor, Box<str>)>| pair.map(|(_, text)| text.to_string());
        self.presence(text(before), text(after), pointer, "multipleOf");
        let (before, after) = pair!(format);
        self.presence(before.map(|f| f.name().to_owned()), after.map(|f| f.name().to_owned()), pointer, "format");
    }

    fn texts(&mut self, old: &Node, new: &Node, pointer: &str) {
        let (a, b) = (old.text.as_deref(), new.text.as_deref());
        self.count(a.and_then(|r| r.min), b.and_then(|r| r.min), Ordering::Greater, pointer, "minLength");
        self.count(a.and_then(|r| r.max), b.and_then(|r| r.max), Ordering::Less, pointer, "maxLength");
        let pattern = |rules: Option<&crate::rules::node::TextRules>| {
            rules.and_then(|rules| rules.pattern.as_ref()).map(|pattern| pattern.source().to_owned())
        };
        self.presence(pattern(a), pattern(b), pointer, "pattern");
        let format = |rules: Option<&crate::rules::node::TextRules>| {
            rules.and_then(|rules| rules.format).map(|format| format.name().to_owned())
        };
        self.presence(format(a), format(b), pointer, "format");
    }

    fn arrays(&mut self, old: &Node, new: &Node, pointer: &str, queue: &mut Queue) {
        let (a, b) = (old.array.as_deref(), new.array.as_deref());
        self.count(a.and_then(|r| r.min), b.and_then(|r| r.min), Ordering::Greater, pointer, "minItems");
        self.count(a.and_then(|r| r.max), b.and_then(|r| r.max), Ordering::Less, pointer, "maxItems");
        let unique = |unique: bool| unique.then(|| "true".to_owned());
        self.presence(unique(a.is_some_and(|r| r.unique)), unique(b.is_some_and(|r| r.unique)), pointer, "uniqueItems");
        self.pair(a.and_then(|r| r.items), b.and_then(|r| r.items), format!("{pointer}/*"), queue);
        let prefixes = a.map_or(&[][..], |r| &r.prefix).iter().zip(b.map_or(&[][..], |r| &r.prefix));
        for (position, (before, after)) in prefixes.enumerate() {
            queue.push((*before, *after, format!("{pointer}/{position}")));
        }
    }

    fn pair(&mut self, old: Option<RuleId>, new: Option<RuleId>, pointer: String, queue: &mut Queue) {
        match (old, new) {
            (Some(before), Some(after)) => queue.push((before, after, pointer)),
            (None, Some(after)) => {
                // A schema that everything fits constrains nothing.
                if !self.new.node(after).is_some_and(is_anything) {
                    self.add(Shift::Narrowed, &pointer, "schema-added", "it has a schema now".to_owned());
                }
            }
            (Some(before), None) => {
                if !self.old.node(before).is_some_and(is_anything) {
                    self.add(Shift::Widened, &pointer, "schema-removed", "it has no schema any more".to_owned());
                }
            }
            (None, None) => {}
        }
    }

    fn objects(&mut self, old: &ObjectRules, new: &ObjectRules, pointer: &str, queue: &mut Queue) {
        let is_closed = |rules: &Rules, object: &ObjectRules| {
            let closes = |rule: Option<RuleId>| rule.and_then(|rule| rules.node(rule)).is_some_and(|node| node.never);
            closes(object.additional) || closes(object.unevaluated)
        };
        let (was_closed, is_now_closed) = (is_closed(self.old, old), is_closed(self.new, new));
        for before in &old.properties.entries {
            let at = format!("{pointer}/{}", before.name);
            let after = new.properties.find(&before.name).and_then(|at| new.properties.entries.get(at));
            let is_required = after.is_some_and(|after| after.required);
            if before.required && !is_required {
                self.add(Shift::Widened, &at, "member-optional", "the member is optional now".to_owned());
            }
            if !before.required && is_required {
                self.add(Shift::Narrowed, &at, "member-required", "the member is required now".to_owned());
            }
            match (before.rule, after.and_then(|after| after.rule)) {
                (Some(a), Some(b)) => queue.push((a, b, at)),
                (Some(_), None) => {
                    let shift = if is_now_closed { Shift::Narrowed } else { Shift::Widened };
                    self.add(shift, &at, "member-removed", "the member is not declared any more".to_owned());
                }
                _ => {}
            }
        }
        for after in &new.properties.entries {
            if old.properties.find(&after.name).is_some() {
                continue;
            }
            let at = format!("{pointer}/{}", after.name);
            let (shift, message) = match (after.required, was_closed) {
                (true, _) => (Shift::Narrowed, "the member is new and required"),
                (false, true) => (Shift::Widened, "the member is new"),
                (false, false) => (Shift::Same, "the member is declared now"),
            };
            self.add(shift, &at, "member-added", message.to_owned());
        }
        if was_closed != is_now_closed {
            let shift = if is_now_closed { Shift::Narrowed } else { Shift::Widened };
            self.add(shift, pointer, "openness-changed", "whether other members may be there".to_owned());
        } else if !was_closed {
            self.pair(old.additional, new.additional, format!("{pointer}/*"), queue);
        }
        self.count(old.min, new.min, Ordering::Greater, pointer, "minProperties");
        self.count(old.max, new.max, Ordering::Less, pointer, "maxProperties");
    }

    fn logic(&mut self, old: &Logic, new: &Logic, pointer: &str, queue: &mut Queue) {
        self.choices(old, new, pointer);
        for (before, after, name, more) in [
            (&old.all_of, &new.all_of, "allOf", Shift::Narrowed),
            (&old.any_of, &new.any_of, "anyOf", Shift::Widened),
            (&old.one_of, &new.one_of, "oneOf", Shift::Widened),
        ] {
            let fewer = if more == Shift::Widened { Shift::Narrowed } else { Shift::Widened };
            let shift = match before.len().cmp(&after.len()) {
                // The first alternatives constrain what was free.
                Ordering::Less if before.is_empty() => Shift::Narrowed,
                Ordering::Less => more,
                Ordering::Greater if after.is_empty() => Shift::Widened,
                Ordering::Greater => fewer,
                Ordering::Equal => Shift::Same,
            };
            if shift != Shift::Same {
                let message = format!("`{name}` had {} schemas and has {}", before.len(), after.len());
                self.add(shift, pointer, "alternatives-changed", message);
            }
            queue.extend(before.iter().zip(after).map(|(a, b)| (*a, *b, pointer.to_owned())));
        }
        if let (Some(a), Some(b)) = (old.reference, new.reference) {
            queue.push((a, b, pointer.to_owned()));
        }
        let has = |logic: &Logic| (logic.not.is_some(), logic.condition.is_some());
        if has(old) != has(new) {
            self.add(Shift::Changed, pointer, "condition-changed", "`not` or `if` came or went".to_owned());
        }
    }

    fn choices(&mut self, old: &Logic, new: &Logic, pointer: &str) {
        let values = |logic: &Logic| -> Option<BTreeSet<String>> {
            let choice = logic.choice.as_ref()?;
            Some(choice.values.root().items().into_iter().flatten().map(to_text).collect())
        };
        let (before, after) = (values(old), values(new));
        let shift = match (&before, &after) {
            (a, b) if a == b => return,
            (None, _) => Shift::Narrowed,
            (_, None) => Shift::Widened,
            (Some(a), Some(b)) if a.is_subset(b) => Shift::Widened,
            (Some(a), Some(b)) if b.is_subset(a) => Shift::Narrowed,
            _ => Shift::Changed,
        };
        let list = |set: &Option<BTreeSet<String>>| match set {
            Some(set) => set.iter().take(12).cloned().collect::<Vec<_>>().join(", "),
            None => "anything".to_owned(),
        };
        self.add(shift, pointer, "values-changed", format!("{} became {}", list(&before), list(&after)));
    }
}

fn is_anything(node: &Node) -> bool {
    node.types == types::ALL
        && !node.never
        && node.number.is_none()
        && node.text.is_none()
        && node.array.is_none()
        && node.object.is_none()
        && node.logic.is_none()
}
