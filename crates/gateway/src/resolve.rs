//! The addresses of servers: found at start, looked up again off the data path.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// A host without an address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's resolver found nothing.
    #[error("the upstream host `{host}` does not resolve: {error}; correct the name, or add it to DNS or /etc/hosts")]
    NotFound {
        /// The name.
        host: String,
        /// What the resolver said.
        error: std::io::Error,
    },
}

/// The addresses of a host, now. Blocks for as long as the system's resolver does.
///
/// # Errors
/// [`Error::NotFound`].
pub fn now(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let not_found = |error| Error::NotFound { host: host.to_owned(), error };
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(not_found)?.collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(not_found(std::io::Error::other("no address")));
    }
    Ok(addresses)
}

/// True when the host is a name that may move.
pub fn is_name(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_resolver() {
        assert_eq!(now("127.0.0.1", 80).unwrap(), ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(now("[::1]", 80).unwrap(), ["[::1]:80".parse().unwrap()]);
        assert!(is_name("localhost") && !is_name("::1"));
    }

    #[test]
    fn a_name_without_address_is_said() {
        let text = now("no-such-host.invalid", 80).unwrap_err().to_string();
        assert!(text.starts_with("the upstream host `no-such-host.invalid` does not resolve"), "{text}");
    }
}
