//! The record of one exchange, and its way off the data path.
//!
//! Events leave in batches: at 256, or four times a second. A full channel drops the batch and counts it; the data path
//! never waits for whoever reads events.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use inspect::ConnectionFacts;
use model::head::{Known, RequestHead};
use model::{BodySample, Event, ExchangeEnd, RequestId, StatusSource, Timestamp, Verdict};

use crate::counters::Counters;

/// Takes events from one worker.
pub struct Recorder {
    sender: SyncSender<Vec<Event>>,
    batch: RefCell<Vec<Event>>,
    counters: Arc<Counters>,
    next_id: std::cell::Cell<u64>,
}

/// Waking the thread that reads events costs two system calls and two switches; shared by this many, they do not show.
const BATCH: usize = 256;
const ID_STEP: u64 = 256;

impl Recorder {
    /// A recorder of one worker. Request ids begin at `first_id` and count up in steps of 256: the lowest byte stays the
    /// worker's.
    pub fn new(sender: SyncSender<Vec<Event>>, counters: Arc<Counters>, first_id: u64) -> Self {
        let batch = RefCell::default();
        Self { sender, batch, counters, next_id: std::cell::Cell::new(first_id) }
    }

    /// The next request id of this worker.
    pub fn next_id(&self) -> RequestId {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(ID_STEP));
        RequestId(id)
    }

    /// Records one exchange.
    pub fn record(&self, event: Event) {
        let full = {
            let mut batch = self.batch.borrow_mut();
            batch.push(event);
            batch.len() >= BATCH
        };
        if full {
            self.flush();
        }
    }

    /// Sends what is gathered.
    pub fn flush(&self) {
        if self.batch.borrow().is_empty() {
            return;
        }
        let batch = self.batch.take();
        let count = batch.len() as u64;
        match self.sender.try_send(batch) {
            Ok(()) => self.counters.events_recorded.add(count),
            Err(_) => self.counters.events_dropped.add(count),
        }
    }
}

/// The time now, as events carry it.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// An exchange being recorded: the event as far as it is known, and the clocks.
pub struct Record {
    /// The event so far.
    pub event: Event,
    started: Instant,
    forwarded: Option<Instant>,
    /// Time spent judging, in nanoseconds.
    pub judge_ns: u64,
    /// A copy of the beginning of the response's body, when this exchange is sampled.
    pub response_sample: Option<Vec<u8>>,
    /// The sampled copies are whole bodies.
    pub sample_whole: (bool, bool),
    /// Values of fields that may be parameters, when this exchange is sampled.
    pub sample_fields: Box<[(Box<str>, Box<str>)]>,
}

impl Record {
    /// Begins the record of a request whose head has arrived.
    pub fn begin(id: RequestId, facts: &ConnectionFacts, head: &RequestHead) -> Self {
        let first = |known| head.fields.first_bytes(known).unwrap_or_default();
        let path_and_query = head.path_and_query();
        let event = Event {
            method: head.method.clone(),
            host: head.authority.slice_ref(head.host()),
            target: slice_of(&head.target, path_and_query),
            agent: first(Known::UserAgent),
            referer: first(Known::Referer),
            accept: first(Known::Accept),
            fetch_dest: first(Known::SecFetchDest),
            request_type: first(Known::ContentType),
            cookie: head.fields.first(Known::Cookie).is_some(),
            version: head.version,
            ..empty_event(id, facts)
        };
        Self::of(event)
    }

    /// Begins the record of something that never became a request.
    pub fn begin_refused(id: RequestId, facts: &ConnectionFacts) -> Self {
        Self::of(empty_event(id, facts))
    }

    fn of(event: Event) -> Self {
        Self {
            event,
            started: Instant::now(),
            forwarded: None,
            judge_ns: 0,
            response_sample: None,
            sample_whole: (false, false),
            sample_fields: Box::default(),
        }
    }

