//! The upstream behind the gateway under test: records every message that comes, strictly read, and answers it.

use std::io::{Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::strict::{Message, Read, read};

/// More than this of one message is not read: nothing here sends so much.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Everything that reached the upstream since it was last asked.
#[derive(Clone, Default)]
pub struct Recorded(Arc<Mutex<Vec<Message>>>);

impl Recorded {
    /// What came since the last call.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, message: Message) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

/// Listens and records until the process ends.
///
/// # Errors
/// When the address cannot be listened on.
pub fn start(address: SocketAddr) -> std::io::Result<(SocketAddr, Recorded)> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let recorded = Recorded::default();
    let shared = recorded.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let recorded = shared.clone();
            std::thread::spawn(move || serve(stream, &recorded));
        }
    });
    Ok((address, recorded))
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

fn serve(mut stream: TcpStream, recorded: &Recorded) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(120)));
    let mut buf = Vec::new();
    let mut piece = [0u8; 16 * 1024];
    loop {
        match read(&buf) {
            Read::Whole(message, used) => {
                recorded.add(message);
                buf.drain(..used);
                if stream.write_all(ANSWER).is_err() {
                    return;
                }
            }
            Read::Broken(message) => return recorded.add(message),
            Read::More => match stream.read(&mut piece) {
                // A message that the gateway broke off is no message: nobody acts on it.
                Ok(0) | Err(_) => return,
                Ok(_) if buf.len() > MESSAGE_BYTES_MAX => return,
                Ok(count) => buf.extend_from_slice(piece.get(..count).unwrap_or_default()),
            },
        }
    }
}
