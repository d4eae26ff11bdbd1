//! How a body is cut into reads changes neither the body nor where it ends.
#![no_main]

use bytes::BytesMut;
use inspect::http1::{BodyDecoder, BodyPiece, Framing};
use libfuzzer_sys::fuzz_target;
use model::limits::Limits;

/// The body, its length on the wire, and the error that ended it.
fn decode(data: &[u8], step: usize) -> (Vec<u8>, Option<usize>, bool) {
    let mut decoder = BodyDecoder::new(Framing::Chunked, &Limits::default());
    let (mut buf, mut body, mut fed) = (BytesMut::new(), Vec::new(), 0);
    loop {
        match decoder.next(&mut buf) {
            Ok(BodyPiece::Data(piece)) => body.extend_from_slice(&piece),
            Ok(BodyPiece::End(_)) => return (body, Some(fed - buf.len()), false),
            Ok(BodyPiece::NeedMore) if fed == data.len() => return (body, None, false),
            Ok(BodyPiece::NeedMore) => {
                let next = data.len().min(fed + step);
                buf.extend_from_slice(&data[fed..next]);
                fed = next;
            }
            Err(_) => return (body, None, true),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let whole = decode(data, data.len().max(1));
    for step in [1, 7] {
        let cut = decode(data, step);
        // In small pieces more of the body comes out before the error behind it is seen.
        assert_eq!(cut.2, whole.2);
        assert_eq!(cut.1, whole.1);
        assert!(cut.0.starts_with(&whole.0));
    }
});
