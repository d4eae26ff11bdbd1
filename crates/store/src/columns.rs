//! The columns of an event: format 1 of the segments, and the builder that collects rows into them.
//!
//! Texts that repeat are dictionaries in memory, so a row costs about 350 bytes there however long its User-Agent is. In the
//! segment they are plain text columns, which Parquet encodes as dictionaries by itself: any reader of Parquet
//! sees ordinary text.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::StoreError;
use crate::interner::TextColumn;
use crate::row::Row;

/// The version of the columns, in the name and in the metadata of every segment.
pub const EVENTS_FORMAT: u32 = 1;

/// Text columns with one value per exchange, in the order of [`Row::texts`].
pub const TEXT_COLUMNS: [&str; 19] = [
    "api",
    "version",
    "client",
    "peer",
    "method",
    "host",
    "path",
    "agent",
    "referer",
    "accept",
    "fetch_dest",
    "request_type",
    "response_type",
    "class",
    "status_source",
    "outcome",
    "operation",
    "verdict",
    "verdict_reason",
];

/// Text columns with several values per exchange.
pub const LIST_COLUMNS: [&str; 6] = ["query_names", "custom_headers", "reasons", "confidences", "places", "evidence"];

/// The time zone of `at`, as Arrow spells UTC.
pub const UTC: &str = "UTC";

fn fields(text: &DataType) -> Vec<Field> {
    let element = Arc::new(Field::new("element", DataType::Utf8, false));
    let mut fields = vec![
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())), false),
        Field::new("id", DataType::UInt64, false),
        Field::new("endpoint", DataType::UInt64, true),
    ];
    fields.extend(TEXT_COLUMNS.map(|name| Field::new(name, text.clone(), false)));
    fields.extend(LIST_COLUMNS.map(|name| Field::new(name, DataType::List(element.clone()), false)));
    fields.extend([
        Field::new("status", DataType::UInt16, false),
        Field::new("request_bytes", DataType::Int64, false),
        Field::new("response_bytes", DataType::Int64, false),
        Field::new("total_us", DataType::UInt32, false),
        Field::new("upstream_us", DataType::UInt32, false),
        Field::new("judge_us", DataType::UInt32, false),
        Field::new("server", DataType::UInt16, true),
        Field::new("retries", DataType::UInt8, false),
        Field::new("session", DataType::UInt64, true),
        Field::new("credential", DataType::Boolean, false),
        Field::new("cookie", DataType::Boolean, false),
        Field::new("weight", DataType::Float32, false),
    ]);
    fields
}

static MEMORY_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(fields(&dictionary)))
});

static QUERY_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields(&DataType::Utf8View))));

/// The columns as they are built: texts as dictionaries.
pub fn memory_schema() -> SchemaRef {
    MEMORY_SCHEMA.clone()
}

/// The columns as queries see them: texts as views.
pub fn query_schema() -> SchemaRef {
    QUERY_SCHEMA.clone()
}

type List = ListBuilder<StringBuilder>;

/// Rows collected into columns.
pub struct Columns {
    at: TimestampMicrosecondBuilder,
    id: UInt64Builder,
    endpoint: UInt64Builder,
    texts: [TextColumn; TEXT_COLUMNS.len()],
    lists: [List; LIST_COLUMNS.len()],
    status: UInt16Builder,
    request_bytes: Int64Builder,
    response_bytes: Int64Builder,
    total_us: UInt32Builder,
    upstream_us: UInt32Builder,
    judge_us: UInt32Builder,
    server: UInt16Builder,
    retries: UInt8Builder,
    session: UInt64Builder,
    credential: BooleanBuilder,
    cookie: BooleanBuilder,
    weight: Float32Builder,
    keys: Vec<SortKey>,
}

/// What the rows of a segment are sorted by: API, endpoint, time. Rows that belong together stand together, so that
/// their columns compress, and a query for one endpoint reads few pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// Key of the API's name in its dictionary.
    pub api: i32,
    /// The endpoint; the rows without one come last.
    pub endpoint: u64,
    /// Microseconds since the Unix epoch.
    pub at: i64,
}

/// Finished columns.
#[derive(Debug)]
pub struct Batch {
    /// The rows in the order of arrival.
    pub rows: RecordBatch,
    /// Their sort keys.
    pub keys: Vec<SortKey>,
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("rows", &self.len()).finish_non_exhaustive()
    }
}

impl Default for Columns {
    fn default() -> Self {
        let element = Arc::new(Field::new("element", DataType::Utf8, false));
        Self {
            at: TimestampMicrosecondBuilder::new().with_timezone(UTC),
            id: UInt64Builder::new(),
            endpoint: UInt64Builder::new(),
            texts: std::array::from_fn(|_| TextColumn::default()),
            lists: std::array::from_fn(|_| List::new(StringBuilder::new()).with_field(element.clone())),
            status: UInt16Builder::new(),
            request_bytes: Int64Builder::new(),
            response_bytes: Int64Builder::new(),
            total_us: UInt32Builder::new(),
            upstream_us: UInt32Builder::new(),
            judge_us: UInt32Builder::new(),
            server: UInt16Builder::new(),
            retries: UInt8Builder::new(),
            session: UInt64Builder::new(),
            credential: BooleanBuilder::new(),
            cookie: BooleanBuilder::new(),
            weight: Float32Builder::new(),
            keys: Vec::new(),
        }
    }
}

