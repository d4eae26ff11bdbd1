//! What our parser accepts, others must frame alike: hyper's server, kawa (the parser of sozu) and httparse.
//!
//! They may refuse what we accept; they may not read another body or another number of messages out of it. The collections
//! of `PORTREEVE_CORPORA` are tried as well where that variable names their folder.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic in a test is the report"
)]

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::rt::{Read, ReadBufCursor, Write};
use inspect::http1::{BodyDecoder, BodyPiece, head_end, parse_request};
use model::limits::Limits;
use proptest::prelude::*;

/// One message as a reader framed it; `None` for a body it refused or that did not arrive whole.
type Message = (String, Option<Vec<u8>>);

/// The messages that we accept, up to the first that we do not.
fn ours(raw: &[u8]) -> Vec<Message> {
    let limits = Limits::default();
    let mut buf = BytesMut::from(raw);
    let mut messages = Vec::new();
    while let Some(end) = head_end(&buf, 0) {
        let Ok(request) = parse_request(buf.split_to(end).freeze(), &limits) else { break };
        let mut decoder = BodyDecoder::new(request.framing, &limits);
        let mut body = Vec::new();
        let whole = loop {
            match decoder.next(&mut buf) {
                Ok(BodyPiece::Data(data)) => body.extend_from_slice(&data),
                Ok(BodyPiece::End(_)) => break true,
                Ok(BodyPiece::NeedMore) | Err(_) => break false,
            }
        };
        if !whole {
            break;
        }
        messages.push((String::from_utf8_lossy(&request.head.method).into_owned(), Some(body)));
        if !request.keep_alive || request.upgrades {
            break;
        }
    }
    messages
}

