//! A limit on everything an outsider controls, in one place, with the relations between them.

use serde::{Deserialize, Serialize};

/// Limits of one listener. Sizes in bytes, times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest head of a request, request line included.
    pub head_bytes_max: u32,
    /// Longest request target.
    pub target_bytes_max: u32,
    /// Most field lines in a head.
    pub fields_max: u16,
    /// Largest trailer section.
    pub trailer_bytes_max: u32,
    /// Largest request body carried; `u64::MAX` for no limit.
    pub body_bytes_max: u64,
    /// Largest part of a body that is held back for inspection.
    pub inspect_bytes_max: u32,
    /// Time from the first byte of a head to its last.
    pub head_timeout_ms: u32,
    /// Time a connection may stay without a request.
    pub idle_timeout_ms: u32,
    /// Time a connection may take for its TLS handshake or PROXY header.
    pub handshake_timeout_ms: u32,
    /// Slowest upload, in bytes per second, averaged after the first ten seconds; 0 for none.
    pub upload_bytes_per_s_min: u32,
    /// Time a client may take to read a piece of the answer.
    pub write_timeout_ms: u32,
    /// Most requests served over one connection.
    pub requests_per_connection_max: u32,
    /// Most connections in all, over all cores.
    pub connections_max: u32,
    /// Most connections of one client address.
    pub connections_per_client_max: u32,
    /// Most concurrent streams of an HTTP/2 connection.
    pub h2_streams_max: u32,
    /// Most resets by the client that an HTTP/2 connection survives in one second (CVE-2023-44487).
    pub h2_resets_per_s_max: u32,
    /// Most frames without progress (SETTINGS, PING, PRIORITY, empty DATA) in one second, each kind by itself. Ten times
    /// as many WINDOW_UPDATE frames are allowed, because a fast download needs one for every few frames of data.
    pub h2_control_frames_per_s_max: u32,
    /// Most CONTINUATION frames in one header block (CVE-2024-27316).
    pub h2_continuations_per_head_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 32 * 1024,
            target_bytes_max: 8 * 1024,
            fields_max: 100,
            trailer_bytes_max: 8 * 1024,
            body_bytes_max: 100 * 1024 * 1024,
            inspect_bytes_max: 256 * 1024,
            head_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            handshake_timeout_ms: 10_000,
            upload_bytes_per_s_min: 240,
            write_timeout_ms: 60_000,
            requests_per_connection_max: u32::MAX,
            connections_max: 100_000,
            connections_per_client_max: 20_000,
            h2_streams_max: 128,
            h2_resets_per_s_max: 100,
            // gRPC clients that measure bandwidth send a PING per round trip while data arrives: a thousand in a second
            // on a fast network is ordinary.
            h2_control_frames_per_s_max: 2_000,
            h2_continuations_per_head_max: 8,
        }
    }
}

impl Limits {
    /// The relations that must hold; each broken one as a sentence for the configuration's diagnostics.
    pub fn contradictions(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut require = |holds: bool, text: &str| {
            if !holds {
                broken.push(text.to_owned());
            }
        };
        require(self.target_bytes_max <= self.head_bytes_max, "`target_bytes_max` must not exceed `head_bytes_max`");
        require(self.head_bytes_max >= 1024, "`head_bytes_max` must be at least 1024");
        require(self.head_bytes_max <= 1024 * 1024, "`head_bytes_max` must not exceed 1048576");
        require(self.fields_max >= 8, "`fields_max` must be at least 8");
        require(
            u64::from(self.inspect_bytes_max) <= self.body_bytes_max,
            "`inspect_bytes_max` must not exceed `body_bytes_max`",
        );
        require(self.head_timeout_ms <= self.idle_timeout_ms, "`head_timeout_ms` must not exceed `idle_timeout_ms`");
        require(
            self.connections_per_client_max <= self.connections_max,
            "`connections_per_client_max` must not exceed `connections_max`",
        );
        require(self.h2_streams_max >= 1, "`h2_streams_max` must be at least 1");
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree_with_each_other() {
        assert_eq!(Limits::default().contradictions(), Vec::<String>::new());
    }

    #[test]
    fn a_contradiction_is_named() {
        let limits = Limits { target_bytes_max: 64 * 1024, ..Limits::default() };
        assert_eq!(limits.contradictions(), ["`target_bytes_max` must not exceed `head_bytes_max`"]);
    }
}
