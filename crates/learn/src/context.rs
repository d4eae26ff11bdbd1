//! What is known about a host and a client when a request of theirs is judged: a few counters each, bounded.

use std::collections::HashMap;

use ml::hash::{BuildPassHasher, hash_bytes};
use model::Observation;
use serde::{Deserialize, Serialize};

use crate::request::Media;

/// Counters of one host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostContext {
    /// The part of the host that its relatives share, such as `example.com`.
    pub domain: Box<str>,
    /// Requests seen.
    pub requests: u32,
    /// Successful answers that were pages.
    pub pages: u32,
    /// Answers of structured data.
    pub data: u32,
    /// Pictures, scripts, style sheets.
    pub assets: u32,
    /// Answers whose content type nobody knows.
    pub untyped: u32,
    /// Requests that said what they accept.
    pub accepts: u32,
    /// Shapes of failed answers: hash and count, heaviest first after a while.
    errors: Vec<(u64, u32)>,
    /// The class of the host's first label; 0 until somebody asks.
    #[serde(skip)]
    pub(crate) label: u8,
}

const ERROR_SHAPES_MAX: usize = 8;

/// The hash of a whole response shape, where one is known and not empty.
pub(crate) fn shape_hash(observation: &Observation) -> Option<u64> {
    let shape = observation.response_shape.as_deref().filter(|shape| !shape.is_empty())?;
    Some(shape.iter().fold(0, |hash, &key| ml::hash::mix(hash, key)))
}

impl HostContext {
    /// A host that was never seen.
    pub fn new(domain: &str) -> Self {
        Self { domain: domain.into(), ..Self::default() }
    }

    /// Counts one request.
    pub fn observe(&mut self, observation: &Observation, media: Media) {
        self.requests = self.requests.saturating_add(1);
        match media {
            Media::None => self.untyped += u32::from(!matches!(observation.status, 204 | 304)),
            Media::Html => self.pages += u32::from(observation.status < 400),
            Media::Script | Media::Picture => self.assets += 1,
            _ if media.structured() => self.data += 1,
            _ => (),
        }
        self.accepts += u32::from(observation.accept.is_some());
        if observation.status >= 400
            && let Some(shape) = shape_hash(observation)
        {
            self.error_shape(shape);
        }
    }

    fn error_shape(&mut self, shape: u64) {
        if let Some(at) = self.errors.iter().position(|entry| entry.0 == shape) {
            if let Some(entry) = self.errors.get_mut(at) {
                entry.1 = entry.1.saturating_add(1);
            }
        } else if self.errors.len() < ERROR_SHAPES_MAX {
            self.errors.push((shape, 1));
        } else if let Some(entry) = self.errors.iter_mut().min_by_key(|entry| entry.1) {
            *entry = (shape, 1);
        }
    }

    /// 0 when there is nothing to compare, 1 for a shape that failures do not have, 2 for one that failures had once or
    /// twice, 3 for the usual shape of a failure.
    pub fn error_shape_class(&self, observation: &Observation) -> u8 {
        let Some(shape) = shape_hash(observation) else { return 0 };
        match self.errors.iter().find(|entry| entry.0 == shape) {
            None => 1,
            Some((_, 0..=2)) => 2,
            Some(_) => 3,
        }
    }
}

/// The part of a host that its relatives share: everything behind the first label, unless that is a public suffix.
pub fn domain_of(host: &str) -> &str {
    let labels = host.split('.').count();
    if labels <= 2 || host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return host;
    }
    let parent = host.split_once('.').map_or(host, |(_, parent)| parent);
    let mut ends = parent.split('.');
    let (second, top) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
    // `co.uk`, `com.au`: not perfect, and the cost of an error is only that two sites share a trie.
    let public = labels == 3 && top.len() == 2 && second.len() <= 3;
    if public { host } else { parent }
}

/// Counters of one client.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ClientContext {
    /// Requests seen.
    pub requests: u32,
    /// Answers of 400 and above, other than 401 and 429.
    pub errors: u32,
    /// Pages and assets.
    pub pages: u32,
    /// The address is private: a probe, a neighbour, a proxy.
    pub private: bool,
}

/// The clients seen lately.
#[derive(Clone, Debug)]
pub struct Clients {
    seen: HashMap<u64, ClientContext, BuildPassHasher>,
    clients_max: usize,
}

impl Clients {
    /// Remembers about `clients_max` clients.
    pub fn new(clients_max: usize) -> Self {
        Self { seen: HashMap::default(), clients_max }
    }

    /// The key of a request's client, where one is known.
    pub fn key(observation: &Observation) -> Option<u64> {
        let client = observation.client?;
        Some(match client {
            std::net::IpAddr::V4(address) => hash_bytes(4, &address.octets()),
            std::net::IpAddr::V6(address) => hash_bytes(6, &address.octets()),
        })
    }

    /// The counters of a client.
    pub fn find(&self, key: u64) -> Option<&ClientContext> {
        self.seen.get(&key)
    }

    /// Counts one request.
    pub fn observe(&mut self, key: u64, observation: &Observation, media: Media) {
        if self.seen.len() >= self.clients_max && !self.seen.contains_key(&key) {
            // The quiet half goes; a client that matters comes back.
            let mut counts: Vec<u32> = self.seen.values().map(|client| client.requests).collect();
            let middle = counts.len() / 2;
            let median = *counts.select_nth_unstable(middle).1;
            self.seen.retain(|_, client| client.requests > median);
        }
        let client = self.seen.entry(key).or_default();
        client.requests = client.requests.saturating_add(1);
        client.errors += u32::from(observation.status >= 400 && !matches!(observation.status, 401 | 429));
        client.pages += u32::from(matches!(media, Media::Html | Media::Script | Media::Picture));
        client.private = match observation.client {
            Some(std::net::IpAddr::V4(address)) => address.is_private() || address.is_loopback(),
            Some(std::net::IpAddr::V6(address)) => address.is_unique_local() || address.is_loopback(),
            None => false,
        };
    }

    /// The clients with their keys.
    pub(crate) fn all(&self) -> Vec<(u64, ClientContext)> {
        self.seen.iter().map(|(key, client)| (*key, *client)).collect()
    }

    /// Remembers clients again.
    pub(crate) fn restore(&mut self, clients: Vec<(u64, ClientContext)>) {
        self.seen = clients.into_iter().take(self.clients_max).collect();
    }

    /// How many clients are remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// True before the first client.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relatives_share_a_domain() {
        for (host, domain) in [
            ("api.example.com", "example.com"),
            ("uk-api.example.com", "example.com"),
            ("example.com", "example.com"),
            ("example.co.uk", "example.co.uk"),
            ("api.example.co.uk", "example.co.uk"),
            ("10.0.0.1", "10.0.0.1"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(domain_of(host), domain, "{host}");
        }
    }

    #[test]
    fn the_client_table_is_bounded() {
        let mut clients = Clients::new(100);
        for key in 0..10_000u64 {
            clients.observe(ml::hash::mix(1, key), &Observation::default(), Media::None);
        }
        assert!(clients.len() <= 101, "{}", clients.len());
    }
}
