//! A new connection to a server.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Server;
use crate::io::Stream;

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server's name has no address.
    #[error("`{0}` has no address")]
    Unresolved(String),
    /// The socket could not be connected.
    #[error("cannot connect to `{server}`: {error}")]
    Socket {
        /// Host and port.
        server: String,
        /// What the system said.
        error: io::Error,
    },
    /// Connecting took too long.
    #[error("cannot connect to `{0}` in time")]
    TimedOut(String),
}

/// Opens a connection, trying each of the server's addresses in turn, TLS included.
///
/// # Errors
/// See [`ConnectError`]; the last address's error counts.
pub async fn connect(server: &Server, timeout_ms: u32) -> Result<Stream, ConnectError> {
    let name = || format!("{}:{}", server.config.host, server.config.port);
    let attempt = async {
        let addresses = server.addresses.load_full();
        let mut last = ConnectError::Unresolved(server.config.host.clone());
        for &address in addresses.iter() {
            match open(server, address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = ConnectError::Socket { server: name(), error },
            }
        }
        Err(last)
    };
    // Connecting is rare, so this time limit may cost a timer.
    match tokio::time::timeout(Duration::from_millis(u64::from(timeout_ms)), attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ConnectError::TimedOut(name())),
    }
}

async fn open(server: &Server, address: std::net::SocketAddr) -> io::Result<Stream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    match &server.tls {
        None => Ok(Stream::Plain(socket)),
        Some((config, name)) => {
            let connector = TlsConnector::from(std::sync::Arc::clone(config));
            Ok(Stream::Opened(Box::new(connector.connect(name.clone(), socket).await?)))
        }
    }
}
