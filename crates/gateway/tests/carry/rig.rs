//! A gateway between a client and an upstream that are both played by the test, byte by byte.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use gateway::config::{Config, Listener, ProxyProtocol, Route, Upstream};
use gateway::listen::Sockets;
use gateway::{Error, Gateway};
use inspect::Policy;
use model::{ApiName, Event, Limits, Mode};

/// How long anything in a test may take before it counts as never happening.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running gateway with an upstream that the test plays.
pub struct Rig {
    pub gateway: Gateway,
    pub upstream: TcpListener,
    events: Receiver<Vec<Event>>,
    waiting: Vec<Event>,
}

/// The configuration of a rig, before it starts: one listener, one route, one upstream at `upstream`.
pub fn config(upstream: SocketAddr) -> Config {
    let mut main = Upstream::single("main", &upstream.ip().to_string(), upstream.port());
    main.response_timeout_ms = 2_000;
    Config {
        listeners: vec![Listener {
            addr: "127.0.0.1:0".parse().unwrap(),
            tls: None,
            proxy_protocol: ProxyProtocol::Off,
        }],
        upstreams: vec![main],
        routes: vec![Route::everything(policy(Mode::Monitor))],
        limits: Limits::default(),
        trusted_proxies: vec![],
        forwarding_field: Default::default(),
        session_identifiers: vec![],
        session_key: [7; 32],
        server_timing: Default::default(),
        answer_detail: Default::default(),
        sample_every: 0,
        workers: 1,
        drain_timeout_ms: 2_000,
        tracing: None,
    }
}

pub fn policy(mode: Mode) -> Arc<Policy> {
    Arc::new(Policy::new(ApiName::from("test"), mode))
}

impl Rig {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// A rig whose configuration is changed before the start.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = config(upstream.local_addr().unwrap());
        change(&mut config);
        Self::of(config, upstream).unwrap()
    }

    pub fn of(config: Config, upstream: TcpListener) -> Result<Self, Error> {
        let (sender, events) = sync_channel(1024);
        let sockets = Sockets::open(&config)?;
        let gateway = Gateway::start(config, sockets, &sender)?;
        Ok(Self { gateway, upstream, events, waiting: Vec::new() })
    }

    pub fn addr(&self) -> SocketAddr {
        self.gateway.addresses()[0]
    }

    pub fn connect(&self) -> Peer {
        Peer::new(TcpStream::connect(self.addr()).unwrap())
    }

    /// The next connection that the gateway opens to the upstream.
    pub fn accept(&self) -> Peer {
        self.upstream.set_nonblocking(true).unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            match self.upstream.accept() {
                Ok((socket, _)) => {
                    socket.set_nonblocking(false).unwrap();
                    return Peer::new(socket);
                }
                Err(_) if Instant::now() < until => std::thread::yield_now(),
                Err(error) => panic!("the gateway opened no connection to the upstream: {error}"),
            }
        }
    }

    /// The next recorded event.
    pub fn event(&mut self) -> Event {
        while self.waiting.is_empty() {
            let mut batch = self.events.recv_timeout(PATIENCE).expect("no event was recorded");
            self.waiting.append(&mut batch);
        }
        self.waiting.remove(0)
    }
}

/// One end of a connection, played by the test.
pub struct Peer {
    pub socket: TcpStream,
    seen: Vec<u8>,
}

impl Peer {
    pub fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, seen: Vec::new() }
    }

    pub fn send(&mut self, text: &str) -> &mut Self {
        self.socket.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Reads until `end` has come and returns everything up to and including it.
    pub fn read_to(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|window| window == end.as_bytes()) {
                let rest = self.seen.split_off(at + end.len());
                return String::from_utf8_lossy(&std::mem::replace(&mut self.seen, rest)).into_owned();
            }
            let mut buf = [0u8; 4096];
            match self.socket.read(&mut buf) {
                Ok(read @ 1..) => self.seen.extend_from_slice(&buf[..read]),
                other => panic!("{other:?} before {end:?}; seen: {:?}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    /// One head.
    pub fn head(&mut self) -> String {
        self.read_to("\r\n\r\n")
    }

    /// Everything until the other side ends; says whether it ended in order or by a reset.
    pub fn rest(&mut self) -> (String, bool) {
        let mut buf = [0u8; 4096];
        loop {
            match self.socket.read(&mut buf) {
                Ok(0) => break (self.take(), true),
                Ok(read) => self.seen.extend_from_slice(&buf[..read]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::ConnectionReset) => {
                    break (self.take(), false);
                }
                Err(error) => panic!("{error}; seen: {:?}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned()
    }

    pub fn end(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }
}
