//! The connections one worker keeps to the servers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::BytesMut;

use super::{H1Connection, H2Connection, Server, Upstream, UpstreamFailure, connect};
use crate::clock::Deadlines;
use crate::config::UpstreamProtocol;
use crate::io::{Outgoing, Wire};

/// Idle connections, by server.
#[derive(Clone)]
pub struct Pool {
    shared: Rc<Shared>,
}

struct Shared {
    deadlines: Deadlines,
    idle: RefCell<HashMap<u64, Vec<Idle>>>,
    multiplexed: RefCell<HashMap<u64, Vec<H2Connection>>>,
}

struct Idle {
    connection: H1Connection,
    until_ms: u64,
}

/// A connection lent for one exchange.
pub enum Lease {
    /// HTTP/1.1: given back with [`Pool::give_back`], or dropped when it is of no further use.
    H1(Box<H1Connection>),
    /// HTTP/2: shared.
    H2(H2Connection),
}

/// Which connection is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An idle one when there is one.
    Any,
    /// A fresh one: an idle one has just failed.
    Fresh,
}

impl Pool {
    /// An empty pool.
    pub fn new(deadlines: Deadlines) -> Self {
        let shared = Shared { deadlines, idle: RefCell::default(), multiplexed: RefCell::default() };
        Self { shared: Rc::new(shared) }
    }

    /// A connection to a server.
    ///
    /// # Errors
    /// [`UpstreamFailure::Connect`].
    pub async fn lease(&self, upstream: &Upstream, server: &Server, wanted: Wanted) -> Result<Lease, UpstreamFailure> {
        match upstream.config.protocol {
            UpstreamProtocol::H1 => self.lease_h1(upstream, server, wanted).await,
            UpstreamProtocol::H2 => self.lease_h2(upstream, server, wanted).await,
        }
    }

    async fn lease_h1(&self, upstream: &Upstream, server: &Server, wanted: Wanted) -> Result<Lease, UpstreamFailure> {
        if wanted == Wanted::Any
            && let Some(connection) = self.take_idle(server.id)
        {
            return Ok(Lease::H1(Box::new(connection)));
        }
        let stream = open(upstream, server).await?;
        let wire = Wire::new(stream, &self.shared.deadlines, upstream.config.response_timeout_ms);
        Ok(Lease::H1(Box::new(H1Connection { wire, buf: BytesMut::new(), out: Outgoing::default(), reused: false })))
    }

    fn take_idle(&self, server: u64) -> Option<H1Connection> {
        let now = self.shared.deadlines.now_ms();
        let mut idle = self.shared.idle.borrow_mut();
        let connections = idle.get_mut(&server)?;
        // The last one given back is the warmest; those the server has closed meanwhile are thrown away on the way.
        while let Some(candidate) = connections.pop() {
            if candidate.until_ms > now && !candidate.connection.wire.is_stale() {
                return Some(candidate.connection);
            }
        }
        None
    }

    /// Keeps a connection for the next exchange.
    pub fn give_back(&self, upstream: &Upstream, server: &Server, mut connection: H1Connection) {
        // A server that sends more than its answer cannot be trusted with the next request.
        if !connection.buf.is_empty() {
            return;
        }
        connection.reused = true;
        let until_ms = self.shared.deadlines.now_ms() + u64::from(upstream.config.idle_timeout_ms);
        let mut idle = self.shared.idle.borrow_mut();
        let connections = idle.entry(server.id).or_default();
        if connections.len() < upstream.config.idle_connections_max {
            connections.push(Idle { connection, until_ms });
        }
    }

    async fn lease_h2(&self, upstream: &Upstream, server: &Server, wanted: Wanted) -> Result<Lease, UpstreamFailure> {
        if wanted == Wanted::Any {
            let mut multiplexed = self.shared.multiplexed.borrow_mut();
            let connections = multiplexed.entry(server.id).or_default();
            connections.retain(|connection| !connection.is_closed());
            if let Some(connection) = connections.iter().find(|connection| connection.has_room()) {
                return Ok(Lease::H2(connection.clone()));
            }
        }
        let stream = open(upstream, server).await?;
        let connection = H2Connection::open(stream).await.map_err(|_| UpstreamFailure::Connect)?;
        let mut multiplexed = self.shared.multiplexed.borrow_mut();
        let connections = multiplexed.entry(server.id).or_default();
        if connections.len() < upstream.config.idle_connections_max {
            connections.push(connection.clone());
        }
        Ok(Lease::H2(connection))
    }

    /// Closes what has been idle for too long, and what belongs to servers that are gone.
    pub fn sweep(&self, is_known: impl Fn(u64) -> bool) {
        let now = self.shared.deadlines.now_ms();
        self.shared.idle.borrow_mut().retain(|&server, connections| {
            connections.retain(|idle| idle.until_ms > now && !idle.connection.wire.is_stale());
            is_known(server) && !connections.is_empty()
        });
        self.shared.multiplexed.borrow_mut().retain(|&server, connections| {
            connections.retain(|connection| !connection.is_closed());
            is_known(server) && !connections.is_empty()
        });
    }

    /// The number of idle connections kept.
    pub fn idle_connections(&self) -> usize {
        self.shared.idle.borrow().values().map(Vec::len).sum()
    }
}

async fn open(upstream: &Upstream, server: &Server) -> Result<crate::io::Stream, UpstreamFailure> {
    connect(server, upstream.config.connect_timeout_ms).await.map_err(|error| {
        tracing::debug!(upstream = upstream.config.name, %error, "no connection");
        UpstreamFailure::Connect
    })
}
