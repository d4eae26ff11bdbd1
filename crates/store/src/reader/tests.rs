//! Queries against the same questions answered by hand.

use std::collections::BTreeMap;
use std::fs;

use model::{Event, Timestamp};

use super::*;
use crate::query::{Cell, Field, Filter, Group, Measure, Order};
use crate::row::Row;
use crate::settings::{Cut, Settings};
use crate::testing::{Disk, START, Traffic};
use crate::writer::Writer;

struct Store {
    directory: tempfile::TempDir,
    writer: Writer,
    events: Vec<Event>,
    reader: Reader,
    until: Timestamp,
}

/// Several segments, a journal, and nothing unflushed.
fn store(exchanges: usize) -> Store {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings { segment_rows_max: 1_000, cut: Cut::Inline, ..Settings::default() };
    let mut writer = Writer::open_on(Disk::unsynced(), directory.path(), settings).expect("a writer");
    let mut traffic = Traffic::new(30);
    let mut events = Vec::new();
    for _ in 0..exchanges / 100 {
        let batch: Vec<Event> = (0..100).map(|_| traffic.event()).collect();
        writer.write(&batch);
        traffic.wait_us(2_000_000);
        writer.tick(traffic.now());
        events.extend(batch);
    }
    writer.flush();
    let reader = Reader::open(directory.path(), QueryLimits::default()).expect("a reader");
    Store { directory, writer, events, reader, until: traffic.now() }
}

fn names() -> Arc<EndpointNames> {
    Arc::new(EndpointNames::new((100..200).map(|id| (id, format!("GET api.shop.example/v1/things{id}/{{id}}")))))
}

fn count(reader: &Reader, until: Timestamp, filter: &str) -> i64 {
    let query = Query::count(START, until, Filter::parse(filter).expect(filter));
    let answer = reader.query_blocking(&query, names()).expect(filter);
    match answer.rows.first().and_then(|row| row.first()) {
        Some(Cell::Integer(count)) => *count,
        other => panic!("{filter}: {other:?}"),
    }
}

