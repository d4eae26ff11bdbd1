//! Stored things as JSON, for the command line and the admin API: one spelling for both.

use model::Timestamp;
use serde_json::{Map, Value, json};

use crate::query::{Answer, Cell};
use crate::row::Row;

/// A moment as RFC 3339 text with microseconds, in UTC.
pub fn time_text(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map_or_else(|_| at.0.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// One exchange. Names are those of the columns; empty texts and absent values are left out.
pub fn event_json(row: &Row<'_>) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("at", json!(time_text(Timestamp(row.at))));
    put("id", json!(format!("{:016x}", row.id)));
    for (name, text) in crate::columns::TEXT_COLUMNS.into_iter().zip(row.texts()) {
        if !text.is_empty() {
            put(name, json!(text));
        }
    }
    if let Some(endpoint) = row.endpoint {
        put("endpoint", json!(format!("e{endpoint}")));
    }
    for (name, names) in [("query_names", &row.query_names), ("custom_headers", &row.custom_headers)] {
        if !names.is_empty() {
            put(name, json!(**names));
        }
    }
    put("status", json!(row.status));
    put("request_bytes", json!(row.request_bytes));
    put("response_bytes", json!(row.response_bytes));
    put("total_us", json!(row.total_us));
    put("upstream_us", json!(row.upstream_us));
    put("judge_us", json!(row.judge_us));
    if let Some(server) = row.server {
        put("server", json!(server));
    }
    put("retries", json!(row.retries));
    if let Some(session) = row.session {
        put("session", json!(format!("{session:016x}")));
    }
    put("credential", json!(row.credential));
    put("cookie", json!(row.cookie));
    let findings: Vec<Value> = row
        .findings
        .iter()
        .map(|finding| {
            json!({
                "reason": finding.reason,
                "confidence": finding.confidence,
                "place": finding.place,
                "evidence": finding.evidence,
            })
        })
        .collect();
    put("findings", json!(findings));
    put("weight", json!(row.weight));
    Value::Object(fields)
}

/// One value of an answer.
pub fn cell_json(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) => json!(text),
        Cell::Integer(number) => json!(number),
        Cell::Number(number) => json!(number),
        Cell::Time(at) => json!(time_text(*at)),
        Cell::Flag(flag) => json!(flag),
        Cell::Absent => Value::Null,
    }
}

/// An answer: columns, rows, whether it was cut, and what was read.
pub fn answer_json(answer: &Answer) -> Value {
    let rows: Vec<Value> = answer.rows.iter().map(|row| row.iter().map(cell_json).collect()).collect();
    json!({
        "columns": answer.columns,
        "rows": rows,
        "truncated": answer.truncated,
        "scan": {
            "segments": answer.scan.segments,
            "journal_rows": answer.scan.journal_rows,
            "damaged": answer.scan.damaged,
            "newer": answer.scan.newer,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, Traffic};
    use expect_test::expect;

    #[test]
    fn an_exchange_as_json() {
        let mut traffic = Traffic::new(50);
        let event =
            std::iter::repeat_with(|| traffic.event()).find(|event| !event.findings.is_empty()).expect("an attack");
        expect![[r#"
            {
              "accept": "application/vnd.shop.v1+json, application/json;q=0.9",
              "agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/122.5 Safari/605.1.15",
              "api": "shop",
              "at": "2026-01-01T00:00:00.000070Z",
              "class": "api",
              "client": "46.183.174.8",
              "cookie": true,
              "credential": true,
              "endpoint": "e100",
              "fetch_dest": "empty",
              "findings": [
                {
                  "confidence": "sure",
                  "evidence": "tokens s&1o",
                  "place": "query:q",
                  "reason": "attacks.sql"
                }
              ],
              "host": "api.shop.example",
              "id": "8000a595419ee117",
              "judge_us": 10,
              "method": "GET",
              "outcome": "refused",
              "path": "/v1/products",
              "query_names": [
                "q",
                "page",
                "limit"
              ],
              "referer": "https://www.shop.example/pages/item-217.html",
              "request_bytes": 0,
              "response_bytes": 180,
              "response_type": "application/problem+json",
              "retries": 0,
              "session": "ca4d61d2d133fd6a",
              "status": 403,
              "status_source": "gateway",
              "total_us": 50,
              "upstream_us": 0,
              "verdict": "refuse",
              "verdict_reason": "attacks.sql",
              "version": "2",
              "weight": 1.0
            }"#]].assert_eq(&serde_json::to_string_pretty(&event_json(&Row::of(&event, 1.0))).expect("JSON"));
        assert_eq!(time_text(START), "2026-01-01T00:00:00.000000Z");
        assert_eq!(time_text(Timestamp(i64::MAX)), i64::MAX.to_string());
    }
}
