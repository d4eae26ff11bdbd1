//! Regular expressions of XML Schema (part 2, appendix F) on a linear-time engine.
//!
//! They match whole texts, have no anchors, and know classes of their own: `\i` and `\c` for names, subtraction, and blocks of Unicode.

use regex::{Regex, RegexBuilder};

const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;
const SOURCE_BYTES_MAX: usize = 16 * 1024;

const NAME_START: &str = r":A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}";
const NAME_REST: &str = r"\-.0-9\u{B7}\u{300}-\u{36F}\u{203F}-\u{2040}";
/// What `\w` leaves out: punctuation, separators and others.
const NO_WORD: &str = r"\p{P}\p{Z}\p{C}";

/// Blocks of Unicode that schemas name.
const BLOCKS: &[(&str, u32, u32)] = &[
    ("BasicLatin", 0x0, 0x7F),
    ("Latin-1Supplement", 0x80, 0xFF),
    ("LatinExtended-A", 0x100, 0x17F),
    ("LatinExtended-B", 0x180, 0x24F),
    ("IPAExtensions", 0x250, 0x2AF),
    ("SpacingModifierLetters", 0x2B0, 0x2FF),
    ("CombiningDiacriticalMarks", 0x300, 0x36F),
    ("Greek", 0x370, 0x3FF),
    ("Cyrillic", 0x400, 0x4FF),
    ("Armenian", 0x530, 0x58F),
    ("Hebrew", 0x590, 0x5FF),
    ("Arabic", 0x600, 0x6FF),
    ("Devanagari", 0x900, 0x97F),
    ("Thai", 0xE00, 0xE7F),
    ("HangulJamo", 0x1100, 0x11FF),
    ("LatinExtendedAdditional", 0x1E00, 0x1EFF),
    ("GreekExtended", 0x1F00, 0x1FFF),
    ("GeneralPunctuation", 0x2000, 0x206F),
    ("SuperscriptsandSubscripts", 0x2070, 0x209F),
    ("CurrencySymbols", 0x20A0, 0x20CF),
    ("LetterlikeSymbols", 0x2100, 0x214F),
    ("NumberForms", 0x2150, 0x218F),
    ("Arrows", 0x2190, 0x21FF),
    ("MathematicalOperators", 0x2200, 0x22FF),
    ("BoxDrawing", 0x2500, 0x257F),
    ("CJKSymbolsandPunctuation", 0x3000, 0x303F),
    ("Hiragana", 0x3040, 0x309F),
    ("Katakana", 0x30A0, 0x30FF),
    ("CJKUnifiedIdeographs", 0x4E00, 0x9FFF),
    ("HangulSyllables", 0xAC00, 0xD7A3),
    ("PrivateUse", 0xE000, 0xF8FF),
    ("HalfwidthandFullwidthForms", 0xFF00, 0xFFEF),
];

