//! Envoy's gRPC access logs (`envoy.service.accesslog.v3.AccessLogService`, stream of `StreamAccessLogsMessage`), as far as
//! discovery needs them: only the fields read here are declared, everything else is skipped by its wire type.
//!
//! The outer two levels are walked by hand, one entry at a time, so that a message of many empty entries cannot become a
//! large table. Texts are read as bytes: one path that is no UTF-8 does not lose its neighbours.

use std::collections::HashMap;

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::Sink;
use crate::make::{Maker, Pieces};

/// The path of the service's only method.
pub const METHOD: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// Longest message read; Envoy's own buffer is 16 KiB unless it is told otherwise.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// `StreamAccessLogsMessage.http_logs`, and `HTTPAccessLogEntries.log_entry` in it.
const HTTP_LOGS: u32 = 2;
const LOG_ENTRY: u32 = 1;

/// `HTTPAccessLogEntry`.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    common: Option<Common>,
    #[prost(message, optional, tag = "3")]
    request: Option<Request>,
    #[prost(message, optional, tag = "4")]
    response: Option<Response>,
}

/// `AccessLogCommon`.
#[derive(Clone, PartialEq, Message)]
struct Common {
    #[prost(message, optional, tag = "2")]
    client: Option<Address>,
    #[prost(message, optional, tag = "5")]
    start: Option<Time>,
    /// Until the first byte of the upstream's answer.
    #[prost(message, optional, tag = "9")]
    first_answer: Option<Time>,
    /// Told again when the exchange ends.
    #[prost(bool, tag = "26")]
    intermediate: bool,
}

/// `Address` with its `SocketAddress`.
#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket: Option<Socket>,
}

#[derive(Clone, PartialEq, Message)]
struct Socket {
    #[prost(bytes = "vec", tag = "2")]
    address: Vec<u8>,
}

/// `Timestamp` and `Duration` have the same fields.
#[derive(Clone, Copy, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Time {
    fn micros(self) -> i64 {
        self.seconds.saturating_mul(1_000_000).saturating_add(i64::from(self.nanos) / 1_000)
    }
}

/// `HTTPRequestProperties`.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(int32, tag = "1")]
    method: i32,
    #[prost(bytes = "vec", tag = "3")]
    authority: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    path: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    agent: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    referer: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    forwarded_for: Vec<u8>,
    /// The path before a rewrite, where there was one.
    #[prost(bytes = "vec", tag = "10")]
    original_path: Vec<u8>,
    #[prost(uint64, tag = "12")]
    body_bytes: u64,
    /// Fields that Envoy was told to log (`additional_request_headers_to_log`), lower case.
    #[prost(map = "string, string", tag = "13")]
    headers: HashMap<String, String>,
}

/// `HTTPResponseProperties`.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    code: Option<Number>,
    #[prost(uint64, tag = "3")]
    body_bytes: u64,
    #[prost(map = "string, string", tag = "4")]
    headers: HashMap<String, String>,
}

/// `UInt32Value`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Number {
    #[prost(uint32, tag = "1")]
    value: u32,
}

/// `RequestMethod` by number.
const METHODS: [&str; 10] = ["", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Why a message was not read to its end.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A field is longer than the message.
    #[error("the message ends early")]
    Short,
    /// The bytes are no such message.
    #[error(transparent)]
    Malformed(#[from] prost::DecodeError),
}

/// What one message brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Observations made.
    pub observations: u64,
    /// Entries that name no request.
    pub unreadable: u64,
}

/// Reads one `StreamAccessLogsMessage`.
///
/// # Errors
/// When the bytes are no such message; entries in front of the damage were handed over.
pub fn read(message: &[u8], maker: &mut Maker, sink: Sink<'_>) -> Result<Told, Refused> {
    let mut told = Told::default();
    each(message, HTTP_LOGS, &mut |entries| {
        each(entries, LOG_ENTRY, &mut |entry| {
            let entry = Entry::decode(entry)?;
            if entry.common.as_ref().is_some_and(|common| common.intermediate) {
                return Ok(());
            }
            match observation(&entry, maker) {
                Some(observation) => {
                    told.observations += 1;
                    sink(observation);
                }
                None => told.unreadable += 1,
            }
            Ok(())
        })
    })?;
    Ok(told)
}

