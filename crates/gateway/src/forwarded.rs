//! Who the client is, behind proxies, and what the upstream is told about it.
//!
//! What a client writes about itself is never believed. Only the peer of the connection is a fact; when it is a trusted
//! proxy, the address it appended is the next fact, and so on: the walk goes from the right of the list to the left and
//! ends at the first address that is no trusted proxy. Everything further left was written by that client and is dropped.
//!
//! One field is read, the one the trusted proxies are configured to write: a proxy that appends to `X-Forwarded-For`
//! passes on a `Forwarded` field it does not know, so believing whichever is there would let a client choose its address.
//!
//! The upstream gets fields made by us, and none of the client's that claim the same: the believed chain, the scheme and
//! the host. Fields of a content delivery network (`CF-Connecting-IP` and the like) pass only from a trusted proxy.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use inspect::ConnectionFacts;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::head::{Field, Fields, Known, RequestHead};
use smallvec::SmallVec;

/// The most proxies in a row that are walked over.
const HOPS_MAX: usize = 16;

/// The field in which trusted proxies name the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardingField {
    /// `X-Forwarded-For`, with the scheme in `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How the client spoke to the outermost trusted hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In plain text.
    Http,
    /// Over TLS.
    Https,
}

impl From<&ConnectionFacts> for Scheme {
    fn from(connection: &ConnectionFacts) -> Self {
        if connection.tls { Self::Https } else { Self::Http }
    }
}

impl Scheme {
    /// `http` or `https`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn of(value: &[u8]) -> Option<Self> {
        match value {
            _ if value.eq_ignore_ascii_case(b"http") => Some(Self::Http),
            _ if value.eq_ignore_ascii_case(b"https") => Some(Self::Https),
            _ => None,
        }
    }
}

/// Networks whose forwarding field is believed. A look-up is a binary search.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
    field: ForwardingField,
}

/// Who the client is, and over which hops it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client: the first address from the right that is no trusted proxy; IPv4 where it was written as IPv6.
    pub client: IpAddr,
    /// The peer is a trusted proxy, so `client` and `proto` may come from what it wrote.
    pub from_trusted_proxy: bool,
    /// How the client spoke.
    pub proto: Scheme,
    /// The believed chain, nearest first: the peer, the trusted hops behind it, the client.
    hops: SmallVec<[IpAddr; 2]>,
}

impl TrustedProxies {
    /// From networks in CIDR notation and the field these proxies write.
    pub fn new(networks: &[IpNet], field: ForwardingField) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for network in networks {
            match network {
                IpNet::V4(network) => v4.push(*network),
                IpNet::V6(network) => v6.push(*network),
            }
        }
        // Aggregated networks are sorted and do not overlap.
        Self { v4: Ipv4Net::aggregate(&v4), v6: Ipv6Net::aggregate(&v6), field }
    }

    /// True when what this peer writes about others is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        match peer.to_canonical() {
            IpAddr::V4(addr) => {
                let after = self.v4.partition_point(|network| network.network() <= addr);
                after.checked_sub(1).and_then(|at| self.v4.get(at)).is_some_and(|network| network.contains(&addr))
            }
            IpAddr::V6(addr) => {
                let after = self.v6.partition_point(|network| network.network() <= addr);
                after.checked_sub(1).and_then(|at| self.v6.get(at)).is_some_and(|network| network.contains(&addr))
            }
        }
    }

    /// The client of a request that came from `peer` over `connection`.
    pub fn client_of(&self, peer: IpAddr, connection: Scheme, fields: &Fields) -> ClientAddress {
        let peer = peer.to_canonical();
        let mut address = ClientAddress {
            client: peer,
            from_trusted_proxy: self.trusts(peer),
            proto: connection,
            hops: SmallVec::from_slice(&[peer]),
        };
        if address.from_trusted_proxy {
            match self.field {
                ForwardingField::XForwardedFor => self.walk_x_forwarded_for(fields, &mut address),
                ForwardingField::Forwarded => self.walk_forwarded(fields, &mut address),
            }
        }
        address
    }

    fn walk_x_forwarded_for(&self, fields: &Fields, address: &mut ClientAddress) {
        // The scheme as the nearest proxy saw it: only the last value is certain to be its own.
        if let Some(proto) = last_element(fields, Known::XForwardedProto).and_then(Scheme::of) {
            address.proto = proto;
        }
        let lines: SmallVec<[&[u8]; 4]> = fields.all(Known::XForwardedFor).collect();
        let elements = lines.iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
        for element in elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()) {
            let Some(hop) = node_address(element) else { return };
            if !self.step(hop, address) {
                return;
            }
        }
    }

    fn walk_forwarded(&self, fields: &Fields, address: &mut ClientAddress) {
        let lines: SmallVec<[&[u8]; 4]> = fields.all(Known::Forwarded).collect();
        for line in lines.iter().rev() {
            let mut rest = Some(*line);
            while let Some(list) = rest {
                let (before, element) = split_last(list, b',');
                rest = before;
                if element.is_empty() {
                    continue;
                }
                let Some(ForwardedElement { node, proto }) = forwarded_element(element) else { return };
                address.proto = proto.unwrap_or(address.proto);
                let Some(hop) = node else { return };
                if !self.step(hop, address) {
                    return;
                }
            }
        }
    }

    /// Takes one hop; false when it is where the walk ends.
    fn step(&self, hop: IpAddr, address: &mut ClientAddress) -> bool {
        address.client = hop;
        address.hops.push(hop);
        self.trusts(hop) && address.hops.len() < HOPS_MAX
    }
}

