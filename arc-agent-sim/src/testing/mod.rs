//! Small stand-ins for tests: an API server in memory, Azure's endpoints on loopback, and a world of agents between.

pub(crate) mod azure;
pub(crate) mod kube_api;
mod scenarios;

use serde_json::json;
use sim_core::clock::{Clock, Mode};
use sim_core::keys::RsaKey;
use sim_core::net::Net;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::{RoleContext, run};
use crate::config::tests::config;
use crate::log::AgentLog;
use crate::log::tests::Memory;
use crate::manifests::{AgentSettings, objects};
use crate::role::Role;
use azure::Azure;
use kube_api::KubeApi;

/// Agents in process, on a clock that only moves when told.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) kube: KubeApi,
    pub(crate) azure: Azure,
    pub(crate) log: Memory,
    shutdown: CancellationToken,
    agents: JoinSet<()>,
}

impl World {
    /// A world whose cluster holds the agents' objects and one node with two cores, but in which no agent runs yet.
    pub(crate) async fn new(key: &RsaKey) -> Self {
        let clock = Clock::new(Mode::Manual, "2026-01-01T00:00:00Z".parse().unwrap());
        let mut settings = AgentSettings::new("s", "AzureArcTest", "AzureArcTest1", "eastus", "t");
        settings.private_key_pem = key.pkcs1_pem();
        let kube = KubeApi::default();
        for object in objects(&settings) {
            kube.seed(object);
        }
        kube.seed(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": "node" },
            "status": { "capacity": { "cpu": "2" } },
        }));
        let azure = Azure::start(&clock).await;
        Self {
            clock,
            kube,
            azure,
            log: Memory::default(),
            shutdown: CancellationToken::new(),
            agents: JoinSet::new(),
        }
    }

    /// Starts an agent.
    pub(crate) fn start(&mut self, role: Role) {
        let base = self.azure.base();
        let config = config(&[
            ("HIS_ENDPOINT_OVERRIDE", &base),
            ("DP_ENDPOINT_OVERRIDE", &base),
            ("DRYARC_ROOT", "/nonexistent"),
            ("POD_NAME", role.name()),
        ]);
        let context = RoleContext {
            clock: self.clock.clone(),
            // Whatever is not the stand-in is asked for there too, and not found.
            net: Net::builder().egress(Some(self.azure.address())).build().unwrap(),
            kube: self.kube.client(),
            log: AgentLog::new(self.clock.clone(), role, &config, Box::new(self.log.clone())),
            config,
            shutdown: self.shutdown.clone(),
        };
        self.agents.spawn(async move { run(role, context).await.unwrap() });
    }

    /// Moves the clock, letting everybody do what is due on the way.
    pub(crate) async fn advance(&self, seconds: u64) {
        let advanced = self.clock.advance(std::time::Duration::from_secs(seconds)).await;
        assert!(advanced.quiet, "somebody stayed busy");
    }

    /// Ends the agents.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.agents.join_next().await {
            ended.unwrap();
        }
    }
}
