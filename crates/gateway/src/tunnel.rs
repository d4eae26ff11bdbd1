//! A connection after a change of protocol: bytes both ways until either side ends or nothing moves.

use std::cell::Cell;
use std::io;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;

use crate::clock::Watch;
use crate::io::Wire;
use crate::responder::H2Responder;

/// How much went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes from the client to the upstream.
    pub to_upstream: u64,
    /// Bytes from the upstream to the client.
    pub to_client: u64,
}

/// Carries bytes both ways. What was read before on either side goes first. Ends when one side has ended and the other
/// was told, or when nothing moved in either direction for `idle_ms`.
pub async fn carry(
    client: &Wire,
    client_buf: &mut BytesMut,
    upstream: &Wire,
    upstream_buf: &mut BytesMut,
    idle_ms: u64,
) -> Carried {
    let mut carried = Carried::default();
    let moved_ms = Cell::new(client.now_ms());
    let there = one_way(client, client_buf, upstream, (idle_ms, &moved_ms), &mut carried.to_upstream);
    let back = one_way(upstream, upstream_buf, client, (idle_ms, &moved_ms), &mut carried.to_client);
    // Either direction that fails ends both: the other could only wait for a peer that is gone.
    let _ = tokio::try_join!(there, back);
    carried
}

/// As [`carry`], where the client's side is an HTTP/2 stream.
pub async fn carry_stream(
    (mut from_client, watch): (RecvStream, &Watch),
    client: &mut H2Responder,
    upstream: &Wire,
    upstream_buf: &mut BytesMut,
    idle_ms: u64,
) -> Carried {
    let mut carried = Carried::default();
    let moved_ms = Cell::new(upstream.now_ms());
    let (to_upstream, to_client) = (&mut carried.to_upstream, &mut carried.to_client);
    let there = async {
        loop {
            let next = std::future::poll_fn(|cx| from_client.poll_data(cx));
            match watch.within(idle_ms, next).await {
                Ok(Some(Ok(data))) => {
                    upstream.write_all(&data, &[]).await?;
                    // The window is given back once the bytes are on their way: the upstream's pace is the client's.
                    let _ = from_client.flow_control().release_capacity(data.len());
                    *to_upstream += data.len() as u64;
                    moved_ms.set(upstream.now_ms());
                }
                Ok(Some(Err(error))) => return Err(io::Error::other(error)),
                Ok(None) => return upstream.shutdown().await,
                Err(_) if upstream.now_ms().saturating_sub(moved_ms.get()) < idle_ms => {}
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    };
    let back = async {
        loop {
            if !upstream_buf.is_empty() {
                let data = upstream_buf.split().freeze();
                *to_client += data.len() as u64;
                client.send(data, false).await?;
                moved_ms.set(upstream.now_ms());
            }
            match upstream.read_within(upstream_buf, idle_ms).await {
                Ok(0) => return client.send(Bytes::new(), true).await,
                Ok(_) => {}
                Err(error)
                    if error.kind() == io::ErrorKind::TimedOut
                        && upstream.now_ms().saturating_sub(moved_ms.get()) < idle_ms => {}
                Err(error) => return Err(error),
            }
        }
    };
    if tokio::try_join!(there, back).is_err() {
        client.abort();
    }
    carried
}

async fn one_way(
    from: &Wire,
    buf: &mut BytesMut,
    to: &Wire,
    (idle_ms, moved_ms): (u64, &Cell<u64>),
    count: &mut u64,
) -> io::Result<()> {
    loop {
        if !buf.is_empty() {
            to.write_all(buf, &[]).await?;
            *count += buf.len() as u64;
            buf.clear();
            moved_ms.set(from.now_ms());
        }
        match from.read_within(buf, idle_ms).await {
            Ok(0) => return to.shutdown().await,
            Ok(_) => {}
            // This side was quiet, but the other may not have been: events flow one way for hours.
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut
                    && from.now_ms().saturating_sub(moved_ms.get()) < idle_ms => {}
            Err(error) => return Err(error),
        }
    }
}
