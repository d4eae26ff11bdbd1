//! HTTP Archive files (HAR 1.2): read entry by entry, so that a file of gigabytes needs no more memory than one entry.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::lines::Source;
use crate::make::{Maker, Pieces};
use crate::{Options, Sink, Summary};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: String,
    #[serde(default)]
    time: f64,
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
    status: i64,
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

/// Counts bytes on their way.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Reads a whole file.
pub fn read(source: Source<'_>, options: &Options, summary: &mut Summary, sink: Sink<'_>) {
    let mut counted = Counted { inner: std::io::BufReader::with_capacity(256 * 1024, source.into_read()), bytes: 0 };
    let mut maker = Maker::new(options);
    let mut deserializer = serde_json::Deserializer::from_reader(&mut counted);
    let walk = Walk { level: Level::Archive, maker: &mut maker, summary: &mut *summary, sink };
    let outcome = walk.deserialize(&mut deserializer);
    if outcome.is_err() {
        summary.problem(summary.records, "the archive is damaged behind this entry");
    }
    summary.bytes = counted.bytes;
}

/// How deep the walk is.
#[derive(Clone, Copy)]
enum Level {
    Archive,
    Log,
    Entries,
}

/// Walks to the entries and hands each over; everything else is skipped without being kept.
struct Walk<'w> {
    level: Level,
    maker: &'w mut Maker,
    summary: &'w mut Summary,
    sink: Sink<'w>,
}

impl Walk<'_> {
    fn deeper(&mut self, level: Level) -> Walk<'_> {
        Walk { level, maker: self.maker, summary: self.summary, sink: self.sink }
    }

    fn entry(&mut self, entry: &Entry) {
        self.summary.records += 1;
        let number = |value: Option<f64>| value.filter(|value| *value >= 0.0).map(|value| format!("{value:.0}"));
        let (request_bytes, response_bytes) =
            (number(entry.request.body_size), number(entry.response.content.as_ref().and_then(|content| content.size)));
        let (status, time) = (entry.response.status.to_string(), entry.time.to_string());
        let content_type = entry.response.content.as_ref().and_then(|content| content.mime_type.as_deref());
        let request = |name: &str| named(&entry.request.headers, name);
        let pieces = Pieces {
            time: Some(entry.started_date_time.as_bytes()),
            host: request("host"),
            method: Some(entry.request.method.as_bytes()),
            target: Some(entry.request.url.split('#').next().unwrap_or_default().as_bytes()),
            status: Some(status.as_bytes()),
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
            latency: Some(time.as_bytes()),
            latency_unit_us: 1e3,
            ..Pieces::default()
        };
        let mut invalid_utf8 = false;
        match self.maker.observation(&pieces, &mut invalid_utf8) {
            Some(observation) => (self.sink)(observation),
            None => self.summary.problem(self.summary.records, "the entry has no request"),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.level {
            Level::Archive | Level::Log => deserializer.deserialize_map(self),
            Level::Entries => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an HTTP archive")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let (wanted, level) = match self.level {
            Level::Archive => ("log", Level::Log),
            Level::Log | Level::Entries => ("entries", Level::Entries),
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == wanted {
                map.next_value_seed(self.deeper(level))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Entry>()? {
            self.entry(&entry);
        }
        Ok(())
    }
}
