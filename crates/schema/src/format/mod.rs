//! String and number formats: each a linear-time check of its own grammar.
//!
//! Names are those of JSON Schema 2020-12 (validation, section 7.3) and of the OpenAPI format registry. A format that is
//! not known constrains nothing, as both specifications have it; the loader names it in a diagnostic.

mod net;
mod text;
mod time;

use crate::json::Number;

/// A known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// RFC 3339 date and time with offset.
    DateTime,
    /// RFC 3339 full-date.
    Date,
    /// RFC 3339 full-time.
    Time,
    /// ISO 8601 duration as in RFC 3339 appendix A.
    Duration,
    /// RFC 5321 mailbox.
    Email,
    /// RFC 6531 mailbox.
    IdnEmail,
    /// RFC 1123 host name.
    Hostname,
    /// RFC 5890 internationalised host name.
    IdnHostname,
    /// Dotted-quad IPv4 address.
    Ipv4,
    /// RFC 4291 IPv6 address.
    Ipv6,
    /// RFC 3986 URI with scheme.
    Uri,
    /// RFC 3986 URI reference.
    UriReference,
    /// RFC 3987 IRI.
    Iri,
    /// RFC 3987 IRI reference.
    IriReference,
    /// RFC 6570 template.
    UriTemplate,
    /// RFC 9562 UUID.
    Uuid,
    /// RFC 6901 pointer.
    JsonPointer,
    /// Relative JSON Pointer.
    RelativeJsonPointer,
    /// A regular expression.
    Regex,
    /// Base64 with padding (RFC 4648 section 4).
    Byte,
    /// Base64url without padding (RFC 4648 section 5).
    Base64Url,
    /// Signed 8-bit integer.
    Int8,
    /// Signed 16-bit integer.
    Int16,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// Unsigned 8-bit integer.
    Uint8,
    /// Unsigned 16-bit integer.
    Uint16,
    /// Unsigned 32-bit integer.
    Uint32,
    /// Unsigned 64-bit integer.
    Uint64,
    /// A number within single precision.
    Float,
    /// A number within double precision.
    Double,
}

impl Format {
    /// Every format with its name.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("date-time", Self::DateTime),
        ("date", Self::Date),
        ("time", Self::Time),
        ("duration", Self::Duration),
        ("email", Self::Email),
        ("idn-email", Self::IdnEmail),
        ("hostname", Self::Hostname),
        ("idn-hostname", Self::IdnHostname),
        ("ipv4", Self::Ipv4),
        ("ipv6", Self::Ipv6),
        ("uri", Self::Uri),
        ("uri-reference", Self::UriReference),
        ("iri", Self::Iri),
        ("iri-reference", Self::IriReference),
        ("uri-template", Self::UriTemplate),
        ("uuid", Self::Uuid),
        ("json-pointer", Self::JsonPointer),
        ("relative-json-pointer", Self::RelativeJsonPointer),
        ("regex", Self::Regex),
        ("byte", Self::Byte),
        ("base64url", Self::Base64Url),
        ("int8", Self::Int8),
        ("int16", Self::Int16),
        ("int32", Self::Int32),
        ("int64", Self::Int64),
        ("uint8", Self::Uint8),
        ("uint16", Self::Uint16),
        ("uint32", Self::Uint32),
        ("uint64", Self::Uint64),
        ("float", Self::Float),
        ("double", Self::Double),
    ];

    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// Whether a string has this format. Formats of numbers constrain no string.
    pub fn holds_for_text(self, text: &str) -> bool {
        match self {
            Self::DateTime => time::date_time(text),
            Self::Date => time::date(text.as_bytes()),
            Self::Time => time::time(text.as_bytes()),
            Self::Duration => time::duration(text),
            Self::Email => net::email(text, net::Letters::Ascii),
            Self::IdnEmail => net::email(text, net::Letters::Unicode),
            Self::Hostname => net::hostname(text),
            Self::IdnHostname => net::idn_hostname(text),
            Self::Ipv4 => net::ipv4(text),
            Self::Ipv6 => net::ipv6(text),
            Self::Uri => net::uri(text, net::Letters::Ascii),
            Self::UriReference => net::uri_reference(text, net::Letters::Ascii),
            Self::Iri => net::uri(text, net::Letters::Unicode),
            Self::IriReference => net::uri_reference(text, net::Letters::Unicode),
            Self::UriTemplate => text::uri_template(text),
            Self::Uuid => text::uuid(text.as_bytes()),
            Self::JsonPointer => text::json_pointer(text),
            Self::RelativeJsonPointer => text::relative_json_pointer(text),
            Self::Regex => crate::pattern::is_regex(text),
            Self::Byte => text::base64(text.as_bytes()),
            Self::Base64Url => text::base64_url(text.as_bytes()),
            Self::Int8
            | Self::Int16
            | Self::Int32
            | Self::Int64
            | Self::Uint8
            | Self::Uint16
            | Self::Uint32
            | Self::Uint64
            | Self::Float
            | Self::Double => true,
        }
    }

    /// Whether a number has this format. Formats of strings constrain no number.
    pub fn holds_for_number(self, number: Number<'_>) -> bool {
        let within = |min: i64, max: i64| number.as_i64().is_some_and(|value| value >= min && value <= max);
        let up_to = |max: u64| number.as_u64().is_some_and(|value| value <= max);
        match self {
            Self::Int8 => within(i64::from(i8::MIN), i64::from(i8::MAX)),
            Self::Int16 => within(i64::from(i16::MIN), i64::from(i16::MAX)),
            Self::Int32 => within(i64::from(i32::MIN), i64::from(i32::MAX)),
            Self::Int64 => within(i64::MIN, i64::MAX),
            Self::Uint8 => up_to(u64::from(u8::MAX)),
            Self::Uint16 => up_to(u64::from(u16::MAX)),
            Self::Uint32 => up_to(u64::from(u32::MAX)),
            Self::Uint64 => up_to(u64::MAX),
            Self::Float => number.as_f64().abs() <= f64::from(f32::MAX),
            Self::Double => number.as_f64().is_finite(),
            _ => true,
        }
    }

    /// True when a string that has this format consists of harmless characters by construction, so that attack
    /// detection need not look at it.
    pub const fn proves_text(self) -> bool {
        matches!(self, Self::DateTime | Self::Date | Self::Time | Self::Duration | Self::Ipv4 | Self::Ipv6 | Self::Uuid)
    }
}
