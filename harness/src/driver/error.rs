//! What went wrong in a stage: code, what, where, what next.

use std::fmt;

use serde::Serialize;

use super::azure::AzureError;
use super::{Code, Stage};

/// A stage failed, and the driver gave up.
#[derive(Debug, Clone, Serialize)]
pub struct DriverError {
    /// Where in the table of stages.
    pub stage: Stage,
    /// The Azure CLI's code for it.
    pub code: Code,
    /// What happened.
    pub what: String,
    /// Which request, file or object it was about.
    pub place: Box<str>,
    /// What to do next.
    pub next: String,
    /// The ARM error code behind it, if ARM gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm_code: Option<Box<str>>,
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  where: stage '{}'", self.code, self.what, self.stage)?;
        if !self.place.is_empty() {
            write!(f, ", {}", self.place)?;
        }
        write!(f, "\n  next:  {}", self.next)
    }
}

impl std::error::Error for DriverError {}

impl DriverError {
    pub(super) fn new(stage: Stage, code: Code, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { stage, code, what: what.into(), place: Box::default(), next: next.into(), arm_code: None }
    }

    pub(super) fn at(mut self, place: impl Into<Box<str>>) -> Self {
        self.place = place.into();
        self
    }

    /// An error of Azure in a stage; `summary` is the CLI's own sentence for it.
    pub(super) fn azure(stage: Stage, code: Code, summary: &str, error: &AzureError) -> Self {
        let what = if summary.is_empty() { error.to_string() } else { format!("{summary}: {error}") };
        Self {
            arm_code: error.arm_code().map(Into::into),
            ..Self::new(stage, code, what, error.next()).at(error.place())
        }
    }

    /// An error of the cluster in a stage.
    pub(super) fn kube(stage: Stage, code: Code, summary: &str, place: &str, error: &kube::Error) -> Self {
        let (what, next) = match error {
            kube::Error::Api(status) if status.code == 401 => (
                format!(
                    "{summary}: the cluster does not accept the kubeconfig's credentials: {}",
                    status.message
                ),
                "sign in to the cluster again, or use a kubeconfig context whose user it knows".to_owned(),
            ),
            kube::Error::Api(status) if status.code == 403 => (
                format!(
                    "{summary}: the user does not have the required privileges on the kubernetes cluster: {}",
                    status.message
                ),
                "use a kubeconfig context whose user is a cluster administrator".to_owned(),
            ),
            kube::Error::Api(status) => (
                format!("{summary}: {} ({})", status.message, status.reason),
                "look at the object named here with kubectl".to_owned(),
            ),
            other => (
                format!("{summary}: {}", sim_core::net::chain(other)),
                "check that the kubeconfig's current context points at a running cluster".to_owned(),
            ),
        };
        Self::new(stage, code, what, next).at(place)
    }
}
