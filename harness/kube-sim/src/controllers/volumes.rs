//! Volume claims: bound to a volume that fits, or to one that is made for them.
//!
//! Volumes are made by the provisioner [`PROVISIONER`]: directories that outlive their pods and are shown to pods of
//! every node. Claims of other provisioners' classes wait, as they would without that provisioner. Claims that a pod uses
//! and volumes that are bound stay until they are not, as in a real cluster. Not modelled: expansion, snapshots, topology.

use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::history::uses_claim;
use super::manager::{Controller, Next};
use super::objects::{annotate, deleting, join, key, list, name, namespace, set, text, uid};
use super::pods::is_finished;
use super::quantity::Quantity;
use super::store::{Store, reference};
use crate::api::{Sub, meta};
use crate::status::Status;

/// The provisioner of the class `standard`, which a new cluster has.
pub(crate) const PROVISIONER: &str = "kube-sim.dryarc.dev/directory";

const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// What keys of volumes begin with; no namespace is called so.
const VOLUME: &str = "*/";

/// The controller of claims and volumes.
#[derive(Debug)]
pub(crate) struct Volumes {
    store: Store,
    events: Recorder,
}

fn is_bound(object: &Value) -> bool {
    text(object, "/status/phase") == "Bound"
}

fn requested(claim: &Value) -> Quantity {
    Quantity::parse(text(claim, "/spec/resources/requests/storage")).unwrap_or_default()
}

impl Volumes {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("persistentvolume-controller");
        let events = Recorder::new(&store, "persistentvolume-controller");
        Self { store, events }
    }

    /// A free volume that fits a claim, the smallest first.
    fn fitting(&self, claim: &Value) -> Option<Value> {
        let volumes = self.store.list(&self.store.kinds().volumes, "");
        let wanted = text(claim, "/spec/volumeName");
        let fits = |volume: &&std::sync::Arc<Value>| {
            let claimed = volume.pointer("/spec/claimRef").filter(|claimed| claimed.is_object());
            let free = claimed.is_none_or(|claimed| {
                text(claimed, "/name") == name(claim)
                    && text(claimed, "/namespace") == namespace(claim)
                    && ["", uid(claim)].contains(&text(claimed, "/uid"))
            });
            let capacity = Quantity::parse(text(volume, "/spec/capacity/storage")).unwrap_or_default();
            let modes = list(volume, "/spec/accessModes");
            free && !deleting(volume)
                && (wanted.is_empty() || name(volume) == wanted)
                && text(volume, "/spec/storageClassName") == text(claim, "/spec/storageClassName")
                && capacity >= requested(claim)
                && list(claim, "/spec/accessModes").iter().all(|mode| modes.contains(mode))
        };
        let capacity =
            |volume: &&std::sync::Arc<Value>| Quantity::parse(text(volume, "/spec/capacity/storage"));
        volumes.iter().filter(fits).min_by_key(capacity).map(|volume| Value::clone(volume))
    }

    fn bind(&self, claim: &Value, volume: &Value) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (claims, volumes) = (kinds.claims.clone(), kinds.volumes.clone());
        let claimed = reference(&claims, claim);
        self.store.modify(&volumes, Sub::Main, name(volume), |volume| {
            let changed = text(volume, "/spec/claimRef/uid") != uid(claim);
            set(volume, &["spec", "claimRef"], claimed);
            changed
        })?;
        self.set_phase(volume, "Bound")?;
        self.store.modify(&claims, Sub::Main, &key(claim), |claim| {
            set(claim, &["spec", "volumeName"], json!(name(volume)));
            annotate(claim, "pv.kubernetes.io/bind-completed", "yes");
            true
        })?;
        let (modes, capacity) = (&volume["spec"]["accessModes"], &volume["spec"]["capacity"]);
        let status = json!({"phase": "Bound", "accessModes": modes, "capacity": capacity});
        self.store.set_status(&claims, &key(claim), status)
    }

    fn set_phase(&self, volume: &Value, phase: &str) -> Result<(), Status> {
        let volumes = self.store.kinds().volumes.clone();
        let now = super::objects::stamp(self.store.now());
        let set = self.store.modify(&volumes, Sub::Status, name(volume), |volume| {
            let changed = text(volume, "/status/phase") != phase;
            volume["status"] = json!({"phase": phase, "lastPhaseTransitionTime": now});
            changed
        });
        set.map(drop)
    }

    fn provision(&mut self, claim: &Value, class: &Value) -> Result<Value, Status> {
        let kinds = self.store.kinds();
        let (claims, volumes) = (kinds.claims.clone(), kinds.volumes.clone());
        let title = format!("pvc-{}", uid(claim));
        let policy = match text(class, "/reclaimPolicy") {
            "" => "Delete",
            policy => policy,
        };
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": title, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
            "spec": {
                "accessModes": claim["spec"]["accessModes"],
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "claimRef": reference(&claims, claim), "persistentVolumeReclaimPolicy": policy,
                "storageClassName": name(class), "volumeMode": "Filesystem",
                "hostPath": {"path": format!("/var/lib/kube-sim/volumes/{title}"), "type": "DirectoryOrCreate"},
            },
        });
        self.store.modify(&claims, Sub::Main, &key(claim), |claim| {
            annotate(claim, "volume.kubernetes.io/storage-provisioner", PROVISIONER)
        })?;
        let made = match self.store.create(&volumes, "", volume) {
            Err(status) if status.reason == "AlreadyExists" => {
                self.store.get(&volumes, &title).map(|volume| Value::clone(&volume)).ok_or(status)?
            }
            made => made?,
        };
        let message = format!("Successfully provisioned volume {title}");
        self.events.event(&claims, claim, Level::Normal, "ProvisioningSucceeded", &message);
        Ok(made)
    }

    fn claim(&mut self, at: &str) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (claims, classes, pods) =
            (kinds.claims.clone(), kinds.storage_classes.clone(), kinds.pods.clone());
        let Some(claim) = self.store.get(&claims, at) else { return Ok(()) };
        if deleting(&claim) {
            let pods = self.store.list(&pods, namespace(&claim));
            let used = pods.iter().any(|pod| !is_finished(pod) && uses_claim(pod, name(&claim)));
            if used {
                return Ok(());
            }
            let freed = self
                .store
                .modify(&claims, Sub::Main, at, |claim| meta::remove_finalizer(claim, CLAIM_FINALIZER));
            return freed.map(drop);
        }
        if is_bound(&claim) {
            return Ok(());
        }
        if let Some(volume) = self.fitting(&claim) {
            return self.bind(&claim, &volume);
        }
        let class = text(&claim, "/spec/storageClassName");
        match self.store.get(&classes, class) {
            Some(class) if text(&class, "/provisioner") == PROVISIONER => {
                let volume = self.provision(&claim, &class)?;
                self.bind(&claim, &volume)
            }
            Some(class) => {
                let message = format!(
                    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
                    text(&class, "/provisioner")
                );
                self.events.event(&claims, &claim, Level::Normal, "ExternalProvisioning", &message);
                Ok(())
            }
            None if class.is_empty() => {
                let message = "no persistent volumes available for this claim and no storage class is set";
                self.events.event(&claims, &claim, Level::Normal, "FailedBinding", message);
                Ok(())
            }
            None => {
                let message = format!("storageclass.storage.k8s.io \"{class}\" not found");
                self.events.event(&claims, &claim, Level::Warning, "ProvisioningFailed", &message);
                Ok(())
            }
        }
    }

    fn volume(&self, title: &str) -> Result<(), Status> {
        let kinds = self.store.kinds();
        let (volumes, claims) = (kinds.volumes.clone(), kinds.claims.clone());
        let Some(volume) = self.store.get(&volumes, title) else { return Ok(()) };
        let claimed = &volume["spec"]["claimRef"];
        let at = join(text(claimed, "/namespace"), text(claimed, "/name"));
        let claim = self.store.get(&claims, &at);
        let stated = text(claimed, "/uid");
        let held =
            claimed.is_object() && claim.is_some_and(|claim| stated.is_empty() || uid(&claim) == stated);
        if deleting(&volume) {
            if held && is_bound(&volume) {
                return Ok(());
            }
            let freed = self.store.modify(&volumes, Sub::Main, title, |volume| {
                meta::remove_finalizer(volume, VOLUME_FINALIZER)
            });
            return freed.map(drop);
        }
        match (claimed.is_object() && !stated.is_empty(), held) {
            (false, _) => self.set_phase(&volume, "Available"),
            (true, true) => Ok(()),
            (true, false) => {
                self.set_phase(&volume, "Released")?;
                if text(&volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" {
                    self.store.delete(&volumes, &volume)?;
                }
                Ok(())
            }
        }
    }
}

