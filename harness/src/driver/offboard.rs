//! `az connectedk8s delete`.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::agents::{NAMESPACE_PATH, RELEASE_NAMESPACE_PATH};
use super::azure::ApiVersion;
use super::options::OffboardOptions;
use super::{Code, Driver, DriverError, Stage, StageState};

/// How long the Azure CLI waits for the agents' namespace to vanish, and how often it looks (world time).
const NAMESPACE_LIMIT: Duration = Duration::from_secs(180);
const NAMESPACE_POLL: Duration = Duration::from_secs(5);

/// A cluster is disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Offboarded {
    /// Whether there were agents to remove.
    pub agents: bool,
    /// Whether their namespace has vanished, as far as that was waited for.
    pub clean: bool,
}

impl Driver {
    /// Disconnects the cluster from Azure Arc and removes its agents.
    ///
    /// As with the Azure CLI, a resource that does not exist is an error, with `--force` too.
    ///
    /// # Errors
    /// [`DriverError`] names the stage that failed, with the Azure CLI's code.
    pub async fn offboard(&self, options: &OffboardOptions) -> Result<Offboarded, DriverError> {
        self.begin(Stage::Match);
        self.require_resource(options).await?;
        self.cluster.get("/version/").await.map_err(|error| {
            let summary = "Unable to verify connectivity to the Kubernetes cluster";
            DriverError::kube(
                Stage::Connectivity,
                Code::KUBERNETES_CONNECTIVITY,
                summary,
                "GET /version",
                &error,
            )
        })?;
        let release = self.release(Stage::Match).await?;
        // As with the Azure CLI: only a release makes the agents' ConfigMap count, and force does not ask it.
        let config = match (&release, options.force) {
            (Some(_), false) => {
                let config = self.agents_config().await?.unwrap_or_default();
                self.require_match(options, &config)?;
                config
            }
            _ => Map::new(),
        };
        self.delete_resource(options).await?;
        if options.force {
            self.begin(Stage::Definitions);
            self.delete_definitions().await;
        }
        let agents = release.is_some() || (options.force && self.namespace_exists().await?);
        if agents {
            self.begin(Stage::DeleteAgents);
            self.remove_agents(release.as_ref(), &config).await?;
        }
        let clean = if agents && !options.no_wait { self.wait_for_namespace().await? } else { !agents };
        if agents || options.force {
            self.remove_release_namespace().await?;
        }
        self.report(Stage::Namespaces, StageState::Done, "The cluster is disconnected");
        Ok(Offboarded { agents, clean })
    }

    async fn require_resource(&self, options: &OffboardOptions) -> Result<(), DriverError> {
        let (group, name) = (&options.group, &options.name);
        let found = self.azure.cluster(group, name, ApiVersion::CLUSTERS.0).await.map_err(|error| {
            DriverError::azure(Stage::Match, Code::UNEXPECTED, "Unable to read the resource", &error)
        })?;
        if found.is_some() {
            return Ok(());
        }
        let what = format!("The connected cluster {name} was not found in resource group {group}");
        let next = "see what there is: dryarc list (or az connectedk8s list); agents without a resource are removed by the next connect";
        let mut error = DriverError::new(Stage::Match, Code::NOT_FOUND, what, next);
        error.arm_code = Some("ResourceNotFound".into());
        Err(error)
    }

    /// The agents must belong to the resource that is to be deleted.
    fn require_match(
        &self,
        options: &OffboardOptions,
        config: &Map<String, Value>,
    ) -> Result<(), DriverError> {
        let same = |key: &str, wanted: &str| {
            config.get(key).and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        };
        let subscription = &self.azure.credentials().subscription;
        if same("AZURE_RESOURCE_GROUP", &options.group)
            && same("AZURE_RESOURCE_NAME", &options.name)
            && same("AZURE_SUBSCRIPTION_ID", subscription)
        {
            return Ok(());
        }
        let of = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or("nothing");
        let what = format!(
            "The current context in the kubeconfig file does not correspond to the connected cluster resource specified; \
             its agents belong to {} in {}",
            of("AZURE_RESOURCE_NAME"),
            of("AZURE_RESOURCE_GROUP")
        );
        let next = "choose the kubeconfig context of the cluster that is to be disconnected, or use --force";
        Err(DriverError::new(Stage::Match, Code::INVALID_DELETE, what, next))
    }

    async fn delete_resource(&self, options: &OffboardOptions) -> Result<(), DriverError> {
        self.begin(Stage::DeleteResource);
        let on_poll = |state: &str| self.report(Stage::DeleteResource, StageState::Waiting, state);
        let deleted = self.azure.delete_cluster(&options.group, &options.name, options.force, &on_poll).await;
        deleted.map_err(|error| {
            let summary = "Unable to delete connected cluster resource";
            DriverError::azure(Stage::DeleteResource, Code::DELETE, summary, &error)
        })
    }

    /// Deletes helm's namespace, if there is one.
    pub(super) async fn remove_release_namespace(&self) -> Result<(), DriverError> {
        let deleted = self.cluster.delete(RELEASE_NAMESPACE_PATH).await;
        deleted.map(drop).map_err(|error| {
            let summary = "Unable to delete namespace 'azure-arc-release'";
            DriverError::kube(Stage::DeleteAgents, Code::REMOVE, summary, RELEASE_NAMESPACE_PATH, &error)
        })
    }

    /// Waits until the agents' namespace is gone; false when it still terminates after the Azure CLI's limit, which is
    /// a warning there.
    pub(super) async fn wait_for_namespace(&self) -> Result<bool, DriverError> {
        self.begin(Stage::Namespaces);
        let deadline = self.pace.limit(NAMESPACE_LIMIT);
        let mut said = false;
        while self.namespace_exists().await? {
            if deadline.is_over() {
                let text = "Namespace 'azure-arc' still in terminating state; see kubectl get namespace azure-arc -o yaml";
                self.report(Stage::Namespaces, StageState::Warning, text);
                return Ok(false);
            }
            if !said {
                self.report(
                    Stage::Namespaces,
                    StageState::Waiting,
                    format!("{NAMESPACE_PATH} is terminating"),
                );
                said = true;
            }
            self.pace.world(NAMESPACE_POLL).await;
        }
        Ok(true)
    }
}
