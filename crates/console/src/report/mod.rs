//! The report of the state of the APIs: the figures of the public reports, about one's own traffic, from rollups and inventory.
//!
//! Every figure carries what it was divided by and the filter that shows the exchanges behind it. It works wherever a data
//! directory is: under a running gateway, or after `ingest` of recorded logs.

mod advice;
mod html;
mod markdown;

use std::path::Path;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::inventory::EndpointFilter;
use store::report::{Ranked, Share};
use store::rollup::{Counts, Range};
use store::{Inventory, RollupReader, StoreError};

use crate::Shared;
use crate::call::{Args, blocking};
use crate::figures::{Covered, Figures};
use crate::problem::Problem;
use crate::range::range;

/// Lines of one ranking.
const LINES_MAX: usize = 15;

/// The report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The range covered.
    pub covered: Covered,
    /// When it was made, in seconds since the epoch.
    pub made_s: i64,
    /// Everything that was counted.
    pub figures: Figures,
    /// The same over the range of the same length before.
    pub previous: Figures,
    /// The single figures, in the order of the public reports.
    pub headlines: Vec<Headline>,
    /// The rankings.
    pub rankings: Vec<Ranking>,
    /// What to do next, the most pressing first.
    pub advice: Vec<Advice>,
}

/// A figure.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Headline {
    /// A stable name.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it means and how it is worked out.
    pub definition: &'static str,
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
    /// The share in percent; absent of nothing.
    pub percent: Option<f64>,
    /// The filter that means the exchanges of the part; empty where the inventory is behind it.
    pub filter: String,
    /// The figure of the public report of 2024 with the same definition, in percent, to compare with.
    pub published_percent: Option<f64>,
}

/// A ranking.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Ranking {
    /// A stable name.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// How it is worked out.
    pub definition: &'static str,
    /// The lines, the greatest first.
    pub lines: Vec<RankedLine>,
}

/// A line of a ranking.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RankedLine {
    /// What is ranked.
    pub name: String,
    /// How many.
    pub count: u64,
    /// Its share of the ranking in percent.
    pub percent: f64,
    /// The filter that means these exchanges; empty where there is none.
    pub filter: String,
}

/// A piece of advice.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Advice {
    /// `high`, `medium` or `low`.
    pub urgency: &'static str,
    /// What to do.
    pub text: String,
    /// Why.
    pub because: String,
    /// Where in the dashboard, as a path.
    pub link: String,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Data.
    #[default]
    Json,
    /// A page of its own.
    Html,
    /// Markdown.
    Md,
}

/// Works out the report of a data directory over the range, `now` being when it is made.
///
/// # Errors
/// When the directory cannot be read.
pub fn report(directory: &Path, range: Range, now: Timestamp) -> Result<Report, StoreError> {
    let endpoints = match Inventory::open_reading(directory)? {
        Some(inventory) => inventory.endpoints(&EndpointFilter::default())?,
        None => Vec::new(),
    };
    let rollups = RollupReader::open(&store::layout::Layout::new(directory).rollups())?;
    let Some(rollups) = rollups else {
        return Ok(Report {
            covered: range.into(),
            made_s: now.secs(),
            figures: Figures::of(&Counts::default()),
            previous: Figures::of(&Counts::default()),
            headlines: Vec::new(),
            rankings: Vec::new(),
            advice: Vec::new(),
        });
    };
    let stored = store::Report::of(&rollups, &endpoints, range)?;
    let mut report = Report {
        covered: stored.covered.into(),
        made_s: now.secs(),
        figures: Figures::of(&stored.total),
        previous: Figures::of(&stored.previous),
        headlines: headlines(&stored),
        rankings: rankings(&stored),
        advice: Vec::new(),
    };
    report.advice = advice::advice(&report, &stored, &endpoints);
    Ok(report)
}

