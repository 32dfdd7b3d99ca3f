//! The customer's proxies of a world: before the workstation, before the cluster's agents, or both.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fault_proxy::{BadConfig, ForwardProxy, Gateway, GatewayConfig, HostPattern, ProxyConfig, Surroundings};
use sim_core::faults::{Effect, FaultSet, Hook, Matcher, Rule};
use sim_core::net::Net;

use super::start::{Parts, StartError, part};
use super::{WorldConfig, reached};
use crate::state::{CLUSTER_PROXY, ProxyPlace, WORKSTATION_PROXY};

/// The longest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// Which proxies a world has. The default has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proxies {
    /// Before the clients: `az`, `helm`, the native driver.
    pub workstation: Option<Box<ProxyConfig>>,
    /// Before the cluster's agents, which use it only where they are told to (`--proxy-https` and so on).
    pub cluster: Option<Box<ProxyConfig>>,
    /// What becomes of the agents' connections that do not go by a proxy.
    pub egress: Egress,
}

/// What becomes of connections that go straight from the cluster to the Internet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Egress {
    /// They are let through.
    #[default]
    Open,
    /// They are refused.
    Refused,
    /// They are dropped: nothing ever answers.
    Dropped,
}

impl FromStr for Egress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self::Open),
            "refused" => Ok(Self::Refused),
            "dropped" => Ok(Self::Dropped),
            _ => Err(format!("'{text}' is none of open, refused and dropped")),
        }
    }
}

/// A proxy's file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProxyFileError {
    /// The file itself.
    #[error("cannot read the proxy's file {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in it.
    #[error("the file {} describes no proxy:\n{reason}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column where they are known.
        reason: String,
    },
}

/// Reads a proxy's configuration from a YAML or JSON file; an empty one describes a proxy that does what it is asked.
///
/// # Errors
/// [`ProxyFileError`], which names the file and the place in it.
pub fn read_proxy(path: &Path) -> Result<ProxyConfig, ProxyFileError> {
    let io = |source| ProxyFileError::Io { path: path.into(), source };
    if std::fs::metadata(path).map_err(io)?.len() > LARGEST {
        return Err(io(std::io::Error::other("it is longer than 1 MiB")));
    }
    let text = std::fs::read_to_string(path).map_err(io)?;
    let syntax = |reason: &dyn fmt::Display| {
        let reason = reason.to_string();
        let reason = reason.strip_prefix("error: ").unwrap_or(&reason).trim_end().to_owned();
        ProxyFileError::Syntax { path: path.into(), reason }
    };
    let config: ProxyConfig = match text.trim() {
        "" => ProxyConfig::default(),
        _ => serde_saphyr::from_str(&text).map_err(|error| syntax(&error))?,
    };
    config.check().map_err(|error: BadConfig| syntax(&error))?;
    Ok(config)
}

/// The running proxies of a world, and the way out of its cluster.
#[derive(Debug, Default)]
pub(super) struct Running {
    workstation: Option<ForwardProxy>,
    cluster: Option<ForwardProxy>,
    egress: Option<Gateway>,
}

impl Running {
    /// Starts what `config` asks for before the gateway of `parts`.
    pub(super) async fn start(config: &WorldConfig, parts: &Parts) -> Result<Self, StartError> {
        let wanted = &config.proxies;
        let workstation = proxy(config, parts, wanted.workstation.as_deref(), WORKSTATION_PROXY).await?;
        let cluster = proxy(config, parts, wanted.cluster.as_deref(), CLUSTER_PROXY).await?;
        let egress = match wanted.egress {
            Egress::Open => None,
            closed => Some(closed_way(config, parts, closed, cluster.as_ref()).await?),
        };
        Ok(Self { workstation, cluster, egress })
    }

    /// The proxy of the cluster's pods.
    pub(super) fn cluster(&self) -> Option<&ForwardProxy> {
        self.cluster.as_ref()
    }

    /// What the cluster's pods have instead of the gateway, if their way is closed.
    pub(super) fn egress(&self) -> Option<SocketAddr> {
        self.egress.as_ref().map(Gateway::addr)
    }

