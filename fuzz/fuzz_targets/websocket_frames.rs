//! What a client sends over a WebSocket gives the same messages however it is cut into pieces, what was kept back is all of what
//! was not handed over, and the end of a server's message is found alike.
#![no_main]

use inspect::websocket::{SocketItem, SocketReader, SocketWalk};

const MESSAGE_BYTES_MAX: usize = 4096;

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (piece_bytes, bytes) = input;
    let run = |piece_bytes: usize| {
        let (mut reader, mut items, mut passed) = (SocketReader::default(), Vec::new(), 0usize);
        for (at, piece) in bytes.chunks(piece_bytes).enumerate() {
            let fed = reader.feed(MESSAGE_BYTES_MAX, piece, &mut |item| {
                passed += match item {
                    SocketItem::Message { raw, .. } | SocketItem::Control { raw, .. } => raw.len(),
                };
                items.push(match item {
                    SocketItem::Message { payload, is_text, .. } => (payload.to_vec(), is_text),
                    SocketItem::Control { raw, closes } => (raw.to_vec(), closes),
                });
            });
            if let Err(broken) = fed {
                let read = (at * piece_bytes).saturating_add(piece.len()) - broken.unread;
                assert_eq!(passed + reader.take_pending().len(), read);
                return (items, Some(broken.error));
            }
        }
        assert_eq!(passed + reader.take_pending().len(), bytes.len());
        (items, None)
    };
    let cut = usize::from(piece_bytes).max(1);
    assert_eq!(run(cut), run(bytes.len().max(1)));
    let walked = |piece_bytes: usize| {
        let (mut walk, mut last) = (SocketWalk::default(), None);
        for (at, piece) in bytes.chunks(piece_bytes).enumerate() {
            last = walk.walk(piece).map(|end| at * piece_bytes + end).or(last);
        }
        (last, walk.is_between(), walk.is_closed())
    };
    assert_eq!(walked(cut), walked(bytes.len().max(1)));
});
