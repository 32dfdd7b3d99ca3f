//! Values for tests.

use std::collections::BTreeMap;

use super::{FORMAT, Facts, ProcessId, WorldRecord};

/// A record of a world in `dir` that nobody runs.
pub(crate) fn record(dir: &str) -> WorldRecord {
    let address = |port: u16| ([127, 0, 0, 1], port).into();
    WorldRecord {
        format: FORMAT,
        version: "0".into(),
        name: super::WorldName::default(),
        owner: ProcessId::current(),
        created: jiff::Timestamp::UNIX_EPOCH,
        control: address(1),
        token: "t".into(),
        temporary: false,
        facts: Facts {
            dir: dir.into(),
            gateway: address(2),
            cloud: address(3),
            clock_link: "127.0.0.1:5/secret".into(),
            cluster_url: "https://127.0.0.1:4".into(),
            backend: "embedded".into(),
            cluster: "default".into(),
            seed: 1,
            tenant: "tenant".into(),
            subscription: "subscription".into(),
            subscription_name: "Dry run".into(),
            client_id: "client".into(),
            client_secret: "secret".into(),
            allow: Vec::new(),
            proxies: Vec::new(),
            origins: BTreeMap::new(),
        },
    }
}
