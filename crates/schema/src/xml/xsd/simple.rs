//! Simple types: a built-in type, a list or a union, narrowed by facets.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use regex::Regex;

use super::value::{Atom, Value};

/// Deepest nesting of lists and unions.
const DEPTH_MAX: usize = 32;
/// Longest value that is shown in what was expected.
const SHOWN_CHARS_MAX: usize = 60;

/// What is done with white space before a value is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum White {
    Preserve,
    Replace,
    Collapse,
}

#[derive(Clone, Debug)]
pub(super) enum Variety {
    /// Any text.
    Any,
    Atomic(Atom),
    List(Arc<SimpleType>),
    Union(Vec<Arc<SimpleType>>),
}

/// A bound of an ordered type.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) value: Value,
    pub(super) shown: String,
    pub(super) kind: BoundKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BoundKind {
    MinInclusive,
    MinExclusive,
    MaxInclusive,
    MaxExclusive,
}

/// What narrows a type, those of its bases included.
#[derive(Clone, Debug, Default)]
pub(super) struct Facets {
    /// Each step of derivation has alternatives.
    pub(super) patterns: Vec<Vec<Regex>>,
    pub(super) enumeration: Option<Vec<(Value, String)>>,
    pub(super) length_min: Option<usize>,
    pub(super) length_max: Option<usize>,
    pub(super) bounds: Vec<Bound>,
    pub(super) digits_max: Option<usize>,
    pub(super) fraction_digits_max: Option<usize>,
}

/// A simple type.
#[derive(Clone, Debug)]
pub(super) struct SimpleType {
    pub(super) variety: Variety,
    pub(super) white: White,
    pub(super) facets: Facets,
}

/// What values are judged with: the prefixes in force, and the identifiers seen.
pub(super) struct Surroundings<'s> {
    pub(super) resolve: &'s dyn Fn(&str) -> Option<String>,
    pub(super) ids: &'s mut Ids,
}

/// Identifiers of one document.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) declared: std::collections::HashSet<String>,
    pub(super) referred: Vec<String>,
}

impl SimpleType {
    pub(super) fn of(variety: Variety, white: White) -> Self {
        Self { variety, white, facets: Facets::default() }
    }

    /// Treats white space as the type says.
    pub(super) fn treated<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let is_plain = |text: &str| !text.contains(['\t', '\n', '\r']);
        match self.white {
            White::Preserve => Cow::Borrowed(text),
            White::Replace if is_plain(text) => Cow::Borrowed(text),
            White::Replace => Cow::Owned(text.replace(['\t', '\n', '\r'], " ")),
            White::Collapse => {
                let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
                if is_plain(trimmed) && !trimmed.contains("  ") {
                    return Cow::Borrowed(trimmed);
                }
                let words = trimmed.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty());
                Cow::Owned(words.collect::<Vec<_>>().join(" "))
            }
        }
    }

    /// Judges a value as it is written.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn check(&self, text: &str, around: &mut Surroundings<'_>) -> Result<(), Cow<'static, str>> {
        self.value(&self.treated(text), around, 0).map(|_| ())
    }

    /// The value of a text whose white space has been treated.
    pub(super) fn value(
        &self,
        text: &str,
        around: &mut Surroundings<'_>,
        depth: usize,
    ) -> Result<Value, Cow<'static, str>> {
        if depth > DEPTH_MAX {
            return Err("a value of a type that is less nested".into());
        }
        let (value, length) = match &self.variety {
            Variety::Any => (Value::Text(text.to_owned()), Some(text.chars().count())),
            Variety::Atomic(atom) => {
                let value = atom.value(text, around.resolve).ok_or(atom.expected())?;
                self.remember(*atom, text, around)?;
                (value, self.facets.needs_length().then(|| atom.length(text)).flatten())
            }
            Variety::List(item) => {
                let mut list = Vec::new();
                for word in text.split(' ').filter(|word| !word.is_empty()) {
                    list.push(item.value(word, around, depth + 1)?);
                }
                let length = list.len();
                (Value::List(list), Some(length))
            }
            Variety::Union(members) => {
                let found =
                    members.iter().find_map(|member| member.value(&member.treated(text), around, depth + 1).ok());
                (found.ok_or("a value of one of the types of the union")?, None)
            }
        };
        self.facets.check(text, &value, length)?;
        Ok(value)
    }

    fn remember(&self, atom: Atom, text: &str, around: &mut Surroundings<'_>) -> Result<(), Cow<'static, str>> {
        match atom {
            Atom::Id if !around.ids.declared.insert(text.to_owned()) => Err(Atom::Id.expected().into()),
            Atom::IdRef => {
                around.ids.referred.push(text.to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Facets {
    const fn needs_length(&self) -> bool {
        self.length_min.is_some() || self.length_max.is_some()
    }

    fn check(&self, text: &str, value: &Value, length: Option<usize>) -> Result<(), Cow<'static, str>> {
        if let Some(length) = length {
            if let Some(min) = self.length_min.filter(|min| length < *min) {
                return Err(format!("a length of at least {min}").into());
            }
            if let Some(max) = self.length_max.filter(|max| length > *max) {
                return Err(format!("a length of at most {max}").into());
            }
        }
        for bound in &self.bounds {
            let order = value.compare(&bound.value);
            let (is_right, words) = match bound.kind {
                BoundKind::MinInclusive => (matches!(order, Some(Ordering::Greater | Ordering::Equal)), "at least"),
                BoundKind::MinExclusive => (order == Some(Ordering::Greater), "more than"),
                BoundKind::MaxInclusive => (matches!(order, Some(Ordering::Less | Ordering::Equal)), "at most"),
                BoundKind::MaxExclusive => (order == Some(Ordering::Less), "less than"),
            };
            if !is_right {
                return Err(format!("{words} {}", bound.shown).into());
            }
        }
        if let Value::Decimal(number) = value {
            let (whole, fraction) = number.digits();
            if let Some(max) = self.digits_max.filter(|max| whole + fraction > *max) {
                return Err(format!("at most {max} digits").into());
            }
            if let Some(max) = self.fraction_digits_max.filter(|max| fraction > *max) {
                return Err(format!("at most {max} digits behind the point").into());
            }
        }
        if let Some(list) = &self.enumeration
            && !list.iter().any(|(known, _)| known.is_same(value))
        {
            let shown: Vec<String> = list.iter().take(8).map(|(_, shown)| format!("`{}`", short(shown))).collect();
            let more = if list.len() > 8 { ", .." } else { "" };
            return Err(format!("one of {}{more}", shown.join(", ")).into());
        }
        for alternatives in &self.patterns {
            if !alternatives.iter().any(|pattern| pattern.is_match(text)) {
                return Err("a text that matches the pattern of its type".into());
            }
        }
        Ok(())
    }
}

/// A value of the schema, cut to what fits a sentence.
fn short(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
