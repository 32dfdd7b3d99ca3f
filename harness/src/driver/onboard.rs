//! `az connectedk8s connect`.

use arc_agent_sim::manifests::{AgentSettings, Values};
use arm_wire::agent::HelmSettings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sim_core::keys::Bits;

use super::agents::{Installation, NAMESPACE_PATH};
use super::azure::ApiVersion;
use super::detect;
use super::options::OnboardOptions;
use super::settings::{AgentProxy, Known, chart_values, version_of};
use super::{Code, Driver, DriverError, Stage, StageState};

const KUBERNETES: &str = "Microsoft.Kubernetes";
const CONFIGURATION: &str = "Microsoft.KubernetesConfiguration";
/// The ConfigMap that says which resource the agents belong to.
pub(super) const CONFIG_MAP_PATH: &str = "/api/v1/namespaces/azure-arc/configmaps/azure-clusterconfig";

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

/// A cluster is onboarded.
#[derive(Debug, Clone, Serialize)]
pub struct Onboarded {
    /// How it was found.
    pub entry: Entry,
    /// The resource as it was when its provisioning ended, before the agents were installed.
    pub resource: Value,
    /// The same at the API version asked for with [`OnboardOptions::view`].
    pub view: Option<Value>,
}

/// What the cluster says about itself.
struct Found {
    distribution: String,
    infrastructure: String,
}

impl Driver {
    /// Connects the cluster to Azure Arc.
    ///
    /// # Errors
    /// [`DriverError`] names the stage that failed, with the Azure CLI's code.
    pub async fn onboard(&self, options: &OnboardOptions) -> Result<Onboarded, DriverError> {
        check_names(options)?;
        self.check_providers().await?;
        let (proxy, location) = self.prepare(options).await?;
        let nodes = self.reach_cluster().await?;
        if options.checks {
            Box::pin(self.check_cluster(&location, &proxy)).await?;
        }
        let found = self.look_at_cluster(options, &nodes).await?;
        self.check_location(&location).await?;
        let entry = match self.find_entry(options).await? {
            (Entry::Again, resource) => return self.write_again(options, &found, resource).await,
            (entry, _) => entry,
        };
        self.begin(Stage::Definitions);
        self.delete_definitions().await;
        self.ensure_group(options, &location).await?;
        let key = self.make_key(options).await?;
        let body =
            put_body(options, &found, &location, &STANDARD.encode(key.public_pkcs1_der()), !proxy.is_empty());
        let resource = self.provision(options, &body).await?;
        let view = self.view(options).await?;
        let custom_locations = self.custom_locations().await;
        self.begin(Stage::DataPlane);
        self.check_data_plane(&location).await?;
        self.begin(Stage::Settings);
        let helm = self.helm_settings(&resource, &location, &proxy).await?;
        let known = Known {
            distribution: &found.distribution,
            infrastructure: &found.infrastructure,
            custom_locations: custom_locations.as_deref(),
        };
        let values = chart_values(&helm, &known);
        let settings = agents(&helm, &values).map_err(|reason| {
            let next = "the data plane must name the cluster that it was asked about; look at its journal";
            DriverError::new(Stage::Settings, Code::UNEXPECTED, reason, next)
        })?;
        self.begin(Stage::Chart);
        let chart = self.pull_chart(Stage::Chart, &helm.repository_path, true).await?;
        self.begin(Stage::Agents);
        self.deliver_key(&key.pkcs1_pem()).await?;
        self.install(&Installation { chart, values, settings }, options).await?;
        // The next cluster of this name gets a key of its own.
        self.keys.forget(&options.key);
        self.report(Stage::Readiness, StageState::Done, "Azure arc agents are installed");
        Ok(Onboarded { entry, resource, view })
    }

    async fn check_providers(&self) -> Result<(), DriverError> {
        self.begin(Stage::Providers);
        for namespace in [KUBERNETES, CONFIGURATION] {
            let provider = match self.azure.provider(namespace).await {
                Ok(provider) => provider,
                Err(error) => {
                    // As in the Azure CLI: what cannot be checked here shows later.
                    let text = format!("{namespace} could not be checked: {error}");
                    self.report(Stage::Providers, StageState::Warning, text);
                    continue;
                }
            };
            let state = provider.get("registrationState").and_then(Value::as_str).unwrap_or("NotRegistered");
            if matches!(state, "Registered" | "Registering") {
                continue;
            }
            let what = format!("{namespace} provider is not registered ({state})");
            if namespace == CONFIGURATION {
                self.report(Stage::Providers, StageState::Warning, what);
                continue;
            }
            let next =
                format!("az provider register --namespace {namespace}, and wait until it is Registered");
            return Err(DriverError::new(Stage::Providers, Code::PROVIDER_NOT_REGISTERED, what, next)
                .at(format!("subscription {}", self.azure.credentials().subscription)));
        }
        Ok(())
    }

