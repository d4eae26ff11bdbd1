//! A strict reader of HTTP/1.1 requests, written for this measurement alone: it shares no code with the parser it measures.
//!
//! It takes only what every reader frames alike (RFC 9112 without any of its leniencies) and what a canonical message looks
//! like. Whatever else comes is a fault, and a fault at the upstream is a message that should never have been forwarded.

/// One request as the upstream got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The head with its last empty line.
    pub head: Vec<u8>,
    /// Why two readers could differ about it; `None` when none could.
    pub fault: Option<&'static str>,
}

/// What stands at the front of a connection's bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole message of this many bytes.
    Whole(Message, usize),
    /// More bytes are needed.
    More,
    /// No message: where the next one begins cannot be told.
    Broken(Message),
}

/// Reads the message at the front.
pub fn read(bytes: &[u8]) -> Read {
    let Some(end) = memchr(bytes, b"\r\n\r\n").map(|at| at + 4) else { return Read::More };
    let head = bytes.get(..end).unwrap_or_default().to_vec();
    match framing(&head) {
        Err(fault) => Read::Broken(Message { head, fault: Some(fault) }),
        Ok(Framing::Length(length)) => {
            let whole = end.saturating_add(length);
            if bytes.len() < whole { Read::More } else { Read::Whole(Message { head, fault: None }, whole) }
        }
        Ok(Framing::Chunked) => match chunked(bytes.get(end..).unwrap_or_default()) {
            Ok(Some(length)) => Read::Whole(Message { head, fault: None }, end + length),
            Ok(None) => Read::More,
            Err(fault) => Read::Broken(Message { head, fault: Some(fault) }),
        },
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

/// The framing of a canonical head, or what is not canonical in it.
fn framing(head: &[u8]) -> Result<Framing, &'static str> {
    let text = head.strip_suffix(b"\r\n\r\n").ok_or("no end")?;
    let mut lines = split(text, b"\r\n").into_iter();
    request_line(lines.next().unwrap_or_default())?;
    let (mut hosts, mut length, mut is_chunked, mut is_named) = (0, None, false, 0);
    let mut singletons: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        let at = line.iter().position(|&byte| byte == b':').ok_or("a field line without colon")?;
        let (name, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            return Err("a field name that is no token");
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if value.iter().any(|&byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return Err("a control character in a field value");
        }
        if value.trim_ascii().len() != value.len() {
            return Err("white space around a field value");
        }
        let name = name.to_ascii_lowercase();
        match name.as_slice() {
            b"host" => hosts += 1,
            b"x-request-id" => is_named += 1,
            b"content-length" if length.is_some() => return Err("two lengths"),
            b"content-length" => length = Some(number(value)?),
            b"transfer-encoding" if is_chunked || value != b"chunked" => return Err("a transfer coding but chunked"),
            b"transfer-encoding" => is_chunked = true,
            b"connection" if !value.eq_ignore_ascii_case(b"upgrade") => return Err("connection options"),
            b"content-type" | b"authorization" | b"expect" => {
                if singletons.contains(&name) {
                    return Err("a field twice that may be there once");
                }
                singletons.push(name);
            }
            _ => {}
        }
    }
    match (hosts, is_named, length, is_chunked) {
        (_, 0, ..) => Err("no message of the gateway: it has no request id"),
        (0 | 2.., ..) => Err("not one host"),
        (.., Some(_), true) => Err("a length and a transfer coding"),
        (.., None, true) => Ok(Framing::Chunked),
        (.., length, false) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

fn request_line(line: &[u8]) -> Result<(), &'static str> {
    let parts = split(line, b" ");
    let [method, target, b"HTTP/1.1"] = parts.as_slice() else { return Err("a request line not of three words") };
    if method.is_empty() || !method.iter().all(|&byte| is_token(byte)) {
        return Err("a method that is no token");
    }
    if *target == b"*" {
        return Ok(());
    }
    if !target.starts_with(b"/") || !target.iter().all(u8::is_ascii_graphic) || target.contains(&b'#') {
        return Err("a target that is no path");
    }
    let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
    if path.contains(&b'\\') || path.split(|&byte| byte == b'/').any(|part| matches!(part, b"." | b"..")) {
        return Err("a path that is not canonical");
    }
    let escapes = path.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in escapes {
        let digits = path.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("a broken escape in the path");
        }
        if matches!(digits, b"2e" | b"2E") {
            return Err("an escaped dot in the path");
        }
    }
    Ok(())
}

/// The length of a chunked body with its end; `None` when it is not whole.
fn chunked(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(line) = memchr(rest, b"\r\n") else { return Ok(None) };
        let digits = rest.get(..line).unwrap_or_default();
        if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("a chunk size that is no plain number");
        }
        let size = usize::from_str_radix(&String::from_utf8_lossy(digits), 16).map_err(|_| "a chunk size too large")?;
        at += line + 2;
        if size == 0 {
            return trailers(bytes, at);
        }
        match bytes.get(at + size..at + size + 2) {
            Some(b"\r\n") => at += size + 2,
            Some(_) => return Err("a chunk longer than its size"),
            None => return Ok(None),
        }
    }
}

