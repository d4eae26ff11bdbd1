//! What recording costs. `cargo bench -p store --bench write`; `-- record` for the summary alone.

use model::Event;
use store::rollup::Counts;
use store::row::Row;
use store::testing::{Traffic, measure};

fn main() {
    match tempfile::tempdir().map(|directory| measure::record(directory.path(), 1_000_000)) {
        Ok(Ok(recorded)) => println!("{recorded:#?}"),
        Ok(Err(error)) => eprintln!("{error}"),
        Err(error) => eprintln!("{error}"),
    }
    divan::main();
}

fn events() -> Vec<Event> {
    let mut traffic = Traffic::new(1);
    (0..10_000).map(|_| traffic.event()).collect()
}

#[divan::bench]
fn rows(bencher: divan::Bencher<'_, '_>) {
    let events = events();
    bencher.counter(events.len()).bench(|| events.iter().map(|event| Row::of(event, 1.0).id).sum::<u64>());
}

#[divan::bench]
fn journal_rows(bencher: divan::Bencher<'_, '_>) {
    let events = events();
    bencher.counter(events.len()).bench(|| {
        let mut bytes = Vec::new();
        for event in &events {
            Row::of(event, 1.0).encode(&mut bytes);
        }
        bytes
    });
}

#[divan::bench]
fn columns(bencher: divan::Bencher<'_, '_>) {
    let events = events();
    bencher.counter(events.len()).bench(|| {
        let mut columns = store::columns::Columns::default();
        for event in &events {
            let _ = columns.push(&Row::of(event, 1.0));
        }
        columns
    });
}

#[divan::bench]
fn counts(bencher: divan::Bencher<'_, '_>) {
    let events = events();
    bencher.counter(events.len()).bench(|| {
        let mut counts = Counts::default();
        for event in &events {
            counts.add(event);
        }
        counts
    });
}
