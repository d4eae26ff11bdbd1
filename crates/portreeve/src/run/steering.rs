//! The running gateway as the console sees and steers it: its health, its configuration, and what was set by hand over it.

mod declared;
mod file;
mod health;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use console::Overrides;
use console::replay::Replay;
use console::steering::{ApiModes, ConfigText, Diagnostic, GatewayHealth, StageMode, Steering};
use gateway::Gateway;
use gateway::config::Config;
use inspect::policy::{Exception, Policy, StageModes};
use model::{EndpointId, Mode, Reason, StageId, Timestamp};
use schema::openapi::Match;
use store::inventory::ContractMode;
use store::{Inventory, StoreError};

use super::Error;
use super::metrics::Metrics;
use crate::config::Settings;
use crate::learned::drift::{self, Declared};
use crate::learned::saved::{self, Decided};
use crate::replay::Replayer;

/// What steers a gateway.
pub struct Helm {
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
    /// The configuration file, where there is one.
    file: Option<PathBuf>,
    held: Mutex<Held>,
    declared: Arc<ArcSwap<Declared>>,
    data: PathBuf,
    /// Who is told of alerts.
    alerts: tokio::sync::watch::Sender<crate::alerts::Settings>,
    started: Instant,
}

/// What surrounds a gateway.
pub struct Around {
    /// The files of contracts.
    pub contracts: Vec<PathBuf>,
    /// The configuration file, where there is one.
    pub file: Option<PathBuf>,
    /// The data directory.
    pub data: PathBuf,
    /// Who is told of alerts, to be changed by a reload.
    pub alerts: tokio::sync::watch::Sender<crate::alerts::Settings>,
}

struct Held {
    /// As configured, before overrides.
    base: Config,
    /// The files of contracts.
    contracts: Vec<PathBuf>,
    overrides: Overrides,
    decided: Decided,
    /// What `decided` was read from.
    fingerprint: u64,
}

impl Helm {
    /// Takes the helm of a gateway that runs under `base`, and puts stored overrides in force.
    ///
    /// # Errors
    /// What the gateway says when overrides cannot be put in force.
    pub fn new(
        gateway: Arc<Gateway>,
        metrics: Arc<Metrics>,
        base: Config,
        around: Around,
        inventory: &Inventory,
    ) -> Result<Self, Error> {
        let Around { contracts, file, data, alerts } = around;
        let overrides = Overrides::load(inventory)?;
        let (decided, fingerprint) = (Decided::load(inventory)?, saved::fingerprint(inventory)?);
        if overrides != Overrides::default() || !decided.known.is_empty() {
            gateway.reload(in_force(&base, &overrides, &decided))?;
        }
        let declared = Arc::new(ArcSwap::from_pointee(drift::declared(&base)));
        let held = Mutex::new(Held { base, contracts, overrides, decided, fingerprint });
        Ok(Self { gateway, metrics, file, held, declared, data, alerts, started: Instant::now() })
    }

    /// What is declared, as it changes.
    pub fn declarations(&self) -> Arc<ArcSwap<Declared>> {
        Arc::clone(&self.declared)
    }

