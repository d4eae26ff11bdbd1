//! The running gateway as the console sees and steers it: its health, its configuration, and what was set by hand over it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use console::Overrides;
use console::steering::{ApiModes, ConfigText, CounterValue, Diagnostic, GatewayHealth, StageMode, Steering};
use gateway::Gateway;
use gateway::config::Config;
use inspect::policy::{Exception, Policy, StageModes};
use model::{EndpointId, Reason, StageId, Timestamp};

use crate::config::{self, Settings};

/// What steers a gateway.
pub struct Helm {
    gateway: Arc<Gateway>,
    /// The configuration file, where there is one.
    file: Option<PathBuf>,
    held: Mutex<Held>,
    started: Instant,
}

struct Held {
    /// As configured, before overrides.
    base: Config,
    overrides: Overrides,
}

impl Helm {
    /// Takes the helm of a gateway that runs under `base`, and puts stored overrides in force.
    ///
    /// # Errors
    /// What the gateway says when overrides cannot be put in force.
    pub fn new(
        gateway: Arc<Gateway>,
        base: Config,
        file: Option<PathBuf>,
        overrides: Overrides,
    ) -> Result<Self, gateway::Error> {
        if overrides != Overrides::default() {
            gateway.reload(with_overrides(&base, &overrides))?;
        }
        Ok(Self { gateway, file, held: Mutex::new(Held { base, overrides }), started: Instant::now() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another configuration in force, with the overrides over it.
    ///
    /// # Errors
    /// What the gateway says; what was before stays in force.
    pub fn reload(&self, settings: Settings) -> Result<(), gateway::Error> {
        let mut held = self.held();
        let mut base = settings.gateway;
        if !settings.session_key_configured {
            base.session_key = held.base.session_key;
        }
        self.gateway.reload(with_overrides(&base, &held.overrides))?;
        held.base = base;
        Ok(())
    }
}

/// The configuration with what was set by hand.
fn with_overrides(base: &Config, overrides: &Overrides) -> Config {
    let mut config = base.clone();
    for route in &mut config.routes {
        let policy = policy_with(&route.policy, overrides);
        route.policy = Arc::new(policy);
    }
    config
}

fn policy_with(policy: &Policy, overrides: &Overrides) -> Policy {
    let mut policy = policy.clone();
    let api = policy.api.to_string();
    for stage in StageId::ALL {
        if let Some(mode) = overrides.mode(&api, stage) {
            policy.modes.set(stage, mode.mode());
        }
    }
    for (endpoint, mode) in &overrides.endpoint_modes {
        policy.endpoint_modes.insert(EndpointId(*endpoint), StageModes::all(mode.mode()));
    }
    let here = overrides.exceptions.iter().filter(|exception| exception.api.is_empty() || exception.api == api);
    policy.exceptions.extend(here.filter_map(|exception| {
        Some(Exception {
            endpoint: exception.endpoint_id(),
            path_prefix: exception.path_prefix.clone(),
            place: exception.place.clone(),
            reason: Reason::from_code(&exception.reason)?,
            until: exception.until_s.map(Timestamp::from_secs),
        })
    }));
    policy
}

impl Steering for Helm {
    fn gateway(&self) -> GatewayHealth {
        let alarming = |name: &str| matches!(name, "events_dropped" | "stages_failed" | "h2_floods");
        let counters = self.gateway.counters().all().into_iter();
        GatewayHealth {
            running: true,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            counters: counters
                .map(|(name, value)| CounterValue { name: name.to_owned(), value, alarming: alarming(name) })
                .collect(),
            memory_bytes: resident_bytes(),
            ..GatewayHealth::default()
        }
    }

    fn config(&self) -> ConfigText {
        let Some(file) = &self.file else { return ConfigText::default() };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // The file belongs to whoever deploys it: it is shown here, and changed where it is kept.
        ConfigText { path: file.display().to_string(), text: config::masked(&text), writable: false }
    }

    fn validate(&self, text: &str) -> Vec<Diagnostic> {
        let file = self.file.clone().unwrap_or_else(|| PathBuf::from("portreeve.yaml"));
        match config::parse(&file, &config::base_of(&file), text, &|name| std::env::var(name).ok()) {
            Ok(_) => Vec::new(),
            Err(report) => report
                .diagnostics
                .into_iter()
                .map(|diagnostic| Diagnostic {
                    line: u32::try_from(diagnostic.spot.line).unwrap_or(0),
                    column: u32::try_from(diagnostic.spot.column).unwrap_or(0),
                    message: diagnostic.message,
                    help: diagnostic.help,
                })
                .collect(),
        }
    }

    fn apply(&self, _text: &str) -> Result<(), Vec<Diagnostic>> {
        Err(vec![Diagnostic {
            line: 0,
            column: 0,
            message: "the configuration is not written from here".to_owned(),
            help: "change the file; it is put in force as soon as it is right".to_owned(),
        }])
    }

    fn modes(&self) -> Vec<ApiModes> {
        let mut modes: Vec<ApiModes> = Vec::new();
        for route in &self.held().base.routes {
            let api = route.policy.api.to_string();
            if modes.iter().any(|known| known.api == api) {
                continue;
            }
            let judging = inspect::pipeline::STAGES.iter().map(|stage| stage.id());
            let stages = judging
                .map(|stage| StageMode { stage: stage.name().to_owned(), mode: route.policy.modes.of(stage).into() })
                .collect();
            modes.push(ApiModes { api, stages });
        }
        modes
    }

    fn put_overrides(&self, overrides: &Overrides) -> Result<(), String> {
        let mut held = self.held();
        self.gateway.reload(with_overrides(&held.base, overrides)).map_err(|error| error.to_string())?;
        held.overrides = overrides.clone();
        Ok(())
    }
}

/// Resident memory; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use console::AllowedHere;
    use console::steering::ModeName;
    use model::{ApiName, Mode};

    #[test]
    fn overrides_hold_over_the_configuration_of_their_api() {
        let mut overrides = Overrides::default();
        overrides.modes.entry("shop".to_owned()).or_default().insert("attacks".to_owned(), ModeName::Block);
        overrides.endpoint_modes.insert(7, ModeName::Off);
        overrides.exceptions.push(AllowedHere {
            id: 1,
            api: "other".to_owned(),
            endpoint: String::new(),
            path_prefix: "/x".to_owned(),
            place: String::new(),
            reason: "hygiene.host-missing".to_owned(),
            until_s: None,
            note: String::new(),
            who: String::new(),
            made_s: 0,
        });
        let policy = policy_with(&Policy::new(ApiName::from("shop"), Mode::Monitor), &overrides);
        assert_eq!(policy.modes.of(StageId::Attacks), Mode::Block);
        assert_eq!(policy.modes.of(StageId::Hygiene), Mode::Monitor);
        assert_eq!(policy.modes_at(Some(EndpointId(7))).of(StageId::Attacks), Mode::Off);
        assert!(policy.exceptions.is_empty());
        let other = policy_with(&Policy::new(ApiName::from("other"), Mode::Monitor), &overrides);
        assert_eq!(other.exceptions.len(), 1);
    }
}
