//! One data-plane thread: its runtime, its listeners, its connections, its pool.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use inspect::ConnectionFacts;
use model::{Limits, RequestId, Timestamp};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::clock::{Deadlines, Phase, TICK_MS};
use crate::config::ProxyProtocol;
use crate::counters::{Counters, Gauged};
use crate::downstream::{self, Spoken};
use crate::io::Stream;
use crate::record::Recorder;
use crate::snapshot::Snapshot;
use crate::upstream::Pool;
use crate::{h1, h2};

/// What all workers share.
pub struct Shared {
    /// The configuration in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// What is counted beside events.
    pub counters: Arc<Counters>,
    /// Open connections by client, for the limit per client.
    clients: Mutex<HashMap<IpAddr, u32>>,
    /// Open connections in all.
    connections: AtomicU64,
}

impl Shared {
    /// The shared state under a first configuration.
    pub fn new(snapshot: Snapshot, counters: Arc<Counters>) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            counters,
            clients: Mutex::default(),
            connections: AtomicU64::new(0),
        }
    }

    /// Counts a connection in; `None` when a limit is reached.
    fn admit(self: &Arc<Self>, client: IpAddr, limits: &Limits) -> Option<Admitted> {
        if self.connections.load(Ordering::Relaxed) >= u64::from(limits.connections_max) {
            return None;
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let open = clients.entry(client).or_default();
        if *open >= limits.connections_per_client_max {
            return None;
        }
        *open += 1;
        drop(clients);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Some(Admitted { shared: Arc::clone(self), client })
    }
}

