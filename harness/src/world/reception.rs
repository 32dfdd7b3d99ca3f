//! What a world has for clients that are other processes: files, a record of how to reach it, and a control interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_agent_sim::manifests::ReadinessProbe;
use sim_core::keys;
use tokio::sync::watch;

use super::{Backend, StartError, World, WorldConfig, reached};
use crate::client_env::{self, Material, OuterEnv};
use crate::control::{ClusterStatus, ControlConfig, ControlServer, Status};
use crate::state::{Claim, FORMAT, Facts, ProcessId, StateError, WorldRecord};

/// A world could not be hosted.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The world itself.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its folder.
    #[error(transparent)]
    State(#[from] StateError),
}

/// How a world is hosted.
#[derive(Debug, Default)]
pub struct HostOptions {
    /// True when the world ends with the command it is made for.
    pub temporary: bool,
    /// Where ids came from, by option name.
    pub origins: BTreeMap<String, String>,
    /// The user's own environment.
    pub outer: OuterEnv,
}

/// What serves a world's clients. Dropping it ends the control interface; the files go with the world's folder.
#[derive(Debug)]
pub struct Reception {
    record: WorldRecord,
    shutdown: watch::Receiver<bool>,
    _control: ControlServer,
}

/// Gives a world what its cloud serves to clients: the user's helm, and this program as the proxy of cluster connect.
pub fn prepared(config: &mut WorldConfig, outer: &OuterEnv) {
    if config.cloud.release.helm_client.is_none() {
        // What the registry serves to clients that fetch a helm of their own.
        config.cloud.release.helm_client = outer.program("helm");
    }
    if config.cloud.release.connect_proxy.is_none() {
        // A program of this name is the proxy.
        config.cloud.release.connect_proxy = std::env::current_exe().ok();
    }
    if config.backend != Backend::Embedded {
        let speed = config.mode.speed().unwrap_or(f64::INFINITY);
        for (name, seconds) in probes(speed) {
            config.cloud.release.values.entry(name.to_owned()).or_insert(seconds.to_string());
        }
    }
}

/// The agents' readiness probes for a kubelet that counts wall time in a world that is `speed` times as fast: what is 10 and
/// 15 seconds of the world's time, in whole seconds and at least one between two questions.
fn probes(speed: f64) -> impl Iterator<Item = (&'static str, u64)> {
    let own = ReadinessProbe::default();
    let shorter = |seconds: u32| Duration::from_secs_f64(f64::from(seconds) / speed.max(1.0)).as_secs();
    let values = [
        ("systemDefaultValues.readinessProbe.initialDelaySeconds", shorter(own.initial_delay_seconds)),
        ("systemDefaultValues.readinessProbe.periodSeconds", shorter(own.period_seconds).max(1)),
    ];
    values.into_iter().filter(move |_| speed > 1.0)
}

impl Reception {
    /// Writes the files of clients into the claimed folder, which is the world's, opens the control interface at `listen`, and
    /// publishes how to reach the world.
    ///
    /// # Errors
    /// [`HostError`]; the folder may have files in it then, which go with the claim.
    pub async fn open(
        world: &World,
        claim: &Claim,
        listen: SocketAddr,
        options: HostOptions,
    ) -> Result<Self, HostError> {
        let control_part = |reason: String| StartError::Part { part: "control interface", reason };
        let token = keys::secret("control").map_err(|error| control_part(error.to_string()))?;
        let facts = facts(claim, world, options.origins);
        let (ask, shutdown) = watch::channel(false);
        let started = world.clock().wall();
        let control = ControlServer::start(ControlConfig {
            listen,
            token: token.clone(),
            status: status_source(world, &facts, started),
            admin: world.cloud().admin_router(),
            shutdown: ask,
            az_extensions: facts.az_extensions(),
        })
        .await
        .map_err(|error| control_part(error.to_string()))?;
        prepare(world, &facts, options.outer).await?;
        let record = WorldRecord {
            format: FORMAT,
            version: crate::VERSION.into(),
            name: claim.name().clone(),
            owner: ProcessId::current(),
            created: started,
            control: control.addr(),
            token,
            temporary: options.temporary,
            facts,
        };
        claim.publish(&record)?;
        Ok(Self { record, shutdown, _control: control })
    }

