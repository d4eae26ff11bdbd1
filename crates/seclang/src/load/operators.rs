//! The second argument of a rule: the question.

use crate::error::Problem;
use crate::expand::Text;
use crate::lex::Word;
use crate::operator::{Comparison, Operator, Phrases};
use crate::pattern::Pattern;

/// Reads data files that an operator names.
type Data<'d> = &'d dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Reads `!@rx ...`; without an at sign it is a pattern. The flag says that the answer is turned round.
pub(super) fn parse(word: &Word, data: Data<'_>, notes: &mut Vec<Problem>) -> Result<(Operator, bool), Problem> {
    let text = word.text.as_str();
    let (negated, rest) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let Some(named) = rest.strip_prefix('@') else {
        return Ok((rx(word, text.len() - rest.len(), rest, notes)?, negated));
    };
    let name_length = named.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(named.len());
    let (name, after) = named.split_at(name_length);
    let argument = after.trim_start();
    let at = text.len() - argument.len();
    let name_at = text.len() - named.len() - 1;
    let wrong = |message: String, help: &str| word.problem(at, message, help);
    let plain = || {
        Text::parse(argument).map_err(|(offset, name)| {
            word.problem(at + offset, format!("unknown variable `{name}`"), "see the list in docs/crs.md")
        })
    };
    let compare = |comparison| plain().map(|text| Operator::Compare(comparison, text));
    let operator = match name.to_ascii_lowercase().as_str() {
        "rx" | "rxglobal" => rx(word, at, argument, notes)?,
        "pm" => phrases(words_of(argument)).map_err(|error| wrong(error, ""))?,
        "pmf" | "pmfromfile" => {
            phrases(lines(argument, data).map_err(|error| wrong(error, ""))?).map_err(|error| wrong(error, ""))?
        }
        "contains" | "strmatch" => Operator::Contains(plain()?),
        "containsword" => Operator::ContainsWord(plain()?),
        "beginswith" => Operator::BeginsWith(plain()?),
        "endswith" => Operator::EndsWith(plain()?),
        "streq" => Operator::Equals(plain()?),
        "within" => Operator::Within(plain()?),
        "eq" => compare(Comparison::Equal)?,
        "ge" => compare(Comparison::GreaterOrEqual)?,
        "gt" => compare(Comparison::Greater)?,
        "le" => compare(Comparison::LessOrEqual)?,
        "lt" => compare(Comparison::Less)?,
        "ipmatch" => networks(argument.split(',')).map_err(|error| wrong(error, NETWORK_HELP))?,
        "ipmatchf" | "ipmatchfromfile" => {
            let lines = lines(argument, data).map_err(|error| wrong(error, ""))?;
            let lines: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            networks(lines.iter().map(String::as_str)).map_err(|error| wrong(error, NETWORK_HELP))?
        }
        "validatebyterange" => byte_range(argument).map_err(|error| wrong(error, "write it as `9,10,13,32-126`"))?,
        "validateurlencoding" => Operator::BadUrlEncoding,
        "validateutf8encoding" => Operator::BadUtf8,
        "detectsqli" => Operator::Sql,
        "detectxss" => Operator::Script,
        "verifycc" => Operator::CardNumber(pattern(word, at, argument, notes)?),
        "unconditionalmatch" => Operator::Always,
        "nomatch" => Operator::Never,
        "rbl" | "geolookup" | "gsblookup" => {
            let message = format!("`@{name}` never matches here");
            let help = "what needs a network or a database is looked up off the path; use the stage `clients`";
            notes.push(word.problem(name_at, message, help));
            Operator::Never
        }
        "fuzzyhash" | "inspectfile" | "rsub" | "validatedtd" | "validatehash" | "validateschema" | "verifycpf"
        | "verifyssn" | "verifysvnr" => {
            let message = format!("the operator `@{name}` is not carried out here");
            return Err(word.problem(name_at, message, "take the rule out, or `SecRuleRemoveById` it"));
        }
        _ => {
            let message = format!("unknown operator `@{name}`");
            return Err(word.problem(name_at, message, "see the list in docs/crs.md"));
        }
    };
    Ok((operator, negated))
}

