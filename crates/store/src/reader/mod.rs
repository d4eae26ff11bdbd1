//! The reading side of the event log: typed queries and lists of exchanges, from the writer's process or from any other.
//!
//! Queries run in threads of their own, with less priority than traffic, a bound on memory and a limit of time. They see every
//! exchange that was flushed; the writer is never waited for.

mod cells;
mod events;
mod snapshot;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::dataframe::DataFrame;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::{Builder, Runtime};

pub use cells::rows_of;
pub use events::{EventQuery, EventStream};
pub use snapshot::Snapshot;

use crate::columns::query_schema;
use crate::error::{StoreError, io_error};
use crate::layout::{Layout, SegmentFile};
use crate::query::plan::{EndpointNames, Weights, filter_expr, group_expr, in_range, measure_expr, opened_list};
use crate::query::{Answer, Direction, Query, ROWS_MAX};
use crate::segment::verify_segment;
use snapshot::Memory;

/// Stack of the threads that plan and run queries.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// What one query may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Memory of all queries together, in bytes.
    pub memory_bytes_max: usize,
    /// Time of one query.
    pub timeout_ms: u64,
    /// Threads for all queries together.
    pub threads: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { memory_bytes_max: 256 * 1024 * 1024, timeout_ms: 30_000, threads: 2 }
    }
}

/// Reads a data directory. Cheap to clone; all clones share threads, memory and what they remember.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

#[derive(Debug)]
struct Shared {
    layout: Layout,
    limits: QueryLimits,
    environment: Arc<RuntimeEnv>,
    memory: Mutex<Memory>,
}

/// The threads of a reader. They end without waiting, because the last clone may be dropped inside another runtime.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Reader {
    /// Opens a data directory, which need not exist yet.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn open(directory: &Path, limits: QueryLimits) -> Result<Self, StoreError> {
        // DataFusion names files by URL, which wants an absolute path.
        let directory = std::path::absolute(directory).map_err(io_error("find", directory))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(limits.threads.max(1))
            .max_blocking_threads(limits.threads.max(1) * 2)
            .thread_name("store-read")
            // The optimiser walks expressions by recursion; the largest filter must fit with room to spare.
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(|| {
                // A query gives way to traffic. Where the system refuses, it runs with ordinary priority.
                let _ = rustix::process::nice(10);
            })
            .enable_time()
            .build()
            .map_err(io_error("start threads for", &directory))?;
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes_max)))
            // A query that does not fit into memory says so; it never fills the disk.
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()?;
        let shared = Shared { layout: Layout::new(&directory), limits, environment, memory: Mutex::default() };
        Ok(Self { shared: Arc::new(shared), threads: Arc::new(Threads(Some(runtime))) })
    }

    /// The paths of the data directory.
    pub fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    /// Answers a query. `names` are the endpoints as the inventory knows them; see [`crate::Inventory::endpoint_names`].
    ///
    /// # Errors
    /// When it takes too much memory or time, or the files cannot be read.
    pub async fn query(&self, query: &Query, names: Arc<EndpointNames>) -> Result<Answer, StoreError> {
        let (shared, query) = (self.shared.clone(), query.clone());
        let work = self.handle()?.spawn(async move { shared.query(&query, &names).await });
        work.await.map_err(|_| StoreError::Stopped)?
    }

    /// Like [`query`](Self::query), for callers outside any runtime.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_blocking(&self, query: &Query, names: Arc<EndpointNames>) -> Result<Answer, StoreError> {
        self.handle()?.block_on(self.query(query, names))
    }

    fn handle(&self) -> Result<&tokio::runtime::Handle, StoreError> {
        self.threads.0.as_ref().map(Runtime::handle).ok_or(StoreError::Stopped)
    }
}

/// How one attempt at reading failed.
enum Failure {
    /// The files changed or one of them is damaged: another attempt may succeed.
    Files(DataFusionError),
    /// Nothing will help.
    Final(StoreError),
}

