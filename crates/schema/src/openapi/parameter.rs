//! Parameters: taken apart by their style, made into values, judged.

use std::borrow::Cow;

use super::contract::{Location, Parameter, ParameterShape, ProvenType, Style};
use super::decode::{Plus, Tree, brackets, percent};
use crate::json::{JsonLimits, Tape, TapeBuilder};
use crate::rules::{CheckOptions, Checked, Direction, RuleId, Rules, types};

/// The text of a parameter as it was found, still encoded.
pub(crate) enum Found<'f> {
    /// Once.
    One(&'f str),
    /// Several times, for exploded arrays.
    Many(&'f [&'f str]),
    /// As members of an object: name, then text.
    Members(&'f [(Cow<'f, str>, &'f str)]),
}

/// Why a parameter could not be read, or what judging it gave.
pub(crate) enum Judged {
    Checked(Checked, Option<Tape<'static>>),
    /// It cannot be decoded; what was expected instead.
    Unreadable(&'static str),
}

impl Parameter {
    fn plus(&self) -> Plus {
        if self.location == Location::Query { Plus::Space } else { Plus::Literal }
    }

    /// Decodes a piece of text. Fields and cookies are not percent-encoded.
    fn decode<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        match self.location {
            Location::Path | Location::Query => percent(text, self.plus()),
            Location::Header | Location::Cookie => Some(Cow::Borrowed(text.trim_matches([' ', '\t']))),
        }
    }

    /// Judges what was found.
    pub(crate) fn judge(&self, rules: &Rules, found: &Found<'_>, direction: Direction) -> Judged {
        let options = CheckOptions { direction, ..CheckOptions::default() };
        if let (Found::One(text), ParameterShape::Scalar) = (found, self.shape) {
            return self.judge_scalar(rules, text, options);
        }
        let Some(tree) = self.tree(found) else {
            return Judged::Unreadable("text that is encoded and delimited as declared");
        };
        let mut builder = TapeBuilder::new();
        rules.write_tree(&mut builder, &tree, self.rule);
        let tape = builder.finish();
        match self.rule {
            Some(rule) => Judged::Checked(rules.check(rule, tape.root(), options), Some(tape)),
            None => Judged::Checked(Checked::default(), None),
        }
    }

    fn judge_scalar(&self, rules: &Rules, text: &str, options: CheckOptions) -> Judged {
        let text = match self.style {
            Style::Label => text.strip_prefix('.'),
            Style::Matrix => text.strip_prefix(';').and_then(|rest| rest.strip_prefix(&*self.name)?.strip_prefix('=')),
            _ => Some(text),
        };
        let Some(text) = text.and_then(|text| self.decode(text)) else {
            return Judged::Unreadable("text that is encoded and prefixed as declared");
        };
        let Some(rule) = self.rule else { return Judged::Checked(Checked::default(), None) };
        if self.style == Style::Json {
            return match Tape::parse(text.as_bytes(), &JsonLimits::default()) {
                Ok(tape) => {
                    let mut builder = TapeBuilder::new();
                    builder.copy(tape.root());
                    Judged::Checked(rules.check(rule, tape.root(), options), Some(builder.finish()))
                }
                Err(_) => Judged::Unreadable("JSON text"),
            };
        }
        let hint = rules.hint(Some(rule));
        let mut first: Option<Checked> = None;
        for tape in readings(&text, hint).into_iter().flatten() {
            let checked = rules.check(rule, tape.root(), options);
            if checked.failures.is_empty() {
                return Judged::Checked(checked, None);
            }
            first.get_or_insert(checked);
        }
        Judged::Checked(first.unwrap_or_default(), None)
    }

    /// The text as a tree of texts, by the parameter's style.
    fn tree(&self, found: &Found<'_>) -> Option<Tree> {
        let decoded = |text: &str| Some(Tree::Text(self.decode(text)?.into_owned()));
        match (found, self.shape) {
            (Found::Many(texts), _) => Some(Tree::List(texts.iter().map(|text| decoded(text)).collect::<Option<_>>()?)),
            (Found::Members(members), _) => {
                let mut object = Vec::new();
                for (name, text) in *members {
                    match brackets(name) {
                        Some(path) => Tree::add_at(&mut object, &path, decoded(text)?),
                        None => Tree::add(&mut object, name, decoded(text)?),
                    }
                }
                Some(Tree::Object(object))
            }
            (Found::One(text), ParameterShape::Scalar) => decoded(text),
            (Found::One(text), ParameterShape::Array) => {
                if text.is_empty() {
                    return Some(Tree::List(Vec::new()));
                }
                let items = self.split_list(text)?;
                Some(Tree::List(items.into_iter().map(decoded).collect::<Option<_>>()?))
            }
            (Found::One(text), ParameterShape::Object) => {
                let mut object = Vec::new();
                for (name, text) in self.split_members(text)? {
                    Tree::add(&mut object, &self.decode(name)?, decoded(text)?);
                }
                Some(Tree::Object(object))
            }
        }
    }

    fn split_list<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        Some(match self.style {
            Style::Form | Style::Simple => text.split(',').collect(),
            Style::Label => {
                let text = text.strip_prefix('.')?;
                text.split(if self.explode { '.' } else { ',' }).collect()
            }
            Style::Matrix => {
                let text = text.strip_prefix(';')?;
                let own = |text: &'t str| text.strip_prefix(&*self.name)?.strip_prefix('=');
                match self.explode {
                    true => text.split(';').map(own).collect::<Option<_>>()?,
                    false => own(text)?.split(',').collect(),
                }
            }
            Style::SpaceDelimited => split_any(text, &["%20", "+", " "]),
            Style::PipeDelimited => split_any(text, &["|", "%7C", "%7c"]),
            Style::TabDelimited => split_any(text, &["\t", "%09"]),
            Style::DeepObject | Style::Json | Style::Plain => vec![text],
        })
    }

