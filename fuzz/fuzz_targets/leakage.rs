//! Any text is searched for what it gives away, without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = inspect::stages::leakage::leaks(text);
});
