//! Mail: fields added to a message, and SMTP or IMAP commands behind a line end.

use super::family::Weight;
use super::gate::{Marker, any};
use super::text::{Text, split_word, trim, window};
use crate::values::Role;

pub(super) const MARKERS: &[Marker] = &[
    any(0, "\nto:"),
    any(0, "\ncc:"),
    any(0, "\nbcc:"),
    any(0, "\rto:"),
    any(0, "\rcc:"),
    any(0, "\rbcc:"),
    any(0, "\nsubject:"),
    any(0, "\nreply-to:"),
    any(0, "\nfrom:"),
    any(0, "\nmime-version"),
    any(0, "\nrcpt"),
    any(0, "\nmail from"),
    any(0, "\ndata"),
    any(0, "\nquit"),
    any(0, "\nrset"),
    any(0, "\nhelo"),
    any(0, "\nehlo"),
    any(0, "capability"),
    any(0, " fetch "),
    any(0, "\nvrfy"),
    any(0, "\nexpn"),
    any(0, " logout"),
    any(0, " login "),
    any(0, " select "),
    any(0, " examine "),
    any(0, " rename "),
    any(0, " delete "),
    any(0, " append "),
    any(0, " search "),
    any(0, "\nnoop"),
    any(0, "\nturn"),
    any(0, "\nstarttls"),
    any(0, "\nauth "),
    any(0, "rcpt to"),
    any(0, "\nuser "),
    any(0, "\nretr "),
    any(0, "\ndele "),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low;
    let lines = memchr::memchr2_iter(b'\n', b'\r', low).take(512);
    let document =
        text.prose || text.role == Role::File || low.iter().take(4096).filter(|&&byte| byte == b'\n').count() > 12;
    for at in lines {
        let line = trim(window(low.get(at + 1..).unwrap_or_default(), 96));
        let rest_of_line = line.get(..memchr::memchr2(b'\n', b'\r', line).unwrap_or(line.len())).unwrap_or_default();
        let (word, behind) = split_word(rest_of_line);
        let points = match word {
            b"bcc" | b"cc" | b"to" if behind.first() == Some(&b':') && behind.contains(&b'@') => 10,
            b"bcc" if behind.first() == Some(&b':') => 7,
            b"subject" | b"from" | b"reply" | b"mime"
                if behind.first() == Some(&b':') || behind.starts_with(b"-to:") || behind.starts_with(b"-version:") =>
            {
                5
            }
            b"rcpt" if trim(behind).starts_with(b"to") => 10,
            b"mail" if trim(behind).starts_with(b"from") && behind.contains(&b':') => 10,
            b"quit" | b"rset" | b"noop" | b"data" | b"starttls" | b"capability" if behind.trim_ascii().is_empty() => 8,
            b"helo" | b"ehlo" | b"vrfy" | b"expn" if !behind.trim_ascii().is_empty() => 8,
            // IMAP: a tag, then a command (RFC 9051, 2.2.1).
            _ if is_tag(word) => {
                let (command, arguments) = split_word(trim(behind));
                match command {
                    b"capability" | b"logout" | b"noop" | b"starttls" | b"expunge" => 10,
                    b"fetch" | b"login" | b"select" | b"examine" | b"rename" | b"delete" | b"append" | b"search"
                    | b"store" | b"copy" | b"list" | b"create" | b"uid"
                        if !arguments.is_empty() =>
                    {
                        8
                    }
                    _ => 0,
                }
            }
            _ => 0,
        };
        let points = if document { points / 3 } else { points };
        weight.add(points, "mail command behind a line end");
    }
    if weight.points == 8 && low.len() <= 200 && !document {
        weight.add(3, "nothing else");
    }
}

/// A letter or more and digits, as IMAP clients number their commands.
fn is_tag(word: &[u8]) -> bool {
    (2..=8).contains(&word.len())
        && word.first().is_some_and(u8::is_ascii_alphabetic)
        && word.last().is_some_and(u8::is_ascii_digit)
}
