//! HTTP/2 as far as judging needs it (RFC 9113): heads that must not become HTTP/1, and the frames a client sends.
//!
//! Left out on purpose: everything the HTTP/2 library of the connection does, such as HPACK, flow control and the states of
//! streams. The tap only counts, so that a flood is seen before the library has worked through it.

mod head;
mod order;
mod tap;
mod trailer;

pub use head::{CheckedHead, check_head};
pub use tap::{FrameCounts, FrameTap};

/// What a client sends first (RFC 9113, 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
