//! The first argument of a rule: which values it looks at, and which of them not.

use crate::error::Problem;
use crate::lex::Word;
use crate::pattern::{Answer, Pattern};
use crate::variable::{Kind, Variable};

/// Which of a collection's values.
#[derive(Clone, Debug)]
pub enum Select {
    /// Every one.
    All,
    /// Those with this name, in small letters.
    Key(Vec<u8>),
    /// Those whose name matches.
    Pattern(Pattern),
}

impl Select {
    /// Whether a value of this name is meant.
    pub fn takes(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Key(key) => key.eq_ignore_ascii_case(name),
            Self::Pattern(pattern) => pattern.matches(name) == Answer::Yes,
        }
    }
}

/// One part of the argument.
#[derive(Clone, Debug)]
pub struct Target {
    /// The variable.
    pub variable: Variable,
    /// Which of its values.
    pub select: Select,
    /// The number of values is looked at, not the values (`&`).
    pub count: bool,
}

impl Target {
    /// Whether this target, as an exclusion, takes out a value of a variable.
    pub fn takes(&self, variable: Variable, name: &[u8]) -> bool {
        let same = self.variable == variable || self.variable.parts().contains(&variable);
        same && self.select.takes(name)
    }
}

/// What a condition looks at.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// What is looked at.
    pub wanted: Vec<Target>,
    /// What of it not (`!`).
    pub unwanted: Vec<Target>,
}

/// Reads `ARGS|!ARGS:/^a/|&TX:x`. What is known but cannot be answered here is noted.
pub fn parse(word: &Word, notes: &mut Vec<Problem>) -> Result<Targets, Problem> {
    let mut targets = Targets::default();
    let text = &word.text;
    let mut at = 0;
    for part in split(text) {
        let from = at;
        at += part.len() + 1;
        let mut rest = part.trim();
        let (mut unwanted, mut count) = (false, false);
        loop {
            if let Some(after) = rest.strip_prefix('!') {
                unwanted = true;
                rest = after;
            } else if let Some(after) = rest.strip_prefix('&') {
                count = true;
                rest = after;
            } else {
                break;
            }
        }
        if rest.is_empty() {
            return Err(word.problem(from, "a variable is missing".to_owned(), "write one between the bars"));
        }
        let (name, key) = rest.split_once([':', '.']).map_or((rest, None), |(name, key)| (name, Some(key)));
        let offset = from + part.find(rest).unwrap_or(0);
        let Some(variable) = Variable::from_name(name) else {
            return Err(word.problem(offset, format!("unknown variable `{name}`"), "see the list in docs/crs.md"));
        };
        let select = select(word, offset + name.len() + 1, variable, key)?;
        note(word, offset, variable, notes);
        let target = Target { variable, select, count };
        if unwanted {
            targets.unwanted.push(target);
        } else {
            targets.wanted.push(target);
        }
    }
    Ok(targets)
}

/// Splits at bars that stand in no pattern.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut in_pattern, mut before) = (0, false, ' ');
    for (at, letter) in text.char_indices() {
        match letter {
            '/' if in_pattern && before != '\\' => in_pattern = false,
            '/' if matches!(before, ':' | '.' | '\'') && !text.get(..at).is_some_and(|text| text.ends_with("XML:")) => {
                in_pattern = true;
            }
            '|' if !in_pattern => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
        before = letter;
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn select(word: &Word, at: usize, variable: Variable, key: Option<&str>) -> Result<Select, Problem> {
    let Some(key) = key.map(|key| key.trim_matches('\'')) else { return Ok(Select::All) };
    if variable == Variable::Xml {
        return match key {
            "/*" | "//@*" => Ok(Select::Key(key.as_bytes().to_vec())),
            _ => Err(word.problem(
                at,
                format!("the XPath expression `{key}` is not carried out"),
                "`XML:/*` is all text and `XML://@*` are all attributes",
            )),
        };
    }
    let pattern = key.strip_prefix('/').and_then(|key| key.strip_suffix('/')).filter(|_| key.len() > 1);
    match pattern {
        None => Ok(Select::Key(key.to_ascii_lowercase().into_bytes())),
        Some(pattern) => {
            let built = Pattern::new(&format!("(?i){pattern}"));
            let built = built.map_err(|(_, error)| word.problem(at, format!("the pattern is wrong: {error}"), ""))?;
            Ok(Select::Pattern(built))
        }
    }
}

fn note(word: &Word, at: usize, variable: Variable, notes: &mut Vec<Problem>) {
    let name = variable.name();
    if variable.is_persistent() {
        let help = "limits over many requests belong to the stage `rate`";
        notes.push(word.problem(at, format!("`{name}` lasts for one exchange only"), help));
    } else if variable.kind() == Kind::Absent {
        notes.push(word.problem(at, format!("`{name}` is never there"), "the gateway does not know it while judging"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex::{File, directives};

    fn read(text: &str) -> Result<String, String> {
        let file = File::new("a", &format!("SecRule \"{text}\""));
        let (found, _) = directives(&file);
        let mut notes = Vec::new();
        let targets = parse(&found[0].arguments[0], &mut notes).map_err(|problem| problem.message)?;
        let show = |target: &Target| {
            let count = if target.count { "&" } else { "" };
            let key = match &target.select {
                Select::All => String::new(),
                Select::Key(key) => format!(":{}", String::from_utf8_lossy(key)),
                Select::Pattern(_) => ":/../".to_owned(),
            };
            format!("{count}{}{key}", target.variable.name())
        };
        let all = targets.wanted.iter().map(show).chain(targets.unwanted.iter().map(|one| format!("!{}", show(one))));
        Ok(all.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn targets_are_read() {
        let read = |text| read(text).unwrap();
        assert_eq!(read("ARGS|ARGS_NAMES"), "ARGS ARGS_NAMES");
        assert_eq!(read("REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/"), "REQUEST_COOKIES !REQUEST_COOKIES:/../");
        assert_eq!(read("&REQUEST_HEADERS:Host"), "&REQUEST_HEADERS:host");
        assert_eq!(read("XML:/*|XML://@*|ARGS:/a|b/|TX:'/x|y/'"), "XML:/* XML://@* ARGS:/../ TX:/../");
        assert_eq!(read("tx:1|&!ip:a"), "TX:1 !&IP:a");
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(read("ARGS|NOPE:x").unwrap_err(), "unknown variable `NOPE`");
        assert_eq!(read("ARGS||TX").unwrap_err(), "a variable is missing");
        assert!(read("XML:/a/b").unwrap_err().contains("XPath"));
        assert!(read("ARGS:/(/").unwrap_err().contains("pattern is wrong"));
    }
}
