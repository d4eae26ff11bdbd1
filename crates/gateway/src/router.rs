//! Which route a request takes: host, path prefix and fields to an API, its upstreams and its policy.
//!
//! The order of preference is fixed, so that the order of writing never decides what is protected: an exact host
//! before a wildcard, a longer wildcard before a shorter one, a wildcard before any host; then the longest path
//! prefix; then the most field conditions; only between equals the order of writing. A request that no route of its
//! exact host fits is tried with the wildcards and then with the routes for any host.
//!
//! Prefixes match at segment borders and are compared with the path in canonical form (`inspect::http1`), so that
//! `/admin` catches `/%61dmin` but not `/administrator`. Looking up costs one hash of the host and one of each prefix
//! length that ends at a border of the path; the tables are made once from the configuration, so no outsider can grow
//! them or choose what collides in them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use inspect::Policy;
use inspect::http1::canonical_target;
use model::head::Fields;
use smallvec::SmallVec;

use crate::config::{Rewrite, Route};

/// The longest host name that is looked up: DNS allows 253 bytes (RFC 1035, 2.3.4); longer ones take the routes for any
/// host.
const HOST_BYTES_MAX: usize = 255;

/// All routes, compiled.
#[derive(Debug)]
pub struct Router {
    routes: Vec<CompiledRoute>,
    exact: HashMap<Box<[u8]>, HostTable>,
    /// Keyed by what stands behind `*.`.
    wildcards: HashMap<Box<[u8]>, HostTable>,
    /// The most labels behind `*.` in any wildcard: suffixes with more need no look.
    wildcard_labels_max: usize,
    any: HostTable,
}

/// One route, ready for use.
#[derive(Clone, Debug)]
pub struct CompiledRoute {
    /// Its place in the configuration's list.
    pub index: usize,
    /// What is judged, and how.
    pub policy: Arc<Policy>,
    conditions: Vec<Condition>,
    targets: Targets,
    mirror: Option<(usize, u8)>,
    rewrite: Option<CompiledRewrite>,
}

/// A field that must be there: name and value; an empty value asks for presence.
#[derive(Clone, Debug)]
struct Condition {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

#[derive(Clone, Debug)]
struct CompiledRewrite {
    strip: Box<[u8]>,
    add: Box<[u8]>,
}

/// Upstreams with the running sum of their weights.
#[derive(Clone, Debug, Default)]
struct Targets {
    until: SmallVec<[(u64, usize); 2]>,
    total: u64,
}

/// The routes of one host, by path prefix.
#[derive(Debug, Default)]
struct HostTable {
    /// Lengths of the prefixes that occur, longest first.
    lengths: Vec<usize>,
    /// Routes of each prefix, those with more field conditions first.
    by_prefix: HashMap<Box<[u8]>, Vec<usize>>,
}

/// Something wrong with a route. The binary adds the file and the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteProblem {
    /// The route's place in the list.
    pub route: usize,
    /// The key of the route that is wrong.
    pub key: &'static str,
    /// What is wrong and what to do, one sentence.
    pub text: String,
}

