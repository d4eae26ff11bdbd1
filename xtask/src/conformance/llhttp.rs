//! Requests of llhttp's own tests, the parser of Node: where we are stricter, and that we are nowhere laxer.

use super::http1::{self, Arguments, Outcome};
use crate::table::{Cell, Table, publish};

/// Runs this task.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let cases = http1::lines(&arguments.corpus, "llhttp/request-tests.jsonl")?;
    let strict = cases.iter().filter(|case| http1::text(case, "type") == "request");
    let mut counts = [[0u64; 2]; 2];
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
        counts[usize::from(they_accept)][usize::from(we_accept)] += 1;
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
    for (name, row) in [("accepts", counts[1]), ("refuses", counts[0])] {
        table.rows.push(vec![Cell::text(name), Cell::Count(row[1]), Cell::Count(row[0])]);
    }
    publish(&[table], arguments.json.as_deref())
}
