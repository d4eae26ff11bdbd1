//! Handing the listening sockets to a successor, so that an upgrade of the binary loses no connection.
//!
//! On SIGUSR2 the running process starts its own binary again with the address of a socket in the environment, gives the
//! successor its listening sockets over it (SCM_RIGHTS), waits for the word that the successor carries traffic, and drains.
//! When the successor fails, nothing changes.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gateway::handover::{receive, say_ready, send, wait_ready};
use gateway::listen::{Sockets, fits};

use super::Error;

/// The variable that tells a successor where its predecessor waits.
pub const VARIABLE: &str = "PORTREEVE_HANDOVER";
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a predecessor gave.
pub struct Inherited {
    /// Its listening sockets.
    pub sockets: Vec<TcpListener>,
    predecessor: Option<UnixStream>,
}

impl Inherited {
    /// A second hold of the line to the predecessor, to tell it when this process carries traffic.
    pub fn line(&mut self) -> Option<UnixStream> {
        self.predecessor.take()
    }
}

/// Takes out the socket that listens on an address.
pub fn take(sockets: &mut Vec<TcpListener>, addr: SocketAddr) -> Option<TcpListener> {
    let at = sockets.iter().position(|socket| socket.local_addr().is_ok_and(|own| fits(addr, own)))?;
    let socket = sockets.swap_remove(at);
    // A service manager opens sockets that wait; a runtime must not.
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

/// Asks the predecessor at `path` for its sockets.
///
/// # Errors
/// [`Error::Handover`].
pub fn inherit(path: &Path) -> Result<Inherited, Error> {
    let failed = |error: std::io::Error| Error::Handover(crate::config::meant::plain(&error));
    let stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let sockets = receive(&stream).map_err(failed)?;
    Ok(Inherited { sockets, predecessor: Some(stream) })
}

/// Tells the predecessor that this process carries traffic. One that is gone needs no word.
pub fn tell_ready(line: &UnixStream) {
    let _ = say_ready(line);
}

/// Starts this program again and hands it `sockets` and the admin port. When this returns, the successor carries traffic and this process
/// may drain. Answers the id of the successor.
///
/// # Errors
/// When the program cannot be started or the sockets cannot be sent; this process goes on then.
pub fn hand_over(data: &Path, sockets: &Sockets, admin: std::io::Result<TcpListener>) -> std::io::Result<u32> {
    let listeners = sockets.all().map(TcpListener::try_clone).chain([admin]).collect::<std::io::Result<Vec<_>>>()?;
    let everything = Sockets::of_listeners(vec![listeners])?;
    let path: PathBuf = data.join("handover.sock");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    let mut arguments = std::env::args_os();
    // The name it was started by, not the file that runs: the upgrade has put another file there.
    let program = arguments.next().unwrap_or_else(|| "portreeve".into());
    let mut successor = std::process::Command::new(program).args(arguments).env(VARIABLE, &path).spawn()?;
    let outcome = accept_until(&listener, Instant::now() + PATIENCE, &mut successor).and_then(|stream| {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        send(&everything, &stream)?;
        wait_ready(&stream)
    });
    let _ = std::fs::remove_file(&path);
    outcome.map(|()| successor.id())
}

/// Accepts the successor; gives up when it has ended or the time is over.
fn accept_until(
    listener: &UnixListener,
    until: Instant,
    successor: &mut std::process::Child,
) -> std::io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if let Some(status) = successor.try_wait()? {
            return Err(std::io::Error::other(format!("the successor ended with {status}")));
        }
        if Instant::now() > until {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
