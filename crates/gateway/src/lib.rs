//! Carries traffic: listeners, TLS, HTTP/1.1, HTTP/2, gRPC, WebSocket, upstreams; owns the life of a request.
//!
//! What is done with one exchange stands in [`exchange`]; what is judged stands in `inspect::pipeline`. The gateway
//! reaches neither disk (but for certificates at load) nor learner nor console: it reads a [`Snapshot`] and
//! writes events into bounded channels.

pub mod config;
pub mod router;
