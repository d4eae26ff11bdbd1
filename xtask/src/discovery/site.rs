//! A made-up site: one vendor's operations behind hosts, with pools of identifiers, pages, assets and visitors' habits.

#![allow(
    clippy::indexing_slicing,
    reason = "a development task: an index out of range is a mistake that should stop it"
)]

use fastrand::Rng;

use super::documents::{Document, Operation, Parameter};
use super::values::{Style, Words};

/// A part of a path: fixed text or a value of a pool.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Fixed text, slashes included.
    Text(String),
    /// A value of the pool with this index.
    Pool(usize),
}

/// Identifiers that requests draw from.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The name of its parameter and the word before it: what makes two places share a pool.
    pub name: String,
    /// The style, and how often a second one shows up.
    pub style: Style,
    /// The second style and its share.
    pub second: Option<(Style, f64)>,
    /// Values made so far.
    pub values: Vec<String>,
    /// How many values there may be.
    pub size: usize,
    /// Zipf exponent of their popularity.
    pub skew: f64,
    /// Share of junk in place of values.
    pub junk: f64,
}

/// An endpoint of a site.
#[derive(Clone, Debug)]
pub struct Target {
    /// The operation behind it.
    pub operation: Operation,
    /// The path.
    pub parts: Vec<Part>,
    /// `METHOD /template/{}`.
    pub truth: String,
    /// Relative popularity.
    pub weight: f64,
    /// Hashed keys of its answer with the chance that each is present.
    pub shape: Vec<(u64, f64)>,
    /// Hosts it answers on, as indices.
    pub host: usize,
    /// Needs a credential.
    pub protected: bool,
}

/// How the world spoils what a gateway sees. Shares between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Degradation {
    /// Content types of answers missing.
    pub untyped: f64,
    /// Content types of answers wrong.
    pub mistyped: f64,
    /// Unknown paths answered 200 with the error as JSON.
    pub soft_failures: f64,
    /// Pages that load JSON from page paths.
    pub islands: f64,
    /// Scanners and programs that call themselves browsers, browsers without a name.
    pub lies: f64,
    /// Accept, Referer and agent removed by a proxy.
    pub stripped: f64,
    /// No session identifiers and no credentials known.
    pub unknown_sessions: bool,
    /// No response shapes: bodies were not looked at.
    pub unshaped: f64,
    /// Unknown paths answered with the application's page.
    pub fallback: bool,
}

/// Shares of the kinds of traffic; API requests are the rest.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Pages.
    pub web: f64,
    /// Assets.
    pub assets: f64,
    /// Scanners.
    pub scans: f64,
    /// Wrong requests to the API.
    pub mistakes: f64,
    /// Preflights.
    pub preflights: f64,
    /// Health checks and the like, neither API nor not.
    pub probes: f64,
}

/// A site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Hosts: pages first, then assets, then the API's.
    pub hosts: Vec<String>,
    /// Index of the first API host.
    pub api_host: usize,
    /// Endpoints.
    pub targets: Vec<Target>,
    /// Pools.
    pub pools: Vec<Pool>,
    /// Page paths with popularity by rank.
    pub pages: Vec<String>,
    /// Asset paths.
    pub assets: Vec<String>,
    /// Degradations.
    pub degradation: Degradation,
    /// Shares of traffic.
    pub mix: Mix,
    /// Paths are matched without regard to case, and clients make use of that.
    pub case_insensitive: bool,
    /// Share of requests with a slash at the end.
    pub slashes: f64,
    /// Share of clients that carry a session identifier.
    pub sessions: f64,
    /// Share of failed API requests.
    pub failures: f64,
    /// The keys of the site's errors.
    pub error_shape: Vec<u64>,
    /// Content type of errors.
    pub error_type: &'static str,
    /// A recording: one program runs through the API instead of a crowd of clients.
    pub recording: bool,
    /// Words for values.
    pub words: Words,
}

const TARGETS_MAX: usize = 450;

/// A stable hash for keys of answers.
pub fn key_hash(key: &str) -> u64 {
    ml::hash::hash_bytes(0x006b_6579, key.as_bytes()) >> 32
}

