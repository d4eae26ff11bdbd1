//! Real OpenAPI documents: every one compiles or is refused with a place, and none takes long.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a panic in a test is the report")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use schema::document::Level;
use schema::openapi::{LoadOptions, load_file};

fn files(folder: &Path, list: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, list);
        } else if path.extension().is_some_and(|e| ["json", "yaml", "yml"].iter().any(|known| e == *known)) {
            list.push(path);
        }
    }
}

#[test]
fn every_real_document_is_decided() {
    let Ok(corpora) = std::env::var("PORTREEVE_CORPORA") else {
        println!("skipped: PORTREEVE_CORPORA is not set");
        return;
    };
    let root = PathBuf::from(corpora).join("openapi");
    let mut list = Vec::new();
    files(&root, &mut list);
    list.sort();
    let options = LoadOptions { folder: Some(root), ..LoadOptions::default() };
    let (mut sound, mut partial, mut refused, mut operations) = (0, 0, 0, 0);
    let mut rules: BTreeMap<(Level, &str), usize> = BTreeMap::new();
    for path in &list {
        let started = Instant::now();
        let loaded = load_file(path, &options);
        let took = started.elapsed();
        assert!(took.as_secs() < 20, "{} took {took:?}", path.display());
        for diagnostic in &loaded.diagnostics {
            *rules.entry((diagnostic.level, diagnostic.rule)).or_default() += 1;
            if diagnostic.level == Level::Error && std::env::var("PORTREEVE_VERBOSE").is_ok() {
                println!("{diagnostic}");
            }
        }
        match &loaded.contract {
            Some(contract) => {
                operations += contract.operations().len();
                if loaded.is_sound() { sound += 1 } else { partial += 1 }
            }
            None => {
                refused += 1;
                assert!(!loaded.diagnostics.is_empty(), "{} is refused without a word", path.display());
            }
        }
    }
    println!("{} files: {sound} sound, {partial} with errors, {refused} refused; {operations} operations", list.len());
    for ((level, rule), count) in rules {
        println!("    {level:?} {rule}: {count}");
    }
    assert!(list.len() > 400);
}
