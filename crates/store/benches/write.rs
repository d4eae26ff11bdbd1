//! What recording and asking cost. `cargo bench -p store`; `STORE_BENCH_EXCHANGES` for more than a million.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on its standard output")]

use model::Event;
use store::rollup::Counts;
use store::row::Row;
use store::testing::{Traffic, measure};

fn main() {
    let exchanges = std::env::var("STORE_BENCH_EXCHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    if let Err(error) = measured(exchanges) {
        eprintln!("{error}");
    }
    divan::main();
}

/// Recording, asking, and the overview, each once.
fn measured(exchanges: usize) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    println!("{:#?}", measure::record(directory.path(), exchanges)?);
    for (name, took, rows) in measure::ask(directory.path())? {
        println!("{:9.1} ms  {name} ({rows} rows)", took.as_secs_f64() * 1e3);
    }
    let directory = tempfile::tempdir()?;
    for (name, took, rows) in measure::overview(directory.path())? {
        println!("{:9.1} ms  {name} ({rows} rows)", took.as_secs_f64() * 1e3);
    }
    Ok(())
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
