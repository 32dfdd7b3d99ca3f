//! The agents in the cluster: their Helm release, put there and taken away.

use std::time::Duration;

use arc_agent_sim::manifests::{self, AgentSettings, RELEASE, RELEASE_NAMESPACE};
use serde_json::{Map, Value, json};

use super::cluster::is_absent;
use super::helm::{self, Chart, Release, Status};
use super::options::OnboardOptions;
use super::{Code, Driver, DriverError, Stage, StageState};

/// How long a custom resource definition may take until its kind is served (world time).
const ESTABLISHED: Duration = Duration::from_secs(60);
const ESTABLISHED_POLL: Duration = Duration::from_secs(1);

/// How long the Azure CLI waits for the deletion of one custom resource definition.
const DEFINITION_LIMIT: Duration = Duration::from_secs(20);

/// How often and how far apart the Azure CLI tries to pull the chart.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);

/// The agents' namespace.
const NAMESPACE: &str = "azure-arc";
/// Path of the agents' namespace.
pub(super) const NAMESPACE_PATH: &str = "/api/v1/namespaces/azure-arc";
/// Path of the namespace that helm keeps its releases in.
pub(super) const RELEASE_NAMESPACE_PATH: &str = "/api/v1/namespaces/azure-arc-release";
/// Every revision of every release, as helm asks for them.
const RELEASES: &str = "/api/v1/secrets?labelSelector=owner%3Dhelm";

/// `Kind namespace/name` of an object, for people.
pub(super) fn name_of(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    match text("/metadata/namespace") {
        "" => format!("{kind} {name}"),
        namespace => format!("{kind} {namespace}/{name}"),
    }
}

/// What is installed.
pub(super) struct Installation {
    pub(super) chart: Chart,
    /// The values that were set, for the release.
    pub(super) values: Value,
    pub(super) settings: AgentSettings,
}

impl Driver {
    /// Pulls a chart, the agents' or another, as often as the Azure CLI tries it.
    pub(super) async fn pull_chart(
        &self,
        stage: Stage,
        reference: &str,
        of_agents: bool,
    ) -> Result<Chart, DriverError> {
        let mut attempt = 1;
        loop {
            match helm::pull(self.azure.http(), reference, of_agents).await {
                Ok(chart) => return Ok(chart),
                Err(_) if attempt < ATTEMPTS => {
                    attempt += 1;
                    self.pace.asked(PAUSE, PAUSE).await;
                }
                Err(reason) => {
                    let chart = reference.rsplit('/').next().and_then(|name| name.split(':').next());
                    let what = format!(
                        "Unable to pull {} helm chart from the registry '{reference}': {reason}",
                        chart.unwrap_or_default()
                    );
                    let next =
                        "check that the registry and its data host can be reached, and that it has this tag";
                    return Err(
                        DriverError::new(stage, Code::CHART_PULL, what, next).at(reference.to_owned())
                    );
                }
            }
        }
    }

    /// Makes the agents' namespace and the Secret with the onboarding key in it, as the Azure CLI does before the release
    /// is installed.
    pub(super) async fn deliver_key(&self, private_key_pem: &str) -> Result<(), DriverError> {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        self.put(&manifests::owned(namespace)).await?;
        self.put(&manifests::owned(manifests::onboarding_secret(private_key_pem))).await
    }

    /// Installs the agents as helm does: definitions first, then the release's record, then its objects; waits for them
    /// unless told not to, and writes down how it went.
    pub(super) async fn install(
        &self,
        installation: &Installation,
        options: &OnboardOptions,
    ) -> Result<(), DriverError> {
        let Installation { chart, values, settings } = installation;
        let unusable = |reason: String| {
            let next = "the registry's chart is not one that these agents come from";
            DriverError::new(Stage::Agents, Code::INSTALL, reason, next)
        };
        for definition in chart.definitions().map_err(unusable)? {
            self.put(&definition).await?;
        }
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": RELEASE_NAMESPACE } });
        self.put(&namespace).await?;
        let objects = manifests::rendered(settings);
        let manifest = helm::manifest_text(manifests::CHART, &objects, manifests::template_of);
        let release = Release::first([RELEASE, RELEASE_NAMESPACE], chart, values, manifest, self.clock.now());
        self.keep(&release).await?;
        let mut installed = self.make(&objects).await;
        if installed.is_ok() && !options.no_wait {
            self.begin(Stage::Readiness);
            installed = self.wait_for_agents(options.onboarding_timeout).await;
        }
        let status = if installed.is_ok() { Status::Deployed } else { Status::Failed };
        self.keep(&release.with(status)).await?;
        installed
    }

