//! `portreeve contract test`: requests derived from a document, sent through a gateway, and what became of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use schema::derive::{DerivedRequest, Expectation, derive};
use schema::document::Document;

use super::{Form, counted};
use crate::commands::Outcome;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Sends valid and invalid requests derived from an OpenAPI document through a gateway.
///
/// The upstream behind it sees the valid ones, so use one that may be written to. The gateway's stage `contract` must be in
/// mode `block`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The OpenAPI document.
    file: PathBuf,
    /// Where the gateway listens, with the API's base path: `http://host:port/v1`. TLS is not spoken.
    #[arg(long)]
    url: String,
    /// A field sent with every request, such as `authorization: Bearer ..`; may be given several times.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Only operations whose method and path hold this text.
    #[arg(long)]
    only: Option<String>,
    /// Time for one answer.
    #[arg(long, default_value = "10s", value_parser = crate::commands::time)]
    timeout: Duration,
    /// How results are written.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Where requests go.
struct Target {
    /// `host:port`.
    address: String,
    /// The Host sent.
    host: String,
    /// Before every path, without trailing slash.
    base: String,
    fields: Vec<(String, String)>,
    timeout: Duration,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// The gateway refused it; with its reason where the answer names one.
    refused: Option<String>,
}

/// A request that met with the wrong answer.
struct Miss {
    request: DerivedRequest,
    answer: Answer,
}

/// Runs the command.
///
/// # Errors
/// When the document or the gateway cannot be reached, when an invalid request got through, or a valid one did not.
pub fn run(arguments: &Arguments) -> Outcome {
    let target = target(arguments)?;
    let name = arguments.file.display().to_string();
    let bytes = std::fs::read(&arguments.file)
        .map_err(|error| format!("`{name}` cannot be read: {}", crate::config::meant::plain(&error)))?;
    let document = Document::parse(&name, &bytes).map_err(|diagnostic| diagnostic.to_string())?;
    let mut derived = derive(&document);
    if let Some(only) = &arguments.only {
        derived.requests.retain(|request| request.operation.contains(only.as_str()));
    }
    if derived.requests.is_empty() {
        return Err(format!("no request can be derived from `{name}`").into());
    }
    let (mut through, mut refused) = (Vec::new(), Vec::new());
    let (mut valid, mut invalid) = (0usize, 0usize);
    for request in derived.requests {
        let answer = send(&target, &request)?;
        match (&request.expected, &answer.refused) {
            (Expectation::Valid, Some(_)) => {
                valid += 1;
                refused.push(Miss { request, answer });
            }
            (Expectation::Valid, None) => valid += 1,
            (Expectation::Invalid(_), None) => {
                invalid += 1;
                through.push(Miss { request, answer });
            }
            (Expectation::Invalid(_), Some(_)) => invalid += 1,
        }
    }
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Form::Text => {
            write_misses(&mut out, "valid, refused", &refused)?;
            write_misses(&mut out, "invalid, let through", &through)?;
            writeln!(
                out,
                "{valid} valid: {} refused; {invalid} invalid: {} let through; {} not derived",
                refused.len(),
                through.len(),
                counted(derived.left_out.len(), "operation")
            )?;
        }
        Form::Json | Form::Sarif => {
            let list = |misses: &[Miss]| serde_json::Value::from_iter(misses.iter().map(as_json));
            let result = serde_json::json!({
                "valid": valid, "valid_refused": list(&refused),
                "invalid": invalid, "invalid_let_through": list(&through),
                "not_derived": derived.left_out,
            });
            writeln!(out, "{result:#}")?;
        }
    }
    match (refused.len(), through.len()) {
        (0, 0) => Ok(()),
        (refused, through) => {
            let (refused, through) = (counted(refused, "valid request"), counted(through, "invalid request"));
            Err(format!("{refused} refused, {through} let through").into())
        }
    }
}