impl Controller for Volumes {
    fn name(&self) -> &'static str {
        "persistentvolume"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        let unbound = |store: &Store, keys: &mut Vec<String>| {
            let claims = store.list(&kinds.claims, "");
            keys.extend(claims.iter().filter(|claim| !is_bound(claim)).map(|claim| key(claim)));
        };
        if *change.table == *kinds.claims.table() {
            keys.push(change.key.to_string());
            for row in change.before.iter().chain(&change.after) {
                let volume = text(&row.value, "/spec/volumeName");
                if !volume.is_empty() {
                    keys.push(format!("{VOLUME}{volume}"));
                }
            }
        } else if *change.table == *kinds.volumes.table() {
            keys.push(format!("{VOLUME}{}", change.key));
            unbound(&self.store, keys);
        } else if *change.table == *kinds.storage_classes.table() {
            unbound(&self.store, keys);
        } else if *change.table == *kinds.pods.table() {
            // A claim whose last pod ended may go.
            let over = change.after.as_ref().is_none_or(|row| is_finished(&row.value));
            for row in change.before.iter().filter(|_| over) {
                let volumes = list(&row.value, "/spec/volumes").iter();
                let claims = volumes.map(|volume| text(volume, "/persistentVolumeClaim/claimName"));
                let claims = claims.filter(|claim| !claim.is_empty());
                keys.extend(claims.map(|claim| join(namespace(&row.value), claim)));
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        match at.strip_prefix(VOLUME) {
            Some(volume) => self.volume(volume)?,
            None => self.claim(at)?,
        }
        Ok(Next::Done)
    }
}
