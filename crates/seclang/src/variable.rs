//! Variables: what of an exchange a rule looks at.

/// Where the values of a variable come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read off the message, once.
    Message,
    /// Several variables of the message seen as one.
    Joined(&'static [Variable]),
    /// Changes while rules run.
    Running,
    /// Known by name, never there: nothing here could tell it.
    Absent,
}

macro_rules! variables {
    ($($variant:ident = $name:literal, $kind:expr;)*) => {
        /// A variable that rules may name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each variant is the variable it spells")]
        #[repr(u8)]
        pub enum Variable { $($variant),* }

        impl Variable {
            /// Every variable.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as rules write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Where its values come from.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind),* }
            }
        }
    };
}

use Kind::{Absent, Message, Running};

variables! {
    Args = "ARGS", Kind::Joined(&[Variable::ArgsGet, Variable::ArgsPost]);
    ArgsNames = "ARGS_NAMES", Kind::Joined(&[Variable::ArgsGetNames, Variable::ArgsPostNames]);
    ArgsGet = "ARGS_GET", Message;
    ArgsGetNames = "ARGS_GET_NAMES", Message;
    ArgsPost = "ARGS_POST", Message;
    ArgsPostNames = "ARGS_POST_NAMES", Message;
    ArgsCombinedSize = "ARGS_COMBINED_SIZE", Message;
    AuthType = "AUTH_TYPE", Message;
    Duration = "DURATION", Absent;
    Env = "ENV", Absent;
    Files = "FILES", Message;
    FilesCombinedSize = "FILES_COMBINED_SIZE", Message;
    FilesNames = "FILES_NAMES", Message;
    FilesSizes = "FILES_SIZES", Message;
    FilesTmpContent = "FILES_TMP_CONTENT", Message;
    FilesTmpNames = "FILES_TMPNAMES", Absent;
    FullRequest = "FULL_REQUEST", Absent;
    FullRequestLength = "FULL_REQUEST_LENGTH", Message;
    Geo = "GEO", Absent;
    Global = "GLOBAL", Running;
    HighestSeverity = "HIGHEST_SEVERITY", Running;
    InboundDataError = "INBOUND_DATA_ERROR", Message;
    Ip = "IP", Running;
    MatchedVar = "MATCHED_VAR", Running;
    MatchedVarName = "MATCHED_VAR_NAME", Running;
    MatchedVars = "MATCHED_VARS", Running;
    MatchedVarsNames = "MATCHED_VARS_NAMES", Running;
    MscPcreError = "MSC_PCRE_ERROR", Message;
    MscPcreLimitsExceeded = "MSC_PCRE_LIMITS_EXCEEDED", Message;
    MultipartBoundaryQuoted = "MULTIPART_BOUNDARY_QUOTED", Message;
    MultipartBoundaryWhitespace = "MULTIPART_BOUNDARY_WHITESPACE", Message;
    MultipartCrlfLfLines = "MULTIPART_CRLF_LF_LINES", Message;
    MultipartDataAfter = "MULTIPART_DATA_AFTER", Message;
    MultipartDataBefore = "MULTIPART_DATA_BEFORE", Message;
    MultipartFileLimitExceeded = "MULTIPART_FILE_LIMIT_EXCEEDED", Message;
    MultipartFilename = "MULTIPART_FILENAME", Message;
    MultipartHeaderFolding = "MULTIPART_HEADER_FOLDING", Message;
    MultipartInvalidHeaderFolding = "MULTIPART_INVALID_HEADER_FOLDING", Message;
    MultipartInvalidPart = "MULTIPART_INVALID_PART", Message;
    MultipartInvalidQuoting = "MULTIPART_INVALID_QUOTING", Message;
    MultipartLfLine = "MULTIPART_LF_LINE", Message;
    MultipartMissingSemicolon = "MULTIPART_MISSING_SEMICOLON", Message;
    MultipartName = "MULTIPART_NAME", Message;
    MultipartPartHeaders = "MULTIPART_PART_HEADERS", Message;
    MultipartStrictError = "MULTIPART_STRICT_ERROR", Message;
    MultipartUnmatchedBoundary = "MULTIPART_UNMATCHED_BOUNDARY", Message;
    OutboundDataError = "OUTBOUND_DATA_ERROR", Message;
    PathInfo = "PATH_INFO", Absent;
    QueryString = "QUERY_STRING", Message;
    RemoteAddr = "REMOTE_ADDR", Message;
    RemoteHost = "REMOTE_HOST", Message;
    RemotePort = "REMOTE_PORT", Absent;
    RemoteUser = "REMOTE_USER", Absent;
    ReqbodyError = "REQBODY_ERROR", Message;
    ReqbodyErrorMsg = "REQBODY_ERROR_MSG", Message;
    ReqbodyProcessor = "REQBODY_PROCESSOR", Message;
    ReqbodyProcessorError = "REQBODY_PROCESSOR_ERROR", Message;
    ReqbodyProcessorErrorMsg = "REQBODY_PROCESSOR_ERROR_MSG", Message;
    RequestBasename = "REQUEST_BASENAME", Message;
    RequestBody = "REQUEST_BODY", Message;
    RequestBodyLength = "REQUEST_BODY_LENGTH", Message;
    RequestCookies = "REQUEST_COOKIES", Message;
    RequestCookiesNames = "REQUEST_COOKIES_NAMES", Message;
    RequestFilename = "REQUEST_FILENAME", Message;
    RequestHeaders = "REQUEST_HEADERS", Message;
    RequestHeadersNames = "REQUEST_HEADERS_NAMES", Message;
    RequestLine = "REQUEST_LINE", Message;
    RequestMethod = "REQUEST_METHOD", Message;
    RequestProtocol = "REQUEST_PROTOCOL", Message;
    RequestUri = "REQUEST_URI", Message;
    RequestUriRaw = "REQUEST_URI_RAW", Message;
    Resource = "RESOURCE", Running;
    ResponseBody = "RESPONSE_BODY", Message;
    ResponseContentLength = "RESPONSE_CONTENT_LENGTH", Message;
    ResponseContentType = "RESPONSE_CONTENT_TYPE", Message;
    ResponseHeaders = "RESPONSE_HEADERS", Message;
    ResponseHeadersNames = "RESPONSE_HEADERS_NAMES", Message;
    ResponseProtocol = "RESPONSE_PROTOCOL", Message;
    ResponseStatus = "RESPONSE_STATUS", Message;
    Rule = "RULE", Running;
    ServerAddr = "SERVER_ADDR", Absent;
    ServerName = "SERVER_NAME", Message;
    ServerPort = "SERVER_PORT", Absent;
    Session = "SESSION", Running;
    SessionId = "SESSIONID", Absent;
    Status = "STATUS", Message;
    StatusLine = "STATUS_LINE", Message;
    Time = "TIME", Absent;
    TimeDay = "TIME_DAY", Absent;
    TimeEpoch = "TIME_EPOCH", Absent;
    TimeHour = "TIME_HOUR", Absent;
    TimeMin = "TIME_MIN", Absent;
    TimeMon = "TIME_MON", Absent;
    TimeSec = "TIME_SEC", Absent;
    TimeWday = "TIME_WDAY", Absent;
    TimeYear = "TIME_YEAR", Absent;
    Tx = "TX", Running;
    UniqueId = "UNIQUE_ID", Message;
    UrlencodedError = "URLENCODED_ERROR", Message;
    User = "USER", Running;
    UserId = "USERID", Absent;
    WebAppId = "WEBAPPID", Absent;
    Xml = "XML", Message;
}

impl Variable {
    /// The variable with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|variable| variable.name().eq_ignore_ascii_case(name))
    }

    /// The variables of the message that this one stands for; empty for those that are no part of it.
    pub fn parts(self) -> &'static [Self] {
        match self.kind() {
            Kind::Joined(parts) => parts,
            Kind::Message => Self::ALL.get(self as usize..=self as usize).unwrap_or_default(),
            Kind::Running | Kind::Absent => &[],
        }
    }

    /// Collections that would have to be kept between exchanges.
    pub const fn is_persistent(self) -> bool {
        matches!(self, Self::Global | Self::Ip | Self::Resource | Self::Session | Self::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_stands_at_its_number() {
        for (at, &variable) in Variable::ALL.iter().enumerate() {
            assert_eq!(variable as usize, at);
            assert_eq!(Variable::from_name(&variable.name().to_ascii_lowercase()), Some(variable));
        }
        assert_eq!(Variable::Files.parts(), [Variable::Files]);
        assert_eq!(Variable::Args.parts().len(), 2);
    }
}
