//! What the data path counts beside its events: things of connections, and things that were lost.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of the data path, shared by all workers.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: Counter),* }

        impl Counters {
            /// Every counter's name and value, for the metrics.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.value())),*]
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections_accepted,
    /// Connections open now.
    connections_open,
    /// Connections refused because of a limit.
    connections_refused,
    /// Connections whose TLS handshake failed.
    tls_handshakes_failed,
    /// Connections whose PROXY header was missing or wrong.
    proxy_headers_refused,
    /// Exchanges going on now.
    exchanges_open,
    /// Requests tried again.
    retries,
    /// Requests copied to a mirror.
    mirrored,
    /// Connections that became tunnels.
    upgrades,
    /// Events recorded.
    events_recorded,
    /// Events dropped because the channel was full.
    events_dropped,
    /// Stages that panicked.
    stages_failed,
    /// HTTP/2 connections ended because of a flood of control frames or resets.
    h2_floods,
}

/// One counter. Counting is relaxed: a reader may be a moment behind.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// Counts several.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts one back, for gauges.
    pub fn take_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts one on a gauge for as long as it lives.
pub struct Gauged<'a>(&'a Counter);

impl<'a> Gauged<'a> {
    /// Begins to count.
    pub fn new(counter: &'a Counter) -> Self {
        counter.add_one();
        Self(counter)
    }
}

impl Drop for Gauged<'_> {
    fn drop(&mut self) {
        self.0.take_one();
    }
}
