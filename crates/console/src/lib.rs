//! Shows and steers: the admin API, the dashboard and the report of the state of the APIs. Never on the data path.
//!
//! [`router`] makes everything that is served under `/api/v1` and the dashboard at `/`. It reads the data directory that the
//! running gateway (or `ingest`) writes, and asks the gateway itself only through [`Steering`].
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{net::SocketAddr, sync::Arc};
//!
//! let settings = console::Settings::new("/var/lib/portreeve");
//! let router = console::router(settings, Arc::new(console::Offline))?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9090").await?;
//! axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What this crate leaves out on purpose: it opens no port, speaks no TLS, judges nothing, and holds no session of a browser:
//! there are no cookies, so no other site can use a reader's rights.

mod api;
mod assets;
mod auth;
mod call;
mod document;
mod figures;
pub mod incidents;
pub mod overrides;
mod problem;
mod range;
pub mod replay;
pub mod report;
mod routes;
pub mod steering;
mod throttle;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use model::Timestamp;
use store::{Inventory, QueryLimits, Reader, RollupReader, StoreError};
use tokio::sync::Semaphore;

pub use api::endpoints::signals;
pub use auth::Role;
pub use document::document;
pub use overrides::{AllowedHere, Overrides};
pub use problem::Problem;
pub use steering::{Offline, Steering};

use throttle::Throttle;

/// Queries over events that run at the same time; more of them wait.
const QUERIES_MAX: usize = 4;

/// How the console is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub directory: PathBuf,
    /// A token with the role `admin`, from the configuration; tokens made in the console come on top.
    pub token: Option<String>,
    /// Tells the time.
    pub clock: fn() -> Timestamp,
    /// Requests of one client per second that are answered; bursts of ten times as many.
    pub requests_per_s_max: u32,
    /// What queries over events may use.
    pub limits: QueryLimits,
}

impl Settings {
    /// Ordinary settings for a data directory.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self {
            directory: directory.as_ref().to_owned(),
            token: None,
            clock: steering::system_clock,
            requests_per_s_max: 50,
            limits: QueryLimits { timeout_ms: 15_000, ..QueryLimits::default() },
        }
    }
}

/// What every call needs.
struct Console {
    settings: Settings,
    reader: Reader,
    steering: Arc<dyn Steering>,
    queries: Semaphore,
    throttle: Mutex<Throttle>,
    /// Changes are made one after the other, so that `before` in the audit log is true.
    changes: Mutex<()>,
}

type Shared = Arc<Console>;

/// The admin API under `/api/v1` and the dashboard at `/`.
///
/// Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: without the peer's address every client counts as one
/// from outside, who needs a token.
///
/// # Errors
/// When the threads that read events cannot be started.
pub fn router(settings: Settings, steering: Arc<dyn Steering>) -> Result<axum::Router, StoreError> {
    let reader = Reader::open(&settings.directory, settings.limits.clone())?;
    let throttle = Mutex::new(Throttle::new(settings.requests_per_s_max));
    let console =
        Console { settings, reader, steering, queries: Semaphore::new(QUERIES_MAX), throttle, changes: Mutex::new(()) };
    Ok(routes::router(Arc::new(console)))
}

impl Console {
    fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }

    /// The inventory for reading; `None` when there is none yet.
    fn inventory(&self) -> Result<Option<Inventory>, StoreError> {
        Inventory::open_reading(&self.settings.directory)
    }

    /// The inventory for writing.
    fn inventory_to_change(&self) -> Result<Inventory, StoreError> {
        Inventory::open(&self.settings.directory)
    }

    /// The rollups; `None` when nothing was recorded yet.
    fn rollups(&self) -> Result<Option<RollupReader>, StoreError> {
        RollupReader::open(&self.reader.layout().rollups())
    }
}
