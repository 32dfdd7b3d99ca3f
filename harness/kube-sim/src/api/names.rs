//! Suffixes of generated names, drawn from the seed per prefix.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sim_core::seed::{Seed, Stream};

/// The letters of generated names: no vowels, so that no words come out.
const NAME_LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// One stream of suffixes for each prefix. Prefixes are few: they come from workloads, not from pods.
pub(super) struct Names {
    seed: Seed,
    cluster: String,
    streams: Mutex<HashMap<String, Stream>>,
}

impl Names {
    pub(super) fn new(cluster: &str, seed: Seed) -> Self {
        Self { seed, cluster: cluster.into(), streams: Mutex::default() }
    }

    pub(super) fn suffix(&self, prefix: &str) -> String {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if !streams.contains_key(prefix) {
            let stream = self.seed.stream(&format!("kube/{}/name/{prefix}", self.cluster));
            streams.insert(prefix.to_owned(), stream);
        }
        streams.get(prefix).map(|stream| stream.text(5, NAME_LETTERS)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_name_of_a_prefix_depends_on_the_seed_only() {
        let one = Names::new("c", Seed::new(1));
        let other = Names::new("c", Seed::new(1));
        let first = one.suffix("web-");
        other.suffix("db-");
        assert_eq!(other.suffix("web-"), first);
        assert_ne!(one.suffix("web-"), first);
    }
}
