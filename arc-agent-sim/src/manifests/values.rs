//! The values of the agents' chart, and the settings that they stand for.

use serde_json::{Map, Value};

use super::settings::{AgentSettings, Guard, Overrides, ProxySettings, ReadinessProbe};

/// The chart's own values.
const DEFAULTS: &str = include_str!("../../../fixtures/charts/azure-arc-k8sagents/values.yaml");

/// Values of the agents' chart, as helm sees them: those of the chart with the user's laid over.
#[derive(Debug, Clone, PartialEq)]
pub struct Values(Value);

/// A value that the agents cannot be installed with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValuesError {
    /// It is missing.
    #[error("the chart's value '{0}' is required and was not given")]
    Missing(&'static str),
    /// It asks for something that is not there.
    #[error("{0} is not modelled")]
    NotModelled(&'static str),
}

/// Sets one value, given as text, the way `helm --set KEY=VALUE` does: the key's dots go down into maps, and a text that
/// reads as a boolean, a whole number or null becomes one. A value is one value here: commas do not split it.
pub fn set(config: &mut Value, key: &str, value: &str) {
    let mut at = config;
    for part in path(key) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[part.as_str()];
    }
    *at = typed(value);
}

/// The parts of a key; a backslash takes a dot's meaning away.
fn path(key: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = key.chars();
    while let Some(letter) = letters.next() {
        let last = parts.last_mut();
        match (letter, last) {
            ('.', _) => parts.push(String::new()),
            ('\\', Some(last)) => last.extend(letters.next()),
            (letter, Some(last)) => last.push(letter),
            (_, None) => {}
        }
    }
    parts
}

fn typed(value: &str) -> Value {
    match value.to_ascii_lowercase().as_str() {
        "true" => return true.into(),
        "false" => return false.into(),
        "null" => return Value::Null,
        "0" => return 0.into(),
        _ => {}
    }
    match value.parse::<i64>() {
        Ok(number) if !value.starts_with(['0', '+']) => number.into(),
        _ => value.into(),
    }
}

/// Lays `over` upon `under`: maps are merged, everything else is replaced, null removes.
fn merge(under: &mut Value, over: &Value) {
    let (Value::Object(map), Value::Object(more)) = (&mut *under, over) else {
        *under = over.clone();
        return;
    };
    for (key, value) in more {
        match (map.get_mut(key), value) {
            (_, Value::Null) => drop(map.shift_remove(key)),
            (Some(known), value) => merge(known, value),
            (None, value) => drop(map.insert(key.clone(), value.clone())),
        }
    }
}

impl Values {
    /// The chart's own values with `config` laid over, which is what `helm get values` shows.
    #[must_use]
    pub fn with(config: &Value) -> Self {
        // A test holds that the chart's values can be read.
        let mut values = serde_saphyr::from_str(DEFAULTS).unwrap_or_default();
        if config.is_object() {
            merge(&mut values, config);
        }
        Self(values)
    }

    fn at(&self, key: &str) -> &Value {
        key.split('.').fold(&self.0, |value, part| &value[part])
    }

