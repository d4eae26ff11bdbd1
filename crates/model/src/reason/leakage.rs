//! Reasons that lie in what a response gives away.

use super::reasons;

reasons! {
    /// What a response gives away.
    LeakReason, "leakage" {
        StackTrace = "stack-trace", Medium, "CWE-209", "the response shows a stack trace";
        SqlError = "sql-error", Medium, "CWE-209", "the response shows a database error";
        Secret = "secret", Critical, "CWE-200", "the response shows a key or a token";
        CardNumber = "card-number", High, "CWE-359", "the response shows a payment card number";
        Iban = "iban", Medium, "CWE-359", "the response shows an IBAN";
        Email = "email", Low, "CWE-359", "the response shows e-mail addresses";
        Uninspected = "uninspected", Medium, "CWE-200", "the response is in a coding in which nothing can be masked";
        NationalId = "national-id", High, "CWE-359", "the response shows a national identity number";
    }
}
