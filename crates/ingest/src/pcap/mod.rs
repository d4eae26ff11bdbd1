//! Captures of plain HTTP/1: pcap and pcapng. Packets are put in order, messages cut out, answers paired with requests.
//!
//! Memory is bounded by [`HELD_BYTES_MAX`] and [`CONNECTIONS_MAX`]: beyond them the connection that was silent longest is
//! given up. What is encrypted or HTTP/2 is told and left.

mod http;
mod packet;
mod stream;

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::net::SocketAddr;

use model::{BodySample, Observation};
use pcap_parser::traits::{PcapNGPacketBlock as _, PcapReaderIterator};
use pcap_parser::{Block, LegacyPcapReader, PcapBlockOwned, PcapError, PcapNGReader};

use self::http::{BODY_BYTES_MAX, Found, Message, Reader};
use self::packet::{Segment, segment};
use self::stream::{Chunk, Ordering};
use crate::make::{Maker, Pieces};
use crate::{Options, Sink, Summary};

/// Largest block of a capture.
const BLOCK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The buffer a capture is read with, as long as no block needs more.
const BUFFER_BYTES: usize = 64 * 1024;
/// Connections followed at once.
const CONNECTIONS_MAX: usize = 10_000;
/// Bytes of unfinished messages in all.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Requests of one connection that wait for their answers.
const WAITING_MAX: usize = 256;
/// Interfaces of a pcapng file.
const INTERFACES_MAX: usize = 1_024;

/// Does a source begin like a capture?
pub fn is_capture(beginning: &[u8]) -> bool {
    let magic = beginning.first_chunk::<4>();
    magic.is_some_and(|magic| {
        matches!(
            magic,
            [0xd4, 0xc3, 0xb2, 0xa1] | [0xa1, 0xb2, 0xc3, 0xd4] | [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d]
        ) || *magic == [0x0a, 0x0d, 0x0d, 0x0a]
    })
}

/// Link type and clock of an interface.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: i32,
    /// `if_tsresol` (pcapng, section 4.2): a power of ten, or of two with the top bit set.
    resolution: u8,
    offset_s: i64,
}

impl Interface {
    /// Microseconds of a time in the interface's units.
    fn micros(self, units: u64) -> i64 {
        let per_second: u128 = match self.resolution {
            two if two & 0x80 != 0 => 1u128 << (two & 0x7f).min(63),
            ten => 10u128.pow(u32::from(ten.min(19))),
        };
        let micros = u128::from(units) * 1_000_000 / per_second;
        i64::try_from(micros).unwrap_or(i64::MAX).saturating_add(self.offset_s.saturating_mul(1_000_000))
    }
}

/// Reads a whole capture; records are packets.
pub fn read(source: crate::lines::Source<'_>, options: &Options, summary: &mut Summary, sink: Sink<'_>) {
    let pcapng = source.peek().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    // Interrupted reads and read errors of compressed sources end the capture, not the run.
    let source = Steady(source.into_read());
    let reader: Result<Box<dyn PcapReaderIterator + '_>, _> = if pcapng {
        PcapNGReader::new(BUFFER_BYTES, source).map(|reader| Box::new(reader) as _)
    } else {
        LegacyPcapReader::new(BUFFER_BYTES, source).map(|reader| Box::new(reader) as _)
    };
    let Ok(mut reader) = reader else { return summary.problem(0, "the capture's header is damaged") };
    let mut connections = Connections::new(options);
    blocks(reader.as_mut(), &mut connections, summary, sink);
    summary.bytes = reader.consumed() as u64;
    connections.end(summary, sink);
}

/// Reads on until the buffer is full or the source has ended: the parser takes every short read for an end.
struct Steady<R>(R);

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if filled == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(filled)
    }
}

