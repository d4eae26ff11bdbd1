//! The regression tests of the OWASP Core Rule Set, with its rules loaded from `--crs`.
//!
//! Two questions. *By rule*, as the set's own tests ask it: at paranoia level 4, did the rule that is named match (a
//! positive) or stay silent (a negative)? Rules that the loaded version does not have are counted apart. *By verdict*, as an
//! operator asks it: at level 1 with everything in mode `block`, was the request refused, by the rules alone and by the
//! whole pipeline? Tests of responses say in the request what the upstream is to answer; here that answer is judged.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inspect::Policy;
use inspect::stages::crs::CrsPolicy;
use model::mode::Mode;
use model::reason::StageId;
use seclang::{Body, Report, Request, Response, Rules, Settings};

use super::{attacks, http1};
use crate::Outcome;
use crate::table::{Cell, Table, publish};

/// Arguments of this task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds the collections.
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// The rules: a folder with `crs-setup.conf` and `rules`, or Debian's `/usr/share/modsecurity-crs`.
    #[arg(long, value_name = "DIR")]
    crs: PathBuf,
    /// Also write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print the tests of this family that did not go as the rules' own tests ask, to standard error.
    #[arg(long, value_name = "FAMILY")]
    misses: Option<String>,
}

/// What the set's own test bed configures beside level 4.
const TEST_BED: &[(&str, &str)] = &[
    ("crs_validate_utf8_encoding", "1"),
    ("arg_name_length", "100"),
    ("arg_length", "400"),
    ("total_arg_length", "64000"),
    ("max_num_args", "255"),
    ("max_file_size", "64100"),
    ("combined_file_sizes", "65535"),
];