impl Columns {
    /// Rows collected so far.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The time of the row that came first, in microseconds since the Unix epoch.
    pub fn first_at(&self) -> Option<i64> {
        self.keys.first().map(|key| key.at)
    }

    /// Adds one row.
    ///
    /// # Errors
    /// When a dictionary is full, which the bound on a segment's rows rules out.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let mut api = 0;
        for (index, (builder, text)) in self.texts.iter_mut().zip(row.texts()).enumerate() {
            let key = builder.push(text)?;
            if index == 0 {
                api = key;
            }
        }
        self.push_lists(row);
        self.at.append_value(row.at);
        self.id.append_value(row.id);
        self.endpoint.append_option(row.endpoint);
        self.status.append_value(row.status);
        self.request_bytes.append_value(i64::try_from(row.request_bytes).unwrap_or(i64::MAX));
        self.response_bytes.append_value(i64::try_from(row.response_bytes).unwrap_or(i64::MAX));
        self.total_us.append_value(row.total_us);
        self.upstream_us.append_value(row.upstream_us);
        self.judge_us.append_value(row.judge_us);
        self.server.append_option(row.server);
        self.retries.append_value(row.retries);
        self.session.append_option(row.session);
        self.credential.append_value(row.credential);
        self.cookie.append_value(row.cookie);
        self.weight.append_value(row.weight);
        self.keys.push(SortKey { api, endpoint: row.endpoint.unwrap_or(u64::MAX), at: row.at });
        Ok(())
    }

    fn push_lists(&mut self, row: &Row<'_>) {
        let [query_names, custom_headers, reasons, confidences, places, evidence] = &mut self.lists;
        for (list, names) in [(query_names, &row.query_names), (custom_headers, &row.custom_headers)] {
            for name in names {
                list.values().append_value(name);
            }
            list.append(true);
        }
        for finding in &row.findings {
            reasons.values().append_value(&finding.reason);
            confidences.values().append_value(&finding.confidence);
            places.values().append_value(&finding.place);
            evidence.values().append_value(&finding.evidence);
        }
        for list in [reasons, confidences, places, evidence] {
            list.append(true);
        }
    }

    /// The rows so far as a batch; the builder is empty afterwards.
    ///
    /// # Errors
    /// When the columns do not fit the schema, which would be our mistake.
    pub fn finish(&mut self) -> Result<Batch, StoreError> {
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(self.at.finish()), Arc::new(self.id.finish()), Arc::new(self.endpoint.finish())];
        for builder in &mut self.texts {
            columns.push(builder.finish()?);
        }
        columns.extend(self.lists.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.status.finish()));
        columns.push(Arc::new(self.request_bytes.finish()));
        columns.push(Arc::new(self.response_bytes.finish()));
        columns.push(Arc::new(self.total_us.finish()));
        columns.push(Arc::new(self.upstream_us.finish()));
        columns.push(Arc::new(self.judge_us.finish()));
        columns.push(Arc::new(self.server.finish()));
        columns.push(Arc::new(self.retries.finish()));
        columns.push(Arc::new(self.session.finish()));
        columns.push(Arc::new(self.credential.finish()));
        columns.push(Arc::new(self.cookie.finish()));
        columns.push(Arc::new(self.weight.finish()));
        let keys = std::mem::take(&mut self.keys);
        Ok(Batch { rows: RecordBatch::try_new(memory_schema(), columns)?, keys })
    }
}

/// The same rows with texts as views, as queries see them.
///
/// # Errors
/// When a column does not cast, which would be our mistake.
pub fn to_query_schema(rows: &RecordBatch) -> Result<RecordBatch, StoreError> {
    let schema = query_schema();
    let columns: Result<Vec<ArrayRef>, _> = rows
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| arrow::compute::cast(column, field.data_type()))
        .collect();
    Ok(RecordBatch::try_new(schema, columns?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Traffic;

    #[test]
    fn a_row_in_memory_is_small() {
        let mut traffic = Traffic::new(2);
        let mut columns = Columns::default();
        for _ in 0..20_000 {
            columns.push(&Row::of(&traffic.event(), 1.0)).expect("a row");
        }
        let bytes = columns.finish().expect("a batch").rows.get_array_memory_size() / 20_000;
        println!("{bytes} bytes per row in memory");
        assert!(bytes < 400, "{bytes}");
    }

    #[test]
    fn rows_become_columns_and_views() {
        let mut traffic = Traffic::new(2);
        let mut columns = Columns::default();
        let events: Vec<_> = (0..300).map(|_| traffic.event()).collect();
        for event in &events {
            columns.push(&Row::of(event, 1.0)).expect("a row");
        }
        assert_eq!(columns.len(), 300);
        let batch = columns.finish().expect("a batch");
        assert_eq!(batch.rows.num_rows(), 300);
        assert_eq!(batch.keys.len(), 300);
        let views = to_query_schema(&batch.rows).expect("views");
        assert_eq!(views.schema(), query_schema());
        assert!(columns.is_empty());
        assert_eq!(columns.finish().expect("an empty batch").rows.num_rows(), 0);
    }
}
