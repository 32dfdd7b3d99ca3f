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

/// The gateway of the default route in the kernel's table (`/proc/net/route`, whose addresses are hexadecimal in the
/// processor's order). To a container that is the machine around it, under the address by which that machine, and the
/// containers on it, reach published ports.
#[must_use]
pub fn default_gateway(table: &str) -> Option<Ipv4Addr> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok().filter(|gateway| *gateway != 0)?;
        (destination == "00000000").then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
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

    #[cfg(target_endian = "little")]
    #[test]
    fn the_gateway_is_that_of_the_default_route() {
        let table = "Iface\tDestination\tGateway\tFlags\n\
                     eth0\t000011AC\t00000000\t0001\n\
                     eth0\t00000000\t010011AC\t0003\n";
        assert_eq!(default_gateway(table), Some(Ipv4Addr::new(172, 17, 0, 1)));
        assert_eq!(default_gateway("Iface\nnonsense\n\neth0\t00000000\tzz\n"), None);
    }

    #[test]
    fn nobody_but_this_machine_is_listened_to_unless_asked() {
        assert!(Listen::default().at(0).ip().is_loopback());
    }
}
