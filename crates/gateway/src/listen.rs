//! The listening sockets: opened before any thread starts, so that a port in use is one clear sentence; handed to a
//! successor on an upgrade, so that no connection is lost.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Error;
use crate::config::Config;

/// How many connections may wait to be accepted, per socket.
const BACKLOG: i32 = 4096;

/// The listening sockets of a process.
pub struct Sockets {
    /// By place in the configuration: one socket for each worker, or one that all share.
    listeners: Vec<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
}

impl Sockets {
    /// Opens the sockets a configuration asks for: one per worker with `SO_REUSEPORT`, so that the kernel spreads
    /// connections without a lock between workers.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub fn open(config: &Config) -> Result<Self, Error> {
        let workers = config.workers.max(1);
        let mut listeners = Vec::with_capacity(config.listeners.len());
        let mut addresses = Vec::with_capacity(config.listeners.len());
        for listener in &config.listeners {
            let first = open(listener.addr)?;
            let addr = first.local_addr().map_err(|error| listen_error(listener.addr, error))?;
            let mut sockets = vec![first];
            for _ in 1..workers {
                sockets.push(open_shared(addr).map_err(|error| listen_error(addr, error))?);
            }
            listeners.push(sockets);
            addresses.push(addr);
        }
        Ok(Self { listeners, addresses })
    }

    /// Takes over sockets from a predecessor or from the service manager, by address. Listeners of the configuration that
    /// none of them fits are opened anew.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub fn adopt(config: &Config, inherited: Vec<TcpListener>) -> Result<Self, Error> {
        let mut inherited: Vec<(SocketAddr, TcpListener)> =
            inherited.into_iter().filter_map(|socket| socket.local_addr().ok().map(|addr| (addr, socket))).collect();
        let mut sockets = Self { listeners: Vec::new(), addresses: Vec::new() };
        for listener in &config.listeners {
            let (fitting, rest) = inherited.into_iter().partition(|(addr, _)| fits(listener.addr, *addr));
            inherited = rest;
            let fitting: Vec<(SocketAddr, TcpListener)> = fitting;
            if fitting.is_empty() {
                let config = Config { listeners: vec![listener.clone()], ..config.clone() };
                let opened = Self::open(&config)?;
                sockets.listeners.extend(opened.listeners);
                sockets.addresses.extend(opened.addresses);
            } else {
                sockets.addresses.extend(fitting.first().map(|(addr, _)| *addr));
                sockets.listeners.push(fitting.into_iter().map(|(_, socket)| socket).collect());
            }
        }
        for (addr, _) in inherited {
            tracing::warn!(%addr, "an inherited socket fits no listener of the configuration and is closed");
        }
        Ok(sockets)
    }

    /// From sockets that are open already, by place in the configuration.
    ///
    /// # Errors
    /// When a socket does not know its address.
    pub fn of_listeners(listeners: Vec<Vec<TcpListener>>) -> std::io::Result<Self> {
        let firsts = listeners.iter().filter_map(|sockets| sockets.first());
        let addresses = firsts.map(TcpListener::local_addr).collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self { listeners, addresses })
    }

    /// Every socket, to be sent to a successor.
    pub fn fds(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd as _;
        self.listeners.iter().flatten().map(|socket| socket.as_fd()).collect()
    }

    /// The sockets of one worker, each with its listener's place in the configuration. A worker that has no socket of its
    /// own shares one. All sockets of a listener have to be accepted from by somebody, or connections would wait in vain:
    /// the first worker takes those that are left over.
    ///
    /// # Errors
    /// [`Error::Listen`] when a socket cannot be shared.
    pub fn of_worker(&self, worker: usize, workers: usize) -> Result<Vec<(usize, TcpListener)>, Error> {
        let mut mine = Vec::new();
        for (index, (sockets, &addr)) in self.listeners.iter().zip(&self.addresses).enumerate() {
            let count = sockets.len().max(1);
            for (at, socket) in sockets.iter().enumerate() {
                let own = at == worker % count;
                let left_over = worker == 0 && at >= workers;
                if own || left_over {
                    let socket = socket.try_clone().map_err(|error| listen_error(addr, error))?;
                    socket.set_nonblocking(true).map_err(|error| listen_error(addr, error))?;
                    mine.push((index, socket));
                }
            }
        }
        Ok(mine)
    }

    /// Every socket, for handing over.
    pub fn all(&self) -> impl Iterator<Item = &TcpListener> {
        self.listeners.iter().flatten()
    }

    /// The addresses, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Whether a socket that listens on `open` serves the address `wanted`. A service manager that is told a port alone opens
/// `[::]`, which takes IPv4 too.
pub fn fits(wanted: SocketAddr, open: SocketAddr) -> bool {
    let everywhere = wanted.ip().is_unspecified() && open.ip().is_unspecified();
    wanted == open || (everywhere && wanted.port() == open.port())
}

/// The first socket of an address is opened without `SO_REUSEPORT` for a moment: with it, the kernel would let two
/// gateways of the same user listen side by side, and a port in use would go unnoticed.
fn open(addr: SocketAddr) -> Result<TcpListener, Error> {
    if addr.port() != 0 {
        let probe = socket(addr).and_then(|socket| socket.bind(&addr.into()));
        probe.map_err(|error| listen_error(addr, error))?;
    }
    open_shared(addr).map_err(|error| listen_error(addr, error))
}

fn socket(addr: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn open_shared(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = socket(addr)?;
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn listen_error(addr: SocketAddr, error: std::io::Error) -> Error {
    let help = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another process listens there: stop it or choose another address",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need the capability CAP_NET_BIND_SERVICE",
        std::io::ErrorKind::AddrNotAvailable => "the address belongs to no interface of this machine",
        _ => "choose another address",
    };
    Error::Listen { addr, error, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_open_socket_serves_which_address() {
        let check = |wanted: &str, open: &str| fits(wanted.parse().unwrap(), open.parse().unwrap());
        assert!(check("127.0.0.1:80", "127.0.0.1:80"));
        assert!(check("0.0.0.0:80", "[::]:80"));
        assert!(!check("127.0.0.1:80", "[::]:80"));
        assert!(!check("0.0.0.0:80", "[::]:81"));
    }

    #[test]
    fn a_port_in_use_is_said() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let text = open(addr).unwrap_err().to_string();
        assert!(text.contains(&addr.to_string()) && text.contains("another process"), "{text}");
    }

    #[test]
    fn sockets_are_spread_over_workers_and_none_is_left() {
        let addr: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let first = open(addr).unwrap();
        let addr = first.local_addr().unwrap();
        let second = open_shared(addr).unwrap();
        let third = open_shared(addr).unwrap();
        let sockets = Sockets { listeners: vec![vec![first, second, third]], addresses: vec![addr] };
        let count = |worker, workers| sockets.of_worker(worker, workers).unwrap().len();
        assert_eq!((count(0, 2), count(1, 2)), (2, 1));
        assert_eq!((count(0, 4), count(3, 4)), (1, 1));
    }
}
