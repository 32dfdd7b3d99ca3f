//! What a step's environment means to real programs: variables.

use super::super::step::Environment;
use super::clients::Clients;
use super::theatre::Theatre;
use crate::client_env::TRUSTED_BUNDLE;
use crate::state::WORKSTATION_PROXY;

/// Variables that name a proxy.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// What is set over the common variables. Without a proxy a program still asks the gateway, which stands for the Internet.
pub(super) fn variables(
    theatre: &Theatre,
    clients: &Clients,
    environment: Option<&Environment>,
) -> Vec<(&'static str, String)> {
    let Some(environment) = environment else { return Vec::new() };
    let facts = clients.facts();
    let mut set = Vec::new();
    if let Some(proxy) = &environment.proxy {
        let place = theatre.placed(proxy);
        let place = if place.is_empty() { format!("http://{}", facts.gateway) } else { place };
        set.extend(PROXY.map(|name| (name, place.clone())));
    }
    if environment.trust_proxy && facts.workstation_proxy().is_some() {
        let bundle = facts.proxy_bundle(WORKSTATION_PROXY);
        set.extend(TRUSTED_BUNDLE.map(|name| (name, bundle.display().to_string())));
    }
    set
}
