//! Reasons that loaded rules (SecLang, the OWASP Core Rule Set) report.

use super::{Category, reasons};

reasons! {
    /// What loaded rules said.
    RuleReason, "crs" {
        Denied = "denied", High, "OWASP Core Rule Set", "loaded rules refuse the request: its anomaly score reached the threshold, or a rule denies it";
        ResponseDenied = "response-denied", High, "OWASP Core Rule Set", "loaded rules refuse the response";
        Matched = "matched", Medium, "OWASP Core Rule Set", "a loaded rule matched";
        Incomplete = "incomplete", Low, "CWE-400", "loaded rules did not see everything: too many values, or too much work";
    }
}

impl RuleReason {
    /// The kind of threat.
    pub const fn category(self) -> Category {
        match self {
            Self::ResponseDenied => Category::DataLeak,
            Self::Denied | Self::Matched | Self::Incomplete => Category::Injection,
        }
    }

    /// The status of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Self::ResponseDenied => 502,
            Self::Denied | Self::Matched | Self::Incomplete => 403,
        }
    }
}