    /// Keeps names and values of the request's fields that may be parameters of the API; credentials only by name.
    pub fn sample_fields(&mut self, head: &RequestHead) {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_ascii_lowercase);
        let custom = head.fields.iter().filter(|field| field.known == Known::Other || field.known == Known::SoapAction);
        let named = custom.filter_map(|field| {
            let name =
                text(field.name).filter(|name| name.len() <= FIELD_NAME_BYTES_MAX && !is_infrastructure(name))?;
            Some((name, field.value))
        });
        let named: Vec<(String, &[u8])> = named.take(FIELDS_MAX).collect();
        let values = named.iter().filter(|(name, _)| !is_secret(name)).filter_map(|(name, value)| {
            let value = std::str::from_utf8(value).ok().filter(|value| value.len() <= FIELD_VALUE_BYTES_MAX)?;
            Some((name.as_str().into(), value.into()))
        });
        self.sample_fields = values.collect();
        self.event.custom_headers = named.into_iter().map(|(name, _)| name.into_boxed_str()).collect();
    }

    /// The request leaves for the upstream now.
    pub fn forwarded(&mut self) {
        self.forwarded = Some(Instant::now());
    }

    /// The head of the upstream's answer is here now.
    pub fn answered(&mut self) {
        if let Some(forwarded) = self.forwarded {
            self.event.upstream_us = micros(forwarded).max(1);
        }
    }

    /// Microseconds of this exchange that were ours so far: everything but waiting for the upstream.
    pub fn own_us(&self) -> u32 {
        micros(self.started).saturating_sub(self.event.upstream_us)
    }

    /// The finished event.
    pub fn finish(mut self, request_sample: Option<Vec<u8>>) -> Event {
        self.event.total_us = micros(self.started);
        self.event.judge_us = u32::try_from(self.judge_ns / 1000).unwrap_or(u32::MAX);
        if request_sample.is_some() || self.response_sample.is_some() {
            self.event.sample = Some(Box::new(BodySample {
                request: Bytes::from(request_sample.unwrap_or_default()),
                request_whole: self.sample_whole.0,
                response: Bytes::from(self.response_sample.take().unwrap_or_default()),
                response_whole: self.sample_whole.1,
                fields: std::mem::take(&mut self.sample_fields),
            }));
        }
        self.event
    }
}

/// Most fields of a sampled request that are kept.
const FIELDS_MAX: usize = 24;
/// Longest name and longest value of such a field, in bytes.
const FIELD_NAME_BYTES_MAX: usize = 64;
/// See [`FIELD_NAME_BYTES_MAX`].
const FIELD_VALUE_BYTES_MAX: usize = 256;

/// Fields that browsers, proxies and tracing add to everything: they say nothing about an API.
fn is_infrastructure(name: &str) -> bool {
    const PREFIXES: [&str; 9] =
        ["sec-", "x-forwarded-", "cf-", "x-amz", "x-b3-", "x-envoy-", "x-datadog-", "x-goog-", "if-"];
    const NAMES: [&str; 12] = [
        "dnt",
        "pragma",
        "priority",
        "upgrade-insecure-requests",
        "x-requested-with",
        "tracestate",
        "baggage",
        "b3",
        "save-data",
        "cdn-loop",
        "true-client-ip",
        "x-correlation-id",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// Fields whose values are credentials by their names.
fn is_secret(name: &str) -> bool {
    ["key", "token", "auth", "secret", "session", "password", "signature", "csrf", "xsrf"]
        .iter()
        .any(|part| name.contains(part))
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// `part` as a slice of `whole` when it lies inside, else a copy.
fn slice_of(whole: &Bytes, part: &[u8]) -> Bytes {
    let (outer, inner) = (whole.as_ptr_range(), part.as_ptr_range());
    let inside = outer.start <= inner.start && inner.end <= outer.end;
    if inside { whole.slice_ref(part) } else { Bytes::copy_from_slice(part) }
}

fn empty_event(id: RequestId, facts: &ConnectionFacts) -> Event {
    Event {
        at: now(),
        id,
        api: None,
        endpoint: None,
        version: model::HttpVersion::H11,
        peer: facts.peer,
        client: facts.peer,
        method: Bytes::new(),
        host: Bytes::new(),
        target: Bytes::new(),
        agent: Bytes::new(),
        referer: Bytes::new(),
        accept: Bytes::new(),
        fetch_dest: Bytes::new(),
        request_type: Bytes::new(),
        response_type: Bytes::new(),
        custom_headers: Box::default(),
        status: 0,
        status_source: StatusSource::None,
        end: ExchangeEnd::Complete,
        request_bytes: 0,
        response_bytes: 0,
        total_us: 0,
        upstream_us: 0,
        judge_us: 0,
        server: u16::MAX,
        retries: 0,
        session: None,
        credential: false,
        cookie: false,
        operation: Box::default(),
        findings: model::Findings::new(),
        verdict: Verdict::default(),
        sample: None,
        span: None,
    }
}