impl Router {
    /// Compiles the routes; `upstreams` is how many upstreams there are. Every problem is reported, not only the first.
    pub fn compile(routes: &[Route], upstreams: usize) -> Result<Self, Vec<RouteProblem>> {
        let mut problems = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            check_route(index, route, upstreams, &mut problems);
        }
        let mut router = Self {
            routes: routes.iter().enumerate().map(|(index, route)| CompiledRoute::new(index, route)).collect(),
            exact: HashMap::new(),
            wildcards: HashMap::new(),
            wildcard_labels_max: 0,
            any: HostTable::default(),
        };
        // What makes two routes catch the same requests: host, prefix and conditions.
        let mut seen = HashMap::<(String, Vec<u8>, BTreeSet<(String, String)>), usize>::new();
        for (index, route) in routes.iter().enumerate() {
            let prefix = plain_prefix(&route.path_prefix);
            let conditions: BTreeSet<_> = route.headers.iter().cloned().collect();
            for host in hosts_of(route) {
                if let Some(earlier) = seen.insert((host.to_owned(), prefix.to_vec(), conditions.clone()), index) {
                    problems.push(duplicate(index, earlier, host, route));
                    continue;
                }
                router.table(host).insert(prefix, index, &router_order(routes));
            }
        }
        if problems.is_empty() { Ok(router) } else { Err(problems) }
    }

    fn table(&mut self, host: &str) -> &mut HostTable {
        if host == "*" {
            return &mut self.any;
        }
        match host.strip_prefix("*.") {
            Some(suffix) => {
                self.wildcard_labels_max = self.wildcard_labels_max.max(suffix.split('.').count());
                self.wildcards.entry(suffix.as_bytes().into()).or_default()
            }
            None => self.exact.entry(host.as_bytes().into()).or_default(),
        }
    }

    /// The route of a request. `host` comes without its port, in any case, and may be empty; `path` is in canonical form.
    pub fn route(&self, host: &[u8], path: &[u8], fields: &Fields) -> Option<&CompiledRoute> {
        if self.exact.is_empty() && self.wildcards.is_empty() {
            return self.any.find(path, fields, &self.routes);
        }
        // The dot of a fully qualified name changes nothing about which host is meant.
        let host = host.strip_suffix(b".").unwrap_or(host);
        let mut lower = [0u8; HOST_BYTES_MAX];
        if let Some(lower) = lower.get_mut(..host.len()).filter(|lower| !lower.is_empty()) {
            lower.copy_from_slice(host);
            lower.make_ascii_lowercase();
            let exact = self.exact.get(&*lower).and_then(|table| table.find(path, fields, &self.routes));
            if let Some(route) = exact.or_else(|| self.route_by_wildcard(lower, path, fields)) {
                return Some(route);
            }
        }
        self.any.find(path, fields, &self.routes)
    }

    fn route_by_wildcard(&self, host: &[u8], path: &[u8], fields: &Fields) -> Option<&CompiledRoute> {
        if self.wildcards.is_empty() {
            return None;
        }
        let labels = memchr::memchr_iter(b'.', host).count() + 1;
        let skip = labels.saturating_sub(self.wildcard_labels_max + 1);
        memchr::memchr_iter(b'.', host).skip(skip).filter(|&dot| dot > 0).find_map(|dot| {
            let table = self.wildcards.get(host.get(dot + 1..)?)?;
            table.find(path, fields, &self.routes)
        })
    }

    /// Every route, in the order of the configuration.
    pub fn routes(&self) -> &[CompiledRoute] {
        &self.routes
    }
}

impl HostTable {
    fn insert(&mut self, prefix: &[u8], index: usize, order: &impl Fn(usize) -> (usize, usize)) {
        if let Err(at) = self.lengths.binary_search_by(|length| prefix.len().cmp(length)) {
            self.lengths.insert(at, prefix.len());
        }
        let routes = self.by_prefix.entry(prefix.into()).or_default();
        routes.push(index);
        routes.sort_by_key(|&route| order(route));
    }

    fn find<'r>(&self, path: &[u8], fields: &Fields, routes: &'r [CompiledRoute]) -> Option<&'r CompiledRoute> {
        self.lengths.iter().find_map(|&length| {
            // A border: the prefix ends with the path, or before a slash. The empty prefix catches everything, `*` too.
            if length > 0 && path.get(length).is_some_and(|&byte| byte != b'/') {
                return None;
            }
            let candidates = self.by_prefix.get(path.get(..length)?)?;
            candidates.iter().filter_map(|&index| routes.get(index)).find(|route| route.fields_hold(fields))
        })
    }
}

impl CompiledRoute {
    fn new(index: usize, route: &Route) -> Self {
        let mut targets = Targets::default();
        for &(upstream, weight) in &route.targets {
            targets.total += u64::from(weight);
            targets.until.push((targets.total, upstream));
        }
        let rewrite = route.rewrite.as_ref().map(|Rewrite { strip_prefix, add_prefix }| CompiledRewrite {
            strip: plain_prefix(strip_prefix).into(),
            add: plain_prefix(add_prefix).into(),
        });
        Self {
            index,
            policy: route.policy.clone(),
            conditions: route
                .headers
                .iter()
                .map(|(name, value)| Condition { name: name.as_bytes().into(), value: value.as_bytes().into() })
                .collect(),
            targets,
            mirror: route.mirror,
            rewrite,
        }
    }

