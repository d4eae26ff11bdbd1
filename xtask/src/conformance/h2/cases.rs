//! The cases. Sections are those of RFC 7540 and RFC 7541, as h2spec numbers them.

use super::wire::*;
use super::{Case, Expect};

/// What a PING of ours carries.
pub const PINGED: [u8; 8] = *b"portreev";

const PROTOCOL: u32 = 1;
const FLOW: u32 = 3;
const CLOSED: u32 = 5;
const SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;

/// Announces a trailer field.
fn literal_trailer() -> Vec<u8> {
    field("trailer", "x-test")
}

/// Every case, in h2spec's order.
pub fn all() -> Vec<Case> {
    [generic(), hpack(), http2_framing(), http2_frames(), http2_fields()].into_iter().flatten().collect()
}

fn generic() -> Vec<Case> {
    vec![
        first("generic/1", "a client connection preface", Expect::PingBack, |peer| {
            peer.greet()?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("generic/2", "PRIORITY on an idle stream", Expect::PingBack, |peer| {
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("generic/2", "WINDOW_UPDATE on a half-closed stream", Expect::Answer(1), |peer| {
            peer.get(1)?;
            peer.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])
        }),
        case("generic/2", "PRIORITY on a half-closed stream", Expect::Answer(1), |peer| {
            peer.get(1)?;
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15])
        }),
        case("generic/2", "RST_STREAM on a half-closed stream", Expect::PingBack, |peer| {
            peer.get(1)?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("generic/2", "PRIORITY on a closed stream", Expect::PingBack, |peer| {
            peer.get(1)?;
            peer.until_ended(1)?;
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("generic/3.1", "one DATA frame", Expect::Answer(1), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("generic/3.1", "several DATA frames", Expect::Answer(1), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, 0, 1, b"test")?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("generic/3.1", "DATA with padding", Expect::Answer(1), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, END_STREAM | PADDED, 1, b"\x06test\0\0\0\0\0\0")
        }),
        case("generic/3.2", "HEADERS", Expect::Answer(1), |peer| peer.get(1)),
        case("generic/3.2", "HEADERS with padding", Expect::Answer(1), |peer| {
            let mut block = vec![6];
            block.extend(peer.request("GET"));
            block.extend([0; 6]);
            peer.frame(HEADERS, WHOLE | PADDED, 1, &block)
        }),
        case("generic/3.2", "HEADERS with priority", Expect::Answer(1), |peer| {
            let mut block = vec![0, 0, 0, 0, 10];
            block.extend(peer.request("GET"));
            peer.frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &block)
        }),
        case("generic/3.3", "PRIORITY with priority 1", Expect::Answer(1), |peer| {
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 0])?;
            peer.get(1)
        }),
        case("generic/3.3", "PRIORITY with priority 256", Expect::Answer(1), |peer| {
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 255])?;
            peer.get(1)
        }),
        case("generic/3.3", "PRIORITY with a dependency", Expect::Answer(5), |peer| {
            peer.frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 255])?;
            peer.get(5)
        }),
        case("generic/3.3", "PRIORITY with an exclusive dependency", Expect::Answer(5), |peer| {
            peer.frame(PRIORITY, 0, 3, &[0x80, 0, 0, 1, 255])?;
            peer.get(5)
        }),
        case("generic/3.3", "PRIORITY for an idle stream, then HEADERS on a lower one", Expect::Answer(1), |peer| {
            peer.frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 15])?;
            peer.get(1)
        }),
        case("generic/3.4", "RST_STREAM", Expect::PingBack, |peer| {
            peer.get(1)?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("generic/3.5", "SETTINGS", Expect::SettingsBack, |peer| peer.frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        case("generic/3.7", "PING", Expect::PingBack, |peer| peer.frame(PING, 0, 0, &PINGED)),
        case("generic/3.8", "GOAWAY", Expect::Connection(&[0]), |peer| peer.frame(GOAWAY, 0, 0, &[0; 8])),
        case("generic/3.9", "WINDOW_UPDATE on the connection", Expect::Answer(1), |peer| {
            peer.frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])?;
            peer.get(1)
        }),
        case("generic/3.9", "WINDOW_UPDATE on a stream", Expect::Answer(1), |peer| {
            peer.get(1)?;
            peer.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])
        }),
        case("generic/3.10", "one CONTINUATION", Expect::Answer(1), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("generic/3.10", "several CONTINUATION", Expect::Answer(1), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(CONTINUATION, 0, 1, &field("x-dummy", "a"))?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "b"))
        }),
        case("generic/4", "GET", Expect::Ended(1), |peer| peer.get(1)),
        case("generic/4", "HEAD", Expect::Ended(1), |peer| {
            let block = peer.request("HEAD");
            peer.block(&block)
        }),
        case("generic/4", "POST", Expect::Ended(1), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("generic/4", "POST with trailers", Expect::Ended(1), |peer| {
            peer.post(1, &literal_trailer())?;
            peer.frame(DATA, 0, 1, b"test")?;
            peer.frame(HEADERS, WHOLE, 1, &field("x-test", "ok"))
        }),
        case("generic/5", "indexed field", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x90]);
            peer.block(&block)
        }),
        case("generic/5", "literal with incremental indexing, indexed name", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x53, 3, 0x2a, 0x2f, 0x2a]);
            peer.block(&block)
        }),
        case("generic/5", "literal with incremental indexing, indexed name, Huffman", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x53, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]);
            peer.block(&block)
        }),
        case("generic/5", "literal with incremental indexing, new name", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x40, 6, 0x78, 0x2d, 0x74, 0x65, 0x73, 0x74, 2, 0x6f, 0x6b]);
            peer.block(&block)
        }),
        case("generic/5", "literal with incremental indexing, new name, Huffman", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[
                0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8,
                0xe8, 0xb4, 0xbf,
            ]);
            peer.block(&block)
        }),
        case("generic/5", "literal without indexing, indexed name", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x0f, 4, 3, 0x2a, 0x2f, 0x2a]);
            peer.block(&block)
        }),
        case("generic/5", "literal without indexing, indexed name, Huffman", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x0f, 4, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]);
            peer.block(&block)
        }),
        case("generic/5", "literal without indexing, new name", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0, 6, 0x78, 0x2d, 0x74, 0x65, 0x73, 0x74, 2, 0x6f, 0x6b]);
            peer.block(&block)
        }),
        case("generic/5", "literal without indexing, new name, Huffman", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[
                0, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8,
                0xe8, 0xb4, 0xbf,
            ]);
            peer.block(&block)
        }),
        case("generic/5", "literal never indexed, indexed name", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x1f, 4, 3, 0x2a, 0x2f, 0x2a]);
            peer.block(&block)
        }),
        case("generic/5", "literal never indexed, indexed name, Huffman", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x1f, 4, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]);
            peer.block(&block)
        }),
        case("generic/5", "literal never indexed, new name", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x10, 6, 0x78, 0x2d, 0x74, 0x65, 0x73, 0x74, 2, 0x6f, 0x6b]);
            peer.block(&block)
        }),
        case("generic/5", "literal never indexed, new name, Huffman", Expect::Answer(1), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[
                0x10, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8,
                0xe8, 0xb4, 0xbf,
            ]);
            peer.block(&block)
        }),
        case("generic/5", "dynamic table size update", Expect::Answer(1), |peer| {
            let mut block = vec![0x3f, 0x61];
            block.extend(peer.request("GET"));
            peer.block(&block)
        }),
        case("generic/5", "several dynamic table size updates", Expect::Answer(1), |peer| {
            let mut block = vec![0x20, 0x3f, 0x61];
            block.extend(peer.request("GET"));
            peer.block(&block)
        }),
    ]
}

