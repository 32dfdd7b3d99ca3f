//! Which proxy a client uses for a target: the rules of Go's `httpproxy` package, which the real agents, helm and
//! kubectl follow.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// How one speaks to a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyScheme {
    /// In the clear.
    Http,
    /// Within TLS.
    Https,
    /// A scheme that is not modelled; using the proxy is an error.
    Other(String),
}

/// An outbound proxy. Its `Debug` and `Display` show no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How one speaks to it.
    pub scheme: ProxyScheme,
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    authorization: Option<String>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match &self.scheme {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
            ProxyScheme::Other(other) => other,
        };
        write!(f, "{scheme}://{}", authority(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Proxy {
    /// Reads `[scheme://][user[:password]@]host[:port]`. Without a scheme it is `http`; the port defaults to the
    /// scheme's own. `None` for what names no host, which Go ignores too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => {
                (scheme.to_ascii_lowercase(), rest)
            }
            _ => ("http".into(), text),
        };
        let (scheme, default_port) = match scheme.as_str() {
            "http" => (ProxyScheme::Http, 80),
            "https" => (ProxyScheme::Https, 443),
            _ => (ProxyScheme::Other(scheme), 1080),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let location = &rest[..end];
        let (user, location) = match location.rsplit_once('@') {
            Some((user, location)) => (Some(user), location),
            None => (None, location),
        };
        let (host, port) = split_port(location)?;
        let port = if port.is_empty() { default_port } else { port.parse().ok()? };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return None;
        }
        Some(Self { scheme, host: host.into(), port, authorization: user.map(basic) })
    }

    /// The value of `Proxy-Authorization` for the credentials in the proxy's URL.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