    fn fields_hold(&self, fields: &Fields) -> bool {
        self.conditions.iter().all(|Condition { name, value }| {
            fields.iter().any(|field| {
                field.name.eq_ignore_ascii_case(name) && (value.is_empty() || field.value == value.as_ref())
            })
        })
    }

    /// True when more than one upstream gets a share.
    pub fn is_split(&self) -> bool {
        self.targets.until.len() > 1
    }

    /// The upstream for this request, by weight. `key` is random for an even split, or a hash of the session or the client
    /// when the same caller must see the same upstream; raising the weight of a later target moves callers only towards it.
    pub fn target(&self, key: u64) -> Option<usize> {
        if let [(_, only)] = self.targets.until.as_slice() {
            return Some(*only);
        }
        let point = (u128::from(mix(key)) * u128::from(self.targets.total)) >> 64;
        self.targets.until.iter().find(|&&(until, _)| point < u128::from(until)).map(|&(_, upstream)| upstream)
    }

    /// The upstream that gets a copy of this request, if any; `random` decides whether this one is in the share.
    pub fn mirror(&self, random: u64) -> Option<usize> {
        let (upstream, percent) = self.mirror?;
        ((u128::from(mix(random)) * 100) >> 64 < u128::from(percent)).then_some(upstream)
    }
}

/// The path to forward: without the prefix that is taken off, with the one that is put in front. A path that does not
/// begin with `strip_prefix` at a segment border stays as it is, and so does `*`.
pub fn rewrite_path<'a>(route: &CompiledRoute, path: &'a [u8]) -> Cow<'a, [u8]> {
    let Some(CompiledRewrite { strip, add }) = &route.rewrite else { return Cow::Borrowed(path) };
    let Some(rest) = path.strip_prefix(strip.as_ref()) else { return Cow::Borrowed(path) };
    if !rest.is_empty() && rest.first() != Some(&b'/') {
        return Cow::Borrowed(path);
    }
    match (add.is_empty(), rest.is_empty()) {
        (true, true) => Cow::Borrowed(b"/"),
        (true, false) => Cow::Borrowed(rest),
        (false, _) => Cow::Owned([add.as_ref(), rest].concat()),
    }
}

/// Spreads a key over all 64 bits (the finalizer of SplitMix64): keys need not be uniform to split the traffic evenly.
pub(crate) fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A prefix without its last slash: `/v1/` and `/v1` catch the same paths, and `/` becomes empty.
fn plain_prefix(prefix: &str) -> &[u8] {
    prefix.strip_suffix('/').unwrap_or(prefix).as_bytes()
}

fn hosts_of(route: &Route) -> impl Iterator<Item = &str> {
    let any = route.hosts.is_empty().then_some("*");
    any.into_iter().chain(route.hosts.iter().map(String::as_str))
}

/// More conditions first, then the order of writing.
fn router_order(routes: &[Route]) -> impl Fn(usize) -> (usize, usize) {
    |index| (usize::MAX - routes.get(index).map_or(0, |route| route.headers.len()), index)
}

fn duplicate(index: usize, earlier: usize, host: &str, route: &Route) -> RouteProblem {
    let text = if earlier == index {
        format!("`{host}` stands twice in this route; remove one")
    } else {
        format!(
            "host `{host}`, path prefix `{}` and the header conditions are those of route {}: this route would never be \
             taken; remove it or add a condition",
            route.path_prefix,
            earlier + 1
        )
    };
    RouteProblem { route: index, key: if earlier == index { "hosts" } else { "path_prefix" }, text }
}

