//! The traffic of a made-up site, one observation at a time, with its truth.

#![allow(
    clippy::indexing_slicing,
    reason = "a development task: an index out of range is a mistake that should stop it"
)]

use fastrand::Rng;
use model::{Observation, SessionHash, Timestamp};

use super::site::{Part, Site, Target, key_hash};
use super::values::{Style, junk};

/// What a request really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A request to an endpoint of the API.
    Api,
    /// A page.
    Web,
    /// An asset.
    Static,
    /// A scanner.
    Scan,
    /// A preflight.
    Preflight,
    /// Neither: health checks, metrics, beacons.
    Ambiguous,
    /// A request to an API that has no such endpoint.
    Mistake,
}

/// An observation and its truth.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// What the gateway sees.
    pub observation: Observation,
    /// What it is.
    pub kind: Kind,
    /// `METHOD /template/{}` of an API request.
    pub template: Option<String>,
}

#[derive(Clone, Debug)]
struct Client {
    address: [u8; 4],
    agent: Option<String>,
    accept: Option<String>,
    referer: bool,
    session: Option<u64>,
    credential: bool,
}

/// Makes a site's requests.
pub struct Traffic<'a> {
    site: &'a mut Site,
    rng: Rng,
    programs: Vec<Client>,
    browsers: Vec<Client>,
    crawlers: Vec<Client>,
    scanners: Vec<Client>,
    at: i64,
    pace: f64,
    /// For recordings: values to come back to.
    recent: Vec<(usize, String)>,
    cumulated: Vec<f64>,
    /// The endpoint asked last.
    last: usize,
    /// The build that data islands of pages belong to.
    island_build: Option<String>,
}

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
];
const PROGRAMS: [&str; 14] = [
    "python-requests/2.31.0",
    "axios/1.6.2",
    "okhttp/4.12.0",
    "Go-http-client/1.1",
    "curl/8.5.0",
    "PostmanRuntime/7.36",
    "Apache-HttpClient/4.5.14 (Java/17)",
    "GuzzleHttp/7",
    "node-fetch/1.0",
    "aiohttp/3.9",
    "Shop/12 CFNetwork/1490 Darwin/23",
    "Dalvik/2.1.0 (Linux; U; Android 14)",
    "Dart/3.2 (dart:io)",
    "acme-sdk/2.4",
];
const CRAWLERS: [&str; 5] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0)",
    "Applebot/0.1",
    "DuckDuckBot/1.1",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0)",
];
const SCANNERS: [&str; 8] = [
    "Nikto/2.5",
    "sqlmap/1.7",
    "Nuclei - Open-source project",
    "Mozilla/5.0 zgrab/0.x",
    "masscan/1.3",
    "gobuster/3.6",
    "Go-http-client/1.1",
    "python-requests/2.28",
];
const PROBES: &str = "/.env /.git/config /wp-login.php /wp-admin/ /phpmyadmin/ /admin /actuator/health /server-status \
/config.json /backup.zip /db.sql /xmlrpc.php /cgi-bin/test.cgi /api/swagger.json /v2/api-docs /swagger-ui.html /graphql \
/console /manager/html /solr/admin /jenkins/login /_cat/indices /api/v1/pods /.aws/credentials /id_rsa /telescope/requests \
/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php /owa/auth/logon.aspx /HNAP1 /boaform/admin /shell /debug /test /old \
/api/users /api/admin /v1/users /internal /private /users /login /api /api/v1 /status /info.php /web.config /.DS_Store";
const HEALTH: &str =
    "/health /healthz /ping /ready /livez /version /metrics /status /_health /api/health /collect /beacon /ws";

fn pick<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list.get(rng.usize(..list.len().max(1))).copied().unwrap_or_default()
}

