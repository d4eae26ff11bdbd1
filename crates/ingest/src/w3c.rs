//! Logs in W3C Extended Log File Format: CloudFront's, and others that name their columns in a `#Fields:` line.

use crate::make::{Maker, Pieces};
use crate::{Options, Sink, Summary};

/// Most columns read.
const COLUMNS_MAX: usize = 64;

/// Reads lines.
pub struct Reader {
    columns: Vec<String>,
    maker: Maker,
}

impl Reader {
    /// For a source read with these options.
    pub fn new(options: &Options) -> Self {
        Self { columns: Vec::new(), maker: Maker::new(options) }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &[u8], summary: &mut Summary, sink: Sink<'_>) {
        if let Some(rest) = line.strip_prefix(b"#") {
            if let Some(fields) = rest.strip_prefix(b"Fields:") {
                let names = String::from_utf8_lossy(fields);
                self.columns = names.split_ascii_whitespace().take(COLUMNS_MAX).map(str::to_owned).collect();
            }
            return;
        }
        if self.columns.is_empty() {
            return summary.problem(summary.records, "no `#Fields:` line came before");
        }
        let separator = if memchr::memchr(b'\t', line).is_some() { b'\t' } else { b' ' };
        let values: Vec<&[u8]> = line.split(|&byte| byte == separator).take(COLUMNS_MAX).collect();
        let of = |name: &str| {
            let at = self.columns.iter().position(|column| column == name)?;
            values.get(at).copied()
        };
        let time = [of("date").unwrap_or_default(), b"T", of("time").unwrap_or_default(), b"Z"].concat();
        let agent = of("cs(User-Agent)").map(decoded);
        let pieces = Pieces {
            time: of("timestamp").or(of("date").map(|_| time.as_slice())),
            client: of("c-ip"),
            forwarded_for: of("x-forwarded-for"),
            host: of("x-host-header").or(of("cs(Host)")).or(of("cs-host")),
            method: of("cs-method"),
            target: of("cs-uri-stem"),
            query: of("cs-uri-query"),
            status: of("sc-status"),
            response_type: of("sc-content-type"),
            request_bytes: of("cs-bytes"),
            response_bytes: of("sc-bytes"),
            agent: agent.as_deref(),
            referer: of("cs(Referer)"),
            accept: of("cs-accept"),
            cookie: of("cs(Cookie)"),
            latency: of("time-taken"),
            latency_unit_us: 1e6,
            ..Pieces::default()
        };
        let mut invalid_utf8 = false;
        match self.maker.observation(&pieces, &mut invalid_utf8) {
            Some(observation) => sink(observation),
            None => summary.problem(summary.records, "the line has no request"),
        }
        summary.invalid_utf8 += u64::from(invalid_utf8);
    }
}

/// CloudFront percent-encodes the User-Agent, sometimes twice.
fn decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let digits =
            (byte == b'%').then(|| after.get(..2)).flatten().and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                rest = after;
            }
        }
    }
    out
}
