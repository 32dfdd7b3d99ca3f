//! What everything in the cloud shares: time, randomness, record, rules, storage, trust.

use std::sync::Arc;

use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::KeySource;
use sim_core::ledger::Ledger;
use sim_core::pki::Authority;
use sim_core::seed::Seed;

use crate::profile::Profile;
use crate::relay::RelayKey;
use crate::store::buckets::Buckets;
use crate::store::rendered::Rendered;
use crate::surfaces::identity::tokens::TokenService;
use crate::surfaces::registry;

/// The shared parts of one simulated cloud. Cheap to clone; clones are the same cloud.
#[derive(Debug, Clone)]
pub struct World {
    /// World and wall time.
    pub clock: Clock,
    /// The root of all simulated randomness.
    pub seed: Seed,
    /// What happened.
    pub journal: Journal,
    /// What goes wrong.
    pub faults: FaultSet,
    /// Where RSA keys come from.
    pub keys: KeySource,
    /// What is stored.
    pub ledger: Ledger,
    /// Who signs certificates.
    pub authority: Arc<Authority>,
    /// What the cloud consists of; always filled.
    pub profile: Arc<Profile>,
    /// Who issues and checks tokens.
    pub tokens: TokenService,
    /// How often callers may still ask.
    pub buckets: Arc<Buckets>,
    /// Who may use the hybrid connections of clusters.
    pub relay: RelayKey,
    /// What was shown of resources before.
    pub rendered: Arc<Rendered>,
    /// What the registry has packed.
    pub artefacts: Arc<registry::Cache>,
}

/// What a [`World`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// World and wall time.
    pub clock: Clock,
    /// The root of all simulated randomness.
    pub seed: Seed,
    /// What happened.
    pub journal: Journal,
    /// What goes wrong.
    pub faults: FaultSet,
    /// Where RSA keys come from.
    pub keys: KeySource,
    /// Who signs certificates.
    pub authority: Arc<Authority>,
    /// What the cloud consists of; filled from the seed where it leaves something open.
    pub profile: Profile,
}

impl World {
    /// A world with an empty ledger.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { clock, seed, journal, faults, keys, authority, profile } = parts;
        let profile = Arc::new(profile.filled(seed));
        let tokens = TokenService::new(keys.clone(), profile.clone(), clock.clone());
        Self {
            clock,
            seed,
            journal,
            faults,
            keys,
            ledger: Ledger::new(),
            authority,
            profile,
            tokens,
            buckets: Arc::default(),
            relay: RelayKey::fresh(),
            rendered: Arc::default(),
            artefacts: Arc::default(),
        }
    }
}

#[cfg(test)]
impl World {
    /// A world for tests: a clock that stands at 2026-01-01T00:00:00Z, seed 1.
    pub(crate) fn for_tests(profile: Profile) -> Self {
        let clock = Clock::new(sim_core::clock::Mode::Manual, "2026-01-01T00:00:00Z".parse().unwrap());
        let journal = Journal::new(clock.clone());
        let seed = Seed::new(1);
        Self::new(Parts {
            faults: FaultSet::new(seed, clock.clone(), journal.clone()),
            keys: KeySource::fresh(),
            authority: Arc::new(Authority::new("test", &Default::default(), clock.wall()).unwrap()),
            clock,
            seed,
            journal,
            profile,
        })
    }
}
