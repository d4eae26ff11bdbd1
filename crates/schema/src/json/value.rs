//! Views of values on a tape: copyable, borrowed, without allocation.

use std::borrow::Cow;

use super::number::Number;
use super::tape::{NodeKind, Tape};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The name JSON Schema uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// One value on a tape.
#[derive(Clone, Copy)]
pub struct Value<'t> {
    tape: &'t Tape<'t>,
    index: u32,
}

impl<'t> Value<'t> {
    #[inline]
    pub(super) fn new(tape: &'t Tape<'t>, index: u32) -> Self {
        Self { tape, index }
    }

    /// Its place on the tape, for [`Tape::pointer`].
    #[inline]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The tape it is on.
    pub fn tape(self) -> &'t Tape<'t> {
        self.tape
    }

    /// The index just behind its last descendant.
    #[inline]
    pub(super) fn end(self) -> u32 {
        let node = self.tape.node(self.index);
        match node.kind {
            NodeKind::Array | NodeKind::Object => node.a.max(self.index + 1),
            _ => self.index + 1,
        }
    }

    /// Offset in bytes of its first character in the text; of a string, of its quote.
    pub fn offset(self) -> u32 {
        self.tape.node(self.index).offset
    }

    /// Its JSON Pointer; see [`Tape::pointer`].
    pub fn pointer(self) -> String {
        self.tape.pointer(self.index)
    }

    /// Its type.
    #[inline]
    pub fn kind(self) -> Kind {
        match self.tape.node(self.index).kind {
            NodeKind::Null => Kind::Null,
            NodeKind::True | NodeKind::False => Kind::Bool,
            NodeKind::Integer | NodeKind::Decimal => Kind::Number,
            NodeKind::Text | NodeKind::Key => Kind::String,
            NodeKind::Array => Kind::Array,
            NodeKind::Object => Kind::Object,
        }
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.tape.node(self.index).kind {
            NodeKind::True => Some(true),
            NodeKind::False => Some(false),
            _ => None,
        }
    }

    /// The string, unescaped, if it is one.
    #[inline]
    pub fn as_str(self) -> Option<&'t str> {
        let node = self.tape.node(self.index);
        matches!(node.kind, NodeKind::Text | NodeKind::Key).then(|| self.tape.node_text(node))
    }

    /// The number with its exact text, if it is one.
    #[inline]
    pub fn as_number(self) -> Option<Number<'t>> {
        let node = self.tape.node(self.index);
        match node.kind {
            NodeKind::Integer => Some(Number::new(self.tape.node_text(node), true)),
            NodeKind::Decimal => Some(Number::new(self.tape.node_text(node), false)),
            _ => None,
        }
    }

    /// The number as an integer, if it is one and fits.
    pub fn as_i64(self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The number as a count, if it is a whole number, not negative, and fits.
    pub fn as_u64(self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// Keys and values of an object, duplicates included, in the order of the text.
    #[inline]
    pub fn members(self) -> Option<Members<'t>> {
        let node = self.tape.node(self.index);
        (node.kind == NodeKind::Object).then_some(Members { tape: self.tape, at: self.index + 1, end: node.a })
    }

    /// Items of an array.
    #[inline]
    pub fn items(self) -> Option<Items<'t>> {
        let node = self.tape.node(self.index);
        (node.kind == NodeKind::Array).then_some(Items { tape: self.tape, at: self.index + 1, end: node.a })
    }

    /// How many members or items it has; 0 for scalars.
    #[inline]
    pub fn count(self) -> usize {
        let node = self.tape.node(self.index);
        if matches!(node.kind, NodeKind::Array | NodeKind::Object) { node.b as usize } else { 0 }
    }

    /// The member with this key; of duplicates the last, as most parsers have it.
    pub fn get(self, key: &str) -> Option<Value<'t>> {
        self.members()?.filter(|(name, _)| *name == key).last().map(|(_, value)| value)
    }

    /// The item at this position.
    pub fn item(self, position: usize) -> Option<Value<'t>> {
        self.items()?.nth(position)
    }

    /// The value at a JSON Pointer relative to this one.
    pub fn find(self, pointer: &str) -> Option<Value<'t>> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut value = self;
        for token in pointer.strip_prefix('/')?.split('/') {
            let token: Cow<'_, str> =
                if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() };
            value = match value.kind() {
                Kind::Object => value.get(&token)?,
                Kind::Array if token == "0" || !token.starts_with('0') => value.item(token.parse().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// Iterator over the members of an object.
#[derive(Clone)]
pub struct Members<'t> {
    tape: &'t Tape<'t>,
    at: u32,
    end: u32,
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Value<'t>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = self.tape.node_text(self.tape.node(self.at));
        let value = Value::new(self.tape, self.at + 1);
        self.at = value.end();
        Some((key, value))
    }
}

/// Iterator over the items of an array.
#[derive(Clone)]
pub struct Items<'t> {
    tape: &'t Tape<'t>,
    at: u32,
    end: u32,
}

impl<'t> Iterator for Items<'t> {
    type Item = Value<'t>;

    #[inline]
    fn next(&mut self) -> Option<Value<'t>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value::new(self.tape, self.at);
        self.at = value.end();
        Some(value)
    }
}

/// Whether a string is a key or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The key of a member.
    Key,
    /// A string value.
    Value,
}

/// One string of the text with its place.
#[derive(Clone, Copy, Debug)]
pub struct StringAt<'t> {
    /// The string, unescaped.
    pub text: &'t str,
    /// Key or value.
    pub role: Role,
    /// Its place on the tape, for [`Tape::pointer`] and to compare with proven values.
    pub index: u32,
    /// Offset in bytes of its opening quote in the text.
    pub offset: u32,
}

impl<'t> StringAt<'t> {
    pub(super) fn new(tape: &'t Tape<'t>, index: u32) -> Option<Self> {
        let node = tape.nodes.get(index as usize).copied()?;
        let role = match node.kind {
            NodeKind::Key => Role::Key,
            NodeKind::Text => Role::Value,
            _ => return None,
        };
        Some(Self { text: tape.node_text(node), role, index, offset: node.offset })
    }
}

/// Iterator over all strings of a tape.
pub struct Strings<'t> {
    tape: &'t Tape<'t>,
    at: u32,
}

impl<'t> Strings<'t> {
    pub(super) fn new(tape: &'t Tape<'t>) -> Self {
        Self { tape, at: 0 }
    }
}

impl<'t> Iterator for Strings<'t> {
    type Item = StringAt<'t>;

    fn next(&mut self) -> Option<StringAt<'t>> {
        while (self.at as usize) < self.tape.nodes.len() {
            let at = self.at;
            self.at += 1;
            if let Some(found) = self.tape.string_at(at) {
                return Some(found);
            }
        }
        None
    }
}
