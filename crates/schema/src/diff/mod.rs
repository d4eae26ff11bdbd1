//! What changed between two contracts, and for whom: a client of the old one may break, may do more than before, or
//! notices nothing.
//!
//! Requests and responses are opposites: narrowing what a request may be breaks clients that send it, widening what a
//! response may be breaks clients that read it.

mod schema;

use crate::openapi::{BodyRules, Contract, Location, Operation, Parameter, StatusKey};
use crate::rules::{RuleId, Rules};
use schema::{Shift, compare};

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// What worked may be refused, or what is received may not be understood.
    Breaking,
    /// More is accepted than before: a matter for whoever reviews security.
    Loosened,
    /// Nobody notices.
    Safe,
}

impl Impact {
    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Loosened => "loosened",
            Self::Safe => "safe",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it means.
    pub impact: Impact,
    /// Method and path template.
    pub operation: String,
    /// Where in the operation, such as `query:limit`, `request:/items/*/price` or `response 200:/name`.
    pub place: String,
    /// A stable name of the kind of change, such as `parameter-added`.
    pub rule: &'static str,
    /// What changed, in words.
    pub message: String,
}

/// All changes from `old` to `new`, the breaking ones first.
pub fn diff(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut changes = Vec::new();
    for before in old.operations() {
        match new.operations().iter().find(|after| is_same(before, after)) {
            Some(after) => operations(&mut changes, (old.rules(), before), (new.rules(), after)),
            None => changes.push(change(before, Impact::Breaking, "", "operation-removed", "the operation is gone")),
        }
    }
    for after in new.operations() {
        if !old.operations().iter().any(|before| is_same(before, after)) {
            changes.push(change(after, Impact::Loosened, "", "operation-added", "the operation is new"));
        }
    }
    changes.sort();
    changes.dedup();
    changes
}

fn change(operation: &Operation, impact: Impact, place: &str, rule: &'static str, message: &str) -> Change {
    let operation = format!("{} {}", operation.method, operation.template);
    Change { impact, operation, place: place.to_owned(), rule, message: message.to_owned() }
}

/// The same method, and the same path but for the names of parameters.
fn is_same(a: &Operation, b: &Operation) -> bool {
    a.method == b.method && nameless(&a.template) == nameless(&b.template)
}

fn nameless(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str("{}");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

type Side<'c> = (&'c Rules, &'c Operation);

fn operations(changes: &mut Vec<Change>, old: Side<'_>, new: Side<'_>) {
    parameters(changes, old, new);
    let (before, after) = (old.1, new.1);
    let mut add = |impact, place: &str, rule, message: &str| changes.push(change(after, impact, place, rule, message));
    if before.security != after.security {
        let is_open =
            |operation: &Operation| operation.security.iter().any(Vec::is_empty) || operation.security.is_empty();
        let (impact, message) = match (is_open(before), is_open(after)) {
            (true, false) => (Impact::Breaking, "a credential is needed now"),
            (false, true) => (Impact::Loosened, "no credential is needed any more"),
            _ => (Impact::Breaking, "another credential is needed"),
        };
        add(impact, "security", "security-changed", message);
    }
    if after.deprecated && !before.deprecated {
        add(Impact::Safe, "", "deprecated", "the operation is deprecated now");
    }
    match (&before.body, &after.body) {
        (None, Some(body)) if body.required => add(Impact::Breaking, "request", "body-added", "a body is required now"),
        (None, Some(_)) => add(Impact::Loosened, "request", "body-added", "a body is possible now"),
        (Some(_), None) => add(Impact::Breaking, "request", "body-removed", "no body is possible any more"),
        (Some(a), Some(b)) => {
            if a.required != b.required {
                let (impact, message) = match b.required {
                    true => (Impact::Breaking, "the body is required now"),
                    false => (Impact::Loosened, "the body is optional now"),
                };
                add(impact, "request", "body-required", message);
            }
            bodies(changes, (old.0, before, a), (new.0, after, b), "request", Sense::Request);
        }
        (None, None) => {}
    }
    responses(changes, old, new);
}

/// Which way a schema is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Request,
    Response,
}

fn impact(sense: Sense, shift: Shift) -> Impact {
    match (sense, shift) {
        (_, Shift::Same) => Impact::Safe,
        (_, Shift::Changed) | (Sense::Request, Shift::Narrowed) | (Sense::Response, Shift::Widened) => Impact::Breaking,
        (Sense::Request, Shift::Widened) => Impact::Loosened,
        (Sense::Response, Shift::Narrowed) => Impact::Safe,
    }
}

