//! Bodies of forms with files (RFC 7578), read as ModSecurity does: what is odd is noted in flags that rules ask for.

use std::borrow::Cow;

use super::Values;
use crate::variable::Variable;

/// Most parts that are read.
const PARTS_MAX: usize = 500;

/// Most header lines of one part.
const LINES_MAX: usize = 32;

/// What is odd about a body.
#[derive(Default)]
struct Oddities {
    data_before: bool,
    data_after: bool,
    bare_lf: bool,
    crlf: bool,
    folded: bool,
    invalid_part: bool,
    invalid_quoting: bool,
    unmatched: bool,
}

/// One part of a body.
struct Part<'m> {
    lines: Vec<&'m [u8]>,
    content: &'m [u8],
}

impl<'m> Values<'m, '_> {
    pub(super) fn multipart(&mut self, content_type: &'m [u8], bytes: &'m [u8]) {
        let Some(boundary) = parameter(content_type, b"boundary").filter(|boundary| !boundary.is_empty()) else {
            return self.unreadable(bytes, "Multipart: no boundary");
        };
        let mut odd = Oddities::default();
        let parts = parts(bytes, &boundary, &mut odd);
        let mut files_bytes = 0;
        for part in &parts {
            self.part(part, &mut files_bytes, &mut odd);
        }
        self.set_number(Variable::FilesCombinedSize, files_bytes);
        if parts.is_empty() {
            self.unreadable(bytes, "Multipart: no part found");
        }
        let quoted = memchr::memmem::find(&content_type.to_ascii_lowercase(), b"boundary=\"").is_some();
        let strict = odd.data_before
            || odd.data_after
            || odd.folded
            || odd.invalid_part
            || odd.invalid_quoting
            || odd.unmatched
            || (odd.bare_lf && odd.crlf)
            || odd.bare_lf;
        for (variable, is_odd) in [
            (Variable::MultipartDataBefore, odd.data_before),
            (Variable::MultipartDataAfter, odd.data_after),
            (Variable::MultipartLfLine, odd.bare_lf),
            (Variable::MultipartCrlfLfLines, odd.bare_lf && odd.crlf),
            (Variable::MultipartHeaderFolding, odd.folded),
            (Variable::MultipartInvalidPart, odd.invalid_part),
            (Variable::MultipartInvalidQuoting, odd.invalid_quoting),
            (Variable::MultipartUnmatchedBoundary, odd.unmatched),
            (Variable::MultipartBoundaryQuoted, quoted),
            (Variable::MultipartStrictError, strict),
        ] {
            if is_odd {
                self.set(variable, &b"1"[..]);
            }
        }
    }

    fn part(&mut self, part: &Part<'m>, files_bytes: &mut usize, odd: &mut Oddities) {
        let header = |name: &[u8]| {
            let found = part.lines.iter().find_map(|line| {
                let at = memchr::memchr(b':', line)?;
                let (found, value) = (line.get(..at)?, line.get(at + 1..)?);
                found.trim_ascii().eq_ignore_ascii_case(name).then_some(value.trim_ascii())
            });
            found.unwrap_or_default()
        };
        let disposition = header(b"content-disposition");
        let name: Cow<'m, [u8]> = match parameter(disposition, b"name") {
            Some(name) => Cow::Owned(name),
            None => {
                odd.invalid_part = true;
                Cow::Borrowed(b"")
            }
        };
        for line in &part.lines {
            self.add(Variable::MultipartPartHeaders, name.clone(), Cow::Borrowed(line));
        }
        self.add(Variable::MultipartName, name.clone(), name.clone());
        let file = parameter(disposition, b"filename").or_else(|| parameter(disposition, b"filename*"));
        match file {
            Some(file) => {
                let file: Cow<'m, [u8]> = Cow::Owned(file);
                odd.invalid_quoting |= memchr::memchr(b'\'', &file).is_some();
                self.add(Variable::MultipartFilename, name.clone(), file.clone());
                self.add(Variable::Files, name.clone(), file);
                self.add(Variable::FilesNames, name.clone(), name.clone());
                let length = part.content.len().to_string().into_bytes();
                self.add(Variable::FilesSizes, name.clone(), Cow::Owned(length));
                self.add(Variable::FilesTmpContent, name, Cow::Borrowed(part.content));
                *files_bytes += part.content.len();
            }
            None => {
                let content = Cow::Borrowed(part.content);
                self.argument(Variable::ArgsPost, Variable::ArgsPostNames, name, content);
            }
        }
    }
}

