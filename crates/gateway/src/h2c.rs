//! Heads between our form and that of the `http` crate, which HTTP/2 speaks.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use model::head::{Fields, HttpVersion, Known, RequestHead, ResponseHead};

/// The fields of a map, in its order.
pub fn fields_of(map: &HeaderMap) -> Fields {
    Fields::from_pairs(map.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
}

/// A request that came over HTTP/2, in our form. The authority is `:authority`, or `Host` where there is none (RFC 9113,
/// 8.3.1).
pub fn request_head(parts: &http::request::Parts) -> RequestHead {
    let fields = fields_of(&parts.headers);
    let authority = match parts.uri.authority() {
        Some(authority) => Bytes::copy_from_slice(authority.as_str().as_bytes()),
        None => fields.first_bytes(Known::Host).unwrap_or_default(),
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    RequestHead {
        version: HttpVersion::H2,
        method: Bytes::copy_from_slice(parts.method.as_str().as_bytes()),
        target: Bytes::copy_from_slice(target.as_bytes()),
        authority,
        fields,
        raw: None,
    }
}

/// A response that came over HTTP/2, in our form.
pub fn response_head(parts: &http::response::Parts) -> ResponseHead {
    ResponseHead { version: HttpVersion::H2, status: parts.status.as_u16(), fields: fields_of(&parts.headers) }
}

/// Adds one field to a map; what HTTP/2 cannot carry is left out.
pub fn append(map: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        map.append(name, value);
    }
}

/// A trailer section as a map.
pub fn trailer_map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields.iter() {
        append(&mut map, field.name, field.value);
    }
    map
}
