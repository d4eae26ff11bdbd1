//! What can be asked about an exchange: one row per field, with what its values look like.

/// What the values of a field are, which decides the operators it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A number; durations in microseconds, sizes in bytes.
    Number(Unit),
    /// A hexadecimal number of 64 bits that may be absent.
    Hash,
    /// An address; compared with an address or a network.
    Address,
    /// An endpoint, by id, by template, or absent.
    Endpoint,
    /// True or false.
    Flag,
    /// Several texts; a test holds when any of them passes.
    List,
    /// The kind of threat of any of the reasons.
    Category,
    /// The severity of any of the reasons.
    Severity,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing in particular.
    Plain,
    /// Microseconds; values may end in `us`, `ms` or `s`.
    Micros,
    /// Bytes; values may end in `B`, `kB`, `MB`, `KiB` or `MiB`.
    Bytes,
}

/// A field of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The API.
    Api,
    /// The endpoint.
    Endpoint,
    /// The request id.
    Id,
    /// The HTTP version.
    Version,
    /// The client's address.
    Client,
    /// The connection's peer, where it is not the client.
    Peer,
    /// The method.
    Method,
    /// The host.
    Host,
    /// The path.
    Path,
    /// Names of query parameters.
    Query,
    /// User-Agent.
    Agent,
    /// Referer.
    Referer,
    /// Accept.
    Accept,
    /// Sec-Fetch-Dest.
    FetchDest,
    /// Media type of the request.
    RequestType,
    /// Media type of the response.
    ResponseType,
    /// Names of header fields that may be parameters.
    Header,
    /// The kind of traffic.
    Class,
    /// The status.
    Status,
    /// Who made the status.
    Source,
    /// How it ended.
    Outcome,
    /// Bytes of the request's body.
    RequestBytes,
    /// Bytes of the response's body.
    ResponseBytes,
    /// Duration in all.
    Latency,
    /// Duration until the upstream's head.
    Upstream,
    /// Duration of judging.
    Judge,
    /// The server of the upstream.
    Server,
    /// Retries.
    Retries,
    /// The session.
    Session,
    /// A credential was present.
    Credential,
    /// A Cookie was present.
    Cookie,
    /// The operation within a GraphQL, JSON-RPC or SOAP endpoint.
    Operation,
    /// The verdict.
    Verdict,
    /// The reason of the verdict.
    VerdictReason,
    /// Codes of the findings' reasons.
    Reason,
    /// Places of the findings.
    Place,
    /// The kind of threat of the findings.
    Category,
    /// The severity of the findings.
    Severity,
}

/// The facts about one field.
struct Facts {
    field: Field,
    name: &'static str,
    /// The column in segments; empty where it has no column of its own.
    column: &'static str,
    kind: Kind,
}

const fn facts(field: Field, name: &'static str, column: &'static str, kind: Kind) -> Facts {
    Facts { field, name, column, kind }
}

const CLASSES: &[&str] = &["api", "page", "asset", "other"];
const SOURCES: &[&str] = &["none", "upstream", "gateway"];
const VERDICTS: &[&str] = &["pass", "would-refuse", "refuse"];
const VERSIONS: &[&str] = &["1.0", "1.1", "2"];
/// The severities, ascending.
pub const SEVERITIES: &[&str] = &["info", "low", "medium", "high", "critical"];
const OUTCOMES: &[&str] = &[
    "complete",
    "refused",
    "client-gone",
    "client-timeout",
    "upstream-connect",
    "upstream-timeout",
    "upstream-broken",
    "upstream-unavailable",
    "internal",
];

