//! How the store is doing: for metrics, the dashboard's health page and the last line of a run.

use model::Timestamp;

/// The state of a [`Writer`](crate::Writer). Counts are since it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Exchanges counted in rollups.
    pub exchanges: u64,
    /// Exchanges taken into the event log.
    pub events: u64,
    /// Ordinary exchanges left out of the event log by sampling.
    pub events_sampled_out: u64,
    /// Exchanges lost for the event log because the disk could not take them for too long. They are in the rollups.
    pub events_dropped: u64,
    /// Exchanges in memory that are in no segment yet.
    pub events_in_memory: u64,
    /// Exchanges of `events_in_memory` that are not on disk in any form: what a kill would lose.
    pub events_unflushed: u64,
    /// Exchanges counted under `unmatched` because there were too many series at once.
    pub rollups_folded: u64,
    /// Exchanges with findings that are in no sum of threats, because the database could not be written for too long.
    pub threats_missed: u64,
    /// Series waiting for the rollups' database.
    pub rollups_waiting: u64,
    /// Failed attempts to reach the disk; each is tried again.
    pub errors: u64,
    /// The latest failure, with its time.
    pub last_error: Option<(Timestamp, String)>,
    /// False from a failed attempt to the next that succeeds.
    pub writable: bool,
    /// Segments on disk.
    pub segments: u64,
    /// Bytes of segments and journal on disk.
    pub bytes_on_disk: u64,
    /// Bytes of segments written since opening, for bytes per event.
    pub segment_bytes_written: u64,
    /// Exchanges in segments written since opening.
    pub segment_rows_written: u64,
    /// Segments deleted by retention.
    pub segments_expired: u64,
    /// Exchanges found in journals when opening: the end of the previous run.
    pub events_recovered: u64,
    /// Bytes at the end of journals that could not be read: what a crash tore.
    pub journal_bytes_torn: u64,
    /// Segments set aside because they are not whole.
    pub segments_damaged: u64,
    /// Segments of a later format, left alone.
    pub segments_newer: u64,
}

impl Health {
    /// Notes a failure.
    pub(crate) fn fail(&mut self, at: Timestamp, error: &dyn std::error::Error) {
        self.errors += 1;
        self.writable = false;
        self.last_error = Some((at, error.to_string()));
    }
}
