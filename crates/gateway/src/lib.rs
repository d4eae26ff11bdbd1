//! Carries traffic: listeners, TLS, HTTP/1.1, HTTP/2, gRPC, WebSocket, upstreams; owns the life of a request.
//!
//! What is done with one exchange stands in [`exchange`]; what is judged stands in `inspect::pipeline`. The gateway
//! reaches neither disk (but for certificates at load) nor learner nor console: it reads a [`Snapshot`](snapshot::Snapshot)
//! and writes events into bounded channels.
//!
//! Every worker is one thread with its own runtime, listening sockets and connections to upstreams; workers share only the
//! snapshot, counters and the health of servers. `docs/decisions/0001` says why HTTP/1 is read by a codec of our own.

pub mod answer;
pub mod balance;
pub mod clock;
pub mod config;
pub mod control;
pub mod counters;
pub mod exchange;
pub mod forwarded;
pub mod handover;
pub mod health;
pub mod listen;
pub mod proxy_protocol;
pub mod resolve;
pub mod router;
pub mod session;
pub mod snapshot;
pub mod tls;
pub mod trace;
pub mod upstream;

mod body;
mod conversation;
mod converse;
mod downstream;
mod forward;
mod h1;
mod h2;
mod h2c;
mod io;
mod record;
mod responder;
mod tunnel;
mod websocket;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::Event;
use tokio::sync::watch;

use config::Config;
pub use counters::Counters;
use listen::Sockets;
use record::Recorder;
use snapshot::Snapshot;
use worker::{Shared, Start};

/// What can go wrong at start or reload; each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listening socket could not be had.
    #[error("cannot listen on `{addr}`: {error}; {help}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        error: std::io::Error,
        /// What to do next.
        help: &'static str,
    },
    /// Certificates or keys could not be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// An upstream's host has no address.
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    /// The routes contradict each other.
    #[error("{0}")]
    Routes(String),
    /// A change that needs a restart.
    #[error("{0} cannot be changed while running; restart or upgrade the process")]
    NeedsRestart(&'static str),
    /// A thread could not be started.
    #[error("cannot start a worker thread: {0}")]
    Thread(std::io::Error),
}

/// A gateway at work.
pub struct Gateway {
    shared: Arc<Shared>,
    sockets: Sockets,
    drain: watch::Sender<bool>,
    workers: Vec<JoinHandle<std::io::Result<()>>>,
    control: control::Control,
}

impl Gateway {
    /// Starts the workers. Events come out of `events` in batches, from every worker.
    ///
    /// # Errors
    /// See [`Error`]; nothing keeps running then.
    pub fn start(config: Config, sockets: Sockets, events: &SyncSender<Vec<Event>>) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let snapshot = Snapshot::compile(config, None)?;
        let shared = Arc::new(Shared::new(snapshot, Arc::clone(&counters)));
        let (drain, draining) = watch::channel(false);
        let count = shared.snapshot.load().config.workers.max(1);
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let start = Start {
                shared: Arc::clone(&shared),
                listeners: sockets.of_worker(index, count)?,
                recorder: Recorder::new(events.clone(), Arc::clone(&counters), first_request_id(index)),
                drain: draining.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || worker::run(start))
                .map_err(Error::Thread)?;
            workers.push(thread);
        }
        let control = control::Control::start(Arc::clone(&shared)).map_err(Error::Thread)?;
        Ok(Self { shared, sockets, drain, workers, control })
    }

    /// Puts another configuration in force: new exchanges run under it, those under way finish under the old one.
    ///
    /// # Errors
    /// See [`Error`]; the old configuration stays in force then.
    pub fn reload(&self, config: Config) -> Result<(), Error> {
        let before = self.shared.snapshot.load_full();
        if config.listeners.iter().map(|listener| listener.addr).ne(before
            .config
            .listeners
            .iter()
            .map(|listener| listener.addr))
        {
            return Err(Error::NeedsRestart("the addresses of `listeners`"));
        }
        if config.workers != before.config.workers {
            return Err(Error::NeedsRestart("`workers`"));
        }
        let snapshot = Snapshot::compile(config, Some(&before))?;
        self.shared.snapshot.store(Arc::new(snapshot));
        self.control.changed();
        Ok(())
    }

    /// The addresses listened on, with the ports the system chose where the configuration said 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.sockets.addresses()
    }

    /// The listening sockets, to be handed to a successor.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// What is counted beside events.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// The configuration in force, compiled.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Stops accepting, lets every exchange finish within the drain timeout, and ends the workers.
    pub fn drain(self) {
        let _ = self.drain.send(true);
        // The last handle on a listening socket closes it; until then the kernel would go on completing handshakes.
        drop(self.sockets);
        let drain_ms = u64::from(self.shared.snapshot.load().config.drain_timeout_ms);
        let until = Instant::now() + Duration::from_millis(drain_ms + 2_000);
        for worker in self.workers {
            while !worker.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            if worker.is_finished() {
                let _ = worker.join();
            }
        }
        self.control.stop();
    }
}

/// Request ids of a worker begin at the microsecond of its start, which no rate of requests overtakes, with the worker's
/// number in the lowest bits: ascending per worker, which compresses well in storage, and never the same twice.
fn first_request_id(worker: usize) -> u64 {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
    (micros << 8) | (worker as u64 & 0xff)
}
