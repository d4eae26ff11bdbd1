//! Reasons that lie in the client's address.

use super::reasons;

reasons! {
    /// Why a client's address counts.
    ClientReason, "clients" {
        Denied = "denied", High, "CWE-284", "the client's address is on a deny list";
        NotAllowed = "not-allowed", High, "CWE-284", "the client's address is on no allow list";
        TooManyConnections = "too-many-connections", Medium, "CWE-770", "the client has more connections open than the limit";
    }
}
