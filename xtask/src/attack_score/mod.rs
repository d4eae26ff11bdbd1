//! Training the attack score: from public attack collections and legitimate texts to a model file and its card.
//!
//! What is reported is what holds outside the training data: every collection is left out once, every family of attacks
//! is left out once, and margins are set on documents of vendors whose other documents were not trained on.

mod held_out;
mod learner;
mod legitimate;
mod made;
mod mutate;

use std::path::PathBuf;

use inspect::stages::attacks::score::Model;
use inspect::values::decode::unescape;

use crate::Outcome;
use crate::conformance::corpora::{self, Kind};
use crate::table::publish;

/// Arguments of this task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds the attack collections.
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// A folder of OpenAPI documents in JSON, one file or folder for each vendor.
    #[arg(long, value_name = "DIR")]
    documents: PathBuf,
    /// A file that names the vendors that may be used, one a line.
    #[arg(long, value_name = "FILE")]
    vendors: PathBuf,
    /// Where the model file is written.
    #[arg(long, value_name = "FILE", default_value = "crates/inspect/models/attack-score.bin")]
    out: PathBuf,
    /// The seed of everything random.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Only train and write; leave out the measurements.
    #[arg(long)]
    quick: bool,
    /// Print up to this many legitimate texts held out that the detectors alone are sure of, to standard error.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    misses: usize,
}

/// A text with its label.
#[derive(Clone)]
pub struct Sample {
    /// The collection or the vendor it comes from.
    pub source: String,
    /// The family of the attack; empty for a legitimate text.
    pub family: &'static str,
    /// The class its collection gives it; empty for a legitimate text.
    pub class: String,
    /// The text.
    pub text: Vec<u8>,
    /// It is an attack.
    pub attack: bool,
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> Outcome {
    let attacks = attacks(&arguments.corpus)?;
    let (training, mut held_out) = legitimate::load(&arguments.corpus, &arguments.documents, &arguments.vendors)?;
    // Margins hold for markup, too.
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let marked: Vec<Sample> = held_out
        .iter()
        .step_by(10)
        .map(|sample| Sample { text: made::markup(&sample.text, &mut random), ..sample.clone() })
        .collect();
    held_out.extend(marked);
    eprintln!(
        "{} attacks, {} legitimate texts to train on, {} held out",
        attacks.len(),
        training.len(),
        held_out.len()
    );
    held_out::show_misses(&held_out, arguments.misses);
    let made = made::attacks(arguments.seed);
    let train = |kept: &dyn Fn(&Sample) -> bool| {
        let shown = attacks.iter().chain(&made).filter(|sample| kept(sample));
        let samples: Vec<Sample> = shown.chain(&training).cloned().collect();
        let model = learner::train(&mutate::augment(samples, arguments.seed), arguments.seed);
        let margins = learner::margins(&model, &held_out);
        model.with_margins(margins)
    };
    let model = train(&|_| true);
    std::fs::write(&arguments.out, model.write())
        .map_err(|error| format!("`{}` could not be written: {error}", arguments.out.display()))?;
    eprintln!("{} written", arguments.out.display());
    if arguments.quick {
        return Ok(());
    }
    publish(&held_out::tables(&attacks, &held_out, &train), None)
}

/// The margin of a text as the stage takes it: of what it says with and without its escapes.
pub fn worst(model: &Model, text: &[u8]) -> f32 {
    let mut worst = model.margin(text);
    let mut current = text.to_vec();
    for _ in 0..3 {
        let Some((decoded, _)) = unescape(&current) else { break };
        worst = worst.max(model.margin(&decoded));
        current = decoded;
    }
    worst
}

/// The attacks of the collections that are trained on. The scanner's suite and the rule set's tests never are.
fn attacks(corpus: &std::path::Path) -> Result<Vec<Sample>, Box<dyn std::error::Error>> {
    let mut out = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut per_class: std::collections::HashMap<(String, String), usize> = std::collections::HashMap::new();
    for (source, kind, class, payload) in corpora::payloads(corpus)? {
        if kind != Kind::Attack || payload.len() < 4 || !seen.insert(payload.to_ascii_lowercase()) {
            continue;
        }
        // A few lists hold thousands of the same path; the model must not become a model of them.
        let count = per_class.entry((source.clone(), class.clone())).or_default();
        *count += 1;
        if *count > 4000 {
            continue;
        }
        out.push(Sample { source, family: family(&class), class, text: payload.into_bytes(), attack: true });
    }
    Ok(out)
}

fn family(class: &str) -> &'static str {
    let class = class.to_ascii_lowercase();
    let has = |part: &str| class.contains(part);
    if has("no-sql") || has("nosql") {
        "nosql"
    } else if has("sql") {
        "sql"
    } else if has("xss") {
        "script"
    } else if has("c") && (has("cmd") || has("command")) {
        "command"
    } else if has("travers") || has("lfi") || has("inclusion") {
        "traversal"
    } else if has("template") || has("server-side-include") {
        "template"
    } else if has("xxe") || has("xml") {
        "xxe"
    } else {
        "query language"
    }
}
