//! Multipart bodies (RFC 7578, RFC 2046 section 5.1): parts with their names, linear in the body.

/// Most parts of one body.
const PARTS_MAX: usize = 1_000;
/// Largest head of one part, in bytes.
const PART_HEAD_BYTES_MAX: usize = 8 * 1024;

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'b> {
    pub(crate) name: String,
    pub(crate) is_file: bool,
    pub(crate) content_type: Option<String>,
    pub(crate) content: &'b [u8],
}

/// Takes a body apart. The error says what is wrong with it.
pub(crate) fn parts<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<Part<'b>>, &'static str> {
    let delimiter = format!("--{boundary}");
    let finder_text = format!("\r\n--{boundary}");
    let finder = memchr::memmem::Finder::new(finder_text.as_bytes());
    // What stands before the first delimiter is a preamble, which browsers and libraries never send.
    let Some(mut rest) = body.strip_prefix(delimiter.as_bytes()) else {
        return Err("the body does not begin with its boundary");
    };
    let mut list = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(b"--") {
            let is_clean = after.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\t'));
            return if is_clean { Ok(list) } else { Err("something follows the last part") };
        }
        let Some(part) = rest.strip_prefix(b"\r\n") else { return Err("a boundary is not followed by a line break") };
        if list.len() >= PARTS_MAX {
            return Err("too many parts");
        }
        // The line break before an empty content belongs to the head.
        let Some(head_end) = memchr::memmem::find(part, b"\r\n\r\n") else {
            return Err("a part has no end of its head");
        };
        if head_end > PART_HEAD_BYTES_MAX {
            return Err("the head of a part is too large");
        }
        let head = std::str::from_utf8(part.get(..head_end).unwrap_or_default())
            .map_err(|_| "the head of a part is not UTF-8")?;
        let content_start = part.get(head_end + 2..).unwrap_or_default();
        let Some(end) = finder.find(content_start) else { return Err("the last boundary is missing") };
        let content = content_start.get(2..end).unwrap_or_default();
        list.push(part_of(head, content)?);
        rest = content_start.get(end + finder_text.len()..).unwrap_or_default();
    }
}

fn part_of<'b>(head: &str, content: &'b [u8]) -> Result<Part<'b>, &'static str> {
    let mut name = None;
    let mut is_file = false;
    let mut content_type = None;
    for line in head.split("\r\n") {
        let Some((field, value)) = line.split_once(':') else { return Err("a part has a malformed field") };
        if field.eq_ignore_ascii_case("content-disposition") {
            if name.is_some() {
                return Err("a part has two dispositions");
            }
            name = quoted_parameter(value, "name");
            is_file = quoted_parameter(value, "filename").is_some() || quoted_parameter(value, "filename*").is_some();
        } else if field.eq_ignore_ascii_case("content-type") {
            content_type = Some(value.trim().to_owned());
        }
    }
    match name {
        Some(name) => Ok(Part { name, is_file, content_type, content }),
        None => Err("a part has no name"),
    }
}

/// The value of `; name="value"`, backslash escapes undone.
fn quoted_parameter(field: &str, wanted: &str) -> Option<String> {
    let mut rest = field.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        let value;
        if let Some(quoted) = after.trim_start().strip_prefix('"') {
            let mut text = String::new();
            let mut characters = quoted.char_indices();
            let end = loop {
                match characters.next()? {
                    (_, '\\') => text.push(characters.next()?.1),
                    (at, '"') => break at,
                    (_, c) => text.push(c),
                }
            };
            value = text;
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else {
            let end = after.find(';').unwrap_or(after.len());
            let (token, tail) = after.split_at(end);
            value = token.trim().to_owned();
            rest = tail;
        }
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = rest.trim_start().strip_prefix(';')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_apart() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"a\\\"1\"\r\n\r\nx\r\n--by\r\n--b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; filename=\"f\"; name=n\r\n\r\n\r\n--b--\r\n";
        let list = parts(body, "b");
        // `--by` begins with the delimiter but goes on: RFC 2046 forbids it inside content.
        assert_eq!(list, Err("a boundary is not followed by a line break"));
        let body = b"--b\r\nContent-Disposition: form-data; name=\"a\\\"1\"\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; filename=\"f\"; name=n\r\n\r\n\r\n--b--\r\n";
        let list = parts(body, "b").unwrap();
        assert_eq!((list[0].name.as_str(), list[0].content, list[0].is_file), ("a\"1", &b"x"[..], false));
        assert_eq!((list[1].name.as_str(), list[1].content, list[1].is_file), ("n", &b""[..], true));
        assert_eq!(list[1].content_type.as_deref(), Some("text/plain"));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body in "(--b|\r\n|--|name=|\"|Content-Disposition: form-data; |x|;|\\\\){0,30}") {
            let _ = parts(body.as_bytes(), "b");
        }
    }
}
