//! A gateway with one listener and one upstream and nothing else, for measuring: `probe LISTEN UPSTREAM_PORT [block]`.
use gateway::config::{Config, Listener, ProxyProtocol, Route, Upstream};
use inspect::Policy;
use model::{ApiName, Limits, Mode};
use std::sync::Arc;

fn main() {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:8020".into());
    let port: u16 = args.next().and_then(|p| p.parse().ok()).unwrap_or(9000);
    let mode = if args.next().as_deref() == Some("block") { Mode::Block } else { Mode::Monitor };
    let mut policy = Policy::new(ApiName::from("default"), mode);
    for stage in std::env::var("OFF").unwrap_or_default().split(',') {
        if let Some(stage) = model::StageId::ALL.into_iter().find(|known| known.name() == stage) {
            policy.modes.set(stage, Mode::Off);
        }
    }
    let config = Config {
        listeners: vec![Listener { addr: listen.parse().unwrap(), tls: None, proxy_protocol: ProxyProtocol::Off }],
        upstreams: vec![Upstream::single("main", "127.0.0.1", port)],
        routes: vec![Route::everything(Arc::new(policy))],
        limits: Limits::default(),
        trusted_proxies: vec![],
        forwarding_field: Default::default(),
        session_identifiers: vec![],
        session_key: [7; 32],
        server_timing: Default::default(),
        answer_detail: Default::default(),
        sample_every: 0,
        workers: 1,
        drain_timeout_ms: 1000,
    };
    let (sender, receiver) = std::sync::mpsc::sync_channel(1024);
    let sockets = gateway::listen::Sockets::open(&config).unwrap();
    let gateway = gateway::Gateway::start(config, sockets, &sender).unwrap();
    let mut seen = 0u64;
    loop {
        match receiver.recv_timeout(std::time::Duration::from_secs(60)) {
            Ok(batch) => {
                seen += batch.len() as u64;
                if std::env::var("V").is_ok() {
                    for e in &batch {
                        eprintln!(
                            "{} {:?} {} {:?} {:?} {}us up {}us judge {}us",
                            e.id,
                            e.target,
                            e.status,
                            e.end,
                            e.findings.iter().map(|f| f.reason.code()).collect::<Vec<_>>(),
                            e.total_us,
                            e.upstream_us,
                            e.judge_us
                        );
                    }
                }
            }
            Err(_) => eprintln!("{seen} events, {:?}", gateway.counters().all()),
        }
    }
}
