//! A head over HTTP/2 that passes can be written as HTTP/1 and reads back with the same fields.
#![no_main]

use bytes::Bytes;
use inspect::http1::parse_request;
use inspect::http2::check_head;
use libfuzzer_sys::fuzz_target;
use model::head::{Fields, HttpVersion, Known, RequestHead};
use model::limits::Limits;

fuzz_target!(|input: (Vec<u8>, Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>)| {
    let (target, authority, pairs) = input;
    let head = RequestHead {
        version: HttpVersion::H2,
        method: Bytes::from_static(b"POST"),
        target: Bytes::from(target),
        authority: Bytes::from(authority),
        fields: Fields::from_pairs(pairs.iter().map(|(name, value)| (&name[..], &value[..]))),
        raw: None,
    };
    if check_head(&head, &Limits::default()).is_err() {
        return;
    }
    let mut text = b"POST ".to_vec();
    text.extend_from_slice(&head.target);
    text.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    text.extend_from_slice(&head.authority);
    let kept = || head.fields.iter().filter(|field| !matches!(field.known, Known::Host | Known::Expect));
    for field in kept() {
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(field.name);
        text.extend_from_slice(b": ");
        text.extend_from_slice(field.value);
    }
    text.extend_from_slice(b"\r\n\r\n");
    let read = parse_request(Bytes::from(text), &Limits { fields_max: 200, ..Limits::default() }).expect("a checked head");
    let trim = |value: &[u8]| -> Vec<u8> {
        let end = value.iter().rposition(|byte| !b" \t".contains(byte)).map_or(0, |at| at + 1);
        let start = value[..end].iter().position(|byte| !b" \t".contains(byte)).unwrap_or(0);
        value[start..end].to_vec()
    };
    let ours = kept().map(|field| (field.name.to_vec(), trim(field.value)));
    assert!(ours.eq(read.head.fields.iter().skip(1).map(|field| (field.name.to_vec(), field.value.to_vec()))));
});