fn parameters(changes: &mut Vec<Change>, old: Side<'_>, new: Side<'_>) {
    let same = |a: &Parameter, b: &Parameter| a.location == b.location && a.name == b.name;
    for before in old.1.parameters.iter().filter(|parameter| parameter.location != Location::Path) {
        let place = place_of(before);
        let mut add = |impact, rule, message: &str| changes.push(change(new.1, impact, &place, rule, message));
        let Some(after) = new.1.parameters.iter().find(|after| same(before, after)) else {
            add(Impact::Breaking, "parameter-removed", "the parameter is not declared any more");
            continue;
        };
        match (before.required, after.required) {
            (false, true) => add(Impact::Breaking, "parameter-required", "the parameter is required now"),
            (true, false) => add(Impact::Loosened, "parameter-required", "the parameter is optional now"),
            _ => {}
        }
        if before.style != after.style || before.explode != after.explode {
            add(Impact::Breaking, "parameter-style", "the parameter is written differently");
        }
        rules(changes, (old.0, before.rule), (new.0, after.rule), new.1, &place, Sense::Request);
    }
    for after in new.1.parameters.iter().filter(|parameter| parameter.location != Location::Path) {
        if !old.1.parameters.iter().any(|before| same(before, after)) {
            let (impact, message) = match after.required {
                true => (Impact::Breaking, "the parameter is new and required"),
                false => (Impact::Loosened, "the parameter is new"),
            };
            changes.push(change(new.1, impact, &place_of(after), "parameter-added", message));
        }
    }
    // Path parameters are matched by position: their names are nobody's business.
    for (a, b) in old.1.names.iter().zip(&new.1.names) {
        let find = |operation: &'_ Operation, name: &str| {
            operation.parameters.iter().find(|p| p.location == Location::Path && *p.name == *name).and_then(|p| p.rule)
        };
        rules(changes, (old.0, find(old.1, a)), (new.0, find(new.1, b)), new.1, &format!("path:{b}"), Sense::Request);
    }
}

fn place_of(parameter: &Parameter) -> String {
    let location = match parameter.location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Header => "header",
        Location::Cookie => "cookie",
    };
    format!("{location}:{}", parameter.name)
}

fn bodies(
    changes: &mut Vec<Change>,
    old: (&Rules, &Operation, &BodyRules),
    new: (&Rules, &Operation, &BodyRules),
    place: &str,
    sense: Sense,
) {
    for before in &old.2.media {
        match new.2.media.iter().find(|after| after.range == before.range) {
            Some(after) => rules(changes, (old.0, before.rule), (new.0, after.rule), new.1, place, sense),
            None => {
                let message = format!("`{}` is not possible any more", before.range);
                let impact = impact(sense, Shift::Narrowed);
                // A client that reads only this type cannot read the answer.
                let impact = if sense == Sense::Response { Impact::Breaking } else { impact };
                changes.push(change(new.1, impact, place, "media-removed", &message));
            }
        }
    }
    for after in &new.2.media {
        if !old.2.media.iter().any(|before| before.range == after.range) {
            let impact = if sense == Sense::Request { Impact::Loosened } else { Impact::Safe };
            changes.push(change(new.1, impact, place, "media-added", &format!("`{}` is possible now", after.range)));
        }
    }
}

fn responses(changes: &mut Vec<Change>, old: Side<'_>, new: Side<'_>) {
    let find =
        |operation: &'_ Operation, wanted: StatusKey| operation.responses.iter().position(|(key, _)| *key == wanted);
    for (key, before) in &old.1.responses {
        let place = format!("response {key}");
        match find(new.1, *key).and_then(|at| new.1.responses.get(at)) {
            Some((_, after)) => {
                bodies(changes, (old.0, old.1, &before.body), (new.0, new.1, &after.body), &place, Sense::Response);
                for header in before.headers.iter().filter(|header| header.required) {
                    if !after.headers.iter().any(|other| other.name == header.name && other.required) {
                        let place = format!("{place} header:{}", header.name);
                        changes.push(change(
                            new.1,
                            Impact::Breaking,
                            &place,
                            "header-removed",
                            "the field is not certain any more",
                        ));
                    }
                }
            }
            None => changes.push(change(
                new.1,
                Impact::Safe,
                &place,
                "status-removed",
                "the status is not declared any more",
            )),
        }
    }
    for (key, _) in &new.1.responses {
        if find(old.1, *key).is_none() {
            let place = format!("response {key}");
            changes.push(change(new.1, Impact::Loosened, &place, "status-added", "the status is new"));
        }
    }
}

fn rules(
    changes: &mut Vec<Change>,
    old: (&Rules, Option<RuleId>),
    new: (&Rules, Option<RuleId>),
    operation: &Operation,
    place: &str,
    sense: Sense,
) {
    let (Some(before), Some(after)) = (old.1, new.1) else {
        let shift = match (old.1, new.1) {
            (None, Some(_)) => Shift::Narrowed,
            (Some(_), None) => Shift::Widened,
            _ => return,
        };
        changes.push(change(operation, impact(sense, shift), place, "schema-changed", "a schema came or went"));
        return;
    };
    for difference in compare((old.0, before), (new.0, after)) {
        let place = format!("{place}:{}", difference.pointer);
        let place = place.strip_suffix(':').unwrap_or(&place);
        changes.push(change(operation, impact(sense, difference.shift), place, difference.rule, &difference.message));
    }
}

#[cfg(test)]
mod tests;