impl Site {
    /// Makes a site of a vendor's documents.
    pub fn make(rng: &mut Rng, documents: &[Document], others: &Words, degraded: bool) -> Option<Self> {
        let chosen = choose(rng, documents)?;
        let mut words: Vec<String> = documents.iter().flat_map(|document| document.words.iter().cloned()).collect();
        // Half of the sites name their things in other words than their documents do.
        if rng.bool() && !others.0.is_empty() {
            words = (0..900).map(|_| others.one(rng).to_owned()).collect();
        }
        words.sort();
        words.dedup();
        if words.len() < 40 {
            words.extend(STOCK_WORDS.split_whitespace().map(str::to_owned));
        }
        // A site's values come from a part of the words, so that sites of one vendor differ.
        rng.shuffle(&mut words);
        let keep = words.len() / 2 + 20;
        words.truncate(keep.min(1_500));
        let recording = rng.f64() < 0.2;
        let mut site = Self::frame(rng, &chosen.vendor, recording, degraded, Words(words));
        site.add_targets(rng, &chosen);
        site.add_extras(rng);
        site.popularity(rng);
        site.add_pages(rng);
        Some(site)
    }

    fn frame(rng: &mut Rng, vendor: &str, recording: bool, degraded: bool, words: Words) -> Self {
        let domain =
            vendor.split('.').rev().take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(".");
        let mut hosts = vec![format!("www.{domain}")];
        match rng.u8(..3) {
            0 => hosts.push(format!("cdn.{domain}")),
            1 => hosts.push(format!("static.{domain}")),
            _ => hosts.push(format!("www.{domain}")),
        }
        let api_host = if rng.f64() < 0.45 { 0 } else { hosts.len() };
        match rng.u8(..4) {
            _ if api_host == 0 => (),
            0 | 1 => hosts.push(format!("api.{domain}")),
            2 => {
                let regions = ["eu", "us", "jp", "br", "uk", "ap", "de"];
                let count = rng.usize(2..5);
                hosts.extend(regions.iter().take(count).map(|region| format!("{region}-api.{domain}")));
            }
            _ => hosts.push(format!("{}.{domain}", ["services", "gateway", "app", "backend", "rest"][rng.usize(..5)])),
        }
        let rest = if recording { 0.0 } else { 0.05 + rng.f64() * 0.6 };
        let mut weights = [1.0, 1.0, 0.4, 0.12, 0.25, 0.12].map(|weight: f64| weight * rng.f64());
        let sum: f64 = weights.iter().sum::<f64>().max(1e-9);
        weights.iter_mut().for_each(|weight| *weight *= rest / sum);
        let [web, assets, scans, mistakes, preflights, probes] = weights;
        let error_keys =
            ["error", "message", "code", "errors.[].detail", "status", "requestId", "title", "type", "reason"];
        let count = rng.usize(1..5);
        let mut error_shape: Vec<u64> =
            (0..count).map(|_| key_hash(error_keys[rng.usize(..error_keys.len())])).collect();
        error_shape.sort_unstable();
        error_shape.dedup();
        Self {
            hosts,
            api_host,
            targets: Vec::new(),
            pools: Vec::new(),
            pages: Vec::new(),
            assets: Vec::new(),
            degradation: if degraded { Degradation::choose(rng) } else { Degradation::mild(rng) },
            mix: Mix { web, assets, scans, mistakes, preflights, probes },
            case_insensitive: rng.f64() < 0.12,
            slashes: if rng.f64() < 0.3 { rng.f64() * 0.08 } else { 0.0 },
            sessions: if rng.f64() < 0.2 { 0.0 } else { rng.f64() },
            failures: 0.02 + rng.f64() * 0.15,
            error_shape,
            error_type: [
                "application/json",
                "application/json; charset=utf-8",
                "application/problem+json",
                "text/plain",
            ][rng.usize(..4)],
            recording,
            words,
        }
    }

    fn add_targets(&mut self, rng: &mut Rng, document: &Document) {
        let prefix = prefix(rng, self.api_host == 0, &document.vendor, &self.words);
        let convention = if rng.f64() < 0.12 { Some(rng.u8(..3)) } else { None };
        let mut operations = document.operations.clone();
        rng.shuffle(&mut operations);
        operations.truncate(if rng.f64() < 0.25 { rng.usize(5..60) } else { TARGETS_MAX });
        let suffix = match rng.u8(..16) {
            0 => ".{format}",
            1 => ".json",
            _ => "",
        };
        for operation in operations {
            let plain = operation.template.trim_end_matches('/');
            let suffixed = if plain.contains('.') || rng.f64() < 0.1 { "" } else { suffix };
            let template = format!("{prefix}{plain}{suffixed}");
            self.add_target(rng, operation, &template, convention);
        }
    }

