//! HTTP/1 messages out of one direction of a connection, in bounded memory: heads whole, bodies as far as they may teach
//! something, all else counted and let go.

/// Longest head, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most fields of a head.
const FIELDS_MAX: usize = 128;
/// Bytes of a body that are kept.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest line in front of a chunk, and longest trailers.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// When its first byte came, in microseconds.
    pub at: i64,
    /// Method and target of a request; empty for an answer.
    pub method: String,
    /// See `method`.
    pub target: Vec<u8>,
    /// The status of an answer; 0 for a request.
    pub status: u16,
    /// The fields, names in lower case.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// The body has come to its end.
    pub ended: bool,
}

impl Message {
    /// The first field of a name.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// Whether `body` is all of it.
    pub fn is_whole(&self) -> bool {
        self.ended && self.body.len() as u64 == self.body_bytes
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        256 + self.target.len()
            + self.body.len()
            + self.fields.iter().map(|(a, b)| a.len() + b.len() + 48).sum::<usize>()
    }
}

/// What reading brings to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The head of a request; the body follows.
    Request(Message),
    /// The beginning of the body of the request that came last, and how many bytes it had in all.
    RequestBody(Vec<u8>, u64),
    /// A whole answer.
    Answer(Message),
    /// What is spoken here is encrypted.
    Encrypted,
    /// HTTP/2, which is not read from captures.
    Http2,
    /// A head that is none.
    Broken,
    /// Bytes lack in the capture: a message was lost.
    Gap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    /// Nothing that can be read, until a packet begins with a head.
    Lost,
    /// Nothing that can be read ever.
    Over,
}

/// Reads one direction.
#[derive(Clone, Debug)]
pub struct Reader {
    state: State,
    line: Vec<u8>,
    message: Message,
    began: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { state: State::Lost, line: Vec::new(), message: Message::default(), began: false }
    }
}

