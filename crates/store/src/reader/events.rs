//! Lists of exchanges in order of time, delivered as they are found.
//!
//! Segments are read from the wanted end of time in small groups, so a list of the latest hundred does not read a month, and
//! a list of everything is never in memory as a whole.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::col;
use model::Timestamp;
use tokio::sync::mpsc;

use super::{Failure, Reader, Shared, Snapshot, rows_of};
use crate::columns::query_schema;
use crate::error::StoreError;
use crate::layout::SegmentFile;
use crate::query::plan::{EndpointNames, filter_expr, in_range};
use crate::query::{Direction, Filter, Scan};
use crate::row::Row;

/// Exchanges delivered together.
const SLICE_ROWS: usize = 512;
/// Exchanges held back, for order, before some are delivered in any case.
const HELD_BACK_ROWS_MAX: usize = 400_000;
/// Segments read together when all exchanges are wanted.
const GROUP_WHOLE: usize = 2;
/// Most segments read together when a few exchanges are wanted.
const GROUP_MAX: usize = 64;

/// Which exchanges are listed.
#[derive(Clone, Debug, PartialEq)]
pub struct EventQuery {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment after.
    pub until: Timestamp,
    /// Which exchanges.
    pub filter: Filter,
    /// `Descending` lists the latest first.
    pub order: Direction,
    /// How many; `None` for all.
    pub limit: Option<usize>,
}

/// A list of exchanges on its way.
#[derive(Debug)]
pub struct EventStream {
    receiver: mpsc::Receiver<Result<Vec<Row<'static>>, StoreError>>,
    /// What is read for it.
    pub scan: Scan,
    // The threads live as long as someone listens.
    _reader: Reader,
}

impl EventStream {
    /// The next exchanges; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<Row<'static>>, StoreError>> {
        self.receiver.recv().await
    }

    /// Like [`next`](Self::next), for callers outside any runtime.
    pub fn next_blocking(&mut self) -> Option<Result<Vec<Row<'static>>, StoreError>> {
        self.receiver.blocking_recv()
    }
}

type Sender = mpsc::Sender<Result<Vec<Row<'static>>, StoreError>>;

impl Reader {
    /// Starts a list of exchanges. The limit of time holds for each group of segments, not for the whole list. When the
    /// stream is dropped, reading stops.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn events(&self, query: EventQuery, names: Arc<EndpointNames>) -> Result<EventStream, StoreError> {
        let (sender, receiver) = mpsc::channel(4);
        let shared = self.shared.clone();
        let snapshot = shared.snapshot(query.since.0, query.until.0)?;
        let scan = snapshot.scan.clone();
        self.handle()?.spawn(async move {
            if let Err(error) = shared.list(&query, &names, snapshot, &sender).await {
                // Nobody listens any more when this fails.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(EventStream { receiver, scan, _reader: self.clone() })
    }

    /// One exchange by its request id; `None` when it is not there (any more). `near` narrows the search to a day around it.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub async fn event(
        &self,
        id: model::RequestId,
        near: Option<Timestamp>,
    ) -> Result<Option<Row<'static>>, StoreError> {
        const DAY_US: i64 = 86_400_000_000;
        let (since, until) =
            near.map_or((i64::MIN, i64::MAX), |near| (near.0.saturating_sub(DAY_US), near.0.saturating_add(DAY_US)));
        let query = EventQuery {
            since: Timestamp(since),
            until: Timestamp(until),
            filter: Filter::test(crate::query::Field::Id, crate::query::Operator::Is, crate::query::Value::Hash(id.0)),
            order: Direction::Descending,
            limit: Some(1),
        };
        let mut stream = self.events(query, Arc::default())?;
        Ok(stream.next().await.transpose()?.and_then(|rows| rows.into_iter().next()))
    }
}

/// What is left to read, nearest to the wanted end of time last.
struct Rest {
    segments: Vec<SegmentFile>,
    tail: Vec<RecordBatch>,
    /// The earliest and the latest time in the tail.
    tail_ends: Option<(i64, i64)>,
}

impl Rest {
    fn new(snapshot: Snapshot, order: Direction) -> Self {
        let Snapshot { mut segments, tail, .. } = snapshot;
        match order {
            Direction::Descending => segments.sort_unstable_by_key(|segment| segment.max_at),
            Direction::Ascending => segments.sort_unstable_by_key(|segment| std::cmp::Reverse(segment.min_at)),
        }
        let ends = tail.iter().filter_map(|batch| {
            let times = times(batch);
            Some((arrow::compute::min(&times)?, arrow::compute::max(&times)?))
        });
        let tail_ends = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Self { segments, tail, tail_ends }
    }

