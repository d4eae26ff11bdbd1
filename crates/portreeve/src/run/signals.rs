//! What comes from outside while the program runs: signals, and changes of the configuration file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gateway::Gateway;
use notify::{RecursiveMode, Watcher};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::handover;
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
    gateway: &Arc<Gateway>,
    configuration: Option<&Path>,
    data: &Path,
    time: Option<Duration>,
) -> std::io::Result<Ended> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut upgrade = signal(SignalKind::user_defined2())?;
    let (changed, mut changes) = mpsc::channel(1);
    let _watcher = configuration.and_then(|path| watch(path, changed.clone()));
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
            _ = hang_up.recv() => reload(gateway, configuration),
            Some(()) = changes.recv() => {
                tokio::time::sleep(QUIET).await;
                while changes.try_recv().is_ok() {}
                reload(gateway, configuration);
            }
            _ = upgrade.recv() => {
                let (gateway, data) = (Arc::clone(gateway), data.to_owned());
                let outcome = tokio::task::spawn_blocking(move || {
                    handover::hand_over(&data, gateway.sockets())
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
fn reload(gateway: &Gateway, configuration: Option<&Path>) {
    let Some(path) = configuration else {
        tracing::info!("there is no configuration file to reload");
        return;
    };
    match config::load(path) {
        Err(report) => {
            eprint!("{report}");
            tracing::error!(file = %path.display(), "reload refused: the configuration before stays in force");
        }
        Ok(mut settings) => {
            if !settings.session_key_configured {
                settings.gateway.session_key = gateway.snapshot().config.session_key;
            }
            match gateway.reload(settings.gateway) {
                Ok(()) => tracing::info!(file = %path.display(), "reloaded"),
                Err(error) => tracing::error!(%error, "reload refused: the configuration before stays in force"),
            }
        }
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
