//! `cargo xtask bench discovery DIR`: the learner's figures on recorded and generated sites with known truth.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use learn::{Learner, LearnerLimits, Models};

use super::metrics::{Figures, score};
use super::records::{SiteIndex, index, read};
use super::traffic::Labelled;
use crate::Outcome;
use crate::table::{Cell, Table, publish};

/// Arguments of `bench discovery`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder with `sites/`.
    directory: PathBuf,
    /// Write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write predictions, one file for each site and number of requests.
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// Numbers of requests to look at.
    #[arg(long, value_delimiter = ',', default_values_t = [300, 1_000, 10_000, 100_000])]
    n: Vec<usize>,
    /// Only sites whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Model files instead of the shipped ones.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Leave out the figures of single sites.
    #[arg(long)]
    brief: bool,
    /// Print wrong templates of each site after the largest number of requests.
    #[arg(long)]
    wrong: bool,
}

/// What one run over one site took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    requests: usize,
    seconds: f64,
    bytes: usize,
}

struct Run {
    n: usize,
    site: SiteIndex,
    figures: Figures,
    cost: Cost,
}

/// Reads models from a folder.
pub fn models_of(folder: Option<&Path>) -> Result<Models, Box<dyn std::error::Error>> {
    let Some(folder) = folder else { return Ok(Models::shipped()?) };
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| format!("`{}` could not be read: {error}", path.display()))
    };
    let (ngrams, tokens, request) = (file("ngrams.bin")?, file("tokens.bin")?, file("request.bin")?);
    let (segment, second, endpoint) = (file("segment.bin")?, file("segment-second.bin")?, file("endpoint.bin")?);
    Ok(Models::read(&learn::models::ModelFiles {
        ngrams: &ngrams,
        tokens: &tokens,
        request: &request,
        segment: &segment,
        segment_second: &second,
        endpoint: &endpoint,
    })?)
}

/// Runs `bench discovery`.
pub fn run(arguments: &Arguments) -> Outcome {
    let models = models_of(arguments.models.as_deref())?;
    let mut runs = Vec::new();
    for site in index(&arguments.directory)? {
        if arguments.only.as_ref().is_some_and(|only| !site.site.contains(only)) {
            continue;
        }
        let most = arguments.n.iter().copied().max().unwrap_or(0);
        let requests = read(&arguments.directory, &site.site, most)?;
        let mut done = Vec::new();
        for &n in &arguments.n {
            // A site with fewer requests is shown as it is, once; the largest size is for those that have as many.
            let n_here = n.min(requests.len());
            if done.contains(&n_here) && n > 10_000 {
                continue;
            }
            done.push(n_here);
            let part = requests.get(..n_here).unwrap_or_default();
            let (predictions, cost) = predict(&models, part);
            let figures = score(part, &predictions, site.case_insensitive, &site.endpoints);
            if let Some(folder) = &arguments.predictions {
                write_predictions(folder, &site.site, n, &predictions)?;
            }
            if arguments.wrong && n == most {
                print_wrong(&site, part, &predictions);
            }
            runs.push(Run { n, site: site.clone(), figures, cost });
        }
    }
    let mut tables = overall(&arguments.n, &runs);
    if !arguments.brief {
        tables.extend(arguments.n.iter().filter_map(|&n| per_site(n, &runs)));
    }
    publish(&tables, arguments.json.as_deref())
}

/// Seconds this thread has run: on a busy machine the clock on the wall measures the neighbours.
pub fn seconds_run(since: Instant) -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let run: Option<f64> = statistics.split_whitespace().next().and_then(|text| text.parse().ok());
    run.map_or_else(|| since.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Feeds requests to a fresh learner and asks it afterwards where each belongs.
fn predict(models: &Models, requests: &[Labelled]) -> (Vec<Option<String>>, Cost) {
    let mut learner = Learner::new(models.clone(), LearnerLimits::default(), 7);
    let started = Instant::now();
    let before = seconds_run(started);
    for (at, request) in requests.iter().enumerate() {
        learner.observe(&request.observation);
        // As a gateway does from time to time; a judgement is due only after growth by a quarter.
        if at % 4_096 == 4_095 {
            learner.refresh();
        }
    }
    learner.refresh_all();
    let seconds = seconds_run(started) - before;
    let cost = Cost { requests: requests.len(), seconds, bytes: learner.bytes() };
    let names: Vec<Vec<String>> = learner
        .groups()
        .iter()
        .enumerate()
        .map(|(at, group)| {
            let name = |(found, one): (usize, &learn::learner::Found)| {
                format!("{} {}", learner.method(one.method), learner.template(at, found))
            };
            group.found.iter().enumerate().map(name).collect()
        })
        .collect();
    let place = |request: &Labelled| {
        let placed = learner.classify(&request.observation)?;
        names.get(placed.group)?.get(placed.found).cloned()
    };
    (requests.iter().map(place).collect(), cost)
}

fn write_predictions(folder: &Path, site: &str, n: usize, predictions: &[Option<String>]) -> Outcome {
    std::fs::create_dir_all(folder)?;
    let mut text = String::new();
    for prediction in predictions {
        text.push_str(&serde_json::to_string(prediction)?);
        text.push('\n');
    }
    Ok(std::fs::write(folder.join(format!("{site}.{n}.jsonl")), text)?)
}

fn print_wrong(site: &SiteIndex, requests: &[Labelled], predictions: &[Option<String>]) {
    use std::collections::BTreeMap;
    let canon = |key: &str| super::metrics::canonical(key, site.case_insensitive);
    let truths: std::collections::BTreeSet<String> = requests
        .iter()
        .filter(|one| one.observation.status < 400)
        .filter_map(|one| one.template.as_deref())
        .map(canon)
        .collect();
    let mut wrong: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    for (request, prediction) in requests.iter().zip(predictions) {
        let prediction = prediction.as_deref().map(canon);
        let truth = request.template.as_deref().map(canon);
        let success = request.observation.status < 400;
        let missed = success && request.kind == super::traffic::Kind::Api && prediction != truth;
        let invented = prediction.as_ref().is_some_and(|one| !truths.contains(one));
        if missed || invented {
            let truth = truth.unwrap_or_else(|| format!("{:?}", request.kind));
            let key = (truth, prediction.unwrap_or_else(|| "-".to_owned()));
            let example = format!("{} {}", request.observation.status, request.observation.target);
            wrong.entry(key).or_insert((0, example)).0 += 1;
        }
    }
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "## {}", site.site);
    for ((truth, prediction), (count, example)) in wrong {
        let _ = writeln!(out, "{count:>6}  {truth}  ->  {prediction}   {example}");
    }
}

