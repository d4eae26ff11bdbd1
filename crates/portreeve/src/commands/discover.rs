//! `portreeve discover`: endpoints from recorded traffic.

use std::collections::HashSet;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ingest::{Format, Layout, Options, Summary};
use learn::{Learner, LearnerLimits, Models};
use schema::emit::OpenApiVersion;

use super::Outcome;
use super::endpoints::{Form, write};
use super::follow::Following;
use crate::learned;

/// Finds endpoints in access logs, HAR files and recorded events; plain, gzip or zstd.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files, directories, or `-` for standard input.
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// The format; told from the content when absent.
    #[arg(long, value_name = "NAME", conflicts_with = "log_format", value_parser = format_of)]
    format: Option<Format>,
    /// The log's format as it stands in the configuration of nginx (`$remote_addr ..`) or Apache (`%h ..`).
    #[arg(long, value_name = "FORMAT", value_parser = layout_of)]
    log_format: Option<Format>,
    /// The host of requests whose log names none.
    #[arg(long, default_value = "")]
    host: String,
    /// Also keep what was found in the inventory of this data directory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Keep reading: files that grow, are rotated or truncated, and files that appear in the directories. Ends with Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Write one OpenAPI document per host into this directory.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How endpoints are written.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    form: Form,
    /// The version of OpenAPI that is written: `3.1` or `3.0`.
    #[arg(long, default_value = "3.1", value_parser = super::openapi_version)]
    openapi: OpenApiVersion,
}

fn format_of(name: &str) -> Result<Format, String> {
    Format::of_name(name).ok_or_else(|| format!("known formats: {}", Format::names().join(", ")))
}

fn layout_of(text: &str) -> Result<Format, String> {
    Layout::parse(text).map(Format::Layout)
}

/// Runs the command.
///
/// # Errors
/// When nothing could be read at all.
pub fn run(arguments: &Arguments) -> Outcome {
    let started = Instant::now();
    let sources = sources(&arguments.sources)?;
    let total: u64 =
        sources.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.len()).sum();
    let bar = bar(total);
    let key = session_key(arguments.data.as_deref())?;
    let options = Options {
        format: arguments.format.clone().or_else(|| arguments.log_format.clone()),
        session_key: key,
        host: arguments.host.clone(),
        growing: false,
    };
    if arguments.follow {
        return follow(arguments, options);
    }
    let mut learner = Learner::new(Models::shipped()?, LearnerLimits::default(), fastrand::u64(..));
    let mut all = Summary::default();
    let mut since = 0u64;
    for path in &sources {
        let source = open(path, &bar)?;
        let summary = ingest::read(source, &options, &mut |mut observation| {
            learn::keys::add_shape(&mut observation);
            learner.observe(&observation);
            since += 1;
            // Judging now and then lets what is known of a host weigh the requests that follow.
            if since.is_power_of_two() && since > 512 {
                learner.refresh();
            }
        });
        match summary {
            Ok(summary) => tell(&bar, path, &summary, &mut all),
            Err(error) => bar.suspend(|| eprintln!("{}: {error}", path.display())),
        }
    }
    bar.finish_and_clear();
    if all.observations == 0 {
        return Err("no request could be read".into());
    }
    learner.refresh_all();
    let now = crate::now();
    let endpoints = learned::endpoints(&learner, &learner.endpoints(), &mut learned::Identities::default(), now);
    write(&endpoints, arguments.form, arguments.openapi)?;
    if let Some(directory) = &arguments.out {
        write_documents(directory, &endpoints, arguments.openapi)?;
    }
    if let Some(data) = &arguments.data {
        store::Inventory::open(data)?.put_learned(now, &endpoints)?;
    }
    let only = endpoints.iter().filter(|stored| stored.endpoint.origins.only_learning()).count();
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{} endpoints, {only} of them found only by learning; {} requests in {} records, {} unreadable; {:.1} s, {:.0} MB/s",
        endpoints.len(),
        all.observations,
        all.records,
        all.unreadable,
        seconds,
        all.bytes as f64 / seconds.max(0.001) / 1e6,
    );
    Ok(())
}

/// How often what was found is written and directories are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Observations that wait between the readers and the learner.
const WAITING_MAX: usize = 4_096;

