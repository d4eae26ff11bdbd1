//! Handing the listening sockets to a successor, so that a new binary takes over without losing a connection.
//!
//! The sockets travel over a Unix socket as open file descriptors (`SCM_RIGHTS`, unix(7)). Both processes then hold the
//! same sockets, so connections that wait to be accepted are accepted by whoever is there; the predecessor stops accepting
//! only once the successor has said that it serves.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::listen::Sockets;

/// How many descriptors travel in one message; Linux allows 253.
const PER_MESSAGE: usize = 64;
const MORE: u8 = b'm';
const LAST: u8 = b'l';
const READY: u8 = b'r';

/// Sends every listening socket.
///
/// # Errors
/// When the successor is gone.
pub fn send(sockets: &Sockets, to: &UnixStream) -> io::Result<()> {
    let all: Vec<BorrowedFd<'_>> = sockets.all().map(AsFd::as_fd).collect();
    let mut chunks = all.chunks(PER_MESSAGE).peekable();
    while let Some(chunk) = chunks.next() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(chunk)) {
            return Err(io::Error::other("too many sockets for one message"));
        }
        let mark = [if chunks.peek().is_some() { MORE } else { LAST }];
        sendmsg(to, &[IoSlice::new(&mark)], &mut control, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

/// Receives the predecessor's listening sockets.
///
/// # Errors
/// When the predecessor is gone or sends something else.
pub fn receive(from: &UnixStream) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut mark = [0u8; 1];
        let received = recvmsg(from, &mut [IoSliceMut::new(&mut mark)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        if received.bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the predecessor ended before it handed over"));
        }
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                listeners.extend(descriptors.map(|descriptor: OwnedFd| TcpListener::from(descriptor)));
            }
        }
        match mark {
            [MORE] => {}
            [LAST] => return Ok(listeners),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the predecessor sent something else")),
        }
    }
}

/// Tells the predecessor that we serve.
///
/// # Errors
/// When it is gone.
pub fn say_ready(mut to: &UnixStream) -> io::Result<()> {
    to.write_all(&[READY])
}

/// Waits until the successor says that it serves, for as long as the stream's read timeout allows.
///
/// # Errors
/// When it ends or says nothing in time: keep serving then.
pub fn wait_ready(mut from: &UnixStream) -> io::Result<()> {
    let mut mark = [0u8; 1];
    from.read_exact(&mut mark)?;
    if mark == [READY] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_waiting_connection_survives_the_handover() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let sockets = Sockets::of_listeners(vec![vec![listener]]).unwrap();
        // This client connects before anybody accepts.
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(b"hello").unwrap();
        let (old, new) = UnixStream::pair().unwrap();
        send(&sockets, &old).unwrap();
        let received = receive(&new).unwrap();
        drop(sockets);
        let (mut served, _) = received[0].accept().unwrap();
        let mut text = [0u8; 5];
        served.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        say_ready(&new).unwrap();
        wait_ready(&old).unwrap();
    }

    #[test]
    fn a_successor_that_dies_is_noticed() {
        let (old, new) = UnixStream::pair().unwrap();
        drop(new);
        assert!(wait_ready(&old).is_err());
    }
}
