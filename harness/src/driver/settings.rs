//! Which chart with which values: the data plane's answer, with the client's own put in.

use std::time::Duration;

use arc_agent_sim::manifests;
use arm_wire::agent::{HelmSettings, data_plane_url};
use http::Method;
use serde_json::{Value, json};

use super::azure::ApiVersion;
use super::configurations::Configurations;
use super::{Code, Driver, DriverError, Stage};

/// How often and how far apart the Azure CLI asks the data plane.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);

impl Driver {
    /// `POST …/healthCheck`.
    pub(super) async fn check_data_plane(&self, location: &str) -> Result<(), DriverError> {
        let url = data_plane(location, "healthCheck?");
        self.ask_data_plane(Stage::DataPlane, Code::DATA_PLANE_HEALTH, &url, None).await.map(drop)
    }

    /// `POST …/GetHelmSettings`, with the values put back that only the client knows.
    pub(super) async fn helm_settings(
        &self,
        resource: &Value,
        location: &str,
        configurations: &Configurations,
    ) -> Result<HelmSettings, DriverError> {
        let mut body = resource.clone();
        if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove("arcAgentryConfigurations");
            if let Some(redacted) = configurations.redacted() {
                properties.insert("arcAgentryConfigurations".into(), redacted);
            }
        }
        let url = data_plane(location, "GetHelmSettings?releaseTrain=stable&");
        let answer = self.ask_data_plane(Stage::Settings, Code::DATA_PLANE_HEALTH, &url, Some(&body)).await?;
        let unusable = |reason: String| {
            let next = "the data plane must answer with texts only; look at its journal";
            DriverError::new(Stage::Settings, Code::UNEXPECTED, reason, next).at(url.clone())
        };
        let mut settings: HelmSettings = serde_json::from_value(answer)
            .map_err(|error| unusable(format!("the agents' settings cannot be read: {error}")))?;
        for (name, value) in &mut settings.helm_values_content {
            *value = configurations.reveal(value).ok_or_else(|| {
                unusable(format!("the value of '{name}' refers to an unknown secret: {value}"))
            })?;
        }
        Ok(settings)
    }

    async fn ask_data_plane(
        &self,
        stage: Stage,
        code: Code,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Value, DriverError> {
        let mut attempt = 1;
        loop {
            match self.azure.send(Method::POST, url, body).await {
                Ok(answer) => return Ok(answer.body),
                Err(_) if attempt < ATTEMPTS => {
                    attempt += 1;
                    self.pace.asked(PAUSE, PAUSE).await;
                }
                Err(error) => {
                    let summary = "Error while fetching helm chart registry path";
                    return Err(DriverError::azure(stage, code, summary, &error));
                }
            }
        }
    }
}

fn data_plane(location: &str, call: &str) -> String {
    format!("{}/azure-arc-k8sagents/{call}api-version={}", data_plane_url(location), ApiVersion::DATA_PLANE.0)
}

/// What the driver itself knows about the agents to install.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) distribution: &'a str,
    pub(super) infrastructure: &'a str,
    /// The object id of the application of custom locations, which switches them on.
    pub(super) custom_locations: Option<&'a str>,
    /// Whether private link is switched on, which leaves custom locations and cluster connect out.
    pub(super) private_link: bool,
}

/// The chart's values as the Azure CLI sets them: its own, then those of the data plane, in order.
pub(super) fn chart_values(helm: &HelmSettings, known: &Known<'_>) -> Value {
    let own = [
        ("global.kubernetesDistro", known.distribution),
        ("global.kubernetesInfra", known.infrastructure),
        ("systemDefaultValues.spnOnboarding", "false"),
        ("global.azureEnvironment", "AZUREPUBLICCLOUD"),
        ("systemDefaultValues.clusterconnect-agent.enabled", "true"),
    ];
    let mut values = json!({});
    for (name, value) in own {
        manifests::set(&mut values, name, value);
    }
    for (name, value) in &helm.helm_values_content {
        manifests::set(&mut values, name, value);
    }
    if let Some(oid) = known.custom_locations.filter(|_| !known.private_link) {
        manifests::set(&mut values, "systemDefaultValues.customLocations.enabled", "true");
        manifests::set(&mut values, "systemDefaultValues.customLocations.oid", oid);
    }
    if known.private_link {
        manifests::set(&mut values, "systemDefaultValues.clusterconnect-agent.enabled", "false");
    }
    values
}

/// The version of the agents that a chart's reference names, which is its tag.
pub(super) fn version_of(repository_path: &str) -> Result<&str, String> {
    let (_, version) = repository_path
        .rsplit_once(':')
        .ok_or_else(|| format!("'{repository_path}' is not HOST/REPOSITORY:TAG"))?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arc_agent_sim::manifests::Values;

    fn helm(values: &[(&str, &str)]) -> HelmSettings {
        let identity = [
            ("global.subscriptionId", "s"),
            ("global.resourceGroupName", "g"),
            ("global.resourceName", "n"),
            ("global.location", "eastus"),
            ("global.tenantId", "t"),
        ];
        let pairs = identity.iter().chain(values).map(|(name, value)| ((*name).into(), (*value).into()));
        HelmSettings {
            repository_path: "mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents:1.37.2".into(),
            helm_values_content: pairs.collect(),
            api_server_flags: None,
        }
    }

    #[test]
    fn the_data_planes_values_go_over_the_drivers_own() {
        let values = [
            ("systemDefaultValues.azureArcAgents.autoUpdate", "False"),
            ("global.isProxyEnabled", "true"),
            ("global.httpsProxy", "http://proxy.corp:3128"),
        ];
        let mut known = Known {
            distribution: "kind",
            infrastructure: "kind",
            custom_locations: Some("o"),
            private_link: true,
        };
        let linked = chart_values(&helm(&values), &known);
        assert_eq!(linked["systemDefaultValues"]["clusterconnect-agent"]["enabled"], false);
        assert_eq!(linked["systemDefaultValues"].get("customLocations"), None);
        known.private_link = false;
        let values = chart_values(&helm(&values), &known);
        assert_eq!(values["systemDefaultValues"]["clusterconnect-agent"]["enabled"], true);
        assert_eq!(values["systemDefaultValues"]["customLocations"]["oid"], "o");
        let settings = Values::with(&values).settings("1.37.2").unwrap();
        assert_eq!((settings.distribution.as_str(), settings.auto_update), ("kind", false));
        assert_eq!(settings.proxy.https.as_deref(), Some("http://proxy.corp:3128"));
        assert_eq!(version_of("mcr.microsoft.com/a/b:1.37.2"), Ok("1.37.2"));
        assert!(version_of("mcr.microsoft.com/a/b").is_err());
    }
}
