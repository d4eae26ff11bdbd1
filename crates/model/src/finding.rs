//! What a stage reports.

use smallvec::SmallVec;

use crate::reason::Reason;

/// How sure a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Worth showing beside other evidence.
    Hint,
    /// Probably right; counts towards a verdict only together with others.
    Likely,
    /// Right by construction or by a wide margin: refused in mode `block`.
    Sure,
}

/// Where in the message the finding lies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The connection, before or between messages.
    Connection,
    /// The request line.
    RequestLine,
    /// The path as a whole.
    Path,
    /// One segment of the path, counted from zero, or the name of its parameter.
    PathParameter(Box<str>),
    /// A query parameter by name; empty when it is the query as a whole.
    Query(Box<str>),
    /// A field by lower-case name.
    Header(Box<str>),
    /// A cookie by name.
    Cookie(Box<str>),
    /// A place in the body: a JSON Pointer, a form field, a part name, an XML path; empty for the whole body.
    Body(Box<str>),
    /// The status of the response.
    Status,
    /// A field of the response by lower-case name.
    ResponseHeader(Box<str>),
    /// A place in the body of the response.
    ResponseBody(Box<str>),
}

impl Place {
    /// The place as events show it, such as `query:id` or `body:/user/name`.
    pub fn text(&self) -> String {
        match self {
            Self::Connection => "connection".to_owned(),
            Self::RequestLine => "request-line".to_owned(),
            Self::Path => "path".to_owned(),
            Self::PathParameter(name) => format!("path:{name}"),
            Self::Query(name) => format!("query:{name}"),
            Self::Header(name) => format!("header:{name}"),
            Self::Cookie(name) => format!("cookie:{name}"),
            Self::Body(pointer) => format!("body:{pointer}"),
            Self::Status => "status".to_owned(),
            Self::ResponseHeader(name) => format!("response-header:{name}"),
            Self::ResponseBody(pointer) => format!("response-body:{pointer}"),
        }
    }
}

/// One thing a stage noticed. It never decides by itself; `inspect::decide` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Why.
    pub reason: Reason,
    /// How sure.
    pub confidence: Confidence,
    /// Where.
    pub place: Place,
    /// Bounded, redacted evidence for people: what was expected, which tokens weighed; never a secret or a whole value.
    pub evidence: Box<str>,
}

impl Finding {
    /// The longest evidence kept, in bytes.
    pub const EVIDENCE_BYTES_MAX: usize = 200;

    /// A finding; evidence beyond the limit is cut at a character boundary.
    pub fn new(reason: Reason, confidence: Confidence, place: Place, evidence: &str) -> Self {
        let mut end = evidence.len().min(Self::EVIDENCE_BYTES_MAX);
        while !evidence.is_char_boundary(end) {
            end -= 1;
        }
        Self { reason, confidence, place, evidence: evidence.get(..end).unwrap_or_default().into() }
    }
}

/// The findings of one exchange. Most exchanges have none.
pub type Findings = SmallVec<[Finding; 1]>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::ClientReason;

    #[test]
    fn evidence_is_cut_between_characters() {
        let long = "é".repeat(Finding::EVIDENCE_BYTES_MAX);
        let finding = Finding::new(Reason::Client(ClientReason::Denied), Confidence::Sure, Place::Connection, &long);
        assert!(finding.evidence.len() <= Finding::EVIDENCE_BYTES_MAX);
        assert!(finding.evidence.chars().all(|c| c == 'é'));
    }
}
