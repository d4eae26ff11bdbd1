//! The report as a page of its own, for the printer and for those without the dashboard. No script; everything that comes
//! from traffic is escaped.

use std::fmt::Write;

use super::{Report, day, grouped, percent, trend};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #d5dae1; --soft: #5b6675; --bar: #2f6fde; --back: #fff; --text: #14181f }
@media (prefers-color-scheme: dark) { :root { --line: #323a46; --soft: #a3aebd; --bar: #6ea0ff; --back: #12161c; --text: #e8ecf2 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--back); color: var(--text) }
h1 { font-size: 1.9rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem }
p, dd { color: var(--soft); margin: .2rem 0 .8rem } dt { font-weight: 600 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } code { font-size: .82rem; overflow-wrap: anywhere }
meter { width: 8rem } li { margin: .3rem 0 } b.high { color: #c42b1c } @media (prefers-color-scheme: dark) { b.high { color: #ff8a80 } }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } tr { break-inside: avoid } }
";

pub(super) fn html(report: &Report) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let (since, until) = (day(report.covered.since_s), day(report.covered.until_s.min(report.made_s)));
    // Writing into a String never fails.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>The state of your APIs</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head><body>\n\
         <h1>The state of your APIs</h1><p>{since} to {until}. Made {}.</p>\n<p>{} requests ({}), {} refused, {} different sessions.</p>\n",
        day(report.made_s),
        grouped(report.figures.requests),
        trend(report.figures.requests, report.previous.requests),
        grouped(report.figures.refused),
        grouped(report.figures.sessions),
    );
    if !report.advice.is_empty() {
        out.push_str("<h2>What to do next</h2><ol>\n");
        for advice in &report.advice {
            let (text, because) = (escaped(&advice.text), escaped(&advice.because));
            let _ = writeln!(out, "<li><b class=\"{}\">{text}</b><br>{because}</li>", advice.urgency);
        }
        out.push_str("</ol>\n");
    }
    figures(&mut out, report);
    rankings(&mut out, report);
    out.push_str("<h2>Definitions</h2><dl>\n");
    for line in &report.headlines {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", line.title, line.definition);
    }
    out.push_str("</dl></body></html>\n");
    out
}

fn figures(out: &mut String, report: &Report) {
    out.push_str(
        "<h2>Figures</h2><table><tr><th>Figure</th><th class=\"n\">Share</th><th class=\"n\">Part</th><th class=\"n\">Of</th>\
         <th class=\"n\">Published 2024</th><th>Query behind it</th></tr>\n",
    );
    for line in &report.headlines {
        let published = line.published_percent.map_or_else(String::new, |published| percent(Some(published)));
        let query = if line.filter.is_empty() { "the inventory".to_owned() } else { code(&line.filter) };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{published}</td><td>{query}</td></tr>",
            line.title,
            percent(line.percent),
            grouped(line.part),
            grouped(line.whole),
        );
    }
    out.push_str("</table>\n");
}

fn rankings(out: &mut String, report: &Report) {
    for ranking in report.rankings.iter().filter(|ranking| !ranking.lines.is_empty()) {
        let _ = writeln!(
            out,
            "<h2>{}</h2><p>{}</p><table><tr><th>Name</th><th class=\"n\">Count</th><th class=\"n\">Share</th><th></th><th>Query behind it</th></tr>",
            ranking.title, ranking.definition,
        );
        for line in &ranking.lines {
            let (name, count, share) = (escaped(&line.name), grouped(line.count), line.percent);
            let query = if line.filter.is_empty() { String::new() } else { code(&line.filter) };
            let _ = writeln!(
                out,
                "<tr><td>{name}</td><td class=\"n\">{count}</td><td class=\"n\">{share:.1} %</td>\
                 <td><meter min=\"0\" max=\"100\" value=\"{share:.1}\">{share:.1} %</meter></td><td>{query}</td></tr>",
            );
        }
        out.push_str("</table>\n");
    }
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Text that means itself in HTML, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
