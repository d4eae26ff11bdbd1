//! What finding the route costs.

use std::hint::black_box;
use std::sync::Arc;

use gateway::config::Route;
use gateway::router::Router;
use inspect::Policy;
use model::head::Fields;
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
