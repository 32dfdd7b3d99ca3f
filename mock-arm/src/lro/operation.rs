//! One long-running operation.

use std::time::Duration;

use arm_wire::envelope::OperationStatus;
use arm_wire::error::ArmError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::profile::Style;
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
}

impl Operation {
    pub(super) fn new(draft: Draft, now: Timestamp) -> Self {
        let Draft { id, name, namespace, subscription, subject, key, location, style, retry_after, span: _ } =
            draft;
        Self {
            id,
            name,
            namespace,
            subscription,
            subject,
            key,
            location,
            style,
            retry_after,
            state: State::Running,
            started: now,
            due: None,
            ended: None,
            verdict: None,
        }
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

    /// The document behind its `Azure-AsyncOperation` URL. While it runs the status says `Accepted`, which is what
    /// recordings of the Arc service show.
    #[must_use]
    pub fn status(&self, id: String) -> OperationStatus {
        let (status, error) = match &self.state {
            State::Running => ("Accepted", None),
            State::Succeeded => ("Succeeded", None),
            State::Failed { error } => ("Failed", Some(error.clone())),
            State::Canceled => ("Canceled", None),
        };
        OperationStatus {
            id,
            name: self.id.clone(),
            resource_id: Some(self.subject.clone()),
            status: status.into(),
            start_time: Some(precise(self.started)),
            end_time: self.ended.map(precise),
            properties: (self.state == State::Succeeded).then_some(Value::Null),
            error,
        }
    }
}
