//! One request as a row of small numbers: what the API-or-not classifier reads.
//!
//! Every feature is a small class, so that requests of one kind share a *signature*; the classifier runs once for each
//! signature and its answer is remembered. Classes are about meaning (a browser, a library, a scanner), never about one
//! product, and "the source does not know" is a class of its own everywhere, because logs lack fields and proxies strip
//! them.

use std::collections::HashMap;
use std::sync::LazyLock;

use ml::hash::{BuildPassHasher, hash_bytes};
use model::Observation;

use crate::context::{ClientContext, HostContext};
use crate::lexical::Form;
use crate::path::{Pieces, query_of};
use crate::siblings::fold_hash;

/// Names of the features, in order; explanations use them.
pub const REQUEST_FEATURES: [&str; 36] = [
    "method",
    "status",
    "response type",
    "request type",
    "accept",
    "agent",
    "referer",
    "fetch destination",
    "extension",
    "depth",
    "api word",
    "version word",
    "page or asset word",
    "probe marks",
    "session",
    "credential",
    "cookie",
    "request size",
    "response size",
    "response keys",
    "query parameters",
    "host label",
    "host pages",
    "host data",
    "host assets",
    "host untyped",
    "client requests",
    "client errors",
    "client pages",
    "client private",
    "error shape",
    "last segment form",
    "last segment words",
    "host accepts",
    "operation",
    "response typed",
];

/// A request's features.
pub type Signature = [u8; REQUEST_FEATURES.len()];

/// Classes of media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Media {
    /// The field was absent or the source does not know.
    None,
    /// `application/json` and structured suffixes.
    Json,
    /// `application/problem+json`.
    Problem,
    /// XML that is no page.
    Xml,
    /// A page.
    Html,
    /// Plain text.
    Text,
    /// Style sheets and scripts.
    Script,
    /// Pictures, fonts, audio, video.
    Picture,
    /// Documents and archives.
    Document,
    /// Tables and lines of data: CSV, NDJSON, protobuf, msgpack.
    Data,
    /// Forms and multipart.
    Form,
    /// Server-sent events.
    Events,
    /// gRPC.
    Grpc,
    /// `application/octet-stream`.
    Octets,
    /// Anything else.
    Other,
}

impl Media {
    /// The class of a content type.
    pub fn of(value: Option<&str>) -> Self {
        let Some(value) = value else { return Self::None };
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (major, minor) = essence.split_once('/').unwrap_or((&essence, ""));
        match (major, minor) {
            ("", "") => Self::None,
            (_, "problem+json") => Self::Problem,
            (_, "html" | "xhtml+xml") => Self::Html,
            (_, "grpc" | "grpc-web" | "grpc+proto" | "grpc-web+proto" | "grpc-web-text" | "grpc+json") => Self::Grpc,
            (_, "event-stream") => Self::Events,
            (_, "css" | "javascript" | "x-javascript" | "ecmascript" | "manifest+json" | "wasm") => Self::Script,
            (_, "x-www-form-urlencoded" | "form-data") | ("multipart", _) => Self::Form,
            (_, "octet-stream") => Self::Octets,
            (
                _,
                "csv" | "x-ndjson" | "ndjson" | "protobuf" | "x-protobuf" | "msgpack" | "x-msgpack" | "cbor" | "avro",
            ) => Self::Data,
            (_, "pdf" | "zip" | "gzip" | "x-tar" | "x-gzip" | "msword") => Self::Document,
            (_, minor) if minor.starts_with("vnd.openxml") || minor.starts_with("vnd.ms-") => Self::Document,
            (_, minor) if minor == "json" || minor.ends_with("+json") || minor.ends_with("-json") => Self::Json,
            ("image" | "font" | "audio" | "video", _) => Self::Picture,
            (_, minor) if minor == "xml" || minor.ends_with("+xml") => Self::Xml,
            ("text", _) => Self::Text,
            _ => Self::Other,
        }
    }

    /// True for content that programs read.
    pub const fn structured(self) -> bool {
        matches!(self, Self::Json | Self::Problem | Self::Xml | Self::Data | Self::Grpc | Self::Events)
    }
}