#[test]
fn filters_mean_what_they_say() {
    let store = store(2_600);
    let row = |event| Row::of(event, 1.0);
    type Expected = fn(&Row<'_>) -> bool;
    let cases: [(&str, Expected); 26] = [
        ("", |_| true),
        ("status=429", |row| row.status == 429),
        ("status!=200", |row| row.status != 200),
        ("status>=400 and status<500", |row| (400..500).contains(&row.status)),
        ("status=5xx", |row| row.status / 100 == 5),
        ("status=70000", |_| false),
        ("verdict=refuse", |row| row.verdict == "refuse"),
        ("verdict!=pass", |row| row.verdict != "pass"),
        ("reason=attacks.sql", |row| row.findings.iter().any(|finding| finding.reason == "attacks.sql")),
        ("reason!=attacks.sql", |row| !row.findings.iter().any(|finding| finding.reason == "attacks.sql")),
        ("reason=contract.*", |row| row.findings.iter().any(|finding| finding.reason.starts_with("contract."))),
        ("reason=none", |row| row.findings.is_empty()),
        ("category=injection", |row| row.findings.iter().any(|finding| finding.reason == "attacks.sql")),
        ("severity>=critical", |row| row.findings.iter().any(|finding| finding.reason == "attacks.sql")),
        ("query=limit", |row| row.query_names.iter().any(|name| name == "limit")),
        ("method=POST path~/CARTS/", |row| row.method == "POST" && row.path.contains("/carts/")),
        ("path=/v1/products/*", |row| row.path.starts_with("/v1/products/")),
        ("path~100%", |row| row.path.contains("100%")),
        ("client=46.16.0.0/12", |row| {
            let address: std::net::IpAddr = row.client.parse().expect("an address");
            "46.16.0.0/12".parse::<ipnet::IpNet>().expect("a network").contains(&address)
        }),
        ("endpoint=e101", |row| row.endpoint == Some(101)),
        ("endpoint=none", |row| row.endpoint.is_none()),
        ("endpoint!=e101", |row| row.endpoint != Some(101)),
        ("endpoint~/v1/things11", |row| row.endpoint.is_some_and(|id| (110..120).contains(&id))),
        ("endpoint=/v1/things102/{id}", |row| row.endpoint == Some(102)),
        ("session=none", |row| row.session.is_none()),
        ("not (credential or latency>5ms)", |row| !row.credential && row.total_us <= 5_000),
    ];
    for (filter, expected) in cases {
        let by_hand = store.events.iter().filter(|event| expected(&row(event))).count();
        assert_eq!(count(&store.reader, store.until, filter), by_hand as i64, "{filter}");
    }
    let half = store.events[1_300].at;
    assert_eq!(count(&store.reader, half, ""), 1_300);
}

#[test]
fn groups_and_measures_agree_with_counting_by_hand() {
    let store = store(2_300);
    let measures =
        ["count", "errors", "refused", "distinct(session)", "mean(latency)", "p50(latency)", "p95(latency)", "last"];
    let query = Query {
        group_by: vec![Group::Field(Field::Endpoint)],
        measures: measures.map(|text| Measure::parse(text).expect(text)).to_vec(),
        order: Order { column: 1, direction: Direction::Descending },
        limit: 1_000,
        ..Query::count(START, store.until, Filter::everything())
    };
    let answer = store.reader.query_blocking(&query, Arc::default()).expect("an answer");
    assert_eq!(answer.columns[..2], ["endpoint", "count"]);
    assert!(!answer.truncated);
    assert_eq!(answer.scan.segments, 2);
    assert_eq!(answer.scan.journal_rows, 300);
    let mut by_hand: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in &store.events {
        let name = event.endpoint.map_or_else(String::new, |endpoint| endpoint.to_string());
        by_hand.entry(name).or_default().push(event);
    }
    assert_eq!(answer.rows.len(), by_hand.len());
    let mut before = i64::MAX;
    for row in &answer.rows {
        let name = match &row[0] {
            Cell::Text(name) => name.as_str(),
            _ => "",
        };
        let events = &by_hand[name];
        let count = events.len() as i64;
        assert_eq!(row[1], Cell::Integer(count), "{name}");
        assert!(count <= before);
        before = count;
        let errors = events.iter().filter(|event| event.status >= 400).count();
        assert_eq!(row[2], Cell::Integer(errors as i64));
        assert_eq!(row[3], Cell::Integer(events.iter().filter(|event| event.verdict.refuses()).count() as i64));
        let mut latencies: Vec<u32> = events.iter().map(|event| event.total_us).collect();
        latencies.sort_unstable();
        let mean = latencies.iter().map(|&us| f64::from(us)).sum::<f64>() / latencies.len() as f64;
        let near = |cell: &Cell, expected: f64, share: f64| match cell {
            Cell::Number(got) => assert!((got - expected).abs() <= expected * share, "{name}: {got} for {expected}"),
            other => panic!("{other:?}"),
        };
        near(&row[5], mean, 1e-6);
        if latencies.len() >= 100 {
            near(&row[6], f64::from(latencies[latencies.len() / 2]), 0.10);
            near(&row[7], f64::from(latencies[latencies.len() * 95 / 100]), 0.15);
        }
        assert_eq!(row[8], Cell::Time(events.iter().map(|event| event.at).max().expect("an event")));
    }
}

#[test]
fn an_exchange_counts_for_each_of_its_reasons_and_for_its_minute() {
    let store = store(3_000);
    let query = Query::top(START, store.until, Filter::everything(), Field::Reason, 10);
    let answer = store.reader.query_blocking(&query, names()).expect("an answer");
    let findings: usize = store.events.iter().map(|event| event.findings.len()).sum();
    let sum: i64 = answer.rows.iter().map(|row| if let Cell::Integer(count) = row[1] { count } else { 0 }).sum();
    assert_eq!(sum, findings as i64);
    let query = Query::top(START, store.until, Filter::everything(), Field::Category, 10);
    let answer = store.reader.query_blocking(&query, names()).expect("an answer");
    assert!(answer.rows.iter().any(|row| row[0] == Cell::Text("injection".to_owned())));
    let query = Query {
        group_by: vec![Group::Time { step_s: 10 }],
        order: Order { column: 0, direction: Direction::Ascending },
        limit: 1_000,
        ..Query::count(START, store.until, Filter::everything())
    };
    let answer = store.reader.query_blocking(&query, names()).expect("an answer");
    let times: Vec<i64> =
        answer.rows.iter().map(|row| if let Cell::Time(at) = row[0] { at.secs() } else { -1 }).collect();
    assert!(times.is_sorted() && times.iter().all(|at| at % 10 == 0));
    assert_eq!(times.len(), 6);
}

fn listed(reader: &Reader, query: EventQuery) -> Vec<Row<'static>> {
    let mut stream = reader.events(query, names()).expect("a stream");
    let mut rows = Vec::new();
    while let Some(slice) = stream.next_blocking() {
        rows.extend(slice.expect("exchanges"));
    }
    rows
}

