#![no_main]
//! Any bytes are read or counted, in every format; nothing panics or grows.

use ingest::{Format, Options};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let names = Format::names();
    let (format, bytes) = match data.split_first() {
        Some((pick, rest)) => (names.get(*pick as usize % (names.len() + 1)).and_then(|name| Format::of_name(name)), rest),
        None => (None, data),
    };
    let options = Options { format, ..Options::default() };
    if let Ok(summary) = ingest::read(bytes, &options, &mut |_| {}) {
        // One packet of a capture may hold several exchanges.
        assert!(summary.observations <= summary.records || summary.format == Some(Format::Capture));
    }
});
