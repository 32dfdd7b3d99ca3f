//! Services with a selector: where their pods are, as Endpoints and as EndpointSlices.
//!
//! The addresses are those of the simulated pod network. Not modelled: more than one slice per service, topology hints,
//! mirroring of Endpoints that somebody else writes.

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{
    controlled_by, deleting, key, label, list, name, namespace, owner_reference, text, uid,
};
use super::pods::{is_finished, is_ready};
use super::selector::selects_map;
use super::store::Store;
use crate::api::Sub;
use crate::registry::Kind;
use crate::status::Status;

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// The endpoints and endpoint slice controllers.
#[derive(Debug)]
pub(crate) struct Endpoints {
    endpoints: Store,
    slices: Store,
}

impl Endpoints {
    /// Controllers over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            endpoints: store.named("endpoint-controller"),
            slices: store.named("endpointslice-controller"),
        }
    }

    fn pods(&self, service: &Value) -> Vec<Arc<Value>> {
        let selector = service.pointer("/spec/selector");
        let pods = self.endpoints.list(&self.endpoints.kinds().pods, namespace(service));
        let mut pods: Vec<_> = pods
            .into_iter()
            .filter(|pod| {
                selects_map(selector, pod) && !is_finished(pod) && !text(pod, "/status/podIP").is_empty()
            })
            .collect();
        pods.sort_by(|one, two| text(one, "/status/podIP").cmp(text(two, "/status/podIP")));
        pods
    }

    fn write_endpoints(&self, service: &Value, pods: &[Arc<Value>]) -> Result<(), Status> {
        let kind = self.endpoints.kinds().endpoints.clone();
        let always = service["spec"]["publishNotReadyAddresses"] == json!(true);
        let mut subset = json!({});
        for (field, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            let wanted = pods.iter().filter(|pod| !deleting(pod) && (always || is_ready(pod)) == ready);
            let addresses: Vec<_> = wanted.map(|pod| address(pod)).collect();
            if !addresses.is_empty() {
                subset[field] = json!(addresses);
            }
        }
        let empty = subset.as_object().is_none_or(serde_json::Map::is_empty);
        if let Some(pod) = pods.first() {
            subset["ports"] = ports(service, pod, false);
        }
        let subsets = if empty { json!([]) } else { json!([subset]) };
        let place = key(service);
        if self.endpoints.get(&kind, &place).is_none() {
            let mut object = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {
                "name": name(service), "namespace": namespace(service),
                "labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}});
            if !empty {
                object["subsets"] = subsets;
            }
            return self.endpoints.create(&kind, namespace(service), object).map(drop);
        }
        let written = self.endpoints.modify(&kind, Sub::Main, &place, |object| {
            let same = list(object, "/subsets") == list(&json!({"subsets": subsets}), "/subsets");
            object["subsets"] = subsets;
            !same
        });
        written.map(drop)
    }

    fn write_slice(&self, kind: &Kind, service: &Value, pods: &[Arc<Value>]) -> Result<(), Status> {
        let slices = self.slices.kinds().endpoint_slices.clone();
        let always = service["spec"]["publishNotReadyAddresses"] == json!(true);
        let entries: Vec<_> = pods.iter().map(|pod| entry(pod, always)).collect();
        let ports = pods.first().map_or(json!([]), |pod| ports(service, pod, true));
        let (found, spare): (Vec<_>, Vec<_>) = {
            let mut own = self.slices.list(&slices, namespace(service)).into_iter().filter(|slice| {
                label(slice, SERVICE_NAME) == Some(name(service)) && controlled_by(slice, service)
            });
            (own.next().into_iter().collect(), own.collect())
        };
        for slice in spare {
            self.slices.delete(&slices, &slice)?;
        }
        if let Some(slice) = found.first() {
            let written = self.slices.modify(&slices, Sub::Main, &key(slice), |slice| {
                let same = slice["endpoints"] == json!(entries) && slice["ports"] == ports;
                slice["endpoints"] = json!(entries);
                slice["ports"] = ports;
                !same
            });
            return written.map(drop);
        }
        let object = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"generateName": format!("{}-", name(service)), "namespace": namespace(service),
                "labels": {MANAGED_BY: "endpointslice-controller.k8s.io", SERVICE_NAME: name(service)},
                "ownerReferences": [owner_reference(kind, service)]},
            "addressType": "IPv4", "endpoints": entries, "ports": ports,
        });
        self.slices.create(&slices, namespace(service), object).map(drop)
    }
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod)})
}

