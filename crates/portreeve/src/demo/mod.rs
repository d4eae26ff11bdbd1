//! `portreeve demo`: a sample API, the gateway in front of it, and traffic, in one process and with nothing else installed.

pub mod api;
pub mod client;
pub mod grpc;
pub mod openapi;
pub mod pages;
pub mod stream;
pub mod traffic;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Mode;

use crate::commands::Outcome;
use crate::run::signals::{self, Ended, Signals};
use crate::run::{From, Portreeve};
use crate::settings_of_flags;

/// Starts a sample API, the gateway and traffic, and says where to look.
#[derive(clap::Args)]
pub struct Arguments {
    /// End after this time, such as `30s`; runs until interrupted when absent.
    #[arg(long = "for", value_name = "TIME", value_parser = crate::commands::time)]
    time: Option<Duration>,
    /// Where the gateway listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where metrics and administration are.
    #[arg(long, default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
    /// Where events are kept; a fresh temporary directory when absent.
    #[arg(long)]
    data: Option<PathBuf>,
    /// How far the stages may go: `monitor` or `block`.
    #[arg(long, default_value = "monitor", value_parser = crate::commands::mode)]
    mode: Mode,
    /// The number that the traffic is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the demo.
///
/// # Errors
/// When a port or the data directory cannot be had.
pub fn run(arguments: &Arguments) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let caught = Signals::catch(&runtime)?;
    let shop_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let shop = api::Shop::new(arguments.seed);
    let listener = shop_runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let upstream = listener.local_addr()?;
    shop_runtime.spawn(api::serve(listener, Arc::clone(&shop)));

    let data = match &arguments.data {
        Some(data) => data.clone(),
        None => std::env::temp_dir().join(format!("portreeve-demo-{}", std::process::id())),
    };
    let temporary = arguments.data.is_none();
    let outcome = with_gateway(arguments, upstream, &data, &shop_runtime, (&runtime, caught));
    shop_runtime.shutdown_background();
    if temporary {
        // What nobody asked to keep is taken away, also after an error.
        let _ = std::fs::remove_dir_all(&data);
    }
    outcome
}

fn with_gateway(
    arguments: &Arguments,
    upstream: SocketAddr,
    data: &std::path::Path,
    actors_runtime: &tokio::runtime::Runtime,
    (runtime, caught): (&tokio::runtime::Runtime, Signals),
) -> Outcome {
    let mut settings = settings_of_flags(upstream, "shop", arguments.listen, arguments.mode, data, arguments.admin);
    // The actors say where they come from as a proxy in front would.
    settings.gateway.trusted_proxies = vec![ipnet::IpNet::from(std::net::IpAddr::from([127, 0, 0, 1]))];
    settings.gateway.session_identifiers = vec![gateway::config::SessionIdentifier::Header("authorization".to_owned())];
    settings.gateway.sample_every = 4;
    settings.gateway.drain_timeout_ms = 3_000;
    let portreeve = Portreeve::start(settings, From::Nothing)?;
    let target = portreeve.addresses().first().copied().unwrap_or(arguments.listen);
    tell(&portreeve, target, data)?;

    let done = Arc::new(traffic::Done::default());
    let actors = {
        let _inside = actors_runtime.enter();
        traffic::start(target, arguments.seed, &done)
    };
    let ended = runtime.block_on(signals::wait(caught, &portreeve, None, &[], data, arguments.time));
    let _inside = actors_runtime.enter();
    drop(actors);
    let metrics = Arc::clone(&portreeve.metrics);
    let counters = Arc::clone(portreeve.gateway.counters());
    let health = portreeve.stop();

    let mut out = std::io::stdout().lock();
    let word = if ended == Ended::TimeOver { "the time is over" } else { "stopped" };
    writeln!(out, "\n{word}. What was sent:")?;
    for (actor, count) in traffic::Actor::ALL.iter().zip(&done.by_actor) {
        writeln!(out, "  {:<12} {:>7} requests", actor.name(), count.load(Ordering::Relaxed))?;
    }
    let classes: Vec<u64> = done.by_class.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let names = ["no answer", "1xx", "2xx", "3xx", "4xx", "5xx"];
    let answers = names.iter().zip(&classes).filter(|(_, count)| **count > 0);
    let answers: Vec<String> = answers.map(|(name, count)| format!("{name} {count}")).collect();
    writeln!(out, "  answers: {}", answers.join(", "))?;
    writeln!(
        out,
        "What was recorded:\n  events {}, dropped {}, endpoints found by learning {}",
        health.exchanges,
        counters.events_dropped.value(),
        metrics.endpoints_learned.load(Ordering::Relaxed),
    )?;
    Ok(())
}

fn tell(portreeve: &Portreeve, target: SocketAddr, data: &std::path::Path) -> std::io::Result<()> {
    let admin = portreeve.admin_address();
    let data = data.display();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "A lantern shop with its customers, partners, crawlers, scanners and one attacker, and Portreeve in front of it.\n\n\
         the shop through the gateway   http://{target}/api/v1/products\n\
         its own document               http://{target}/openapi.json\n\
         dashboard                      http://{admin}/\n\
         metrics                        http://{admin}/metrics\n\n\
         In another terminal:\n\
         portreeve top --data {data}\n\
         portreeve events --data {data} --since 1m --where status=429\n\
         portreeve endpoints --data {data}\n\n\
         Ctrl-C ends it."
    )?;
    out.flush()
}
