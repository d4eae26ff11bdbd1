//! Bodies other than JSON as values: forms and multipart, guided by the schema.

use super::contract::{MediaRules, Style};
use super::decode::{Plus, Tree, brackets, percent};
use super::media::{MediaType, specificity};
use super::multipart::{Part, parts};
use crate::json::{Tape, TapeBuilder};
use crate::rules::{Rules, types};

/// Most fields of a form.
const FIELDS_MAX: usize = 2_000;

/// Why a form cannot be read.
pub(crate) enum FormError {
    Malformed(&'static str),
    /// A part has a content type that its encoding does not allow; the name of the part and what is allowed.
    PartType(String, String),
}

/// A form (`application/x-www-form-urlencoded`) as an object.
pub(crate) fn form(rules: &Rules, media: &MediaRules, body: &[u8]) -> Result<Tape<'static>, FormError> {
    let text = std::str::from_utf8(body).map_err(|_| FormError::Malformed("UTF-8 text"))?;
    let mut members: Vec<(String, Tree)> = Vec::new();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    for (count, pair) in pairs.enumerate() {
        if count >= FIELDS_MAX {
            return Err(FormError::Malformed("fewer fields"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text| percent(text, Plus::Space).ok_or(FormError::Malformed("valid percent-encoding"));
        let (name, raw) = (decode(name)?, value);
        let value = decode(raw)?;
        place(rules, media, &mut members, &name, &value);
    }
    Ok(write(rules, media, members))
}

/// Puts a field where it belongs: under its name, split when its encoding says so, or under the path in its brackets.
fn place(rules: &Rules, media: &MediaRules, members: &mut Vec<(String, Tree)>, name: &str, value: &str) {
    let member = media.rule.and_then(|rule| rules.member_rule(rule, name));
    let encoding = media.encoding.iter().find(|(known, _)| **known == *name).map(|(_, encoding)| encoding);
    if member.is_none()
        && let Some(path) = brackets(name)
    {
        return Tree::add_at(members, &path, Tree::Text(value.to_owned()));
    }
    let is_array = member.is_some_and(|rule| rules.hint(Some(rule)) & (types::ARRAY | types::STRING) == types::ARRAY);
    if is_array && let Some(encoding) = encoding.filter(|encoding| !encoding.explode) {
        let separator = match encoding.style {
            Style::SpaceDelimited => ' ',
            Style::PipeDelimited => '|',
            _ => ',',
        };
        let items = value.split(separator).map(|item| Tree::Text(item.to_owned())).collect();
        return members.push((name.to_owned(), Tree::List(items)));
    }
    Tree::add(members, name, Tree::Text(value.to_owned()));
}

fn write(rules: &Rules, media: &MediaRules, members: Vec<(String, Tree)>) -> Tape<'static> {
    let mut builder = TapeBuilder::new();
    rules.write_tree(&mut builder, &Tree::Object(members), media.rule);
    builder.finish()
}

/// A multipart form as an object. The content of files is not looked into: it stands as text where it is text.
pub(crate) fn multipart(
    rules: &Rules,
    media: &MediaRules,
    sent: &MediaType,
    body: &[u8],
) -> Result<Tape<'static>, FormError> {
    let Some(boundary) = sent.boundary.as_deref() else { return Err(FormError::Malformed("a boundary")) };
    let list = parts(body, boundary).map_err(FormError::Malformed)?;
    let mut members: Vec<(String, Tree)> = Vec::new();
    for part in &list {
        check_part_type(media, part)?;
        match std::str::from_utf8(part.content) {
            Ok(text) if !part.is_file => place(rules, media, &mut members, &part.name, text),
            Ok(text) => Tree::add(&mut members, &part.name, Tree::Text(text.to_owned())),
            // Binary content has no text; one character for each byte keeps its length for `minLength`.
            Err(_) => Tree::add(&mut members, &part.name, Tree::Text("\u{fffd}".repeat(part.content.len()))),
        }
    }
    Ok(write(rules, media, members))
}

fn check_part_type(media: &MediaRules, part: &Part<'_>) -> Result<(), FormError> {
    let encoding = media.encoding.iter().find(|(name, _)| **name == *part.name).map(|(_, encoding)| encoding);
    let Some(encoding) = encoding.filter(|encoding| !encoding.content_types.is_empty()) else { return Ok(()) };
    // RFC 7578 section 4.4: a part without a type is plain text.
    let sent = MediaType::parse(part.content_type.as_deref().unwrap_or("text/plain"));
    let fits =
        sent.is_some_and(|sent| encoding.content_types.iter().any(|range| specificity(range, &sent.essence).is_some()));
    match fits {
        true => Ok(()),
        false => Err(FormError::PartType(part.name.clone(), encoding.content_types.join(", "))),
    }
}
