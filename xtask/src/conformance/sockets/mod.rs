//! Sockets, not functions: the collections sent as bytes through a running gateway in mode `block`, over HTTP/1.1 and HTTP/2,
//! in front of an upstream that records and reads strictly what arrives.
//!
//! What counts is what reaches the upstream. Nothing: blocked. The lines of the request as they were sent: passed. Otherwise
//! spelled: canonicalised. And anything that the strict reader finds fault with, which two readers could frame differently or
//! which is no message of the gateway, is ambiguous; there must be none of it.

mod cases;
mod client;
mod strict;
mod upstream;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Outcome;
use crate::table::{Cell, Table, publish};
use cases::Case;
use client::{Came, OverH2};
use strict::{Message, split};
use upstream::Recorded;

/// Arguments of the measurement.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder that holds the collections.
    #[arg(long, value_name = "DIR")]
    corpus: PathBuf,
    /// A folder with further malformed requests as `cases.py`.
    #[arg(long, value_name = "DIR")]
    malformed: Option<PathBuf>,
    /// A gateway in mode `block` whose upstream is the address of `--upstream`; one is started when absent.
    #[arg(long, value_name = "ADDR", requires = "upstream")]
    target: Option<SocketAddr>,
    /// Where this task listens as the upstream.
    #[arg(long, value_name = "ADDR")]
    upstream: Option<SocketAddr>,
    /// The binary to start; that of the last build when absent.
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    binary: Option<PathBuf>,
    /// Only collections whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Also write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print cases whose outcome is this (`blocked`, `passed`, `canonicalised`, `unfinished`, `ambiguous`), to standard error.
    #[arg(long, value_name = "OUTCOME")]
    show: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Blocked,
    Passed,
    Canonicalised,
    Unfinished,
    Ambiguous,
}

impl Fate {
    const ALL: [Self; 5] = [Self::Blocked, Self::Passed, Self::Canonicalised, Self::Unfinished, Self::Ambiguous];