    /// How the proxies are reached.
    pub(super) fn places(&self) -> Vec<ProxyPlace> {
        let place = |(site, proxy): (&str, &ForwardProxy)| ProxyPlace {
            name: site.to_owned(),
            http: reached(proxy.addr()),
            https: proxy.https_addr().map(reached),
            names: proxy.config().https.iter().flat_map(|https| https.names.clone()).collect(),
        };
        let all = [(WORKSTATION_PROXY, &self.workstation), (CLUSTER_PROXY, &self.cluster)];
        all.iter().filter_map(|(site, proxy)| proxy.as_ref().map(|proxy| place((*site, proxy)))).collect()
    }

    /// The root certificate of the proxy of that name, PEM.
    pub(super) fn ca_pem(&self, name: &str) -> Option<&str> {
        let proxy = if name == WORKSTATION_PROXY { &self.workstation } else { &self.cluster };
        proxy.as_ref().map(ForwardProxy::ca_pem)
    }

    /// Ends them.
    pub(super) async fn shutdown(self) {
        for proxy in [self.workstation, self.cluster].into_iter().flatten() {
            proxy.shutdown().await;
        }
        if let Some(egress) = self.egress {
            egress.shutdown().await;
        }
    }
}

async fn proxy(
    config: &WorldConfig,
    parts: &Parts,
    wanted: Option<&ProxyConfig>,
    name: &str,
) -> Result<Option<ForwardProxy>, StartError> {
    let Some(wanted) = wanted else { return Ok(None) };
    // What the world calls it is what fault rules and the journal say.
    let wanted = ProxyConfig { name: name.into(), ..wanted.clone() };
    let net = Net::builder().roots(parts.authority.roots()).egress(Some(reached(parts.gateway.addr())));
    let around = Surroundings {
        net: net.build().map_err(part("proxy"))?,
        clock: parts.clock.clone(),
        journal: parts.journal.clone(),
        faults: parts.faults.clone(),
        seed: config.seed,
    };
    ForwardProxy::start(wanted, around).await.map(Some).map_err(part("proxy"))
}

/// A way out that leads nowhere but to the cluster's proxy, by its names.
async fn closed_way(
    config: &WorldConfig,
    parts: &Parts,
    closed: Egress,
    proxy: Option<&ForwardProxy>,
) -> Result<Gateway, StartError> {
    // Rules of its own: that the way is closed is no fault that somebody could clear.
    let faults = FaultSet::new(config.seed, parts.clock.clone(), parts.journal.clone());
    faults.add(Rule {
        id: "cluster-egress".into(),
        hook: Hook::Wire,
        matcher: Matcher { facts: [("route".into(), "unrouted".into())].into(), ..Matcher::default() },
        effect: if closed == Egress::Dropped { Effect::Hang } else { Effect::Refuse },
    });
    Gateway::start(GatewayConfig {
        listen: config.listen.at(0),
        routes: proxy.map(proxy_routes).unwrap_or_default(),
        allow: Vec::new(),
        upstream: None,
        no_proxy: None,
        clock: parts.clock.clone(),
        journal: parts.journal.clone(),
        faults,
        seed: config.seed,
    })
    .await
    .map_err(part("cluster's way out"))
}

/// Where the names of a proxy lead: each listener under its own port.
pub(super) fn proxy_routes(proxy: &ForwardProxy) -> Vec<(HostPattern, SocketAddr)> {
    let config = proxy.config();
    let names = config.https.iter().flat_map(|https| https.names.iter());
    let places = [Some(proxy.addr()), proxy.https_addr()];
    names
        .flat_map(|name| places.iter().flatten().map(move |place| (name, reached(*place))))
        .filter_map(|(name, place)| {
            let pattern = format!("{name}:{}", place.port()).parse().ok()?;
            Some((pattern, place))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<ProxyConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_proxy(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_proxys_file_is_strict_and_says_where_it_is_wrong() {
        assert_eq!(read("a", " \n").unwrap(), ProxyConfig::default());
        assert_eq!(read("b", "limits: {connections: 7}").unwrap().limits.connections, Some(7));
        let error = read("c.yaml", "deny: ['*']\nlisten: 127.0.0.1:3128\nalow: []\n").unwrap_err();
        assert!(error.contains("alow") && error.contains('3') && error.contains("c.yaml"), "{error}");
        let error = read("d.yaml", "refusal: {status: 200}").unwrap_err();
        assert!(error.contains("refusal.status"), "{error}");
        assert!(read_proxy(Path::new("/no/such/file")).unwrap_err().to_string().contains("/no/such/file"));
    }
}
