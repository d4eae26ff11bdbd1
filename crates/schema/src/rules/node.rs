//! What a schema becomes: one node, with boxes only for the keywords it has.

use std::sync::Arc;

use crate::format::Format;
use crate::json::{Divisor, Number, Tape};
use crate::pattern::Pattern;

/// A compiled schema of some [`Rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(crate) u32);

/// Which way a message goes: `readOnly` members do not belong in requests, `writeOnly` ones not in responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// From the client.
    Request,
    /// To the client.
    Response,
    /// Neither: the two keywords are annotations only.
    #[default]
    Neither,
}

/// Compiled schemas.
#[derive(Debug, Default)]
pub struct Rules {
    pub(crate) nodes: Vec<Node>,
    /// Dynamic anchors: per name, the node in each resource that has one.
    pub(crate) dynamic: Vec<Vec<(u32, RuleId)>>,
}

pub(crate) mod types {
    //! Bits of [`super::Node::types`].
    pub(crate) const NULL: u8 = 1;
    pub(crate) const BOOLEAN: u8 = 2;
    pub(crate) const NUMBER: u8 = 4;
    pub(crate) const STRING: u8 = 8;
    pub(crate) const ARRAY: u8 = 16;
    pub(crate) const OBJECT: u8 = 32;
    /// Whole numbers; a number that is not whole needs [`NUMBER`].
    pub(crate) const INTEGER: u8 = 64;
    pub(crate) const ALL: u8 = 127;

    pub(crate) fn named(name: &str) -> Option<u8> {
        Some(match name {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "number" => NUMBER | INTEGER,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            "integer" => INTEGER,
            _ => return None,
        })
    }

    pub(crate) fn text(types: u8) -> String {
        let names = [
            (NULL, "null"),
            (BOOLEAN, "boolean"),
            (NUMBER, "number"),
            (STRING, "string"),
            (ARRAY, "array"),
            (OBJECT, "object"),
        ];
        let mut list: Vec<&str> = names.iter().filter(|(bit, _)| types & bit != 0).map(|(_, name)| *name).collect();
        if types & INTEGER != 0 && types & NUMBER == 0 {
            list.push("integer");
        }
        list.join(" or ")
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) types: u8,
    /// `false`: nothing fits.
    pub(crate) never: bool,
    /// OpenAPI 3.0 `nullable`: `null` fits whatever else is said.
    pub(crate) nullable: bool,
    pub(crate) read_only: bool,
    pub(crate) write_only: bool,
    /// The resource it belongs to, for dynamic references.
    pub(crate) resource: u32,
    pub(crate) number: Option<Box<NumberRules>>,
    pub(crate) text: Option<Box<TextRules>>,
    pub(crate) array: Option<Box<ArrayRules>>,
    pub(crate) object: Option<Box<ObjectRules>>,
    pub(crate) logic: Option<Box<Logic>>,
    /// What to call it in messages: its title or the name it is defined under.
    pub(crate) name: Option<Box<str>>,
    /// How it is written in XML.
    pub(crate) xml: Option<Box<XmlHint>>,
}

/// The `xml` object of a schema.
#[derive(Debug, Default)]
pub(crate) struct XmlHint {
    pub(crate) name: Option<Box<str>>,
    pub(crate) attribute: bool,
    pub(crate) wrapped: bool,
}

impl Node {
    pub(crate) fn anything() -> Self {
        Self {
            types: types::ALL,
            never: false,
            nullable: false,
            read_only: false,
            write_only: false,
            resource: 0,
            number: None,
            text: None,
            array: None,
            object: None,
            logic: None,
            name: None,
            xml: None,
        }
    }
}

/// A bound kept as exact text, with its integer value where it has one.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) text: Box<str>,
    pub(crate) whole: Option<i64>,
}

impl Bound {
    pub(crate) fn new(number: Number<'_>) -> Self {
        Self { text: number.text().into(), whole: number.as_i64() }
    }

    pub(crate) fn number(&self) -> Number<'_> {
        Number::from_text(&self.text)
    }
}

#[derive(Debug, Default)]
pub(crate) struct NumberRules {
    pub(crate) min: Option<Bound>,
    pub(crate) max: Option<Bound>,
    pub(crate) above: Option<Bound>,
    pub(crate) below: Option<Bound>,
    pub(crate) multiple_of: Option<(Divisor, Box<str>)>,
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Default)]
pub(crate) struct TextRules {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) pattern: Option<Arc<Pattern>>,
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Default)]
pub(crate) struct ArrayRules {
    pub(crate) prefix: Vec<RuleId>,
    pub(crate) items: Option<RuleId>,
    pub(crate) contains: Option<Contains>,
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) unique: bool,
    pub(crate) unevaluated: Option<RuleId>,
}

