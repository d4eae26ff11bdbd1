//! Multipart bodies: whether every reader finds the same parts, names and types in them (RFC 2046, 5.1; RFC 7578).
//!
//! Frameworks split multipart bodies in very different ways: at a boundary without its line end, at one that only begins
//! alike, with bare line feeds. A file that one of them stores can be invisible to another, so what only some of them
//! accept is refused.

use model::finding::{Confidence, Findings, Place};
use model::reason::Anomaly;

use super::charset::{self, Charset};
use super::content_type::{self, Parameter};
use super::{excerpt, finding, likely, with};
use crate::http1::is_token;

/// Parts judged; forms have fewer.
const PARTS_MAX: usize = 512;
/// Lines of a part's head judged.
const HEAD_LINES_MAX: usize = 16;

/// Judges a body that its Content-Type declares with this boundary. `whole` is false when its end was not held.
pub(super) fn judge(body: &[u8], whole: bool, boundary: &[u8], is_form: bool, out: &mut Findings) {
    let mut judged = Judged { out, is_form, reported: 0 };
    let delimiter = [b"--", boundary].concat();
    let finder = memchr::memmem::Finder::new(&delimiter);
    let (mut parts, mut closed, mut opened) = (0, false, false);
    for at in finder.find_iter(body) {
        if closed || parts > PARTS_MAX {
            break;
        }
        let behind = body.get(at + delimiter.len()..).unwrap_or_default();
        let at_line_start = at == 0 || body.get(..at).is_some_and(|before| before.ends_with(b"\r\n"));
        if !opened && at > 2 {
            judged.report(Confidence::Likely, Anomaly::MultipartMalformed, "text before the first boundary");
        }
        opened = true;
        if !at_line_start {
            judged.report(Confidence::Sure, Anomaly::MultipartMalformed, "a boundary not at the start of a line");
        }
        if behind.starts_with(b"--") {
            closed = true;
            if !matches!(behind.get(2..), Some([] | [b'\r' | b'\n', ..])) {
                judged.report(Confidence::Sure, Anomaly::MultipartMalformed, "text behind the last boundary");
            }
            continue;
        }
        let padding = behind.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
        match behind.get(padding..) {
            Some([b'\r', b'\n', head @ ..]) => judged.part(head),
            Some([b'\n', head @ ..]) => {
                judged.report(Confidence::Likely, Anomaly::MultipartMalformed, "lines end with LF alone");
                judged.part(head);
            }
            Some([] | [b'\r']) if !whole => {}
            _ => judged.report(
                Confidence::Sure,
                Anomaly::MultipartMalformed,
                "a line that only begins like the boundary",
            ),
        }
        parts += 1;
    }
    if !opened {
        judged.report(Confidence::Sure, Anomaly::MultipartMalformed, "no boundary in the body");
    } else if whole && !closed {
        judged.report(Confidence::Sure, Anomaly::MultipartMalformed, "no last boundary");
    }
}

struct Judged<'a> {
    out: &'a mut Findings,
    is_form: bool,
    reported: usize,
}

/// What one part's head says.
#[derive(Default)]
struct PartHead<'a> {
    disposition: Option<&'a [u8]>,
    name: &'a [u8],
    content: &'a [u8],
}

