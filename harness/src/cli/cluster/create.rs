//! `dryarc cluster create`: a process of its own that runs the cluster.

use std::path::PathBuf;

use clap::Args;
use kube_sim::cluster::{Cluster, ClusterConfig};
use kube_sim::kubelet::{NodeGroup, NodeSpec, nodes, parse_nodes, parse_program, programs};
use sim_core::clock::{Clock, Mode};
use sim_core::seed::Seed;

use super::record::{Clusters, Record, publish};
use crate::cli::signals::Signals;
use crate::cli::{CliError, Context, Exit, detach, output};
use crate::state::{Claim, ProcessId, StateError, WorldName};

/// Create a cluster that runs in the background
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc cluster create
  dryarc cluster create ci --nodes 3
  dryarc cluster create mixed --node count=2 --node name=arm,arch=arm64,cpu=8,taint=arch=arm64:NoSchedule
  dryarc cluster create fast --speed 60      a minute of the cluster's time each second
  dryarc cluster create dev --image busybox=/bin/busybox
  export KUBECONFIG=$(dryarc cluster kubeconfig dev --path)")]
pub(super) struct Create {
    /// Its name
    #[arg(default_value_t, value_name = "NAME")]
    name: WorldName,
    /// How many nodes
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=250))]
    nodes: u16,
    /// Nodes by profile, once or more, in the place of --nodes: count, name, arch, os, os-image, cpu, memory, pods, label,
    /// taint, provider-id, control-plane
    #[arg(long = "node", value_name = "PROFILE", value_parser = parse_nodes, conflicts_with = "nodes")]
    profiles: Vec<NodeGroup>,
    /// Seconds of the cluster's time per second; 0 stands still
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    speed: f64,
    /// What names and ids are drawn from
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Run a program of this machine for an image; other images have scripted lives
    #[arg(long = "image", value_name = "IMAGE=PROGRAM", value_parser = parse_program)]
    images: Vec<(String, PathBuf)>,
    #[arg(long, hide = true)]
    in_background: bool,
}

impl Create {
    pub(super) async fn run(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        let clusters = Clusters::of(&context.home);
        if !self.in_background {
            self.mode()?;
            self.programs_are_there()?;
            if let Ok(record) = clusters.find(&self.name) {
                return Err(taken(&record.name));
            }
            detach::spawn(signals).await?;
            let record = clusters.find(&self.name)?;
            output::say(&welcome(&record));
            return Ok(Exit::Ok);
        }
        detach::leave_session();
        let (claim, cluster) = match self.start(context, &clusters).await {
            Ok(started) => started,
            Err(error) => {
                detach::tell(Err(&error), None)?;
                return Ok(error.exit);
            }
        };
        detach::tell(Ok(()), Some(&claim.dir().join("cluster.log")))?;
        // Asked by `cluster delete`, by a signal.
        let _ = signals.next().await;
        cluster.shutdown().await;
        drop(claim);
        clusters.tidy();
        Ok(Exit::Ok)
    }

    fn programs_are_there(&self) -> Result<(), CliError> {
        let Some((image, program)) = self.images.iter().find(|(_, program)| !program.is_file()) else {
            return Ok(());
        };
        let what = format!("--image {image}={}: there is no such program", program.display());
        Err(CliError::usage(what).next("name a program of this machine by its path"))
    }

    fn mode(&self) -> Result<Mode, CliError> {
        match self.speed {
            0.0 => Ok(Mode::Manual),
            speed if speed.is_finite() && speed > 0.0 && speed <= 100_000.0 => Ok(Mode::Scaled { speed }),
            speed => Err(CliError::usage(format!("--speed {speed} is not between 0 and 100000"))
                .next("give seconds of the cluster's time per second, as in `--speed 60`")),
        }
    }

    fn node_specs(&self) -> Vec<NodeSpec> {
        if !self.profiles.is_empty() {
            return nodes(&self.profiles);
        }
        let node = |number: u16| NodeSpec { name: format!("node-{number}"), ..NodeSpec::default() };
        (1..=self.nodes).map(node).collect()
    }

    async fn start(&self, context: &Context, clusters: &Clusters) -> Result<(Claim, Cluster), CliError> {
        let claim = clusters.home().claim(&self.name, &context.clock).await.map_err(|error| match error {
            StateError::Running(name) => taken(&name),
            error => error.into(),
        })?;
        let clock = Clock::running(1.0);
        clock.set_mode(self.mode()?);
        let specs = self.node_specs();
        let count = u16::try_from(specs.len()).unwrap_or(u16::MAX);
        let work_dir = claim.dir().join("pods");
        let cluster = Cluster::start(ClusterConfig {
            images: programs(self.images.clone()),
            nodes: specs,
            ..ClusterConfig::new(self.name.to_string(), &clock, Seed::new(self.seed), work_dir)
        });
        let cluster = cluster.await.map_err(CliError::failed)?;
        let record = |kubeconfig| Record {
            name: self.name.clone(),
            version: crate::VERSION.to_owned(),
            owner: ProcessId::current(),
            url: cluster.url(),
            nodes: count,
            kubeconfig,
        };
        if let Err(error) = publish(claim.dir(), &cluster.kubeconfig(), record) {
            cluster.shutdown().await;
            return Err(error.into());
        }
        Ok((claim, cluster))
    }
}

fn taken(name: &WorldName) -> CliError {
    CliError::new(Exit::Conflict, format!("cluster '{name}' is already running"))
        .next(format!("use it, end it with `dryarc cluster delete {name}`, or choose another name"))
}

fn welcome(record: &Record) -> String {
    let Record { name, nodes, url, .. } = record;
    let plural = if *nodes == 1 { "node" } else { "nodes" };
    format!(
        "Cluster '{name}' is up at {url} ({nodes} {plural}).\n\n  \
         export KUBECONFIG=$(dryarc cluster kubeconfig {name} --path)\n  \
         kubectl get nodes\n  \
         dryarc cluster delete {name}\n"
    )
}
