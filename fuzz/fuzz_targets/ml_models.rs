//! Any payload, sealed as a model file of each kind, is refused or harmless.
#![no_main]

use ml::{Forest, HashedTable, NgramModel, bytes};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(forest) = Forest::read(&bytes::seal(*b"tree", 1, data)) {
        forest.score(&[1.0; 128]);
        forest.reasons(&[f32::NAN; 8], 4);
    }
    if let Ok(model) = NgramModel::read(&bytes::seal(*b"ngrm", 1, data)) {
        model.score(data);
    }
    if let Ok(table) = HashedTable::read(&bytes::seal(*b"tabl", 1, data)) {
        table.row(data);
    }
    let _ = Forest::read(data);
});
