//! Captures made by hand, packet by packet.

use super::*;
use crate::Format;
use proptest::prelude::*;

/// A connection as the two ends would have sent it, in frames of a link type.
struct Script {
    frames: Vec<(i64, Vec<u8>)>,
    link: i32,
    v6: bool,
    port: u16,
    next: [u32; 2],
}

impl Script {
    fn new(link: i32, v6: bool) -> Self {
        Self { frames: Vec::new(), link, v6, port: 40_000, next: [1_000, u32::MAX - 10] }
    }

    fn frame(&self, from_client: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut tcp = Vec::new();
        let (from, to) = if from_client { (self.port, 80) } else { (80, self.port) };
        tcp.extend_from_slice(&from.to_be_bytes());
        tcp.extend_from_slice(&to.to_be_bytes());
        tcp.extend_from_slice(&sequence.to_be_bytes());
        tcp.extend_from_slice(&[0, 0, 0, 0, 0x60, flags, 0, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4]);
        tcp.extend_from_slice(payload);
        let mut packet = Vec::new();
        if self.v6 {
            packet.extend_from_slice(&[0x60, 0, 0, 0]);
            packet.extend_from_slice(&((tcp.len() + 8) as u16).to_be_bytes());
            // One extension header in front of TCP.
            packet.extend_from_slice(&[0, 64]);
            let (client, server) = ([0x20; 16], [0x30; 16]);
            let (a, b) = if from_client { (client, server) } else { (server, client) };
            packet.extend_from_slice(&a);
            packet.extend_from_slice(&b);
            packet.extend_from_slice(&[6, 0, 1, 4, 0, 0, 0, 0]);
        } else {
            packet.extend_from_slice(&[0x45, 0]);
            packet.extend_from_slice(&((tcp.len() + 20) as u16).to_be_bytes());
            packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
            let (a, b) = if from_client { ([192, 0, 2, 1], [10, 0, 0, 1]) } else { ([10, 0, 0, 1], [192, 0, 2, 1]) };
            packet.extend_from_slice(&a);
            packet.extend_from_slice(&b);
        }
        packet.extend_from_slice(&tcp);
        let kind: [u8; 2] = if self.v6 { [0x86, 0xdd] } else { [8, 0] };
        let mut frame = match self.link {
            1 => [&[2u8; 12][..], &[0x81, 0, 0, 7], &kind].concat(),
            113 => [&[0u8; 14][..], &kind].concat(),
            276 => [&kind[..], &[0; 18]].concat(),
            0 => vec![2, 0, 0, 0],
            _ => Vec::new(),
        };
        frame.extend_from_slice(&packet);
        // Short frames are padded.
        frame.extend_from_slice(&[0; 6]);
        frame
    }

    fn send(&mut self, from_client: bool, flags: u8, payload: &[u8]) {
        let side = usize::from(!from_client);
        let frame = self.frame(from_client, self.next[side], flags, payload);
        let length = payload.len() as u32 + u32::from(flags & 3 != 0);
        self.next[side] = self.next[side].wrapping_add(length);
        self.frames.push((1_795_428_000_000_000 + self.frames.len() as i64 * 1_000, frame));
    }

    fn pcap(&self) -> Vec<u8> {
        let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
        out.extend_from_slice(&self.link.to_le_bytes());
        for (at, frame) in &self.frames {
            for word in [(at / 1_000_000) as u32, (at % 1_000_000) as u32, frame.len() as u32, frame.len() as u32] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(frame);
        }
        out
    }

    fn pcapng(&self) -> Vec<u8> {
        let block = |kind: u32, body: &[u8]| {
            let length = (12 + body.len().next_multiple_of(4)) as u32;
            let mut out = [kind.to_le_bytes(), length.to_le_bytes()].concat();
            out.extend_from_slice(body);
            out.resize(length as usize - 4, 0);
            out.extend_from_slice(&length.to_le_bytes());
            out
        };
        let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
        // Nanoseconds: if_tsresol is 9.
        let interface =
            [&(self.link as u16).to_le_bytes()[..], &[0, 0, 0, 0, 4, 0], &[9, 0, 1, 0, 9, 0, 0, 0], &[0; 4]].concat();
        let mut out = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
        for (at, frame) in &self.frames {
            let nanoseconds = *at as u64 * 1_000;
            let mut body = Vec::new();
            for word in [0, (nanoseconds >> 32) as u32, nanoseconds as u32, frame.len() as u32, frame.len() as u32] {
                body.extend_from_slice(&word.to_le_bytes());
            }
            body.extend_from_slice(frame);
            out.extend_from_slice(&block(6, &body));
        }
        out
    }
}

fn conversation(link: i32, v6: bool) -> Script {
    let mut script = Script::new(link, v6);
    script.send(true, 2, b"");
    script.send(false, 0x12, b"");
    script.send(true, 0x10, b"GET /users/7?x=1 HTTP/1.1\r\nHost: api.example.com:80\r\nUser-Agent: ua\r\n");
    script.send(true, 0x18, b"Authorization: Bearer t\r\n\r\n");
    script.send(false, 0x18, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\"");
    script.send(false, 0x18, b":7}");
    script.send(true, 0x18, b"POST /users HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 2\r\n\r\n{}");
    script.send(false, 0x18, b"HTTP/1.1 201 Created\r\n\r\nclosed");
    script.send(false, 0x11, b"");
    script.send(true, 0x11, b"");
    script
}