/// A rank from 0 to `size` - 1 under a Zipf law.
fn zipf(rng: &mut Rng, size: usize, skew: f64) -> usize {
    let uniform = rng.f64();
    let rank = if (skew - 1.0).abs() < 0.01 {
        (size as f64).powf(uniform)
    } else {
        let end = (size as f64).powf(1.0 - skew);
        (1.0 + uniform * (end - 1.0)).powf(1.0 / (1.0 - skew))
    };
    (rank as usize).saturating_sub(1).min(size.saturating_sub(1))
}

impl<'a> Traffic<'a> {
    /// Traffic of a site from a seed.
    pub fn new(site: &'a mut Site, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (mut programs, mut browsers, mut crawlers, mut scanners) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let lies = site.degradation.lies;
        let crowd = if site.recording { 1 } else { rng.usize(10..400) };
        for _ in 0..crowd {
            let agent = pick(&mut rng, &PROGRAMS).to_owned();
            let accept = match rng.u8(..4) {
                0 => None,
                1 => Some("application/json".to_owned()),
                _ => Some("*/*".to_owned()),
            };
            let mut client = client(&mut rng, Some(agent), accept, false, site.sessions);
            if rng.f64() < lies * 0.5 {
                client.agent = if rng.bool() { Some(pick(&mut rng, &BROWSERS).to_owned()) } else { None };
            }
            if site.recording {
                client.address = [10, 1, 0, 2];
                client.session = Some(1);
                client.credential = true;
            }
            programs.push(client);
        }
        for _ in 0..rng.usize(10..300) {
            let agent = pick(&mut rng, &BROWSERS).to_owned();
            let mut client = client(&mut rng, Some(agent), None, true, site.sessions);
            if rng.f64() < lies * 0.15 {
                client.agent = None;
            }
            browsers.push(client);
        }
        for _ in 0..rng.usize(1..5) {
            let agent = pick(&mut rng, &CRAWLERS).to_owned();
            crawlers.push(client(&mut rng, Some(agent), Some("text/html,*/*;q=0.8".to_owned()), false, 0.0));
        }
        for _ in 0..rng.usize(1..6) {
            let honest = rng.f64() >= lies;
            let agent = if honest { pick(&mut rng, &SCANNERS) } else { pick(&mut rng, &BROWSERS) }.to_owned();
            scanners.push(client(&mut rng, Some(agent), Some("*/*".to_owned()), false, 0.0));
        }
        let mut sum = 0.0;
        let cumulated = site.targets.iter().map(|target| {
            sum += target.weight;
            sum
        });
        let cumulated = cumulated.collect();
        let pace = 0.01 + rng.f64() * 20.0;
        Self {
            site,
            rng,
            programs,
            browsers,
            crawlers,
            scanners,
            at: 1_700_000_000_000_000,
            pace,
            recent: Vec::new(),
            cumulated,
            last: 0,
            island_build: None,
        }
    }

    /// The next request.
    pub fn next_request(&mut self) -> Labelled {
        self.at += (-self.rng.f64().max(1e-9).ln() * self.pace * 1e6) as i64;
        let mix = self.site.mix;
        let mut at = self.rng.f64();
        for (share, kind) in [
            (mix.web, Kind::Web),
            (mix.assets, Kind::Static),
            (mix.scans, Kind::Scan),
            (mix.mistakes, Kind::Mistake),
            (mix.preflights, Kind::Preflight),
            (mix.probes, Kind::Ambiguous),
        ] {
            at -= share;
            if at < 0.0 {
                return self.other(kind);
            }
        }
        self.api()
    }

    /// The next endpoint: by popularity, or near the last one when a program runs through the API.
    fn target(&mut self) -> usize {
        let count = self.site.targets.len();
        if self.site.recording && self.rng.f64() < 0.75 {
            let step = if self.rng.f64() < 0.3 { 0 } else { self.rng.usize(..9) };
            self.last = (self.last + step + count.saturating_sub(step.min(4))) % count.max(1);
            return self.last;
        }
        self.last = self.popular_target();
        self.last
    }

