//! The options that say where a world listens.

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;

use super::CliError;
use crate::world::{Listen, default_gateway};

/// Where a world listens. Each has a `DRYARC_*` variable, which is how a container's image sets them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where it listens")]
pub(super) struct ListenArgs {
    /// Listen on this address instead of loopback; 0.0.0.0 lets other machines in
    #[arg(long, env = "DRYARC_LISTEN", value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// Port of the cloud (HTTPS) [default: a free one, as with the others]
    #[arg(long, env = "DRYARC_CLOUD_PORT", value_name = "PORT")]
    cloud_port: Option<u16>,
    /// Port of the gateway: what HTTPS_PROXY names
    #[arg(long, env = "DRYARC_GATEWAY_PORT", value_name = "PORT")]
    gateway_port: Option<u16>,
    /// Port of the control interface
    #[arg(long, env = "DRYARC_CONTROL_PORT", value_name = "PORT")]
    control_port: Option<u16>,
    /// Port of the embedded cluster's API server
    #[arg(long, env = "DRYARC_CLUSTER_PORT", value_name = "PORT")]
    cluster_port: Option<u16>,
    /// Let certificates be valid for this name or address too, by which clients reach the world (repeatable)
    #[arg(long, env = "DRYARC_SERVE_AS", value_name = "NAME", value_delimiter = ',')]
    serve_as: Vec<String>,
}

impl ListenArgs {
    /// What the options say. Who listens on all addresses is served under that of the default gateway as well: in a
    /// container, that is the machine that publishes its ports.
    ///
    /// # Errors
    /// When a port is asked for twice, or a name is none.
    pub(super) fn listen(&self) -> Result<Listen, CliError> {
        let port = |port: Option<u16>| port.unwrap_or(0);
        let listen = Listen {
            address: self.listen.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            cloud: port(self.cloud_port),
            gateway: port(self.gateway_port),
            control: port(self.control_port),
            cluster: port(self.cluster_port),
            names: self.serve_as.clone(),
        };
        let mut ports = [listen.cloud, listen.gateway, listen.control, listen.cluster];
        ports.sort_unstable();
        if let Some(twice) = ports.windows(2).find(|pair| pair[0] == pair[1] && pair[0] != 0) {
            let what = format!("port {} is given to two listeners", twice[0]);
            return Err(CliError::usage(what).next("give each its own, or leave one out to take a free port"));
        }
        if let Some(name) = listen.names.iter().find(|name| !servable(name)) {
            let what = format!("--serve-as: '{name}' is neither a host name nor an address");
            return Err(CliError::usage(what)
                .next("write it without scheme and port, as in azure.internal or 192.0.2.7"));
        }
        Ok(with_gateway(listen))
    }
}

fn with_gateway(mut listen: Listen) -> Listen {
    if listen.address.is_unspecified() {
        // Other systems have no such table, and their containers are Linux's.
        let table = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
        listen.names.extend(default_gateway(&table).map(|gateway| gateway.to_string()));
    }
    listen
}

/// Whether a certificate can carry the name.
fn servable(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_means_loopback_and_free_ports() {
        assert_eq!(ListenArgs::default().listen().unwrap(), Listen::default());
    }

    #[test]
    fn a_port_twice_and_a_name_that_is_none_are_refused() {
        let twice = ListenArgs { cloud_port: Some(7440), cluster_port: Some(7440), ..ListenArgs::default() };
        assert!(twice.listen().unwrap_err().to_string().contains("7440"));
        for name in ["", "https://a", "a:443", "a b", "a..b", "*."] {
            let named = ListenArgs { serve_as: vec![name.into()], ..ListenArgs::default() };
            assert!(named.listen().is_err(), "{name}");
        }
        for name in ["azure", "*.azure.internal", "192.0.2.7", "fd00::7"] {
            let named = ListenArgs { serve_as: vec![name.into()], ..ListenArgs::default() };
            assert_eq!(named.listen().unwrap().names, [name]);
        }
    }
}
