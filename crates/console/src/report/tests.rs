use expect_test::expect;
use store::rollup::Rollups;
use store::testing::{START, Traffic};

use super::*;

fn filled() -> (tempfile::TempDir, Range) {
    let directory = tempfile::tempdir().expect("a directory");
    let layout = store::layout::Layout::new(directory.path());
    layout.create().expect("directories");
    let mut rollups = Rollups::open(&layout.rollups(), &store::Settings::default()).expect("rollups");
    let mut traffic = Traffic::new(7);
    for _ in 0..5_000 {
        let mut event = traffic.event();
        if event.api == Some("partners".into()) {
            event.api = Some("<script>alert(1)</script>|`x`".into());
        }
        rollups.add(&event);
    }
    rollups.flush().expect("a flush");
    (directory, Range { since: START, until: Timestamp::from_secs(START.secs() + 3_600) })
}

#[test]
fn every_figure_has_its_query_and_reads_well() {
    let (directory, range) = filled();
    let report = report(directory.path(), range, range.until).expect("a report");
    let summary: String = report
        .headlines
        .iter()
        .map(|line| format!("{} {} = {}/{} [{}]\n", line.id, percent(line.percent), line.part, line.whole, line.filter))
        .collect();
    expect![[r#"
        api-success-of-dynamic 90.6 % = 4528/5000 [class=api and status=2xx]
        api-of-dynamic 96.7 % = 4833/5000 [class=api]
        only-learning none = 0/0 []
        shadow none = 0/0 []
        orphan none = 0/0 []
        write-endpoints none = 0/0 []
        write-apis none = 0/0 []
        refused 1.0 % = 48/5000 [verdict=refuse]
        limited-by-upstream 100.0 % = 63/63 [class=api and status=429 and source=upstream]
    "#]]
    .assert_eq(&summary);
    assert_eq!(report.figures.requests, 5_000);
    assert!(report.advice.iter().any(|advice| advice.link == "/threats"));
    for line in report.rankings.iter().flat_map(|ranking| &ranking.lines) {
        store::query::Filter::parse(&line.filter).expect("a filter that reads");
    }
}

#[test]
fn names_from_traffic_are_no_markup() {
    let (directory, range) = filled();
    let report = report(directory.path(), range, range.until).expect("a report");
    let (html, markdown) = (report.html(), report.markdown());
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!html.contains("<script"));
    assert!(!markdown.contains("<script"));
    assert!(markdown.contains("\\|\\`x\\`"));
    serde_json::from_str::<serde_json::Value>(&report.json()).expect("JSON");
}

#[test]
fn a_report_of_nothing_says_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let range = Range { since: START, until: Timestamp(START.0 + 1) };
    let report = report(directory.path(), range, range.until).expect("a report");
    assert!(report.headlines.is_empty());
    assert!(report.html().contains("0 requests"));
    assert!(report.markdown().contains("0 requests"));
}

#[test]
fn counts_are_grouped() {
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    assert_eq!(trend(150, 100), "+50.0 % against the period before");
}
