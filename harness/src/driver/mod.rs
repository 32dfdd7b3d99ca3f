//! The native onboarding driver: what `az connectedk8s` does, over HTTP and Kubernetes clients only.
//!
//! It knows nothing that a client of the real Azure would not know. The stages and their order are those of the Azure
//! CLI's extension ([`Stage`]); each reports [`Event`]s. Where the CLI runs helm, the driver pulls the chart and keeps the
//! release itself. Not modelled: private link or a gateway for a cluster that is connected already.

mod agents;
mod azure;
mod body;
mod checks;
mod cluster;
mod codes;
mod configurations;
mod custom_locations;
mod detect;
mod entra;
mod entry;
mod error;
mod features;
mod helm;
mod lro;
mod offboard;
mod onboard;
mod options;
mod pace;
mod settings;
mod stage;
mod wait;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sim_core::clock::Clock;
use sim_core::keys::KeySource;

pub use azure::{ApiVersion, Azure, AzureConfig, AzureError, Credentials, Endpoints};
pub use cluster::Cluster;
pub use codes::Code;
pub use error::DriverError;
pub use options::{
    FeatureOptions, KEY_LABEL, ONBOARDING_TIMEOUT, OffboardOptions, OnboardOptions, ProxyOptions, Setting,
};
pub use pace::{Limit, Pace};
pub use stage::{Event, Stage, StageState};

pub use entry::Entry;
pub use offboard::Offboarded;
pub use onboard::Onboarded;

/// Who wants to hear what happens.
pub type Reporter = Arc<dyn Fn(&Event) + Send + Sync>;

/// Onboards and offboards one cluster.
#[derive(Clone)]
pub struct Driver {
    azure: Azure,
    cluster: Cluster,
    clock: Clock,
    pace: Pace,
    keys: KeySource,
    reporter: Reporter,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("azure", &self.azure).finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver for the cluster behind `kube`, in the cloud behind `azure`. Deadlines are of `clock`'s world time.
    #[must_use]
    pub fn new(azure: Azure, kube: kube::Client, clock: Clock, keys: KeySource, reporter: Reporter) -> Self {
        Self { azure, cluster: Cluster::new(kube), pace: Pace::new(clock.clone()), clock, keys, reporter }
    }

    /// The same for a real cluster, which takes its own time.
    #[must_use]
    pub fn of_real_cluster(self) -> Self {
        Self { pace: self.pace.of_real_cluster(), ..self }
    }

    /// The cloud that it works with.
    #[must_use]
    pub fn azure(&self) -> &Azure {
        &self.azure
    }

    /// The cluster that it works with.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    fn report(&self, stage: Stage, state: StageState, text: impl Into<String>) {
        let at: Timestamp = self.clock.now();
        (self.reporter)(&Event { stage, at, state, text: text.into() });
    }

    fn begin(&self, stage: Stage) {
        self.report(stage, StageState::Started, stage.text());
    }
}