#[derive(Debug)]
pub(crate) struct Contains {
    pub(crate) rule: RuleId,
    pub(crate) min: u64,
    pub(crate) max: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectRules {
    pub(crate) properties: PropertyTable,
    /// How many required members the table has.
    pub(crate) required: u32,
    pub(crate) patterns: Vec<(Arc<Pattern>, RuleId)>,
    pub(crate) additional: Option<RuleId>,
    pub(crate) names: Option<RuleId>,
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
    pub(crate) dependent_required: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(crate) dependent_schemas: Vec<(Box<str>, RuleId)>,
    pub(crate) unevaluated: Option<RuleId>,
}

/// A declared or required member.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: Box<str>,
    hash: u64,
    /// Its schema; `None` when it is required but not declared.
    pub(crate) rule: Option<RuleId>,
    pub(crate) required: bool,
    pub(crate) read_only: bool,
    pub(crate) write_only: bool,
}

/// Members by name: scanned while few, hashed otherwise.
#[derive(Debug, Default)]
pub(crate) struct PropertyTable {
    pub(crate) entries: Vec<Property>,
    slots: Vec<u32>,
}

const SCANNED_MAX: usize = 6;
const EMPTY: u32 = u32::MAX;

impl PropertyTable {
    pub(crate) fn add(&mut self, name: &str) -> Option<&mut Property> {
        let at = match self.find(name) {
            Some(at) => at,
            None => {
                self.entries.push(Property {
                    name: name.into(),
                    hash: hash(name),
                    rule: None,
                    required: false,
                    read_only: false,
                    write_only: false,
                });
                if self.entries.len() > SCANNED_MAX && self.entries.len() * 2 > self.slots.len() {
                    self.rehash();
                } else {
                    self.insert(self.entries.len() - 1);
                }
                self.entries.len() - 1
            }
        };
        self.entries.get_mut(at)
    }

    /// The position of a member's entry.
    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if self.entries.len() <= SCANNED_MAX {
            return self.entries.iter().position(|entry| *entry.name == *name);
        }
        let wanted = hash(name);
        let mask = self.slots.len() - 1;
        let mut at = wanted as usize & mask;
        loop {
            let slot = *self.slots.get(at)?;
            let entry = self.entries.get(slot as usize)?;
            if entry.hash == wanted && *entry.name == *name {
                return Some(slot as usize);
            }
            at = (at + 1) & mask;
        }
    }

    fn rehash(&mut self) {
        let size = (self.entries.len() * 4).next_power_of_two();
        self.slots = vec![EMPTY; size];
        for at in 0..self.entries.len() {
            self.insert(at);
        }
    }

    fn insert(&mut self, entry: usize) {
        let Some(hash) = self.entries.get(entry).map(|entry| entry.hash) else { return };
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let mut at = hash as usize & mask;
        while self.slots.get(at).is_some_and(|slot| *slot != EMPTY) {
            at = (at + 1) & mask;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = u32::try_from(entry).unwrap_or(EMPTY);
        }
    }
}

/// Length and both ends of the name; the table's owner chooses the names, so nobody can flood it.
#[inline]
fn hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
    let head = word(bytes.get(..8).unwrap_or(bytes));
    let tail = word(bytes.get(bytes.len().saturating_sub(8)..).unwrap_or_default());
    let mixed = (head ^ tail.rotate_left(23) ^ (bytes.len() as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

#[derive(Debug, Default)]
pub(crate) struct Logic {
    pub(crate) choice: Option<Choice>,
    pub(crate) all_of: Vec<RuleId>,
    pub(crate) any_of: Vec<RuleId>,
    pub(crate) one_of: Vec<RuleId>,
    pub(crate) not: Option<RuleId>,
    pub(crate) condition: Option<Condition>,
    pub(crate) reference: Option<RuleId>,
    pub(crate) dynamic: Option<DynamicReference>,
    pub(crate) discriminator: Option<Discriminator>,
}

/// `enum` or `const`.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) keyword: &'static str,
    /// An array of the allowed values.
    pub(crate) values: Tape<'static>,
    /// The allowed strings, when all values are strings.
    pub(crate) texts: Option<PropertyTable>,
}

#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) test: RuleId,
    pub(crate) then: Option<RuleId>,
    pub(crate) otherwise: Option<RuleId>,
}

#[derive(Debug)]
pub(crate) struct DynamicReference {
    pub(crate) initial: RuleId,
    /// Index into [`Rules::dynamic`]; `None` when it is like an ordinary reference.
    pub(crate) name: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Discriminator {
    pub(crate) property: Box<str>,
    /// Values with the position of their branch and its rule.
    pub(crate) mapping: Vec<(Box<str>, u32, RuleId)>,
}
