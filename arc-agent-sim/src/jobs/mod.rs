//! Programs of pods that end by themselves: the checks that the Azure CLI runs in the cluster before it onboards it, and
//! those of `az connectedk8s troubleshoot`. Their words are what the CLI reads in their logs.

mod checks;
mod definitions;
mod outbound;

use std::fmt;

use sim_core::clock::Clock;
use sim_core::net::Net;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// `clusterdiagnosticchecks`: DNS, outbound connectivity, Entra ID, definitions of an earlier installation.
    Checks,
    /// `arck8sdiagnoser`: DNS and outbound connectivity of an onboarded cluster.
    Diagnoser,
}

/// Job, the name given to `dryarc agent`, the last part of the image's name.
const TABLE: [(Job, &str, &str); 2] = [
    (Job::Checks, "cluster-diagnostic-checks", "clusterdiagnosticchecks"),
    (Job::Diagnoser, "arc-diagnoser", "arck8sdiagnoser"),
];

impl Job {
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(job, ..)| *job)
    }

    /// The job of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known, _)| *known == name).map(|(job, ..)| *job)
    }

    /// Its name: the argument of `dryarc agent`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(job, ..)| *job == self).map_or("", |(_, name, _)| name)
    }

    /// The last part of its image's name.
    #[must_use]
    pub fn image(self) -> &'static str {
        TABLE.iter().find(|(job, ..)| *job == self).map_or("", |(.., image)| image)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An environment.
pub(crate) type Variables = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a job works with.
pub(crate) struct Surroundings {
    /// Time; waiting for the network is by the wall clock.
    pub(crate) clock: Clock,
    /// How the Internet is reached, proxy included.
    pub(crate) net: Net,
    /// The cluster's API server, where it is needed and can be reached.
    pub(crate) kube: Option<kube::Client>,
    /// The environment.
    pub(crate) variables: Variables,
}

impl Surroundings {
    fn variable(&self, name: &str, default: &str) -> String {
        (self.variables)(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
    }
}

/// Runs a job to its end and returns its log.
pub(crate) async fn run(job: Job, surroundings: &Surroundings) -> String {
    let lines = match job {
        Job::Checks => checks::before_onboarding(surroundings).await,
        Job::Diagnoser => checks::of_an_onboarded_cluster(surroundings).await,
    };
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_a_name_that_leads_back_to_it_and_is_no_role() {
        for job in Job::all() {
            assert_eq!(Job::named(job.name()), Some(job));
            assert!(job.name().parse::<crate::Role>().is_err());
        }
        assert_eq!(Job::named("config-agent"), None);
    }
}
