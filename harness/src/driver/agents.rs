//! The agents' objects in the cluster: putting them there, taking them away.

use std::time::Duration;

use arc_agent_sim::manifests::{self, AgentSettings};
use serde_json::Value;

use super::cluster::is_absent;
use super::{Code, Driver, DriverError, Stage, StageState};

/// How long a custom resource definition may take until its kind is served (world time).
const ESTABLISHED: Duration = Duration::from_secs(60);
const ESTABLISHED_POLL: Duration = Duration::from_secs(1);

/// How long the Azure CLI waits for the deletion of one custom resource definition.
const DEFINITION_LIMIT: Duration = Duration::from_secs(20);

/// Path of the agents' namespace.
pub(super) const NAMESPACE_PATH: &str = "/api/v1/namespaces/azure-arc";
/// Path of the namespace that helm keeps its releases in.
pub(super) const RELEASE_NAMESPACE_PATH: &str = "/api/v1/namespaces/azure-arc-release";

/// `Kind namespace/name` of an object, for people.
pub(super) fn name_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    match text("/metadata/namespace") {
        "" => format!("{kind} {name}"),
        namespace => format!("{kind} {namespace}/{name}"),
    }
}

impl Driver {
    /// Applies the agents' objects, in order.
    pub(super) async fn install(&self, settings: &AgentSettings) -> Result<(), DriverError> {
        for object in manifests::objects(settings) {
            self.put(&object).await?;
        }
        Ok(())
    }

    /// Applies one object; one whose kind is not served yet has some time.
    async fn put(&self, object: &Value) -> Result<(), DriverError> {
        let deadline = self.pace.limit(ESTABLISHED);
        loop {
            match self.cluster.put_object(object).await {
                Ok(()) => return Ok(()),
                Err(error) if is_absent(&error) && is_custom(object) && !deadline.is_over() => {
                    self.pace.world(ESTABLISHED_POLL).await;
                }
                Err(error) => {
                    let summary = "Unable to install the agents";
                    return Err(DriverError::kube(
                        Stage::Agents,
                        Code::INSTALL,
                        summary,
                        &name_of(object),
                        &error,
                    ));
                }
            }
        }
    }

    /// Deletes the agents' objects, last first; what is not there is passed over.
    pub(super) async fn remove(&self, settings: &AgentSettings) -> Result<(), DriverError> {
        for object in manifests::objects(settings).iter().rev() {
            let removed = self.cluster.delete_object(object).await;
            removed.map_err(|error| {
                let summary = "Error occured while cleaning up arc agents";
                DriverError::kube(Stage::DeleteAgents, Code::REMOVE, summary, &name_of(object), &error)
            })?;
        }
        Ok(())
    }

    /// Deletes custom resource definitions that an earlier installation left, and waits until they are gone. As in the
    /// Azure CLI, failures are warnings, and each definition has 20 seconds.
    pub(super) async fn delete_definitions(&self) {
        for object in manifests::custom_resource_definitions() {
            if let Err(reason) = self.delete_definition(&object).await {
                let text = format!("{} could not be deleted: {reason}", name_of(&object));
                self.report(Stage::Definitions, StageState::Warning, text);
            }
        }
    }

    async fn delete_definition(&self, object: &Value) -> Result<(), String> {
        let failed = |error: kube::Error| error.to_string();
        if !self.cluster.delete_object(object).await.map_err(failed)? {
            return Ok(());
        }
        let limit = self.pace.limit(DEFINITION_LIMIT);
        while self.cluster.find_object(object).await.map_err(failed)?.is_some() {
            if limit.is_over() {
                return Err("it is still terminating".into());
            }
            self.pace.world(ESTABLISHED_POLL).await;
        }
        Ok(())
    }
}

/// Whether the kind comes from a custom resource definition of the agents.
fn is_custom(object: &Value) -> bool {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version.starts_with("arc.azure.com/") || version.starts_with("clusterconfig.azure.com/")
}