    /// Proxy, metadata, location: what needs no cluster.
    async fn prepare(&self, options: &OnboardOptions) -> Result<(AgentProxy, String), DriverError> {
        self.begin(Stage::Proxy);
        let proxy = AgentProxy::read(options).await?;
        let location = match &options.location {
            Some(location) => location.clone(),
            None => self.group_location(&options.group).await?,
        };
        self.begin(Stage::Metadata);
        self.azure.metadata().await.map_err(|error| {
            DriverError::azure(Stage::Metadata, Code::UNEXPECTED, "Failed to get ARM metadata", &error)
        })?;
        let location: String = location.chars().filter(|letter| !letter.is_whitespace()).collect();
        Ok((proxy, location.to_lowercase()))
    }

    async fn group_location(&self, group: &str) -> Result<String, DriverError> {
        let found = self.azure.group(group).await.map_err(|error| {
            DriverError::azure(
                Stage::Options,
                Code::INVALID_LOCATION,
                "Unable to read the resource group",
                &error,
            )
        })?;
        let location = found.and_then(|group| group.get("location")?.as_str().map(ToOwned::to_owned));
        location.ok_or_else(|| {
            let what = format!("Resource group '{group}' could not be found, and no location was given");
            let next = format!("give --location, or create the group: az group create -n {group} -l eastus");
            DriverError::new(Stage::Options, Code::INVALID_LOCATION, what, next)
        })
    }

    /// The API server and the nodes.
    async fn reach_cluster(&self) -> Result<Vec<Value>, DriverError> {
        self.begin(Stage::Connectivity);
        self.cluster.get("/version/").await.map_err(|error| unreachable("GET /version", &error))?;
        self.begin(Stage::Nodes);
        let nodes = match self.cluster.get("/api/v1/nodes").await {
            Ok(list) => list.get("items").and_then(Value::as_array).cloned().unwrap_or_default(),
            Err(error) => {
                let text = format!("the nodes cannot be listed: {error}");
                self.report(Stage::Nodes, StageState::Warning, text);
                Vec::new()
            }
        };
        if !detect::has_linux(&nodes) {
            let text = "the cluster has no linux node; the agents need one";
            self.report(Stage::Nodes, StageState::Warning, text);
        }
        Ok(nodes)
    }

    /// The user's rights, and what the cluster is.
    async fn look_at_cluster(&self, options: &OnboardOptions, nodes: &[Value]) -> Result<Found, DriverError> {
        self.begin(Stage::Permissions);
        let allowed = self.cluster.may("create", "rbac.authorization.k8s.io", "clusterrolebindings").await;
        if !allowed.map_err(|error| unreachable("POST selfsubjectaccessreviews", &error))? {
            let what = "Your credentials doesn't have permission to create clusterrolebindings on this kubernetes cluster";
            let next = "use a kubeconfig context whose user is a cluster administrator";
            return Err(DriverError::new(Stage::Permissions, Code::ROLE_BINDING_FORBIDDEN, what, next));
        }
        self.begin(Stage::Distribution);
        let detected = || detect::distribution(nodes).to_owned();
        Ok(Found {
            distribution: options.distribution.clone().unwrap_or_else(detected),
            infrastructure: options.infrastructure.clone().unwrap_or_else(|| detect::infrastructure(nodes)),
        })
    }

