//! Requests are derived from any document within bounds, without a panic.
#![no_main]

use schema::derive::derive;
use schema::document::Document;
use schema::graphql::{PersistedQueries, operations_of_upload};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = Document::parse("fuzz.yaml", bytes) {
        let _ = derive(&document);
    }
    let _ = PersistedQueries::parse(bytes);
    let _ = operations_of_upload("multipart/form-data; boundary=b", bytes);
});
