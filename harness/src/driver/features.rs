//! What onboarding does for features that were asked for: private link, the Arc gateway, the OIDC issuer and workload identity.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::azure::{ApiVersion, AzureError};
use super::body::{self, Sources};
use super::onboard::Found;
use super::options::{FeatureOptions, OnboardOptions};
use super::{Code, Driver, DriverError, Stage, StageState};

/// How long the Azure CLI waits for the agents' state (world time), and how often it looks.
const AGENT_STATE_LIMIT: Duration = Duration::from_secs(15 * 60);
const AGENT_STATE_POLL: Duration = Duration::from_secs(5);

/// Distributions that their cloud runs: their issuer is the cloud's.
const OF_CLOUDS: [&str; 3] = ["gke", "eks", "aks"];

fn invalid(what: impl Into<String>, next: &str) -> DriverError {
    DriverError::new(Stage::Options, Code::INVALID_ARGUMENT, what, next)
}

/// Refuses options that contradict each other, as the Azure CLI does before it asks anybody.
pub(super) fn check(features: &FeatureOptions) -> Result<(), DriverError> {
    let linked = features.private_link == Some(true);
    if features.private_link_scope.is_some() && !linked {
        let what = "--private-link-scope-resource-id was given without --enable-private-link true";
        return Err(invalid(what, "give both, or neither"));
    }
    if linked && features.private_link_scope.is_none() {
        let what = "--enable-private-link true was given without --private-link-scope-resource-id";
        return Err(invalid(what, "name the private link scope by its ARM id"));
    }
    if features.self_hosted_issuer.is_some() && !features.oidc_issuer {
        let what = "--self-hosted-issuer was given without --enable-oidc-issuer";
        return Err(invalid(what, "give both, or neither"));
    }
    Ok(())
}

/// Refuses to make an issuer for a cluster whose cloud has one.
pub(super) fn check_issuer(features: &FeatureOptions, found: &Found) -> Result<(), DriverError> {
    let distribution = found.distribution.as_str();
    if features.oidc_issuer && features.self_hosted_issuer.is_none() && OF_CLOUDS.contains(&distribution) {
        let what = format!(
            "Self hosted issuer is required for {distribution} cluster when OIDC issuer is being enabled."
        );
        return Err(invalid(what, "name the cluster's own issuer with --self-hosted-issuer"));
    }
    Ok(())
}

/// What cannot be added to a cluster that is connected already.
pub(super) fn check_again(features: &FeatureOptions) -> Result<(), DriverError> {
    let option = match (features.private_link, &features.gateway) {
        (Some(true), _) => "--enable-private-link true",
        (_, Some(_)) => "--gateway-resource-id",
        _ => return Ok(()),
    };
    let what =
        format!("{option} on a cluster that is connected already is not modelled by the native driver");
    let next = "use `az connectedk8s connect` for it, or disconnect the cluster first: dryarc offboard";
    Err(invalid(what, next))
}

/// Subscription, group and name in the id of a private link scope; `None` for another form.
fn scope_path(id: &str) -> Option<String> {
    let parts: Vec<&str> = id.split('/').collect();
    let (subscription, group, name) = (parts.get(2)?, parts.get(4)?, parts.get(8)?);
    Some(format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.HybridCompute/privateLinkScopes/{name}"
    ))
}

impl Driver {
    /// Looks whether the private link scope is there, and in the cluster's region. What cannot be found out is a warning.
    pub(super) async fn check_private_link(
        &self,
        features: &FeatureOptions,
        location: &str,
    ) -> Result<(), DriverError> {
        let (Some(true), Some(id)) = (features.private_link, &features.private_link_scope) else {
            return Ok(());
        };
        self.begin(Stage::PrivateLink);
        let text = "private link leaves cluster connect and custom locations out";
        self.report(Stage::PrivateLink, StageState::Warning, text);
        let Some(path) = scope_path(id) else {
            let text = format!("the private link scope cannot be looked at: '{id}' is no ARM id of one");
            self.report(Stage::PrivateLink, StageState::Warning, text);
            return Ok(());
        };
        let url = self.azure.url(&path, ApiVersion::PRIVATE_LINK.0);
        let scope = match self.azure.send(Method::GET, &url, None).await {
            Ok(answer) => answer.body,
            Err(AzureError::Refused { status: 404, .. }) => {
                let what = format!(
                    "The private link scope resource '{id}' does not exist. Please ensure that you pass a valid ARM Resource Id."
                );
                let next = "list the scopes: az resource list --resource-type Microsoft.HybridCompute/privateLinkScopes";
                return Err(DriverError::new(Stage::PrivateLink, Code::INVALID_ARGUMENT, what, next).at(url));
            }
            Err(error) => {
                let text = format!("the private link scope cannot be looked at: {error}");
                self.report(Stage::PrivateLink, StageState::Warning, text);
                return Ok(());
            }
        };
        let region = scope.get("location").and_then(Value::as_str).unwrap_or_default();
        if region.eq_ignore_ascii_case(location) {
            return Ok(());
        }
        let what = format!(
            "The location of the private link scope resource ('{region}') does not match the location of connected cluster resource ('{location}')"
        );
        let next = "use a private link scope in the cluster's location";
        Err(DriverError::new(Stage::PrivateLink, Code::SCOPE_LOCATION, what, next).at(url))
    }

