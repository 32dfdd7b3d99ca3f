//! In which state onboarding finds cluster and cloud.

use serde::Serialize;
use serde_json::{Map, Value};

use super::agents::NAMESPACE_PATH;
use super::azure::ApiVersion;
use super::options::OnboardOptions;
use super::{Code, Driver, DriverError, Stage, StageState};

/// The ConfigMap that says which resource the agents belong to.
const CONFIG_MAP_PATH: &str = "/api/v1/namespaces/azure-arc/configmaps/azure-clusterconfig";

/// In which state onboarding found things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// No agents, no resource.
    Fresh,
    /// Agents and resource belong together already: the resource was written again, the agents left alone.
    Again,
    /// Agents whose resource is gone: they were removed, then as fresh.
    Stale,
}

impl Driver {
    /// Compares what is in the cluster with what is in Azure.
    pub(super) async fn find_entry(&self, options: &OnboardOptions) -> Result<(Entry, Value), DriverError> {
        self.begin(Stage::Existing);
        let (group, name) = (&options.group, &options.name);
        let release = self.release(Stage::Existing).await?;
        let Some(release) = release else {
            return match self.resource(group, name).await? {
                None => Ok((Entry::Fresh, Value::Null)),
                Some(resource) if has_no_agents(&resource) => Ok((Entry::Fresh, Value::Null)),
                Some(_) => {
                    let what = format!(
                        "The connected cluster resource {name} already exists in the resource group {group} \
                         and corresponds to a different Kubernetes cluster"
                    );
                    let next = "choose another --name, or delete the resource first";
                    Err(DriverError::new(Stage::Existing, Code::ALREADY_EXISTS, what, next))
                }
            };
        };
        let Some(config) = self.agents_config().await? else {
            let what =
                "Unable to read ConfigMap 'azure-clusterconfig' in 'azure-arc' namespace: it does not exist";
            let next = "remove what is left of the agents: helm delete azure-arc --namespace azure-arc-release --no-hooks";
            return Err(
                DriverError::new(Stage::Existing, Code::CONFIG_MAP_READ, what, next).at(CONFIG_MAP_PATH)
            );
        };
        let of = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
        let (owner_group, owner) = (of("AZURE_RESOURCE_GROUP"), of("AZURE_RESOURCE_NAME"));
        let Some(resource) = self.resource(owner_group, owner).await? else {
            let text =
                "Cleaning up the stale arc agents present on the cluster before starting new onboarding";
            self.report(Stage::Existing, StageState::Warning, text);
            self.remove_agents(Some(&release), &config).await?;
            self.wait_for_namespace().await?;
            self.remove_release_namespace().await?;
            return Ok((Entry::Stale, Value::Null));
        };
        if owner_group.eq_ignore_ascii_case(group) && owner.eq_ignore_ascii_case(name) {
            return Ok((Entry::Again, resource));
        }
        let what = format!(
            "The kubernetes cluster you are trying to onboard is already onboarded to the resource group {owner_group} \
             with resource name {owner}"
        );
        let next = format!(
            "disconnect it first: dryarc offboard --name {owner} --resource-group {owner_group} (az connectedk8s delete does the same)"
        );
        Err(DriverError::new(Stage::Existing, Code::ALREADY_ONBOARDED, what, next))
    }

    /// The data of ConfigMap `azure-clusterconfig`; `None` when the cluster has no agents.
    pub(super) async fn agents_config(&self) -> Result<Option<Map<String, Value>>, DriverError> {
        let failed = |error: kube::Error| {
            let summary = "Unable to read ConfigMap 'azure-clusterconfig' in namespace 'azure-arc'";
            DriverError::kube(Stage::Existing, Code::CONFIG_MAP_READ, summary, CONFIG_MAP_PATH, &error)
        };
        let found = self.cluster.find(CONFIG_MAP_PATH).await.map_err(failed)?;
        Ok(found.map(|map| map.get("data").and_then(Value::as_object).cloned().unwrap_or_default()))
    }

    async fn resource(&self, group: &str, name: &str) -> Result<Option<Value>, DriverError> {
        self.azure.cluster(group, name, ApiVersion::CLUSTERS.0).await.map_err(|error| {
            let summary = "Failed to check if connected cluster resource already exists";
            DriverError::azure(Stage::Existing, Code::UNEXPECTED, summary, &error)
        })
    }

    /// Whether the agents' namespace is there.
    pub(super) async fn namespace_exists(&self) -> Result<bool, DriverError> {
        let found = self.cluster.find(NAMESPACE_PATH).await;
        found.map(|namespace| namespace.is_some()).map_err(|error| {
            let summary = "Unable to read namespace 'azure-arc'";
            DriverError::kube(Stage::Namespaces, Code::NAMESPACE_GET, summary, NAMESPACE_PATH, &error)
        })
    }
}

fn has_no_agents(resource: &Value) -> bool {
    resource.pointer("/properties/connectivityStatus").and_then(Value::as_str) == Some("AgentNotInstalled")
}
