//! What must be true: of a client's end, of Azure, of the cluster, of the journal, of time.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::driver::AzExpect;
use super::model::{Fields, Span, Texts};

/// How a client ends.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientExpect {
    /// The exit code: 0 done, 1 failed, 124 given up. Left out, it is 1 when something is expected that only an error has.
    pub exit: Option<u8>,
    /// The stage of onboarding that failed.
    pub stage: Option<String>,
    /// The Azure CLI's code, such as `AZK8S0309`.
    pub code: Option<String>,
    /// Azure's own error code.
    pub arm_code: Option<String>,
    /// The HTTP status of an `arm` step.
    pub status: Option<u16>,
    /// Texts that the error, or what else is said, has in it.
    pub text: Texts,
    /// Values in the answer of an `arm` step, or in what a tool prints as JSON.
    pub is: Fields,
    /// How it ends when the Azure CLI performs it, where that differs.
    pub az: Option<AzExpect>,
}

impl ClientExpect {
    /// The exit code that is expected.
    #[must_use]
    pub fn exit(&self) -> u8 {
        let only_errors = self.stage.is_some() || self.code.is_some() || self.arm_code.is_some();
        let refused = self.status.is_some_and(|status| status >= 400);
        self.exit.unwrap_or(u8::from(only_errors || refused))
    }
}

/// What is true after an act.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Expect {
    /// Azure.
    pub arm: Vec<ArmCheck>,
    /// The cluster.
    pub cluster: Vec<ClusterCheck>,
    /// The journal of the act.
    pub journal: Vec<JournalCheck>,
    /// How long the act took in world time.
    pub time: Option<TimeCheck>,
    /// How often rules fired in the whole scenario, by id. Every rule must fire once at least, unless it says 0 here.
    pub fired: BTreeMap<String, u64>,
}

/// Something in Azure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ArmCheck {
    /// `cluster`, `group`, `provider NAMESPACE`, or a path from `/subscriptions` on with its `?api-version=`.
    pub of: String,
    /// It does not exist.
    #[serde(default)]
    pub absent: bool,
    /// What it has, by dotted path; a name that is not at the top is looked for in `properties`.
    #[serde(default)]
    pub is: Fields,
}

/// Something in the cluster: an object, pods, or an event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ClusterCheck {
    /// `VERSION/KIND [NAMESPACE/]NAME`.
    pub object: Option<String>,
    /// The object does not exist, or no such pod.
    pub absent: bool,
    /// What the object has, by dotted path.
    pub is: Fields,
    /// The beginning of names of pods of the agents (`config-agent`), each of which must be as follows.
    pub pod: Option<String>,
    /// What `kubectl get pods` shows as STATUS.
    pub status: Option<String>,
    /// What `kubectl get pods` shows as READY.
    pub ready: Option<String>,
    /// What the log of one of its containers has in it.
    pub log: Texts,
    /// The container whose log is meant, where a pod has several.
    pub container: Option<String>,
    /// The reason of an event in the agents' namespace.
    pub event: Option<String>,
    /// What the event's message has in it.
    pub text: Texts,
}

/// Entries of the journal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct JournalCheck {
    /// Who.
    pub actor: Option<String>,
    /// What kind of thing.
    pub kind: Option<String>,
    /// Facts, as patterns.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Whether an effect was committed.
    pub committed: Option<bool>,
    /// Whether the answer arrived.
    pub delivered: Option<bool>,
    /// How many there are at least; 1 when no bound is given.
    pub at_least: Option<u64>,
    /// How many there are at most.
    pub at_most: Option<u64>,
}

/// Bounds of world time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TimeCheck {
    /// It takes so long at least.
    #[serde(default)]
    pub at_least: Option<Span>,
    /// It takes so long at most.
    #[serde(default)]
    pub at_most: Option<Span>,
}