impl Reader {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.line.len() + self.message.bytes()
    }

    /// Bytes lack: the message is lost, the next head is looked for.
    pub fn gap(&mut self, out: &mut Vec<Found>) {
        if !matches!(self.state, State::Over | State::Lost) {
            out.push(Found::Gap);
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.state = State::Lost;
        self.line = Vec::new();
        self.message = Message::default();
    }

    /// The connection becomes something else.
    pub fn stop(&mut self) {
        self.lose();
        self.state = State::Over;
    }

    /// The sender has ended: a body without a length is whole.
    pub fn end(&mut self, out: &mut Vec<Found>) {
        if self.state == State::UntilClose {
            self.finish(out);
        }
        self.lose();
    }

    /// Takes bytes in order. `answers_to` is the method of the request that the next answer belongs to.
    pub fn take(
        &mut self,
        at: i64,
        mut bytes: &[u8],
        answers_to: &mut dyn FnMut() -> Option<String>,
        out: &mut Vec<Found>,
    ) {
        if self.state == State::Lost {
            if !std::mem::replace(&mut self.began, true)
                && let Some(other) = other_protocol(bytes)
            {
                out.push(other);
                return self.stop();
            }
            if !begins_head(bytes) {
                return;
            }
            self.state = State::Head;
        }
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.head(at, bytes, answers_to, out),
                State::Length(left) => self.body(bytes, left, State::Length, out),
                State::Chunk(left) => self.body(bytes, left, State::Chunk, out),
                State::UntilClose => self.body(bytes, u64::MAX, |_| State::UntilClose, out),
                State::ChunkSize | State::ChunkEnd | State::Trailers => self.line(bytes, out),
                State::Lost | State::Over => return,
            };
        }
    }

    fn head<'b>(
        &mut self,
        at: i64,
        bytes: &'b [u8],
        answers_to: &mut dyn FnMut() -> Option<String>,
        out: &mut Vec<Found>,
    ) -> &'b [u8] {
        if self.line.is_empty() {
            // Empty lines between messages (RFC 9112, section 2.2).
            let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
            let rest = bytes.get(start..).unwrap_or_default();
            if start > 0 {
                return rest;
            }
            self.message.at = at;
        }
        let before = self.line.len();
        self.line.extend_from_slice(bytes);
        // The end may lie across the border of two packets.
        let Some(end) = head_end(&self.line, before.saturating_sub(3)) else {
            if self.line.len() > HEAD_BYTES_MAX {
                out.push(Found::Broken);
                self.lose();
            }
            return &[];
        };
        let line = std::mem::take(&mut self.line);
        let at = self.message.at;
        match parse(line.get(..end).unwrap_or_default()) {
            Some(message) => self.begin(Message { at, ..message }, answers_to, out),
            None => {
                out.push(Found::Broken);
                self.lose();
            }
        }
        bytes.get(end.saturating_sub(before)..).unwrap_or_default()
    }

    /// A head was read: where does its body end? (RFC 9112, section 6.3)
    fn begin(&mut self, message: Message, answers_to: &mut dyn FnMut() -> Option<String>, out: &mut Vec<Found>) {
        let is_request = message.status == 0;
        if !is_request && (100..200).contains(&message.status) && message.status != 101 {
            return;
        }
        let asked = if is_request { None } else { answers_to() };
        let chunked = message.field("transfer-encoding").is_some_and(|value| {
            value.len() >= 7 && value.get(value.len() - 7..).is_some_and(|end| end.eq_ignore_ascii_case(b"chunked"))
        });
        let length =
            message.field("content-length").and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        let bodiless = !is_request && (matches!(message.status, 101 | 204 | 304) || asked.as_deref() == Some("HEAD"));
        self.state = match (bodiless, chunked, length) {
            (true, ..) => State::Length(0),
            (_, true, _) => State::ChunkSize,
            (_, _, Some(length)) => State::Length(length),
            _ if is_request => State::Length(0),
            _ => State::UntilClose,
        };
        let over = message.status == 101 || !is_request && asked.as_deref() == Some("CONNECT") && message.status < 300;
        self.message = message;
        if is_request {
            out.push(Found::Request(self.message.clone()));
            self.message.body_bytes = 0;
        }
        if self.state == State::Length(0) {
            self.finish(out);
        }
        if over {
            self.stop();
        }
    }

    fn body<'b>(&mut self, bytes: &'b [u8], left: u64, then: fn(u64) -> State, out: &mut Vec<Found>) -> &'b [u8] {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (part, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
        let room = BODY_BYTES_MAX.saturating_sub(self.message.body.len());
        self.message.body.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        self.message.body_bytes += take as u64;
        match left - take as u64 {
            0 => match then(0) {
                State::Chunk(_) => self.state = State::ChunkEnd,
                _ => self.finish(out),
            },
            left => self.state = then(left),
        }
        rest
    }

    fn line<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<Found>) -> &'b [u8] {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            if self.line.len() > LINE_BYTES_MAX {
                out.push(Found::Broken);
                self.lose();
            }
            return &[];
        };
        self.line.extend_from_slice(bytes.get(..end).unwrap_or_default());
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii();
        match self.state {
            State::ChunkSize => {
                let digits = text.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii_end();
                let size = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
                self.state = match size {
                    Some(0) => State::Trailers,
                    Some(size) => State::Chunk(size),
                    None => {
                        out.push(Found::Broken);
                        self.lose();
                        return &[];
                    }
                };
            }
            State::ChunkEnd => self.state = State::ChunkSize,
            _ if text.is_empty() => self.finish(out),
            _ => {}
        }
        bytes.get(end + 1..).unwrap_or_default()
    }

    fn finish(&mut self, out: &mut Vec<Found>) {
        let mut message = std::mem::take(&mut self.message);
        message.ended = true;
        out.push(if message.status == 0 {
            Found::RequestBody(message.body, message.body_bytes)
        } else {
            Found::Answer(message)
        });
        self.state = State::Head;
    }
}

fn other_protocol(bytes: &[u8]) -> Option<Found> {
    match bytes {
        [0x16, 3, ..] => Some(Found::Encrypted),
        _ if bytes.starts_with(b"PRI * HTTP/2.0\r\n") => Some(Found::Http2),
        _ => None,
    }
}

/// Does a packet begin like a message?
fn begins_head(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"HTTP/1.") {
        return true;
    }
    let method = bytes.iter().take(20).take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    let target = bytes.get(method + 1);
    method >= 3
        && bytes.get(method) == Some(&b' ')
        && target.is_some_and(|byte| matches!(byte, b'/' | b'*' | b'a'..=b'z'))
}

