//! Rows of registration states: which namespaces a subscription may use.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sim_core::ledger::Txn;

use super::{REGISTRATION_PLANS, REGISTRATIONS, Rows, key};
use crate::profile::{Profile, Registration as Plan};

/// Where the registration of a namespace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// Never registered.
    NotRegistered,
    /// On its way in.
    Registering,
    /// Usable.
    Registered,
    /// On its way out.
    Unregistering,
    /// Was registered once.
    Unregistered,
}

impl Registration {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotRegistered => "NotRegistered",
            Self::Registering => "Registering",
            Self::Registered => "Registered",
            Self::Unregistering => "Unregistering",
            Self::Unregistered => "Unregistered",
        }
    }
}

/// A state, and since when it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The state.
    pub state: Registration,
    /// Since when.
    pub since: Timestamp,
}

/// What is stored for `namespace`, if its state was ever changed.
pub fn get(rows: &impl Rows, subscription: &str, namespace: &str) -> Option<Standing> {
    let row = rows.row(REGISTRATIONS, &key(&[subscription, namespace]))?;
    Standing::deserialize(&*row.value).ok()
}

/// Stores the state of `namespace`, which is so from `since` on.
pub fn put(txn: &mut Txn<'_>, subscription: &str, namespace: &str, state: Registration, since: Timestamp) {
    // A state is plain data: it always has a JSON form.
    if let Ok(value) = serde_json::to_value(Standing { state, since }) {
        txn.put(REGISTRATIONS, &key(&[subscription, namespace]), value);
    }
}

/// How `namespace` registers at present: as it was last told to, or else as the profile says.
pub fn plan(rows: &impl Rows, profile: &Profile, namespace: &str) -> Plan {
    let told = rows.row(REGISTRATION_PLANS, &key(&[namespace]));
    told.and_then(|row| Plan::deserialize(&*row.value).ok())
        .unwrap_or_else(|| profile.registration(namespace))
}

/// Tells `namespace` how to register from now on.
pub fn set_plan(txn: &mut Txn<'_>, namespace: &str, plan: &Plan) {
    // A plan is plain data: it always has a JSON form.
    if let Ok(value) = serde_json::to_value(plan) {
        txn.put(REGISTRATION_PLANS, &key(&[namespace]), value);
    }
}