    /// A value as the chart's templates write it; empty when there is none.
    fn text(&self, key: &str) -> String {
        match self.at(key) {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn some(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    fn is_true(&self, key: &str) -> bool {
        self.text(key).eq_ignore_ascii_case("true")
    }

    fn need(&self, key: &'static str) -> Result<String, ValuesError> {
        self.some(key).ok_or(ValuesError::Missing(key))
    }

    /// The settings that the values stand for, in the agents' version `version`.
    ///
    /// # Errors
    /// [`ValuesError`] names the value that is missing or not modelled.
    pub fn settings(&self, version: &str) -> Result<AgentSettings, ValuesError> {
        if self.is_true("systemDefaultValues.spnOnboarding") {
            return Err(ValuesError::NotModelled("systemDefaultValues.spnOnboarding=true"));
        }
        let system = |key: &str| self.text(&format!("systemDefaultValues.{key}"));
        let mut settings = AgentSettings::new(
            &self.need("global.subscriptionId")?,
            &self.need("global.resourceGroupName")?,
            &self.need("global.resourceName")?,
            &self.need("global.location")?,
            &self.need("global.tenantId")?,
        );
        settings.agent_version = version.into();
        settings.distribution = self.text("global.kubernetesDistro");
        settings.infrastructure = self.text("global.kubernetesInfra");
        settings.tags = self.text("global.tags");
        settings.proxy = self.proxy();
        settings.auto_update = self.is_true("systemDefaultValues.azureArcAgents.autoUpdate");
        settings.update_check_minutes = system("azureArcAgents.updateCheckFrequencyInMinutes");
        settings.private_key_pem = self.text("global.onboardingPrivateKey");
        settings.release_train = system("azureArcAgents.releaseTrain");
        settings.environment = self.text("global.azureEnvironment");
        settings.image_repository = format!("{}/azurearck8s", system("image.repository"));
        settings.image_pull_policy = system("image.imagePullPolicy");
        settings.overrides = self.overrides();
        settings.resource_manager_endpoint = system("azureResourceManagerEndpoint");
        settings.active_directory_endpoint = system("activeDirectoryEndpoint");
        settings.cluster_connect = self.is_true("systemDefaultValues.clusterconnect-agent.enabled");
        settings.resync_after_seconds = system("clusterMetadataOperator.resyncAfter");
        settings.probe = self.probe();
        settings.container_log_path = system("fluent-bit.containerLogPath");
        settings.oidc_issuer = self.is_true("global.enableOidcIssuer");
        settings.custom_locations = self
            .is_true("systemDefaultValues.customLocations.enabled")
            .then(|| self.some("systemDefaultValues.customLocations.oid"))
            .flatten();
        settings.guard = self.is_true("systemDefaultValues.guard.enabled").then(|| Guard {
            authn_mode: system("guard.authnMode"),
            skip_authz_check: system("guard.skipAuthzCheck"),
        });
        settings.extension_events = self.is_true("systemDefaultValues.extensionEventsCollector.enabled");
        settings.log_collector = self.is_true("systemDefaultValues.logcollector.enabled");
        Ok(settings)
    }

    fn probe(&self) -> ReadinessProbe {
        let own = ReadinessProbe::default();
        let seconds = |name: &str, own| {
            self.text(&format!("systemDefaultValues.readinessProbe.{name}")).parse().unwrap_or(own)
        };
        ReadinessProbe {
            initial_delay_seconds: seconds("initialDelaySeconds", own.initial_delay_seconds),
            period_seconds: seconds("periodSeconds", own.period_seconds).max(1),
        }
    }

    fn proxy(&self) -> ProxySettings {
        let enabled = self.is_true("global.isProxyEnabled");
        let trusted = enabled || self.is_true("global.isCustomCert");
        let given = |wanted: bool, key: &str| self.some(key).filter(|_| wanted);
        ProxySettings {
            https: given(enabled, "global.httpsProxy"),
            http: given(enabled, "global.httpProxy"),
            no_proxy: given(enabled, "global.noProxy"),
            certificate: given(trusted, "global.proxyCert"),
        }
    }

    fn overrides(&self) -> Overrides {
        let system = |key: &str| self.some(&format!("systemDefaultValues.{key}"));
        Overrides {
            data_plane: system("azureArcAgents.config_dp_endpoint_override"),
            identity: system("clusteridentityoperator.his_endpoint_override"),
            connect: system("clusterconnect-agent.connect_dp_endpoint_override"),
            notification: system("clusterconnect-agent.notification_dp_endpoint_override"),
            relay_suffix: system("clusterconnect-agent.relay_endpoint_suffix_override"),
            aad: self.some("global.kubeAadEndpoint"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_set_as_helm_sets_them() {
        let mut config = json!({});
        set(&mut config, "global.isProxyEnabled", "False");
        set(&mut config, "global.noProxy", "10.0.0.0/16,.svc");
        set(&mut config, "systemDefaultValues.clusterconnect-agent.enabled", "true");
        set(&mut config, "systemDefaultValues.clusterMetadataOperator.resyncAfter", "60");
        set(&mut config, "a\\.b", "007");
        assert_eq!(
            config,
            json!({
                "global": {"isProxyEnabled": false, "noProxy": "10.0.0.0/16,.svc"},
                "systemDefaultValues": {
                    "clusterconnect-agent": {"enabled": true},
                    "clusterMetadataOperator": {"resyncAfter": 60},
                },
                "a.b": "007",
            })
        );
    }

    #[test]
    fn the_identity_is_required_and_everything_else_has_a_default() {
        assert_eq!(
            Values::with(&json!({})).settings("1.37.2").unwrap_err(),
            ValuesError::Missing("global.subscriptionId")
        );
        let identity = json!({"global": {
            "subscriptionId": "s", "resourceGroupName": "g", "resourceName": "n", "location": "eastus", "tenantId": "t",
            "proxyCert": "pem", "isCustomCert": "true", "httpsProxy": "http://proxy:1",
        }});
        let settings = Values::with(&identity).settings("1.36.1").unwrap();
        assert_eq!((settings.agent_version.as_str(), settings.auto_update), ("1.36.1", true));
        assert!(!settings.cluster_connect && !settings.proxy.is_enabled());
        assert_eq!(settings.proxy.certificate.as_deref(), Some("pem"));
        let mut refused = identity;
        set(&mut refused, "systemDefaultValues.spnOnboarding", "true");
        assert!(Values::with(&refused).settings("1").is_err());
    }
}