/// A connection that was counted in, for as long as it lives.
struct Admitted {
    shared: Arc<Shared>,
    client: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        let mut clients = self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = clients.get_mut(&self.client) {
            *open -= 1;
            if *open == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

/// One worker, as its connections see it.
pub struct Worker {
    shared: Arc<Shared>,
    /// Time limits.
    pub deadlines: Deadlines,
    /// Connections to servers.
    pub pool: Pool,
    /// Where events go.
    pub recorder: Recorder,
    /// What is counted beside events.
    pub counters: Arc<Counters>,
    open: Cell<usize>,
    /// The second of the latest sample that was taken for its own sake, and how many there were in it.
    sampled: Cell<(i64, u32)>,
}

/// Exchanges sampled in every second whatever their share: an API with little traffic is learned as soon as a busy one.
const SAMPLES_PER_S_MIN: u32 = 16;

impl Worker {
    /// The configuration in force now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// True when this exchange hands copies of its bodies to the learner: one in `sample_every`, and the first of each second.
    pub fn samples(&self, snapshot: &Snapshot, id: RequestId, now: Timestamp) -> bool {
        let every = u64::from(snapshot.config.sample_every);
        if every == 0 {
            return false;
        }
        let (second, count) = self.sampled.get();
        let count = if second == now.secs() { count } else { 0 };
        if count < SAMPLES_PER_S_MIN {
            self.sampled.set((now.secs(), count + 1));
            return true;
        }
        (id.0 >> 8).is_multiple_of(every)
    }
}

/// How long idle connections of clients are left open while the worker closes, so that a request on its way is not met by
/// the end of its connection.
const CLOSING_MS_MAX: u64 = 5_000;

/// What a worker is given at its start.
pub struct Start {
    /// Shared with the other workers.
    pub shared: Arc<Shared>,
    /// Its listening sockets, with the place of each in the configuration.
    pub listeners: Vec<(usize, std::net::TcpListener)>,
    /// Where its events go.
    pub recorder: Recorder,
    /// Turns true when the worker shall finish its work and end.
    pub drain: watch::Receiver<bool>,
}

/// Runs a worker until it is told to drain and has nothing left to do.
///
/// # Errors
/// When the runtime cannot be built.
pub fn run(start: Start) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    runtime.block_on(serve(start))
}

async fn serve(start: Start) -> std::io::Result<()> {
    let Start { shared, listeners, recorder, mut drain } = start;
    let deadlines = Deadlines::default();
    let counters = Arc::clone(&shared.counters);
    let worker = Rc::new(Worker {
        pool: Pool::new(deadlines.clone()),
        deadlines,
        recorder,
        counters,
        shared,
        open: Cell::new(0),
        sampled: Cell::new((0, 0)),
    });
    let mut accepting = Vec::new();
    for (index, listener) in listeners {
        let listener = TcpListener::from_std(listener)?;
        accepting.push(tokio::task::spawn_local(accept(Rc::clone(&worker), index, listener, drain.clone())));
    }
    let ticking = tokio::task::spawn_local(tick(Rc::clone(&worker)));
    // An error means that whoever could ask us to drain is gone: drain then, too.
    let _ = drain.wait_for(|&drain| drain).await;
    for task in accepting {
        let _ = task.await;
    }
    worker.deadlines.enter(Phase::Closing);
    let drain_ms = u64::from(worker.snapshot().config.drain_timeout_ms);
    let now = worker.deadlines.now_ms();
    let (quiet, until) = (now + (drain_ms / 2).min(CLOSING_MS_MAX), now + drain_ms);
    while worker.open.get() > 0 && worker.deadlines.now_ms() < until {
        if worker.deadlines.now_ms() >= quiet && worker.deadlines.phase() == Phase::Closing {
            worker.deadlines.enter(Phase::Draining);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ticking.abort();
    worker.recorder.flush();
    Ok(())
}

/// Four times a second: time limits, events that wait for their batch, idle connections.
async fn tick(worker: Rc<Worker>) {
    let mut interval = tokio::time::interval(Duration::from_millis(TICK_MS));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut ticks = 0u64;
    loop {
        interval.tick().await;
        worker.deadlines.tick();
        worker.recorder.flush();
        ticks += 1;
        if ticks.is_multiple_of(8) {
            let snapshot = worker.snapshot();
            worker.pool.sweep(|id| snapshot.knows_server(id));
        }
    }
}

async fn accept(worker: Rc<Worker>, index: usize, listener: TcpListener, mut drain: watch::Receiver<bool>) {
    loop {
        // Accepting first: what waits in the queue when we are told to drain is still taken in.
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = drain.wait_for(|&drain| drain) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                let worker = Rc::clone(&worker);
                tokio::task::spawn_local(async move {
                    worker.open.set(worker.open.get() + 1);
                    serve_connection(&worker, index, socket, peer).await;
                    worker.open.set(worker.open.get() - 1);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: a pause lets connections end instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve_connection(worker: &Rc<Worker>, index: usize, socket: TcpStream, peer: SocketAddr) {
    let snapshot = worker.snapshot();
    let limits = &snapshot.config.limits;
    let counters = &worker.counters;
    let Some(_admitted) = worker.shared.admit(peer.ip().to_canonical(), limits) else {
        counters.connections_refused.add_one();
        return;
    };
    counters.connections_accepted.add_one();
    let _open = Gauged::new(&counters.connections_open);
    // Answers leave whole; waiting for more to send would only delay them.
    let _ = socket.set_nodelay(true);
    let Some(listener) = snapshot.config.listeners.get(index) else { return };
    let tls = snapshot.tls.get(index).and_then(Option::as_ref);
    let handshake = Duration::from_millis(u64::from(limits.handshake_timeout_ms));
    let mut socket = socket;
    let mut buf = BytesMut::new();
    let mut facts =
        ConnectionFacts { peer: peer.ip().to_canonical(), tls: tls.is_some(), sni: None, client_certificate: None };
    if listener.proxy_protocol == ProxyProtocol::Required {
        let header = downstream::proxy_header(&mut socket, &snapshot.trusted_proxies, facts.peer);
        match tokio::time::timeout(handshake, header).await {
            Ok(Some(source)) => facts.peer = source.unwrap_or(facts.peer),
            _ => return counters.proxy_headers_refused.add_one(),
        }
    }
    let (stream, spoken) = match tls {
        Some(tls) => match tokio::time::timeout(handshake, downstream::tls(tls, socket, &mut facts)).await {
            Ok(Ok(accepted)) => accepted,
            _ => return counters.tls_handshakes_failed.add_one(),
        },
        None => {
            let mut stream = Stream::Plain(socket);
            let patience = Duration::from_millis(u64::from(limits.head_timeout_ms));
            let spoken = tokio::time::timeout(patience, downstream::spoken(&mut stream, &mut buf));
            match spoken.await {
                Ok(Ok(spoken)) => (stream, spoken),
                // Too slow to say even that: what has come is judged as HTTP/1, and refused there.
                Err(_) if !buf.is_empty() => (stream, Spoken::H1),
                _ => return,
            }
        }
    };
    drop(snapshot);
    match spoken {
        Spoken::H1 => h1::serve(worker, &facts, stream, buf).await,
        Spoken::H2 => h2::serve(worker, Rc::new(facts), stream, buf).await,
    }
}