/// Reads on and on; what is found is told when it is found, and kept where it was asked for.
fn follow(arguments: &Arguments, options: Options) -> Outcome {
    let (out, observations) = std::sync::mpsc::sync_channel(WAITING_MAX);
    let mut following = Following::new(&arguments.sources, options, out);
    let mut learner = Learner::new(Models::shipped()?, LearnerLimits::default(), fastrand::u64(..));
    let mut inventory = arguments.data.as_deref().map(store::Inventory::open).transpose()?;
    let mut identities = learned::Identities::default();
    let mut told: HashSet<model::EndpointId> = HashSet::new();
    let (mut looked, mut written) = (Instant::now(), 0);
    following.look()?;
    loop {
        if let Ok(mut observation) = observations.recv_timeout(LOOK / 4) {
            learn::keys::add_shape(&mut observation);
            learner.observe(&observation);
        }
        if looked.elapsed() < LOOK {
            continue;
        }
        looked = Instant::now();
        following.look()?;
        if learner.observed == written {
            continue;
        }
        written = learner.observed;
        learner.refresh();
        let now = crate::now();
        let endpoints = learned::endpoints(&learner, &learner.endpoints(), &mut identities, now);
        for stored in &endpoints {
            let endpoint = &stored.endpoint;
            if told.insert(endpoint.id) {
                let line = format!("{} {}{} {}", endpoint.method, endpoint.host, endpoint.template, endpoint.operation);
                writeln!(std::io::stdout(), "{}", learned::printable(line.trim_end()))?;
            }
        }
        if let Some(inventory) = &mut inventory {
            inventory.put_learned(now, &endpoints)?;
        }
        if let Some(directory) = &arguments.out {
            write_documents(directory, &endpoints, arguments.openapi)?;
        }
    }
}

/// The key of session hashes: a data directory's own, so that a session has one hash in live traffic and in logs; without
/// a data directory one that nobody keeps.
fn session_key(data: Option<&Path>) -> Result<[u8; 32], Box<dyn std::error::Error>> {
    if let Some(data) = data {
        std::fs::create_dir_all(data)?;
        return Ok(crate::run::session_key(data)?);
    }
    let mut key = [0u8; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| "the system has no random numbers")?;
    Ok(key)
}

/// Files as named; of a directory every file in it, by name.
pub fn sources(named: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for path in named {
        if path.is_dir() {
            let mut files: Vec<PathBuf> =
                std::fs::read_dir(path)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.retain(|path| path.is_file());
            files.sort();
            sources.extend(files);
        } else {
            sources.push(path.clone());
        }
    }
    Ok(sources)
}

fn open(path: &Path, bar: &ProgressBar) -> Result<Box<dyn Read>, String> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = File::open(path);
    let file =
        file.map_err(|error| format!("`{}` cannot be read: {}", path.display(), crate::config::meant::plain(&error)))?;
    Ok(Box::new(bar.wrap_read(file)))
}

fn bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn tell(bar: &ProgressBar, path: &Path, summary: &Summary, all: &mut Summary) {
    bar.suspend(|| {
        let name = path.display();
        let format = summary.format.as_ref().map_or("unknown", Format::name);
        eprintln!("{name}: {format}, {} records, {} requests", summary.records, summary.observations);
        for problem in summary.problems.iter().take(5) {
            eprintln!("{name}:{}: {}", problem.line, problem.what);
        }
        if summary.unreadable > 5 {
            eprintln!("{name}: {} records in all could not be read", summary.unreadable);
        }
        if summary.invalid_utf8 > 0 {
            eprintln!("{name}: {} records have bytes that are no UTF-8; they were read", summary.invalid_utf8);
        }
        if summary.clock_backwards > 0 {
            eprintln!("{name}: the clock goes backwards at {} records", summary.clock_backwards);
        }
    });
    all.records += summary.records;
    all.observations += summary.observations;
    all.unreadable += summary.unreadable;
    all.bytes += summary.bytes;
}

fn write_documents(directory: &Path, endpoints: &[store::StoredEndpoint], version: OpenApiVersion) -> Outcome {
    std::fs::create_dir_all(directory)?;
    for (host, document) in learned::documents(endpoints, version) {
        // Hosts come from strangers: only what is safe in a file name stays.
        let safe: String = host
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' })
            .take(200)
            .collect();
        let path = directory.join(format!("{}.openapi.json", safe.trim_start_matches('.')));
        let mut file = File::create(&path)?;
        writeln!(file, "{}", serde_json::to_string_pretty(&document)?)?;
    }
    Ok(())
}
