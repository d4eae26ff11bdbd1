//! Heads that came over HTTP/2: what must hold before one of them may be written as HTTP/1 or carried on as HTTP/2.
//!
//! Names and values over HTTP/2 are counted strings, so they can hold what ends a line in HTTP/1; and fields that frame an
//! HTTP/1 message can stand beside the real framing. Both are how requests are smuggled through a downgrade (Kettle,
//! "HTTP/2: The Sequel is Always Worse", 2021), so every departure refuses.

use model::head::{Field, Known, RequestHead};
use model::limits::Limits;
use model::reason::Anomaly;
use smallvec::SmallVec;

use crate::http1::{Noted, fields, request};

/// What a checked head says of its body and what is odd about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedHead {
    /// The length that the client declared; the frames must add up to it (RFC 9113, 8.1.1).
    pub content_length: Option<u64>,
    /// True when the client waits for `100 Continue`.
    pub expects_continue: bool,
    /// What is odd.
    pub notes: SmallVec<[Noted; 2]>,
}

/// Checks a request head whose pseudo-header fields were taken out: `authority` is `:authority`, or `Host` where there was
/// none.
///
/// # Errors
/// The anomaly for which the request must not be carried.
pub fn check_head(head: &RequestHead, limits: &Limits) -> Result<CheckedHead, Noted> {
    let refuse = |anomaly| Noted::new(anomaly, 0);
    let mut checked = CheckedHead::default();
    if !fields::is_token(&head.method) {
        return Err(refuse(Anomaly::MethodMalformed));
    }
    if head.target.len() > limits.target_bytes_max as usize {
        return Err(refuse(Anomaly::TargetTooLong));
    }
    request::check_target(&head.method, &head.target).map_err(refuse)?;
    if !matches!(head.target.first(), Some(b'/' | b'*')) {
        // RFC 9113, 8.3.1: `:path` is in origin form, or an asterisk.
        return Err(refuse(Anomaly::H2Malformed));
    }
    if head.fields.len() > usize::from(limits.fields_max) {
        return Err(refuse(Anomaly::HeadTooManyFields));
    }
    let mut host = None;
    let mut expectations = 0;
    for field in head.fields.iter() {
        check_field(&field).map_err(refuse)?;
        match field.known {
            Known::Host if host.is_some() => return Err(refuse(Anomaly::HostDuplicate)),
            Known::Host => host = Some(field.value),
            Known::ContentLength if checked.content_length.is_some() => return Err(refuse(Anomaly::LengthDuplicate)),
            Known::ContentLength => {
                let length = request::content_length(field.value).ok_or(refuse(Anomaly::LengthMalformed))?;
                checked.content_length = Some(length);
            }
            Known::Expect => {
                expectations += 1;
                if expectations > 1 || !field.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(refuse(Anomaly::ExpectUnknown));
                }
                checked.expects_continue = true;
            }
            _ => {}
        }
        if !field.value.is_ascii() && checked.notes.is_empty() {
            checked.notes.push(refuse(Anomaly::FieldValueObsText));
        }
    }
    check_host(head, host).map_err(refuse)?;
    Ok(checked)
}

/// RFC 9113, 8.3.1: `:authority` and `Host` name the same.
fn check_host(head: &RequestHead, host: Option<&[u8]>) -> Result<(), Anomaly> {
    if head.authority.is_empty() {
        return Err(if host.is_some() { Anomaly::HostEmpty } else { Anomaly::HostMissing });
    }
    request::check_authority(&head.authority)?;
    if host.is_some_and(|host| !host.eq_ignore_ascii_case(&head.authority)) {
        return Err(Anomaly::HostMismatch);
    }
    Ok(())
}