/// A connection in memory: gives its bytes and then ends, takes what is written and forgets it.
struct Memory {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let len = buf.remaining().min(self.bytes.len() - self.at);
        let at = self.at;
        buf.put_slice(&self.bytes[at..at + len]);
        self.at += len;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn hypers(raw: &[u8]) -> Vec<Message> {
    let seen: Rc<RefCell<Vec<Message>>> = Rc::default();
    let service = hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let at = seen.borrow().len();
            seen.borrow_mut().push((request.method().to_string(), None));
            if let Ok(body) = request.into_body().collect().await {
                seen.borrow_mut()[at].1 = Some(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(None).half_close(true);
    let mut connection = Box::pin(builder.serve_connection(Memory { bytes: raw.to_vec(), at: 0 }, service));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if connection.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    drop(connection);
    seen.borrow().clone()
}

fn kawas(raw: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut rest = raw.to_vec();
    while !rest.is_empty() && messages.len() < 50 {
        let len = rest.len();
        let mut storage = vec![0; len + 64];
        storage[..len].copy_from_slice(&rest);
        let mut buffer = kawa::Buffer::new(kawa::SliceBuffer(&mut storage));
        buffer.fill(len);
        let mut message = kawa::Kawa::new(kawa::Kind::Request, buffer);
        kawa::h1::parse(&mut message, &mut kawa::h1::NoCallbacks);
        if !message.is_terminated() {
            break;
        }
        let bytes = message.storage.buffer();
        let kawa::StatusLine::Request { method, .. } = &message.detached.status_line else { break };
        let method = String::from_utf8_lossy(method.data(bytes)).into_owned();
        let body = message.blocks.iter().filter_map(|block| match block {
            kawa::Block::Chunk(chunk) => Some(chunk.data.data(bytes)),
            _ => None,
        });
        let body: Vec<u8> = body.flatten().copied().collect();
        messages.push((method, Some(body)));
        rest = message.storage.unparsed_data().to_vec();
    }
    messages
}

/// The first message that both framed, but not alike.
fn disagreement(ours: &[Message], theirs: &[Message]) -> Option<String> {
    let pairs = ours.iter().zip(theirs);
    // Where they refuse a body, they refuse the connection.
    let framed = pairs.take_while(|(_, theirs)| theirs.1.is_some());
    framed.filter(|(ours, theirs)| ours != theirs).map(|(ours, theirs)| format!("{ours:?} against {theirs:?}")).next()
}

fn check(raw: &[u8]) -> Result<(), String> {
    let ours = ours(raw);
    if let Some(text) = disagreement(&ours, &hypers(raw)) {
        return Err(format!("hyper: {text}: {}", raw.escape_ascii()));
    }
    if let Some(text) = disagreement(&ours, &kawas(raw)) {
        return Err(format!("kawa: {text}: {}", raw.escape_ascii()));
    }
    same_fields(raw).map_err(|text| format!("httparse: {text}: {}", raw.escape_ascii()))
}

/// The fields of the first head as httparse reads them.
fn same_fields(raw: &[u8]) -> Result<(), String> {
    let Some(end) = head_end(raw, 0) else { return Ok(()) };
    let Ok(request) = parse_request(Bytes::copy_from_slice(&raw[..end]), &Limits::default()) else { return Ok(()) };
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Request::new(&mut headers);
    match other.parse(raw) {
        Ok(httparse::Status::Complete(theirs)) if theirs == end => {}
        // It refuses targets that are no UTF-8.
        Err(_) => return Ok(()),
        other => return Err(format!("head ends at {end}, not {other:?}")),
    }
    let ours: Vec<_> = request.head.fields.iter().map(|field| (field.name, field.value)).collect();
    let theirs: Vec<_> = other.headers.iter().map(|header| (header.name.as_bytes(), header.value)).collect();
    if ours != theirs || other.path.map(str::as_bytes).is_some_and(|path| path != &request.head.target[..]) {
        return Err(format!("{ours:?} against {theirs:?}"));
    }
    Ok(())
}

#[test]
fn the_readers_read() {
    let raw = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPUT /b HTTP/1.1\r\nHost: a\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n";
    let message = |method: &str, body: &[u8]| (method.to_owned(), Some(body.to_vec()));
    let expected = [message("POST", b"hello"), message("PUT", b"abc"), message("GET", b"")];
    assert_eq!(ours(raw), expected);
    assert_eq!(hypers(raw), expected, "hyper");
    assert_eq!(kawas(raw), expected, "kawa");
    let differs = [message("POST", b"hell")];
    assert!(disagreement(&expected, &differs).is_some());
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("X-A: b".to_owned()),
        2 => "(Content-Length|content-length|Content-Length |Content_Length): ?[0-9]{1,2}",
        1 => "Content-Length: (5, 5|\\+5|0x5|05|5 5|-1|)",
        3 => "(Transfer-Encoding|transfer-encoding|Transfer-Encoding ): ?(chunked|Chunked|chunked )",
        1 => "Transfer-Encoding: (identity|gzip, chunked|chunked, chunked|xchunked|chunked;a|\"chunked\"|,chunked|)",
        1 => "(Connection: close|Connection: keep-alive|Expect: 100-continue|Connection: Content-Length|TE: trailers|Trailer: x)",
        1 => "[A-Za-z:\\-_ ]{1,12}:[ -~]{0,10}",
    ]
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        2 => "[a-z]{0,12}",
        4 => "(5\r\nhello\r\n|5;a=b\r\nhello\r\n|0005\r\nhello\r\n|5 \r\nhello\r\n|5\nhello\n|6\r\nhello\r\n){0,3}(0\r\n\r\n|0\r\nA: b\r\n\r\n|00\r\n\r\n|0\r\n|0\n\n)",
    ]
}

prop_compose! {
    fn message()(
        first in prop_oneof![6 => Just("POST /t HTTP/1.1"), 2 => Just("GET /t HTTP/1.1"), 1 => Just("POST /t HTTP/1.0"), 1 => Just("HEAD http://a/ HTTP/1.1")],
        lines in proptest::collection::vec(line(), 0..4),
        body in body(),
    ) -> Vec<u8> {
        let mut text = format!("{first}\r\nHost: a\r\n");
        for line in lines {
            text.push_str(&line);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&body);
        text.into_bytes()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2000)))]

    #[test]
    fn what_we_accept_others_frame_alike(
        messages in proptest::collection::vec(message(), 1..4),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'\t'), Just(b':'), Just(0u8), Just(0x0b), Just(b','), any::<u8>()], 0u8..3), 0..3),
    ) {
        let mut raw = messages.concat();
        for (at, byte, how) in edits {
            let at = at.index(raw.len());
            match how {
                0 => raw[at] = byte,
                1 => raw.insert(at, byte),
                _ => { raw.remove(at); }
            }
        }
        let checked = check(&raw);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}

#[test]
fn the_collections_are_framed_alike() {
    let Some(folder) = std::env::var_os("PORTREEVE_CORPORA") else {
        println!("skipped: set PORTREEVE_CORPORA to the folder of the collections");
        return;
    };
    let mut tried = 0;
    for (file, name) in [
        ("http-desync-guardian/cases.jsonl", "raw_head_b64"),
        ("llhttp/request-tests.jsonl", "raw_b64"),
        ("crs-regression/tests.jsonl", "raw_b64"),
    ] {
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join(file)).unwrap();
        for line in text.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(encoded) = case.get(name).and_then(serde_json::Value::as_str) else { continue };
            let raw = decode(encoded);
            check(&raw).unwrap();
            // Most cases have no Host, and are refused for that alone.
            let text: String = raw.iter().map(|&byte| char::from(byte)).collect();
            let hosted: Vec<u8> =
                text.replacen("\r\n", "\r\nHost: a\r\n", 1).chars().map(|letter| letter as u8).collect();
            check(&hosted).unwrap();
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    out
}
