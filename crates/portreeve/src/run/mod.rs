//! `portreeve run`: everything started, wired and stopped.
//!
//! All wiring stands in [`Portreeve::start`]. Threads and who talks to whom:
//!
//! ```text
//! workers (gateway) --events, bounded--> recorder --observations, bounded--> learner --endpoints--> inventory
//!                                        recorder --> store, metrics, access log
//! intake (mirrored requests, Envoy's access logs) --observations--> learner
//! admin (metrics, health, console)   signals and file changes --> reload, drain, upgrade
//! ```

pub mod access_log;
pub mod admin;
pub mod guard;
pub mod handover;
pub mod intake;
pub mod keeping;
pub mod learner;
pub mod metrics;
pub mod placing;
pub mod recorder;
pub mod service;
pub mod signals;
pub mod spans;
pub mod steering;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use gateway::Gateway;
use gateway::listen::Sockets;

use crate::alerts::{self, Alerts};
use crate::config::Settings;
use crate::learned::Places;
use access_log::{AccessLog, Reopen};
use metrics::Metrics;
use placing::Placing;
use steering::{Around, Helm};

/// Batches of events that may wait for the recorder; each holds what a worker made in a few milliseconds.
const EVENT_BATCHES_MAX: usize = 1_024;
/// Batches of observations that may wait for the learner.
const OBSERVATIONS_MAX: usize = 512;

/// Lowers the priority of the calling thread by this many steps of nice(2), which is per thread on Linux: where cores are
/// few, traffic goes first. Where the system refuses, the thread runs with ordinary priority.
fn give_way(steps: i32) {
    let _ = rustix::process::nice(steps);
}

/// What can go wrong at the start; each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The gateway does not start.
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The admin port cannot be had.
    #[error("cannot listen on `{addr}` for metrics and administration: {error}; choose another with `--admin`")]
    Admin {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        error: String,
    },
    /// The address for observed traffic cannot be had.
    #[error("cannot listen on `{addr}` for observed traffic: {error}; choose another with `observe.address`")]
    Observe {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        error: String,
    },
    /// A file that is needed cannot be read or written.
    #[error("`{path}` cannot be {action}: {error}")]
    File {
        /// The file.
        path: String,
        /// `read`, `written`, `made`.
        action: &'static str,
        /// What the system said.
        error: String,
    },
    /// The models that ship with the program are damaged.
    #[error("the learner's models cannot be read: {0}")]
    Models(String),
    /// The admin API's own document cannot be enforced.
    #[error("the document of the admin API cannot be enforced: {0}")]
    AdminContract(String),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The process that hands over went away.
    #[error("the running process did not hand over its sockets: {0}")]
    Handover(String),
}

/// Everything at work.
pub struct Portreeve {
    /// Carries the traffic.
    pub gateway: Arc<Gateway>,
    /// Steers it.
    pub helm: Arc<Helm>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Asks for the access log to be opened anew.
    pub reopen: Reopen,
    admin: admin::Admin,
    intake: Option<intake::Intake>,
    recorder: JoinHandle<store::Health>,
    learner: JoinHandle<()>,
    alerts: Alerts,
}

/// Where the listening sockets and the store come from.
pub enum From {
    /// Nobody ran before.
    Nothing,
    /// A predecessor that gives up its store only after its last exchange.
    Predecessor(handover::Inherited),
    /// The service manager opened the sockets.
    ServiceManager(Vec<std::net::TcpListener>),
}

