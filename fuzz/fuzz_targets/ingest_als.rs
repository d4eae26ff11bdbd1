#![no_main]
//! Any bytes are a message of Envoy's access logs or are refused; nothing panics, and no entry makes two observations.

use ingest::make::Maker;
use ingest::{Options, als};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut count = 0u64;
    if let Ok(told) = als::read(data, &mut Maker::new(&Options::default()), &mut |_| count += 1) {
        assert_eq!(told.observations, count);
    }
});
