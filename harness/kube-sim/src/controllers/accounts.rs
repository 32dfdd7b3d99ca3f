//! What every namespace has: the service account `default` and the ConfigMap `kube-root-ca.crt`.

use serde_json::json;
use sim_core::ledger::Change;

use super::manager::{Controller, Next};
use super::objects::{deleting, join, split};
use super::store::Store;
use crate::api::Sub;
use crate::status::Status;

/// The ConfigMap with the certificate authority of the API server.
const ROOT_CA: &str = "kube-root-ca.crt";

/// The service account of pods that name none.
const DEFAULT: &str = "default";

/// The service account and root CA controllers.
#[derive(Debug)]
pub(crate) struct Accounts {
    accounts: Store,
    certificates: Store,
    ca_pem: String,
}

impl Accounts {
    /// Controllers that publish the authority `ca_pem`.
    pub(crate) fn new(store: &Store, ca_pem: String) -> Self {
        Self {
            accounts: store.named("service-account-controller"),
            certificates: store.named("root-ca-certificate-publisher"),
            ca_pem,
        }
    }

    fn publish(&self, space: &str) -> Result<(), Status> {
        let kind = self.certificates.kinds().config_maps.clone();
        let key = join(space, ROOT_CA);
        let data = json!({"ca.crt": self.ca_pem});
        if self.certificates.get(&kind, &key).is_some() {
            let changed = self.certificates.modify(&kind, Sub::Main, &key, |object| {
                let differs = object["data"] != data;
                object["data"] = data;
                differs
            });
            return changed.map(drop);
        }
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "namespace": space, "annotations": {"kubernetes.io/description":
                "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
                 such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across \
                 distributions of Kubernetes clusters."}},
            "data": data,
        });
        self.certificates.create(&kind, space, object).map(drop)
    }
}

impl Controller for Accounts {
    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.accounts.kinds();
        let (space, name) = split(&change.key);
        if *change.table == *kinds.namespaces.table() {
            keys.push(change.key.to_string());
        } else if (*change.table == *kinds.config_maps.table() && name == ROOT_CA)
            || (*change.table == *kinds.service_accounts.table() && name == DEFAULT && change.after.is_none())
        {
            keys.push(space.to_owned());
        }
    }

    fn reconcile(&mut self, space: &str) -> Result<Next, Status> {
        let namespace = self.accounts.get(&self.accounts.kinds().namespaces, space);
        if namespace.is_none_or(|namespace| deleting(&namespace)) {
            return Ok(Next::Done);
        }
        let kind = self.accounts.kinds().service_accounts.clone();
        if self.accounts.get(&kind, &join(space, DEFAULT)).is_none() {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": DEFAULT, "namespace": space}});
            self.accounts.create(&kind, space, account)?;
        }
        self.publish(space)?;
        Ok(Next::Done)
    }
}