/// Rows of different lifetimes cannot be compared; their stored forms can.
fn stored_form(row: &Row<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    row.encode(&mut bytes);
    bytes
}

#[test]
fn lists_are_in_order_and_whole() {
    let store = store(3_300);
    for (order, limit) in [
        (Direction::Descending, None),
        (Direction::Ascending, None),
        (Direction::Descending, Some(250)),
        (Direction::Ascending, Some(1_500)),
    ] {
        let query = EventQuery { since: START, until: store.until, filter: Filter::everything(), order, limit };
        let rows = listed(&store.reader, query);
        let mut expected: Vec<Row<'_>> = store.events.iter().map(|event| Row::of(event, 1.0)).collect();
        expected.sort_by_key(|row| (row.at, row.id));
        if order == Direction::Descending {
            expected.reverse();
        }
        // The last exchange lies at `until`, which is not in the range.
        expected.retain(|row| row.at < store.until.0);
        expected.truncate(limit.unwrap_or(usize::MAX));
        assert_eq!(rows.len(), expected.len(), "{order:?} {limit:?}");
        for (row, expected) in rows.iter().zip(&expected) {
            assert_eq!(stored_form(row), stored_form(expected), "{order:?} {limit:?}");
        }
    }
}

#[test]
fn a_reader_follows_the_writer() {
    let mut store = store(1_000);
    assert_eq!(count(&store.reader, store.until, ""), 1_000);
    let mut traffic = Traffic::new(31);
    traffic.wait_us(3_600_000_000);
    for round in 1..=6 {
        let batch: Vec<Event> = (0..700).map(|_| traffic.event()).collect();
        store.writer.write(&batch);
        traffic.wait_us(1_000_000);
        store.writer.tick(traffic.now());
        assert_eq!(count(&store.reader, traffic.now(), ""), 1_000 + round * 700);
    }
    let id = traffic.event().id;
    let missing = store.reader.handle().expect("threads").block_on(store.reader.event(id, None)).expect("an answer");
    assert!(missing.is_none());
    let event = &store.events[500];
    let found = store.reader.handle().expect("threads").block_on(store.reader.event(event.id, Some(event.at)));
    let found = found.expect("an answer").expect("the exchange");
    assert_eq!(stored_form(&found), stored_form(&Row::of(event, 1.0)));
}

#[test]
fn damaged_segments_are_left_out_and_named() {
    let store = store(3_200);
    let segments = store.reader.layout().list().expect("a list").segments;
    assert_eq!(segments.len(), 3);
    // One is cut, one has a hole in the middle.
    let bytes = fs::read(&segments[0].path).expect("bytes");
    fs::write(&segments[0].path, &bytes[..bytes.len() / 2]).expect("a cut file");
    let mut bytes = fs::read(&segments[1].path).expect("bytes");
    let length = bytes.len();
    bytes[8..length / 2].fill(0xee);
    fs::write(&segments[1].path, bytes).expect("a file with a hole");
    let query = Query::count(START, store.until, Filter::parse("latency>=0 and path~/").expect("a filter"));
    let answer = store.reader.query_blocking(&query, names()).expect("an answer");
    assert_eq!(answer.rows, [[Cell::Integer(1_200)]]);
    assert_eq!(answer.scan.damaged, [segments[0].path.clone(), segments[1].path.clone()]);
    let rows = listed(
        &store.reader,
        EventQuery {
            since: START,
            until: store.until,
            filter: Filter::everything(),
            order: Direction::Ascending,
            limit: None,
        },
    );
    assert_eq!(rows.len(), 1_200);
}

