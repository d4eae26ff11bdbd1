//! Makes the traffic of sites from OpenAPI documents and writes it in the benchmark's format.

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::documents::of_vendor;
use super::site::Site;
use super::traffic::{Kind, Labelled, Traffic};
use crate::Outcome;

/// Arguments of `simulate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of OpenAPI documents: `<vendor>.json` or `<vendor>/**.json`.
    #[arg(long)]
    documents: PathBuf,
    /// Vendors to make sites of, by directory name.
    #[arg(long, required = true, value_delimiter = ',')]
    vendor: Vec<String>,
    /// Requests of each site.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Seed; the same seed gives the same traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Spoil the traffic: missing and wrong content types, soft failures, lying agents, stripped fields.
    #[arg(long)]
    degraded: bool,
    /// Folder for `sites/`.
    #[arg(short, long)]
    output: PathBuf,
}

/// Runs `simulate`.
pub fn run(arguments: &Arguments) -> Outcome {
    let folder = arguments.output.join("sites");
    std::fs::create_dir_all(&folder)?;
    let mut index = Vec::new();
    for (number, vendor) in arguments.vendor.iter().enumerate() {
        let documents = of_vendor(&arguments.documents, vendor);
        let seed = ml::hash::mix(arguments.seed, ml::hash::hash_bytes(0, vendor.as_bytes()));
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut site = Site::make(&mut rng, &documents, &super::values::Words(Vec::new()), arguments.degraded)
            .ok_or_else(|| format!("no readable document of `{vendor}` in `{}`", arguments.documents.display()))?;
        let endpoints: Vec<String> = site.targets.iter().map(|target| target.truth.clone()).collect();
        let case_insensitive = site.case_insensitive;
        let name = format!("sim-{number:03}");
        let file = |kind: &str| std::fs::File::create(folder.join(format!("{name}.{kind}.jsonl.gz")));
        let mut traffic_out = GzEncoder::new(file("traffic")?, Compression::default());
        let mut truth_out = GzEncoder::new(file("truth")?, Compression::default());
        let mut traffic = Traffic::new(&mut site, seed);
        for _ in 0..arguments.requests {
            let request = traffic.next_request();
            writeln!(traffic_out, "{}", record(&request))?;
            writeln!(truth_out, "{}", json!([kind_name(request.kind), request.template]))?;
        }
        traffic_out.finish()?;
        truth_out.finish()?;
        index.push(json!({"site": name, "kind": "generated", "vendor": vendor, "records": arguments.requests,
            "layout": "simulated", "case_insensitive": case_insensitive, "endpoints": endpoints}));
    }
    std::fs::write(folder.join("index.json"), serde_json::to_vec(&index)?)?;
    Ok(())
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Api => "api",
        Kind::Web => "web",
        Kind::Static => "static",
        Kind::Scan => "scan",
        Kind::Preflight => "preflight",
        Kind::Ambiguous => "ambig",
        Kind::Mistake => "apinoise",
    }
}

fn record(request: &Labelled) -> serde_json::Value {
    let one = &request.observation;
    json!({
        "ts": one.at.0 as f64 / 1e6, "client_ip": one.client.map(|address| address.to_string()), "method": one.method,
        "host": one.host, "path": one.target, "status": one.status, "req_ct": one.request_type,
        "resp_ct": one.response_type, "req_bytes": one.request_bytes, "resp_bytes": one.response_bytes, "ua": one.agent,
        "referer": one.referer, "accept": one.accept, "session_id": one.session.map(|session| session.to_string()),
        "auth": one.credential, "resp_shape": one.response_shape,
    })
}
