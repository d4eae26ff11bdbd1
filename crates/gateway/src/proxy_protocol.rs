//! The PROXY header that a load balancer puts in front of a connection (HAProxy's "The PROXY protocol", versions 1 and 2).
//!
//! Only the source address is taken from it. Extensions (TLVs) are skipped: what they say about TLS or authorities would
//! be believed without anyone having configured it. A header is only read where the listener demands one, and only from a
//! trusted peer; both are the caller's to check, since the bytes themselves prove nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest header of version 1, its line end included (specification, 2.1).
const V1_BYTES_MAX: usize = 107;

/// The longest header of version 2 that is accepted, extensions included. The format allows 65,551 bytes; what proxies send
/// stays below one page.
const V2_BYTES_MAX: usize = 4096;

/// The first twelve bytes of version 2.
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the first bytes of a connection amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// More bytes are needed; at most 4,096 ever are.
    Incomplete,
    /// A whole header.
    Done {
        /// Where the connection came from; `None` when the proxy speaks for itself (`LOCAL`, its health checks) or does not
        /// know, in which case the peer of the socket is the source.
        source: Option<SocketAddr>,
        /// The length of the header in bytes.
        consumed: usize,
    },
    /// No header, in one phrase why.
    Bad(&'static str),
}

/// Takes the header that must come first off a connection, and not a byte more: the ClientHello that often comes in the
/// same packet stays for whoever accepts TLS. The answer is never [`Header::Incomplete`]; the caller sets the time limit.
///
/// # Errors
/// When the connection ends or breaks before the header is whole.
pub async fn take(socket: &mut TcpStream) -> io::Result<Header> {
    let mut buf = vec![0; V2_BYTES_MAX];
    let mut taken = 0;
    loop {
        let peeked = socket.peek(buf.get_mut(taken..).unwrap_or_default()).await?;
        if peeked == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = parse(buf.get(..taken + peeked).unwrap_or_default());
        let end = match header {
            // All that is there belongs to the header, so taking it loses nothing, and the next look waits for more.
            Header::Incomplete => taken + peeked,
            Header::Done { consumed, .. } => consumed,
            Header::Bad(_) => return Ok(header),
        };
        socket.read_exact(buf.get_mut(taken..end).unwrap_or_default()).await?;
        if header != Header::Incomplete {
            return Ok(header);
        }
        taken = end;
    }
}

/// Reads a header from the start of `buf`.
pub fn parse(buf: &[u8]) -> Header {
    let begins = |signature: &[u8]| {
        let seen = buf.len().min(signature.len());
        buf.get(..seen) == signature.get(..seen)
    };
    if begins(V2_SIGNATURE) {
        parse_v2(buf)
    } else if begins(b"PROXY ") {
        parse_v1(buf)
    } else {
        Header::Bad("the connection does not begin with a PROXY header")
    }
}

fn parse_v1(buf: &[u8]) -> Header {
    let window = buf.get(..buf.len().min(V1_BYTES_MAX)).unwrap_or_default();
    let Some(line_end) = memchr::memchr(b'\n', window) else {
        return if buf.len() < V1_BYTES_MAX { Header::Incomplete } else { Header::Bad("the line does not end") };
    };
    let line = window.get(..line_end).and_then(|line| line.strip_suffix(b"\r"));
    let Some(Ok(line)) = line.map(std::str::from_utf8) else {
        return Header::Bad("the line is not ASCII text that ends with CR LF");
    };
    let consumed = line_end + 1;
    let mut words = line.split(' ').skip(1);
    let is_v4 = match words.next() {
        // Whatever follows is to be ignored (2.1).
        Some("UNKNOWN") => return Header::Done { source: None, consumed },
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Header::Bad("the protocol is none of TCP4, TCP6 and UNKNOWN"),
    };
    let mut address = || words.next()?.parse::<IpAddr>().ok().filter(|addr| addr.is_ipv4() == is_v4);
    let (Some(source), Some(_destination)) = (address(), address()) else {
        return Header::Bad("an address is malformed or of the other family");
    };
    let mut port = || words.next().and_then(v1_port);
    let (Some(source_port), Some(_destination_port)) = (port(), port()) else {
        return Header::Bad("a port is malformed");
    };
    if words.next().is_some() {
        return Header::Bad("something follows the ports");
    }
    Header::Done { source: Some(SocketAddr::new(source, source_port)), consumed }
}

