//! Transformations that take away or replace parts of a text: white space, comments, what shells ignore.

/// White space as C's `isspace` has it, and the no-break space of Latin-1, as ModSecurity treats it.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0xa0)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|&byte| !is_space(byte)).unwrap_or(text.len());
    text.get(from..).unwrap_or_default()
}

pub(super) fn trim_end(text: &[u8]) -> &[u8] {
    let to = text.iter().rposition(|&byte| !is_space(byte)).map_or(0, |at| at + 1);
    text.get(..to).unwrap_or_default()
}

pub(super) fn compress_whitespace(text: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut blank = false;
    for &byte in text {
        if is_blank(byte) {
            if !blank {
                made.push(b' ');
            }
            blank = true;
        } else {
            made.push(byte);
            blank = false;
        }
    }
    made
}

/// Backslashes, quotes and carets go; commas, semicolons and runs of white space become one space; white space before a
/// slash or an opening parenthesis goes; ASCII letters become small.
pub(super) fn cmd_line(text: &[u8]) -> Vec<u8> {
    let mut made: Vec<u8> = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if made.last() != Some(&b' ') {
                    made.push(b' ');
                }
            }
            b'/' | b'(' => {
                if made.last() == Some(&b' ') {
                    made.pop();
                }
                made.push(byte);
            }
            _ => made.push(byte.to_ascii_lowercase()),
        }
    }
    made
}

/// Every `/* ... */` becomes one space; one that is not closed, too. A closing sign alone stays.
pub(super) fn replace_comments(text: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b"/*") {
        made.extend_from_slice(rest.get(..at).unwrap_or_default());
        made.push(b' ');
        let inside = rest.get(at + 2..).unwrap_or_default();
        rest = match memchr::memmem::find(inside, b"*/") {
            Some(end) => inside.get(end + 2..).unwrap_or_default(),
            None => &[],
        };
    }
    made.extend_from_slice(rest);
    made
}

/// Comments of C and HTML go; `--` and `#` end the text, as they end a line of SQL or of a shell. What is not closed
/// becomes a space.
pub(super) fn remove_comments(text: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (inside, close): (&[u8], &[u8]) = if let Some(inside) = rest.strip_prefix(b"/*") {
            (inside, b"*/")
        } else if let Some(inside) = rest.strip_prefix(b"<!--") {
            (inside, b"-->")
        } else if rest.starts_with(b"--") || byte == b'#' {
            made.push(b' ');
            return made;
        } else {
            made.push(byte);
            rest = after;
            continue;
        };
        let Some(end) = memchr::memmem::find(inside, close) else {
            made.push(b' ');
            return made;
        };
        rest = inside.get(end + close.len()..).unwrap_or_default();
    }
    made
}

/// Only the signs go: `/*`, `*/`, `<!--`, `-->`, `--`, `#`.
pub(super) fn remove_comment_signs(text: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let sign = [&b"<!--"[..], b"-->", b"/*", b"*/", b"--", b"#"].into_iter().find(|sign| rest.starts_with(sign));
        match sign {
            Some(sign) => rest = rest.get(sign.len()..).unwrap_or_default(),
            None => {
                made.push(byte);
                rest = after;
            }
        }
    }
    made
}
