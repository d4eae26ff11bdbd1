//! Serves the console over synthetic traffic, for looking at it and for the tests of the dashboard.
//!
//! `cargo run -p console --example console-demo -- 127.0.0.1:9191 [DIRECTORY]`

#![allow(clippy::indexing_slicing, clippy::expect_used, reason = "an example over data of its own")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use console::steering::{
    ApiModes, CertificateState, ConfigText, CounterValue, Diagnostic, GatewayHealth, ModeName, QueueState, ServerState,
    StageMode, Steering, system_clock,
};
use console::{Overrides, Settings};
use model::reason::{Anomaly, AttackReason};
use model::{
    Action, Confidence, Endpoint, EndpointId, EndpointState, Event, Finding, OriginSet, Place, Protocol, Reason,
    Timestamp, Verdict,
};
use store::testing::{START, Traffic};
use store::{Inventory, StoredEndpoint, Writer};

/// Exchanges made.
const EXCHANGES: usize = 60_000;
/// How long the synthetic traffic lasts.
const HOURS: i64 = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9191".to_owned());
    let directory = arguments.next().map_or_else(|| std::env::temp_dir().join("portreeve-console-demo"), PathBuf::from);
    fill(&directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut settings = Settings::new(&directory);
        settings.requests_per_s_max = 1_000;
        let router = console::router(settings, Arc::new(Demo::default()))?;
        let listener = tokio::net::TcpListener::bind(address.as_str()).await?;
        eprintln!("the console is at http://{}", listener.local_addr()?);
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
        Ok(())
    })
}

/// Thirty hours of traffic that ends now, with attacks in a burst, and an inventory that fits.
fn fill(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // Exchanges are made by the writer alone: a second filling would count them twice.
    if directory.join("rollups.sqlite").exists() {
        return Ok(());
    }
    let mut writer = Writer::open(directory, store::Settings::default())?;
    let mut traffic = Traffic::new(42);
    traffic.gap_us = HOURS * 3_600_000_000 / EXCHANGES as i64;
    (traffic.sessions, traffic.clients) = (900, 500);
    let shift = system_clock().0 - (START.0 + HOURS * 3_600_000_000);
    let (mut requests, mut batch) = (std::collections::BTreeMap::<u64, u64>::new(), Vec::new());
    for number in 0..EXCHANGES {
        let mut event = traffic.event();
        event.at = Timestamp((event.at.0 + shift).min(system_clock().0));
        event.verdict = Verdict::default();
        event.findings.clear();
        let burst = (EXCHANGES * 6 / 10..EXCHANGES * 65 / 100).contains(&number);
        if number % 97 == 0 || (burst && number % 5 == 0) {
            attack(&mut event, number);
        }
        if let Some(endpoint) = event.endpoint {
            *requests.entry(endpoint.0).or_default() += 1;
        }
        batch.push(event);
        if batch.len() == 500 {
            writer.write(&batch);
            writer.tick(batch.last().map_or(Timestamp(0), |event| event.at));
            batch.clear();
        }
    }
    writer.write(&batch);
    writer.close();
    let mut inventory = Inventory::open(directory)?;
    inventory.put_learned(system_clock(), &endpoints(&requests))?;
    Ok(())
}

