//! The field lines: one pass over all of them.

use model::finding::{Confidence, Findings};
use model::head::{Field, HttpVersion, Known};
use model::reason::Anomaly;

use super::policy::HygienePolicy;
use super::{content_type, excerpt, finding, forwarded, header, hint, likely, range, target, with};
use crate::http1::{Framing, token_list};
use crate::view::RequestView;

/// What one pass has seen.
#[derive(Default)]
struct Seen {
    /// A bit for each known field.
    known: u64,
    /// The known fields whose repetition was reported.
    repeated: u64,
    /// Names with underscores looked at; the rest of a hostile head's are not.
    underscored: u8,
}

impl Seen {
    fn has(&self, known: Known) -> bool {
        self.known & bit(known) != 0
    }
}

const fn bit(known: Known) -> u64 {
    1 << (known as u8)
}

/// The most names with underscores that are compared with the other names.
const UNDERSCORED_MAX: u8 = 8;

/// Judges every field line and what is missing among them.
pub(super) fn judge(policy: &HygienePolicy, request: &RequestView<'_>, out: &mut Findings) {
    let mut seen = Seen::default();
    // A peer that is not the client is a proxy that the configuration trusts.
    let untrusted = request.client == request.connection.peer;
    for field in request.head.fields.iter() {
        if field.known == Known::Other {
            judge_other(policy, request, &field, untrusted, &mut seen, out);
            continue;
        }
        if seen.has(field.known) {
            judge_repeated(request, field.known, &mut seen, out);
        }
        seen.known |= bit(field.known);
        judge_known(policy, request, &field, untrusted, out);
    }
    judge_missing(request, &seen, out);
}

fn judge_known(
    policy: &HygienePolicy,
    request: &RequestView<'_>,
    field: &Field<'_>,
    untrusted: bool,
    out: &mut Findings,
) {
    let value = field.value;
    match field.known {
        Known::Accept => judge_accept(&request.head.method, value, out),
        Known::UserAgent if value.is_empty() => out.push(finding(Anomaly::AgentEmpty, header("user-agent"), "")),
        Known::ContentType => content_type::judge(value, request.framing, out),
        Known::ContentEncoding => judge_coding(request, value, out),
        Known::Range => {
            // Readers of PDF documents fetch the pages they show, in many small pieces.
            let is_pdf = request.path.len() > 4 && request.path.to_ascii_lowercase().ends_with(b".pdf");
            range::judge(value, policy.ranges_max.saturating_mul(if is_pdf { 12 } else { 1 }), out);
        }
        Known::Forwarded | Known::XForwardedFor | Known::XForwardedHost | Known::XForwardedProto | Known::XRealIp
            if untrusted =>
        {
            forwarded::judge(field.known, field.known.name(), value, &request.head.authority, out);
        }
        _ => {}
    }
}

/// Fields the gateway does not know: restricted ones, overrides, and names that are folded to others.
fn judge_other(
    policy: &HygienePolicy,
    request: &RequestView<'_>,
    field: &Field<'_>,
    untrusted: bool,
    seen: &mut Seen,
    out: &mut Findings,
) {
    let name = field.name;
    if policy.fields_restricted.contains(name) {
        out.push(finding(Anomaly::FieldRestricted, place(name), ""));
    }
    if memchr::memchr(b'_', name).is_some() {
        judge_underscore(request, name, seen, out);
    }
    if !matches!(name.first(), Some(b'x' | b'X' | b'c' | b'C' | b't' | b'T' | b'f' | b'F')) {
        return;
    }
    let is = |names: &[&str]| names.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name));
    match name.len() {
        13 | 17 | 22 if is(&["x-http-method", "x-method-override", "x-http-method-override"]) => {
            target::judge_override(policy, &request.head.method, field.value, place(name), out);
        }
        13 if is(&["content-range"]) && !matches!(&*request.head.method, b"PUT" | b"POST" | b"PATCH") => {
            out.push(with(Confidence::Sure, Anomaly::ContentFieldWithoutBody, place(name), ""));
        }
        9..=19
            if untrusted
                && is(&[
                    "client-ip",
                    "x-client-ip",
                    "x-remote-ip",
                    "x-remote-addr",
                    "true-client-ip",
                    "x-originating-ip",
                    "cf-connecting-ip",
                    "fastly-client-ip",
                    "x-cluster-client-ip",
                ]) =>
        {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            forwarded::judge(Known::XRealIp, &name, field.value, b"", out);
        }
        _ => {}
    }
}