/// Classes of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Agent {
    /// None was sent.
    None,
    /// A browser, or something that says so.
    Browser,
    /// An HTTP library or an SDK.
    Library,
    /// A mobile or desktop application.
    Application,
    /// A crawler.
    Crawler,
    /// A scanner.
    Scanner,
    /// A health probe or a monitor.
    Probe,
}

/// Marks of agents, lower case, in the order of judgement.
const AGENT_MARKS: [(Agent, &[&str]); 5] = [
    (
        Agent::Scanner,
        &[
            "nikto",
            "sqlmap",
            "nuclei",
            "nmap",
            "masscan",
            "zgrab",
            "ffuf",
            "gobuster",
            "feroxbuster",
            "dirbuster",
            "dirb",
            "wpscan",
            "acunetix",
            "nessus",
            "openvas",
            "burp",
            "wfuzz",
            "arachni",
            "qualys",
            "whatweb",
            "zmeu",
            "censys",
            "httpx",
            "jaeles",
            "hydra",
            "netsparker",
            "w3af",
            "commix",
            "l9explore",
            "scan",
        ],
    ),
    (
        Agent::Crawler,
        &[
            "bot",
            "crawl",
            "spider",
            "slurp",
            "facebookexternalhit",
            "bingpreview",
            "archive.org",
            "mediapartners",
            "lighthouse",
            "headlesschrome",
            "embedly",
            "feedfetcher",
        ],
    ),
    (
        Agent::Probe,
        &[
            "kube-probe",
            "healthcheck",
            "health-check",
            "elb-",
            "googlehc",
            "pingdom",
            "uptime",
            "prometheus",
            "blackbox",
            "statuscake",
            "consul",
            "monit",
            "zabbix",
            "nagios",
            "datadog",
            "newrelic",
            "checkly",
            "haproxy",
        ],
    ),
    (
        Agent::Application,
        &[
            "cfnetwork",
            "dalvik",
            "okhttp",
            "dart",
            "alamofire",
            "reactnative",
            "electron",
            "flutter",
            "unity",
            "darwin/",
        ],
    ),
    (Agent::Browser, &["mozilla/", "opera/", "safari/", "webkit"]),
];

impl Agent {
    /// The class of a User-Agent.
    pub fn of(value: Option<&str>) -> Self {
        let Some(value) = value.filter(|value| !value.is_empty() && *value != "-") else { return Self::None };
        let lower = value.to_ascii_lowercase();
        let class = AGENT_MARKS.iter().find(|(_, marks)| marks.iter().any(|mark| lower.contains(mark)));
        class.map_or(Self::Library, |(class, _)| *class)
    }
}

/// What the fields of one exchange are, by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    /// Content type of the response.
    pub response: Media,
    /// Content type of the request.
    pub request: Media,
    /// The agent.
    pub agent: Agent,
    /// What it accepts.
    accept: u8,
}

/// Classes of field values seen before: traffic repeats the same few, and judging them takes many comparisons.
#[derive(Clone, Debug, Default)]
pub struct ClassMemory {
    media: HashMap<u64, Media, BuildPassHasher>,
    agents: HashMap<u64, Agent, BuildPassHasher>,
    accepts: HashMap<u64, u8, BuildPassHasher>,
}

const REMEMBERED_MAX: usize = 4_096;

fn remembered<T: Copy>(
    memory: &mut HashMap<u64, T, BuildPassHasher>,
    text: Option<&str>,
    judge: fn(Option<&str>) -> T,
) -> T {
    let Some(value) = text else { return judge(None) };
    let key = hash_bytes(21, value.as_bytes());
    if let Some(&known) = memory.get(&key) {
        return known;
    }
    if memory.len() >= REMEMBERED_MAX {
        memory.clear();
    }
    let class = judge(text);
    memory.insert(key, class);
    class
}

impl ClassMemory {
    /// The classes of an exchange's fields.
    pub fn classes(&mut self, observation: &Observation) -> Classes {
        Classes {
            response: remembered(&mut self.media, observation.response_type.as_deref(), Media::of),
            request: remembered(&mut self.media, observation.request_type.as_deref(), Media::of),
            agent: remembered(&mut self.agents, observation.agent.as_deref(), Agent::of),
            accept: remembered(&mut self.accepts, observation.accept.as_deref(), accept_class),
        }
    }
}

