//! What comes from outside while the program runs: signals, and changes of the configuration file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::service::{self, Word};
use super::steering::Helm;
use super::{Portreeve, handover};
use crate::config;

/// How long a file must be quiet before it is read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// SIGTERM or SIGINT.
    Asked,
    /// A successor carries the traffic.
    Replaced,
    /// The time given at the start is over.
    TimeOver,
}

/// The signals that steer the program, caught from the moment this exists. One that comes while the program still starts
/// waits until [`wait`] looks at it; left to the system, it would kill the process in the middle.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    upgrade: Signal,
    rotate: Signal,
}

impl Signals {
    /// Catches the signals from now on. Comes before anything can be seen from outside: whoever reads that we listen may
    /// signal at once.
    ///
    /// # Errors
    /// When the system does not let us catch them.
    pub fn catch(runtime: &Runtime) -> std::io::Result<Self> {
        let _inside = runtime.enter();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            upgrade: signal(SignalKind::user_defined2())?,
            rotate: signal(SignalKind::user_defined1())?,
        })
    }
}

/// Waits until the program is to end; reloads and upgrades on the way.
pub async fn wait(
    signals: Signals,
    portreeve: &Portreeve,
    configuration: Option<&Path>,
    contracts: &[PathBuf],
    data: &Path,
    time: Option<Duration>,
) -> Ended {
    let gateway = &portreeve.gateway;
    let Signals { mut terminate, mut interrupt, mut hang_up, mut upgrade, mut rotate } = signals;
    let (changed, mut changes) = mpsc::channel(1);
    let mut watched = watched_files(configuration, contracts);
    let mut watcher = watch(&watched, changed.clone());
    let over = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ended::Asked,
            _ = interrupt.recv() => return Ended::Asked,
            () = &mut over => return Ended::TimeOver,
            _ = rotate.recv() => portreeve.reopen.ask(),
            _ = hang_up.recv() => {
                if let Some(contracts) = reload(&portreeve.helm, configuration) {
                    watch_anew((&mut watched, &mut watcher), watched_files(configuration, &contracts), &changed);
                }
            }
            Some(()) = changes.recv() => {
                tokio::time::sleep(QUIET).await;
                while changes.try_recv().is_ok() {}
                if let Some(contracts) = reload(&portreeve.helm, configuration) {
                    watch_anew((&mut watched, &mut watcher), watched_files(configuration, &contracts), &changed);
                }
            }
            _ = upgrade.recv() => {
                let (gateway, data) = (Arc::clone(gateway), data.to_owned());
                let admin = portreeve.admin_listener();
                let outcome = tokio::task::spawn_blocking(move || {
                    handover::hand_over(&data, gateway.sockets(), admin)
                }).await;
                match outcome {
                    Ok(Ok(successor)) => {
                        service::tell(Word::Successor(successor));
                        return Ended::Replaced;
                    }
                    Ok(Err(error)) => tracing::error!(%error, "the upgrade failed; this process goes on"),
                    Err(error) => tracing::error!(%error, "the upgrade failed; this process goes on"),
                }
            }
        }
    }
}

/// Reads the file again and puts it in force; a file with mistakes changes nothing and is told in full. Gives the files of
/// contracts that are in force now, where they may have changed.
fn reload(helm: &Helm, configuration: Option<&Path>) -> Option<Vec<PathBuf>> {
    let Some(path) = configuration else {
        tracing::info!("there is no configuration file to reload");
        return None;
    };
    service::tell(Word::Reloading);
    let mut contracts = None;
    match config::load(path) {
        Err(report) => {
            eprint!("{report}");
            tracing::error!(file = %path.display(), "reload refused: the configuration before stays in force");
        }
        Ok(settings) => {
            let files = settings.contracts.clone();
            match helm.reload(settings) {
                Ok(()) => {
                    tracing::info!(file = %path.display(), "reloaded");
                    contracts = Some(files);
                }
                Err(error) => tracing::error!(%error, "reload refused: the configuration before stays in force"),
            }
        }
    }
    service::tell(Word::Ready);
    contracts
}

/// The configuration and what it is made of, by folder.
type Watched = BTreeMap<PathBuf, BTreeSet<OsString>>;

fn watched_files(configuration: Option<&Path>, contracts: &[PathBuf]) -> Watched {
    let mut watched = Watched::new();
    for path in configuration.into_iter().chain(contracts.iter().map(PathBuf::as_path)) {
        let Ok(path) = std::path::absolute(path) else { continue };
        if let Some((folder, name)) = path.parent().zip(path.file_name()) {
            watched.entry(folder.to_path_buf()).or_default().insert(name.to_owned());
        }
    }
    watched
}

/// Watches other files than before, where they are others. The new ones are watched before the old ones are let go.
fn watch_anew(
    (watched, watcher): (&mut Watched, &mut Option<notify::RecommendedWatcher>),
    now: Watched,
    changed: &mpsc::Sender<()>,
) {
    if *watched != now {
        *watcher = watch(&now, changed.clone());
        *watched = now;
    }
}

/// Watches the folders of files, because editors and configuration managers put a new file in the old one's place. One
/// watcher for all of them: the system lets a user have few.
fn watch(watched: &Watched, changed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let names: BTreeSet<OsString> = watched.values().flatten().cloned().collect();
    let on_event = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        // A link of the whole folder, as Kubernetes makes it, changes without the file's name.
        let concerns =
            |path: &PathBuf| path.file_name().is_some_and(|name| names.contains(name)) || path.ends_with("..data");
        if !event.kind.is_access() && event.paths.iter().any(concerns) {
            // One waiting word is enough.
            let _ = changed.try_send(());
        }
    };
    let unseen = |error: notify::Error| {
        tracing::warn!(%error, "some changes of the configuration are not seen; send SIGHUP");
    };
    let mut watcher = notify::recommended_watcher(on_event).map_err(unseen).ok()?;
    for folder in watched.keys() {
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            unseen(error);
        }
    }
    Some(watcher)
}
