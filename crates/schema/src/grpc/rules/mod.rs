//! Field rules of `buf.validate` (protovalidate), read from the options of descriptors and compiled once.
//!
//! Enforced: the standard rules of numbers, text, bytes, enumerations, lists and maps, `required`, `ignore`, and of oneofs. What
//! else is written (expressions in CEL, rules of well-known types, rules that others defined) is named, not skipped silently.

mod read;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{HashMap, HashSet};

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use read::{Reading, extension};
pub(super) use value::Scalar;
use value::{Check, Key};

/// The rules of all messages that have some, by full name.
#[derive(Debug, Default)]
pub(super) struct Rules {
    messages: HashMap<String, MessageRules>,
    /// What is written and not enforced, a sentence each.
    pub(super) unenforced: Vec<String>,
}

/// The rules of one message.
#[derive(Debug, Default)]
pub(super) struct MessageRules {
    fields: Vec<FieldRules>,
    groups: Vec<Group>,
}

/// Fields of which only some may be set.
#[derive(Debug)]
struct Group {
    name: Box<str>,
    numbers: Vec<u32>,
    at_most_one: bool,
    required: bool,
}

/// When the rules of a field hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ignore {
    /// Whenever the field is set; always where nobody can tell whether it is.
    #[default]
    Never,
    /// Not for the zero of its type.
    Zero,
    /// Never, nor those of the message within.
    Always,
}

/// The rules of one field.
#[derive(Debug, Default)]
pub(super) struct FieldRules {
    number: u32,
    name: Box<str>,
    required: bool,
    ignore: Ignore,
    /// Whether the wire says that it is set.
    has_presence: bool,
    is_repeated: bool,
    /// Of the value, or of each element.
    checks: Vec<Check>,
    /// Elements that are zero are not judged.
    items_ignore_zero: bool,
    count: Option<(u64, u64)>,
    unique: bool,
    /// What its zero, which is not sent, breaks.
    zero_breaks: Option<Box<str>>,
}

/// A rule that a message breaks: the field, where it is one's, and what is expected.
pub(super) struct Broken {
    pub(super) field: Option<Box<str>>,
    pub(super) expected: Box<str>,
}

impl Rules {
    /// The rules of all messages of a pool. The error says which rule cannot be enforced as it is written.
    pub(super) fn of(pool: &DescriptorPool) -> Result<Self, String> {
        let mut rules = Self::default();
        for message in pool.all_messages() {
            let is_own = ["google.protobuf", "buf.validate"].contains(&message.package_name());
            if message.is_map_entry() || is_own {
                continue;
            }
            rules.add(&message)?;
        }
        rules.unenforced.sort();
        rules.unenforced.dedup();
        Ok(rules)
    }

    pub(super) fn message(&self, descriptor: &MessageDescriptor) -> Option<&MessageRules> {
        if self.messages.is_empty() { None } else { self.messages.get(descriptor.full_name()) }
    }

    fn add(&mut self, message: &MessageDescriptor) -> Result<(), String> {
        let mut own = MessageRules::default();
        let mut reading = Reading::new(message.full_name());
        if let Some(options) = extension(&message.options(), "buf.validate.message") {
            if options.get_field_by_name("disabled").is_some_and(|value| value.as_bool() == Some(true)) {
                return Ok(());
            }
            self.read_message(&options, message, &mut own, &mut reading);
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let Some(options) = extension(&oneof.options(), "buf.validate.oneof") else { continue };
            if options.get_field_by_name("required").is_some_and(|value| value.as_bool() == Some(true)) {
                let numbers = oneof.fields().map(|field| field.number()).collect();
                own.groups.push(Group { name: oneof.name().into(), numbers, at_most_one: false, required: true });
            }
        }
        for field in message.fields() {
            let Some(options) = extension(&field.options(), "buf.validate.field") else { continue };
            let (rules, entry) = reading.field(&field, &options)?;
            own.fields.push(rules);
            if let Some((name, entry)) = entry {
                self.messages.insert(name, MessageRules { fields: entry, groups: Vec::new() });
            }
        }
        self.unenforced.append(&mut reading.unenforced);
        if !own.fields.is_empty() || !own.groups.is_empty() {
            self.messages.insert(message.full_name().to_owned(), own);
        }
        Ok(())
    }