    fn add_target(&mut self, rng: &mut Rng, operation: Operation, template: &str, convention: Option<u8>) {
        let parts = self.parts(rng, &operation, template, convention);
        let text: String = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Pool(_) => "{}",
            })
            .collect();
        let text = format!("/{}", text.split('/').filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("/"));
        let truth = format!("{} {text}", operation.method);
        if text.len() > 400 || self.targets.iter().any(|target| target.truth == truth) {
            return;
        }
        let mut keys: Vec<u64> = operation.keys.iter().map(|key| key_hash(key)).collect();
        let json = operation.response_type.as_deref().is_some_and(|media| media.contains("json"));
        if keys.is_empty() && json {
            let count = rng.usize(1..30);
            keys = (0..count).map(|_| key_hash(self.words.one(rng))).collect();
        }
        let optional = rng.f64() * 0.6;
        let shape = keys.iter().map(|&key| (key, if rng.f64() < optional { rng.f64() } else { 1.0 })).collect();
        let host = self.api_host;
        let protected = rng.f64() < 0.7;
        self.targets.push(Target { operation, parts, truth, weight: 1.0, shape, host, protected });
    }

    fn parts(&mut self, rng: &mut Rng, operation: &Operation, template: &str, convention: Option<u8>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (text, after) = rest.split_at(open);
            parts.push(Part::Text(conventional(text, convention)));
            let Some(close) = after.find('}') else { break };
            let name = after.get(1..close).unwrap_or_default();
            rest = after.get(close + 1..).unwrap_or_default();
            let before = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let declared = operation.parameters.iter().find(|parameter| parameter.name == name);
            let parameter =
                declared.cloned().unwrap_or_else(|| Parameter { name: name.to_owned(), ..Parameter::default() });
            parts.push(Part::Pool(self.pool(rng, &parameter, before)));
        }
        parts.push(Part::Text(conventional(rest, convention)));
        parts
    }

    fn pool(&mut self, rng: &mut Rng, parameter: &Parameter, before: &str) -> usize {
        let name = format!("{before}/{}", parameter.name);
        let specific = parameter.name.len() > 3 && parameter.values.is_empty();
        let known = self.pools.iter().position(|pool| {
            pool.name == name || specific && pool.name.rsplit('/').next() == Some(parameter.name.as_str())
        });
        if let Some(at) = known {
            return at;
        }
        let style = Style::choose(rng, parameter, &self.words);
        let size = match rng.u8(..10) {
            0 => {
                if rng.bool() {
                    1
                } else {
                    rng.usize(2..5)
                }
            }
            1..=3 => rng.usize(3..40),
            4..=7 => rng.usize(20..600),
            _ => rng.usize(300..20_000),
        };
        let size = style.bound().map_or(size, |bound| size.min(bound)).max(1);
        let second = if rng.f64() < 0.12 {
            Some((Style::choose(rng, &Parameter::default(), &self.words), rng.f64() * 0.4))
        } else {
            None
        };
        let junk = if rng.f64() < 0.35 { rng.f64() * 0.08 } else { 0.0 };
        let skew = if rng.f64() < 0.15 { 1.6 + rng.f64() } else { 0.4 + rng.f64() * 1.2 };
        self.pools.push(Pool { name, style, second, values: Vec::new(), size, skew, junk });
        self.pools.len() - 1
    }

    /// Endpoints that documents seldom list: tokens, gRPC, GraphQL, WebSocket-less RPC.
    fn add_extras(&mut self, rng: &mut Rng) {
        let operation = |method: &str, template: &str, request: &str, response: &str| Operation {
            method: method.to_owned(),
            template: template.to_owned(),
            parameters: Vec::new(),
            query: Vec::new(),
            request_type: Some(request.to_owned()),
            response_type: Some(response.to_owned()),
            status: 200,
            keys: Vec::new(),
        };
        let json = "application/json";
        if rng.f64() < 0.25 {
            let form = "application/x-www-form-urlencoded";
            let path = ["/oauth/token", "/oauth2/token", "/auth/login", "/api/session"][rng.usize(..4)];
            self.add_target(rng, operation("POST", path, form, json), path, None);
        }
        if rng.f64() < 0.12 {
            let path = ["/graphql", "/api/graphql", "/gql"][rng.usize(..3)];
            self.add_target(rng, operation("POST", path, json, json), path, None);
        }
        if rng.f64() < 0.12 {
            let package = format!("{}.v1", self.words.one(rng));
            let service = Style::Camel(false).value(rng, 0, &self.words);
            for _ in 0..rng.usize(2..8) {
                let method = Style::Camel(false).value(rng, 0, &self.words);
                let path = format!("/{package}.{service}Service/{method}");
                self.add_target(rng, operation("POST", &path, "application/grpc", "application/grpc"), &path, None);
            }
        }
        if rng.f64() < 0.08 {
            let path = ["/rpc", "/jsonrpc", "/api/rpc"][rng.usize(..3)];
            self.add_target(rng, operation("POST", path, json, json), path, None);
        }
        if rng.f64() < 0.1 {
            for verb in ["cancel", "archive", "undelete"].iter().take(rng.usize(1..4)) {
                let word = self.words.one(rng).to_owned() + "s";
                let path = format!("/v1/{word}/{{id}}:{verb}");
                self.add_target(rng, operation("POST", &path, json, json), &path, None);
            }
        }
    }

    fn popularity(&mut self, rng: &mut Rng) {
        let skew = if self.recording { rng.f64() * 0.5 } else { 0.3 + rng.f64() * 1.1 };
        // Neighbours by path are neighbours in the list: a program that runs through the API visits them in turn.
        let path = |truth: &str| truth.split_once(' ').map_or(String::new(), |(_, path)| path.to_owned());
        self.targets.sort_by_cached_key(|target| path(&target.truth));
        let mut ranks: Vec<usize> = (1..=self.targets.len()).collect();
        rng.shuffle(&mut ranks);
        for (target, rank) in self.targets.iter_mut().zip(ranks) {
            target.weight = (rank as f64).powf(-skew);
        }
    }

    fn add_pages(&mut self, rng: &mut Rng) {
        let fixed = [
            "/",
            "/about",
            "/pricing",
            "/contact",
            "/login",
            "/blog",
            "/docs",
            "/careers",
            "/terms",
            "/dashboard",
            "/settings",
            "/profile",
            "/cart",
            "/checkout",
            "/search",
            "/faq",
            "/press",
            "/team",
            "/status",
            "/home",
        ];
        let count = rng.usize(4..fixed.len());
        self.pages.extend(fixed.iter().take(count).map(|&page| page.to_owned()));
        let sections = [
            "blog",
            "docs",
            "articles",
            "forum",
            "help",
            "news",
            "guides",
            "products",
            "users",
            "author",
            "events",
            "courses",
            "case-studies",
            "category",
            "tags",
            "shop",
            "wiki",
            "p",
            "stories",
        ];
        for _ in 0..rng.usize(1..5) {
            let section = sections[rng.usize(..sections.len())];
            for _ in 0..rng.usize(3..80) {
                let words = rng.usize(1..6);
                let slug = self.words.slug(rng, words, "-");
                let page = match rng.u8(..8) {
                    0 => format!("/{section}/{}-{slug}", rng.u32(1..100_000)),
                    1 => format!("/{section}/{}/{}", rng.u32(1..10_000), self.words.one(rng)),
                    2 => format!("/{section}/{slug}.html"),
                    _ => format!("/{section}/{slug}"),
                };
                self.pages.push(page);
            }
        }
        let kinds = [
            ("/assets/", "js"),
            ("/assets/", "css"),
            ("/img/", "png"),
            ("/img/", "webp"),
            ("/static/js/", "js"),
            ("/fonts/", "woff2"),
            ("/uploads/2024/05/", "jpg"),
            ("/static/css/", "css"),
            ("/media/", "svg"),
            ("/dist/", "map"),
            ("/locales/", "json"),
            ("/i18n/", "json"),
            ("/static/data/", "json"),
        ];
        for _ in 0..rng.usize(5..80) {
            let (folder, extension) = kinds[rng.usize(..kinds.len())];
            let hash = Style::Hex(8).value(rng, 0, &self.words);
            let plain = extension == "json" && rng.bool();
            let word = self.words.one(rng);
            let tail = if plain { format!("{word}.{extension}") } else { format!("{word}-{hash}.{extension}") };
            self.assets.push(format!("{folder}{tail}"));
        }
        for file in [
            "/robots.txt",
            "/favicon.ico",
            "/sitemap.xml",
            "/manifest.json",
            "/ads.txt",
            "/.well-known/security.txt",
            "/locales/en.json",
            "/asset-manifest.json",
        ] {
            if rng.bool() {
                self.assets.push(file.to_owned());
            }
        }
    }
}