/// Hands over every length-delimited field with this number.
fn each(mut message: &[u8], number: u32, take: &mut dyn FnMut(&[u8]) -> Result<(), Refused>) -> Result<(), Refused> {
    while !message.is_empty() {
        let (field, wire) = decode_key(&mut message)?;
        if field != number || wire != WireType::LengthDelimited {
            skip_field(wire, field, &mut message, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
        let (value, rest) = message.split_at_checked(length).ok_or(Refused::Short)?;
        take(value)?;
        message = rest;
    }
    Ok(())
}

fn observation(entry: &Entry, maker: &mut Maker) -> Option<model::Observation> {
    let request = entry.request.as_ref()?;
    let response = entry.response.clone().unwrap_or_default();
    let common = entry.common.clone().unwrap_or_default();
    let field = |name: &str| request.headers.get(name).map(|value| value.as_bytes());
    let client = common.client.and_then(|client| client.socket).map(|socket| socket.address);
    let status = response.code.map(|code| code.value.to_string());
    let body_bytes = [request.body_bytes, response.body_bytes].map(|bytes| bytes.to_string());
    let target = if request.original_path.is_empty() { &request.path } else { &request.original_path };
    let method = usize::try_from(request.method).ok().and_then(|at| METHODS.get(at)).copied().unwrap_or_default();
    let pieces = Pieces {
        client: client.as_deref(),
        forwarded_for: Some(&request.forwarded_for),
        host: Some(&request.authority),
        method: Some(method.as_bytes()),
        target: Some(target),
        status: status.as_deref().map(str::as_bytes),
        request_type: field("content-type"),
        response_type: response.headers.get("content-type").map(|value| value.as_bytes()),
        request_bytes: body_bytes.first().map(|bytes| bytes.as_bytes()),
        response_bytes: body_bytes.last().map(|bytes| bytes.as_bytes()),
        agent: Some(&request.agent),
        referer: Some(&request.referer),
        accept: field("accept"),
        fetch_dest: field("sec-fetch-dest"),
        authorization: field("authorization"),
        cookie: field("cookie"),
        ..Pieces::default()
    };
    let mut made = maker.observation(&pieces, &mut false)?;
    if let Some(start) = common.start {
        made.at = model::Timestamp(start.micros());
    }
    made.latency_us = common.first_answer.and_then(|time| u64::try_from(time.micros()).ok());
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use proptest::prelude::*;

    fn entry(path: &str, code: u32) -> Entry {
        Entry {
            common: Some(Common {
                client: Some(Address { socket: Some(Socket { address: b"203.0.113.9".to_vec() }) }),
                start: Some(Time { seconds: 1_700_000_000, nanos: 5_000 }),
                first_answer: Some(Time { seconds: 0, nanos: 2_500_000 }),
                intermediate: false,
            }),
            request: Some(Request {
                method: 3,
                authority: b"API.example.com:443".to_vec(),
                path: path.as_bytes().to_vec(),
                agent: b"curl/8".to_vec(),
                headers: [("authorization".to_owned(), "Bearer x".to_owned())].into(),
                ..Request::default()
            }),
            response: Some(Response {
                code: Some(Number { value: code }),
                body_bytes: 17,
                headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
            }),
        }
    }

    /// A message with these entries: both outer levels are length-delimited.
    fn message(entries: &[Entry]) -> Vec<u8> {
        let delimited = |number: u8, bytes: &[u8]| {
            let mut out = vec![number << 3 | 2];
            prost::encoding::encode_varint(bytes.len() as u64, &mut out);
            out.extend_from_slice(bytes);
            out
        };
        let inner: Vec<u8> = entries.iter().flat_map(|entry| delimited(1, &entry.encode_to_vec())).collect();
        [delimited(1, b"identifier"), delimited(2, &inner)].concat()
    }

    fn read_all(bytes: &[u8]) -> (Result<Told, Refused>, Vec<model::Observation>) {
        let mut all = Vec::new();
        let told = read(bytes, &mut Maker::new(&Options::default()), &mut |observation| all.push(observation));
        (told, all)
    }

    #[test]
    fn entries_become_observations() {
        let mut unfinished = entry("/again", 200);
        unfinished.common.as_mut().unwrap().intermediate = true;
        let (told, all) = read_all(&message(&[entry("/orders/17?x=1", 201), unfinished, Entry::default()]));
        assert_eq!(told.unwrap(), Told { observations: 1, unreadable: 1 });
        let [one] = all.as_slice() else { panic!("one observation") };
        assert_eq!((&*one.method, &*one.host, &*one.target), ("POST", "api.example.com", "/orders/17?x=1"));
        assert_eq!((one.status, one.response_bytes, one.latency_us), (201, Some(17), Some(2_500)));
        assert_eq!(one.at.0, 1_700_000_000_000_005);
        assert_eq!(one.response_type.as_deref(), Some("application/json"));
        assert_eq!(one.client, Some([203, 0, 113, 9].into()));
        assert_eq!((one.credential, one.session.is_some(), one.cookie), (Some(true), true, None));
    }

    #[test]
    fn a_message_that_ends_early_is_an_error() {
        let whole = message(&[entry("/a", 200)]);
        for cut in 13..whole.len() {
            assert!(read_all(&whole[..cut]).0.is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_all(&bytes);
            let _ = read_all(&[&[0x12, bytes.len().min(127) as u8][..], &bytes].concat());
        }

        #[test]
        fn damaged_messages_are_read_or_refused(at in 0usize..120, to in any::<u8>()) {
            let mut bytes = message(&[entry("/a/b", 200)]);
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = read_all(&bytes);
        }
    }
}