/// A decimal port without sign and leading zeros.
fn v1_port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    plain.then(|| word.parse().ok()).flatten()
}

fn parse_v2(buf: &[u8]) -> Header {
    let Some(&[command, family, length_high, length_low]) = buf.get(12..16) else { return Header::Incomplete };
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let consumed = 16 + length;
    if command >> 4 != 2 {
        return Header::Bad("the version is not 2");
    }
    if consumed > V2_BYTES_MAX {
        return Header::Bad("the header is longer than 4096 bytes");
    }
    let Some(addresses) = buf.get(16..consumed) else { return Header::Incomplete };
    match command & 15 {
        0 => return Header::Done { source: None, consumed },
        1 => {}
        _ => return Header::Bad("the command is neither LOCAL nor PROXY"),
    }
    let source = match family {
        // Unspecified, and Unix sockets, which have no address of use here.
        0x00 => None,
        0x31 if addresses.len() >= 216 => None,
        0x11 => match v4_source(addresses) {
            Some(source) => Some(source),
            None => return Header::Bad("the addresses are cut short"),
        },
        0x21 => match v6_source(addresses) {
            Some(source) => Some(source),
            None => return Header::Bad("the addresses are cut short"),
        },
        0x31 => return Header::Bad("the addresses are cut short"),
        _ => return Header::Bad("the address family or the transport protocol is not one of streams"),
    };
    Header::Done { source, consumed }
}

/// Source and destination address, source and destination port: 4, 4, 2 and 2 bytes.
fn v4_source(addresses: &[u8]) -> Option<SocketAddr> {
    let block = addresses.first_chunk::<12>()?;
    let (addr, port) = (block.first_chunk::<4>()?, block.get(8..10)?.first_chunk::<2>()?);
    Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*addr)), u16::from_be_bytes(*port)))
}

