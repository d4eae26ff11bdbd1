//! Bodies in motion: the request's towards the upstream, the response's towards the client, piece by piece.

use std::io;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use inspect::http1::{BodyDecoder, BodyPiece};
use inspect::stages::contract::MessageGate;
use inspect::stages::leakage::mask::Mask;
use model::Limits;
use model::head::Fields;
use model::reason::Anomaly;

use crate::clock::Watch;
use crate::io::Wire;

/// One piece of a body.
#[derive(Debug)]
pub enum Piece {
    /// Data.
    Data(Bytes),
    /// The end, with the trailer section where there is one.
    End(Trailers),
}

/// A trailer section; almost always absent, so it may cost an allocation when it is not.
pub type Trailers = Option<Box<Fields>>;

fn trailers(fields: Fields) -> Trailers {
    (!fields.is_empty()).then(|| Box::new(fields))
}

/// Why a body could not be read to its end.
#[derive(Debug)]
pub enum BodyFailure {
    /// It is not what its head announced, or breaks a limit.
    Anomaly(Anomaly),
    /// The sender went away or reset the stream.
    Gone,
    /// The sender sent nothing for too long.
    TimedOut,
    /// A message in it was refused; the gate has the findings.
    Refused,
}

impl From<io::Error> for BodyFailure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { Self::TimedOut } else { Self::Gone }
    }
}

/// Where a body comes from.
pub enum Source<'c> {
    /// It has ended.
    Ended(Trailers),
    /// An HTTP/1 connection.
    H1 {
        /// The connection.
        wire: &'c Wire,
        /// What was read of it and not used.
        buf: &'c mut BytesMut,
        /// Finds the body's end.
        decoder: BodyDecoder,
    },
    /// An HTTP/2 stream, with the watch of its exchange.
    H2 {
        /// The stream.
        stream: RecvStream,
        /// Its deadline.
        watch: Watch,
        /// True once the data has ended and trailers may follow.
        in_trailers: bool,
    },
}

