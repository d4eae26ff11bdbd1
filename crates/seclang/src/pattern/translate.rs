//! PCRE syntax to that of the crates `regex` (over bytes) and `fancy-regex` (over Latin-1 characters).

/// For which matcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `regex::bytes` without Unicode.
    Bytes,
    /// `fancy-regex` over bytes as Latin-1 characters.
    Latin1,
}

/// A translated pattern.
pub struct Translated {
    /// In the matcher's syntax.
    pub text: String,
    /// It looks around or refers back.
    pub looks_around: bool,
}

struct Translation<'s> {
    rest: &'s [u8],
    source: &'s [u8],
    made: String,
    dialect: Dialect,
    looks_around: bool,
}

/// Translates a pattern.
pub fn translate(source: &str, dialect: Dialect) -> Result<Translated, (usize, String)> {
    let start = if dialect == Dialect::Latin1 { "(?s)" } else { "" };
    let mut work = Translation {
        rest: source.as_bytes(),
        source: source.as_bytes(),
        made: start.to_owned(),
        dialect,
        looks_around: false,
    };
    while let Some(byte) = work.next() {
        match byte {
            b'\\' => work.escape()?,
            b'[' => work.class()?,
            b'(' => work.group()?,
            b'{' => work.brace(),
            b'*' | b'+' | b'?' => {
                work.made.push(char::from(byte));
                work.possessive();
            }
            b'}' => work.made.push_str(r"\}"),
            b']' => work.made.push_str(r"\]"),
            _ => work.plain(byte),
        }
    }
    Ok(Translated { text: work.made, looks_around: work.looks_around })
}