const NETWORK_HELP: &str = "write addresses and networks such as `10.0.0.0/8,::1`";

fn rx(word: &Word, at: usize, text: &str, notes: &mut Vec<Problem>) -> Result<Operator, Problem> {
    if let Ok(with_variables) = Text::parse(text)
        && with_variables.plain().is_none()
    {
        return Ok(Operator::RxOf(with_variables));
    }
    Ok(Operator::Rx(pattern(word, at, text, notes)?))
}

fn pattern(word: &Word, at: usize, text: &str, notes: &mut Vec<Problem>) -> Result<Pattern, Problem> {
    let built = Pattern::new(text);
    let built =
        built.map_err(|(offset, error)| word.problem(at + offset, format!("the pattern is wrong: {error}"), ""))?;
    if built.is_backtracking() {
        let message = "the pattern looks around or refers back: it runs under a step budget".to_owned();
        notes.push(word.problem(at, message, "a match that takes longer counts as none and is reported"));
    }
    Ok(built)
}

fn phrases(list: Vec<Vec<u8>>) -> Result<Operator, String> {
    if list.is_empty() {
        return Err("there is no phrase".to_owned());
    }
    Ok(Operator::Phrases(Box::new(Phrases::new(list)?)))
}

/// Phrases of `@pm`: separated by white space; bytes may stand as hexadecimal digits between bars.
fn words_of(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace().map(phrase).collect()
}

fn phrase(text: &str) -> Vec<u8> {
    let mut made = Vec::new();
    for (at, part) in text.split('|').enumerate() {
        let bytes: Option<Vec<u8>> = (at % 2 == 1 && part.len() % 2 == 0 && !part.is_empty())
            .then(|| {
                let pairs = part.as_bytes().as_chunks::<2>().0.iter();
                pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
            })
            .flatten();
        match bytes {
            Some(bytes) => made.extend(bytes),
            None if at > 0 => made.extend([b"|", part.as_bytes()].concat()),
            None => made.extend(part.as_bytes()),
        }
    }
    // A closing bar is no part of the phrase when what stood before it was read as bytes.
    if made.ends_with(b"|")
        && text.ends_with('|')
        && !text.ends_with("||")
        && text.matches('|').count().is_multiple_of(2)
    {
        made.pop();
    }
    made
}

/// Lines of data files: blank ones and those that begin with a number sign are none.
fn lines(names: &str, data: Data<'_>) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    for name in names.split_whitespace() {
        let content = data(name)?;
        let lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        found.extend(lines.filter(|line| !line.is_empty() && line.first() != Some(&b'#')).map(<[u8]>::to_vec));
    }
    Ok(found)
}

fn networks<'t>(list: impl Iterator<Item = &'t str>) -> Result<Operator, String> {
    let read = |text: &str| {
        let text = text.trim();
        let address = text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
        address.or_else(|_| text.parse()).map_err(|_| format!("`{text}` is no address and no network"))
    };
    Ok(Operator::Networks(list.filter(|text| !text.trim().is_empty()).map(read).collect::<Result<_, _>>()?))
}

fn byte_range(text: &str) -> Result<Operator, String> {
    let mut allowed = Box::new([false; 256]);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let read = |text: &str| text.trim().parse::<u8>().map_err(|_| format!("`{part}` is no range of bytes"));
        let (low, high) = (read(low)?, read(high)?);
        if low > high {
            return Err(format!("`{part}` ends before it begins"));
        }
        for byte in low..=high {
            if let Some(slot) = allowed.get_mut(usize::from(byte)) {
                *slot = true;
            }
        }
    }
    Ok(Operator::OutsideBytes(allowed))
}
