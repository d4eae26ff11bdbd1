//! The `Content-Type` field (RFC 9110, 8.3).

use model::finding::Findings;
use model::reason::Anomaly;

use super::charset::{self, Charset};
use super::{excerpt, finding, header, likely};
use crate::http1::{Framing, is_token};

/// One parameter of a media type: its name as sent and its value without quotes.
pub(super) struct Parameter<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Judges one `Content-Type` value.
pub(super) fn judge(value: &[u8], framing: Framing, out: &mut Findings) {
    if matches!(value, b"application/json" | b"application/x-www-form-urlencoded" | b"application/grpc" | b"text/xml") {
        return;
    }
    let place = || header("content-type");
    let (media_type, parameters) = split(value);
    if value.is_empty() && framing == Framing::None {
        // Some libraries write the field with nothing in it when there is no body.
        return;
    }
    if !is_media_type(media_type) {
        let anomaly = if memchr::memchr(b',', media_type).is_some() {
            Anomaly::ContentTypeConfusing
        } else {
            Anomaly::ContentTypeMalformed
        };
        // Libraries merge a type that was set twice: odd, but it says the same twice.
        let mut parts = media_type.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let first = parts.next().unwrap_or_default();
        if is_media_type(first) && parts.all(|other| other.eq_ignore_ascii_case(first)) {
            out.push(likely(anomaly, place(), &excerpt(value)));
        } else {
            out.push(finding(anomaly, place(), &excerpt(value)));
        }
        return;
    }
    judge_parameters(media_type, parameters, framing, out);
}

fn judge_parameters(media_type: &[u8], parameters: &[u8], framing: Framing, out: &mut Findings) {
    let place = || header("content-type");
    let (mut charset, mut boundary) = (None::<&[u8]>, None::<&[u8]>);
    let mut list = parameters;
    while let Some(next) = parameter(list) {
        let Ok((Parameter { name, value }, rest)) = next else {
            out.push(likely(Anomaly::ContentTypeMalformed, place(), &excerpt(list)));
            break;
        };
        list = rest;
        let slot = if name.eq_ignore_ascii_case(b"charset") {
            &mut charset
        } else if name.eq_ignore_ascii_case(b"boundary") {
            &mut boundary
        } else {
            if hides_media_type(name, value) {
                out.push(finding(Anomaly::ContentTypeConfusing, place(), &excerpt(value)));
            }
            continue;
        };
        match slot {
            Some(first) if first.eq_ignore_ascii_case(value) => {
                out.push(likely(Anomaly::ContentTypeConfusing, place(), &excerpt(name)));
            }
            Some(_) => {
                out.push(finding(Anomaly::ContentTypeConfusing, place(), &excerpt(name)));
                return;
            }
            None => *slot = Some(value),
        }
    }
    if let Some(charset) = charset {
        match charset::judge(charset) {
            Charset::Usual => {}
            Charset::Unusual => out.push(likely(Anomaly::CharsetUnusual, place(), &excerpt(charset))),
            Charset::Refused => out.push(finding(Anomaly::CharsetRefused, place(), &excerpt(charset))),
        }
    }
    let is_multipart = media_type.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
    match boundary {
        None if is_multipart && framing != Framing::None => {
            out.push(finding(Anomaly::ContentTypeMalformed, place(), "no boundary"));
        }
        Some(boundary) if names_media_type(boundary) => {
            out.push(finding(Anomaly::ContentTypeConfusing, place(), &excerpt(boundary)));
        }
        Some(boundary) if is_multipart && !is_boundary(boundary) => {
            out.push(finding(Anomaly::ContentTypeMalformed, place(), "boundary"));
        }
        _ => {}
    }
}

/// The media type and the text behind its semicolon.
pub(super) fn split(value: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    (value.get(..end).unwrap_or_default().trim_ascii(), value.get(end..).unwrap_or_default())
}

/// Takes the next parameter off text such as `; a=b; c="d"`. `None` at the end, `Err` where it is malformed. White space
/// around the equals sign is taken as lenient readers take it.
pub(super) fn parameter(text: &[u8]) -> Option<Result<(Parameter<'_>, &[u8]), ()>> {
    let mut text = text.trim_ascii_start();
    while let Some(rest) = text.strip_prefix(b";") {
        text = rest.trim_ascii_start();
    }
    if text.is_empty() {
        return None;
    }
    let Some(equals) = memchr::memchr2(b'=', b';', text).filter(|&at| text.get(at) == Some(&b'=')) else {
        return Some(Err(()));
    };
    let name = text.get(..equals).unwrap_or_default().trim_ascii();
    let rest = text.get(equals + 1..).unwrap_or_default().trim_ascii_start();
    if !is_token(name) {
        return Some(Err(()));
    }
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let value = rest.get(..end).unwrap_or_default().trim_ascii();
        return Some(Ok((Parameter { name, value }, rest.get(end..).unwrap_or_default())));
    };
    let mut escaped = false;
    let end = quoted.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    let Some(end) = end else { return Some(Err(())) };
    let value = quoted.get(..end).unwrap_or_default();
    Some(Ok((Parameter { name, value }, quoted.get(end + 1..).unwrap_or_default())))
}

