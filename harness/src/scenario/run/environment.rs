//! What a step's environment means to real programs: variables.

use std::path::PathBuf;

use super::super::step::Environment;
use super::clients::Clients;
use super::theatre::Theatre;

/// The name of the workstation's proxy in the world's files.
const WORKSTATION: &str = "workstation-proxy";

/// Variables that name a proxy, and those that name what is trusted.
const PROXY: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const TRUST: [&str; 6] = [
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
];

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
        let bundle: PathBuf = facts.proxy_bundle(WORKSTATION);
        set.extend(TRUST.map(|name| (name, bundle.display().to_string())));
    }
    set
}
