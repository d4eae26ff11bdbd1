//! SQL as tokens, across dialects, from the middle of a statement.
//!
//! A value lands in a query inside a string, inside double quotes, or bare; the same bytes are other tokens each time.
//! Strings end at their quote; a doubled quote or one behind a backslash does not end them.

/// Where in a query the value is taken to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Nothing: a number or a name was expected.
    Bare,
    /// A string in this quote: the first one in the value ends it.
    Quote(u8),
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of the string the value stood in.
    Break,
    /// A number, `0x41` included.
    Number,
    /// A whole string.
    String,
    /// A string that the end of the value cut: the query's own quote will close it.
    Open,
    /// A name or keyword.
    Word,
    /// `@name`, `@@name`.
    Variable,
    /// `=`, `<`, `<>`, `!=`, `<=>` ...
    Compare,
    /// `||`, `&&`.
    Logic,
    /// Other operators: `+ - * / % | & ^ ~ !`.
    Operator,
    /// `(`
    Left,
    /// `)`
    Right,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// A comment.
    Comment,
    /// A MySQL comment whose content is executed (`/*!50000 ... */`): its content follows.
    Version,
    /// Anything else.
    Other,
}

/// One token; `start..end` are bytes of the text.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: u32,
    /// Behind its last byte.
    pub end: u32,
}

impl Token {
    /// The token's bytes.
    pub fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Cuts a text into tokens; comments but the first and the last are left out. `None` when the text does not leave the
/// string it stands in.
pub fn tokens(low: &[u8], inside: Inside) -> Option<Vec<Token>> {
    let mut at = 0;
    let mut out = Vec::with_capacity(32);
    if let Inside::Quote(quote) = inside {
        let end = memchr::memchr(quote, low)?;
        out.push(Token { kind: Kind::Break, start: 0, end: end as u32 + 1 });
        at = end + 1;
    }
    while at < low.len() {
        let (kind, length) = next(low.get(at..).unwrap_or_default());
        if let Some(kind) = kind {
            out.push(Token { kind, start: at as u32, end: (at + length) as u32 });
        }
        at += length.max(1);
    }
    Some(out)
}

/// The kind of the token at the front (`None` for white space) and its length.
fn next(rest: &[u8]) -> (Option<Kind>, usize) {
    let Some(&byte) = rest.first() else { return (None, 0) };
    match byte {
        b' ' | b'\t'..=b'\r' | 0xa0 => (None, 1),
        b'\'' | b'"' => string(rest, byte),
        b'`' => {
            let end = memchr::memchr(b'`', rest.get(1..).unwrap_or_default());
            end.map_or((Some(Kind::Other), 1), |end| (Some(Kind::Word), end + 2))
        }
        b'0'..=b'9' => (Some(Kind::Number), number(rest)),
        b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => (Some(Kind::Number), number(rest)),
        b'.' => (Some(Kind::Dot), 1),
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => (Some(Kind::Word), word(rest)),
        b'@' => {
            let signs = rest.iter().take_while(|&&byte| byte == b'@').count().min(2);
            let name = rest.get(signs..).map_or(0, word);
            (Some(if name == 0 { Kind::Other } else { Kind::Variable }), signs + name)
        }
        b'-' if rest.starts_with(b"--") => line_comment(rest),
        b'#' => line_comment(rest),
        b'/' if rest.starts_with(b"/*!") => {
            let digits = rest.iter().skip(3).take(6).take_while(|byte| byte.is_ascii_digit()).count();
            (Some(Kind::Version), 3 + digits)
        }
        b'/' if rest.starts_with(b"/*") => {
            let end = memchr::memmem::find(rest.get(2..).unwrap_or_default(), b"*/");
            (Some(Kind::Comment), end.map_or(rest.len(), |end| end + 4))
        }
        // The end of a version comment.
        b'*' if rest.starts_with(b"*/") => (None, 2),
        b'|' if rest.starts_with(b"||") => (Some(Kind::Logic), 2),
        b'&' if rest.starts_with(b"&&") => (Some(Kind::Logic), 2),
        b'=' | b'<' | b'>' => {
            let length = rest.iter().take(3).take_while(|byte| matches!(byte, b'=' | b'<' | b'>')).count();
            (Some(Kind::Compare), length)
        }
        b'!' if rest.get(1) == Some(&b'=') => (Some(Kind::Compare), 2),
        b'+' | b'-' | b'*' | b'/' | b'%' | b'|' | b'&' | b'^' | b'~' | b'!' => (Some(Kind::Operator), 1),
        b'(' => (Some(Kind::Left), 1),
        b')' => (Some(Kind::Right), 1),
        b',' => (Some(Kind::Comma), 1),
        b';' => (Some(Kind::Semicolon), 1),
        _ => (Some(Kind::Other), 1),
    }
}

fn string(rest: &[u8], quote: u8) -> (Option<Kind>, usize) {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(quote, b'\\', rest.get(at..).unwrap_or_default()) {
        at += found;
        if rest.get(at) == Some(&b'\\') || rest.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return (Some(Kind::String), at + 1);
        }
    }
    (Some(Kind::Open), rest.len())
}

fn line_comment(rest: &[u8]) -> (Option<Kind>, usize) {
    (Some(Kind::Comment), memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1))
}

fn number(rest: &[u8]) -> usize {
    if let [b'0', b'x' | b'b', digit, ..] = rest
        && digit.is_ascii_hexdigit()
    {
        return 2 + rest.iter().skip(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
    }
    let mut at = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    if let Some([b'e', sign_or_digit, ..]) = rest.get(at..)
        && (sign_or_digit.is_ascii_digit() || matches!(sign_or_digit, b'+' | b'-'))
    {
        at += 2;
        at += rest.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count();
    }
    at
}

fn word(rest: &[u8]) -> usize {
    rest.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, inside: Inside, expected: Expect) {
        let tokens = tokens(text.as_bytes(), inside).map(|tokens| {
            tokens
                .iter()
                .map(|token| format!("{:?}<{}>", token.kind, token.of(text.as_bytes()).escape_ascii()))
                .collect::<Vec<_>>()
        });
        expected.assert_eq(&tokens.map_or("none".to_owned(), |tokens| tokens.join(" ")));
    }

    #[test]
    fn the_context_changes_the_tokens() {
        let text = "x' or 'a'='a";
        check(text, Inside::Bare, expect![["Word<x> String<\\' or \\'> Word<a> String<\\'=\\'> Word<a>"]]);
        check(text, Inside::Quote(b'\''), expect![["Break<x\\'> Word<or> String<\\'a\\'> Compare<=> Open<\\'a>"]]);
        check(text, Inside::Quote(b'"'), expect!["none"]);
    }

    #[test]
    fn comments_numbers_and_variables() {
        check(
            "1e1union/*!50000select*/0x41,@@version--x",
            Inside::Bare,
            expect![
                "Number<1e1> Word<union> Version</*!50000> Word<select> Number<0x41> Comma<,> Variable<@@version> Comment<--x>"
            ],
        );
        check(
            "a/**/.5<=>`b c`#",
            Inside::Bare,
            expect!["Word<a> Comment</**/> Number<.5> Compare<<=>> Word<`b c`> Comment<#>"],
        );
        check("'it''s \\' open", Inside::Bare, expect![["Open<\\'it\\'\\'s \\\\\\' open>"]]);
    }
}
