//! Which segments are deleted: by age, then by the size of all.

use std::fs;
use std::io;

use model::Timestamp;

use crate::error::{StoreError, io_error};
use crate::layout::SegmentFile;
use crate::settings::Settings;

/// What was deleted.
#[derive(Debug, Default)]
pub struct Expired {
    /// How many segments.
    pub segments: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The latest exchange in them, in microseconds since the Unix epoch.
    pub latest_at: i64,
    /// Why a segment that should go is still there.
    pub error: Option<StoreError>,
}

/// Deletes what the settings no longer allow. A segment that cannot be deleted stays in the list and is tried again.
pub fn expire(segments: &mut Vec<SegmentFile>, now: Timestamp, settings: &Settings) -> Expired {
    let mut expired = Expired { latest_at: i64::MIN, ..Expired::default() };
    // The oldest first, by when their latest exchange was.
    segments.sort_unstable_by_key(|segment| (segment.max_at, segment.sequence));
    let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let age_us = settings.events_age_s_max.saturating_mul(1_000_000);
    segments.retain(|segment| {
        let old = now.micros_since(Timestamp(segment.max_at)) > age_us;
        if !old && total <= settings.events_bytes_max {
            return true;
        }
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                expired.error = Some(io_error("delete", &segment.path)(error));
                true
            }
            _ => {
                total -= segment.bytes;
                expired.segments += 1;
                expired.bytes += segment.bytes;
                expired.latest_at = expired.latest_at.max(segment.max_at);
                false
            }
        }
    });
    expired
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(directory: &std::path::Path) -> Vec<SegmentFile> {
        (0..5)
            .map(|sequence| {
                let path = directory.join(format!("{sequence}"));
                fs::write(&path, vec![0; 100]).expect("a file");
                let at = sequence as i64 * 1_000_000_000;
                SegmentFile { sequence, min_at: at, max_at: at + 10, bytes: 100, path }
            })
            .collect()
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut list = segments(directory.path());
        let settings = Settings { events_age_s_max: 2_500, ..Settings::default() };
        let expired = expire(&mut list, Timestamp(4_000_000_000), &settings);
        assert_eq!((expired.segments, expired.bytes, expired.latest_at), (2, 200, 1_000_000_010));
        let settings = Settings { events_bytes_max: 250, ..Settings::default() };
        let expired = expire(&mut list, Timestamp(4_000_000_000), &settings);
        assert_eq!(expired.segments, 1);
        assert_eq!(list.iter().map(|segment| segment.sequence).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(fs::read_dir(directory.path()).expect("a list").count(), 2);
    }

    #[test]
    fn a_segment_that_cannot_be_deleted_stays_listed() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut list = segments(directory.path());
        // A directory in the place of the file cannot be removed as a file.
        fs::remove_file(&list[0].path).expect("removed");
        fs::create_dir(&list[0].path).expect("a directory");
        let settings = Settings { events_bytes_max: 0, ..Settings::default() };
        let expired = expire(&mut list, Timestamp(0), &settings);
        assert_eq!((expired.segments, list.len()), (4, 1));
        assert!(expired.error.is_some());
    }
}