fn blocks(reader: &mut dyn PcapReaderIterator, connections: &mut Connections, summary: &mut Summary, sink: Sink<'_>) {
    let mut interfaces: Vec<Interface> = Vec::new();
    let mut refilled = false;
    let mut buffer_bytes = BUFFER_BYTES;
    loop {
        let used = match reader.next() {
            Ok((used, block)) => {
                if let Some((interface, at, data)) = captured(&block, &mut interfaces) {
                    summary.records += 1;
                    connections.packet(interface.link, at, data, summary, sink);
                }
                used
            }
            Err(PcapError::Eof) => return,
            Err(PcapError::Incomplete(_)) if !refilled => {
                refilled = true;
                if reader.refill().is_err() {
                    return summary.problem(summary.records, "the source cannot be read further");
                }
                continue;
            }
            Err(PcapError::Incomplete(_) | PcapError::UnexpectedEof) => {
                return summary.problem(summary.records, "the capture ends in the middle of a packet");
            }
            Err(PcapError::BufferTooSmall) => {
                buffer_bytes *= 2;
                if buffer_bytes <= BLOCK_BYTES_MAX && reader.grow(buffer_bytes) {
                    refilled = false;
                    continue;
                }
                return summary.problem(summary.records, "a packet is longer than 4 MiB");
            }
            Err(_) => return summary.problem(summary.records, "the capture is damaged behind this packet"),
        };
        reader.consume(used);
        refilled = false;
    }
}

/// The packet of a block, where it has one.
fn captured<'b>(block: &'b PcapBlockOwned<'b>, interfaces: &mut Vec<Interface>) -> Option<(Interface, i64, &'b [u8])> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let resolution = if header.is_nanosecond_precision() { 9 } else { 6 };
            // The upper bits tell how long the frame check sequence is.
            *interfaces = vec![Interface { link: header.network.0 & 0xffff, resolution, offset_s: 0 }];
            None
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = *interfaces.first()?;
            let nanoseconds = interface.resolution == 9;
            let fraction = i64::from(packet.ts_usec) / if nanoseconds { 1_000 } else { 1 };
            Some((interface, i64::from(packet.ts_sec) * 1_000_000 + fraction, packet.data))
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            None
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(one)) => {
            if interfaces.len() < INTERFACES_MAX {
                let (link, resolution) = (one.linktype.0 & 0xffff, one.if_tsresol);
                interfaces.push(Interface { link, resolution, offset_s: one.if_tsoffset });
            }
            None
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = *interfaces.get(packet.if_id as usize)?;
            let at = interface.micros(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low));
            Some((interface, at, packet.packet_data()))
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => Some((*interfaces.first()?, 0, packet.packet_data())),
        PcapBlockOwned::NG(_) => None,
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Half {
    ordering: Ordering,
    reader: Reader,
    ended: bool,
}

/// A connection; halves by the order of their addresses.
#[derive(Default)]
struct Connection {
    halves: [Half; 2],
    /// Requests without an answer yet.
    waiting: VecDeque<Message>,
    /// Who sends the requests.
    client: Option<SocketAddr>,
    last: u64,
    bytes: usize,
}

impl Connection {
    fn held(&self) -> usize {
        let halves: usize = self.halves.iter().map(|half| half.ordering.bytes() + half.reader.bytes()).sum();
        halves + self.waiting.iter().map(Message::bytes).sum::<usize>()
    }
}

type Ends = (SocketAddr, SocketAddr);

struct Connections {
    open: HashMap<Ends, Connection>,
    maker: Maker,
    bytes: usize,
    /// Link types that were told.
    unknown_links: Vec<i32>,
}

impl Connections {
    fn new(options: &Options) -> Self {
        Self { open: HashMap::new(), maker: Maker::new(options), bytes: 0, unknown_links: Vec::new() }
    }

