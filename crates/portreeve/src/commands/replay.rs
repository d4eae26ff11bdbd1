//! `portreeve replay`: what another configuration would have done to recorded traffic.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use console::replay::{Preview, Replay, Tally};
use serde_json::Value;
use store::query::{Direction, Filter};
use store::rollup::Range;
use store::{EventQuery, Inventory, QueryLimits, Reader};

use super::Outcome;
use crate::config;
use crate::learned::printable;
use crate::replay::Replayer;

/// Says what a configuration would have done: requests, sessions, endpoints, and above all successful requests.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration that is thought of.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The configuration to compare with; what was done at that time when absent.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Where traffic was recorded.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Over the last time, such as `24h`.
    #[arg(long, default_value = "24h", value_parser = super::time)]
    since: Duration,
    /// Only exchanges that fit, such as `api=shop`; all of several.
    #[arg(long = "where", value_name = "FILTER")]
    filters: Vec<String>,
    /// How many of the newly refused are listed.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    list: u32,
    /// In which form.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Runs the command.
///
/// # Errors
/// The mistakes of the configuration; or when there is no data directory.
pub fn run(arguments: &Arguments) -> Outcome {
    super::require_data(&arguments.data)?;
    let proposed = config::load(&arguments.policy)?;
    let present = arguments.against.as_ref().map(|path| config::load(path)).transpose()?;
    let now = crate::now();
    let mut replay = Replayer::new(present.as_ref().map(|settings| &settings.gateway), &proposed.gateway, now)?;
    let filters: Result<Vec<Filter>, _> = arguments.filters.iter().map(|text| Filter::parse(text)).collect();
    let range = Range::last(i64::try_from(arguments.since.as_secs().max(1))?, now);
    let query = EventQuery {
        since: range.since,
        until: range.until,
        filter: Filter::All(filters.map_err(|error| error.to_string())?),
        order: Direction::Descending,
        limit: None,
    };
    let inventory = Inventory::open_reading(&arguments.data)?;
    let names = inventory
        .as_ref()
        .map_or_else(|| Ok(store::query::plan::EndpointNames::default()), Inventory::endpoint_names)?;
    // A day of traffic takes longer than a question of the console may.
    let reader = Reader::open(&arguments.data, QueryLimits { timeout_ms: 3_600_000, ..QueryLimits::default() })?;
    let mut stream = reader.events(query, Arc::new(names))?;
    let mut tally = Tally::new(usize::try_from(arguments.list)?);
    while let Some(rows) = stream.next_blocking() {
        for row in rows? {
            let judged = replay.judge(&row);
            tally.take(&row, judged);
        }
    }
    let mut preview = tally.preview();
    preview.notes.extend(replay.notes());
    if let Some(inventory) = &inventory {
        for line in &preview.by_endpoint {
            let Some(id) = console::overrides::endpoint_id(&line.name) else { continue };
            if let Some(stored) = inventory.endpoint(id)? {
                preview.endpoints.insert(line.name.clone(), stored.name());
            }
        }
    }
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Form::Json => writeln!(out, "{}", serde_json::to_string_pretty(&preview)?)?,
        Form::Text => write!(out, "{}", text(&preview))?,
    }
    Ok(())
}

fn text(preview: &Preview) -> String {
    let mut lines = vec![
        format!("{} exchanges judged again", preview.looked_at),
        format!("newly refused   {}   of them successful {}", preview.newly_refused, preview.newly_refused_successes),
        format!(
            "sessions hit    {}   clients {}   endpoints {}",
            preview.sessions,
            preview.clients,
            preview.by_endpoint.len()
        ),
        format!("newly carried   {}", preview.newly_carried),
        format!("bodies unknown  {}", preview.bodies_unknown),
    ];
    let ranking = |title: &str, ranked: &[(String, u64)]| -> Vec<String> {
        if ranked.is_empty() {
            return Vec::new();
        }
        let counted = ranked.iter().map(|(name, count)| format!("  {count:>8}  {}", printable(name)));
        [String::new(), title.to_owned()].into_iter().chain(counted).collect()
    };
    let named =
        |line: &console::replay::Line| (preview.endpoints.get(&line.name).unwrap_or(&line.name).clone(), line.count);
    lines.extend(ranking("by reason", &preview.by_reason.iter().map(named).collect::<Vec<_>>()));
    lines.extend(ranking("by endpoint", &preview.by_endpoint.iter().map(named).collect::<Vec<_>>()));
    if !preview.examples.is_empty() {
        lines.extend([String::new(), "the latest of them".to_owned()]);
        let cell = |event: &Value, name: &str| match event.get(name) {
            Some(Value::String(text)) => printable(text),
            Some(Value::Null) | None => "-".to_owned(),
            Some(other) => other.to_string(),
        };
        lines.extend(preview.examples.iter().map(|event| {
            let names = ["at", "status", "client", "method", "host", "path", "would_refuse"];
            format!("  {}", names.map(|name| cell(event, name)).join("  "))
        }));
    }
    if !preview.notes.is_empty() {
        lines.push(String::new());
        lines.extend(preview.notes.iter().map(|note| format!("note: {note}")));
    }
    lines.join("\n") + "\n"
}
