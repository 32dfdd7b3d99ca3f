//! The embedded cluster beside a real API server, verb by verb in alternating rounds, and what it holds and how soon it acts.
//!
//! `DRYARC_TEST_KUBECONFIG_REAL` names the real server; without it only the embedded one is measured, and the comparison is
//! reported as skipped.

mod fan;
mod own;
mod target;
mod verbs;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::Line;
use crate::start::{Stopped, beside, resident_mib};
use target::{NAMESPACE, Target};
use verbs::{Served, VERBS};

/// Names the kubeconfig of a real server.
const REAL: &str = "DRYARC_TEST_KUBECONFIG_REAL";

/// How often each figure is taken; the first warms up.
const ROUNDS: usize = 3;

/// The embedded cluster as a process.
struct Embedded {
    process: Stopped,
    target: Target,
    _folder: tempfile::TempDir,
}

impl Embedded {
    fn start() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("kubeconfig");
        let child = Command::new(beside("kube-sim")?)
            .arg("--kubeconfig")
            .arg(&path)
            .arg(format!("--image={}=/bin/sleep", own::IMAGE))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut process = Stopped(child);
        let out = process.0.stdout.take().ok_or("no standard output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).map_err(|error| error.to_string())?;
        let config =
            std::fs::read_to_string(&path).map_err(|error| format!("kube-sim did not start: {error}"))?;
        Ok(Self { process, target: Target::of(&config)?, _folder: folder })
    }

    fn resident_mib(&self) -> f64 {
        resident_mib(self.process.0.id()).unwrap_or(f64::NAN)
    }
}

fn real() -> Result<Option<Target>, String> {
    let Some(path) = std::env::var_os(REAL) else { return Ok(None) };
    let config = std::fs::read_to_string(&path).map_err(|error| format!("{REAL}: {error}"))?;
    Target::of(&config).map(Some)
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

async fn namespace(target: &Target) -> Result<(), String> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    target.client()?.create("/api/v1/namespaces", &object).await
}

/// The best of the rounds: what else the machine does at the time slows, and never speeds up.
fn better(best: Option<Served>, found: Served) -> Served {
    match best {
        Some(best) => Served { rate: best.rate.max(found.rate), p99: best.p99.min(found.p99) },
        None => found,
    }
}

fn compared(what: &'static str, own: &Served, real: Option<&Served>, lines: &mut Vec<Line>) {
    let Some(real) = real else {
        let figure = format!("{:.0}/s, p99 {:.2} ms", own.rate, own.p99);
        lines.push(Line { what, figure, target: "(no real server to compare with)", met: true });
        return;
    };
    println!(
        "{what}: {:.0}/s, p99 {:.2} ms; the real API server: {:.0}/s, p99 {:.2} ms",
        own.rate, own.p99, real.rate, real.p99
    );
    let times = own.rate / real.rate;
    lines.push(Line {
        what,
        figure: format!("{times:.1}x, p99 {:.2} of {:.2} ms", own.p99, real.p99),
        target: "at least 3x, lower p99",
        met: times >= 3.0 && own.p99 < real.p99,
    });
}

async fn sides(own: &Target, real: Option<&Target>, lines: &mut Vec<Line>) -> Result<(), String> {
    for target in [Some(own), real].into_iter().flatten() {
        namespace(target).await?;
        verbs::prepare(target).await?;
    }
    for (verb, what) in VERBS {
        let (mut ours, mut theirs) = (None, None);
        for round in 0..=ROUNDS {
            let found = verbs::round(own, verb).await?;
            let other = match real {
                Some(real) => Some(verbs::round(real, verb).await?),
                None => None,
            };
            if round > 0 {
                ours = Some(better(ours, found));
                theirs = other.map(|other| better(theirs.take(), other));
            }
        }
        compared(what, &ours.unwrap_or_default(), theirs.as_ref(), lines);
    }
    let (mut ours, mut theirs) = (None, None);
    for _ in 0..ROUNDS {
        ours = Some(better(ours, fan::round(own).await?));
        if let Some(real) = real {
            theirs = Some(better(theirs.take(), fan::round(real).await?));
        }
    }
    compared("events to 100 watchers", &ours.unwrap_or_default(), theirs.as_ref(), lines);
    Ok(())
}

/// Measures everything.
pub(crate) fn measure(lines: &mut Vec<Line>) -> Result<(), String> {
    let runtime = runtime()?;
    let embedded = Embedded::start()?;
    let real = real()?;
    if real.is_none() {
        println!("the real API server is not measured: set {REAL} to a kubeconfig");
    }
    let measured = runtime.block_on(sides(&embedded.target, real.as_ref(), lines));
    if let Some(real) = &real {
        let path = format!("/api/v1/namespaces/{NAMESPACE}");
        // A namespace that was never made need not go.
        let _ =
            runtime.block_on(async { real.client()?.send("DELETE", &path, "", bytes::Bytes::new()).await });
    }
    measured?;
    let running = runtime.block_on(own::until_running(&embedded.target))?;
    lines.push(Line {
        what: "Deployment created to Pod Running (median)",
        figure: format!("{running:.1} ms"),
        target: "at most 50 ms",
        met: running <= 50.0,
    });
    drop(embedded);
    let embedded = Embedded::start()?;
    runtime.block_on(async {
        namespace(&embedded.target).await?;
        own::fill(&embedded.target).await
    })?;
    let resident = embedded.resident_mib();
    lines.push(Line {
        what: "embedded cluster with 100,000 objects",
        figure: format!("{resident:.0} MiB"),
        target: "at most 400 MiB",
        met: resident <= 400.0,
    });
    Ok(())
}