/// An attack of some kind, with markup in everything an attacker can write.
fn attack(event: &mut Event, number: usize) {
    let (reason, confidence, place, evidence) = match number % 7 {
        0 => (
            Reason::Attack(AttackReason::ALL[0]),
            Confidence::Sure,
            Place::Query("q".into()),
            "tokens s&1o, then <b>union</b>",
        ),
        1 => (
            Reason::Attack(AttackReason::ALL[1]),
            Confidence::Sure,
            Place::Body("/comment".into()),
            "element `<script>` in a value",
        ),
        2 => {
            (Reason::Hygiene(Anomaly::ALL[3]), Confidence::Sure, Place::RequestLine, "a second field of the same name")
        }
        3 => {
            (Reason::Hygiene(Anomaly::ALL[9]), Confidence::Likely, Place::Header("user-agent".into()), "no such agent")
        }
        4 => (
            Reason::Contract(model::reason::ContractReason::ALL[2]),
            Confidence::Sure,
            Place::Query("page".into()),
            "expected integer",
        ),
        5 => (Reason::Attack(AttackReason::ALL[4]), Confidence::Sure, Place::Path, "parent directory twice"),
        _ => (
            Reason::Leak(model::reason::LeakReason::ALL[0]),
            Confidence::Likely,
            Place::ResponseBody("/trace".into()),
            "a trace",
        ),
    };
    event.agent =
        Bytes::from_static(b"<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">");
    if number.is_multiple_of(3) {
        event.target =
            Bytes::from_static(b"/v1/products/%3Cimg%20src=x%20onerror=alert(1)%3E/<svg onload=alert(1)>?q=x");
    }
    event.client = std::net::IpAddr::from([198, 51, 100, u8::try_from(number % 9).unwrap_or(0)]);
    event.findings.push(Finding::new(reason, confidence, place, evidence));
    let refused = matches!(reason, Reason::Hygiene(_)) && confidence == Confidence::Sure;
    if refused {
        event.verdict.action = Action::Refuse { status: 400, reason };
        event.status = 400;
        event.status_source = model::StatusSource::Gateway;
    } else if confidence == Confidence::Sure {
        event.verdict.would_refuse = Some(reason);
    }
}

fn endpoints(requests: &std::collections::BTreeMap<u64, u64>) -> Vec<StoredEndpoint> {
    const TEMPLATES: [(&str, &str); 14] = [
        ("GET", "/v1/products"),
        ("GET", "/v1/products/{productId}"),
        ("GET", "/v1/products/{productId}/reviews"),
        ("GET", "/v1/carts/{cartId}"),
        ("POST", "/v1/carts/{cartId}/items"),
        ("DELETE", "/v1/carts/{cartId}/items/{itemId}"),
        ("GET", "/v1/orders/{orderId}"),
        ("POST", "/v1/orders"),
        ("GET", "/v1/search"),
        ("GET", "/v1/users/me"),
        ("PATCH", "/v1/users/me"),
        ("GET", "/v1/users/{userId}/avatar"),
        ("POST", "/v1/login"),
        ("GET", "/v1/recommendations/{id}"),
    ];
    const APIS: [(&str, &str); 3] =
        [("shop", "api.shop.example"), ("accounts", "accounts.shop.example"), ("partners", "partners.shop.example")];
    let mut endpoints = Vec::new();
    for (index, (api, host)) in (0u64..).zip(APIS.iter().flat_map(|api| std::iter::repeat_n(api, TEMPLATES.len()))) {
        let (method, template) = TEMPLATES[index as usize % TEMPLATES.len()];
        let id = 100 + index;
        let seen = requests.get(&id).copied().unwrap_or(0);
        let state = match index % 5 {
            0 | 1 => EndpointState::Saved,
            2 if index % 2 == 0 => EndpointState::Ignored,
            _ => EndpointState::Review,
        };
        let mut stored = StoredEndpoint::new(Endpoint {
            id: EndpointId(id),
            api: (*api).to_owned(),
            host: (*host).to_owned(),
            method: method.to_owned(),
            template: template.to_owned(),
            operation: String::new(),
            protocol: Protocol::Rest,
            origins: OriginSet {
                learning: seen > 0,
                session_identifier: index % 3 != 0,
                contract: index % 4 == 0,
                manual: false,
            },
            state,
            confidence: 0.62 + (index % 7) as f32 * 0.06,
            labels: if index % 6 == 0 { vec!["purchase".to_owned()] } else { Vec::new() },
            first_seen: Timestamp(system_clock().0 - (index as i64 % 20) * 86_400_000_000),
            last_seen: system_clock(),
            requests: seen,
        });
        stored.owner = if index % 3 == 0 { "team-checkout".to_owned() } else { String::new() };
        stored.evidence =
            serde_json::json!({"probability": stored.endpoint.confidence, "successes": seen, "paths": seen / 3 + 1});
        stored.schema = serde_json::json!({
            "parameters": [{"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 8}}],
            "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "required": ["id"],
                "properties": {"id": {"type": "string", "format": "uuid"}, "price": {"type": "number"}}}}}}},
        });
        endpoints.push(stored);
    }
    endpoints
}

/// A gateway that only remembers what it was told.
#[derive(Default)]
struct Demo(Mutex<(Overrides, Option<String>)>);

const CONFIG: &str = "listeners:\n  - address: 0.0.0.0:8443\nupstreams:\n  - name: shop\n    servers: [10.0.0.5:8080]\napis:\n  \
    - name: shop\n    hosts: [api.shop.example]\n    upstream: shop\n    mode: monitor\n";

impl Steering for Demo {
    fn gateway(&self) -> GatewayHealth {
        let counter = |name: &str, value, alarming| CounterValue { name: name.to_owned(), value, alarming };
        GatewayHealth {
            running: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: 30 * 3_600,
            counters: vec![
                counter("connections_open", 214, false),
                counter("connections_accepted", 88_214, false),
                counter("events_recorded", EXCHANGES as u64, false),
                counter("events_dropped", 0, true),
                counter("stages_failed", 0, true),
                counter("tls_handshakes_failed", 17, true),
            ],
            queues: vec![QueueState { name: "events".to_owned(), length: 3, length_max: 1_024, dropped: 0 }],
            servers: vec![
                ServerState {
                    upstream: "shop".into(),
                    address: "10.0.0.5:8080".into(),
                    state: "in-service".into(),
                    outstanding: 4,
                },
                ServerState {
                    upstream: "shop".into(),
                    address: "10.0.0.6:8080".into(),
                    state: "ejected".into(),
                    outstanding: 0,
                },
            ],
            certificates: vec![CertificateState {
                names: vec!["api.shop.example".to_owned()],
                not_after_s: system_clock().secs() + 21 * 86_400,
            }],
            memory_bytes: 96 * 1024 * 1024,
        }
    }

    fn config(&self) -> ConfigText {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        ConfigText {
            path: "/etc/portreeve.yaml".to_owned(),
            text: text.unwrap_or_else(|| CONFIG.to_owned()),
            writable: true,
            ..ConfigText::default()
        }
    }

    fn validate(&self, text: &str) -> Vec<Diagnostic> {
        if text.contains("apis:") {
            return Vec::new();
        }
        vec![Diagnostic {
            line: 1,
            column: 1,
            message: "missing key `apis`".to_owned(),
            help: "name at least one API".to_owned(),
        }]
    }

    fn apply(&self, text: &str) -> Result<(), Vec<Diagnostic>> {
        let diagnostics = self.validate(text);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(text.to_owned());
        Ok(())
    }

    fn modes(&self) -> Vec<ApiModes> {
        let stages = [("hygiene", ModeName::Block), ("clients", ModeName::Monitor), ("contract", ModeName::Monitor)];
        let stages = stages.into_iter().chain([("attacks", ModeName::Monitor), ("leakage", ModeName::Off)]);
        let stages: Vec<_> = stages.map(|(stage, mode)| StageMode { stage: stage.to_owned(), mode }).collect();
        ["shop", "accounts", "partners"].map(|api| ApiModes { api: api.to_owned(), stages: stages.clone() }).to_vec()
    }

    fn put_overrides(&self, overrides: &Overrides) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = overrides.clone();
        Ok(())
    }
}
