//! `portreeve events`: recorded exchanges.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use store::query::{Direction, Filter};
use store::{EventQuery, Inventory, QueryLimits, Reader};

use super::Outcome;
use crate::now;

/// Lists recorded exchanges, the latest last.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where they are kept.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Only those of the last time, such as `10m`.
    #[arg(long, default_value = "10m", value_parser = super::time)]
    since: Duration,
    /// Only those that fit, such as `status=429` or `method=POST status>=500`; all of several.
    #[arg(long = "where", value_name = "FILTER")]
    filters: Vec<String>,
    /// At most this many, the latest.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the filter is wrong or the data cannot be read.
pub fn run(arguments: &Arguments) -> Outcome {
    let mut filter = Filter::All(Vec::new());
    for text in &arguments.filters {
        filter = filter.and(Filter::parse(text).map_err(|error| error.to_string())?);
    }
    let until = now();
    let since = Timestamp(until.0 - i64::try_from(arguments.since.as_micros()).unwrap_or(i64::MAX));
    super::require_data(&arguments.data)?;
    let names = Arc::new(Inventory::open(&arguments.data)?.endpoint_names()?);
    let reader = Reader::open(&arguments.data, QueryLimits::default())?;
    let query = EventQuery { since, until, filter, order: Direction::Descending, limit: Some(arguments.limit) };
    let mut stream = reader.events(query, Arc::clone(&names))?;
    let mut rows = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        rows.extend(batch?);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for row in rows.iter().rev() {
        if arguments.json {
            writeln!(out, "{}", json_of(row))?;
        } else {
            writeln!(out, "{}", line_of(row))?;
        }
    }
    out.flush()?;
    Ok(())
}

fn time_of(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).map(|time| format!("{time:.3}")).unwrap_or_default()
}

fn line_of(row: &store::row::Row<'_>) -> String {
    let reasons: Vec<&str> = row.findings.iter().map(|finding| finding.reason.as_ref()).collect();
    let millis = f64::from(row.total_us) / 1_000.0;
    // Paths and hosts come from strangers: the store keeps them as text, and control characters must not reach a terminal.
    let shown: String =
        format!("{}{}", row.host, row.path).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let verdict = if row.verdict == "pass" { String::new() } else { format!(" {} ", row.verdict) };
    format!(
        "{} {:016x} {:<15} {:>3} {:>8.1} ms {:<6} {shown}{verdict}{}",
        time_of(row.at),
        row.id,
        row.client,
        row.status,
        millis,
        row.method,
        reasons.join(",")
    )
}

fn json_of(row: &store::row::Row<'_>) -> serde_json::Value {
    let findings: Vec<serde_json::Value> = row
        .findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "reason": finding.reason, "confidence": finding.confidence, "place": finding.place, "evidence": finding.evidence,
            })
        })
        .collect();
    serde_json::json!({
        "time": time_of(row.at), "id": format!("{:016x}", row.id), "api": row.api,
        "endpoint": row.endpoint.map(|id| format!("e{id}")), "client": row.client, "version": row.version,
        "method": row.method, "host": row.host, "path": row.path, "status": row.status, "source": row.status_source,
        "end": row.end, "request_type": row.request_type, "response_type": row.response_type,
        "request_bytes": row.request_bytes, "response_bytes": row.response_bytes, "total_us": row.total_us,
        "upstream_us": row.upstream_us, "judge_us": row.judge_us, "agent": row.agent,
        "session": row.session.map(|session| format!("{session:016x}")), "credential": row.credential, "cookie": row.cookie,
        "referer": row.referer, "accept": row.accept, "fetch_dest": row.fetch_dest, "operation": row.operation,
        "verdict": row.verdict, "findings": findings,
    })
}
