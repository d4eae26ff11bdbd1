//! What the writer promises, on good disks and bad ones.

use super::*;
use crate::disk::Faults;
use crate::journal::read_journal;
use crate::segment::check_segment;
use crate::testing::Traffic;

fn settings() -> Settings {
    Settings { segment_rows_max: 1_000, cut: Cut::Inline, ..Settings::default() }
}

/// Exchanges on disk: in segments and in journals no segment has replaced.
fn stored(directory: &Path) -> u64 {
    let files = Layout::new(directory).list().expect("a list");
    let segments: u64 = files.segments.iter().map(|s| check_segment(&s.path).expect("a whole segment")).sum();
    let journals: u64 =
        files.journals.iter().map(|j| read_journal(&j.path, 0, |_| Ok(())).expect("a journal").rows).sum();
    segments + journals
}

fn write(writer: &mut Writer, traffic: &mut Traffic, exchanges: usize) {
    let events: Vec<Event> = (0..exchanges).map(|_| traffic.event()).collect();
    writer.write(&events);
    traffic.wait_us(1_000_000);
    writer.tick(traffic.now());
}

#[test]
fn everything_written_is_on_disk_and_found_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut traffic = Traffic::new(20);
    let mut total = 0;
    for run in 0..4 {
        let mut writer = Writer::open(directory.path(), settings()).expect("a writer");
        for _ in 0..9 {
            write(&mut writer, &mut traffic, 170);
            total += 170;
        }
        let health = writer.close();
        assert_eq!((health.errors, health.events_dropped, health.events), (0, 0, 9 * 170), "run {run}");
        assert_eq!(stored(directory.path()), total);
    }
    assert_eq!(Layout::new(directory.path()).list().expect("a list").segments.len(), 6);
}

#[test]
fn segments_are_cut_aside_without_losing_anything() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut traffic = Traffic::new(21);
    let settings = Settings { cut: Cut::Aside, ..settings() };
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings).expect("a writer");
    for _ in 0..20 {
        write(&mut writer, &mut traffic, 900);
        writer.settle();
    }
    let health = writer.close();
    assert_eq!((health.events, health.events_dropped), (18_000, 0));
    assert_eq!(stored(directory.path()), 18_000);
}

#[test]
fn a_second_writer_is_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("a writer");
    let error = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect_err("locked");
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    drop(writer);
    Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("free again");
}

/// A disk that is full again and again: what is on disk is always whole, and drops are counted exactly.
#[test]
fn a_full_disk_drops_only_what_it_counts() {
    for seed in 0..4 {
        let directory = tempfile::tempdir().expect("a directory");
        let faults = Faults::with_room(1 << 40);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut traffic = Traffic::new(seed);
        let disk = Disk::with_faults(faults.clone());
        let mut writer = Writer::open_on(disk, directory.path(), settings()).expect("a writer");
        for _ in 0..40 {
            match random.u32(..4) {
                0 => faults.set_room(random.i64(..30_000)),
                1 => faults.set_room(1 << 40),
                _ => {}
            }
            write(&mut writer, &mut traffic, 180);
            traffic.wait_us(3_000_000);
            let health = writer.health();
            assert!(health.events_in_memory <= 3_000, "seed {seed}");
            assert_eq!(health.events + health.events_dropped, health.exchanges, "seed {seed}");
        }
        faults.set_room(1 << 40);
        traffic.wait_us(10_000_000);
        writer.tick(traffic.now());
        let health = writer.close();
        assert!(health.writable, "seed {seed}: {:?}", health.last_error);
        assert_eq!(stored(directory.path()), health.events, "seed {seed}");
        assert_eq!(health.exchanges, 40 * 180);
    }
}

/// The process dies between any two calls: everything flushed is found, nothing twice.
#[test]
fn dying_loses_only_what_was_not_flushed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut traffic = Traffic::new(22);
    let mut random = fastrand::Rng::with_seed(23);
    let mut flushed = 0;
    for round in 0..30 {
        let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("a writer");
        assert_eq!(stored(directory.path()), flushed, "round {round}");
        for _ in 0..random.usize(..6) {
            write(&mut writer, &mut traffic, 150);
            flushed += 150;
        }
        let lost: Vec<Event> = (0..40).map(|_| traffic.event()).collect();
        writer.write(&lost);
        if writer.journal.bytes() == 0 {
            // Cutting a segment flushes: those forty are then safe or partly safe, which is not what is tested here.
            flushed = stored(directory.path());
        }
        drop(writer);
        flushed = flushed.max(stored(directory.path()));
        let files = Layout::new(directory.path()).list().expect("a list");
        if let Some(journal) = files.journals.first() {
            // A frame that was being written when the machine stopped.
            let mut bytes = fs::read(&journal.path).expect("a journal");
            bytes.extend_from_slice(&b"PEJ1torn"[..random.usize(..8)]);
            fs::write(&journal.path, bytes).expect("a torn journal");
        }
    }
}

