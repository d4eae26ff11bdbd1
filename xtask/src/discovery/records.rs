//! The benchmark's files: traffic and truth as gzipped JSON lines.

use std::io::{BufRead, BufReader};
use std::path::Path;

use model::{Observation, SessionHash, Timestamp};
use serde::Deserialize;

use super::traffic::{Kind, Labelled};

#[derive(Deserialize)]
struct Record {
    ts: f64,
    client_ip: Option<String>,
    method: String,
    host: String,
    path: String,
    status: u16,
    req_ct: Option<String>,
    resp_ct: Option<String>,
    req_bytes: Option<u64>,
    resp_bytes: Option<u64>,
    ua: Option<String>,
    referer: Option<String>,
    accept: Option<String>,
    session_id: Option<String>,
    auth: Option<bool>,
    resp_shape: Option<Vec<u64>>,
}

/// One line of the index.
#[derive(Clone, Debug, Deserialize)]
pub struct SiteIndex {
    /// The site's name, which its files begin with.
    pub site: String,
    /// `generated` or `recorded`.
    pub kind: String,
    /// Paths are compared without regard to case.
    pub case_insensitive: bool,
    /// Every endpoint of the site, seen or not.
    pub endpoints: Vec<String>,
}

type Failure = Box<dyn std::error::Error>;

fn lines(path: &Path, most: usize) -> Result<Vec<String>, Failure> {
    let file =
        std::fs::File::open(path).map_err(|error| format!("`{}` could not be opened: {error}", path.display()))?;
    let reader = BufReader::new(flate2::read::MultiGzDecoder::new(file));
    let lines: Result<Vec<String>, _> = reader.lines().take(most).collect();
    Ok(lines.map_err(|error| format!("`{}` could not be read: {error}", path.display()))?)
}

/// The sites of a benchmark folder.
pub fn index(folder: &Path) -> Result<Vec<SiteIndex>, Failure> {
    let path = folder.join("sites/index.json");
    let text = std::fs::read(&path).map_err(|error| format!("`{}` could not be read: {error}", path.display()))?;
    Ok(serde_json::from_slice(&text).map_err(|error| format!("`{}` is no index: {error}", path.display()))?)
}

/// The first `most` requests of a site with their truth.
pub fn read(folder: &Path, site: &str, most: usize) -> Result<Vec<Labelled>, Failure> {
    let traffic = lines(&folder.join(format!("sites/{site}.traffic.jsonl.gz")), most)?;
    let truth = lines(&folder.join(format!("sites/{site}.truth.jsonl.gz")), most)?;
    let mut requests = Vec::with_capacity(traffic.len());
    for (at, (record, truth)) in traffic.iter().zip(&truth).enumerate() {
        let record: Record =
            serde_json::from_str(record).map_err(|error| format!("`{site}` line {}: {error}", at + 1))?;
        let (kind, template): (String, Option<String>) =
            serde_json::from_str(truth).map_err(|error| format!("truth of `{site}` line {}: {error}", at + 1))?;
        let kind = match kind.as_str() {
            "api" => Kind::Api,
            "web" => Kind::Web,
            "static" => Kind::Static,
            "scan" => Kind::Scan,
            "preflight" => Kind::Preflight,
            "ambig" => Kind::Ambiguous,
            _ => Kind::Mistake,
        };
        requests.push(Labelled { observation: observation(record), kind, template });
    }
    Ok(requests)
}

fn observation(record: Record) -> Observation {
    Observation {
        at: Timestamp((record.ts * 1e6) as i64),
        client: record.client_ip.and_then(|address| address.parse().ok()),
        host: record.host.to_ascii_lowercase().into(),
        method: record.method.into(),
        target: record.path.into(),
        status: record.status,
        request_type: record.req_ct.map(Into::into),
        response_type: record.resp_ct.map(Into::into),
        request_bytes: record.req_bytes,
        response_bytes: record.resp_bytes,
        agent: record.ua.map(Into::into),
        referer: record.referer.map(Into::into),
        accept: record.accept.map(Into::into),
        session: record.session_id.map(|id| SessionHash(ml::hash::hash_bytes(1, id.as_bytes()))),
        credential: record.auth,
        response_shape: record.resp_shape.map(Into::into),
        ..Observation::default()
    }
}
