//! Regular expressions of schemas: ECMA-262 syntax (JSON Schema 2020-12 core, section 6.4) on a linear-time engine.
//!
//! What cannot run in linear time (back references, look-around other than at the start) is refused when the contract
//! is loaded, with the reason. Two common forms need no engine: a whole-string repetition of one character class, and a
//! literal prefix.

mod translate;

use std::fmt;

use regex::{Regex, RegexBuilder};

pub use translate::Refusal;

/// The largest compiled size of one expression, in bytes.
const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest expression, in bytes.
const SOURCE_BYTES_MAX: usize = 16 * 1024;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: Box<str>,
    program: Program,
    proves: bool,
}

#[derive(Clone, Debug)]
enum Program {
    /// Repeated classes of ASCII characters from start to end, such as `^[A-Z]{2}-\d+$`.
    Sequence(Vec<Repeat>),
    /// `^literal`.
    Prefix(Box<str>),
    /// Anything else, with what must and must not match at the start.
    Regex { main: Regex, ahead: Vec<(Expect, Regex)> },
}

/// A class of ASCII characters as a bit set, and how often it occurs.
#[derive(Clone, Copy, Debug)]
struct Repeat {
    class: [u64; 2],
    min: usize,
    max: usize,
}

impl Repeat {
    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.class.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.class.iter().zip(&other.class).any(|(a, b)| a & b != 0)
    }
}

/// Whether a look-ahead must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Match,
    NoMatch,
}

impl Pattern {
    /// Compiles an ECMA-262 expression. The error says what the linear-time engine cannot do or what is wrong.
    pub fn new(source: &str) -> Result<Self, Refusal> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let program = match native(source) {
            Some(program) => program,
            None => {
                let translated = translate::translate(source)?;
                let mut ahead = Vec::with_capacity(translated.ahead.len());
                for (expect, text) in &translated.ahead {
                    ahead.push((*expect, compile(text)?));
                }
                Program::Regex { main: compile(&translated.main)?, ahead }
            }
        };
        let proves = is_harmless(&program);
        Ok(Self { source: source.into(), program, proves })
    }

    /// Whether the expression matches somewhere in the text. Linear in the text.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.program {
            Program::Sequence(sequence) => {
                let mut rest = text.as_bytes();
                for repeat in sequence {
                    let count = rest.iter().take(repeat.max).take_while(|byte| repeat.has(**byte)).count();
                    if count < repeat.min {
                        return false;
                    }
                    rest = rest.get(count..).unwrap_or_default();
                }
                rest.is_empty()
            }
            Program::Prefix(prefix) => text.starts_with(&**prefix),
            Program::Regex { main, ahead } => {
                main.is_match(text)
                    && ahead.iter().all(|(expect, regex)| regex.is_match(text) == (*expect == Expect::Match))
            }
        }
    }

    /// The expression as the schema has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True when every string that matches consists of letters, digits and `-_.:` only and is therefore harmless to
    /// every interpreter behind the API.
    pub fn proves_text(&self) -> bool {
        self.proves
    }
}

/// Whether every text that matches has harmless characters only.
fn is_harmless(program: &Program) -> bool {
    let Program::Sequence(sequence) = program else { return false };
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    sequence.iter().all(|repeat| (0..128u8).all(|byte| !repeat.has(byte) || harmless(byte)))
}

/// Whether a text is a regular expression by ECMA-262, including what we could not run.
pub(crate) fn is_regex(text: &str) -> bool {
    match translate::translate(text) {
        Ok(translated) => compile(&translated.main).is_ok() || translated.main.len() > 256,
        Err(refusal) => refusal != Refusal::Syntax,
    }
}

fn compile(translated: &str) -> Result<Regex, Refusal> {
    RegexBuilder::new(translated).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build().map_err(
        |error| match error {
            regex::Error::CompiledTooBig(_) => Refusal::TooLarge,
            _ => Refusal::Syntax,
        },
    )
}

/// Recognises the forms that need no engine.
fn native(source: &str) -> Option<Program> {
    let rest = source.strip_prefix('^')?;
    if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b' ')) {
        return Some(Program::Prefix(rest.into()));
    }
    let mut rest = rest.strip_suffix('$')?;
    let mut sequence: Vec<Repeat> = Vec::new();
    while !rest.is_empty() {
        let (repeat, after) = next_repeat(rest)?;
        // Taking as much as there is is only right when what follows cannot begin with it.
        if let Some(last) = sequence.last()
            && last.min != last.max
            && (last.overlaps(&repeat) || repeat.min == 0)
        {
            return None;
        }
        sequence.push(repeat);
        rest = after;
    }
    (!sequence.is_empty()).then_some(Program::Sequence(sequence))
}