/// One document, or several of the vendor under one roof.
fn choose(rng: &mut Rng, documents: &[Document]) -> Option<Document> {
    let mut chosen = documents.get(rng.usize(..documents.len().max(1)))?.clone();
    if documents.len() > 1 && rng.f64() < 0.3 {
        for _ in 0..rng.usize(1..3) {
            let other = documents.get(rng.usize(..documents.len()))?;
            chosen.operations.extend(other.operations.iter().cloned());
        }
    }
    Some(chosen)
}

/// What stands before the documents' own paths.
fn prefix(rng: &mut Rng, mixed: bool, vendor: &str, words: &Words) -> String {
    let version = ["v1", "v2", "v3", "1.0", "2024-01", "v1beta", "latest"];
    let version = version[rng.usize(..version.len())];
    match rng.u8(..12) {
        0..=4 if mixed => ["/api", "/api/v1", "/api/v2", "/rest", "/rest/v1", "/services"][rng.usize(..6)].to_owned(),
        5 | 6 => format!("/{}", vendor.split('.').next().unwrap_or("svc").replace(['.', '_'], "")),
        7 => format!("/{version}"),
        8 => format!("/{}/{version}", words.one(rng)),
        9 => "/tenants/{tenant}".to_owned(),
        10 if rng.bool() => "/{account}".to_owned(),
        _ => String::new(),
    }
}