    fn popular_target(&mut self) -> usize {
        let sum = self.cumulated.last().copied().unwrap_or(1.0);
        let at = self.rng.f64() * sum;
        self.cumulated.partition_point(|&value| value <= at).min(self.cumulated.len().saturating_sub(1))
    }

    fn value(&mut self, index: usize) -> String {
        let Self { site, rng, recent, .. } = self;
        let Some(pool) = site.pools.get_mut(index) else { return String::new() };
        if rng.f64() < pool.junk {
            return junk(rng);
        }
        if site.recording
            && rng.f64() < 0.6
            && let Some((_, value)) = recent.iter().rev().find(|(pool, _)| *pool == index)
        {
            return value.clone();
        }
        let rank = zipf(rng, pool.size, pool.skew);
        while pool.values.len() <= rank {
            let number = pool.values.len();
            let style = match &pool.second {
                Some((style, share)) if rng.f64() < *share => style,
                _ => &pool.style,
            };
            let value = style.value(rng, number, &site.words);
            pool.values.push(value);
        }
        let value = pool.values.get(rank).cloned().unwrap_or_default();
        if site.recording {
            recent.push((index, value.clone()));
            if recent.len() > 40 {
                recent.remove(0);
            }
        }
        value
    }

    fn path(&mut self, target: &Target) -> String {
        let mut path = String::new();
        for part in &target.parts {
            match part {
                Part::Text(text) => path.push_str(text),
                Part::Pool(index) => path.push_str(&self.value(*index)),
            }
        }
        if self.site.case_insensitive && self.rng.f64() < 0.15 {
            path = match self.rng.u8(..3) {
                0 => path.to_ascii_lowercase(),
                1 => path.to_ascii_uppercase(),
                _ => {
                    let mut up = true;
                    let raise = |letter: char| {
                        let raised = if up { letter.to_ascii_uppercase() } else { letter };
                        up = letter == '/';
                        raised
                    };
                    path.chars().map(raise).collect()
                }
            };
        }
        if self.rng.f64() < self.site.slashes {
            path.push('/');
        }
        if self.rng.f64() < 0.002 {
            path.insert(0, '/');
        }
        path
    }

    fn api(&mut self) -> Labelled {
        let index = self.target();
        let Some(target) = self.site.targets.get(index).cloned() else { return self.other(Kind::Web) };
        let mut path = self.path(&target);
        let mut parameters: Vec<String> = Vec::new();
        for name in &target.operation.query {
            if self.rng.f64() < 0.12 && parameters.len() < 6 {
                let value = self.site.words.one(&mut self.rng);
                parameters.push(format!("{name}={value}"));
            }
        }
        if !parameters.is_empty() {
            path = format!("{path}?{}", parameters.join("&"));
        }
        let by_browser = !self.site.recording && self.rng.f64() < 0.4;
        let mut client = self.one_of(by_browser);
        if by_browser {
            client.accept = Some("application/json, text/plain, */*".to_owned());
        }
        if target.protected && self.rng.f64() < 0.9 {
            client.credential = true;
        }
        let grpc = target.operation.request_type.as_deref() == Some("application/grpc");
        if grpc && self.rng.bool() {
            client.accept = None;
        }
        let mut observation = self.base(&client, &target.operation.method, &path, target.host);
        let body = matches!(target.operation.method.as_str(), "POST" | "PUT" | "PATCH");
        observation.request_type = if body { target.operation.request_type.as_deref().map(Into::into) } else { None };
        observation.request_bytes = Some(if body { self.rng.u64(20..3_000) } else { 0 });
        if self.rng.f64() < self.site.failures {
            self.fail(&mut observation, grpc);
        } else {
            self.succeed(&mut observation, &target);
        }
        self.degrade(&mut observation, Kind::Api);
        Labelled { observation, kind: Kind::Api, template: Some(target.truth) }
    }

