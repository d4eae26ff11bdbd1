//! Reasons that lie in who calls and what the caller may.

use super::{Category, reasons};

reasons! {
    /// Why a caller may not.
    AccessReason, "access" {
        CredentialMissing = "credential-missing", Medium, "OWASP API2:2023", "the endpoint wants a credential and there is none";
        WriteDenied = "write-denied", High, "OWASP API5:2023", "the caller may read but not write";
    }
}

impl AccessReason {
    /// The kind of threat.
    pub const fn category(self) -> Category {
        match self {
            Self::CredentialMissing => Category::Authentication,
            Self::WriteDenied => Category::Authorization,
        }
    }

    /// The status of the answer when this refuses a request.
    pub const fn status(self) -> u16 {
        match self {
            Self::CredentialMissing => 401,
            Self::WriteDenied => 403,
        }
    }
}
