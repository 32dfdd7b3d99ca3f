//! Deployments: ReplicaSets per revision, rolled over within limits.

mod revisions;
mod rolling;
mod scaling;
mod status;

pub(super) use self::revisions::template_hash;

use std::sync::Arc;

use serde_json::{Value, json};
use sim_core::ledger::Change;

use self::rolling::{Limits, Size};
use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    annotate, controller_key, deleting, key, name, namespace, number, owner_reference, text, time,
};
use super::pods;
use super::store::{Store, beside};
use crate::api::Sub;
use crate::registry::Kind;
use crate::status::Status;

/// The Deployment controller.
#[derive(Debug)]
pub(crate) struct Deployments {
    store: Store,
    events: Recorder,
}

/// The ReplicaSets of a Deployment.
struct Revisions {
    new: Option<Arc<Value>>,
    /// Oldest first.
    old: Vec<Arc<Value>>,
}

impl Deployments {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("deployment-controller");
        let events = Recorder::new(&store, "deployment-controller");
        Self { store, events }
    }

    fn sets(&self) -> Arc<Kind> {
        self.store.kinds().replica_sets.clone()
    }

    fn revisions(&self, deployment: &Value) -> Result<Revisions, Status> {
        let kind = self.store.kinds().deployments.clone();
        let mut sets = pods::claim_kind(&self.store, &self.sets(), &kind, deployment)?;
        sets.sort_by_key(|set| (time(set, "/metadata/creationTimestamp"), revisions::revision(set)));
        let template = &deployment["spec"]["template"];
        let position = sets.iter().position(|set| !deleting(set) && revisions::same_template(set, template));
        let new = position.map(|position| sets.remove(position));
        Ok(Revisions { new, old: sets })
    }

    /// Makes sure that the new ReplicaSet exists and has the right number and annotations. True when it was created.
    fn ensure_new(&mut self, deployment: &Value, revisions: &mut Revisions) -> Result<bool, Status> {
        let wanted = revisions.old.iter().map(|set| revisions::revision(set)).max().unwrap_or_default() + 1;
        let limits = Limits::of(deployment);
        let created = revisions.new.is_none();
        let set = match &revisions.new {
            Some(set) => {
                let kind = self.sets();
                self.store.modify(&kind, Sub::Main, &key(set), |set| {
                    let numbered = revisions::annotate(set, deployment, wanted);
                    numbered | revisions::annotate_size(set, limits.replicas, limits.maximum())
                })?
            }
            None => self.create(deployment, revisions, limits, wanted)?,
        };
        let number = revisions::revision(&set).to_string();
        let kind = self.store.kinds().deployments.clone();
        self.store.modify(&kind, Sub::Main, &key(deployment), |deployment| {
            annotate(deployment, revisions::REVISION, &number)
        })?;
        revisions.new = Some(Arc::new(set));
        Ok(created)
    }

    fn create(
        &mut self,
        deployment: &Value,
        revisions: &Revisions,
        limits: Limits,
        number: i64,
    ) -> Result<Value, Status> {
        let kinds = self.store.kinds();
        let (kind, sets) = (kinds.deployments.clone(), kinds.replica_sets.clone());
        let sizes: Vec<_> = revisions.old.iter().map(|set| Size::of(set)).collect();
        let recreate = text(deployment, "/spec/strategy/type") == "Recreate";
        let busy = sizes.iter().any(|size| size.wanted > 0) || self.old_pods_left(revisions);
        let replicas = match () {
            () if recreate && busy => 0,
            () if recreate => limits.replicas,
            () => rolling::grow(limits, Size { wanted: 0, available: 0 }, &sizes),
        };
        let mut set = revisions::new_replica_set(deployment, owner_reference(&kind, deployment), replicas);
        revisions::annotate(&mut set, deployment, number);
        revisions::annotate_size(&mut set, limits.replicas, limits.maximum());
        let taken = self.store.get(&sets, &beside(deployment, name(&set))).is_some();
        if taken {
            // Another template with the same hash: the count of collisions is part of the next hash.
            let collisions = super::objects::number(deployment, "/status/collisionCount").unwrap_or_default();
            self.store.modify(&kind, Sub::Status, &key(deployment), |deployment| {
                super::objects::set(deployment, &["status", "collisionCount"], json!(collisions + 1));
                true
            })?;
        }
        let made = self.store.create(&sets, namespace(deployment), set)?;
        if replicas > 0 {
            self.report_scaling(deployment, name(&made), 0, replicas);
        }
        Ok(made)
    }

    fn report_scaling(&mut self, deployment: &Value, set: &str, from: i64, to: i64) {
        let kind = self.store.kinds().deployments.clone();
        let way = if to > from { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {set} from {from} to {to}");
        self.events.event(&kind, deployment, Level::Normal, "ScalingReplicaSet", &message);
    }

    fn scale(&mut self, deployment: &Value, set: &mut Arc<Value>, to: i64) -> Result<(), Status> {
        let from = number(set, "/spec/replicas").unwrap_or(1);
        if from == to {
            return Ok(());
        }
        let limits = Limits::of(deployment);
        let kind = self.sets();
        let changed = self.store.modify(&kind, Sub::Main, &key(set), |set| {
            set["spec"]["replicas"] = json!(to);
            revisions::annotate_size(set, limits.replicas, limits.maximum());
            true
        })?;
        self.report_scaling(deployment, name(set), from, to);
        *set = Arc::new(changed);
        Ok(())
    }

    fn old_pods_left(&self, revisions: &Revisions) -> bool {
        let pods =
            revisions.old.iter().flat_map(|set| self.store.list(&self.store.kinds().pods, namespace(set)));
        let mut pods = pods.filter(|pod| !pods::is_finished(pod));
        pods.any(|pod| revisions.old.iter().any(|set| super::objects::controlled_by(&pod, set)))
    }

    fn roll(&mut self, deployment: &Value, revisions: &mut Revisions) -> Result<(), Status> {
        let limits = Limits::of(deployment);
        let Some(mut new) = revisions.new.take() else { return Ok(()) };
        let sizes: Vec<_> = revisions.old.iter().map(|set| Size::of(set)).collect();
        if text(deployment, "/spec/strategy/type") == "Recreate" {
            for set in &mut revisions.old {
                self.scale(deployment, set, 0)?;
            }
            if !self.old_pods_left(revisions) {
                self.scale(deployment, &mut new, limits.replicas)?;
            }
        } else {
            let grown = rolling::grow(limits, Size::of(&new), &sizes);
            self.scale(deployment, &mut new, grown)?;
            let wanted = rolling::shrink(limits, Size::of(&new), &sizes);
            for (set, wanted) in revisions.old.iter_mut().zip(wanted) {
                self.scale(deployment, set, wanted)?;
            }
        }
        revisions.new = Some(new);
        Ok(())
    }

    /// Gives every ReplicaSet its share of a change in size. False when there was none, or only one set to take it.
    fn share_out(&mut self, deployment: &Value, revisions: &mut Revisions) -> Result<bool, Status> {
        let limits = Limits::of(deployment);
        let mut sets: Vec<_> = revisions.old.iter_mut().chain(revisions.new.iter_mut()).collect();
        let active = sets.iter().filter(|set| Size::of(set).wanted > 0).count();
        let scaled = sets.iter().any(|set| scaling::is_scaled(set, limits.replicas));
        let recreate = text(deployment, "/spec/strategy/type") == "Recreate";
        if !scaled || active < 2 || recreate {
            return Ok(false);
        }
        let total = number(deployment, "/status/replicas").unwrap_or_default();
        let shares: Vec<_> = sets.iter().map(|set| scaling::Share::of(set, total)).collect();
        for (set, size) in sets.iter_mut().zip(scaling::proportional(limits, &shares)) {
            self.scale(deployment, set, size)?;
            let kind = self.sets();
            let noted = self.store.modify(&kind, Sub::Main, &key(set), |set| {
                revisions::annotate_size(set, limits.replicas, limits.maximum())
            })?;
            **set = Arc::new(noted);
        }
        Ok(true)
    }

    /// Scales the active ReplicaSet of a paused Deployment, whose template must not roll out.
    fn scale_paused(&mut self, deployment: &Value, revisions: &mut Revisions) -> Result<(), Status> {
        let wanted = Limits::of(deployment).replicas;
        let mut sets: Vec<_> = revisions.new.iter_mut().chain(&mut revisions.old).collect();
        let active = sets.iter().filter(|set| Size::of(set).wanted > 0).count();
        let single = sets.iter_mut().filter(|set| active == 0 || Size::of(set).wanted > 0);
        let newest = single.max_by_key(|set| revisions::revision(set));
        match newest {
            Some(set) if active <= 1 => self.scale(deployment, set, wanted),
            _ => Ok(()),
        }
    }

    fn drop_history(&self, deployment: &Value, old: &[Arc<Value>]) -> Result<(), Status> {
        let limit = number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10);
        let mut idle: Vec<_> = old.iter().filter(|set| revisions::is_settled_at_zero(set)).collect();
        idle.sort_by_key(|set| revisions::revision(set));
        let excess = old.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
        for set in idle.into_iter().take(excess) {
            self.store.delete(&self.sets(), set)?;
        }
        Ok(())
    }
}

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.deployments.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.replica_sets.table() {
            for row in change.before.iter().chain(&change.after) {
                keys.extend(controller_key(&row.value, "Deployment"));
            }
            if let Some(row) = &change.after {
                pods::possible_owners(&self.store, &kinds.deployments, &row.value, keys);
            }
        } else if *change.table == *kinds.pods.table() && change.after.is_none() {
            // Recreate waits until the last old pod is gone.
            let owner = change.before.as_ref().and_then(|row| controller_key(&row.value, "ReplicaSet"));
            let set = owner.and_then(|owner| self.store.get(&kinds.replica_sets, &owner));
            keys.extend(set.and_then(|set| controller_key(&set, "Deployment")));
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().deployments.clone();
        let Some(deployment) = self.store.get(&kind, at) else { return Ok(Next::Done) };
        let mut revisions = self.revisions(&deployment)?;
        let mut created = false;
        if !deleting(&deployment) {
            let shared = self.share_out(&deployment, &mut revisions)?;
            if deployment["spec"]["paused"] == json!(true) {
                self.scale_paused(&deployment, &mut revisions)?;
            } else if !shared {
                created = self.ensure_new(&deployment, &mut revisions)?;
                self.roll(&deployment, &mut revisions)?;
            }
        }
        let Some(current) = self.store.get(&kind, at) else { return Ok(Next::Done) };
        let facts = status::Facts {
            deployment: &current,
            new: revisions.new.as_deref(),
            old: &revisions.old,
            created,
            now: self.store.now(),
        };
        let (status, next) = status::status(&facts);
        if !deleting(&deployment) && status::is_complete(&current, &status) {
            self.drop_history(&current, &revisions.old)?;
        }
        self.store.set_status(&kind, at, status)?;
        Ok(next)
    }
}
