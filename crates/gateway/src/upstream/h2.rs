//! HTTP/2 to a server: one connection carries many exchanges.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};

use super::UpstreamFailure;
use crate::body::{Piece, RequestBody};
use crate::clock::Watch;
use crate::h2c;
use crate::io::Stream;
use crate::upstream::h1::Sent;

/// A connection that several exchanges share.
#[derive(Clone)]
pub struct H2Connection {
    requests: SendRequest<Bytes>,
    closed: Rc<Cell<bool>>,
    /// Exchanges going on over it.
    open: Rc<Cell<usize>>,
}

/// An exchange going on over a connection, for as long as it lives.
pub struct OpenStream(Rc<Cell<usize>>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl H2Connection {
    /// Speaks HTTP/2 over a fresh stream; the connection runs as a task of the worker until both sides are done.
    ///
    /// # Errors
    /// When the server does not speak HTTP/2.
    pub async fn open(stream: Stream) -> io::Result<Self> {
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .max_header_list_size(256 * 1024)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let closed = Rc::new(Cell::new(false));
        let flag = Rc::clone(&closed);
        tokio::task::spawn_local(async move {
            // How it ends shows in the exchanges it carries.
            let _ = connection.await;
            flag.set(true);
        });
        Ok(Self { requests, closed, open: Rc::default() })
    }

    /// True when no further exchange can begin on it.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// True when the server allows one more stream right now.
    pub fn has_room(&self) -> bool {
        self.open.get() < self.requests.current_max_send_streams()
    }

    /// Counts an exchange in.
    pub fn enter(&self) -> OpenStream {
        self.open.set(self.open.get() + 1);
        OpenStream(Rc::clone(&self.open))
    }

    /// Begins an exchange. `end` is true when there is no body.
    ///
    /// # Errors
    /// When the connection broke; nothing was sent then.
    pub async fn begin(
        &self,
        request: http::Request<()>,
        end: bool,
        watch: &Watch,
        timeout_ms: u64,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), UpstreamFailure> {
        const NOT_SENT: UpstreamFailure = UpstreamFailure::Broken { sent_nothing_back: true };
        let ready = self.requests.clone().ready();
        match watch.within(timeout_ms, ready).await {
            Ok(Ok(mut requests)) => requests.send_request(request, end).map_err(|_| NOT_SENT),
            Ok(Err(_)) => Err(NOT_SENT),
            Err(_) => Err(UpstreamFailure::TimedOut),
        }
    }
}

/// Writes the body of a request as the server's window allows.
pub async fn send_body(mut stream: SendStream<Bytes>, body: &mut RequestBody<'_>) -> Sent {
    loop {
        match body.next().await {
            Err(failure) => {
                stream.send_reset(h2::Reason::CANCEL);
                return Sent::ClientFailed(failure);
            }
            Ok(Piece::End(trailers)) => {
                let ended = match trailers {
                    None => stream.send_data(Bytes::new(), true),
                    Some(trailers) => stream.send_trailers(h2c::trailer_map(&trailers)),
                };
                return if ended.is_ok() { Sent::Whole } else { Sent::UpstreamStopped };
            }
            Ok(Piece::Data(mut data)) => {
                while !data.is_empty() {
                    stream.reserve_capacity(data.len());
                    let Some(Ok(capacity)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else {
                        return Sent::UpstreamStopped;
                    };
                    if stream.send_data(data.split_to(capacity.min(data.len())), false).is_err() {
                        return Sent::UpstreamStopped;
                    }
                }
            }
        }
    }
}

/// Waits for the head of the response.
pub async fn read_head(
    response: &mut ResponseFuture,
    watch: &Watch,
    timeout_ms: u64,
) -> Result<(http::response::Parts, RecvStream), UpstreamFailure> {
    match watch.within(timeout_ms, response).await {
        Ok(Ok(response)) => Ok(response.into_parts()),
        Ok(Err(error)) if error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
            // RFC 9113, 8.7: a refused stream was not processed.
            Err(UpstreamFailure::Broken { sent_nothing_back: true })
        }
        Ok(Err(error)) if error.is_io() => Err(UpstreamFailure::Broken { sent_nothing_back: true }),
        Ok(Err(_)) => Err(UpstreamFailure::Malformed),
        Err(_) => Err(UpstreamFailure::TimedOut),
    }
}