impl Judged<'_> {
    /// A hostile body could hold thousands of anomalies; the first few tell it.
    fn report(&mut self, confidence: Confidence, anomaly: Anomaly, evidence: &str) {
        const FINDINGS_MAX: usize = 8;
        if self.reported < FINDINGS_MAX {
            self.reported += 1;
            self.out.push(with(confidence, anomaly, Place::Body("".into()), evidence));
        }
    }

    fn part(&mut self, text: &[u8]) {
        let mut head = PartHead::default();
        let mut rest = text;
        for _ in 0..HEAD_LINES_MAX {
            let Some(line_feed) = memchr::memchr(b'\n', rest) else { return };
            let line = rest.get(..line_feed).unwrap_or_default();
            rest = rest.get(line_feed + 1..).unwrap_or_default();
            let line = match line.split_last() {
                Some((b'\r', line)) => line,
                _ => {
                    self.report(Confidence::Likely, Anomaly::MultipartMalformed, "lines end with LF alone");
                    line
                }
            };
            if line.is_empty() {
                head.content = rest;
                return self.part_charset(&head);
            }
            self.head_line(line, &mut head);
        }
        self.report(Confidence::Likely, Anomaly::MultipartMalformed, "a part with a very long head");
    }

    fn head_line<'a>(&mut self, line: &'a [u8], head: &mut PartHead<'a>) {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let name = line.get(..colon).unwrap_or_default();
        if !is_token(name) || colon == line.len() {
            // A first line without a colon is how some libraries send a part without a head and its empty line.
            let confidence =
                if colon == line.len() && head.disposition.is_none() { Confidence::Likely } else { Confidence::Sure };
            return self.report(confidence, Anomaly::MultipartMalformed, &format!("head line `{}`", excerpt(line)));
        }
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            if head.disposition.is_some() {
                self.report(Confidence::Sure, Anomaly::MultipartMalformed, "a part with two Content-Disposition");
            }
            head.disposition = Some(value);
            head.name = self.disposition(value);
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type(value);
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            // RFC 7578, 4.7: deprecated. Who honours it reads another file than who does not.
            let plain = [&b"7bit"[..], b"8bit", b"binary"].iter().any(|own| own.eq_ignore_ascii_case(value));
            if !plain && self.is_form {
                self.report(Confidence::Likely, Anomaly::MultipartMalformed, &format!("encoding {}", excerpt(value)));
            }
        }
    }

    /// Judges the parameters of a Content-Disposition and returns the part's name.
    fn disposition<'a>(&mut self, value: &'a [u8]) -> &'a [u8] {
        let (kind, mut parameters) = content_type::split(value);
        if self.is_form && !kind.eq_ignore_ascii_case(b"form-data") {
            self.report(Confidence::Likely, Anomaly::MultipartMalformed, "a part that is no form-data");
        }
        let (mut name, mut file) = (None::<&[u8]>, None::<&[u8]>);
        while let Some(next) = content_type::parameter(parameters) {
            let Ok((parameter, rest)) = next else {
                self.report(Confidence::Sure, Anomaly::MultipartMalformed, "Content-Disposition");
                break;
            };
            parameters = rest;
            let Parameter { name: key, value } = parameter;
            let slot = if key.eq_ignore_ascii_case(b"name") {
                &mut name
            } else if key.eq_ignore_ascii_case(b"filename") {
                &mut file
            } else {
                continue;
            };
            if slot.replace(value).is_some() {
                self.report(Confidence::Sure, Anomaly::MultipartNameSuspicious, "a name given twice");
            }
            if let Some(confidence) = judge_name(value) {
                self.report(confidence, Anomaly::MultipartNameSuspicious, &excerpt(value));
            }
        }
        name.unwrap_or_default()
    }

    fn content_type(&mut self, value: &[u8]) {
        let (_, mut parameters) = content_type::split(value);
        while let Some(Ok((parameter, rest))) = content_type::parameter(parameters) {
            parameters = rest;
            if parameter.name.eq_ignore_ascii_case(b"charset") {
                self.charset(parameter.value);
            }
        }
    }

    /// RFC 7578, 4.6: the part `_charset_` names the charset of all others.
    fn part_charset(&mut self, head: &PartHead<'_>) {
        if self.is_form && head.name == b"_charset_" {
            let end = memchr::memchr2(b'\r', b'\n', head.content).unwrap_or(head.content.len());
            self.charset(head.content.get(..end).unwrap_or_default());
        }
    }

    fn charset(&mut self, name: &[u8]) {
        match charset::judge(name) {
            Charset::Usual => {}
            Charset::Unusual => {
                self.out.push(likely(Anomaly::MultipartCharset, Place::Body("".into()), &excerpt(name)))
            }
            Charset::Refused => {
                self.out.push(finding(Anomaly::MultipartCharset, Place::Body("".into()), &excerpt(name)))
            }
        }
    }
}

