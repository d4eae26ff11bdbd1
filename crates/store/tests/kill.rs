//! Kill -9 of a process that is writing, again and again: what was flushed is there, nothing is there twice, everything reads.
//!
//! The writing process is this test's own program, started again with a directory in its environment. It says on its standard
//! output how much it has flushed, so nothing here depends on time.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a panic in a test is the report")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use model::Timestamp;
use store::query::{Direction, Filter};
use store::testing::{START, Traffic};
use store::{Cut, EventQuery, QueryLimits, Reader, Settings, Writer};

const DIRECTORY: &str = "STORE_KILL_DIRECTORY";
const SEED: &str = "STORE_KILL_SEED";

/// The part of the child process: not a test by itself.
#[test]
fn child() {
    let (Ok(directory), Ok(seed)) = (std::env::var(DIRECTORY), std::env::var(SEED)) else { return };
    let settings = Settings {
        segment_rows_max: 1_000,
        cut: Cut::Aside,
        events_age_s_max: u64::MAX / 2_000_000,
        ..Settings::default()
    };
    let mut writer = Writer::open(Path::new(&directory), settings).expect("a writer");
    let mut traffic = Traffic::new(seed.parse().expect("a seed"));
    let mut out = std::io::stdout();
    for _ in 0..100_000 {
        let events: Vec<_> = (0..130).map(|_| traffic.event()).collect();
        let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
        writer.write(&events);
        traffic.wait_us(1_100_000);
        writer.tick(traffic.now());
        if writer.health().events_unflushed == 0 {
            writeln!(out, "flushed {}", ids.join(" ")).expect("a parent");
            out.flush().expect("a parent");
        }
    }
}

#[test]
fn what_was_flushed_survives_kill_9() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut flushed: HashSet<u64> = HashSet::new();
    for round in 0..4u64 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory.path())
            .env(SEED, (1_000 + round).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        // Killed after a different number of flushes each time: in the middle of a write, of a cut, or of neither.
        let mut left = 2 + round * 5;
        while left > 0 {
            let line = lines.next().expect("the child still writes").expect("a line");
            // The test runner writes on the same line before its first output.
            if let Some((_, ids)) = line.split_once("flushed ") {
                flushed.extend(ids.split(' ').map(|id| u64::from_str_radix(id, 16).expect("an id")));
                left -= 1;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");

        let reader = Reader::open(directory.path(), QueryLimits::default()).expect("a reader");
        let query = EventQuery {
            since: Timestamp(START.0 - 1),
            until: Timestamp(i64::MAX),
            filter: Filter::everything(),
            order: Direction::Ascending,
            limit: None,
        };
        let mut stream = reader.events(query, Arc::default()).expect("a stream");
        let mut found = HashSet::new();
        while let Some(rows) = stream.next_blocking() {
            for row in rows.expect("exchanges") {
                assert!(found.insert(row.id), "{:016x} is there twice in round {round}", row.id);
            }
        }
        let lost = flushed.difference(&found).count();
        assert_eq!(lost, 0, "of {} in round {round}", flushed.len());
        assert!(stream.scan.damaged.is_empty());
    }
    let writer = Writer::open(directory.path(), Settings::default()).expect("a writer after all that");
    assert_eq!(writer.health().segments_damaged, 0);
}