impl Shared {
    fn snapshot(&self, since: i64, until: i64) -> Result<Snapshot, StoreError> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).snapshot(&self.layout, since, until)
    }

    fn context(&self) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(self.limits.threads.max(1))
            .with_collect_statistics(false)
            .with_parquet_pruning(true);
        config.options_mut().execution.parquet.pushdown_filters = true;
        SessionContext::new_with_config_rt(config, self.environment.clone())
    }

    /// The exchanges of some segments and batches as one table.
    fn frame(
        &self,
        context: &SessionContext,
        segments: &[SegmentFile],
        tail: Vec<arrow::array::RecordBatch>,
    ) -> Result<DataFrame, DataFusionError> {
        let mut frames = Vec::new();
        if !segments.is_empty() {
            let urls: Result<Vec<_>, _> = segments.iter().map(|segment| file_url(&segment.path)).collect();
            let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
            let config = ListingTableConfig::new_with_multi_paths(urls?)
                .with_listing_options(options)
                .with_schema(query_schema());
            frames.push(context.read_table(Arc::new(ListingTable::try_new(config)?))?);
        }
        if !tail.is_empty() || frames.is_empty() {
            let tail = if tail.is_empty() { vec![arrow::array::RecordBatch::new_empty(query_schema())] } else { tail };
            frames.push(context.read_batches(tail)?);
        }
        let mut frames = frames.into_iter();
        let first = frames.next().ok_or_else(|| DataFusionError::Internal("nothing to read".to_owned()))?;
        frames.try_fold(first, DataFrame::union)
    }

    async fn query(&self, query: &Query, names: &EndpointNames) -> Result<Answer, StoreError> {
        for _ in 0..2 {
            let snapshot = self.snapshot(query.since.0, query.until.0)?;
            match self.attempt(query, names, &snapshot).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Files(error)) => self.look_for_damage(&snapshot, &error).await?,
                Err(Failure::Final(error)) => return Err(error),
            }
        }
        let snapshot = self.snapshot(query.since.0, query.until.0)?;
        self.attempt(query, names, &snapshot).await.map_err(|failure| match failure {
            Failure::Files(error) => error.into(),
            Failure::Final(error) => error,
        })
    }

    async fn attempt(&self, query: &Query, names: &EndpointNames, snapshot: &Snapshot) -> Result<Answer, Failure> {
        let context = self.context();
        let limit = query.limit.min(ROWS_MAX);
        let run = async {
            let frame = self.frame(&context, &snapshot.segments, snapshot.tail.clone())?;
            let frame = grouped(frame, query, names, limit + 1)?;
            frame.collect().await
        };
        let batches = self.within_limits(run).await?;
        let (mut rows, columns) = (cells::cells_of(&batches, query, names), query.columns());
        let truncated = rows.len() > limit;
        rows.truncate(limit);
        Ok(Answer { columns, rows, truncated, scan: snapshot.scan.clone() })
    }

    /// Runs a piece of work within the limit of time and tells what kind of failure it had.
    async fn within_limits<T>(&self, work: impl Future<Output = Result<T, DataFusionError>>) -> Result<T, Failure> {
        let limit_ms = self.limits.timeout_ms;
        match tokio::time::timeout(Duration::from_millis(limit_ms), work).await {
            Err(_) => Err(Failure::Final(StoreError::TimeLimit { limit_ms })),
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(match error.find_root() {
                DataFusionError::ResourcesExhausted(_) => Failure::Final(StoreError::MemoryLimit {
                    limit_mib: (self.limits.memory_bytes_max / (1024 * 1024)) as u64,
                }),
                DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::NotImplemented(_) => {
                    Failure::Final(error.into())
                }
                _ => Failure::Files(error),
            }),
        }
    }

    /// After a failure: reads the segments through and leaves the damaged ones out from now on.
    async fn look_for_damage(&self, snapshot: &Snapshot, error: &DataFusionError) -> Result<(), StoreError> {
        let paths: Vec<PathBuf> = snapshot.segments.iter().map(|segment| segment.path.clone()).collect();
        let looked = tokio::task::spawn_blocking(move || {
            paths.into_iter().filter(|path| path.exists() && verify_segment(path).is_err()).collect::<Vec<_>>()
        });
        let damaged = looked.await.map_err(|_| StoreError::Stopped)?;
        if !damaged.is_empty() {
            tracing::warn!(%error, files = damaged.len(), "damaged segments are left out of queries");
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.into_iter().for_each(|path| memory.note_damaged(path));
        Ok(())
    }
}

/// A path as the URL of exactly this file: characters that DataFusion would take for a pattern mean themselves.
fn file_url(path: &Path) -> Result<ListingTableUrl, DataFusionError> {
    let external = |error: String| DataFusionError::External(error.into());
    let url =
        url::Url::from_file_path(path).map_err(|()| external(format!("`{}` is no absolute path", path.display())))?;
    ListingTableUrl::try_new(url, None)
}

fn grouped(frame: DataFrame, query: &Query, names: &EndpointNames, limit: usize) -> Result<DataFrame, DataFusionError> {
    let condition = in_range(query.since, query.until).and(filter_expr(&query.filter, names));
    let mut frame = frame.filter(condition)?;
    let mut opened = Vec::new();
    for column in query.group_by.iter().filter_map(opened_list) {
        if !opened.contains(&column) {
            frame = frame.unnest_columns_with_options(
                &[column],
                datafusion::common::UnnestOptions::new().with_preserve_nulls(false),
            )?;
            opened.push(column);
        }
    }
    let columns = query.columns();
    let (group_names, measure_names) = columns.split_at(query.group_by.len());
    let groups = query.group_by.iter().zip(group_names).map(|(group, name)| group_expr(group).alias(name)).collect();
    let measures: Result<Vec<_>, _> = query
        .measures
        .iter()
        .zip(measure_names)
        .map(|(measure, name)| Ok::<_, DataFusionError>(measure_expr(measure, Weights::Sampled)?.alias(name)))
        .collect();
    frame = frame.aggregate(groups, measures?)?;
    if let Some(name) = columns.get(query.order.column) {
        let ascending = query.order.direction == Direction::Ascending;
        let column = datafusion::logical_expr::Expr::Column(datafusion::common::Column::from_name(name));
        frame = frame.sort(vec![column.sort(ascending, false)])?;
    }
    frame.limit(0, Some(limit))
}
