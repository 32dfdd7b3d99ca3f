//! How long processes take to be ready, and what they hold when idle.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sim_core::clock::Clock;

/// A process once it is up.
pub(crate) struct Started {
    /// Wall milliseconds from the start of the process to its ready line, median of the runs.
    pub(crate) ready_ms: f64,
    /// Resident memory once idle.
    pub(crate) resident_mib: f64,
}

const RUNS: usize = 7;
/// How often the tour is taken: how long its key takes to be made is a matter of luck.
const QUICKSTARTS: usize = 9;

/// The program of this name beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = own.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("{} is missing; run `cargo build --release --workspace --bins` first", path.display()))
}

/// A process that ends with this value.
pub(crate) struct Stopped(pub(crate) Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Resident memory of a process.
pub(crate) fn resident_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Starts the program, waits for its first line, and lets it settle for a moment before reading its memory.
fn until_ready(program: &str, option: &str, file: &str) -> Result<Started, String> {
    let path = beside(program)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let clock = Clock::running(1.0);
    let mut ready = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..RUNS {
        let watch = clock.stopwatch();
        let child = Command::new(&path)
            .arg(option)
            .arg(folder.path().join(file))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut child = Stopped(child);
        let out = child.0.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line).map_err(|error| error.to_string())?;
        if read == 0 {
            return Err(format!("{} ended before it was ready", path.display()));
        }
        ready.push(watch.elapsed().as_secs_f64() * 1000.0);
        settle()?;
        resident.extend(resident_mib(child.0.id()));
    }
    Ok(Started { ready_ms: median(ready), resident_mib: median(resident) })
}

/// Lets background work (key making) of a process that just started come to its end.
fn settle() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(Clock::running(1.0).wall_sleep(std::time::Duration::from_millis(1500)));
    Ok(())
}

/// The fake cloud.
pub(crate) fn cloud() -> Result<Started, String> {
    until_ready("mock-arm", "--state-dir", "state")
}

/// The embedded cluster.
pub(crate) fn cluster() -> Result<Started, String> {
    until_ready("kube-sim", "--kubeconfig", "kubeconfig")
}

/// Wall milliseconds of the whole tour, as a user runs it.
pub(crate) fn quickstart() -> Result<f64, String> {
    let path = beside("dryarc")?;
    let state = tempfile::tempdir().map_err(|error| error.to_string())?;
    let clock = Clock::running(1.0);
    let mut runs = Vec::new();
    for _ in 0..QUICKSTARTS {
        let watch = clock.stopwatch();
        let output = Command::new(&path)
            .arg("quickstart")
            .env("DRYARC_STATE_HOME", state.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if !output.status.success() {
            return Err(format!("quickstart failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        runs.push(watch.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(runs))
}
