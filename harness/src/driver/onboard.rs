//! `az connectedk8s connect`.

use arc_agent_sim::manifests::{AgentSettings, Values};
use arm_wire::agent::HelmSettings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use sim_core::keys::Bits;

use super::agents::Installation;
use super::body::{self, Sources};
use super::configurations::Configurations;
use super::entry::Entry;
use super::options::{FeatureOptions, OnboardOptions};
use super::settings::{Known, chart_values, version_of};
use super::{Code, Driver, DriverError, Stage, StageState};
use super::{detect, features};

const KUBERNETES: &str = "Microsoft.Kubernetes";
const CONFIGURATION: &str = "Microsoft.KubernetesConfiguration";
const HYBRID: &str = "Microsoft.HybridCompute";
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

/// What the cluster says about itself, or the user about it.
pub(super) struct Found {
    pub(super) distribution: String,
    pub(super) infrastructure: String,
}

impl Driver {
    /// Connects the cluster to Azure Arc.
    ///
    /// # Errors
    /// [`DriverError`] names the stage that failed, with the Azure CLI's code.
    pub async fn onboard(&self, options: &OnboardOptions) -> Result<Onboarded, DriverError> {
        check_names(options)?;
        features::check(&options.features)?;
        self.check_providers(&options.features).await?;
        let (configurations, location) = self.prepare(options).await?;
        let nodes = self.reach_cluster().await?;
        if options.checks {
            Box::pin(self.check_cluster(&location, &configurations)).await?;
        }
        let found = self.look_at_cluster(options, &nodes).await?;
        self.check_location(&location).await?;
        self.check_private_link(&options.features, &location).await?;
        let sources = Sources {
            found: &found,
            location: &location,
            key: "",
            configurations: &configurations,
            again: false,
        };
        let entry = match self.find_entry(options).await? {
            (Entry::Again, resource) => return self.write_again(options, sources, &resource).await,
            (entry, _) => entry,
        };
        self.begin(Stage::Definitions);
        self.delete_definitions().await;
        self.ensure_group(options, &location).await?;
        let key = self.make_key(options).await?;
        features::check_issuer(&options.features, &found)?;
        let sources = Sources { key: &STANDARD.encode(key.public_pkcs1_der()), ..sources };
        let resource = self.provision(options, &body::put(options, &sources)).await?;
        let view = self.view(options).await?;
        let custom_locations = self.custom_locations(options.features.custom_locations.as_deref()).await;
        let resource = self.associate_gateway(options, &sources, resource).await?;
        let custom_locations = custom_locations.as_deref();
        let installation = self.compose(options, &sources, &resource, custom_locations).await?;
        self.begin(Stage::Agents);
        self.deliver_key(&key.pkcs1_pem()).await?;
        self.install(&installation, options).await?;
        // The next cluster of this name gets a key of its own.
        self.keys.forget(&options.key);
        self.report(Stage::Readiness, StageState::Done, "Azure arc agents are installed");
        let resource = self.wait_for_agent_state(options, resource).await?;
        Ok(Onboarded { entry, resource, view })
    }

    /// Which agents with which settings: asks the data plane, and pulls the chart that it names.
    async fn compose(
        &self,
        options: &OnboardOptions,
        sources: &Sources<'_>,
        resource: &Value,
        custom_locations: Option<&str>,
    ) -> Result<Installation, DriverError> {
        self.begin(Stage::DataPlane);
        self.check_data_plane(sources.location).await?;
        self.begin(Stage::Settings);
        let helm = self.helm_settings(resource, sources.location, sources.configurations).await?;
        let known = Known {
            distribution: &sources.found.distribution,
            infrastructure: &sources.found.infrastructure,
            custom_locations,
            private_link: options.features.private_link == Some(true),
        };
        let values = chart_values(&helm, &known);
        let settings = agents(&helm, &values).map_err(|reason| {
            let next = "the data plane must name the cluster that it was asked about; look at its journal";
            DriverError::new(Stage::Settings, Code::UNEXPECTED, reason, next)
        })?;
        self.begin(Stage::Chart);
        let chart = self.pull_chart(Stage::Chart, &helm.repository_path, true).await?;
        Ok(Installation { chart, values, settings })
    }

    async fn check_providers(&self, features: &FeatureOptions) -> Result<(), DriverError> {
        self.begin(Stage::Providers);
        let gateway = features.gateway.is_some().then_some(HYBRID);
        for namespace in [KUBERNETES, CONFIGURATION].into_iter().chain(gateway) {
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
            let needed = features.oidc_issuer || features.workload_identity;
            if namespace == CONFIGURATION && !needed {
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
    async fn prepare(&self, options: &OnboardOptions) -> Result<(Configurations, String), DriverError> {
        self.begin(Stage::Proxy);
        let configurations = Configurations::read(options).await?;
        let location = match &options.location {
            Some(location) => location.clone(),
            None => self.group_location(&options.group).await?,
        };
        self.begin(Stage::Metadata);
        self.azure.metadata().await.map_err(|error| {
            DriverError::azure(Stage::Metadata, Code::UNEXPECTED, "Failed to get ARM metadata", &error)
        })?;
        let location: String = location.chars().filter(|letter| !letter.is_whitespace()).collect();
        Ok((configurations, location.to_lowercase()))
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

    async fn write_again(
        &self,
        options: &OnboardOptions,
        sources: Sources<'_>,
        existing: &Value,
    ) -> Result<Onboarded, DriverError> {
        features::check_again(&options.features)?;
        let key = existing.pointer("/properties/agentPublicKeyCertificate").and_then(Value::as_str);
        let sources = Sources { key: key.unwrap_or_default(), again: true, ..sources };
        let resource = self.provision(options, &body::put(options, &sources)).await?;
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
