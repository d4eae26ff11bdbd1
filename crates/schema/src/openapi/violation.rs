//! How a message departs from its contract, as plain data. A violation never has the value itself.

use std::fmt;

/// The kind of departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViolationKind {
    /// A required parameter is missing.
    ParameterMissing,
    /// A parameter is not as declared, or occurs more often than it may.
    ParameterInvalid,
    /// A query parameter is not declared.
    ParameterUndeclared,
    /// The content type is not declared.
    ContentTypeUndeclared,
    /// A required body is missing.
    BodyMissing,
    /// A body where none is declared.
    BodyUndeclared,
    /// The body is not well-formed for its content type.
    BodyMalformed,
    /// The body has JSON beyond a limit.
    BodyLimit,
    /// The XML has a document type definition or exceeds a limit.
    XmlForbidden,
    /// The body is not as declared.
    BodyInvalid,
    /// A member of the body is not declared.
    FieldUndeclared,
    /// The status of the response is not declared.
    StatusUndeclared,
    /// A field of the response is missing or not as declared.
    ResponseHeaderInvalid,
}

impl ViolationKind {
    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ParameterMissing => "parameter-missing",
            Self::ParameterInvalid => "parameter-invalid",
            Self::ParameterUndeclared => "parameter-undeclared",
            Self::ContentTypeUndeclared => "content-type-undeclared",
            Self::BodyMissing => "body-missing",
            Self::BodyUndeclared => "body-undeclared",
            Self::BodyMalformed => "body-malformed",
            Self::BodyLimit => "body-limit",
            Self::XmlForbidden => "xml-forbidden",
            Self::BodyInvalid => "body-invalid",
            Self::FieldUndeclared => "field-undeclared",
            Self::StatusUndeclared => "status-undeclared",
            Self::ResponseHeaderInvalid => "response-header-invalid",
        }
    }
}

/// Where in the message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MessagePlace {
    /// A path parameter by name.
    Path(Box<str>),
    /// A query parameter by name.
    Query(Box<str>),
    /// A field by lower-case name.
    Header(Box<str>),
    /// A cookie by name.
    Cookie(Box<str>),
    /// A JSON Pointer in the body, form fields and parts being members; empty for the whole.
    Body(Box<str>),
    /// The status line of the response.
    Status,
}

/// One departure from the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What kind.
    pub kind: ViolationKind,
    /// Where. Whether it is the request's or the response's is known from what was judged.
    pub place: MessagePlace,
    /// JSON Pointer within a parameter that is an array or object; empty otherwise.
    pub pointer: Box<str>,
    /// The keyword that failed, such as `maxLength`; empty where no schema is involved.
    pub keyword: &'static str,
    /// What was expected.
    pub expected: Box<str>,
    /// Of alternatives, the one that came closest and why it does not fit.
    pub closest: Option<Box<str>>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (location, name) = match &self.place {
            MessagePlace::Path(name) => ("path", &**name),
            MessagePlace::Query(name) => ("query", &**name),
            MessagePlace::Header(name) => ("header", &**name),
            MessagePlace::Cookie(name) => ("cookie", &**name),
            MessagePlace::Body(pointer) => ("body", &**pointer),
            MessagePlace::Status => ("status", ""),
        };
        write!(f, "{}: {location}:{name}{}", self.kind.name(), self.pointer)?;
        if !self.keyword.is_empty() {
            write!(f, ": {}", self.keyword)?;
        }
        if !self.expected.is_empty() {
            write!(f, ": {}", self.expected)?;
        }
        match &self.closest {
            Some(closest) => write!(f, " (closest: {closest})"),
            None => Ok(()),
        }
    }
}
