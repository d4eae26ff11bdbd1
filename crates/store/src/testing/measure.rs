//! What recording costs: exchanges per second of one core, and bytes per exchange on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Event, Timestamp};

use crate::error::StoreError;
use crate::query::plan::EndpointNames;
use crate::query::{Direction, Field, Filter, Group, Measure, Order, Query};
use crate::reader::{EventQuery, QueryLimits, Reader};
use crate::report::Report;
use crate::rollup::{Range, RollupReader, Rollups, Scope, Step};
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
    /// Exchanges per second of elapsed time.
    pub per_second: f64,
    /// Microseconds of this thread's processor time per exchange; 0 where the system does not tell.
    pub cpu_us_per_exchange: f64,
    /// Bytes of segments per exchange.
    pub bytes_per_exchange: f64,
    /// Bytes of the rollups' database.
    pub rollup_bytes: u64,
}

/// Processor time of this thread so far.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
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
    let mut cpu = Duration::ZERO;
    let mut written = 0;
    while written < exchanges {
        // A tenth of a second of traffic; making it is not measured.
        let events: Vec<Event> = (0..3_000.min(exchanges - written)).map(|_| traffic.event()).collect();
        written += events.len();
        let segments = writer.health().segment_rows_written;
        let (start, cpu_start) = (Instant::now(), cpu_time());
        writer.write(&events);
        writer.tick(traffic.now());
        let took = start.elapsed();
        cpu += cpu_time().saturating_sub(cpu_start);
        elapsed += took;
        if writer.health().segment_rows_written == segments {
            longest_batch = longest_batch.max(took);
        }
    }
    let (start, cpu_start) = (Instant::now(), cpu_time());
    writer.cut();
    writer.flush();
    elapsed += start.elapsed();
    cpu += cpu_time().saturating_sub(cpu_start);
    let health = writer.close();
    let rollup_bytes = std::fs::metadata(directory.join("rollups.sqlite")).map_or(0, |metadata| metadata.len());
    Ok(Recorded {
        exchanges: health.exchanges,
        elapsed,
        longest_batch,
        per_second: health.exchanges as f64 / elapsed.as_secs_f64(),
        cpu_us_per_exchange: cpu.as_secs_f64() * 1e6 / health.exchanges.max(1) as f64,
        bytes_per_exchange: health.segment_bytes_written as f64 / health.segment_rows_written.max(1) as f64,
        rollup_bytes,
    })
}

/// What was asked, how long the answer took (the median of five), and how many rows it had.
pub type Asked = (&'static str, Duration, usize);

fn median<T>(mut ask: impl FnMut() -> Result<T, StoreError>) -> Result<(Duration, T), StoreError> {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..5 {
        let start = Instant::now();
        last = Some(ask()?);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let middle = times.get(2).copied().unwrap_or_default();
    Ok((middle, last.ok_or(StoreError::Stopped)?))
}

/// Asks the directory that [`record`] filled what dashboards ask.
///
/// # Errors
/// When the directory cannot be read.
pub fn ask(directory: &Path) -> Result<Vec<Asked>, StoreError> {
    let reader = Reader::open(directory, QueryLimits::default())?;
    let names = Arc::new(EndpointNames::default());
    let (since, until) = (Timestamp(0), Timestamp(i64::MAX));
    let everything = Query::count(since, until, Filter::everything());
    let filter = |text: &str| Filter::parse(text).unwrap_or_else(|_| Filter::everything());
    let latency = |percent| Measure::Percentile(Field::Latency, percent);
    let ascending = Order { column: 0, direction: Direction::Ascending };
    let queries = [
        (
            "count by endpoint and status",
            Query {
                group_by: vec![Group::Field(Field::Endpoint), Group::Field(Field::Status)],
                limit: 1_000,
                ..everything.clone()
            },
        ),
        (
            "p95 per minute of one endpoint",
            Query {
                group_by: vec![Group::Time { step_s: 60 }],
                measures: vec![Measure::Count, latency(95)],
                filter: filter("endpoint=e107"),
                order: ascending,
                limit: 1_000,
                ..everything.clone()
            },
        ),
        (
            "p50, p95, p99 by endpoint",
            Query {
                group_by: vec![Group::Field(Field::Endpoint)],
                measures: vec![latency(50), latency(95), latency(99)],
                order: ascending,
                limit: 1_000,
                ..everything.clone()
            },
        ),
        ("top clients", Query::top(since, until, Filter::everything(), Field::Client, 10)),
        ("top paths of 404", Query::top(since, until, filter("status=404"), Field::Path, 10)),
        ("reasons", Query::top(since, until, filter("verdict!=pass"), Field::Reason, 10)),
        ("count in a network", Query { filter: filter("client=46.64.0.0/10"), ..everything.clone() }),
    ];
    let mut asked = Vec::new();
    for (name, query) in queries {
        let (took, answer) = median(|| reader.query_blocking(&query, names.clone()))?;
        asked.push((name, took, answer.rows.len()));
    }
    for (name, text) in [("latest 100", ""), ("latest 100 of attacks.sql", "reason=attacks.sql")] {
        let (order, limit) = (Direction::Descending, Some(100));
        let query = EventQuery { since, until, filter: filter(text), order, limit };
        let (took, rows) = median(|| {
            let mut stream = reader.events(query.clone(), names.clone())?;
            let mut rows = 0;
            while let Some(slice) = stream.next_blocking() {
                rows += slice?.len();
            }
            Ok(rows)
        })?;
        asked.push((name, took, rows));
    }
    Ok(asked)
}

/// Fills rollups with a day of about 2,000 endpoints that are all in use, and asks what the overview asks.
///
/// # Errors
/// When the directory cannot be written.
pub fn overview(directory: &Path) -> Result<Vec<Asked>, StoreError> {
    let path = directory.join("rollups.sqlite");
    let mut rollups = Rollups::open(&path, &Settings::default())?;
    let mut traffic = Traffic::new(43);
    traffic.spread = 48;
    traffic.gap_us = 3_000;
    let mut longest_flush = Duration::ZERO;
    let mut series = 0;
    for _ in 0..144 {
        for _ in 0..6_000 {
            rollups.add(&traffic.event());
        }
        series = rollups.waiting();
        let start = Instant::now();
        rollups.flush()?;
        longest_flush = longest_flush.max(start.elapsed());
        traffic.wait_us(600_000_000 - 6_000 * 3_000);
    }
    let reader = RollupReader::open(&path)?.ok_or(StoreError::Stopped)?;
    let day = Range::last(86_400, traffic.now());
    let mut asked = vec![("longest flush of rollups", longest_flush, series)];
    let (took, points) = median(|| reader.series(&Scope::All, day, Step::Minute))?;
    asked.push(("everything per minute", took, points.1.len()));
    let (took, table) = median(|| reader.per_endpoint(day))?;
    asked.push(("every endpoint over a day", took, table.rows.len()));
    let (took, report) = median(|| Report::of(&reader, &[], day))?;
    asked.push(("report over a day", took, report.threats.len()));
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    asked.push(("bytes of the rollups (as rows)", Duration::ZERO, usize::try_from(bytes).unwrap_or(usize::MAX)));
    Ok(asked)
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
                (
                    bytes,
                    format!(
                        "{:6.2} {} {:?}",
                        bytes as f64 / rows,
                        column.column_path(),
                        column.encodings().collect::<Vec<_>>()
                    ),
                )
            })
            .collect();
        sizes.sort();
        sizes.into_iter().rev().map(|(_, line)| line).collect()
    }
}
