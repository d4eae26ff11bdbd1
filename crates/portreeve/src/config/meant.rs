//! The configuration as it is meant: units read, names looked up, files found, relations checked. Every mistake is
//! collected; nothing stops at the first.

mod contract;
mod protection;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::config as to;
use gateway::forwarded::ForwardingField;
use inspect::policy::{Exception, Policy, StageModes};
use inspect::stages::clients::ClientLists;
use inspect::stages::crs::CrsPolicy;
use model::reason::{Reason, StageId};
use model::{ApiName, Limits, Mode, OnFailure, Timestamp};

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::units::{self, Parsed};
use super::written;
use super::yaml::{Node, Value};
use super::{AccessLog, LoadedRules, Observe, Settings, Tracing, rules};

/// Mistakes of rules that are told; the first ones lead to the others.
const RULE_ERRORS_MAX: usize = 10;

/// Collects mistakes while settings are made.
pub struct Meaning<'a> {
    /// The document, for the places of mistakes.
    pub document: &'a Node,
    /// The file.
    pub file: &'a Path,
    /// Relative paths in the file start here.
    pub base: &'a Path,
    /// What was wrong.
    pub problems: Vec<Diagnostic>,
    /// Contracts that were read.
    pub contracts: Vec<PathBuf>,
    /// Rules that were loaded, by folder and settings: APIs that say the same share them.
    pub rules: Vec<LoadedRules>,
}