    fn packet(&mut self, link: i32, at: i64, frame: &[u8], summary: &mut Summary, sink: Sink<'_>) {
        if !packet::is_known(link) {
            if !self.unknown_links.contains(&link) && self.unknown_links.len() < INTERFACES_MAX {
                self.unknown_links.push(link);
                summary.problem(summary.records, "packets of this kind of network cannot be read");
            }
            return;
        }
        let Some(segment) = segment(link, frame) else { return };
        let ends = (segment.from.min(segment.to), segment.from.max(segment.to));
        let reused = segment.syn && self.open.get(&ends).is_some_and(|open| open.halves.iter().all(|half| half.ended));
        if segment.rst || reused {
            self.close(ends, summary, sink);
        }
        if segment.rst || !segment.syn && segment.payload.is_empty() && !segment.fin {
            return;
        }
        let open = self.open.entry(ends).or_default();
        let before = std::mem::take(&mut open.bytes);
        open.last = summary.records;
        let found = advance(open, &segment, at);
        deliver(open, &segment, found, &mut self.maker, summary, sink);
        open.bytes = open.held();
        self.bytes = (self.bytes + open.bytes).saturating_sub(before);
        if open.halves.iter().all(|half| half.ended) {
            self.close(ends, summary, sink);
        }
        while self.open.len() > CONNECTIONS_MAX || self.bytes > HELD_BYTES_MAX {
            // Looking through all is dear and seldom; a tenth goes at once.
            let mut silent: Vec<(u64, Ends)> = self.open.iter().map(|(ends, open)| (open.last, *ends)).collect();
            silent.sort_unstable();
            for (_, ends) in silent.iter().take(silent.len() / 10 + 1) {
                self.close(*ends, summary, sink);
            }
        }
    }

    /// A connection is over, or given up.
    fn close(&mut self, ends: Ends, summary: &mut Summary, sink: Sink<'_>) {
        let Some(mut open) = self.open.remove(&ends) else { return };
        self.bytes = self.bytes.saturating_sub(open.bytes);
        for side in 0..2 {
            let (from, to) = if side == 0 { (ends.0, ends.1) } else { (ends.1, ends.0) };
            let segment = Segment { from, to, sequence: 0, syn: false, fin: true, rst: false, payload: &[] };
            let found = advance(&mut open, &segment, 0);
            deliver(&mut open, &segment, found, &mut self.maker, summary, sink);
        }
        for _ in &open.waiting {
            summary.problem(summary.records, "the capture has no answer to a request");
        }
    }

    fn end(&mut self, summary: &mut Summary, sink: Sink<'_>) {
        let mut all: Vec<(u64, Ends)> = self.open.iter().map(|(ends, open)| (open.last, *ends)).collect();
        all.sort_unstable();
        for (_, ends) in all {
            self.close(ends, summary, sink);
        }
    }
}

/// Brings a segment's bytes, and those that waited for it, to the reader of their direction.
fn advance(open: &mut Connection, segment: &Segment<'_>, at: i64) -> Vec<Found> {
    let side = usize::from(segment.from > segment.to);
    let mut methods: VecDeque<String> = open.waiting.iter().map(|request| request.method.clone()).collect();
    let Some(Half { ordering, reader, ended }) = open.halves.get_mut(side) else { return Vec::new() };
    let mut found = Vec::new();
    if segment.syn {
        ordering.open(segment.sequence);
    }
    let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
    let mut take = |chunk: Chunk<'_>| match chunk {
        Chunk::Bytes(bytes) => reader.take(at, bytes, &mut || methods.pop_front(), &mut found),
        Chunk::Gap => reader.gap(&mut found),
    };
    ordering.take(sequence, segment.payload, &mut take);
    if segment.fin && !*ended {
        ordering.end(&mut take);
        reader.end(&mut found);
        *ended = true;
    }
    found
}