fn mean(runs: &[&Run], value: fn(&Figures) -> f64) -> Cell {
    Cell::Ratio(runs.iter().map(|run| value(&run.figures)).sum::<f64>() / runs.len().max(1) as f64)
}

fn recall_of(runs: &[&Run], pick: fn(&Figures) -> (usize, usize)) -> Cell {
    let (seen, found) =
        runs.iter().map(|run| pick(&run.figures)).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if seen == 0 { Cell::None } else { Cell::Ratio(found as f64 / seen as f64) }
}

fn overall(sizes: &[usize], runs: &[Run]) -> Vec<Table> {
    let mut table = Table::new(
        "Endpoint discovery, mean over sites",
        &[
            "sites",
            "requests",
            "n",
            "P",
            "R",
            "F1",
            "F1 worst tenth",
            "requests right",
            "invented",
            "merged",
            "split",
            "seen 1x",
            "2-9x",
            "10-99x",
            "100x+",
            "with parameters",
            "literal",
            "API P",
            "API R",
        ],
    );
    let mut cost_table =
        Table::new("Cost of learning, one core", &["sites", "requests", "observations/s", "largest learner, MB"]);
    for kind in ["generated", "recorded", "simulated"] {
        for &n in sizes {
            let these: Vec<&Run> = runs.iter().filter(|run| run.site.kind == kind && run.n == n).collect();
            if these.is_empty() {
                continue;
            }
            let mut scores: Vec<f64> = these.iter().map(|run| run.figures.f1()).collect();
            scores.sort_by(f64::total_cmp);
            let worst = scores.get(scores.len() / 10).copied().unwrap_or(0.0);
            let figure = |value: fn(&Figures) -> usize| {
                Cell::Figure(these.iter().map(|run| value(&run.figures)).sum::<usize>() as f64 / these.len() as f64)
            };
            table.rows.push(vec![
                Cell::text(kind),
                Cell::Count(n as u64),
                Cell::Count(these.len() as u64),
                mean(&these, Figures::precision),
                mean(&these, Figures::recall),
                mean(&these, Figures::f1),
                Cell::Ratio(worst),
                mean(&these, |figures| figures.request_accuracy),
                figure(|figures| figures.invented),
                figure(|figures| figures.merged),
                figure(|figures| figures.split),
                recall_of(&these, |figures| figures.by_count[0]),
                recall_of(&these, |figures| figures.by_count[1]),
                recall_of(&these, |figures| figures.by_count[2]),
                recall_of(&these, |figures| figures.by_count[3]),
                recall_of(&these, |figures| figures.by_parameters[0]),
                recall_of(&these, |figures| figures.by_parameters[1]),
                mean(&these, Figures::request_precision),
                mean(&these, Figures::request_recall),
            ]);
            let requests: usize = these.iter().map(|run| run.cost.requests).sum();
            let seconds: f64 = these.iter().map(|run| run.cost.seconds).sum();
            let largest = these.iter().map(|run| run.cost.bytes).max().unwrap_or(0);
            cost_table.rows.push(vec![
                Cell::text(kind),
                Cell::Count(n as u64),
                Cell::Count((requests as f64 / seconds.max(1e-9)) as u64),
                Cell::Figure(largest as f64 / 1e6),
            ]);
        }
    }
    vec![table, cost_table]
}

fn per_site(n: usize, runs: &[Run]) -> Option<Table> {
    let mut table = Table::new(
        format!("After {n} requests"),
        &["site", "P", "R", "F1", "requests right", "merged", "split", "invented", "API P", "API R"],
    );
    for run in runs.iter().filter(|run| run.n == n) {
        let figures = &run.figures;
        table.rows.push(vec![
            Cell::text(&run.site.site),
            Cell::Ratio(figures.precision()),
            Cell::Ratio(figures.recall()),
            Cell::Ratio(figures.f1()),
            Cell::Ratio(figures.request_accuracy),
            Cell::Count(figures.merged as u64),
            Cell::Count(figures.split as u64),
            Cell::Count(figures.invented as u64),
            Cell::Ratio(figures.request_precision()),
            Cell::Ratio(figures.request_recall()),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}