#[test]
fn leftovers_of_every_kind_are_cleared_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let layout = Layout::new(directory.path());
    let mut traffic = Traffic::new(24);
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("a writer");
    write(&mut writer, &mut traffic, 1_200);
    let spent = fs::read(writer.journal.path()).expect("the journal");
    writer.close();
    let before = stored(directory.path());
    // A journal whose segment is there, an unfinished segment, a torn segment, an empty journal.
    fs::write(layout.journal(1), spent).expect("a spent journal");
    fs::write(layout.events().join("e1_1_2_0000000009.parquet.tmp"), b"PAR1").expect("an unfinished file");
    fs::write(layout.segment(70, 1, 2), b"PAR1....").expect("a torn file");
    fs::write(layout.journal(80), b"").expect("an empty journal");
    fs::write(layout.journal(81), b"").expect("an empty journal");
    let writer = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("a writer");
    let health = writer.health();
    assert_eq!((health.segments_damaged, health.segments), (1, 2));
    assert_eq!(writer.journal.sequence(), 81);
    drop(writer);
    assert_eq!(stored(directory.path()), before);
    let files = layout.list().expect("a list");
    assert_eq!((files.unfinished.len(), files.replaced.len()), (0, 0));
}

#[test]
fn a_damaged_rollup_database_is_set_aside() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = Layout::new(directory.path()).rollups();
    fs::write(&path, vec![7; 8_192]).expect("no database");
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("a writer");
    assert!(writer.health().last_error.is_some_and(|(_, error)| error.contains("rollups.sqlite.damaged-1")));
    write(&mut writer, &mut Traffic::new(28), 10);
    assert_eq!(writer.close().rollups_waiting, 0);
    assert_eq!(fs::read(directory.path().join("rollups.sqlite.damaged-1")).expect("kept"), vec![7; 8_192]);
}

#[test]
fn sampling_keeps_findings_and_weighs_the_rest() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut traffic = Traffic::new(25);
    let settings = Settings { ordinary_share: 0.1, segment_rows_max: 100_000, ..settings() };
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings).expect("a writer");
    let events: Vec<Event> = (0..20_000).map(|_| traffic.event()).collect();
    writer.write(&events);
    writer.flush();
    let special = events.iter().filter(|event| !event.findings.is_empty()).count();
    let mut weight = 0.0;
    let mut found = 0;
    read_journal(writer.journal.path(), 0, |row| {
        weight += f64::from(row.weight);
        found += usize::from(!row.findings.is_empty());
        Ok(())
    })
    .expect("a journal");
    assert_eq!(found, special);
    assert!((weight - 20_000.0).abs() < 1_500.0, "{weight}");
    let health = writer.close();
    assert_eq!(health.events + health.events_sampled_out, 20_000);
}

#[test]
fn a_clock_set_back_does_not_stop_flushing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut traffic = Traffic::new(26);
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings()).expect("a writer");
    write(&mut writer, &mut traffic, 100);
    writer.write(&[traffic.event()]);
    let back = Timestamp(traffic.now().0 - 86_400_000_000);
    writer.tick(back);
    writer.tick(Timestamp(back.0 + 1_000_000));
    assert_eq!(writer.health().events_unflushed, 0);
}

#[test]
fn old_segments_are_cut_and_deleted_in_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut traffic = Traffic::new(27);
    let settings = Settings { segment_age_s_max: 60, events_age_s_max: 600, ..settings() };
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings).expect("a writer");
    for _ in 0..30 {
        write(&mut writer, &mut traffic, 10);
        traffic.wait_us(61_000_000);
        writer.tick(traffic.now());
    }
    let health = writer.health();
    assert!((9..=11).contains(&health.segments), "{}", health.segments);
    assert_eq!(health.segments + health.segments_expired, 30);
}
