//! One exchange as it is stored: text made safe, values dropped, everything bounded.
//!
//! A row has two forms on disk: the compact one here, for the journal, and columns ([`crate::columns`]), for segments. It borrows
//! from the event or from the journal's bytes, so making one allocates only where text had to be changed.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use model::{Action, Confidence, Event, StatusSource};
use smallvec::SmallVec;

use crate::class::TrafficClass;
use crate::text::{self, Names};
use crate::varint::{self, Input};

/// What was decided, as events show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerdictKind {
    /// Carried, and nothing would have refused it.
    Pass,
    /// Carried, but refused if every monitoring stage were in mode `block`.
    WouldRefuse,
    /// Refused.
    Refuse,
}

impl VerdictKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Pass, Self::WouldRefuse, Self::Refuse];

    /// The name in events and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::WouldRefuse => "would-refuse",
            Self::Refuse => "refuse",
        }
    }

    /// The kind of an exchange's verdict.
    pub fn of(event: &Event) -> Self {
        if event.verdict.refuses() {
            Self::Refuse
        } else if event.verdict.would_refuse.is_some() {
            Self::WouldRefuse
        } else {
            Self::Pass
        }
    }
}

/// One finding as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingRow<'a> {
    /// The reason's code.
    pub reason: Cow<'a, str>,
    /// `hint`, `likely` or `sure`.
    pub confidence: Cow<'a, str>,
    /// The place, as `query:id`.
    pub place: Cow<'a, str>,
    /// The evidence, redacted by the stage that made it.
    pub evidence: Cow<'a, str>,
}

/// One exchange as stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row<'a> {
    /// Microseconds since the Unix epoch.
    pub at: i64,
    /// The request id.
    pub id: u64,
    /// The API's name; empty when none matched.
    pub api: Cow<'a, str>,
    /// The endpoint, where one matched.
    pub endpoint: Option<u64>,
    /// `1.0`, `1.1` or `2`.
    pub version: Cow<'a, str>,
    /// The client's address.
    pub client: Cow<'a, str>,
    /// The connection's peer, where it is not the client; empty otherwise.
    pub peer: Cow<'a, str>,
    /// The method.
    pub method: Cow<'a, str>,
    /// The host, lower case.
    pub host: Cow<'a, str>,
    /// The path, without query.
    pub path: Cow<'a, str>,
    /// Names of the query's parameters.
    pub query_names: Names<'a>,
    /// User-Agent.
    pub agent: Cow<'a, str>,
    /// Referer, without query.
    pub referer: Cow<'a, str>,
    /// Accept.
    pub accept: Cow<'a, str>,
    /// Sec-Fetch-Dest.
    pub fetch_dest: Cow<'a, str>,
    /// Media type of the request.
    pub request_type: Cow<'a, str>,
    /// Media type of the response.
    pub response_type: Cow<'a, str>,
    /// Names of header fields that may be parameters.
    pub custom_headers: Names<'a>,
    /// `api`, `page`, `asset` or `other`.
    pub class: Cow<'a, str>,
    /// The status; 0 when none was sent.
    pub status: u16,
    /// `none`, `upstream` or `gateway`.
    pub status_source: Cow<'a, str>,
    /// How it ended.
    pub end: Cow<'a, str>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// Microseconds in all.
    pub total_us: u32,
    /// Microseconds until the upstream's head; 0 when nothing was forwarded.
    pub upstream_us: u32,
    /// Microseconds spent judging.
    pub judge_us: u32,
    /// The server of the upstream; `None` when none answered.
    pub server: Option<u16>,
    /// Retries.
    pub retries: u8,
    /// The session's hash.
    pub session: Option<u64>,
    /// A credential was present.
    pub credential: bool,
    /// A Cookie field was present.
    pub cookie: bool,
    /// The operation within a GraphQL, JSON-RPC or SOAP endpoint.
    pub operation: Cow<'a, str>,
    /// `pass`, `would-refuse` or `refuse`.
    pub verdict: Cow<'a, str>,
    /// The reason that refused or would have; empty for `pass`.
    pub verdict_reason: Cow<'a, str>,
    /// What the stages reported.
    pub findings: SmallVec<[FindingRow<'a>; 1]>,
    /// How many exchanges this one stands for: 1, or the inverse of the share of ordinary exchanges kept.
    pub weight: f32,
}

/// The name of who made the status.
pub const fn source_name(source: StatusSource) -> &'static str {
    match source {
        StatusSource::None => "none",
        StatusSource::Upstream => "upstream",
        StatusSource::Gateway => "gateway",
    }
}

