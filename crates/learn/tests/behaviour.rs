//! The learner with the shipped models: what it must find, what it must not, and what it may cost.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic in a test is the report")]

use std::net::{IpAddr, Ipv4Addr};

use learn::learner::METHODS;
use learn::{Change, Learner, LearnerLimits, Models, ParameterType};
use model::{EndpointState, Observation, SessionHash, Timestamp};

fn learner() -> Learner {
    Learner::new(Models::shipped().unwrap(), LearnerLimits::default(), 42)
}

fn request(at: u64, method: &str, target: &str) -> Observation {
    let write = matches!(method, "POST" | "PUT" | "PATCH");
    Observation {
        at: Timestamp::from_secs(1_700_000_000 + at as i64),
        client: Some(IpAddr::V4(Ipv4Addr::new(81, 20, (at % 7) as u8, (at % 23) as u8))),
        host: "api.example.com".into(),
        method: method.into(),
        target: target.into(),
        status: 200,
        request_type: write.then(|| "application/json".into()),
        response_type: Some("application/json".into()),
        request_bytes: Some(if write { 120 } else { 0 }),
        response_bytes: Some(640),
        agent: Some("okhttp/4.12.0".into()),
        accept: Some("application/json".into()),
        session: (at.is_multiple_of(3)).then_some(SessionHash(at % 40)),
        credential: Some(true),
        response_shape: Some([11, 22, 33, 44 + u64::from(target.contains("orders"))].into()),
        ..Observation::default()
    }
}

/// A shop: users, their orders, one literal beside a parameter.
fn shop(learner: &mut Learner, rounds: u64) {
    for at in 0..rounds {
        let user = 1_000 + (at * at * 7_919) % 977;
        for (method, target) in [
            ("GET", "/v1/users".to_owned()),
            ("GET", format!("/v1/users/{user}")),
            ("GET", format!("/v1/users/{user}/orders?page={at}")),
            ("POST", format!("/v1/users/{user}/orders")),
            ("GET", "/v1/users/me".to_owned()),
            ("POST", "/v1/login".to_owned()),
        ] {
            learner.observe(&request(at, method, &target));
        }
    }
    learner.refresh_all();
}

fn names(learner: &Learner) -> Vec<String> {
    let mut names: Vec<String> =
        learner.endpoints().iter().map(|one| format!("{} {}", one.method, one.template)).collect();
    names.sort();
    names
}

#[test]
fn a_small_api_is_found_as_it_is() {
    let mut learner = learner();
    shop(&mut learner, 60);
    assert_eq!(
        names(&learner),
        [
            "GET /v1/users",
            "GET /v1/users/me",
            "GET /v1/users/{userId}",
            "GET /v1/users/{userId}/orders",
            "POST /v1/login",
            "POST /v1/users/{userId}/orders",
        ]
    );
    let endpoints = learner.endpoints();
    let login = endpoints.iter().find(|one| one.template == "/v1/login").unwrap();
    assert!(login.labels.iter().any(|label| label.name == "log-in"));
    let user = endpoints.iter().find(|one| one.template == "/v1/users/{userId}").unwrap();
    assert_eq!(user.parameters[0].kind, ParameterType::Int);
    assert!(user.origins.learning && user.origins.session_identifier && user.session_share() > 0.2);
    assert_eq!((user.state, user.host.as_str()), (EndpointState::Review, "api.example.com"));
    assert!(user.evidence().contains("{userId}"), "{}", user.evidence());
}

#[test]
fn the_same_observations_give_the_same_endpoints() {
    let (mut one, mut two) = (learner(), learner());
    shop(&mut one, 40);
    shop(&mut two, 40);
    assert_eq!(one.endpoints(), two.endpoints());
}

#[test]
fn pages_assets_scanners_and_preflights_are_no_endpoints() {
    let mut learner = learner();
    for at in 0..200u64 {
        let page = Observation {
            host: "www.example.com".into(),
            response_type: Some("text/html; charset=utf-8".into()),
            accept: Some("text/html,application/xhtml+xml".into()),
            agent: Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0".into()),
            response_shape: None,
            credential: Some(false),
            session: None,
            ..request(at, "GET", &format!("/blog/a-story-about-{at}"))
        };
        learner.observe(&page);
        let script = Observation {
            response_type: Some("application/javascript".into()),
            target: "/assets/app.js".into(),
            ..page.clone()
        };
        learner.observe(&script);
        let agent = Some("Nikto/2.5".into());
        learner.observe(&Observation { target: format!("/.git/{at}").into(), agent, accept: None, ..page.clone() });
        let empty = Observation {
            response_type: None,
            status: 204,
            response_shape: None,
            credential: Some(false),
            ..request(at, "OPTIONS", "/v1/users")
        };
        learner.observe(&empty);
    }
    learner.refresh_all();
    assert_eq!(names(&learner), Vec::<String>::new());
}

