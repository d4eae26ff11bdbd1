//! A PROXY header never consumes more than there is, asks for more only below its bound, and reads the same whatever follows.
#![no_main]

use gateway::proxy_protocol::{Header, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match parse(data) {
        Header::Done { consumed, .. } => {
            assert!(consumed <= data.len());
            assert_eq!(parse(&data[..consumed]), parse(data));
            assert_eq!(parse(&data[..consumed - 1]), Header::Incomplete);
        }
        Header::Incomplete => assert!(data.len() < 4096),
        Header::Bad(_) => {}
    }
});
