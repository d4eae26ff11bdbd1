//! HTTP/2 and HPACK at a running gateway, frame by frame: the cases that h2spec puts in its three suites, sent over raw
//! sockets. What counts as right is what h2spec counts: for an error of the connection GOAWAY with the code or the end of the
//! connection, for an error of a stream also RST_STREAM.
//!
//! The cases were written from the RFCs and h2spec's list of titles, not from its code, so a run of h2spec itself still says more.

mod cases;
pub(super) mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Outcome;
use crate::table::{Cell, Table, publish};
use wire::{ACK, DATA, END_STREAM, Frame, GOAWAY, HEADERS, PING, Peer, RST_STREAM, SETTINGS};

/// Arguments of the measurement.
#[derive(clap::Args)]
pub struct Arguments {
    /// A gateway that speaks HTTP/2 with prior knowledge, in front of an upstream that answers `GET /` with a body.
    #[arg(long, value_name = "ADDR")]
    target: SocketAddr,
    /// Only cases whose section begins with this, such as `http2/6`.
    #[arg(long, default_value = "")]
    only: String,
    /// Also write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What must come.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// GOAWAY with one of these codes, or the end of the connection.
    Connection(&'static [u32]),
    /// RST_STREAM or GOAWAY with one of these codes, or the end of the connection.
    Stream(&'static [u32]),
    /// An answer on this stream.
    Answer(u32),
    /// An answer on this stream, to its end.
    Ended(u32),
    /// The PING of the case comes back.
    PingBack,
    /// SETTINGS are acknowledged.
    SettingsBack,
    /// DATA of this length.
    Data(usize),
}

/// One case.
pub struct Case {
    /// Suite and section.
    pub section: &'static str,
    /// What is sent.
    pub title: &'static str,
    /// Whether the connection is greeted first.
    pub greet: bool,
    /// Sends it.
    pub send: fn(&mut Peer) -> io::Result<()>,
    /// What must come.
    pub expect: Expect,
}

const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// Runs every case.
pub fn run(arguments: &Arguments) -> Outcome {
    let all = cases::all();
    let mut table =
        Table::new("HTTP/2 at the gateway, frame by frame", &["section", "sent", "expected", "came", "as expected"]);
    let (mut passed, mut ran) = (0u64, 0u64);
    for case in all.iter().filter(|case| case.section.starts_with(&arguments.only)) {
        let (right, came) = judge(case, arguments.target);
        ran += 1;
        passed += u64::from(right);
        table.rows.push(vec![
            Cell::text(case.section),
            Cell::text(case.title),
            Cell::text(wanted(case.expect)),
            Cell::text(came),
            Cell::text(if right { "yes" } else { "NO" }),
        ]);
    }
    let mut sum = Table::new("Sum", &["cases", "as expected"]);
    sum.rows.push(vec![Cell::Count(ran), Cell::Count(passed)]);
    publish(&[table, sum], arguments.json.as_deref())?;
    if passed < ran { Err(format!("{} of {ran} cases came out otherwise", ran - passed).into()) } else { Ok(()) }
}

fn wanted(expect: Expect) -> String {
    let names = |codes: &[u32]| codes.iter().map(|&code| name(code)).collect::<Vec<_>>().join(" or ");
    match expect {
        Expect::Connection(codes) => format!("connection error {}", names(codes)),
        Expect::Stream(codes) => format!("stream error {}", names(codes)),
        Expect::Answer(_) => "an answer".to_owned(),
        Expect::Ended(_) => "an answer to its end".to_owned(),
        Expect::PingBack => "PING back".to_owned(),
        Expect::SettingsBack => "SETTINGS acknowledged".to_owned(),
        Expect::Data(length) => format!("DATA of {length}"),
    }
}

fn name(code: u32) -> String {
    CODES.get(code as usize).map_or_else(|| format!("code {code}"), |&name| name.to_owned())
}

fn judge(case: &Case, target: SocketAddr) -> (bool, String) {
    let sent = Peer::connect(target).and_then(|mut peer| {
        if case.greet {
            peer.greet()?;
        }
        (case.send)(&mut peer)?;
        Ok(peer)
    });
    let mut peer = match sent {
        Ok(peer) => peer,
        Err(error) => return (false, format!("could not be sent: {error}")),
    };
    let mut last = "nothing".to_owned();
    loop {
        let frame = match peer.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => {
                let right = matches!(case.expect, Expect::Connection(_) | Expect::Stream(_));
                return (right, if last == "nothing" { "closed".to_owned() } else { format!("{last}, then closed") });
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return (false, format!("{last}, then nothing")),
            Err(error) => return (false, format!("{last}, then {error}")),
        };
        last = said(&frame);
        if fits(case.expect, &frame) {
            return (true, last);
        }
    }
}

fn fits(expect: Expect, frame: &Frame) -> bool {
    match expect {
        Expect::Connection(codes) => frame.kind == GOAWAY && codes.contains(&frame.number(4)),
        Expect::Stream(codes) => match frame.kind {
            GOAWAY => codes.contains(&frame.number(4)),
            RST_STREAM => codes.contains(&frame.number(0)),
            _ => false,
        },
        Expect::Answer(stream) => frame.kind == HEADERS && frame.stream == stream,
        Expect::Ended(stream) => {
            frame.stream == stream && matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0
        }
        Expect::PingBack => frame.kind == PING && frame.flags & ACK != 0 && frame.payload == cases::PINGED,
        Expect::SettingsBack => frame.kind == SETTINGS && frame.flags & ACK != 0,
        Expect::Data(length) => frame.kind == DATA && frame.payload.len() == length,
    }
}

fn said(frame: &Frame) -> String {
    match frame.kind {
        DATA => format!("DATA of {}", frame.payload.len()),
        // The first field of an answer is its status; the static table knows some.
        HEADERS => match frame.payload.first() {
            Some(index @ 0x88..=0x8e) => {
                let statuses = [200, 204, 206, 304, 400, 404, 500];
                format!("HEADERS {}", statuses.get(usize::from(index - 0x88)).unwrap_or(&0))
            }
            _ => "HEADERS".to_owned(),
        },
        RST_STREAM => format!("RST_STREAM {}", name(frame.number(0))),
        GOAWAY => format!("GOAWAY {}", name(frame.number(4))),
        SETTINGS if frame.flags & ACK != 0 => "SETTINGS acknowledged".to_owned(),
        PING if frame.flags & ACK != 0 => "PING back".to_owned(),
        kind => format!("a frame of kind {kind}"),
    }
}
