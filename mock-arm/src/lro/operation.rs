//! One long-running operation.

use std::time::Duration;

use arm_wire::envelope::OperationStatus;
use arm_wire::error::ArmError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim_core::clock::later;

use crate::profile::{Fate, Style};
use crate::store::time::precise;

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state")]
pub enum State {
    /// Not finished.
    Running,
    /// Finished well.
    Succeeded,
    /// Finished with an error.
    Failed {
        /// The error.
        error: ArmError,
    },
    /// Given up.
    Canceled,
}

/// Which members a status document has (recordings of the providers).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// id, name, resourceId, status, startTime, endTime, properties: providers behind the provider hub.
    #[default]
    Full,
    /// id, name, status, startTime, endTime: custom locations.
    Timed,
    /// id, name, status: extensions.
    Brief,
    /// status alone: deployments.
    State,
}

/// Where the status of an operation is read, and what it looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Document {
    /// The path of the document.
    pub path: String,
    /// Its members.
    pub form: Form,
    /// What `status` says while the operation runs.
    pub running: String,
    /// What `x-ms-async-operation-timeout` says, as an ISO 8601 duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The path in links to the document, where the provider spells it otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What `Location` says of a resource that is being written, where the provider gives that away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Version in links to the document, where the provider always names the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Document {
    /// The document of providers behind the provider hub: below the region, without a subscription.
    #[must_use]
    pub fn hub(namespace: &str, location: &str, id: &str) -> Self {
        Self {
            path: format!(
                "/providers/{namespace}/locations/{}/operationStatuses/{id}",
                location.to_uppercase()
            ),
            form: Form::Full,
            running: "Accepted".into(),
            timeout: Some("P6D".into()),
            ..Self::default()
        }
    }
}

/// What an operation is to be.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id in URLs, unique.
    pub id: String,
    /// What it does, as a permission would name it: `Microsoft.Kubernetes/connectedClusters/write`.
    pub name: String,
    /// The provider that ends it.
    pub namespace: String,
    /// The subscription it belongs to.
    pub subscription: String,
    /// The id of what it works on, as shown.
    pub subject: String,
    /// The key of what it works on.
    pub key: String,
    /// The region it runs in.
    pub location: String,
    /// How the client is told of it.
    pub style: Style,
    /// World seconds after which the client should ask again.
    pub retry_after: u64,
    /// World time until it comes due.
    pub span: Duration,
    /// Where its status is read.
    pub document: Document,
    /// How it goes on.
    pub fate: Fate,
    /// World time for which its status is not to be found yet.
    pub hidden: Duration,
}

/// A long-running operation, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id in URLs.
    pub id: String,
    /// What it does, as a permission would name it.
    pub name: String,
    /// The provider that ends it.
    pub namespace: String,
    /// The subscription it belongs to.
    pub subscription: String,
    /// The id of what it works on, as shown.
    pub subject: String,
    /// The key of what it works on.
    pub key: String,
    /// The region it runs in.
    pub location: String,
    /// How the client is told of it.
    pub style: Style,
    /// World seconds after which the client should ask again.
    pub retry_after: u64,
    /// Where its status is read.
    #[serde(default)]
    pub document: Document,
    /// Whether its status can never be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// From when on its status can be read, where that is not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_until: Option<Timestamp>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// When it began.
    pub started: Timestamp,
    /// When it comes due; absent when it is over or stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How it shall end when it comes due, where somebody has decided that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<State>,
    /// The entity tag of the row it was read from, quoted; or of what it works on, in the reply that began it.
    #[serde(skip)]
    pub etag: String,
}

impl Operation {
    pub(super) fn new(draft: Draft, now: Timestamp) -> Self {
        let Draft { hidden, fate, document, span: _, .. } = draft;
        let verdict = match fate {
            Fate::Fail => {
                let text = "The operation failed because the profile of the simulated cloud says so.";
                Some(State::Failed { error: ArmError::new("InternalServerError", text) })
            }
            Fate::Cancel => Some(State::Canceled),
            Fate::Succeed | Fate::Hang | Fate::Lose => None,
        };
        Self {
            id: draft.id,
            name: draft.name,
            namespace: draft.namespace,
            subscription: draft.subscription,
            subject: draft.subject,
            key: draft.key,
            location: draft.location,
            style: draft.style,
            retry_after: draft.retry_after,
            document,
            lost: fate == Fate::Lose,
            hidden_until: (!hidden.is_zero()).then(|| later(now, hidden)),
            state: State::Running,
            started: now,
            due: None,
            ended: None,
            verdict,
            etag: String::new(),
        }
    }

    /// Whether its status can be read at `now`: not yet, not any more, or never are the other cases.
    #[must_use]
    pub fn is_readable(&self, now: Timestamp, retention: Duration) -> bool {
        let early = self.hidden_until.is_some_and(|from| now < from);
        !self.lost && !early && !self.is_forgotten(now, retention)
    }

    /// Whether it ended so long ago that its result is gone.
    #[must_use]
    pub fn is_forgotten(&self, now: Timestamp, retention: Duration) -> bool {
        self.ended.is_some_and(|ended| now > later(ended, retention))
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// World time after which the client should ask again.
    #[must_use]
    pub fn retry_span(&self) -> Duration {
        Duration::from_secs(self.retry_after)
    }

    /// The document behind its `Azure-AsyncOperation` URL.
    #[must_use]
    pub fn status(&self) -> OperationStatus {
        let (status, error) = match &self.state {
            State::Running => (self.document.running.as_str(), None),
            State::Succeeded => ("Succeeded", None),
            State::Failed { error } => ("Failed", Some(error.clone())),
            State::Canceled => ("Canceled", None),
        };
        let form = self.document.form;
        let (timed, full) = (matches!(form, Form::Full | Form::Timed), form == Form::Full);
        OperationStatus {
            id: if form == Form::State { String::new() } else { self.document.path.clone() },
            name: if form == Form::State { String::new() } else { self.id.clone() },
            resource_id: full.then(|| self.subject.clone()),
            status: status.into(),
            start_time: timed.then(|| precise(self.started)),
            end_time: self.ended.filter(|_| timed).map(precise),
            properties: (full && self.state == State::Succeeded).then_some(Value::Null),
            error,
        }
    }
}
