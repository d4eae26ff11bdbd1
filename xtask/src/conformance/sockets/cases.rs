//! The requests that are sent, as bytes: the collections about framing as they are, the values of the collections about attacks
//! in every placement.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use serde_json::Value;

use super::strict::split;
use crate::conformance::{corpora, http1, smuggler};

/// One request.
pub struct Case {
    /// The collection.
    pub corpus: &'static str,
    /// The class inside the collection, or the placement of a value.
    pub class: String,
    /// The bytes over HTTP/1.1.
    pub raw: Vec<u8>,
    /// One ordinary message in HTTP; what matters is what it carries.
    pub is_ordinary: bool,
    /// Over HTTP/2 without what concerns one HTTP/1.1 connection: that is not what the case is about.
    pub without_hops: bool,
}

type Cases = Result<Vec<Case>, Box<dyn std::error::Error>>;

/// Every case. `malformed` is a folder with `cases.py`, which Python reads.
pub fn load(corpus: &Path, malformed: Option<&Path>) -> Cases {
    let mut cases = desync(corpus)?;
    cases.extend(gadgets(corpus)?);
    cases.extend(llhttp(corpus)?);
    cases.extend(crs(corpus)?);
    if let Some(folder) = malformed {
        cases.extend(read_malformed(folder)?);
    }
    cases.extend(gotestwaf(corpus)?);
    cases.extend(placed(corpus)?);
    Ok(cases)
}

fn framing(corpus: &'static str, class: impl Into<String>, raw: Vec<u8>) -> Case {
    Case { corpus, class: class.into(), raw, is_ordinary: false, without_hops: false }
}

/// Heads by tier. They come without `Host` and without bodies, which are other matters: both are put in.
fn desync(corpus: &Path) -> Cases {
    let mut cases = Vec::new();
    for row in http1::lines(corpus, "http-desync-guardian/cases.jsonl")? {
        let mut raw = with_host(&http1::bytes(&row, "raw_head_b64")?);
        let body = body_for(&raw);
        raw.extend_from_slice(&body);
        cases.push(framing("http-desync-guardian", http1::text(&row, "tier").to_ascii_lowercase(), raw));
    }
    Ok(cases)
}

fn with_host(head: &[u8]) -> Vec<u8> {
    let names_host = |line: &&[u8]| line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"host:"));
    if split(head, b"\r\n").iter().any(names_host) {
        return head.to_vec();
    }
    let empty = head.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let start = head.get(empty..).unwrap_or_default();
    let first = empty + start.windows(2).position(|window| window == b"\r\n").map_or(start.len(), |at| at + 2);
    [head.get(..first).unwrap_or_default(), b"Host: api.example.com\r\n", head.get(first..).unwrap_or_default()]
        .concat()
}

/// A body that fits what a head says, as far as it says something that fits.
fn body_for(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    if text.contains("chunked") {
        return b"5\r\nhello\r\n0\r\n\r\n".to_vec();
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    vec![b'a'; length.unwrap_or(0).min(64 * 1024)]
}

fn gadgets(corpus: &Path) -> Cases {
    let rows = http1::lines(corpus, "smuggler/gadgets.jsonl")?;
    let each = rows.iter().map(|row| Ok(framing("smuggler", "transfer-encoding", smuggler::request(row)?)));
    each.collect()
}

/// Requests of a parser's own tests; most come without `Host`, which is put in.
fn llhttp(corpus: &Path) -> Cases {
    let mut cases = Vec::new();
    for row in http1::lines(corpus, "llhttp/request-tests.jsonl")? {
        let class = match http1::text(&row, "type") {
            "request" => format!("strict, there {}", http1::text(&row, "verdict")),
            _ => "lenient".to_owned(),
        };
        cases.push(framing("llhttp", class, with_host(&http1::bytes(&row, "raw_b64")?)));
    }
    Ok(cases)
}

fn crs(corpus: &Path) -> Cases {
    let mut cases = Vec::new();
    for row in http1::lines(corpus, "crs-regression/tests.jsonl")? {
        let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
        let family = number("rule_id") / 1000;
        if matches!(family, 920 | 921) {
            let class = format!("{family} {} at level {}", http1::text(&row, "kind"), number("paranoia_level"));
            let case = framing("crs-regression", class, http1::bytes(&row, "raw_b64")?);
            cases.push(Case { without_hops: true, ..case });
        }
    }
    Ok(cases)
}

/// The cases of a Python file: `CASES`, a list of name, meaning and bytes.
fn read_malformed(folder: &Path) -> Cases {
    const SCRIPT: &str = "import base64, json, sys\nsys.path.insert(0, sys.argv[1])\nfrom cases import CASES\n\
        for case in CASES: print(json.dumps([case[0], base64.b64encode(case[2]).decode()]))";
    let output = Command::new("python3").args(["-B", "-c", SCRIPT]).arg(folder).output();
    let output = output.map_err(|error| format!("`python3`, which reads `cases.py`, does not start: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`{}` could not be read: {said}", folder.join("cases.py").display()).into());
    }
    let mut cases = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let (name, packed): (String, String) = serde_json::from_str(line)?;
        let class = if name.starts_with("ok-") { "well-formed" } else { "malformed or ambiguous" };
        cases.push(framing("malformed", class, base64::engine::general_purpose::STANDARD.decode(packed)?));
    }
    Ok(cases)
}