/// Pairs what was found with what waits.
fn deliver(
    open: &mut Connection,
    segment: &Segment<'_>,
    found: Vec<Found>,
    maker: &mut Maker,
    summary: &mut Summary,
    sink: Sink<'_>,
) {
    for one in found {
        match one {
            Found::Request(request) => {
                open.client = Some(segment.from);
                if open.waiting.len() < WAITING_MAX {
                    open.waiting.push_back(request);
                }
            }
            Found::RequestBody(body, bytes) => {
                if let Some(request) = open.waiting.back_mut() {
                    (request.body, request.body_bytes, request.ended) = (body, bytes, true);
                }
            }
            Found::Answer(answer) => {
                // Without its request, because the capture began later, an answer says nothing.
                let Some(request) = open.waiting.pop_front() else { continue };
                let client = open.client.unwrap_or(segment.to);
                match observation(maker, &request, answer, client, summary) {
                    Some(observation) => sink(observation),
                    None => summary.problem(summary.records, "the request cannot be read"),
                }
            }
            Found::Encrypted => summary.problem(summary.records, "the connection is encrypted"),
            Found::Http2 => {
                summary.problem(summary.records, "the connection speaks HTTP/2, which is not read from captures")
            }
            Found::Broken | Found::Gap => {
                if open.client != Some(segment.from) {
                    open.waiting.pop_front();
                }
                let gap = "bytes of a message lack in the capture";
                summary.problem(summary.records, if one == Found::Gap { gap } else { "the message is no HTTP" });
            }
        }
    }
}

fn observation(
    maker: &mut Maker,
    request: &Message,
    answer: Message,
    client: SocketAddr,
    summary: &mut Summary,
) -> Option<Observation> {
    let (status, address) = (answer.status.to_string(), client.ip().to_string());
    let (request_bytes, response_bytes) = (request.body_bytes.to_string(), answer.body_bytes.to_string());
    let pieces = Pieces {
        client: Some(address.as_bytes()),
        forwarded_for: request.field("x-forwarded-for"),
        host: request.field("host"),
        method: Some(request.method.as_bytes()),
        target: Some(&request.target),
        status: Some(status.as_bytes()),
        request_type: request.field("content-type"),
        response_type: answer.field("content-type"),
        request_bytes: Some(request_bytes.as_bytes()),
        response_bytes: Some(response_bytes.as_bytes()),
        agent: request.field("user-agent"),
        referer: request.field("referer"),
        accept: request.field("accept"),
        fetch_dest: request.field("sec-fetch-dest"),
        // A capture has every field, so absence is known.
        authorization: Some(request.field("authorization").unwrap_or_default()),
        cookie: Some(request.field("cookie").unwrap_or_default()),
        ..Pieces::default()
    };
    let mut invalid_utf8 = false;
    let mut observation = maker.observation(&pieces, &mut invalid_utf8)?;
    summary.invalid_utf8 += u64::from(invalid_utf8);
    observation.at = model::Timestamp(request.at);
    observation.latency_us = u64::try_from(answer.at - request.at).ok();
    let (request_body, request_whole) = plain(request);
    let (response_body, response_whole) = plain(&answer);
    observation.sample = Some(Box::new(BodySample {
        request: request_body.into(),
        request_whole,
        response: response_body.into(),
        response_whole,
        fields: Box::default(),
    }));
    Some(observation)
}

/// A body without its coding, and whether it is all of it.
fn plain(message: &Message) -> (Vec<u8>, bool) {
    let coding = message.field("content-encoding").unwrap_or_default().trim_ascii().to_ascii_lowercase();
    match coding.as_slice() {
        b"" | b"identity" => (message.body.clone(), message.is_whole()),
        b"gzip" | b"x-gzip" => {
            let mut body = Vec::new();
            // One byte more than is kept tells whether there is more.
            let limit = BODY_BYTES_MAX as u64 + 1;
            let read = flate2::read::MultiGzDecoder::new(message.body.as_slice()).take(limit).read_to_end(&mut body);
            let whole = read.is_ok() && message.is_whole() && body.len() <= BODY_BYTES_MAX;
            body.truncate(BODY_BYTES_MAX);
            (body, whole)
        }
        _ => (Vec::new(), false),
    }
}

#[cfg(test)]
mod tests;
