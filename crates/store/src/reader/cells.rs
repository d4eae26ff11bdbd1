//! From Arrow's columns back to plain values.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use model::Timestamp;

use crate::query::plan::EndpointNames;
use crate::query::{Cell, Field, Group, Measure, Query};
use crate::row::{FindingRow, Row};
use crate::text::Names;

/// The rows of an answer.
pub(super) fn cells_of(batches: &[RecordBatch], query: &Query, names: &EndpointNames) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for batch in batches {
        for index in 0..batch.num_rows() {
            let cells = batch.columns().iter().enumerate().map(|(position, column)| {
                let cell = cell_of(column, index);
                match query.group_by.get(position) {
                    Some(group) => group_cell(*group, cell, names),
                    None => measure_cell(query.measures.get(position.saturating_sub(query.group_by.len())), cell),
                }
            });
            rows.push(cells.collect());
        }
    }
    rows
}

fn group_cell(group: Group, cell: Cell, names: &EndpointNames) -> Cell {
    match (group, cell) {
        (Group::Time { .. }, Cell::Integer(at)) => Cell::Time(Timestamp(at)),
        (Group::Field(Field::Endpoint), Cell::Integer(id)) => {
            let id = id.cast_unsigned();
            Cell::Text(names.name(id).map_or_else(|| format!("e{id}"), str::to_owned))
        }
        (Group::Field(Field::Session | Field::Id), Cell::Integer(id)) => {
            Cell::Text(format!("{:016x}", id.cast_unsigned()))
        }
        (_, cell) => cell,
    }
}

fn measure_cell(measure: Option<&Measure>, cell: Cell) -> Cell {
    match (measure, cell) {
        // Counts of sampled exchanges are sums of weights.
        (Some(Measure::Count | Measure::Errors | Measure::Refused), Cell::Number(count)) => {
            Cell::Integer(count.round() as i64)
        }
        (Some(Measure::Count | Measure::Errors | Measure::Refused | Measure::Distinct(_)), Cell::Absent) => {
            Cell::Integer(0)
        }
        (_, cell) => cell,
    }
}

fn cell_of(column: &ArrayRef, index: usize) -> Cell {
    if column.is_null(index) {
        return Cell::Absent;
    }
    let integer = |number: i64| Cell::Integer(number);
    match column.data_type() {
        DataType::Utf8View => column.as_string_view_opt().map(|texts| Cell::Text(texts.value(index).to_owned())),
        DataType::Utf8 => column.as_string_opt::<i32>().map(|texts| Cell::Text(texts.value(index).to_owned())),
        DataType::Boolean => column.as_boolean_opt().map(|flags| Cell::Flag(flags.value(index))),
        DataType::Int64 => column.as_primitive_opt::<Int64Type>().map(|numbers| integer(numbers.value(index))),
        // Bits are kept; only ids are this large, and they are turned back.
        DataType::UInt64 => {
            column.as_primitive_opt::<UInt64Type>().map(|numbers| integer(numbers.value(index).cast_signed()))
        }
        DataType::UInt32 => column.as_primitive_opt::<UInt32Type>().map(|numbers| integer(numbers.value(index).into())),
        DataType::UInt16 => column.as_primitive_opt::<UInt16Type>().map(|numbers| integer(numbers.value(index).into())),
        DataType::UInt8 => column.as_primitive_opt::<UInt8Type>().map(|numbers| integer(numbers.value(index).into())),
        DataType::Float64 => column.as_primitive_opt::<Float64Type>().map(|numbers| Cell::Number(numbers.value(index))),
        DataType::Float32 => {
            column.as_primitive_opt::<Float32Type>().map(|numbers| Cell::Number(numbers.value(index).into()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive_opt::<TimestampMicrosecondType>().map(|times| Cell::Time(Timestamp(times.value(index))))
        }
        _ => None,
    }
    .unwrap_or(Cell::Absent)
}

/// The exchanges of a batch with the columns of [`query_schema`](crate::columns::query_schema).
pub fn rows_of(batch: &RecordBatch) -> Vec<Row<'static>> {
    (0..batch.num_rows()).map(|index| row_of(batch, index)).collect()
}

fn row_of(batch: &RecordBatch, index: usize) -> Row<'static> {
    let cell = |name: &str| batch.column_by_name(name).map_or(Cell::Absent, |column| cell_of(column, index));
    let text = |name: &str| match cell(name) {
        Cell::Text(text) => Cow::Owned(text),
        _ => Cow::Borrowed(""),
    };
    let optional = |name: &str| match cell(name) {
        Cell::Integer(number) => Some(number),
        _ => None,
    };
    let number = |name: &str| optional(name).unwrap_or(0);
    let flag = |name: &str| cell(name) == Cell::Flag(true);
    let list = |name: &str| batch.column_by_name(name).map_or_else(Names::new, |column| texts_of(column, index));
    let [reasons, confidences, places, evidence] = ["reasons", "confidences", "places", "evidence"].map(list);
    let findings = reasons.into_iter().zip(confidences).zip(places.into_iter().zip(evidence));
    Row {
        at: match cell("at") {
            Cell::Time(at) => at.0,
            _ => 0,
        },
        id: number("id").cast_unsigned(),
        api: text("api"),
        endpoint: optional("endpoint").map(i64::cast_unsigned),
        version: text("version"),
        client: text("client"),
        peer: text("peer"),
        method: text("method"),
        host: text("host"),
        path: text("path"),
        query_names: list("query_names"),
        agent: text("agent"),
        referer: text("referer"),
        accept: text("accept"),
        fetch_dest: text("fetch_dest"),
        request_type: text("request_type"),
        response_type: text("response_type"),
        custom_headers: list("custom_headers"),
        class: text("class"),
        status: u16::try_from(number("status")).unwrap_or(0),
        status_source: text("status_source"),
        end: text("outcome"),
        request_bytes: number("request_bytes").unsigned_abs(),
        response_bytes: number("response_bytes").unsigned_abs(),
        total_us: u32::try_from(number("total_us")).unwrap_or(0),
        upstream_us: u32::try_from(number("upstream_us")).unwrap_or(0),
        judge_us: u32::try_from(number("judge_us")).unwrap_or(0),
        server: optional("server").and_then(|server| u16::try_from(server).ok()),
        retries: u8::try_from(number("retries")).unwrap_or(0),
        session: optional("session").map(i64::cast_unsigned),
        credential: flag("credential"),
        cookie: flag("cookie"),
        operation: text("operation"),
        verdict: text("verdict"),
        verdict_reason: text("verdict_reason"),
        findings: findings
            .map(|((reason, confidence), (place, evidence))| FindingRow { reason, confidence, place, evidence })
            .collect(),
        weight: match cell("weight") {
            Cell::Number(weight) => weight as f32,
            _ => 1.0,
        },
    }
}

fn texts_of(column: &ArrayRef, index: usize) -> Names<'static> {
    let Some(list) = column.as_list_opt::<i32>() else { return Names::new() };
    let values = list.value(index);
    let Some(texts) = values.as_string_opt::<i32>() else { return Names::new() };
    texts.iter().flatten().map(|text| Cow::Owned(text.to_owned())).collect()
}
