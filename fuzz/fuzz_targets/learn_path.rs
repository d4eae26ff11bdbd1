//! Any target is cut into bounded pieces, and a learner that sees it stays within its limits.
#![no_main]

use learn::path::{PIECE_BYTES_MAX, PIECES_MAX, pieces};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let target = String::from_utf8_lossy(data);
    let pieces = pieces(&target);
    assert!(pieces.len() <= PIECES_MAX);
    assert!(pieces.iter().all(|piece| piece.text.len() <= PIECE_BYTES_MAX));
});
