//! The admin API over a filled data directory, asked as a client would: what it answers, and what it refuses.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use console::steering::{ApiModes, ConfigText, Diagnostic, GatewayHealth, ModeName, StageMode, Steering};
use console::{Overrides, Settings};
use model::{Endpoint, EndpointId, EndpointState, OriginSet, Protocol, Timestamp};
use serde_json::{Value, json};
use store::testing::{START, Traffic};
use store::{Inventory, StoredEndpoint, Writer};
use tower::ServiceExt;

fn clock() -> Timestamp {
    Timestamp::from_secs(START.secs() + 3_600)
}

/// A gateway that remembers what it was told.
#[derive(Default)]
struct Told {
    overrides: Mutex<Overrides>,
    config: Mutex<String>,
}

impl Steering for Told {
    fn gateway(&self) -> GatewayHealth {
        GatewayHealth::default()
    }

    fn config(&self) -> ConfigText {
        let text = self.config.lock().expect("no panic").clone();
        ConfigText { revision: text.clone(), text, writable: true, ..ConfigText::default() }
    }

    fn validate(&self, text: &str) -> Vec<Diagnostic> {
        let wrong = Diagnostic { line: 3, column: 1, message: "unknown key `x`".into(), help: "remove it".into() };
        if text.contains('x') { vec![wrong] } else { Vec::new() }
    }

    fn apply(&self, text: &str) -> Result<(), Vec<Diagnostic>> {
        let wrong = self.validate(text);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        *self.config.lock().expect("no panic") = text.to_owned();
        Ok(())
    }

    fn modes(&self) -> Vec<ApiModes> {
        let stage = |stage: &str, mode| StageMode { stage: stage.to_owned(), mode };
        let stages = vec![stage("contract", ModeName::Monitor), stage("attacks", ModeName::Block)];
        vec![ApiModes { api: "shop".to_owned(), stages }]
    }

    fn put_overrides(&self, overrides: &Overrides) -> Result<(), String> {
        *self.overrides.lock().expect("no panic") = overrides.clone();
        Ok(())
    }
}

struct Bench {
    directory: tempfile::TempDir,
    router: Router,
    told: Arc<Told>,
    events: Vec<model::Event>,
}

fn bench() -> Bench {
    bench_with(|_| {})
}

fn bench_with(adjust: impl FnOnce(&mut Settings)) -> Bench {
    let directory = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::open(directory.path(), store::Settings::default()).expect("a writer");
    let mut traffic = Traffic::new(5);
    traffic.gap_us = 1_000_000;
    let events: Vec<_> = (0..3_000).map(|_| traffic.event()).collect();
    writer.write(&events);
    writer.tick(traffic.now());
    writer.close();
    let mut inventory = Inventory::open(directory.path()).expect("an inventory");
    let endpoint = |id: u64, template: &str| {
        StoredEndpoint::new(Endpoint {
            id: EndpointId(id),
            api: "shop".into(),
            host: "api.shop.example".into(),
            method: "GET".into(),
            template: template.into(),
            operation: String::new(),
            protocol: Protocol::Rest,
            origins: OriginSet { learning: true, ..OriginSet::default() },
            state: EndpointState::Review,
            confidence: 0.9,
            labels: Vec::new(),
            first_seen: START,
            last_seen: START,
            requests: 10,
        })
    };
    inventory
        .put_learned(START, &[endpoint(100, "/v1/products"), endpoint(101, "/<script>alert(1)</script>")])
        .expect("put");
    let told = Arc::new(Told::default());
    let mut settings = Settings::new(directory.path());
    settings.clock = clock;
    settings.requests_per_s_max = 10_000;
    adjust(&mut settings);
    let steering: Arc<dyn Steering> = Arc::<Told>::clone(&told);
    let router = console::router(settings, steering).expect("a router");
    Bench { directory, router, told, events }
}

const LOCAL: &str = "127.0.0.1:5000";