    /// Applies the release's objects.
    async fn make(&self, objects: &[Value]) -> Result<(), DriverError> {
        for object in objects {
            self.put(&manifests::owned(object.clone())).await?;
        }
        Ok(())
    }

    /// Writes the release's record.
    async fn keep(&self, release: &Release) -> Result<(), DriverError> {
        let secret = release.secret(self.clock.now()).map_err(|reason| {
            let next = "this is a bug in dryarc";
            DriverError::new(Stage::Agents, Code::INSTALL, reason, next)
        })?;
        self.put(&secret).await
    }

    /// The newest revision of the agents' release, in whatever namespace it is.
    pub(super) async fn release(&self, stage: Stage) -> Result<Option<Release>, DriverError> {
        self.release_of(stage, RELEASE).await
    }

    /// The same for any release.
    pub(super) async fn release_of(&self, stage: Stage, name: &str) -> Result<Option<Release>, DriverError> {
        let list = self.cluster.get(RELEASES).await.map_err(|error| {
            let summary = "Helm list release failed";
            DriverError::kube(stage, Code::RELEASE_LIST, summary, RELEASES, &error)
        })?;
        let items = list.get("items").and_then(Value::as_array);
        let ours =
            |secret: &&Value| secret.pointer("/metadata/labels/name").and_then(Value::as_str) == Some(name);
        let releases = items.into_iter().flatten().filter(ours).filter_map(Release::read);
        Ok(releases.max_by_key(Release::version))
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

    /// Removes the agents as `helm uninstall` does: the objects of the release, last first, then its records. Agents
    /// without a release are found by what their ConfigMap says. Definitions stay, as with helm.
    pub(super) async fn remove_agents(
        &self,
        release: Option<&Release>,
        config: &Map<String, Value>,
    ) -> Result<(), DriverError> {
        let objects = match release {
            Some(release) => release.objects().map_err(|reason| {
                let next =
                    "remove the release by hand: helm delete azure-arc -n azure-arc-release --no-hooks";
                DriverError::new(Stage::DeleteAgents, Code::REMOVE, reason, next)
            })?,
            None => manifests::rendered(&settings_of(config)),
        };
        for object in objects.iter().rev() {
            let removed = self.cluster.delete_object(object).await;
            removed.map_err(|error| {
                let summary = "Error occured while cleaning up arc agents";
                DriverError::kube(Stage::DeleteAgents, Code::REMOVE, summary, &name_of(object), &error)
            })?;
        }
        let namespace = release.map_or(RELEASE_NAMESPACE, Release::namespace);
        let records =
            format!("/api/v1/namespaces/{namespace}/secrets?labelSelector=name%3D{RELEASE}%2Cowner%3Dhelm");
        let removed = self.cluster.delete(&records).await;
        removed.map(drop).map_err(|error| {
            let summary = "Error occured while cleaning up arc agents";
            DriverError::kube(Stage::DeleteAgents, Code::REMOVE, summary, &records, &error)
        })
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

/// The settings of agents of which only the ConfigMap is known. Names are all that matters for a deletion, and they do
/// not depend on the settings.
fn settings_of(config: &Map<String, Value>) -> AgentSettings {
    let of = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    AgentSettings::new(
        of("AZURE_SUBSCRIPTION_ID"),
        of("AZURE_RESOURCE_GROUP"),
        of("AZURE_RESOURCE_NAME"),
        of("AZURE_REGION"),
        of("AZURE_TENANT_ID"),
    )
}

/// Whether the kind comes from a custom resource definition of the agents.
fn is_custom(object: &Value) -> bool {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    version.starts_with("arc.azure.com/") || version.starts_with("clusterconfig.azure.com/")
}
