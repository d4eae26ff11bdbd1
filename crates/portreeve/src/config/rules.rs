//! Rules in SecLang: from the configuration or a flag to rules that judge.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use seclang::error::Problem;
use seclang::{Exclusion, Rules, Settings};

use super::written;

/// Rules that were loaded, and what is worth knowing about them.
#[derive(Clone, Debug)]
pub struct LoadedRules {
    /// Where from.
    pub path: PathBuf,
    /// With which settings.
    pub settings: Settings,
    /// The rules.
    pub rules: Arc<Rules>,
    /// What of them has no or another effect here.
    pub notes: Vec<Problem>,
}

impl LoadedRules {
    /// One line for people.
    pub fn summary(&self) -> String {
        let (all, met) = self.rules.counts();
        let (path, notes) = (self.path.display(), self.notes.len());
        format!("`{path}`: {all} rules, {met} of them left for exchanges after what is constant, {notes} notes")
    }
}

/// Settings of rules as they are meant.
pub fn settings(written: &written::Crs) -> Settings {
    let written::Crs { dir: _, paranoia, detection_paranoia, thresholds, variables, exclusions } = written;
    let exclusion = |written: &written::RuleExclusion| {
        let written::RuleExclusion { rules, tag, target, path } = written.clone();
        Exclusion { rules, tag, target, path }
    };
    Settings {
        paranoia: *paranoia,
        detection_paranoia: *detection_paranoia,
        inbound_threshold: thresholds.inbound,
        outbound_threshold: thresholds.outbound,
        variables: variables.clone(),
        exclusions: exclusions.iter().map(exclusion).collect(),
        gate: seclang::GateUse::On,
    }
}

/// Loads rules.
///
/// # Errors
/// Every mistake in them.
pub fn load(path: &Path, settings: Settings) -> Result<LoadedRules, Vec<Problem>> {
    let loaded = seclang::load_path(path, &settings)?;
    Ok(LoadedRules { path: path.to_owned(), settings, rules: Arc::new(loaded.rules), notes: loaded.notes })
}
