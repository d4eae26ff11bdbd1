//! UUIDs, pointers, templates and base64.

/// 8-4-4-4-12 hexadecimal digits.
pub(super) fn uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// RFC 6901: empty, or tokens behind slashes in which `~` is followed by 0 or 1.
pub(super) fn json_pointer(text: &str) -> bool {
    if !text.is_empty() && !text.starts_with('/') {
        return false;
    }
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| *byte != b'~' || matches!(bytes.get(at + 1), Some(b'0' | b'1')))
}

/// A number without leading zeros, then `#` or a JSON Pointer.
pub(super) fn relative_json_pointer(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.get(digits..).unwrap_or_default();
    digits > 0 && (digits == 1 || !text.starts_with('0')) && (rest == "#" || json_pointer(rest))
}

/// RFC 6570: literals and `{expressions}`.
pub(super) fn uri_template(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (literal, from_brace) = rest.split_at(at);
        let Some(inside) = from_brace.strip_prefix('{') else { return false };
        let Some((expression, after)) = inside.split_once('}') else { return false };
        if !template_literal(literal) || !template_expression(expression) {
            return false;
        }
        rest = after;
    }
    template_literal(rest)
}

fn template_literal(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.chars().all(|c| !c.is_control() && !matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '|'))
        && bytes.iter().enumerate().all(|(at, byte)| {
            *byte != b'%' || bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
}

fn template_expression(text: &str) -> bool {
    let variables = text.strip_prefix(['+', '#', '.', '/', ';', '?', '&', '=', ',', '!', '@', '|']).unwrap_or(text);
    !variables.is_empty()
        && variables.split(',').all(|variable| {
            let name = variable.strip_suffix('*').unwrap_or(variable);
            let name = match name.split_once(':') {
                Some((name, length)) => {
                    let is_length = (1..=4).contains(&length.len()) && length.bytes().all(|b| b.is_ascii_digit());
                    if !is_length || variable.ends_with('*') || length.starts_with('0') {
                        return false;
                    }
                    name
                }
                None => name,
            };
            !name.is_empty()
                && !name.contains("..")
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'%'))
        })
}

/// RFC 4648 section 4, with padding.
pub(super) fn base64(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    bytes.len().is_multiple_of(4)
        && padding <= 2
        && bytes.iter().take(bytes.len() - padding).all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

/// RFC 4648 section 5, padding optional.
pub(super) fn base64_url(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    padding <= 2
        && (bytes.len() - padding) % 4 != 1
        && bytes.iter().take(bytes.len() - padding).all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