/// The name of a confidence.
pub const fn confidence_name(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Hint => "hint",
        Confidence::Likely => "likely",
        Confidence::Sure => "sure",
    }
}

/// An address as text; IPv4 mapped into IPv6 as IPv4, so that one client has one name.
pub fn address_text(address: IpAddr) -> String {
    let mut text = String::with_capacity(15);
    if let IpAddr::V4(v4) = address.to_canonical() {
        // Nearly every address; the formatting machinery takes several times as long.
        for (place, octet) in v4.octets().into_iter().enumerate() {
            if place > 0 {
                text.push('.');
            }
            for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
                if octet >= least {
                    text.push(char::from(b'0' + octet / unit % 10));
                }
            }
        }
        return text;
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", address.to_canonical());
    text
}

/// The place of a finding as stored.
pub fn place_text(finding: &model::Finding) -> String {
    text::clean(finding.place.text().as_bytes(), text::PLACE_BYTES_MAX).into_owned()
}

impl<'a> Row<'a> {
    /// The row of an event.
    pub fn of(event: &'a Event, weight: f32) -> Self {
        let verdict = VerdictKind::of(event);
        let reason = match event.verdict.action {
            Action::Refuse { reason, .. } => Some(reason),
            Action::Pass => event.verdict.would_refuse,
        };
        let findings = event.findings.iter().take(text::FINDINGS_MAX).map(|finding| FindingRow {
            reason: Cow::Borrowed(finding.reason.code()),
            confidence: Cow::Borrowed(confidence_name(finding.confidence)),
            place: Cow::Owned(place_text(finding)),
            evidence: text::clean(finding.evidence.as_bytes(), model::Finding::EVIDENCE_BYTES_MAX),
        });
        let custom = event.custom_headers.iter().take(text::NAMES_MAX);
        Self {
            at: event.at.0,
            id: event.id.0,
            api: event.api.as_ref().map_or(Cow::Borrowed(""), |api| Cow::Borrowed(&*api.0)),
            endpoint: event.endpoint.map(|endpoint| endpoint.0),
            version: Cow::Borrowed(event.version.text()),
            client: Cow::Owned(address_text(event.client)),
            peer: if event.peer.to_canonical() == event.client.to_canonical() {
                Cow::Borrowed("")
            } else {
                Cow::Owned(address_text(event.peer))
            },
            method: text::clean(&event.method, text::METHOD_BYTES_MAX),
            host: text::clean_lower(&event.host, text::HOST_BYTES_MAX),
            path: text::clean(event.path(), text::PATH_BYTES_MAX),
            query_names: text::query_names(&event.target),
            agent: text::clean(&event.agent, text::FIELD_BYTES_MAX),
            referer: text::referer(&event.referer),
            accept: text::clean(&event.accept, text::FIELD_BYTES_MAX),
            fetch_dest: text::clean(&event.fetch_dest, text::METHOD_BYTES_MAX),
            request_type: text::media_type(&event.request_type),
            response_type: text::media_type(&event.response_type),
            custom_headers: custom.map(|name| text::clean(name.as_bytes(), text::NAME_BYTES_MAX)).collect(),
            class: Cow::Borrowed(TrafficClass::of(event).name()),
            status: event.status,
            status_source: Cow::Borrowed(source_name(event.status_source)),
            end: Cow::Borrowed(event.end.name()),
            request_bytes: event.request_bytes,
            response_bytes: event.response_bytes,
            total_us: event.total_us,
            upstream_us: event.upstream_us,
            judge_us: event.judge_us,
            server: (event.server != u16::MAX).then_some(event.server),
            retries: event.retries,
            session: event.session.map(|session| session.0),
            credential: event.credential,
            cookie: event.cookie,
            operation: text::clean(event.operation.as_bytes(), text::NAME_BYTES_MAX),
            verdict: Cow::Borrowed(verdict.name()),
            verdict_reason: Cow::Borrowed(reason.map_or("", model::Reason::code)),
            findings: findings.collect(),
            weight,
        }
    }