    const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Passed => "passed",
            Self::Canonicalised => "canonicalised",
            Self::Unfinished => "unfinished",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// A gateway that ends with the measurement, and its folder with it.
struct Gateway {
    process: Child,
    data: PathBuf,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> Outcome {
    let cases = cases::load(&arguments.corpus, arguments.malformed.as_deref())?;
    let listen = arguments.upstream.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (upstream, recorded) =
        upstream::start(listen).map_err(|error| format!("`{listen}` cannot be listened on: {error}"))?;
    let (_gateway, target) = match arguments.target {
        Some(target) => (None, target),
        None => {
            let (gateway, target) = start(arguments.binary.as_deref(), upstream)?;
            (Some(gateway), target)
        }
    };
    let mut rows: BTreeMap<(&str, &str, &str), [u64; 5]> = BTreeMap::new();
    let mut h2 = OverH2::new(target);
    for case in cases.iter().filter(|case| case.corpus.contains(&arguments.only)) {
        for over in ["HTTP/1.1", "HTTP/2"] {
            let Some((fate, fault)) = fate(case, over, target, &mut h2, &recorded)? else { continue };
            if arguments.show.as_deref() == Some(fate.name()) {
                let shown: String = case.raw.escape_ascii().to_string().chars().take(400).collect();
                eprintln!("{}: {}: {over}: {} {fault}: {shown}", case.corpus, case.class, fate.name());
            }
            let counts = rows.entry((case.corpus, &case.class, over)).or_default();
            if let Some(count) = counts.get_mut(fate as usize) {
                *count += 1;
            }
        }
    }
    let ambiguous: u64 = rows.values().filter_map(|counts| counts.get(Fate::Ambiguous as usize)).sum();
    publish(&[table(&rows)], arguments.json.as_deref())?;
    if ambiguous > 0 {
        return Err(
            format!("{ambiguous} ambiguous messages reached the upstream; `--show ambiguous` names them").into()
        );
    }
    Ok(())
}

fn table(rows: &BTreeMap<(&str, &str, &str), [u64; 5]>) -> Table {
    let mut columns = vec!["collection", "class or placement", "over", "cases"];
    columns.extend(Fate::ALL.map(Fate::name));
    let mut table = Table::new("What reached the upstream through a gateway in mode block", &columns);
    for ((corpus, class, over), counts) in rows {
        let mut row =
            vec![Cell::text(*corpus), Cell::text(*class), Cell::text(*over), Cell::Count(counts.iter().sum())];
        row.extend(counts.iter().map(|&count| Cell::Count(count)));
        table.rows.push(row);
    }
    table
}

/// What became of a case, and the fault where there was one; `None` when HTTP/2 cannot say it.
fn fate(
    case: &Case,
    over: &str,
    target: SocketAddr,
    h2: &mut OverH2,
    recorded: &Recorded,
) -> std::io::Result<Option<(Fate, &'static str)>> {
    let came = if over == "HTTP/2" {
        let Some(request) = client::translated(&case.raw, case.without_hops) else { return Ok(None) };
        h2.send(&request)?
    } else {
        client::over_h1(target, &case.raw, case.is_ordinary)?
    };
    let messages = recorded.take();
    if let Some(fault) = messages.iter().find_map(|message| message.fault) {
        return Ok(Some((Fate::Ambiguous, fault)));
    }
    let fate = match (messages.is_empty(), came) {
        (true, Came::Answer) => Fate::Blocked,
        (true, Came::Nothing) => Fate::Unfinished,
        (false, _) if over == "HTTP/1.1" && !as_it_came(&case.raw, &messages) => Fate::Canonicalised,
        (false, _) => Fate::Passed,
    };
    Ok(Some((fate, "")))
}

/// True when every line of the heads that were sent stands in what arrived, but those that concern one connection.
fn as_it_came(raw: &[u8], messages: &[Message]) -> bool {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(raw.len());
    let head = raw.get(..end).unwrap_or_default();
    let concerns_connection = |line: &[u8]| {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        [&b"connection"[..], b"keep-alive", b"expect", b"upgrade"].iter().any(|own| own.eq_ignore_ascii_case(name))
    };
    let arrived: Vec<&[u8]> = messages.iter().flat_map(|message| split(&message.head, b"\r\n")).collect();
    split(head, b"\r\n").iter().all(|line| concerns_connection(line) || arrived.contains(line))
}

/// Starts the gateway and reads from its log where it listens.
fn start(binary: Option<&Path>, upstream: SocketAddr) -> Result<(Gateway, SocketAddr), Box<dyn std::error::Error>> {
    let binary = match binary {
        Some(binary) => binary.to_owned(),
        None => last_built()?,
    };
    let data = std::env::temp_dir().join(format!("portreeve-sockets-{}", std::process::id()));
    let mut command = Command::new(&binary);
    command.args(["run", "--upstream", &format!("http://{upstream}"), "--mode", "block", "--workers", "1"]);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]).arg(&data);
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let process = command.spawn().map_err(|error| format!("`{}` does not start: {error}", binary.display()))?;
    let mut gateway = Gateway { process, data };
    let log = gateway.process.stderr.take().ok_or("the gateway has no log")?;
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let listening = lines.by_ref().find(|line| line.contains("carrying traffic"));
    let address = listening.as_deref().and_then(|line| line.split("address=").nth(1)?.split(' ').next()?.parse().ok());
    // The log is read on, so that the gateway never waits for its reader.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((gateway, address.ok_or("the gateway did not say where it listens")?))
}

/// The program of the last build.
fn last_built() -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let found = ["release", "debug"].map(|profile| target.join(profile).join("portreeve"));
    let built = |path: &&PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let newest = found.iter().filter(|path| built(path).is_some()).max_by_key(built);
    newest
        .cloned()
        .ok_or_else(|| "nothing was built; `cargo build -p portreeve`, or name one with `--binary`".to_owned())
}
