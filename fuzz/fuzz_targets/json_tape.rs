//! The JSON tape never panics, and agrees with `serde_json` on what is JSON unless it noted why it may not.
#![no_main]

use schema::json::{JsonLimits, Tape};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let theirs: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
    match Tape::parse(bytes, &JsonLimits::default()) {
        Ok(tape) => {
            for string in tape.strings().take(64) {
                assert!(tape.find(&tape.pointer(string.index)).is_some() || !tape.notes().is_empty());
            }
            assert!(theirs.is_ok() || !tape.notes().is_empty() || bytes.len() > 128);
        }
        Err(error) => assert!(error.kind.is_limit() || theirs.is_err()),
    }
});
