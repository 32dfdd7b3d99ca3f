//! How a forward proxy behaves, as a value that files are read into.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use sim_core::faults::{WIRE_EFFECTS, WireRule};

use super::Span;
use crate::{HostPattern, HostRange};

/// A forward proxy. Everything has a default, which is a proxy on a free port of loopback that does what it is asked; unknown
/// keys are errors. Spans are world time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ProxyConfig {
    /// What the journal, `Via` headers and the fact `hop` of fault rules call it.
    pub name: String,
    /// Where it is reached by `http://`; port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Where it is reached by `https://` as well.
    pub https: Option<Https>,
    /// Who may use it.
    pub auth: Option<Auth>,
    /// Targets that may be reached; all when empty.
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<HostRange>,
    /// Targets that may not, whatever `allow` says.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<HostRange>,
    /// How the two say no.
    pub refusal: Refusal,
    /// Which server names may be asked for within a tunnel.
    pub sni: ServerNames,
    /// The proxy through which targets are reached, as `HTTPS_PROXY` would name it.
    pub upstream: Option<String>,
    /// Targets that are reached without it, in the form of `NO_PROXY`.
    pub upstream_skip: Option<String>,
    /// What the proxy's resolver gets wrong. The first match counts.
    pub dns: Vec<DnsRule>,
    /// TLS that is opened and closed again with certificates of its own.
    pub intercept: Option<Intercept>,
    /// What becomes of websockets that the proxy can see: in plain HTTP, and where it intercepts.
    pub websockets: Websockets,
    /// How much it takes.
    pub limits: Limits,
    /// Fault rules of the hook `wire` that strike at this proxy only.
    #[schemars(schema_with = "rules")]
    pub rules: Vec<WireRule>,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            name: "proxy".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            https: None,
            auth: None,
            allow: Vec::new(),
            deny: Vec::new(),
            refusal: Refusal::default(),
            sni: ServerNames::default(),
            upstream: None,
            upstream_skip: None,
            dns: Vec::new(),
            intercept: None,
            websockets: Websockets::default(),
            limits: Limits::default(),
            rules: Vec::new(),
        }
    }
}

/// A listener within TLS. Its certificate is signed by the proxy's own authority.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Https {
    /// Where; port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The names in its certificate; loopback is always among them.
    #[serde(default)]
    pub names: Vec<String>,
    /// What is wrong with the certificate.
    #[serde(default)]
    pub certificate: Flaw,
}

/// What is wrong with the certificates that a proxy shows. Validity is wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Flaw {
    /// Nothing: a client that trusts the proxy's authority takes them.
    #[default]
    None,
    /// They expired yesterday.
    Expired,
    /// They become valid tomorrow.
    NotYetValid,
    /// They are for another name.
    WrongName,
    /// They lack the authority key identifier, which Python 3.13 and later insist on.
    NoKeyIdentifier,
    /// The intermediate certificate that signed them is not sent along.
    MissingIntermediate,
    /// Another authority signed them, which nobody can be given.
    UnknownIssuer,
}

/// Who may use a proxy.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Auth {
    /// What a 407 offers, in this order. NTLM and Negotiate are offered only: what a client answers to them is never
    /// accepted.
    #[serde(default = "basic")]
    pub schemes: Vec<Scheme>,
    /// The realm of a Basic challenge.
    #[serde(default = "realm")]
    pub realm: String,
    /// Names and passwords that Basic accepts.
    #[serde(default)]
    pub users: BTreeMap<String, Password>,
}

fn basic() -> Vec<Scheme> {
    vec![Scheme::Basic]
}

fn realm() -> String {
    "proxy".into()
}

/// A way to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Name and password.
    Basic,
    /// Windows' own, by challenge only.
    Ntlm,
    /// Kerberos or NTLM, by challenge only.
    Negotiate,
}

/// A password. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// How access lists say no.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Refusal {
    /// The status: 400 to 599.
    pub status: u16,
    /// The body; a sentence that names the target when left out.
    pub text: Option<String>,
}

impl Default for Refusal {
    fn default() -> Self {
        Self { status: 403, text: None }
    }
}

/// Which TLS server names may be asked for. A connection that asks for another one is reset after its first message, as
/// firewalls do; one that asks for none, or speaks no TLS, only where `allow` has entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerNames {
    /// Names that pass; all when empty.
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<HostPattern>,
    /// Names that do not, whatever `allow` says.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<HostPattern>,
}

/// What the proxy's resolver says about some hosts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DnsRule {
    /// Which hosts.
    #[schemars(with = "String")]
    pub host: HostPattern,
    /// `nxdomain`, `servfail`, `silence`, or the address that the name is said to have.
    #[schemars(with = "String")]
    pub answer: Answer,
}