/// One class or plain character with its repetition, and what follows.
fn next_repeat(text: &str) -> Option<(Repeat, &str)> {
    let (class, rest) = if let Some(rest) = text.strip_prefix("\\d") {
        (bits(|byte| byte.is_ascii_digit()), rest)
    } else if let Some(rest) = text.strip_prefix("\\w") {
        (bits(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), rest)
    } else if let Some(rest) = text.strip_prefix('[') {
        let (inside, rest) = rest.split_once(']')?;
        (simple_class(inside)?, rest)
    } else {
        let (first, rest) = match text.strip_prefix('\\') {
            Some(escaped) => (escaped.bytes().next().filter(|byte| byte.is_ascii_punctuation())?, escaped.get(1..)?),
            None => {
                let is_plain = |byte: &u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b':' | b' ' | b'@' | b',')
                };
                (text.bytes().next().filter(is_plain)?, text.get(1..)?)
            }
        };
        (bits(|byte| byte == first), rest)
    };
    let (min, max, rest) = match rest.bytes().next() {
        Some(b'+') => (1, usize::MAX, rest.get(1..)?),
        Some(b'*') => (0, usize::MAX, rest.get(1..)?),
        Some(b'?') => (0, 1, rest.get(1..)?),
        Some(b'{') => {
            let (counts, rest) = rest.get(1..)?.split_once('}')?;
            let (min, max) = match counts.split_once(',') {
                Some((min, "")) => (min.parse().ok()?, usize::MAX),
                Some((min, max)) => (min.parse().ok()?, max.parse().ok()?),
                None => (counts.parse().ok()?, counts.parse().ok()?),
            };
            (min, max, rest)
        }
        _ => (1, 1, rest),
    };
    // A lazy or doubled quantifier is for the engine to judge.
    let is_clean = !rest.starts_with(['+', '*', '?', '{']) && min <= max;
    is_clean.then_some((Repeat { class, min, max }, rest))
}

/// Letters, digits, a few plain characters and ranges between letters or digits; anything else needs the engine.
fn simple_class(inside: &str) -> Option<[u64; 2]> {
    let bytes = inside.as_bytes();
    let mut members = [false; 128];
    let mut at = 0;
    while let Some(first) = bytes.get(at).copied() {
        if first == b'\\' {
            let escaped = bytes.get(at + 1).copied()?;
            let test: fn(u8) -> bool = match escaped {
                b'd' => |byte| byte.is_ascii_digit(),
                b'w' => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
                _ => return None,
            };
            for (byte, member) in (0u8..).zip(members.iter_mut()) {
                *member |= test(byte);
            }
            at += 2;
            if bytes.get(at) == Some(&b'-') && at + 1 < bytes.len() {
                return None;
            }
            continue;
        }
        let is_range = bytes.get(at + 1) == Some(&b'-') && at + 2 < bytes.len();
        if is_range {
            let last = bytes.get(at + 2).copied()?;
            if !first.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() || first > last {
                return None;
            }
            members.get_mut(usize::from(first)..=usize::from(last))?.fill(true);
            at += 3;
        } else {
            if !(first.is_ascii_alphanumeric()
                || matches!(first, b'_' | b'-' | b'.' | b':' | b' ' | b'@' | b'/' | b'+' | b'=' | b','))
            {
                return None;
            }
            *members.get_mut(usize::from(first))? = true;
            at += 1;
        }
    }
    (at > 0).then(|| bits(|byte| members.get(usize::from(byte)).copied().unwrap_or(false)))
}

