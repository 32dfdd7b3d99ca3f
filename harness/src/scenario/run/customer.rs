//! The customer's proxies of a scenario, and who uses them.

use std::path::{Path, PathBuf};

use sim_core::net::{Net, ProxyRules, roots_from_pem};

use super::super::model::NetworkSpec;
use super::super::step::Environment;
use crate::state::{CLUSTER_PROXY, ProxyPlace, WORKSTATION_PROXY};
use crate::world::{Proxies, World};

/// What the journal and fault rules call the two, and what texts of a scenario do.
const NAMES: [(&str, &str); 2] = [(WORKSTATION_PROXY, "workstationProxy"), (CLUSTER_PROXY, "clusterProxy")];

/// What clients reach without a proxy: the cluster, which is on this machine.
const DIRECT: &str = "localhost,127.0.0.1";

/// The proxies that a scenario asks for.
pub(super) fn wanted(network: &NetworkSpec) -> Proxies {
    Proxies {
        workstation: network.workstation_proxy.clone(),
        cluster: network.cluster_proxy.clone(),
        egress: network.cluster_egress,
    }
}

/// The running proxies, as scenarios name them.
pub(super) struct Customer {
    /// Texts by the names that stand for them.
    places: Vec<(String, String)>,
    /// `http://HOST:PORT` of the workstation's proxy.
    workstation: Option<String>,
    /// Its root certificate beside the world's, PEM.
    trusted: Option<String>,
}

impl Customer {
    /// Looks the proxies of `world` up, and writes their root certificates into `folder`.
    pub(super) fn of(world: &World, folder: &Path) -> std::io::Result<Self> {
        let mut places = Vec::new();
        let (mut workstation, mut trusted) = (None, None);
        for place in world.proxies() {
            let Some((_, named)) = NAMES.iter().find(|(name, _)| *name == place.name) else { continue };
            let pem = world.proxy_ca(&place.name).unwrap_or_default();
            let file = write_ca(folder, &place, pem)?;
            places.push((format!("{{{named}}}"), place.http.to_string()));
            places.push((format!("{{{named}Ca}}"), file.display().to_string()));
            if let Some(https) = place.https {
                places.push((format!("{{{named}Tls}}"), https.to_string()));
            }
            if place.name == WORKSTATION_PROXY {
                workstation = Some(format!("http://{}", place.http));
                trusted = Some(format!("{}\n{pem}", world.authority().pem()));
            }
        }
        Ok(Self { places, workstation, trusted })
    }

    /// Puts the places of proxies in a text.
    pub(super) fn placed(&self, text: &str) -> String {
        self.places.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// `base`, which knows no proxy, as a shell with this environment has it.
    pub(super) fn net(&self, base: &Net, environment: Option<&Environment>) -> Result<Net, String> {
        let said = environment.and_then(|it| it.proxy.as_deref()).map(|proxy| self.placed(proxy));
        let proxy = said.or_else(|| self.workstation.clone()).filter(|proxy| !proxy.is_empty());
        let direct = environment.and_then(|it| it.no_proxy.as_deref());
        let trusts = environment.is_some_and(|it| it.trust_proxy);
        if proxy.is_none() && !trusts {
            return Ok(base.clone());
        }
        let mut builder = base.to_builder();
        if let Some(proxy) = &proxy {
            let direct = direct.map_or_else(|| DIRECT.to_owned(), |direct| format!("{DIRECT},{direct}"));
            builder = builder.proxy(ProxyRules::new(Some(proxy), Some(proxy), Some(&direct)));
        }
        if let Some(pem) = self.trusted.as_deref().filter(|_| trusts) {
            builder = builder.roots(roots_from_pem(pem).map_err(|error| error.to_string())?);
        }
        builder.build().map_err(|error| error.to_string())
    }
}

fn write_ca(folder: &Path, place: &ProxyPlace, pem: &str) -> std::io::Result<PathBuf> {
    let file = folder.join(format!("{}-ca.pem", place.name));
    std::fs::write(&file, pem)?;
    Ok(file)
}
