//! Which targets an access list names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::HostPattern;

/// A host pattern, or a network (`10.0.0.0/8`, `fd00::/8`) for targets that are given as addresses. A name is never looked up
/// for this: a network says nothing about the hosts whose names lead into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRange {
    /// By name or single address.
    Host(HostPattern),
    /// By network.
    Network {
        /// Some address of it.
        address: IpAddr,
        /// How many leading bits count.
        bits: u8,
    },
}

/// A text that is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a host nor a network: write NAME, *.SUFFIX, * or ADDRESS/BITS")]
pub struct BadHostRange(String);

impl FromStr for HostRange {
    type Err = BadHostRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadHostRange(text.into());
        let Some((address, bits)) = text.trim().split_once('/') else {
            return text.parse().map(Self::Host).map_err(|_| bad());
        };
        let (address, bits): (IpAddr, u8) =
            (address.parse().map_err(|_| bad())?, bits.parse().map_err(|_| bad())?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        if bits > most { Err(bad()) } else { Ok(Self::Network { address, bits }) }
    }
}

impl fmt::Display for HostRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(pattern) => pattern.fmt(f),
            Self::Network { address, bits } => write!(f, "{address}/{bits}"),
        }
    }
}

impl HostRange {
    /// Whether this target is meant. The host has no brackets.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Host(pattern) => pattern.matches(host, port),
            Self::Network { address, bits } => {
                host.parse::<IpAddr>().is_ok_and(|ip| same_prefix(*address, ip.to_canonical(), *bits))
            }
        }
    }
}

fn same_prefix(network: IpAddr, ip: IpAddr, bits: u8) -> bool {
    let left_out = |width: u32| width - u32::from(bits).min(width);
    match (network, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (u32::from(a) ^ u32::from(b)).checked_shr(left_out(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (u128::from(a) ^ u128::from(b)).checked_shr(left_out(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

impl<'de> Deserialize<'de> for HostRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_means_addresses_and_a_pattern_means_names() {
        let matches = |range: &str, host: &str| range.parse::<HostRange>().unwrap().matches(host, 443);
        assert!(matches("10.96.0.0/16", "10.96.3.1") && !matches("10.96.0.0/16", "10.97.0.1"));
        assert!(matches("0.0.0.0/0", "8.8.8.8") && !matches("0.0.0.0/0", "fd00::1"));
        assert!(matches("10.0.0.1/32", "10.0.0.1") && !matches("10.0.0.1/32", "10.0.0.2"));
        assert!(matches("fd00::/8", "fd12::1") && !matches("10.0.0.0/8", "ten.example"));
        assert!(matches("*.azure.com", "management.azure.com"));
        for text in ["10.0.0.0/33", "a/8", "10.0.0.0/", "", "a b"] {
            assert!(text.parse::<HostRange>().is_err(), "{text}");
        }
    }
}