impl Translation<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn at(&self) -> usize {
        self.source.len() - self.rest.len()
    }

    fn take(&mut self, prefix: &[u8]) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// One byte outside a class that means itself or an operator both syntaxes share.
    fn plain(&mut self, byte: u8) {
        match byte {
            0x80.. | 0..=0x1f | 0x7f => self.literal(byte),
            // White space and number signs are written out: they survive the flag `x` only there where PCRE keeps them.
            _ => self.made.push(char::from(byte)),
        }
    }

    /// A byte that means itself.
    fn literal(&mut self, byte: u8) {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => self.made.push(char::from(byte)),
            _ => self.made.push_str(&format!("\\x{byte:02X}")),
        }
    }

    /// A quantifier made possessive by a plus keeps its language when the plus goes.
    fn possessive(&mut self) {
        if !self.take(b"+") && self.take(b"?") {
            self.made.push('?');
        }
    }

    /// A brace that is no quantifier means itself.
    fn brace(&mut self) {
        let end = self.rest.iter().position(|&byte| byte == b'}');
        let inside = end.and_then(|end| self.rest.get(..end)).unwrap_or_default();
        let mut parts = inside.split(|&byte| byte == b',');
        let number = |part: Option<&[u8]>| part.is_some_and(|part| part.iter().all(u8::is_ascii_digit));
        let low = parts.next();
        let high = parts.next();
        let quantifier = low.is_some_and(|low| !low.is_empty())
            && number(low)
            && (high.is_none() || number(high))
            && parts.next().is_none();
        if quantifier {
            self.made.push('{');
            self.made.push_str(&String::from_utf8_lossy(inside));
            self.made.push('}');
            self.skip(inside.len() + 1);
            self.possessive();
        } else {
            self.made.push_str(r"\{");
        }
    }

    fn group(&mut self) -> Result<(), (usize, String)> {
        let at = self.at() - 1;
        if self.take(b"?#") {
            let end = self.rest.iter().position(|&byte| byte == b')');
            let end = end.ok_or((at, "the comment is never closed".to_owned()))?;
            self.skip(end + 1);
            return Ok(());
        }
        if self.take(b"?>") {
            self.made.push_str("(?:");
            return Ok(());
        }
        for around in ["?=", "?!", "?<=", "?<!"] {
            if self.take(around.as_bytes()) {
                self.looks_around = true;
                self.made.push('(');
                self.made.push_str(around);
                return Ok(());
            }
        }
        if self.rest.starts_with(b"?(") || self.rest.starts_with(b"?R") || self.rest.starts_with(b"?|") {
            return Err((at, "conditions, recursion and branch resets are not carried out".to_owned()));
        }
        if self.take(b"?'") {
            let end = self.rest.iter().position(|&byte| byte == b'\'').unwrap_or(0);
            self.made.push_str(&format!("(?P<{}>", String::from_utf8_lossy(self.rest.get(..end).unwrap_or_default())));
            self.skip(end + 1);
            return Ok(());
        }
        // The rest (plain, not captured, named, flags) is written the same.
        self.made.push('(');
        if self.take(b"?") {
            self.made.push('?');
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), (usize, String)> {
        let at = self.at() - 1;
        let byte = self.next().ok_or((at, "the pattern ends in a backslash".to_owned()))?;
        match byte {
            b'Q' => {
                let end = memchr::memmem::find(self.rest, br"\E").unwrap_or(self.rest.len());
                for &byte in self.rest.get(..end).unwrap_or_default() {
                    self.literal(byte);
                }
                self.skip(end);
                let _ = self.take(br"\E");
            }
            b'E' => {}
            b'1'..=b'9' => self.back_reference(byte),
            b'g' | b'k' => {
                self.looks_around = true;
                self.made.push('\\');
                self.made.push(char::from(byte));
            }
            b'A' => self.made.push_str(r"\A"),
            b'z' => self.made.push_str(r"\z"),
            b'Z' => self.made.push_str(r"(?:\n?\z)"),
            b'b' | b'B' => {
                self.made.push('\\');
                self.made.push(char::from(byte));
            }
            b'R' => self.made.push_str(r"(?:\r\n|[\n\x0B\x0C\r\x85])"),
            b'N' => self.made.push_str(r"[^\n]"),
            _ => match shorthand(byte) {
                Some((set, negated)) => {
                    let sign = if negated { "^" } else { "" };
                    self.made.push_str(&format!("[{sign}{set}]"));
                }
                None => {
                    let byte = self.character(byte, at)?;
                    self.literal(byte);
                }
            },
        }
        Ok(())
    }

    /// `\1` refers back; `\101` is octal.
    fn back_reference(&mut self, first: u8) {
        let more = self.rest.iter().take(2).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
        if more == 2 && first < b'8' {
            let digits = [first, self.next().unwrap_or(b'0'), self.next().unwrap_or(b'0')];
            let value = digits.iter().fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            self.literal(value as u8);
            return;
        }
        self.looks_around = true;
        self.made.push('\\');
        self.made.push(char::from(first));
        if self.rest.first().is_some_and(u8::is_ascii_digit) {
            // Another digit would be read as part of the number.
            self.made.push_str("(?:)");
        }
    }

    /// The byte an escape stands for, in and outside classes.
    fn character(&mut self, byte: u8, at: usize) -> Result<u8, (usize, String)> {
        Ok(match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'f' => 0x0c,
            b'a' => 0x07,
            b'e' => 0x1b,
            b'x' => self.hexadecimal(at)?,
            b'c' => {
                let letter = self.next().ok_or((at, r"`\c` needs a letter".to_owned()))?;
                letter.to_ascii_uppercase() ^ 0x40
            }
            b'0'..=b'7' => {
                let mut value = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(&digit @ b'0'..=b'7') = self.rest.first() else { break };
                    value = value * 8 + u32::from(digit - b'0');
                    self.skip(1);
                }
                value as u8
            }
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                return Err((at, format!("`\\{}` is not known in patterns", char::from(byte))));
            }
            _ => byte,
        })
    }

    /// Behind `\x`: up to two digits, or any number in braces.
    fn hexadecimal(&mut self, at: usize) -> Result<u8, (usize, String)> {
        let braced = self.take(b"{");
        let most = if braced { 8 } else { 2 };
        let count = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let digits = self.rest.get(..count).unwrap_or_default();
        let digits = digits.iter().filter_map(|&digit| char::from(digit).to_digit(16));
        let value = digits.fold(0u32, |value, digit| value << 4 | digit);
        self.skip(count);
        if braced && !self.take(b"}") {
            return Err((at, r"`\x{` is never closed".to_owned()));
        }
        u8::try_from(value).map_err(|_| (at, "a byte is at most `\\xFF`; rules are matched over bytes".to_owned()))
    }

    fn class(&mut self) -> Result<(), (usize, String)> {
        let at = self.at() - 1;
        self.made.push('[');
        if self.take(b"^") {
            self.made.push('^');
        }
        let mut first = true;
        // A range may begin with the item before; not with a shorthand such as `\w`.
        let mut may_begin_range = false;
        loop {
            let here = self.at();
            let byte = self.next().ok_or((at, "the class is never closed".to_owned()))?;
            match byte {
                b']' if !first => break,
                b'[' if matches!(self.rest.first(), Some(b':')) && memchr::memmem::find(self.rest, b":]").is_some() => {
                    let end = memchr::memmem::find(self.rest, b":]").unwrap_or(0);
                    let name = String::from_utf8_lossy(self.rest.get(1..end).unwrap_or_default());
                    self.made.push_str(&format!("[:{name}:]"));
                    self.skip(end + 2);
                    may_begin_range = false;
                }
                b'-' if may_begin_range && !matches!(self.rest.first(), Some(b']')) => {
                    let ends_in_shorthand = matches!(self.rest, [b'\\', next, ..] if shorthand(*next).is_some());
                    if ends_in_shorthand {
                        self.made.push_str(r"\x2D");
                    } else {
                        self.made.push('-');
                        let byte = self.next().ok_or((at, "the class is never closed".to_owned()))?;
                        self.class_item(byte, here)?;
                    }
                    may_begin_range = false;
                }
                _ => may_begin_range = self.class_item(byte, here)?,
            }
            first = false;
        }
        self.made.push(']');
        Ok(())
    }

    /// One item of a class; true when a range may begin with it.
    fn class_item(&mut self, byte: u8, at: usize) -> Result<bool, (usize, String)> {
        if byte != b'\\' {
            self.literal(byte);
            return Ok(true);
        }
        let escaped = self.next().ok_or((at, "the pattern ends in a backslash".to_owned()))?;
        match escaped {
            b'b' => self.literal(0x08),
            b'Q' | b'E' => return Ok(false),
            _ => {
                if let Some((set, negated)) = shorthand(escaped) {
                    let sign = if negated { "^" } else { "" };
                    self.made.push_str(&format!("[{sign}{set}]"));
                    return Ok(false);
                }
                let byte = self.character(escaped, at)?;
                self.literal(byte);
            }
        }
        let _ = self.dialect;
        Ok(true)
    }
}

/// The sets behind `\d`, `\w`, `\s`, `\h`, `\v` and their opposites, over ASCII.
fn shorthand(byte: u8) -> Option<(&'static str, bool)> {
    let set = match byte.to_ascii_lowercase() {
        b'd' => "0-9",
        b'w' => "0-9A-Za-z_",
        b's' => r"\t\n\x0B\x0C\r\x20",
        b'h' => r"\t\x20\xA0",
        b'v' => r"\n\x0B\x0C\r\x85",
        _ => return None,
    };
    Some((set, byte.is_ascii_uppercase()))
}
