//! The request target: encodings and separators that readers understand differently.

use model::finding::{Confidence, Findings, Place};
use model::reason::Anomaly;

use super::policy::{Answer, HygienePolicy};
use super::{excerpt, finding, hint, likely, with};
use crate::view::RequestView;

/// Judges path and query as they came; the canonical form is what is matched and forwarded.
pub(super) fn judge(policy: &HygienePolicy, request: &RequestView<'_>, out: &mut Findings) {
    let (path, query) = (request.head.path(), request.head.query());
    let is_special = |byte: u8| (byte == b'%') | (byte == b'\\') | (byte == b';') | (byte >= 0x80);
    let special = path.iter().fold(false, |special, &byte| special | is_special(byte));
    let behind = path.get(1..).unwrap_or_default();
    let empty = path.iter().zip(behind).fold(false, |empty, (&byte, &next)| empty | ((byte == b'/') & (next == b'/')));
    if empty {
        out.push(hint(Anomaly::TargetEmptySegment, Place::Path, &excerpt(path)));
    }
    if special {
        judge_path(path, out);
    }
    judge_extension(policy, request.path, out);
    if let Some(query) = query {
        let escaped = memchr::memchr(b'%', query).is_some();
        if escaped {
            judge_escapes(query, &Place::Query("".into()), out);
        }
        if escaped || memchr::memchr(b'|', query).is_some() {
            judge_proxy_prefix(query, out);
        }
        judge_method_parameter(policy, &request.head.method, query, out);
    }
}

/// True when a path has a segment of two dots, plain or escaped.
pub(super) fn climbs(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|segment| matches!(segment.len(), 2 | 4 | 6) && decoded(segment) == b"..")
}

/// True when a percent sign begins no escape.
pub(super) fn has_bad_escape(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).any(|at| escape_at(text, at).is_none())
}

fn judge_path(path: &[u8], out: &mut Findings) {
    if memchr::memchr(b'\\', path).is_some() {
        out.push(finding(Anomaly::TargetBackslash, Place::Path, &excerpt(path)));
    }
    judge_escapes(path, &Place::Path, out);
    let once = decoded(path);
    judge_line_breaks(path, &once, out);
    let separators = |text: &[u8]| text.iter().filter(|&&byte| matches!(byte, b'/' | b'\\')).count();
    if separators(&once) > separators(path) {
        out.push(hint(Anomaly::TargetEncodedSlash, Place::Path, &excerpt(path)));
    }
    if let Some(anomaly) = double_encoding(path, &once) {
        out.push(anomaly);
    }
    let folded = folded_path(&once);
    let shows = |text: &[u8]| text.split(|&byte| byte == b'/').any(|segment| segment == b"..");
    // Dots that the canonical form removed are reported as what they are; these are what it leaves.
    if shows(&folded) && !climbs(path) {
        out.push(finding(Anomaly::TargetHiddenDots, Place::Path, &excerpt(path)));
    } else if has_lookalike(&once) {
        out.push(likely(Anomaly::TargetLookalike, Place::Path, &excerpt(path)));
    }
}

/// NUL, overlong UTF-8 and `%u` escapes, in a path or a query; one finding of each kind.
fn judge_escapes(text: &[u8], place: &Place, out: &mut Findings) {
    let (mut nul, mut overlong, mut unicode, mut high) = (None, None, None, false);
    for at in memchr::memchr_iter(b'%', text) {
        match escape_at(text, at) {
            Some(0) => nul = nul.or(Some(at)),
            Some(lead @ (0xc0 | 0xc1 | 0xe0 | 0xf0)) => {
                high = true;
                let second = text.get(at + 3).filter(|&&byte| byte == b'%').and_then(|_| escape_at(text, at + 3));
                let is_overlong = matches!(
                    (lead, second),
                    (0xc0 | 0xc1, Some(0x80..=0xbf)) | (0xe0, Some(0x80..=0x9f)) | (0xf0, Some(0x80..=0x8f))
                );
                if is_overlong {
                    overlong = overlong.or(Some(at));
                }
            }
            Some(0x80..) => high = true,
            None if matches!(text.get(at + 1), Some(b'u' | b'U'))
                && text.get(at + 2..at + 6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) =>
            {
                unicode = unicode.or(Some(at));
            }
            _ => {}
        }
    }
    let shown = |at: usize| excerpt(text.get(at..text.len().min(at + 9)).unwrap_or_default());
    if let Some(at) = nul {
        out.push(finding(Anomaly::TargetNul, place.clone(), &shown(at)));
    }
    if let Some(at) = overlong {
        out.push(finding(Anomaly::TargetOverlong, place.clone(), &shown(at)));
    } else if high && std::str::from_utf8(&decoded(text)).is_err() {
        out.push(hint(Anomaly::TargetNotUtf8, place.clone(), ""));
    }
    if let Some(at) = unicode {
        out.push(likely(Anomaly::TargetUnicodeEscape, place.clone(), &shown(at)));
    }
}

