//! OpenAPI beside openapi-core (PyPI): valid and broken requests of real documents, judged by both, and every kind of
//! disagreement counted. What each kind means, and who is right, stands in `docs/measured/openapi-differential.md`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use schema::derive::{DerivedRequest, Expectation, derive};
use schema::document::Document;
use schema::json::JsonLimits;
use schema::openapi::{
    BodyInput, Contract, LoadOptions, Match, RequestParts, Strictness, Violation, ViolationKind, load_file,
};

use crate::table::{Cell, Table, publish};

/// The other validator.
const SCRIPT: &str = include_str!("openapi_core.py");

/// What is compared.
#[derive(clap::Args)]
pub struct Arguments {
    /// Documents, or folders of them.
    #[arg(required = true)]
    documents: Vec<PathBuf>,
    /// A Python that has `openapi-core`.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Most requests of one document, evenly chosen.
    #[arg(long, default_value_t = 60)]
    requests_max: usize,
    /// Larger documents are left out, in bytes.
    #[arg(long, default_value_t = 1_500_000)]
    document_bytes_max: u64,
    /// Most documents.
    #[arg(long, default_value_t = 100)]
    documents_max: usize,
    /// Write one example of each kind of disagreement to standard error.
    #[arg(long)]
    misses: bool,
    /// Also write the table as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Default)]
struct Counts {
    documents: u64,
    not_compared: u64,
    valid: u64,
    broken: u64,
    agreed: u64,
    /// Kinds of disagreement, with how often and one example.
    kinds: BTreeMap<String, (u64, String)>,
}

/// Runs the comparison and prints the tables.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let mut files = Vec::new();
    for path in &arguments.documents {
        collect(path, &mut files, 0);
    }
    files.sort();
    let mut counts = Counts::default();
    for file in files {
        let small = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= arguments.document_bytes_max);
        if small && counts.documents < arguments.documents_max as u64 {
            compare(arguments, &file, &mut counts)?;
        }
    }
    let mut table = Table::new("OpenAPI beside openapi-core", &["what", "count"]);
    for (what, count) in [
        ("documents compared", counts.documents),
        ("documents that one of the two does not load", counts.not_compared),
        ("valid requests", counts.valid),
        ("broken requests", counts.broken),
        ("judged alike", counts.agreed),
    ] {
        table.rows.push(vec![Cell::text(what), Cell::Count(count)]);
    }
    let mut kinds = Table::new("Disagreements", &["meant / ours / theirs", "count"]);
    let mut sorted: Vec<_> = counts.kinds.into_iter().collect();
    sorted.sort_by_key(|(kind, (count, _))| (std::cmp::Reverse(*count), kind.clone()));
    for (kind, (count, example)) in sorted {
        if arguments.misses {
            eprintln!("{count} x {kind}\n    {example}");
        }
        kinds.rows.push(vec![Cell::text(&kind), Cell::Count(count)]);
    }
    publish(&[table, kinds], arguments.json.as_deref())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>, depth: usize) {
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten().filter(|_| depth < 8) {
            collect(&entry.path(), files, depth + 1);
        }
    } else if path.extension().is_some_and(|suffix| ["json", "yaml", "yml"].iter().any(|known| suffix == *known)) {
        files.push(path.to_path_buf());
    }
}

