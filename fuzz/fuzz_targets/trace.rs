//! A trace parent that is read is written so that it reads back the same.
#![no_main]

use gateway::trace::TraceParent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(parent) = TraceParent::parse(data) {
        assert_eq!(TraceParent::parse(&parent.value()), Some(parent));
    }
});
