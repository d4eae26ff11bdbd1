//! The tape: one flat list of nodes in the order of the text.

use super::limits::{Error, JsonLimits, Note};
use super::parse::Parser;
use super::value::{StringAt, Strings, Value};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Null,
    True,
    False,
    Integer,
    Decimal,
    Text,
    Key,
    Array,
    Object,
}

/// One value or key. Scalars: `a` is the start and `b` the length of their text, in the borrowed text or, with
/// `in_arena`, in the tape's own. Containers: `a` is the index just behind their last descendant, `b` their count.
///
/// INVARIANT: a key is followed by its value; while a container is open, its `a` is the index of the enclosing one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) in_arena: bool,
    pub(super) offset: u32,
    pub(super) a: u32,
    pub(super) b: u32,
}

pub(super) const NULL_NODE: Node = Node { kind: NodeKind::Null, in_arena: false, offset: 0, a: 0, b: 0 };

/// A parsed JSON text. Strings borrow from the text where they have no escapes.
#[derive(Clone, Debug, Default)]
pub struct Tape<'a> {
    pub(super) text: &'a str,
    pub(super) arena: String,
    pub(super) nodes: Vec<Node>,
    pub(super) notes: Vec<Note>,
    pub(super) notes_dropped: u32,
}

impl<'a> Tape<'a> {
    /// Parses `bytes` as exactly one JSON value.
    ///
    /// Linear in the size of the text; memory is at most 16 bytes for each two bytes of the text plus its unescaped
    /// strings.
    pub fn parse(bytes: &'a [u8], limits: &JsonLimits) -> Result<Self, Error> {
        Parser::new(bytes, limits)?.run()
    }

    /// A tape of one string, for parameters that are judged like values.
    pub fn of_string(text: &'a str) -> Self {
        Self::of_scalar(text, NodeKind::Text)
    }

    /// A tape of one number, if `text` is a JSON number and nothing else.
    pub fn of_number(text: &'a str) -> Option<Self> {
        let end = super::parse::number_end(text.as_bytes()).ok()?;
        (end.length == text.len())
            .then(|| Self::of_scalar(text, if end.is_integer { NodeKind::Integer } else { NodeKind::Decimal }))
    }

    /// A tape of `true` or `false`.
    pub fn of_bool(value: bool) -> Self {
        Self::of_scalar("", if value { NodeKind::True } else { NodeKind::False })
    }

    /// A tape of `null`.
    pub fn of_null() -> Self {
        Self::of_scalar("", NodeKind::Null)
    }

    fn of_scalar(text: &'a str, kind: NodeKind) -> Self {
        let node = Node { kind, in_arena: false, offset: 0, a: 0, b: u32::try_from(text.len()).unwrap_or(0) };
        Self { text, nodes: vec![node], ..Self::default() }
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value::new(self, 0)
    }

    /// The value at a place that [`Value::index`] named.
    pub fn at(&self, index: u32) -> Value<'_> {
        Value::new(self, index)
    }

    /// The value at a JSON Pointer (RFC 6901), such as `/user/roles/0`; the empty pointer is the whole text.
    pub fn find(&self, pointer: &str) -> Option<Value<'_>> {
        self.root().find(pointer)
    }

    /// Every key and every string value, in the order of the text.
    pub fn strings(&self) -> Strings<'_> {
        Strings::new(self)
    }

    /// The JSON Pointer of a place that [`Tape::strings`] or [`Value::index`] named. A key's pointer is its value's.
    /// Costs a walk over the containers around it, so it is meant for findings, not for every value.
    pub fn pointer(&self, index: u32) -> String {
        let mut pointer = String::new();
        let mut value = self.root();
        'descend: loop {
            if let Some(members) = value.members() {
                for (key, member) in members {
                    if index + 1 == member.index() || (index >= member.index() && index < member.end()) {
                        push_token(&mut pointer, key);
                        value = member;
                        if index <= member.index() {
                            return pointer;
                        }
                        continue 'descend;
                    }
                }
            } else if let Some(items) = value.items() {
                for (position, item) in items.enumerate() {
                    if index >= item.index() && index < item.end() {
                        pointer.push('/');
                        pointer.push_str(&position.to_string());
                        value = item;
                        continue 'descend;
                    }
                }
            }
            return pointer;
        }
    }

    /// What parsers read differently, in the order it was found; at most [`Note::KEPT_MAX`].
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How many notes were not kept.
    pub fn notes_dropped(&self) -> u32 {
        self.notes_dropped
    }

    /// How many values and keys there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True for a tape that was never filled.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    #[inline]
    pub(super) fn node(&self, index: u32) -> Node {
        self.nodes.get(index as usize).copied().unwrap_or(NULL_NODE)
    }

    /// The text of a string, key or number node.
    #[inline]
    pub(super) fn node_text(&self, node: Node) -> &str {
        let (start, end) = (node.a as usize, node.a as usize + node.b as usize);
        let source = if node.in_arena { self.arena.as_str() } else { self.text };
        source.get(start..end).unwrap_or_default()
    }

    /// The bytes of a string, key or number node; cheaper than its text.
    #[inline]
    pub(super) fn node_bytes(&self, node: Node) -> &[u8] {
        let (start, end) = (node.a as usize, node.a as usize + node.b as usize);
        let source = if node.in_arena { self.arena.as_bytes() } else { self.text.as_bytes() };
        source.get(start..end).unwrap_or_default()
    }

    pub(super) fn string_at(&self, index: u32) -> Option<StringAt<'_>> {
        StringAt::new(self, index)
    }
}

/// Appends `/token`, escaped as RFC 6901 section 3 has it.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}
