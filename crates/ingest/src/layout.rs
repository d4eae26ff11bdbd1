//! Logs whose lines follow a fixed layout: nginx, Apache, Envoy, Traefik, ALB, and whatever a `log_format` describes.
//!
//! A layout is compiled once to literals and fields; a line is read by looking for each field's next literal, which is what
//! makes this as fast as looking for bytes is.

use crate::make::{Maker, Pieces};
use crate::{Options, Sink, Summary};

/// What a field of a layout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the pieces of a record")]
pub enum Field {
    Skip,
    Time,
    Client,
    ForwardedFor,
    Host,
    Request,
    Method,
    Target,
    Query,
    Status,
    RequestType,
    ResponseType,
    RequestBytes,
    ResponseBytes,
    Agent,
    Referer,
    Accept,
    Authorization,
    Cookie,
    LatencySeconds,
    LatencyMillis,
    LatencyMicros,
}

/// A compiled layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What it is called in messages.
    pub name: &'static str,
    /// What stands in front of the first field.
    front: Vec<u8>,
    /// Each field and what stands behind it.
    fields: Vec<(Field, Vec<u8>)>,
    /// Fields from here on may be missing: older formats end earlier.
    optional_from: usize,
}

/// Layouts that are known, the most telling first.
pub const KNOWN: &[(&str, &str)] = &[
    (
        "alb",
        "$skip $time_iso8601 $skip $remote_addr $skip $skip $upstream_response_time $skip $status $skip $request_length \
         $bytes_sent \"$request\" \"$http_user_agent\"",
    ),
    (
        "envoy",
        "[$time_iso8601] \"$request\" $status $skip $request_length $bytes_sent $duration_ms $skip \"$http_x_forwarded_for\" \
         \"$http_user_agent\" \"$skip\" \"$http_host\" \"$skip\"",
    ),
    (
        "combined",
        "$remote_addr $skip $skip [$time_local] \"$request\" $status $bytes_sent \"$http_referer\" \"$http_user_agent\"",
    ),
    ("api-gateway", "$remote_addr $skip $skip [$time_local]\"$request\" $status $bytes_sent"),
    ("common", "$remote_addr $skip $skip [$time_local] \"$request\" $status $bytes_sent"),
    (
        "vhost-combined",
        "$http_host $remote_addr $skip $skip [$time_local] \"$request\" $status $bytes_sent \"$http_referer\" \"$http_user_agent\"",
    ),
];

impl Layout {
    /// A known layout by name.
    pub fn known(name: &str) -> Option<Self> {
        let (name, text) = KNOWN.iter().find(|(known, _)| *known == name)?;
        Self::nginx(name, text).ok()
    }