    /// Puts what was decided about endpoints in force, where it is not what is in force.
    ///
    /// # Errors
    /// When the inventory cannot be read. A gateway that refuses keeps what was in force and says so in the log.
    pub fn read_decisions(&self, inventory: &Inventory) -> Result<(), StoreError> {
        let mut held = self.held();
        let fingerprint = saved::fingerprint(inventory)?;
        if fingerprint == held.fingerprint {
            return Ok(());
        }
        let decided = Decided::load(inventory)?;
        match self.gateway.reload(in_force(&held.base, &held.overrides, &decided)) {
            Ok(()) => {
                tracing::info!(contracts = decided.contracts.len(), "decisions about endpoints are in force");
                (held.decided, held.fingerprint) = (decided, fingerprint);
            }
            Err(error) => tracing::warn!(%error, "decisions about endpoints cannot be put in force"),
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is configured, and what was set over it.
    fn held_base(&self) -> (Config, Overrides, Decided) {
        let held = self.held();
        (held.base.clone(), held.overrides.clone(), held.decided.clone())
    }

    fn put_base(&self, base: Config) -> Result<(), gateway::Error> {
        let mut held = self.held();
        self.gateway.reload(in_force(&base, &held.overrides, &held.decided))?;
        self.declared.store(Arc::new(drift::declared(&base)));
        held.base = base;
        Ok(())
    }

    /// Puts another configuration in force, with the overrides over it.
    ///
    /// # Errors
    /// What the gateway says; what was before stays in force.
    pub fn reload(&self, settings: Settings) -> Result<(), gateway::Error> {
        let mut base = settings.gateway;
        if !settings.session_key_configured {
            base.session_key = self.held().base.session_key;
        }
        self.put_base(base)?;
        self.held().contracts = settings.contracts;
        self.alerts.send_if_modified(|alerts| {
            let other = *alerts != settings.alerts;
            *alerts = settings.alerts;
            other
        });
        Ok(())
    }
}

/// The configuration with what was set by hand and what was decided about endpoints.
fn in_force(base: &Config, overrides: &Overrides, decided: &Decided) -> Config {
    let mut config = base.clone();
    for route in &mut config.routes {
        let mut policy = policy_with(&route.policy, overrides);
        hold_to(&mut policy, decided);
        route.policy = Arc::new(policy);
    }
    config
}

/// Puts accepted contracts in force. Where stage `contract` is off it stays off; what the API's own contract declares comes
/// before what was learned, in the API's mode.
fn hold_to(policy: &mut Policy, decided: &Decided) {
    if decided.known.is_empty() {
        return;
    }
    policy.known = Some(Arc::clone(&decided.known));
    for (id, mode, [method, host, path]) in &decided.contracts {
        let mut modes = *policy.modes_at(Some(*id));
        let declared = policy
            .contract
            .as_ref()
            .and_then(|held| held.openapi())
            .map(|held| held.match_operation(method, host, path));
        if modes.of(StageId::Contract) == Mode::Off || matches!(declared, Some(Match::Operation(..))) {
            continue;
        }
        let mode = match mode {
            ContractMode::Off => Mode::Off,
            ContractMode::Monitor => Mode::Monitor,
            ContractMode::Block => Mode::Block,
        };
        modes.set(StageId::Contract, mode);
        policy.endpoint_modes.insert(*id, modes);
    }
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
        health::of(&self.gateway, &self.metrics, self.started.elapsed())
    }

    fn config(&self) -> ConfigText {
        match &self.file {
            Some(file) => file::shown(file),
            None => ConfigText { reason: file::NO_FILE.to_owned(), ..ConfigText::default() },
        }
    }

    fn validate(&self, text: &str) -> Vec<Diagnostic> {
        let name = self.file.clone().unwrap_or_else(|| PathBuf::from("portreeve.yaml"));
        file::meant(&name, text, self.file.is_some()).err().unwrap_or_default()
    }

    fn apply(&self, text: &str) -> Result<(), Vec<Diagnostic>> {
        let Some(path) = &self.file else { return Err(vec![file::told(file::NO_FILE, "")]) };
        let (settings, text) = file::meant(path, text, true)?;
        let (before, _, _) = self.held_base();
        self.reload(settings).map_err(|error| vec![file::told(&error.to_string(), "nothing was changed")])?;
        // What the gateway takes is written down; what cannot be written down is not kept in force either.
        file::write(path, &text).map_err(|error| {
            let back = self.put_base(before);
            let help = if back.is_ok() { "what was before is in force" } else { "restart the gateway" };
            vec![file::told(&format!("`{}` cannot be written: {error}", path.display()), help)]
        })
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

    fn declared(&self, method: &str, template: &str) -> serde_json::Value {
        let contracts = self.held().contracts.clone();
        contracts.iter().find_map(|path| declared::operation(path, method, template)).unwrap_or_default()
    }

    fn replay(&self, text: &str) -> Result<Box<dyn Replay>, Vec<Diagnostic>> {
        let name = self.file.clone().unwrap_or_else(|| PathBuf::from("portreeve.yaml"));
        let (settings, _) = file::meant(&name, text, self.file.is_some())?;
        let (base, overrides, decided) = self.held_base();
        let (present, proposed) =
            (in_force(&base, &overrides, &decided), in_force(&settings.gateway, &overrides, &decided));
        let replayer = Replayer::new(Some(&present), &proposed, crate::now());
        replayer.map(|replayer| Box::new(replayer) as Box<dyn Replay>).map_err(|error| vec![file::told(&error, "")])
    }

    fn put_overrides(&self, overrides: &Overrides) -> Result<(), String> {
        let mut held = self.held();
        let config = in_force(&held.base, overrides, &held.decided);
        self.gateway.reload(config).map_err(|error| error.to_string())?;
        held.overrides = overrides.clone();
        Ok(())
    }

    fn endpoints_decided(&self) -> Result<(), String> {
        let inventory = Inventory::open(&self.data).map_err(|error| error.to_string())?;
        self.read_decisions(&inventory).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use console::AllowedHere;
    use console::steering::ModeName;
    use model::ApiName;

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
