//! A WebSocket whose client is judged: what it sends goes on message by message, and what we have to say to it stands between
//! two messages of the server, which are carried as they come.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use inspect::stages::contract::SocketGate;
use inspect::websocket::SocketWalk;
use tokio::sync::Notify;

use crate::clock::Watch;
use crate::io::Wire;
use crate::responder::H2Responder;
use crate::tunnel::Carried;

/// Most answers of ours that wait for the end of a message of the server; until there is room, the client is not read.
const ANSWERS_MAX: usize = 16;
/// How long the end of a conversation may take once we have ended it: the server's message under way, and the client's reading.
const CLOSE_MS: u64 = 5_000;

/// What a client sends.
pub enum Heard<'c> {
    /// Over a connection of its own, with what was read of it before.
    Wire(&'c Wire, &'c mut BytesMut),
    /// Over an HTTP/2 stream.
    Stream(RecvStream, &'c Watch),
}

/// The way to a client.
pub enum Told<'c> {
    /// A connection of its own.
    Wire(&'c Wire),
    /// An HTTP/2 stream.
    Stream(&'c mut H2Responder),
}

impl Heard<'_> {
    /// The next piece; `None` at the end.
    async fn next(&mut self, limit_ms: u64) -> io::Result<Option<Bytes>> {
        match self {
            Self::Wire(wire, buf) => {
                if buf.is_empty() && wire.read_within(buf, limit_ms).await? == 0 {
                    return Ok(None);
                }
                Ok(Some(buf.split().freeze()))
            }
            Self::Stream(stream, watch) => {
                match watch.within(limit_ms, std::future::poll_fn(|cx| stream.poll_data(cx))).await {
                    Ok(Some(data)) => data.map(Some).map_err(io::Error::other),
                    Ok(None) => Ok(None),
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                }
            }
        }
    }

    /// Gives the window of a piece back once it is on its way: the upstream's pace is the client's.
    fn release(&mut self, bytes: usize) {
        if let Self::Stream(stream, _) = self {
            let _ = stream.flow_control().release_capacity(bytes);
        }
    }
}

impl Told<'_> {
    async fn send(&mut self, data: Bytes) -> io::Result<()> {
        match self {
            Self::Wire(wire) => wire.write_all(&data, &[]).await,
            Self::Stream(stream) => stream.send(data, false).await,
        }
    }

    async fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Wire(wire) => wire.shutdown().await,
            Self::Stream(stream) => stream.send(Bytes::new(), true).await,
        }
    }
}

/// What both directions of a conversation know.
struct Talk {
    /// Frames of ours for the client.
    answers: RefCell<VecDeque<Bytes>>,
    /// We have ended it: nothing follows the answers.
    ends: Cell<bool>,
    /// When something last moved.
    moved_ms: Cell<u64>,
    idle_ms: u64,
    /// There is an answer, or the end.
    said: Notify,
    /// There is room for answers.
    taken: Notify,
}

impl Talk {
    /// Whether a wait that ran out of time may go on: the other direction has moved, as events flow one way for hours.
    fn goes_on(&self, error: &io::Error, now_ms: u64) -> bool {
        error.kind() == io::ErrorKind::TimedOut && now_ms.saturating_sub(self.moved_ms.get()) < self.idle_ms
    }

    fn is_silent(&self) -> bool {
        self.answers.borrow().is_empty() && !self.ends.get()
    }
}

/// Carries a conversation until either side or the gate ends it. `upstream_buf` is what was read of the server before.
pub async fn carry_judged(
    gate: &mut SocketGate,
    heard: Heard<'_>,
    mut told: Told<'_>,
    (upstream, upstream_buf): (&Wire, &mut BytesMut),
    idle_ms: u64,
) -> Carried {
    let mut carried = Carried::default();
    let talk = Talk {
        answers: RefCell::default(),
        ends: Cell::new(false),
        moved_ms: Cell::new(upstream.now_ms()),
        idle_ms,
        said: Notify::new(),
        taken: Notify::new(),
    };
    let there = hear(gate, heard, upstream, &talk, &mut carried.to_upstream);
    let back = tell(&mut told, (upstream, upstream_buf), &talk, &mut carried.to_client);
    // Either direction that fails ends both: the other could only wait for a peer that is gone.
    if tokio::try_join!(there, back).is_err()
        && let Told::Stream(stream) = told
    {
        stream.abort();
    }
    carried
}

