//! Who is the same caller as before: the session identifier of a request, hashed, and whether a credential is there.

use std::borrow::Cow;

use model::SessionHash;
use model::head::{Fields, Known, RequestHead};

use crate::config::SessionIdentifier;

/// The longest identifier that is looked at; longer ones are cut, which still tells sessions apart.
const VALUE_BYTES_MAX: usize = 4096;

/// The session of a request: the first configured identifier that is present and not empty, under a keyed hash. `query` is
/// the query in canonical form.
pub fn find(
    head: &RequestHead,
    query: Option<&[u8]>,
    identifiers: &[SessionIdentifier],
    key: &[u8; 32],
) -> Option<SessionHash> {
    identifiers.iter().find_map(|identifier| {
        let value = value(head, query, identifier)?;
        let value = value.get(..value.len().min(VALUE_BYTES_MAX)).filter(|value| !value.is_empty())?;
        let hash = blake3::keyed_hash(key, value);
        let (first, _) = hash.as_bytes().split_first_chunk::<8>()?;
        Some(SessionHash(u64::from_le_bytes(*first)))
    })
}

fn value<'h>(head: &'h RequestHead, query: Option<&'h [u8]>, identifier: &SessionIdentifier) -> Option<Cow<'h, [u8]>> {
    match identifier {
        SessionIdentifier::Header(name) => {
            let value = head.fields.named(name.as_bytes())?;
            Some(Cow::Borrowed(bearer(value).unwrap_or(value)))
        }
        SessionIdentifier::Cookie(name) => cookie(&head.fields, name.as_bytes()).map(Cow::Borrowed),
        SessionIdentifier::Query(name) => query_parameter(query?, name.as_bytes()).map(Cow::Borrowed),
        SessionIdentifier::JwtClaim(claim) => {
            jwt_claim(bearer(head.fields.first(Known::Authorization)?)?, claim).map(Cow::Owned)
        }
    }
}

/// What stands behind `Bearer ` (RFC 6750, 2.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The value of a cookie (RFC 6265, 5.4), without quotes.
fn cookie<'h>(fields: &'h Fields, name: &[u8]) -> Option<&'h [u8]> {
    fields.all(Known::Cookie).flat_map(|line| line.split(|&byte| byte == b';')).find_map(|pair| {
        let pair = pair.trim_ascii();
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
    })
}

/// The value of a query parameter as it stands in the canonical query: equal values are spelled equally there.
fn query_parameter<'q>(query: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    query.split(|&byte| byte == b'&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

/// The value of a claim in a token's payload. The signature is not looked at: a forged token is a session of its own.
fn jwt_claim(token: &[u8], claim: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let payload = token.split(|&byte| byte == b'.').nth(1).filter(|payload| payload.len() <= 2 * VALUE_BYTES_MAX)?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    let value: serde_json::Value = serde_json::from_slice(&json).ok()?;
    match value.get(claim)? {
        serde_json::Value::String(text) => Some(text.clone().into_bytes()),
        serde_json::Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// True when a credential is present: `Authorization`, a field that is commonly an API key, or a cookie that is commonly a
/// session. It is evidence for the posture of an endpoint, not a check.
pub fn credential_present(head: &RequestHead) -> bool {
    head.fields.first(Known::Authorization).is_some()
        || head.fields.iter().any(|field| {
            field.known == Known::Other
                && field.name.len() >= 7
                && matches!(field.name.first(), Some(b'x' | b'X' | b'a' | b'A' | b'p' | b'P'))
                && KEY_FIELDS.iter().any(|name| field.name.eq_ignore_ascii_case(name))
        })
        || head.fields.all(Known::Cookie).any(names_a_session)
}

const KEY_FIELDS: [&[u8]; 7] =
    [b"x-api-key", b"api-key", b"apikey", b"x-auth-token", b"x-access-token", b"x-session-token", b"private-token"];

fn names_a_session(cookies: &[u8]) -> bool {
    const HINTS: [&[u8]; 6] = [b"sess", b"sid", b"auth", b"token", b"jwt", b"remember"];
    cookies.split(|&byte| byte == b';').any(|pair| {
        let name = pair.trim_ascii().split(|&byte| byte == b'=').next().unwrap_or_default();
        HINTS.iter().any(|hint| name.windows(hint.len()).any(|window| window.eq_ignore_ascii_case(hint)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::HttpVersion;

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        RequestHead {
            version: HttpVersion::H11,
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(b"/"),
            authority: Bytes::new(),
            fields: Fields::from_pairs(fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))),
            raw: None,
        }
    }

    #[test]
    fn identifiers_in_their_order() {
        let identifiers = [
            SessionIdentifier::JwtClaim("sub".into()),
            SessionIdentifier::Header("authorization".into()),
            SessionIdentifier::Cookie("sid".into()),
            SessionIdentifier::Query("key".into()),
        ];
        let of = |fields: &[(&str, &str)], query: Option<&str>| {
            find(&head(fields), query.map(str::as_bytes), &identifiers, &[7; 32])
        };
        // {"sub":"ann"} under two different signatures is one session.
        let token = |signature: &str| format!("Bearer e30.eyJzdWIiOiJhbm4ifQ.{signature}");
        let ann = of(&[("Authorization", &token("x"))], None);
        assert!(ann.is_some());
        assert_eq!(ann, of(&[("authorization", &token("y"))], None));
        assert_ne!(ann, of(&[("Authorization", "Bearer opaque")], None));
        assert_eq!(of(&[("Cookie", "a=b; sid=\"1\"")], None), of(&[("Cookie", "sid=1")], None));
        assert!(of(&[("Cookie", "xsid=1")], None).is_none());
        assert!(of(&[], Some("a=b&key=1")).is_some());
        assert!(of(&[("Cookie", "sid=")], Some("key=")).is_none());
        assert_ne!(
            find(&head(&[("Cookie", "sid=1")]), None, &identifiers, &[8; 32]),
            of(&[("Cookie", "sid=1")], None),
            "another key must give another hash"
        );
    }

    #[test]
    fn credentials_are_noticed() {
        let present = |name: &str, value: &str| credential_present(&head(&[(name, value)]));
        assert!(present("Authorization", "Basic x") && present("X-API-Key", "1") && present("Cookie", "PHPSESSID=1"));
        assert!(!present("Cookie", "theme=dark") && !present("X-Request-Id", "1"));
    }
}
