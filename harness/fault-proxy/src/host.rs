//! Which hosts a rule of the gateway is about.

use std::fmt;
use std::str::FromStr;

/// A host name, a suffix (`*.azure.com` or `.azure.com`: everything below it, not itself), or `*` for every host; with `:PORT` for one port only.
/// Names compare without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: Name,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Any,
    Exact(String),
    /// With its leading dot.
    Below(String),
}

/// A text that is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a host: write NAME, *.SUFFIX or *, with :PORT for one port only")]
pub struct BadHostPattern(String);

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadHostPattern(text.into());
        let (name, port) = split(text.trim());
        let port = port.map(|port| port.parse().map_err(|_| bad())).transpose()?;
        let name = name.to_ascii_lowercase();
        let plain = |name: &str| !name.is_empty() && !name.contains(['*', '/', ' ', '\t']);
        let name = match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            _ if name == "*" => Name::Any,
            Some(suffix) if plain(suffix) => Name::Below(format!(".{suffix}")),
            None if plain(&name) => Name::Exact(name),
            _ => return Err(bad()),
        };
        Ok(Self { name, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Any => f.write_str("*")?,
            Name::Exact(name) if name.contains(':') => write!(f, "[{name}]")?,
            Name::Exact(name) => f.write_str(name)?,
            Name::Below(suffix) => write!(f, "*{suffix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl HostPattern {
    /// Whether this host and port are meant. The host has no brackets.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let name = match &self.name {
            Name::Any => true,
            Name::Exact(name) => *name == host,
            Name::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        };
        name && self.port.is_none_or(|wanted| wanted == port)
    }
}

/// Splits `host[:port]`; an IPv6 address needs brackets to have a port, and loses them.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn patterns_match_names_suffixes_and_ports() {
        assert!(pattern("Management.Azure.com").matches("management.azure.COM", 443));
        assert!(pattern("*.his.arc.azure.com").matches("eus.his.arc.azure.com", 443));
        assert!(!pattern("*.his.arc.azure.com").matches("his.arc.azure.com", 443));
        assert!(pattern(".his.arc.azure.com").matches("eus.his.arc.azure.com", 443));
        assert!(!pattern("azure.com").matches("management.azure.com", 443));
        assert!(pattern("*").matches("anything", 1));
        assert!(!pattern("example.com:443").matches("example.com", 80));
        assert!(pattern("[fd00::1]:443").matches("fd00::1", 443));
        assert_eq!(pattern("*.azure.com:443").to_string(), "*.azure.com:443");
        for text in ["", "*.", ".", "a*b", "https://a", "a:port", "*.*"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