/// A parameter of a header value (`name="a b"; x=y`), unquoted.
fn parameter(value: &[u8], wanted: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest.get(at + 1..)?.trim_ascii_start();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        rest = after;
        let Some(after) = after.strip_prefix(b"=") else { continue };
        let after = after.trim_ascii_start();
        let mut found = Vec::new();
        if let Some(quoted) = after.strip_prefix(b"\"") {
            let mut at = 0;
            while let Some(&byte) = quoted.get(at) {
                match (byte, quoted.get(at + 1)) {
                    (b'"', _) => break,
                    (b'\\', Some(b'"' | b'\\')) => {
                        found.extend(quoted.get(at + 1));
                        at += 1;
                    }
                    _ => found.push(byte),
                }
                at += 1;
            }
            rest = quoted.get(at..).unwrap_or_default();
        } else {
            let end = memchr::memchr(b';', after).unwrap_or(after.len());
            let (plain, behind) = after.split_at_checked(end)?;
            found.extend_from_slice(plain.trim_ascii_end());
            rest = behind;
        }
        if name.trim_ascii().eq_ignore_ascii_case(wanted) {
            return Some(found);
        }
    }
    None
}

/// Cuts a body at its boundaries.
fn parts<'m>(bytes: &'m [u8], boundary: &[u8], odd: &mut Oddities) -> Vec<Part<'m>> {
    let delimiter = [b"--", boundary].concat();
    let mut found = Vec::new();
    let mut open: Option<usize> = None;
    let mut closed = false;
    let mut at = 0;
    // Line by line: a boundary stands at the beginning of one.
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()).map_or(bytes.len(), |end| at + end + 1);
        let line = bytes.get(at..end).unwrap_or_default();
        let ends_in_crlf = line.ends_with(b"\r\n");
        odd.crlf |= ends_in_crlf;
        if let Some(after) = line.strip_prefix(&delimiter[..]) {
            odd.bare_lf |= line.ends_with(b"\n") && !ends_in_crlf;
            if let Some(from) = open.take()
                && found.len() < PARTS_MAX
            {
                found.push(part(bytes.get(from..at).unwrap_or_default(), odd));
            }
            let after = after.trim_ascii();
            match after {
                b"" if !closed => open = Some(end),
                b"--" => closed = true,
                _ => odd.unmatched = true,
            }
        } else if open.is_none() && !line.trim_ascii().is_empty() {
            odd.data_before |= !closed;
            odd.data_after |= closed;
        } else if line.starts_with(b"--") && open.is_some() && line.trim_ascii().len() > delimiter.len() {
            odd.unmatched |= line.get(2..).is_some_and(|line| line.starts_with(b"-----"));
        }
        at = end;
    }
    if let Some(from) = open {
        odd.invalid_part = true;
        found.push(part(bytes.get(from..).unwrap_or_default(), odd));
    }
    found
}

fn part<'m>(bytes: &'m [u8], odd: &mut Oddities) -> Part<'m> {
    let mut lines: Vec<&'m [u8]> = Vec::new();
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        odd.folded |= matches!(line.first(), Some(b' ' | b'\t'));
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
    }
    let content = rest.strip_suffix(b"\r\n").or_else(|| rest.strip_suffix(b"\n")).unwrap_or(rest);
    Part { lines, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found() {
        let value = b"form-data; name=\"a\\\"b;c\"; filename=x.txt ; other";
        assert_eq!(parameter(value, b"name").unwrap(), b"a\"b;c");
        assert_eq!(parameter(value, b"FILENAME").unwrap(), b"x.txt");
        assert_eq!(parameter(value, b"other"), None);
    }

    #[test]
    fn bodies_are_cut_at_boundaries() {
        let mut odd = Oddities::default();
        let body =
            b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n--x\r\nA: b\r\n\r\n\r\n--x--\r\n";
        let found = parts(body, b"x", &mut odd);
        assert_eq!(found.iter().map(|part| part.content).collect::<Vec<_>>(), [&b"1\r\n2"[..], b""]);
        assert_eq!(found[1].lines, [b"A: b"]);
        assert!(!odd.data_before && !odd.data_after && !odd.bare_lf);
        let found = parts(b"pre\r\n--x\n\nv", b"x", &mut odd);
        assert_eq!((found.len(), found[0].content), (1, &b"v"[..]));
        assert!(odd.data_before && odd.bare_lf && odd.invalid_part);
    }
}
