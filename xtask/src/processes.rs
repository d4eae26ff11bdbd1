//! Starting, watching and ending what is measured.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program as a user builds it.
///
/// # Errors
/// When it does not build.
pub fn release_binary() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--release", "-p", "portreeve"]).status()?;
    if !status.success() {
        return Err("`cargo build --release -p portreeve` failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(target.join("release/portreeve").canonicalize()?)
}

/// The middle of the values; not a number when there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A process and all below it.
fn tree(root: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold spaces; the parent is the second field behind it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, own)| *own == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// Scheduler run time of a process and all below it, in nanoseconds.
pub fn cpu_ns(root: u32) -> u64 {
    let tasks = tree(root)
        .into_iter()
        .flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let ran = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    ran.sum()
}

/// Proportional set size of a process and all below it, in MiB.
pub fn memory_mib(root: u32) -> f64 {
    let pss = tree(root).into_iter().filter_map(|pid| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.split_ascii_whitespace().next()?.parse::<f64>().ok())
    });
    pss.sum::<f64>() / 1024.0
}

/// Whether a program is on the path.
pub fn installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|folder| folder.join(tool).is_file())
}

/// Starts a command on one core.
///
/// # Errors
/// When it does not start.
pub fn start(command: &str, core: usize) -> Result<Child, Box<dyn std::error::Error>> {
    let mut child = Command::new("taskset");
    child.arg("-c").arg(core.to_string()).args(command.split(' '));
    child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    child.spawn().map_err(|error| format!("`{command}` does not start: {error}").into())
}

/// Ends a process: asked first, then killed.
pub fn stop(process: &mut Child) {
    // SIGTERM first, so that nginx and its workers end together.
    let _ = Command::new("kill").arg(process.id().to_string()).status();
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = process.kill();
    let _ = process.wait();
}

/// Waits until a port of this machine accepts.
///
/// # Errors
/// When it does not.
pub fn wait_for(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let until = Instant::now() + Duration::from_secs(15);
    while Instant::now() < until {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("nothing listens on port {port} after 15 s").into())
}
