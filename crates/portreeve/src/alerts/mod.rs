//! Alerts: what somebody should know now, told by webhook or syslog, grouped so that a storm is one message.
//!
//! [`watch`] looks at rollups and inventory every few seconds and says what is new; [`group`] gathers what belongs together and
//! keeps quiet about what was told lately; [`message`] writes it down in each format; [`send`] delivers it, with a bounded queue
//! per receiver. None of it is on the data path.

pub mod attackers;
pub mod group;
pub mod message;
pub mod send;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use console::Steering;
use tokio::sync::{oneshot, watch as changing};

use crate::run::Error;
use group::Groups;
use watch::Watch;

/// How often is looked, in seconds.
const LOOK_EVERY_S: u64 = 10;

/// What an alert is about. Messages gather alerts of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An endpoint with traffic that no contract declares.
    ShadowEndpoint,
    /// An endpoint answers successfully without credentials, or lets strangers write.
    Posture,
    /// Errors, latency or sizes are not as they were.
    Anomaly,
    /// Many requests with findings in a short time.
    Attack,
    /// Clients were limited, or the store is nearly full.
    Quota,
    /// A certificate ends soon.
    Certificate,
}

impl Kind {
    /// As it is written in configuration and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShadowEndpoint => "shadow_endpoint",
            Self::Posture => "posture",
            Self::Anomaly => "anomaly",
            Self::Attack => "attack",
            Self::Quota => "quota",
            Self::Certificate => "certificate",
        }
    }

    /// Of several alerts of the kind, what to say first.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ShadowEndpoint => "new shadow endpoints",
            Self::Posture => "changed security posture",
            Self::Anomaly => "unusual traffic",
            Self::Attack => "attack under way",
            Self::Quota => "quota reached",
            Self::Certificate => "certificates end soon",
        }
    }

    /// Where in the dashboard to look.
    pub const fn page(self) -> &'static str {
        match self {
            Self::ShadowEndpoint => "/inbox",
            Self::Posture => "/endpoints",
            Self::Anomaly => "/",
            Self::Attack => "/threats?since=1h",
            Self::Quota | Self::Certificate => "/health",
        }
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// To be looked at some day.
    Low,
    /// To be looked at soon.
    Medium,
    /// To be looked at now.
    High,
}

impl Urgency {
    /// As messages say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One thing somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// The same thing has the same key: it is not told again for some time.
    pub key: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// One line for people. May hold words from traffic; formats escape it.
    pub text: String,
}

/// The receivers and when they are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Alerts of one kind within this time are one message, in seconds.
    pub group_s: u64,
    /// What was told is told again after this time at the earliest, in seconds.
    pub repeat_s: u64,
    /// Where the dashboard is reached, without a slash at the end; empty when unknown.
    pub dashboard: String,
    /// Who is told.
    pub receivers: Vec<Receiver>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { group_s: 60, repeat_s: 4 * 3_600, dashboard: String::new(), receivers: Vec::new() }
    }
}

/// Who is told, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, for logs and metrics.
    pub name: String,
    /// The way there.
    pub way: Way,
    /// In which form.
    pub format: Format,
    /// Only these kinds; all when empty.
    pub kinds: Vec<Kind>,
}

/// A way to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// HTTP POST.
    Webhook {
        /// `https` or `http`.
        tls: bool,
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Path and query.
        path: String,
        /// Signs messages, where there is one.
        secret: Option<String>,
    },
    /// RFC 5424 over UDP (RFC 5426) or TCP (RFC 6587, counted octets).
    Syslog {
        /// TCP rather than UDP.
        tcp: bool,
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
}

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Our own JSON; over syslog, text.
    Plain,
    /// What Slack and those compatible with it take.
    Slack,
    /// An OCSF detection finding.
    Ocsf,
}

/// What became of messages.
#[derive(Debug, Default)]
pub struct Counters {
    /// Delivered.
    pub sent: AtomicU64,
    /// Tried again.
    pub retried: AtomicU64,
    /// Given up, or dropped because a queue was full.
    pub lost: AtomicU64,
}

impl Counters {
    /// Adds one.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Alerts at work.
pub struct Alerts {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Alerts {
    /// Ends the watch; what waits is sent in the next two seconds or lost.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// Starts watching, for the receivers that `settings` names now and later. While it names none, nothing is looked at.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(
    mut settings: changing::Receiver<Settings>,
    data: PathBuf,
    store_bytes_max: u64,
    steering: Arc<dyn Steering>,
    counters: Arc<Counters>,
) -> Result<Alerts, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Thread)?;
    let (stop, mut stopped) = oneshot::channel();
    let run = move || {
        runtime.block_on(async move {
            let mut told = settings.borrow_and_update().clone();
            let mut senders = send::Senders::start(&told, &counters, &send::Pace::default());
            let mut groups = Groups::new(told.group_s, told.repeat_s);
            let mut watch = Watch::new(data, store_bytes_max);
            let mut ticks = tokio::time::interval(Duration::from_secs(LOOK_EVERY_S));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    Ok(()) = settings.changed() => {
                        told = settings.borrow_and_update().clone();
                        senders.change(&told);
                        groups.change(told.group_s, told.repeat_s);
                        tracing::info!(receivers = told.receivers.len(), "other receivers of alerts are in force");
                        continue;
                    }
                    _ = &mut stopped => break,
                }
                if told.receivers.is_empty() {
                    continue;
                }
                let now = crate::now();
                // Looking reads files for some milliseconds. Nothing but deliveries runs on this thread.
                match watch.look(now, &steering.gateway().certificates) {
                    Ok(alerts) => groups.take(alerts, now.secs()),
                    Err(error) => {
                        tracing::debug!(%error, "alerts could not look at the store; tried again in a moment")
                    }
                }
                for message in groups.due(now.secs()) {
                    senders.send(&told, &message);
                }
            }
            for message in groups.rest(crate::now().secs()) {
                senders.send(&told, &message);
            }
            senders.end(Duration::from_secs(2)).await;
        });
    };
    let thread = std::thread::Builder::new().name("alerts".to_owned()).spawn(run).map_err(Error::Thread)?;
    Ok(Alerts { stop, thread })
}
