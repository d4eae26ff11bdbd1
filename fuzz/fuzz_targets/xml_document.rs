//! The XML parser never panics and never accepts a document type definition outside of comments and character data.
#![no_main]

use schema::xml::{XmlLimits, parse, soap};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(document) = parse(bytes, &XmlLimits::default()) {
        assert!(document.root().is_some());
        let _ = soap::envelope(&document);
    }
});
