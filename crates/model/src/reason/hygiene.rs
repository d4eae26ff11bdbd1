//! HTTP anomalies: every way a message can depart from the specifications that we tell apart.

use super::reasons;

/// How far an anomaly is from a well-formed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Allowed by the specifications.
    Compliant,
    /// Not allowed, but every reader understands it alike; the forwarded message is canonical.
    Acceptable,
    /// Readers may understand it differently; refused, or made canonical where one meaning is certain.
    Ambiguous,
    /// A message two readers could frame differently, or one that is an attack: always refused.
    Severe,
}

reasons! {
    /// One HTTP anomaly.
    Anomaly, "hygiene" {
        RequestLineMalformed = "request-line-malformed", High, "RFC 9112 section 3", "the request line is not a method, a target and a version";
        MethodMalformed = "method-malformed", High, "RFC 9110 section 9.1", "the method has characters that are no token";
        MethodUnknown = "method-unknown", Low, "RFC 9110 section 16.1", "the method is not registered";
        VersionMalformed = "version-malformed", High, "RFC 9112 section 2.3", "the version is not HTTP/1.0 or HTTP/1.1";
        TargetMalformed = "target-malformed", High, "RFC 9112 section 3.2", "the request target is in none of the four forms";
        TargetIllegalByte = "target-illegal-byte", Medium, "RFC 3986 section 2", "the request target has a byte that must be percent-encoded";
        TargetControlByte = "target-control-byte", High, "RFC 3986 section 2", "the request target has a control byte";
        TargetFragment = "target-fragment", Medium, "RFC 9112 section 3.2.1", "the request target has a fragment";
        TargetBadEscape = "target-bad-escape", Medium, "RFC 3986 section 2.1", "the request target has a percent sign without two hexadecimal digits";
        TargetDotSegments = "target-dot-segments", Medium, "RFC 3986 section 5.2.4", "the path has dot segments, plain or escaped";
        TargetAbsolute = "target-absolute", Low, "RFC 9112 section 3.2.2", "the request target is in absolute form";
        TargetAuthority = "target-authority", Medium, "RFC 9112 section 3.2.3", "the request target is in authority form";
        LineBareLf = "line-bare-lf", High, "RFC 9112 section 2.2", "a line ends with LF alone";
        LineBareCr = "line-bare-cr", High, "RFC 9112 section 2.2", "a CR stands without LF";
        FieldLineFolded = "field-line-folded", High, "RFC 9112 section 5.2", "a field line is folded over several lines";
        FieldNameMalformed = "field-name-malformed", High, "RFC 9110 section 5.1", "a field name is empty or has characters that are no token";
        FieldNameSpace = "field-name-space", High, "RFC 9112 section 5.1", "white space stands between a field name and the colon";
        FieldColonMissing = "field-colon-missing", High, "RFC 9112 section 5", "a field line has no colon";
        FieldValueNul = "field-value-nul", High, "RFC 9110 section 5.5", "a field value has a NUL byte";
        FieldValueControl = "field-value-control", High, "RFC 9110 section 5.5", "a field value has a control byte";
        FieldValueObsText = "field-value-obs-text", Low, "RFC 9110 section 5.5", "a field value has bytes outside ASCII";
        HeadTooLarge = "head-too-large", Medium, "RFC 6585 section 5", "the head is larger than the limit";
        HeadTooManyFields = "head-too-many-fields", Medium, "RFC 6585 section 5", "the head has more field lines than the limit";
        TargetTooLong = "target-too-long", Medium, "RFC 9110 section 15.5.15", "the request target is longer than the limit";
        HostMissing = "host-missing", Medium, "RFC 9112 section 3.2", "an HTTP/1.1 request has no Host";
        HostDuplicate = "host-duplicate", High, "RFC 9112 section 3.2", "there is more than one Host";
        HostEmpty = "host-empty", Medium, "RFC 9112 section 3.2", "the Host is empty";
        HostMalformed = "host-malformed", High, "RFC 3986 section 3.2", "the Host is no valid authority";
        HostMismatch = "host-mismatch", High, "RFC 9112 section 3.2.2", "the Host differs from the authority of the target";
        HostNumeric = "host-numeric", Low, "RFC 3986 section 3.2.2", "the Host is an IP address";
        LengthMalformed = "length-malformed", Critical, "RFC 9112 section 6.3", "the Content-Length is not one decimal number";
        LengthDuplicate = "length-duplicate", Critical, "RFC 9112 section 6.3", "there is more than one Content-Length";
        LengthAndEncoding = "length-and-encoding", Critical, "RFC 9112 section 6.3", "there are both a Content-Length and a Transfer-Encoding";
        EncodingMalformed = "encoding-malformed", Critical, "RFC 9112 section 6.1", "the Transfer-Encoding is not exactly `chunked`";
        EncodingDuplicate = "encoding-duplicate", Critical, "RFC 9112 section 6.1", "there is more than one Transfer-Encoding";
        EncodingOldVersion = "encoding-old-version", Critical, "RFC 9112 section 6.1", "an HTTP/1.0 request has a Transfer-Encoding";
        ChunkMalformed = "chunk-malformed", Critical, "RFC 9112 section 7.1", "a chunk of the body is malformed";
        TrailerForbidden = "trailer-forbidden", High, "RFC 9110 section 6.5.1", "a trailer names a field that must not be one";
        BodyUnexpected = "body-unexpected", Medium, "RFC 9110 section 9.3.1", "the method gives the body no meaning";
        BodyTruncated = "body-truncated", Low, "RFC 9112 section 8", "the body ended before its length";
        ConnectionNamesField = "connection-names-field", High, "RFC 9110 section 7.6.1", "Connection names a field that must reach the upstream";
        ConnectionConflict = "connection-conflict", Low, "RFC 9112 section 9.3", "Connection says both close and keep-alive";
        SingletonDuplicate = "singleton-duplicate", Medium, "RFC 9110 section 5.3", "a field that may appear once appears several times";
        UpgradeMalformed = "upgrade-malformed", High, "RFC 6455 section 4.2.1", "the upgrade request is not as its protocol asks";
        ExpectUnknown = "expect-unknown", Low, "RFC 9110 section 10.1.1", "the expectation is not `100-continue`";
        PrefaceUnexpected = "preface-unexpected", Medium, "RFC 9113 section 3.4", "an HTTP/2 preface where HTTP/1 is spoken";
        NotHttp = "not-http", Medium, "RFC 9112 section 2", "the bytes are not HTTP";
        HeadTimeout = "head-timeout", Medium, "RFC 9110 section 15.5.9", "the head did not arrive in time";
        BodyTooSlow = "body-too-slow", Medium, "RFC 9110 section 15.5.9", "the body arrives slower than the limit";
        BodyTooLarge = "body-too-large", Medium, "RFC 9110 section 15.5.14", "the body is larger than the limit";
    }
}

impl Anomaly {
    /// How far this is from a well-formed message.
    pub const fn tier(self) -> Tier {
        match self {
            Self::TargetAbsolute | Self::HostNumeric | Self::MethodUnknown => Tier::Compliant,
            Self::FieldValueObsText | Self::ConnectionConflict | Self::BodyUnexpected | Self::BodyTruncated => {
                Tier::Acceptable
            }
            Self::TargetIllegalByte
            | Self::TargetDotSegments
            | Self::TargetBadEscape
            | Self::TargetAuthority
            | Self::SingletonDuplicate
            | Self::ExpectUnknown
            | Self::ConnectionNamesField => Tier::Ambiguous,
            _ => Tier::Severe,
        }
    }

    /// The status of the answer when this refuses a request.
    pub const fn status(self) -> u16 {
        match self {
            Self::HeadTooLarge | Self::HeadTooManyFields => 431,
            Self::TargetTooLong => 414,
            Self::BodyTooLarge => 413,
            Self::HeadTimeout | Self::BodyTooSlow => 408,
            Self::VersionMalformed => 505,
            Self::EncodingMalformed => 501,
            Self::ExpectUnknown => 417,
            _ => 400,
        }
    }
}
