//! The options that describe a world that is about to be made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use fault_proxy::ProxyConfig;
use kube_sim::kubelet::{NodeGroup, NodeSpec, check_nodes, nodes, parse_nodes};
use mock_arm::profile::{Principal, Subscription};
use sim_core::clock::Mode;
use sim_core::keys::KeySource;
use sim_core::seed::Seed;
use uuid::Uuid;

use super::cluster_args::{self, ClusterArgs};
use super::{CliError, Context, upstream};
use crate::client_env::OuterEnv;
use crate::images::Agents;
use crate::state::WorldName;
use crate::world::{self, Backend, Egress, Proxies, WorldConfig, WorldProfile, read_proxy};

/// World seconds per second of a quickstart on a real cluster.
const REAL_SPEED: f64 = 60.0;

/// What a world is made of, as flags. Each has a `DRYARC_*` variable, and most a key in the profile.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The world")]
pub(super) struct WorldArgs {
    /// Describe the world by a file (YAML or JSON; keys: clock, speed, seed, allow, names, cluster, nodes,
    /// cloud, workstationProxy, clusterProxy, clusterEgress)
    #[arg(long, env = "DRYARC_PROFILE", value_name = "FILE")]
    profile: Option<PathBuf>,
    /// How the cluster is made: embedded, kind (one of its own), kind=NAME or context=NAME [default: embedded]
    #[arg(long, env = "DRYARC_CLUSTER", value_name = "KIND")]
    cluster: Option<Backend>,
    /// Nodes of the embedded cluster by profile, once or more, as in count=2,arch=arm64,cpu=8,taint=gpu:NoSchedule (count, name,
    /// arch, os, os-image, cpu, memory, pods, label, taint, provider-id, control-plane) [default: one of linux/amd64]
    #[arg(long, env = "DRYARC_NODE", value_name = "PROFILE", value_delimiter = ';', value_parser = parse_nodes)]
    node: Vec<NodeGroup>,
    /// World seconds per second of yours [default: 60; the quickstart jumps instead]
    #[arg(long, env = "DRYARC_SPEED", value_name = "N", allow_negative_numbers = true)]
    speed: Option<f64>,
    /// How the clock moves: real, scaled, instant (jumps to what you wait for) or manual (only `clock advance` moves it)
    #[arg(long = "clock", env = "DRYARC_CLOCK_MODE", value_name = "MODE",
          value_parser = clap::builder::PossibleValuesParser::new(["real", "scaled", "instant", "manual"]))]
    clock_mode: Option<String>,
    /// Draw names, ids and chances from this number [default: another one each time]
    #[arg(long, env = "DRYARC_SEED", value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Use this subscription id
    #[arg(long, env = "DRYARC_SUBSCRIPTION", value_name = "ID", value_parser = id)]
    subscription: Option<Uuid>,
    /// Use this tenant id
    #[arg(long, env = "DRYARC_TENANT", value_name = "ID", value_parser = id)]
    tenant: Option<Uuid>,
    /// Use this application id for the service principal
    #[arg(long, env = "DRYARC_CLIENT_ID", value_name = "ID", value_parser = id)]
    client_id: Option<Uuid>,
    /// Use this secret for the service principal
    #[arg(long, env = "DRYARC_CLIENT_SECRET", value_name = "TEXT", hide_env_values = true)]
    client_secret: Option<String>,
    /// Refuse API versions that a type does not list, instead of serving the nearest one
    #[arg(long, env = "DRYARC_STRICT")]
    strict: bool,
    /// Let this host through to the real network, by your own proxy if you have one (NAME, *.SUFFIX; repeatable)
    #[arg(long, env = "DRYARC_ALLOW", value_name = "HOST", value_delimiter = ',')]
    allow: Vec<String>,
    /// Put a proxy before your own programs (az, helm, onboard); `dryarc fault-proxy --help` shows such a file
    #[arg(long, env = "DRYARC_WORKSTATION_PROXY", value_name = "FILE")]
    workstation_proxy: Option<PathBuf>,
    /// Put a proxy beside the cluster, which agents use when --proxy-https and --proxy-http name it
    #[arg(long, env = "DRYARC_CLUSTER_PROXY", value_name = "FILE")]
    cluster_proxy: Option<PathBuf>,
    /// What becomes of agents' connections without that proxy: open, refused or dropped [default: open]
    #[arg(long, env = "DRYARC_CLUSTER_EGRESS", value_name = "HOW")]
    cluster_egress: Option<Egress>,
    #[command(flatten)]
    real: ClusterArgs,
}