fn accept_class(value: Option<&str>) -> u8 {
    let Some(value) = value else { return 0 };
    let value = value.to_ascii_lowercase();
    match () {
        () if value.is_empty() => 0,
        () if value.contains("text/html") => 1,
        () if value.starts_with("image/") => 2,
        () if value.starts_with("text/css") || value.contains("javascript") => 3,
        () if value.contains("event-stream") => 4,
        () if value.contains("grpc") => 5,
        () if value.contains("json") => 6,
        () if value.contains("xml") => 7,
        () if value.trim() == "*/*" => 8,
        () => 9,
    }
}

fn status_class(status: u16) -> u8 {
    match status {
        0 => 0,
        101 => 1,
        100..=199 => 2,
        200 => 3,
        201 | 202 => 4,
        204 => 5,
        206 => 6,
        203..=299 => 7,
        304 => 8,
        300..=399 => 9,
        401 => 10,
        403 => 11,
        404 | 410 => 12,
        405 | 406 | 415 => 13,
        429 => 14,
        400..=499 => 15,
        _ => 16,
    }
}

/// Extension classes, by what the file is for.
const EXTENSIONS: [(u8, &[&str]); 6] = [
    (
        1,
        &[
            ".html", ".htm", ".php", ".asp", ".aspx", ".jsp", ".do", ".action", ".cgi", ".shtml", ".xhtml", ".cfm",
            ".pl",
        ],
    ),
    (
        2,
        &[
            ".css",
            ".js",
            ".mjs",
            ".map",
            ".png",
            ".jpg",
            ".jpeg",
            ".gif",
            ".svg",
            ".webp",
            ".avif",
            ".ico",
            ".woff",
            ".woff2",
            ".ttf",
            ".otf",
            ".eot",
            ".mp4",
            ".webm",
            ".wasm",
            ".webmanifest",
            ".scss",
            ".less",
        ],
    ),
    (3, &[".json", ".xml", ".csv", ".yaml", ".yml", ".rss", ".atom", ".geojson", ".kml", ".jsonld", ".ndjson", ".ics"]),
    (4, &[".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".mp3", ".wav", ".epub"]),
    (
        5,
        &[
            ".bak", ".old", ".sql", ".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".swp", ".orig", ".save", ".env",
            ".git", ".config", ".conf", ".ini", ".log", ".db", ".sqlite", ".pem", ".key", ".inc", ".backup", ".tmp",
            ".sh", ".exe",
        ],
    ),
    (6, &[".txt", ".md"]),
];

fn extension_class(pieces: &Pieces<'_>) -> u8 {
    let Some(last) = pieces.last().filter(|piece| piece.joined && piece.text.starts_with('.')) else {
        return 0;
    };
    let lower = last.text.to_ascii_lowercase();
    EXTENSIONS.iter().find(|(_, list)| list.contains(&lower.as_str())).map_or(7, |(class, _)| *class)
}

/// Words of the first segments that tell programs' paths from people's.
const API_WORDS: [&str; 16] = [
    "api", "apis", "rest", "graphql", "rpc", "jsonrpc", "soap", "ws", "services", "service", "gateway", "odata",
    "oauth", "oauth2", "mcp", "webhooks",
];
const PAGE_WORDS: [&str; 40] = [
    "static",
    "assets",
    "img",
    "images",
    "css",
    "js",
    "fonts",
    "media",
    "uploads",
    "dist",
    "build",
    "_next",
    "_nuxt",
    "public",
    "blog",
    "docs",
    "news",
    "about",
    "pricing",
    "contact",
    "careers",
    "terms",
    "privacy",
    "wp-content",
    "articles",
    "forum",
    "help",
    "support",
    "login",
    "signup",
    "dashboard",
    "robots",
    "favicon",
    "sitemap",
    "manifest",
    "themes",
    "guides",
    "press",
    "faq",
    "home",
];
const PROBE_WORDS: [&str; 30] = [
    "wp-admin",
    "wp-login",
    "wp-includes",
    "phpmyadmin",
    "cgi-bin",
    "actuator",
    "server-status",
    "server-info",
    "xmlrpc",
    "web-inf",
    "_cat",
    "_search",
    "solr",
    "jenkins",
    "manager",
    "console",
    "hnap1",
    "boaform",
    "owa",
    "ecp",
    "telescope",
    "_ignition",
    "vendor",
    "phpinfo",
    "shell",
    "setup",
    "nacos",
    "druid",
    "autodiscover",
    "jmx-console",
];

/// The word is one of [`API_WORDS`].
const API_WORD: u8 = 1;
/// The word is one of [`PAGE_WORDS`].
const PAGE_WORD: u8 = 2;
/// The word is one of [`PROBE_WORDS`].
const PROBE_WORD: u8 = 4;

/// The lists a word is in, by its hash without regard to case: one look instead of ninety comparisons.
static WORD_LISTS: LazyLock<HashMap<u64, u8, BuildPassHasher>> = LazyLock::new(|| {
    let mut lists: HashMap<u64, u8, BuildPassHasher> = HashMap::default();
    for (list, words) in [(API_WORD, &API_WORDS[..]), (PAGE_WORD, &PAGE_WORDS[..]), (PROBE_WORD, &PROBE_WORDS[..])] {
        for word in words {
            *lists.entry(fold_hash(word)).or_default() |= list;
        }
    }
    lists
});

/// What the path of a request says by itself, whoever asks and whatever the answer: worth remembering, since the same
/// paths come again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathLooks {
    extension: u8,
    depth: u8,
    api: u8,
    version: u8,
    page: u8,
    probe: u8,
    form: u8,
    marks: u8,
}

impl PathLooks {
    /// Looks at a path and its pieces.
    pub fn of(path: &str, pieces: &Pieces<'_>) -> Self {
        let mut looks =
            Self { extension: extension_class(pieces), depth: pieces.len().min(12) as u8, ..Self::default() };
        let (mut hidden, mut named) = (false, false);
        for (at, piece) in pieces.iter().enumerate() {
            let text = piece.text.as_ref();
            hidden |= !piece.joined && text.starts_with('.') && text.len() > 1;
            if at < 4 {
                looks.version |= u8::from(Form::of(text) == Form::Version);
            }
            let lists = if at < 3 { WORD_LISTS.get(&fold_hash(text)).copied().unwrap_or(0) } else { 0 };
            looks.api |= u8::from(lists & API_WORD > 0);
            looks.page |= u8::from(lists & PAGE_WORD > 0 && at < 2);
            named |= lists & PROBE_WORD > 0 && at < 2;
        }
        let (mut marked, mut dots) = (false, false);
        let bytes = path.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            marked |= matches!(byte, b'<' | b'>' | b'\'' | b'"' | b'\\' | b'|' | b'`' | b'{');
            let rest = || bytes.get(at..).unwrap_or_default();
            dots |= *byte == b'.' && rest().starts_with(b"..")
                || *byte == b'%' && (rest().starts_with(b"%00") || rest().starts_with(b"%2e%2e"));
        }
        looks.probe = u8::from(named) | u8::from(hidden) << 1 | u8::from(marked || dots) << 2;
        let last = pieces.iter().rev().find(|piece| !piece.joined).map_or("", |piece| piece.text.as_ref());
        looks.form = Form::of(last) as u8;
        looks.marks = last.bytes().filter(|byte| matches!(byte, b'-' | b'_')).count().min(5) as u8;
        looks
    }
}

