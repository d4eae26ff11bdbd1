//! From a captured frame to the TCP segment in it: Ethernet with tags, Linux "cooked" captures, loopback, raw IP.
//!
//! Fragments of IP packets are left out: TCP avoids them, and putting them together would cost memory for nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// Who gets it.
    pub to: SocketAddr,
    /// The number of its first byte.
    pub sequence: u32,
    /// It opens the connection.
    pub syn: bool,
    /// The sender has nothing more to say.
    pub fin: bool,
    /// The connection is broken off.
    pub rst: bool,
    /// The bytes.
    pub payload: &'a [u8],
}

/// Link types by their numbers in the registry of tcpdump.org.
const NULL: i32 = 0;
const ETHERNET: i32 = 1;
const RAW_BSD: i32 = 12;
const RAW: i32 = 101;
const LOOP: i32 = 108;
const LINUX_SLL: i32 = 113;
const IPV4: i32 = 228;
const IPV6: i32 = 229;
const LINUX_SLL2: i32 = 276;

/// Whether frames of a link type can be read.
pub const fn is_known(link: i32) -> bool {
    matches!(link, NULL | ETHERNET | RAW_BSD | RAW | LOOP | LINUX_SLL | IPV4 | IPV6 | LINUX_SLL2)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|two| u16::from_be_bytes(*two))
}

/// The segment of a frame; `None` for everything that is no TCP, or cut too short.
pub fn segment(link: i32, frame: &[u8]) -> Option<Segment<'_>> {
    let packet = match link {
        ETHERNET => tagged(frame, 12)?,
        LINUX_SLL => typed(word(frame, 14)?, frame.get(16..)?)?,
        LINUX_SLL2 => typed(word(frame, 0)?, frame.get(20..)?)?,
        // Four bytes of address family in some byte order; the version of IP says the same.
        NULL | LOOP => frame.get(4..)?,
        RAW | RAW_BSD | IPV4 | IPV6 => frame,
        _ => return None,
    };
    match packet.first()? >> 4 {
        4 => v4(packet),
        6 => v6(packet),
        _ => None,
    }
}

/// Tags of virtual networks that are skipped, at most.
const TAGS_MAX: usize = 3;

fn tagged(frame: &[u8], mut at: usize) -> Option<&[u8]> {
    for _ in 0..=TAGS_MAX {
        match word(frame, at)? {
            0x8100 | 0x88a8 | 0x9100 => at += 4,
            kind => return typed(kind, frame.get(at + 2..)?),
        }
    }
    None
}

fn typed(kind: u16, packet: &[u8]) -> Option<&[u8]> {
    matches!(kind, 0x0800 | 0x86dd).then_some(packet)
}

fn v4(packet: &[u8]) -> Option<Segment<'_>> {
    let header = usize::from(packet.first()? & 15) * 4;
    let fragment = word(packet, 6)? & 0x3fff;
    if header < 20 || fragment != 0 || packet.get(9) != Some(&6) {
        return None;
    }
    // Frames are padded; a length of zero stands in captures of what the network card had yet to cut.
    let end = match usize::from(word(packet, 2)?) {
        0 => packet.len(),
        length => length.min(packet.len()),
    };
    let address = |at: usize| packet.get(at..)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
    tcp(packet.get(header..end)?, address(12)?.into(), address(16)?.into())
}

/// Extension headers that are skipped, at most.
const EXTENSIONS_MAX: usize = 8;

fn v6(packet: &[u8]) -> Option<Segment<'_>> {
    let end = match usize::from(word(packet, 4)?) {
        0 => packet.len(),
        length => (40 + length).min(packet.len()),
    };
    let (mut next, mut at) = (*packet.get(6)?, 40);
    for _ in 0..EXTENSIONS_MAX {
        match next {
            6 => {
                let address = |at: usize| packet.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
                return tcp(packet.get(at..end)?, address(8)?.into(), address(24)?.into());
            }
            // Hop by hop, routing, destination.
            0 | 43 | 60 => {
                next = *packet.get(at)?;
                at += 8 + usize::from(*packet.get(at + 1)?) * 8;
            }
            _ => return None,
        }
    }
    None
}

fn tcp(segment: &[u8], from: IpAddr, to: IpAddr) -> Option<Segment<'_>> {
    let header = usize::from(segment.get(12)? >> 4) * 4;
    let flags = segment.get(13)?;
    let sequence = segment.get(4..)?.first_chunk::<4>().map(|four| u32::from_be_bytes(*four))?;
    Some(Segment {
        from: SocketAddr::new(from, word(segment, 0)?),
        to: SocketAddr::new(to, word(segment, 2)?),
        sequence,
        syn: flags & 2 != 0,
        fin: flags & 1 != 0,
        rst: flags & 4 != 0,
        payload: segment.get(header.max(20)..)?,
    })
}