/// A world that is about to be made, and where its ids came from.
#[derive(Debug)]
pub(super) struct Planned {
    /// What it is made of; `dir` is still open.
    pub(super) config: WorldConfig,
    /// Where ids came from, by option name.
    pub(super) origins: BTreeMap<String, String>,
}

/// The flag of an option that was given on the command line.
fn flag(context: &Context, id: &str) -> Option<String> {
    let origin = context.origin(id).filter(|origin| origin.starts_with("--"))?;
    Some(origin.replace("--clock-mode", "--clock"))
}

impl WorldArgs {
    /// The clock's speed when it was given by flag, variable or profile is decided here; `default` is what counts
    /// otherwise.
    ///
    /// # Errors
    /// When an option or the profile makes no sense.
    pub(super) fn plan(
        &self,
        context: &Context,
        name: WorldName,
        default: Mode,
    ) -> Result<Planned, CliError> {
        let profile = self.profile.as_deref().map(WorldProfile::read).transpose()?.unwrap_or_default();
        let backend = self.backend(&profile)?;
        let mode = self.mode(&profile, for_backend(&backend, default))?;
        if backend.is_real() && mode == Mode::Instant {
            let what = "an instant clock jumps ahead of a real cluster, which takes its own time";
            return Err(CliError::usage(what).next("say --speed N instead, or --clock manual"));
        }
        if !backend.is_real() {
            let given: Vec<String> =
                cluster_args::IDS.into_iter().filter_map(|id| flag(context, id)).collect();
            if !given.is_empty() {
                let what = format!("{} means nothing to an embedded cluster", given.join(", "));
                return Err(CliError::usage(what)
                    .next("say --cluster kind or --cluster context=NAME as well, or leave it out"));
            }
        }
        let seed = match self.seed.or(profile.seed) {
            Some(seed) => Seed::new(seed),
            None => fresh_seed()?,
        };
        let origins = self.origins(context, &profile, seed);
        let nodes = self.nodes(&profile, &backend)?;
        let proxies = self.proxies(&profile)?;
        let mut cloud = profile.cloud;
        self.overlay(&mut cloud);
        let agent_program = std::env::current_exe()
            .map_err(|error| CliError::failed(format!("cannot find the program itself: {error}")))?;
        let allow = if self.allow.is_empty() { profile.allow } else { self.allow.clone() };
        let upstream = upstream::choose(&context.outer, &allow)?;
        let config = WorldConfig {
            name,
            mode,
            seed,
            cloud,
            allow,
            names: profile.names,
            onboarding_keys: Vec::new(),
            upstream,
            listen: world::Listen::default(),
            proxies,
            backend,
            real: self.real.options(),
            outer: context.outer.clone(),
            dir: PathBuf::new(),
            agents: Agents::Processes(agent_program),
            nodes,
            start: None,
            keys: KeySource::fresh(),
        };
        Ok(Planned { config, origins })
    }

    /// Flags that describe a world, as given on the command line, for saying that they have no effect.
    pub(super) fn given(&self, context: &Context) -> Vec<String> {
        const WORLD: [&str; 14] = [
            "profile",
            "cluster",
            "node",
            "speed",
            "clock_mode",
            "seed",
            "subscription",
            "tenant",
            "client_id",
            "client_secret",
            "allow",
            "workstation_proxy",
            "cluster_proxy",
            "cluster_egress",
        ];
        let all = WORLD.iter().chain(&cluster_args::IDS);
        all.filter_map(|id| flag(context, id)).collect()
    }

    fn backend(&self, profile: &WorldProfile) -> Result<Backend, CliError> {
        match (&self.cluster, &profile.cluster) {
            (Some(backend), _) => Ok(backend.clone()),
            (None, Some(text)) => text.parse().map_err(CliError::usage),
            (None, None) => Ok(Backend::default()),
        }
    }

    fn nodes(&self, profile: &WorldProfile, backend: &Backend) -> Result<Vec<NodeSpec>, CliError> {
        let given = if self.node.is_empty() { profile.nodes.clone() } else { nodes(&self.node) };
        if given.is_empty() {
            return Ok(vec![NodeSpec::default()]);
        }
        if backend.is_real() {
            let what = "the nodes of a real cluster are what they are";
            return Err(CliError::usage(what).next(
                "describe nodes of an embedded cluster only; --kind-config describes those that kind makes",
            ));
        }
        check_nodes(&given).map_err(|problem| {
            CliError::usage(problem).next("correct --node, DRYARC_NODE or `nodes` in the profile")
        })?;
        Ok(given)
    }

