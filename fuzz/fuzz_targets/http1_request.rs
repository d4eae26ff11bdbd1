//! A head that our parser accepts, httparse reads alike, and its target in canonical form stays as it is.
#![no_main]

use bytes::Bytes;
use inspect::http1::{canonical_target, head_end, hopeless, parse_request};
use libfuzzer_sys::fuzz_target;
use model::limits::Limits;

fuzz_target!(|data: &[u8]| {
    let Some(end) = head_end(data, 0) else { return };
    for cut in [end / 2, end.saturating_sub(1)] {
        assert_eq!(head_end(&data[..cut], 0), None);
        assert_eq!(head_end(data, cut), Some(end));
    }
    let Ok(request) = parse_request(Bytes::copy_from_slice(&data[..end]), &Limits::default()) else { return };
    for cut in 0..end {
        assert_eq!(hopeless(&data[..cut]), None);
    }
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut other = httparse::Request::new(&mut headers);
    if let Ok(status) = other.parse(data) {
        assert_eq!(status, httparse::Status::Complete(end));
        let ours = request.head.fields.iter().map(|field| (field.name, field.value));
        assert!(ours.eq(other.headers.iter().map(|header| (header.name.as_bytes(), header.value))));
    }
    let once = canonical_target(request.head.path(), request.head.query());
    let twice = canonical_target(&once.path, once.query.as_deref());
    assert_eq!((&once.path, &once.query), (&twice.path, &twice.query));
    assert!(twice.notes.is_empty());
});
