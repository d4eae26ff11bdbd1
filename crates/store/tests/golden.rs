//! A data directory written by every version of the formats, and what must be read from it for ever.
//!
//! `tests/golden/vN/data` was written by the first program of version N; `tests/golden/vN/expected.txt` is what it held. When a format
//! gets a new version, run `STORE_GOLDEN_WRITE=N cargo test -p store --test golden` once and commit the new directory; the old ones
//! stay and must still pass.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a panic in a test is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Endpoint, EndpointId, EndpointState, Origin, OriginSet, Protocol, Timestamp};
use serde_json::json;
use store::inventory::{AuditEntry, AuditFilter, EndpointFilter};
use store::query::{Direction, Filter};
use store::rollup::{Range, Scope};
use store::testing::{START, Traffic};
use store::{Cut, EventQuery, Inventory, QueryLimits, Reader, RollupReader, Settings, StoredEndpoint, Writer};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A little of everything.
fn write(directory: &Path) {
    let settings = Settings { segment_rows_max: 1_000, cut: Cut::Inline, ..Settings::default() };
    let mut writer = Writer::open(directory, settings).expect("a writer");
    let mut traffic = Traffic::new(77);
    let mut events: Vec<_> =
        (0..200).map(|_| traffic.event()).filter(|event| event.id.0 % 4 == 0 || !event.findings.is_empty()).collect();
    let tail = events.split_off(events.len() - 20);
    writer.write(&events);
    writer.cut();
    traffic.wait_us(7_200_000_000);
    writer.write(&tail);
    writer.close();

    let mut inventory = Inventory::open(directory).expect("an inventory");
    let mut origins = OriginSet::default();
    origins.insert(Origin::Learning);
    origins.insert(Origin::Contract);
    let mut endpoint = StoredEndpoint::new(Endpoint {
        id: EndpointId(101),
        api: "shop".to_owned(),
        host: "api.shop.example".to_owned(),
        method: "POST".to_owned(),
        template: "/graphql".to_owned(),
        operation: "Cart".to_owned(),
        protocol: Protocol::Graphql,
        origins,
        state: EndpointState::Saved,
        confidence: 0.5,
        labels: vec!["purchase".to_owned()],
        first_seen: START,
        last_seen: Timestamp(START.0 + 1),
        requests: 12,
    });
    endpoint.owner = "team-a".to_owned();
    endpoint.evidence = json!({"shapes": ["uuid"]});
    endpoint.schema = json!({"responses": {}});
    inventory.put("ada", START, &[endpoint]).expect("written");
    inventory.change("ada", START, EndpointId(101), |stored| stored.mode = "block".to_owned()).expect("changed");
    inventory.add_constraint("ada", START, "pin", &json!({"template": "/graphql"})).expect("added");
    inventory.put_setting("theme", &json!("dark")).expect("set");
    inventory.put_policy("ada", START, "first", "mode: block").expect("kept");
    let entry = AuditEntry {
        sequence: 0,
        at: START,
        who: "ada".to_owned(),
        action: "policy.apply".to_owned(),
        subject: "1".to_owned(),
        before: json!(null),
        after: json!({"mode": "block"}),
    };
    inventory.audit(&entry).expect("written");
}

/// Everything in a data directory, as text.
fn read(directory: &Path) -> String {
    let mut lines = Vec::new();
    let reader = Reader::open(directory, QueryLimits::default()).expect("a reader");
    let query = EventQuery {
        since: Timestamp(0),
        until: Timestamp(i64::MAX),
        filter: Filter::everything(),
        order: Direction::Ascending,
        limit: None,
    };
    let mut stream = reader.events(query, Arc::default()).expect("a stream");
    lines.push(format!("segments {} journal {}", stream.scan.segments, stream.scan.journal_rows));
    while let Some(rows) = stream.next_blocking() {
        lines.extend(rows.expect("exchanges").iter().map(|row| store::json::event_json(row).to_string()));
    }
    let rollups = RollupReader::open(&reader.layout().rollups()).expect("readable").expect("rollups");
    let range = Range { since: START, until: Timestamp(START.0 + 86_400_000_000) };
    for scope in [
        Scope::All,
        Scope::Api("shop".into()),
        Scope::Endpoint("shop".into(), EndpointId(100)),
        Scope::Unmatched("shop".into()),
    ] {
        let total = rollups.total(&scope, range).expect("a total").rows;
        lines.push(format!("{scope:?} {} sessions {total:?}", total.sessions.count()));
    }
    let inventory = Inventory::open_reading(directory).expect("readable").expect("an inventory");
    let all = EndpointFilter { removed: true, ..EndpointFilter::default() };
    for endpoint in inventory.endpoints(&all).expect("endpoints") {
        lines.push(format!("{endpoint:?}"));
    }
    lines.push(format!("{:?}", inventory.changes(None, 100).expect("changes")));
    lines.push(format!("{:?}", inventory.constraints().expect("constraints")));
    lines.push(format!("{:?}", inventory.setting("theme").expect("a setting")));
    lines.push(format!("{:?}", inventory.policies(100).expect("policies")));
    lines.push(format!("{:?}", inventory.audit_entries(&AuditFilter::default(), 100).expect("entries")));
    lines.join("\n") + "\n"
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a list") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[test]
fn every_version_is_read_and_gone_on_with() {
    if let Ok(version) = std::env::var("STORE_GOLDEN_WRITE") {
        let directory = golden().join(format!("v{version}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory");
        write(&directory.join("data"));
        fs::write(directory.join("expected.txt"), read(&directory.join("data"))).expect("written");
        for name in ["lock", "inventory.sqlite-shm", "inventory.sqlite-wal", "rollups.sqlite-shm", "rollups.sqlite-wal"]
        {
            let _ = fs::remove_file(directory.join("data").join(name));
        }
    }
    let mut versions = 0;
    for entry in fs::read_dir(golden()).expect("golden directories") {
        let directory = entry.expect("an entry").path();
        let expected = fs::read_to_string(directory.join("expected.txt")).expect("what it held");
        let scratch = tempfile::tempdir().expect("a directory");
        copy(&directory.join("data"), scratch.path());
        assert!(read(scratch.path()) == expected, "{} reads differently", directory.display());
        // Today's writer goes on with it, and nothing is lost.
        let mut writer = Writer::open(scratch.path(), Settings::default()).expect("a writer");
        writer.cut();
        let health = writer.close();
        assert_eq!((health.errors, health.segments_damaged, health.segments_newer), (0, 0, 0));
        drop(Inventory::open(scratch.path()).expect("an inventory"));
        let after = read(scratch.path());
        assert!(after.lines().skip(1).eq(expected.lines().skip(1)), "{} changed", directory.display());
        versions += 1;
    }
    assert!(versions > 0);
}