/// A line break in a path is legal as an escape, and splits heads where a server writes the decoded path into one. No
/// router has a use for it; other control characters are only odd.
fn judge_line_breaks(path: &[u8], once: &[u8], out: &mut Findings) {
    let Some(at) = once.iter().position(|&byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) else { return };
    if once.get(at) == Some(&0) {
        return;
    }
    let splits = memchr::memchr2(b'\r', b'\n', once.get(at..).unwrap_or_default()).is_some();
    let confidence = if splits { Confidence::Sure } else { Confidence::Likely };
    out.push(with(confidence, Anomaly::TargetLineBreak, Place::Path, &excerpt(path)));
}

/// Escapes inside escapes. What they hide decides: a dot, a separator or a NUL has no honest use.
fn double_encoding(path: &[u8], once: &[u8]) -> Option<model::finding::Finding> {
    memchr::memmem::find(path, b"%25")?;
    let (mut found, mut hostile) = (false, false);
    for at in memchr::memchr_iter(b'%', once) {
        if let Some(value) = escape_at(once, at) {
            found = true;
            hostile |= matches!(value, b'.' | b'\\' | 0) || (value == b'%' && escape_at(once, at).is_some());
        }
    }
    let confidence = if hostile { Confidence::Sure } else { Confidence::Likely };
    found.then(|| with(confidence, Anomaly::TargetDoubleEncoding, Place::Path, &excerpt(path)))
}

fn judge_extension(policy: &HygienePolicy, path: &[u8], out: &mut Findings) {
    let segment_start = memchr::memrchr(b'/', path).map_or(0, |at| at + 1);
    let last = path.get(segment_start..).unwrap_or_default();
    let restricted = memchr::memrchr(b'.', last)
        .and_then(|dot| last.get(dot + 1..))
        .is_some_and(|extension| policy.extensions_restricted.contains(extension));
    // Editors keep the version before as `name.php~`; a home directory is `/~name`.
    let backup = memchr::memchr(b'~', path).is_some()
        && path.split(|&byte| byte == b'/').any(|segment| segment.ends_with(b"~") && segment.contains(&b'.'));
    if restricted || backup {
        out.push(finding(Anomaly::ExtensionRestricted, Place::Path, &excerpt(last)));
    }
}

/// `unix:...|http://...` makes an Apache proxy behind us send the request elsewhere.
fn judge_proxy_prefix(query: &[u8], out: &mut Findings) {
    let decoded = decoded(query);
    let Some(at) = memchr::memmem::find(&decoded, b"unix:") else { return };
    let behind = decoded.get(at..).unwrap_or_default();
    if memchr::memmem::find(behind, b"|http").is_some() || memchr::memmem::find(behind, b"|fcgi").is_some() {
        out.push(finding(Anomaly::TargetProxyPrefix, Place::Query("".into()), "unix:...|..."));
    }
}

/// `_method=DELETE`, which Rails, Laravel and others take for the method of a POST.
fn judge_method_parameter(policy: &HygienePolicy, method: &[u8], query: &[u8], out: &mut Findings) {
    if policy.method_override == Answer::Accept {
        return;
    }
    for at in memchr::memchr_iter(b'_', query) {
        let begins = at == 0 || query.get(at - 1) == Some(&b'&');
        if let Some(value) = query.get(at..).and_then(|rest| rest.strip_prefix(b"_method=")).filter(|_| begins) {
            let asked = decoded(value.split(|&byte| byte == b'&').next().unwrap_or_default());
            judge_override(policy, method, &asked, Place::Query("_method".into()), out);
            return;
        }
    }
}

/// Judges that a field or parameter asks for the method `asked`.
pub(super) fn judge_override(policy: &HygienePolicy, method: &[u8], asked: &[u8], place: Place, out: &mut Findings) {
    let upper = asked.to_ascii_uppercase();
    if !(3..=16).contains(&asked.len()) || !asked.iter().all(u8::is_ascii_alphabetic) || upper == method {
        return;
    }
    // Tunnelling through POST is what overriding is for; from a safe method it goes around the protection of the others.
    let refused = method != b"POST" || !policy.allows_method(&upper);
    let confidence = match policy.method_override {
        Answer::Accept => return,
        Answer::Report if refused => Confidence::Sure,
        Answer::Report => Confidence::Likely,
        Answer::Refuse => Confidence::Sure,
    };
    out.push(with(confidence, Anomaly::MethodOverride, place, &excerpt(asked)));
}