    fn succeed(&mut self, observation: &mut Observation, target: &Target) {
        let rng = &mut self.rng;
        observation.status = target.operation.status;
        if &*observation.method == "GET" && rng.f64() < 0.03 {
            observation.status = 304;
        } else if rng.f64() < 0.01 {
            observation.status = 302;
        }
        if matches!(observation.status, 204 | 304) {
            observation.response_bytes = Some(0);
            return;
        }
        observation.response_bytes = Some(rng.u64(10..6_000));
        let Some(media) = &target.operation.response_type else { return };
        let charset = media == "application/json" && rng.bool();
        let media = if charset { "application/json; charset=utf-8" } else { media };
        observation.response_type = Some(media.into());
        if media.contains("json") {
            let mut shape: Vec<u64> =
                target.shape.iter().filter(|(_, chance)| rng.f64() < *chance).map(|&(key, _)| key).collect();
            if rng.f64() < 0.03 {
                shape.truncate(1);
            }
            shape.sort_unstable();
            shape.dedup();
            shape.truncate(24);
            observation.response_shape = Some(shape.into());
        }
    }

    fn fail(&mut self, observation: &mut Observation, grpc: bool) {
        let statuses = [400, 401, 401, 403, 404, 404, 404, 409, 422, 429, 500, 502, 503];
        observation.status = statuses.get(self.rng.usize(..statuses.len())).copied().unwrap_or(404);
        self.error_body(observation);
        if grpc {
            observation.response_type = Some("application/grpc".into());
            observation.response_shape = None;
        }
    }

    fn error_body(&mut self, observation: &mut Observation) {
        observation.response_bytes = Some(self.rng.u64(60..1_800));
        observation.response_type = Some(self.site.error_type.into());
        if self.site.error_type.contains("json") {
            observation.response_shape = Some(self.site.error_shape.clone().into());
        }
    }

    fn other(&mut self, kind: Kind) -> Labelled {
        let mut observation = match kind {
            Kind::Web => self.page(),
            Kind::Static => self.asset(),
            Kind::Scan => self.scan(),
            Kind::Mistake => self.mistake(),
            Kind::Preflight => self.preflight(),
            Kind::Api | Kind::Ambiguous => self.probe(),
        };
        self.degrade(&mut observation, kind);
        Labelled { observation, kind, template: None }
    }