impl Source<'_> {
    /// True when nothing more comes.
    fn is_ended(&self) -> bool {
        match self {
            Self::Ended(_) => true,
            Self::H1 { decoder, .. } => decoder.is_done(),
            Self::H2 { stream, in_trailers, .. } => *in_trailers && stream.is_end_stream(),
        }
    }

    /// The next piece without waiting, when there is one.
    fn ready(&mut self) -> Result<Option<Piece>, BodyFailure> {
        match self {
            Self::Ended(trailers) => Ok(Some(Piece::End(trailers.take()))),
            Self::H1 { buf, decoder, .. } => match decoder.next(buf) {
                Ok(BodyPiece::Data(data)) => Ok(Some(Piece::Data(data))),
                Ok(BodyPiece::End(fields)) => Ok(Some(Piece::End(trailers(fields)))),
                Ok(BodyPiece::NeedMore) => Ok(None),
                Err(error) => Err(BodyFailure::Anomaly(error.0)),
            },
            Self::H2 { stream, in_trailers, .. } => {
                match poll_h2(stream, in_trailers, &mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(piece) => piece.map(Some),
                    Poll::Pending => Ok(None),
                }
            }
        }
    }

    /// The next piece; waits until the time `until_ms` of the connection's clock.
    async fn next(&mut self, until_ms: u64) -> Result<Piece, BodyFailure> {
        loop {
            if let Some(piece) = self.ready()? {
                return Ok(piece);
            }
            match self {
                Self::Ended(_) => {}
                Self::H1 { wire, buf, decoder } => {
                    if wire.read_until(buf, until_ms).await? == 0 {
                        if decoder.may_end_with_connection() {
                            *self = Source::Ended(None);
                        } else {
                            return Err(BodyFailure::Gone);
                        }
                    }
                }
                Self::H2 { stream, watch, in_trailers } => {
                    let next = std::future::poll_fn(|cx| poll_h2(stream, in_trailers, cx));
                    return watch.until(until_ms, next).await.unwrap_or(Err(BodyFailure::TimedOut));
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        match self {
            Self::Ended(_) => 0,
            Self::H1 { wire, .. } => wire.now_ms(),
            Self::H2 { watch, .. } => watch.now_ms(),
        }
    }
}

fn poll_h2(stream: &mut RecvStream, in_trailers: &mut bool, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyFailure>> {
    while !*in_trailers {
        match std::task::ready!(stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // The window is given back at once: what is read is written on before more is read.
                let _ = stream.flow_control().release_capacity(data.len());
                if !data.is_empty() {
                    return Poll::Ready(Ok(Piece::Data(data)));
                }
            }
            Some(Err(_)) => return Poll::Ready(Err(BodyFailure::Gone)),
            None => *in_trailers = true,
        }
    }
    match std::task::ready!(stream.poll_trailers(cx)) {
        Ok(trailers) => Poll::Ready(Ok(Piece::End(trailers.map(|map| Box::new(crate::h2c::fields_of(&map)))))),
        Err(_) => Poll::Ready(Err(BodyFailure::Gone)),
    }
}

/// The body of a request: what is held of it first, then what still comes, within the limits.
pub struct RequestBody<'c> {
    held: Option<Bytes>,
    source: Source<'c>,
    limits: BodyLimits,
    started_ms: u64,
    /// Bytes received from the client so far.
    pub received: u64,
    /// A copy of the beginning, for learning; `None` when this exchange is not sampled.
    pub sample: Option<Vec<u8>>,
    /// Judges what is handed out, message by message.
    pub gate: Option<MessageGate>,
    /// A copy of the beginning, to be judged once it has gone through, and how large it may become.
    copy: Option<Vec<u8>>,
    copy_bytes_max: usize,
    ended: bool,
}

#[derive(Clone, Copy)]
struct BodyLimits {
    bytes_max: u64,
    bytes_per_s_min: u64,
    idle_ms: u64,
}

/// Time before the minimum upload rate counts, in milliseconds.
const RATE_GRACE_MS: u64 = 10_000;
/// How much of a body is kept for learning.
pub const SAMPLE_BYTES_MAX: usize = 32 * 1024;

impl<'c> RequestBody<'c> {
    /// A body from a source.
    pub fn new(source: Source<'c>, limits: &Limits) -> Self {
        let started_ms = source.now_ms();
        let limits = BodyLimits {
            bytes_max: limits.body_bytes_max,
            bytes_per_s_min: u64::from(limits.upload_bytes_per_s_min),
            idle_ms: u64::from(limits.idle_timeout_ms),
        };
        Self {
            held: None,
            source,
            limits,
            started_ms,
            received: 0,
            sample: None,
            gate: None,
            copy: None,
            copy_bytes_max: 0,
            ended: false,
        }
    }

    /// True when nothing is left to be read.
    pub fn is_ended(&self) -> bool {
        self.held.is_none() && (self.ended || self.source.is_ended())
    }

    /// True when the whole body is held, so that it can be sent a second time.
    pub fn is_replayable(&self) -> bool {
        self.source.is_ended()
    }

    /// The connection below and what was read of it, when it is HTTP/1: for what follows an upgrade.
    pub fn connection(&mut self) -> Option<(&'c Wire, &mut BytesMut)> {
        match &mut self.source {
            Source::H1 { wire, buf, .. } => Some((wire, buf)),
            _ => None,
        }
    }

    /// Copies what comes, up to `bytes_max`.
    pub fn copy_up_to(&mut self, bytes_max: usize) {
        self.copy = Some(Vec::new());
        self.copy_bytes_max = bytes_max;
    }

    /// The copy, where one was made, and whether it is the whole body.
    pub fn take_copy(&mut self) -> Option<(Vec<u8>, bool)> {
        let copy = self.copy.take()?;
        let whole = self.ended && self.received == copy.len() as u64;
        Some((copy, whole))
    }

    /// The held bytes, without taking them.
    pub fn held(&self) -> Bytes {
        self.held.clone().unwrap_or_default()
    }

    /// Puts bytes back in front, to be sent again.
    pub fn hold_again(&mut self, held: Bytes) {
        self.ended = false;
        if let Some(gate) = &mut self.gate {
            gate.restart();
        }
        self.held = (!held.is_empty()).then_some(held);
    }

    /// Reads up to `bytes_max` and holds them. True when that was the whole body.
    ///
    /// # Errors
    /// When the body is malformed, too large, too slow, or its sender goes away.
    pub async fn hold(&mut self, bytes_max: usize) -> Result<bool, BodyFailure> {
        if self.source.is_ended() {
            return Ok(true);
        }
        let mut whole = BytesMut::new();
        let mut single = self.held.take();
        loop {
            let piece = match self.next_from_source().await? {
                Piece::Data(data) => data,
                // An HTTP/1 source stays, so that the client's going away is still noticed; its decoder says it has ended.
                Piece::End(_) => {
                    self.held = single.or_else(|| (!whole.is_empty()).then(|| whole.freeze()));
                    return Ok(true);
                }
            };
            // One piece is kept as it is; only from the second on are they copied together.
            match single.take() {
                None if whole.is_empty() => single = Some(piece),
                first => {
                    whole.extend_from_slice(&first.unwrap_or_default());
                    whole.extend_from_slice(&piece);
                }
            }
            if whole.len().max(single.as_ref().map_or(0, Bytes::len)) > bytes_max {
                self.held = Some(single.unwrap_or_else(|| whole.freeze()));
                return Ok(false);
            }
        }
    }

    /// The next piece without waiting, when there is one.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn ready(&mut self) -> Result<Option<Piece>, BodyFailure> {
        if let Some(held) = self.held.take() {
            return gated(&mut self.gate, Piece::Data(held)).map(Some);
        }
        match self.source.ready()? {
            Some(piece) => {
                let piece = self.account(piece)?;
                gated(&mut self.gate, piece).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// When the body is malformed, too large, too slow, or its sender goes away.
    pub async fn next(&mut self) -> Result<Piece, BodyFailure> {
        if let Some(held) = self.held.take() {
            return gated(&mut self.gate, Piece::Data(held));
        }
        let piece = self.next_from_source().await?;
        gated(&mut self.gate, piece)
    }

    async fn next_from_source(&mut self) -> Result<Piece, BodyFailure> {
        let now = self.source.now_ms();
        let mut until = now + self.limits.idle_ms;
        let mut slow_at = u64::MAX;
        if let Some(earned_ms) = (self.received * 1000).checked_div(self.limits.bytes_per_s_min) {
            // Every byte received earns time at the minimum rate, beyond the grace at the start.
            slow_at = self.started_ms + RATE_GRACE_MS + earned_ms;
            until = until.min(slow_at);
        }
        match self.source.next(until).await {
            Ok(piece) => self.account(piece),
            Err(BodyFailure::TimedOut) if until == slow_at => Err(BodyFailure::Anomaly(Anomaly::BodyTooSlow)),
            Err(failure) => Err(failure),
        }
    }

    fn account(&mut self, piece: Piece) -> Result<Piece, BodyFailure> {
        match &piece {
            Piece::Data(data) => {
                self.received += data.len() as u64;
                if self.received > self.limits.bytes_max {
                    return Err(BodyFailure::Anomaly(Anomaly::BodyTooLarge));
                }
                keep_sample(&mut self.sample, data, SAMPLE_BYTES_MAX);
                keep_sample(&mut self.copy, data, self.copy_bytes_max);
            }
            Piece::End(_) => self.ended = true,
        }
        Ok(piece)
    }

    /// Waits until the client goes away. Bytes of a next request may arrive meanwhile and are kept, up to a bound.
    pub async fn client_gone(&mut self) {
        const PIPELINED_BYTES_MAX: usize = 64 * 1024;
        if let Source::H1 { wire, buf, .. } = &mut self.source {
            while buf.len() < PIPELINED_BYTES_MAX {
                if !matches!(wire.read(buf).await, Ok(1..)) {
                    return;
                }
            }
        }
        std::future::pending().await
    }
}

/// Lets a piece through its gate.
fn gated(gate: &mut Option<MessageGate>, piece: Piece) -> Result<Piece, BodyFailure> {
    let Some(gate) = gate else { return Ok(piece) };
    let is_refused = match &piece {
        Piece::Data(data) => gate.feed(data),
        Piece::End(_) => gate.end(),
    };
    if is_refused { Err(BodyFailure::Refused) } else { Ok(piece) }
}

/// Appends to a copy until it has `bytes_max`.
pub fn keep_sample(sample: &mut Option<Vec<u8>>, data: &[u8], bytes_max: usize) {
    if let Some(sample) = sample {
        let room = bytes_max.saturating_sub(sample.len());
        sample.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
    }
}

/// The body of a response.
pub struct ResponseBody<'c> {
    held: Option<Bytes>,
    /// Judges what is handed out, message by message.
    pub gate: Option<MessageGate>,
    /// Makes unreadable what is to be masked of what is handed out.
    pub mask: Option<Mask>,
    source: Source<'c>,
    idle_ms: u64,
}

impl<'c> ResponseBody<'c> {
    /// A body from a source; a pause longer than `idle_ms` ends it.
    pub fn new(source: Source<'c>, idle_ms: u64) -> Self {
        Self { held: None, gate: None, mask: None, source, idle_ms }
    }

    /// Reads up to `bytes_max` and holds them. True when that was the whole body.
    ///
    /// # Errors
    /// When the upstream breaks off.
    pub async fn hold(&mut self, bytes_max: usize) -> Result<bool, BodyFailure> {
        let mut whole = BytesMut::new();
        loop {
            match self.next().await? {
                Piece::Data(data) => whole.extend_from_slice(&data),
                Piece::End(trailers) => {
                    self.source = Source::Ended(trailers);
                    self.held = Some(whole.freeze());
                    return Ok(true);
                }
            }
            if whole.len() > bytes_max {
                self.held = Some(whole.freeze());
                return Ok(false);
            }
        }
    }

    /// The held bytes, without taking them.
    pub fn held(&self) -> Bytes {
        self.held.clone().unwrap_or_default()
    }

    /// The next piece without waiting, when there is one.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn ready(&mut self) -> Result<Option<Piece>, BodyFailure> {
        loop {
            let piece = match self.held.take() {
                Some(held) if !held.is_empty() => Piece::Data(held),
                _ => match self.source.ready()? {
                    Some(piece) => piece,
                    None => return Ok(None),
                },
            };
            if let Some(piece) = self.passed(piece)? {
                return Ok(Some(piece));
            }
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// When the upstream breaks off or pauses too long.
    pub async fn next(&mut self) -> Result<Piece, BodyFailure> {
        loop {
            let piece = match self.held.take() {
                Some(held) if !held.is_empty() => Piece::Data(held),
                _ => {
                    let until = self.source.now_ms().saturating_add(self.idle_ms);
                    self.source.next(until).await?
                }
            };
            if let Some(piece) = self.passed(piece)? {
                return Ok(piece);
            }
        }
    }

    /// Lets a piece through gate and mask; `None` when the mask keeps all of it back until more is there.
    fn passed(&mut self, piece: Piece) -> Result<Option<Piece>, BodyFailure> {
        let piece = gated(&mut self.gate, piece)?;
        let Some(mask) = &mut self.mask else { return Ok(Some(piece)) };
        let mut out = Vec::new();
        match piece {
            Piece::Data(data) => mask.feed(&data, &mut out),
            Piece::End(trailers) => {
                mask.finish(&mut out);
                if out.is_empty() {
                    return Ok(Some(Piece::End(trailers)));
                }
                self.source = Source::Ended(trailers);
            }
        }
        Ok((!out.is_empty()).then(|| Piece::Data(out.into())))
    }
}
