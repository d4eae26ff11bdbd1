//! A gRPC body gives the same frames however it is cut into pieces.
#![no_main]

use schema::grpc::{FrameReader, GrpcLimits};

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (piece_bytes, body) = input;
    let frames = |piece_bytes: usize| {
        let mut reader = FrameReader::default();
        let mut list = Vec::new();
        let limits = GrpcLimits::default();
        let fed = body.chunks(piece_bytes).try_for_each(|piece| {
            reader.feed(&limits, piece, &mut |frame| list.push((frame.compressed, frame.trailers, frame.message.to_vec())))
        });
        fed.and_then(|()| reader.end()).map(|()| list)
    };
    assert_eq!(frames(usize::from(piece_bytes).max(1)), frames(usize::MAX));
});