    fn read_message(
        &self,
        options: &DynamicMessage,
        message: &MessageDescriptor,
        own: &mut MessageRules,
        reading: &mut Reading,
    ) {
        for (rule, value) in options.fields() {
            if rule.name() != "oneof" {
                reading.unenforced(message.name(), rule.name());
                continue;
            }
            for group in value.as_list().into_iter().flatten().filter_map(|group| group.as_message()) {
                let named = group.get_field_by_name("fields");
                let names = named.iter().filter_map(|value| value.as_list()).flatten().filter_map(|name| name.as_str());
                let numbers: Vec<u32> =
                    names.filter_map(|name| Some(message.get_field_by_name(name)?.number())).collect();
                let required = group.get_field_by_name("required").is_some_and(|value| value.as_bool() == Some(true));
                own.groups.push(Group { name: "oneof".into(), numbers, at_most_one: true, required });
            }
        }
    }
}

/// What was seen of a message's ruled fields while it was walked.
pub(super) struct Watching<'r, 'b> {
    rules: &'r MessageRules,
    fields: Vec<Seen<'b>>,
    /// Numbers of fields of groups that were set.
    set: Vec<u32>,
}

#[derive(Default)]
struct Seen<'b> {
    count: u64,
    is_filled: bool,
    elements: HashSet<Key<'b>>,
}

impl<'r, 'b> Watching<'r, 'b> {
    pub(super) fn new(rules: &'r MessageRules) -> Self {
        let fields = rules.fields.iter().map(|_| Seen::default()).collect();
        Self { rules, fields, set: Vec::new() }
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.rules.fields.iter().position(|field| field.number == number)
    }

    /// True when nothing within the field is judged.
    pub(super) fn ignores(&self, number: u32) -> bool {
        let field = self.rules.fields.iter().find(|field| field.number == number);
        field.is_some_and(|field| field.ignore == Ignore::Always)
    }

    /// Judges one value of a field, or one element of a list.
    pub(super) fn see(&mut self, number: u32, value: Scalar<'b>) -> Result<(), Broken> {
        let is_grouped = self.rules.groups.iter().any(|group| group.numbers.contains(&number));
        if is_grouped && !self.set.contains(&number) {
            self.set.push(number);
        }
        let Some(at) = self.position(number) else { return Ok(()) };
        let Some((rules, seen)) = self.rules.fields.get(at).zip(self.fields.get_mut(at)) else { return Ok(()) };
        seen.count += 1;
        seen.is_filled |= rules.is_repeated || rules.has_presence || !value.is_zero();
        let ignores_zero = if rules.is_repeated { rules.items_ignore_zero } else { rules.ignore == Ignore::Zero };
        if rules.ignore == Ignore::Always || ignores_zero && value.is_zero() {
            return Ok(());
        }
        // More than may be need not be looked at.
        if rules.count.is_some_and(|(_, max)| seen.count > max) {
            return rules.broken(&rules.count_expected());
        }
        if rules.unique
            && let Some(key) = value.key()
            && !seen.elements.insert(key)
        {
            return rules.broken("repeated.unique: each value once");
        }
        match rules.checks.iter().find(|check| !check.holds(value)) {
            Some(check) => rules.broken(&check.expected),
            None => Ok(()),
        }
    }

    /// Judges what is missing at the end of the message.
    pub(super) fn end(&self) -> Result<(), Broken> {
        for (rules, seen) in self.rules.fields.iter().zip(&self.fields) {
            if rules.ignore == Ignore::Always {
                continue;
            }
            if rules.required && !seen.is_filled {
                return rules.broken("required: a value");
            }
            if seen.count > 0 || rules.ignore == Ignore::Zero {
                if rules.count.is_some_and(|(min, _)| seen.count > 0 && seen.count < min) {
                    return rules.broken(&rules.count_expected());
                }
                continue;
            }
            if rules.count.is_some_and(|(min, _)| min > 0) {
                return rules.broken(&rules.count_expected());
            }
            if let Some(expected) = &rules.zero_breaks {
                return rules.broken(expected);
            }
        }
        for group in &self.rules.groups {
            let set = group.numbers.iter().filter(|number| self.set.contains(number)).count();
            if group.required && set == 0 || group.at_most_one && set > 1 {
                let expected = if group.at_most_one { "at most one of the fields" } else { "one of the fields" };
                return Err(Broken { field: None, expected: format!("{}: {expected}", group.name).into() });
            }
        }
        Ok(())
    }
}

impl FieldRules {
    fn broken(&self, expected: &str) -> Result<(), Broken> {
        Err(Broken { field: Some(self.name.clone()), expected: expected.into() })
    }

    fn count_expected(&self) -> String {
        match self.count {
            Some((min, u64::MAX)) => format!("at least {min} elements"),
            Some((min, max)) => format!("{min} to {max} elements"),
            None => String::new(),
        }
    }
}
