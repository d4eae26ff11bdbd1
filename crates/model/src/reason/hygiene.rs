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
        HeadTruncated = "head-truncated", Low, "RFC 9112 section 8", "the connection ended in the middle of a head";
        HeadTimeout = "head-timeout", Medium, "RFC 9110 section 15.5.9", "the head did not arrive in time";
        BodyTooSlow = "body-too-slow", Medium, "RFC 9110 section 15.5.9", "the body arrives slower than the limit";
        BodyTooLarge = "body-too-large", Medium, "RFC 9110 section 15.5.14", "the body is larger than the limit";
        TargetBackslash = "target-backslash", High, "RFC 3986 section 3.3", "the path has a backslash, which some readers take for a slash";
        TargetEncodedSlash = "target-encoded-slash", Low, "RFC 3986 section 2.2", "the path has an escaped slash or backslash, which some readers take for a separator";
        TargetHiddenDots = "target-hidden-dots", High, "CWE-22", "the path hides dot segments behind an escaped separator or a path parameter";
        TargetNul = "target-nul", High, "CWE-158", "the request target has an escaped NUL";
        TargetLineBreak = "target-line-break", High, "CWE-113", "the path has an escaped line break or control byte";
        TargetDoubleEncoding = "target-double-encoding", Medium, "CWE-174", "the path is percent-encoded twice";
        TargetOverlong = "target-overlong", High, "RFC 3629 section 10", "the request target has an overlong UTF-8 sequence";
        TargetNotUtf8 = "target-not-utf8", Info, "RFC 3986 section 2.5", "the request target has escaped bytes that are no UTF-8";
        TargetUnicodeEscape = "target-unicode-escape", Medium, "CWE-176", "the request target has a `%u` escape, which only some readers decode";
        TargetLookalike = "target-lookalike", Medium, "CWE-176", "the path has a character that some readers fold to a dot, a slash or a backslash";
        TargetEmptySegment = "target-empty-segment", Info, "RFC 3986 section 3.3", "the path has an empty segment";
        TargetProxyPrefix = "target-proxy-prefix", High, "CVE-2021-40438", "the request target carries a `unix:` socket for a proxy behind";
        ExtensionRestricted = "extension-restricted", Medium, "CWE-530", "the path ends like a backup, a working file or a configuration";
        MethodNotAllowed = "method-not-allowed", Medium, "RFC 9110 section 15.5.6", "the method is not among those allowed";
        MethodOverride = "method-override", Low, "CWE-436", "a field or a parameter asks for another method than the request's";
        FieldRestricted = "field-restricted", High, "CWE-436", "a field that changes what frameworks or proxies behind do and that no API client sends";
        FieldNameLookalike = "field-name-lookalike", Critical, "CWE-444", "a field name that some readers fold to Content-Length, Transfer-Encoding or Host";
        FieldNameFolded = "field-name-folded", High, "CWE-436", "a field name with an underscore that some readers fold to a known field";
        FieldFormsDuplicate = "field-forms-duplicate", High, "CWE-436", "a field came twice, once with a dash and once with an underscore";
        HostSniMismatch = "host-sni-mismatch", Medium, "RFC 9110 section 7.4", "the Host is another than the name of the TLS handshake";
        ContentTypeMissing = "content-type-missing", Info, "RFC 9110 section 8.3", "the request has a body without a Content-Type";
        ContentTypeMalformed = "content-type-malformed", Medium, "RFC 9110 section 8.3.1", "the Content-Type is no media type";
        ContentTypeConfusing = "content-type-confusing", High, "CWE-436", "the Content-Type has several meanings: a second media type, or a parameter given twice";
        CharsetUnusual = "charset-unusual", Low, "RFC 9110 section 8.3.2", "the charset is one that APIs hardly use";
        CharsetRefused = "charset-refused", High, "CWE-176", "the charset is unknown or one that hides ASCII from inspection";
        ContentCodingUnknown = "content-coding-unknown", Medium, "RFC 9110 section 8.4.1", "the Content-Encoding is not registered";
        ContentCodingStacked = "content-coding-stacked", High, "CWE-409", "the body is encoded more than once";
        ContentFieldWithoutBody = "content-field-without-body", Low, "RFC 9110 section 8.4", "a field describes a body that is not there";
        BodyTypeMismatch = "body-type-mismatch", Medium, "CWE-436", "the body is not of the type that the Content-Type declares";
        BodyBadEscape = "body-bad-escape", Low, "RFC 3986 section 2.1", "a form has a percent sign without two hexadecimal digits";
        MultipartMalformed = "multipart-malformed", High, "RFC 2046 section 5.1", "the multipart body departs from its boundary or has malformed part heads";
        MultipartNameSuspicious = "multipart-name-suspicious", High, "RFC 7578 section 4.2", "a part's name or file name has characters that readers understand differently";
        MultipartCharset = "multipart-charset", High, "RFC 7578 section 4.6", "a part declares a charset other than UTF-8";
        RangeMalformed = "range-malformed", Low, "RFC 9110 section 14.1.1", "the Range is malformed";
        RangeTooMany = "range-too-many", Medium, "RFC 9110 section 17.15", "the Range asks for more pieces than the limit";
        AcceptEmpty = "accept-empty", Low, "RFC 9110 section 12.5.1", "the Accept is empty";
        AcceptMissing = "accept-missing", Info, "RFC 9110 section 12.5.1", "a client that calls itself a browser sent no Accept";
        AcceptMalformed = "accept-malformed", Low, "RFC 9110 section 12.5.1", "the Accept is no list of media ranges";
        AgentMissing = "agent-missing", Info, "RFC 9110 section 10.1.5", "the request has no User-Agent";
        AgentEmpty = "agent-empty", Low, "RFC 9110 section 10.1.5", "the User-Agent is empty";
        ForwardedMalformed = "forwarded-malformed", Medium, "RFC 7239 section 4", "a forwarding field does not name addresses or hosts";
        ForwardedSpoofed = "forwarded-spoofed", Medium, "CWE-348", "a forwarding field of an untrusted client claims an inner address";
        H2FieldName = "h2-field-name", Critical, "RFC 9113 section 8.2.1", "a field name over HTTP/2 has upper case or bytes that become lines in HTTP/1";
        H2FieldValue = "h2-field-value", Critical, "RFC 9113 section 8.2.1", "a field value over HTTP/2 has bytes that become lines in HTTP/1";
        H2ConnectionField = "h2-connection-field", Critical, "RFC 9113 section 8.2.2", "an HTTP/2 request has a field that concerns an HTTP/1 connection";
        H2Te = "h2-te", High, "RFC 9113 section 8.2.2", "the TE of an HTTP/2 request is not `trailers`";
        H2Malformed = "h2-malformed", High, "RFC 9113 section 8.3.1", "the control data of an HTTP/2 request is malformed";
        H2FrameMalformed = "h2-frame-malformed", High, "RFC 9113 section 4.2", "an HTTP/2 frame breaks the framing";
        H2RapidReset = "h2-rapid-reset", High, "CVE-2023-44487", "more HTTP/2 streams are reset than the limit";
        H2ContinuationFlood = "h2-continuation-flood", High, "CVE-2024-27316", "an HTTP/2 header block has more CONTINUATION frames than the limit";
        H2HeadTooLarge = "h2-head-too-large", Medium, "RFC 9113 section 10.5.1", "an HTTP/2 header block is larger than the limit";
        H2SettingsFlood = "h2-settings-flood", High, "CVE-2019-9515", "more HTTP/2 SETTINGS frames than the limit";
        H2PingFlood = "h2-ping-flood", High, "CVE-2019-9512", "more HTTP/2 PING frames than the limit";
        H2PriorityFlood = "h2-priority-flood", High, "CVE-2019-9513", "more HTTP/2 PRIORITY frames than the limit";
        H2WindowFlood = "h2-window-flood", Medium, "CVE-2019-9511", "more HTTP/2 WINDOW_UPDATE frames than the limit";
        H2EmptyDataFlood = "h2-empty-data-flood", High, "CVE-2019-9518", "more empty HTTP/2 frames than the limit";
    }
}

