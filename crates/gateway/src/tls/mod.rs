//! TLS on both sides: certificates read and checked, chosen by server name, exchanged without a restart.
//!
//! The cryptography is aws-lc-rs, given to every configuration explicitly, so that no process-wide default can change it.
//! TLS 1.2 and 1.3 are spoken. Left out: revocation lists and stapling, raw public keys, early data (a replayed request
//! cannot be told from a fresh one).

mod client;
mod error;
mod facts;
mod files;
mod server;
mod unverified;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use client::ClientTls;
pub use error::Error;
pub use facts::{CertificateFacts, subject};
pub use server::ServerTls;

/// The one source of cryptography.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