fn compare(arguments: &Arguments, file: &Path, counts: &mut Counts) -> Result<(), String> {
    let Ok(bytes) = std::fs::read(file) else { return Ok(()) };
    let Ok(document) = Document::parse(&file.display().to_string(), &bytes) else { return Ok(()) };
    let is_openapi = document.root().get("openapi").and_then(|version| version.as_str()).is_some();
    if !is_openapi {
        return Ok(());
    }
    let loaded = load_file(file, &LoadOptions::default());
    let is_sound = loaded.is_sound();
    let Some(contract) = loaded.contract.filter(|_| is_sound) else {
        counts.not_compared += 1;
        return Ok(());
    };
    let all = derive(&document).requests;
    if all.is_empty() {
        return Ok(());
    }
    let step = all.len().div_ceil(arguments.requests_max).max(1);
    let requests: Vec<DerivedRequest> = all.into_iter().step_by(step).collect();
    let Some(theirs) = judged_by_them(arguments, file, &requests)? else {
        counts.not_compared += 1;
        return Ok(());
    };
    counts.documents += 1;
    for (request, theirs) in requests.iter().zip(&theirs) {
        let ours = judged_by_us(&contract, request);
        let meant = match &request.expected {
            Expectation::Valid => {
                counts.valid += 1;
                "valid"
            }
            Expectation::Invalid(broken) => {
                counts.broken += 1;
                broken.split(" at ").next().unwrap_or(broken)
            }
        };
        if ours.is_none() == (theirs == "valid") {
            counts.agreed += 1;
            continue;
        }
        // Names of members are no kinds.
        let meant = meant.split(" `").next().unwrap_or(meant);
        let ours_said = ours.as_ref().map_or("valid".to_owned(), |violation| {
            format!("{} {}", violation.kind.name(), violation.keyword).trim_end().to_owned()
        });
        let kind = format!("{meant} / {ours_said} / {theirs}");
        let entry = counts.kinds.entry(kind).or_insert_with(|| (0, String::new()));
        entry.0 += 1;
        if entry.1.is_empty() {
            let body = request.body.as_ref().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
            let body: String = body.unwrap_or_default().chars().take(300).collect();
            let said = ours.map(|violation| violation.to_string()).unwrap_or_default();
            entry.1 = format!(
                "{} {} {} {:?} {body} | {:?} | {said}",
                file.display(),
                request.method,
                request.target,
                request.fields,
                request.expected
            );
        }
    }
    Ok(())
}

/// The verdicts of the other validator; `None` when it does not load the document.
fn judged_by_them(
    arguments: &Arguments,
    file: &Path,
    requests: &[DerivedRequest],
) -> Result<Option<Vec<String>>, String> {
    let list: Vec<serde_json::Value> = requests
        .iter()
        .map(|request| {
            serde_json::json!({
                "method": request.method,
                "target": request.target,
                "fields": request.fields,
                "content_type": request.body.as_ref().map(|(kind, _)| kind),
                "body": request.body.as_ref().map(|(_, bytes)| String::from_utf8_lossy(bytes)),
            })
        })
        .collect();
    let given = serde_json::json!({ "document": file, "requests": list }).to_string();
    let path = std::env::temp_dir().join(format!("portreeve-openapi-diff-{}.json", std::process::id()));
    let failed = |error: std::io::Error| format!("`{}`: {error}", arguments.python.display());
    std::fs::File::create(&path).and_then(|mut file| file.write_all(given.as_bytes())).map_err(failed)?;
    let output = Command::new(&arguments.python)
        .args(["-W", "ignore", "-c", SCRIPT])
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    let _ = std::fs::remove_file(&path);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.is_empty() && !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = error.lines().last().unwrap_or_default();
        if last.starts_with("ModuleNotFoundError") {
            return Err(format!(
                "`{}` has no `openapi-core`; install it, or name another with `--python`: {last}",
                arguments.python.display()
            ));
        }
        return Ok(None);
    }
    Ok((!text.starts_with('!')).then(|| text.lines().map(str::to_owned).collect()))
}

/// What we have against a request; the first departure that is no matter of strictness.
fn judged_by_us(contract: &Contract, request: &DerivedRequest) -> Option<Violation> {
    let base = contract.info().base_paths.first().map_or("", |base| base);
    let target = format!("{base}{}", request.target);
    let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
    let Match::Operation(id, path_values) = contract.match_operation(&request.method, "", path) else {
        return Some(Violation {
            kind: ViolationKind::ParameterInvalid,
            place: schema::openapi::MessagePlace::Path("".into()),
            pointer: "".into(),
            keyword: "no operation",
            expected: "".into(),
            closest: None,
        });
    };
    let lower: Vec<(String, &str)> =
        request.fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    let fields: Vec<(&str, &str)> = lower.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let parts = RequestParts { path, path_values: &path_values, query, fields: &fields };
    let limits = JsonLimits::default();
    let body = request.body.as_ref().map(|(_, bytes)| BodyInput { bytes, json: None, limits: &limits });
    let kind = request.body.as_ref().map(|(kind, _)| kind.as_str());
    let head = contract.judge_request_head(id, &parts, Strictness::default()).violations;
    let body = contract.judge_request_body(id, kind, body.as_ref(), Strictness::default()).violations;
    let is_strictness = |kind| matches!(kind, ViolationKind::ParameterUndeclared | ViolationKind::FieldUndeclared);
    head.into_iter().chain(body).find(|violation| !is_strictness(violation.kind))
}
