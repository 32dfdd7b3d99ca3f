//! Which chart with which values: the data plane's answer, with the client's own put in.

use std::time::Duration;

use arc_agent_sim::manifests::{self, ProxySettings};
use arm_wire::agent::{HelmSettings, data_plane_url};
use http::Method;
use serde_json::{Value, json};

use super::azure::ApiVersion;
use super::{Code, Driver, DriverError, OnboardOptions, Stage};

/// How often and how far apart the Azure CLI asks the data plane.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);

/// What the keyword `Arc` in a skip range stands for.
const ARC_HOSTS: &str =
    ".his.arc.azure.com,.dp.kubernetesconfiguration.azure.com,.guestconfiguration.azure.com";

/// The agents' proxy, read and expanded.
#[derive(Debug, Clone, Default)]
pub(super) struct AgentProxy {
    https: Option<String>,
    http: Option<String>,
    skip_range: Option<String>,
    /// PEM.
    certificate: Option<String>,
}

impl AgentProxy {
    /// Reads the certificate file and expands the keyword `Arc`.
    pub(super) async fn read(options: &OnboardOptions) -> Result<Self, DriverError> {
        let given = &options.proxy;
        let certificate = match &given.certificate {
            None => None,
            Some(file) => Some(tokio::fs::read_to_string(file).await.map_err(|error| {
                let what =
                    format!("Proxy cert path {} does not exist or cannot be read: {error}", file.display());
                let next = "give the path of a PEM file with --proxy-cert";
                DriverError::new(Stage::Proxy, Code::PROXY_CERTIFICATE_NOT_FOUND, what, next)
                    .at(file.display().to_string())
            })?),
        };
        let expand = |range: &String| {
            let part = |part: &str| {
                if part.trim().eq_ignore_ascii_case("arc") { ARC_HOSTS.to_owned() } else { part.to_owned() }
            };
            range.split(',').map(part).collect::<Vec<_>>().join(",")
        };
        Ok(Self {
            https: given.https.clone(),
            http: given.http.clone(),
            skip_range: given.skip_range.as_ref().map(expand),
            certificate,
        })
    }

    /// Setting names of the feature `proxy` with their values.
    fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("https_proxy", &self.https),
            ("http_proxy", &self.http),
            ("no_proxy", &self.skip_range),
            ("proxy_cert", &self.certificate),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.named().next().is_none()
    }

    /// The same for whoever checks the cluster's network.
    pub(super) fn given(&self) -> ProxySettings {
        ProxySettings {
            https: self.https.clone(),
            http: self.http.clone(),
            no_proxy: self.skip_range.clone(),
            certificate: self.certificate.clone(),
        }
    }

    /// The configuration as it goes to the data plane: names only, values stay here.
    fn redacted(&self) -> Value {
        let settings: serde_json::Map<String, Value> =
            self.named().map(|(name, _)| (name.into(), format!("redacted:proxy:{name}").into())).collect();
        json!([{ "feature": "proxy", "settings": {}, "protectedSettings": settings }])
    }

    /// Puts the value back in where the data plane refers to it.
    fn reveal(&self, value: &str) -> Option<String> {
        let Some(name) = value.strip_prefix("redacted:proxy:") else {
            return (!value.contains("redacted")).then(|| value.to_owned());
        };
        self.named().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }
}

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
        proxy: &AgentProxy,
    ) -> Result<HelmSettings, DriverError> {
        let mut body = resource.clone();
        if let (Some(properties), false) = (body.get_mut("properties"), proxy.is_empty()) {
            properties["arcAgentryConfigurations"] = proxy.redacted();
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
            *value = proxy.reveal(value).ok_or_else(|| {
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
    if let Some(oid) = known.custom_locations {
        manifests::set(&mut values, "systemDefaultValues.customLocations.enabled", "true");
        manifests::set(&mut values, "systemDefaultValues.customLocations.oid", oid);
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
        let known = Known { distribution: "kind", infrastructure: "kind", custom_locations: Some("o") };
        let values = chart_values(&helm(&values), &known);
        assert_eq!(values["systemDefaultValues"]["clusterconnect-agent"]["enabled"], true);
        assert_eq!(values["systemDefaultValues"]["customLocations"]["oid"], "o");
        let settings = Values::with(&values).settings("1.37.2").unwrap();
        assert_eq!((settings.distribution.as_str(), settings.auto_update), ("kind", false));
        assert_eq!(settings.proxy.https.as_deref(), Some("http://proxy.corp:3128"));
        assert_eq!(version_of("mcr.microsoft.com/a/b:1.37.2"), Ok("1.37.2"));
        assert!(version_of("mcr.microsoft.com/a/b").is_err());
    }

    #[tokio::test]
    async fn secrets_stay_here_and_come_back_and_the_word_arc_is_expanded() {
        let mut options = OnboardOptions::new("n", "g");
        options.proxy.https = Some("http://u:p@proxy:1".into());
        options.proxy.skip_range = Some("10.0.0.0/16,Arc".into());
        let proxy = AgentProxy::read(&options).await.unwrap();
        let sent = proxy.redacted().to_string();
        assert!(sent.contains("redacted:proxy:https_proxy") && !sent.contains("u:p@"), "{sent}");
        assert_eq!(proxy.reveal("redacted:proxy:https_proxy").unwrap(), "http://u:p@proxy:1");
        assert!(
            proxy.reveal("redacted:proxy:no_proxy").unwrap().starts_with("10.0.0.0/16,.his.arc.azure.com,")
        );
        assert_eq!(proxy.reveal("redacted:logging:x"), None);
        assert_eq!(proxy.reveal("true").unwrap(), "true");
        options.proxy.certificate = Some("/no/such/file.pem".into());
        let error = AgentProxy::read(&options).await.unwrap_err();
        assert_eq!((error.stage, error.code), (Stage::Proxy, Code::PROXY_CERTIFICATE_NOT_FOUND));
    }
}