/// Compiles an expression. The error says what of it is not understood.
pub(super) fn compile(source: &str) -> Result<Regex, String> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(format!("a pattern is longer than {SOURCE_BYTES_MAX} bytes"));
    }
    let mut translator = Translator { chars: source.chars().collect(), at: 0, out: String::from(r"\A(?:") };
    let translated = translator.pattern().map_err(|reason| format!("the pattern `{source}`: {reason}"))?;
    RegexBuilder::new(&translated).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build().map_err(
        |error| match error {
            regex::Error::CompiledTooBig(_) => format!("the pattern `{source}` is too large to run in bounded memory"),
            _ => format!("the pattern `{source}` is no regular expression of XML Schema"),
        },
    )
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Translator {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.at).copied();
        self.at += 1;
        c
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn pattern(&mut self) -> Result<String, String> {
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    let class = self.escape(false)?;
                    self.out.push_str(&class);
                }
                '[' => {
                    let class = self.class(0)?;
                    self.out.push_str(&class);
                }
                '.' => self.out.push_str(r"[^\n\r]"),
                '^' | '$' => self.literal(c),
                '(' => self.out.push_str("(?:"),
                '?' | '*' | '+' => {
                    // Lazy and possessive forms are another language's.
                    if matches!(self.peek(), Some('?' | '*' | '+')) {
                        return Err("a quantifier follows a quantifier".to_owned());
                    }
                    self.out.push(c);
                }
                '{' => {
                    let mut counts = String::new();
                    while let Some(c) = self.next().filter(|c| *c != '}') {
                        counts.push(c);
                    }
                    if counts.is_empty()
                        || !counts.chars().all(|c| c.is_ascii_digit() || c == ',')
                        || counts.starts_with(',')
                    {
                        return Err("`{` begins no repetition".to_owned());
                    }
                    self.out.push_str(&format!("{{{counts}}}"));
                }
                '}' | ']' => return Err(format!("`{c}` stands alone")),
                ')' | '|' => self.out.push(c),
                _ => self.literal(c),
            }
        }
        self.out.push_str(r")\z");
        Ok(std::mem::take(&mut self.out))
    }

    fn literal(&mut self, c: char) {
        let escaped = escaped(c);
        self.out.push_str(&escaped);
    }

    /// What follows a backslash; inside a class without brackets where that is possible.
    fn escape(&mut self, is_in_class: bool) -> Result<String, String> {
        let c = self.next().ok_or("it ends with a backslash")?;
        let boxed = |inside: &str| if is_in_class { inside.to_owned() } else { format!("[{inside}]") };
        Ok(match c {
            'n' => r"\n".to_owned(),
            'r' => r"\r".to_owned(),
            't' => r"\t".to_owned(),
            's' => r"[ \t\n\r]".to_owned(),
            'S' => r"[^ \t\n\r]".to_owned(),
            'd' => r"\p{Nd}".to_owned(),
            'D' => r"\P{Nd}".to_owned(),
            'w' => format!("[^{NO_WORD}]"),
            'W' => boxed(NO_WORD),
            'i' => boxed(NAME_START),
            'I' => format!("[^{NAME_START}]"),
            'c' => boxed(&format!("{NAME_START}{NAME_REST}")),
            'C' => format!("[^{NAME_START}{NAME_REST}]"),
            'p' | 'P' => {
                let mut name = String::new();
                if self.next() != Some('{') {
                    return Err("`\\p` needs `{`".to_owned());
                }
                while let Some(c) = self.next().filter(|c| *c != '}') {
                    name.push(c);
                }
                match name.strip_prefix("Is") {
                    Some(block) => {
                        let known = BLOCKS.iter().find(|(known, ..)| *known == block);
                        let (_, from, to) = known.ok_or_else(|| format!("the Unicode block `{block}` is not known"))?;
                        let not = if c == 'P' { "^" } else { "" };
                        format!("[{not}\\u{{{from:X}}}-\\u{{{to:X}}}]")
                    }
                    None => format!("\\{c}{{{name}}}"),
                }
            }
            '\\' | '|' | '.' | '-' | '^' | '?' | '*' | '+' | '{' | '}' | '(' | ')' | '[' | ']' => escaped(c),
            // Written by those who know other languages; each means the character.
            '/' | '$' | '"' | '\'' | '@' | '#' | '&' | '%' | ',' | ':' | ';' | '=' | '!' | '<' | '>' | '~' | ' '
            | '_' => escaped(c),
            _ => return Err(format!("`\\{c}` is no escape")),
        })
    }

    /// A class, after its `[`.
    fn class(&mut self, depth: usize) -> Result<String, String> {
        if depth > 16 {
            return Err("classes are nested too deeply".to_owned());
        }
        let mut out = String::from("[");
        if self.peek() == Some('^') {
            self.at += 1;
            out.push('^');
        }
        let mut is_first = true;
        loop {
            let c = self.next().ok_or("a class is not closed")?;
            match c {
                ']' if !is_first => break,
                '-' if self.peek() == Some('[') => {
                    self.at += 1;
                    let inner = self.class(depth + 1)?;
                    if self.next() != Some(']') {
                        return Err("a subtraction is not at the end of its class".to_owned());
                    }
                    return Ok(format!("[{out}]--{inner}]"));
                }
                '[' => return Err("`[` stands in a class".to_owned()),
                '\\' => {
                    let class = self.escape(true)?;
                    out.push_str(&class);
                }
                '-' if !is_first && self.is_range_end() => out.push('-'),
                _ => out.push_str(&escaped(c)),
            }
            is_first = false;
        }
        out.push(']');
        Ok(out)
    }

    /// Whether a `-` joins what stands on its sides: something other than the end of the class or a subtraction follows it, and one
    /// character rather than a class stands before it.
    fn is_range_end(&self) -> bool {
        let before = self.at.checked_sub(2).and_then(|at| self.chars.get(at)).copied();
        let escaped_before = self.at.checked_sub(3).and_then(|at| self.chars.get(at)).copied() == Some('\\');
        let is_class_before =
            escaped_before && before.is_some_and(|c| c.is_alphabetic() && !matches!(c, 'n' | 'r' | 't'));
        !matches!(self.peek(), Some(']') | None) && before != Some('[') && !is_class_before
    }
}

/// A character that stands for itself, inside a class and outside.
fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() || !c.is_ascii() || c == '_' || c == ' ' {
        c.to_string()
    } else {
        format!("\\x{:02X}", c as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_keep_their_meaning() {
        for (source, right, wrong) in [
            (r"\d{3}-[A-Z]+", &["123-AB"][..], &["x123-AB", "123-", "123-AB\n"][..]),
            (r"[a-z-[aeiou]]+", &["xyz"], &["xaz", "-"]),
            (r"[^a-z-[A]]", &["B", "1"], &["a", "A"]),
            (r"\i\c*", &["a:b-1", "_"], &["1a", ""]),
            (r"[\i-[:]][\c-[:]]*", &["a-1"], &["a:b", ":"]),
            (r"a^$b", &["a^$b"], &["ab"]),
            (r".", &["x", "é"], &["\n", ""]),
            (r"\w+", &["aé1", "+"], &["a-b", "a b"]),
            (r"\p{IsBasicLatin}*", &["abc", ""], &["é"]),
            (r"\P{Lu}", &["a"], &["A"]),
            (r"[\-+]?[0-9]+(\.[0-9]{1,2})?", &["-1.25", "+7"], &["1.", "1.234"]),
            (r"[A-Z0-9\-_]{2}", &["A-", "__"], &["a-"]),
            (r"[\w\-\.]+@[\w\-\.]+", &["a.b@c-d"], &["a b@c"]),
            (r"a|bc", &["a", "bc"], &["ac", "abc"]),
            ("[&&~]", &["&", "~"], &["x"]),
            ("", &[""], &["x"]),
        ] {
            let regex = compile(source).unwrap_or_else(|error| panic!("{error}"));
            for text in right {
                assert!(regex.is_match(text), "{source} must take {text:?}");
            }
            for text in wrong {
                assert!(!regex.is_match(text), "{source} must not take {text:?}");
            }
        }
        for source in ["(", "[a", "a{", "a+?", r"\q", r"\p{IsNowhere}", "((a{900}){900}){900}", "a{,2}", "]"] {
            assert!(compile(source).is_err(), "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_expression_is_read_without_a_panic(source in "[-\\[\\]\\\\^$.|?*+(){}a-cwdpPiIs0-9,é&~ ]{0,20}") {
            let _ = compile(&source);
        }
    }
}