#[derive(Default)]
struct Tally {
    positives: u64,
    lacking: u64,
    matched: u64,
    refused_by_rules: u64,
    refused: u64,
    negatives: u64,
    wrongly_matched: u64,
    negatives_refused: u64,
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> Outcome {
    let cases = http1::lines(&arguments.corpus, "crs-regression/tests.jsonl")?;
    let variables = TEST_BED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let strict = load(&arguments.crs, &Settings { paranoia: Some(4), variables, ..Settings::default() })?;
    let default = Arc::new(load(&arguments.crs, &Settings::default())?);
    let mut policy = attacks::policy();
    policy.crs = Some(CrsPolicy { rules: Arc::clone(&default) });
    let mut alone = Policy::new(policy.api.clone(), Mode::Off);
    alone.modes.set(StageId::Crs, Mode::Block);
    alone.crs.clone_from(&policy.crs);
    let mut rows: BTreeMap<(u64, String), Tally> = BTreeMap::new();
    for case in &cases {
        let number = |name: &str| case.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
        let (rule, level) = (u32::try_from(number("rule_id"))?, number("paranoia_level"));
        let positive = match http1::text(case, "kind") {
            "positive" => true,
            "negative" => false,
            _ => continue,
        };
        let raw = http1::bytes(case, "raw_b64")?;
        let is_response = http1::text(case, "family").starts_with("RESPONSE");
        let strict_report = judge(&strict, &raw, is_response);
        let expected: Vec<u32> = ids(case, if positive { "expect_ids" } else { "no_expect_ids" });
        let matched = expected.iter().any(|id| strict_report.fired.contains(id));
        let is_loaded = expected.iter().any(|id| strict.has_rule(*id));
        let by_rules = judge(&default, &raw, is_response).denial.is_some();
        let refused = by_rules || (!is_response && attacks::judge(&policy, &raw).refused);
        for family in [http1::text(case, "family").to_owned(), "all".to_owned()] {
            let tally = rows.entry((level, family)).or_default();
            if positive {
                tally.positives += 1;
                tally.lacking += u64::from(!is_loaded);
                tally.matched += u64::from(matched);
                tally.refused_by_rules += u64::from(by_rules);
                tally.refused += u64::from(refused);
            } else {
                tally.negatives += 1;
                tally.wrongly_matched += u64::from(matched);
                tally.negatives_refused += u64::from(refused);
            }
        }
        let wanted = arguments.misses.as_deref().is_some_and(|family| http1::text(case, "family").contains(family));
        if wanted && is_loaded && matched != positive {
            let kind = if positive { "positive" } else { "negative" };
            let shown: String = raw.escape_ascii().to_string().chars().take(700).collect();
            eprintln!(
                "{rule} test {} level {level} {kind}: fired {:?}\n    {shown}",
                number("test_id"),
                strict_report.fired
            );
        }
    }
    publish(&[table(rows)], arguments.json.as_deref())
}

fn table(rows: BTreeMap<(u64, String), Tally>) -> Table {
    let columns = [
        "level",
        "family",
        "positives",
        "rule is not in this version",
        "rule matched",
        "share of those it has",
        "refused by the rules at level 1",
        "refused by everything at level 1",
        "negatives",
        "rule matched wrongly",
        "negatives refused at level 1",
    ];
    let mut table = Table::new("Core Rule Set, its own tests, with its rules loaded", &columns);
    for ((level, family), tally) in rows {
        let loaded = tally.positives - tally.lacking;
        let share = if loaded == 0 { Cell::None } else { Cell::Ratio(tally.matched as f64 / loaded as f64) };
        table.rows.push(vec![
            Cell::Count(level),
            Cell::text(family),
            Cell::Count(tally.positives),
            Cell::Count(tally.lacking),
            Cell::Count(tally.matched),
            share,
            Cell::Count(tally.refused_by_rules),
            Cell::Count(tally.refused),
            Cell::Count(tally.negatives),
            Cell::Count(tally.wrongly_matched),
            Cell::Count(tally.negatives_refused),
        ]);
    }
    table
}

fn load(path: &Path, settings: &Settings) -> Result<Rules, String> {
    let loaded = seclang::load_path(path, settings);
    let shown = |problems: Vec<seclang::error::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    Ok(loaded.map_err(shown)?.rules)
}

fn ids(case: &serde_json::Value, name: &str) -> Vec<u32> {
    let list = case.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
    list.filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect()
}

/// Judges the bytes of a request by the rules alone, also one that our parser would refuse.
fn judge(rules: &Rules, raw: &[u8], is_response: bool) -> Report {
    let head_end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(raw.len());
    let (head, body) = raw.split_at(head_end);
    let body = body.get(4..).unwrap_or_default();
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let request_line = lines.next().unwrap_or_default();
    let (method, rest) = halves(request_line, b' ').unwrap_or((request_line, b""));
    let (target, protocol) = match rest.iter().rposition(|&byte| byte == b' ') {
        Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default()),
        None => (rest, &b""[..]),
    };
    let fields: Vec<(&[u8], &[u8])> =
        lines.filter_map(|line| halves(line, b':').map(|(name, value)| (name, value.trim_ascii()))).collect();
    let request = Request {
        method,
        target,
        protocol: std::str::from_utf8(protocol).unwrap_or_default(),
        fields: &fields,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        unique: 7,
        body: Some(Body { bytes: body, whole: true, json: None }),
    };
    if is_response { answer(rules, &request, body) } else { rules.judge_request(&request) }
}

/// The answer that the request asks the upstream for: `{"status": 200, "headers": {}, "body": "", "encodedBody": ""}`.
fn answer(rules: &Rules, request: &Request<'_>, wish: &[u8]) -> Report {
    let wish: serde_json::Value = serde_json::from_slice(wish).unwrap_or_default();
    let status = wish.get("status").and_then(serde_json::Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let encoded = wish.get("encodedBody").and_then(serde_json::Value::as_str);
    let decoded = encoded.map(|text| seclang::transform::Transform::Base64Decode.apply(text.as_bytes()).into_owned());
    let plain = wish.get("body").and_then(serde_json::Value::as_str).unwrap_or_default().as_bytes().to_vec();
    let bytes = decoded.unwrap_or(plain);
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in wish.get("headers").and_then(serde_json::Value::as_object).into_iter().flatten() {
        fields.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        fields.push(("Content-Type".to_owned(), "text/html".to_owned()));
    }
    let fields: Vec<(&[u8], &[u8])> = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let response = Response {
        status: status.unwrap_or(200),
        protocol: "HTTP/1.1",
        fields: &fields,
        body: Some(Body { bytes: &bytes, whole: true, json: None }),
    };
    rules.judge_response(request, &response)
}

fn halves(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
