//! The report as Markdown. Names come from traffic and are attackers' words: nothing of them is markup.

use std::fmt::Write;

use super::{Report, day, grouped, percent, trend};

pub(super) fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let (since, until) = (day(report.covered.since_s), day(report.covered.until_s.min(report.made_s)));
    // Writing into a String never fails.
    let _ = writeln!(out, "# The state of your APIs\n\n{since} to {until}, made {}.\n", day(report.made_s));
    let trend = trend(report.figures.requests, report.previous.requests);
    let _ = writeln!(
        out,
        "{} requests ({trend}), {} refused.\n",
        grouped(report.figures.requests),
        grouped(report.figures.refused)
    );
    if !report.advice.is_empty() {
        let _ = writeln!(out, "## What to do next\n");
        for advice in &report.advice {
            let _ = writeln!(out, "- **{}** ({}): {}", escaped(&advice.text), advice.urgency, escaped(&advice.because));
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "## Figures\n\n| figure | share | part | of | published 2024 | query |\n|---|--:|--:|--:|--:|---|"
    );
    for line in &report.headlines {
        let published = line.published_percent.map_or_else(String::new, |published| percent(Some(published)));
        let query = if line.filter.is_empty() { "inventory".to_owned() } else { code(&line.filter) };
        let (part, whole) = (grouped(line.part), grouped(line.whole));
        let _ =
            writeln!(out, "| {} | {} | {part} | {whole} | {published} | {query} |", line.title, percent(line.percent));
    }
    for ranking in report.rankings.iter().filter(|ranking| !ranking.lines.is_empty()) {
        let _ = writeln!(
            out,
            "\n## {}\n\n{}\n\n| | count | share | query |\n|---|--:|--:|---|",
            ranking.title, ranking.definition
        );
        for line in &ranking.lines {
            let query = if line.filter.is_empty() { String::new() } else { code(&line.filter) };
            let _ = writeln!(
                out,
                "| {} | {} | {:.1} % | {query} |",
                escaped(&line.name),
                grouped(line.count),
                line.percent
            );
        }
    }
    let _ = writeln!(out, "\n## Definitions\n");
    for line in &report.headlines {
        let _ = writeln!(out, "- **{}**: {}", line.title, line.definition);
    }
    out
}

/// Text that means itself.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

/// Text as code in a cell of a table; backticks and bars would end it early.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}