fn address(pod: &Value) -> Value {
    json!({"ip": text(pod, "/status/podIP"), "nodeName": text(pod, "/spec/nodeName"), "targetRef": target(pod)})
}

fn entry(pod: &Value, always: bool) -> Value {
    let (serving, terminating) = (is_ready(pod), deleting(pod));
    json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": {
            "ready": (serving || always) && !terminating, "serving": serving || always, "terminating": terminating,
        },
        "nodeName": text(pod, "/spec/nodeName"), "targetRef": target(pod),
    })
}

/// The ports of a service as its pods have them. Endpoints leave an empty name out, slices state it.
fn ports(service: &Value, pod: &Value, named: bool) -> Value {
    let of = |port: &Value| {
        let protocol = match text(port, "/protocol") {
            "" => "TCP",
            protocol => protocol,
        };
        let number = target_port(port, pod, protocol)?;
        let mut shown = json!({});
        if named || !text(port, "/name").is_empty() {
            shown["name"] = json!(text(port, "/name"));
        }
        shown["port"] = json!(number);
        shown["protocol"] = json!(protocol);
        Some(shown)
    };
    list(service, "/spec/ports").iter().filter_map(of).collect()
}

fn target_port(port: &Value, pod: &Value, protocol: &str) -> Option<i64> {
    match &port["targetPort"] {
        Value::Number(number) => number.as_i64(),
        Value::String(wanted) => {
            let containers = list(pod, "/spec/containers").iter();
            let mut ports = containers.flat_map(|container| list(container, "/ports"));
            let found = ports.find(|port| {
                text(port, "/name") == wanted
                    && matches!(text(port, "/protocol"), "" | "TCP") == (protocol == "TCP")
            });
            found.and_then(|port| port["containerPort"].as_i64())
        }
        _ => port["port"].as_i64(),
    }
}

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.endpoints.kinds();
        if *change.table == *kinds.services.table()
            || (*change.table == *kinds.endpoints.table() && change.after.is_none())
        {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.endpoint_slices.table() && change.after.is_none() {
            let service =
                change.before.as_ref().and_then(|row| super::objects::controller_key(&row.value, "Service"));
            keys.extend(service);
        } else if *change.table == *kinds.pods.table() {
            for row in change.before.iter().chain(&change.after) {
                let services = self.endpoints.list(&kinds.services, namespace(&row.value));
                let wanted = services
                    .iter()
                    .filter(|service| selects_map(service.pointer("/spec/selector"), &row.value));
                keys.extend(wanted.map(|service| key(service)));
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.endpoints.kinds().services.clone();
        let Some(service) = self.endpoints.get(&kind, at) else {
            // Endpoints have no owner; their namesake takes them along.
            let endpoints = self.endpoints.kinds().endpoints.clone();
            let orphan = self.endpoints.get(&endpoints, at);
            let ours = orphan.filter(|object| label(object, "endpoints.kubernetes.io/managed-by").is_some());
            if let Some(orphan) = ours {
                self.endpoints.delete(&endpoints, &orphan)?;
            }
            return Ok(Next::Done);
        };
        let selecting =
            service.pointer("/spec/selector").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
        if deleting(&service) || !selecting || text(&service, "/spec/type") == "ExternalName" {
            return Ok(Next::Done);
        }
        let pods = self.pods(&service);
        self.write_endpoints(&service, &pods)?;
        self.write_slice(&kind, &service, &pods)?;
        Ok(Next::Done)
    }
}
