//! The public collections as requests, each with its class and what should become of it.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use serde_json::Value;

use super::attacks::file;

/// What should become of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It must be refused.
    Attack,
    /// It must pass.
    Legitimate,
}

/// One case.
pub struct Case {
    /// The collection.
    pub corpus: String,
    /// The class inside the collection.
    pub class: String,
    /// What should become of it.
    pub kind: Kind,
    /// The request as bytes.
    pub raw: Vec<u8>,
    /// What the case is about, for people: the payload.
    pub shown: String,
}

type Cases = Result<Vec<Case>, Box<dyn std::error::Error>>;

/// Every case of every collection.
pub fn load(folder: &Path) -> Cases {
    let mut cases = gotestwaf(folder)?;
    cases.extend(crs(folder)?);
    for (corpus, kind, class, payload) in payloads(folder)? {
        let raw = form_post(&payload);
        cases.push(Case { corpus, class, kind, raw, shown: payload });
    }
    cases.extend(csic(folder)?);
    cases.extend(ordinary());
    Ok(cases)
}

/// The cases of a list that somebody made: JSON lines with `collection`, `class`, `kind` and `payload`.
pub fn list(path: &Path) -> Cases {
    let rows = lines(path).map_err(|error| format!("`{}` could not be read: {error}", path.display()))?;
    let case = |row: &Value| {
        let payload = text(row, "payload").to_owned();
        Case {
            corpus: text(row, "collection").to_owned(),
            class: text(row, "class").to_owned(),
            kind: if text(row, "kind") == "legitimate" { Kind::Legitimate } else { Kind::Attack },
            raw: form_post(&payload),
            shown: payload,
        }
    };
    Ok(rows.iter().map(case).collect())
}

/// Labelled strings: collection, kind, class, payload.
pub type Labelled = (String, Kind, String, String);

/// The labelled strings of every payload collection.
pub fn payloads(folder: &Path) -> Result<Vec<Labelled>, Box<dyn std::error::Error>> {
    let mut out = Vec::new();
    let mut add = |corpus: &str, kind, class: &str, payload: &str| {
        // Some lists are templates.
        let filled = payload.replace("{FILE}", "etc/passwd").replace("{file}", "etc/passwd").replace("{cmd}", "whoami");
        if !payload.trim().is_empty() {
            out.push((corpus.to_owned(), kind, class.to_owned(), filled));
        }
    };
    for row in lines(&file(folder, "httpparams/payload_train.jsonl")?)? {
        let (class, payload) = (text(&row, "attack"), text(&row, "payload"));
        let kind = if class == "norm" { Kind::Legitimate } else { Kind::Attack };
        add("httpparams", kind, class, payload);
    }
    for row in lines(&file(folder, "libinjection/payloads.jsonl")?)? {
        let class = text(&row, "attack");
        let kind = if class == "benign" { Kind::Legitimate } else { Kind::Attack };
        add("libinjection", kind, class, &once_decoded(text(&row, "payload")));
    }
    for row in lines(&file(folder, "payloadbox/payloads.jsonl")?)? {
        let class = text(&row, "list").trim_end_matches("-payload-list").to_owned();
        if is_whole(text(&row, "payload")) {
            add("payloadbox", Kind::Attack, &class, text(&row, "payload"));
        }
    }
    for row in lines(&file(folder, "payloadsallthethings/intruder.jsonl")?)? {
        let class = text(&row, "category").to_owned();
        let left_out = ["Insecure Management Interface", "Open Redirect", "Web Cache Deception"];
        if !left_out.contains(&class.as_str()) && is_whole(text(&row, "payload")) {
            add("payloadsallthethings", Kind::Attack, &class, text(&row, "payload"));
        }
    }
    for row in lines(&file(folder, "fuzzdb/attack.jsonl")?)? {
        let class = text(&row, "category").to_owned();
        let kept = [
            "ldap",
            "lfi",
            "no-sql-injection",
            "os-cmd-execution",
            "path-traversal",
            "server-side-include",
            "sql-injection",
            "xml",
            "xpath",
            "xss",
        ];
        if kept.contains(&class.as_str()) && is_whole(text(&row, "payload")) {
            add("fuzzdb", Kind::Attack, &class, text(&row, "payload"));
        }
    }
    Ok(out)
}

/// Lists also hold single letters, names of attributes and headings; what has neither length nor signs is no attack.
fn is_whole(payload: &str) -> bool {
    payload.len() >= 6
        && payload.chars().filter(|c| !c.is_alphanumeric()).count() >= 2
        && !payload.starts_with("Exploit ")
        && payload.chars().any(char::is_alphanumeric)
}

/// This collection keeps its payloads as they stood in a URL.
fn once_decoded(payload: &str) -> String {
    String::from_utf8_lossy(&inspect::values::decode::unescape_form(payload.as_bytes())).into_owned()
}

