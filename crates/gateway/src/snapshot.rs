//! The configuration compiled: what one exchange runs under from its beginning to its end.
//!
//! A snapshot is swapped whole. Exchanges under way keep the one they began with.

use std::sync::Arc;

use crate::Error;
use crate::balance::{Balancer, RetryBudget};
use crate::config::{self, AnswerDetail, Config, UpstreamProtocol};
use crate::forwarded::TrustedProxies;
use crate::resolve;
use crate::router::Router;
use crate::tls::{ClientTls, ServerTls};
use crate::upstream::{Server, Upstream};

/// The configuration compiled.
pub struct Snapshot {
    /// As configured.
    pub config: Config,
    /// Finds the route of a request.
    pub router: Router,
    /// The upstreams, in the order of the configuration.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Peers whose forwarding fields are believed.
    pub trusted_proxies: TrustedProxies,
    /// TLS of each listener, in the order of the configuration.
    pub tls: Vec<Option<Arc<ServerTls>>>,
}

impl Snapshot {
    /// Compiles a configuration. Servers that were in `before` keep their connections, their health and their counts.
    ///
    /// # Errors
    /// The first thing that is wrong, in one sentence.
    pub fn compile(config: Config, before: Option<&Self>) -> Result<Self, Error> {
        let router = Router::compile(&config.routes, config.upstreams.len()).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(|problem| problem.text.clone()).collect();
            Error::Routes(texts.join("; "))
        })?;
        let mut upstreams = Vec::with_capacity(config.upstreams.len());
        for upstream in &config.upstreams {
            upstreams.push(compile_upstream(upstream, before)?);
        }
        let mut tls = Vec::with_capacity(config.listeners.len());
        for listener in &config.listeners {
            tls.push(match &listener.tls {
                Some(settings) => Some(server_tls(settings, before)?),
                None => None,
            });
        }
        let trusted_proxies = TrustedProxies::new(&config.trusted_proxies, config.forwarding_field);
        Ok(Self { config, router, upstreams, trusted_proxies, tls })
    }

    /// True when our answers name the reason.
    pub fn explains(&self) -> bool {
        self.config.answer_detail == AnswerDetail::Reason
    }

    /// True when a server of this identity belongs to some upstream.
    pub fn knows_server(&self, id: u64) -> bool {
        self.upstreams.iter().any(|upstream| upstream.servers.iter().any(|server| server.id == id))
    }
}

/// TLS of a listener; settings that stay the same keep their session keys and read their certificates again.
fn server_tls(settings: &config::TlsListener, before: Option<&Snapshot>) -> Result<Arc<ServerTls>, Error> {
    let known = before.and_then(|before| {
        let at = before.config.listeners.iter().position(|listener| listener.tls.as_ref() == Some(settings))?;
        before.tls.get(at)?.clone()
    });
    match known {
        Some(known) => {
            known.reload()?;
            Ok(known)
        }
        None => Ok(Arc::new(ServerTls::load(settings)?)),
    }
}

fn compile_upstream(upstream: &config::Upstream, before: Option<&Snapshot>) -> Result<Arc<Upstream>, Error> {
    let known = before.and_then(|before| before.upstreams.iter().find(|known| known.config == *upstream));
    if let Some(known) = known {
        return Ok(Arc::clone(known));
    }
    // A server that stays what it was keeps its identity, and with it the connections in the pools.
    let same_name = before.and_then(|before| before.upstreams.iter().find(|known| known.config.name == upstream.name));
    let kept = same_name.filter(|known| known.config.tls == upstream.tls && known.config.protocol == upstream.protocol);
    let mut servers = Vec::with_capacity(upstream.servers.len());
    for server in &upstream.servers {
        let same = kept.and_then(|known| known.servers.iter().find(|known| known.config == *server));
        if let Some(same) = same {
            servers.push(Arc::clone(same));
            continue;
        }
        let addresses = resolve::now(&server.host, server.port)?;
        let tls = match &upstream.tls {
            None => None,
            Some(settings) => {
                let alpn: &[&[u8]] = match upstream.protocol {
                    UpstreamProtocol::H1 => &[b"http/1.1"],
                    UpstreamProtocol::H2 => &[b"h2"],
                };
                let tls = ClientTls::load(settings, &server.host, alpn)?;
                Some((tls.config, tls.server_name))
            }
        };
        servers.push(Arc::new(Server::new(server.clone(), addresses, tls)));
    }
    let balancer = Balancer::new(&upstream.balance, &upstream.servers, upstream.ejection);
    for (index, server) in upstream.servers.iter().enumerate() {
        // Its weight may have changed; it is the same server.
        let same = |known: &config::Server| known.host == server.host && known.port == server.port;
        let at = kept.and_then(|known| Some((known, known.config.servers.iter().position(same)?)));
        if let Some((known, before)) = at {
            balancer.take_over(index, &known.balancer, before, upstream.health.is_some());
        }
    }
    Ok(Arc::new(Upstream {
        balancer,
        retry_budget: RetryBudget::new(upstream.retries.budget_percent),
        servers,
        config: upstream.clone(),
    }))
}
