//! How the gateway and the store are.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use store::rollup::{Range, Scope};

use crate::Shared;
use crate::call::{Caller, Reply, blocking};
use crate::steering::GatewayHealth;

/// How everything is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// The gateway.
    gateway: GatewayHealth,
    /// The data directory.
    store: StoreState,
    /// Now, in seconds since the epoch.
    now_s: i64,
}

/// The data directory, as files tell.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct StoreState {
    /// Segments of events on disk.
    segments: usize,
    /// Bytes of all files.
    bytes: u64,
    /// Segments that are damaged and left out.
    damaged: usize,
    /// The latest exchange, in seconds since the epoch.
    latest_s: Option<i64>,
    /// Segments deleted by retention.
    expired_segments: u64,
    /// The latest exchange that retention deleted, in seconds since the epoch.
    expired_until_s: Option<i64>,
}

pub(crate) async fn show(State(console): State<Shared>) -> Reply<Health> {
    let health = blocking(&console, |console| {
        Ok(Health { gateway: console.steering.gateway(), store: store_state(console)?, now_s: console.now().secs() })
    });
    Ok(Json(health.await?))
}

fn store_state(console: &crate::Console) -> Result<StoreState, store::StoreError> {
    let layout = console.reader.layout();
    let mut state = StoreState::default();
    let directories = [layout.root().to_owned(), layout.events()];
    for entry in directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        state.bytes += metadata.len();
        let name = entry.file_name().to_string_lossy().into_owned();
        state.segments += usize::from(name.ends_with(".parquet"));
        state.damaged += usize::from(name.contains("damaged"));
    }
    let Some(rollups) = console.rollups()? else { return Ok(state) };
    let range = Range::last(3 * 3_600, console.now());
    let (_, points) = rollups.series(&Scope::All, range, store::rollup::Step::Minute)?;
    state.latest_s = points.last().map(|point| point.at.secs());
    for expired in rollups.expired_events()? {
        state.expired_segments += expired.segments;
        state.expired_until_s = state.expired_until_s.max(Some(expired.latest_at.secs()));
    }
    Ok(state)
}

/// Who asks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Me {
    /// The name of the token.
    name: String,
    /// What it may do.
    role: crate::Role,
    /// True when no token is set yet, so this machine may do everything.
    open: bool,
    /// The version of the program.
    version: String,
}

pub(crate) async fn me(caller: Caller) -> Json<Me> {
    Json(Me {
        name: caller.name.to_string(),
        role: caller.role,
        open: caller.open,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