impl ClientAddress {
    /// Writes the value of `X-Forwarded-For`: the believed chain, the client first.
    pub fn write_chain(&self, out: &mut Vec<u8>) {
        for (at, hop) in self.hops.iter().rev().enumerate() {
            if at > 0 {
                out.extend_from_slice(b", ");
            }
            write_address(out, *hop);
        }
    }
}

/// What the upstream is told of the client, in place of what the client said.
#[derive(Clone, Debug)]
pub struct Forwarding {
    address: ClientAddress,
    host: Bytes,
}

impl Forwarding {
    /// For a request whose client was found. The host is the one the client asked for: what a trusted proxy says in
    /// `X-Forwarded-Host`, else the authority; it is left out when it holds bytes that no authority has.
    pub fn new(address: &ClientAddress, head: &RequestHead) -> Self {
        let told = address.from_trusted_proxy.then(|| last_element(&head.fields, Known::XForwardedHost)).flatten();
        let host = told.map_or_else(|| head.authority.clone(), Bytes::copy_from_slice);
        let plain = host.iter().all(|&byte| byte.is_ascii_graphic() && byte != b',');
        Self { address: address.clone(), host: if plain { host } else { Bytes::new() } }
    }

    /// Writes the fields as lines of HTTP/1.1.
    pub fn write_h1(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"X-Forwarded-For: ");
        self.address.write_chain(out);
        out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
        out.extend_from_slice(self.address.proto.name().as_bytes());
        if !self.host.is_empty() {
            out.extend_from_slice(b"\r\nX-Forwarded-Host: ");
            out.extend_from_slice(&self.host);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Gives each field as lower-case name and value, for HTTP/2.
    pub fn each(&self, mut field: impl FnMut(&[u8], &[u8])) {
        let mut chain = Vec::with_capacity(48);
        self.address.write_chain(&mut chain);
        field(b"x-forwarded-for", &chain);
        field(b"x-forwarded-proto", self.address.proto.name().as_bytes());
        if !self.host.is_empty() {
            field(b"x-forwarded-host", &self.host);
        }
    }

    /// True when a field of the client's head must not reach the upstream, because we write it anew or because it claims
    /// what only a trusted proxy can know.
    pub fn drops(&self, field: &Field<'_>) -> bool {
        match field.known {
            Known::XForwardedFor
            | Known::XForwardedHost
            | Known::XForwardedProto
            | Known::XRealIp
            | Known::Forwarded => true,
            Known::Other => !self.address.from_trusted_proxy && claims_an_address(field.name),
            _ => false,
        }
    }
}

/// Names by which networks and proxies tell the client's address; from anyone else they are lies.
fn claims_an_address(name: &[u8]) -> bool {
    const CLAIMS: [&[u8]; 10] = [
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-pseudo-ipv4",
        b"fastly-client-ip",
        b"x-client-ip",
        b"client-ip",
        b"x-cluster-client-ip",
        b"x-original-forwarded-for",
        b"x-envoy-external-address",
    ];
    let family = b"x-forwarded-";
    // Underscores: gateway interfaces (CGI and its heirs) read `X_Forwarded_For` as the same variable.
    let same = |a: &[u8], b: &[u8]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-'))
    };
    matches!(name.first().map(u8::to_ascii_lowercase), Some(b'x' | b't' | b'c' | b'f'))
        && (name.get(..family.len()).is_some_and(|start| same(start, family))
            || CLAIMS.iter().any(|claim| same(name, claim))
            || same(name, b"forwarded")
            || same(name, b"x-real-ip"))
}