fn hpack() -> Vec<Case> {
    vec![
        case("hpack/2.3.3", "indexed field with an index out of range", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0xc6]);
            peer.block(&block)
        }),
        case("hpack/2.3.3", "literal with an index out of range", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x7f, 0x07, 0]);
            peer.block(&block)
        }),
        case("hpack/4.2", "table size update at the end of a block", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x20]);
            peer.block(&block)
        }),
        case("hpack/5.2", "Huffman padding longer than 7 bits", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x82, 0x49, 0x7f, 0xff]);
            peer.block(&block)
        }),
        case("hpack/5.2", "Huffman padding of zeros", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0, 0x85, 0xf2, 0xb2, 0x4a, 0x87, 0xff, 0x83, 0x49, 0x50, 0x90]);
            peer.block(&block)
        }),
        case("hpack/5.2", "Huffman string with EOS", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[
                0, 0x85, 0xf2, 0xb2, 0x4a, 0x87, 0xff, 0x87, 0x49, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff,
            ]);
            peer.block(&block)
        }),
        case("hpack/6.1", "indexed field with index 0", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = peer.request("GET");
            block.extend_from_slice(&[0x80]);
            peer.block(&block)
        }),
        case("hpack/6.3", "table size update above the setting", Expect::Connection(&[COMPRESSION]), |peer| {
            let mut block = vec![0x3f, 0xe2, 0x1f];
            block.extend(peer.request("GET"));
            peer.block(&block)
        }),
    ]
}

