//! The access log: one JSON object per exchange, on standard output or appended to a file. Query values are left out, as in
//! the store.

use std::fs::File;
use std::io::{BufWriter, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Action, Event};
use serde_json::json;

use super::{Error, file_error};
use crate::config;

/// Where lines go.
pub struct AccessLog {
    out: Out,
    to: config::AccessLog,
    reopen: Arc<AtomicBool>,
}

/// Asks for the file to be opened anew, after it was renamed by whoever rotates logs.
#[derive(Clone, Default)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    /// Asks; the log does it before its next line.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Out {
    fn open(to: &config::AccessLog) -> Result<Self, Error> {
        let path = match to {
            config::AccessLog::Stdout => return Ok(Self::Stdout(BufWriter::new(std::io::stdout()))),
            config::AccessLog::File(path) => path,
        };
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| file_error(path, "written", &error))?;
        Ok(Self::File(BufWriter::with_capacity(64 * 1024, file)))
    }
}

enum Out {
    Stdout(BufWriter<Stdout>),
    File(BufWriter<File>),
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn open(to: &config::AccessLog, reopen: &Reopen) -> Result<Self, Error> {
        Ok(Self { out: Out::open(to)?, to: to.clone(), reopen: Arc::clone(&reopen.0) })
    }

    /// Opens the file anew when that was asked for. The lines before go to the old file; when the new one cannot be opened,
    /// those after do, too.
    fn reopen_if_asked(&mut self) -> u64 {
        if !self.reopen.swap(false, Ordering::Relaxed) {
            return 0;
        }
        let lost = self.flush_out();
        match Out::open(&self.to) {
            Ok(out) => self.out = out,
            Err(error) => tracing::error!(%error, "the access log is not opened anew"),
        }
        lost
    }

    /// Writes a batch; answers how many lines were lost.
    pub fn write(&mut self, events: &[Event]) -> u64 {
        let mut lost = self.reopen_if_asked();
        for event in events {
            let mut text = line(event).to_string();
            text.push('\n');
            let written = match &mut self.out {
                Out::Stdout(out) => out.write_all(text.as_bytes()),
                Out::File(out) => out.write_all(text.as_bytes()),
            };
            lost += u64::from(written.is_err());
        }
        lost
    }

    /// Brings what was written on its way; answers 1 when that failed.
    pub fn flush(&mut self) -> u64 {
        if self.reopen.load(Ordering::Relaxed) {
            return self.reopen_if_asked();
        }
        self.flush_out()
    }

    fn flush_out(&mut self) -> u64 {
        let flushed = match &mut self.out {
            Out::Stdout(out) => out.flush(),
            Out::File(out) => out.flush(),
        };
        u64::from(flushed.is_err())
    }
}

fn line(event: &Event) -> serde_json::Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let time = jiff::Timestamp::from_microsecond(event.at.0).unwrap_or_default();
    let reasons: Vec<&str> = event.findings.iter().map(|finding| finding.reason.code()).collect();
    let verdict = match event.verdict.action {
        Action::Pass => "pass",
        Action::Refuse { .. } => "refuse",
    };
    json!({
        "time": time.to_string(), "id": event.id.to_string(), "client": event.client, "peer": event.peer,
        "api": event.api.as_ref().map(|api| &api.0), "endpoint": event.endpoint.map(|id| id.to_string()),
        "version": event.version.text(), "method": text(&event.method), "host": text(&event.host),
        "path": text(event.path()), "status": event.status, "end": event.end.name(),
        "request_bytes": event.request_bytes, "response_bytes": event.response_bytes,
        "total_us": event.total_us, "upstream_us": event.upstream_us, "judge_us": event.judge_us,
        "agent": text(&event.agent), "request_type": text(&event.request_type), "response_type": text(&event.response_type),
        "session": event.session.map(|session| session.to_string()), "verdict": verdict, "reasons": reasons,
        "trace": event.span.as_ref().map(|span| format!("{:032x}", span.trace)),
    })
}
