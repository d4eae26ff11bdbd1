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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_takes_less_than_sixty_bytes() {
        let directory = tempfile::tempdir().expect("a directory");
        let recorded = record(directory.path(), 60_000).expect("recorded");
        assert_eq!(recorded.exchanges, 60_000);
        assert!(recorded.bytes_per_exchange < 60.0, "{recorded:?}");
        if std::env::var_os("STORE_COLUMN_SIZES").is_some() {
            for line in column_sizes(directory.path()) {
                println!("{line}");
            }
        }
    }

    /// Bytes per exchange of each column of the first segment.
    fn column_sizes(directory: &Path) -> Vec<String> {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        let files = crate::layout::Layout::new(directory).list().expect("a list");
        let file = std::fs::File::open(&files.segments[0].path).expect("a segment");
        let reader = SerializedFileReader::new(file).expect("a reader");
        let group = reader.metadata().row_group(0);
        let rows = group.num_rows() as f64;
        let mut sizes: Vec<(i64, String)> = group
            .columns()
            .iter()
            .map(|column| {
                let bytes = column.compressed_size();
                (bytes, format!("{:6.2} {} {:?}", bytes as f64 / rows, column.column_path(), column.encodings().collect::<Vec<_>>()))
            })
            .collect();
        sizes.sort();
        sizes.into_iter().rev().map(|(_, line)| line).collect()
    }
}