fn ordinary(corpus: &'static str, class: impl Into<String>, raw: Vec<u8>) -> Case {
    Case { corpus, class: class.into(), raw, is_ordinary: true, without_hops: true }
}

/// The requests of gotestwaf as it renders them.
fn gotestwaf(corpus: &Path) -> Cases {
    let each = corpora::gotestwaf(corpus)?.into_iter().map(|case| {
        let corpus = match case.kind {
            corpora::Kind::Attack => "gotestwaf, attacks",
            corpora::Kind::Legitimate => "gotestwaf, legitimate",
        };
        ordinary(corpus, "as it renders them", case.raw)
    });
    Ok(each.collect())
}

/// A place for a value: its name, and the request with a value in it.
type Placement = (&'static str, fn(&str) -> Vec<u8>);

/// Where a value is put.
pub const PLACEMENTS: &[Placement] = &[
    ("query", |value| request("GET", &format!("/search?page=2&q={}", percent(value, is_unreserved)), "", b"")),
    ("form", |value| {
        let body = format!("page=2&q={}", percent(value, is_unreserved));
        request("POST", "/search", "Content-Type: application/x-www-form-urlencoded\r\n", body.as_bytes())
    }),
    ("json", |value| {
        let body = serde_json::json!({ "page": 2, "filter": { "q": value } }).to_string();
        request("POST", "/search", "Content-Type: application/json\r\n", body.as_bytes())
    }),
    ("header", |value| {
        // A field holds no control characters, and no white space at its ends: such values are sent escaped.
        let value = percent(value.trim(), |byte| byte >= 0x20 && byte != 0x7f);
        request("GET", "/search?page=2", &format!("X-Filter: {value}\r\n"), b"")
    }),
    ("multipart", |value| {
        let body = format!(
            "--7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n{value}\r\n--7MA4YWxkTrZu0gW--\r\n"
        );
        let content_type = "Content-Type: multipart/form-data; boundary=7MA4YWxkTrZu0gW\r\n";
        request("POST", "/search", content_type, body.as_bytes())
    }),
];

/// The payloads of gotestwaf, without its encoders, in every placement.
fn placed(corpus: &Path) -> Cases {
    let mut cases = Vec::new();
    for row in http1::lines(corpus, "gotestwaf/payloads.jsonl")? {
        let is_legitimate = http1::text(&row, "set").contains("false");
        let corpus = if is_legitimate { "legitimate values" } else { "attack values" };
        for (class, place) in PLACEMENTS {
            cases.push(ordinary(corpus, *class, place(http1::text(&row, "payload"))));
        }
    }
    Ok(cases)
}

fn request(method: &str, target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut raw = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {}\r\nAccept: */*\r\n{fields}",
        corpora::AGENT
    )
    .into_bytes();
    if !body.is_empty() {
        raw.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(body);
    raw
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn percent(text: &str, is_kept: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mut units = [0u8; 4];
        for &byte in c.encode_utf8(&mut units).as_bytes() {
            match is_kept(byte) {
                true if byte < 0x80 => out.push(char::from(byte)),
                // What is kept of a wide character is kept whole.
                true => {
                    out.push(c);
                    break;
                }
                false => out.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_their_places() {
        let texts: Vec<String> =
            PLACEMENTS.iter().map(|(_, place)| String::from_utf8(place("a'b\n\u{e9}")).unwrap()).collect();
        for (text, expected) in texts.iter().zip([
            "q=a%27b%0A%C3%A9 HTTP/1.1",
            "\r\n\r\npage=2&q=a%27b%0A%C3%A9",
            r#""q":"a'b\n\u{e9}""#,
            "X-Filter: a'b%0A\u{e9}\r\n",
            "\r\n\r\na'b\n\u{e9}\r\n--",
        ]) {
            let expected = expected.replace("\\u{e9}", "\u{e9}");
            assert!(text.contains(&expected), "{text}");
        }
    }
}