/// An answer of a resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// There is no such name.
    NxDomain,
    /// The resolver failed.
    ServFail,
    /// No answer: 504 after half a minute of world time.
    Silence,
    /// This address.
    Address(IpAddr),
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "nxdomain" => Ok(Self::NxDomain),
            "servfail" => Ok(Self::ServFail),
            "silence" => Ok(Self::Silence),
            address => address.parse().map(Self::Address).map_err(|_| {
                format!("'{text}' is no answer: write nxdomain, servfail, silence or an address")
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Interception: tunnels are answered by the proxy itself, with certificates that it makes, and the requests inside go on by
/// TLS of its own, as HTTP/1.1. What speaks no TLS inside a tunnel is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Intercept {
    /// Whose tunnels; everybody's when empty.
    #[schemars(with = "Vec<String>")]
    pub hosts: Vec<HostPattern>,
    /// Whose not, whatever `hosts` says.
    #[schemars(with = "Vec<String>")]
    pub except: Vec<HostPattern>,
    /// What is wrong with the certificates.
    pub certificate: Flaw,
}

/// Websockets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Websockets {
    /// What becomes of the upgrade.
    pub upgrade: Upgrade,
    /// After how long an upgraded connection is reset.
    #[schemars(schema_with = "span")]
    pub cut_after: Option<Span>,
}

/// What becomes of a request that wants to upgrade its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Upgrade {
    /// It goes on as it is.
    #[default]
    Pass,
    /// It goes on as an ordinary request: the target never learns of the wish.
    Strip,
    /// 403.
    Refuse,
    /// It goes on, but what the target says is kept until 64 KiB are together or the connection ends.
    Buffer,
}

/// How much a proxy takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// Connections at a time; one more gets 503.
    pub connections: Option<usize>,
    /// Bytes of a request's head (at least 8192 for requests after the first of a connection); more get 431.
    pub header_bytes: usize,
    /// How long a connection may be idle.
    #[schemars(schema_with = "span")]
    pub idle: Option<Span>,
    /// Speaks HTTP/1.0 only: one request a connection, no chunks, no upgrades.
    pub http10: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: None, header_bytes: 64 << 10, idle: None, http10: false }
    }
}

fn span(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "integer", "null"], "pattern": "^[0-9]+(ms|s|m|h)?$", "minimum": 0})
}

/// A rule's keys; which of them belong together is said when a file is read.
fn rules(_: &mut SchemaGenerator) -> Schema {
    let number = || json_schema!({"type": "integer", "minimum": 0});
    let text = || json_schema!({"type": "string"});
    json_schema!({"type": "array", "items": {
        "type": "object", "required": ["effect"], "additionalProperties": false,
        "properties": {
            "id": text(), "hook": {"const": "wire"}, "match": {"type": "object"}, "effect": {"enum": WIRE_EFFECTS},
            "millis": number(), "jitter": number(), "bytesPerSecond": number(), "bytes": number(),
            "status": number(), "code": text(), "message": text(), "retryAfter": number()
        }
    }})
}

/// A configuration that makes no sense, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadConfig(pub String);

impl ProxyConfig {
    /// The JSON Schema of the files that describe a proxy.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Says what of it makes no sense, beyond what its types exclude.
    ///
    /// # Errors
    /// [`BadConfig`] names the key.
    pub fn check(&self) -> Result<(), BadConfig> {
        let bad = |text: &str| Err(BadConfig(text.into()));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return bad("name: use letters, digits, '-', '_' and '.'");
        }
        if !(400..=599).contains(&self.refusal.status) || self.refusal.status == 407 {
            return bad("refusal.status: give one from 400 to 599 (407 belongs to 'auth')");
        }
        if self.limits.header_bytes < 256 {
            return bad("limits.headerBytes: no request fits in less than 256 bytes");
        }
        let Some(auth) = &self.auth else { return Ok(()) };
        let offers_basic = auth.schemes.contains(&Scheme::Basic);
        if auth.schemes.is_empty() {
            return bad("auth.schemes: name at least one of basic, ntlm, negotiate");
        }
        if !offers_basic && !auth.users.is_empty() {
            return bad("auth.users: only 'basic' accepts users, and auth.schemes does not offer it");
        }
        if auth.users.keys().any(|name| name.is_empty() || name.contains(':')) {
            return bad("auth.users: a name is not empty and has no ':'");
        }
        if !auth.realm.chars().all(|c| c == ' ' || (c.is_ascii_graphic() && !matches!(c, '"' | '\\'))) {
            return bad("auth.realm: use plain ASCII without quotes");
        }
        Ok(())
    }
}
