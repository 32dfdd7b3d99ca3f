//! The tour through Microsoft's quickstart "Connect an existing Kubernetes cluster to Azure Arc", against a running world.
//!
//! Each step names the `az` or `kubectl` command that it stands for, does what that command does (through
//! [`crate::driver`], HTTP and Kubernetes clients only), prints the result in the page's own form, and fails with a reason
//! when what the page promises does not come true. The page's "Helm release deployment succeeded" is not printed, because
//! no helm runs. With a [`Shell`], the commands themselves are run, by the real Azure CLI, helm and kubectl.

mod az_table;
mod by_az;
mod kubectl_table;
mod page;
mod plan;
mod promises;
mod report;
mod shell;
mod steps;
mod tour;

use std::fmt;

use sim_core::clock::Clock;
use sim_core::keys::KeySource;
use sim_core::net::Net;

use crate::driver::{Credentials, Endpoints};

pub use az_table::az_table;
pub use kubectl_table::kubectl_table;
pub use page::page_reply;
pub use report::{Outcome, Report, StepReport};
pub use shell::Shell;
pub use tour::run;

/// A running world, as its clients see it.
#[derive(Clone)]
pub struct Target {
    /// The service principal that the tour works as.
    pub credentials: Credentials,
    /// Where the cloud is.
    pub endpoints: Endpoints,
    /// How cloud and cluster are reached: the gateway as egress, the world's roots.
    pub net: Net,
    /// The text of the kubeconfig whose current context is the cluster.
    pub kubeconfig: String,
    /// The world's clock.
    pub clock: Clock,
    /// Where the onboarding key comes from.
    pub keys: KeySource,
    /// The world's seed, for the report.
    pub seed: u64,
    /// Joins the tour's requests in the journal.
    pub correlation: String,
    /// Runs the steps' commands, with the real Azure CLI, helm and kubectl; without it, the driver does what they do.
    pub shell: Option<Shell>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("credentials", &self.credentials)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What the user may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TourOptions {
    /// Leave cluster and cloud as they are after the sixth step: the clean-up steps are skipped.
    pub keep: bool,
    /// The cluster is a real one, which takes its own time.
    pub real: bool,
}

/// Where the tour shows itself.
pub trait Screen: Send + Sync {
    /// Text of the tour and results, in full lines.
    fn show(&self, text: &str);
    /// One line about what is happening now.
    fn progress(&self, line: &str);
}
