//! The life of the process under load: neither a reload nor an upgrade loses or fails a single request. The load is what
//! clients really do: connections for one request, connections kept alive, HTTP/2 with several streams at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests: a panic is the report, and what was skipped is printed"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::{Gateway, PATIENCE, free_port, get, named_echo_upstream, portreeve, wait_until};

/// What every client counts, and what ends them.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    once: AtomicU32,
    kept: AtomicU32,
    streams: AtomicU32,
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn counts(&self) -> [u32; 3] {
        [&self.once, &self.kept, &self.streams].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Clients at work until they are ended.
struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

const ANSWERS: [&str; 2] = ["a GET /during HTTP/1.1", "b GET /during HTTP/1.1"];

impl Load {
    fn start(addr: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let clients: [fn(SocketAddr, &Shared); 6] =
            [new_connections, new_connections, kept_alive, kept_alive, streams, streams];
        let threads = clients
            .into_iter()
            .map(|client| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || client(addr, &shared))
            })
            .collect();
        let load = Self { shared, threads };
        load.serves_more("at the start");
        load
    }

    /// Waits until every kind of client was served a few times more.
    fn serves_more(&self, when: &str) {
        let before = self.shared.counts();
        wait_until(&format!("every kind of client is served {when}"), || {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a request failed {when}");
            self.shared.counts().iter().zip(&before).all(|(now, before)| *now >= before + 5)
        });
    }

    /// Ends the clients; panics when one of their requests failed.
    fn end(self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a request failed");
        }
    }
}

fn new_connections(addr: SocketAddr, shared: &Shared) {
    while shared.goes_on() {
        let (status, body) = get(addr, "/during");
        assert!(status == 200 && ANSWERS.contains(&body.as_str()), "new connection: {status} {body}");
        shared.once.fetch_add(1, Ordering::Relaxed);
    }
}

/// One connection for as many requests as the gateway allows: it is left only after an answer that says so.
fn kept_alive(addr: SocketAddr, shared: &Shared) {
    while shared.goes_on() {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream);
        let mut last = false;
        while !last {
            let close = if shared.goes_on() { "" } else { "Connection: close\r\n" };
            let request = format!("GET /during HTTP/1.1\r\nHost: test.example\r\n{close}\r\n");
            reader.get_mut().write_all(request.as_bytes()).unwrap();
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            assert!(line.starts_with("HTTP/1.1 200 "), "kept-alive connection: {line:?}");
            let mut length = 0;
            while line.len() > 2 {
                line.clear();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_ascii_lowercase();
                last |= lower.starts_with("connection: close");
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            assert!(ANSWERS.iter().any(|answer| answer.as_bytes() == body), "kept-alive connection: {body:?}");
            shared.kept.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One HTTP/2 connection with four requests at once; a new one after GOAWAY. A request that was sent must be answered.
fn streams(addr: SocketAddr, shared: &Shared) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        while shared.goes_on() {
            let socket = tokio::net::TcpStream::connect(addr).await.unwrap();
            let (client, connection) = h2::client::handshake(socket).await.unwrap();
            let driving = tokio::spawn(async move {
                // How the connection ends shows in the streams.
                let _ = connection.await;
            });
            let workers = (0..4).map(|_| requests(client.clone(), shared));
            let all = futures(workers.collect());
            tokio::time::timeout(PATIENCE * 2, all).await.expect("HTTP/2: no answer in time");
            drop(client);
            driving.abort();
        }
    });
}

/// Polls several futures until all are done.
async fn futures<F: Future<Output = ()>>(all: Vec<F>) {
    let mut all: Vec<_> = all.into_iter().map(|future| (Box::pin(future), false)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in all.iter_mut().filter(|(_, done)| !done) {
            *done = future.as_mut().poll(cx).is_ready();
        }
        if all.iter().all(|(_, done)| *done) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

async fn requests(client: h2::client::SendRequest<bytes::Bytes>, shared: &Shared) {
    let mut client = client;
    while shared.goes_on() {
        // An error here is a connection that takes no more requests: nothing was sent.
        let Ok(mut ready) = client.ready().await else { return };
        let uri = "http://test.example/during";
        let request = http::Request::builder().version(http::Version::HTTP_2).uri(uri).body(()).unwrap();
        let Ok((response, _)) = ready.send_request(request, true) else { return };
        let response = match response.await {
            Ok(response) => response,
            // A stream above the last one that GOAWAY names: the client's library had queued it when GOAWAY came and wrote it
            // behind its answer to our PING. It was not processed, and is asked again (RFC 9113, 6.8). A stream that was
            // processed and then cut ends with another error.
            Err(error) if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) => return,
            Err(error) => panic!("HTTP/2: a request that was sent got no answer: {error:?}"),
        };
        assert_eq!(response.status(), 200, "HTTP/2");
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece.expect("HTTP/2: an answer ended before its end");
            let _ = body.flow_control().release_capacity(piece.len());
            bytes.extend_from_slice(&piece);
        }
        assert!(ANSWERS.iter().any(|answer| answer.as_bytes() == bytes), "HTTP/2: {bytes:?}");
        shared.streams.fetch_add(1, Ordering::Relaxed);
        client = ready;
    }
}