    /// The time beyond which nothing that is still unread can lie.
    fn border(&self, order: Direction) -> Option<i64> {
        let tail = self.tail_ends.filter(|_| !self.tail.is_empty());
        match order {
            Direction::Descending => {
                self.segments.iter().map(|segment| segment.max_at).chain(tail.map(|(_, max)| max)).max()
            }
            Direction::Ascending => {
                self.segments.iter().map(|segment| segment.min_at).chain(tail.map(|(min, _)| min)).min()
            }
        }
    }

    /// The next group. The tail is the latest, but holds late exchanges too: it goes first when the latest are wanted,
    /// and with the rest otherwise.
    fn group(&mut self, size: usize, order: Direction) -> Option<(Vec<SegmentFile>, Vec<RecordBatch>)> {
        let with_tail = order == Direction::Descending || self.segments.len() <= size;
        let tail = if with_tail { std::mem::take(&mut self.tail) } else { Vec::new() };
        let segments = self.segments.split_off(self.segments.len().saturating_sub(size));
        (!segments.is_empty() || !tail.is_empty()).then_some((segments, tail))
    }
}

fn times(batch: &RecordBatch) -> arrow::array::TimestampMicrosecondArray {
    let times = batch.column_by_name("at").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    times.cloned().unwrap_or_else(|| arrow::array::TimestampMicrosecondArray::new_null(0))
}

impl Shared {
    async fn list(
        &self,
        query: &EventQuery,
        names: &EndpointNames,
        snapshot: Snapshot,
        sender: &Sender,
    ) -> Result<(), StoreError> {
        let mut rest = Rest::new(snapshot, query.order);
        let mut left = query.limit.unwrap_or(usize::MAX);
        let mut held_back: Option<RecordBatch> = None;
        let mut size = GROUP_WHOLE;
        while left > 0
            && let Some((segments, mut tail)) = rest.group(size, query.order)
        {
            tail.extend(held_back.take());
            let sorted = self.sorted_group(query, names, segments, tail, left).await?;
            let ready = match rest.border(query.order) {
                _ if sorted.num_rows() > HELD_BACK_ROWS_MAX => sorted.num_rows(),
                Some(border) => ready_rows(&sorted, border, query.order),
                None => sorted.num_rows(),
            };
            let ready = ready.min(left);
            left -= ready;
            if send(&sorted.slice(0, ready), sender).await.is_err() {
                return Ok(());
            }
            held_back = (ready < sorted.num_rows()).then(|| sorted.slice(ready, sorted.num_rows() - ready));
            if query.limit.is_some() {
                size = (size * 2).min(GROUP_MAX);
            }
        }
        Ok(())
    }

    /// The exchanges of some segments that the filter means, in order.
    async fn sorted_group(
        &self,
        query: &EventQuery,
        names: &EndpointNames,
        mut segments: Vec<SegmentFile>,
        tail: Vec<RecordBatch>,
        left: usize,
    ) -> Result<RecordBatch, StoreError> {
        for attempt in 0..3 {
            let run = async {
                let frame = self.frame(&self.context(), &segments, tail.clone())?;
                let condition = in_range(query.since, query.until).and(filter_expr(&query.filter, names));
                let ascending = query.order == Direction::Ascending;
                // The id makes the order of exchanges of the same microsecond the same every time.
                let order = vec![col("at").sort(ascending, false), col("id").sort(ascending, false)];
                let mut frame = frame.filter(condition)?.sort(order)?;
                if query.limit.is_some() {
                    frame = frame.limit(0, Some(left))?;
                }
                let batches = frame.collect().await?;
                concat_batches(&query_schema(), &batches).map_err(DataFusionError::from)
            };
            match self.within_limits(run).await {
                Ok(batch) => return Ok(batch),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Files(error)) if attempt == 2 => return Err(error.into()),
                Err(Failure::Files(error)) => {
                    // Retention may have deleted a segment since the snapshot, or one is damaged.
                    let snapshot = Snapshot { segments: segments.clone(), ..Snapshot::default() };
                    self.look_for_damage(&snapshot, &error).await?;
                    let good = self.snapshot(i64::MIN, i64::MAX)?;
                    segments.retain(|segment| good.segments.iter().any(|other| other.path == segment.path));
                }
            }
        }
        Err(StoreError::Stopped)
    }
}

/// How many rows at the start cannot be preceded by anything beyond the border.
fn ready_rows(sorted: &RecordBatch, border: i64, order: Direction) -> usize {
    let times = times(sorted);
    times.values().partition_point(|&at| match order {
        Direction::Descending => at > border,
        Direction::Ascending => at < border,
    })
}

async fn send(ready: &RecordBatch, sender: &Sender) -> Result<(), ()> {
    let mut offset = 0;
    while offset < ready.num_rows() {
        let length = SLICE_ROWS.min(ready.num_rows() - offset);
        sender.send(Ok(rows_of(&ready.slice(offset, length)))).await.map_err(|_| ())?;
        offset += length;
    }
    Ok(())
}
