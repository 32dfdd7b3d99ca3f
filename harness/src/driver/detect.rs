//! Which distribution on which infrastructure, from the nodes.
//!
//! The rules are data, tried in order over every node (source: what the Azure CLI's extension is seen to look at). What
//! none of them knows is `generic`.

use serde_json::{Map, Value};

/// Where a rule looks.
enum Look {
    /// A label of this name.
    Label(&'static str),
    /// A label whose name starts so.
    LabelPrefix(&'static str),
    /// An annotation whose name starts so.
    AnnotationPrefix(&'static str),
    /// `spec.providerID` starts so.
    Provider(&'static str),
}

use Look::{AnnotationPrefix, Label, LabelPrefix, Provider};

const DISTRIBUTIONS: &[(Look, &str)] = &[
    (Label("node.openshift.io/os_id"), "openshift"),
    (Label("kubernetes.azure.com/node-image-version"), "aks"),
    (LabelPrefix("cloud.google.com/gke-"), "gke"),
    (Label("eks.amazonaws.com/nodegroup"), "eks"),
    (Label("minikube.k8s.io/version"), "minikube"),
    (AnnotationPrefix("node.aksedge.io/distro"), "aks_edge_k3s"),
    (Provider("kind://"), "kind"),
    (Provider("k3s://"), "k3s"),
    (AnnotationPrefix("rke.cattle.io/"), "rancher_rke"),
    (LabelPrefix("microk8s.io/"), "microk8s"),
    (LabelPrefix("k3os.io/"), "k3os"),
    (AnnotationPrefix("talos.dev/"), "talos"),
    (AnnotationPrefix("rke2.io/"), "rke2"),
    (LabelPrefix("run.tanzu.vmware.com/"), "tkg"),
    (AnnotationPrefix("flatcar-linux"), "flatcar"),
    (LabelPrefix("node.k0sproject.io/"), "k0s"),
    (LabelPrefix("node-role.kubernetes.io"), "kubeadm"),
    (AnnotationPrefix("kubeadm.alpha.kubernetes.io"), "kubeadm"),
];

fn map<'a>(node: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    node.pointer(pointer).and_then(Value::as_object)
}

fn provider(node: &Value) -> &str {
    node.pointer("/spec/providerID").and_then(Value::as_str).unwrap_or_default()
}

impl Look {
    fn sees(&self, node: &Value) -> bool {
        let any = |pointer: &str, test: &dyn Fn(&str) -> bool| {
            map(node, pointer).is_some_and(|map| map.keys().any(|key| test(key)))
        };
        match *self {
            Label(name) => any("/metadata/labels", &|key| key == name),
            LabelPrefix(prefix) => any("/metadata/labels", &|key| key.starts_with(prefix)),
            AnnotationPrefix(prefix) => any("/metadata/annotations", &|key| key.starts_with(prefix)),
            Provider(prefix) => provider(node).starts_with(prefix),
        }
    }
}

/// The distribution of these nodes.
pub(super) fn distribution(nodes: &[Value]) -> &'static str {
    let found = DISTRIBUTIONS.iter().find(|(look, _)| nodes.iter().any(|node| look.sees(node)));
    found.map_or("generic", |(_, name)| name)
}

/// The infrastructure of these nodes: the scheme of the first `spec.providerID`.
pub(super) fn infrastructure(nodes: &[Value]) -> String {
    let schemes = nodes.iter().filter_map(|node| provider(node).split_once(':')).map(|(scheme, _)| scheme);
    match schemes.into_iter().find(|scheme| !scheme.is_empty()) {
        None => "generic".into(),
        Some("gce") => "gcp".into(),
        Some(other) => other.into(),
    }
}

/// Whether some node runs Linux.
pub(super) fn has_linux(nodes: &[Value]) -> bool {
    nodes.iter().any(|node| {
        let system = map(node, "/metadata/labels").and_then(|labels| labels.get("kubernetes.io/os"));
        system.and_then(Value::as_str) == Some("linux")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nodes_tell_their_distribution_and_infrastructure() {
        let gke = json!({
            "metadata": { "labels": { "cloud.google.com/gke-nodepool": "p", "kubernetes.io/os": "linux" } },
            "spec": { "providerID": "gce://project/zone/node" },
        });
        let all = [gke];
        assert_eq!((distribution(&all), infrastructure(&all).as_str()), ("gke", "gcp"));
        assert!(has_linux(&all));
        let all = [json!({ "spec": { "providerID": "kind://docker/kind/node" } })];
        assert_eq!((distribution(&all), infrastructure(&all).as_str()), ("kind", "kind"));
        assert!(!has_linux(&all));
        assert_eq!((distribution(&[]), infrastructure(&[]).as_str()), ("generic", "generic"));
        let all = [json!({ "metadata": { "labels": { "node-role.kubernetes.io/control-plane": "" } } })];
        assert_eq!((distribution(&all), infrastructure(&all).as_str()), ("kubeadm", "generic"));
    }
}
