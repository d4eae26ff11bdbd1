//! Regression tests of the OWASP Core Rule Set's protocol families (911, 920, 921, 922), by rule.
//!
//! A positive is a request that the rule refuses at its paranoia level; a negative only one for which that rule is silent.
//! Some positives are ordinary for APIs and pass on purpose: DELETE, bodies on GET, content types that only a contract can
//! forbid, repeated parameters.

use std::collections::BTreeMap;

use super::http1::{self, Arguments};
use crate::table::{Cell, Table, publish};

#[derive(Default)]
struct Tally {
    message: String,
    positives: u64,
    refused: u64,
    reported: u64,
    negatives: u64,
    negatives_refused: u64,
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let cases = http1::lines(&arguments.corpus, "crs-regression/tests.jsonl")?;
    let mut rows: BTreeMap<(u64, u64), Tally> = BTreeMap::new();
    for case in &cases {
        let number = |name: &str| case.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
        let (rule, level) = (number("rule_id"), number("paranoia_level"));
        if !matches!(rule / 1000, 911 | 920..=922) {
            continue;
        }
        let raw = http1::bytes(case, "raw_b64")?;
        let judged = http1::judge(&raw);
        let Some(first) = judged.first() else { continue };
        for (level, rule) in [(level, rule), (level, 0)] {
            let tally = rows.entry((level, rule)).or_default();
            tally.message = if rule == 0 { "all".to_owned() } else { http1::text(case, "rule_msg").to_owned() };
            if http1::text(case, "kind") == "positive" {
                tally.positives += 1;
                tally.refused += u64::from(first.is_refused_in_block());
                tally.reported += u64::from(first.is_reported());
            } else {
                tally.negatives += 1;
                tally.negatives_refused += u64::from(first.is_refused_in_block());
            }
        }
        let positive = http1::text(case, "kind") == "positive";
        if arguments.misses && positive != first.is_refused_in_block() {
            let kind = if positive { "positive" } else { "negative" };
            let shown: String = raw.escape_ascii().to_string().chars().take(400).collect();
            eprintln!("{rule} level {level} {kind}: {}: {shown}", first.codes());
        }
    }
    let columns = ["level", "rule", "what", "positives", "refused", "reported", "negatives", "of these refused"];
    let mut table = Table::new("Core Rule Set, protocol families, without loading the rules", &columns);
    for ((level, rule), tally) in rows {
        let rule = if rule == 0 { Cell::None } else { Cell::text(rule.to_string()) };
        let Tally { message, positives, refused, reported, negatives, negatives_refused } = tally;
        let counts = [positives, refused, reported, negatives, negatives_refused].map(Cell::Count);
        table.rows.push([vec![Cell::Count(level), rule, Cell::text(message)], counts.to_vec()].concat());
    }
    publish(&[table], arguments.json.as_deref())
}