/// The last element of the last line of a list field.
fn last_element(fields: &Fields, known: Known) -> Option<&[u8]> {
    let line = fields.all(known).last()?;
    line.rsplit(|&byte| byte == b',').map(<[u8]>::trim_ascii).find(|element| !element.is_empty())
}

/// Splits off what stands behind the last separator outside of quotes. Read from the right, so that an open quotation mark
/// sent by a client cannot swallow what a proxy appended behind it.
fn split_last(list: &[u8], separator: u8) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    for (at, &byte) in list.iter().enumerate().rev() {
        if byte == b'"' {
            let before = list.get(..at).unwrap_or_default();
            let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
            quoted ^= backslashes % 2 == 0;
        } else if byte == separator && !quoted {
            let element = list.get(at + 1..).unwrap_or_default().trim_ascii();
            return (list.get(..at), element);
        }
    }
    (None, list.trim_ascii())
}

struct ForwardedElement {
    node: Option<IpAddr>,
    proto: Option<Scheme>,
}

/// One element of `Forwarded` (RFC 7239, 4); `None` when it is malformed. A missing `for` is no address.
fn forwarded_element(element: &[u8]) -> Option<ForwardedElement> {
    let mut node = None;
    let mut proto = None;
    let mut rest = Some(element);
    while let Some(list) = rest {
        let (before, pair) = split_last(list, b';');
        rest = before;
        if pair.is_empty() {
            continue;
        }
        let at = memchr::memchr(b'=', pair)?;
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        let value = match value.strip_prefix(b"\"") {
            Some(quoted) => quoted.strip_suffix(b"\"")?,
            None => value,
        };
        if name.eq_ignore_ascii_case(b"for") {
            if node.replace(value).is_some() {
                return None;
            }
        } else if name.eq_ignore_ascii_case(b"proto") && proto.replace(value).is_some() {
            return None;
        }
    }
    Some(ForwardedElement { node: node.and_then(node_address), proto: proto.and_then(Scheme::of) })
}

/// An address with or without port, IPv6 in brackets or bare. `unknown` and obfuscated names (RFC 7239, 6.2, 6.3) are none.
fn node_address(text: &[u8]) -> Option<IpAddr> {
    // `[` + 45 characters of an IPv6 address + `]:65535`; longer ones need no look.
    if text.len() > 54 {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Some(addr.to_canonical());
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Some(addr.ip().to_canonical());
    }
    let bare = text.strip_prefix('[')?.strip_suffix(']')?;
    bare.parse::<Ipv6Addr>().ok().map(|addr| IpAddr::V6(addr).to_canonical())
}

/// Writes an address without an allocation; IPv4, the usual case, without the formatting machinery.
fn write_address(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => write_v4(out, addr),
        // Writing into a vector cannot fail.
        IpAddr::V6(addr) => drop(write!(out, "{addr}")),
    }
}

fn write_v4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    for (at, octet) in addr.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

#[cfg(test)]
#[path = "forwarded_tests.rs"]
mod tests;
