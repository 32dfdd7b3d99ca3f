//! The cluster of a world, by its backend.

use std::net::SocketAddr;

use fault_proxy::HostPattern;
use kube_sim::cluster::ClusterConfig;

use super::start::{Parts, StartError, part};
use super::{Backend, WorldConfig, reached};
use crate::clusters::{Cluster, RealCluster, WorldFacts};
use crate::images;
use crate::state::{create_private_dir, write_private};

/// The API server's service, as pods behind a proxy see it.
const SERVICE: (&str, &str) = ("10.96.0.1", "443");

/// The way from the cluster to the Internet.
fn egress(parts: &Parts) -> SocketAddr {
    reached(parts.proxies.egress().unwrap_or_else(|| parts.gateway.addr()))
}

/// Starts the cluster that `config` asks for.
pub(super) async fn start(config: &WorldConfig, parts: &Parts) -> Result<Box<dyn Cluster>, StartError> {
    match &config.backend {
        Backend::Embedded => Ok(Box::new(embedded(config, parts).await?)),
        backend => {
            let started = RealCluster::start(backend, config.real.clone(), facts(config, parts));
            let cluster = Box::pin(started).await.map_err(StartError::Cluster)?;
            admit(config, parts, &cluster.url());
            Ok(Box::new(cluster))
        }
    }
}

async fn embedded(config: &WorldConfig, parts: &Parts) -> Result<kube_sim::cluster::Cluster, StartError> {
    let ca_file = config.dir.join("pods-ca.pem");
    write_private(&ca_file, parts.authority.pem().as_bytes()).map_err(part("cluster"))?;
    let mut pod_env = vec![
        ("DRYARC_CLOCK".to_owned(), parts.clock_link.to_string()),
        ("DRYARC_EGRESS".to_owned(), egress(parts).to_string()),
        ("DRYARC_CA_FILE".to_owned(), ca_file.display().to_string()),
        ("DRYARC_SEED".to_owned(), config.seed.to_string()),
    ];
    if parts.proxies.cluster().is_some() {
        // Loopback is never reached by a proxy. Under its service address the API server is, unless the skip range has it.
        let service = [("HOST", SERVICE.0), ("PORT", SERVICE.1), ("PORT_HTTPS", SERVICE.1)];
        pod_env.extend(service.map(|(name, value)| (format!("KUBERNETES_SERVICE_{name}"), value.to_owned())));
    }
    let work_dir = config.dir.join("cluster");
    create_private_dir(&work_dir).map_err(part("cluster"))?;
    let cluster = kube_sim::cluster::Cluster::start(ClusterConfig {
        name: config.name.to_string(),
        clock: parts.clock.clone(),
        seed: config.seed,
        journal: parts.journal.clone(),
        faults: parts.faults.clone(),
        keys: parts.keys.clone(),
        images: images::resolver(config.agents.clone(), parts.clock.clone()),
        nodes: config.nodes.clone(),
        pod_env,
        work_dir,
        listen: config.listen.at(config.listen.cluster),
        names: config.listen.names.clone(),
    });
    cluster.await.map_err(part("cluster"))
}

fn facts(config: &WorldConfig, parts: &Parts) -> WorldFacts {
    WorldFacts {
        world: config.name.to_string(),
        dir: config.dir.clone(),
        // An address has no name that DNS could lead elsewhere.
        hosts: parts
            .cloud
            .hosts()
            .into_iter()
            .filter(|host| host.parse::<std::net::IpAddr>().is_err())
            .collect(),
        gateway: egress(parts),
        clock: parts.clock.clone(),
        link: parts.clock_link.clone(),
        ca_pem: parts.authority.pem().to_owned(),
        seed: config.seed.to_string(),
        agent_version: config.cloud.release.agent_version.clone(),
        outer: config.outer.clone(),
    }
}

/// Clients of the world reach an API server that is not on this machine by the gateway, as they reach everything.
fn admit(config: &WorldConfig, parts: &Parts, url: &str) {
    let Some(authority) = url.parse::<http::Uri>().ok().and_then(|uri| uri.authority().cloned()) else {
        return;
    };
    let port = authority.port_u16().unwrap_or(443);
    let own = format!("{}:{port}", authority.host());
    let patterns = config.allow.iter().chain([&own]);
    let allowed = patterns.filter_map(|text| text.parse::<HostPattern>().ok()).collect();
    parts.gateway.set_allow(allowed);
}