    /// Appends the journal's form of this row.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.to_le_bytes());
        out.extend_from_slice(&self.id.to_le_bytes());
        for text in self.texts() {
            varint::put_text(out, text);
        }
        for names in [&self.query_names, &self.custom_headers] {
            varint::put(out, names.len() as u64);
            for name in names {
                varint::put_text(out, name);
            }
        }
        varint::put_optional(out, self.endpoint);
        varint::put_optional(out, self.server.map(u64::from));
        match self.session {
            Some(session) => {
                out.push(1);
                out.extend_from_slice(&session.to_le_bytes());
            }
            None => out.push(0),
        }
        let flags = u64::from(self.credential) | (u64::from(self.cookie) << 1);
        for number in [
            u64::from(self.status),
            self.request_bytes,
            self.response_bytes,
            u64::from(self.total_us),
            u64::from(self.upstream_us),
            u64::from(self.judge_us),
            u64::from(self.retries),
            flags,
        ] {
            varint::put(out, number);
        }
        out.extend_from_slice(&self.weight.to_le_bytes());
        varint::put(out, self.findings.len() as u64);
        for finding in &self.findings {
            for text in [&finding.reason, &finding.confidence, &finding.place, &finding.evidence] {
                varint::put_text(out, text);
            }
        }
    }

    /// The texts with one value, in the order of the journal and of [`crate::columns::TEXT_COLUMNS`].
    pub fn texts(&self) -> [&str; 19] {
        [
            &self.api,
            &self.version,
            &self.client,
            &self.peer,
            &self.method,
            &self.host,
            &self.path,
            &self.agent,
            &self.referer,
            &self.accept,
            &self.fetch_dest,
            &self.request_type,
            &self.response_type,
            &self.class,
            &self.status_source,
            &self.end,
            &self.operation,
            &self.verdict,
            &self.verdict_reason,
        ]
        .map(|text| &**text)
    }

    /// Reads one row back; `None` when the bytes are no row.
    pub fn decode(input: &mut Input<'a>) -> Option<Self> {
        fn text<'a>(input: &mut Input<'a>) -> Option<Cow<'a, str>> {
            input.text().map(Cow::Borrowed)
        }
        fn names<'a>(input: &mut Input<'a>) -> Option<Names<'a>> {
            let count = input.count(text::NAMES_MAX)?;
            (0..count).map(|_| text(input)).collect()
        }
        let mut row = Self {
            at: i64::from_le_bytes(input.array()?),
            id: u64::from_le_bytes(input.array()?),
            api: text(input)?,
            version: text(input)?,
            client: text(input)?,
            peer: text(input)?,
            method: text(input)?,
            host: text(input)?,
            path: text(input)?,
            agent: text(input)?,
            referer: text(input)?,
            accept: text(input)?,
            fetch_dest: text(input)?,
            request_type: text(input)?,
            response_type: text(input)?,
            class: text(input)?,
            status_source: text(input)?,
            end: text(input)?,
            operation: text(input)?,
            verdict: text(input)?,
            verdict_reason: text(input)?,
            ..Self::default()
        };
        row.query_names = names(input)?;
        row.custom_headers = names(input)?;
        row.endpoint = input.optional()?;
        row.server = match input.optional()? {
            Some(server) => Some(u16::try_from(server).ok()?),
            None => None,
        };
        row.session = match input.array::<1>()? {
            [0] => None,
            [1] => Some(u64::from_le_bytes(input.array()?)),
            _ => return None,
        };
        row.status = input.narrow()?;
        row.request_bytes = input.number()?;
        row.response_bytes = input.number()?;
        row.total_us = input.narrow()?;
        row.upstream_us = input.narrow()?;
        row.judge_us = input.narrow()?;
        row.retries = input.narrow()?;
        let flags = input.number()?;
        row.credential = flags & 1 != 0;
        row.cookie = flags & 2 != 0;
        row.weight = f32::from_le_bytes(input.array()?);
        let count = input.count(text::FINDINGS_MAX)?;
        for _ in 0..count {
            row.findings.push(FindingRow {
                reason: text(input)?,
                confidence: text(input)?,
                place: text(input)?,
                evidence: text(input)?,
            });
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Traffic;
    use proptest::prelude::*;

    #[test]
    fn rows_read_back() {
        let mut traffic = Traffic::new(1);
        let events: Vec<_> = (0..500).map(|_| traffic.event()).collect();
        let mut bytes = Vec::new();
        for event in &events {
            Row::of(event, 1.0).encode(&mut bytes);
        }
        let mut input = Input::new(&bytes);
        for event in &events {
            assert_eq!(Row::decode(&mut input), Some(Row::of(event, 1.0)));
        }
        assert!(input.is_empty());
    }

    #[test]
    fn one_client_has_one_name() {
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
        assert_eq!(address_text(mapped), "192.0.2.7");
        for octet in 0..=255u8 {
            let address = std::net::Ipv4Addr::new(octet, 0, octet, 255);
            assert_eq!(address_text(address.into()), address.to_string());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_row_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut input = Input::new(&bytes);
            while let Some(row) = Row::decode(&mut input) {
                prop_assert!(row.findings.len() <= text::FINDINGS_MAX);
            }
        }
    }
}
