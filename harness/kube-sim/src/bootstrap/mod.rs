//! What a new cluster contains: namespaces, roles and bindings, priority classes, the service of the API server.

mod roles;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::api::{Api, Caller, WriteOptions, meta};
use crate::controllers::volumes::PROVISIONER;
use crate::status::Status;

/// Address of the service `default/kubernetes`.
pub(crate) const SERVICE_ADDRESS: &str = "10.96.0.1";

/// Name, priority of the group and of the version, as a real v1.34 server has them.
const LOCAL_SERVICES: &str = "
v1. 18000 1
v1.admissionregistration.k8s.io 16700 15
v1.apiextensions.k8s.io 16700 15
v1.apps 17800 15
v1.authentication.k8s.io 17700 15
v1.authorization.k8s.io 17600 15
v1.autoscaling 17500 15
v1.batch 17400 15
v1.certificates.k8s.io 17300 15
v1.coordination.k8s.io 16500 15
v1.discovery.k8s.io 16200 15
v1.events.k8s.io 17750 15
v1.flowcontrol.apiserver.k8s.io 16100 21
v1.networking.k8s.io 17200 15
v1.node.k8s.io 16300 15
v1.policy 17100 15
v1.rbac.authorization.k8s.io 17000 15
v1.resource.k8s.io 16000 20
v1.scheduling.k8s.io 16600 15
v1.storage.k8s.io 16800 15
v2.autoscaling 17500 30
";

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
    create(
        api,
        json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": PROVISIONER, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
        }),
    )?;
    components(api)?;
    local_services(api)?;
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

/// What `kubectl get componentstatuses` shows: objects without any metadata but a name, which nobody can write.
fn components(api: &Api) -> Result<(), Status> {
    let kind = api.kind("", "ComponentStatus")?;
    api.ledger().write(|txn| {
        for name in ["controller-manager", "etcd-0", "scheduler"] {
            let object = json!({
                "apiVersion": "v1", "kind": "ComponentStatus", "metadata": {"name": name},
                "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}],
            });
            txn.put(kind.table(), name, object);
        }
        Ok(())
    })
}

/// One `APIService` for each version that the server serves itself, in the real server's order of preference.
fn local_services(api: &Api) -> Result<(), Status> {
    let since = meta::time(api.now());
    for line in LOCAL_SERVICES.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let (name, mut number) = (words.next().unwrap_or_default(), || {
            words.next().and_then(|word| word.parse::<i64>().ok()).unwrap_or_default()
        });
        let (version, group) = name.split_once('.').unwrap_or((name, ""));
        let mut spec =
            json!({"groupPriorityMinimum": number(), "version": version, "versionPriority": number()});
        if !group.is_empty() {
            spec["group"] = json!(group);
        }
        create(
            api,
            json!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {"name": name, "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}},
                "spec": spec,
                "status": {"conditions": [{
                    "type": "Available", "status": "True", "lastTransitionTime": since, "reason": "Local",
                    "message": "Local APIServices are always available",
                }]},
            }),
        )?;
    }
    Ok(())
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
