//! What fault rules cost that are for something else: the same requests without rules and with many, in alternating rounds.

use std::sync::Arc;

use mock_arm::server::Cloud;
use sim_core::faults::Rule;

use crate::load::{self, Served};
use crate::server;

/// How many rules are many.
pub(crate) const MANY: usize = 1000;
const ROUNDS: usize = 6;

/// Requests without rules, and with [`MANY`].
pub(crate) struct Ruled {
    pub(crate) none: Served,
    pub(crate) many: Served,
}

/// Rules for the method that is sent and for other clusters, at both hooks of a request.
fn rules() -> Result<Vec<Rule>, String> {
    let rule = |number: usize| {
        let hook = ["before", "after"][number % 2];
        let path =
            ["*/connectedClusters/other-", "*/connectedClusters/else-", "*/resourceGroups/"][number % 3];
        let text = format!(
            r#"{{"id":"{number}","hook":"{hook}","match":{{"facts":{{"method":"GET","path":"{path}{number}"}}}},"effect":"reset"}}"#
        );
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    };
    (0..MANY).map(rule).collect()
}

async fn client(cloud: Arc<Cloud>, authority: Arc<sim_core::pki::Authority>) -> Result<Ruled, String> {
    let tls = load::trusting(&authority)?;
    let target = Arc::new(load::prepare(&cloud, &tls).await?.cluster);
    let (faults, rules) = (&cloud.world().faults, rules()?);
    let mut ruled = Ruled { none: Served::default(), many: Served::default() };
    for index in 0..=ROUNDS {
        faults.clear(None);
        let none = load::round(&target, &tls).await?;
        rules.iter().cloned().for_each(|rule| faults.add(rule));
        let many = load::round(&target, &tls).await?;
        // The first round warms both up.
        if index > 0 {
            ruled.none.add(none, ROUNDS);
            ruled.many.add(many, ROUNDS);
        }
    }
    if let Some(status) = faults.list().iter().find(|status| status.fired > 0 || status.matched > 0) {
        return Err(format!("a rule for something else agreed: {status:?}"));
    }
    Ok(ruled)
}

/// Measures.
pub(crate) fn measured() -> Result<Ruled, String> {
    let (servers, clients) = (load::runtime(load::SERVERS)?, load::runtime("clients")?);
    let authority = load::authority()?;
    let for_cloud = authority.clone();
    let cloud = servers.block_on(async move { server::cloud(&for_cloud).await })?;
    clients.block_on(client(Arc::new(cloud), authority))
}
