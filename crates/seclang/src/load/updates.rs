//! Directives that change rules which are there: removed, other targets, other actions. They apply to every rule of the
//! set, wherever they stand.

use super::{Item, argument};
use crate::error::Problem;
use crate::lex::{Directive, Word};
use crate::pattern::Answer;
use crate::rule::actions::{self, Actions};
use crate::rule::{Rule, Targets, Which, targets};

/// One change.
pub(super) struct Update {
    which: Which,
    what: What,
    word: Word,
}

enum What {
    Remove,
    Targets(Targets),
    Actions(Box<Actions>),
}

/// Reads a directive whose name, in small letters, begins with `secruleremove` or `secruleupdate`.
pub(super) fn parse(name: &str, directive: &Directive, notes: &mut Vec<Problem>) -> Result<Update, Problem> {
    let first = argument(directive, 0)?;
    let which = if name.ends_with("byid") {
        let words: &[Word] =
            if name == "secruleremovebyid" { &directive.arguments } else { std::slice::from_ref(first) };
        let texts = words.iter().flat_map(|word| word.text.split([' ', ',']).map(move |text| (word, text)));
        let ranges = texts.filter(|(_, text)| !text.is_empty()).map(|(word, text)| {
            // `id:offset` names a link of a chain; the change then concerns the whole rule.
            let id = text.split(':').next().unwrap_or_default();
            actions::range(id).ok_or_else(|| {
                let help = "write one, or a range such as 942000-942999";
                word.problem(0, format!("`{text}` is no rule number"), help)
            })
        });
        Which::Ids(ranges.collect::<Result<_, _>>()?)
    } else {
        let pattern = actions::selector(&first.text).map_err(|error| first.problem(0, error, ""))?;
        if name.ends_with("bytag") { Which::Tag(pattern) } else { Which::Message(pattern) }
    };
    let what = if name.starts_with("secruleremove") {
        What::Remove
    } else if name.starts_with("secruleupdatetarget") {
        // Targets are separated by bars or commas here.
        let mut word = argument(directive, 1)?.clone();
        word.text = word.text.replace(',', "|");
        What::Targets(targets::parse(&word, notes)?)
    } else {
        What::Actions(Box::new(actions::parse(argument(directive, 1)?, notes)?))
    };
    Ok(Update { which, what, word: first.clone() })
}

impl Which {
    /// Whether a rule is meant.
    pub(crate) fn means(&self, rule: &Rule) -> bool {
        match self {
            Self::Ids(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&rule.id)),
            Self::Tag(pattern) => rule.tags.iter().any(|tag| pattern.matches(tag.as_bytes()) == Answer::Yes),
            Self::Message(pattern) => {
                let message = rule.message.as_ref().and_then(|message| message.plain());
                message.is_some_and(|message| pattern.matches(message) == Answer::Yes)
            }
        }
    }
}

impl Update {
    /// Changes the rules that are meant.
    pub(super) fn apply(self, items: &mut Vec<Item>) -> Result<(), Problem> {
        let Self { which, what, word } = self;
        match what {
            What::Remove => {
                items.retain(|item| !matches!(item, Item::Rule(rule) if which.means(rule)));
                Ok(())
            }
            What::Targets(changed) => {
                for rule in meant(items, &which) {
                    if let Some(first) = rule.conditions.first_mut() {
                        first.targets.wanted.extend(changed.wanted.iter().cloned());
                        first.targets.unwanted.extend(changed.unwanted.iter().cloned());
                    }
                }
                Ok(())
            }
            What::Actions(changed) => {
                if changed.id.is_some() || changed.phase.is_some() || changed.chain {
                    let message = "`id`, `phase` and `chain` of a rule cannot be changed".to_owned();
                    return Err(word.problem(0, message, "take them out"));
                }
                for rule in meant(items, &which) {
                    update_actions(rule, &changed);
                }
                Ok(())
            }
        }
    }
}

fn meant<'i>(items: &'i mut [Item], which: &'i Which) -> impl Iterator<Item = &'i mut Box<Rule>> {
    items.iter_mut().filter_map(move |item| match item {
        Item::Rule(rule) if which.means(rule) => Some(rule),
        _ => None,
    })
}

/// What is written replaces what was there; tags and what is set are added.
fn update_actions(rule: &mut Rule, changed: &Actions) {
    if let Some(disruption) = changed.disruption {
        rule.disruption = disruption;
    }
    if let Some(logs) = changed.logs {
        rule.logs = logs;
    }
    rule.status = changed.status.or(rule.status);
    rule.severity = changed.severity.or(rule.severity);
    if changed.message.is_some() {
        rule.message.clone_from(&changed.message);
    }
    rule.tags.extend(changed.tags.iter().cloned());
    if changed.jump.is_some() {
        rule.jump.clone_from(&changed.jump);
    }
    if let Some(first) = rule.conditions.first_mut() {
        if changed.transforms_reset || !changed.transforms.is_empty() {
            first.transforms.clone_from(&changed.transforms);
        }
        first.capture |= changed.capture;
        first.multi_match |= changed.multi_match;
        first.set.extend(changed.set.iter().cloned());
        first.controls.extend(changed.controls.iter().cloned());
    }
}