    fn proxies(&self, profile: &WorldProfile) -> Result<Proxies, CliError> {
        let one = |file: &Option<PathBuf>, given: &Option<ProxyConfig>| match (file, given) {
            (Some(file), _) => Ok(Some(Box::new(read_proxy(file)?))),
            (None, Some(config)) => {
                config.check().map_err(|error| {
                    CliError::usage(format!("the profile's proxy makes no sense: {error}"))
                        .next("compare it with the file in `dryarc fault-proxy --help`")
                })?;
                Ok(Some(Box::new(config.clone())))
            }
            (None, None) => Ok::<_, CliError>(None),
        };
        let egress = match (self.cluster_egress, &profile.cluster_egress) {
            (Some(egress), _) => egress,
            (None, Some(text)) => text.parse().map_err(|error: String| {
                CliError::usage(error).next("correct clusterEgress in the profile")
            })?,
            (None, None) => Egress::default(),
        };
        Ok(Proxies {
            workstation: one(&self.workstation_proxy, &profile.workstation_proxy)?,
            cluster: one(&self.cluster_proxy, &profile.cluster_proxy)?,
            egress,
        })
    }

    /// Asks the user before a cluster of theirs is changed. To be called once, by the process that has the terminal.
    ///
    /// # Errors
    /// When the profile cannot be read, no kubeconfig has the cluster's context, or the user does not agree.
    pub(super) fn confirm(&self, outer: &OuterEnv) -> Result<(), CliError> {
        let profile = self.profile.as_deref().map(WorldProfile::read).transpose()?.unwrap_or_default();
        self.real.confirm(&self.backend(&profile)?, outer)
    }

    /// A flag or variable for mode or speed covers both keys of the profile.
    fn mode(&self, profile: &WorldProfile, default: Mode) -> Result<Mode, CliError> {
        let own = self.clock_mode.is_some() || self.speed.is_some();
        let (name, speed) = if own {
            (self.clock_mode.as_deref(), self.speed)
        } else {
            (profile.clock.as_deref(), profile.speed)
        };
        Ok(world::mode(name, speed, default)?)
    }

    fn overlay(&self, cloud: &mut mock_arm::profile::Profile) {
        cloud.strict |= self.strict;
        if let Some(tenant) = self.tenant {
            cloud.tenant.id = tenant;
        }
        if let Some(id) = self.subscription {
            match cloud.subscriptions.first_mut() {
                Some(first) => first.id = id,
                None => cloud.subscriptions.push(Subscription { id, ..Subscription::default() }),
            }
        }
        if self.client_id.is_none() && self.client_secret.is_none() {
            return;
        }
        if cloud.principals.is_empty() {
            cloud.principals.push(Principal::default());
        }
        for principal in cloud.principals.iter_mut().take(1) {
            principal.client_id = self.client_id.unwrap_or(principal.client_id);
            if let Some(secret) = &self.client_secret {
                principal.secret.clone_from(secret);
            }
        }
    }

    fn origins(&self, context: &Context, profile: &WorldProfile, seed: Seed) -> BTreeMap<String, String> {
        let cloud = &profile.cloud;
        let principal = cloud.principals.first();
        let in_profile = [
            ("tenant", !cloud.tenant.id.is_nil()),
            ("subscription", cloud.subscriptions.first().is_some_and(|one| !one.id.is_nil())),
            ("client-id", principal.is_some_and(|one| !one.client_id.is_nil())),
            ("client-secret", principal.is_some_and(|one| !one.secret.is_empty())),
        ];
        let file = self.profile.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let origin = |(name, given): (&str, bool)| {
            let flag = context.origin(&name.replace('-', "_"));
            let rest =
                || if given { format!("the profile {file}") } else { format!("drawn from seed {seed}") };
            (name.to_owned(), flag.unwrap_or_else(rest))
        };
        in_profile.into_iter().map(origin).collect()
    }
}

/// A real cluster takes its own time, so a world around one runs and does not jump.
fn for_backend(backend: &Backend, default: Mode) -> Mode {
    if backend.is_real() && default == Mode::Instant { world::at_speed(REAL_SPEED) } else { default }
}

fn id(text: &str) -> Result<Uuid, String> {
    text.parse()
        .map_err(|_| "an id is 32 hexadecimal digits, as in 0b1f6471-1bf0-4dda-aec3-cb9272f09590".into())
}

/// A seed that is short enough to be typed.
fn fresh_seed() -> Result<Seed, CliError> {
    let mut bytes = [0u8; 4];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| CliError::failed("the system has no randomness to give"))?;
    Ok(Seed::new(u64::from(u32::from_be_bytes(bytes))))
}