fn basic(user: &str) -> String {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut plain: Vec<u8> = percent_decode_str(name).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(password));
    format!("Basic {}", STANDARD.encode(plain))
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`; a bare IPv6 address has no port. The port may be empty.
fn split_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, port)),
            None => rest.is_empty().then_some((host, "")),
        };
    }
    match text.split_once(':') {
        None => Some((text, "")),
        Some((_, rest)) if rest.contains(':') => text.parse::<IpAddr>().ok().map(|_| (text, "")),
        Some((host, port)) => Some((host, port)),
    }
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exempt {
    All,
    Network { address: IpAddr, bits: u8 },
    Address { address: IpAddr, port: Option<String> },
    Domain { suffix: String, itself: bool, port: Option<String> },
}

impl Exempt {
    /// Reads one entry; `None` for one that Go ignores.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_lowercase();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some(network) = network(&entry) {
            return Some(network);
        }
        let (host, port) = match split_port(&entry) {
            Some((host, port)) => (host, (!port.is_empty()).then(|| port.to_owned())),
            None => (entry.as_str(), None),
        };
        if let Ok(address) = host.parse() {
            return Some(Self::Address { address, port });
        }
        let host = if host.starts_with("*.") { &host[1..] } else { host };
        match host.strip_prefix('.') {
            _ if host.is_empty() => None,
            Some(_) => Some(Self::Domain { suffix: host.into(), itself: false, port }),
            None => Some(Self::Domain { suffix: format!(".{host}"), itself: true, port }),
        }
    }

    fn covers(&self, host: &str, port: &str, ip: Option<IpAddr>) -> bool {
        let port_agrees = |wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| wanted == port);
        match self {
            Self::All => true,
            Self::Network { address, bits } => ip.is_some_and(|ip| same_prefix(*address, ip, *bits)),
            Self::Address { address, port } => {
                ip.is_some_and(|ip| ip.to_canonical() == address.to_canonical()) && port_agrees(port)
            }
            Self::Domain { suffix, itself, port } => {
                (host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..])) && port_agrees(port)
            }
        }
    }
}

fn network(entry: &str) -> Option<Exempt> {
    let (address, bits) = entry.split_once('/')?;
    let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some(Exempt::Network { address, bits })
}

fn same_prefix(network: IpAddr, ip: IpAddr, bits: u8) -> bool {
    let wide = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, true),
        IpAddr::V6(ip) => (u128::from(ip), false),
    };
    let ((left, left_v4), (right, right_v4)) = (wide(network), wide(ip.to_canonical()));
    left_v4 == right_v4 && (bits == 0 || (left ^ right) >> (128 - u32::from(bits)) == 0)
}

/// The proxies of one client, and what is exempt from them. The default knows no proxy.
///
/// Source: the documented behaviour of Go's `golang.org/x/net/http/httpproxy`. Not modelled: its refusal of `HTTP_PROXY`
/// within CGI programs, and international domain names, which have to be given in their ASCII form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyRules {
    https: Option<Proxy>,
    http: Option<Proxy>,
    exempt: Vec<Exempt>,
}

impl ProxyRules {
    /// Rules from the three settings; empty texts and texts that name no host count as absent.
    #[must_use]
    pub fn new(https_proxy: Option<&str>, http_proxy: Option<&str>, no_proxy: Option<&str>) -> Self {
        let exempt = no_proxy.unwrap_or_default().split(',').filter_map(Exempt::parse).collect();
        Self { https: https_proxy.and_then(Proxy::parse), http: http_proxy.and_then(Proxy::parse), exempt }
    }

    /// Rules from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`; each is looked up in upper case first, then in lower case.
    #[must_use]
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let set = |name: &str| get(name).filter(|value| !value.is_empty());
            set(name).or_else(|| set(&name.to_ascii_lowercase()))
        };
        let (https, http, no) = (either("HTTPS_PROXY"), either("HTTP_PROXY"), either("NO_PROXY"));
        Self::new(https.as_deref(), http.as_deref(), no.as_deref())
    }

    /// The proxy for a target, or `None` if it is reached directly. `localhost` and loopback addresses always are.
    /// Schemes other than `https`/`wss` and `http`/`ws` have no proxy.
    #[must_use]
    pub fn choose(&self, scheme: &str, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = match scheme {
            "https" | "wss" => self.https.as_ref(),
            "http" | "ws" => self.http.as_ref(),
            _ => None,
        }?;
        let host = host.trim().trim_start_matches('[').trim_end_matches(']').to_lowercase();
        let ip = host.parse::<IpAddr>().ok();
        if host == "localhost" || ip.is_some_and(|ip| ip.to_canonical().is_loopback()) {
            return None;
        }
        let port = port.to_string();
        (!self.exempt.iter().any(|exempt| exempt.covers(&host, &port, ip))).then_some(proxy)
    }

    /// Whether no proxy is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.https.is_none() && self.http.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_direct(no_proxy: &str, host: &str, port: u16) -> bool {
        let rules = ProxyRules::new(Some("proxy.corp:3128"), None, Some(no_proxy));
        rules.choose("https", host, port).is_none()
    }

    #[test]
    fn no_proxy_follows_go() {
        let direct = [
            ("", "localhost", 443),
            ("", "127.0.0.9", 443),
            ("", "::1", 443),
            ("", "[::1]", 443),
            ("*", "management.azure.com", 443),
            ("a.com, *", "management.azure.com", 443),
            ("azure.com", "azure.com", 443),
            ("azure.com", "Management.Azure.com", 443),
            (".azure.com", "management.azure.com", 443),
            ("*.azure.com", "management.azure.com", 443),
            ("azure.com:443", "management.azure.com", 443),
            ("10.96.0.0/16", "10.96.0.1", 443),
            ("fd00::/8", "fd12::1", 443),
            ("10.96.0.1", "10.96.0.1", 6443),
            ("10.96.0.1:6443", "10.96.0.1", 6443),
            ("[fd00::1]:6443", "fd00::1", 6443),
            ("fd00::1", "fd00::1", 6443),
            ("10.0.0.0/16,kubernetes.default.svc,.svc.cluster.local,.svc", "kubernetes.default.svc", 443),
            ("0.0.0.0/0", "8.8.8.8", 443),
        ];
        for (no_proxy, host, port) in direct {
            assert!(goes_direct(no_proxy, host, port), "{no_proxy:?} should exempt {host}:{port}");
        }
        let proxied = [
            ("", "management.azure.com", 443),
            (".azure.com", "azure.com", 443),
            ("*.azure.com", "azure.com", 443),
            ("azure.com", "notazure.com", 443),
            ("azure.com:8443", "management.azure.com", 443),
            ("10.96.0.0/16", "10.97.0.1", 443),
            ("10.96.0.1:6443", "10.96.0.1", 443),
            ("10.96.0.0/33", "10.96.0.1", 443),
            ("10.96.0.0/16", "host.in.10.96", 443),
            (":443", "management.azure.com", 443),
            ("::/0", "8.8.8.8", 443),
        ];
        for (no_proxy, host, port) in proxied {
            assert!(!goes_direct(no_proxy, host, port), "{no_proxy:?} should not exempt {host}:{port}");
        }
    }

    #[test]
    fn a_proxy_is_read_with_or_without_scheme_and_shows_no_credentials() {
        let read = |text: &str| Proxy::parse(text).map(|proxy| proxy.to_string());
        assert_eq!(read("proxy.corp:3128").unwrap(), "http://proxy.corp:3128");
        assert_eq!(read("10.0.0.1").unwrap(), "http://10.0.0.1:80");
        assert_eq!(read("https://proxy.corp/").unwrap(), "https://proxy.corp:443");
        assert_eq!(read("[fd00::1]:3128").unwrap(), "http://[fd00::1]:3128");
        assert_eq!(read("socks5://proxy.corp").unwrap(), "socks5://proxy.corp:1080");
        assert_eq!(read(":3128"), None);
        assert_eq!(read("proxy.corp:port"), None);
        let proxy = Proxy::parse("http://us%40er:p%3Aw@proxy.corp:1").unwrap();
        assert_eq!(proxy.authorization(), Some("Basic dXNAZXI6cDp3"));
        assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.corp:1)");
    }

    #[test]
    fn each_scheme_has_its_own_proxy_and_upper_case_wins() {
        let rules = ProxyRules::from_env(|name| {
            Some(match name {
                "HTTPS_PROXY" => "upper:1".into(),
                "https_proxy" => "lower:2".into(),
                "http_proxy" => "plain:3".into(),
                _ => return None,
            })
        });
        assert_eq!(rules.choose("https", "a.com", 443).unwrap().host, "upper");
        assert_eq!(rules.choose("http", "a.com", 80).unwrap().host, "plain");
        assert!(rules.choose("ftp", "a.com", 21).is_none());
        assert!(ProxyRules::from_env(|_| Some(String::new())).is_empty());
    }
}