#[test]
fn an_operator_wins_and_ids_survive() {
    let mut learner = learner();
    shop(&mut learner, 60);
    let id = |learner: &Learner, template: &str| {
        learner.endpoints().iter().find(|one| one.template == template).map(|one| one.id)
    };
    let before = id(&learner, "/v1/users/{userId}/orders").unwrap();
    learner.constrain(|constraints| {
        constraints.split("/v1/users", "1000");
        constraints.rename("/v1/users/{}", "customer");
        constraints.ignore("POST", "/v1/login");
    });
    learner.refresh_all();
    assert_eq!(id(&learner, "/v1/users/{customer}/orders"), Some(before));
    assert!(id(&learner, "/v1/users/1000").is_some());
    let login = learner.endpoints().into_iter().find(|one| one.template == "/v1/login").unwrap();
    assert_eq!(login.state, EndpointState::Ignored);
    learner.constrain(|constraints| constraints.merge("/v1/users"));
    learner.refresh_all();
    assert_eq!(id(&learner, "/v1/users/me"), None, "a merge takes the literal in");
    assert!(id(&learner, "/v1/users/1000").is_some(), "what was split off stays so");
    let mut changes = learner.inventory().all().flat_map(|(_, known)| &known.history);
    assert!(changes.any(|(_, change)| matches!(change, Change::AbsorbedBy { .. })));
}

#[test]
fn requests_are_placed_literal_before_parameter() {
    let mut learner = learner();
    shop(&mut learner, 60);
    let mut place = |target: &str| {
        let placed = learner.classify(&request(1, "GET", target))?;
        Some(learner.template(placed.group, placed.found))
    };
    assert_eq!(place("/v1/users/me").as_deref(), Some("/v1/users/me"));
    assert_eq!(place("/v1/users/987654").as_deref(), Some("/v1/users/{}"));
    assert_eq!(place("/v1/Users/17/orders/").as_deref(), Some("/v1/users/{}/orders"));
    assert_eq!(place("/nowhere"), None);
}

/// Hostile observations: every field odd, every limit pushed.
#[test]
fn a_flood_stays_within_its_limits() {
    let limits =
        LearnerLimits { groups_max: 4, hosts_max: 8, nodes_max: 2_000, clients_max: 500, ..LearnerLimits::default() };
    let mut learner = Learner::new(Models::shipped().unwrap(), limits, 1);
    let mut random = 1u64;
    for at in 0..30_000u64 {
        random = ml::hash::mix(random, at);
        let mut one =
            request(at, METHODS[(random % 7) as usize], &format!("/{}/{random}/{}", random % 100, random >> 50));
        one.client = Some(IpAddr::V4(Ipv4Addr::from(random as u32)));
        one.host = format!("h{}.d{}.example", random % 50, random % 11).into();
        if at.is_multiple_of(13) {
            one.method = format!("M{random}").into();
            one.target = "/%00//\u{fffd};=;=.{}=/".repeat((random % 40) as usize).into();
        }
        learner.observe(&one);
        if at % 5_000 == 0 {
            learner.refresh();
        }
    }
    learner.refresh_all();
    assert!(learner.groups().len() <= 4 && learner.groups().iter().all(|group| group.trie.len() <= 2_000));
    assert!(learner.dropped.hosts > 0 && learner.bytes() < 12_000_000, "{}", learner.bytes());
}

/// The shipped models give these scores, whatever machine reads them: a change of a model, a feature or the evaluator
/// shows here.
#[test]
fn golden_scores() {
    let mut learner = learner();
    shop(&mut learner, 20);
    learner.refresh_all();
    let mut scores: Vec<String> = Vec::new();
    for (at, group) in learner.groups().iter().enumerate() {
        for (number, found) in group.found.iter().enumerate() {
            let template = learner.template(at, number);
            scores.push(format!("{} {template} {:.3}", learner.method(found.method), found.probability));
        }
    }
    scores.sort();
    let first = Models::shipped().unwrap();
    scores.push(format!("{:.3}", first.segment.score(&[1.0; learn::features::SEGMENT_FEATURES.len()])));
    scores.push(format!("{:.3}", first.request.score(&[1.0; learn::request::REQUEST_FEATURES.len()])));
    expect_test::expect![[r#"
        GET /v1/users 0.998
        GET /v1/users/me 0.990
        GET /v1/users/{} 0.998
        GET /v1/users/{}/orders 0.998
        POST /v1/login 0.998
        POST /v1/users/{}/orders 0.999
        4.725
        -1.375"#]]
    .assert_eq(&scores.join("\n"));
}
