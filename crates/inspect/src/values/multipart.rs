//! Parts of a multipart body (RFC 2046, RFC 7578): names, file names, fields and the content of text files.

use super::{Role, Spot, Value};

/// Most parts walked; what follows is handed out as one value.
const PARTS_MAX: usize = 1000;

/// Hands out the parts; false when the body is not in the form its boundary announces.
pub(super) fn walk_multipart(content_type: &[u8], body: &[u8], each: &mut dyn FnMut(&Value<'_>)) -> bool {
    let Some(boundary) = parameter(content_type, b"boundary") else { return false };
    if boundary.is_empty() || boundary.len() > 200 {
        return false;
    }
    let mut delimiter = Vec::with_capacity(boundary.len() + 2);
    delimiter.extend_from_slice(b"--");
    delimiter.extend_from_slice(boundary);
    let finder = memchr::memmem::Finder::new(&delimiter);
    let Some(first) = finder.find(body) else { return false };
    let mut rest = body.get(first + delimiter.len()..).unwrap_or_default();
    for _ in 0..PARTS_MAX {
        if rest.starts_with(b"--") || rest.is_empty() {
            return true;
        }
        let end = finder.find(rest).unwrap_or(rest.len());
        walk_part(rest.get(..end).unwrap_or_default(), each);
        rest = rest.get(end + delimiter.len()..).unwrap_or_default();
    }
    each(&Value { spot: Spot::Body, role: Role::Value, bytes: rest });
    true
}

fn walk_part(part: &[u8], each: &mut dyn FnMut(&Value<'_>)) {
    let (head, content) = match memchr::memmem::find(part, b"\r\n\r\n") {
        Some(at) => (part.get(..at).unwrap_or_default(), part.get(at + 4..).unwrap_or_default()),
        None => match memchr::memmem::find(part, b"\n\n") {
            Some(at) => (part.get(..at).unwrap_or_default(), part.get(at + 2..).unwrap_or_default()),
            None => (part, &b""[..]),
        },
    };
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    let mut name = &b""[..];
    let mut file_name = None;
    let mut is_text = true;
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        let Some(at) = memchr::memchr(b':', line) else { continue };
        let (field, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default().trim_ascii());
        if field.eq_ignore_ascii_case(b"content-disposition") {
            name = parameter(value, b"name").unwrap_or_default();
            file_name = parameter(value, b"filename*").or_else(|| parameter(value, b"filename"));
        } else {
            if field.eq_ignore_ascii_case(b"content-type") {
                let binary = [&b"image/"[..], b"audio/", b"video/", b"application/octet", b"application/zip"];
                is_text = !binary.iter().any(|kind| value.to_ascii_lowercase().starts_with(kind));
            }
            each(&Value { spot: Spot::Part(name), role: Role::Value, bytes: value });
        }
    }
    each(&Value { spot: Spot::Part(name), role: Role::Name, bytes: name });
    if let Some(file_name) = file_name {
        each(&Value { spot: Spot::FileName(name), role: Role::Value, bytes: file_name });
    }
    if is_text || file_name.is_none() {
        let role = if file_name.is_some() { Role::File } else { Role::Value };
        each(&Value { spot: Spot::Part(name), role, bytes: content });
    }
}

/// The value of a parameter behind `;`, without its quotes (RFC 9110, 5.6.6). Escapes inside quotes are kept: they are
/// decoded with the other layers.
pub(super) fn parameter<'a>(value: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value.get(memchr::memchr(b';', value)? + 1..)?;
    loop {
        let start = rest.trim_ascii_start();
        let at = memchr::memchr(b'=', start)?;
        let name = start.get(..at)?.trim_ascii();
        let after = start.get(at + 1..)?.trim_ascii_start();
        let (found, next) = if let Some(quoted) = after.strip_prefix(b"\"") {
            let end = closing_quote(quoted);
            (quoted.get(..end)?, quoted.get(end + 1..).unwrap_or_default())
        } else {
            let end = memchr::memchr(b';', after).unwrap_or(after.len());
            (after.get(..end)?.trim_ascii(), after.get(end..).unwrap_or_default())
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(found);
        }
        rest = next.get(memchr::memchr(b';', next)? + 1..)?;
    }
}

fn closing_quote(quoted: &[u8]) -> usize {
    let mut escaped = false;
    for (at, &byte) in quoted.iter().enumerate() {
        match byte {
            b'"' if !escaped => return at,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_names_and_file_names_are_found() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--x\r\n\
            Content-Disposition: form-data; name=f; filename=\"b;c.txt\"\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--x--";
        let mut seen = Vec::new();
        assert!(walk_multipart(b"multipart/form-data; boundary=x", body, &mut |value| {
            seen.push(format!("{} {:?} {}", value.spot.place().text(), value.role, value.bytes.escape_ascii()));
        }));
        let expected = [
            "body:a Name a",
            "body:a Value one",
            "body:f Value text/plain",
            "body:f Name f",
            "body:f (file name) Value b;c.txt",
            "body:f File two",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn broken_parameters_give_nothing() {
        assert_eq!(parameter(b"a; b", b"b"), None);
        assert_eq!(parameter(b"a; b=\"open", b"b"), Some(&b"open"[..]));
        assert_eq!(parameter(b"a", b"b"), None);
        assert_eq!(parameter(b"a; x=1 ; b=2", b"b"), Some(&b"2"[..]));
    }
}