/// Behind the empty line that ends a head.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let part = bytes.get(from..)?;
    let crlf = memchr::memmem::find(part, b"\r\n\r\n").map(|at| at + 4);
    let bare = memchr::memmem::find(part, b"\n\n").map(|at| at + 2);
    let end = match (crlf, bare) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    end.map(|end| from + end)
}

fn parse(head: &[u8]) -> Option<Message> {
    let mut room = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut message = Message::default();
    if head.starts_with(b"HTTP/") {
        let mut answer = httparse::Response::new(&mut room);
        answer.parse(head).ok()?;
        message.status = answer.code?;
        message.fields = fields(answer.headers);
        return Some(message);
    }
    let mut request = httparse::Request::new(&mut room);
    request.parse(head).ok()?;
    message.method = request.method?.to_owned();
    message.target = request.path?.as_bytes().to_vec();
    message.fields = fields(request.headers);
    Some(message)
}

fn fields(fields: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(parts: &[&[u8]], methods: &[&str]) -> String {
        let mut reader = Reader::default();
        let mut methods = methods.iter().map(|&method| method.to_owned());
        let mut out = Vec::new();
        for part in parts {
            reader.take(1, part, &mut || methods.next(), &mut out);
        }
        reader.end(&mut out);
        let shown = out.iter().map(|found| match found {
            Found::Request(message) => format!("{} {}", message.method, String::from_utf8_lossy(&message.target)),
            Found::RequestBody(body, bytes) => format!("+{}/{bytes}", String::from_utf8_lossy(body)),
            Found::Answer(message) => {
                format!("{} {} {}", message.status, String::from_utf8_lossy(&message.body), message.body_bytes)
            }
            other => format!("{other:?}"),
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn requests_follow_each_other() {
        let parts: [&[u8]; 3] = [
            b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nContent-Le",
            b"ngth: 5\r\n\r",
            b"\nhelloPUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nt: 1\r\n\r\n",
        ];
        assert_eq!(read(&parts, &[]), "GET /a; +/0; POST /b; +hello/5; PUT /c; +abc/3");
    }

    #[test]
    fn answers_end_where_their_requests_say() {
        let parts: [&[u8]; 2] = [
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        ];
        assert_eq!(read(&parts, &["HEAD", "GET", "GET"]), "200  0; 204  0; 200 until the end 13");
        assert_eq!(read(&[b"HTTP/1.1 101 Switching\r\n\r\n\x81\x05hello"], &["GET"]), "101  0");
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(read(&[b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n"], &[]), "Encrypted");
        assert_eq!(read(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], &[]), "Http2");
        assert_eq!(read(&[b"SSH-2.0-x\r\n", b"GET / HTTP/1.1\r\n\r\n"], &[]), "GET /; +/0");
        assert_eq!(
            read(&[b"GET / HTTP/1.1\r\nbad\x00\r\n\r\n", b"GET /b HTTP/1.1\r\n\r\n"], &[]),
            "Broken; GET /b; +/0"
        );
        assert_eq!(read(&[b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], &[]), "PUT /; Broken");
    }

    #[test]
    fn a_body_of_any_size_takes_bounded_memory() {
        let mut reader = Reader::default();
        let mut out = Vec::new();
        reader.take(1, b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", &mut || Some("GET".into()), &mut out);
        for _ in 0..1_000 {
            reader.take(1, &[b'x'; 10_000], &mut || None, &mut out);
            assert!(reader.bytes() < 2 * BODY_BYTES_MAX);
        }
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 1usize..40) {
            let mut reader = Reader::default();
            let mut out = Vec::new();
            for part in bytes.chunks(cut) {
                reader.take(1, part, &mut || None, &mut out);
            }
            reader.end(&mut out);
        }

        #[test]
        fn pieces_make_no_difference(cut in 1usize..60) {
            let whole = b"POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET /d HTTP/1.1\r\n\r\n";
            // The first packet of a connection must show what is spoken.
            let (first, rest) = whole.split_at(8);
            let parts: Vec<&[u8]> = std::iter::once(first).chain(rest.chunks(cut)).collect();
            prop_assert_eq!(read(&parts, &[]), read(&[whole], &[]));
        }
    }
}