    fn page(&mut self) -> Observation {
        let rank = zipf(&mut self.rng, self.site.pages.len(), 0.9);
        let mut path = self.site.pages.get(rank).cloned().unwrap_or_else(|| "/".to_owned());
        let crawler = self.rng.f64() < 0.2;
        let mut client = if crawler { self.crawler() } else { self.one_of(true) };
        client.accept = Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned());
        let island = self.rng.f64() < 0.02 + self.site.degradation.islands;
        if island {
            path = match self.rng.u8(..3) {
                0 => {
                    let build = Style::Nano(21, true).value(&mut self.rng, 0, &self.site.words);
                    let kept = self.island_build.get_or_insert(build);
                    format!("/_next/data/{kept}{path}.json")
                }
                1 => format!("{path}?_data=routes"),
                _ => format!("{path}/page-data.json"),
            };
            if self.rng.bool() {
                client.accept = Some("*/*".to_owned());
            }
        }
        let post = !island && self.rng.f64() < 0.03;
        if post && self.rng.f64() < 0.8 {
            path = pick(
                &mut self.rng,
                &[
                    "/login",
                    "/signup",
                    "/contact",
                    "/newsletter",
                    "/search",
                    "/cart",
                    "/checkout",
                    "/logout",
                    "/subscribe",
                    "/account/settings",
                    "/comment",
                    "/register",
                ],
            )
            .to_owned();
        }
        let mut observation = self.base(&client, if post { "POST" } else { "GET" }, &path, 0);
        observation.fetch_dest = if self.rng.f64() < 0.3 { Some("document".into()) } else { None };
        observation.status = match self.rng.u8(..40) {
            _ if post => 302,
            0 => 301,
            1 => 404,
            2 => 304,
            _ => 200,
        };
        if post {
            let form = if self.rng.f64() < 0.2 {
                "multipart/form-data; boundary=x"
            } else {
                "application/x-www-form-urlencoded"
            };
            observation.request_type = Some(form.into());
            observation.request_bytes = Some(self.rng.u64(10..3_000));
            if self.rng.f64() < 0.3 {
                observation.status = 200;
            }
        } else if !island && self.rng.f64() < 0.15 {
            let word = self.site.words.one(&mut self.rng).to_owned();
            let query = match self.rng.u8(..4) {
                0 => format!("?page={}", self.rng.u8(..)),
                1 => format!("?utm_source={word}&utm_medium=email&utm_campaign={word}"),
                2 => format!("?q={word}"),
                _ => format!("?ref={word}&lang=en"),
            };
            observation.target = format!("{}{query}", observation.target).into();
        }
        observation.response_bytes = Some(self.rng.u64(2_000..60_000));
        if observation.status == 304 {
            return observation;
        }
        observation.response_type = Some("text/html; charset=utf-8".into());
        if island {
            observation.response_type = Some("application/json".into());
            let count = self.rng.usize(2..6);
            let mut shape: Vec<u64> = (0..count).map(|at| key_hash(&format!("pageProps.{at}"))).collect();
            shape.sort_unstable();
            observation.response_shape = Some(shape.into());
        }
        observation
    }

    fn asset(&mut self) -> Observation {
        let rank = zipf(&mut self.rng, self.site.assets.len(), 0.8);
        let path = self.site.assets.get(rank).cloned().unwrap_or_else(|| "/favicon.ico".to_owned());
        let mut client = self.one_of(true);
        client.accept = Some(if self.rng.bool() { "image/avif,image/webp,*/*;q=0.8" } else { "*/*" }.to_owned());
        let mut observation = self.base(&client, "GET", &path, 1);
        observation.status = if self.rng.f64() < 0.15 { 304 } else { 200 };
        observation.response_bytes = Some(self.rng.u64(200..60_000));
        if observation.status == 304 {
            return observation;
        }
        let media = match path.rsplit('.').next().unwrap_or_default() {
            "js" => "application/javascript",
            "css" => "text/css",
            "png" => "image/png",
            "webp" => "image/webp",
            "jpg" => "image/jpeg",
            "svg" => "image/svg+xml",
            "ico" => "image/x-icon",
            "woff2" => "font/woff2",
            "json" | "map" => "application/json",
            "xml" => "application/xml",
            _ => "text/plain",
        };
        observation.response_type = Some(media.into());
        if media == "application/json" {
            observation.response_shape = Some([5, 6, 7].map(|at| key_hash(&at.to_string())).into());
        }
        observation
    }

    fn scan(&mut self) -> Observation {
        let client = self.scanners.get(self.rng.usize(..self.scanners.len())).cloned();
        let client = client.unwrap_or_else(|| self.one_of(true));
        let probes: Vec<&str> = PROBES.split_whitespace().collect();
        let path = match self.rng.u8(..10) {
            0..=5 => pick(&mut self.rng, &probes).to_owned(),
            6 => format!("/{}", self.site.words.one(&mut self.rng)),
            7 => format!("/api/{}", self.site.words.one(&mut self.rng)),
            _ => {
                let index = self.target();
                let path = self.site.targets.get(index).cloned().map(|target| self.path(&target)).unwrap_or_default();
                path + pick(
                    &mut self.rng,
                    &[".bak", ".old", "~", "/..;/", "%00", "/admin", "/.git/config", "/swagger.json", "/debug", ""],
                )
            }
        };
        let method = if self.rng.f64() < 0.1 { "POST" } else { "GET" };
        let word = self.site.words.one(&mut self.rng).to_owned();
        let path = match self.rng.u8(..12) {
            0 => format!("{path}?id=1'%20OR%201=1"),
            1 => format!("{path}?{word}=../../etc/passwd&x=1"),
            2 => format!("/index.php?option=com_{word}&view=search&searchword={word}&ordering=newest"),
            3 => format!("/index.php/component/{word}/?search={word}&order=all&areas[0]=x"),
            4 => format!("/{word}.php?page={word}&cmd=id"),
            _ => path,
        };
        let host = if self.rng.bool() { self.site.api_host } else { 0 };
        let mut observation = self.base(&client, method, &path, host);
        if method == "POST" {
            observation.request_bytes = Some(self.rng.u64(5..900));
            observation.request_type = Some(
                pick(&mut self.rng, &["application/json", "application/x-www-form-urlencoded", "text/xml"]).into(),
            );
        }
        self.unknown_path(&mut observation);
        observation
    }

    /// What the site answers to a path that it does not have.
    fn unknown_path(&mut self, observation: &mut Observation) {
        let degradation = self.site.degradation;
        if self.rng.f64() < degradation.soft_failures {
            observation.status = 200;
            self.error_body(observation);
            observation.response_type = Some("application/json".into());
            observation.response_shape = Some(self.site.error_shape.clone().into());
        } else if degradation.fallback && &*observation.method == "GET" && self.rng.f64() < 0.95 {
            observation.status = 200;
            observation.response_type = Some("text/html; charset=utf-8".into());
            observation.response_bytes = Some(self.rng.u64(100..6_000));
        } else if self.rng.bool() {
            observation.status = [404, 404, 403, 401].get(self.rng.usize(..4)).copied().unwrap_or(404);
            self.error_body(observation);
        } else {
            observation.status = 404;
            observation.response_type = Some("text/html".into());
            observation.response_bytes = Some(self.rng.u64(100..1_500));
        }
    }

    fn mistake(&mut self) -> Observation {
        let index = self.target();
        let Some(target) = self.site.targets.get(index).cloned() else { return self.scan() };
        let mut path = self.path(&target);
        let word = self.site.words.one(&mut self.rng).to_owned();
        match self.rng.u8(..4) {
            0 => path = format!("{}/{word}", path.trim_end_matches('/')),
            1 => path = format!("{}/x", path.trim_end_matches('/')),
            2 => path = format!("/apis/v9{path}"),
            _ => {
                let cut = path.trim_end_matches('/').rfind('/').unwrap_or(0);
                path = format!("{}/{word}", path.get(..cut).unwrap_or_default());
            }
        }
        let by_browser = self.rng.f64() < 0.4;
        let mut client = self.one_of(by_browser);
        client.accept = Some("application/json, text/plain, */*".to_owned());
        let method = if self.rng.f64() < 0.8 { "GET" } else { &target.operation.method };
        let mut observation = self.base(&client, method, &path, target.host);
        if matches!(method, "POST" | "PUT" | "PATCH") {
            observation.request_type = Some("application/json".into());
            observation.request_bytes = Some(self.rng.u64(20..3_000));
        } else if self.rng.f64() < 0.3 {
            observation.target = format!("{}?{word}=1&page=2", observation.target).into();
        }
        if self.rng.f64() < 0.7 && self.site.degradation.soft_failures == 0.0 {
            observation.status = 404;
            self.error_body(&mut observation);
        } else {
            self.unknown_path(&mut observation);
        }
        observation
    }

    fn preflight(&mut self) -> Observation {
        let index = self.target();
        let path = self.site.targets.get(index).cloned().map(|target| self.path(&target)).unwrap_or_default();
        let mut client = self.one_of(true);
        client.accept = Some("*/*".to_owned());
        client.credential = false;
        client.session = None;
        let mut observation = self.base(&client, "OPTIONS", &path, self.site.api_host);
        observation.status = if self.rng.bool() { 204 } else { 200 };
        observation.response_bytes = Some(0);
        observation
    }

    fn probe(&mut self) -> Observation {
        let paths: Vec<&str> = HEALTH.split_whitespace().collect();
        let path = pick(&mut self.rng, &paths);
        let client = Client {
            address: [10, 0, 0, self.rng.u8(1..9)],
            agent: Some("kube-probe/1.28".to_owned()),
            accept: Some("*/*".to_owned()),
            referer: false,
            session: None,
            credential: false,
        };
        let mut observation = self.base(&client, "GET", path, self.site.api_host);
        observation.status = 200;
        observation.response_type = Some(if self.rng.bool() { "text/plain" } else { "application/json" }.into());
        observation.response_bytes = Some(60);
        observation
    }

    fn one_of(&mut self, browser: bool) -> Client {
        let list = if browser { &self.browsers } else { &self.programs };
        let rank = zipf(&mut self.rng, list.len(), 0.6);
        list.get(rank).cloned().unwrap_or_else(|| client(&mut self.rng, None, None, false, 0.0))
    }

    fn crawler(&mut self) -> Client {
        let at = self.rng.usize(..self.crawlers.len().max(1));
        self.crawlers.get(at).cloned().unwrap_or_else(|| client(&mut self.rng, None, None, false, 0.0))
    }

    fn base(&mut self, client: &Client, method: &str, path: &str, host: usize) -> Observation {
        let regional = host == self.site.api_host && self.site.api_host > 0;
        let host = if regional { self.rng.usize(host..self.site.hosts.len()) } else { host };
        let name = self.site.hosts.get(host).cloned().unwrap_or_default();
        let referer = (client.referer && self.rng.f64() < 0.6).then(|| {
            format!(
                "https://{}/{}",
                self.site.hosts.first().map_or("", |host| host),
                pick(&mut self.rng, &["", "pricing", "app"])
            )
        });
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Observation {
            at: Timestamp(self.at),
            client: Some(client.address.into()),
            host: name.into(),
            method: method.into(),
            target: path.into(),
            status: 200,
            request_bytes: Some(0),
            agent: client.agent.as_deref().map(Into::into),
            accept: client.accept.as_deref().map(Into::into),
            referer: referer.map(Into::into),
            session: client.session.map(SessionHash),
            credential: Some(client.credential),
            ..Observation::default()
        }
    }

    fn degrade(&mut self, observation: &mut Observation, kind: Kind) {
        let Degradation { untyped, mistyped, stripped, unknown_sessions, unshaped, .. } = self.site.degradation;
        let rng = &mut self.rng;
        if rng.f64() < untyped {
            observation.response_type = None;
            if rng.f64() < 0.7 {
                observation.request_type = None;
            }
        } else if rng.f64() < mistyped && matches!(kind, Kind::Api | Kind::Scan | Kind::Mistake) {
            let wrong = [
                "text/html",
                "text/plain",
                "application/octet-stream",
                "text/html; charset=utf-8",
                "binary/octet-stream",
            ];
            observation.response_type = Some(pick(rng, &wrong).into());
        }
        if rng.f64() < stripped {
            observation.accept = None;
            observation.referer = None;
            observation.fetch_dest = None;
            if rng.f64() < 0.7 {
                observation.agent = None;
            }
        }
        if unknown_sessions {
            observation.session = None;
            observation.credential = None;
        }
        if rng.f64() < unshaped {
            observation.response_shape = None;
        }
    }
}

use super::site::Degradation;

fn client(rng: &mut Rng, agent: Option<String>, accept: Option<String>, referer: bool, sessions: f64) -> Client {
    let session = (rng.f64() < sessions).then(|| rng.u64(..));
    let address = [rng.u8(11..220), rng.u8(..), rng.u8(..), rng.u8(1..)];
    Client { address, agent, accept, referer, session, credential: rng.f64() < 0.5 }
}
