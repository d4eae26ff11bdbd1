//! What kind of traffic an exchange is, by the definition the report uses.
//!
//! API traffic is "any HTTP request with a response content type of XML, JSON, gRPC or similar; where the response content type is
//! not available, such as for mitigated requests, the equivalent Accept content type is used instead". Dynamic traffic is
//! what is not static content. One extension, because answers such as 204 have no content: where neither says
//! anything, the content type of the request decides.

use model::Event;

use crate::text::media_type;

/// The kind of traffic of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrafficClass {
    /// API traffic.
    Api,
    /// A page for people.
    Page,
    /// Static content.
    Asset,
    /// Neither is known.
    Other,
}

impl TrafficClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Api, Self::Page, Self::Asset, Self::Other];

    /// The name in events and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Asset => "asset",
            Self::Other => "other",
        }
    }

    /// True for what is not static content.
    pub const fn is_dynamic(self) -> bool {
        !matches!(self, Self::Asset)
    }

    /// The class of an exchange.
    pub fn of(event: &Event) -> Self {
        let ours = event.status_source != model::StatusSource::Upstream;
        // An answer of ours has a content type of our own, which says nothing about the service behind.
        if !ours && let Some(class) = of_media_type(&media_type(&event.response_type)) {
            return class;
        }
        if let Some(class) = of_extension(event.path()) {
            return class;
        }
        let accept = event.accept.split(|&byte| byte == b',').next().unwrap_or_default();
        of_media_type(&media_type(accept))
            .or_else(|| of_media_type(&media_type(&event.request_type)).filter(|class| *class == Self::Api))
            .unwrap_or(Self::Other)
    }
}

fn of_media_type(media: &str) -> Option<TrafficClass> {
    let (kind, subtype) = media.split_once('/')?;
    let class = match (kind, subtype) {
        ("text", "html") | ("application", "xhtml+xml") => TrafficClass::Page,
        ("image" | "font" | "audio" | "video", _) => TrafficClass::Asset,
        ("text", "css" | "javascript") => TrafficClass::Asset,
        ("application", "javascript" | "x-javascript" | "wasm" | "font-woff" | "manifest+json") => TrafficClass::Asset,
        ("text", "xml" | "json" | "event-stream" | "x-json") => TrafficClass::Api,
        (
            "application",
            "json" | "xml" | "x-ndjson" | "ndjson" | "jsonl" | "graphql" | "msgpack" | "x-msgpack" | "cbor"
            | "protobuf" | "x-protobuf" | "x-thrift" | "json-seq" | "jose" | "x-json",
        ) => TrafficClass::Api,
        (_, subtype) if subtype.starts_with("grpc") || subtype.ends_with("+json") || subtype.ends_with("+xml") => {
            TrafficClass::Api
        }
        (_, subtype) if subtype.ends_with("+cbor") || subtype.ends_with("+protobuf") => TrafficClass::Api,
        _ => return None,
    };
    Some(class)
}

fn of_extension(path: &[u8]) -> Option<TrafficClass> {
    let last = path.rsplit(|&byte| byte == b'/').next()?;
    let dot = last.iter().rposition(|&byte| byte == b'.')?;
    let extension = last.get(dot + 1..)?.to_ascii_lowercase();
    match extension.as_slice() {
        b"css" | b"js" | b"mjs" | b"map" | b"png" | b"jpg" | b"jpeg" | b"gif" | b"webp" | b"avif" | b"ico" | b"svg"
        | b"woff" | b"woff2" | b"ttf" | b"otf" | b"mp4" | b"webm" | b"mp3" | b"wasm" => Some(TrafficClass::Asset),
        b"html" | b"htm" => Some(TrafficClass::Page),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_fall_into_classes() {
        let class = |text: &str| of_media_type(text).map(TrafficClass::name);
        assert_eq!(class("application/json"), Some("api"));
        assert_eq!(class("application/problem+json"), Some("api"));
        assert_eq!(class("application/grpc+proto"), Some("api"));
        assert_eq!(class("application/soap+xml"), Some("api"));
        assert_eq!(class("image/svg+xml"), Some("asset"));
        assert_eq!(class("text/html"), Some("page"));
        assert_eq!(class("application/octet-stream"), None);
        assert_eq!(class("*/*"), None);
        assert_eq!(class(""), None);
    }

    #[test]
    fn a_refused_request_is_classed_by_what_it_asked_for() {
        let mut event = crate::testing::ordinary_event();
        event.status_source = model::StatusSource::Gateway;
        event.response_type = bytes::Bytes::from_static(b"application/problem+json");
        event.accept = bytes::Bytes::from_static(b"text/html,application/xhtml+xml");
        assert_eq!(TrafficClass::of(&event), TrafficClass::Page);
        event.accept = bytes::Bytes::from_static(b"application/json");
        assert_eq!(TrafficClass::of(&event), TrafficClass::Api);
        event.target = bytes::Bytes::from_static(b"/static/app.js?v=3");
        assert_eq!(TrafficClass::of(&event), TrafficClass::Asset);
    }
}
