//! The verbs, as synchronous functions over one transaction of the ledger.
//!
//! Objects are JSON. What is stored carries its `resourceVersion`, which is the revision of the commit that wrote it;
//! there is one count for all kinds. Nothing here knows HTTP, and nothing here awaits.

mod aggregation;
mod caller;
mod label_parser;
mod meta_update;
mod names;
mod options;
mod read;
mod selector;

mod admission;
mod convert;
mod create;
mod delete;
pub mod meta;
mod patching;
mod scale;
mod seams;
mod services;
mod structural;
mod update;

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::Value;
use sim_core::clock::{Busy, Clock};
use sim_core::journal::Journal;
use sim_core::ledger::{Ledger, Txn, Watch};
use sim_core::seed::{Seed, Stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::registry::{DEFINITIONS, Kind, Registry};
use crate::schema::Schemas;
use crate::status::Status;

pub use crate::registry::Sub;
pub(crate) use admission::DEFINITION_FINALIZER;
pub use caller::Caller;
use names::Names;
pub(crate) use options::Rows;
pub use options::{DeleteOptions, Listed, Patch, PatchOptions, Propagation, Selection, WriteOptions};
pub(crate) use read::prefix as key_prefix;
pub use selector::{FieldSelector, LabelSelector};
pub(crate) use update::go_number_error;

/// The API of one cluster. Cheap to clone; clones are the same cluster.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    clock: Clock,
    ledger: Ledger,
    registry: Registry,
    journal: Journal,
    seed: Seed,
    uids: Stream,
    names: Names,
    schemas: Schemas,
    /// Told about every write, with a guard that keeps the world from moving on before it is dealt with.
    listener: OnceLock<UnboundedSender<Busy>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("registry", &self.0.registry).finish_non_exhaustive()
    }
}

impl Api {
    /// An API over an empty ledger. Ids are drawn from `seed` under the cluster's `name`.
    #[must_use]
    pub fn new(name: &str, clock: Clock, journal: Journal, seed: Seed) -> Self {
        Self(Arc::new(Inner {
            clock,
            ledger: Ledger::new(),
            registry: Registry::builtin(),
            journal,
            seed,
            uids: seed.stream(&format!("kube/{name}/uid")),
            names: Names::new(name, seed),
            schemas: Schemas::new(),
            listener: OnceLock::new(),
        }))
    }

    /// Has every later write announced to the control plane, which drops the guard once it has dealt with the change.
    /// Only the first to ask is told.
    pub(crate) fn announce_writes(&self) -> UnboundedReceiver<Busy> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        // A second control plane over the same API would find its channel closed.
        let _ = self.0.listener.set(sender);
        receiver
    }

    /// The world's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Where the objects are.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Which kinds exist.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The world's journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// The world's seed.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.0.seed
    }

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The kind of this name in its preferred version.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn kind(&self, group: &str, kind: &str) -> Result<Arc<Kind>, Status> {
        self.0.registry.by_kind(group, kind).ok_or_else(Status::no_such_path)
    }

    /// A fresh id.
    pub(crate) fn draw_uid(&self) -> String {
        self.0.uids.uuid().to_string()
    }

    /// Five letters behind `prefix` for a generated name. The n-th name of a prefix depends on the seed only, whatever else is
    /// named in between.
    #[must_use]
    pub fn name_suffix(&self, prefix: &str) -> String {
        self.0.names.suffix(prefix)
    }

    /// Changes of a kind that come after revision `from`, in storage form: keys are `namespace/name` or `name`.
    ///
    /// # Errors
    /// 410 when `from` is too old; list again then.
    pub fn watch(&self, kind: &Kind, from: u64) -> Result<Watch, Status> {
        self.0.ledger.watch(kind.table(), "", from).map_err(|compacted| {
            Status::expired(format!("too old resource version: {from} ({})", compacted.oldest))
        })
    }

    /// Runs one transaction; with `dry_run` its result is returned and its effects are undone. A write to
    /// CustomResourceDefinitions changes the registry before this returns.
    fn transact<T>(
        &self,
        kind: &Kind,
        dry_run: bool,
        work: impl FnOnce(&mut Txn<'_>) -> Result<T, Status>,
    ) -> Result<T, Status> {
        enum Stop<T> {
            Refused(Status),
            DryRun(T),
        }
        let outcome = self.0.ledger.write(|txn| {
            let value = work(txn).map_err(Stop::Refused)?;
            if kind.table() == DEFINITIONS && !dry_run {
                self.publish_versions(txn);
            }
            if dry_run {
                return Err(Stop::DryRun(value));
            }
            Ok(value)
        });
        if kind.table() == DEFINITIONS && outcome.is_ok() {
            self.reload_definitions();
        }
        if let (Ok(_), Some(listener)) = (&outcome, self.0.listener.get()) {
            // Without a receiver the control plane is being shut down.
            let _ = listener.send(self.0.clock.busy());
        }
        match outcome {
            Ok(value) | Err(Stop::DryRun(value)) => Ok(value),
            Err(Stop::Refused(status)) => Err(status),
        }
    }

    /// Makes the registry agree with the stored CustomResourceDefinitions: for use after a snapshot is restored.
    pub fn reload_definitions(&self) {
        let registry = &self.0.registry;
        self.0.ledger.read(|view| {
            registry.set_definitions(view.scan(DEFINITIONS, "").map(|(_, row)| &*row.value));
        });
    }

    /// The answer to a dry run shows the resource version that is still there, or none.
    fn shown_dry(&self, kind: &Kind, namespace: Option<&str>, mut object: Value) -> Value {
        let key = kind.key(namespace, meta::name(&object));
        let version = self.0.ledger.read(|view| {
            view.get(kind.table(), &key).map(|row| row.value["metadata"]["resourceVersion"].clone())
        });
        let metadata = meta::metadata(&mut object);
        match version {
            Some(version) => metadata.insert("resourceVersion".into(), version),
            None => metadata.shift_remove("resourceVersion"),
        };
        object
    }

    fn stored<'a>(txn: &'a Txn<'_>, kind: &Kind, key: &str) -> Option<&'a Value> {
        txn.get(kind.table(), key).map(|row| &*row.value)
    }

    /// Writes `object` at `key` with the transaction's revision as its `resourceVersion`.
    fn put(txn: &mut Txn<'_>, kind: &Kind, key: &str, mut object: Value) -> Value {
        let revision = txn.revision().to_string();
        meta::metadata(&mut object).insert("resourceVersion".into(), revision.into());
        txn.put(kind.table(), key, object.clone());
        object
    }
}
