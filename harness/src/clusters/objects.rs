//! The objects that a real cluster has while it is in a world. All live in one namespace, which goes with the world.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use arc_agent_sim::{WORLD_NAMESPACE, WORLD_SECRET};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The service behind which the cloud and the clock are.
pub const SERVICE: &str = "cloud";

/// The ports of that service, by name: what Azure's hosts listen on, and the world's clock.
pub const PORTS: [(&str, u16); 3] = [("https", 443), ("obo", 8084), (CLOCK, CLOCK_PORT)];
/// Name and number of the clock's port.
pub const CLOCK: &str = "clock";
/// See [`CLOCK`].
pub const CLOCK_PORT: u16 = 8085;

/// Namespaces whose service accounts may read the world's variables.
const READERS: [&str; 2] = ["azure-arc", "azure-arc-release"];

/// The path of the namespace.
#[must_use]
pub fn namespace_path() -> String {
    format!("/api/v1/namespaces/{WORLD_NAMESPACE}")
}

/// The namespace, with the name of the world and of the machine it runs on.
#[must_use]
pub fn namespace(world: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": WORLD_NAMESPACE,
            "labels": { "app.kubernetes.io/managed-by": "dryarc" },
            "annotations": { "dryarc/world": world },
        },
    })
}

/// A service without pods: where it leads is said by [`endpoints`].
#[must_use]
pub fn service() -> Value {
    let ports: Vec<Value> = PORTS
        .iter()
        .map(|(name, port)| json!({ "name": name, "port": port, "targetPort": port, "protocol": "TCP" }))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": SERVICE, "namespace": WORLD_NAMESPACE },
        "spec": { "type": "ClusterIP", "ports": ports },
    })
}

/// Leads the service to this machine, port by port in the order of [`PORTS`].
#[must_use]
pub fn endpoints(addresses: &[SocketAddr; 3]) -> Value {
    let ports: Vec<Value> = PORTS
        .iter()
        .zip(addresses)
        .map(|((name, _), address)| json!({ "name": name, "port": address.port(), "protocol": "TCP" }))
        .collect();
    let ip = addresses[0].ip();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": SERVICE,
            "namespace": WORLD_NAMESPACE,
            "labels": {
                "kubernetes.io/service-name": SERVICE,
                "endpointslice.kubernetes.io/managed-by": "dryarc",
            },
        },
        "addressType": if ip.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{ "addresses": [ip.to_string()], "conditions": { "ready": true } }],
        "ports": ports,
    })
}

/// The world's variables, and who may read them.
#[must_use]
pub fn variables(variables: &BTreeMap<&str, String>) -> [Value; 3] {
    let data: BTreeMap<&str, String> =
        variables.iter().map(|(name, value)| (*name, STANDARD.encode(value))).collect();
    let subjects: Vec<Value> = READERS
        .iter()
        .map(|namespace| {
            json!({
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Group",
                "name": format!("system:serviceaccounts:{namespace}"),
            })
        })
        .collect();
    let metadata = |name: &str| json!({ "name": name, "namespace": WORLD_NAMESPACE });
    [
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata(WORLD_SECRET), "data": data }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata("agents"),
            "rules": [{
                "apiGroups": [""], "resources": ["secrets"], "resourceNames": [WORLD_SECRET], "verbs": ["get"],
            }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata("agents"),
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "agents" },
            "subjects": subjects,
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_without_pods_leads_to_this_machine_port_by_port() {
        let at = |port: u16| SocketAddr::from(([172, 18, 0, 1], port));
        let slice = endpoints(&[at(4001), at(4002), at(4003)]);
        assert_eq!(slice["endpoints"][0]["addresses"][0], "172.18.0.1");
        let service = service();
        for (index, expected) in [4001, 4002, 4003].into_iter().enumerate() {
            assert_eq!(slice["ports"][index]["port"], expected);
            assert_eq!(slice["ports"][index]["name"], service["spec"]["ports"][index]["name"]);
        }
    }

    #[test]
    fn agents_may_read_the_worlds_variables_and_nothing_else_of_it() {
        let [secret, role, binding] = variables(&BTreeMap::from([("DRYARC_SEED", "7".to_owned())]));
        assert_eq!(secret["data"]["DRYARC_SEED"], "Nw==");
        assert_eq!(role["rules"][0]["resourceNames"][0], WORLD_SECRET);
        assert_eq!(binding["subjects"][0]["name"], "system:serviceaccounts:azure-arc");
    }
}