fn read(bytes: &[u8]) -> (Vec<Observation>, Summary) {
    let mut all = Vec::new();
    let summary = crate::read(bytes, &Options::default(), &mut |observation| all.push(observation)).unwrap();
    (all, summary)
}

fn shown(all: &[Observation]) -> Vec<String> {
    let one = |one: &Observation| {
        let sample = one.sample.as_ref().unwrap();
        format!(
            "{} {} {} {} {} {}",
            one.method,
            one.host,
            one.target,
            one.status,
            one.client.unwrap(),
            String::from_utf8_lossy(&sample.response),
        )
    };
    all.iter().map(one).collect()
}

#[test]
fn captures_of_every_kind_are_read() {
    for link in [1, 113, 276, 0, 101] {
        for v6 in [false, true] {
            let script = conversation(link, v6);
            let client = if v6 { "2020:2020:2020:2020:2020:2020:2020:2020" } else { "192.0.2.1" };
            let expected = [
                format!("GET api.example.com /users/7?x=1 200 {client} {{\"id\":7}}"),
                format!("POST api.example.com /users 201 {client} closed"),
            ];
            for (kind, bytes) in [("pcap", script.pcap()), ("pcapng", script.pcapng())] {
                let (all, summary) = read(&bytes);
                assert_eq!(shown(&all), expected, "{kind} {link} {v6}");
                assert_eq!((summary.format, summary.records, summary.unreadable), (Some(Format::Capture), 10, 0));
                assert_eq!(all[0].at.0, 1_795_428_000_002_000, "{kind}");
                assert_eq!(
                    (all[0].latency_us, all[0].response_bytes, all[1].request_bytes),
                    (Some(2_000), Some(8), Some(2))
                );
                assert!(all[0].session.is_some() && all[1].session.is_none() && all[1].credential == Some(false));
                assert!(all[0].sample.as_ref().unwrap().response_whole);
            }
        }
    }
}

#[test]
fn packets_out_of_order_twice_and_missing() {
    let mut script = conversation(1, false);
    script.frames.swap(4, 5);
    let again = script.frames[2].clone();
    script.frames.insert(4, again);
    let (all, summary) = read(&script.pcap());
    assert_eq!((all.len(), summary.unreadable), (2, 0));
    // The answer's first packet lacks: the next exchange is read all the same.
    let mut script = conversation(1, false);
    script.frames.remove(4);
    let (all, summary) = read(&script.pcap());
    assert_eq!(shown(&all).len(), 1, "{:?}", summary.problems);
    assert_eq!(all[0].status, 201);
    assert!(summary.unreadable > 0);
}

#[test]
fn a_capture_that_begins_late_or_ends_early() {
    let mut script = conversation(1, false);
    script.frames.drain(..6);
    let (all, _) = read(&script.pcap());
    assert_eq!(shown(&all), ["POST api.example.com /users 201 192.0.2.1 closed"]);
    let whole = conversation(1, false).pcap();
    let (all, summary) = read(&whole[..whole.len() - 200]);
    assert_eq!(all.len(), 1);
    let said: Vec<&str> = summary.problems.iter().map(|problem| problem.what).collect();
    assert_eq!(said, ["the capture ends in the middle of a packet", "the capture has no answer to a request"]);
}

#[test]
fn what_is_encrypted_is_told() {
    let mut script = Script::new(1, false);
    script.send(true, 2, b"");
    script.send(true, 0x18, &[0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]);
    let (all, summary) = read(&script.pcap());
    assert!(all.is_empty());
    assert_eq!(summary.problems[0], crate::Problem { line: 2, what: "the connection is encrypted" });
    let mut script = Script::new(147, false);
    script.send(true, 2, b"");
    script.send(true, 2, b"");
    let (_, summary) = read(&script.pcap());
    assert_eq!(summary.unreadable, 1, "a kind of network is told once");
}

#[test]
fn bodies_in_gzip_are_unpacked() {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(br#"{"a":1}"#).unwrap();
    let packed = packer.finish().unwrap();
    let mut script = Script::new(1, false);
    script.send(true, 0x18, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", packed.len());
    script.send(false, 0x18, &[head.as_bytes(), &packed].concat());
    let (all, _) = read(&script.pcap());
    assert_eq!(shown(&all), [r#"GET x /a 200 192.0.2.1 {"a":1}"#]);
}

#[test]
fn a_flood_of_connections_is_bounded() {
    let mut connections = Connections::new(&Options::default());
    let mut summary = Summary::default();
    let mut script = Script::new(1, false);
    let body = [b"POST /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n".as_slice(), &[b'x'; 40_000]].concat();
    for at in 0..30_000u32 {
        script.port = (at % 60_000) as u16 + 1;
        let frame =
            script.frame(true, 1, 0x18, if at % 10 == 0 { &body } else { b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" });
        summary.records += 1;
        connections.packet(1, 0, &frame, &mut summary, &mut |_| {});
        assert!(connections.open.len() <= CONNECTIONS_MAX && connections.bytes <= HELD_BYTES_MAX);
    }
    let held: usize = connections.open.values().map(Connection::held).sum();
    assert_eq!(held, connections.bytes);
}

proptest! {
    #[test]
    fn damaged_captures_never_panic(at in 0usize..1_200, to in any::<u8>(), cut in 0usize..1_200, ng in any::<bool>()) {
        let script = conversation(1, true);
        let mut bytes = if ng { script.pcapng() } else { script.pcap() };
        let length = bytes.len();
        bytes[at % length] = to;
        bytes.truncate(length - cut % 100);
        let _ = crate::read(bytes.as_slice(), &Options::default(), &mut |_| {});
    }
}