impl Portreeve {
    /// Starts every part and connects them.
    ///
    /// # Errors
    /// See [`Error`]; nothing keeps running then.
    pub fn start(mut settings: Settings, from: From) -> Result<Self, Error> {
        std::fs::create_dir_all(&settings.data).map_err(|error| file_error(&settings.data, "made", &error))?;
        if !settings.session_key_configured {
            settings.gateway.session_key = session_key(&settings.data)?;
        }
        let reopen = Reopen::default();
        let access_log = settings.access_log.as_ref().map(|to| AccessLog::open(to, &reopen)).transpose()?;
        let models = learn::Models::shipped().map_err(|error| Error::Models(error.to_string()))?;
        let metrics = Arc::new(Metrics::default());
        let mut inherited_admin = None;
        let succeeds = matches!(from, From::Predecessor(_));
        let (sockets, store) = match from {
            From::Nothing => {
                let store = store::Writer::open(&settings.data, settings.store.clone())?;
                (Sockets::open(&settings.gateway)?, recorder::Store::Open(Box::new(store)))
            }
            From::ServiceManager(mut passed) => {
                let store = store::Writer::open(&settings.data, settings.store.clone())?;
                inherited_admin = handover::take(&mut passed, settings.admin);
                let sockets = Sockets::adopt(&settings.gateway, passed)?;
                (sockets, recorder::Store::Open(Box::new(store)))
            }
            From::Predecessor(mut inherited) => {
                inherited_admin = handover::take(&mut inherited.sockets, settings.admin);
                let sockets = Sockets::adopt(&settings.gateway, inherited.sockets)?;
                (sockets, recorder::Store::Waiting(settings.data.clone(), Box::new(settings.store.clone())))
            }
        };
        let admin_listener = inherited_admin.map_or_else(|| admin::bind(settings.admin), Ok)?;
        let (events, events_out) = sync_channel(EVENT_BATCHES_MAX);
        let (observations, observations_out) = sync_channel(OBSERVATIONS_MAX);

        let gateway = Arc::new(Gateway::start(settings.gateway.clone(), sockets, &events)?);
        // The workers hold the only senders: when the last one ends, the recorder ends, and then the learner.
        drop(events);
        let spans = settings.tracing.as_ref().map(|tracing| spans::start(tracing, &metrics)).transpose()?;
        let places = Arc::new(ArcSwap::from_pointee(Places::default()));
        let key = settings.gateway.session_key;
        let intake = settings
            .observe
            .take()
            .map(|observe| intake::start(observe, key, observations.clone(), Arc::clone(&metrics), succeeds));
        let intake = intake.transpose()?;
        let recorder = recorder::start(
            events_out,
            observations,
            Placing::new(Arc::clone(&places)),
            store,
            access_log,
            spans,
            Arc::clone(&metrics),
        )?;
        let inventory = store::Inventory::open(&settings.data)?;
        let (alerts, told) = tokio::sync::watch::channel(settings.alerts);
        let around = Around { contracts: settings.contracts, file: settings.file, data: settings.data.clone(), alerts };
        let helm = Helm::new(Arc::clone(&gateway), Arc::clone(&metrics), settings.gateway, around, &inventory)?;
        let helm = Arc::new(helm);
        let surroundings = learner::Surroundings {
            places,
            declared: helm.declarations(),
            helm: Arc::downgrade(&helm),
            metrics: Arc::clone(&metrics),
            data: settings.data.clone(),
        };
        let learner = learner::start(observations_out, models, surroundings)?;
        let console =
            console::Settings { token: settings.admin_token.clone(), ..console::Settings::new(&settings.data) };
        let console = console::router(console, Arc::<Helm>::clone(&helm))?;
        let console = console.layer(axum::middleware::from_fn_with_state(guard::policy()?, guard::judged));
        let admin = admin::start(admin_listener, settings.admin_token, &gateway, Arc::clone(&metrics), console)?;
        let alerts = alerts::start(
            told,
            settings.data,
            settings.store.events_bytes_max,
            Arc::<Helm>::clone(&helm),
            Arc::clone(&metrics.alerts),
        )?;
        Ok(Self { gateway, helm, metrics, reopen, admin, intake, recorder, learner, alerts })
    }

    /// Where clients connect.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.gateway.addresses()
    }

    /// Where metrics and administration are.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// The admin port's socket, to be sent to a successor.
    pub fn admin_listener(&self) -> std::io::Result<std::net::TcpListener> {
        self.admin.listener()
    }

    /// Stops accepting, lets exchanges finish, writes everything down. Answers how the store ended.
    pub fn stop(self) -> store::Health {
        self.admin.stop();
        self.alerts.stop();
        if let Some(intake) = self.intake {
            intake.stop();
        }
        drop(self.helm);
        // The learner takes the helm for a moment when somebody decides something.
        let mut gateway = Arc::try_unwrap(self.gateway);
        for _ in 0..100 {
            gateway = match gateway {
                Err(held) => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    Arc::try_unwrap(held)
                }
                free => free,
            };
        }
        match gateway {
            Ok(gateway) => gateway.drain(),
            // Somebody still looks at the counters; the workers end with the process.
            Err(_) => tracing::warn!("the gateway is still in use; its connections are cut"),
        }
        let health = self.recorder.join().unwrap_or_default();
        let _ = self.learner.join();
        health
    }
}

fn file_error(path: &Path, action: &'static str, error: &std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), action, error: crate::config::meant::plain(error) }
}

/// The key of session hashes, made at the first start and kept: sessions stay the same over restarts, and nobody who
/// reads the store can test values against it without this file.
///
/// # Errors
/// When the file cannot be read or written.
pub fn session_key(data: &Path) -> Result<[u8; 32], Error> {
    let path = data.join("session.key");
    match std::fs::read(&path) {
        Ok(bytes) => {
            return bytes.as_slice().try_into().map_err(|_| Error::File {
                path: path.display().to_string(),
                action: "read",
                error: "it has not 32 bytes".to_owned(),
            });
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(file_error(&path, "read", &error)),
    }
    let mut key = [0u8; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| Error::File {
        path: path.display().to_string(),
        action: "written",
        error: "the system has no random numbers".to_owned(),
    })?;
    let write = || -> std::io::Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(&key)?;
        file.sync_all()
    };
    write().map_err(|error| file_error(&path, "written", &error))?;
    Ok(key)
}
