//! The service manager: sockets it opened for us (sd_listen_fds(3)) and what it is told (sd_notify(3)).
//!
//! Both are plain protocols over environment variables; nothing here needs systemd to be there, and other managers speak
//! them too.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Where words to the service manager go: a path, or an abstract name behind `@`.
const NOTIFY: &str = "NOTIFY_SOCKET";
/// How long a word may take; a manager that does not read must not stop us.
const PATIENCE: Duration = Duration::from_millis(500);

/// The sockets that the service manager opened for this process; empty when it opened none. They are closed in programs
/// that this one starts.
///
/// # Errors
/// When one of them is no TCP socket that listens.
pub fn sockets() -> std::io::Result<Vec<TcpListener>> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut sockets = Vec::with_capacity(passed.len());
    for index in 0..passed.len() {
        sockets.extend(passed.take_tcp_listener(index)?);
    }
    Ok(sockets)
}

/// What the service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Traffic is carried.
    Ready,
    /// The configuration is read again; [`Word::Ready`] follows.
    Reloading,
    /// The drain has begun.
    Stopping,
    /// Another process carries the traffic from now on.
    Successor(u32),
}

impl Word {
    fn text(self) -> String {
        match self {
            Self::Ready => "READY=1\nSTATUS=carrying traffic\n".to_owned(),
            // `Type=notify-reload` wants to know when the reload began, to tell it from an earlier one.
            Self::Reloading => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading\n")
            }
            Self::Stopping => "STOPPING=1\nSTATUS=draining\n".to_owned(),
            Self::Successor(pid) => format!("MAINPID={pid}\nSTATUS=handed over\n"),
        }
    }
}

/// Tells the service manager, where there is one. A word that does not get through changes nothing.
pub fn tell(word: Word) {
    let Some(name) = std::env::var_os(NOTIFY) else { return };
    let bytes = name.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => std::os::unix::net::SocketAddr::from_abstract_name(name),
        None => std::os::unix::net::SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send_to_addr(word.text().as_bytes(), &address)
    });
    if let Err(error) = sent {
        tracing::warn!(%error, ?word, "the service manager could not be told");
    }
}