fn check_field(field: &Field<'_>) -> Result<(), Anomaly> {
    let is_name = |byte: &u8| fields::is_token_byte(*byte) && !byte.is_ascii_uppercase();
    if field.name.is_empty() || !field.name.iter().all(is_name) {
        return Err(Anomaly::H2FieldName);
    }
    if fields::has_control(field.value) {
        return Err(Anomaly::H2FieldValue);
    }
    match field.known {
        Known::Other if fields::is_lookalike(field.name) => Err(Anomaly::FieldNameLookalike),
        Known::Connection
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::TransferEncoding
        | Known::Upgrade
        | Known::Http2Settings => Err(Anomaly::H2ConnectionField),
        Known::Te if !field.value.eq_ignore_ascii_case(b"trailers") => Err(Anomaly::H2Te),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::head::{Fields, HttpVersion};

    fn head(target: &'static str, authority: &'static str, fields: &[(&str, &str)]) -> RequestHead {
        RequestHead {
            version: HttpVersion::H2,
            method: Bytes::from_static(b"POST"),
            target: Bytes::from_static(target.as_bytes()),
            authority: Bytes::from_static(authority.as_bytes()),
            fields: Fields::from_pairs(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))),
            raw: None,
        }
    }

    fn check(fields: &[(&str, &str)]) -> Result<Option<u64>, Anomaly> {
        let checked = check_head(&head("/t", "a.example", fields), &Limits::default());
        checked.map(|checked| checked.content_length).map_err(|noted| noted.anomaly)
    }

    #[test]
    fn ordinary_heads_pass() {
        assert_eq!(check(&[("content-type", "application/grpc"), ("te", "trailers"), ("x", "")]), Ok(None));
        assert_eq!(
            check(&[("content-length", "5"), ("host", "A.example"), ("cookie", "a"), ("cookie", "b")]),
            Ok(Some(5))
        );
        assert_eq!(check(&[("grpc-timeout", "1S"), ("x-text", "caf\u{e9}\tx")]), Ok(None));
    }

    #[test]
    fn what_becomes_lines_or_framing_in_http1_is_refused() {
        for (field, anomaly) in [
            (("Foo", "b"), Anomaly::H2FieldName),
            (("", "b"), Anomaly::H2FieldName),
            (("a b", "b"), Anomaly::H2FieldName),
            (("a:b", "b"), Anomaly::H2FieldName),
            ((":path", "/"), Anomaly::H2FieldName),
            (("a\r\nb", "b"), Anomaly::H2FieldName),
            (("a", "b\r\ntransfer-encoding: chunked"), Anomaly::H2FieldValue),
            (("a", "b\0"), Anomaly::H2FieldValue),
            (("a", "b\nc"), Anomaly::H2FieldValue),
            (("transfer-encoding", "chunked"), Anomaly::H2ConnectionField),
            (("connection", "close"), Anomaly::H2ConnectionField),
            (("upgrade", "h2c"), Anomaly::H2ConnectionField),
            (("keep-alive", "5"), Anomaly::H2ConnectionField),
            (("te", "trailers, gzip"), Anomaly::H2Te),
            (("content_length", "5"), Anomaly::FieldNameLookalike),
            (("content-length", "5, 5"), Anomaly::LengthMalformed),
            (("host", "b.example"), Anomaly::HostMismatch),
            (("expect", "x"), Anomaly::ExpectUnknown),
        ] {
            assert_eq!(check(&[field]), Err(anomaly), "{field:?}");
        }
        assert_eq!(check(&[("content-length", "5"), ("content-length", "5")]), Err(Anomaly::LengthDuplicate));
        assert_eq!(check(&[("host", "a.example"), ("host", "a.example")]), Err(Anomaly::HostDuplicate));
    }

    #[test]
    fn control_data_is_checked() {
        let check = |target, authority| {
            check_head(&head(target, authority, &[]), &Limits::default()).map(|_| ()).map_err(|noted| noted.anomaly)
        };
        assert_eq!(check("/a?b", "a:443"), Ok(()));
        assert_eq!(check("a", "a"), Err(Anomaly::TargetMalformed));
        assert_eq!(check("http://a/", "a"), Err(Anomaly::H2Malformed));
        assert_eq!(check("/a HTTP/1.1", "a"), Err(Anomaly::RequestLineMalformed));
        assert_eq!(check("/a\r\nb: c", "a"), Err(Anomaly::TargetControlByte));
        assert_eq!(check("/a#b", "a"), Err(Anomaly::TargetFragment));
        assert_eq!(check("/a", ""), Err(Anomaly::HostMissing));
        assert_eq!(check("/a", "u@a"), Err(Anomaly::HostMalformed));
        assert_eq!(check("/a", "a\r\nb"), Err(Anomaly::HostMalformed));
    }
}
