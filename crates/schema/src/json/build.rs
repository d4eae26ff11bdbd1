//! A tape put together by hand: decoded parameters, forms, XML and YAML become values that the same validators judge.

use super::parse::number_end;
use super::tape::{Node, NodeKind, Tape};

const NOTHING: u32 = u32::MAX;

/// Builds a tape value by value. Everything is copied, so the result borrows nothing.
///
/// The caller opens and closes containers in order and writes a key before each member; what it forgets to close is
/// closed at the end.
#[derive(Debug)]
pub struct TapeBuilder {
    tape: Tape<'static>,
    open: u32,
}

impl Default for TapeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TapeBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        Self { tape: Tape::default(), open: NOTHING }
    }

    /// Opens an object.
    pub fn open_object(&mut self, offset: u32) {
        self.open(NodeKind::Object, offset);
    }

    /// Opens an array.
    pub fn open_array(&mut self, offset: u32) {
        self.open(NodeKind::Array, offset);
    }

    /// Closes the innermost container.
    pub fn close(&mut self) {
        let end = self.next();
        if let Some(node) = self.tape.nodes.get_mut(self.open as usize) {
            self.open = node.a;
            node.a = end;
        }
    }

    /// The key of the next member.
    pub fn key(&mut self, text: &str, offset: u32) {
        self.text(NodeKind::Key, text, offset);
    }

    /// A string.
    pub fn string(&mut self, text: &str, offset: u32) {
        self.counted();
        self.text(NodeKind::Text, text, offset);
    }

    /// A number, if `text` is one by the JSON grammar; otherwise nothing is written and `false` is returned.
    pub fn number(&mut self, text: &str, offset: u32) -> bool {
        let Ok(end) = number_end(text.as_bytes()) else { return false };
        if end.length != text.len() {
            return false;
        }
        self.counted();
        self.text(if end.is_integer { NodeKind::Integer } else { NodeKind::Decimal }, text, offset);
        true
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool, offset: u32) {
        self.counted();
        self.push(if value { NodeKind::True } else { NodeKind::False }, false, offset, 0, 0);
    }

    /// `null`.
    pub fn null(&mut self, offset: u32) {
        self.counted();
        self.push(NodeKind::Null, false, offset, 0, 0);
    }

    /// How many values and keys were written, for budgets.
    pub fn len(&self) -> usize {
        self.tape.nodes.len()
    }

    /// True while nothing was written.
    pub fn is_empty(&self) -> bool {
        self.tape.nodes.is_empty()
    }

    /// Bytes of text copied so far, for budgets.
    pub fn text_bytes(&self) -> usize {
        self.tape.arena.len()
    }

    /// Copies a value that is already on a tape, to the end of this one.
    pub fn copy(&mut self, value: super::Value<'_>) {
        use super::Kind;
        let offset = value.offset();
        match value.kind() {
            Kind::Null => self.null(offset),
            Kind::Bool => self.bool(value.as_bool() == Some(true), offset),
            Kind::Number => {
                self.number(value.as_number().map_or("0", |number| number.text()), offset);
            }
            Kind::String => self.string(value.as_str().unwrap_or_default(), offset),
            Kind::Array => {
                self.open_array(offset);
                for item in value.items().into_iter().flatten() {
                    self.copy(item);
                }
                self.close();
            }
            Kind::Object => {
                self.open_object(offset);
                for (key, member) in value.members().into_iter().flatten() {
                    self.key(key, offset);
                    self.copy(member);
                }
                self.close();
            }
        }
    }

    /// How many nodes the closed value at `index` of this tape has.
    pub(crate) fn size_at(&self, index: u32) -> usize {
        let node = self.tape.node(index);
        match node.kind {
            NodeKind::Array | NodeKind::Object => node.a.saturating_sub(index).max(1) as usize,
            _ => 1,
        }
    }

    /// How deeply the closed value at `index` of this tape is nested; 0 for a scalar.
    pub(crate) fn depth_at(&self, index: u32) -> usize {
        let mut ends: Vec<u32> = Vec::new();
        let mut deepest = 0;
        for at in (index..).take(self.size_at(index)) {
            while ends.last().is_some_and(|end| *end <= at) {
                ends.pop();
            }
            let node = self.tape.node(at);
            if matches!(node.kind, NodeKind::Array | NodeKind::Object) {
                ends.push(node.a);
                deepest = deepest.max(ends.len());
            }
        }
        deepest
    }

    /// Copies the closed value at `index` of this tape to its end.
    pub(crate) fn copy_own(&mut self, index: u32) {
        self.counted();
        let shift = self.next().wrapping_sub(index);
        let start = index as usize;
        for at in start..start + self.size_at(index) {
            let Some(mut node) = self.tape.nodes.get(at).copied() else { return };
            if matches!(node.kind, NodeKind::Array | NodeKind::Object) {
                node.a = node.a.wrapping_add(shift);
            }
            if at == start && node.kind == NodeKind::Key {
                node.kind = NodeKind::Text;
            }
            self.tape.nodes.push(node);
        }
    }

    /// Copies the scalar at `index` of this tape as the key of the next member.
    pub(crate) fn copy_as_key(&mut self, index: u32, offset: u32) {
        let text = self.tape.node_text(self.tape.node(index)).to_owned();
        self.key(&text, offset);
    }

    /// The finished tape.
    pub fn finish(mut self) -> Tape<'static> {
        while self.open != NOTHING {
            self.close();
        }
        self.tape
    }

    fn next(&self) -> u32 {
        u32::try_from(self.tape.nodes.len()).unwrap_or(NOTHING - 1)
    }

    fn counted(&mut self) {
        if let Some(node) = self.tape.nodes.get_mut(self.open as usize) {
            node.b += 1;
        }
    }

    fn open(&mut self, kind: NodeKind, offset: u32) {
        self.counted();
        let index = self.next();
        self.push(kind, false, offset, self.open, 0);
        self.open = index;
    }

    fn text(&mut self, kind: NodeKind, text: &str, offset: u32) {
        let start = u32::try_from(self.tape.arena.len()).unwrap_or(NOTHING);
        let length = u32::try_from(text.len()).unwrap_or(0);
        self.tape.arena.push_str(text);
        self.push(kind, true, offset, start, length);
    }

    fn push(&mut self, kind: NodeKind, in_arena: bool, offset: u32, a: u32, b: u32) {
        self.tape.nodes.push(Node { kind, in_arena, offset, a, b });
    }
}
