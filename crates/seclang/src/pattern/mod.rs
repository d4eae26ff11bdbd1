//! Patterns of `@rx`: PCRE syntax, matched over bytes in linear time.
//!
//! A pattern is translated to the syntax of the crate `regex` and compiled there. Possessive and atomic groups lose only
//! their promise not to try again, so they may match more, never less. Patterns that look around or refer back cannot be
//! matched in linear time: they run on a backtracking matcher under a step budget, and the loader says so.
//!
//! Flags are those of ModSecurity v2: a dot matches line ends, `^` and `$` only the ends of the text.

pub mod literals;
mod translate;

use regex::bytes::{Regex, RegexBuilder};

pub use translate::Dialect;

/// Largest compiled form of one pattern, in bytes.
const SIZE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Steps back that one match of a backtracking pattern may take.
const BACKTRACKS_MAX: usize = 20_000;

/// The longest text a backtracking pattern is held against, in bytes.
const BACKTRACKING_BYTES_MAX: usize = 16 * 1024;

/// Groups that a rule can capture into `TX:0` to `TX:9`.
pub const CAPTURES_MAX: usize = 10;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    matcher: Matcher,
    /// The pattern in the matcher's syntax; empty for a backtracking one.
    translated: String,
}

#[derive(Clone, Debug)]
enum Matcher {
    Linear(Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// The groups of a match; group 0 is the whole match.
pub type Captures = Vec<Vec<u8>>;

/// What a pattern said of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// The step budget ended first.
    Exhausted,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// The byte of the pattern where it is wrong, and what is wrong.
    pub fn new(source: &str) -> Result<Self, (usize, String)> {
        let form = translate::translate(source, Dialect::Bytes)?;
        if form.looks_around {
            let form = translate::translate(source, Dialect::Latin1)?;
            let built = fancy_regex::RegexBuilder::new(&form.text).backtrack_limit(BACKTRACKS_MAX).build();
            let matcher = built.map_err(|error| (0, one_line(&error.to_string())))?;
            return Ok(Self { matcher: Matcher::Backtracking(Box::new(matcher)), translated: String::new() });
        }
        let built = RegexBuilder::new(&form.text)
            .unicode(false)
            .dot_matches_new_line(true)
            .size_limit(SIZE_BYTES_MAX)
            .dfa_size_limit(2 * 1024 * 1024)
            .build();
        let matcher = built.map_err(|error| (0, one_line(&error.to_string())))?;
        Ok(Self { matcher: Matcher::Linear(matcher), translated: form.text })
    }

    /// True when the pattern runs under a step budget because it looks around or refers back.
    pub fn is_backtracking(&self) -> bool {
        matches!(self.matcher, Matcher::Backtracking(_))
    }

    /// The pattern in the syntax of the crate `regex`; `None` for a backtracking one.
    pub(crate) fn linear_source(&self) -> Option<&str> {
        (!self.is_backtracking()).then_some(self.translated.as_str())
    }

    /// Whether the text has a match.
    pub fn matches(&self, text: &[u8]) -> Answer {
        match &self.matcher {
            Matcher::Linear(regex) if regex.is_match(text) => Answer::Yes,
            Matcher::Linear(_) => Answer::No,
            Matcher::Backtracking(regex) => match regex.is_match(&latin1(text)) {
                Ok(true) => Answer::Yes,
                Ok(false) => Answer::No,
                Err(_) => Answer::Exhausted,
            },
        }
    }

    /// The groups of the first match; groups that took no part are empty.
    pub fn captures(&self, text: &[u8]) -> Option<Captures> {
        match &self.matcher {
            Matcher::Linear(regex) => {
                let found = regex.captures(text)?;
                let group = |group: Option<regex::bytes::Match<'_>>| {
                    group.map_or_else(Vec::new, |group| group.as_bytes().to_vec())
                };
                Some(found.iter().take(CAPTURES_MAX).map(group).collect())
            }
            Matcher::Backtracking(regex) => {
                let text = latin1(text);
                let found = regex.captures(&text).ok()??;
                let group = |group: Option<fancy_regex::Match<'_>>| {
                    group.map_or_else(Vec::new, |group| group.as_str().chars().map(|letter| letter as u8).collect())
                };
                Some(found.iter().take(CAPTURES_MAX).map(group).collect())
            }
        }
    }
}

/// Each byte as the character of the same number: what a byte matcher sees, as text.
fn latin1(text: &[u8]) -> String {
    text.iter().take(BACKTRACKING_BYTES_MAX).map(|&byte| char::from(byte)).collect()
}

/// The matchers' messages have several lines with a drawing; the last says what is wrong.
fn one_line(message: &str) -> String {
    let last = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    last.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &[u8]) -> bool {
        Pattern::new(pattern).unwrap().matches(text) == Answer::Yes
    }

    #[test]
    fn pcre_syntax_is_understood() {
        for (pattern, text, expected) in [
            (r"^[\w-.]+$", &b"a-b.c"[..], true),
            (r"[[a-z]", b"[", true),
            (r"[]x]", b"]", true),
            (r"[^]x]", b"]", false),
            (r"[a&&b~~]", b"~", true),
            (r"[+--]", b",", true),
            (r"\<a\>", b"<a>", true),
            (r"a{,b}", b"a{,b}", true),
            (r"a{2}", b"aa", true),
            (r"x{y", b"x{y", true),
            (r"\s*+=", b"  =", true),
            (r"(?>ab|a)c", b"ac", true),
            (r"\x5c\xe9", b"\\\xe9", true),
            (r"[^\x00-\x7f]", b"\xe9", true),
            (r"\e\h\v", b"\x1b\t\x0b", true),
            (r"\Qa.b\E+", b"a.bb", true),
            (r"[[:alpha:]_]\Z", b"a1_", true),
            (r"\101\060", b"A0", true),
            (r"(?i)AB(?-i)c", b"abC", false),
            (r"a.b", b"a\nb", true),
            (r"^b$", b"a\nb", false),
            (r"[\x5c'-/]", b"(", true),
            (r"é", "é".as_bytes(), true),
            (r"(?<name>a)(?#note)b", b"ab", true),
            (r"[\s\S]\/\-\_\'", b"x/-_'", true),
            (r"a$|b\b", b"b c", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} over {}", text.escape_ascii());
        }
    }

    #[test]
    fn looking_around_and_back_is_bounded() {
        assert!(matches(r"<\?(?!xml)", b"<?php"));
        assert!(!matches(r"<\?(?!xml)", b"<?xml"));
        assert!(matches(r"(?i)(\w)=\1\xe9", b"a=a\xe9"));
        assert!(matches(r"(?<!&amp|&lt);", b"x;"));
        assert!(!matches(r"(?<!&amp|&lt);", b"&amp;"));
        let slow = Pattern::new(r"^(a+)+(?!b)$\1x").unwrap();
        assert!(slow.is_backtracking());
        assert_ne!(slow.matches(&[b'a'; 5000]), Answer::Yes);
    }

    #[test]
    fn captures_are_bytes() {
        let found = Pattern::new(r"(a)|(b\xff?)").unwrap().captures(b"xb\xff").unwrap();
        assert_eq!(found, [b"b\xff".to_vec(), b"".to_vec(), b"b\xff".to_vec()]);
        let found = Pattern::new(r"(.)\1").unwrap().captures(b"x\xff\xff").unwrap();
        assert_eq!(found, [b"\xff\xff".to_vec(), b"\xff".to_vec()]);
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in ["(", "a)", "[a", "*a", r"\i", r"a\"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }
}