    fn split_members<'t>(&self, text: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
        let pairs = |texts: Vec<&'t str>| {
            let mut texts = texts.into_iter();
            let mut pairs = Vec::new();
            while let Some(name) = texts.next() {
                pairs.push((name, texts.next()?));
            }
            Some(pairs)
        };
        let assigned = |texts: std::str::Split<'t, char>| texts.map(|text| text.split_once('=')).collect::<Option<_>>();
        match (self.style, self.explode) {
            (Style::Simple, true) => assigned(text.split(',')),
            (Style::Label, true) => assigned(text.strip_prefix('.')?.split('.')),
            (Style::Matrix, true) => assigned(text.strip_prefix(';')?.split(';')),
            (Style::Label, false) => pairs(text.strip_prefix('.')?.split(',').collect()),
            (Style::Matrix, false) => {
                pairs(text.strip_prefix(';')?.strip_prefix(&*self.name)?.strip_prefix('=')?.split(',').collect())
            }
            _ => pairs(self.split_list(text)?),
        }
    }

    /// What this parameter is proven to be once it was judged without violation.
    pub fn proven(&self, rules: &Rules) -> Option<ProvenType> {
        match self.shape {
            ParameterShape::Scalar => rules.proven_type(self.rule?, 0),
            ParameterShape::Array => rules.proven_type(rules.items_rule(self.rule?)?, 0),
            ParameterShape::Object => None,
        }
    }
}

impl Rules {
    /// What a value that fits a rule is proven to be.
    pub(crate) fn proven_type(&self, rule: RuleId, depth: u8) -> Option<ProvenType> {
        let node = self.node(rule)?;
        match node.types & !types::NULL {
            types::INTEGER => return Some(ProvenType::Integer),
            types::BOOLEAN => return Some(ProvenType::Boolean),
            set if set & !(types::INTEGER | types::NUMBER) == 0 => return Some(ProvenType::Number),
            _ => {}
        }
        let logic = node.logic.as_ref();
        if logic.and_then(|logic| logic.choice.as_ref()).is_some() {
            return Some(ProvenType::Enumeration);
        }
        if let Some(text) = node.text.as_ref().filter(|_| node.types & !types::NULL == types::STRING) {
            let by_format = text.format.is_some_and(|format| format.proves_text());
            if by_format || text.pattern.as_ref().is_some_and(|pattern| pattern.proves_text()) {
                return Some(ProvenType::Harmless);
            }
        }
        let logic = logic.filter(|_| depth < 8)?;
        logic.reference.iter().chain(&logic.all_of).find_map(|inner| self.proven_type(*inner, depth + 1))
    }
}

/// The values a text may stand for, the likeliest first.
fn readings<'t>(text: &'t str, hint: u8) -> [Option<Tape<'t>>; 3] {
    let number = if hint & (types::NUMBER | types::INTEGER) != 0 { Tape::of_number(text) } else { None };
    let word = match text {
        "true" | "false" if hint & types::BOOLEAN != 0 => Some(Tape::of_bool(text == "true")),
        "null" | "" if hint & types::NULL != 0 => Some(Tape::of_null()),
        _ => None,
    };
    let is_last = number.is_none() && word.is_none();
    let string = (hint & types::STRING != 0 || is_last).then(|| Tape::of_string(text));
    [number, word, string]
}

/// Splits at any of several separators.
fn split_any<'t>(text: &'t str, separators: &[&str]) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let next = separators.iter().filter_map(|mark| rest.find(mark).map(|at| (at, mark.len()))).min();
        let Some((at, length)) = next else { break };
        parts.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + length..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}