    /// Ties the gateway to the resource and switches it on there. `resource` is what was written before; returns what is then.
    pub(super) async fn associate_gateway(
        &self,
        options: &OnboardOptions,
        sources: &Sources<'_>,
        resource: Value,
    ) -> Result<Value, DriverError> {
        let Some(gateway) = &options.features.gateway else { return Ok(resource) };
        self.begin(Stage::Gateway);
        let id = self.azure.cluster_id(&options.group, &options.name);
        let path = format!("{id}/providers/Microsoft.HybridCompute/settings/Default");
        let url = self.azure.url(&path, ApiVersion::GATEWAY_LINK.0);
        let link = json!({ "properties": { "gatewayProperties": { "gatewayResourceId": gateway } } });
        self.azure.send(Method::PUT, &url, Some(&link)).await.map_err(|error| {
            let summary = "Failed to associate gateway with connected cluster";
            DriverError::azure(Stage::Gateway, Code::INVALID_GATEWAY, summary, &error)
        })?;
        let summary = "Failed to update connected cluster resource with gateway configuration";
        let failed = |error| DriverError::azure(Stage::Gateway, Code::UNEXPECTED, summary, &error);
        let current = self.azure.cluster(&options.group, &options.name, ApiVersion::CLUSTERS.0).await;
        let current = current.map_err(failed)?.unwrap_or_default();
        let body = body::put_with_gateway(&current, options, sources);
        let on_poll = |state: &str| self.report(Stage::Gateway, StageState::Waiting, state);
        let target = (options.group.as_str(), options.name.as_str());
        self.azure.put_cluster(target, &body, true, &on_poll).await.map_err(failed)
    }

    /// Waits until the agents have said how the workload identity came out, where they were asked for one; returns the resource
    /// as it is then, or the given one.
    pub(super) async fn wait_for_agent_state(
        &self,
        options: &OnboardOptions,
        resource: Value,
    ) -> Result<Value, DriverError> {
        let features = &options.features;
        let issuer = features.oidc_issuer && features.self_hosted_issuer.is_none();
        if !issuer && !features.workload_identity {
            return Ok(resource);
        }
        self.begin(Stage::AgentState);
        let deadline = self.pace.limit(AGENT_STATE_LIMIT);
        loop {
            let read = self.azure.cluster(&options.group, &options.name, ApiVersion::CLUSTERS.0).await;
            let read = read.map_err(|error| {
                let summary = "Failed to read the agents' state";
                DriverError::azure(Stage::AgentState, Code::UNEXPECTED, summary, &error)
            })?;
            let current = read.unwrap_or_default();
            let state = current.pointer("/properties/arcAgentProfile/agentState").and_then(Value::as_str);
            let Some(state) = state.filter(|state| !matches!(*state, "Succeeded" | "Failed")) else {
                self.report(Stage::AgentState, StageState::Done, "Agent state has reached terminal state.");
                return Ok(current);
            };
            if deadline.is_over() {
                let what = format!("Timed out waiting for the Azure Arc agent state, which is '{state}'");
                let next = "see what the agents of namespace arc-workload-identity say: kubectl get pods -n arc-workload-identity";
                return Err(DriverError::new(Stage::AgentState, Code::AGENT_STATE, what, next));
            }
            self.report(Stage::AgentState, StageState::Waiting, state);
            self.pace.world(AGENT_STATE_POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_need_each_other_come_together() {
        let check = |change: fn(&mut FeatureOptions)| {
            let mut features = FeatureOptions::default();
            change(&mut features);
            check(&features).map_err(|error| (error.stage, error.code))
        };
        let refused = Err((Stage::Options, Code::INVALID_ARGUMENT));
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|it| it.private_link = Some(false)), Ok(()));
        assert_eq!(check(|it| it.private_link = Some(true)), refused);
        assert_eq!(check(|it| it.private_link_scope = Some("s".into())), refused);
        assert_eq!(check(|it| it.self_hosted_issuer = Some("s".into())), refused);
        assert_eq!(
            check(|it| (it.private_link, it.private_link_scope) = (Some(true), Some("s".into()))),
            Ok(())
        );
    }

    #[test]
    fn a_cluster_of_a_cloud_needs_the_issuer_of_that_cloud() {
        let found = |name: &str| Found { distribution: name.into(), infrastructure: "azure".into() };
        let mut features = FeatureOptions { oidc_issuer: true, ..FeatureOptions::default() };
        assert!(check_issuer(&features, &found("kind")).is_ok());
        let error = check_issuer(&features, &found("aks")).unwrap_err();
        assert!(error.what.contains("required for aks cluster"), "{error}");
        features.self_hosted_issuer = Some("https://issuer.example".into());
        assert!(check_issuer(&features, &found("aks")).is_ok());
    }

    #[test]
    fn a_scope_is_named_by_its_place_in_the_id() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/privateLinkScopes/p";
        assert_eq!(scope_path(id).as_deref(), Some(id));
        assert_eq!(scope_path("p"), None);
    }
}