/// Source and destination address, source and destination port: 16, 16, 2 and 2 bytes.
fn v6_source(addresses: &[u8]) -> Option<SocketAddr> {
    let block = addresses.first_chunk::<36>()?;
    let (addr, port) = (block.first_chunk::<16>()?, block.get(32..34)?.first_chunk::<2>()?);
    Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(*addr)), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn done(source: Option<&str>, consumed: usize) -> Header {
        Header::Done { source: source.map(|source| source.parse().unwrap()), consumed }
    }

    #[test]
    fn version_1() {
        let check = |text: &str, expected| assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        check("PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\nGET /", done(Some("203.0.113.9:56324"), 43));
        check("PROXY TCP6 2001:db8::9 ::1 1 65535\r\n", done(Some("[2001:db8::9]:1"), 36));
        check("PROXY UNKNOWN\r\n", done(None, 15));
        check("PROXY UNKNOWN ffff::1 anything at all\r\n", done(None, 39));
        for bad in [
            "GET / HTTP/1.1\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\n",
            "PROXY TCP4 2001:db8::9 10.0.0.1 1 2\r\n",
            "PROXY TCP6 203.0.113.9 10.0.0.1 1 2\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 01 2\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 +1 2\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 1 65536\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 1 2 3\r\n",
            "PROXY TCP4  203.0.113.9 10.0.0.1 1 2\r\n",
            "PROXY TCP4 203.0.113.9 10.0.0.1 1\r\n",
            "PROXY UDP4 203.0.113.9 10.0.0.1 1 2\r\n",
            "PROXY  UNKNOWN\r\n",
            "proxy UNKNOWN\r\n",
        ] {
            assert!(matches!(parse(bad.as_bytes()), Header::Bad(_)), "{bad:?}");
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(200));
        assert!(matches!(parse(long.as_bytes()), Header::Bad(_)));
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([command, family]);
        header.extend((addresses.len() as u16).to_be_bytes());
        header.extend(addresses);
        header
    }

    #[test]
    fn version_2() {
        let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];
        assert_eq!(parse(&v2(0x21, 0x11, &v4)), done(Some("203.0.113.9:56324"), 28));
        let with_extension = [&v4[..], &[0x04, 0, 2, b'x', b'y']].concat();
        assert_eq!(parse(&v2(0x21, 0x11, &with_extension)), done(Some("203.0.113.9:56324"), 33));
        let mut v6 = [0u8; 36];
        (v6[0], v6[15], v6[33]) = (0xfd, 9, 80);
        assert_eq!(parse(&v2(0x21, 0x21, &v6)), done(Some("[fd00::9]:80"), 52));
        assert_eq!(parse(&v2(0x20, 0x11, &v4)), done(None, 28), "LOCAL ignores the addresses");
        assert_eq!(parse(&v2(0x20, 0x00, &[])), done(None, 16));
        assert_eq!(parse(&v2(0x21, 0x00, &[1, 2, 3])), done(None, 19));
        assert_eq!(parse(&v2(0x21, 0x31, &[0; 216])), done(None, 232));
        for bad in [
            v2(0x11, 0x11, &v4),
            v2(0x22, 0x11, &v4),
            v2(0x21, 0x12, &v4),
            v2(0x21, 0x41, &v4),
            v2(0x21, 0x11, &v4[..11]),
            v2(0x21, 0x21, &v6[..35]),
            v2(0x21, 0x31, &[0; 215]),
            v2(0x21, 0x11, &[0; 5000]),
        ] {
            assert!(matches!(parse(&bad), Header::Bad(_)), "{bad:?}");
        }
    }

    #[test]
    fn what_follows_the_header_stays_on_the_connection() {
        use tokio::io::AsyncWriteExt as _;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let taken = |pieces: &[&[u8]]| {
            let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (mut socket, _) = listener.accept().await.unwrap();
                let sending = async {
                    for piece in pieces {
                        client.write_all(&piece).await.unwrap();
                        // The other side gets a turn, so that pieces are seen one by one.
                        tokio::task::yield_now().await;
                    }
                    client.shutdown().await.unwrap();
                };
                let taking = async {
                    let header = take(&mut socket).await.map_err(|error| error.kind());
                    let mut rest = Vec::new();
                    let _ = socket.read_to_end(&mut rest).await;
                    (header, rest)
                };
                tokio::join!(taking, sending).0
            })
        };
        let line = b"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n";
        let whole = (Ok(done(Some("203.0.113.9:56324"), 43)), b"\x16\x03\x01".to_vec());
        assert_eq!(taken(&[&[&line[..], b"\x16\x03\x01"].concat()]), whole);
        assert_eq!(taken(&[&line[..20], &line[20..42], &[&line[42..], b"\x16"].concat(), b"\x03\x01"]), whole);
        assert!(matches!(taken(&[b"GET / HTTP/1.1\r\n\r\n"]).0, Ok(Header::Bad(_))));
        assert_eq!(taken(&[&line[..20]]).0, Err(io::ErrorKind::UnexpectedEof));
    }

    proptest! {
        /// Every proper prefix of a header is incomplete, and what follows a header changes nothing.
        #[test]
        fn headers_arrive_in_pieces(v4 in any::<[u8; 4]>(), port in any::<u16>(), tail in any::<Vec<u8>>(), tlv in 0usize..300) {
            let source = SocketAddr::from((v4, port));
            let addresses = [&v4[..], &[10, 0, 0, 1], &port.to_be_bytes(), &[0, 80], &vec![0; tlv]].concat();
            let text = format!("PROXY TCP4 {} 10.0.0.1 {port} 80\r\n", source.ip()).into_bytes();
            for header in [v2(0x21, 0x11, &addresses), text] {
                for end in 0..header.len() {
                    prop_assert_eq!(parse(&header[..end]), Header::Incomplete);
                }
                let whole = [&header[..], &tail].concat();
                prop_assert_eq!(parse(&whole), Header::Done { source: Some(source), consumed: header.len() });
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(version in 0u8..3, bytes in any::<Vec<u8>>()) {
            let front: &[u8] = match version { 0 => b"", 1 => b"PROXY TCP4 ", _ => V2_SIGNATURE };
            let whole = [front, &bytes].concat();
            match parse(&whole) {
                Header::Done { consumed, .. } => prop_assert!(consumed <= whole.len()),
                Header::Incomplete => prop_assert!(whole.len() < V2_BYTES_MAX),
                Header::Bad(why) => prop_assert!(!why.is_empty()),
            }
        }
    }
}
