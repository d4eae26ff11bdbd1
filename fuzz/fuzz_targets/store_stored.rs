//! Any bytes in the place of a journal's rows or of a rollup's details are read without harm, and what is read writes back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store::rollup::{Counts, Threats};
use store::row::Row;
use store::varint::Input;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    while let Some(row) = Row::decode(&mut input) {
        let mut written = Vec::new();
        row.encode(&mut written);
        // NaN is no weight that compares.
        if !row.weight.is_nan() {
            assert_eq!(Row::decode(&mut Input::new(&written)).as_ref(), Some(&row));
        }
    }
    if let Some(counts) = Counts::decode(bytes) {
        let mut merged = counts.clone();
        merged.merge(&counts);
        assert!(Counts::decode(&counts.encode()).is_some());
    }
    if let Some(threats) = Threats::decode(bytes) {
        let mut merged = threats.clone();
        merged.merge(&threats);
        assert!(Threats::decode(&merged.encode()).is_some());
    }
});
