//! `cargo xtask check`: form, lints, walls between the crates, dependencies. What CI runs beside the tests.

use std::process::Command;

use crate::Outcome;

/// Checks form, lints, the walls between the crates, and the dependencies' licences and advisories.
#[derive(clap::Args)]
pub struct Arguments {}

/// Which of our crates each crate may depend on. What is not here is a wall; `docs/decisions/` says why one was moved.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("schema", &[]),
    ("ml", &[]),
    ("seclang", &["schema"]),
    ("inspect", &["model", "schema", "ml", "seclang"]),
    ("learn", &["model", "schema", "ml"]),
    ("store", &["model"]),
    ("ingest", &["model"]),
    ("gateway", &["model", "inspect"]),
    ("console", &["model", "schema", "store"]),
    ("portreeve", &["model", "schema", "ml", "seclang", "inspect", "learn", "store", "ingest", "gateway", "console"]),
];

/// Runs the task: every check, even when an earlier one failed.
pub fn run(_arguments: &Arguments) -> Outcome {
    let mut failed = Vec::new();
    let mut check = |name: &'static str, outcome: Outcome| match outcome {
        Ok(()) => eprintln!("ok      {name}"),
        Err(error) => {
            eprintln!("FAILED  {name}: {error}");
            failed.push(name);
        }
    };
    check("format", cargo(&["fmt", "--all", "--check"]));
    check("walls between the crates", edges());
    check("lints", cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]));
    if Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success()) {
        check("licences and bans", cargo(&["deny", "--all-features", "check", "licenses", "bans", "sources"]));
    } else {
        eprintln!("skipped licences and bans: `cargo install cargo-deny --locked` provides it");
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("{} failed", failed.join(", ")).into()) }
}

fn cargo(arguments: &[&str]) -> Outcome {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", arguments.join(" ")).into()) }
}

fn edges() -> Outcome {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let broken = broken_edges(&serde_json::from_slice(&output.stdout)?);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
}

/// Every dependency of one of our crates on another that [`EDGES`] does not allow. Dependencies of tests count as well:
/// a test that reaches over a wall is the first stone taken out of it.
fn broken_edges(metadata: &serde_json::Value) -> Vec<String> {
    let mut broken = Vec::new();
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    for package in list(&metadata["packages"]) {
        let name = member(&package, "name").as_str().unwrap_or_default();
        if name == "xtask" {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(crate_name, _)| *crate_name == name) else {
            broken.push(format!("`{name}` is not in the list of crates"));
            continue;
        };
        for dependency in list(member(&package, "dependencies")) {
            let on = member(&dependency, "name").as_str().unwrap_or_default();
            let ours = member(&dependency, "path").is_string();
            // A crate may depend on itself: that is how its tests switch on a feature.
            if ours && on != name && !allowed.contains(&on) {
                broken.push(format!("`{name}` must not depend on `{on}`"));
            }
        }
    }
    broken
}

/// A member of an object; null where there is none.
fn member<'v>(value: &'v serde_json::Value, name: &str) -> &'v serde_json::Value {
    value.get(name).unwrap_or(&serde_json::Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_over_a_wall_is_named() {
        let metadata = serde_json::json!({"packages": [
            {"name": "gateway", "dependencies": [{"name": "model", "path": "/m"}, {"name": "store", "path": "/s"}]},
            {"name": "surprise", "dependencies": []},
        ]});
        let expected = ["`gateway` must not depend on `store`", "`surprise` is not in the list of crates"];
        assert_eq!(broken_edges(&metadata), expected);
    }

    #[test]
    fn the_walls_of_this_workspace_stand() {
        edges().unwrap();
    }
}