fn http2_framing() -> Vec<Case> {
    vec![
        first("http2/3.5", "the preface", Expect::PingBack, |peer| {
            peer.greet()?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        first("http2/3.5", "a wrong preface", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.raw(b"INVALID CONNECTION PREFACE\r\n\r\n")
        }),
        case("http2/4.1", "a frame of unknown kind", Expect::PingBack, |peer| {
            peer.frame(22, 0, 0, &[0; 8])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("http2/4.1", "a frame with an undefined flag", Expect::PingBack, |peer| peer.frame(PING, 22, 0, &PINGED)),
        case("http2/4.1", "a frame with the reserved bit", Expect::PingBack, |peer| {
            peer.frame(PING, 0, 0x8000_0000, &PINGED)
        }),
        case("http2/4.2", "DATA of 2^14 bytes", Expect::Answer(1), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, END_STREAM, 1, &[b'x'; 16_384])
        }),
        case("http2/4.2", "DATA larger than SETTINGS_MAX_FRAME_SIZE", Expect::Stream(&[SIZE]), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, END_STREAM, 1, &[b'x'; 16_385])
        }),
        case("http2/4.2", "HEADERS larger than SETTINGS_MAX_FRAME_SIZE", Expect::Connection(&[SIZE]), |peer| {
            let mut block = peer.request("GET");
            for _ in 0..200 {
                block.extend(field("x-long", &"v".repeat(100)));
            }
            peer.block(&block)
        }),
        case("http2/4.3", "a header block that is cut", Expect::Connection(&[COMPRESSION]), |peer| peer.block(&[0x40])),
        case("http2/4.3", "PRIORITY inside a header block", Expect::Connection(&[PROTOCOL]), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15])?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("http2/4.3", "HEADERS of another stream inside a header block", Expect::Connection(&[PROTOCOL]), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.get(3)
        }),
        case("http2/5.1", "idle: DATA", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("http2/5.1", "idle: RST_STREAM", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])
        }),
        case("http2/5.1", "idle: WINDOW_UPDATE", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 100])
        }),
        case("http2/5.1", "idle: CONTINUATION", Expect::Connection(&[PROTOCOL]), |peer| {
            let block = peer.request("GET");
            peer.frame(CONTINUATION, END_HEADERS, 1, &block)
        }),
        case("http2/5.1", "half-closed: DATA", Expect::Stream(&[CLOSED]), |peer| {
            peer.get(1)?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("http2/5.1", "half-closed: HEADERS", Expect::Stream(&[CLOSED]), |peer| {
            peer.get(1)?;
            peer.get(1)
        }),
        case("http2/5.1", "half-closed: CONTINUATION", Expect::Stream(&[CLOSED, PROTOCOL]), |peer| {
            peer.get(1)?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("http2/5.1", "closed by RST_STREAM: DATA", Expect::Stream(&[CLOSED]), |peer| {
            peer.post(1, &[])?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("http2/5.1", "closed by RST_STREAM: HEADERS", Expect::Stream(&[CLOSED]), |peer| {
            peer.post(1, &[])?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])?;
            peer.get(1)
        }),
        case("http2/5.1", "closed by RST_STREAM: CONTINUATION", Expect::Stream(&[CLOSED, PROTOCOL]), |peer| {
            peer.post(1, &[])?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("http2/5.1", "closed: DATA", Expect::Stream(&[CLOSED]), |peer| {
            peer.get(1)?;
            peer.until_ended(1)?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("http2/5.1", "closed: HEADERS", Expect::Connection(&[CLOSED, PROTOCOL]), |peer| {
            peer.get(1)?;
            peer.until_ended(1)?;
            peer.get(1)
        }),
        case("http2/5.1", "closed: CONTINUATION", Expect::Connection(&[CLOSED, PROTOCOL]), |peer| {
            peer.get(1)?;
            peer.until_ended(1)?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("http2/5.1.1", "an even stream", Expect::Connection(&[PROTOCOL]), |peer| peer.get(2)),
        case("http2/5.1.1", "a stream lower than the last", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.get(5)?;
            peer.get(3)
        }),
        case(
            "http2/5.1.2",
            "more streams than SETTINGS_MAX_CONCURRENT_STREAMS",
            Expect::Stream(&[PROTOCOL, REFUSED]),
            |peer| {
                let max = peer.streams_max.unwrap_or(100);
                for number in 0..=max {
                    peer.post(2 * number + 1, &[])?;
                }
                Ok(())
            },
        ),
        case("http2/5.3.1", "HEADERS that depend on themselves", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = vec![0, 0, 0, 1, 255];
            block.extend(peer.request("GET"));
            peer.frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &block)
        }),
        case("http2/5.3.1", "PRIORITY that depends on itself", Expect::Stream(&[PROTOCOL]), |peer| {
            peer.frame(PRIORITY, 0, 2, &[0, 0, 0, 2, 255])
        }),
        case("http2/5.4.1", "an invalid PING ends the connection", Expect::Connection(&[SIZE, PROTOCOL]), |peer| {
            peer.frame(PING, 0, 0, b"1234567")
        }),
        case("http2/5.4.1", "an invalid PING is answered by GOAWAY", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(PING, 0, 3, &PINGED)
        }),
        case("http2/5.5", "an unknown extension frame", Expect::PingBack, |peer| {
            peer.frame(0x99, 0, 0, &[0; 8])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case(
            "http2/5.5",
            "an unknown extension frame inside a header block",
            Expect::Connection(&[PROTOCOL]),
            |peer| {
                let block = peer.request("GET");
                peer.frame(HEADERS, END_STREAM, 1, &block)?;
                peer.frame(0x99, 0, 0, &[0; 8])?;
                peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
            },
        ),
    ]
}

fn http2_frames() -> Vec<Case> {
    vec![
        case("http2/6.1", "DATA on stream 0", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(DATA, END_STREAM, 0, b"test")
        }),
        case("http2/6.1", "DATA on a stream that is not open", Expect::Stream(&[CLOSED]), |peer| {
            peer.get(1)?;
            peer.until_ended(1)?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("http2/6.1", "DATA with too much padding", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, END_STREAM | PADDED, 1, b"\x14test")
        }),
        case("http2/6.2", "HEADERS without END_HEADERS, then PRIORITY", Expect::Connection(&[PROTOCOL]), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 255])
        }),
        case(
            "http2/6.2",
            "HEADERS without END_HEADERS, then HEADERS of another stream",
            Expect::Connection(&[PROTOCOL]),
            |peer| {
                let block = peer.request("GET");
                peer.frame(HEADERS, END_STREAM, 1, &block)?;
                peer.get(3)
            },
        ),
        case("http2/6.2", "HEADERS on stream 0", Expect::Connection(&[PROTOCOL]), |peer| peer.get(0)),
        case("http2/6.2", "HEADERS with too much padding", Expect::Connection(&[PROTOCOL]), |peer| {
            let mut block = vec![0xff];
            block.extend(peer.request("GET"));
            peer.frame(HEADERS, WHOLE | PADDED, 1, &block)
        }),
        case("http2/6.3", "PRIORITY on stream 0", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 255])
        }),
        case("http2/6.3", "PRIORITY of a length other than 5", Expect::Stream(&[SIZE]), |peer| {
            peer.frame(PRIORITY, 0, 1, &[0, 0, 0, 1])
        }),
        case("http2/6.4", "RST_STREAM on stream 0", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(RST_STREAM, 0, 0, &[0, 0, 0, 8])
        }),
        case("http2/6.4", "RST_STREAM on an idle stream", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])
        }),
        case("http2/6.4", "RST_STREAM of a length other than 4", Expect::Connection(&[SIZE]), |peer| {
            peer.post(1, &[])?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0])
        }),
        case("http2/6.5", "SETTINGS with ACK and a payload", Expect::Connection(&[SIZE]), |peer| {
            peer.frame(SETTINGS, ACK, 0, &[0])
        }),
        case("http2/6.5", "SETTINGS on a stream", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(SETTINGS, 0, 1, &[0, 3, 0, 0, 0, 100])
        }),
        case("http2/6.5", "SETTINGS of a length that is no multiple of 6", Expect::Connection(&[SIZE]), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 3, 0])
        }),
        case("http2/6.5.2", "SETTINGS_ENABLE_PUSH of 2", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2])
        }),
        case("http2/6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1", Expect::Connection(&[FLOW]), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0])
        }),
        case("http2/6.5.2", "SETTINGS_MAX_FRAME_SIZE below 2^14", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff])
        }),
        case("http2/6.5.2", "SETTINGS_MAX_FRAME_SIZE above 2^24-1", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 5, 1, 0, 0, 0])
        }),
        case("http2/6.5.2", "an unknown setting", Expect::PingBack, |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 0xff, 0, 0, 0, 1])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("http2/6.5.3", "several values of SETTINGS_INITIAL_WINDOW_SIZE", Expect::Data(1), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 100, 0, 4, 0, 0, 0, 1])?;
            peer.get(1)
        }),
        case("http2/6.5.3", "SETTINGS without ACK", Expect::SettingsBack, |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 100])
        }),
        case("http2/6.7", "PING", Expect::PingBack, |peer| peer.frame(PING, 0, 0, &PINGED)),
        case("http2/6.7", "PING with ACK, then PING", Expect::PingBack, |peer| {
            peer.frame(PING, ACK, 0, b"invalid!")?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("http2/6.7", "PING on a stream", Expect::Connection(&[PROTOCOL]), |peer| peer.frame(PING, 0, 1, &PINGED)),
        case("http2/6.7", "PING of a length other than 8", Expect::Connection(&[SIZE]), |peer| {
            peer.frame(PING, 0, 0, &[0; 6])
        }),
        case("http2/6.8", "GOAWAY on a stream", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(GOAWAY, 0, 1, &[0; 8])
        }),
        case("http2/6.9", "WINDOW_UPDATE of 0 on the connection", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.frame(WINDOW_UPDATE, 0, 0, &[0; 4])
        }),
        case("http2/6.9", "WINDOW_UPDATE of 0 on a stream", Expect::Stream(&[PROTOCOL]), |peer| {
            peer.post(1, &[])?;
            peer.frame(WINDOW_UPDATE, 0, 1, &[0; 4])
        }),
        case("http2/6.9", "WINDOW_UPDATE of a length other than 4", Expect::Connection(&[SIZE]), |peer| {
            peer.frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1])
        }),
        case("http2/6.9.1", "a window of 1, then HEADERS", Expect::Data(1), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])?;
            peer.get(1)
        }),
        case("http2/6.9.1", "WINDOW_UPDATE beyond 2^31-1 on the connection", Expect::Connection(&[FLOW]), |peer| {
            peer.frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])?;
            peer.frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])
        }),
        case("http2/6.9.1", "WINDOW_UPDATE beyond 2^31-1 on a stream", Expect::Stream(&[FLOW]), |peer| {
            peer.post(1, &[])?;
            peer.frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])?;
            peer.frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])
        }),
        case("http2/6.9.2", "SETTINGS_INITIAL_WINDOW_SIZE changed after HEADERS", Expect::Data(1), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])?;
            peer.get(1)?;
            peer.until(HEADERS, 1)?;
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])
        }),
        case("http2/6.9.2", "a window that becomes negative", Expect::Data(1), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 3])?;
            peer.get(1)?;
            peer.until(DATA, 1)?;
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 2])?;
            peer.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 2])
        }),
        case("http2/6.9.2", "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1", Expect::Connection(&[FLOW]), |peer| {
            peer.frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])
        }),
        case("http2/6.10", "several CONTINUATION after HEADERS", Expect::Answer(1), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(CONTINUATION, 0, 1, &field("x-dummy", "a"))?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("http2/6.10", "CONTINUATION, then another frame", Expect::Connection(&[PROTOCOL]), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(CONTINUATION, 0, 1, &field("x-dummy", "a"))?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case("http2/6.10", "CONTINUATION on stream 0", Expect::Connection(&[PROTOCOL]), |peer| {
            let block = peer.request("GET");
            peer.frame(HEADERS, END_STREAM, 1, &block)?;
            peer.frame(CONTINUATION, END_HEADERS, 0, &field("x-dummy", "a"))
        }),
        case("http2/6.10", "CONTINUATION after HEADERS with END_HEADERS", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.get(1)?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case(
            "http2/6.10",
            "CONTINUATION after CONTINUATION with END_HEADERS",
            Expect::Connection(&[PROTOCOL]),
            |peer| {
                let block = peer.request("GET");
                peer.frame(HEADERS, END_STREAM, 1, &block)?;
                peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))?;
                peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
            },
        ),
        case("http2/6.10", "CONTINUATION after DATA", Expect::Connection(&[PROTOCOL]), |peer| {
            peer.post(1, &[])?;
            peer.frame(DATA, 0, 1, b"test")?;
            peer.frame(CONTINUATION, END_HEADERS, 1, &field("x-dummy", "a"))
        }),
        case("http2/7", "GOAWAY with an unknown code", Expect::Connection(&[0]), |peer| {
            peer.frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xff])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
        case("http2/7", "RST_STREAM with an unknown code", Expect::PingBack, |peer| {
            peer.post(1, &[])?;
            peer.frame(RST_STREAM, 0, 1, &[0, 0, 0, 0xff])?;
            peer.frame(PING, 0, 0, &PINGED)
        }),
    ]
}

