//! `portreeve run`: from flags or a configuration file to a process that carries traffic.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use gateway::config as to;
use model::Mode;
use tracing_subscriber::EnvFilter;

use super::Outcome;
use crate::config::{self, Settings, written::Level};
use crate::run::service::{self, Word};
use crate::run::{From, Portreeve, handover, signals};

/// Stands in front of an upstream or of everything a configuration names.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)))]
pub struct Arguments {
    /// The service to stand in front of, such as `http://127.0.0.1:3000`.
    #[arg(long, value_name = "URL", group = "what", conflicts_with = "config")]
    upstream: Option<String>,
    /// The configuration file.
    #[arg(long, value_name = "FILE", group = "what")]
    config: Option<PathBuf>,
    /// Where clients connect; 127.0.0.1:8080 when there is no configuration file.
    #[arg(long, value_name = "ADDR", conflicts_with = "config")]
    listen: Option<SocketAddr>,
    /// How far every stage may go: `monitor`, `block` or `off`; monitor when there is no configuration file.
    #[arg(long, value_parser = super::mode, conflicts_with = "config")]
    mode: Option<Mode>,
    /// Rules in SecLang for every request: the folder of the OWASP Core Rule Set.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    crs: Option<PathBuf>,
    /// Where everything is kept; `data` when there is no configuration file.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where metrics, health and administration are; 127.0.0.1:9901 when there is no configuration file.
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Data-plane threads; one per core when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

/// Runs the command.
///
/// # Errors
/// One sentence about what is in the way.
pub fn run(arguments: &Arguments) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let caught = signals::Signals::catch(&runtime)?;
    let settings = settings(arguments)?;
    log_to_stderr(settings.level);
    for told in settings.unenforced() {
        tracing::warn!("{told}");
    }
    for loaded in &settings.rules {
        tracing::info!("{}", loaded.summary());
        for note in &loaded.notes {
            tracing::debug!(at = %note.position, "{}", note.message);
        }
    }
    let data = settings.data.clone();
    let contracts = settings.contracts.clone();
    let mut line = None;
    let from = match std::env::var_os(handover::VARIABLE) {
        Some(path) => {
            let mut inherited = handover::inherit(&PathBuf::from(path))?;
            line = inherited.line();
            From::Predecessor(inherited)
        }
        None => match service::sockets()? {
            passed if passed.is_empty() => From::Nothing,
            passed => From::ServiceManager(passed),
        },
    };
    let mode =
        settings.gateway.routes.first().map_or("off", |route| match route.policy.modes.of(model::StageId::Hygiene) {
            Mode::Off => "off",
            Mode::Monitor => "monitor",
            Mode::Block => "block",
        });
    let portreeve = Portreeve::start(settings, from)?;
    for address in portreeve.addresses() {
        tracing::info!(%address, mode, "carrying traffic");
    }
    tracing::info!(address = %portreeve.admin_address(), data = %data.display(), "metrics and health");
    if let Some(line) = line {
        handover::tell_ready(&line);
    }
    service::tell(Word::Ready);
    let configuration = arguments.config.as_deref();
    let ended = runtime.block_on(signals::wait(caught, &portreeve, configuration, &contracts, &data, None));
    tracing::info!(why = ?ended, "draining");
    if ended != signals::Ended::Replaced {
        // A predecessor that drains is no longer what the service manager looks after.
        service::tell(Word::Stopping);
    }
    drop(runtime);
    let health = portreeve.stop();
    tracing::info!(exchanges = health.exchanges, events = health.events, dropped = health.events_dropped, "stopped");
    Ok(())
}

fn settings(arguments: &Arguments) -> Result<Settings, Box<dyn std::error::Error>> {
    let mut settings = match (&arguments.config, &arguments.upstream) {
        (Some(path), _) => config::load(path)?,
        (None, Some(upstream)) => {
            let listen = arguments.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
            let mode = arguments.mode.unwrap_or(Mode::Monitor);
            let admin = SocketAddr::from(([127, 0, 0, 1], 9901));
            crate::settings_of_upstream(upstream_of(upstream)?, "default", listen, mode, "data".as_ref(), admin)
        }
        (None, None) => return Err("write `--upstream URL` or `--config FILE`".into()),
    };
    if let Some(folder) = &arguments.crs {
        let told = |problems: Vec<seclang::error::Problem>| {
            problems.iter().map(|problem| format!("{problem}\n")).collect::<Vec<_>>().join("\n")
        };
        let loaded = config::rules::load(folder, seclang::Settings::default()).map_err(told)?;
        for route in &mut settings.gateway.routes {
            let mut policy = inspect::Policy::clone(&route.policy);
            policy.crs = Some(inspect::stages::crs::CrsPolicy { rules: Arc::clone(&loaded.rules) });
            route.policy = Arc::new(policy);
        }
        settings.rules.push(loaded);
    }
    if let Some(data) = &arguments.data {
        settings.data.clone_from(data);
    }
    if let Some(admin) = arguments.admin {
        if !admin.ip().is_loopback() && settings.admin_token.is_none() {
            return Err(format!(
                "`{admin}` can be reached by others and has no token; write `admin.token` in a configuration file"
            )
            .into());
        }
        settings.admin = admin;
    }
    if let Some(workers) = arguments.workers {
        settings.gateway.workers = usize::from(workers);
    }
    Ok(settings)
}

/// An upstream from `http://host:port`, `https://host` or `h2c://host:port`.
fn upstream_of(url: &str) -> Result<to::Upstream, String> {
    let wrong = |why: &str| format!("`{url}` is no upstream: {why}; write it as `http://127.0.0.1:3000`");
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("the scheme is missing"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('/') {
        return Err(wrong("a path belongs into a configuration file, as `rewrite`"));
    }
    let (default_port, tls, protocol) = match scheme {
        "http" => (80, None, to::UpstreamProtocol::H1),
        "https" => (443, Some(to::UpstreamTls::default()), to::UpstreamProtocol::H1),
        "h2c" => (80, None, to::UpstreamProtocol::H2),
        _ => return Err(wrong("the scheme is none of `http`, `https`, `h2c`")),
    };
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let with_port = if has_port { authority.to_owned() } else { format!("{authority}:{default_port}") };
    let (host, port) = config::units::host_and_port(&with_port).map_err(|(message, _)| message)?;
    let mut upstream = to::Upstream::single("upstream", &host, port);
    upstream.tls = tls;
    upstream.protocol = protocol;
    Ok(upstream)
}

/// What the program says about itself goes to standard error; `RUST_LOG` wins over the configuration.
fn log_to_stderr(level: Level) {
    let default = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let plain = std::env::var_os("NO_COLOR").is_some() || !std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(!plain);
    // Only the first call can set it; tests that call this twice keep the first.
    let _ = subscriber.with_target(false).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_from_urls() {
        let read = |url: &str| {
            upstream_of(url).map(|upstream| {
                let server = upstream.servers[0].clone();
                (server.host, server.port, upstream.tls.is_some())
            })
        };
        assert_eq!(read("http://127.0.0.1:3000"), Ok(("127.0.0.1".to_owned(), 3000, false)));
        assert_eq!(read("https://api.example.com/"), Ok(("api.example.com".to_owned(), 443, true)));
        assert_eq!(read("http://[::1]:80"), Ok(("::1".to_owned(), 80, false)));
        for wrong in ["127.0.0.1:3000", "ftp://x", "http://", "http://a/b", "http://a:99999"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
