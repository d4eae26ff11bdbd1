//! Any text can be decoded, and decoding never makes it longer.

#![no_main]

use inspect::values::decode::{unbase64, unescape, unescape_form, without_inner_tags};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    assert!(unescape_form(text).len() <= text.len());
    if let Some((decoded, _)) = unescape(text) {
        assert!(decoded.len() <= text.len());
    }
    if let Some(stripped) = without_inner_tags(text) {
        assert!(stripped.len() < text.len());
    }
    let _ = unbase64(text);
});
