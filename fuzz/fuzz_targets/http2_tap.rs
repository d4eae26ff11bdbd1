//! How the frames are cut into reads changes neither the counts nor the outcome nor the fingerprint.
#![no_main]

use inspect::http2::{FrameTap, PREFACE};
use libfuzzer_sys::fuzz_target;
use model::ids::Timestamp;
use model::limits::Limits;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { h2_resets_per_s_max: 4, h2_control_frames_per_s_max: 6, ..Limits::default() };
    let bytes = [PREFACE, data].concat();
    let mut whole = FrameTap::new(&limits);
    let outcome = whole.feed(&bytes, Timestamp(0));
    for step in [1, 5, 9] {
        let mut cut = FrameTap::new(&limits);
        let mut cut_outcome = Ok(());
        for piece in bytes.chunks(step) {
            cut_outcome = cut.feed(piece, Timestamp(0));
        }
        assert_eq!(cut_outcome, outcome);
        assert_eq!(cut.counts(), whole.counts());
        assert_eq!(cut.fingerprint(), whole.fingerprint());
    }
});
