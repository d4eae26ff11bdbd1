//! The record of one exchange, and its way off the data path.
//!
//! Events leave in batches: at 64, or four times a second. A full channel drops the batch and counts it; the data path
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

const BATCH: usize = 64;
const ID_STEP: u64 = 256;

impl Recorder {
    /// A recorder of one worker. Request ids begin at `first_id` and count up in steps of 256: the lowest byte stays the
    /// worker's.
    pub fn new(sender: SyncSender<Vec<Event>>, counters: Arc<Counters>, first_id: u64) -> Self {
        let batch = RefCell::new(Vec::with_capacity(BATCH));
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
        let batch = std::mem::replace(&mut *self.batch.borrow_mut(), Vec::with_capacity(BATCH));
        if batch.is_empty() {
            return;
        }
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
        }
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
            }));
        }
        self.event
    }
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
    }
}