    /// Compiles a format: nginx's when it has `$`, Apache's when it has `%`.
    ///
    /// # Errors
    /// A sentence when nothing of it names a request.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('$') { Self::nginx("custom", text) } else { Self::apache(text) }
    }

    fn nginx(name: &'static str, text: &str) -> Result<Self, String> {
        let mut layout = Self { name, front: Vec::new(), fields: Vec::new(), optional_from: usize::MAX };
        let mut parts = text.split('$');
        layout.front = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            let (variable, behind) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
                Some(braced) => braced,
                None => {
                    let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
                    part.split_at_checked(end).unwrap_or((part, ""))
                }
            };
            layout.fields.push((nginx_field(variable), behind.as_bytes().to_vec()));
        }
        layout.checked()
    }

    fn apache(text: &str) -> Result<Self, String> {
        let text = text.replace("\\\"", "\"");
        let mut layout = Self { name: "custom", front: Vec::new(), fields: Vec::new(), optional_from: usize::MAX };
        let (front, mut rest) = text.split_once('%').unwrap_or((&text, ""));
        layout.front = front.as_bytes().to_vec();
        while !rest.is_empty() {
            // Conditions and redirects in front of a directive (`%>s`, `%!200,304{Referer}i`) do not change what it is.
            rest = rest.trim_start_matches(|c: char| matches!(c, '>' | '<' | '!' | ',') || c.is_ascii_digit());
            let (argument, directive) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                Some((argument, directive)) => (argument, directive),
                None => ("", rest),
            };
            let Some(letter) = directive.chars().next() else { break };
            let behind = directive.get(letter.len_utf8()..).unwrap_or_default();
            let (literal, after) = behind.split_once('%').unwrap_or((behind, ""));
            layout.fields.push((apache_field(letter, argument), literal.as_bytes().to_vec()));
            rest = after;
        }
        layout.checked()
    }

    fn checked(mut self) -> Result<Self, String> {
        let has = |field: Field| self.fields.iter().any(|(own, _)| *own == field);
        let names_target = has(Field::Request) || (has(Field::Method) && has(Field::Target));
        if !names_target {
            return Err(
                "the format names no request: it needs `$request`, or `$request_method` and `$request_uri`".to_owned()
            );
        }
        let status = self.fields.iter().position(|(field, _)| *field == Field::Status);
        self.optional_from = status.map_or(usize::MAX, |at| at + 1);
        Ok(self)
    }

    /// Takes a line apart; false when it does not follow the layout.
    pub fn read<'a>(&self, line: &'a [u8], pieces: &mut Pieces<'a>) -> bool {
        let Some(mut rest) = line.strip_prefix(self.front.as_slice()) else { return false };
        let last = self.fields.len().saturating_sub(1);
        for (at, (field, behind)) in self.fields.iter().enumerate() {
            let end = match behind.as_slice() {
                // `$host$request_uri` has nothing between them: a path begins with a slash.
                [] if self.fields.get(at + 1).is_some_and(|(next, _)| *next == Field::Target) => {
                    memchr::memchr(b'/', rest)
                }
                [] => Some(rest.len()),
                // Quotes inside of values are escaped with a backslash.
                [b'"', ..] => closing_quote(rest),
                [byte] => memchr::memchr(*byte, rest),
                literal => find(rest, literal),
            };
            let (value, after) = match end {
                Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + behind.len()..)),
                // The last fields of a line need nothing behind them.
                None if at >= self.optional_from || at == last || behind.iter().all(|byte| *byte == b' ') => {
                    (rest, None)
                }
                None => return false,
            };
            put(*field, value, pieces);
            match after {
                Some(after) => rest = after,
                None => return at + 1 >= self.optional_from.min(self.fields.len()),
            }
        }
        true
    }
}

/// Where a short literal begins. Preparing a search for it would cost more than a field's few bytes do.
fn find(text: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    memchr::memchr_iter(first, text).find(|&at| text.get(at..).is_some_and(|rest| rest.starts_with(literal)))
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', text).find(|&at| {
        let before = text.get(..at).unwrap_or_default();
        let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 0
    })
}

fn put<'a>(field: Field, value: &'a [u8], pieces: &mut Pieces<'a>) {
    let value = Some(value);
    match field {
        Field::Skip => {}
        Field::Time => pieces.time = value,
        Field::Client => pieces.client = value,
        Field::ForwardedFor => pieces.forwarded_for = value,
        Field::Host => pieces.host = value,
        Field::Request => pieces.request = value,
        Field::Method => pieces.method = value,
        Field::Target => pieces.target = value,
        Field::Query => pieces.query = value,
        Field::Status => pieces.status = value,
        Field::RequestType => pieces.request_type = value,
        Field::ResponseType => pieces.response_type = value,
        Field::RequestBytes => pieces.request_bytes = value,
        Field::ResponseBytes => pieces.response_bytes = value,
        Field::Agent => pieces.agent = value,
        Field::Referer => pieces.referer = value,
        Field::Accept => pieces.accept = value,
        Field::Authorization => pieces.authorization = value,
        Field::Cookie => pieces.cookie = value,
        Field::LatencySeconds => (pieces.latency, pieces.latency_unit_us) = (value, 1e6),
        Field::LatencyMillis => (pieces.latency, pieces.latency_unit_us) = (value, 1e3),
        Field::LatencyMicros => (pieces.latency, pieces.latency_unit_us) = (value, 1.0),
    }
}