impl Bench {
    async fn ask(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn read(&self, path: &str) -> Value {
        let (status, body) = self.ask(request("GET", path, LOCAL, None)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn change(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(request(method, path, LOCAL, Some(body))).await
    }
}

fn request(method: &str, path: &str, peer: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    if method != "GET" {
        request = request.header("x-portreeve", "1").header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let mut request = request.body(body).expect("a request");
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
    request
}

#[tokio::test]
async fn every_page_has_its_figures() {
    let bench = bench();
    let overview = bench.read("/api/v1/overview?since=2h").await;
    assert_eq!(overview["figures"]["requests"], 3_000);
    assert_eq!(overview["inventory"]["review"], 2);
    let steps = overview["series"]["steps"].as_array().expect("steps");
    assert_eq!(steps.iter().map(|step| step["requests"].as_u64().expect("a count")).sum::<u64>(), 3_000);
    let limited = bench.events.iter().filter(|event| event.status == 429).count();
    assert_eq!(overview["figures"]["limited_by_upstream"], limited);

    let endpoints = bench.read("/api/v1/endpoints?since=2h").await;
    let line =
        endpoints["endpoints"].as_array().expect("endpoints").iter().find(|line| line["id"] == "e100").expect("e100");
    let wanted = bench.events.iter().filter(|event| event.endpoint == Some(EndpointId(100))).count();
    assert_eq!(line["figures"]["requests"], wanted);
    assert!(line["signals"].as_array().expect("signals").contains(&json!("shadow")));
    let detail = bench.read("/api/v1/endpoints/e100?since=2h").await;
    assert_eq!(detail["endpoint"]["figures"]["requests"], wanted);

    let threats = bench.read("/api/v1/threats?since=2h").await;
    let found = bench.events.iter().filter(|event| !event.findings.is_empty()).count() as u64;
    let over_time = threats["over_time"]["rows"].as_array().expect("rows");
    assert!(over_time.iter().map(|row| row[2].as_u64().expect("a count")).sum::<u64>() >= found);
    assert_eq!(threats["source"], "rollups");
    // The same from the recorded exchanges: a filter that holds for all of them, which rollups cannot answer.
    let searched = bench.read("/api/v1/threats?since=2h&filter=status%3E%3D0").await;
    assert_eq!(searched["source"], "events");
    assert_eq!(threats["by_client"]["columns"], searched["by_client"]["columns"]);
    assert_eq!(threats["by_reason"]["columns"], searched["by_reason"]["columns"]);
    for (list, field) in [("by_client", "client"), ("by_endpoint", "endpoint")] {
        let lines = |answer: &Value| -> std::collections::BTreeMap<String, u64> {
            let rows = answer[list]["rows"].as_array().expect("rows");
            rows.iter().map(|row| (row[0].to_string(), row[1].as_u64().expect("a count"))).collect()
        };
        let (summed, searched) = (lines(&threats), lines(&searched));
        let common = summed.keys().filter(|name| searched.contains_key(*name)).count();
        assert!(common > 0, "{field}: {summed:?} {searched:?}");
        for (name, count) in &summed {
            let same = searched.get(name).is_none_or(|other| other == count);
            assert!(same, "{field} {name}: {count}, and {:?} in the events", searched.get(name));
        }
    }

    let session = bench.events.iter().find_map(|event| event.session).expect("a session");
    let timeline = bench.read(&format!("/api/v1/sessions/{session}?since=2h")).await;
    let own = bench.events.iter().filter(|event| event.session == Some(session)).count();
    assert_eq!(timeline["events"].as_array().expect("events").len(), own);
    for path in [
        "health",
        "policy",
        "exceptions",
        "audit",
        "report",
        "sessions?since=2h",
        "changes",
        "constraints",
        "reasons",
        "fields",
        "me",
        "openapi.json",
        "config/versions",
        "tokens",
        "config",
    ] {
        bench.read(&format!("/api/v1/{path}")).await;
    }
}

#[tokio::test]
async fn pages_of_exchanges_meet_without_gap_or_overlap() {
    let bench = bench();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bench.read(&format!("/api/v1/events?since=2h&limit=700&filter=status%3D200{cursor}")).await;
        seen.extend(
            page["events"].as_array().expect("events").iter().map(|event| event["id"].as_str().expect("id").to_owned()),
        );
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut expected: Vec<_> =
        bench.events.iter().filter(|event| event.status == 200).map(|event| event.id.to_string()).collect();
    assert_eq!(seen.len(), expected.len());
    expected.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, expected);
    let one = bench.read(&format!("/api/v1/events/{}?near_s={}", seen[0], START.secs())).await;
    assert_eq!(one["event"]["id"], seen[0].as_str());
}

#[tokio::test]
async fn what_if_counts_what_the_verdict_would_be() {
    let bench = bench();
    let ask = json!({"api": "shop", "stage": "contract", "mode": "block", "since": "2h"});
    let (status, preview) = bench.change("POST", "/api/v1/policy/what-if", ask.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let hit = |event: &&model::Event| {
        event.api == Some("shop".into())
            && event.verdict.would_refuse.is_some_and(|reason| reason.stage() == model::StageId::Contract)
    };
    let expected = bench.events.iter().filter(hit).count();
    assert!(expected > 0);
    assert_eq!(preview["newly_refused"], expected);
    let off = json!({"api": "shop", "stage": "attacks", "mode": "off", "since": "2h"});
    let (_, carried) = bench.change("POST", "/api/v1/policy/what-if", off).await;
    let refused =
        bench.events.iter().filter(|event| event.api == Some("shop".into()) && event.verdict.refuses()).count();
    assert_eq!(carried["newly_carried"], refused);

    // An exception from one of the examples takes its like out of the preview.
    let finding = &preview["examples"][0];
    let exception = json!({"api": "shop", "endpoint": finding["endpoint"], "reason": finding["findings"][0]["reason"], "note": "a test"});
    let (status, made) = bench.change("POST", "/api/v1/exceptions", exception).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let (_, after) = bench.change("POST", "/api/v1/policy/what-if", ask).await;
    assert!(after["newly_refused"].as_u64() < preview["newly_refused"].as_u64());
    assert_eq!(bench.told.overrides.lock().expect("no panic").exceptions.len(), 1);
    let (status, _) = bench.change("DELETE", "/api/v1/exceptions/1", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert!(bench.told.overrides.lock().expect("no panic").exceptions.is_empty());
}

#[tokio::test]
async fn changes_are_kept_put_in_force_and_audited() {
    let bench = bench();
    let (status, _) = bench
        .change("PATCH", "/api/v1/endpoints/e100", json!({"state": "saved", "owner": "team", "mode": "block"}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let mode = json!({"api": "shop", "stage": "contract", "mode": "block"});
    assert_eq!(bench.change("PUT", "/api/v1/policy/modes", mode).await.0, StatusCode::OK);
    let told = bench.told.overrides.lock().expect("no panic").clone();
    assert_eq!(told.mode("shop", model::StageId::Contract), Some(ModeName::Block));
    assert_eq!(told.endpoint_modes.get(&100), Some(&ModeName::Block));
    let stored = Overrides::load(&Inventory::open(bench.directory.path()).expect("an inventory")).expect("overrides");
    assert_eq!(stored, told);
    let (status, _) = bench.change("POST", "/api/v1/inbox", json!({"endpoints": ["e101"], "state": "ignored"})).await;
    assert_eq!(status, StatusCode::OK);

    let (status, problem) = bench.change("PUT", "/api/v1/config", json!({"text": "x"})).await;
    assert_eq!((status, &problem["diagnostics"][0]["line"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(3)));
    assert_eq!(bench.change("PUT", "/api/v1/config", json!({"text": "one"})).await.0, StatusCode::OK);
    assert_eq!(bench.change("PUT", "/api/v1/config", json!({"text": "two"})).await.0, StatusCode::OK);
    assert_eq!(bench.change("POST", "/api/v1/config/versions/2/roll-back", Value::Null).await.0, StatusCode::OK);
    assert_eq!(*bench.told.config.lock().expect("no panic"), "one");

    let audit = bench.read("/api/v1/audit").await;
    let actions: Vec<_> = audit["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|line| line["action"].as_str().expect("text"))
        .collect();
    assert_eq!(
        actions,
        ["config.roll-back", "config.apply", "config.apply", "endpoint.change-many", "policy.mode", "endpoint.change"]
    );
    let change = &audit["entries"][5];
    assert_eq!((&change["before"]["state"], &change["after"]["state"]), (&json!("review"), &json!("saved")));
}

#[tokio::test]
async fn doors_are_closed_to_whom_they_should_be() {
    let bench = bench();
    // Without a token: this machine alone, under a name of this machine.
    assert_eq!(bench.ask(request("GET", "/api/v1/me", "203.0.113.9:1", None)).await.0, StatusCode::FORBIDDEN);
    let mut rebound = request("GET", "/api/v1/me", LOCAL, None);
    rebound.headers_mut().insert("host", "rebound.example".parse().expect("a value"));
    assert_eq!(bench.ask(rebound).await.0, StatusCode::FORBIDDEN);
    let mut bare = request("POST", "/api/v1/inbox", LOCAL, Some(json!({"endpoints": [], "state": "saved"})));
    bare.headers_mut().remove("x-portreeve");
    assert_eq!(bench.ask(bare).await.0, StatusCode::FORBIDDEN);

    let first = json!({"name": "v", "role": "viewer"});
    assert_eq!(
        bench.change("POST", "/api/v1/tokens", first).await.0,
        StatusCode::CONFLICT,
        "nobody could make the next one"
    );
    let (_, admin) = bench.change("POST", "/api/v1/tokens", json!({"name": "a", "role": "admin"})).await;
    assert_eq!(
        bench.ask(request("GET", "/api/v1/me", LOCAL, None)).await.0,
        StatusCode::UNAUTHORIZED,
        "the door is closed"
    );

    let with = |method: &str, path: &str, secret: &str, body: Option<Value>| {
        let mut request = request(method, path, "203.0.113.9:1", body);
        request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().expect("a value"));
        request
    };
    let admin = admin["secret"].as_str().expect("a secret");
    let (_, viewer) =
        bench.ask(with("POST", "/api/v1/tokens", admin, Some(json!({"name": "v", "role": "viewer"})))).await;
    let viewer = viewer["secret"].as_str().expect("a secret");
    let (_, ended) = bench
        .ask(with("POST", "/api/v1/tokens", admin, Some(json!({"name": "e", "role": "admin", "until_s": 5}))))
        .await;
    let ended = ended["secret"].as_str().expect("a secret");
    assert_eq!(bench.ask(with("GET", "/api/v1/overview", viewer, None)).await.0, StatusCode::OK);
    assert_eq!(bench.ask(with("GET", "/api/v1/tokens", viewer, None)).await.0, StatusCode::FORBIDDEN);
    let body = json!({"api": "shop", "stage": "contract", "mode": "off"});
    assert_eq!(bench.ask(with("PUT", "/api/v1/policy/modes", viewer, Some(body))).await.0, StatusCode::FORBIDDEN);
    assert_eq!(bench.ask(with("GET", "/api/v1/overview", ended, None)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.ask(with("GET", "/api/v1/overview", "wrong", None)).await.0, StatusCode::UNAUTHORIZED);
    let stored = std::fs::read(bench.directory.path().join("inventory.sqlite")).expect("the file");
    assert!(!stored.windows(admin.len()).any(|window| window == admin.as_bytes()), "tokens are kept as hashes");
}

#[tokio::test]
async fn wrong_questions_get_answers_that_help() {
    let bench = bench();
    for (path, status, says) in [
        ("/api/v1/events?filter=statu%3D4", 400, "did you mean `status`"),
        ("/api/v1/events?since=yesterday", 400, "is no moment"),
        ("/api/v1/events?colour=red", 400, "colour"),
        ("/api/v1/events?limit=-1", 400, "limit"),
        ("/api/v1/events?cursor=zz", 400, "cursor"),
        ("/api/v1/events/zz", 404, "there is no exchange"),
        ("/api/v1/endpoints/e999", 404, "there is no endpoint"),
        ("/api/v1/endpoints/%3Cscript%3E", 404, "there is no endpoint"),
        ("/api/v1/endpoints?state=new", 400, "is no state"),
        ("/api/v1/query?by=statu", 400, "did you mean"),
        ("/api/v1/query?by=status,api,path,agent,host", 400, "at most 4"),
        ("/api/v1/sessions/none-such", 400, "hexadecimal"),
        ("/api/v1/nothing", 404, "there is no resource"),
        ("/api/v1/config/versions/9", 404, "there is no version"),
        ("/api/v1/policy/modes", 405, "takes no GET"),
        ("/api/v1/overview?since=3650d", 200, ""),
        ("/api/v1/threats?since=3650d", 200, ""),
    ] {
        let (answered, body) = bench.ask(request("GET", path, LOCAL, None)).await;
        assert_eq!(answered.as_u16(), status, "{path}: {body}");
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(says), "{path}: {detail}");
    }
    for (method, path, body) in [
        ("POST", "/api/v1/exceptions", json!({"reason": "attacks.sql"})),
        ("POST", "/api/v1/exceptions", json!({"reason": "no.such", "path_prefix": "/"})),
        ("PATCH", "/api/v1/endpoints/e100", json!({"mode": "sometimes"})),
        ("PATCH", "/api/v1/endpoints/e100", json!({"states": "saved"})),
        ("POST", "/api/v1/constraints", json!({"kind": "guess", "body": {}})),
        ("POST", "/api/v1/inbox", json!([1])),
    ] {
        assert_eq!(bench.change(method, path, body.clone()).await.0, StatusCode::BAD_REQUEST, "{path} {body}");
    }
}

#[tokio::test]
async fn pages_carry_a_policy_and_the_api_is_never_cached() {
    let bench = bench();
    for (path, allowed) in
        [("/", true), ("/endpoints/e1", true), ("/missing.js", false), ("/api/v1/report?format=html", true)]
    {
        let response = bench.router.clone().oneshot(request("GET", path, LOCAL, None)).await.expect("an answer");
        assert_eq!(response.status().is_success(), allowed, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src 'unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        if path.starts_with("/api") {
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
}

#[tokio::test]
async fn too_many_requests_are_told_to_wait() {
    let bench = bench_with(|settings| settings.requests_per_s_max = 1);
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(bench.ask(request("GET", "/api/v1/me", LOCAL, None)).await.0.as_u16());
    }
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 10);
}

#[tokio::test]
async fn an_empty_directory_is_no_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings::new(directory.path().join("not-yet"));
    let router = console::router(settings, Arc::new(console::Offline)).expect("a router");
    for path in
        ["overview", "endpoints", "events", "threats", "sessions", "health", "policy", "report", "audit", "exceptions"]
    {
        let response =
            router.clone().oneshot(request("GET", &format!("/api/v1/{path}"), LOCAL, None)).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}
