//! Media types and ranges (RFC 9110 section 8.3), as far as contracts need them.

/// A media type as sent: lower case, parameters apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// `type/subtype`, lower case.
    pub(crate) essence: Box<str>,
    /// The boundary of a multipart body.
    pub(crate) boundary: Option<Box<str>>,
}

impl MediaType {
    /// Reads a Content-Type field. `None` when it is no media type.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        let is_token = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let boundary = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim();
            let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty() && value.len() <= 70)
                .then(|| value.into())
        });
        Some(Self { essence: essence.into(), boundary })
    }
}

/// The boundary that a Content-Type names.
#[cfg(feature = "graphql")]
pub(crate) fn boundary(content_type: &str) -> Option<Box<str>> {
    MediaType::parse(content_type)?.boundary
}

/// How a body of some media type is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Json,
    Form,
    Multipart,
    Text,
    Xml,
    /// Not looked into.
    Opaque,
}

impl BodyKind {
    pub(crate) fn of(essence: &str) -> Self {
        let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
        match essence {
            "application/json" | "text/json" | "application/x-json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            "application/xml" | "text/xml" => Self::Xml,
            _ if subtype.ends_with("+json") => Self::Json,
            _ if subtype.ends_with("+xml") => Self::Xml,
            _ if essence.starts_with("text/") => Self::Text,
            _ => Self::Opaque,
        }
    }
}

/// How well a declared range fits a media type; `None` when it does not. Higher is more specific.
pub(crate) fn specificity(range: &str, essence: &str) -> Option<u8> {
    if range == essence {
        return Some(3);
    }
    if range == "*/*" || range == "*" {
        return Some(0);
    }
    let ((kind, subtype), (sent_kind, sent_subtype)) = (range.split_once('/')?, essence.split_once('/')?);
    if kind != sent_kind {
        return None;
    }
    match subtype.strip_prefix('*') {
        Some("") => Some(1),
        // `application/*+json`
        Some(suffix) if suffix.starts_with('+') && sent_subtype.ends_with(suffix) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_ordered_by_how_specific_they_are() {
        let fit = |range| specificity(range, "application/problem+json");
        assert_eq!(fit("application/problem+json"), Some(3));
        assert_eq!(fit("application/*+json"), Some(2));
        assert_eq!(fit("application/*"), Some(1));
        assert_eq!(fit("*/*"), Some(0));
        assert_eq!(fit("application/json"), None);
        assert_eq!(fit("text/*"), None);
    }

    #[test]
    fn content_types_are_read_leniently_but_not_wrongly() {
        let media = MediaType::parse("Multipart/Form-Data; charset=x; Boundary=\"a b\"").unwrap();
        assert_eq!((&*media.essence, media.boundary.as_deref()), ("multipart/form-data", Some("a b")));
        assert!(MediaType::parse("json").is_none());
        assert!(MediaType::parse("a/b c").is_none());
        assert_eq!(BodyKind::of("application/vnd.api+json"), BodyKind::Json);
        assert_eq!(BodyKind::of("image/svg+xml"), BodyKind::Xml);
    }
}