fn target(arguments: &Arguments) -> Result<Target, String> {
    let help = "write it as `http://127.0.0.1:8080/v1`";
    let rest = arguments.url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| format!("`{}` cannot be asked: only plain HTTP is spoken; {help}", arguments.url))?;
    let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() || authority.contains(['@', '?', '#', ' ']) || base.contains(['?', '#', ' ']) {
        return Err(format!("`{}` is no address of a gateway; {help}", arguments.url));
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let mut fields = Vec::new();
    let mut host = authority.to_owned();
    for field in &arguments.header {
        let Some((name, value)) = field.split_once(':').filter(|_| !field.contains(['\r', '\n'])) else {
            return Err(format!("`{field}` is no field; write `name: value`"));
        };
        if name.eq_ignore_ascii_case("host") {
            value.trim().clone_into(&mut host);
        } else {
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let base = if base.is_empty() { String::new() } else { format!("/{}", base.trim_end_matches('/')) };
    Ok(Target { address, host, base, fields, timeout: arguments.timeout })
}

/// Sends one request over a connection of its own.
fn send(target: &Target, request: &DerivedRequest) -> Result<Answer, String> {
    let failed = |error: std::io::Error| {
        format!("`{}` does not answer `{} {}`: {error}", target.address, request.method, request.target)
    };
    let mut stream = TcpStream::connect(&target.address).map_err(failed)?;
    stream.set_read_timeout(Some(target.timeout)).map_err(failed)?;
    let mut head = format!(
        "{} {}{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json\r\nUser-Agent: portreeve-contract-test\r\n",
        request.method, target.base, request.target, target.host
    );
    for (name, value) in target.fields.iter().chain(&request.fields) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let empty = Vec::new();
    let body = match &request.body {
        Some((content_type, bytes)) => {
            head.push_str(&format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", bytes.len()));
            bytes
        }
        None => {
            if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
                head.push_str("Content-Length: 0\r\n");
            }
            &empty
        }
    };
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).map_err(failed)?;
    // A gateway may answer and close before it has read a body that it refuses.
    let _ = stream.write_all(body);
    read_answer(stream).map_err(failed)
}

fn read_answer(stream: TcpStream) -> std::io::Result<Answer> {
    let mut reader = BufReader::new(stream.take(ANSWER_BYTES_MAX));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("the answer is no HTTP"))?;
    let mut is_problem = false;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        is_problem |= line.to_ascii_lowercase().starts_with("content-type: application/problem+json");
    }
    let mut body = Vec::new();
    // What an event stream still has to say is of no weight here.
    let _ = reader.read_to_end(&mut body);
    let refused = is_problem.then(|| reason(&String::from_utf8_lossy(&body))).flatten();
    Ok(Answer { status, refused })
}

/// The reason in an answer of the gateway; `None` for problems that the upstream tells of.
fn reason(body: &str) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_str(body).ok()?;
    problem.get("instance")?.as_str().filter(|instance| instance.starts_with("urn:request:"))?;
    let kind = problem.get("type").and_then(serde_json::Value::as_str).unwrap_or_default();
    Some(kind.strip_prefix("urn:portreeve:").unwrap_or("refused").to_owned())
}

fn write_misses(out: &mut impl Write, what: &str, misses: &[Miss]) -> std::io::Result<()> {
    for Miss { request, answer } in misses {
        write!(out, "{what}: {} {} -> {}", request.method, request.target, answer.status)?;
        if let Some(reason) = &answer.refused {
            write!(out, " {reason}")?;
        }
        match &request.expected {
            Expectation::Invalid(broken) => writeln!(out, " (breaks {broken})")?,
            Expectation::Valid => writeln!(out)?,
        }
    }
    Ok(())
}

fn as_json(miss: &Miss) -> serde_json::Value {
    let broken = match &miss.request.expected {
        Expectation::Invalid(broken) => Some(broken),
        Expectation::Valid => None,
    };
    serde_json::json!({
        "operation": miss.request.operation,
        "method": miss.request.method,
        "target": miss.request.target,
        "body": miss.request.body.as_ref().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()),
        "breaks": broken,
        "status": miss.answer.status,
        "reason": miss.answer.refused,
    })
}