fn http2_fields() -> Vec<Case> {
    vec![
        case("http2/8.1", "a second HEADERS without END_STREAM", Expect::Stream(&[PROTOCOL]), |peer| {
            peer.post(1, &[])?;
            peer.frame(HEADERS, END_HEADERS, 1, &field("x-test", "ok"))
        }),
        case("http2/8.1.2", "a field name in capitals", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.extend(field("X-TEST", "ok"));
            peer.block(&block)
        }),
        case("http2/8.1.2.1", "an unknown pseudo-header field", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.extend(field(":test", "ok"));
            peer.block(&block)
        }),
        case("http2/8.1.2.1", "a pseudo-header field of answers", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.extend(field(":status", "200"));
            peer.block(&block)
        }),
        case("http2/8.1.2.1", "a pseudo-header field in trailers", Expect::Stream(&[PROTOCOL]), |peer| {
            peer.post(1, &literal_trailer())?;
            peer.frame(DATA, 0, 1, b"test")?;
            peer.frame(HEADERS, WHOLE, 1, &field(":method", "200"))
        }),
        case("http2/8.1.2.1", "a pseudo-header field after an ordinary one", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = field("x-test", "ok");
            block.extend(peer.request("GET"));
            peer.block(&block)
        }),
        case("http2/8.1.2.2", "a field of the connection", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.extend(field("connection", "keep-alive"));
            peer.block(&block)
        }),
        case("http2/8.1.2.2", "TE other than trailers", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.extend(field("trailers", "test").into_iter().chain(field("te", "trailers, deflate")));
            peer.block(&block)
        }),
        case("http2/8.1.2.3", ":path is empty", Expect::Stream(&[PROTOCOL]), |peer| {
            let block = [vec![0x82, 0x86], literal(4, ""), literal(1, "a")].concat();
            peer.block(&block)
        }),
        case("http2/8.1.2.3", "no :method", Expect::Stream(&[PROTOCOL]), |peer| {
            let block = [vec![0x86, 0x84], literal(1, "a")].concat();
            peer.block(&block)
        }),
        case("http2/8.1.2.3", "no :scheme", Expect::Stream(&[PROTOCOL]), |peer| {
            let block = [vec![0x82, 0x84], literal(1, "a")].concat();
            peer.block(&block)
        }),
        case("http2/8.1.2.3", "no :path", Expect::Stream(&[PROTOCOL]), |peer| {
            let block = [vec![0x82, 0x86], literal(1, "a")].concat();
            peer.block(&block)
        }),
        case("http2/8.1.2.3", ":method twice", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.push(0x82);
            peer.block(&block)
        }),
        case("http2/8.1.2.3", ":scheme twice", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.push(0x86);
            peer.block(&block)
        }),
        case("http2/8.1.2.3", ":path twice", Expect::Stream(&[PROTOCOL]), |peer| {
            let mut block = peer.request("GET");
            block.push(0x84);
            peer.block(&block)
        }),
        case("http2/8.1.2.6", "content-length other than one DATA frame", Expect::Stream(&[PROTOCOL]), |peer| {
            peer.post(1, &field("content-length", "1"))?;
            peer.frame(DATA, END_STREAM, 1, b"test")
        }),
        case(
            "http2/8.1.2.6",
            "content-length other than the sum of DATA frames",
            Expect::Stream(&[PROTOCOL]),
            |peer| {
                peer.post(1, &field("content-length", "1"))?;
                peer.frame(DATA, 0, 1, b"test")?;
                peer.frame(DATA, END_STREAM, 1, b"test")
            },
        ),
        case("http2/8.2", "PUSH_PROMISE", Expect::Connection(&[PROTOCOL]), |peer| {
            let mut block = vec![0, 0, 0, 3];
            block.extend(peer.request("GET"));
            peer.frame(PUSH_PROMISE, END_HEADERS, 1, &block)
        }),
    ]
}

fn case(
    section: &'static str,
    title: &'static str,
    expect: Expect,
    send: fn(&mut Peer) -> std::io::Result<()>,
) -> Case {
    Case { section, title, greet: true, send, expect }
}

/// A case that sends the preface itself.
fn first(
    section: &'static str,
    title: &'static str,
    expect: Expect,
    send: fn(&mut Peer) -> std::io::Result<()>,
) -> Case {
    Case { greet: false, ..case(section, title, expect, send) }
}
