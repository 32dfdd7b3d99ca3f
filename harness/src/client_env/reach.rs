//! Where clients reach the parts of a world.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::state::WorldRecord;

/// A host, by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no place: write HOST:PORT, as in 127.0.0.1:7441 or [::1]:7441")]
pub struct BadPlace(String);

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadPlace(text.into());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        if host.is_empty() || !host.chars().all(plain) {
            return Err(bad());
        }
        Ok(Self { host: host.into(), port })
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The parts of a world as one client reaches them: on this machine by their own addresses, from elsewhere through ports that
/// were published under other numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The cloud.
    pub cloud: Place,
    /// The gateway, or the customer's proxy before it.
    pub gateway: Place,
    /// The control interface.
    pub control: Place,
    /// The cluster's API server, where it is not where the world's own kubeconfig says.
    pub cluster: Option<Place>,
}

impl Reach {
    /// As this machine reaches them.
    #[must_use]
    pub fn own(record: &WorldRecord) -> Self {
        let facts = &record.facts;
        Self {
            cloud: facts.cloud.into(),
            gateway: facts.workstation_proxy().map_or(facts.gateway, |proxy| proxy.http).into(),
            control: record.control.into(),
            cluster: None,
        }
    }

    /// Hosts that are reached without the gateway: loopback, and wherever cloud, control interface and cluster are.
    #[must_use]
    pub(super) fn direct(&self) -> Vec<&str> {
        let mut hosts = vec!["localhost", "127.0.0.1", "::1"];
        for place in [Some(&self.cloud), Some(&self.control), self.cluster.as_ref()].into_iter().flatten() {
            if !hosts.contains(&place.host.as_str()) {
                hosts.push(&place.host);
            }
        }
        hosts
    }
}

/// One part that is reached elsewhere, written `PART=HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    part: Part,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Cloud,
    Gateway,
    Control,
    Cluster,
}

impl FromStr for Elsewhere {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (part, place) =
            text.split_once('=').ok_or_else(|| format!("'{text}' has no '=': write PART=HOST:PORT"))?;
        let part = match part {
            "cloud" => Part::Cloud,
            "gateway" => Part::Gateway,
            "control" => Part::Control,
            "cluster" => Part::Cluster,
            _ => {
                return Err(format!(
                    "'{part}' is no part of a world: write cloud, gateway, control or cluster"
                ));
            }
        };
        let place = place.parse().map_err(|error: BadPlace| error.to_string())?;
        Ok(Self { part, place })
    }
}

impl Elsewhere {
    /// Puts the part there.
    pub fn apply(&self, reach: &mut Reach) {
        let place = self.place.clone();
        match self.part {
            Part::Cloud => reach.cloud = place,
            Part::Gateway => reach.gateway = place,
            Part::Control => reach.control = place,
            Part::Cluster => reach.cluster = Some(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::record;

    #[test]
    fn places_are_names_or_addresses_with_a_port() {
        for text in ["127.0.0.1:7441", "[::1]:7441", "docker:7441", "a.b-c:1"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "docker", ":1", "docker:0", "docker:x", "https://docker:1", "::1:7441", "a b:1"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_that_is_elsewhere_is_reached_there_and_without_the_gateway() {
        let mut reach = Reach::own(&record("/w"));
        "cluster=docker:7443".parse::<Elsewhere>().unwrap().apply(&mut reach);
        assert_eq!(reach.cluster.as_ref().map(ToString::to_string).as_deref(), Some("docker:7443"));
        assert!(reach.direct().contains(&"docker"));
        assert!("kube=docker:1".parse::<Elsewhere>().is_err());
        assert!("gateway".parse::<Elsewhere>().is_err());
    }
}
