//! HTTP Archive files (HAR 1.2), entry by entry: a file of gigabytes needs no more memory than one entry without its bodies,
//! and an entry that is wrong is told while the others are read.

mod split;

use std::io::Read;

use serde::Deserialize;

use self::split::{Cut, Splitter};
use crate::lines::Source;
use crate::make::{Maker, Pieces};
use crate::{Options, Sink, Summary};

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: Option<String>,
    time: Option<f64>,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    body_size: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status: f64,
    #[serde(default)]
    headers: Vec<Header>,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    size: Option<f64>,
    mime_type: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

fn named<'h>(headers: &'h [Header], name: &str) -> Option<&'h [u8]> {
    let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    found.map(|header| header.value.as_bytes())
}

/// Reads a whole file; records are entries.
pub fn read(source: Source<'_>, options: &Options, summary: &mut Summary, sink: Sink<'_>) {
    let mut source = source.into_read();
    let mut maker = Maker::new(options);
    let mut splitter = Splitter::default();
    let mut chunk = vec![0u8; CHUNK_BYTES];
    let broken = loop {
        match source.read(&mut chunk) {
            Ok(0) => break None,
            Ok(count) => {
                summary.bytes += count as u64;
                let bytes = chunk.get(..count).unwrap_or_default();
                splitter.take(bytes, &mut |cut| take(cut, &mut maker, summary, sink));
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => break Some(crate::lines::broken(&error)),
        }
    };
    if let Some(what) = broken {
        summary.problem(summary.records, what);
    } else if !splitter.found() {
        summary.problem(0, "the archive has no `log.entries`");
    } else if !splitter.whole() {
        summary.problem(summary.records, "the archive ends in the middle, behind this entry");
    }
}

fn take(cut: Cut<'_>, maker: &mut Maker, summary: &mut Summary, sink: Sink<'_>) {
    summary.records += 1;
    let bytes = match cut {
        Cut::Entry(bytes) => bytes,
        Cut::Damaged(why) => return summary.problem(summary.records, why),
    };
    // Bytes that are no UTF-8 cost the entry a character, not its place.
    let text = String::from_utf8_lossy(bytes);
    let mut invalid_utf8 = matches!(text, std::borrow::Cow::Owned(_));
    let observation = match serde_json::from_str::<Entry>(&text) {
        Ok(entry) => observation(&entry, maker, &mut invalid_utf8),
        Err(error) => {
            let syntax = "the entry is no valid JSON";
            let lacking = "the entry lacks a method, URL or status, or one of its members is of another type";
            return summary.problem(summary.records, if error.is_data() { lacking } else { syntax });
        }
    };
    summary.invalid_utf8 += u64::from(invalid_utf8);
    match observation {
        Some(observation) => sink(observation),
        None => summary.problem(summary.records, "the entry has no request"),
    }
}

fn observation(entry: &Entry, maker: &mut Maker, invalid_utf8: &mut bool) -> Option<model::Observation> {
    let number = |value: Option<f64>| value.filter(|value| *value >= 0.0).map(|value| format!("{value:.0}"));
    let content = entry.response.content.as_ref();
    let (request_bytes, response_bytes) =
        (number(entry.request.body_size), number(content.and_then(|content| content.size)));
    let (status, time) = (number(Some(entry.response.status)), entry.time.map(|time| time.to_string()));
    let content_type = content.and_then(|content| content.mime_type.as_deref());
    let request = |name: &str| named(&entry.request.headers, name);
    let pieces = Pieces {
        time: entry.started_date_time.as_ref().map(|time| time.as_bytes()),
        host: request("host"),
        method: Some(entry.request.method.as_bytes()),
        target: Some(entry.request.url.split('#').next().unwrap_or_default().as_bytes()),
        status: status.as_ref().map(|status| status.as_bytes()),
        request_type: request("content-type"),
        response_type: named(&entry.response.headers, "content-type").or(content_type.map(str::as_bytes)),
        request_bytes: request_bytes.as_ref().map(|text| text.as_bytes()),
        response_bytes: response_bytes.as_ref().map(|text| text.as_bytes()),
        agent: request("user-agent"),
        referer: request("referer"),
        accept: request("accept"),
        fetch_dest: request("sec-fetch-dest"),
        // A HAR file has every field, so absence is known.
        authorization: Some(request("authorization").unwrap_or_default()),
        cookie: Some(request("cookie").unwrap_or_default()),
        latency: time.as_ref().map(|time| time.as_bytes()),
        latency_unit_us: 1e3,
        ..Pieces::default()
    };
    maker.observation(&pieces, invalid_utf8)
}

#[cfg(test)]
mod tests;