/// Another way to write the same words, so that spelling alone does not tell words from values.
fn conventional(text: &str, convention: Option<u8>) -> String {
    let Some(convention) = convention else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut before = '/';
    for letter in text.chars() {
        match (convention, letter) {
            (0, 'A'..='Z') if before.is_ascii_lowercase() => {
                out.push('-');
                out.push(letter.to_ascii_lowercase());
            }
            (1, 'A'..='Z') if before.is_ascii_lowercase() => {
                out.push('_');
                out.push(letter.to_ascii_lowercase());
            }
            (2, '-' | '_') if before.is_ascii_alphabetic() => (),
            (2, 'a'..='z') if matches!(before, '-' | '_') => out.push(letter.to_ascii_uppercase()),
            _ => out.push(letter),
        }
        before = letter;
    }
    out
}

impl Degradation {
    /// What even a clean site has.
    fn mild(rng: &mut Rng) -> Self {
        Self { fallback: rng.f64() < 0.4, lies: rng.f64() * 0.1, ..Self::default() }
    }

    fn choose(rng: &mut Rng) -> Self {
        let mut share = |chance: f64| {
            if rng.f64() < chance { if rng.f64() < 0.4 { 1.0 } else { rng.f64() } } else { 0.0 }
        };
        Self {
            untyped: share(0.35),
            mistyped: share(0.35),
            soft_failures: share(0.35),
            islands: share(0.3) * 0.5,
            lies: share(0.6),
            stripped: share(0.35),
            unshaped: share(0.35),
            unknown_sessions: share(0.3) > 0.0,
            fallback: share(0.4) > 0.0,
        }
    }
}

/// For vendors whose documents say too little.
const STOCK_WORDS: &str = "account amber arrow basket beacon bridge canvas carbon cedar circle copper delta ember engine falcon \
field forest garden glacier harbor island jasmine kernel lantern maple meadow mirror needle ocean orchard pepper planet quartz \
ribbon river saddle signal silver spring summit thunder timber tunnel velvet violet walnut willow window winter zephyr paper \
stone light copy order title total value draft report player ticket coupon";
