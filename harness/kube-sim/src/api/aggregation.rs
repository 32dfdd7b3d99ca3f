//! One `APIService` for each version that definitions serve, as the real server's registration controller keeps them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::{Api, meta};
use crate::registry::{DEFINITIONS, served_versions};

const SERVICES: &str = "apiregistration.k8s.io/apiservices";

/// What marks services that come and go with definitions.
const MARK: &str = "kube-aggregator.kubernetes.io/automanaged";

impl Api {
    /// Makes the services agree with the definitions of a transaction.
    pub(super) fn publish_versions(&self, txn: &mut Txn<'_>) {
        let definitions = txn.scan(DEFINITIONS, "");
        let wanted: BTreeSet<(String, String)> =
            definitions.flat_map(|(_, row)| served_versions(&row.value)).collect();
        let name = |group: &str, version: &str| format!("{version}.{group}");
        let stale: Vec<String> = txn
            .scan(SERVICES, "")
            .filter(|(_, row)| row.value["metadata"]["labels"][MARK] == "true")
            .filter(|(_, row)| {
                let (group, version) =
                    (meta::text(&row.value, "/spec/group"), meta::text(&row.value, "/spec/version"));
                !wanted.contains(&(group.to_owned(), version.to_owned()))
            })
            .map(|(key, _)| key.to_owned())
            .collect();
        for key in stale {
            txn.delete(SERVICES, &key);
        }
        let Some(kind) = self.0.registry.by_kind("apiregistration.k8s.io", "APIService") else { return };
        for (group, version) in wanted {
            let name = name(&group, &version);
            if txn.get(SERVICES, &name).is_none() {
                let service = self.service(&name, &group, &version);
                Self::put(txn, &kind, &name, service);
            }
        }
    }

    fn service(&self, name: &str, group: &str, version: &str) -> Value {
        let now = meta::time(self.now());
        json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {
                "name": name, "uid": self.draw_uid(), "creationTimestamp": now, "labels": {MARK: "true"},
                "managedFields": [{
                    "manager": "kube-apiserver", "operation": "Update", "apiVersion": "apiregistration.k8s.io/v1",
                    "time": now, "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, format!("f:{MARK}"): {}}},
                        "f:spec": {"f:group": {}, "f:groupPriorityMinimum": {}, "f:version": {}, "f:versionPriority": {}},
                    },
                }],
            },
            "spec": {"group": group, "groupPriorityMinimum": 1000, "version": version, "versionPriority": 100},
            "status": {"conditions": [{
                "type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local",
                "message": "Local APIServices are always available",
            }]},
        })
    }
}
