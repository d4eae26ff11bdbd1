//! Any text is a filter that reads back the same, or an error that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store::query::Filter;

fuzz_target!(|text: &str| match Filter::parse(text) {
    Ok(filter) => assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(&filter)),
    Err(error) => assert_eq!(error.to_string().lines().count(), 3),
});