fn nginx_field(variable: &str) -> Field {
    match variable {
        "time_local" | "time_iso8601" | "msec" => Field::Time,
        "remote_addr" | "realip_remote_addr" => Field::Client,
        "http_x_forwarded_for" | "proxy_add_x_forwarded_for" => Field::ForwardedFor,
        "host" | "http_host" | "server_name" => Field::Host,
        "request" => Field::Request,
        "request_method" => Field::Method,
        "request_uri" | "uri" => Field::Target,
        "args" | "query_string" => Field::Query,
        "status" => Field::Status,
        "content_type" | "http_content_type" => Field::RequestType,
        "sent_http_content_type" | "upstream_http_content_type" => Field::ResponseType,
        "request_length" | "content_length" => Field::RequestBytes,
        "bytes_sent" | "body_bytes_sent" => Field::ResponseBytes,
        "http_user_agent" => Field::Agent,
        "http_referer" => Field::Referer,
        "http_accept" => Field::Accept,
        "http_authorization" => Field::Authorization,
        "http_cookie" => Field::Cookie,
        "request_time" | "upstream_response_time" => Field::LatencySeconds,
        "duration_ms" => Field::LatencyMillis,
        _ => Field::Skip,
    }
}

fn apache_field(directive: char, argument: &str) -> Field {
    let argument = argument.to_ascii_lowercase();
    match (directive, argument.as_str()) {
        ('h' | 'a', _) => Field::Client,
        ('t', _) => Field::Time,
        ('r', _) => Field::Request,
        ('m', _) => Field::Method,
        ('U', _) => Field::Target,
        ('q', _) => Field::Query,
        ('s', _) => Field::Status,
        ('b' | 'B' | 'O', _) => Field::ResponseBytes,
        ('I', _) => Field::RequestBytes,
        ('v' | 'V', _) => Field::Host,
        ('D', _) | ('T', "us") => Field::LatencyMicros,
        ('T', "ms") => Field::LatencyMillis,
        ('T', _) => Field::LatencySeconds,
        ('i', "user-agent") => Field::Agent,
        ('i', "referer") => Field::Referer,
        ('i', "host") => Field::Host,
        ('i', "accept") => Field::Accept,
        ('i', "x-forwarded-for") => Field::ForwardedFor,
        ('i', "content-type") => Field::RequestType,
        ('i', "authorization") => Field::Authorization,
        ('i', "cookie") => Field::Cookie,
        ('o', "content-type") => Field::ResponseType,
        _ => Field::Skip,
    }
}

/// Reads lines of one layout.
pub struct Reader<'a> {
    layout: &'a Layout,
    maker: Maker,
}

impl<'a> Reader<'a> {
    /// For a source read with these options.
    pub fn new(layout: &'a Layout, options: &Options) -> Self {
        Self { layout, maker: Maker::new(options) }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &[u8], summary: &mut Summary, sink: Sink<'_>) {
        let mut pieces = Pieces::default();
        if !self.layout.read(line, &mut pieces) {
            return summary.problem(summary.records, "the line does not follow the format");
        }
        // Apache writes its time in brackets of its own.
        if let Some(time) = pieces.time {
            pieces.time = Some(time.strip_prefix(b"[").and_then(|time| time.strip_suffix(b"]")).unwrap_or(time));
        }
        let mut invalid_utf8 = false;
        match self.maker.observation(&pieces, &mut invalid_utf8) {
            Some(observation) => sink(observation),
            None => summary.problem(summary.records, "the line has no request"),
        }
        summary.invalid_utf8 += u64::from(invalid_utf8);
    }
}
