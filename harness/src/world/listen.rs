//! Where a world's listeners are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a world listens, and as whom. By default nobody but this machine reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address of every listener. The unspecified one (`0.0.0.0`, `::`) means all addresses of this machine.
    pub address: IpAddr,
    /// Port of the cloud; 0 takes a free one, as with the others.
    pub cloud: u16,
    /// Port of the gateway.
    pub gateway: u16,
    /// Port of the control interface.
    pub control: u16,
    /// Port of the embedded cluster's API server.
    pub cluster: u16,
    /// Names and addresses beside those of loopback by which clients reach the world: certificates are valid for them.
    pub names: Vec<String>,
}

impl Default for Listen {
    fn default() -> Self {
        let address = Ipv4Addr::LOCALHOST.into();
        Self { address, cloud: 0, gateway: 0, control: 0, cluster: 0, names: Vec::new() }
    }
}

impl Listen {
    /// The listening address for one of the ports.
    #[must_use]
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }
}

/// Where this machine itself reaches a listener: loopback for one that is bound to all addresses.
#[must_use]
pub fn reached(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    (ip, bound.port()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        let reached = |text: &str| reached(text.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:7440"), "127.0.0.1:7440");
        assert_eq!(reached("[::]:7440"), "[::1]:7440");
        assert_eq!(reached("10.1.2.3:7440"), "10.1.2.3:7440");
    }

    #[test]
    fn nobody_but_this_machine_is_listened_to_unless_asked() {
        assert!(Listen::default().at(0).ip().is_loopback());
    }
}
