//! What the decisions before forwarding cost: the route, the server, the client's address, what the upstream is told.

use std::hint::black_box;
use std::sync::Arc;

use gateway::balance::{Balancer, Pick};
use gateway::config::{Balance, Ejection, HashKey, Route, Server};
use gateway::forwarded::{Forwarding, ForwardingField, Scheme, TrustedProxies};
use gateway::router::Router;
use inspect::Policy;
use model::HttpVersion;
use model::head::{Fields, RequestHead};
use model::ids::ApiName;
use model::mode::Mode;

fn main() {
    divan::main();
}

/// `count` APIs, each with its own host and prefix, beside one wildcard and one route for the rest.
#[divan::bench(args = [0, 10, 1000])]
fn route(bencher: divan::Bencher<'_, '_>, count: usize) {
    let policy = Arc::new(Policy::new(ApiName::from("api"), Mode::Monitor));
    let mut routes = vec![Route::everything(policy.clone())];
    for number in 0..count {
        let mut route = Route::everything(policy.clone());
        route.hosts = vec![format!("api{}.example.com", number / 10)];
        route.path_prefix = format!("/v{}/orders", number % 10);
        routes.push(route);
    }
    let Ok(router) = Router::compile(&routes, 1) else { return };
    let fields = Fields::from_pairs([(&b"host"[..], &b"api0.example.com"[..])]);
    bencher.bench_local(|| {
        router
            .route(black_box(b"api0.example.com"), black_box(b"/v1/orders/42/lines"), &fields)
            .map(|route| route.index)
    });
}

/// Four servers, chosen each way.
#[divan::bench(args = ["round robin", "least outstanding", "hash"])]
fn pick(bencher: divan::Bencher<'_, '_>, way: &str) {
    let balance = match way {
        "round robin" => Balance::RoundRobin,
        "least outstanding" => Balance::LeastOutstanding,
        _ => Balance::Hash(HashKey::Client),
    };
    let servers: Vec<Server> = (0..4).map(|at| Server { host: format!("10.0.0.{at}"), port: 80, weight: 1 }).collect();
    let balancer = Balancer::new(&balance, &servers, Ejection { failures_max: 5, eject_ms: 10_000 });
    bencher.bench_local(|| balancer.pick(Pick { key: black_box(7), now_us: 1_700_000_000_000_000, tried: 0 }));
}

/// A request over a trusted proxy, and one from the client itself.
#[divan::bench(args = ["10.0.0.1", "203.0.113.9"])]
fn client_and_forwarding(bencher: divan::Bencher<'_, '_>, peer: &str) {
    let (Ok(peer), Ok(network)) = (peer.parse(), "10.0.0.0/8".parse()) else { return };
    let proxies = TrustedProxies::new(&[network], ForwardingField::XForwardedFor);
    let head = RequestHead {
        version: HttpVersion::H11,
        method: "GET".into(),
        target: "/v1/orders".into(),
        authority: "api.example.com".into(),
        fields: Fields::from_pairs([
            (&b"host"[..], &b"api.example.com"[..]),
            (b"user-agent", b"curl/8"),
            (b"x-forwarded-for", b"198.51.100.7, 203.0.113.200"),
        ]),
        raw: None,
    };
    let mut out = Vec::with_capacity(256);
    bencher.bench_local(|| {
        let address = proxies.client_of(black_box(peer), Scheme::Https, &head.fields);
        let forwarding = Forwarding::new(&address, &head);
        out.clear();
        forwarding.write_h1(&mut out);
        let dropped = head.fields.iter().filter(|field| forwarding.drops(field)).count();
        (address.client, dropped)
    });
}
