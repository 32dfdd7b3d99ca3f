//! The pod of a Deployment.

use serde_json::{Value, json};

use super::AgentSettings;
use super::table::{Agent, Companion, Files, Ports, Resources, Source};
use crate::manifests::{config_map, secrets};

/// User and group of every container.
const USER: u32 = 13243;
const GROUP: u32 = 12434;

/// Where trusted certificates of the customer are mounted.
const CERTIFICATE_PATH: &str = "/usr/local/share/ca-certificates/proxy-cert.crt";

pub(super) fn spec(settings: &AgentSettings, agent: &Agent) -> Value {
    let mut containers = vec![own_container(settings, agent)];
    containers.extend(agent.companions.iter().map(|companion| companion_container(settings, companion)));
    json!({
        "serviceAccountName": agent.account,
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "affinity": architecture(),
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": GROUP,
            "fsGroup": GROUP,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": containers,
        "volumes": volumes(settings, agent),
    })
}

fn architecture() -> Value {
    let expression = json!({ "key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"] });
    json!({
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{ "matchExpressions": [expression] }],
            },
        },
    })
}

fn own_container(settings: &AgentSettings, agent: &Agent) -> Value {
    let mut container = container(settings, agent.container, agent.image, agent.ports, agent.resources);
    let field = |path: &str| json!({ "fieldRef": { "apiVersion": "v1", "fieldPath": path } });
    let mut variables = vec![
        json!({ "name": "POD_NAME", "valueFrom": field("metadata.name") }),
        json!({ "name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace") }),
    ];
    variables.extend(agent.variables.iter().map(|(name, value)| json!({ "name": name, "value": value })));
    container["env"] = variables.into();
    container["envFrom"] = configuration(settings);
    container["volumeMounts"] = mounts(settings, agent).into();
    if let Some((path, port)) = agent.readiness {
        container["readinessProbe"] = json!({
            "httpGet": { "path": path, "port": port, "scheme": "HTTP" },
            "initialDelaySeconds": settings.probe.initial_delay_seconds,
            "periodSeconds": settings.probe.period_seconds,
        });
    }
    container
}

fn companion_container(settings: &AgentSettings, companion: &Companion) -> Value {
    let mut container =
        container(settings, companion.name, companion.name, companion.ports, companion.resources);
    if companion.configured {
        container["envFrom"] = configuration(settings);
    } else {
        container["volumeMounts"] = json!([{ "name": "fluentbit-config", "mountPath": "/fluent-bit/etc" }]);
    }
    container
}

fn container(
    settings: &AgentSettings,
    name: &str,
    image: &str,
    ports: Ports,
    [cpu, memory, most_cpu, most_memory]: Resources,
) -> Value {
    let mut container = json!({
        "name": name,
        "image": format!("{}/{image}:{}", settings.image_repository, settings.agent_version),
        "imagePullPolicy": settings.image_pull_policy,
        "resources": {
            "requests": { "cpu": cpu, "memory": memory },
            "limits": { "cpu": most_cpu, "memory": most_memory },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
    });
    if !ports.is_empty() {
        let port =
            |(name, port): &(&str, u16)| json!({ "name": name, "containerPort": port, "protocol": "TCP" });
        container["ports"] = ports.iter().map(port).collect();
    }
    container
}

/// What every agent loads as its environment.
fn configuration(settings: &AgentSettings) -> Value {
    let mut sources = vec![json!({ "configMapRef": { "name": config_map::CLUSTER } })];
    if settings.proxy.is_enabled() {
        sources.push(json!({ "secretRef": { "name": secrets::PROXY } }));
    }
    sources.into()
}

fn mounts(settings: &AgentSettings, agent: &Agent) -> Vec<Value> {
    let mut mounts = Vec::new();
    if settings.proxy.certificate.is_some() {
        mounts.push(json!({ "name": "ssl-certs", "mountPath": "/etc/ssl/certs/" }));
        mounts.push(json!({
            "name": "proxy-certstore",
            "mountPath": CERTIFICATE_PATH,
            "subPath": secrets::PROXY_CERTIFICATE_FILE,
            "readOnly": true,
        }));
    }
    mounts.extend(agent.files.iter().map(|Files { name, path, source }| match source {
        Source::Secret(_) => json!({ "name": name, "mountPath": path, "readOnly": true }),
        Source::ConfigMap(_) => json!({ "name": name, "mountPath": path }),
    }));
    mounts
}

fn volumes(settings: &AgentSettings, agent: &Agent) -> Vec<Value> {
    let mut volumes = Vec::new();
    if settings.proxy.certificate.is_some() {
        volumes.push(json!({ "name": "ssl-certs", "emptyDir": {} }));
        volumes.push(json!({
            "name": "proxy-certstore",
            "secret": { "secretName": secrets::PROXY_CERTIFICATE, "defaultMode": 0o444 },
        }));
    }
    volumes.extend(agent.files.iter().map(|Files { name, source, .. }| match source {
        Source::Secret(secret) => {
            json!({ "name": name, "secret": { "secretName": secret, "defaultMode": 0o440 } })
        }
        Source::ConfigMap(map) => json!({ "name": name, "configMap": { "name": map, "defaultMode": 0o444 } }),
    }));
    if !agent.companions.is_empty() {
        volumes.push(json!({
            "name": "fluentbit-config",
            "configMap": { "name": config_map::FLUENT_BIT, "defaultMode": 0o444 },
        }));
    }
    volumes
}
