//! Tests of the router.

use expect_test::{Expect, expect};
use inspect::Policy;
use model::ids::ApiName;
use model::mode::Mode;
use proptest::prelude::*;

use super::*;

fn route(hosts: &[&str], prefix: &str) -> Route {
    let policy = Arc::new(Policy::new(ApiName::from("api"), Mode::Monitor));
    Route {
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        path_prefix: prefix.to_owned(),
        ..Route::everything(policy)
    }
}

fn with_fields(mut route: Route, fields: &[(&str, &str)]) -> Route {
    route.headers = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    route
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    Fields::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

fn router(routes: &[Route]) -> Router {
    Router::compile(routes, 9).unwrap()
}

fn taken(router: &Router, host: &str, path: &str, pairs: &[(&str, &str)]) -> Option<usize> {
    router.route(host.as_bytes(), path.as_bytes(), &fields(pairs)).map(|route| route.index)
}

#[test]
fn the_more_specific_host_wins() {
    let router = router(&[
        route(&[], "/"),
        route(&["*.example.com"], "/"),
        route(&["*.eu.example.com"], "/"),
        route(&["api.example.com", "[::1]"], "/v1"),
    ]);
    let taken = |host, path| taken(&router, host, path, &[]);
    assert_eq!(taken("api.example.com", "/v1/x"), Some(3));
    assert_eq!(taken("API.Example.COM.", "/v1"), Some(3));
    assert_eq!(taken("api.example.com", "/v2"), Some(1), "what the exact host does not catch falls to the wildcard");
    assert_eq!(taken("a.b.example.com", "/"), Some(1));
    assert_eq!(taken("a.b.c.d.eu.example.com", "/"), Some(2));
    assert_eq!(taken("eu.example.com", "/"), Some(1));
    assert_eq!(taken("example.com", "/"), Some(0), "a wildcard does not catch the bare name");
    assert_eq!(taken(".example.com", "/"), Some(0));
    assert_eq!(taken("notexample.com", "/"), Some(0));
    assert_eq!(taken("[::1]", "/v1"), Some(3));
    assert_eq!(taken("", "/"), Some(0));
    assert_eq!(taken(&"a.".repeat(4000), "/"), Some(0));
}

#[test]
fn the_longest_prefix_at_a_border_wins() {
    let router = router(&[route(&[], "/v1"), route(&[], "/v1/admin/"), route(&["h"], "/")]);
    let taken = |host, path| taken(&router, host, path, &[]);
    assert_eq!(taken("x", "/v1"), Some(0));
    assert_eq!(taken("x", "/v1/"), Some(0));
    assert_eq!(taken("x", "/v1/admin"), Some(1));
    assert_eq!(taken("x", "/v1/admin/users"), Some(1));
    assert_eq!(taken("x", "/v1/administrator"), Some(0));
    assert_eq!(taken("x", "/v10"), None);
    assert_eq!(taken("x", "/"), None);
    assert_eq!(taken("x", "*"), None);
    assert_eq!(taken("h", "*"), Some(2));
    assert_eq!(taken("h", "/v1"), Some(2), "the host comes before the path");
}

#[test]
fn more_conditions_win() {
    let router = router(&[
        route(&[], "/"),
        with_fields(route(&[], "/"), &[("x-version", "2")]),
        with_fields(route(&[], "/"), &[("x-version", "2"), ("x-beta", "")]),
    ]);
    assert_eq!(taken(&router, "h", "/", &[]), Some(0));
    assert_eq!(taken(&router, "h", "/", &[("X-Version", "2")]), Some(1));
    assert_eq!(taken(&router, "h", "/", &[("X-Version", "1"), ("x-version", "2")]), Some(1), "any line counts");
    assert_eq!(taken(&router, "h", "/", &[("x-version", "2"), ("x-beta", "yes")]), Some(2));
    assert_eq!(taken(&router, "h", "/", &[("x-beta", "yes")]), Some(0));
}

#[test]
fn weights_split_the_traffic() {
    let mut split = route(&[], "/");
    split.targets = vec![(0, 9), (1, 1), (2, 0)];
    split.mirror = Some((3, 25));
    let router = router(&[split]);
    let route = router.route(b"", b"/", &Fields::default()).unwrap();
    let mut counts = [0; 3];
    let mut mirrored = 0;
    for key in 0..10_000u64 {
        counts[route.target(key).unwrap()] += 1;
        assert_eq!(route.target(key), route.target(key));
        mirrored += usize::from(route.mirror(key).is_some_and(|upstream| upstream == 3));
    }
    assert!((8_800..9_200).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[2], 0);
    assert!((2_300..2_700).contains(&mirrored), "{mirrored}");
}

#[test]
fn paths_are_rewritten() {
    let check = |strip: &str, add: &str, path: &str, expected: &str| {
        let mut plain = route(&[], "/");
        plain.rewrite = Some(Rewrite { strip_prefix: strip.to_owned(), add_prefix: add.to_owned() });
        let router = router(&[plain]);
        let route = router.route(b"", path.as_bytes(), &Fields::default()).unwrap();
        assert_eq!(String::from_utf8_lossy(&rewrite_path(route, path.as_bytes())), expected, "{strip} {add} {path}");
    };
    check("/api", "", "/api/x", "/x");
    check("/api", "", "/api", "/");
    check("/api/", "", "/api/", "/");
    check("/api", "", "/apis", "/apis");
    check("/api", "/v2", "/api", "/v2");
    check("/api", "/v2/", "/api/x", "/v2/x");
    check("/api", "/v2", "/other", "/other");
    check("", "/v2", "/x", "/v2/x");
    check("/", "/v2", "/", "/v2/");
    check("", "/v2", "*", "*");
}

fn check_problems(routes: &[Route], expected: Expect) {
    let problems = Router::compile(routes, 1).unwrap_err();
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{} {}: {}\n", problem.route, problem.key, problem.text)).collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn every_problem_is_reported() {
    let mut bad = with_fields(
        route(&["API.example.com", "a.*.b", "h:80", "", "b c", "*.example.com."], "v1"),
        &[("x", "1"), ("x", "2"), ("y", "1"), ("y", "1"), ("a b", "")],
    );
    bad.targets = vec![(0, 0), (1, 0)];
    bad.mirror = Some((7, 101));
    let mut rewriting = route(&[], "/a/%7e/../b?x");
    rewriting.targets.clear();
    rewriting.rewrite = Some(Rewrite { strip_prefix: "/other".to_owned(), add_prefix: "/%41".to_owned() });
    check_problems(
        &[bad, rewriting, route(&["h", "h"], "/x/"), route(&["h"], "/x"), route(&["h"], "/%41")],
        expect![[r#"
            0 hosts: `API.example.com` has capitals; write it in lower case
            0 hosts: `a.*.b` has a `*` in its middle; only `*` and a leading `*.` are understood
            0 hosts: `h:80` has a port; hosts are matched without it, so leave it out
            0 hosts: `` is no host name; write a name such as `api.example.com` or `*.example.com`
            0 hosts: `b c` is no host name; write a name such as `api.example.com` or `*.example.com`
            0 hosts: `*.example.com.` is no host name; write a name such as `api.example.com` or `*.example.com`
            0 path_prefix: `v1` must begin with a slash; write a path such as `/`
            0 headers: `x` cannot be `1` and `2` at once; keep one, or write two routes
            0 headers: the condition on `y` stands twice; remove one
            0 headers: `a b` is no field name; write a name such as `x-version`
            0 targets: every weight is 0; give at least one upstream a share
            0 targets: there is no upstream number 2; there are 1
            0 targets: there is no upstream number 8; there are 1
            0 mirror: `101` percent is more than all requests; write 100 or less
            1 path_prefix: `/a/%7e/../b?x` holds more than a path; leave the query out
            1 targets: the route goes nowhere; name an upstream
            1 rewrite.add_prefix: `/%41` is not in canonical form; write `/A`
            1 rewrite.strip_prefix: no path under `/a/%7e/../b?x` begins with `/other`; correct one of them
            4 path_prefix: `/%41` is not in canonical form; write `/A`
            2 hosts: `h` stands twice in this route; remove one
            3 path_prefix: host `h`, path prefix `/x` and the header conditions are those of route 3: this route would never be taken; remove it or add a condition
        "#]],
    );
}

proptest! {
    /// Whatever table and request: the route taken is the best of those that match, found by trying every route.
    #[test]
    fn the_tables_agree_with_trying_every_route(
        written in proptest::collection::vec(("(\\*|(\\*\\.)?(a|b)(\\.(a|b)){0,2})", "(/|(/(a|aa|b)){1,3}/?)", 0usize..3), 1..12),
        host in "[aAb](\\.[aB]){0,3}\\.?",
        path in "(/(a|aa|b)?){1,4}",
        present in 0usize..4,
    ) {
        let conditions = [("x", "1"), ("y", "")];
        let routes: Vec<Route> = written
            .iter()
            .map(|(host, prefix, count)| with_fields(route(&[host], prefix), &conditions[..*count]))
            .collect();
        let Ok(router) = Router::compile(&routes, 9) else { return Ok(()) };
        let pairs = &[("X", "1"), ("Y", "2"), ("z", "")][..present.min(3)];
        let found = taken(&router, &host, &path, pairs);
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let best = routes.iter().enumerate().filter(|(_, route)| {
            let name = route.hosts[0].as_str();
            let host_fits = name == "*" || name == host
                || name.strip_prefix('*').is_some_and(|suffix| host.ends_with(suffix) && host.len() > suffix.len());
            let prefix = route.path_prefix.strip_suffix('/').unwrap_or(&route.path_prefix);
            let path_fits = path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            host_fits && path_fits && route.headers.len() <= pairs.len()
        }).min_by_key(|(index, route)| {
            let name = route.hosts[0].as_str();
            let class = if name == "*" { 2 } else { usize::from(name.starts_with('*')) };
            let prefix = route.path_prefix.strip_suffix('/').unwrap_or(&route.path_prefix);
            (class, usize::MAX - name.len(), usize::MAX - prefix.len(), usize::MAX - route.headers.len(), *index)
        });
        prop_assert_eq!(found, best.map(|(index, _)| index));
    }

    #[test]
    fn any_bytes_are_routed_without_a_panic(host in any::<Vec<u8>>(), path in any::<Vec<u8>>()) {
        let router = router(&[route(&["*.a"], "/a"), route(&["a"], "/"), route(&[], "/b")]);
        let _ = router.route(&host, &path, &Fields::default());
    }
}
