//! WebSocket over HTTP/2 (RFC 8441): the extended CONNECT of a client becomes the upgrade that HTTP/1.1 servers know, so that
//! one kind of request is routed, judged and recorded.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model::head::{Fields, Known, RequestHead, ResponseHead};

/// What a stream asks for beside an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// A WebSocket.
    WebSocket,
    /// A protocol that we do not carry.
    Unknown,
}

/// What the head of a stream asks for.
pub fn asked(parts: &http::request::Parts) -> Asked {
    match parts.extensions.get::<h2::ext::Protocol>() {
        None => Asked::Nothing,
        Some(protocol) if parts.method == http::Method::CONNECT && protocol.as_str() == "websocket" => Asked::WebSocket,
        Some(_) => Asked::Unknown,
    }
}

/// Makes the head that of a GET (RFC 6455, 4.1), before it is checked.
pub fn begin(head: &mut RequestHead) {
    head.method = Bytes::from_static(b"GET");
}

/// Adds what asks for the upgrade. The key that HTTP/2 has no use for is ours.
pub fn ask(head: &mut RequestHead) {
    let mut random = [0u8; 16];
    fastrand::fill(&mut random);
    let key = STANDARD.encode(random);
    let kept = head.fields.iter().filter(|field| !field.name.eq_ignore_ascii_case(b"sec-websocket-key"));
    let kept = kept.map(|field| (field.name, field.value));
    let added: [(&[u8], &[u8]); 2] = [(b"upgrade", b"websocket"), (b"sec-websocket-key", key.as_bytes())];
    head.fields = Fields::from_pairs(kept.chain(added));
}

/// Whether the server's answer accepts the key that it was sent (RFC 6455, 4.2.2).
pub fn accepts(head: &RequestHead, response: &ResponseHead) -> bool {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let named = |fields: &Fields, name: &[u8]| fields.named(name).map(<[u8]>::to_vec).unwrap_or_default();
    let mut text = named(&head.fields, b"sec-websocket-key");
    text.extend_from_slice(GUID);
    let expected = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &text));
    let upgrade = response.fields.first(Known::Upgrade).unwrap_or_default();
    upgrade.eq_ignore_ascii_case(b"websocket")
        && named(&response.fields, b"sec-websocket-accept") == expected.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::head::HttpVersion;

    #[test]
    fn the_key_of_the_rfc_is_accepted_and_no_other() {
        let head = |key: &[u8]| RequestHead {
            version: HttpVersion::H2,
            method: Bytes::from_static(b"GET"),
            target: Bytes::from_static(b"/chat"),
            authority: Bytes::from_static(b"a"),
            fields: Fields::from_pairs([(&b"sec-websocket-key"[..], key)]),
            raw: None,
        };
        let fields: [(&[u8], &[u8]); 2] =
            [(b"Upgrade", b"WebSocket"), (b"Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")];
        let response = ResponseHead { version: HttpVersion::H11, status: 101, fields: Fields::from_pairs(fields) };
        assert!(accepts(&head(b"dGhlIHNhbXBsZSBub25jZQ=="), &response));
        assert!(!accepts(&head(b"dGhlIHNhbXBsZSBub25jZR=="), &response));
        let mut asking = head(b"the client's");
        ask(&mut asking);
        let keys: Vec<_> = asking.fields.iter().filter(|field| field.name == b"sec-websocket-key").collect();
        assert!(keys.len() == 1 && keys[0].value != b"the client's", "{keys:?}");
    }
}