fn size_class(bytes: Option<u64>) -> u8 {
    match bytes {
        None => 0,
        Some(0) => 1,
        Some(bytes) => 2 + (bytes.ilog2() / 2).min(12) as u8,
    }
}

fn presence(known: Option<bool>) -> u8 {
    known.map_or(0, |present| 1 + u8::from(present))
}

/// The bucket of a share, 0 when there is too little to tell.
pub(crate) fn share_class(part: u32, whole: u32) -> u8 {
    if whole < 12 {
        return 0;
    }
    match part as f32 / whole as f32 {
        share if share < 0.01 => 1,
        share if share < 0.1 => 2,
        share if share < 0.35 => 3,
        share if share < 0.7 => 4,
        share if share < 0.93 => 5,
        _ => 6,
    }
}

/// The class of a host's first label, from 1.
pub(crate) fn host_label(host: &str) -> u8 {
    let label = host.split('.').next().unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
    match () {
        () if has(&["api", "gateway", "services", "rest", "graphql", "rpc", "backend"]) => 1,
        () if has(&["cdn", "static", "assets", "img", "images", "media", "files"]) => 2,
        () if label == "www" || host.split('.').count() <= 2 => 3,
        () => 4,
    }
}

/// The signature of a request in its context.
pub fn signature(
    observation: &Observation,
    looks: PathLooks,
    classes: Classes,
    host: &HostContext,
    client: Option<&ClientContext>,
) -> Signature {
    let query = query_of(&observation.target);
    let parameters = if query.is_empty() { 0 } else { query.split('&').count().min(4) as u8 };
    let keys = match observation.response_shape.as_deref().map(<[u64]>::len) {
        None => 0,
        Some(0) => 1,
        Some(1..=2) => 2,
        Some(3..=6) => 3,
        Some(7..=15) => 4,
        Some(_) => 5,
    };
    let session = match (observation.session, observation.credential, observation.cookie) {
        (Some(_), _, _) => 2,
        (None, None, None) => 0,
        _ => 1,
    };
    let referer = match observation.referer.as_deref() {
        None | Some("" | "-") => 0,
        Some(referer) if referer.contains(&*host.domain) => 1,
        Some(_) => 2,
    };
    let fetch = match observation.fetch_dest.as_deref() {
        None | Some("") => 0,
        Some("empty") => 1,
        Some("document" | "iframe") => 2,
        Some(_) => 3,
    };
    let method = match &*observation.method {
        "GET" => 0,
        "HEAD" => 1,
        "POST" => 2,
        "PUT" => 3,
        "PATCH" => 4,
        "DELETE" => 5,
        "OPTIONS" => 6,
        _ => 7,
    };
    let fresh = ClientContext::default();
    let seen = client.unwrap_or(&fresh);
    [
        method,
        status_class(observation.status),
        classes.response as u8,
        classes.request as u8,
        classes.accept,
        classes.agent as u8,
        referer,
        fetch,
        looks.extension,
        looks.depth,
        looks.api,
        looks.version,
        looks.page,
        looks.probe,
        session,
        presence(observation.credential),
        presence(observation.cookie),
        size_class(observation.request_bytes),
        size_class(observation.response_bytes),
        keys,
        parameters,
        if host.label == 0 { host_label(&observation.host) } else { host.label },
        share_class(host.pages, host.requests),
        share_class(host.data, host.requests),
        share_class(host.assets, host.requests),
        share_class(host.untyped, host.requests),
        (seen.requests.max(1).ilog2()).min(8) as u8,
        share_class(seen.errors, seen.requests),
        share_class(seen.pages, seen.requests),
        u8::from(seen.private),
        host.error_shape_class(observation),
        looks.form,
        looks.marks,
        share_class(host.accepts, host.requests),
        u8::from(observation.operation.is_some()),
        share_class(host.requests.saturating_sub(host.untyped), host.requests),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_classed_by_use() {
        use Media::*;
        for (text, media) in [
            ("application/json; charset=utf-8", Json),
            ("application/vnd.api+json", Json),
            ("application/problem+json", Problem),
            ("text/html", Html),
            ("text/xml", Xml),
            ("image/svg+xml", Picture),
            ("application/grpc", Grpc),
            ("text/event-stream", Events),
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Document),
            ("multipart/form-data; boundary=x", Form),
            ("nonsense", Other),
            ("", None),
        ] {
            assert_eq!(Media::of(Some(text)), media, "{text}");
        }
        assert_eq!(Media::of(Option::None), None);
    }

    #[test]
    fn agents_are_classed_by_kind() {
        for (text, agent) in [
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/1", Agent::Browser),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", Agent::Crawler),
            ("python-requests/2.3", Agent::Library),
            ("MyApp/1 CFNetwork/1490 Darwin/23", Agent::Application),
            ("kube-probe/1.28", Agent::Probe),
            ("Mozilla/5.0 zgrab/0.x", Agent::Scanner),
            ("-", Agent::None),
        ] {
            assert_eq!(Agent::of(Some(text)), agent, "{text}");
        }
    }
}
