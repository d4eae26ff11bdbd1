//! Attack detection against public collections: recall by collection and class, and legitimate requests refused.
//!
//! Every case is judged as the bytes of a request, by the whole pipeline in mode `block`: the parser, `hygiene` and
//! `attacks`. A payload of a list is sent as a form field, percent-encoded as a browser would. The collections are read
//! from `--corpus` and are no part of this project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inspect::offline::OfflineRequest;
use inspect::stages::attacks::ScoreUse;
use inspect::{Policy, decide};
use model::finding::{Confidence, Finding};
use model::ids::ApiName;
use model::limits::Limits;
use model::mode::Mode;
use model::reason::{Reason, StageId};

use super::corpora::{self, Case, Kind};
use crate::Outcome;
use crate::table::{Cell, Table, publish};

/// Arguments of this task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds the collections.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    corpus: Option<PathBuf>,
    /// Also write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print up to this many wrongly judged cases of each class, to standard error.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    misses: usize,
    /// Only collections whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Judge with the detectors alone.
    #[arg(long)]
    without_score: bool,
    /// Lists of your own instead of the collections: JSON lines with `collection`, `class`, `kind` (attack or legitimate)
    /// and `payload`.
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
}

/// What became of one case.
pub struct Judgement {
    /// The request was refused.
    pub refused: bool,
    /// By the parser or the stage `hygiene`.
    pub by_hygiene: bool,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> Outcome {
    let mut cases = match &arguments.corpus {
        Some(folder) => corpora::load(folder)?,
        None => Vec::new(),
    };
    for list in &arguments.list {
        cases.extend(corpora::list(list)?);
    }
    let mut policy = policy();
    if arguments.without_score {
        policy.attacks.score = ScoreUse::Off;
    }
    let detectors_only = {
        let mut policy = policy.clone();
        policy.attacks.score = ScoreUse::Off;
        policy
    };
    let mut rows: BTreeMap<(Kind, String, String), Tally> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.corpus.contains(&arguments.only)) {
        let judged = judge(&policy, &case.raw);
        let alone = judge(&detectors_only, &case.raw);
        for class in [case.class.clone(), "all".to_owned()] {
            let tally = rows.entry((case.kind, case.corpus.clone(), class)).or_default();
            tally.cases += 1;
            tally.refused += u64::from(judged.refused);
            tally.by_hygiene += u64::from(judged.refused && judged.by_hygiene);
            tally.by_detectors += u64::from(alone.refused);
            tally.seen += u64::from(judged.findings.iter().any(|finding| finding.confidence >= Confidence::Likely));
        }
        let wrong = judged.refused != (case.kind == Kind::Attack);
        if wrong {
            let tally = rows.entry((case.kind, case.corpus.clone(), case.class.clone())).or_default();
            tally.shown += 1;
            if tally.shown <= arguments.misses {
                show(case, &judged);
            }
        }
    }
    publish(
        &[table(&rows, Kind::Attack, "Attacks"), table(&rows, Kind::Legitimate, "Legitimate requests")],
        arguments.json.as_deref(),
    )
}

#[derive(Default)]
struct Tally {
    cases: u64,
    refused: u64,
    by_hygiene: u64,
    by_detectors: u64,
    seen: u64,
    shown: usize,
}

fn table(rows: &BTreeMap<(Kind, String, String), Tally>, kind: Kind, title: &str) -> Table {
    let mut table = Table::new(
        title,
        &[
            "collection",
            "class",
            "cases",
            "refused",
            "share",
            "detectors alone",
            "of these by hygiene",
            "found at least likely",
        ],
    );
    for ((_, corpus, class), tally) in rows.iter().filter(|((of, ..), _)| *of == kind) {
        let share =
            |count: u64| if tally.cases == 0 { Cell::None } else { Cell::Ratio(count as f64 / tally.cases as f64) };
        table.rows.push(vec![
            Cell::text(corpus),
            Cell::text(class),
            Cell::Count(tally.cases),
            Cell::Count(tally.refused),
            share(tally.refused),
            share(tally.by_detectors),
            Cell::Count(tally.by_hygiene),
            share(tally.seen),
        ]);
    }
    table
}

fn show(case: &Case, judged: &Judgement) {
    let found: Vec<String> = judged
        .findings
        .iter()
        .map(|finding| format!("{} {:?} [{}]", finding.reason.code(), finding.confidence, finding.evidence))
        .collect();
    let shown: String = case.shown.chars().take(220).collect();
    eprintln!("{}/{}: {:?}\n    -> {}", case.corpus, case.class, shown, found.join("; "));
}

/// Everything that may refuse set to block.
pub fn policy() -> Policy {
    Policy::new(ApiName("conformance".into()), Mode::Block)
}

/// Judges the bytes of one request as the gateway would.
pub fn judge(policy: &Policy, raw: &[u8]) -> Judgement {
    let Some(Ok(request)) = OfflineRequest::read(raw, &Limits::default()) else {
        return Judgement { refused: true, by_hygiene: true, findings: Vec::new() };
    };
    let findings = request.judge(policy);
    let verdict = decide(policy, &request.view(policy), &findings);
    Judgement {
        refused: verdict.refuses(),
        by_hygiene: verdict.refused_by() == Some(StageId::Hygiene)
            && !findings
                .iter()
                .any(|finding| matches!(finding.reason, Reason::Attack(_)) && finding.confidence == Confidence::Sure),
        findings: findings.into_vec(),
    }
}

/// The files a collection is made of, or an error that names what is missing.
pub fn file(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("`{}` is not there; give the folder of the collections with `--corpus`", path.display()))
    }
}
