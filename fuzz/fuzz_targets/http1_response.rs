//! A response head is parsed and framed, or refused; never both a length and chunks.
#![no_main]

use bytes::Bytes;
use inspect::http1::{Framing, head_end, parse_response, response_framing};
use libfuzzer_sys::fuzz_target;
use model::head::Known;
use model::limits::Limits;

fuzz_target!(|data: &[u8]| {
    let Some(end) = head_end(data, 0) else { return };
    let Ok(response) = parse_response(Bytes::copy_from_slice(&data[..end]), &Limits::default()) else { return };
    if let Ok(Framing::Length(_)) = response_framing(&response.head, false) {
        assert!(response.head.fields.first(Known::TransferEncoding).is_none());
    }
});
