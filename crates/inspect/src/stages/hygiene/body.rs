//! The body against its declared type. Whether it is valid inside that type is for the stage `contract`.

use model::finding::{Confidence, Finding, Findings, Place};
use model::head::Known;
use model::reason::Anomaly;

use super::content_type;
use super::multipart;
use super::policy::HygienePolicy;
use super::{finding, likely, target, with};
use crate::http1::token_list;
use crate::view::{BodyView, RequestView, is_json, media_type};

/// True when [`judge`] has something to say about a body of this Content-Type.
pub(super) fn is_judged(value: &[u8]) -> bool {
    let media_type = media_type(value);
    is_json(&media_type) || is_xml(&media_type) || is_form(&media_type) || media_type.starts_with("multipart/")
}

fn is_xml(media_type: &str) -> bool {
    matches!(media_type, "application/xml" | "text/xml") || media_type.ends_with("+xml")
}

fn is_form(media_type: &str) -> bool {
    media_type == "application/x-www-form-urlencoded"
}

/// Judges a held body.
pub(super) fn judge(policy: &HygienePolicy, request: &RequestView<'_>, body: &BodyView<'_>, out: &mut Findings) {
    let place = || Place::Body("".into());
    let text = body.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body.bytes).trim_ascii_start();
    let Some(&first) = text.first() else { return };
    if is_still_coded(request, body.bytes) {
        return;
    }
    if is_json(body.media_type) {
        // Nothing else begins JSON. Text before it is how one parser is given JSON and another a form.
        let begins = matches!(first, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9')
            || [&b"true"[..], b"false", b"null"].iter().any(|word| text.starts_with(word));
        if !begins {
            out.push(finding_mismatch(place(), first));
        }
    } else if is_xml(body.media_type) {
        // A byte order mark of UTF-16 is the other way XML begins.
        if first != b'<' && !matches!(body.bytes.get(..2), Some(b"\xfe\xff" | b"\xff\xfe")) {
            out.push(finding_mismatch(place(), first));
        }
    } else if is_form(body.media_type) {
        judge_form(policy, request, text, out);
    } else if body.media_type.starts_with("multipart/") {
        let (_, mut parameters) = content_type::split(body.content_type);
        while let Some(Ok((parameter, rest))) = content_type::parameter(parameters) {
            if parameter.name.eq_ignore_ascii_case(b"boundary") {
                multipart::judge(
                    body.bytes,
                    body.whole,
                    parameter.value,
                    body.media_type == "multipart/form-data",
                    out,
                );
                return;
            }
            parameters = rest;
        }
    }
}

/// True when the bytes are, or may be, in a content coding that was not removed before judging.
fn is_still_coded(request: &RequestView<'_>, bytes: &[u8]) -> bool {
    let mut codings = request.head.fields.all(Known::ContentEncoding).flat_map(token_list);
    codings.any(|coding| match coding.to_ascii_lowercase().as_slice() {
        b"identity" => false,
        b"gzip" | b"x-gzip" => bytes.starts_with(b"\x1f\x8b"),
        b"deflate" => bytes.first() == Some(&0x78),
        _ => true,
    })
}

fn finding_mismatch(place: Place, first: u8) -> Finding {
    with(
        Confidence::Sure,
        Anomaly::BodyTypeMismatch,
        place,
        &format!("begins with `{}`", std::ascii::escape_default(first)),
    )
}

/// `curl -d '{...}'` without a type sends JSON as a form: common, and honest. So that is only reported.
fn judge_form(policy: &HygienePolicy, request: &RequestView<'_>, text: &[u8], out: &mut Findings) {
    if matches!(text, [b'{', .., b'}'] | [b'[', .., b']'] | [b'<', .., b'>']) {
        out.push(likely(Anomaly::BodyTypeMismatch, Place::Body("".into()), "JSON or XML as a form"));
        return;
    }
    if target::has_bad_escape(text) {
        out.push(finding(Anomaly::BodyBadEscape, Place::Body("".into()), ""));
    }
    if text.starts_with(b"_method=") || memchr::memmem::find(text, b"&_method=").is_some() {
        let pair = text.split(|&byte| byte == b'&').find_map(|pair| pair.strip_prefix(b"_method="));
        let asked = pair.unwrap_or_default();
        target::judge_override(policy, &request.head.method, asked, Place::Body("_method".into()), out);
    }
}
