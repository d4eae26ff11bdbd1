//! Synthetic traffic for tests and benchmarks: a few APIs with realistic cardinalities, deterministic for a seed.

pub mod measure;

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use model::{
    Action, ApiName, Confidence, EndpointId, Event, ExchangeEnd, Finding, HttpVersion, Place, Reason, RequestId,
    SessionHash, StatusSource, Timestamp, Verdict, reason::AttackReason, reason::ContractReason,
};

pub use crate::disk::{Disk, Faults};

/// Where synthetic time starts: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp(1_767_225_600_000_000);

const APIS: [(&str, &str); 3] =
    [("shop", "api.shop.example"), ("accounts", "accounts.shop.example"), ("partners", "partners.shop.example")];

/// Path templates; `#` becomes a number, `@` a UUID.
const TEMPLATES: [(&str, &str); 14] = [
    ("GET", "/v1/products"),
    ("GET", "/v1/products/#"),
    ("GET", "/v1/products/#/reviews"),
    ("GET", "/v1/carts/@"),
    ("POST", "/v1/carts/@/items"),
    ("DELETE", "/v1/carts/@/items/#"),
    ("GET", "/v1/orders/#"),
    ("POST", "/v1/orders"),
    ("GET", "/v1/search"),
    ("GET", "/v1/users/me"),
    ("PATCH", "/v1/users/me"),
    ("GET", "/v1/users/#/avatar"),
    ("POST", "/v1/login"),
    ("GET", "/v1/recommendations/@"),
];

/// User agents; `#` becomes one of many versions.
const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1#.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/1#.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 1#_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 1#; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "ShopApp/7.#.1 (Android 15; Pixel 9) okhttp/4.12.0",
    "ShopApp/7.#.0 (iOS 18.5; iPhone16,2) CFNetwork/1568.100.1 Darwin/24.0.0",
    "python-requests/2.#.3",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
];

const ACCEPTS: [&str; 4] = [
    "application/json",
    "application/json, text/plain, */*",
    "*/*",
    "application/vnd.shop.v1+json, application/json;q=0.9",
];

/// Traffic that never ends. About 2 % of it has findings, 3 % is no API traffic, 6 % are errors.
#[derive(Debug)]
pub struct Traffic {
    random: fastrand::Rng,
    now: i64,
    next_ids: [u64; 2],
    /// Mean microseconds between two exchanges.
    pub gap_us: i64,
    /// Sessions in use.
    pub sessions: u64,
    /// Client addresses in use.
    pub clients: u64,
    /// Endpoints per template and API.
    pub spread: u64,
}

