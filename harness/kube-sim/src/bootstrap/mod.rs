//! What a new cluster contains: namespaces, roles and bindings, priority classes, the service of the API server.

mod roles;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::api::{Api, Caller, WriteOptions};
use crate::status::Status;

/// Address of the service `default/kubernetes`.
pub(crate) const SERVICE_ADDRESS: &str = "10.96.0.1";

/// Writes everything that is there before the first request.
///
/// # Errors
/// What the API refuses, which is a mistake in the data here.
pub(crate) fn fill(api: &Api, address: SocketAddr, ca_pem: &str) -> Result<(), Status> {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        create(api, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))?;
    }
    for object in roles::objects() {
        create(api, object)?;
    }
    for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)]
    {
        create(
            api,
            json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
                "value": value, "preemptionPolicy": "PreemptLowerPriority",
                "description": format!("Used for {} pods that must not be moved from their current node.", name.replace('-', " ")),
            }),
        )?;
    }
    own_service(api, address)?;
    create(
        api,
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
            "data": {"client-ca-file": ca_pem},
        }),
    )
}

/// The API server as a service, and where it really is.
fn own_service(api: &Api, address: SocketAddr) -> Result<(), Status> {
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    let (host, port) = (address.ip().to_string(), address.port());
    create(
        api,
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
            "spec": {"clusterIP": SERVICE_ADDRESS, "type": "ClusterIP",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]},
        }),
    )?;
    create(
        api,
        json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": host}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
        }),
    )?;
    create(
        api,
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [host], "conditions": {"ready": true}}],
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        }),
    )
}

fn create(api: &Api, object: Value) -> Result<(), Status> {
    let kind = api.registry().of(&object).ok_or_else(Status::no_such_path)?;
    let namespace = object["metadata"]["namespace"].as_str().map(ToOwned::to_owned);
    let caller = Caller::controller("kube-apiserver");
    api.create(&caller, &kind, namespace.as_deref(), object, &WriteOptions::default())?;
    Ok(())
}