    /// How to reach the world.
    #[must_use]
    pub fn record(&self) -> &WorldRecord {
        &self.record
    }

    /// Waits until somebody asks the world, by its control interface, to end.
    pub async fn asked_to_end(&self) {
        let mut shutdown = self.shutdown.clone();
        if shutdown.wait_for(|asked| *asked).await.is_err() {
            // The interface is gone, so nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}

fn facts(claim: &Claim, world: &World, origins: BTreeMap<String, String>) -> Facts {
    let profile = world.cloud().world().profile.clone();
    let subscription = profile.subscriptions.first().cloned().unwrap_or_default();
    let principal = profile.principals.first().cloned().unwrap_or_default();
    Facts {
        dir: claim.dir().into(),
        gateway: reached(world.gateway().addr()),
        cloud: reached(world.cloud().addr()),
        clock_link: world.clock_link().to_string(),
        cluster_url: world.cluster().url(),
        backend: world.cluster().backend(),
        cluster: world.name().into(),
        seed: world.seed().value(),
        tenant: profile.tenant.id.to_string(),
        subscription: subscription.id.to_string(),
        subscription_name: subscription.name,
        client_id: principal.client_id.to_string(),
        client_secret: principal.secret,
        allow: world.allow().to_vec(),
        proxies: world.proxies(),
        origins,
    }
}

fn status_source(
    world: &World,
    facts: &Facts,
    started: jiff::Timestamp,
) -> Arc<dyn Fn(SocketAddr) -> Status + Send + Sync> {
    let (clock, facts) = (world.clock().clone(), facts.clone());
    Arc::new(move |control| Status {
        world: facts.cluster.clone(),
        version: crate::VERSION.into(),
        pid: std::process::id(),
        started,
        clock: clock.reading(),
        seed: facts.seed,
        gateway: facts.gateway,
        cloud: facts.cloud,
        control,
        tenant: facts.tenant.clone(),
        subscription: facts.subscription.clone(),
        clusters: vec![ClusterStatus {
            name: facts.cluster.clone(),
            backend: facts.backend.clone(),
            url: facts.cluster_url.clone(),
        }],
        allow: facts.allow.clone(),
        proxies: facts.proxies.clone(),
    })
}

async fn prepare(world: &World, facts: &Facts, outer: OuterEnv) -> Result<(), HostError> {
    let profile = world.cloud().world().profile.clone();
    let subscriptions: Vec<(String, String)> =
        profile.subscriptions.iter().map(|one| (one.id.to_string(), one.name.clone())).collect();
    let (facts, kubeconfig) = (facts.clone(), world.cluster().kubeconfig());
    let (authority, seed) = (world.authority().clone(), world.seed());
    let proxies: Vec<(String, String)> = world
        .proxies()
        .into_iter()
        .filter_map(|place| world.proxy_ca(&place.name).map(|pem| (place.name.clone(), pem.to_owned())))
        .collect();
    let now_millis = u64::try_from(world.clock().wall().as_millisecond()).unwrap_or_default();
    let write = move || {
        let material = Material {
            ca_pem: authority.pem(),
            ca_der: authority.der(),
            kubeconfig: &kubeconfig,
            proxies: &proxies,
            subscriptions: &subscriptions,
            installation_id: &seed.uuid("az/installation").to_string(),
            now_millis,
        };
        client_env::prepare(&facts, &material, &outer)
    };
    let written = tokio::task::spawn_blocking(write).await;
    let unfinished = |error: tokio::task::JoinError| StartError::Part {
        part: "clients' files",
        reason: error.to_string(),
    };
    Ok(written.map_err(unfinished)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_as_fast_as_the_world_but_for_whole_seconds() {
        let seconds = |speed| probes(speed).map(|(_, seconds)| seconds).collect::<Vec<_>>();
        assert_eq!(seconds(60.0), [0, 1]);
        assert_eq!(seconds(f64::INFINITY), [0, 1]);
        assert_eq!(seconds(5.0), [2, 3]);
        assert_eq!(seconds(1.0), [0; 0], "the chart's own");
        assert_eq!(seconds(1e-300), [0; 0], "the chart's own");
    }
}
