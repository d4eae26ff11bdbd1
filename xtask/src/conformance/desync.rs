//! Heads of `http-desync-guardian`, by the tier that its authors gave them.
//!
//! A head without `Host` gets one. Two differences are on purpose and shown by `--misses`: transfer codings before `chunked`
//! are answered with 501, as RFC 9112, 6.1 allows, because real readers frame them differently; and a target that is empty
//! or has a fragment is in none of the forms of RFC 9112, 3.2.

use super::http1::{self, Arguments, Outcome};
use crate::table::{Cell, Table, publish};

/// Runs this task.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let cases = http1::lines(&arguments.corpus, "http-desync-guardian/cases.jsonl")?;
    let mut table = Table::new(
        "http-desync-guardian",
        &[
            "tier",
            "cases",
            "refused by the parser",
            "accepted and canonical",
            "of these refused in block mode",
            "of these reported",
        ],
    );
    for tier in ["Severe", "Ambiguous", "Acceptable", "Compliant"] {
        let (mut count, mut parser, mut accepted, mut block, mut reported) = (0, 0, 0, 0, 0);
        for case in cases.iter().filter(|case| http1::text(case, "tier") == tier) {
            count += 1;
            let raw = http1::bytes(case, "raw_head_b64")?;
            let judged = http1::judge(&raw);
            let Some(first) = judged.first() else { continue };
            match first {
                Outcome::Refused(_) => parser += 1,
                Outcome::Accepted(..) => {
                    accepted += 1;
                    block += u64::from(first.is_refused_in_block());
                    reported += u64::from(first.is_reported());
                }
            }
            let as_expected = match tier {
                "Severe" => matches!(first, Outcome::Refused(_)),
                "Compliant" => !first.is_refused_in_block(),
                _ => first.is_reported(),
            };
            if arguments.misses && !as_expected {
                eprintln!("{tier}: {}: {}: {}", http1::text(case, "name"), first.codes(), raw.escape_ascii());
            }
        }
        let counts = [count, parser, accepted, block, reported].map(Cell::Count);
        table.rows.push([vec![Cell::text(tier)], counts.to_vec()].concat());
    }
    publish(&[table], arguments.json.as_deref())
}
