//! From ECMA-262 syntax to that of the crate `regex`, character by character.

use std::fmt;

use super::Expect;

/// Why an expression cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not an expression.
    Syntax,
    /// It refers back to a group: not linear-time.
    BackReference,
    /// It looks ahead or behind other than at the very start.
    LookAround,
    /// It or its compiled form is too large.
    TooLarge,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "is not a regular expression",
            Self::BackReference => "has a back reference, which cannot run in linear time",
            Self::LookAround => "looks ahead or behind other than at its start, which cannot run in linear time",
            Self::TooLarge => "is too large when compiled",
        })
    }
}

/// The main expression and what must hold beside it.
pub(super) struct Translated {
    pub(super) main: String,
    pub(super) ahead: Vec<(Expect, String)>,
}

const SPACE: &str = r"\t\n\x0B\x0C\r \u{A0}\u{FEFF}\u{2028}\u{2029}\p{Zs}";

pub(super) fn translate(source: &str) -> Result<Translated, Refusal> {
    let mut ahead = Vec::new();
    let mut main = source;
    if let Some(mut rest) = source.strip_prefix('^') {
        while let Some((expect, inside, after)) = leading_look_ahead(rest)? {
            ahead.push((expect, Translator::new(&format!("^(?:{inside})")).run()?));
            rest = after;
        }
        if !ahead.is_empty() {
            main = rest;
            if has_top_level_alternative(rest) {
                return Err(Refusal::LookAround);
            }
        }
    }
    let body = Translator::new(main).run()?;
    let main = if ahead.is_empty() { body } else { format!("^(?:{body})") };
    Ok(Translated { main, ahead })
}

/// A `(?=...)` or `(?!...)` at the start of `text`: what it expects, its inside, and the rest.
fn leading_look_ahead(text: &str) -> Result<Option<(Expect, &str, &str)>, Refusal> {
    let (expect, inside) = if let Some(inside) = text.strip_prefix("(?=") {
        (Expect::Match, inside)
    } else if let Some(inside) = text.strip_prefix("(?!") {
        (Expect::NoMatch, inside)
    } else {
        return Ok(None);
    };
    let mut depth = 1usize;
    let mut in_class = false;
    let mut characters = inside.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => {
                depth -= 1;
                if depth == 0 {
                    let after = inside.get(at + 1..).unwrap_or_default();
                    if after.starts_with(['*', '+', '?', '{']) {
                        return Err(Refusal::LookAround);
                    }
                    return Ok(Some((expect, inside.get(..at).unwrap_or_default(), after)));
                }
            }
            _ => {}
        }
    }
    Err(Refusal::Syntax)
}