impl Report {
    /// The report as a page of its own: no script, no address outside.
    pub fn html(&self) -> String {
        html::html(self)
    }

    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        markdown::markdown(self)
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn headline(
    id: &'static str,
    title: &'static str,
    share: &Share,
    published: Option<f64>,
    definition: &'static str,
) -> Headline {
    Headline {
        id,
        title,
        definition,
        part: share.part,
        whole: share.whole,
        percent: share.percent(),
        filter: share.filter.clone(),
        published_percent: published,
    }
}

fn headlines(stored: &store::Report) -> Vec<Headline> {
    let refused =
        Share { part: stored.total.refused, whole: stored.total.requests, filter: "verdict=refuse".to_owned() };
    vec![
        headline(
            "api-success-of-dynamic",
            "Successful API requests of dynamic traffic",
            &stored.api_success_of_dynamic,
            Some(57.0),
            "API requests answered with 2xx, divided by all requests that are not for static content. A request is API traffic by the \
             content type of its answer (JSON, XML, gRPC and the like); by Accept where the gateway answered itself.",
        ),
        headline(
            "api-of-dynamic",
            "API requests of dynamic traffic",
            &stored.api_of_dynamic,
            None,
            "All API requests, whatever their answer, divided by all requests that are not for static content.",
        ),
        headline(
            "only-learning",
            "More endpoints found by learning",
            &stored.found_only_by_learning,
            Some(30.7),
            "Endpoints that learning found and no session identifier did, divided by those that session identifiers found.",
        ),
        headline(
            "shadow",
            "Shadow endpoints",
            &stored.shadow,
            None,
            "Endpoints with traffic that no contract declares, divided by all endpoints with traffic.",
        ),
        headline(
            "orphan",
            "Declared endpoints without traffic",
            &stored.orphan,
            None,
            "Endpoints that a contract declares and nobody called, divided by all declared ones.",
        ),
        headline(
            "write-endpoints",
            "Endpoints with write access",
            &stored.write_endpoints,
            None,
            "Endpoints with the method POST, PUT, PATCH or DELETE, divided by all endpoints.",
        ),
        headline(
            "write-apis",
            "APIs that mostly permit writes",
            &stored.write_apis,
            Some(59.2),
            "APIs of whose endpoints at least half may write, divided by all APIs. The public figure counts organisations.",
        ),
        headline(
            "refused",
            "Refused requests",
            &refused,
            None,
            "Requests that the gateway refused, divided by all requests.",
        ),
        headline(
            "limited-by-upstream",
            "429 answered by upstreams",
            &stored.limited_by_upstream,
            None,
            "API requests that an upstream answered with 429, divided by all that were answered with 429; the rest was us.",
        ),
    ]
}

fn ranking(id: &'static str, title: &'static str, lines: &[Ranked], definition: &'static str) -> Ranking {
    let line = |ranked: &Ranked| RankedLine {
        name: ranked.name.clone(),
        count: ranked.share.part,
        percent: ranked.share.percent().unwrap_or(0.0),
        filter: ranked.share.filter.clone(),
    };
    Ranking { id, title, definition, lines: lines.iter().take(LINES_MAX).map(line).collect() }
}

fn rankings(stored: &store::Report) -> Vec<Ranking> {
    vec![
        ranking(
            "threats",
            "Top threats",
            &stored.threats,
            "Exchanges with findings, by kind of threat; once for each reason.",
        ),
        ranking("mitigations", "Mitigations", &stored.mitigations, "Refused API requests, by the stage that refused."),
        ranking(
            "upstream-errors",
            "Errors of API upstreams",
            &stored.upstream_errors,
            "API requests that an upstream answered with 4xx or 5xx, by status. The public report: 429 is 51.6 %, 400 is 13.8 %, \
             404 is 10.8 %, 401 is 10.3 %.",
        ),
        ranking("apis", "API traffic by API", &stored.by_api, "API requests, by the API they were routed to."),
        ranking(
            "labels",
            "Traffic by label",
            &stored.by_label,
            "Requests to endpoints with the label; an endpoint may have several.",
        ),
    ]
}

/// Which report.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportArgs {
    /// The first moment: `24h`, `7d`, a time, or seconds since the epoch; `7d` when absent.
    since: Option<String>,
    /// The first moment after; now when absent.
    until: Option<String>,
    /// `json`, `html` or `md`; `json` when absent.
    #[serde(default)]
    format: Format,
}

pub(crate) async fn show(State(console): State<Shared>, Args(args): Args<ReportArgs>) -> Result<Response, Problem> {
    let range = range(Some(args.since.as_deref().unwrap_or("7d")), args.until.as_deref(), console.now())?;
    let report =
        blocking(&console, move |console| Ok(report(&console.settings.directory, range, console.now())?)).await?;
    let typed = |media_type: &'static str, text: String| ([(header::CONTENT_TYPE, media_type)], text).into_response();
    Ok(match args.format {
        Format::Json => Json(report).into_response(),
        Format::Html => typed("text/html; charset=utf-8", report.html()),
        Format::Md => typed("text/markdown; charset=utf-8", report.markdown()),
    })
}

/// A moment for people.
fn day(at_s: i64) -> String {
    let text = store::json::time_text(Timestamp::from_secs(at_s));
    text.get(..16).map_or_else(|| text.clone(), |minutes| format!("{} UTC", minutes.replace('T', " ")))
}

/// A percentage for people.
fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |percent| format!("{percent:.1} %"))
}

/// A count for people, with spaces between thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How much more or less than before, for people.
fn trend(now: u64, before: u64) -> String {
    if before == 0 {
        return "no traffic in the period before".to_owned();
    }
    let change = (now as f64 - before as f64) * 100.0 / before as f64;
    format!("{change:+.1} % against the period before")
}

#[cfg(test)]
mod tests;
