//! Requests of llhttp's own tests, the parser of Node: where we are stricter, and that we are nowhere laxer.

use super::http1::{self, Arguments, Outcome};
use crate::table::{Cell, Table, publish};

/// What we do with requests that llhttp treats in one way.
#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: u64,
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let cases = http1::lines(&arguments.corpus, "llhttp/request-tests.jsonl")?;
    let strict = cases.iter().filter(|case| http1::text(case, "type") == "request");
    let (mut accepts, mut refuses) = (Tally::default(), Tally::default());
    for case in strict {
        let raw = http1::bytes(case, "raw_b64")?;
        let judged = http1::judge(&raw);
        let expected = case.get("messages").and_then(serde_json::Value::as_u64).unwrap_or_default() as usize;
        let they_accept = http1::text(case, "verdict") == "ok";
        let refusal = judged.iter().find_map(|outcome| match outcome {
            Outcome::Refused(anomaly) => Some(anomaly.code()),
            Outcome::Accepted(..) => None,
        });
        // They refuse data behind the last message of a connection; we close it without reading that data.
        let closed = !they_accept && refusal.is_none() && judged.len() == expected && expected > 0;
        let we_accept = refusal.is_none() && !closed;
        let tally = if they_accept { &mut accepts } else { &mut refuses };
        tally.accepted += u64::from(we_accept);
        tally.refused += u64::from(!we_accept);
        if arguments.misses && they_accept != we_accept {
            let who = if we_accept { "laxer" } else { "stricter" };
            eprintln!(
                "{who}: {}: {}: {}",
                http1::text(case, "name"),
                refusal.unwrap_or("accepted"),
                raw.escape_ascii()
            );
        }
    }
    let mut table = Table::new("llhttp, strict requests", &["llhttp", "we accept", "we refuse"]);
    for (name, tally) in [("accepts", accepts), ("refuses", refuses)] {
        table.rows.push(vec![Cell::text(name), Cell::Count(tally.accepted), Cell::Count(tally.refused)]);
    }
    publish(&[table], arguments.json.as_deref())
}