    async fn check_location(&self, location: &str) -> Result<(), DriverError> {
        self.begin(Stage::Location);
        let provider = self.azure.provider(KUBERNETES).await.map_err(|error| {
            let summary = "Failed to fetch resource provider details";
            DriverError::azure(Stage::Location, Code::PROVIDER_FETCH, summary, &error)
        })?;
        let types = provider.get("resourceTypes").and_then(Value::as_array);
        let clusters = types.into_iter().flatten().find(|kind| {
            let name = kind.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            name.eq_ignore_ascii_case("connectedClusters")
        });
        let locations = clusters.and_then(|kind| kind.get("locations")?.as_array());
        let locations: Vec<String> = locations
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|name| name.replace(' ', "").to_lowercase())
            .collect();
        if locations.iter().any(|known| known == location) {
            return Ok(());
        }
        let what = format!(
            "Connected cluster resource creation is supported only in the following locations: {}",
            locations.join(", ")
        );
        let next = format!("choose one of them with --location instead of '{location}'");
        Err(DriverError::new(Stage::Location, Code::INVALID_LOCATION, what, next))
    }

    /// Compares what is in the cluster with what is in Azure.
    async fn find_entry(&self, options: &OnboardOptions) -> Result<(Entry, Value), DriverError> {
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

    async fn write_again(
        &self,
        options: &OnboardOptions,
        found: &Found,
        existing: Value,
    ) -> Result<Onboarded, DriverError> {
        let text = |pointer: &str| existing.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let key = text("/properties/agentPublicKeyCertificate").to_owned();
        let location = text("/location").to_owned();
        let body = put_body(options, found, &location, &key, false);
        let resource = self.provision(options, &body).await?;
        let view = self.view(options).await?;
        self.report(
            Stage::Provisioning,
            StageState::Done,
            "The cluster was onboarded already; its resource was written again",
        );
        Ok(Onboarded { entry: Entry::Again, resource, view })
    }

    async fn ensure_group(&self, options: &OnboardOptions, location: &str) -> Result<(), DriverError> {
        self.begin(Stage::ResourceGroup);
        let failed = |error| {
            let summary = "Failed to create the resource group";
            DriverError::azure(Stage::ResourceGroup, Code::UNEXPECTED, summary, &error)
        };
        if !self.azure.group_exists(&options.group).await.map_err(failed)? {
            self.azure.create_group(&options.group, location).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn make_key(
        &self,
        options: &OnboardOptions,
    ) -> Result<std::sync::Arc<sim_core::keys::RsaKey>, DriverError> {
        self.begin(Stage::KeyPair);
        self.keys.rsa(&options.key, Bits::Rsa4096).await.map_err(|error| {
            let next = "try again; if it goes on, the machine has no source of randomness";
            DriverError::new(Stage::KeyPair, Code::KEY_PAIR, error.to_string(), next)
        })
    }

    async fn provision(&self, options: &OnboardOptions, body: &Value) -> Result<Value, DriverError> {
        self.begin(Stage::Provisioning);
        let on_poll = |state: &str| self.report(Stage::Provisioning, StageState::Waiting, state);
        let target = (options.group.as_str(), options.name.as_str());
        self.azure.put_cluster(target, body, !options.no_wait, &on_poll).await.map_err(|error| {
            let code = match error {
                super::AzureError::Operation { .. } => Code::UNEXPECTED,
                _ => Code::CREATE,
            };
            DriverError::azure(
                Stage::Provisioning,
                code,
                "Unable to create connected cluster resource",
                &error,
            )
        })
    }

    async fn view(&self, options: &OnboardOptions) -> Result<Option<Value>, DriverError> {
        let Some(version) = &options.view else { return Ok(None) };
        self.azure.cluster(&options.group, &options.name, version).await.map_err(|error| {
            let summary = "Unable to read the new resource";
            DriverError::azure(Stage::Provisioning, Code::UNEXPECTED, summary, &error)
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

fn unreachable(place: &'static str, error: &kube::Error) -> DriverError {
    let summary = "Unable to verify connectivity to the Kubernetes cluster";
    DriverError::kube(Stage::Connectivity, Code::KUBERNETES_CONNECTIVITY, summary, place, error)
}

/// The agents' settings that the data plane's answer stands for.
fn agents(helm: &HelmSettings, values: &Value) -> Result<AgentSettings, String> {
    let version = version_of(&helm.repository_path)?;
    Values::with(values).settings(version).map_err(|error| error.to_string())
}

fn check_names(options: &OnboardOptions) -> Result<(), DriverError> {
    let invalid =
        |what: String, next: &str| Err(DriverError::new(Stage::Options, Code::INVALID_ARGUMENT, what, next));
    let good = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if options.name.is_empty() || options.name.len() > 63 || !options.name.chars().all(good) {
        let what = format!("'{}' cannot be the name of a connected cluster", options.name);
        return invalid(what, "use 1 to 63 letters, digits, '-' and '_'");
    }
    let good = |letter: char| letter.is_alphanumeric() || "-_.()".contains(letter);
    if options.group.is_empty() || options.group.len() > 90 || !options.group.chars().all(good) {
        let what = format!("'{}' cannot be the name of a resource group", options.group);
        return invalid(what, "use 1 to 90 letters, digits, '-', '_', '.' and parentheses");
    }
    Ok(())
}

fn has_no_agents(resource: &Value) -> bool {
    resource.pointer("/properties/connectivityStatus").and_then(Value::as_str) == Some("AgentNotInstalled")
}

fn put_body(options: &OnboardOptions, found: &Found, location: &str, key: &str, proxy: bool) -> Value {
    let mut properties = json!({
        "agentPublicKeyCertificate": key,
        "distribution": found.distribution,
        "infrastructure": found.infrastructure,
    });
    if options.disable_auto_upgrade {
        properties["arcAgentProfile"] = json!({ "agentAutoUpgrade": "Disabled" });
    }
    if proxy {
        // The settings themselves are protected and stay here.
        properties["arcAgentryConfigurations"] = json!([{ "feature": "proxy", "settings": {} }]);
    }
    json!({
        "location": location,
        "identity": { "type": "SystemAssigned" },
        "tags": options.tags,
        "properties": properties,
    })
}
