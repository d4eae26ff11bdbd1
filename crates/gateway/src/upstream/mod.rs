//! The other side: servers, the connections a worker keeps to them, and one request over one of them.

mod connect;
pub mod h1;
pub mod h2;
pub mod pool;

pub use connect::{ConnectError, connect};
pub use h1::H1Connection;
pub use h2::H2Connection;
pub use pool::{Lease, Pool};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use rustls_pki_types::ServerName;

use crate::balance::{Balancer, RetryBudget};
use crate::config;

/// One upstream at work: its configuration, its servers and what is shared between workers.
pub struct Upstream {
    /// As configured.
    pub config: config::Upstream,
    /// Its servers, in the order of the configuration; the index is what events record.
    pub servers: Vec<Arc<Server>>,
    /// Chooses among the servers.
    pub balancer: Balancer,
    /// Allows or refuses another try.
    pub retry_budget: RetryBudget,
}

/// One server at work.
pub struct Server {
    /// Names the server's connections in the pools; never used again for another server.
    pub id: u64,
    /// As configured.
    pub config: config::Server,
    /// Where it was found, refreshed off the path.
    pub addresses: ArcSwap<Vec<SocketAddr>>,
    /// TLS to it.
    pub tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// What is sent as Host when the client's is not: `name:port`, without a default port.
    pub authority: Box<str>,
}

impl Server {
    /// A server under an identity of its own.
    pub fn new(
        config: config::Server,
        addresses: Vec<SocketAddr>,
        tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let default_port = if tls.is_some() { 443 } else { 80 };
        let host = if config.host.contains(':') { format!("[{}]", config.host) } else { config.host.clone() };
        let authority = if config.port == default_port { host } else { format!("{host}:{}", config.port) };
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            config,
            addresses: ArcSwap::from_pointee(addresses),
            tls,
            authority: authority.into(),
        }
    }
}

/// Why an upstream gave no answer that could be relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFailure {
    /// No connection could be made.
    Connect,
    /// Nothing came in time.
    TimedOut,
    /// The connection broke before the head of the answer was whole. `sent_nothing_back` is true when not one byte of an
    /// answer had come, so that another try cannot repeat what the upstream has already answered.
    Broken {
        /// Not one byte of an answer had come.
        sent_nothing_back: bool,
    },
    /// The answer is no HTTP that could be relayed.
    Malformed,
}
