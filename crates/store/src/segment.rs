//! Segments: sorted, compressed, immutable Parquet files, each written once under a temporary name and then published.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int32Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnPath;

use crate::columns::{Batch, EVENTS_FORMAT};
use crate::disk::Disk;
use crate::error::{StoreError, io_error};
use crate::layout::{Layout, SegmentFile};

/// Rows in a data page: the grain in which a query for one endpoint skips.
const PAGE_ROWS_MAX: usize = 8_192;
const ZSTD_LEVEL: i32 = 3;
/// Rows that are brought to the file at one go, about half a millisecond's work. Between two of them whoever waits for the core
/// goes first: the scheduler by itself would look only at its next tick (4 ms), and that would be the 99th percentile of the traffic
/// beside it where cores are scarce.
const ROWS_AT_ONCE: usize = 512;

/// Sorts, compresses and publishes a batch as the segment of this sequence number.
///
/// # Errors
/// When the disk is full or fails; nothing is left behind then, and the batch can be tried again.
pub fn write_segment(disk: &Disk, layout: &Layout, sequence: u64, batch: &Batch) -> Result<SegmentFile, StoreError> {
    let min_at = batch.keys.iter().map(|key| key.at).min().unwrap_or(0);
    let max_at = batch.keys.iter().map(|key| key.at).max().unwrap_or(0);
    let path = layout.segment(sequence, min_at, max_at);
    let unfinished = path.with_extension("parquet.tmp");
    let order = sorted(batch);
    let written = write_rows(disk, &unfinished, &batch.rows, &order).and_then(|bytes| {
        disk.publish(&unfinished, &path).map_err(io_error("publish", &path))?;
        Ok(bytes)
    });
    match written {
        Ok(bytes) => Ok(SegmentFile { sequence, min_at, max_at, bytes, path }),
        Err(error) => {
            // Give the room back at once; when that fails too, the writer removes it the next time it opens.
            let _ = fs::remove_file(&unfinished);
            Err(error)
        }
    }
}

fn write_rows(disk: &Disk, path: &Path, rows: &RecordBatch, order: &[u32]) -> Result<u64, StoreError> {
    let file = disk.create(path).map_err(io_error("create", path))?;
    // Without Arrow's own schema in the file, every reader sees plain Parquet text columns.
    let options = ArrowWriterOptions::new().with_properties(properties()?).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(BufWriter::new(file), rows.schema(), options)?;
    for indices in order.chunks(ROWS_AT_ONCE) {
        writer.write(&take_record_batch(rows, &UInt32Array::from(indices.to_vec()))?)?;
        std::thread::yield_now();
    }
    let buffered = writer.into_inner()?;
    let file = buffered.into_inner().map_err(|error| io_error("write", path)(error.into_error()))?;
    file.sync().map_err(io_error("write", path))?;
    drop(file);
    Ok(fs::metadata(path).map_err(io_error("read the size of", path))?.len())
}

fn properties() -> Result<WriterProperties, StoreError> {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_created_by(format!("portreeve {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new("portreeve.events".to_owned(), EVENTS_FORMAT.to_string())]))
        .set_max_row_group_row_count(Some(usize::MAX))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_write_batch_size(PAGE_ROWS_MAX)
        // Smallest and greatest values of the other columns cost more to find than they ever save.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_statistics_truncate_length(Some(32));
    // Sorted and slowly rising numbers: differences are small.
    for name in ["at", "id"] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(name), false)
            .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
    }
    // Numbers with too many different values for a dictionary.
    for name in ["total_us", "upstream_us", "judge_us", "response_bytes", "request_bytes"] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(name), false)
            .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in ["at", "endpoint", "status", "api"] {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::Page);
    }
    Ok(builder.build())
}

/// The indices of the rows by API, endpoint and time.
fn sorted(batch: &Batch) -> Vec<u32> {
    let ranks = api_ranks(&batch.rows);
    let rank = |key: i32| usize::try_from(key).ok().and_then(|key| ranks.get(key)).copied().unwrap_or(u32::MAX);
    let mut order: Vec<(u32, u64, i64, u32)> =
        batch.keys.iter().zip(0u32..).map(|(key, index)| (rank(key.api), key.endpoint, key.at, index)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, _, index)| index).collect()
}

/// For each key of the API's dictionary its place in alphabetical order.
fn api_ranks(rows: &RecordBatch) -> Vec<u32> {
    let Some(api) = rows.column_by_name("api").and_then(|column| column.as_dictionary_opt::<Int32Type>()) else {
        return Vec::new();
    };
    let Some(names) = api.values().as_string_opt::<i32>() else { return Vec::new() };
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_unstable_by_key(|&key| names.value(key));
    let mut ranks = vec![0; names.len()];
    for (rank, key) in (0u32..).zip(order) {
        if let Some(slot) = ranks.get_mut(key) {
            *slot = rank;
        }
    }
    ranks
}