/// The requests of gotestwaf, attacks and legitimate ones.
pub fn gotestwaf(folder: &Path) -> Cases {
    let mut cases = Vec::new();
    let payloads: Vec<Value> = lines(&file(folder, "gotestwaf/payloads.jsonl")?)?;
    let shown = |case: &str, index: u64| {
        let found =
            payloads.iter().find(|row| text(row, "case") == case && field(row, "index").as_u64() == Some(index));
        found.map_or(String::new(), |row| text(row, "payload").to_owned())
    };
    for row in lines(&file(folder, "gotestwaf/requests.jsonl")?)? {
        let attack = text(&row, "expect") == "block";
        let body = match field(&row, "grpc_value").as_str() {
            Some(value) => grpc_message(value),
            None => unbase64(text(&row, "body_b64"))?,
        };
        let mut headers = vec![("Host".to_owned(), "localhost".to_owned())];
        if let Some(map) = field(&row, "headers").as_object() {
            headers
                .extend(map.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())));
        }
        if field(&row, "grpc_value").is_string() {
            headers.push(("Content-Type".to_owned(), "application/grpc".to_owned()));
        }
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            headers.push(("User-Agent".to_owned(), AGENT.to_owned()));
        }
        let payload = shown(text(&row, "case"), field(&row, "index").as_u64().unwrap_or(0));
        let start: String = payload.chars().rev().take(160).collect::<Vec<_>>().into_iter().rev().collect();
        cases.push(Case {
            corpus: "gotestwaf".to_owned(),
            class: text(&row, "case").to_owned(),
            kind: if attack { Kind::Attack } else { Kind::Legitimate },
            raw: request(text(&row, "method"), text(&row, "target"), &headers, &body),
            shown: format!("{} {}: {start}", text(&row, "encoder"), text(&row, "placeholder")),
        });
    }
    Ok(cases)
}

/// A frame with a message whose first field is a text.
fn grpc_message(value: &str) -> Vec<u8> {
    let mut message = vec![0x0a, u8::try_from(value.len()).unwrap_or(0)];
    message.extend_from_slice(value.as_bytes());
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

/// Positives of the requests, with their paranoia level; the rule's own level says what a default configuration owes.
fn crs(folder: &Path) -> Cases {
    let mut cases = Vec::new();
    for row in lines(&file(folder, "crs-regression/tests.jsonl")?)? {
        let family = text(&row, "family");
        if text(&row, "kind") != "positive" || !family.starts_with("REQUEST-") {
            continue;
        }
        let level = field(&row, "paranoia_level").as_u64().unwrap_or(0);
        let class = format!("pl{level} {}", family.trim_start_matches("REQUEST-").to_ascii_lowercase());
        let raw = unbase64(text(&row, "raw_b64"))?;
        let shown = format!(
            "{} {} {} {}",
            field(&row, "rule_id"),
            text(&row, "uri"),
            field(&row, "headers"),
            text(&row, "data")
        );
        cases.push(Case { corpus: format!("crs-regression pl{level}"), class, kind: Kind::Attack, raw, shown });
    }
    Ok(cases)
}

fn csic(folder: &Path) -> Cases {
    let mut cases = Vec::new();
    let packed = std::fs::File::open(file(folder, "csic2010/normalTrafficTraining.jsonl.gz")?)?;
    let mut content = String::new();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut content)?;
    for line in content.lines() {
        let row: Value = serde_json::from_str(line)?;
        let headers: Vec<(String, String)> = field(&row, "headers")
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|pair| {
                let (name, value) = (pair.get(0)?.as_str()?, pair.get(1)?.as_str()?);
                (!name.eq_ignore_ascii_case("content-length")).then(|| (name.to_owned(), value.to_owned()))
            })
            .collect();
        let body = text(&row, "body");
        cases.push(Case {
            corpus: "csic2010".to_owned(),
            class: text(&row, "method").to_owned(),
            kind: Kind::Legitimate,
            raw: request(text(&row, "method"), text(&row, "url"), &headers, body.as_bytes()),
            shown: format!("{} {body}", text(&row, "url")),
        });
    }
    Ok(cases)
}

/// Texts of our own that must pass: prose, code, names, addresses, in fields of JSON.
fn ordinary() -> Vec<Case> {
    let list = include_str!("ordinary.txt");
    let mut class = "";
    let mut cases = Vec::new();
    for line in list.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            class = name;
        } else if !line.trim().is_empty() {
            let value = line.replace("\\n", "\n");
            let body = serde_json::json!({ "id": 7, "text": value, "tags": ["a", "b"] }).to_string();
            let headers = [
                ("Host".to_owned(), "localhost".to_owned()),
                ("User-Agent".to_owned(), AGENT.to_owned()),
                ("Content-Type".to_owned(), "application/json".to_owned()),
            ];
            cases.push(Case {
                corpus: "ordinary texts".to_owned(),
                class: format!("{class} (json)"),
                kind: Kind::Legitimate,
                raw: request("POST", "/v1/notes", &headers, body.as_bytes()),
                shown: value.clone(),
            });
            cases.push(Case {
                corpus: "ordinary texts".to_owned(),
                class: format!("{class} (form)"),
                kind: Kind::Legitimate,
                raw: form_post(&value),
                shown: value,
            });
        }
    }
    cases
}

/// The user agent of the cases that name none.
pub const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36";

fn form_post(payload: &str) -> Vec<u8> {
    let mut body = b"comment=".to_vec();
    for &byte in payload.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => body.push(byte),
            b' ' => body.push(b'+'),
            _ => body.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    let headers = [
        ("Host".to_owned(), "localhost".to_owned()),
        ("User-Agent".to_owned(), AGENT.to_owned()),
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    ];
    request("POST", "/comments", &headers, &body)
}

fn request(method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut raw = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        raw.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if !body.is_empty() {
        raw.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(body);
    raw
}

/// Base64 with the line ends that some files have.
fn unbase64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    let plain: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(plain)
}

/// A member of a row; null when it is not there.
fn field<'v>(row: &'v Value, name: &str) -> &'v Value {
    row.get(name).unwrap_or(&Value::Null)
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    field(row, name).as_str().unwrap_or_default()
}

fn lines(path: &Path) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let content = std::fs::read_to_string(path)?;
    content.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