/// The value of the escape at a percent sign.
fn escape_at(text: &[u8], at: usize) -> Option<u8> {
    let &[high, low] = text.get(at + 1..at + 3)? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

/// Percent-escapes decoded once; what is no escape stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match escape_at(text, at).filter(|_| byte == b'%') {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// Characters that some readers fold to a dot, a slash or a backslash: full-width forms, leaders, other slashes; and the
/// overlong spellings of the ASCII ones.
const FOLDED: [(&[u8], &[u8]); 14] = [
    ("\u{ff0e}".as_bytes(), b"."),
    ("\u{2024}".as_bytes(), b"."),
    ("\u{2025}".as_bytes(), b".."),
    ("\u{ff0f}".as_bytes(), b"/"),
    ("\u{2215}".as_bytes(), b"/"),
    ("\u{2044}".as_bytes(), b"/"),
    ("\u{ff3c}".as_bytes(), b"/"),
    ("\u{fe68}".as_bytes(), b"/"),
    (b"\xc0\xae", b"."),
    (b"\xc0\xaf", b"/"),
    (b"\xc1\x9c", b"/"),
    (b"\xe0\x80\xae", b"."),
    (b"\xe0\x80\xaf", b"/"),
    (b"\xe0\x81\x9c", b"/"),
];

fn has_lookalike(once: &[u8]) -> bool {
    let starts = |at: usize| {
        let rest = once.get(at..).unwrap_or_default();
        FOLDED.iter().take(8).any(|(from, _)| rest.starts_with(from))
    };
    memchr::memchr2_iter(0xef, 0xe2, once).any(starts)
}

/// The path as the most lenient reader sees it: decoded twice, `%u` escapes too, lookalikes folded, backslashes as slashes,
/// path parameters cut off, ended by a NUL.
fn folded_path(once: &[u8]) -> Vec<u8> {
    let twice = decoded(once);
    let mut out = Vec::with_capacity(twice.len());
    let mut rest = twice.as_slice();
    let mut in_parameter = false;
    while let Some((&byte, after)) = rest.split_first() {
        let unicode = rest.get(1..6).filter(|escape| byte == b'%' && matches!(escape.first(), Some(b'u' | b'U')));
        let unicode = unicode
            .and_then(|escape| std::str::from_utf8(escape.get(1..)?).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        let mut buf = [0; 4];
        let (from, len) = match unicode {
            Some(letter) => (letter.encode_utf8(&mut buf).as_bytes(), 6),
            None => (rest, 0),
        };
        let fold = FOLDED.iter().find(|(own, _)| (byte >= 0x80 || len > 0) && from.starts_with(own));
        let (to, taken): (&[u8], usize) = match fold {
            Some((own, to)) => (to, if len > 0 { len } else { own.len() }),
            None if len > 0 => (from, len),
            None => (std::slice::from_ref(&byte), 1),
        };
        rest = rest.get(taken..).unwrap_or(after);
        for &byte in to {
            match byte {
                0 => return out,
                b'/' | b'\\' => {
                    in_parameter = false;
                    out.push(b'/');
                }
                b';' => in_parameter = true,
                _ if in_parameter => {}
                _ => out.push(byte),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::canonical_target;
    use proptest::prelude::*;

    /// The findings for a target of a GET as `reason confidence` lines.
    fn check(target: &str) -> Vec<String> {
        let mut out = Findings::new();
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let canonical = canonical_target(path.as_bytes(), query.map(str::as_bytes));
        let policy = HygienePolicy::default();
        if path.bytes().any(|byte| matches!(byte, b'%' | b'\\' | b';') || byte >= 0x80) {
            judge_path(path.as_bytes(), &mut out);
        }
        judge_extension(&policy, &canonical.path, &mut out);
        if let Some(query) = query {
            judge_escapes(query.as_bytes(), &Place::Query("".into()), &mut out);
            judge_proxy_prefix(query.as_bytes(), &mut out);
            judge_method_parameter(&policy, b"GET", query.as_bytes(), &mut out);
        }
        let name = |finding: &model::finding::Finding| {
            format!("{} {:?}", finding.reason.code().trim_start_matches("hygiene."), finding.confidence)
        };
        out.iter().map(name).collect()
    }

    #[test]
    fn ordinary_targets_are_silent() {
        for target in [
            "/v1/orders/42?expand=a,b",
            "/caf%C3%A9/na%C3%AFve?q=%E6%97%A5%E6%9C%AC",
            "/r?to=https%3A%2F%2Fa.example%2F%3Fx%3Da%252Fb",
            "/a;v=1/b;w=..x",
            "/~user/file.tar.gz",
            "/users/a@b.com",
            "/v1.2/x.json",
            "/r?q=100%25&r=%0D%0Atext",
            "/a/...",
            "/x?method=DELETE&_method=1",
            "/\u{e9}",
        ] {
            assert_eq!(check(target), Vec::<String>::new(), "{target}");
        }
    }

    #[test]
    fn confusing_paths() {
        for (target, findings) in [
            ("/projects/group%2Fname", &["target-encoded-slash Hint"][..]),
            ("/a/..;/b", &["target-hidden-dots Sure"]),
            ("/a/..;x=y/b", &["target-hidden-dots Sure"]),
            ("/a/..%2fb", &["target-encoded-slash Hint", "target-hidden-dots Sure"]),
            ("/a/..%5cb", &["target-encoded-slash Hint", "target-hidden-dots Sure"]),
            ("/a\\..\\b", &["target-backslash Sure", "target-hidden-dots Sure"]),
            ("/a\\b", &["target-backslash Sure"]),
            ("/%252e%252e/x", &["target-double-encoding Sure", "target-hidden-dots Sure"]),
            ("/a/http%253A%252F%252Fb", &["target-double-encoding Likely"]),
            ("/%25252e", &["target-double-encoding Sure"]),
            ("/%c0%ae%c0%ae/x", &["target-overlong Sure", "target-hidden-dots Sure"]),
            ("/%ef%bc%8e%ef%bc%8e/x", &["target-hidden-dots Sure"]),
            ("/%ef%bc%8fx", &["target-lookalike Likely"]),
            ("/%u002e%u002e/x", &["target-unicode-escape Likely", "target-hidden-dots Sure"]),
            ("/%uff0e%uFF0E%u2215x", &["target-unicode-escape Likely", "target-hidden-dots Sure"]),
            ("/a%00.png", &["target-nul Sure"]),
            ("/a%0ab", &["target-line-break Sure"]),
            ("/a%01b", &["target-line-break Likely"]),
            ("/a%0d%0aSet-Cookie:x", &["target-line-break Sure"]),
            ("/a%0aSet-Cookie:x", &["target-line-break Sure"]),
            ("/a%E9", &["target-not-utf8 Hint"]),
            ("/backup.SQL", &["extension-restricted Sure"]),
            ("/index.php~", &["extension-restricted Sure"]),
            ("/index.php~/x", &["extension-restricted Sure"]),
            ("/.env", &["extension-restricted Sure"]),
        ] {
            assert_eq!(check(target), findings, "{target}");
        }
    }

    #[test]
    fn confusing_queries() {
        for (target, findings) in [
            ("/?a=%00", &["target-nul Sure"][..]),
            ("/?a=%c0%af", &["target-overlong Sure"]),
            ("/?a=%F3%c0", &["target-not-utf8 Hint"]),
            ("/?a=%u0041", &["target-unicode-escape Likely"]),
            ("/?unix:AAAA|http://x", &["target-proxy-prefix Sure"]),
            ("/?unix%3AAAAA%7chttp://x", &["target-proxy-prefix Sure"]),
            ("/?a=1&_method=%44ELETE", &["method-override Sure"]),
        ] {
            assert_eq!(check(target), findings, "{target}");
        }
    }

    #[test]
    fn overriding_the_method() {
        let policy = HygienePolicy::default();
        let check = |method: &str, asked: &str| {
            let mut out = Findings::new();
            judge_override(&policy, method.as_bytes(), asked.as_bytes(), Place::RequestLine, &mut out);
            out.first().map(|finding| finding.confidence)
        };
        assert_eq!(check("POST", "PATCH"), Some(Confidence::Likely));
        assert_eq!(check("POST", "TRACE"), Some(Confidence::Sure));
        assert_eq!(check("GET", "delete"), Some(Confidence::Sure));
        assert_eq!(check("POST", "post"), None);
        assert_eq!(check("POST", "5"), None);
    }

    proptest! {
        /// However lenient the reader, what is reported as harmless shows it no climbing segment.
        #[test]
        fn nothing_climbs_unseen(path in "(/|%2[fF]|\\\\|%5c|%252f|[.]|%2e|%252e|%c0%ae|;|;x|a|%u002e|%u2215){0,12}") {
            let path = format!("/{path}");
            let mut out = Findings::new();
            judge_path(path.as_bytes(), &mut out);
            let reported = out.iter().any(|f| f.confidence == Confidence::Sure) || climbs(path.as_bytes());
            let shown = folded_path(&decoded(path.as_bytes()));
            let shows_dots = shown.split(|&byte| byte == b'/').any(|segment| segment == b"..");
            prop_assert!(reported || !shows_dots, "{}", path);
        }
    }
}
