//! `kube-sim`: one embedded cluster on its own, for those who need only Kubernetes.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kube_sim::cluster::{Cluster, ClusterConfig};
use kube_sim::kubelet::{NodeSpec, parse_program, programs};
use sim_core::clock::Clock;
use sim_core::seed::Seed;

/// An embedded Kubernetes for tests: no containers, no root, ready at once.
///
/// Writes a kubeconfig, prints one JSON line when the API server answers, and runs until it is interrupted.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  kube-sim --kubeconfig /tmp/k.yaml & \n  KUBECONFIG=/tmp/k.yaml kubectl get nodes"
)]
struct Options {
    /// Where to write the kubeconfig (mode 0600; an existing file is replaced).
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Name of the cluster and of the context.
    #[arg(long, default_value = "kube-sim")]
    name: String,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// World seconds per second.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where volumes of pods are made [default: beside the kubeconfig].
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// Run a program of this machine for an image, once or more: containers of IMAGE get their `args`, and `command`
    /// in PROGRAM's place. Other images have scripted lives.
    #[arg(long = "image", value_name = "IMAGE=PROGRAM", value_parser = parse_program)]
    images: Vec<(String, PathBuf)>,
    /// How many nodes.
    #[arg(long, default_value_t = 1)]
    nodes: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "kube-sim: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    if !(options.speed.is_finite() && options.speed > 0.0) {
        return Err(format!("--speed {} is not a positive number", options.speed));
    }
    let clock = Clock::running(options.speed);
    let watch = clock.stopwatch();
    let beside = options.kubeconfig.with_extension("pods");
    let own_dir = (options.work_dir.is_none() && !beside.exists()).then(|| beside.clone());
    let nodes = (1..=options.nodes).map(|n| NodeSpec { name: format!("node-{n}"), ..NodeSpec::default() });
    let work_dir = options.work_dir.unwrap_or(beside);
    let cluster = Cluster::start(ClusterConfig {
        images: programs(options.images),
        nodes: nodes.collect(),
        listen: options.listen,
        ..ClusterConfig::new(options.name, &clock, Seed::new(options.seed), work_dir)
    })
    .await
    .map_err(|error| error.to_string())?;
    let written = write_private(&options.kubeconfig, &cluster.kubeconfig());
    if let Err(error) = written {
        cluster.shutdown().await;
        return Err(format!("cannot write {}: {error}", options.kubeconfig.display()));
    }
    let ready = serde_json::json!({
        "ready": true, "url": cluster.url(), "kubeconfig": options.kubeconfig,
        "milliseconds": u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    // A reader that went away does not need the line.
    let _ = writeln!(std::io::stdout(), "{ready}");
    interrupted().await.map_err(|error| format!("cannot wait for signals: {error}"))?;
    cluster.shutdown().await;
    if let Some(own_dir) = own_dir {
        // It may never have been made.
        let _ = fs::remove_dir_all(own_dir);
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}