/// True when a file begins and ends like a whole Parquet file: a cheap look that finds every truncated one.
pub fn looks_whole(path: &Path) -> bool {
    fn ends(path: &Path) -> Option<bool> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut head = [0; 4];
        file.read_exact(&mut head).ok()?;
        file.seek(SeekFrom::End(-8)).ok()?;
        let mut footer_bytes = [0; 4];
        file.read_exact(&mut footer_bytes).ok()?;
        let mut tail = [0; 4];
        file.read_exact(&mut tail).ok()?;
        let footer_bytes = u64::from(u32::from_le_bytes(footer_bytes));
        Some(head == *b"PAR1" && tail == *b"PAR1" && footer_bytes.saturating_add(12) <= length)
    }
    ends(path) == Some(true)
}

/// Reads the whole footer of a segment.
///
/// # Errors
/// When the file is no Parquet file, or its metadata says another format than its name.
pub fn check_segment(path: &Path) -> Result<u64, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { path: path.to_owned(), detail };
    let file = File::open(path).map_err(io_error("open", path))?;
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(error.to_string()))?;
    let metadata = reader.metadata().file_metadata();
    let format = metadata
        .key_value_metadata()
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == "portreeve.events"))
        .and_then(|pair| pair.value.as_deref())
        .and_then(|value| value.parse::<u32>().ok());
    match format {
        Some(format) if format <= EVENTS_FORMAT => Ok(u64::try_from(metadata.num_rows()).unwrap_or(0)),
        Some(found) => Err(StoreError::Newer { path: path.to_owned(), found, known: EVENTS_FORMAT }),
        None => Err(damaged("it does not say which format of events it has".to_owned())),
    }
}

/// Reads a segment from end to end, checksums and all.
///
/// # Errors
/// When any part of it cannot be read.
pub fn verify_segment(path: &Path) -> Result<u64, StoreError> {
    check_segment(path)?;
    let damaged = |detail: String| StoreError::Damaged { path: path.to_owned(), detail };
    let file = File::open(path).map_err(io_error("open", path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| damaged(error.to_string()))?;
    let mut rows = 0;
    for batch in reader {
        rows += batch.map_err(|error| damaged(error.to_string()))?.num_rows() as u64;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Columns;
    use crate::disk::Faults;
    use crate::row::Row;
    use crate::testing::Traffic;

    fn batch(rows: usize) -> Batch {
        let mut traffic = Traffic::new(5);
        let mut columns = Columns::default();
        for _ in 0..rows {
            columns.push(&Row::of(&traffic.event(), 1.0)).expect("a row");
        }
        columns.finish().expect("a batch")
    }

    #[test]
    fn a_segment_is_sorted_and_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(directory.path());
        layout.create().expect("directories");
        let segment = write_segment(&Disk::unsynced(), &layout, 7, &batch(3_000)).expect("a segment");
        assert_eq!(check_segment(&segment.path).expect("a whole file"), 3_000);
        let listed = layout.list().expect("a list");
        assert_eq!(listed.segments, std::slice::from_ref(&segment));
        let file = File::open(&segment.path).expect("the file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a reader");
        let mut keys = Vec::new();
        for rows in reader.build().expect("batches") {
            let rows = rows.expect("a batch");
            let api = rows.column_by_name("api").expect("api").as_string::<i32>().clone();
            let endpoint = rows.column_by_name("endpoint").expect("endpoint");
            let endpoint = endpoint.as_primitive::<arrow::datatypes::UInt64Type>().clone();
            let at = rows.column_by_name("at").expect("at");
            let at = at.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().clone();
            for index in 0..rows.num_rows() {
                let id = if endpoint.is_null(index) { u64::MAX } else { endpoint.value(index) };
                keys.push((api.value(index).to_owned(), id, at.value(index)));
            }
        }
        assert_eq!(keys.len(), 3_000);
        assert!(keys.is_sorted());
    }

    #[test]
    fn a_full_disk_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(directory.path());
        layout.create().expect("directories");
        let batch = batch(2_000);
        for room in [0, 3, 1_000, 20_000] {
            let disk = Disk::with_faults(Faults::with_room(room));
            write_segment(&disk, &layout, 1, &batch).expect_err("a full disk");
            assert_eq!(layout.list().expect("a list"), crate::layout::EventFiles::default());
        }
    }

    #[test]
    fn truncated_files_do_not_look_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(directory.path());
        layout.create().expect("directories");
        let segment = write_segment(&Disk::unsynced(), &layout, 1, &batch(50)).expect("a segment");
        assert!(looks_whole(&segment.path));
        let bytes = fs::read(&segment.path).expect("bytes");
        for cut in (0..bytes.len()).step_by(97) {
            fs::write(&segment.path, &bytes[..cut]).expect("a cut file");
            assert!(!looks_whole(&segment.path), "cut at {cut}");
        }
    }
}