fn is_media_type(text: &[u8]) -> bool {
    let Some(slash) = memchr::memchr(b'/', text) else { return false };
    is_token(text.get(..slash).unwrap_or_default()) && is_token(text.get(slash + 1..).unwrap_or_default())
}

/// A media type of a registered top-level type, not just any two words with a slash.
fn names_media_type(text: &[u8]) -> bool {
    const TOP: [&[u8]; 7] = [b"application", b"text", b"multipart", b"image", b"message", b"audio", b"video"];
    let front = text.split(|&byte| byte == b'/').next().unwrap_or_default();
    is_media_type(text) && TOP.iter().any(|own| own.eq_ignore_ascii_case(front))
}

/// A parameter that is itself a media type, where none belongs: readers that search the whole value for `json` or `xml`
/// choose another parser than those that read its front.
fn hides_media_type(name: &[u8], value: &[u8]) -> bool {
    const HOLD_TYPES: [&[u8]; 7] =
        [b"type", b"start-info", b"protocol", b"profile", b"action", b"report-type", b"media-type"];
    names_media_type(value) && !HOLD_TYPES.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// RFC 2046, 5.1.1: one to seventy characters of a small set.
fn is_boundary(boundary: &[u8]) -> bool {
    let is_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    matches!(boundary.len(), 1..=70) && boundary.iter().all(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str) -> Vec<String> {
        let mut out = Findings::new();
        judge(value.as_bytes(), Framing::Length(1), &mut out);
        let name = |finding: &model::finding::Finding| {
            format!("{} {:?}", finding.reason.code().trim_start_matches("hygiene."), finding.confidence)
        };
        out.iter().map(name).collect()
    }

    #[test]
    fn ordinary_types_are_silent() {
        for value in [
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json;",
            "text/plain; charset=\"utf-8\"",
            "text/html; charset='utf-8'",
            "application/vnd.api+json; version=1",
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "multipart/form-data; boundary=\"a b:c/d\"",
            "multipart/related; type=\"application/xop+xml\"; start-info=\"text/xml\"; boundary=x",
            "application/soap+xml; charset=utf-8; action=\"http://example.org/act\"",
            "application/ld+json; profile=\"http://www.w3.org/ns/json-ld#compacted\"",
            "application/grpc-web+proto",
            "application/x-ndjson",
            "application/vnd.a; released=2024/01",
        ] {
            assert_eq!(check(value), Vec::<String>::new(), "{value}");
        }
    }

    #[test]
    fn confusing_types() {
        for (value, findings) in [
            ("json", &["content-type-malformed Sure"][..]),
            ("multipart/; boundary=0", &["content-type-malformed Sure"]),
            ("", &["content-type-malformed Sure"]),
            ("application/json/x", &["content-type-malformed Sure"]),
            ("multipart/form-data", &["content-type-malformed Sure"]),
            ("multipart/form-data; boundary=\"\u{e9}\"", &["content-type-malformed Sure"]),
            ("application/json, text/plain", &["content-type-confusing Sure"]),
            ("application/json, application/json", &["content-type-confusing Likely"]),
            ("application/x-www-form-urlencoded;boundary=\"application/json\"", &["content-type-confusing Sure"]),
            ("text/plain; x=application/json", &["content-type-confusing Sure"]),
            ("multipart/form-data; boundary=a; boundary=b", &["content-type-confusing Sure"]),
            ("text/plain; charset=utf-8; charset=utf-8", &["content-type-confusing Likely"]),
            ("text/plain; charset=ibm037", &["charset-refused Sure"]),
            ("text/plain; charset = utf-7", &["charset-refused Sure"]),
            ("text/plain; charset=shift_jis", &["charset-unusual Likely"]),
            ("text/plain; charset", &["content-type-malformed Likely"]),
            ("text/plain; charset=\"utf-8", &["content-type-malformed Likely"]),
        ] {
            assert_eq!(check(value), findings, "{value}");
        }
    }
}
