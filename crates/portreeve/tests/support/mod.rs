//! What the end-to-end tests share: processes that end with the test, ports the system chooses, deadlines in place of sleeps.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process that ends with the test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program under test.
pub fn portreeve() -> Command {
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A gateway in front of an upstream.
pub struct Gateway {
    pub process: Process,
    pub addr: SocketAddr,
    pub admin: SocketAddr,
    pub data: tempfile::TempDir,
}

impl Gateway {
    /// Starts a gateway and waits until it accepts.
    pub fn start(upstream: u16, mode: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = portreeve();
        command.args(["run", "--upstream", &format!("http://127.0.0.1:{upstream}"), "--mode", mode]);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"]);
        command.arg("--data").arg(data.path());
        Self::of(&mut command, data)
    }

    /// Starts a gateway by a command and reads from its log where it listens.
    pub fn of(command: &mut Command, data: tempfile::TempDir) -> Self {
        Self::of_passed(command.stdin(Stdio::null()), data)
    }

    /// As [`Self::of`], with standard input as the command has it.
    pub fn of_passed(command: &mut Command, data: tempfile::TempDir) -> Self {
        let mut child = command.stderr(Stdio::piped()).env("NO_COLOR", "1").spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let process = Process(child);
        let (lines, read) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // The log stays readable when a test fails.
                eprintln!("portreeve: {line}");
                let _ = lines.send(line);
            }
        });
        let until = Instant::now() + PATIENCE;
        let (mut addr, mut admin) = (None, None);
        while addr.is_none() || admin.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            let line = read.recv_timeout(left).expect("the gateway did not say where it listens");
            let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
            match address {
                Some(text) if line.contains("carrying traffic") => addr = Some(text.parse().unwrap()),
                Some(text) => admin = Some(text.parse().unwrap()),
                None => {}
            }
        }
        Self { process, addr: addr.unwrap(), admin: admin.unwrap(), data }
    }

    /// The metrics as text.
    pub fn metrics(&self) -> String {
        get(self.admin, "/metrics").1
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.process.0.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

/// Sends bytes and reads until the other side closes or the answer is whole.
pub fn exchange(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A GET over a connection of its own: status and body.
pub fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n");
    let answer = String::from_utf8_lossy(&exchange(addr, request.as_bytes())).into_owned();
    let status = answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a port accepts.
pub fn wait_for_port(port: u16) {
    wait_until(&format!("port {port} accepts"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

/// An upstream that answers every request with its request line, for as many requests as come.
pub fn echo_upstream() -> u16 {
    named_echo_upstream("")
}

/// As [`echo_upstream`], with a name before each answer.
pub fn named_echo_upstream(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                loop {
                    let mut first = String::new();
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    let mut line = String::new();
                    while reader.read_line(&mut line).unwrap_or(0) > 2 {
                        line.clear();
                    }
                    let body = format!("{name}{}", first.trim_end());
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Where `.ci/run` puts what the tests use.
pub fn tools() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/portreeve/tools");
    std::env::var_os("PORTREEVE_TOOLS").map_or_else(home, PathBuf::from)
}

/// The Python of the tools, when it has a module; otherwise says that the test is skipped.
pub fn python_with(module: &str, test: &str) -> Option<PathBuf> {
    let python = tools().join("python/bin/python");
    let there = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    println!("skipped: {test}: `.ci/run` installs the Python package `{module}`");
    None
}

/// Says that a test is skipped when a program is not installed.
pub fn have(program: &str, package: &str, test: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        println!("skipped: {test}: `apt-get install {package}` provides `{program}`");
    }
    there
}

/// Ends processes of the program under test that were started with this file, by their ids; answers how many.
pub fn end_successors(file: &std::path::Path) -> usize {
    let mut ended = 0;
    let wanted = file.as_os_str().as_encoded_bytes();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != std::process::id() && line.split(|&byte| byte == 0).any(|argument| argument == wanted) {
            ended +=
                usize::from(Command::new("kill").arg(pid.to_string()).status().is_ok_and(|status| status.success()));
        }
    }
    ended
}
