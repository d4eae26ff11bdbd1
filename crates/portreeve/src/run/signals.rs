//! What comes from outside while the program runs: signals, and changes of the configuration file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

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

/// Waits until the program is to end; reloads and upgrades on the way.
///
/// # Errors
/// When signals cannot be had.
pub async fn wait(
    portreeve: &Portreeve,
    configuration: Option<&Path>,
    contracts: &[PathBuf],
    data: &Path,
    time: Option<Duration>,
) -> std::io::Result<Ended> {
    let gateway = &portreeve.gateway;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut upgrade = signal(SignalKind::user_defined2())?;
    let (changed, mut changes) = mpsc::channel(1);
    let watched = configuration.into_iter().chain(contracts.iter().map(PathBuf::as_path));
    let _watchers: Vec<_> = watched.filter_map(|path| watch(path, changed.clone())).collect();
    let over = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(Ended::Asked),
            _ = interrupt.recv() => return Ok(Ended::Asked),
            () = &mut over => return Ok(Ended::TimeOver),
            _ = hang_up.recv() => reload(&portreeve.helm, configuration),
            Some(()) = changes.recv() => {
                tokio::time::sleep(QUIET).await;
                while changes.try_recv().is_ok() {}
                reload(&portreeve.helm, configuration);
            }
            _ = upgrade.recv() => {
                let (gateway, data) = (Arc::clone(gateway), data.to_owned());
                let admin = portreeve.admin_listener();
                let outcome = tokio::task::spawn_blocking(move || {
                    handover::hand_over(&data, gateway.sockets(), admin)
                }).await;
                match outcome {
                    Ok(Ok(())) => return Ok(Ended::Replaced),
                    Ok(Err(error)) => tracing::error!(%error, "the upgrade failed; this process goes on"),
                    Err(error) => tracing::error!(%error, "the upgrade failed; this process goes on"),
                }
            }
        }
    }
}

/// Reads the file again and puts it in force; a file with mistakes changes nothing and is told in full.
fn reload(helm: &Helm, configuration: Option<&Path>) {
    let Some(path) = configuration else {
        tracing::info!("there is no configuration file to reload");
        return;
    };
    match config::load(path) {
        Err(report) => {
            eprint!("{report}");
            tracing::error!(file = %path.display(), "reload refused: the configuration before stays in force");
        }
        Ok(settings) => match helm.reload(settings) {
            Ok(()) => tracing::info!(file = %path.display(), "reloaded"),
            Err(error) => tracing::error!(%error, "reload refused: the configuration before stays in force"),
        },
    }
}

/// Watches the directory of a file, because editors and configuration managers put a new file in the old one's place.
fn watch(path: &Path, changed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let path = std::path::absolute(path).ok()?;
    let directory: PathBuf = path.parent()?.to_owned();
    let name = path.file_name()?.to_owned();
    let on_event = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        // A link of the whole directory, as Kubernetes makes it, changes without the file's name.
        let concerns = |path: &PathBuf| path.file_name() == Some(&name) || path.ends_with("..data");
        if !event.kind.is_access() && event.paths.iter().any(concerns) {
            // One waiting word is enough.
            let _ = changed.try_send(());
        }
    };
    let watcher = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        watcher.watch(&directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watcher.map_err(|error| tracing::warn!(%error, "changes of the configuration are not seen; send SIGHUP")).ok()
}