impl Traffic {
    /// Traffic from this seed, at 30,000 exchanges per second.
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let next_ids = [random.u64(..) >> 16, (1 << 63) | (random.u64(..) >> 16)];
        Self { random, now: START.0, next_ids, gap_us: 33, sessions: 20_000, clients: 8_000, spread: 1 }
    }

    /// The time of the latest exchange.
    pub const fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// Lets time pass without traffic.
    pub const fn wait_us(&mut self, micros: i64) {
        self.now += micros;
    }

    /// The endpoints that this traffic is placed at, as an inventory would name them.
    pub fn endpoints(&self) -> Vec<model::Endpoint> {
        let mut endpoints = Vec::new();
        for (pair, ((api, host), (method, template))) in
            APIS.iter().flat_map(|api| TEMPLATES.iter().map(move |template| (*api, *template))).enumerate()
        {
            for variant in 0..self.spread {
                let template = template.replace('#', "{number}").replace('@', "{uuid}");
                let area = if self.spread > 1 { format!("/v1/area-{variant}/") } else { "/v1/".to_owned() };
                endpoints.push(model::Endpoint {
                    id: EndpointId(100 + pair as u64 * self.spread + variant),
                    api: api.to_owned(),
                    host: host.to_owned(),
                    method: method.to_owned(),
                    template: template.replacen("/v1/", &area, 1),
                    operation: String::new(),
                    protocol: model::Protocol::Rest,
                    origins: model::OriginSet {
                        session_identifier: true,
                        learning: true,
                        ..model::OriginSet::default()
                    },
                    state: if variant % 4 == 0 { model::EndpointState::Review } else { model::EndpointState::Saved },
                    confidence: 0.99,
                    labels: Vec::new(),
                    first_seen: START,
                    last_seen: self.now(),
                    requests: 1_000,
                });
            }
        }
        endpoints
    }

    /// A small number far more often than a great one, below `limit`.
    fn skewed(&mut self, limit: u64) -> u64 {
        let x = self.random.f64();
        ((x * x * x) * limit as f64) as u64
    }

    fn fill(&mut self, template: &str) -> String {
        let mut path = String::with_capacity(64);
        for character in template.chars() {
            match character {
                '#' => path.push_str(&(10_000 + self.skewed(2_000_000)).to_string()),
                '@' => {
                    let (a, b) = (self.random.u64(..), self.random.u64(..));
                    path.push_str(&format!(
                        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                        a >> 32,
                        a & 0xffff,
                        (a >> 16) & 0xfff,
                        b >> 52,
                        b & 0xffff_ffff_ffff
                    ));
                }
                other => path.push(other),
            }
        }
        path
    }

    /// The next exchange.
    pub fn event(&mut self) -> Event {
        self.now += self.random.i64(0..=2 * self.gap_us);
        let mut event = ordinary_event();
        event.at = Timestamp(self.now);
        let core = self.random.usize(..2);
        if let Some(next) = self.next_ids.get_mut(core) {
            *next += 1;
            event.id = RequestId(*next);
        }
        let pair = self.skewed((APIS.len() * TEMPLATES.len()) as u64) as usize;
        let (api, host) = APIS.get(pair / TEMPLATES.len()).copied().unwrap_or(("shop", "api.shop.example"));
        let (method, template) = TEMPLATES.get(pair % TEMPLATES.len()).copied().unwrap_or(("GET", "/"));
        event.api = Some(api.into());
        let variant = if self.spread > 1 { self.random.u64(..self.spread) } else { 0 };
        event.endpoint = Some(EndpointId(100 + pair as u64 * self.spread + variant));
        event.host = Bytes::from_static(host.as_bytes());
        event.method = Bytes::from_static(method.as_bytes());
        let mut target = self.fill(template);
        if template.ends_with("search") || template.ends_with("products") {
            target.push_str(&format!("?q=value{}&page={}&limit=20", self.random.u32(..1000), self.random.u32(..9)));
        }
        event.target = Bytes::from(target);
        if method != "GET" {
            event.request_type = Bytes::from_static(b"application/json; charset=utf-8");
            event.request_bytes = 40 + self.skewed(2_000);
        }
        let client = self.skewed(self.clients) as u32;
        event.client = IpAddr::V4(Ipv4Addr::from(0x2e10_0000 + client.wrapping_mul(2_654_435_761) % 0x00ff_ffff));
        event.peer = event.client;
        let session = self.skewed(self.sessions);
        event.session =
            (!session.is_multiple_of(10)).then_some(SessionHash((session + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        event.credential = event.session.is_some();
        self.browser(&mut event, session);
        self.outcome(&mut event);
        event
    }

    /// What a client sends along: the same for a session, in hundreds of variants over all of them.
    fn browser(&mut self, event: &mut Event, session: u64) {
        let draw = crate::rollup::distinct::mix(session);
        let agent = AGENTS.get((draw % 8) as usize).copied().unwrap_or_default();
        event.agent = Bytes::from(agent.replace('#', &((draw >> 8) % 40).to_string()));
        event.accept =
            Bytes::from_static(ACCEPTS.get((draw >> 16) as usize % 4).copied().unwrap_or_default().as_bytes());
        if draw % 8 < 4 {
            event.version = HttpVersion::H2;
            event.cookie = true;
            event.fetch_dest = Bytes::from_static(b"empty");
            let page = self.skewed(300);
            event.referer = Bytes::from(format!("https://www.shop.example/pages/item-{page}.html?utm=newsletter"));
        } else if draw % 8 < 6 {
            event.custom_headers = ["x-app-version".into(), "x-device-id".into()].into();
        }
    }

    fn outcome(&mut self, event: &mut Event) {
        event.upstream_us = 800 + (8_000.0 * (-self.random.f64().max(1e-9).ln())) as u32;
        event.judge_us = 9 + self.skewed(60) as u32;
        event.total_us = event.upstream_us + event.judge_us + 60 + self.skewed(300) as u32;
        event.response_bytes = 120 + self.skewed(16_000);
        match self.random.u32(..1000) {
            0..20 => event.status = 404,
            20..35 => event.status = 401,
            35..50 => event.status = 429,
            50..56 => event.status = 500,
            56..66 => self.attack(event),
            66..76 => {
                let evidence = "expected integer";
                event.findings.push(Finding::new(
                    Reason::Contract(ContractReason::ParameterInvalid),
                    Confidence::Sure,
                    Place::Query("page".into()),
                    evidence,
                ));
                event.verdict.would_refuse = Some(Reason::Contract(ContractReason::ParameterInvalid));
            }
            76..106 => self.scanner(event),
            _ => event.status = if &event.method[..] == b"POST" { 201 } else { 200 },
        }
    }

    fn attack(&mut self, event: &mut Event) {
        let reason = Reason::Attack(AttackReason::Sql);
        event.findings.push(Finding::new(reason, Confidence::Sure, Place::Query("q".into()), "tokens s&1o"));
        event.verdict = Verdict { action: Action::Refuse { status: 403, reason }, would_refuse: None };
        refuse(event, 403);
    }

    fn scanner(&mut self, event: &mut Event) {
        event.endpoint = None;
        event.target = Bytes::from(format!("/{:x}.php", self.random.u32(..5_000)));
        event.method = Bytes::from_static(b"GET");
        event.request_bytes = 0;
        event.request_type = Bytes::new();
        event.status = 404;
        event.response_type = Bytes::from_static(b"text/html");
        event.response_bytes = 162;
        event.session = None;
        event.credential = false;
    }
}

fn refuse(event: &mut Event, status: u16) {
    event.status = status;
    event.status_source = StatusSource::Gateway;
    event.end = ExchangeEnd::Refused;
    event.upstream_us = 0;
    event.total_us = event.judge_us + 40;
    event.server = u16::MAX;
    event.response_type = Bytes::from_static(b"application/problem+json");
    event.response_bytes = 180;
}

/// A carried GET of JSON without findings.
pub fn ordinary_event() -> Event {
    Event {
        at: START,
        id: RequestId(1),
        api: Some(ApiName::from("shop")),
        endpoint: Some(EndpointId(100)),
        version: HttpVersion::H11,
        peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        client: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        method: Bytes::from_static(b"GET"),
        host: Bytes::from_static(b"api.shop.example"),
        target: Bytes::from_static(b"/v1/products"),
        agent: Bytes::from_static(b"python-requests/2.32.3"),
        referer: Bytes::new(),
        accept: Bytes::from_static(b"application/json"),
        fetch_dest: Bytes::new(),
        request_type: Bytes::new(),
        response_type: Bytes::from_static(b"application/json"),
        custom_headers: Box::default(),
        status: 200,
        status_source: StatusSource::Upstream,
        end: ExchangeEnd::Complete,
        request_bytes: 0,
        response_bytes: 500,
        total_us: 2_000,
        upstream_us: 1_800,
        judge_us: 20,
        server: 0,
        retries: 0,
        session: None,
        credential: false,
        cookie: false,
        operation: Box::default(),
        findings: model::Findings::new(),
        verdict: Verdict::default(),
        sample: None,
        span: None,
    }
}