fn has_top_level_alternative(text: &str) -> bool {
    let (mut depth, mut in_class) = (0i32, false);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth -= 1,
            '|' if !in_class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

struct Translator {
    source: Vec<char>,
    at: usize,
    out: String,
}

impl Translator {
    fn new(source: &str) -> Self {
        Self { source: source.chars().collect(), at: 0, out: String::with_capacity(source.len() + 16) }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.source.get(self.at + ahead).copied()
    }

    fn run(mut self) -> Result<String, Refusal> {
        // A quantifier needs something to repeat; Rust's syntax would take `a**`, ECMA's does not.
        let mut can_repeat = false;
        while let Some(c) = self.peek(0) {
            self.at += 1;
            match c {
                '\\' => can_repeat = self.escape()?,
                '[' => {
                    self.class()?;
                    can_repeat = true;
                }
                '(' => {
                    self.group()?;
                    can_repeat = false;
                }
                '.' => {
                    self.out.push_str(r"[^\n\r\u{2028}\u{2029}]");
                    can_repeat = true;
                }
                '*' | '+' | '?' => {
                    if !can_repeat {
                        return Err(Refusal::Syntax);
                    }
                    self.out.push(c);
                    can_repeat = self.lazy();
                }
                '{' => match self.counts() {
                    Some(counts) => {
                        if !can_repeat {
                            return Err(Refusal::Syntax);
                        }
                        self.out.push_str(&counts);
                        can_repeat = self.lazy();
                    }
                    None => {
                        self.out.push_str(r"\{");
                        can_repeat = true;
                    }
                },
                '}' | ']' => {
                    self.out.push('\\');
                    self.out.push(c);
                    can_repeat = true;
                }
                '|' | '^' | '$' => {
                    self.out.push(c);
                    can_repeat = false;
                }
                c => {
                    self.literal(c);
                    can_repeat = true;
                }
            }
        }
        Ok(self.out)
    }

    /// Copies a `?` behind a quantifier. Nothing can be repeated after that.
    fn lazy(&mut self) -> bool {
        if self.peek(0) == Some('?') {
            self.out.push('?');
            self.at += 1;
        }
        false
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && c != '(' && c != ')' {
            self.out.push('\\');
        }
        match c {
            '(' | ')' => self.out.push(c),
            c if c.is_whitespace() || c.is_control() => self.code(u32::from(c)),
            c => self.out.push(c),
        }
    }

    fn code(&mut self, code: u32) {
        self.out.push_str(&format!("\\x{{{code:X}}}"));
    }

    fn group(&mut self) -> Result<(), Refusal> {
        if self.peek(0) != Some('?') {
            self.out.push('(');
            return Ok(());
        }
        match (self.peek(1), self.peek(2)) {
            (Some(':'), _) => {
                self.at += 2;
                self.out.push_str("(?:");
                Ok(())
            }
            (Some('='), _) | (Some('!'), _) | (Some('<'), Some('=' | '!')) => Err(Refusal::LookAround),
            (Some('<'), Some(_)) => {
                // The name does not matter: back references to it are refused.
                while let Some(c) = self.peek(0) {
                    self.at += 1;
                    if c == '>' {
                        self.out.push('(');
                        return Ok(());
                    }
                }
                Err(Refusal::Syntax)
            }
            _ => Err(Refusal::Syntax),
        }
    }

    /// `{n}`, `{n,}` or `{n,m}` behind an opening brace; anything else is a literal brace.
    fn counts(&mut self) -> Option<String> {
        let rest = self.source.get(self.at..)?;
        let end = rest.iter().take(24).position(|c| *c == '}')?;
        let text: String = rest.get(..end)?.iter().collect();
        let (min, max) = text.split_once(',').unwrap_or((&text, ""));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(min) || !(max.is_empty() || is_number(max)) {
            return None;
        }
        self.at += end + 1;
        Some(format!("{{{text}}}"))
    }

    /// An escape outside a class. True when it can be repeated.
    fn escape(&mut self) -> Result<bool, Refusal> {
        let Some(c) = self.peek(0) else { return Err(Refusal::Syntax) };
        match c {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                self.at += 1;
                let (negated, set) = class_escape(c);
                self.out.push_str(if negated { "[^" } else { "[" });
                self.out.push_str(set);
                self.out.push(']');
            }
            'b' => {
                self.at += 1;
                self.out.push_str(r"(?-u:\b)");
                return Ok(false);
            }
            'B' => {
                self.at += 1;
                self.out.push_str(r"\B");
                return Ok(false);
            }
            '1'..='9' | 'k' => return Err(Refusal::BackReference),
            'p' | 'P' => self.property()?,
            _ => {
                let code = self.character_escape()?;
                self.code(code);
            }
        }
        Ok(true)
    }

    fn property(&mut self) -> Result<(), Refusal> {
        let negated = self.peek(0) == Some('P');
        if self.peek(1) != Some('{') {
            return Err(Refusal::Syntax);
        }
        self.at += 2;
        let mut name = String::new();
        while let Some(c) = self.peek(0) {
            self.at += 1;
            if c == '}' {
                self.out.push_str(if negated { r"\P{" } else { r"\p{" });
                self.out.push_str(&name);
                self.out.push('}');
                return Ok(());
            }
            if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '=')) {
                return Err(Refusal::Syntax);
            }
            name.push(c);
        }
        Err(Refusal::Syntax)
    }

    /// An escape that stands for one character; the backslash is already read.
    fn character_escape(&mut self) -> Result<u32, Refusal> {
        let Some(c) = self.peek(0) else { return Err(Refusal::Syntax) };
        self.at += 1;
        Ok(match c {
            't' => 9,
            'n' => 10,
            'v' => 11,
            'f' => 12,
            'r' => 13,
            '0' if !self.peek(0).is_some_and(|c| c.is_ascii_digit()) => 0,
            'c' => {
                let Some(letter) = self.peek(0).filter(char::is_ascii_alphabetic) else { return Err(Refusal::Syntax) };
                self.at += 1;
                u32::from(letter) % 32
            }
            'x' => self.hex(2)?,
            'u' if self.peek(0) == Some('{') => {
                self.at += 1;
                let end = self.source.iter().skip(self.at).take(8).position(|c| *c == '}').ok_or(Refusal::Syntax)?;
                let code = self.hex(end)?;
                self.at += 1;
                char::from_u32(code).ok_or(Refusal::Syntax)?;
                code
            }
            'u' => {
                let unit = self.hex(4)?;
                match unit {
                    0xD800..0xDC00 if self.peek(0) == Some('\\') && self.peek(1) == Some('u') => {
                        self.at += 2;
                        let low = self.hex(4)?;
                        if !(0xDC00..0xE000).contains(&low) {
                            return Err(Refusal::Syntax);
                        }
                        0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                    }
                    // Half a pair cannot occur in UTF-8 text.
                    0xD800..0xE000 => return Err(Refusal::Syntax),
                    unit => unit,
                }
            }
            // Identity escapes; letters have none in Unicode mode.
            c if c.is_ascii_alphanumeric() => return Err(Refusal::Syntax),
            c => u32::from(c),
        })
    }

    fn hex(&mut self, digits: usize) -> Result<u32, Refusal> {
        let text: String = self.source.iter().skip(self.at).take(digits).collect();
        if text.len() != digits || digits == 0 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Refusal::Syntax);
        }
        self.at += digits;
        u32::from_str_radix(&text, 16).map_err(|_| Refusal::Syntax)
    }

    /// A class behind its opening bracket.
    fn class(&mut self) -> Result<(), Refusal> {
        let negated = self.peek(0) == Some('^');
        if negated {
            self.at += 1;
        }
        if self.peek(0) == Some(']') {
            self.at += 1;
            // `[]` matches nothing, `[^]` anything.
            self.out.push_str(if negated { r"(?s:.)" } else { r"[^\x00-\x{10FFFF}]" });
            return Ok(());
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        loop {
            let Some(c) = self.peek(0) else { return Err(Refusal::Syntax) };
            if c == ']' {
                self.at += 1;
                self.out.push(']');
                return Ok(());
            }
            let first = self.class_atom()?;
            let is_range = self.peek(0) == Some('-') && self.peek(1).is_some_and(|c| c != ']');
            match first {
                Some(first) if is_range => {
                    self.at += 1;
                    match self.class_atom()? {
                        Some(last) if first <= last => {
                            self.code(first);
                            self.out.push('-');
                            self.code(last);
                        }
                        Some(_) => return Err(Refusal::Syntax),
                        None => {
                            // `[a-\d]` is three members.
                            self.code(first);
                            self.code(u32::from('-'));
                        }
                    }
                }
                Some(first) => self.code(first),
                None => {}
            }
        }
    }

    /// One member of a class: its code, or `None` when it was a set and is already written.
    fn class_atom(&mut self) -> Result<Option<u32>, Refusal> {
        let Some(c) = self.peek(0) else { return Err(Refusal::Syntax) };
        self.at += 1;
        if c != '\\' {
            return Ok(Some(u32::from(c)));
        }
        match self.peek(0) {
            Some(kind @ ('d' | 'D' | 'w' | 'W' | 's' | 'S')) => {
                self.at += 1;
                let (negated, set) = class_escape(kind);
                if negated {
                    self.out.push_str("[^");
                    self.out.push_str(set);
                    self.out.push(']');
                } else {
                    self.out.push_str(set);
                }
                Ok(None)
            }
            Some('p' | 'P') => self.property().map(|()| None),
            Some('b') => {
                self.at += 1;
                Ok(Some(8))
            }
            Some('-') => {
                self.at += 1;
                Ok(Some(u32::from('-')))
            }
            Some('1'..='9') => Err(Refusal::Syntax),
            _ => self.character_escape().map(Some),
        }
    }
}

fn class_escape(kind: char) -> (bool, &'static str) {
    let set = match kind.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        _ => SPACE,
    };
    (kind.is_ascii_uppercase(), set)
}