impl Anomaly {
    /// How far this is from a well-formed message.
    pub const fn tier(self) -> Tier {
        match self {
            Self::TargetAbsolute
            | Self::HostNumeric
            | Self::MethodUnknown
            | Self::TargetNotUtf8
            | Self::TargetEmptySegment
            | Self::ContentTypeMissing
            | Self::AcceptMissing
            | Self::AgentMissing => Tier::Compliant,
            Self::FieldValueObsText
            | Self::ConnectionConflict
            | Self::BodyUnexpected
            | Self::BodyTruncated
            | Self::TargetIllegalByte
            | Self::TargetEncodedSlash
            | Self::TargetDoubleEncoding
            | Self::TargetUnicodeEscape
            | Self::TargetLookalike
            | Self::MethodOverride
            | Self::HostSniMismatch
            | Self::CharsetUnusual
            | Self::ContentCodingUnknown
            | Self::ContentFieldWithoutBody
            | Self::BodyTypeMismatch
            | Self::BodyBadEscape
            | Self::RangeMalformed
            | Self::AcceptEmpty
            | Self::AcceptMalformed
            | Self::AgentEmpty
            | Self::ForwardedMalformed
            | Self::ForwardedSpoofed => Tier::Acceptable,
            Self::TargetDotSegments
            | Self::TargetBadEscape
            | Self::TargetAuthority
            | Self::TargetBackslash
            | Self::TargetHiddenDots
            | Self::TargetNul
            | Self::TargetLineBreak
            | Self::TargetOverlong
            | Self::TargetProxyPrefix
            | Self::ExtensionRestricted
            | Self::MethodNotAllowed
            | Self::FieldRestricted
            | Self::FieldNameFolded
            | Self::FieldFormsDuplicate
            | Self::ContentTypeMalformed
            | Self::ContentTypeConfusing
            | Self::CharsetRefused
            | Self::ContentCodingStacked
            | Self::MultipartMalformed
            | Self::MultipartNameSuspicious
            | Self::MultipartCharset
            | Self::RangeTooMany
            | Self::SingletonDuplicate
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
            Self::MethodNotAllowed => 405,
            Self::RangeTooMany => 416,
            Self::ContentTypeMalformed
            | Self::ContentTypeConfusing
            | Self::CharsetRefused
            | Self::ContentCodingUnknown
            | Self::ContentCodingStacked => 415,
            Self::H2HeadTooLarge => 431,
            _ => 400,
        }
    }
}