impl Meaning<'_> {
    pub(super) fn problem(&mut self, pointer: &str, message: String, help: impl Into<String>) {
        let spot = self.spot(pointer);
        self.problems.push(Diagnostic { spot, message, help: help.into() });
    }

    fn spot(&self, pointer: &str) -> Spot {
        self.document.nearest(pointer).spot
    }

    fn parsed<T>(&mut self, pointer: &str, parsed: Parsed<T>) -> Option<T> {
        parsed.map_err(|(message, help)| self.problem(pointer, message, help)).ok()
    }

    pub(super) fn millis(&mut self, pointer: &str, time: Option<&written::Time>, default: u32) -> u32 {
        let Some(time) = time else { return default };
        let Some(millis) = self.parsed(pointer, units::duration_ms(&time.0)) else { return default };
        u32::try_from(millis).unwrap_or_else(|_| {
            self.problem(pointer, format!("`{}` is too long", time.0), "the longest time is 49d");
            default
        })
    }

    fn seconds(&mut self, pointer: &str, time: Option<&written::Time>, default: u64) -> u64 {
        let parsed = time.and_then(|time| self.parsed(pointer, units::duration_ms(&time.0)));
        parsed.map_or(default, |millis| millis / 1000)
    }

    fn bytes(&mut self, pointer: &str, size: Option<&written::Size>, default: u64) -> u64 {
        size.and_then(|size| self.parsed(pointer, units::size_bytes(&size.0))).unwrap_or(default)
    }

    fn bytes32(&mut self, pointer: &str, size: Option<&written::Size>, default: u32) -> u32 {
        let bytes = self.bytes(pointer, size, u64::from(default));
        u32::try_from(bytes).unwrap_or_else(|_| {
            let typed = size.map(|size| size.0.clone()).unwrap_or_default();
            self.problem(pointer, format!("`{typed}` is too large"), "the largest size here is 4 GiB");
            default
        })
    }

    fn address(&mut self, pointer: &str, text: &str) -> Option<SocketAddr> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let help = "write an address and a port, such as `0.0.0.0:8080`, `127.0.0.1:9901` or `[::]:8443`";
            self.problem(pointer, format!("`{text}` is no address to listen on"), help);
        }
        parsed
    }

    fn networks(&mut self, pointer: &str, list: &[String]) -> Vec<ipnet::IpNet> {
        let each = list.iter().enumerate();
        each.filter_map(|(at, text)| self.parsed(&format!("{pointer}/{at}"), units::network(text))).collect()
    }

    /// A file that is there and can be read.
    fn readable(&mut self, pointer: &str, text: &str) -> PathBuf {
        let path = self.base.join(text);
        let outcome = std::fs::File::open(&path).and_then(|file| file.metadata());
        match outcome {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => self.problem(pointer, format!("`{text}` is no file"), ""),
            Err(error) => {
                let help = format!("looked for it at `{}`", path.display());
                self.problem(pointer, format!("`{text}` cannot be read: {}", plain(&error)), help);
            }
        }
        path
    }

    pub(super) fn secret(&mut self, pointer: &str, secret: &written::Secret) -> Option<String> {
        let value = match secret.0.strip_prefix("file:") {
            None => secret.0.clone(),
            Some(name) => match std::fs::read_to_string(self.base.join(name)) {
                Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
                Err(error) => {
                    self.problem(pointer, format!("the secret `file:{name}` cannot be read: {}", plain(&error)), "");
                    return None;
                }
            },
        };
        if value.len() < 16 {
            self.problem(
                pointer,
                "the secret is shorter than 16 bytes".to_owned(),
                "make one with `openssl rand -hex 32`",
            );
            return None;
        }
        Some(value)
    }

    fn certificate(&mut self, pointer: &str, files: &written::Certificate) -> to::CertificateFiles {
        to::CertificateFiles {
            chain: self.readable(&format!("{pointer}/chain"), &files.chain),
            key: self.readable(&format!("{pointer}/key"), &files.key),
        }
    }

    /// Everything.
    pub fn settings(&mut self, written: &written::Configuration) -> Settings {
        let names = self.upstream_names();
        let upstreams: Vec<to::Upstream> = written
            .upstreams
            .iter()
            .enumerate()
            .map(|(at, upstream)| self.upstream(&format!("/upstreams/{at}"), upstream))
            .collect();
        self.require_some("/listeners", "listener", written.listeners.is_empty());
        self.require_some("/upstreams", "upstream", written.upstreams.is_empty());
        self.require_some("/apis", "API", written.apis.is_empty());
        self.twice("/upstreams", "upstream", written.upstreams.iter().map(|upstream| upstream.name.as_str()));
        self.twice("/apis", "API", written.apis.iter().map(|api| api.name.as_str()));
        let listeners = self.listeners(&written.listeners);
        let mut routes = Vec::new();
        for (at, api) in written.apis.iter().enumerate() {
            routes.extend(self.routes(&format!("/apis/{at}"), api, &names, &upstreams));
        }
        self.duplicate_routes(&written.apis);
        let data = self.base.join(written.data.dir.as_deref().unwrap_or("data"));
        let session_key = written.session.key.as_ref().and_then(|key| self.secret("/session/key", key));
        let gateway = to::Config {
            listeners,
            upstreams,
            routes,
            limits: self.limits(&written.limits),
            trusted_proxies: self.networks("/trusted_proxies", &written.trusted_proxies),
            forwarding_field: match written.forwarding_field {
                written::ForwardingField::XForwardedFor => ForwardingField::XForwardedFor,
                written::ForwardingField::Forwarded => ForwardingField::Forwarded,
            },
            session_identifiers: self.identifiers(&written.session.identifiers),
            session_key: super::key_from(session_key.as_deref().unwrap_or_default().as_bytes()),
            server_timing: self.server_timing(written),
            answer_detail: match written.answer_detail {
                written::AnswerDetail::Minimal => to::AnswerDetail::Minimal,
                written::AnswerDetail::Reason => to::AnswerDetail::Reason,
            },
            sample_every: written.sample_every.unwrap_or(super::SAMPLE_EVERY),
            workers: written.workers.map_or_else(super::cores, usize::from).max(1),
            tracing: written.tracing.as_ref().map(|tracing| self.sampling(tracing)),
            drain_timeout_ms: self.millis("/drain_timeout", written.drain_timeout.as_ref(), 30_000),
        };
        Settings {
            gateway,
            session_key_configured: written.session.key.is_some(),
            store: self.store(&written.data),
            data,
            admin: self.admin(&written.admin),
            admin_token: written.admin.token.as_ref().and_then(|token| self.secret("/admin/token", token)),
            alerts: super::alerts::meant(self, &written.alerts),
            observe: written.observe.as_ref().and_then(|observe| self.observe(observe)),
            access_log: self.access_log(&written.log),
            tracing: written.tracing.as_ref().and_then(|tracing| self.tracing(tracing)),
            level: written.log.level,
            file: Some(self.file.to_owned()),
            contracts: std::mem::take(&mut self.contracts),
            rules: std::mem::take(&mut self.rules),
        }
    }

    fn require_some(&mut self, pointer: &str, what: &str, empty: bool) {
        let written = matches!(&self.document.nearest(pointer).value, Value::List(items) if items.is_empty());
        if empty && written {
            self.problem(pointer, format!("there is no {what}"), "write at least one");
        }
    }

    fn twice<'n>(&mut self, pointer: &str, what: &str, names: impl Iterator<Item = &'n str>) {
        let mut seen: Vec<&str> = Vec::new();
        for (at, name) in names.enumerate() {
            if seen.contains(&name) {
                let help = format!("each {what} needs a name of its own");
                self.problem(&format!("{pointer}/{at}/name"), format!("the name `{name}` is taken"), help);
            }
            seen.push(name);
        }
    }

    /// Names of upstreams as they stand in the file, also of those that have mistakes: one mistake, one message.
    fn upstream_names(&self) -> Vec<String> {
        let Value::List(items) = &self.document.nearest("/upstreams").value else { return Vec::new() };
        let name = |item: &Node| match &item.nearest("/name").value {
            Value::Text(name) => Some(name.clone()),
            _ => None,
        };
        items.iter().filter_map(name).collect()
    }

    fn listeners(&mut self, written: &[written::Listener]) -> Vec<to::Listener> {
        let mut listeners: Vec<to::Listener> = Vec::new();
        for (at, listener) in written.iter().enumerate() {
            let pointer = format!("/listeners/{at}");
            let tls = listener.tls.as_ref().map(|tls| self.listener_tls(&format!("{pointer}/tls"), tls));
            let Some(addr) = self.address(&format!("{pointer}/address"), &listener.address) else { continue };
            if addr.port() != 0 && listeners.iter().any(|other| other.addr == addr) {
                self.problem(&format!("{pointer}/address"), format!("`{addr}` is listened on twice"), "");
            }
            let proxy_protocol = match listener.proxy_protocol {
                written::ProxyProtocol::Off => to::ProxyProtocol::Off,
                written::ProxyProtocol::Required => to::ProxyProtocol::Required,
            };
            listeners.push(to::Listener { addr, tls, proxy_protocol });
        }
        listeners
    }

    fn listener_tls(&mut self, pointer: &str, tls: &written::ListenerTls) -> to::TlsListener {
        if tls.certificates.is_empty() {
            self.problem(
                &format!("{pointer}/certificates"),
                "there is no certificate".to_owned(),
                "write at least one",
            );
        }
        let each = tls.certificates.iter().enumerate();
        let certificates =
            each.map(|(at, files)| self.certificate(&format!("{pointer}/certificates/{at}"), files)).collect();
        let client_certificates = match &tls.client_certificates {
            None => to::ClientCertificates::Off,
            Some(wanted) => {
                let authorities =
                    self.readable(&format!("{pointer}/client_certificates/authorities"), &wanted.authorities);
                match wanted.presence {
                    written::Presence::Required => to::ClientCertificates::Required { authorities },
                    written::Presence::Optional => to::ClientCertificates::Optional { authorities },
                }
            }
        };
        to::TlsListener { certificates, client_certificates }
    }

    fn upstream(&mut self, pointer: &str, written: &written::Upstream) -> to::Upstream {
        let at = |key: &str| format!("{pointer}/{key}");
        let mut upstream = to::Upstream::single(&written.name, "", 0);
        upstream.servers = self.servers(&at("servers"), &written.servers);
        upstream.protocol = match written.protocol {
            written::UpstreamProtocol::H1 => to::UpstreamProtocol::H1,
            written::UpstreamProtocol::H2 => to::UpstreamProtocol::H2,
        };
        upstream.tls = written.tls.as_ref().map(|tls| self.upstream_tls(&at("tls"), tls));
        upstream.balance = self.balance(pointer, written);
        upstream.health = written.health.as_ref().map(|health| self.health(&at("health"), health));
        let ejection = upstream.ejection;
        upstream.ejection = to::Ejection {
            failures_max: written.ejection.failures_max.unwrap_or(ejection.failures_max),
            eject_ms: self.millis(&at("ejection/time"), written.ejection.time.as_ref(), ejection.eject_ms),
        };
        upstream.connect_timeout_ms =
            self.millis(&at("connect_timeout"), written.connect_timeout.as_ref(), upstream.connect_timeout_ms);
        upstream.response_timeout_ms =
            self.millis(&at("response_timeout"), written.response_timeout.as_ref(), upstream.response_timeout_ms);
        upstream.idle_timeout_ms =
            self.millis(&at("idle_timeout"), written.idle_timeout.as_ref(), upstream.idle_timeout_ms);
        if let Some(max) = written.idle_connections_max {
            upstream.idle_connections_max = max as usize;
        }
        upstream.retries = to::Retries {
            max: written.retries.max.unwrap_or(upstream.retries.max),
            budget_percent: written.retries.budget_percent.unwrap_or(upstream.retries.budget_percent),
        };
        upstream.host.clone_from(&written.host);
        upstream
    }

    fn servers(&mut self, pointer: &str, written: &[written::Server]) -> Vec<to::Server> {
        if written.is_empty() {
            self.problem(pointer, "the upstream has no server".to_owned(), "write at least one `host:port`");
        }
        let mut servers: Vec<to::Server> = Vec::new();
        for (at, server) in written.iter().enumerate() {
            let (place, text, weight) = match server {
                written::Server::Address(text) => (format!("{pointer}/{at}"), text, 1),
                written::Server::Weighted(server) => {
                    (format!("{pointer}/{at}/address"), &server.address, server.weight)
                }
            };
            let Some((host, port)) = self.parsed(&place, units::host_and_port(text)) else { continue };
            if servers.iter().any(|other| other.host == host && other.port == port) {
                self.problem(&place, format!("the server `{text}` is written twice"), "give it a weight instead");
                continue;
            }
            servers.push(to::Server { host, port, weight });
        }
        servers
    }

    fn upstream_tls(&mut self, pointer: &str, tls: &written::UpstreamTls) -> to::UpstreamTls {
        let file = |meaning: &mut Self, key: &str, text: &String| meaning.readable(&format!("{pointer}/{key}"), text);
        to::UpstreamTls {
            server_name: tls.server_name.clone(),
            authorities: tls.authorities.as_ref().map(|text| file(self, "authorities", text)),
            client_certificate: tls
                .client_certificate
                .as_ref()
                .map(|files| self.certificate(&format!("{pointer}/client_certificate"), files)),
            verify: match tls.verify {
                written::Verify::Full => to::Verify::On,
                written::Verify::Insecure => to::Verify::Off,
            },
        }
    }

    fn balance(&mut self, pointer: &str, written: &written::Upstream) -> to::Balance {
        let by = written.hash_by.as_deref();
        if by.is_some() && written.balance != written::Balance::Hash {
            let help = "write `balance: hash`, or leave `hash_by` out";
            self.problem(
                &format!("{pointer}/hash_by"),
                "`hash_by` without `balance: hash` has no effect".to_owned(),
                help,
            );
        }
        match written.balance {
            written::Balance::RoundRobin => to::Balance::RoundRobin,
            written::Balance::LeastOutstanding => to::Balance::LeastOutstanding,
            written::Balance::Hash => to::Balance::Hash(match by.unwrap_or("client") {
                "client" => to::HashKey::Client,
                "session" => to::HashKey::Session,
                other => match other.strip_prefix("header:") {
                    Some(name) if !name.is_empty() => to::HashKey::Header(name.to_ascii_lowercase()),
                    _ => {
                        let help = "write `client`, `session` or `header:NAME`";
                        self.problem(&format!("{pointer}/hash_by"), format!("`{other}` cannot be hashed"), help);
                        to::HashKey::Client
                    }
                },
            }),
        }
    }

    fn health(&mut self, pointer: &str, health: &written::Health) -> to::HealthCheck {
        let at = |key: &str| format!("{pointer}/{key}");
        self.path(&at("path"), &health.path);
        let status = health.status.as_deref().unwrap_or("200-399");
        let (status_min, status_max) = self.parsed(&at("status"), units::status_range(status)).unwrap_or((200, 399));
        let check = to::HealthCheck {
            path: health.path.clone(),
            interval_ms: self.millis(&at("interval"), health.interval.as_ref(), 5_000),
            timeout_ms: self.millis(&at("timeout"), health.timeout.as_ref(), 2_000),
            healthy_after: health.healthy_after.unwrap_or(2),
            unhealthy_after: health.unhealthy_after.unwrap_or(3),
            status_min,
            status_max,
        };
        if check.interval_ms == 0 || check.timeout_ms == 0 {
            self.problem(pointer, "a health check needs an interval and a timeout above zero".to_owned(), "");
        } else if check.timeout_ms > check.interval_ms {
            self.problem(&at("timeout"), "the timeout is longer than the interval".to_owned(), "checks would overlap");
        }
        check
    }

    fn path(&mut self, pointer: &str, path: &str) {
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
            self.problem(pointer, format!("`{path}` is no path"), "a path begins with `/` and has no query");
        }
    }

    fn target(&mut self, pointer: &str, name: &str, names: &[String], upstreams: &[to::Upstream]) -> Option<usize> {
        if !names.iter().any(|known| known == name) {
            let help = match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write an entry with this name under `upstreams`".to_owned(),
            };
            self.problem(pointer, format!("there is no upstream `{name}`"), help);
        }
        upstreams.iter().position(|upstream| upstream.name == name)
    }

    fn routes(
        &mut self,
        pointer: &str,
        api: &written::Api,
        names: &[String],
        upstreams: &[to::Upstream],
    ) -> Vec<to::Route> {
        let at = |key: &str| format!("{pointer}/{key}");
        let mut targets = Vec::new();
        match &api.upstream {
            written::Target::Name(name) => {
                targets.extend(self.target(&at("upstream"), name, names, upstreams).map(|index| (index, 1)));
            }
            written::Target::Split(split) => {
                for (name, weight) in split {
                    let place = at(&format!("upstream/{name}"));
                    targets.extend(self.target(&place, name, names, upstreams).map(|index| (index, *weight)));
                }
                if split.values().all(|&weight| weight == 0) {
                    self.problem(&at("upstream"), "every weight is zero".to_owned(), "one must be above zero");
                }
            }
        }
        let mirror = api.mirror.as_ref().and_then(|mirror| {
            let index = self.target(&at("mirror/upstream"), &mirror.upstream, names, upstreams)?;
            Some((index, mirror.percent))
        });
        for (index, host) in api.hosts.iter().enumerate() {
            self.host(&at(&format!("hosts/{index}")), host);
        }
        let policy = Arc::new(self.policy(pointer, api));
        let root = ["/".to_owned()];
        let paths = if api.paths.is_empty() { &root[..] } else { &api.paths[..] };
        let mut routes = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            self.path(&at(&format!("paths/{index}")), path);
            routes.push(to::Route {
                hosts: api.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
                path_prefix: path.clone(),
                headers: api.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
                targets: targets.clone(),
                mirror,
                rewrite: api.rewrite.as_ref().map(|rewrite| to::Rewrite {
                    strip_prefix: rewrite.strip_prefix.clone(),
                    add_prefix: rewrite.add_prefix.clone(),
                }),
                policy: Arc::clone(&policy),
            });
        }
        routes
    }

    fn host(&mut self, pointer: &str, host: &str) {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let good = host == "*"
            || (!name.is_empty()
                && name.split('.').all(|label| !label.is_empty())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')));
        if !good {
            let help = "write a host without port, such as `api.example.com`, `*.example.com`, or `*`";
            self.problem(pointer, format!("`{host}` is no host"), help);
        }
    }

    fn duplicate_routes(&mut self, apis: &[written::Api]) {
        let mut seen: Vec<(String, String, &std::collections::BTreeMap<String, String>, &str)> = Vec::new();
        for (at, api) in apis.iter().enumerate() {
            let any = ["*".to_owned()];
            let root = ["/".to_owned()];
            let hosts = if api.hosts.is_empty() { &any[..] } else { &api.hosts[..] };
            let paths = if api.paths.is_empty() { &root[..] } else { &api.paths[..] };
            for (host, path) in hosts.iter().flat_map(|host| paths.iter().map(move |path| (host, path))) {
                let host = host.to_ascii_lowercase();
                let path = path.trim_end_matches('/').to_owned();
                let same = seen.iter().find(|(h, p, headers, _)| *h == host && *p == path && *headers == &api.headers);
                if let Some((_, _, _, other)) = same {
                    let message = format!("the route `{host}{path}/` of `{}` is already taken by `{other}`", api.name);
                    self.problem(&format!("/apis/{at}"), message, "tell them apart by host, path or header");
                }
                seen.push((host, path, &api.headers, &api.name));
            }
        }
    }

    fn policy(&mut self, pointer: &str, api: &written::Api) -> Policy {
        let at = |key: &str| format!("{pointer}/{key}");
        let mut policy = Policy::new(ApiName::from(api.name.as_str()), mode(api.mode));
        let written::Modes { hygiene, clients, contract, attacks, crs, leakage } = &api.modes;
        let mut modes = StageModes::all(mode(api.mode));
        for (stage, own) in [
            (StageId::Hygiene, hygiene),
            (StageId::Clients, clients),
            (StageId::Contract, contract),
            (StageId::Attacks, attacks),
            (StageId::Crs, crs),
            (StageId::Leakage, leakage),
        ] {
            if let Some(own) = own {
                modes.set(stage, mode(*own));
            }
        }
        policy.modes = modes;
        policy.on_failure = match api.on_failure {
            written::OnFailure::Open => OnFailure::Open,
            written::OnFailure::Closed => OnFailure::Closed,
        };
        policy.refusal_status = api.refusal_status;
        let allow = self.networks(&at("clients/allow"), &api.clients.allow);
        let deny = self.networks(&at("clients/deny"), &api.clients.deny);
        policy.clients = ClientLists::new(&allow, &deny);
        policy.hygiene = self.hygiene(&at("hygiene"), &api.hygiene);
        policy.attacks = protection::attacks(&api.attacks);
        policy.leakage = self.leakage(&at("leakage"), &api.leakage);
        for (index, exception) in api.exceptions.iter().enumerate() {
            policy.exceptions.extend(self.exception(&at(&format!("exceptions/{index}")), exception));
        }
        policy.contract = api.contract.as_ref().and_then(|contract| self.contract(&at("contract"), contract));
        policy.crs = api.crs.as_ref().and_then(|crs| self.crs(&at("crs"), crs));
        policy
    }

    /// Loaded rules; every mistake in them is a mistake of the configuration.
    fn crs(&mut self, pointer: &str, written: &written::Crs) -> Option<CrsPolicy> {
        let path = self.base.join(&written.dir);
        for (at, exclusion) in written.exclusions.iter().enumerate() {
            if exclusion.rules.is_some() == exclusion.tag.is_some() {
                let message = "an exclusion names rules or a tag, one of them".to_owned();
                let help = "write `rules: 942100` or `tag: attack-sqli`";
                self.problem(&format!("{pointer}/exclusions/{at}"), message, help);
                return None;
            }
        }
        let settings = rules::settings(written);
        if let Some(known) = self.rules.iter().find(|known| known.path == path && known.settings == settings) {
            return Some(CrsPolicy { rules: Arc::clone(&known.rules) });
        }
        match rules::load(&path, settings) {
            Ok(loaded) => {
                let policy = CrsPolicy { rules: Arc::clone(&loaded.rules) };
                self.rules.push(loaded);
                Some(policy)
            }
            Err(problems) => {
                for problem in problems.iter().take(RULE_ERRORS_MAX) {
                    let shown = problem.to_string();
                    let (message, place) = shown.split_once('\n').unwrap_or((&shown, ""));
                    self.problem(&format!("{pointer}/dir"), format!("the rules cannot be loaded: {message}"), place);
                }
                None
            }
        }
    }

    fn exception(&mut self, pointer: &str, written: &written::Exception) -> Option<Exception> {
        let reason = Reason::from_code(&written.reason);
        if reason.is_none() {
            let codes: Vec<&str> = Reason::all().map(Reason::code).collect();
            let help = match nearest(&written.reason, codes.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "reasons look like `hygiene.host-missing`; events show them".to_owned(),
            };
            self.problem(&format!("{pointer}/reason"), format!("there is no reason `{}`", written.reason), help);
        }
        let until = match written.until.as_deref().map(str::parse::<jiff::Timestamp>) {
            None => None,
            Some(Ok(time)) => Some(Timestamp(time.as_microsecond())),
            Some(Err(_)) => {
                let text = written.until.as_deref().unwrap_or_default();
                let help = "write it as `2027-01-31T00:00:00Z`";
                self.problem(&format!("{pointer}/until"), format!("`{text}` is no time"), help);
                None
            }
        };
        Some(Exception {
            endpoint: None,
            path_prefix: written.path.clone(),
            place: written.place.clone(),
            reason: reason?,
            until,
        })
    }

    fn limits(&mut self, written: &written::Limits) -> Limits {
        let written::Limits {
            head_bytes_max,
            target_bytes_max,
            fields_max,
            trailer_bytes_max,
            body_bytes_max,
            inspect_bytes_max,
            head_timeout,
            idle_timeout,
            handshake_timeout,
            upload_bytes_per_s_min,
            write_timeout,
            requests_per_connection_max,
            connections_max,
            connections_per_client_max,
            h2_streams_max,
            h2_resets_per_s_max,
            h2_control_frames_per_s_max,
            h2_continuations_per_head_max,
        } = written;
        let own = Limits::default();
        let at = |key: &str| format!("/limits/{key}");
        let connections_max = connections_max.unwrap_or(own.connections_max);
        let limits = Limits {
            head_bytes_max: self.bytes32(&at("head_bytes_max"), head_bytes_max.as_ref(), own.head_bytes_max),
            target_bytes_max: self.bytes32(&at("target_bytes_max"), target_bytes_max.as_ref(), own.target_bytes_max),
            fields_max: fields_max.unwrap_or(own.fields_max),
            trailer_bytes_max: self.bytes32(
                &at("trailer_bytes_max"),
                trailer_bytes_max.as_ref(),
                own.trailer_bytes_max,
            ),
            body_bytes_max: self.bytes(&at("body_bytes_max"), body_bytes_max.as_ref(), own.body_bytes_max),
            inspect_bytes_max: self.bytes32(
                &at("inspect_bytes_max"),
                inspect_bytes_max.as_ref(),
                own.inspect_bytes_max,
            ),
            head_timeout_ms: self.millis(&at("head_timeout"), head_timeout.as_ref(), own.head_timeout_ms),
            idle_timeout_ms: self.millis(&at("idle_timeout"), idle_timeout.as_ref(), own.idle_timeout_ms),
            handshake_timeout_ms: self.millis(
                &at("handshake_timeout"),
                handshake_timeout.as_ref(),
                own.handshake_timeout_ms,
            ),
            upload_bytes_per_s_min: upload_bytes_per_s_min.unwrap_or(own.upload_bytes_per_s_min),
            write_timeout_ms: self.millis(&at("write_timeout"), write_timeout.as_ref(), own.write_timeout_ms),
            requests_per_connection_max: requests_per_connection_max.unwrap_or(own.requests_per_connection_max),
            connections_max,
            // A smaller limit in all lowers the default for one client with it.
            connections_per_client_max: connections_per_client_max
                .unwrap_or(own.connections_per_client_max.min(connections_max)),
            h2_streams_max: h2_streams_max.unwrap_or(own.h2_streams_max),
            h2_resets_per_s_max: h2_resets_per_s_max.unwrap_or(own.h2_resets_per_s_max),
            h2_control_frames_per_s_max: h2_control_frames_per_s_max.unwrap_or(own.h2_control_frames_per_s_max),
            h2_continuations_per_head_max: h2_continuations_per_head_max.unwrap_or(own.h2_continuations_per_head_max),
        };
        for sentence in limits.contradictions() {
            // Times are written without their unit in the key.
            let sentence = sentence.replace("_ms`", "`");
            let key = sentence.split('`').nth(1).unwrap_or_default();
            let other = sentence.split('`').nth(3).unwrap_or_default();
            let written = |key: &str| self.document.nearest(&at(key)).spot != self.document.nearest("/limits").spot;
            let place = if written(key) || other.is_empty() { at(key) } else { at(other) };
            self.problem(&place, sentence, "");
        }
        limits
    }

    fn identifiers(&mut self, written: &[written::Identifier]) -> Vec<to::SessionIdentifier> {
        let mut identifiers = Vec::new();
        for (at, identifier) in written.iter().enumerate() {
            let written::Identifier { header, cookie, query, jwt_claim } = identifier.clone();
            let mut found: Vec<to::SessionIdentifier> = Vec::new();
            found.extend(header.map(|name| to::SessionIdentifier::Header(name.to_ascii_lowercase())));
            found.extend(cookie.map(to::SessionIdentifier::Cookie));
            found.extend(query.map(to::SessionIdentifier::Query));
            found.extend(jwt_claim.map(to::SessionIdentifier::JwtClaim));
            if found.len() != 1 {
                let help = "write one of `header`, `cookie`, `query`, `jwt_claim`, and another entry for each more";
                let message = format!("a session identifier has exactly one key, this one has {}", found.len());
                self.problem(&format!("/session/identifiers/{at}"), message, help);
            }
            identifiers.append(&mut found);
        }
        identifiers
    }

    fn server_timing(&mut self, written: &written::Configuration) -> to::ServerTiming {
        let token = written.server_timing_token.as_ref();
        match (written.server_timing, token) {
            (written::ServerTiming::Off, _) => to::ServerTiming::Off,
            (written::ServerTiming::Always, _) => to::ServerTiming::Always,
            (written::ServerTiming::OnRequest, None) => {
                let help = "anyone could ask otherwise; write `server_timing_token`";
                self.problem("/server_timing", "`on_request` needs a token".to_owned(), help);
                to::ServerTiming::Off
            }
            (written::ServerTiming::OnRequest, Some(token)) => {
                self.secret("/server_timing_token", token).map_or(to::ServerTiming::Off, to::ServerTiming::OnRequest)
            }
        }
    }

    fn admin(&mut self, written: &written::Admin) -> SocketAddr {
        let text = written.address.as_deref().unwrap_or("127.0.0.1:9901");
        let addr = self.address("/admin/address", text).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9901)));
        if !addr.ip().is_loopback() && written.token.is_none() {
            let help = "write `token` beside it, or listen on 127.0.0.1";
            self.problem("/admin/address", format!("`{text}` can be reached by others and has no token"), help);
        }
        addr
    }

    fn observe(&mut self, written: &written::Observe) -> Option<Observe> {
        let address = self.address("/observe/address", &written.address)?;
        if !address.ip().is_loopback() && written.token.is_none() {
            let help = "write `token` beside it, or listen on 127.0.0.1";
            let text = &written.address;
            self.problem("/observe/address", format!("`{text}` can be reached by others and has no token"), help);
        }
        let token = written.token.as_ref().and_then(|token| self.secret("/observe/token", token));
        Some(Observe { address, token })
    }

    fn sampling(&mut self, written: &written::Tracing) -> to::Tracing {
        let typed = written.sample_percent.as_ref().map_or("10", |percent| &percent.0);
        let percent = typed.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).unwrap_or_else(|| {
            let help = "write a share between 0 and 100, such as `0.5`";
            self.problem("/tracing/sample_percent", format!("`{typed}` is no percentage"), help);
            0.0
        });
        to::Tracing {
            // The range was checked, so nothing is cut.
            sample_per_million: (percent * 10_000.0_f64).round() as u32,
            believe: match written.believe {
                written::Believe::Nobody => to::Believe::Nobody,
                written::Believe::TrustedProxies => to::Believe::TrustedProxies,
                written::Believe::Everyone => to::Believe::Everyone,
            },
        }
    }

    fn tracing(&mut self, written: &written::Tracing) -> Option<Tracing> {
        let help = "write the address of a collector near by, such as `http://127.0.0.1:4318`; it forwards over TLS";
        let Some(rest) = written.endpoint.strip_prefix("http://") else {
            self.problem("/tracing/endpoint", format!("`{}` does not begin with `http://`", written.endpoint), help);
            return None;
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:4318") };
        self.parsed("/tracing/endpoint", units::host_and_port(&authority))?;
        // The base of a collector takes traces at this path (OTLP/HTTP); a longer one is meant as it stands.
        let path = if matches!(path, "" | "/") { "/v1/traces" } else { path };
        if path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            self.problem("/tracing/endpoint", format!("`{path}` is no path"), help);
            return None;
        }
        let service = written.service.clone().unwrap_or_else(|| "portreeve".to_owned());
        Some(Tracing { authority, path: path.to_owned(), service })
    }

    fn access_log(&mut self, written: &written::Log) -> Option<AccessLog> {
        match written.access.as_deref().unwrap_or("off") {
            "off" => None,
            "stdout" => Some(AccessLog::Stdout),
            path => {
                let path = self.base.join(path);
                if !path.parent().is_some_and(Path::is_dir) {
                    let message = format!("the directory of `{}` is not there", path.display());
                    self.problem("/log/access", message, "write `off`, `stdout` or a file in a directory that exists");
                }
                Some(AccessLog::File(path))
            }
        }
    }

    fn store(&mut self, written: &written::Data) -> store::Settings {
        let own = store::Settings::default();
        let settings = store::Settings {
            events_age_s_max: self.seconds("/data/events_age", written.events_age.as_ref(), own.events_age_s_max),
            events_bytes_max: self.bytes("/data/events_size", written.events_size.as_ref(), own.events_bytes_max),
            ordinary_share: written.ordinary_percent.map_or(own.ordinary_share, |percent| f32::from(percent) / 100.0),
            minutes_age_s_max: self.seconds("/data/minutes_age", written.minutes_age.as_ref(), own.minutes_age_s_max),
            hours_age_s_max: self.seconds("/data/hours_age", written.hours_age.as_ref(), own.hours_age_s_max),
            ..own
        };
        for sentence in settings.contradictions() {
            let sentence = sentence.replace("_s_max`", "`");
            let key = sentence.split('`').nth(1).unwrap_or_default();
            self.problem(&format!("/data/{key}"), sentence.replace("ordinary_share", "ordinary_percent"), "");
        }
        settings
    }
}

fn mode(written: written::Mode) -> Mode {
    match written {
        written::Mode::Off => Mode::Off,
        written::Mode::Monitor => Mode::Monitor,
        written::Mode::Block => Mode::Block,
    }
}

/// An I/O error without the number the system gives it.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_ascii_lowercase(),
    }
}
