//! What recording costs: exchanges per second of one core, and bytes per exchange on disk.

use std::path::Path;
use std::time::{Duration, Instant};

use model::Event;

use crate::error::StoreError;
use crate::settings::{Cut, Settings};
use crate::testing::Traffic;
use crate::writer::Writer;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// Exchanges recorded.
    pub exchanges: u64,
    /// Time for all of it, cutting and flushing included, in one thread.
    pub elapsed: Duration,
    /// Longest time in one batch without cutting: how long a channel has to hold.
    pub longest_batch: Duration,
    /// Exchanges per second.
    pub per_second: f64,
    /// Bytes of segments per exchange.
    pub bytes_per_exchange: f64,
    /// Bytes of the rollups' database.
    pub rollup_bytes: u64,
}

/// Records synthetic traffic at 30,000 exchanges per second of its own time, as fast as one thread can.
///
/// # Errors
/// When the directory cannot be written.
pub fn record(directory: &Path, exchanges: usize) -> Result<Recorded, StoreError> {
    let settings = Settings { cut: Cut::Inline, ..Settings::default() };
    let mut writer = Writer::open(directory, settings)?;
    let mut traffic = Traffic::new(42);
    let mut elapsed = Duration::ZERO;
    let mut longest_batch = Duration::ZERO;
    let mut written = 0;
    while written < exchanges {
        // A tenth of a second of traffic; making it is not measured.
        let events: Vec<Event> = (0..3_000.min(exchanges - written)).map(|_| traffic.event()).collect();
        written += events.len();
        let segments = writer.health().segment_rows_written;
        let start = Instant::now();
        writer.write(&events);
        writer.tick(traffic.now());
        let took = start.elapsed();
        elapsed += took;
        if writer.health().segment_rows_written == segments {
            longest_batch = longest_batch.max(took);
        }
    }
    let start = Instant::now();
    writer.cut();
    writer.flush();
    elapsed += start.elapsed();
    let health = writer.close();
    let rollup_bytes = std::fs::metadata(directory.join("rollups.sqlite")).map_or(0, |metadata| metadata.len());
    Ok(Recorded {
        exchanges: health.exchanges,
        elapsed,
        longest_batch,
        per_second: health.exchanges as f64 / elapsed.as_secs_f64(),
        bytes_per_exchange: health.segment_bytes_written as f64 / health.segment_rows_written.max(1) as f64,
        rollup_bytes,
    })
}