static TABLE: [Facts; 38] = [
    facts(Field::Api, "api", "api", Kind::Text),
    facts(Field::Endpoint, "endpoint", "endpoint", Kind::Endpoint),
    facts(Field::Id, "id", "id", Kind::Hash),
    facts(Field::Version, "version", "version", Kind::Choice(VERSIONS)),
    facts(Field::Client, "client", "client", Kind::Address),
    facts(Field::Peer, "peer", "peer", Kind::Address),
    facts(Field::Method, "method", "method", Kind::Text),
    facts(Field::Host, "host", "host", Kind::Text),
    facts(Field::Path, "path", "path", Kind::Text),
    facts(Field::Query, "query", "query_names", Kind::List),
    facts(Field::Agent, "agent", "agent", Kind::Text),
    facts(Field::Referer, "referer", "referer", Kind::Text),
    facts(Field::Accept, "accept", "accept", Kind::Text),
    facts(Field::FetchDest, "fetch_dest", "fetch_dest", Kind::Text),
    facts(Field::RequestType, "request_type", "request_type", Kind::Text),
    facts(Field::ResponseType, "response_type", "response_type", Kind::Text),
    facts(Field::Header, "header", "custom_headers", Kind::List),
    facts(Field::Class, "class", "class", Kind::Choice(CLASSES)),
    facts(Field::Status, "status", "status", Kind::Number(Unit::Plain)),
    facts(Field::Source, "source", "status_source", Kind::Choice(SOURCES)),
    facts(Field::Outcome, "outcome", "outcome", Kind::Choice(OUTCOMES)),
    facts(Field::RequestBytes, "request_bytes", "request_bytes", Kind::Number(Unit::Bytes)),
    facts(Field::ResponseBytes, "response_bytes", "response_bytes", Kind::Number(Unit::Bytes)),
    facts(Field::Latency, "latency", "total_us", Kind::Number(Unit::Micros)),
    facts(Field::Upstream, "upstream", "upstream_us", Kind::Number(Unit::Micros)),
    facts(Field::Judge, "judge", "judge_us", Kind::Number(Unit::Micros)),
    facts(Field::Server, "server", "server", Kind::Number(Unit::Plain)),
    facts(Field::Retries, "retries", "retries", Kind::Number(Unit::Plain)),
    facts(Field::Session, "session", "session", Kind::Hash),
    facts(Field::Credential, "credential", "credential", Kind::Flag),
    facts(Field::Cookie, "cookie", "cookie", Kind::Flag),
    facts(Field::Operation, "operation", "operation", Kind::Text),
    facts(Field::Verdict, "verdict", "verdict", Kind::Choice(VERDICTS)),
    facts(Field::VerdictReason, "verdict_reason", "verdict_reason", Kind::Text),
    facts(Field::Reason, "reason", "reasons", Kind::List),
    facts(Field::Place, "place", "places", Kind::List),
    facts(Field::Category, "category", "", Kind::Category),
    facts(Field::Severity, "severity", "", Kind::Severity),
];

impl Field {
    /// Every field.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|facts| facts.field)
    }

    /// The field with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|facts| facts.name == name).map(|facts| facts.field)
    }

    fn facts(self) -> &'static Facts {
        // INVARIANT: the table has one row per field in the order of the enum; a test holds it to that.
        const FIRST: &Facts = &facts(Field::Api, "api", "api", Kind::Text);
        TABLE.get(self as usize).unwrap_or(FIRST)
    }

    /// The name in filters, groupings and the address bar.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The column in segments; empty for what is worked out from other columns.
    pub fn column(self) -> &'static str {
        self.facts().column
    }

    /// What its values are.
    pub fn kind(self) -> Kind {
        self.facts().kind
    }

    /// The known name nearest to a mistyped one, where one is near.
    pub fn nearest(name: &str) -> Option<&'static str> {
        let (distance, nearest) = TABLE.iter().map(|facts| (edit_distance(name, facts.name), facts.name)).min()?;
        (distance <= 2 && distance < name.len()).then_some(nearest)
    }
}

/// Edits (insert, delete, replace) between two short texts.
pub(super) fn edit_distance(a: &str, b: &str) -> usize {
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in (1..).zip(a.bytes()) {
        let mut line = vec![row];
        for (y, pair) in b.bytes().zip(before.windows(2)) {
            let [diagonal, above] = pair else { continue };
            let left = line.last().copied().unwrap_or(row);
            line.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        before = line;
    }
    before.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, field) in Field::all().enumerate() {
            assert_eq!(field as usize, index, "{}", field.name());
            assert_eq!(Field::from_name(field.name()), Some(field));
        }
        assert_eq!(Field::Severity as usize + 1, TABLE.len());
    }

    #[test]
    fn every_column_exists() {
        let schema = crate::columns::query_schema();
        for field in Field::all().filter(|field| !field.column().is_empty()) {
            assert!(schema.index_of(field.column()).is_ok(), "{}", field.name());
        }
    }

    #[test]
    fn every_field_is_documented() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/filters.md");
        let text = std::fs::read_to_string(path).expect("the document");
        for field in Field::all() {
            assert!(text.contains(&format!("`{}`", field.name())), "{}", field.name());
        }
    }

    #[test]
    fn a_mistyped_name_finds_its_neighbour() {
        assert_eq!(Field::nearest("statu"), Some("status"));
        assert_eq!(Field::nearest("endpiont"), Some("endpoint"));
        assert_eq!(Field::nearest("zzz"), None);
    }

    #[test]
    fn choices_are_the_names_the_model_uses() {
        let ends: Vec<_> = model::ExchangeEnd::ALL.iter().map(|end| end.name()).collect();
        assert_eq!(ends, OUTCOMES);
        let verdicts: Vec<_> = crate::row::VerdictKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(verdicts, VERDICTS);
        let classes: Vec<_> = crate::class::TrafficClass::ALL.iter().map(|class| class.name()).collect();
        assert_eq!(classes, CLASSES);
    }
}
