//! The binary: configuration, wiring, command line.

mod alerts;
mod commands;
mod config;
mod demo;
mod learned;
mod replay;
mod run;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gateway::config as to;
use inspect::Policy;
use model::{ApiName, Mode, Timestamp};

use config::Settings;

fn main() -> ExitCode {
    commands::main()
}

/// The time: the only place beside the data path that asks the clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The settings of a gateway that has no configuration file: one listener, one upstream, one API.
pub(crate) fn settings_of_flags(
    upstream: SocketAddr,
    api: &str,
    listen: SocketAddr,
    mode: Mode,
    data: &Path,
    admin: SocketAddr,
) -> Settings {
    let upstream = to::Upstream::single("upstream", &upstream.ip().to_string(), upstream.port());
    settings_of_upstream(upstream, api, listen, mode, data, admin)
}

/// As [`settings_of_flags`], with an upstream of any kind.
pub(crate) fn settings_of_upstream(
    upstream: to::Upstream,
    api: &str,
    listen: SocketAddr,
    mode: Mode,
    data: &Path,
    admin: SocketAddr,
) -> Settings {
    let policy = Arc::new(Policy::new(ApiName::from(api), mode));
    Settings {
        gateway: to::Config {
            listeners: vec![to::Listener { addr: listen, tls: None, proxy_protocol: to::ProxyProtocol::Off }],
            upstreams: vec![upstream],
            routes: vec![to::Route::everything(policy)],
            limits: model::Limits::default(),
            trusted_proxies: Vec::new(),
            forwarding_field: gateway::forwarded::ForwardingField::default(),
            session_identifiers: vec![to::SessionIdentifier::Header("authorization".to_owned())],
            session_key: [0; 32],
            server_timing: to::ServerTiming::Off,
            answer_detail: to::AnswerDetail::default(),
            sample_every: config::SAMPLE_EVERY,
            workers: config::cores(),
            drain_timeout_ms: 30_000,
            tracing: None,
        },
        session_key_configured: false,
        store: store::Settings::default(),
        data: data.to_owned(),
        admin,
        admin_token: None,
        alerts: alerts::Settings::default(),
        observe: None,
        access_log: None,
        tracing: None,
        level: config::written::Level::Info,
        file: None,
        contracts: Vec::new(),
        rules: Vec::new(),
    }
}