/// CGI, WSGI and PHP make one variable of `X-Forwarded-For` and `X_Forwarded_For`, so the second passes as the first.
fn judge_underscore(request: &RequestView<'_>, name: &[u8], seen: &mut Seen, out: &mut Findings) {
    if seen.underscored >= UNDERSCORED_MAX {
        return;
    }
    seen.underscored += 1;
    let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    let dashed: Vec<u8> = name.iter().map(fold).collect();
    let known = Known::of(&dashed);
    if is_trusted_by_servers(known) {
        out.push(finding(Anomaly::FieldNameFolded, place(name), ""));
    } else if request.head.fields.iter().any(|other| other.name.eq_ignore_ascii_case(&dashed)) {
        out.push(finding(Anomaly::FieldFormsDuplicate, place(name), ""));
    } else if known != Known::Other {
        out.push(hint(Anomaly::FieldNameFolded, place(name), ""));
    }
}

/// Fields by which a server decides who the client is or how the message is read.
const fn is_trusted_by_servers(known: Known) -> bool {
    matches!(
        known,
        Known::Authorization
            | Known::Connection
            | Known::ContentEncoding
            | Known::ContentType
            | Known::Cookie
            | Known::Expect
            | Known::Forwarded
            | Known::ProxyAuthorization
            | Known::Upgrade
            | Known::XForwardedFor
            | Known::XForwardedHost
            | Known::XForwardedProto
            | Known::XRealIp
    )
}

/// RFC 9110, 5.3: a field that is no list may come once; of two, one reader takes the first and another the last.
fn judge_repeated(request: &RequestView<'_>, known: Known, seen: &mut Seen, out: &mut Findings) {
    let confidence = match known {
        Known::Authorization
        | Known::ContentType
        | Known::Origin
        | Known::ProxyAuthorization
        | Known::Range
        | Known::SecWebSocketKey
        | Known::SecWebSocketVersion
        | Known::XRealIp => Confidence::Sure,
        Known::Date
        | Known::Referer
        | Known::SecFetchDest
        | Known::SecFetchMode
        | Known::SecFetchSite
        | Known::SoapAction
        | Known::Traceparent
        | Known::UserAgent
        | Known::XRequestId => Confidence::Likely,
        // HTTP/2 splits cookies for its compression (RFC 9113, 8.2.3); HTTP/1 does not.
        Known::Cookie if request.head.version != HttpVersion::H2 => Confidence::Hint,
        _ => return,
    };
    if seen.repeated & bit(known) == 0 {
        seen.repeated |= bit(known);
        out.push(with(confidence, Anomaly::SingletonDuplicate, header(known.name()), ""));
    }
}

fn judge_accept(method: &[u8], value: &[u8], out: &mut Findings) {
    if value.is_empty() {
        if method != b"OPTIONS" {
            out.push(finding(Anomaly::AcceptEmpty, header("accept"), ""));
        }
        return;
    }
    if memchr::memchr2(b'/', b'*', value).is_none() {
        out.push(hint(Anomaly::AcceptMalformed, header("accept"), &excerpt(value)));
    }
}

/// RFC 9110, 8.4: registered codings, and one of them; several hide a body from whoever undoes only the first.
fn judge_coding(request: &RequestView<'_>, value: &[u8], out: &mut Findings) {
    const REGISTERED: [&[u8]; 8] =
        [b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"compress", b"identity", b"aws-chunked"];
    let place = || header("content-encoding");
    if request.framing == Framing::None {
        out.push(finding(Anomaly::ContentFieldWithoutBody, place(), &excerpt(value)));
    }
    if token_list(value).any(|coding| !REGISTERED.iter().any(|own| own.eq_ignore_ascii_case(coding))) {
        out.push(likely(Anomaly::ContentCodingUnknown, place(), &excerpt(value)));
    }
    let lines = request.head.fields.all(Known::ContentEncoding);
    let is_coding =
        |coding: &&[u8]| !coding.eq_ignore_ascii_case(b"identity") && !coding.eq_ignore_ascii_case(b"aws-chunked");
    // Counted at the first line only, over all of them.
    let is_first_line =
        request.head.fields.first(Known::ContentEncoding).is_some_and(|first| std::ptr::eq(first, value));
    if is_first_line && lines.flat_map(token_list).filter(is_coding).count() > 1 {
        out.push(finding(Anomaly::ContentCodingStacked, place(), &excerpt(value)));
    }
}

fn judge_missing(request: &RequestView<'_>, seen: &Seen, out: &mut Findings) {
    if request.framing != Framing::None && !seen.has(Known::ContentType) {
        out.push(hint(Anomaly::ContentTypeMissing, header("content-type"), ""));
    }
    if !seen.has(Known::UserAgent) {
        out.push(hint(Anomaly::AgentMissing, header("user-agent"), ""));
    } else if !seen.has(Known::Accept)
        && request.head.fields.first(Known::UserAgent).is_some_and(|agent| agent.starts_with(b"Mozilla/"))
    {
        out.push(hint(Anomaly::AcceptMissing, header("accept"), ""));
    }
}

fn place(name: &[u8]) -> model::finding::Place {
    const NAME_BYTES_MAX: usize = 64;
    let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
    header(&String::from_utf8_lossy(name).to_ascii_lowercase())
}
