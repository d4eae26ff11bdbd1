//! What the console asks of the running gateway, as plain data and one trait that the binary implements.
//!
//! The console never reaches the data path itself. Everything here may block for a moment: the console calls it from threads
//! that may.

use model::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::overrides::Overrides;
use crate::replay::Replay;

/// The running gateway, as far as it can be seen and steered.
///
/// Offline, where nothing runs, [`Offline`] stands in.
pub trait Steering: Send + Sync + 'static {
    /// What runs, and how it is.
    fn gateway(&self) -> GatewayHealth;

    /// The configuration in force as text, with secrets masked.
    fn config(&self) -> ConfigText;

    /// What is wrong with a configuration; nothing when it may be applied.
    fn validate(&self, text: &str) -> Vec<Diagnostic>;

    /// Puts a configuration in force and writes it where it came from. Masked secrets keep their present value.
    ///
    /// # Errors
    /// What is wrong with it; the configuration in force stays then.
    fn apply(&self, text: &str) -> Result<(), Vec<Diagnostic>>;

    /// The APIs with the mode of every stage as configured, before overrides.
    fn modes(&self) -> Vec<ApiModes>;

    /// Puts modes and exceptions set in the console in force. They are already stored.
    ///
    /// # Errors
    /// One sentence, when they cannot be put in force; what was before stays then.
    fn put_overrides(&self, overrides: &Overrides) -> Result<(), String>;

    /// The operation that a configured contract declares for an endpoint; null when none does.
    fn declared(&self, method: &str, template: &str) -> serde_json::Value {
        let _ = (method, template);
        serde_json::Value::Null
    }

    /// Judges recorded exchanges under another configuration.
    ///
    /// # Errors
    /// Its mistakes.
    fn replay(&self, text: &str) -> Result<Box<dyn Replay>, Vec<Diagnostic>> {
        let _ = text;
        Err(vec![offline()])
    }

    /// Puts in force what was decided about endpoints: states and accepted contracts. It is already stored, and a gateway notices
    /// by itself after a moment; after this it has.
    ///
    /// # Errors
    /// One sentence, when it cannot be read.
    fn endpoints_decided(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What runs, and how it is.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct GatewayHealth {
    /// True when a gateway runs in this process.
    pub running: bool,
    /// The version of the program.
    pub version: String,
    /// Seconds since it was started.
    pub uptime_s: u64,
    /// Counters by name: connections, drops, failures.
    pub counters: Vec<CounterValue>,
    /// Bounded queues between threads, with how full they are.
    pub queues: Vec<QueueState>,
    /// The servers of all upstreams.
    pub servers: Vec<ServerState>,
    /// Certificates of the listeners.
    pub certificates: Vec<CertificateState>,
    /// Resident memory of the process in bytes; 0 when unknown.
    pub memory_bytes: u64,
}

/// A counter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CounterValue {
    /// Its name, as in the metrics.
    pub name: String,
    /// Its value.
    pub value: u64,
    /// True for counts of things lost or failed, which should stay at zero.
    pub alarming: bool,
}

/// A bounded queue.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub length: u64,
    /// What it may hold.
    pub length_max: u64,
    /// What was dropped because it was full.
    pub dropped: u64,
}

/// A server of an upstream.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServerState {
    /// The upstream.
    pub upstream: String,
    /// `host:port`.
    pub address: String,
    /// `in-service`, `ejected` or `unhealthy`.
    pub state: String,
    /// Exchanges under way.
    pub outstanding: u64,
}

/// A certificate of a listener.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CertificateState {
    /// The names it is for.
    pub names: Vec<String>,
    /// When it ends, in seconds since the Unix epoch.
    pub not_after_s: i64,
}

/// The configuration as text.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct ConfigText {
    /// The file it came from; empty when it came from none.
    pub path: String,
    /// The text, with secrets masked.
    pub text: String,
    /// Whether it may be applied from here.
    pub writable: bool,
    /// Names the text; changes when the file changes.
    pub revision: String,
    /// Why it cannot be changed from here; empty when it can.
    pub reason: String,
}

/// One mistake in a configuration.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// The line, counted from one; 0 when it concerns the whole.
    pub line: u32,
    /// The column, counted from one.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// How far a stage may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    /// The stage does not run.
    Off,
    /// The stage reports.
    Monitor,
    /// The stage refuses what it is sure of.
    Block,
}

impl ModeName {
    /// The mode as every other crate knows it.
    pub const fn mode(self) -> model::Mode {
        match self {
            Self::Off => model::Mode::Off,
            Self::Monitor => model::Mode::Monitor,
            Self::Block => model::Mode::Block,
        }
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Monitor => "monitor",
            Self::Block => "block",
        }
    }
}

impl From<model::Mode> for ModeName {
    fn from(mode: model::Mode) -> Self {
        match mode {
            model::Mode::Off => Self::Off,
            model::Mode::Monitor => Self::Monitor,
            model::Mode::Block => Self::Block,
        }
    }
}

/// The modes of one API.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ApiModes {
    /// The API.
    pub api: String,
    /// The stages that judge, in order, with their modes.
    pub stages: Vec<StageMode>,
}

/// The mode of a stage.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StageMode {
    /// The stage.
    pub stage: String,
    /// Its mode.
    pub mode: ModeName,
}

/// No gateway runs: recorded traffic is looked at, nothing is steered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

impl Steering for Offline {
    fn gateway(&self) -> GatewayHealth {
        GatewayHealth { version: env!("CARGO_PKG_VERSION").to_owned(), ..GatewayHealth::default() }
    }

    fn config(&self) -> ConfigText {
        ConfigText::default()
    }

    fn validate(&self, _text: &str) -> Vec<Diagnostic> {
        vec![offline()]
    }

    fn apply(&self, _text: &str) -> Result<(), Vec<Diagnostic>> {
        Err(vec![offline()])
    }

    fn modes(&self) -> Vec<ApiModes> {
        Vec::new()
    }

    fn put_overrides(&self, _overrides: &Overrides) -> Result<(), String> {
        Ok(())
    }
}

fn offline() -> Diagnostic {
    Diagnostic {
        line: 0,
        column: 0,
        message: "no gateway runs in this process".to_owned(),
        help: "use the console of a running gateway".to_owned(),
    }
}

/// The time now, by the system's clock.
pub fn system_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