/// Behind the last chunk: field lines, then an empty line.
fn trailers(bytes: &[u8], mut at: usize) -> Result<Option<usize>, &'static str> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(line) = memchr(rest, b"\r\n") else { return Ok(None) };
        at += line + 2;
        if line == 0 {
            return Ok(Some(at));
        }
        let text = rest.get(..line).unwrap_or_default();
        let name = text.split(|&byte| byte == b':').next().unwrap_or_default();
        let names_framing =
            [&b"content-length"[..], b"transfer-encoding", b"host"].iter().any(|own| own.eq_ignore_ascii_case(name));
        if name.len() == text.len() || !name.iter().all(|&byte| is_token(byte)) || names_framing {
            return Err("a trailer that is no field or names the framing");
        }
    }
}

fn number(value: &[u8]) -> Result<usize, &'static str> {
    let plain =
        !value.is_empty() && value.iter().all(u8::is_ascii_digit) && (value == b"0" || value.first() != Some(&b'0'));
    let text = std::str::from_utf8(value).map_err(|_| "a length that is no number")?;
    if plain { text.parse().map_err(|_| "a length too large") } else { Err("a length that is no plain number") }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

fn memchr(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The parts of a text between separators.
pub fn split<'t>(text: &'t [u8], separator: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr(rest, separator) {
        parts.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + separator.len()..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(request: &str) -> Option<&'static str> {
        match read(request.as_bytes()) {
            Read::Whole(message, used) => {
                assert_eq!(used, request.len());
                message.fault
            }
            Read::Broken(message) => message.fault,
            Read::More => Some("more"),
        }
    }

    #[test]
    fn canonical_messages_have_no_fault() {
        assert_eq!(fault("GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n\r\n"), None);
        assert_eq!(fault("POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\nContent-Length: 2\r\n\r\nok"), None);
        let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n";
        assert_eq!(fault(&format!("POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n{chunked}")), None);
    }

    #[test]
    fn whatever_two_readers_could_take_differently_is_a_fault() {
        for (line, fields) in [
            ("GET / HTTP/1.1", "Content-Length: 1\r\nTransfer-Encoding: chunked"),
            ("GET / HTTP/1.1", "Content-Length: 01"),
            ("GET / HTTP/1.1", "Content-Length: +1"),
            ("GET / HTTP/1.1", "Transfer-Encoding: xchunked"),
            ("GET / HTTP/1.1", "Transfer-Encoding : chunked"),
            ("GET / HTTP/1.1", "Host: b"),
            ("GET / HTTP/1.1", "X-A: a\n b"),
            ("GET / HTTP/1.1", "X-A:  a"),
            ("GET / HTTP/1.0", "X-A: a"),
            ("GET /a/../b HTTP/1.1", "X-A: a"),
            ("GET /a/%2e%2e/b HTTP/1.1", "X-A: a"),
            ("GET http://b/ HTTP/1.1", "X-A: a"),
            ("GET /a#b HTTP/1.1", "X-A: a"),
        ] {
            let request = format!("{line}\r\nHost: a\r\nX-Request-Id: 1\r\n{fields}\r\n\r\n");
            assert!(fault(&request).is_some_and(|fault| fault != "more"), "{request}");
        }
        assert!(fault("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_some(), "only messages of the gateway have a request id");
    }
}
