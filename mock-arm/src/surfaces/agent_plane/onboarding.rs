//! The Arc data plane, towards who onboards a cluster: health check, and which chart to install with which values.

use arm_wire::agent::{HelmSettings, LatestHelmPackage};
use indexmap::IndexMap;
use serde_json::Value;

use super::params::Params;
use super::reply::SurfaceReply;
use super::{SurfaceRequest, not_modelled, wrong_method};
use crate::surfaces::bearer;
use crate::surfaces::identity::resources::arm_audiences;
use crate::world::World;

/// The registry that serves the agents' chart.
const REGISTRY: &str = "mcr.microsoft.com";

/// The only release train there is.
const TRAIN: &str = "stable";

/// Settings of the feature `proxy`, and the chart values that they become.
const PROXY_VALUES: &[(&str, &str)] = &[
    ("https_proxy", "global.httpsProxy"),
    ("http_proxy", "global.httpProxy"),
    ("no_proxy", "global.noProxy"),
    ("proxy_cert", "global.proxyCert"),
];

/// The chart reference of an agent version, with exactly one colon.
pub(super) fn repository_path(world: &World, version: &str) -> String {
    format!("{REGISTRY}/{}:{version}", world.profile.release.registry_path)
}

/// Answers a call below `/azure-arc-k8sagents`.
pub(super) fn answer(world: &World, path: &str, request: SurfaceRequest<'_>) -> SurfaceReply {
    let lower = path.to_ascii_lowercase();
    let Some(call) = lower.strip_prefix("/azure-arc-k8sagents/") else { return not_modelled(request) };
    if !matches!(call, "healthcheck" | "gethelmsettings" | "getlatesthelmpackagepath") {
        return not_modelled(request);
    }
    if request.method != http::Method::POST {
        return wrong_method(request, "POST");
    }
    let done = || {
        authorize(world, request)?;
        let params = Params::parse(request.query.as_bytes());
        if params.get("api-version").is_none() {
            let message = "The query parameter 'api-version' is required.";
            return Err(SurfaceReply::error(400, "MissingApiVersionParameter", message));
        }
        if call == "healthcheck" {
            return Ok(SurfaceReply::text(200, "Health check passed."));
        }
        check_train(&params)?;
        let repository_path = repository_path(world, &world.profile.release.agent_version);
        if call == "getlatesthelmpackagepath" {
            return Ok(SurfaceReply::json(200, &LatestHelmPackage { repository_path }));
        }
        let helm_values_content = values(world, request.body)?;
        let settings = HelmSettings { repository_path, helm_values_content, api_server_flags: None };
        Ok(SurfaceReply::json(200, &settings))
    };
    done().unwrap_or_else(|refusal| refusal)
}

fn authorize(world: &World, request: SurfaceRequest<'_>) -> Result<(), SurfaceReply> {
    bearer::check(world, request, &arm_audiences(request.base_url))
        .map(drop)
        .map_err(|message| SurfaceReply::error(401, "Unauthorized", message))
}

fn check_train(params: &Params) -> Result<(), SurfaceReply> {
    match params.get("releasetrain") {
        None => Ok(()),
        Some(train) if train.eq_ignore_ascii_case(TRAIN) => Ok(()),
        Some(train) => {
            let message = format!("Release train '{train}' does not exist here; only '{TRAIN}' does.");
            Err(SurfaceReply::error(404, "ReleaseTrainNotFound", message))
        }
    }
}

/// Chart values for the connected cluster in `body`, as onboarding sends it. Every value is a text.
fn values(world: &World, body: &[u8]) -> Result<IndexMap<String, String>, SurfaceReply> {
    let invalid = |message: String| SurfaceReply::error(400, "InvalidRequestContent", message);
    let cluster: Value = serde_json::from_slice(body).map_err(|error| {
        invalid(format!("The request content was invalid and could not be deserialized: '{error}'."))
    })?;
    let text = |pointer: &str| cluster.pointer(pointer).and_then(Value::as_str);
    let id = text("/id").ok_or_else(|| invalid("The connected cluster has no 'id'.".into()))?;
    let id: arm_wire::ids::ResourceId = id.parse().map_err(|error| invalid(format!("{error}")))?;
    let location =
        text("/location").ok_or_else(|| invalid("The connected cluster has no 'location'.".into()))?;
    let own_tenant = world.profile.tenant.id.to_string();
    let tenant = text("/identity/tenantId").unwrap_or(&own_tenant);
    let auto = text("/properties/arcAgentProfile/agentAutoUpgrade") != Some("Disabled");
    let mut values: IndexMap<String, String> = [
        ("global.subscriptionId", id.subscription.as_str()),
        ("global.resourceGroupName", id.group.as_str()),
        ("global.resourceName", id.name()),
        ("global.location", location),
        ("global.tenantId", tenant),
        ("systemDefaultValues.azureArcAgents.autoUpdate", if auto { "True" } else { "False" }),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    // Where the cluster has an issuer of its own, there is nothing for the agents to publish.
    let own = text("/properties/oidcIssuerProfile/selfHostedIssuerUrl").is_some_and(|url| !url.is_empty());
    if cluster.pointer("/properties/oidcIssuerProfile/enabled") == Some(&Value::Bool(true)) && !own {
        values.insert("global.enableOidcIssuer".into(), "true".into());
    }
    let features = cluster.pointer("/properties/arcAgentryConfigurations").and_then(Value::as_array);
    for feature in features.into_iter().flatten() {
        add_feature(&mut values, feature);
    }
    values.extend(world.profile.release.values.clone());
    Ok(values)
}

/// The value of a setting, given openly or as a reference to a secret that stays with the client.
fn setting<'a>(feature: &'a Value, name: &str) -> Option<&'a str> {
    let of = |kind: &str| feature.get(kind).and_then(|settings| settings.get(name)).and_then(Value::as_str);
    of("protectedSettings").or_else(|| of("settings")).filter(|value| !value.is_empty())
}

fn add_feature(values: &mut IndexMap<String, String>, feature: &Value) {
    let mut set = |name: &str, value: &str| {
        values.insert(name.into(), value.into());
    };
    match feature.get("feature").and_then(Value::as_str) {
        Some("proxy") => {
            for (name, helm) in PROXY_VALUES {
                if let Some(value) = setting(feature, name) {
                    set(helm, value);
                }
            }
            let given = |name: &str| setting(feature, name).is_some();
            if given("https_proxy") || given("http_proxy") || given("no_proxy") {
                set("global.isProxyEnabled", "true");
            }
            if given("proxy_cert") {
                set("global.isCustomCert", "true");
            }
        }
        Some("logging") => {
            if let Some(path) = setting(feature, "container_log_path") {
                set("systemDefaultValues.fluent-bit.containerLogPath", path);
            }
        }
        // Other features have no chart value that is known.
        _ => {}
    }
}