/// Judges what the client sends and sends on what may.
async fn hear(
    gate: &mut SocketGate,
    mut client: Heard<'_>,
    upstream: &Wire,
    talk: &Talk,
    count: &mut u64,
) -> io::Result<()> {
    loop {
        let data = match client.next(talk.idle_ms).await {
            Ok(Some(data)) => data,
            Ok(None) => return upstream.shutdown().await,
            Err(error) if talk.goes_on(&error, upstream.now_ms()) => continue,
            Err(error) => return Err(error),
        };
        *count += data.len() as u64;
        talk.moved_ms.set(upstream.now_ms());
        let turn = gate.feed(&data);
        if !turn.forward.is_empty() {
            upstream.write_all(&turn.forward, &[]).await?;
        }
        client.release(data.len());
        talk.ends.set(turn.ends);
        if !turn.answers.is_empty() {
            talk.answers.borrow_mut().extend(turn.answers);
            talk.said.notify_one();
        }
        if turn.ends {
            return drain(&mut client, upstream).await;
        }
        while talk.answers.borrow().len() >= ANSWERS_MAX {
            talk.taken.notified().await;
        }
    }
}

/// Reads what a client still sends after we have ended the conversation: a connection that is closed over unread bytes is
/// reset, and the client would never read why.
async fn drain(client: &mut Heard<'_>, upstream: &Wire) -> io::Result<()> {
    let until = upstream.now_ms().saturating_add(CLOSE_MS);
    loop {
        let left_ms = until.saturating_sub(upstream.now_ms());
        match client.next(left_ms).await {
            Ok(Some(data)) if left_ms > 0 => client.release(data.len()),
            _ => return Ok(()),
        }
    }
}

/// Carries what the server sends, and our answers between its messages.
async fn tell(
    client: &mut Told<'_>,
    (upstream, buf): (&Wire, &mut BytesMut),
    talk: &Talk,
    count: &mut u64,
) -> io::Result<()> {
    let mut walk = SocketWalk::default();
    let mut closing_ms = None;
    loop {
        let mut data = buf.split().freeze();
        let mut at = walk.walk(&data).or((data.is_empty() && walk.is_between()).then_some(0));
        if talk.is_silent() || walk.is_closed() {
            at = None;
        }
        if let Some(at) = at {
            let before = data.split_to(at.min(data.len()));
            let answers: Vec<Bytes> = talk.answers.borrow_mut().drain(..).collect();
            for piece in std::iter::once(before).chain(answers).filter(|piece| !piece.is_empty()) {
                *count += piece.len() as u64;
                client.send(piece).await?;
            }
            talk.taken.notify_one();
            if talk.ends.get() {
                return client.end().await;
            }
        }
        if !data.is_empty() {
            *count += data.len() as u64;
            client.send(data).await?;
            talk.moved_ms.set(upstream.now_ms());
        }
        // An answer that came up while we were sending is not waited with.
        if !talk.is_silent() && walk.is_between() && !walk.is_closed() {
            continue;
        }
        let mut limit_ms = talk.idle_ms;
        if talk.ends.get() {
            let until = *closing_ms.get_or_insert(upstream.now_ms().saturating_add(CLOSE_MS));
            limit_ms = until.saturating_sub(upstream.now_ms());
            if limit_ms == 0 || walk.is_closed() {
                return client.end().await;
            }
        }
        let read = tokio::select! {
            read = upstream.read_within(buf, limit_ms) => read,
            () = talk.said.notified() => continue,
        };
        match read {
            Ok(0) => return client.end().await,
            Ok(_) => {}
            Err(error) if talk.ends.get() => return Err(error),
            Err(error) if talk.goes_on(&error, upstream.now_ms()) => {}
            Err(error) => return Err(error),
        }
    }
}
