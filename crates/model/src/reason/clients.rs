//! Reasons that lie in the client's address.

use super::reasons;

reasons! {
    /// Why a client's address counts.
    ClientReason, "clients" {
        Denied = "denied", High, "CWE-284", "the client's address is on a deny list";
        NotAllowed = "not-allowed", High, "CWE-284", "the client's address is on no allow list";
        TooManyConnections = "too-many-connections", Medium, "CWE-770", "the client has more connections open than the limit";
        FakeCrawler = "fake-crawler", High, "OWASP Automated Threats OAT-004", "the user agent claims a known crawler and the address is not that crawler's";
        CrawlerUnverified = "crawler-unverified", Info, "OWASP Automated Threats OAT-004", "the user agent claims a known crawler that has not been verified yet";
        AgentContradicted = "agent-contradicted", Low, "OWASP Automated Threats OAT-004", "the fields of the request contradict the browser that the user agent claims";
    }
}
