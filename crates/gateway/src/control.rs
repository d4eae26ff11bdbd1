//! What happens beside the data path: names looked up again, health checked. One thread with a runtime of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use crate::balance::Health;
use crate::config::HealthCheck;
use crate::health::{self, Probe};
use crate::resolve;
use crate::upstream::Upstream;
use crate::worker::Shared;

/// How often the names of servers are looked up again.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);

/// The control thread.
pub struct Control {
    stop: watch::Sender<Turn>,
    thread: JoinHandle<()>,
}

/// What the control thread is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Run(u64),
    Stop,
}

impl Control {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let (stop, turns) = watch::channel(Turn::Run(0));
        let thread = std::thread::Builder::new().name("control".to_owned()).spawn(move || run(&shared, turns))?;
        Ok(Self { stop, thread })
    }

    /// Tells it that another configuration is in force.
    pub(crate) fn changed(&self) {
        self.stop.send_modify(|turn| {
            if let Turn::Run(count) = turn {
                *count += 1;
            }
        });
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(Turn::Stop);
        let _ = self.thread.join();
    }
}

fn run(shared: &Arc<Shared>, mut turns: watch::Receiver<Turn>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the control thread cannot start: names and health stay as they are");
            return;
        }
    };
    runtime.block_on(async {
        loop {
            turns.borrow_and_update();
            // Dropping the tasks of the configuration before ends them.
            let _tasks = watch_upstreams(shared);
            if turns.changed().await.is_err() || *turns.borrow() == Turn::Stop {
                return;
            }
        }
    });
}

/// The set ends its tasks when it is dropped.
fn watch_upstreams(shared: &Arc<Shared>) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for upstream in &shared.snapshot.load().upstreams {
        for server in upstream.servers.iter().filter(|server| resolve::is_name(&server.config.host)) {
            let server = Arc::clone(server);
            tasks.spawn(async move {
                loop {
                    tokio::time::sleep(RESOLVE_EVERY).await;
                    let config = server.config.clone();
                    let found = tokio::task::spawn_blocking(move || resolve::now(&config.host, config.port)).await;
                    match found {
                        Ok(Ok(addresses)) => server.addresses.store(Arc::new(addresses)),
                        Ok(Err(error)) => tracing::warn!(%error, "the last addresses stay in use"),
                        Err(_) => return,
                    }
                }
            });
        }
    }
    for upstream in &shared.snapshot.load().upstreams {
        let Some(check) = upstream.config.health.clone() else { continue };
        for index in 0..upstream.servers.len() {
            let (upstream, check) = (Arc::clone(upstream), check.clone());
            tasks.spawn(async move { check_server(&upstream, index, &check).await });
        }
    }
    tasks
}

async fn check_server(upstream: &Upstream, index: usize, check: &HealthCheck) {
    let Some(server) = upstream.servers.get(index) else { return };
    let probe = Probe {
        protocol: upstream.config.protocol,
        tls: server.tls.clone(),
        authority: upstream.config.host.as_deref().map_or_else(|| server.authority.clone(), Box::from),
    };
    let mut last = Health::Unknown;
    health::watch(check, &probe, || server.addresses.load_full(), |facts| {
        if facts.health != last {
            tracing::info!(upstream = upstream.config.name, server = %server.authority, health = ?facts.health, "health");
            last = facts.health;
        }
        upstream.balancer.checked(index, facts);
    })
    .await;
}