fn check_route(index: usize, route: &Route, upstreams: usize, problems: &mut Vec<RouteProblem>) {
    let mut report = |key, text| problems.push(RouteProblem { route: index, key, text });
    for host in &route.hosts {
        if let Some(text) = host_problem(host) {
            report("hosts", text);
        }
    }
    if let Some(text) = prefix_problem(&route.path_prefix, "/") {
        report("path_prefix", text);
    }
    check_headers(route, &mut report);
    check_targets(route, upstreams, &mut report);
    let Some(Rewrite { strip_prefix, add_prefix }) = &route.rewrite else { return };
    for (key, prefix) in [("rewrite.strip_prefix", strip_prefix), ("rewrite.add_prefix", add_prefix)] {
        if let Some(text) =
            Some(prefix).filter(|prefix| !prefix.is_empty()).and_then(|text| prefix_problem(text, "/v1"))
        {
            report(key, text);
        }
    }
    let (prefix, strip) = (plain_prefix(&route.path_prefix), plain_prefix(strip_prefix));
    if !within(prefix, strip) && !within(strip, prefix) {
        let text = format!("no path under `{}` begins with `{strip_prefix}`; correct one of them", route.path_prefix);
        report("rewrite.strip_prefix", text);
    }
}

/// True when every path under `inner` is also under `outer`.
fn within(inner: &[u8], outer: &[u8]) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

fn host_problem(host: &str) -> Option<String> {
    let name = host.strip_prefix("*.").unwrap_or(if host == "*" { "any" } else { host });
    if name.is_empty() || name.len() > 253 {
        return Some(format!("`{host}` is no host name; write a name such as `api.example.com` or `*.example.com`"));
    }
    if name.contains('*') {
        return Some(format!("`{host}` has a `*` in its middle; only `*` and a leading `*.` are understood"));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(format!("`{host}` has capitals; write it in lower case"));
    }
    if name.starts_with('[') && name.ends_with(']') {
        return None;
    }
    if name.contains(':') {
        return Some(format!("`{host}` has a port; hosts are matched without it, so leave it out"));
    }
    let odd = |byte: u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.');
    if name.bytes().any(odd) || name.starts_with('.') || name.ends_with('.') {
        return Some(format!("`{host}` is no host name; write a name such as `api.example.com` or `*.example.com`"));
    }
    None
}

fn prefix_problem(prefix: &str, example: &str) -> Option<String> {
    if !prefix.starts_with('/') {
        return Some(format!("`{prefix}` must begin with a slash; write a path such as `{example}`"));
    }
    if prefix.contains(['?', '#']) {
        return Some(format!("`{prefix}` holds more than a path; leave the query out"));
    }
    let canonical = canonical_target(prefix.as_bytes(), None).path;
    (canonical != prefix.as_bytes()).then(|| {
        let canonical = String::from_utf8_lossy(&canonical);
        format!("`{prefix}` is not in canonical form; write `{canonical}`")
    })
}

fn check_headers(route: &Route, report: &mut impl FnMut(&'static str, String)) {
    for (at, (name, value)) in route.headers.iter().enumerate() {
        if !inspect::http1::is_token(name.as_bytes()) {
            report("headers", format!("`{name}` is no field name; write a name such as `x-version`"));
        }
        let earlier = route.headers.iter().take(at).find(|(other, _)| other.eq_ignore_ascii_case(name));
        if let Some((_, other)) = earlier {
            let text = if other == value {
                format!("the condition on `{name}` stands twice; remove one")
            } else {
                format!("`{name}` cannot be `{other}` and `{value}` at once; keep one, or write two routes")
            };
            report("headers", text);
        }
    }
}

fn check_targets(route: &Route, upstreams: usize, report: &mut impl FnMut(&'static str, String)) {
    if route.targets.is_empty() {
        report("targets", "the route goes nowhere; name an upstream".to_owned());
    } else if route.targets.iter().all(|&(_, weight)| weight == 0) {
        report("targets", "every weight is 0; give at least one upstream a share".to_owned());
    }
    for &(upstream, _) in route.targets.iter().chain(&route.mirror.map(|(upstream, _)| (upstream, 0))) {
        if upstream >= upstreams {
            report("targets", format!("there is no upstream number {}; there are {upstreams}", upstream + 1));
        }
    }
    if let Some((_, percent)) = route.mirror.filter(|&(_, percent)| percent > 100) {
        report("mirror", format!("`{percent}` percent is more than all requests; write 100 or less"));
    }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