/// Names and file names whose end or text readers see differently: quotes and backslashes, semicolons, control bytes.
fn judge_name(name: &[u8]) -> Option<Confidence> {
    if name.iter().any(|&byte| byte < 0x20 || byte == 0x7f) {
        return Some(Confidence::Sure);
    }
    // Old browsers send the whole path of a file.
    let is_windows_path = matches!(name, [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic());
    let semicolon_at = |from: usize| name.get(from..).and_then(|rest| memchr::memchr(b';', rest)).map(|at| from + at);
    let mut semicolon = semicolon_at(0);
    while let Some(at) = semicolon {
        if !ends_entity(name.get(..at).unwrap_or_default()) {
            return Some(Confidence::Sure);
        }
        semicolon = semicolon_at(at + 1);
    }
    if name.contains(&b'"') || (name.contains(&b'\\') && !is_windows_path) {
        return Some(Confidence::Sure);
    }
    name.contains(&b'=').then_some(Confidence::Likely)
}

/// Browsers write `&#1234;` for what the form's charset cannot hold, and old tools `&eacute;` or `&amp;`: the semicolon that
/// ends such an entity splits nothing.
fn ends_entity(before: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'&', before) else { return false };
    match before.get(at + 1..) {
        Some([b'#', digits @ ..]) => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        Some(name) => matches!(name.len(), 2..=8) && name.iter().all(u8::is_ascii_alphanumeric),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(body: &str) -> Vec<String> {
        let mut out = Findings::new();
        judge(body.as_bytes(), true, b"xx", true, &mut out);
        let name = |finding: &model::finding::Finding| {
            let code = finding.reason.code().trim_start_matches("hygiene.");
            format!("{code} {:?}: {}", finding.confidence, finding.evidence)
        };
        out.iter().map(name).collect()
    }

    fn part(head: &str) -> Vec<String> {
        check(&format!("--xx\r\n{head}\r\n\r\ncontent\r\n--xx--\r\n"))
    }

    #[test]
    fn ordinary_bodies_are_silent() {
        for head in [
            "Content-Disposition: form-data; name=\"a\"",
            "content-disposition: form-data; name=a; filename=b.txt\r\nContent-Type: text/plain; charset=utf-8",
            "Content-Disposition: form-data; name=\"f\"; filename=\"O'Brien & Co (1).pdf\"\r\nContent-Type: application/pdf",
            "Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"; filename*=UTF-8''%e2%82%ac.txt",
            "Content-Disposition: form-data; name=\"f\"; filename=\"C:\\Users\\x\\a.txt\"",
            "Content-Disposition: form-data; name=\"f\"; filename=\"&#26085;&eacute;.txt\"",
            "Content-Disposition: form-data; name=\"f[0][\u{e9}]\"\r\nContent-Transfer-Encoding: binary\r\nContent-Length: 7",
        ] {
            assert_eq!(part(head), Vec::<String>::new(), "{head}");
        }
        assert_eq!(check("\r\n--xx--"), Vec::<String>::new());
    }

    #[test]
    fn tricks_are_found() {
        let first = |head: &str| part(head).first().map(|text| text.split(':').next().unwrap().to_owned());
        for (head, expected) in [
            ("Content-Disposition: form-data; name=\"a;b\"", "multipart-name-suspicious Sure"),
            ("Content-Disposition: form-data; name=\"f\"; filename=\"a.p\\h\\p\"", "multipart-name-suspicious Sure"),
            ("Content-Disposition: form-data; name=\"f\"; filename=\"&amp;x;y\"", "multipart-name-suspicious Sure"),
            ("Content-Disposition: form-data; name=\"f\"; filename=\"a=b\"", "multipart-name-suspicious Likely"),
            ("Content-Disposition: form-data; name=\"f\"; name=\"g\"", "multipart-name-suspicious Sure"),
            ("Content-Disposition: form-data; name=\"f\"; filename=a; filename=b", "multipart-name-suspicious Sure"),
            ("Content-Disposition: form-data; name=\"f", "multipart-malformed Sure"),
            (
                "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
                "multipart-malformed Sure",
            ),
            ("\u{e}Content-Disposition: form-data; name=a", "multipart-malformed Sure"),
            ("Content- Disposition: form-data; name=a", "multipart-malformed Sure"),
            ("Content-Disposition: attachment; name=a", "multipart-malformed Likely"),
            (
                "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=utf-7",
                "multipart-charset Sure",
            ),
            (
                "Content-Disposition: form-data; name=a\r\nCoNtEnT-TyPe: text/x; charset = utf-16",
                "multipart-charset Sure",
            ),
            (
                "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
                "multipart-malformed Likely",
            ),
        ] {
            assert_eq!(first(head).as_deref(), Some(expected), "{head}");
        }
        let charset = "--xx\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nutf-7\r\n--xx--\r\n";
        assert_eq!(check(charset), ["multipart-charset Sure: utf-7"]);
    }

    #[test]
    fn boundaries_are_exact() {
        let head = "Content-Disposition: form-data; name=a\r\n\r\n1";
        for (body, evidence) in [
            (format!("--xx\r\n{head}\r\n"), "no last boundary"),
            ("a=b".to_owned(), "no boundary in the body"),
            (format!("--xx\r\n{head}\r\n--xxy\r\n{head}\r\n--xx--"), "a line that only begins like the boundary"),
            (format!("--xx\r\n{head}\n--xx\r\n{head}\r\n--xx--"), "a boundary not at the start of a line"),
            (format!("--xx\r\n{head}\r\n--xx--more"), "text behind the last boundary"),
            (format!("GIF89a\r\n--xx\r\n{head}\r\n--xx--"), "text before the first boundary"),
            (format!("--xx\n{head}\r\n--xx--"), "lines end with LF alone"),
        ] {
            let found = check(&body);
            assert!(found.iter().any(|text| text.ends_with(evidence)), "{body:?}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(body in proptest::collection::vec(prop_oneof![
            Just(b'-'), Just(b'x'), Just(b'\r'), Just(b'\n'), Just(b':'), Just(b';'), Just(b'"'), Just(b'='), any::<u8>()], 0..300)) {
            let mut out = Findings::new();
            judge(&body, true, b"xx", true, &mut out);
            prop_assert!(out.len() <= 600);
        }
    }
}
