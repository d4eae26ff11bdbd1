//! YAML 1.2 with the core schema, from parser events to a tape.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::json::{JsonLimits, Kind, Tape, TapeBuilder, Value};

/// Most values and keys, aliases expanded.
const NODES_MAX: usize = 5_000_000;
/// How many times larger aliases may make a document, in nodes, beyond a free amount.
const ALIAS_FREE_NODES: usize = 100_000;
const ALIAS_FACTOR: usize = 10;

pub(super) struct YamlError {
    pub(super) offset: usize,
    pub(super) message: String,
}

/// What stands open while events arrive.
enum Open {
    /// A sequence; the anchor to record when it closes.
    Sequence(usize),
    /// A mapping, and whether a key comes next.
    Mapping { anchor: usize, expects_key: bool },
}

struct Reader {
    builder: TapeBuilder,
    open: Vec<Open>,
    /// Where anchored values begin on the tape under construction.
    anchors: HashMap<usize, u32>,
    /// Nodes that aliases added.
    copied: usize,
}

pub(super) fn parse(text: &str) -> Result<Tape<'static>, YamlError> {
    let mut reader = Reader { builder: TapeBuilder::new(), open: Vec::new(), anchors: HashMap::new(), copied: 0 };
    let options = granit_parser::options! {
        flow_nesting_limit: usize::from(JsonLimits::DEPTH_CAP),
        block_nesting_limit: usize::from(JsonLimits::DEPTH_CAP),
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event
            .map_err(|error| YamlError { offset: error.marker().byte_offset().unwrap_or(0), message: error.info() })?;
        let offset = span.start.byte_offset().unwrap_or(0);
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                return Err(YamlError { offset, message: "more than one document in the file; split it".to_owned() });
            }
        }
        reader.event(event, offset).map_err(|message| YamlError { offset, message })?;
    }
    if reader.builder.is_empty() {
        return Err(YamlError { offset: 0, message: "the document is empty".to_owned() });
    }
    Ok(merge_keys(reader.builder.finish()))
}

impl Reader {
    fn event(&mut self, event: Event<'_>, offset: usize) -> Result<(), String> {
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        if self.builder.len() > NODES_MAX {
            return Err("the document has too many values".to_owned());
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_ref().map(|tag| tag.core_suffix().unwrap_or("?"));
                self.scalar(&text, style, anchor, tag, at)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.value()?;
                self.anchor(anchor);
                self.builder.open_array(at);
                self.push(Open::Sequence(anchor))
            }
            Event::MappingStart(_, anchor, _) => {
                self.value()?;
                self.anchor(anchor);
                self.builder.open_object(at);
                self.push(Open::Mapping { anchor, expects_key: true })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
                self.builder.close();
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(()),
        }
    }

    fn push(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= usize::from(JsonLimits::DEPTH_CAP) {
            return Err("the document is nested too deeply".to_owned());
        }
        self.open.push(open);
        Ok(())
    }

    fn anchor(&mut self, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, u32::try_from(self.builder.len()).unwrap_or(u32::MAX));
        }
    }

    /// Notes that a value follows; a mapping whose turn it is to read a key cannot take a container.
    fn value(&mut self) -> Result<(), String> {
        if let Some(Open::Mapping { expects_key, .. }) = self.open.last_mut() {
            if *expects_key {
                return Err("a mapping has a key that is not a scalar".to_owned());
            }
            *expects_key = true;
        }
        Ok(())
    }

    /// Notes that a scalar follows. True when it is a key.
    fn is_key(&mut self) -> bool {
        match self.open.last_mut() {
            Some(Open::Mapping { expects_key, .. }) => {
                *expects_key = !*expects_key;
                !*expects_key
            }
            _ => false,
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&str>,
        at: u32,
    ) -> Result<(), String> {
        if self.is_key() {
            self.anchor(anchor);
            self.builder.key(text, at);
            return Ok(());
        }
        self.anchor(anchor);
        match (tag, style) {
            (Some("str"), _) => self.builder.string(text, at),
            (Some("?"), _) => return Err("an unknown tag; remove it".to_owned()),
            (None, ScalarStyle::Plain) | (Some(_), _) => self.plain(text, at),
            _ => self.builder.string(text, at),
        }
        Ok(())
    }

    /// A plain scalar by the core schema (YAML 1.2.2 section 10.3.2). What JSON cannot say stays a string.
    fn plain(&mut self, text: &str, at: u32) {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return self.builder.null(at),
            "true" | "True" | "TRUE" => return self.builder.bool(true, at),
            "false" | "False" | "FALSE" => return self.builder.bool(false, at),
            _ => {}
        }
        if self.builder.number(text, at) {
            return;
        }
        match number(text) {
            Some(number) if self.builder.number(&number, at) => {}
            _ => self.builder.string(text, at),
        }
    }

    fn alias(&mut self, anchor: usize, at: u32) -> Result<(), String> {
        let Some(index) = self.anchors.get(&anchor).copied() else {
            return Err("an alias to nothing".to_owned());
        };
        if self.is_key() {
            self.builder.copy_as_key(index, at);
            return Ok(());
        }
        let is_open = self.open.iter().any(|open| match open {
            Open::Sequence(open) | Open::Mapping { anchor: open, .. } => *open == anchor,
        });
        if is_open {
            return Err("an alias to a value that contains it".to_owned());
        }
        let size = self.builder.size_at(index);
        self.copied += size;
        let own = self.builder.len().saturating_sub(self.copied);
        if self.copied > ALIAS_FREE_NODES && self.copied > own.saturating_mul(ALIAS_FACTOR) {
            return Err("aliases make the document many times larger".to_owned());
        }
        if self.open.len() + self.builder.depth_at(index) > usize::from(JsonLimits::DEPTH_CAP) {
            return Err("aliases nest the document too deeply".to_owned());
        }
        self.builder.copy_own(index);
        Ok(())
    }
}

/// Numbers of the core schema that are not numbers of JSON: `0x1F`, `0o17`, `+3`, `.5`, `5.`, `007`.
fn number(text: &str) -> Option<String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(|value| value.to_string());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(|value| value.to_string());
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !rest.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    Some(format!("{sign}{whole}{fraction}{exponent}"))
}

/// Resolves `<<` keys (YAML 1.1, but in wide use): members of the merged mappings that are not given otherwise.
fn merge_keys(tape: Tape<'static>) -> Tape<'static> {
    if !tape.strings().any(|string| string.text == "<<") {
        return tape;
    }
    let mut builder = TapeBuilder::new();
    copy_merged(&mut builder, tape.root());
    builder.finish()
}

fn copy_merged(builder: &mut TapeBuilder, value: Value<'_>) {
    match value.kind() {
        Kind::Array => {
            builder.open_array(value.offset());
            for item in value.items().into_iter().flatten() {
                copy_merged(builder, item);
            }
            builder.close();
        }
        Kind::Object => {
            builder.open_object(value.offset());
            for (key, member) in value.members().into_iter().flatten() {
                let merged: Vec<Value<'_>> = match (key, member.kind()) {
                    ("<<", Kind::Object) => vec![member],
                    ("<<", Kind::Array) => member.items().into_iter().flatten().collect(),
                    _ => {
                        builder.key(key, member.offset());
                        copy_merged(builder, member);
                        continue;
                    }
                };
                for source in merged {
                    for (key, member) in source.members().into_iter().flatten() {
                        if value.get(key).is_none() && key != "<<" {
                            builder.key(key, member.offset());
                            copy_merged(builder, member);
                        }
                    }
                }
            }
            builder.close();
        }
        _ => builder.copy(value),
    }
}