#[test]
fn a_list_survives_retention() {
    let store = store(5_000);
    let query = EventQuery {
        since: START,
        until: store.until,
        filter: Filter::everything(),
        order: Direction::Descending,
        limit: None,
    };
    let mut stream = store.reader.events(query, names()).expect("a stream");
    let oldest = store.reader.layout().list().expect("a list").segments[0].path.clone();
    fs::remove_file(oldest).expect("deleted");
    let mut rows = 0;
    while let Some(slice) = stream.next_blocking() {
        rows += slice.expect("exchanges").len();
    }
    assert!(rows == 4_000 || rows == 3_999, "{rows}");
}

#[test]
fn limits_of_memory_and_time_are_told() {
    let store = store(4_000);
    let open = |limits| Reader::open(store.directory.path(), limits).expect("a reader");
    let all = Query {
        group_by: vec![Group::Field(Field::Id), Group::Field(Field::Path)],
        limit: 100,
        order: Order { column: 2, direction: Direction::Descending },
        ..Query::count(START, store.until, Filter::everything())
    };
    let small = open(QueryLimits { memory_bytes_max: 200_000, ..QueryLimits::default() });
    let error = small.query_blocking(&all, names()).expect_err("too little memory");
    assert!(matches!(error, StoreError::MemoryLimit { .. }), "{error}");
    let hasty = open(QueryLimits { timeout_ms: 0, ..QueryLimits::default() });
    let error = hasty.query_blocking(&all, names()).expect_err("too little time");
    assert!(matches!(error, StoreError::TimeLimit { limit_ms: 0 }), "{error}");
    assert!(open(QueryLimits::default()).query_blocking(&all, names()).expect("an answer").truncated);
}

#[test]
fn the_largest_and_the_deepest_filter_are_answered() {
    let store = store(300);
    let tests = crate::query::filter::TESTS_MAX;
    let wide: Vec<String> = (0..tests).map(|number| format!("path!=/never/{number}")).collect();
    assert_eq!(count(&store.reader, store.until, &wide.join(" and ")), 300);
    let either: Vec<String> =
        (0..tests).map(|number| format!("(status={} and not path~never)", number + 200)).collect();
    let either = either.get(..tests / 2).expect("half of the tests").join(" or ");
    assert_eq!(count(&store.reader, store.until, &either), 300 - count(&store.reader, store.until, "status>=328"));
    let depth = crate::query::filter::DEPTH_MAX;
    let deep = format!("{}status=0 or path~/{}", "(not cookie or not (".repeat(depth / 3), "))".repeat(depth / 3));
    count(&store.reader, store.until, &deep);
}

#[test]
fn a_directory_that_is_not_there_is_empty() {
    let directory = tempfile::tempdir().expect("a directory");
    let reader = Reader::open(&directory.path().join("none"), QueryLimits::default()).expect("a reader");
    assert_eq!(count(&reader, Timestamp(i64::MAX), "status=200"), 0);
}

#[test]
fn a_directory_with_a_strange_name_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let strange = directory.path().join("a [b] *c% é?#");
    let settings = Settings { segment_rows_max: 1_000, cut: Cut::Inline, ..Settings::default() };
    let mut writer = Writer::open_on(Disk::unsynced(), &strange, settings).expect("a writer");
    let mut traffic = Traffic::new(32);
    writer.write(&(0..1_500).map(|_| traffic.event()).collect::<Vec<_>>());
    writer.cut();
    writer.close();
    let reader = Reader::open(&strange, QueryLimits::default()).expect("a reader");
    assert_eq!(count(&reader, Timestamp(i64::MAX), ""), 1_500);
}