fn configuration(upstream: u16, port: u16) -> String {
    format!(
        "listeners: [{{ address: \"127.0.0.1:{port}\" }}]\nupstreams: [{{ name: up, servers: [\"127.0.0.1:{upstream}\"] }}]\n\
         apis: [{{ name: shop, upstream: up, mode: block }}]\n\
         admin: {{ address: \"127.0.0.1:0\" }}\nworkers: 2\ndata: {{ dir: data }}\n"
    )
}

/// A gateway with a configuration file and two upstreams to choose from.
struct Setup {
    gateway: Gateway,
    file: std::path::PathBuf,
    port: u16,
    upstreams: [u16; 2],
}

impl Setup {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portreeve.yaml");
        let (upstreams, port) = ([named_echo_upstream("a "), named_echo_upstream("b ")], free_port());
        std::fs::write(&file, configuration(upstreams[0], port)).unwrap();
        let mut command = portreeve();
        command.arg("run").arg("--config").arg(&file);
        Self { gateway: Gateway::of(&mut command, folder), file, port, upstreams }
    }

    /// Puts a new file in the old one's place, in one step, as configuration managers do.
    fn write(&self, upstream: u16) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, configuration(upstream, self.port)).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}

#[test]
fn a_reload_under_load_fails_no_request() {
    let setup = Setup::start();
    let load = Load::start(setup.gateway.addr);
    for round in 0..6 {
        let (upstream, name) = (setup.upstreams[(round + 1) % 2], ["b ", "a "][round % 2]);
        setup.write(upstream);
        if round % 2 == 0 {
            // Otherwise the change of the file alone must do.
            setup.gateway.signal("HUP");
        }
        wait_until("the change is in force", || get(setup.gateway.addr, "/").1.starts_with(name));
        load.serves_more("after a reload");
    }
    load.end();
}

#[test]
fn an_upgrade_under_load_fails_no_request() {
    let mut setup = Setup::start();
    let load = Load::start(setup.gateway.addr);
    setup.gateway.signal("USR2");
    ends(&mut setup.gateway);
    load.serves_more("by the successor");
    load.end();
    let (status, _) = get(setup.gateway.addr, "/after");
    // The successor is no child of the test; it is known by the file it was started with.
    support::end_successors(&setup.file);
    assert_eq!(status, 200);
}

#[test]
fn a_signal_as_early_as_can_be_is_heeded() {
    for signal in ["USR2", "TERM"] {
        let mut setup = Setup::start();
        setup.gateway.signal(signal);
        let status = ends(&mut setup.gateway);
        let successors = support::end_successors(&setup.file);
        assert!(status.success(), "{signal}: {status}");
        assert_eq!(successors, usize::from(signal == "USR2"));
    }
}

/// What a service manager does, without one: sockets that are open already, numbered from 3, and a socket for words.
#[test]
fn a_service_manager_passes_sockets_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let words = std::os::unix::net::UnixDatagram::bind(folder.path().join("notify")).unwrap();
    words.set_read_timeout(Some(PATIENCE)).unwrap();
    let word = || {
        let mut text = [0; 512];
        let length = words.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let (listener, admin) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (addr, admin_addr) = (listener.local_addr().unwrap(), admin.local_addr().unwrap());
    // Both listen before the program starts: what connects now is served later.
    let mut early = TcpStream::connect(addr).unwrap();
    early.write_all(b"GET /early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let file = folder.path().join("portreeve.yaml");
    let text = configuration(named_echo_upstream("a "), addr.port());
    std::fs::write(
        &file,
        text.replace("admin: { address: \"127.0.0.1:0\" }", &format!("admin: {{ address: \"{admin_addr}\" }}")),
    )
    .unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "export LISTEN_PID=$$; exec \"$0\" run --config \"$1\" 3<&0 4>&1 0</dev/null 1>/dev/null"]);
    command.arg(env!("CARGO_BIN_EXE_portreeve")).arg(&file).env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "http:admin");
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    command.stdin(OwnedFd::from(listener)).stdout(OwnedFd::from(admin));
    let mut gateway = Gateway::of_passed(&mut command, folder);
    drop(command);
    assert_eq!((gateway.addr, gateway.admin), (addr, admin_addr));
    assert!(word().starts_with("READY=1\n"));
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("a GET /early HTTP/1.1"), "{answer}");
    assert_eq!(get(gateway.admin, "/healthz").0, 200);
    gateway.signal("HUP");
    let reloading = word();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(word().starts_with("READY=1\n"));
    gateway.signal("USR2");
    // Two processes speak now, and a watched file may have been read once more: only what is said in the end counts.
    let (mut ready, mut named) = (false, false);
    while !(ready && named) {
        let said = word();
        ready |= said.starts_with("READY=1\n");
        named |= said.starts_with("MAINPID=");
    }
    assert!(ends(&mut gateway).success());
    assert_eq!(get(addr, "/after").1, "a GET /after HTTP/1.1");
    assert_eq!(support::end_successors(&file), 1);
    assert!(word().starts_with("STOPPING=1\n"));
}

/// Waits until the first process has ended.
fn ends(gateway: &mut Gateway) -> std::process::ExitStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = gateway.process.0.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "the process does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}
