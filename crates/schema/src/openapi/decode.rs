//! Text of parameters and forms as trees, and trees as values guided by the schema: text is all that a URL or form can
//! carry, so the schema decides whether `5` is a number.

use std::borrow::Cow;

use crate::json::{JsonLimits, Tape, TapeBuilder};
use crate::rules::node::Node;
use crate::rules::{RuleId, Rules, types};

/// Deepest nesting of bracketed names.
const BRACKETS_MAX: usize = 8;

/// Whether `+` is a space.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    Literal,
    Space,
}

/// Undoes percent-encoding. `None` when an escape is broken or the result is not UTF-8.
pub(crate) fn percent(text: &str, plus: Plus) -> Option<Cow<'_, str>> {
    if !text.contains('%') && (plus == Plus::Literal || !text.contains('+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || (rest.next()? as char).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus == Plus::Space => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A value made of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Adds a text under a name; a name that is there already becomes a list.
    pub(crate) fn add(members: &mut Vec<(String, Tree)>, name: &str, value: Tree) {
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, Tree::List(list))) => list.push(value),
            Some((_, existing)) => {
                let first = std::mem::replace(existing, Tree::List(Vec::new()));
                *existing = Tree::List(vec![first, value]);
            }
            None => members.push((name.to_owned(), value)),
        }
    }

    /// Adds a text under a path of names, such as those of `a[b][c]`; an empty name appends.
    pub(crate) fn add_at(members: &mut Vec<(String, Tree)>, path: &[&str], value: Tree) {
        let Some((name, rest)) = path.split_first() else { return };
        if rest.is_empty() || rest == [""] {
            return Self::add(members, name, value);
        }
        let at = match members.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                members.push(((*name).to_owned(), Tree::Object(Vec::new())));
                members.len() - 1
            }
        };
        match members.get_mut(at) {
            Some((_, Tree::Object(inner))) => Self::add_at(inner, rest, value),
            Some((_, other)) => {
                // Both `a` and `a[b]`: kept as a list, which no object schema fits.
                let first = std::mem::replace(other, Tree::List(Vec::new()));
                *other = Tree::List(vec![first, value]);
            }
            None => {}
        }
    }
}

/// Splits `a[b][c]` into its names; `None` without brackets or when they do not match.
pub(crate) fn brackets(name: &str) -> Option<Vec<&str>> {
    let (head, mut rest) = name.split_at(name.find('[')?);
    let mut path = vec![head];
    while !rest.is_empty() {
        let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
        if path.len() > BRACKETS_MAX || inside.contains('[') {
            return None;
        }
        path.push(inside);
        rest = after;
    }
    Some(path)
}

/// Most schemas looked at to answer one question about a schema; compositions of compositions multiply.
const LOOKS_MAX: u32 = 256;
/// Deepest composition that is looked through.
const LOOK_DEPTH_MAX: u8 = 8;

impl Rules {
    /// The types a rule leaves open, seen through references and compositions.
    pub(crate) fn hint(&self, rule: Option<RuleId>) -> u8 {
        let mut looks = LOOKS_MAX;
        rule.map_or(types::ALL, |rule| self.hint_at(rule, 0, &mut looks))
    }

    fn hint_at(&self, rule: RuleId, depth: u8, looks: &mut u32) -> u8 {
        let Some(node) = self.node(rule) else { return types::ALL };
        let Some(left) = looks.checked_sub(1) else { return types::ALL };
        *looks = left;
        let mut set = node.types;
        if let Some(logic) = node.logic.as_ref().filter(|_| depth < LOOK_DEPTH_MAX) {
            for inner in logic.all_of.iter().chain(&logic.reference) {
                set &= self.hint_at(*inner, depth + 1, looks);
            }
            for branches in [&logic.any_of, &logic.one_of] {
                if !branches.is_empty() {
                    set &= branches.iter().fold(0, |union, inner| union | self.hint_at(*inner, depth + 1, looks));
                }
            }
            if let Some(choice) = &logic.choice {
                use crate::json::Kind;
                let kinds = choice.values.root().items().into_iter().flatten().map(|value| match value.kind() {
                    Kind::Null => types::NULL,
                    Kind::Bool => types::BOOLEAN,
                    Kind::Number => types::NUMBER | types::INTEGER,
                    Kind::String => types::STRING,
                    Kind::Array => types::ARRAY,
                    Kind::Object => types::OBJECT,
                });
                set &= kinds.fold(0, |union, kind| union | kind);
            }
        }
        if node.nullable { set | types::NULL } else { set }
    }