fn bits(test: impl Fn(u8) -> bool) -> [u64; 2] {
    let word = |from: u8| (0..64u8).filter(|bit| test(from + bit)).fold(0u64, |word, bit| word | 1 << bit);
    [word(0), word(64)]
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, matching: &[&str], other: &[&str]) {
        let pattern = Pattern::new(source).unwrap_or_else(|refusal| panic!("{source}: {refusal}"));
        for text in matching {
            assert!(pattern.is_match(text), "{source} must match {text:?}");
        }
        for text in other {
            assert!(!pattern.is_match(text), "{source} must not match {text:?}");
        }
    }

    #[test]
    fn ecma_syntax_keeps_its_meaning() {
        check(r"^\d+$", &["12"], &["१२", "", "a"]);
        check(r"\w", &["a", "_"], &["é", "-"]);
        check(r"^\s$", &["\u{a0}", "\u{feff}", "\u{2003}"], &["x"]);
        check(r"^\S+$", &["ab"], &["a\u{a0}b"]);
        check(r"^[\w.-]+@[\w-]+\.[a-z]{2,}$", &["a.b@c-d.org"], &["a@b", "@b.org"]);
        check(r"^a{,2}$", &["a{,2}"], &["aa"]);
        check(r"^{x}$", &["{x}"], &["x"]);
        check(r"\u0041\x42\cJ", &["AB\n"], &["AB"]);
        check(r"^\ud83d\ude00$", &["\u{1f600}"], &["x"]);
        check(r"^[^]$", &["\n", "x"], &["", "xy"]);
        check(r"[]", &[], &["", "x"]);
        check(r"^[[&&a~~-]+$", &["[&&a~-"], &["b"]);
        check(r"^a.c$", &["abc"], &["a\nc", "a\rc", "a\u{2028}c"]);
        check(r"^a$", &["a"], &["a\n"]);
        check(r"^\p{Lu}\p{Script=Greek}$", &["Aα"], &["aα"]);
        check(r"^(?<year>\d{4})\/x$", &["2024/x"], &["24/x"]);
        check(r"^[\d\D]$", &["x", "1"], &[""]);
        check(r"^[^\s]+$", &["x"], &["x y"]);
        check(r"^(a|b)\-\_$", &["a-_"], &["a"]);
    }

    #[test]
    fn look_ahead_at_the_start_is_a_second_expression() {
        check(r"^(?=.*[A-Z])(?=.*\d)(?!.*x).{4,}$", &["abC1"], &["abc1", "ABCD", "Ab1", "abC1x"]);
        check(r"^(?!\s*$).+", &["a"], &["  ", ""]);
        assert_eq!(Pattern::new(r"^(?=a)b|c").unwrap_err(), Refusal::LookAround);
        assert_eq!(Pattern::new(r"a(?=b)").unwrap_err(), Refusal::LookAround);
        assert_eq!(Pattern::new(r"(?<=a)b").unwrap_err(), Refusal::LookAround);
    }

    #[test]
    fn what_is_not_linear_or_not_a_pattern_is_refused() {
        assert_eq!(Pattern::new(r"(a)\1").unwrap_err(), Refusal::BackReference);
        assert_eq!(Pattern::new(r"(?<n>a)\k<n>").unwrap_err(), Refusal::BackReference);
        assert_eq!(Pattern::new("(").unwrap_err(), Refusal::Syntax);
        assert_eq!(Pattern::new("a**").unwrap_err(), Refusal::Syntax);
        assert_eq!(Pattern::new("((.{900}){900}){900}").unwrap_err(), Refusal::TooLarge);
    }

    #[test]
    fn native_forms_agree_with_the_engine() {
        for source in ["^[a-z0-9_-]{2,4}$", "^[A-F0-9]+$", r"^\w*$", r"^\d{3}$", "^ab-", "^[.:@]$", r"^[\w-]+$"] {
            assert!(native(source).is_some(), "{source}");
            let engine = compile(&translate::translate(source).unwrap().main).unwrap();
            for text in ["", "a", "ab", "abcd", "abcde", "AB12", "é", "123", "ab-x", ":", "a_b", "a b", "\u{7f}", "x\n"]
            {
                assert_eq!(Pattern::new(source).unwrap().is_match(text), engine.is_match(text), "{source} {text:?}");
            }
        }
        for source in ["^a+b$", r"^[A-Z]{2}-\d{2,3}\.x?$", "^a?b+c*$", "^-?[0-9]+$", "^[a-c]{2}[b-d]$"] {
            assert!(native(source).is_some() || source == "^a?b+c*$", "{source}");
            let engine = compile(&translate::translate(source).unwrap().main).unwrap();
            for text in [
                "", "aab", "b", "ab", "AB-12.", "AB-123.x", "AB-1234.", "-5", "55", "abb", "aad", "abd", "ad", "bbcc",
                "é",
            ] {
                assert_eq!(Pattern::new(source).unwrap().is_match(text), engine.is_match(text), "{source} {text:?}");
            }
        }
        for source in ["^a+a$", "^[^a]$", "^[a-]b+b$", "^[!-/]$", "^a|b$", "^a+?b$", "^(a)$"] {
            assert!(native(source).is_none(), "{source}");
        }
    }

    #[test]
    fn an_evil_pattern_is_harmless() {
        check(r"^(a+)+$", &["aaaa"], &[&format!("{}!", "a".repeat(100_000))]);
    }
}