    /// Calls `look` with a rule and what it refers to or is composed of, the rule itself first, until it returns
    /// something.
    fn look_through<T>(&self, rule: RuleId, mut look: impl FnMut(&Node) -> Option<T>) -> Option<T> {
        let mut looks = LOOKS_MAX;
        let mut stack = vec![(rule, 0u8)];
        while let Some((rule, depth)) = stack.pop() {
            looks = looks.checked_sub(1)?;
            let Some(node) = self.node(rule) else { continue };
            if let Some(found) = look(node) {
                return Some(found);
            }
            if let Some(logic) = node.logic.as_ref().filter(|_| depth < LOOK_DEPTH_MAX) {
                let inner = logic.one_of.iter().rev().chain(logic.any_of.iter().rev());
                let inner = inner.chain(logic.all_of.iter().rev()).chain(&logic.reference);
                stack.extend(inner.map(|inner| (*inner, depth + 1)));
            }
        }
        None
    }

    /// The rule of a member, seen through references and compositions.
    pub(crate) fn member_rule(&self, rule: RuleId, name: &str) -> Option<RuleId> {
        let declared = self.look_through(rule, |node| {
            let object = node.object.as_ref()?;
            object.properties.entries.get(object.properties.find(name)?)?.rule
        });
        declared.or_else(|| self.look_through(rule, |node| node.object.as_ref()?.additional))
    }

    /// The rule of the items, seen through references and compositions.
    pub(crate) fn items_rule(&self, rule: RuleId) -> Option<RuleId> {
        self.look_through(rule, |node| node.array.as_ref()?.items)
    }

    /// The names of declared members, seen through references and compositions, and whether others are possible.
    pub(crate) fn member_names(&self, rule: RuleId, names: &mut Vec<Box<str>>) -> bool {
        let mut is_open = false;
        self.look_through(rule, |node| {
            if let Some(object) = &node.object {
                names.extend(object.properties.entries.iter().map(|property| property.name.clone()));
                let allows = |rule: RuleId| self.node(rule).is_some_and(|node| !node.never);
                is_open |= object.additional.is_some_and(allows) || object.properties.entries.is_empty();
            } else if node.logic.is_none() {
                is_open = true;
            }
            None::<()>
        });
        is_open
    }

    /// Writes a tree as a value, coerced to what the rule wants.
    pub(crate) fn write_tree(&self, builder: &mut TapeBuilder, tree: &Tree, rule: Option<RuleId>) {
        let hint = self.hint(rule);
        match tree {
            Tree::Text(text) if hint & types::STRING == 0 && hint & (types::ARRAY | types::OBJECT) != 0 => {
                let json = Tape::parse(text.as_bytes(), &JsonLimits::default()).ok();
                let is_container = |tape: &Tape<'_>| tape.root().items().is_some() || tape.root().members().is_some();
                if let Some(tape) = json.filter(is_container) {
                    builder.copy(tape.root());
                } else if hint & types::ARRAY != 0 {
                    builder.open_array(0);
                    self.write_tree(builder, tree, rule.and_then(|rule| self.items_rule(rule)));
                    builder.close();
                } else {
                    write_text(builder, text, hint);
                }
            }
            Tree::Text(text) => write_text(builder, text, hint),
            Tree::List(items) => {
                let inner = rule.and_then(|rule| self.items_rule(rule));
                builder.open_array(0);
                for item in items {
                    self.write_tree(builder, item, inner);
                }
                builder.close();
            }
            Tree::Object(members) => {
                builder.open_object(0);
                for (name, member) in members {
                    builder.key(name, 0);
                    self.write_tree(builder, member, rule.and_then(|rule| self.member_rule(rule, name)));
                }
                builder.close();
            }
        }
    }
}

/// Writes a text as the type the schema wants, or as a string when it cannot be that.
pub(crate) fn write_text(builder: &mut TapeBuilder, text: &str, hint: u8) {
    if hint & types::STRING != 0 {
        return builder.string(text, 0);
    }
    if hint & (types::NUMBER | types::INTEGER) != 0 && builder.number(text, 0) {
        return;
    }
    match text {
        "true" | "false" if hint & types::BOOLEAN != 0 => builder.bool(text == "true", 0),
        "null" | "" if hint & types::NULL != 0 => builder.null(0),
        _ => builder.string(text, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_strictly() {
        assert_eq!(percent("a%20b+c", Plus::Space).unwrap(), "a b c");
        assert_eq!(percent("a+c", Plus::Literal).unwrap(), "a+c");
        assert!(percent("%zz", Plus::Literal).is_none());
        assert!(percent("%e", Plus::Literal).is_none());
        assert!(percent("%ff", Plus::Literal).is_none());
    }

    #[test]
    fn bracketed_names_are_paths() {
        assert_eq!(brackets("a[b][]").unwrap(), ["a", "b", ""]);
        assert!(brackets("a").is_none());
        assert!(brackets("a[b").is_none());
        assert!(brackets("a[b]c").is_none());
    }
}
